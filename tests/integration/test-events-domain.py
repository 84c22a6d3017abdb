# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of the run state, from a real QEMU: interface Domain."""
import os
import signal

import harness
import life
import recipes
from recipes import boolean, text


class Bare(recipes.EventCase):
    """The emptiest of machines."""

    paused = False

    @classmethod
    def keys(cls):
        return {"machine": "none"}

    def test_stop(self):
        self.domain.qmp("stop")
        self.expect_life("suspended", "paused", "paused")
        self.domain.qmp("cont")
        self.expect_life("resumed", "unpaused", "running")

    def test_resume(self):
        self.domain.qmp("stop")
        self.expect_life("suspended", "paused", "paused")
        self.since, self.began = self.mark(), recipes.now()
        self.domain.qmp("cont")
        self.expect_life("resumed", "unpaused", "running")
        self.mark()
        self.assertEqual(1, len(self.of_domain("Domain.Lifecycle")))

    def shut_down(self, name, how, cause):
        self.domain = self.start(name, machine="none")
        self.since, self.began = self.mark(), recipes.now()
        how(self.domain)
        self.expect_life("shutdown", "host", "shutting-down", cause=text(cause),
                         guest=boolean(False))
        self.wait("Domain.Lifecycle", "stopped")

    def test_shutdown(self):
        """By the host; test_suspend_disk has one by the guest."""
        self.shut_down("quit", lambda domain: domain.send(
            "Monitor", "Execute", "(ssa{sv})", "quit", "", {}), "host-qmp-quit")
        self.shut_down("terminated", lambda domain: os.kill(
            domain.get("Domain", "PID"), signal.SIGTERM), "host-signal")


class Standing(recipes.EventCase):
    """A guest that has not run an instruction; what is asked of it can be heard all the same."""

    @classmethod
    def keys(cls):
        return {"devices": [{"driver": "pvpanic"}]}

    def setUp(self):
        super().setUp()
        self.domain.qmp("set-action", {"panic": "none"})

    def test_powerdown(self):
        self.domain.qmp("system_powerdown")
        self.expect("Domain.PowerdownRequested", "s", "host")

    def test_reset(self):
        self.domain.qmp("system_reset")
        self.expect("Domain.Reset", "ss", "host", "host-qmp-system-reset")
        self.domain.port_write(life.RESET_CONTROL, 1, life.RESET_HARD)
        self.expect("Domain.Reset", "ss", "guest", "guest-reset")

    def test_guest_panicked(self):
        self.domain.port_write(life.PVPANIC, 1, life.PVPANIC_PANICKED)
        self.expect("Domain.Panicked", "s", "run")
        self.expect_life("crashed", "panicked", "paused", action=text("run"))

    def test_guest_crashloaded(self):
        self.domain.port_write(life.PVPANIC, 1, life.PVPANIC_CRASHLOADED)
        self.expect_life("crashed", "crashloaded", "paused", action=text("run"))
        self.mark()
        self.assertEqual([], self.of_domain("Domain.Panicked"))


class Running(recipes.EventCase):
    """The firmware has run, and has found nothing to boot."""

    paused = False

    @classmethod
    def keys(cls):
        return {"devices": [{"driver": "ib700"}]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        life.wait_for_firmware(cls.domain)

    def sleep(self):
        # Waking up is a reset, after which the firmware places the registers anew.
        life.wait_for_firmware(self.domain)
        self.since, self.began = self.mark(), recipes.now()
        self.domain.port_write(life.ACPI_CONTROL, 2, life.ACPI_SLEEP)
        self.expect_life("pm-suspended", "memory", "pm-suspended")

    def wake(self):
        self.domain.qmp("system_wakeup")
        self.expect_life("started", "wakeup", "running")

    def test_suspend(self):
        self.sleep()
        self.wake()

    def test_wakeup(self):
        self.sleep()
        self.since, self.began = self.mark(), recipes.now()
        self.wake()
        self.mark()
        self.assertEqual(1, len(self.of_domain("Domain.Lifecycle")))

    def test_watchdog(self):
        self.domain.qmp("watchdog-set-action", {"action": "none"})
        self.domain.port_write(life.IB700_START, 1, 0x0f)
        self.expect("Domain.Watchdog", "s", "none")
        self.assertEqual("running", self.domain.state)


class Hibernating(recipes.EventCase):
    paused = False

    def test_suspend_disk(self):
        life.wait_for_firmware(self.domain)
        self.since, self.began = self.mark(), recipes.now()
        life.send_port_write(self.domain, life.ACPI_CONTROL, 2, life.ACPI_HIBERNATE)
        self.expect_life("pm-suspended", "disk", "pm-suspended")
        self.expect_life("shutdown", "guest", "shutting-down", cause=text("guest-shutdown"),
                         guest=boolean(True))
        self.wait("Domain.Lifecycle", "stopped")


if __name__ == "__main__":
    harness.main()
