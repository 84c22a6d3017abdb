# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service manager keeps the connections to QEMU while the service is not there: what QEMU says
meanwhile is told afterwards, once and in order; and where that cannot be had, the gap is told."""
import os
import random
import signal
import socket
import threading

import harness
import life
from harness import wait_until
from kept import GAP, KEPT, StoreCase
from processes import wait_for_end


class Kept(StoreCase):
    def test_events_meanwhile(self):
        domain, watcher = self.run_watched("steady")
        for signal_number in (signal.SIGKILL, signal.SIGTERM):
            since = self.mark()
            last = self.recorder.events()[-1].sequence
            before = len(watcher.told)
            self.manager_of.end(signal_number)
            for _ in range(50):
                watcher.execute("stop")
                watcher.execute("cont")
            watcher.execute("stop")
            self.back()
            told = self.wait_resynchronized(domain, KEPT, since)
            self.assertEqual(last, told.arguments[1])
            self.assertEqual("paused", domain.state)
            self.assertEqual(watcher.told[before:], self.told(domain, since))
            # And on: with the same connection, which is still kept.
            watcher.execute("cont")
            self.wait_life(domain, "resumed", since=since + 101)
            self.wait_kept(domain)
        self.assertEqual([], self.manager_of.polled())
        events = self.recorder.events()
        self.assertEqual(2, len([s for s in events if s.name == "Monitor.Resynchronized"]))
        life.check_stamps(self, events)

    def test_killed_in_a_storm(self):
        """At any moment: nothing is told twice or out of order. What the bus did not get any more leaves a hole in the
        numbers, and is in the history (test-intake.py); nothing else is missing."""
        chance = random.Random(7)
        domain, watcher = self.run_watched("stormy")
        stop = threading.Event()

        def storm():
            while not stop.is_set():
                watcher.execute("stop")
                watcher.execute("cont")

        thread = threading.Thread(target=storm)
        thread.start()
        reasons = []
        try:
            for _ in range(6):
                since = len(self.recorder.signals)
                wanted = chance.randrange(1, 60)
                wait_until(lambda: len(self.told(domain, since)) >= wanted, "some events")
                self.manager_of.end()
                # What it had sent is here by then.
                self.recorder.connection.call_bus("GetId")
                since = len(self.recorder.signals)
                down = len(watcher.told)
                wait_until(lambda: len(watcher.told) > down + 100, "events without a service")
                self.back()
                told = self.recorder.wait("Monitor.Resynchronized", path=domain.path, since=since)
                reasons.append(told.arguments[0])
        finally:
            stop.set()
            thread.join()
        wait_until(lambda: self.told(domain)[-1] == watcher.told[-1], "the last event")
        self.assertEqual([KEPT] * 6, reasons)
        told, said = self.told(domain), watcher.told
        # In order, and once.
        self.assertEqual(sorted(set(told), key=lambda entry: entry[1]), told)
        self.assertEqual(set(), set(told) - set(said))
        numbers = [s.sequence for s in self.recorder.events()]
        self.assertEqual(sorted(set(numbers)), numbers)
        missing = [entry for entry in said if entry not in set(told)]
        self.assertEqual(numbers[-1] - numbers[0] + 1 - len(numbers), len(missing))
        harness.note(f"storm: {len(said)} said, {len(told)} told")

    def test_ended_meanwhile(self):
        """What QEMU said last is told, and that it ended while nobody was there."""
        domain, watcher = self.run_watched("mortal")
        pid = domain.get("Domain", "PID")
        since = self.mark()
        self.manager_of.end()
        watcher.send("quit")
        self.assertTrue(wait_for_end(pid, harness.DEADLINE))
        self.back()
        self.wait_life(domain, "stopped", since=since)
        self.mark()
        self.assertEqual([("shutdown", "host", "shutting-down"), ("stopped", "shutdown", "shut-off")],
                         self.lifecycle(domain, since))
        stopped = self.wait_life(domain, "stopped", since=since)
        self.assertEqual({"while-away": True, "cause": "host-qmp-quit", "guest": False},
                         self.details(stopped))
        wait_until(lambda: self.manager_of.names() == [], "the connection to be forgotten")

    def test_many_domains(self):
        """Each has its own; that of one which ended is let go of."""
        domains = [self.define(f"d{n}", machine="none") for n in range(4)]
        for domain in domains:
            domain.start()
        self.wait_kept(*domains)
        domains[0].destroy()
        self.wait_kept(*domains[1:])
        since = self.mark()
        self.manager_of.end()
        self.back()
        for domain in domains[1:]:
            self.wait_resynchronized(domain, KEPT, since)
        # A new one, in a service that was started again.
        domains[0].start()
        self.wait_kept(*domains)


class NotKept(StoreCase):
    def test_store_is_full(self):
        """One connection more than the store takes: its gap is told, the others have none."""
        self.manager_of.limit = 1
        kept, other = (self.define(name, machine="none") for name in ("kept", "other"))
        kept.start()
        self.wait_kept(kept)
        other.start()
        wait_until(lambda: self.manager_of.refused, "the second to be refused")
        since = self.mark()
        self.manager_of.end()
        self.back()
        self.wait_resynchronized(kept, KEPT, since)
        self.wait_resynchronized(other, GAP, since)

    def test_store_was_emptied(self):
        domain, watcher = self.run_watched("forgotten")
        since = self.mark()
        self.manager_of.end()
        self.manager_of.drop()
        watcher.execute("stop")
        self.back()
        self.wait_resynchronized(domain, GAP, since)
        self.assertEqual([("suspended", "resync", "paused")], self.lifecycle(domain, since))
        self.wait_kept(domain)

    def test_others(self):
        """What belongs to no run is closed, and not kept any longer."""
        domain, _ = self.run_watched("owner")
        since = self.mark()
        self.manager_of.end()
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.manager_of.add("monitor-00000000-0000-4000-8000-000000000000", theirs.detach())
        self.manager_of.add("something-else", os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        self.back()
        self.wait_resynchronized(domain, KEPT, since)
        self.wait_kept(domain)
        ours.settimeout(harness.DEADLINE)
        self.assertEqual(b"", ours.recv(1))

    def test_dead_connection(self):
        """It ended while the service was away and QEMU goes on: another one, and the gap is told."""
        domain, watcher = self.run_watched("yanked")
        since = self.mark()
        self.manager_of.end()
        watcher.execute("yank", instances=[{"type": "chardev", "id": "vmherald-monitor"}])
        self.back()
        self.wait_resynchronized(domain, GAP, since)
        self.assertEqual("running", domain.state)
        self.wait_kept(domain)
        self.assertEqual([], self.recorder.find("Monitor.Lost", path=domain.path, since=since))

    def test_hung(self):
        """A QEMU that does not react keeps its connection, and nobody from being served."""
        domain, watcher = self.run_watched("deaf")
        pid = domain.get("Domain", "PID")
        since = self.mark()
        self.manager_of.end()
        os.kill(pid, signal.SIGSTOP)
        try:
            self.back()
            self.assertEqual("unknown", domain.state)
        finally:
            os.kill(pid, signal.SIGCONT)
        watcher.execute("stop")
        self.wait_resynchronized(domain, KEPT, since)
        self.assertEqual("paused", domain.state)


class HalfCommand(StoreCase):
    def test_half_command(self):
        """The service was killed while it wrote a command: QEMU's parser is brought back."""
        domain, watcher = self.run_watched("cut")
        since = self.mark()
        self.manager_of.end()
        with self.manager_of.lock:
            fd = os.dup(self.manager_of.kept[0][1])
        os.write(fd, b'{"execute": "device_add", "arguments": {"driver": "virt')
        os.close(fd)
        watcher.execute("stop")
        self.back()
        self.wait_resynchronized(domain, KEPT, since)
        self.assertEqual("paused", domain.state)
        domain.call("Domain", "Resume")
        self.assertEqual("running", domain.state)


if __name__ == "__main__":
    harness.main()
