#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recordings of a real QEMU, and some written after its schema, played through the whole service: what a
listener with one match rule hears of each is compared with tests/data/recordings/NAME.expected.

    test-replay.py --update [NAME...]    writes the expectations of these recordings, or of all;
                                         `git diff` shows what has become of them
    test-replay.py NAME...               plays only these

How an expectation reads:

    * reconnected                        a step of the recording that is no event
    > 3 STOP                             QEMU's third event, as recorded, and what came of it:
        Domain.State = 'paused'          PropertiesChanged; many between two signals are one here
        Display.Clients = [...] (asked)  a property whose changes are told without the value
    Domain.Lifecycle ('suspended', 'paused', 'paused') {'name': <'x'>} @3
                                         a signal: arguments, details, and of which event it has the
                                         time; none: it has one of its own

The head says what `started` finds changed since the definition, the foot what a run leaves behind.
Numbers that depend on the run (pid, sequence) are not in it: the stamps are checked by themselves."""
import difflib
import glob
import json
import os
import re
import sys
import time
import unittest

import harness
import life
from harness import (DEADLINE, NAME, PATH, PROPERTIES, Connection, Domain, Gio, GLib, Recorder,
                     wait_until)

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDINGS = os.path.join(HERE, "..", "data", "recordings")
EMULATOR = os.path.join(HERE, "replay_qemu.py")
TABLE = os.path.join(HERE, "..", "..", "src", "event", "table.c")
UPDATE_VARIABLE = "VMHERALD_REPLAY_UPDATE"
ONLY_VARIABLE = "VMHERALD_REPLAY_ONLY"

AT_ONCE = 8                  # domains
PLAY_SECONDS = 240.0         # for all; only a failure takes so long
# What an event makes the service ask is answered in the first round, what it asks then in the second.
SETTLE_ROUNDS = 3
NOBODYS = "X_NOBODY_KNOWS"   # in written-irregular: a name that no QEMU has
# Of the run or of the machine, not of the recording.
PRIVATE = {"Domain.PID", "Domain.StartedAt", "Domain.Emulator", "Domain.UUID",
           "Domain.Accelerator"}


def names():
    only = os.environ.get(ONLY_VARIABLE, "").split()
    return only or sorted(os.path.basename(path).removesuffix(".jsonl")
                          for path in glob.glob(os.path.join(RECORDINGS, "*.jsonl")))


def read_events(name):
    """The messages of QEMU's events, in order."""
    with open(os.path.join(RECORDINGS, name + ".jsonl"), encoding="utf-8") as file:
        messages = [json.loads(line).get("msg", {}) for line in file]
    return [message for message in messages if "event" in message]


def event_time(message):
    stamp = message.get("timestamp")
    try:
        return stamp["seconds"] * 1000000 + stamp["microseconds"]
    except (KeyError, TypeError):
        return None


def member(message, name):
    data = message.get("data")
    return data.get(name) if isinstance(data, dict) else None


def ends(events):
    """Whether the recorded QEMU has ended, and did not just stop to be recorded."""
    return bool(events) and (events[-1]["event"] == "SHUTDOWN" or
                             (events[-1]["event"], member(events[-1], "action")) ==
                             ("WATCHDOG", "poweroff"))


def begins_paused(events):
    changes = [message["event"] for message in events if message["event"] in ("STOP", "RESUME")]
    return changes[:1] == ["RESUME"]


def policies(events):
    """What the definition must have said for QEMU to behave as it did."""
    found = {}
    for message, following in zip(events, events[1:] + [{"event": ""}]):
        if (message["event"], member(message, "action")) == ("GUEST_PANICKED", "pause"):
            found["on_panic"] = "pause"
        if (message["event"], following["event"]) == ("SHUTDOWN", "STOP"):
            found["on_shutdown"] = "pause"
        # A machine that ended instead of being reset.
        if message["event"] == "SHUTDOWN" and member(message, "reason") in (
                "guest-reset", "host-qmp-system-reset"):
            found["on_reboot"] = "stop"
    return found


def render(value):
    """With types, and the entries of a{s...} in order."""
    return sort(value).print_(True)


