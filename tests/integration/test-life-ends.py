# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a domain ends, or nearly ends: each way gives one `stopped` with what is known about it, and
soon; what the guest does to itself (watchdog, panic, sleep, reset) is told as what it is."""
import os
import re
import signal
import statistics

import harness
import life
from harness import GLib, wait_until

REPETITIONS = 9
# What the service is to keep up is 10 ms. A busy machine must not make a test fail, so only what no
# machine explains does.
MEDIAN_BOUND_MS = 250.0


def ended_by(cause, guest=False):
    return {"cause": cause, "guest": guest, "exit-status": 0}


def ordered(order, asked=False, escalated=False, **details):
    return {"order": order, "guest-asked": asked, "escalated": escalated, **details}


def decided(policy, action, **details):
    return {"policy": policy, "action": action, **details}


class Ends(life.LifeCase):
    """Each way to end QEMU: what is told, how often, how fast."""

    def repeat(self, what, end, expected, reason, details, **keys):
        """Starts a domain and ends it by end(domain, pid), REPETITIONS times. expected: the
        Lifecycle events from then on, the last of which is `stopped`."""
        domain = self.define("mortal", **keys)
        delays = []
        for _ in range(REPETITIONS):
            domain.start()
            if keys.get("machine") != "none":
                life.wait_for_firmware(domain)
            pid = domain.get("Domain", "PID")
            since = self.mark()
            clock = life.ExitClock(pid)
            end(domain, pid)
            stopped = self.wait_life(domain, "stopped", since=since)
            delays.append((self.recorder.times[self.recorder.signals.index(stopped)] -
                           clock.get()) * 1000)
            self.mark()
            self.assertEqual(expected + [("stopped", reason, "shut-off")],
                             self.lifecycle(domain, since))
            self.assertEqual(details, self.details(stopped))
            self.check_state_told_before(stopped)
            self.assertEqual(0, domain.get("Domain", "PID"))
            self.assertEqual([], os.listdir(life.runtime_folder()))
        median = statistics.median(delays)
        harness.note(f"{what}: stopped arrives {median:.1f} ms after the exit (median of "
                     f"{REPETITIONS}, {min(delays):.1f} to {max(delays):.1f})")
        self.assertLess(median, MEDIAN_BOUND_MS)

    def test_term(self):
        self.repeat("TERM", lambda domain, pid: os.kill(pid, signal.SIGTERM),
                    [("shutdown", "host", "shutting-down")], "shutdown", ended_by("host-signal"),
                    machine="none")

    def test_kill(self):
        self.repeat("KILL", lambda domain, pid: os.kill(pid, signal.SIGKILL), [], "failed",
                    decided("on-crash", "stop", signal="KILL"), machine="none")

    def test_abort(self):
        self.repeat("ABRT", lambda domain, pid: os.kill(pid, signal.SIGABRT), [], "failed",
                    decided("on-crash", "stop", signal="ABRT"), machine="none")

    def test_quit_by_another_monitor(self):
        def end(domain, _pid):
            monitor = life.SecondMonitor(domain.name)
            monitor.send("quit")
            # Not before QEMU has gone: it drops what is unread when its client hangs up.
            self.addCleanup(monitor.close)
        self.repeat("quit by another monitor", end, [("shutdown", "host", "shutting-down")],
                    "shutdown", ended_by("host-qmp-quit"), machine="none",
                    arguments=life.second_monitor("mortal"))

    def test_quit_by_execute(self):
        def end(domain, _pid):
            try:
                self.assertEqual({}, domain.qmp("quit"))
            except GLib.Error as error:
                # QEMU may end before its answer is out.
                self.assertIn("MonitorLost", error.message)
        self.repeat("quit by Execute", end, [("shutdown", "host", "shutting-down")], "shutdown",
                    ended_by("host-qmp-quit"), machine="none")

    def test_guest(self):
        self.repeat("power-off by the guest",
                    lambda domain, pid: life.power_off(domain),
                    [("shutdown", "guest", "shutting-down")], "shutdown",
                    decided("on-shutdown", "stop", **ended_by("guest-shutdown", guest=True)))

    def test_destroy(self):
        def end(domain, pid):
            domain.destroy()
            # Answered when it is done: nothing of it is left.
            self.assertFalse(life.lives(pid))
            self.assertEqual("shut-off", domain.state)
        self.repeat("Destroy", end, [("shutdown", "host", "shutting-down")], "destroyed",
                    {**ended_by("host-signal"),
                     **ordered("destroy", **{"sent-signals": ["TERM"]})}, machine="none")

    def test_destroy_at_once(self):
        """Without a grace a QEMU that does not react to TERM is killed."""
        domain = self.define("deaf", machine="none")
        domain.start()
        os.kill(domain.get("Domain", "PID"), signal.SIGSTOP)
        since = self.mark()
        domain.destroy(grace=0)
        stopped = self.wait_life(domain, "stopped", since=since)
        self.assertEqual(("stopped", "destroyed", "shut-off"), stopped.arguments[:3])
        self.assertEqual(ordered("destroy", escalated=True, signal="KILL",
                                 **{"sent-signals": ["TERM", "KILL"]}), self.details(stopped))

    def test_destroyed_twice(self):
        """Two who destroy get an answer each, listeners one signal."""
        domain = self.define("twice", machine="none")
        domain.start()
        since = self.mark()
        calls = [domain.send("Domain", "Destroy", "(a{sv})", {}) for _ in range(2)]
        for call in calls:
            call.result()
        self.mark()
        self.assertEqual(1, len(self.recorder.find("Domain.Lifecycle", "stopped",
                                                   path=domain.path, since=since)))


class Watchdog(life.LifeCase):
    """ib700, set off by the register that starts it with no time left."""

    def set_off(self, action, **keys):
        self.domain = self.define("guarded", machine="pc",
                                  arguments=["-device", "ib700", "-action", f"watchdog={action}"],
                                  **keys)
        self.domain.start()
        since = self.mark()
        # What ends QEMU takes the answer with it.
        life.send_port_write(self.domain, life.IB700_START, 1, 0x0f)
        watchdog = self.recorder.wait("Domain.Watchdog", action, path=self.domain.path, since=since)
        self.assertEqual({}, watchdog.details)
        return since

    def test_pause(self):
        since = self.set_off("pause")
        self.wait_life(self.domain, "suspended", since=since)
        self.mark()
        self.assertEqual("paused", self.domain.state)
        self.assertEqual([("suspended", "watchdog", "paused")], self.lifecycle(self.domain, since))
        self.assertEqual("watchdog", self.domain.get("Domain", "StateReason"))

    def test_reset(self):
        since = self.set_off("reset")
        reset = self.recorder.wait("Domain.Reset", path=self.domain.path, since=since)
        self.assertEqual("guest", reset.arguments[0])
        self.assertEqual("running", self.domain.state)
        self.assertEqual([], self.lifecycle(self.domain, since))

    def test_poweroff(self):
        since = self.set_off("poweroff")
        stopped = self.wait_life(self.domain, "stopped", since=since)
        self.assertEqual(("stopped", "shutdown", "shut-off"), stopped.arguments[:3])
        self.assertEqual(ended_by("watchdog"), self.details(stopped))
        self.assertEqual([stopped.arguments[:3]], self.lifecycle(self.domain, since))

    def test_shutdown(self):
        since = self.set_off("shutdown")
        self.recorder.wait("Domain.PowerdownRequested", "watchdog", path=self.domain.path,
                           since=since)
        # Nobody in the guest reacts.
        self.assertEqual("running", self.domain.state)

    def test_none(self):
        self.set_off("none")
        self.assertEqual("running", self.domain.state)


class Panic(life.LifeCase):
    def panic(self, policy, value=life.PVPANIC_PANICKED):
        keys = {"on_panic": policy} if policy else {}
        self.domain = self.define("nervous", arguments=["-device", "pvpanic"], **keys)
        self.domain.start()
        since = self.mark()
        life.send_port_write(self.domain, life.PVPANIC, 1, value)
        return since

    def check_kept(self, policy):
        since = self.panic(policy)
        crashed = self.wait_life(self.domain, "crashed", since=since)
        self.assertEqual(decided("on-panic", policy), self.details(crashed))
        self.mark()
        self.assertEqual([("Panicked", "pause"), ("Lifecycle", "crashed")],
                         self.members(self.domain, since))
        self.assertEqual([("crashed", "panicked", "crashed")], self.lifecycle(self.domain, since))
        self.assertEqual("crashed", self.domain.state)
        self.assertEqual("panicked", self.domain.get("Domain", "StateReason"))
        return since

    def test_preserve(self):
        self.check_kept("preserve")
        self.domain.destroy()
        self.assertEqual("destroyed", self.wait_life(self.domain, "stopped").arguments[1])

    def test_pause_and_resume(self):
        """A panicked guest can be let go on, to be looked at or to write its dump."""
        since = self.check_kept("pause")
        self.domain.call("Domain", "Resume")
        self.wait_life(self.domain, "resumed", "unpaused", "running", since=since)
        self.assertEqual("running", self.domain.state)

    def test_stop(self):
        for policy in ("stop", None):
            with self.subTest(policy=policy):
                since = self.panic(policy)
                stopped = self.wait_life(self.domain, "stopped", since=since)
                self.mark()
                self.assertEqual([("crashed", "panicked", "crashed"),
                                  ("shutdown", "guest", "shutting-down"),
                                  ("stopped", "crashed", "shut-off")],
                                 self.lifecycle(self.domain, since))
                self.assertEqual(decided("on-panic", "stop",
                                         **ended_by("guest-panic", guest=True)),
                                 self.details(stopped))
                self.assertEqual(1, len(self.recorder.find("Domain.Panicked", "poweroff",
                                                           path=self.domain.path, since=since)))
                self.domain.undefine()

    def test_crashloaded(self):
        """The guest goes on with its crash kernel."""
        since = self.panic("preserve", life.PVPANIC_CRASHLOADED)
        self.wait_life(self.domain, "crashed", since=since)
        self.mark()
        self.assertEqual([("crashed", "crashloaded", "running")],
                         self.lifecycle(self.domain, since))
        self.assertEqual("running", self.domain.state)


class Sleep(life.LifeCase):
    def start(self):
        self.domain = self.define("sleeper")
        self.domain.start()
        life.wait_for_firmware(self.domain)
        return self.mark()

    def test_suspend_to_memory_and_wakeup(self):
        since = self.start()
        self.domain.port_write(life.ACPI_CONTROL, 2, life.ACPI_SLEEP)
        asleep = self.wait_life(self.domain, "pm-suspended", since=since)
        self.assertEqual(("pm-suspended", "memory", "pm-suspended"), asleep.arguments[:3])
        self.check_state_told_before(asleep)
        self.assertEqual("pm-suspended", self.domain.state)
        self.domain.call("Domain", "Wakeup")
        awake = self.wait_life(self.domain, "started", since=since)
        self.mark()
        self.assertEqual([("pm-suspended", "memory", "pm-suspended"),
                          ("started", "wakeup", "running")], self.lifecycle(self.domain, since))
        self.check_state_told_before(awake)
        self.assertEqual("running", self.domain.state)
        self.assertEqual(1, self.domain.get("Domain", "Incarnation"))

    def test_suspend_to_disk(self):
        since = self.start()
        life.send_port_write(self.domain, life.ACPI_CONTROL, 2, life.ACPI_HIBERNATE)
        stopped = self.wait_life(self.domain, "stopped", since=since)
        self.mark()
        self.assertEqual([("pm-suspended", "disk", "pm-suspended"),
                          ("shutdown", "guest", "shutting-down"),
                          ("stopped", "shutdown", "shut-off")], self.lifecycle(self.domain, since))
        self.assertEqual(decided("on-shutdown", "stop",
                                 **ended_by("guest-shutdown", guest=True)), self.details(stopped))


class Resets(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.domain = self.define("pressed")
        self.domain.start()
        life.wait_for_firmware(self.domain)
        self.pid = self.domain.get("Domain", "PID")
        self.since = self.mark()

    def check_unharmed(self):
        self.mark()
        self.assertEqual([], self.lifecycle(self.domain, self.since))
        self.assertEqual("running", self.domain.state)
        self.assertEqual(self.pid, self.domain.get("Domain", "PID"))

    def test_by_guest(self):
        self.domain.port_write(life.RESET_CONTROL, 1, life.RESET_HARD)
        self.recorder.wait("Domain.Reset", "guest", "guest-reset", path=self.domain.path,
                           since=self.since)
        self.check_unharmed()

    def test_by_method(self):
        self.domain.call("Domain", "Reset")
        reset = self.recorder.wait("Domain.Reset", path=self.domain.path, since=self.since)
        self.assertEqual(("host", "host-qmp-system-reset"), reset.arguments[:2])
        self.check_unharmed()

    def test_powerdown_by_method(self):
        call = self.domain.send("Domain", "Shutdown", "(a{sv})", {})
        request = self.recorder.wait("Domain.PowerdownRequested", path=self.domain.path,
                                     since=self.since)
        self.assertEqual("api", request.arguments[0])
        self.assertFalse(call.finished)
        # The guest obeys.
        life.power_off(self.domain)
        self.assertIsNone(call.result())
        self.assertEqual("shut-off", self.domain.state)
        stopped = self.wait_life(self.domain, "stopped", since=self.since)
        self.assertEqual(("stopped", "shutdown", "shut-off"), stopped.arguments[:3])
        self.assertEqual({**ended_by("guest-shutdown", guest=True),
                          **ordered("shutdown", asked=True)}, self.details(stopped))

    def test_powerdown_escalates(self):
        """A guest that does not obey is ended after its time, and what was done for it is told."""
        self.domain.call("Domain", "Shutdown", "(a{sv})", harness.options(timeout=100000))
        stopped = self.wait_life(self.domain, "stopped", since=self.since)
        self.assertEqual(("stopped", "destroyed", "shut-off"), stopped.arguments[:3])
        self.assertEqual({**ended_by("host-signal"),
                          **ordered("shutdown", asked=True, escalated=True,
                                    **{"sent-signals": ["TERM"]})}, self.details(stopped))

    def test_powerdown_of_who_left(self):
        """What was ordered is done, though he who has ordered it is gone."""
        caller = harness.Connection()
        harness.Domain(caller, self.domain.path, self.domain.name).send(
            "Domain", "Shutdown", "(a{sv})", harness.options(timeout=500000))
        self.recorder.wait("Domain.PowerdownRequested", "api", path=self.domain.path,
                           since=self.since)
        caller.close()
        stopped = self.wait_life(self.domain, "stopped", since=self.since)
        self.assertEqual(["TERM"], stopped.details["sent-signals"])
        self.assertTrue(stopped.details["escalated"])

    def test_powerdown_by_somebody_else(self):
        self.domain.qmp("system_powerdown")
        self.recorder.wait("Domain.PowerdownRequested", "host", path=self.domain.path,
                           since=self.since)
        self.check_unharmed()

    def test_nmi(self):
        self.domain.call("Domain", "InjectNMI")
        self.check_unharmed()

    def test_nmi_arrives(self):
        """The test puts a handler of its own in the place of the firmware's, which leaves a mark."""
        handler, mark = 0x7000, 0x7100
        # Real mode, vector 2; the firmware waits for its next boot there, asleep between interrupts.
        wait_until(lambda: "HLT=1" in (state := self.domain.hmp("info registers")) and
                   re.search(r"CR0=[0-9a-f]*0 ", state), "the firmware to stand still in real mode")
        with self.domain.qtest() as qtest:
            # mov byte ptr cs:[mark], 0x55; iret
            qtest.write(handler, bytes((0x2e, 0xc6, 0x06, mark & 0xff, mark >> 8, 0x55, 0xcf)))
            qtest.write(2 * 4, handler.to_bytes(2, "little") + bytes(2))
            self.assertEqual(b"\0", qtest.read(mark, 1))
            self.domain.call("Domain", "InjectNMI")
            wait_until(lambda: qtest.read(mark, 1) == b"\x55", "the guest to take the interrupt")
        self.check_unharmed()

    def test_on_reboot_stop(self):
        """A definition may say that a reset ends the run."""
        domain = self.define("once", on_reboot="stop")
        domain.start()
        since = self.mark()
        domain.send("Domain", "Reset")
        stopped = self.wait_life(domain, "stopped", since=since)
        self.assertEqual("shutdown", stopped.arguments[1])
        self.assertEqual(decided("on-reboot", "stop", **ended_by("host-qmp-system-reset")),
                         self.details(stopped))


if __name__ == "__main__":
    harness.main()
