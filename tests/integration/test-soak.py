# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many QEMUs, and everything that may happen to them and to the service, in an order that a seed decides
(soak_plan.py). At quiet points, when all has been answered, everybody must agree: what the model allows
(soak_model.py), the processes, QEMU's own word (asked beside the service), the files, GetManagedObjects(),
the picture of a subscriber who made no call (soak_picture.py), and vmheraldctl.

    VMHERALD_SOAK_SECONDS   go on for so long; without it a few rounds
    VMHERALD_SOAK_SEED      of the plan: the same seed does the same
    VMHERALD_SOAK_DOMAINS   number of domains"""
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import time
from collections import Counter

import harness
import life
from harness import NAME, PATH, GLib, folder, wait_until
from processes import command_line, is_sanitized, private_memory, qemus_of
from soak_calls import BELIEVED, CALLS, GARBAGE, PARTICULAR, TO_QEMU, outcome_of
from soak_model import (CUT, OFF, OK, PAUSED, PERSISTENT, RUNNING, TRANSIENT, State,
                        Violation)
from soak_picture import Picture
from soak_plan import Plan
from soak_target import Target, saved_folder

SECONDS = float(os.environ.get("VMHERALD_SOAK_SECONDS", "0"))
DOMAINS = int(os.environ.get("VMHERALD_SOAK_DOMAINS", "20"))
SEED = int(os.environ.get("VMHERALD_SOAK_SEED") or (random.randrange(1 << 32) if SECONDS else 4))
ROUNDS = 4                       # without SECONDS

BUS_NAME = "org.freedesktop.DBus"
AT_ONCE = 8                      # steps that are under way
CALLS_AT_ONCE = 4                # of one domain: each one more doubles what may be
ANSWER_SECONDS = 180.0           # the slowest call: only a failure takes so long
RESTARTS_A_MINUTE = 4            # more may be refused by the service
SLOW_SECONDS = 5.0               # a quiet point that takes longer is told
GROWTH_KIB_MAX = 4096            # of the private memory, over the rounds in which the service lives on

HANGS_MAX = 1 + int(SECONDS / 300)

FAULTS = ("SEGV", "ABRT", "BUS", "ILL", "FPE", "TRAP")
STATES = {OFF: "shut-off", RUNNING: "running", PAUSED: "paused"}
# What this run brings about; any other warning is a fault.
IS_WARNING = re.compile(r"WARNING|: warning: ")
EXPECTED_WARNINGS = re.compile(
    r"ended \d+ times within a minute"
    r"|stopped \((failed|unknown)\)"
    r"|its monitor cannot be reached"
    r"|could not be (started|restored)"
    r"|The service is leaving"
    r"|\.json: cannot open .* No such file"       # removed between the listing and the reading
)


class Listener(harness.Recorder):
    """Makes the picture. What it finds wrong is raised by check(): an exception in a callback is lost."""

    def __init__(self, note):
        self.picture = Picture()
        self.killed = {}                 # owner of the name -> the signal that we ended it by
        self.gone = set()                # owners that have lost the name
        self.note = note
        self.error = None
        super().__init__()

    def _arrived(self, _bus, sender, path, interface, member, parameters):
        if self.error:
            return
        try:
            if sender == BUS_NAME and member == "NameOwnerChanged":
                self._owner_changed(*parameters.unpack())
            elif path == PATH or path.startswith(PATH + "/"):
                told = harness_signal(path, interface, member, parameters)
                self.note(told)
                self.picture.take(told)
        except (Violation, KeyError) as error:
            self.error = error

    def _owner_changed(self, name, old, new):
        if name != NAME or not old:
            return
        if old not in self.killed:
            raise Violation(f"the service ended by itself ({old} -> '{new}')")
        self.gone.add(old)
        self.picture.service_gone(self.killed[old] == signal.SIGKILL)

    def check(self):
        if self.error:
            raise self.error


def harness_signal(path, interface, member, parameters):
    return harness.Signal(path, interface, member, parameters.get_type_string()[1:-1],
                          parameters.unpack())


class Soak(harness.ServiceCase):
    def setUp(self):
        self.targets = []
        self.by_path = {}
        self.problems = []
        self.listener = Listener(self.note_signal)
        self.addCleanup(self.listener.close)
        super().setUp()
        with open(os.path.join(folder(), "sleep.bin"), "wb") as file:
            file.write(b"\xf4" * 0xfff0 + b"\xfa\xf4\xeb\xfd" + b"\0" * 12)
        self.plan = Plan(SEED, DOMAINS)
        self.targets = [Target(slot) for slot in self.plan.slots]
        self.by_path = {target.path: target for target in self.targets}
        self.clients = [harness.Connection() for _ in range(3)]
        for client in self.clients:
            self.addCleanup(client.close)
        self.running = []                # [generator, condition, step, deadline]
        self.kills = 0                   # of the service, since the last quiet point
        self.reloading = 0               # calls of Reload() that are under way
        self.hung_up = False             # a reload that nobody answers, since then
        self.outcomes = Counter()
        self.counts = Counter()
        self.base = None

    # ---- what is remembered for the report ----

    def note_signal(self, told):
        target = self.by_path.get(told.path)
        if told.interface == harness.OBJECT_MANAGER:
            target = self.by_path.get(told.arguments[0])
        if target and told.name == "Domain.Lifecycle" and told.arguments[0] == "stopped":
            self.note_end(target, told.details.get("signal"))
        if target:
            text = told.arguments[:1] if told.interface == harness.OBJECT_MANAGER \
                else told.arguments
            target.history.append(f"        {told.name}{text}")

    def note_end(self, target, name):
        """QEMU itself may have a fault, which is not the service's."""
        if name not in FAULTS:
            return
        target.signals[name] -= 1
        if target.signals[name] < 0:
            target.signals[name] = 0
            self.counts[f"QEMUs that crashed by themselves ({name})"] += 1
            self.begin_belief(target, "died", target.restarts, awaited=False, lenient=True)

    def note_hang(self, target):
        """QEMU 7.2 may hang at its start, once in thousands; the service ends it then, and says so."""
        self.counts["QEMUs that hung at their start"] += 1
        if self.counts["QEMUs that hung at their start"] > HANGS_MAX:
            raise Violation("too many QEMUs hang at their start")
        self.begin_belief(target, "died", False, awaited=False, lenient=True)

    def note_line(self, target, text):
        if target:
            target.history.append(f"{time.monotonic() % 1000:8.3f} {text}")

    def report(self, target, problem):
        lines = [f"seed {SEED}, {DOMAINS} domains: {problem}"]
        if target:
            lines += [f"the domain soak-{target.index} ({target.uuid}), restarts: {target.restarts}, "
                      f"in the end:", *target.history, f"believed: {target.belief}"]
        return "\n".join(lines)

    # ---- steps that are under way ----

    def poll(self):
        """Lets everything go on that can; raises what was found wrong."""
        try:
            self.listener.check()
        except AssertionError as error:
            guilty = next((t for t in self.targets if t.path in str(error)), None)
            raise AssertionError(self.report(guilty, error)) from error
        for entry in list(self.running):
            self.advance(entry)

    def advance(self, entry):
        generator, condition, step, deadline = entry
        target = self.targets[step.slot] if step.slot is not None else None
        try:
            if not condition():
                if time.monotonic() > deadline:
                    raise Violation(f"{step} has no answer after {ANSWER_SECONDS:.0f} s")
                return
            entry[1] = next(generator)
        except StopIteration:
            self.running.remove(entry)
            if target:
                target.steps -= 1
        except (Violation, OSError) as error:
            raise AssertionError(self.report(target, f"{step}: {error}")) from error

    def may_begin(self, step):
        self.poll()
        # What waits for a QEMU that hangs is not counted: the step that lets it go on is among those to come.
        going = sum(entry[2].slot is None or self.targets[entry[2].slot].hung is None
                    for entry in self.running)
        if step.action != "go-on" and going >= AT_ONCE:
            return False
        if step.slot is None:
            return True
        target = self.targets[step.slot]
        if step.overlap:
            return target.steps < CALLS_AT_ONCE or target.hung is not None
        return target.steps == 0

    def begin(self, step):
        wait_until(lambda: self.may_begin(step), f"the turn of {step} (seed {SEED})",
                   2 * ANSWER_SECONDS)
        target = self.targets[step.slot] if step.slot is not None else None
        self.note_line(target, step)
        if target:
            target.steps += 1
        method = getattr(self, "do_" + step.action.replace("-", "_"), None)
        arguments = (*((target,) if target else ()), *step.arguments)
        generator = method(*arguments) if method else self.do_call(target, step.action,
                                                                   *step.arguments)
        entry = [generator, lambda: True, step, time.monotonic() + ANSWER_SECONDS]
        self.running.append(entry)
        self.advance(entry)

    # ---- calls ----

    def client(self):
        self.counts["calls"] += 1
        return self.clients[self.counts["calls"] % len(self.clients)]

    def begin_belief(self, target, name, *arguments, **flags):
        flags.setdefault("foggy", target.foggy)
        number = target.belief.begin(name, *arguments, **flags)
        if name in ("define", "set-autostart") and (self.reloading or self.hung_up):
            # It may come before a reload that is under way.
            target.belief.expect("autostart")
        return number

    def send(self, target, client, action, *arguments):
        """The call that an action is."""
        interface, member, signature, values = CALLS[action](target, *arguments)
        path = PATH if interface == "Manager" else target.path
        return client.send(path, f"{NAME}.{interface}", member, signature, *values)

    def answered(self, target, action, arguments, number, pending):
        outcome = outcome_of(pending)
        self.outcomes[f"{action}: {outcome}"] += 1
        text = f" ({pending.error.message})" if pending.error else ""
        self.note_line(target, f"    {action}{arguments}: {outcome}{text}")
        if outcome == CUT and not self.kills:
            raise Violation(f"{pending.error.message}, and nobody has ended the service")
        if outcome in ("StartFailed", "MonitorLost"):
            # Why, is told before it is answered; but on another connection.
            self.listener.connection.call_bus("GetId")
        if outcome == "StartFailed" and "did not answer within" in text:
            self.note_hang(target)
        if target.path in self.listener.picture.unknown:
            self.fog(target)
        target.belief.answer(number, outcome)
        # What was sent to QEMU may still be done, though nobody will hear of it.
        if outcome in (CUT, "MonitorLost", "MonitorTimeout") and action in TO_QEMU:
            self.begin_belief(target, action, *arguments, awaited=False, lenient=True)

    def do_call(self, target, action, *arguments):
        action, arguments = PARTICULAR.get(action, lambda *values: (action, values))(*arguments)
        believed = BELIEVED.get(action, lambda *values: values)(*arguments)
        number = self.begin_belief(target, action, *believed)
        pending = self.send(target, self.client(), action, *arguments)
        yield lambda: pending.finished
        self.answered(target, action, believed, number, pending)

    def vanish(self, target, action, *arguments):
        """Somebody calls and does not wait."""
        believed = BELIEVED.get(action, lambda *values: values)(*arguments)
        self.begin_belief(target, action, *believed, awaited=False, lenient=True)
        client = harness.Connection()
        self.send(target, client, action, *arguments)
        client.bus.flush_sync(None)
        client.close()
        return iter(())

    def do_vanish_start(self, target):
        return self.vanish(target, "start", False)

    def do_vanish_suspend(self, target):
        return self.vanish(target, "suspend")

    def do_vanish_resume(self, target):
        return self.vanish(target, "resume")

    def do_vanish_destroy(self, target):
        return self.vanish(target, "destroy", 300000)

    # ---- the host ----

    def qemus(self):
        """uuid -> pids."""
        found = {}
        for pid, _ in qemus_of(folder()):
            arguments = command_line(pid)
            if "-uuid" in arguments and life.lives(pid):
                found.setdefault(arguments[arguments.index("-uuid") + 1], []).append(pid)
        return found

    def open_qemu(self, target):
        """A pidfd, or None."""
        for pid in self.qemus().get(target.uuid, ()):
            try:
                return os.pidfd_open(pid)
            except ProcessLookupError:
                pass
        return None

    def do_kill(self, target, name):
        pidfd = self.open_qemu(target)
        if pidfd is None:
            return
        now = time.monotonic()
        while target.deaths and now - target.deaths[0] > 70:
            target.deaths.popleft()
        restarts = target.restarts and name != "TERM"
        self.begin_belief(target, "died", restarts, awaited=False,
                          lenient=self.kills > 0 or target.foggy or
                          len(target.deaths) >= RESTARTS_A_MINUTE)
        target.deaths.append(now)
        target.signals[name] += 1
        self.counts["QEMUs killed"] += 1
        try:
            signal.pidfd_send_signal(pidfd, getattr(signal, f"SIG{name}"))
        except ProcessLookupError:
            pass
        os.close(pidfd)
        yield lambda: True

    def fog(self, target):
        target.foggy = True
        target.belief.mark(foggy=True)

    def do_hang(self, target):
        pidfd = self.open_qemu(target)
        if pidfd is None:
            return
        self.fog(target)
        self.counts["QEMUs stopped"] += 1
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        except ProcessLookupError:
            pass
        target.hung = pidfd
        yield lambda: True

    def do_go_on(self, target):
        if target.hung is not None:
            try:
                signal.pidfd_send_signal(target.hung, signal.SIGCONT)
            except ProcessLookupError:
                pass
            os.close(target.hung)
            target.hung = None
        yield lambda: True

    def ask_qemu(self, target, command, **arguments):
        """Beside the service. None if there is no QEMU, or none any more."""
        try:
            monitor = target.second_monitor()
        except (OSError, AssertionError):
            return None
        try:
            return monitor.execute(command, **arguments)
        except (OSError, AssertionError, json.JSONDecodeError):
            return None
        finally:
            monitor.close()

    def foreign(self, target, action, command):
        # Blocks: no answer is heard before it is believed.
        done = self.ask_qemu(target, command) is not None
        self.begin_belief(target, action, awaited=False, lenient=not done)
        yield lambda: True

    def do_foreign_stop(self, target):
        return self.foreign(target, "foreign-stop", "stop")

    def do_foreign_cont(self, target):
        return self.foreign(target, "foreign-cont", "cont")

    def yank(self, target):
        self.fog(target)
        self.counts["monitors cut"] += 1
        return self.ask_qemu(target, "yank", instances=[{"type": "chardev",
                                                         "id": "vmherald-monitor"}])

    def do_yank(self, target):
        self.yank(target)
        yield lambda: True

    def do_steal(self, target):
        """Somebody else is quicker to connect to QEMU's monitor, and stays for a while."""
        thief = socket.socket(socket.AF_UNIX)
        try:
            thief.connect(os.path.join(life.runtime_folder(), target.uuid, "monitor"))
        except OSError:
            thief.close()
            return
        self.yank(target)
        end = time.monotonic() + 5
        yield lambda: target.path in self.listener.picture.unknown or time.monotonic() > end
        thief.close()

    # ---- files ----

    def do_edited(self, target, revision):
        number, path = next(iter(target.files().items()),
                            (0, os.path.join(life.definitions_folder(), target.name(0) + ".json")))
        self.begin_belief(target, "edited", revision, awaited=False)
        partial = os.path.join(folder(), f"edited-{target.index}")
        with open(partial, "w", encoding="utf-8") as file:
            file.write(target.document(number, revision))
        os.rename(partial, path)
        return self.do_reload()

    def do_file_removed(self, target):
        self.begin_belief(target, "file-removed", awaited=False)
        for path in target.files().values():
            os.unlink(path)
        return self.do_reload()

    # ---- the service ----

    def believe_autostart(self, lenient):
        for target in self.targets:
            belief = target.belief
            if any(state.autostart for state in belief.states) or \
                    any(action.name in ("define", "set-autostart")
                        for action in belief.actions.values()):
                # It must come if nothing else is under way that decides.
                if lenient or belief.actions or belief.standing:
                    belief.expect("autostart")
                else:
                    self.begin_belief(target, "autostart", awaited=False)

    def do_reload(self):
        """Until it was done: the service may be ended before."""
        while True:
            self.believe_autostart(False)
            self.reloading += 1
            pending = self.client().send(PATH, f"{NAME}.Manager", "Reload")
            yield lambda: pending.finished
            self.reloading -= 1
            outcome = outcome_of(pending)
            self.outcomes[f"reload: {outcome}"] += 1
            if outcome == OK:
                return
            if outcome != CUT or not self.kills:
                raise Violation(f"Reload: {pending.error.message}")
            for target in self.targets:
                target.belief.mark("autostart", lenient=True)

    def open_service(self):
        """Its unique name and a pidfd; None if it does not run, or is about to be gone."""
        try:
            owner = self.connection.call_bus("GetNameOwner", "(s)", NAME)
            pid = self.connection.call_bus("GetConnectionUnixProcessID", "(s)", owner)
            return owner, os.pidfd_open(pid)
        except (GLib.Error, ProcessLookupError):
            return None

    def do_hangup(self):
        service = self.open_service()
        if service:
            self.believe_autostart(True)
            self.hung_up = True
            try:
                signal.pidfd_send_signal(service[1], signal.SIGHUP)
            except ProcessLookupError:
                pass
            os.close(service[1])
        yield lambda: True

    def end_service(self, number):
        service = self.open_service()
        if not service:
            return
        owner, pidfd = service
        self.listener.killed[owner] = number
        self.kills += 1
        for target in self.targets:
            target.belief.mark(lenient=True)
            if target.belief.actions:
                target.belief.expect("service-died")
        self.counts[f"service ended by {signal.Signals(number).name}"] += 1
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass
        os.close(pidfd)
        yield lambda: owner in self.listener.gone

    def do_service_kill(self):
        return self.end_service(signal.SIGKILL)

    def do_service_term(self):
        return self.end_service(signal.SIGTERM)

    def do_garbage(self, number):
        """What no service should be asked, and what it should say."""
        target = self.targets[number % len(self.targets)]
        path, interface, member, signature, values, allowed = \
            GARBAGE[number % len(GARBAGE)](target)
        pending = self.client().send(path, f"{NAME}.{interface}", member, signature, *values)
        yield lambda: pending.finished
        outcome = outcome_of(pending)
        self.outcomes[f"garbage {member}: {outcome}"] += 1
        if outcome not in allowed and not (outcome == CUT and self.kills):
            raise Violation(f"{member}{values}: {outcome} and not {allowed}")

    def do_idle_client(self):
        """Asks for much, and leaves without reading any of it."""
        client = harness.Connection()
        for target in self.targets:
            client.send(target.path, harness.PROPERTIES, "GetAll", "(s)", f"{NAME}.Domain")
        client.send(PATH, harness.OBJECT_MANAGER, "GetManagedObjects")
        client.bus.flush_sync(None)
        client.close()
        yield lambda: True

    # ---- quiet points ----

    def truth(self, target, pids):
        """State from outside of the service; a text if it is none."""
        files = target.files()
        if len(files) > 1 or len(pids) > 1:
            return f"{target.name(0)}: files {files}, processes {pids}"
        saved = os.path.exists(os.path.join(saved_folder(), f"{target.uuid}.state"))
        if not files and not pids:
            return State(saved=saved)
        state = State(TRANSIENT, saved=saved)
        for number, path in files.items():
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
            state = State(PERSISTENT, name=number, saved=saved,
                          revision=int(document["title"].removeprefix("revision ")),
                          autostart=document.get("autostart", False))
        if not pids:
            return state
        status = self.ask_qemu(target, "query-status")
        devices = self.ask_qemu(target, "qom-list", path="/machine/peripheral")
        if status is None or devices is None:
            return f"{target.name(0)}: QEMU ({pids}) does not say how it is"
        run = {"running": RUNNING, "paused": PAUSED, "prelaunch": PAUSED,
               "postmigrate": PAUSED}.get(status["return"]["status"])
        if run is None:
            return f"{target.name(0)}: QEMU is {status}"
        return state._replace(run=run, devices=frozenset(
            device["name"] for device in devices["return"]
            if device["name"].startswith("d")))

    def told(self, target, managed, pids):
        """The same from GetManagedObjects()."""
        interfaces = managed.get(target.path)
        if not interfaces:
            # Its file may be there still: a definition that comes back is restored from it.
            return State(saved=os.path.exists(os.path.join(saved_folder(),
                                                           f"{target.uuid}.state")))
        domain = interfaces[f"{NAME}.Domain"]
        runs = {value: key for key, value in STATES.items()}
        if domain["State"] not in runs:
            return f"{domain['Name']} is {domain['State']}"
        if [domain["PID"]] != (pids or [0]):
            return f"{domain['Name']}: PID {domain['PID']}, processes {pids}"
        if interfaces[f"{NAME}.Monitor"]["Connected"] != bool(pids):
            return f"{domain['Name']}: Connected"
        if bool(domain["StartedAt"]) != bool(pids):
            return f"{domain['Name']}: StartedAt {domain['StartedAt']}"
        names = {target.name(number): number for number in (0, 1)}
        persistent = domain["Persistent"]
        return State(PERSISTENT if persistent else TRANSIENT, runs[domain["State"]],
                     name=names[domain["Name"]] if persistent else 0,
                     autostart=domain["Autostart"] if persistent else False,
                     revision=self.revision(target) if persistent else 0,
                     saved=domain["HasSavedState"], devices=frozenset(
                         device for device in interfaces[f"{NAME}.Devices"]["Devices"]
                         if device.startswith("d")))

    def revision(self, target):
        text = self.connection.call(target.path, f"{NAME}.Domain", "GetDefinition", "(a{sv})", {})
        return int(json.loads(text)["title"].removeprefix("revision "))

    def disagreements(self):
        """Everything that is wrong at this moment, as texts with the target; empty when all agree."""
        try:
            # By the connection that the signals come on: so they are told in order.
            managed = self.listener.connection.managed_objects()
        except GLib.Error as error:
            return [(None, error.message)]
        self.poll()
        found = [(next((t for t in self.targets if t.path in text), None), text)
                 for text in self.listener.picture.differences(managed)]
        if found:
            return found
        qemus = self.qemus()
        stray = set(qemus) - {target.uuid for target in self.targets}
        if stray:
            found.append((None, f"processes of nobody: {stray}"))
        truths = {}
        for target in self.targets:
            pids = qemus.get(target.uuid, [])
            truth, told = self.truth(target, pids), self.told(target, managed, pids)
            truths[target] = truth
            if isinstance(truth, str) or isinstance(told, str):
                found.append((target, f"{truth}; {told}"))
            elif self.normal(truth) != self.normal(told):
                found.append((target, f"the service says {told}, but it is {truth}"))
            elif not self.explained(target, truth):
                found.append((target, f"it is {truth}, which nothing explains"))
        found += [(None, text) for text in self.wrong_files(managed)]
        if not found:
            for target, truth in truths.items():
                target.belief.settle(self.explained(target, truth))
        return found

    @staticmethod
    def normal(state):
        """A transient domain has no document on the disk that could be compared."""
        return state._replace(name=0, revision=0, autostart=False, saved=False) \
            if state.kind == TRANSIENT else state

    def explained(self, target, truth):
        """The state of the model that this is, or None."""
        return next((state for state in target.belief.outcomes()
                     if self.normal(state) == self.normal(truth)), None)

    def wrong_files(self, managed):
        """Files are those of the domains and no others."""
        domains = [interfaces[f"{NAME}.Domain"] for interfaces in managed.values()
                   if f"{NAME}.Domain" in interfaces]
        expected = {
            life.runtime_folder(): {d["UUID"] for d in domains if d["State"] != "shut-off"},
            life.definitions_folder(): {d["Name"] + ".json" for d in domains if d["Persistent"]},
        }
        for place, names in expected.items():
            there = {name for name in os.listdir(place) if not name.startswith(".")}
            if there != names:
                yield f"{place}: {sorted(there - names)} too many, {sorted(names - there)} missing"
        saved = {f"{d['UUID']}.state" for d in domains if d["HasSavedState"]}
        absent = {f"{t.uuid}.state" for t in self.targets if t.path not in managed}
        there = set(os.listdir(saved_folder()))
        if not saved <= there or not there <= saved | absent:
            yield f"{saved_folder()}: {sorted(there)}, and not {sorted(saved)}"

    def wait_quiet(self):
        def all_done():
            self.poll()
            return not self.running
        wait_until(all_done, f"all steps to end (seed {SEED}): "
                   f"{[str(entry[2]) for entry in self.running]}", 2 * ANSWER_SECONDS)
        self.problems = []

        began = time.monotonic()

        def agree():
            self.problems = self.disagreements()
            if self.problems and time.monotonic() - began > SLOW_SECONDS * (1 + len(slow)):
                slow.append(f"after {time.monotonic() - began:.0f} s still: {self.problems[0][1]}")
            return not self.problems
        slow = []
        try:
            wait_until(agree, "everybody to agree")
        except AssertionError as error:
            guilty, text = self.problems[0]
            others = "\n".join(text for _, text in self.problems[1:])
            raise AssertionError(self.report(guilty, f"{text}\n{others}")) from error
        for text in slow:
            harness.note(f"round {self.plan.round}: {text}")
        self.check_list()
        self.listener.picture.quiet()
        self.kills = 0
        self.hung_up = False
        for target in self.targets:
            target.foggy = False
        self.counts["quiet points"] += 1

    def check_list(self):
        """What a person sees."""
        output = subprocess.run(["vmheraldctl", "--session", "--json", "list"], check=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        listed = {entry["path"]: entry["state"] for entry in json.loads(output)}
        self.assertEqual({path: self.listener.picture.get(path, "Domain", "State")
                          for path in self.listener.picture.objects}, listed)

    # ---- what the service uses ----

    def usage(self):
        pid = self.connection.service_pid()
        return {"pid": pid, "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
                "threads": len(os.listdir(f"/proc/{pid}/task")), "memory": private_memory(pid),
                "active": sum(target_is_active(target) for target in self.targets),
                "sanitized": is_sanitized(pid)}

    def measure_base(self):
        """Descriptors of a service without a running domain, and what one adds."""
        wait_until(lambda: self.connection.get(PATH, f"{NAME}.Manager", "Emulators"), "the emulators")
        nothing = self.usage()
        domain = self.create("measured", machine="none")
        one = self.usage()
        domain.destroy()
        wait_until(lambda: self.usage()["descriptors"] == nothing["descriptors"],
                   "the descriptors of a run to be closed")
        self.base = nothing["descriptors"], one["descriptors"] - nothing["descriptors"]

    def check_usage(self):
        """No descriptor and no child more than the domains that run now explain."""
        wait_until(lambda: self.connection.get(PATH, f"{NAME}.Manager", "Emulators"), "the emulators")
        expected = self.base[0] + self.base[1] * self.usage()["active"]
        wait_until(lambda: self.usage()["descriptors"] == expected,
                   f"{expected} descriptors; there are {self.usage()} (seed {SEED})")

        def no_zombies():
            pid = self.connection.service_pid()
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                return all(life.lives(int(child)) for child in file.read().split())
        wait_until(no_zombies, f"all children of the service to be waited for (seed {SEED})")
        return self.usage()

    def check_log(self):
        """Warnings are about what this run has brought about."""
        bad = [line for line in life.service_log().splitlines()
               if IS_WARNING.search(line) and not EXPECTED_WARNINGS.search(line)]
        self.assertEqual([], bad[:10], f"in the log of the service (seed {SEED})")

    # ---- the run ----

    def round(self):
        for step in self.plan.round_steps():
            self.begin(step)
        self.wait_quiet()
        return self.check_usage()

    def test_soak(self):
        harness.note(f"seed {SEED}, {DOMAINS} domains")
        self.measure_base()
        began = time.monotonic()
        usages = []
        while time.monotonic() - began < SECONDS if SECONDS else self.plan.round < ROUNDS:
            usages.append(self.round())
            if SECONDS and self.plan.round % 10 == 0:
                harness.note(f"{time.monotonic() - began:.0f} s, step {self.plan.number}, "
                             f"{usages[-1]}")
        self.check_memory(usages)
        self.remove_everything()
        self.check_log()
        took = time.monotonic() - began
        picture = self.listener.picture
        harness.note(f"{took:.1f} s, {self.plan.number} steps, {picture.signals} signals, "
                     f"{picture.holes} of them lost with the service; {dict(self.counts)}")
        harness.note(f"{dict(sorted(self.outcomes.items()))}")
        self.assertGreater(sum(count for name, count in self.outcomes.items()
                               if name.endswith(": ok")), self.plan.number / 4,
                           "hardly anything of it has worked")

    def check_memory(self, usages):
        """From the first to the last quiet point of one service."""
        by_service = {}
        for usage in usages:
            by_service.setdefault(usage["pid"], []).append(usage)
        for pid, rows in by_service.items():
            memory = [row["memory"] for row in rows]
            if len(rows) > 1 and not rows[0]["sanitized"]:
                harness.note(f"service {pid}: private memory in KiB at quiet points {memory}, "
                             f"threads {[row['threads'] for row in rows]}")
                self.assertLess(memory[-1] - memory[0], GROWTH_KIB_MAX, f"seed {SEED}")

    def remove_everything(self):
        """As at the beginning: nothing of all of it is left."""
        self.remove_domains()
        wait_until(lambda: self.usage()["descriptors"] == self.base[0],
                   f"{self.base[0]} descriptors; there are {self.usage()} (seed {SEED})")
        self.assertEqual([], os.listdir(life.runtime_folder()))
        self.assertEqual([], os.listdir(life.definitions_folder()))
        left = set(os.listdir(saved_folder())) - {f"{t.uuid}.state" for t in self.targets}
        self.assertEqual(set(), left)


def target_is_active(target):
    return any(state.run != OFF for state in target.belief.states)


if __name__ == "__main__":
    # QEMUs are killed by signals that would leave a core.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    harness.main(seconds=SECONDS * 1.5 + 600 if SECONDS else None)