def without_chain(details):
    """Without what differs from run to run."""
    entries = [details.get_child_value(i) for i in range(details.n_children())]
    return GLib.Variant.new_array(details.get_type().element(), [
        entry for entry in entries if entry.get_child_value(0).unpack() != "domain-previous"])


def sort(value):
    kind = value.get_type_string()
    if kind == "v":
        return GLib.Variant.new_variant(sort(value.get_variant()))
    if not value.is_container() or value.n_children() == 0:
        return value
    children = [sort(value.get_child_value(i)) for i in range(value.n_children())]
    if kind.startswith("a{"):
        children.sort(key=lambda entry: entry.get_child_value(0).print_(False))
    if kind.startswith("a"):
        return GLib.Variant.new_array(value.get_type().element(), children)
    if kind.startswith("{"):
        return GLib.Variant.new_dict_entry(*children)
    return GLib.Variant.new_tuple(*children)


class Subscriber(Recorder):
    """Everything below the path by one match rule, with the types; and calls whose replies come behind
    what the service has sent before them."""

    def __init__(self):
        self.connection = Connection()
        self.connection._unpack = lambda reply: reply
        self.signals = []
        self.heard = {}                  # path -> (Signal, GLib.Variant) of it
        self.connection.bus.signal_subscribe(None, None, None, None, None,
                                             Gio.DBusSignalFlags.NO_MATCH_RULE, self._arrived)
        self.connection.call_bus("AddMatch", "(s)",
                                 f"type='signal',sender='{NAME}',path_namespace='{PATH}'")

    def _arrived(self, bus, sender, path, interface, member, parameters):
        before = len(self.signals)
        super()._arrived(bus, sender, path, interface, member, parameters)
        for each in self.signals[before:]:
            self.heard.setdefault(path, []).append((each, parameters))


