# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service may be killed at any moment. QEMU keeps running, the next call finds it again, the
state is true again, and what cannot be known is announced and not guessed."""
import os
import shutil
import signal
import subprocess

import harness
import life
from harness import NAME, OBJECT_MANAGER, folder, qemus_of, wait_until

ANSWER_SECONDS = 8.0                 # for the first call, with a QEMU that does not react


class RestartCase(life.LifeCase):
    def restart(self, signal_number=signal.SIGKILL):
        """Ends the service; the next call starts it again. Returns the index of the first signal
        after the end."""
        since = self.mark()
        self.connection.kill_service(signal_number)
        return since

    def states(self, deadline=harness.DEADLINE):
        return {name: state for _, name, _, state in
                self.manager("ListDomains", "(a{sv})", {}, deadline=deadline)}

    def check_nothing_left(self):
        self.assertEqual([], qemus_of(folder()))
        self.assertEqual([], os.listdir(life.runtime_folder()))


class Killed(RestartCase):
    def populate(self):
        """Three: running, paused, transient."""
        domains = [self.define("runs", machine="none"), self.define("held", machine="none")]
        domains[0].start()
        domains[1].start()
        domains[1].call("Domain", "Suspend")
        domains.append(self.create("passing", machine="none"))
        return domains

    def check_found_again(self, signal_number):
        domains = self.populate()
        keep = ("PID", "Incarnation", "StartedAt", "Emulator", "Persistent", "State")
        before = [[d.get("Domain", name) for name in keep] for d in domains]
        version = domains[0].get("Monitor", "QemuVersion")
        instance = self.connection.get(harness.PATH, f"{NAME}.Manager", "InstanceID")
        since = self.restart(signal_number)
        last = self.recorder.events()[-1].sequence
        for pid, *_ in before:
            self.assertTrue(life.lives(pid))

        # The first answer is right already.
        self.assertEqual({"runs": "running", "held": "paused", "passing": "running"},
                         self.states())
        self.assertEqual(before, [[d.get("Domain", name) for name in keep] for d in domains])
        self.assertEqual(version, domains[0].get("Monitor", "QemuVersion"))
        self.assertNotEqual(instance, self.connection.get(harness.PATH, f"{NAME}.Manager",
                                                          "InstanceID"))
        for domain in domains:
            told = self.recorder.wait("Monitor.Resynchronized", path=domain.path, since=since)
            self.assertEqual(("service-restarted", last), told.arguments[:2])
            self.assertTrue(domain.get("Monitor", "Connected"))
            # Nothing happened to it, so nothing else is told.
            self.assertEqual([], self.lifecycle(domain, since))

        # Events flow, also those of somebody else's doing.
        for domain in domains:
            domain.qmp("stop" if domain.name != "held" else "cont")
        self.wait_life(domains[0], "suspended", since=since)
        self.wait_life(domains[1], "resumed", since=since)
        self.wait_life(domains[2], "suspended", since=since)
        domains[2].destroy()
        self.recorder.wait(f"{OBJECT_MANAGER}.InterfacesRemoved", domains[2].path, since=since)
        self.mark()
        life.check_stamps(self, self.recorder.events())

    def test_kill(self):
        self.check_found_again(signal.SIGKILL)

    def test_terminate(self):
        """Told to end it leaves its guests alone."""
        self.check_found_again(signal.SIGTERM)

    def test_again_and_again(self):
        domain = self.define("patient", machine="none")
        domain.start()
        pid = domain.get("Domain", "PID")
        runs = []
        for number in range(5):
            first = len(self.recorder.events())
            domain.call("Domain", "Suspend" if number % 2 == 0 else "Resume")
            self.restart()
            self.assertEqual(pid, domain.get("Domain", "PID"))
            self.assertEqual("running" if number % 2 else "paused", domain.state)
            self.mark()
            runs.append(self.recorder.events()[first:])
        # Without a hole, over five runs.
        numbers = [s.sequence for s in self.recorder.events()]
        self.assertEqual(list(range(numbers[0], numbers[0] + len(numbers))), numbers)
        self.assertEqual(5, len(self.recorder.find("Monitor.Resynchronized", "service-restarted",
                                                   path=domain.path)))

    def test_state_that_changed_meanwhile(self):
        """Nobody saw it happen, but it is known now, and what was told last is known too."""
        domain = self.define("moody", machine="none", arguments=life.second_monitor("moody"))
        domain.start()
        since = self.restart()
        monitor = life.SecondMonitor("moody")
        monitor.execute("stop")
        monitor.close()
        self.assertEqual("paused", domain.state)
        self.assertEqual("resync", domain.get("Domain", "StateReason"))
        self.recorder.wait("Monitor.Resynchronized", path=domain.path, since=since)
        self.assertEqual([("suspended", "resync", "paused")], self.lifecycle(domain, since))
        told = self.wait_life(domain, "suspended", since=since)
        self.assertEqual({"reason": "resync"}, self.details(told))
        since = self.restart()
        self.assertEqual("paused", domain.state)
        self.recorder.wait("Monitor.Resynchronized", path=domain.path, since=since)
        self.assertEqual([], self.lifecycle(domain, since))

    def test_devices_and_filters(self):
        domain = self.define("equipped", machine="pc", interfaces=[{"id": "net0", "type": "user"}])
        domain.start(paused=True)
        domain.attach({"driver": "virtio-rng-pci", "id": "rng0"})
        # The bus of a device is asked for when it has been added.
        wait_until(lambda: all(device["bus"] for device in
                               domain.get("Devices", "Devices").values()), "the buses")
        devices = domain.get("Devices", "Devices")
        self.assertEqual({"net0", "rng0"}, set(devices))
        wait_until(lambda: domain.get("Network", "Filters"), "the filter of the NIC")
        filters = domain.get("Network", "Filters")
        self.restart()
        # The state is not held back until the bus of each device is known, too.
        self.assertEqual(set(devices), set(domain.get("Devices", "Devices")))
        wait_until(lambda: domain.get("Devices", "Devices") == devices, "the buses to be known")
        wait_until(lambda: domain.get("Network", "Filters"), "the filter of the NIC")
        self.assertEqual(filters, domain.get("Network", "Filters"))


class EndedMeanwhile(RestartCase):
    def check_told_once(self, signal_number):
        domain = self.define("lonely", machine="none", on_crash="restart")
        passing = self.create("passing", machine="none")
        domain.start()
        pids = [d.get("Domain", "PID") for d in (domain, passing)]
        since = self.restart()
        for pid in pids:
            harness.end_process(pid, signal_number)
        self.assertEqual({"lonely": "shut-off"}, self.states())
        self.mark()
        for each in (domain, passing):
            self.assertEqual([("stopped", "unknown", "shut-off")], self.lifecycle(each, since))
            stopped = self.wait_life(each, "stopped", since=since)
            self.assertEqual({"while-away": True}, self.details(stopped))
        self.recorder.wait(f"{OBJECT_MANAGER}.InterfacesRemoved", passing.path, since=since)
        self.check_nothing_left()
        domain.start()
        self.assertEqual("running", domain.state)

    def test_kill(self):
        self.check_told_once(signal.SIGKILL)

    def test_terminate(self):
        self.check_told_once(signal.SIGTERM)

    def test_started_by_the_first_call(self):
        """It was off, and is told as that, before it starts again."""
        domain = self.define("lonely", machine="none")
        for _ in range(5):
            domain.start()
            pid = domain.get("Domain", "PID")
            since = self.restart()
            harness.end_process(pid)
            domain.start()
            self.mark()
            self.assertEqual([("stopped", "unknown", "shut-off"), ("starting", "booted", "starting"),
                              ("started", "booted", "running")], self.lifecycle(domain, since))
            told = [s.arguments[1][f"{NAME}.Domain"]["State"] for s in
                    self.recorder.find(f"{OBJECT_MANAGER}.InterfacesAdded", domain.path, since=since)]
            self.assertEqual(["shut-off"], told)
            domain.destroy()


class KilledWhileStarting(RestartCase):
    """The moments of a start at which the service is killed; each is a condition that the test
    waits for."""

    def moments(self, domain, since):
        place = os.path.join(life.runtime_folder(), domain.path.rpartition("/_")[2]
                             .replace("_", "-"))

        def told(interface, name):
            return lambda: [s for s in self.recorder.find(
                f"{harness.PROPERTIES}.PropertiesChanged", f"{NAME}.{interface}", path=domain.path,
                since=since) if s.arguments[1].get(name)]

        def lifecycle(event):
            return lambda: self.recorder.find("Domain.Lifecycle", event, path=domain.path,
                                              since=since)
        return [
            lambda: True,
            lifecycle("starting"),
            lambda: os.path.exists(place),
            lambda: os.path.exists(os.path.join(place, "run.json")),
            lambda: os.path.exists(os.path.join(place, "monitor")),
            lambda: qemus_of(folder()),
            lambda: os.path.exists(os.path.join(place, "qemu.pid")),
            told("Domain", "PID"),
            told("Monitor", "QemuVersion"),
            told("Domain", "StartedAt"),
            lifecycle("started"),
        ]

    def check_whole_or_gone(self, domain):
        """As the service finds itself after the kill: with a domain that runs, or with none."""
        # A start that had only its last step to go is brought to its end.
        wait_until(lambda: domain.state in ("shut-off", "running"), "it to run or to be off")
        state = domain.state
        if state == "running":
            self.assertEqual([domain.get("Domain", "PID")], [pid for pid, _ in qemus_of(folder())])
            domain.destroy()
        # A QEMU that had not even opened its files ends when it finds them gone.
        wait_until(lambda: not qemus_of(folder()), "no QEMU to be left")
        self.check_nothing_left()
        domain.start()
        self.assertEqual("running", domain.state)
        domain.destroy()
        self.check_nothing_left()
        return state

    def test_start(self):
        domain = self.define("interrupted")
        found = []
        for number in range(len(self.moments(domain, 0))):
            since = self.mark()
            pid = self.connection.service_pid()
            domain.send("Domain", "Start", "(a{sv})", {})
            self.connection.bus.flush_sync(None)
            wait_until(self.moments(domain, since)[number], f"moment {number}")
            harness.end_process(pid)
            wait_until(lambda: not self.connection.service_runs(), "the bus to notice")
            found.append(self.check_whole_or_gone(domain))
        harness.note("killed while starting, found afterwards: " + ", ".join(found))
        numbers = [s.sequence for s in self.recorder.events()]
        self.assertEqual(sorted(set(numbers)), numbers)

    def test_before_qemu_has_said_who_it_is(self):
        """QEMU was started, and the service killed, before either wrote down its number."""
        domain = self.define("nameless")
        pid = self.connection.service_pid()
        domain.send("Domain", "Start", "(a{sv})", {})
        self.connection.bus.flush_sync(None)
        wait_until(lambda: qemus_of(folder()), "QEMU to appear")
        qemu = qemus_of(folder())[0][0]
        os.kill(qemu, signal.SIGSTOP)
        harness.end_process(pid)
        wait_until(lambda: not self.connection.service_runs(), "the bus to notice")
        self.states()
        if life.lives(qemu):
            os.kill(qemu, signal.SIGCONT)
        self.check_whole_or_gone(domain)

    def test_create(self):
        for number in (0, 1, 2, 5, 7, 8):
            since = self.mark()
            pid = self.connection.service_pid()
            identity = f"00000000-0000-4000-8000-00000000000{number}"
            document = harness.definition("brief", uuid=identity)
            path = f"{harness.PATH}/domain/_{identity.replace('-', '_')}"
            self.connection.send(harness.PATH, f"{NAME}.Manager", "CreateDomain", "(sa{sv})",
                                 harness.json.dumps(document), {})
            self.connection.bus.flush_sync(None)
            domain = harness.Domain(self.connection, path, "brief")
            wait_until(self.moments(domain, since)[number], f"moment {number}")
            harness.end_process(pid)
            wait_until(lambda: not self.connection.service_runs(), "the bus to notice")
            wait_until(lambda: self.states() in ({}, {"brief": "running"}), f"{number} to settle")
            if self.states():
                domain.destroy()
            wait_until(lambda: not qemus_of(folder()), "no QEMU to be left")
            self.assertEqual({}, self.states())
            self.check_nothing_left()


class Unreachable(RestartCase):
    def test_stopped_qemu(self):
        """One QEMU that does not react keeps nobody from being served."""
        deaf, well = self.define("deaf", machine="none"), self.define("well", machine="none")
        deaf.start()
        well.start()
        pid = deaf.get("Domain", "PID")
        since = self.restart()
        last = self.recorder.events()[-1].sequence
        os.kill(pid, signal.SIGSTOP)
        self.assertEqual({"deaf": "unknown", "well": "running"}, self.states(ANSWER_SECONDS))
        self.assertEqual(pid, deaf.get("Domain", "PID"))
        self.assertEqual("monitor-lost", deaf.get("Domain", "StateReason"))
        self.assertFalse(deaf.get("Monitor", "Connected"))
        well.call("Domain", "Suspend")
        self.assert_fails("WrongState", deaf.call, "Domain", "Suspend")
        os.kill(pid, signal.SIGCONT)
        told = self.recorder.wait("Monitor.Resynchronized", path=deaf.path, since=since)
        self.assertEqual(("service-restarted", last), told.arguments[:2])
        self.assertEqual("running", deaf.state)
        self.assertTrue(deaf.get("Monitor", "Connected"))
        self.assertEqual([], self.lifecycle(deaf, since))
        deaf.call("Domain", "Suspend")
        self.assertEqual("paused", deaf.state)

    def test_destroy(self):
        """It can be ended though it cannot be talked to."""
        deaf = self.define("deaf", machine="none")
        deaf.start()
        pid = deaf.get("Domain", "PID")
        since = self.restart()
        os.kill(pid, signal.SIGSTOP)
        self.assertEqual({"deaf": "unknown"}, self.states(ANSWER_SECONDS))
        deaf.destroy(grace=0)
        self.assertFalse(life.lives(pid))
        self.mark()
        self.assertEqual([("stopped", "destroyed", "shut-off")], self.lifecycle(deaf, since))

    def test_ends_while_unreachable(self):
        deaf = self.define("deaf", machine="none")
        deaf.start()
        pid = deaf.get("Domain", "PID")
        since = self.restart()
        os.kill(pid, signal.SIGSTOP)
        self.assertEqual({"deaf": "unknown"}, self.states(ANSWER_SECONDS))
        os.kill(pid, signal.SIGKILL)
        # Not our child any more and not to be talked to: nobody knows, and nothing is guessed.
        self.wait_life(deaf, "stopped", "unknown", since=since)
        self.mark()
        self.assertEqual([("stopped", "unknown", "shut-off")], self.lifecycle(deaf, since))

    def test_connection_lost(self):
        """The connection ends while QEMU goes on: told, connected again, read afresh."""
        domain = self.define("yanked", machine="none", arguments=life.second_monitor("yanked"))
        other = self.define("other", machine="none")
        domain.start()
        other.start()
        since = self.mark()
        last = self.recorder.events()[-1].sequence
        monitor = life.SecondMonitor("yanked")
        self.addCleanup(monitor.close)
        pid = domain.get("Domain", "PID")
        monitor.execute("yank", instances=[{"type": "chardev", "id": "vmherald-monitor"}])
        wait_until(lambda: not domain.get("Monitor", "Connected"), "the connection to end")
        # Others have events meanwhile; they are not the gap.
        other.call("Domain", "Suspend")
        lost = self.recorder.wait("Monitor.Lost", path=domain.path, since=since)
        told = self.recorder.wait("Monitor.Resynchronized", path=domain.path, since=since)
        self.mark()
        self.assertEqual("closed", lost.arguments[0])
        self.assertEqual(("monitor-lost", last), told.arguments[:2])
        self.assertEqual([], self.lifecycle(domain, since))
        self.recorder.wait_property("Domain", "State", "unknown", path=domain.path, since=since)
        self.assertEqual("running", domain.state)
        self.assertEqual(pid, domain.get("Domain", "PID"))
        monitor.execute("stop")
        self.wait_life(domain, "suspended", since=since)
        life.check_stamps(self, self.recorder.events())


class Files(RestartCase):
    def test_lock(self):
        """Two services with the same folders would each do half of everything."""
        domain = self.define("guarded", machine="none")
        domain.start()
        first = self.connection.service_pid()
        second = subprocess.Popen([os.path.join(folder(), "activated"), "--session"],
                                  stdin=subprocess.DEVNULL)
        self.addCleanup(second.wait)
        self.addCleanup(second.kill)
        wait_until(lambda: second.poll() is not None, "the second service to give up")
        self.assertNotEqual(0, second.returncode)
        self.assertIn("another vmherald uses this directory", life.service_log())
        self.assertEqual(first, self.connection.service_pid())
        self.assertEqual("running", domain.state)

    def test_damaged_run_file(self):
        """Nothing is guessed about that QEMU, nothing done to it, and the rest is served."""
        damaged, well = (self.define(name, machine="none") for name in ("damaged", "well"))
        damaged.start()
        well.start()
        pid = damaged.get("Domain", "PID")
        place = os.path.join(life.runtime_folder(), damaged.get("Domain", "UUID"))
        self.restart()
        with open(os.path.join(place, "run.json"), "w", encoding="utf-8") as file:
            file.write('{"version": 1, "pid":')
        try:
            self.assertEqual("running", self.states()["well"])
            self.assertIn(os.path.join(place, "run.json"), life.service_log())
            self.assertIn("A run that cannot be taken up again", life.service_log())
            self.assertTrue(life.lives(pid))
            self.assertTrue(os.path.exists(place))
            well.call("Domain", "Suspend")
            self.assertEqual("paused", well.state)
        finally:
            harness.end_process(pid)
            shutil.rmtree(place)


if __name__ == "__main__":
    harness.main()
