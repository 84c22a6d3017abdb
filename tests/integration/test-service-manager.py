# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service manager is told, when, and how often; and that guests are shut down when the host goes down."""
import os
import signal
import time

from gi.repository import Gio, GLib

import harness
import life
from client import Connection
from harness import NAME, wait_until
from manager import Manager
from processes import wait_for_end
from systemd import Systemd


def name_is_owned():
    """Asked on a connection of its own, by whatever thread."""
    bus = Gio.DBusConnection.new_for_address_sync(
        os.environ["DBUS_SESSION_BUS_ADDRESS"], Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
        Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
    try:
        return bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
                             GLib.Variant("(s)", (NAME,)), None, Gio.DBusCallFlags.NONE, -1, None).unpack()[0]
    finally:
        bus.close_sync(None)


class Managed(life.LifeCase):
    OPTIONS = ()
    WATCHDOG = 0

    def setUp(self):
        first = Connection()
        self.addCleanup(first.close)
        if first.service_runs():
            first.kill_service(signal.SIGTERM)
        self.manager_of = Manager(first, options=self.OPTIONS, watchdog=self.WATCHDOG, hear=self.hear)
        self.addCleanup(self.manager_of.close)
        self.manager_of.start()
        self.manager_of.wait_told(READY="1")
        super().setUp()

    def hear(self, fields):
        pass

    def wait_for_leave(self):
        process = self.manager_of.process
        wait_until(lambda: process.poll() is not None, "the service to end")
        self.assertEqual(0, process.returncode)


class Told(Managed):
    def setUp(self):
        self.owned = []
        super().setUp()

    def hear(self, fields):
        if fields.get("READY") == "1":
            self.owned.append(name_is_owned())

    def test_ready(self):
        """When the name is owned, and not before; with the first line."""
        wait_until(lambda: self.owned, "the thread")
        self.assertEqual([True], self.owned)
        [ready] = self.manager_of.find(READY="1")
        self.assertRegex(ready["STATUS"], r"^\d+ domains?, 0 running$")

    def test_status(self):
        domain = self.define("one", machine="none")
        wait_until(lambda: self.manager_of.status() == "1 domain, 0 running", "the line")
        domain.start()
        wait_until(lambda: self.manager_of.status() == "1 domain, 1 running", "the line")
        self.define("two", machine="none")
        wait_until(lambda: self.manager_of.status() == "2 domains, 1 running", "the line")

    def test_status_is_bounded(self):
        begin, before = time.monotonic(), len(self.manager_of.told)
        for number in range(40):
            self.define(f"d{number}", machine="none")
        wait_until(lambda: self.manager_of.status() == "40 domains, 0 running", "the line")
        seconds = time.monotonic() - begin
        told = self.manager_of.told[before:]
        harness.note(f"40 definitions in {seconds:.1f} s: {len(told)} lines")
        self.assertLessEqual(len(told), seconds + 2)

    def test_reload(self):
        """By signal and by call; and ready again."""
        for begin in (lambda: self.manager_of.process.send_signal(signal.SIGHUP), lambda: self.manager("Reload")):
            count = len(self.manager_of.find(RELOADING="1"))
            before = time.monotonic_ns() // 1000
            begin()
            reloading = self.manager_of.wait_told(count + 1, RELOADING="1")[-1]
            self.manager_of.wait_told(count + 2, READY="1")
            self.assertTrue(before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000)
            # In that order.
            states = [fields for fields in self.manager_of.told if {"READY", "RELOADING"} & set(fields)]
            self.assertEqual([reloading, {"READY": "1"}], states[-2:])

    def test_stopping(self):
        self.manager_of.process.send_signal(signal.SIGTERM)
        self.wait_for_leave()
        self.assertEqual({"STOPPING": "1"}, self.manager_of.told[-1])


class Idle(Managed):
    OPTIONS = ("--idle-timeout=1",)

    def test_idle(self):
        """It ends by itself, and says so; the next call finds another one."""
        self.wait_for_leave()
        self.assertEqual({"STOPPING": "1"}, self.manager_of.told[-1])
        self.assertEqual([], self.manager("ListDomains", "(a{sv})", {}))


class Watchdog(Managed):
    WATCHDOG = 400_000

    def test_watchdog(self):
        """The loop turns, and says so. One that does not is killed as systemd does it: then guests go on, and the next
        service has them."""
        domain = self.define("guest", machine="none")
        domain.start()
        pid = domain.get("Domain", "PID")
        self.manager_of.wait_told(3, WATCHDOG="1")
        self.manager_of.process.send_signal(signal.SIGSTOP)
        try:
            # What was said before it stood still may be on its way; then there is nothing more.
            count = len(self.manager_of.find(WATCHDOG="1"))
            silent_since = time.monotonic()
            wait_until(lambda: time.monotonic() > silent_since + 2 * self.WATCHDOG / 1e6, "the time")
            self.assertLessEqual(len(self.manager_of.find(WATCHDOG="1")), count + 1)
        finally:
            self.manager_of.process.send_signal(signal.SIGCONT)
        self.manager_of.end(signal.SIGABRT)
        self.assertTrue(life.lives(pid))
        self.manager_of.start()
        self.manager_of.wait_ready()
        self.assertEqual(("running", pid), (domain.state, domain.get("Domain", "PID")))


class HostEnds(Managed):
    def setUp(self):
        super().setUp()
        self.systemd = Systemd()
        self.addCleanup(self.systemd.close)

    def terminate(self):
        since = self.mark()
        self.manager_of.process.send_signal(signal.SIGTERM)
        return since

    def test_host_goes_down(self):
        """Guests cannot be left to it: they are shut down, and the host waits."""
        domain = self.define("guest")
        domain.start()
        life.wait_for_firmware(domain)
        self.systemd.state = "stopping"
        since = self.terminate()
        self.recorder.wait("Domain.PowerdownRequested", path=domain.path, since=since)
        [stopping] = self.manager_of.wait_told(STOPPING="1")
        self.assertEqual(140_000_000, int(stopping["EXTEND_TIMEOUT_USEC"]))
        life.power_off(domain)
        self.wait_life(domain, "stopped", since=since)
        self.wait_for_leave()

    def test_restarted(self):
        """A host that stays has them go on: whatever systemd says, if it says anything."""
        domain = self.define("guest", machine="none")
        domain.start()
        pid = domain.get("Domain", "PID")
        for state in ("running", "degraded", None):
            self.systemd.state = state
            if not state:
                self.systemd.close()
            since = self.terminate()
            self.wait_for_leave()
            self.assertTrue(life.lives(pid))
            self.manager_of.start()
            self.manager_of.wait_ready()
            self.assertEqual(pid, domain.get("Domain", "PID"))
            self.assertEqual([], self.recorder.find("Domain.PowerdownRequested", since=since))
        self.assertEqual(2, self.systemd.members().count("Get"))

    def test_nothing_runs(self):
        """Then there is nothing to ask about."""
        self.define("guest", machine="none")
        self.terminate()
        self.wait_for_leave()
        self.assertEqual([], self.systemd.calls)

    def test_told_twice(self):
        domain = self.define("deaf")
        domain.start()
        pid = domain.get("Domain", "PID")
        self.systemd.state = "stopping"
        since = self.terminate()
        self.recorder.wait("Domain.PowerdownRequested", path=domain.path, since=since)
        self.terminate()
        self.wait_for_leave()
        self.assertFalse(wait_for_end(pid, 0))


if __name__ == "__main__":
    harness.main()