class Play:
    """One recording in one domain. run() is a generator: what it yields is a condition that must hold
    before it goes on, so that many can be played at once."""

    def __init__(self, subscriber, name):
        self.subscriber = subscriber
        self.name = name
        self.events = read_events(name)
        self.lines = []
        self.pending = {}                # properties that have changed since the last line
        self.known = {}                  # property -> value, up to the last line
        self.told = {}                   # the same, as a listener has it who has asked nothing
        self.invalidated = set()
        self.rendered = 0
        self.error = None
        self.domain = None

    # ---- calls ----

    def call(self, path, interface, member, signature="()", *arguments):
        call = self.subscriber.connection.send(path, interface, member, signature, *arguments)
        yield lambda: call.finished
        return call.result()

    def replay(self, command, **arguments):
        reply = yield from self.call(self.domain.path, f"{NAME}.Monitor", "Execute", "(ssa{sv})",
                                     f"x-replay-{command}", json.dumps(arguments), {})
        return json.loads(reply.unpack()[0])

    def get_all(self):
        """Property -> value of all that are told."""
        found = {}
        for interface in sorted(life.promised_properties()):
            if interface == f"{NAME}.Manager":
                continue
            reply = yield from self.call(self.domain.path, PROPERTIES, "GetAll", "(s)", interface)
            values = reply.get_child_value(0)
            for i in range(values.n_children()):
                entry = values.get_child_value(i)
                name = f"{interface.removeprefix(NAME + '.')}.{entry.get_child_value(0).unpack()}"
                if name not in PRIVATE:
                    found[name] = render(entry.get_child_value(1).get_variant())
        return found

    # ---- lines ----

    def flush(self):
        """What is told and was known already is no change."""
        self.lines += [f"    {name} = {value}" for name, value in sorted(self.pending.items())
                       if value != self.known.get(name)]
        self.known.update(self.pending)
        self.pending.clear()

    def render_change(self, parameters):
        interface = parameters.get_child_value(0).unpack().removeprefix(NAME + ".")
        values = parameters.get_child_value(1)
        for i in range(values.n_children()):
            entry = values.get_child_value(i)
            name = f"{interface}.{entry.get_child_value(0).unpack()}"
            self.told[name] = render(entry.get_child_value(1).get_variant())
            if name not in PRIVATE:
                self.pending[name] = self.told[name]
        self.invalidated.update(f"{interface}.{name}" for name in parameters.unpack()[2])

    def render_time(self, time):
        times = [event_time(message) for message in self.events]
        return f" @{times.index(time) + 1}" if time in times else ""

    def render_signal(self, signal, parameters):
        count = parameters.n_children()
        arguments = [render(parameters.get_child_value(i)) for i in range(count - 2)]
        if signal.name == "Monitor.Resynchronized":
            before = [each.name for each in self.subscriber.events(self.domain.path)
                      if each.sequence <= signal.arguments[1]]
            arguments[1] = f"<behind {before[-1]}>" if before else "<unknown>"
        details = render(without_chain(parameters.get_child_value(count - 1)))
        self.lines.append(f"{signal.name} ({', '.join(arguments)}) {details}"
                          f"{self.render_time(signal.time)}")

    def heard(self):
        """The signals that came since it was asked last; rendered on the way."""
        new = self.subscriber.heard.get(self.domain.path, [])[self.rendered:]
        self.rendered += len(new)
        for signal, parameters in new:
            if signal.interface == PROPERTIES:
                self.render_change(parameters)
            elif signal.interface.startswith(NAME + "."):
                self.flush()
                self.render_signal(signal, parameters)
        return [signal.name for signal, _ in new]

    # ---- the play ----

    def settle(self, event=None):
        """Until the service has asked whatever the last event makes it ask."""
        came = self.heard()
        asked = "Domain.Reset" in came or (event == "NIC_RX_FILTER_CHANGED" and
                                           "Monitor.Event" not in came)
        for _ in range(SETTLE_ROUNDS):
            yield from self.replay("sync", asked=asked)
            asked = False
        self.heard()
        self.flush()
        for name in sorted(self.invalidated):
            interface, _, member = name.partition(".")
            reply = yield from self.call(self.domain.path, PROPERTIES, "Get", "(ss)",
                                         f"{NAME}.{interface}", member)
            self.lines.append(f"    {name} = {render(reply.get_child_value(0).get_variant())} (asked)")
        self.invalidated.clear()

    def reconnected(self):
        heard = self.subscriber.heard[self.domain.path]
        return any(signal.name == "Monitor.Resynchronized" for signal, _ in heard[self.rendered:])

    def play_steps(self):
        number, left = 0, len(self.events)
        while left > 0:
            step = yield from self.replay("next")
            left = step["left"]
            if step["event"]:
                number += 1
                self.lines.append(f"> {number} {step['event']}")
            else:
                self.lines.append("* reconnected")
                yield self.reconnected
            yield from self.settle(step["event"])
        if number != len(self.events):
            raise AssertionError(f"{number} of {len(self.events)} events were played")

    def check_told(self, found):
        """Who has listened knows what who asks is told."""
        for name, value in self.told.items():
            if name not in PRIVATE and name in found and found[name] != value:
                raise AssertionError(f"{name}: told {value}, but it is {found[name]}")

    def is_shut_off(self):
        return self.subscriber.find("Domain.Lifecycle", "stopped", path=self.domain.path)

    def run(self):
        reply = yield from self.call(
            PATH, f"{NAME}.Manager", "DefineDomain", "(sa{sv})", json.dumps(harness.definition(
                self.name, emulator=EMULATOR, arguments=[
                    "-replay", os.path.join(RECORDINGS, self.name + ".jsonl")],
                **policies(self.events))), {})
        self.domain = Domain(self.subscriber.connection, reply.unpack()[0], self.name)
        before = yield from self.get_all()
        paused = {"paused": GLib.Variant("b", True)} if begins_paused(self.events) else {}
        yield from self.call(self.domain.path, f"{NAME}.Domain", "Start", "(a{sv})", paused)
        yield from self.settle()
        self.lines.clear()
        self.known = yield from self.get_all()
        self.add_changed("started:", before, self.known)
        yield from self.play_steps()
        self.check_told((yield from self.get_all()))
        if ends(self.events):
            self.lines.append("> the end of QEMU")
            self.subscriber.connection.send(self.domain.path, f"{NAME}.Monitor", "Execute",
                                            "(ssa{sv})", "x-replay-end", "", {})
        else:
            self.lines.append("> destroyed")
            self.subscriber.connection.send(self.domain.path, f"{NAME}.Domain", "Destroy",
                                            "(a{sv})", {})
        yield self.is_shut_off
        # An answer comes behind all that the end has changed.
        after = yield from self.get_all()
        after = yield from self.get_all()
        self.heard()
        self.flush()
        self.check_told(after)
        self.add_changed("left behind:", before, after)
        yield from self.call(self.domain.path, f"{NAME}.Domain", "Undefine", "(a{sv})", {})

    def add_changed(self, title, before, after):
        self.lines.append(title)
        self.lines += [f"    {name} = {value}" for name, value in sorted(after.items())
                       if before[name] != value]


