# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be asked of a domain does what it promises; what makes no sense in the present state is
refused and changes nothing."""
import os
import re
import signal

import harness
import life
from harness import GLib, NAME, options, wait_until

# Microseconds until a guest that does not react is forced.
SOON = 200_000

OPERATIONS = {
    "Start": ("(a{sv})", {}),
    "Shutdown": ("(a{sv})", {}),
    "Reboot": ("(a{sv})", {}),
    "Reset": ("()",),
    "Destroy": ("(a{sv})", {}),
    "Suspend": ("()",),
    "Resume": ("()",),
    "Wakeup": ("()",),
    "InjectNMI": ("()",),
    "Undefine": ("(a{sv})", {}),
}
# What each state allows; all else is refused.
ALLOWED = {
    "shut-off": {"Start", "Undefine"},
    "running": {"Shutdown", "Reboot", "Reset", "Destroy", "Suspend", "InjectNMI"},
    "paused": {"Reset", "Destroy", "Resume"},
    "pm-suspended": {"Shutdown", "Reset", "Destroy", "Wakeup"},
    "crashed": {"Reset", "Destroy", "Resume"},
    "unknown": {"Destroy"},
}


class Starting(life.LifeCase):
    def test_running(self):
        domain = self.define("plain")
        since = self.mark()
        domain.start()
        self.mark()
        self.assertEqual([("starting", "booted", "starting"), ("started", "booted", "running")],
                         self.lifecycle(domain, since))
        for event in self.recorder.events(domain.path):
            if event.arguments[0] != "defined":
                self.check_state_told_before(event)
        properties = self.connection.get_all(domain.path, f"{NAME}.Domain")
        self.assertEqual(("running", "booted"), (properties["State"], properties["StateReason"]))
        self.assertTrue(life.lives(properties["PID"]))
        started = self.wait_life(domain, "started")
        # By the same clock, if not at the same moment.
        self.assertLess(abs(properties["StartedAt"] - started.time), 10_000_000)
        self.assertTrue(domain.get("Monitor", "Connected"))
        self.assertRegex(domain.get("Monitor", "QemuVersion"), r"^\d+\.\d+\.\d+$")
        self.assertEqual("running", domain.qmp("query-status")["status"])

    def test_paused(self):
        domain = self.define("held")
        since = self.mark()
        domain.start(paused=True)
        self.mark()
        self.assertEqual([("starting", "booted", "starting"), ("started", "booted", "paused"),
                          ("suspended", "paused", "paused")], self.lifecycle(domain, since))
        self.assertEqual("paused", domain.state)
        self.assertEqual("prelaunch", domain.qmp("query-status")["status"])
        domain.call("Domain", "Resume")
        self.assertEqual("running", domain.state)

    def test_suspend_and_resume(self):
        domain = self.define("switched")
        domain.start()
        since = self.mark()
        for _ in range(3):
            domain.call("Domain", "Suspend")
            # Answered when it is done.
            self.assertEqual("paused", domain.state)
            self.assertEqual("paused", domain.qmp("query-status")["status"])
            domain.call("Domain", "Resume")
            self.assertEqual("running", domain.state)
            self.assertEqual("running", domain.qmp("query-status")["status"])
        self.mark()
        self.assertEqual([("suspended", "paused", "paused"),
                          ("resumed", "unpaused", "running")] * 3, self.lifecycle(domain, since))
        for event in self.recorder.find("Domain.Lifecycle", path=domain.path, since=since):
            self.check_state_told_before(event)

    def test_by_command(self):
        """What somebody does through the monitor is told as if the service had done it."""
        domain = self.define("behind")
        domain.start()
        since = self.mark()
        domain.qmp("stop")
        self.assertEqual("paused", domain.state)
        domain.qmp("cont")
        self.assertEqual("running", domain.state)
        self.mark()
        self.assertEqual([("suspended", "paused", "paused"), ("resumed", "unpaused", "running")],
                         self.lifecycle(domain, since))

    def test_monitor_socket_does_not_block(self):
        """A QEMU that waits in accept() for somebody who is not there does nothing else any more."""
        domain = self.define("listening", machine="none")
        domain.start()
        with open(f"/proc/{domain.get('Domain', 'PID')}/fdinfo/3", encoding="ascii") as file:
            flags = int(re.search(r"^flags:\s+(\d+)$", file.read(), re.MULTILINE)[1], 8)
        self.assertTrue(flags & os.O_NONBLOCK)

    def test_incarnations(self):
        domain = self.define("again", machine="none")
        for number in range(1, 4):
            domain.start()
            self.assertEqual(number, domain.get("Domain", "Incarnation"))
            domain.destroy()
        self.assertEqual(0, domain.get("Domain", "StartedAt"))
        self.assertEqual(0, domain.get("Domain", "PID"))


class Forcing(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.domain = self.define("stubborn")
        self.domain.start()
        self.pid = self.domain.get("Domain", "PID")
        self.since = self.mark()

    def test_shutdown(self):
        self.domain.call("Domain", "Shutdown", "(a{sv})", options(timeout=SOON))
        self.assertFalse(life.lives(self.pid))
        self.assertEqual("shut-off", self.domain.state)
        self.mark()
        self.assertEqual([("PowerdownRequested", "api"), ("Lifecycle", "shutdown"),
                          ("Lifecycle", "stopped")], self.members(self.domain, self.since))
        stopped = self.wait_life(self.domain, "stopped", since=self.since)
        self.assertEqual(("stopped", "destroyed", "shut-off"), stopped.arguments[:3])

    def test_reboot(self):
        self.domain.call("Domain", "Reboot", "(a{sv})", options(timeout=SOON))
        self.mark()
        self.assertEqual(("PowerdownRequested", "api"), self.members(self.domain, self.since)[0])
        reset = self.recorder.wait("Domain.Reset", path=self.domain.path, since=self.since)
        self.assertEqual(("host", "host-qmp-system-reset"), reset.arguments[:2])
        self.check_goes_on()
        self.check_ends_as_defined()

    def test_cooperative_reboot(self):
        life.wait_for_firmware(self.domain)
        self.since = self.mark()
        call = self.domain.send("Domain", "Reboot", "(a{sv})", {})
        self.recorder.wait("Domain.PowerdownRequested", "api", path=self.domain.path,
                           since=self.since)
        self.assertFalse(call.finished)
        self.domain.port_write(life.ACPI_CONTROL, 2, life.ACPI_POWER_OFF)
        self.assertIsNone(call.result())
        self.recorder.wait("Domain.Reset", "host", path=self.domain.path, since=self.since)
        self.check_goes_on()
        # Two in a row, and somebody may ask for a second one while the first is under way.
        life.wait_for_firmware(self.domain)
        self.since = self.mark()
        call = self.domain.send("Domain", "Reboot", "(a{sv})", {})
        self.recorder.wait("Domain.PowerdownRequested", "api", path=self.domain.path,
                           since=self.since)
        self.assert_fails("WrongState", self.domain.call, "Domain", "Reboot", "(a{sv})", {})
        self.domain.port_write(life.ACPI_CONTROL, 2, life.ACPI_POWER_OFF)
        call.result()
        self.check_goes_on()
        self.check_ends_as_defined()

    def check_goes_on(self):
        """The same QEMU, and nobody was told of a shutdown."""
        self.mark()
        self.assertEqual([], self.lifecycle(self.domain, self.since))
        self.assertEqual("running", self.domain.state)
        self.assertEqual(self.pid, self.domain.get("Domain", "PID"))
        self.assertEqual("running", self.domain.qmp("query-status")["status"])
        self.assertEqual(1, self.domain.get("Domain", "Incarnation"))

    def check_ends_as_defined(self):
        """After a reboot a guest that shuts down does shut down."""
        life.wait_for_firmware(self.domain)
        self.since = self.mark()
        life.power_off(self.domain)
        self.wait_life(self.domain, "stopped", "shutdown", since=self.since)
        self.assertFalse(life.lives(self.pid))


class WrongState(life.LifeCase):
    def check_refused(self, domain, state):
        self.assertEqual(state, domain.state)
        since = self.mark()
        before = self.connection.managed_objects()[domain.path]
        for member in sorted(OPERATIONS.keys() - ALLOWED[state]):
            with self.subTest(state=state, member=member):
                text = self.assert_fails("WrongState", domain.call, "Domain", member,
                                         *OPERATIONS[member])
                self.assertIn(f"'{domain.name}' is {state}", text)
        if state not in ("running", "paused", "pm-suspended", "crashed"):
            self.assert_fails("WrongState", domain.qmp, "query-status")
            self.assert_fails("WrongState", domain.attach, {"driver": "virtio-rng-pci", "id": "a"})
            self.assert_fails("WrongState", domain.detach, "a")
        self.assertEqual(before, self.connection.managed_objects()[domain.path])
        self.mark()
        self.assertEqual([], self.recorder.signals[since:])

    def test_shut_off_running_paused(self):
        domain = self.define("refusing")
        self.check_refused(domain, "shut-off")
        domain.start()
        self.check_refused(domain, "running")
        domain.call("Domain", "Suspend")
        self.check_refused(domain, "paused")

    def test_pm_suspended(self):
        domain = self.define("refusing")
        domain.start()
        life.wait_for_firmware(domain)
        domain.port_write(life.ACPI_CONTROL, 2, life.ACPI_SLEEP)
        self.wait_life(domain, "pm-suspended")
        self.check_refused(domain, "pm-suspended")

    def test_crashed(self):
        domain = self.define("refusing", on_panic="preserve", arguments=["-device", "pvpanic"])
        domain.start()
        domain.port_write(life.PVPANIC, 1, life.PVPANIC_PANICKED)
        self.wait_life(domain, "crashed")
        self.check_refused(domain, "crashed")

    def test_starting(self):
        """A second start while the first is under way."""
        domain = self.define("refusing", machine="none")
        first = domain.send("Domain", "Start", "(a{sv})", {})
        second = domain.send("Domain", "Start", "(a{sv})", {})
        self.assert_fails("WrongState", second.result)
        first.result()
        self.mark()
        self.assertEqual(1, len(self.recorder.find("Domain.Lifecycle", "started",
                                                   path=domain.path)))

    def test_transient(self):
        domain = self.create("passing", machine="none")
        self.assert_fails("WrongState", domain.call, "Domain", "SetAutostart", "(b)", True)
        self.assert_fails("WrongState", self.connection.set, domain.path, f"{NAME}.Domain",
                          "Autostart", GLib.Variant("b", True))
        self.assertFalse(domain.get("Domain", "Autostart"))


class Policies(life.LifeCase):
    """What the definition says shall happen when the guest has shut down, panicked or died."""

    def start(self, **keys):
        self.domain = self.define("governed", **keys)
        self.domain.start()
        self.since = self.mark()

    def power_off(self):
        life.wait_for_firmware(self.domain)
        self.since = self.mark()
        life.power_off(self.domain)

    def test_on_shutdown_restart(self):
        self.start(on_shutdown="restart")
        first = self.domain.get("Domain", "PID")
        self.power_off()
        self.wait_life(self.domain, "started", since=self.since)
        self.mark()
        self.assertEqual([("shutdown", "guest", "shutting-down"),
                          ("stopped", "shutdown", "shut-off"),
                          ("starting", "recreated", "starting"),
                          ("started", "recreated", "running")],
                         self.lifecycle(self.domain, self.since))
        self.assertNotEqual(first, self.domain.get("Domain", "PID"))
        self.assertEqual(2, self.domain.get("Domain", "Incarnation"))

    def test_restart_is_not_for_who_shuts_down(self):
        """Somebody who calls Shutdown() wants it shut down."""
        self.start(on_shutdown="restart")
        life.wait_for_firmware(self.domain)
        self.since = self.mark()
        call = self.domain.send("Domain", "Shutdown", "(a{sv})", {})
        self.recorder.wait("Domain.PowerdownRequested", path=self.domain.path, since=self.since)
        life.power_off(self.domain)
        call.result()
        self.mark()
        self.assertEqual("shut-off", self.domain.state)
        self.assertEqual([], self.recorder.find("Domain.Lifecycle", "starting",
                                                path=self.domain.path, since=self.since))

    def test_restart_is_not_for_who_ends_qemu(self):
        """Neither Destroy() nor a TERM from outside speaks of the guest."""
        self.start(on_shutdown="restart", on_crash="restart", on_panic="restart")
        self.domain.destroy()
        self.mark()
        self.assertEqual("shut-off", self.domain.state)
        self.domain.start()
        os.kill(self.domain.get("Domain", "PID"), signal.SIGTERM)
        self.wait_life(self.domain, "stopped", "shutdown", since=self.since)
        self.mark()
        self.assertEqual("shut-off", self.domain.state)

    def check_kept(self, policy):
        self.start(on_shutdown=policy)
        self.power_off()
        self.wait_life(self.domain, "suspended", since=self.since)
        self.mark()
        self.assertEqual([("shutdown", "guest", "shutting-down"),
                          ("suspended", "guest-shutdown", "paused")],
                         self.lifecycle(self.domain, self.since))
        self.assertTrue(life.lives(self.domain.get("Domain", "PID")))

    def test_on_shutdown_preserve(self):
        self.check_kept("preserve")
        # A reset brings the guest back, and it can shut down once more.
        self.domain.call("Domain", "Reset")
        self.domain.call("Domain", "Resume")
        self.assertEqual("running", self.domain.state)
        self.power_off()
        self.wait_life(self.domain, "suspended", "guest-shutdown", since=self.since)

    def test_on_shutdown_pause(self):
        self.check_kept("pause")

    def test_shutdown_of_a_kept_one(self):
        """Shutdown() has got what it wanted when the guest is down, though QEMU stays."""
        self.start(on_shutdown="preserve")
        life.wait_for_firmware(self.domain)
        self.since = self.mark()
        call = self.domain.send("Domain", "Shutdown", "(a{sv})", {})
        self.recorder.wait("Domain.PowerdownRequested", path=self.domain.path, since=self.since)
        life.power_off(self.domain)
        call.result()
        self.assertEqual("paused", self.domain.state)

    def test_reboot_of_a_kept_one(self):
        self.start(on_shutdown="preserve")
        life.wait_for_firmware(self.domain)
        self.since = self.mark()
        call = self.domain.send("Domain", "Reboot", "(a{sv})", {})
        self.recorder.wait("Domain.PowerdownRequested", path=self.domain.path, since=self.since)
        life.power_off(self.domain)
        call.result()
        self.mark()
        self.assertEqual([], self.lifecycle(self.domain, self.since))
        self.assertEqual("running", self.domain.state)

    def test_on_panic_restart(self):
        self.start(on_panic="restart", arguments=["-device", "pvpanic"])
        life.send_port_write(self.domain, life.PVPANIC, 1, life.PVPANIC_PANICKED)
        self.wait_life(self.domain, "started", since=self.since)
        self.mark()
        self.assertEqual([("crashed", "panicked", "crashed"),
                          ("shutdown", "guest", "shutting-down"),
                          ("stopped", "crashed", "shut-off"),
                          ("starting", "recreated", "starting"),
                          ("started", "recreated", "running")],
                         self.lifecycle(self.domain, self.since))

    def test_on_crash_restart_and_its_bound(self):
        """A QEMU that dies again and again is started again five times within a minute, no more."""
        self.start(on_crash="restart", machine="none")
        for number in range(1, 6):
            os.kill(self.domain.get("Domain", "PID"), signal.SIGKILL)
            wait_until(lambda n=number: len(self.recorder.find(
                "Domain.Lifecycle", "started", path=self.domain.path, since=self.since)) == n,
                f"restart {number}")
        os.kill(self.domain.get("Domain", "PID"), signal.SIGKILL)
        wait_until(lambda: len(self.recorder.find("Domain.Lifecycle", "stopped",
                                                  path=self.domain.path, since=self.since)) == 6,
                   "the last end")
        self.mark()
        self.assertEqual([("stopped", "failed", "shut-off"), ("starting", "recreated", "starting"),
                          ("started", "recreated", "running")] * 5 +
                         [("stopped", "failed", "shut-off")],
                         self.lifecycle(self.domain, self.since))
        self.assertIn("'governed': ended 6 times within a minute", life.service_log())
        # Who asks for it gets it.
        self.domain.start()
        self.assertEqual("running", self.domain.state)

    def test_transient_restart(self):
        """A transient domain that comes back does not go in between."""
        domain = self.create("boomerang", machine="none", on_crash="restart")
        since = self.mark()
        os.kill(domain.get("Domain", "PID"), signal.SIGKILL)
        self.wait_life(domain, "started", since=since)
        self.mark()
        self.assertEqual([], self.recorder.find(f"{harness.OBJECT_MANAGER}.InterfacesRemoved",
                                                domain.path, since=since))
        domain.destroy()
        self.recorder.wait(f"{harness.OBJECT_MANAGER}.InterfacesRemoved", domain.path, since=since)


if __name__ == "__main__":
    harness.main()
