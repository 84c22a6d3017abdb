# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service ends in many ways, and the guests go on: the service manager keeps the connections to them, and nobody who listens
has missed anything."""
import collections
import json
import os
import signal
import subprocess
import time

import system_case
from machine import DEADLINE, TESTS, wait_until

DOMAINS = ("web1", "web2", "web3")
STORM_SECONDS = 5
KILLS = 3
GAP = "service-restarted"                 # reason of Monitor.Resynchronized where something may be missing
EVENTS_BETWEEN = 100
DEFINITIONS = "/etc/vmherald/domains"
LISTENER = "alice"
TOLD = ("suspended", "resumed")           # what inside_storm.py makes QEMUs say


class Listener:
    """vmheraldctl events, of a member, to a file that is read afterwards."""

    def __init__(self, case):
        self.machine = case.machine
        self.path = os.path.join(case.machine.place, "events.json")
        self.file = open(self.path, "wb")
        self.reader = open(self.path, encoding="utf-8")
        self.seen, self.rest = [], ""
        self.process = self.machine.start("vmheraldctl", "--system", "--json", "events", "--ready-fd", "1",
                                          user=LISTENER, stdout=self.file, stderr=subprocess.STDOUT)
        wait_until(lambda: "ready" in self.lines(), lambda: f"the listener: {self.lines()}")

    def lines(self):
        """The whole ones, so far. What has been read once is not read again: there are many."""
        text = self.rest + self.reader.read()
        *whole, self.rest = text.split("\n")
        self.seen += whole
        return self.seen

    def events(self):
        return [json.loads(line) for line in self.lines() if line.startswith("{")]

    def resynchronized(self):
        """The reasons that were told."""
        return [event["arguments"][0] for event in self.events() if event.get("member") == "Resynchronized"]

    def told(self):
        """Name of a domain -> its events of TOLD, in order."""
        told = collections.defaultdict(list)
        for event in self.events():
            if event.get("member") == "Lifecycle" and event["arguments"][0] in TOLD:
                told[event["domain"]].append(event["arguments"][0])
        return told

    def close(self):
        self.machine.stop(self.process)
        self.file.close()
        self.reader.close()


class Restart(system_case.SystemCase):
    def setUp(self):
        self.root = self.person("root")
        self.addCleanup(self.remove_domains)
        self.machine.run("systemctl", "reset-failed", "vmherald.service", check=False)
        # Where QEMU's user can make sockets.
        self.machine.run("install", "-d", "-m", "1777", "/storm")

    def start_all(self):
        """Name -> (path, pid) of domains that run, each with a second monitor."""
        domains = {}
        for name in DOMAINS:
            path = self.define(name, self.root, arguments=["-qmp", f"unix:/storm/{name},server=on,wait=off"])
            self.root.domain(path, "Start", "(a{sv})", {})
            domains[name] = (path, self.root.get(path, "Domain", "PID"))
        return domains

    def pids(self):
        """Of the QEMUs that there are, whatever the service says."""
        return sorted(int(pid) for pid in
                      self.machine.run("pgrep", "--full", "^/usr/bin/qemu-system", check=False).stdout.split())

    def kill(self, number=signal.SIGKILL):
        """Ends the service, and waits for the next one."""
        pid = self.service_pid()
        self.machine.run("kill", f"-{int(number)}", str(pid))
        def follower():
            shown = self.machine.show("vmherald.service", "MainPID", "ActiveState")
            return shown["ActiveState"] == "active" and int(shown["MainPID"]) not in (0, pid)
        wait_until(follower, lambda: f"the next service: {self.machine.journal()[-2000:]}")

    def assert_as_before(self, domains):
        self.assertEqual(sorted(pid for _, pid in domains.values()), self.pids())
        for name, (path, pid) in domains.items():
            with self.subTest(domain=name):
                wait_until(lambda: self.root.get(path, "Monitor", "Connected"), f"{name} to be connected")
                self.assertEqual(pid, self.root.get(path, "Domain", "PID"))

    def test_killed_in_a_storm(self):
        """Killed again and again while all QEMUs speak: the same QEMUs, and each event told once and in order."""
        domains = self.start_all()
        listener = Listener(self)
        self.addCleanup(listener.close)
        self.assertEqual(len(domains), int(self.machine.show("vmherald.service", "NFileDescriptorStore")))

        storm = self.machine.start("python3", "-B", f"{TESTS}/inside_storm.py", str(STORM_SECONDS),
                                   *(f"/storm/{name}" for name in domains))
        self.addCleanup(self.machine.stop, storm)
        for _ in range(KILLS):
            # In the midst of it: after events that have come since the last time.
            seen = len(listener.lines())
            wait_until(lambda: len(listener.lines()) > seen + EVENTS_BETWEEN, "events")
            self.assertIsNone(storm.poll(), "the storm was over too early")
            self.kill()
        said = json.loads(storm.stdout.readline())
        total = sum(len(told) for told in said.values())
        # Each of them is a line, and there are others.
        wait_until(lambda: len(listener.lines()) >= total and sum(map(len, listener.told().values())) >= total,
                   lambda: f"{total} events, and heard {({name: len(t) for name, t in listener.told().items()})}")
        told = listener.told()
        for name in domains:
            with self.subTest(domain=name):
                self.assertEqual(said[f"/storm/{name}"], told[name])
        self.assert_as_before(domains)
        system_case.measured(f"{total} events of {len(domains)} QEMUs over {KILLS} kills, each heard once")

    def test_ended_and_started(self):
        """As an administrator does it, and by a signal that makes a core; none of it is told as a gap."""
        domains = self.start_all()
        listener = Listener(self)
        self.addCleanup(listener.close)
        for step in (lambda: self.machine.run("systemctl", "restart", "vmherald.service"),
                     lambda: self.kill(signal.SIGABRT)):
            step()
            self.assert_as_before(domains)
        self.assertNotIn(GAP, listener.resynchronized())

    def test_stopped_for_good(self):
        """Nobody starts it until somebody calls; the guests run, and what they said meanwhile is told."""
        domains = self.start_all()
        listener = Listener(self)
        self.addCleanup(listener.close)
        self.machine.run("systemctl", "stop", "vmherald.service")
        said = json.loads(self.machine.run("python3", "-B", f"{TESTS}/inside_storm.py", "0.2",
                                           *(f"/storm/{name}" for name in domains)).stdout)
        self.assertEqual("inactive", self.machine.show("vmherald.service", "ActiveState"))
        self.assertEqual(sorted(pid for _, pid in domains.values()), self.pids())
        self.root.manager("ListDomains", "(a{sv})", {})
        self.assert_as_before(domains)
        # systemd drops the connections with the unit, and QEMU keeps nothing for who is not connected. So it is told that there
        # is a gap, for each.
        self.assertTrue(all(said.values()))
        wait_until(lambda: listener.resynchronized().count(GAP) == len(domains), lambda: f"the gaps: {listener.resynchronized()}")

    def test_reload(self):
        """systemctl reload takes in what an administrator has put there, and no process changes."""
        domains = self.start_all()
        pid = self.service_pid()
        self.machine.run("cp", f"{DEFINITIONS}/web1.json", "/tmp/web4.json")
        document = json.loads(self.machine.read("/tmp/web4.json"))
        document.update(name="web4", uuid="11111111-2222-3333-4444-555555555555", arguments=[])
        self.machine.write(f"{DEFINITIONS}/web4.json", json.dumps(document))
        self.machine.run("systemctl", "reload", "vmherald.service")
        wait_until(lambda: "web4" in [row[1] for row in self.root.manager("ListDomains", "(a{sv})", {})], "web4")
        self.assertEqual(pid, self.service_pid())
        self.assert_as_before(domains)

    def test_watchdog(self):
        """A service that hangs is ended by the service manager, and the next one takes over."""
        domains = self.start_all()
        self.assertNotEqual("0", self.machine.show("vmherald.service", "WatchdogUSec"))
        # As the unit has it, but sooner.
        self.machine.write("/run/systemd/system/vmherald.service.d/soon.conf", "[Service]\nWatchdogSec=2\n")
        self.addCleanup(self.machine.run, "systemctl", "daemon-reload")
        self.addCleanup(self.machine.run, "rm", "-r", "/run/systemd/system/vmherald.service.d")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "restart", "vmherald.service")
        pid = self.service_pid()
        self.machine.run("kill", "-STOP", str(pid))
        begun = time.monotonic()
        wait_until(lambda: self.service_pid() not in (0, pid), "the watchdog")
        system_case.measured(f"a hung service was replaced after {time.monotonic() - begun:.1f} s, with WatchdogSec=2")
        self.assertIn("watchdog", self.machine.journal().lower())
        self.assert_as_before(domains)


if __name__ == "__main__":
    system_case.main()