class Player:
    """A play under way: its generator, and what that waits for."""

    def __init__(self, play):
        self.play = play
        self.steps = play.run()
        self.condition = lambda: True
        self.since = time.monotonic()

    def advance(self):
        """Goes on as far as it can; False when it is over. What goes wrong is the play's."""
        try:
            while self.condition():
                self.condition = next(self.steps)
                self.since = time.monotonic()
            if time.monotonic() - self.since > DEADLINE:
                raise AssertionError(f"nothing more in {DEADLINE:.0f} s, after {self.play.lines[-3:]}")
        except StopIteration:
            return False
        except (AssertionError, GLib.Error, KeyError, ValueError) as error:
            self.play.error = error
            return False
        return True


def perform(plays):
    """All of them, some at a time."""
    waiting, players = list(plays), []

    def advance():
        players[:] = [player for player in players if player.advance()]
        while waiting and len(players) < AT_ONCE:
            players.append(Player(waiting.pop(0)))
        return not players

    wait_until(advance, "all recordings to be played", PLAY_SECONDS)


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.subscriber = Subscriber()
        cls.addClassCleanup(cls.subscriber.close)
        cls.plays = {name: Play(cls.subscriber, name) for name in names()}
        perform(cls.plays.values())

    def check(self, name):
        play = self.plays[name]
        if play.error:
            self.fail("\n".join([f"{play.error}; the last that was heard:", *play.lines[-8:]]))
        path = os.path.join(RECORDINGS, name + ".expected")
        if UPDATE_VARIABLE in os.environ:
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(play.lines) + "\n")
            return
        self.assertTrue(os.path.exists(path), f"{path} is not there; test-replay.py --update makes it")
        with open(path, encoding="utf-8") as file:
            expected = file.read().splitlines()
        if expected != play.lines:
            self.fail("\n".join(difflib.unified_diff(expected, play.lines, "expected", "heard",
                                                     lineterm="")))

    def test_stamps(self):
        """Strictly one up from signal to signal over all domains, and each chained to the last of its kind."""
        life.check_stamps(self, self.subscriber.events())

    def test_every_event_is_typed(self):
        """No event of any recording comes as it is, but for the one that QEMU does not have."""
        untyped = {signal.arguments[0] for signal in self.subscriber.find("Monitor.Event")}
        self.assertEqual([], sorted(untyped - {NOBODYS}))
        if "written-irregular" in self.plays:
            self.assertIn(NOBODYS, untyped)

    def test_no_expectation_is_left_over(self):
        """Each belongs to a recording."""
        found = {os.path.splitext(os.path.basename(path))[0]
                 for path in glob.glob(os.path.join(RECORDINGS, "*.expected"))}
        recorded = {os.path.splitext(os.path.basename(path))[0]
                    for path in glob.glob(os.path.join(RECORDINGS, "*.jsonl"))}
        self.assertEqual([], sorted(found - recorded))

    def test_every_row_is_played(self):
        """No row of the table without a recording of its event."""
        if ONLY_VARIABLE in os.environ:
            self.skipTest("only some are played")
        with open(TABLE, encoding="utf-8") as file:
            rows = set(re.findall(r'^\t\{ "([A-Z_]+)",', file.read(), re.MULTILINE))
        self.assertGreater(len(rows), 10)
        played = {message["event"] for play in self.plays.values() for message in play.events}
        self.assertEqual([], sorted(rows - played))


for each in names():
    setattr(Replay, "test_" + re.sub(r"\W", "_", each),
            lambda self, name=each: self.check(name))


if __name__ == "__main__":
    if "--update" in sys.argv:
        os.environ[UPDATE_VARIABLE] = "1"
        sys.argv.remove("--update")
    if len(sys.argv) > 1:
        os.environ[ONLY_VARIABLE] = " ".join(sys.argv[1:])
    harness.main()
