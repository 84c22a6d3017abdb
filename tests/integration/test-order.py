# SPDX-License-Identifier: LGPL-2.1-or-later
"""A storm on several domains at once: every event arrives, in the order QEMU emitted it, and the
signals of each domain are chained. A second monitor on each QEMU is the witness."""
import os
import signal
import threading

import harness
import life
from harness import wait_until

DOMAINS = 8
PAIRS = 250                          # of stop and cont, on each


class Driver(threading.Thread):
    """Sends stop and cont as fast as QEMU answers, and notes the events it sees."""

    def __init__(self, name):
        super().__init__()
        self.monitor = life.SecondMonitor(name)
        self.failure = None

    def run(self):
        try:
            for _ in range(PAIRS):
                self.monitor.execute("stop")
                self.monitor.execute("cont")
        except (AssertionError, OSError) as failure:
            self.failure = failure


class Order(life.LifeCase):
    def test_storm(self):
        domains = []
        for number in range(DOMAINS):
            name = f"storm{number}"
            domains.append(self.define(name, machine="none",
                                       arguments=life.second_monitor(name)))
            domains[-1].start()
        since = self.mark()
        drivers = [Driver(domain.name) for domain in domains]
        for driver in drivers:
            self.addCleanup(driver.monitor.close)
            driver.start()
        wait_until(lambda: not any(driver.is_alive() for driver in drivers), "the storm to end")
        self.assertEqual([None] * DOMAINS, [driver.failure for driver in drivers])

        def complete():
            return len(self.recorder.find("Domain.Lifecycle", since=since)) >= \
                sum(len(driver.monitor.events) for driver in drivers)
        wait_until(complete, "all signals")
        self.mark()
        names = {"STOP": ("suspended", "paused", "paused"),
                 "RESUME": ("resumed", "unpaused", "running")}
        for domain, driver in zip(domains, drivers):
            self.assertEqual(["STOP", "RESUME"] * PAIRS, driver.monitor.events)
            self.assertEqual([names[event] for event in driver.monitor.events],
                             self.lifecycle(domain, since))
            self.assertEqual("running", domain.state)
        life.check_stamps(self, self.recorder.events())
        self.check_states_told()
        self.check_interleaved(domains, since)

    def check_states_told(self):
        """Each transition is announced before its signal, none is skipped."""
        state = {}
        for each in self.recorder.signals:
            if each.interface == harness.PROPERTIES and "State" in each.arguments[1]:
                state[each.path] = each.arguments[1]["State"]
            elif each.name == "Domain.Lifecycle" and each.arguments[0] in ("suspended",
                                                                              "resumed"):
                self.assertEqual(each.arguments[2], state[each.path])

    def check_interleaved(self, domains, since):
        """No domain had to wait until another was done."""
        paths = [s.path for s in self.recorder.find("Domain.Lifecycle", since=since)]
        last_of_first = min(len(paths) - 1 - paths[::-1].index(d.path) for d in domains)
        first_of_last = max(paths.index(d.path) for d in domains)
        self.assertLess(first_of_last, last_of_first)

    def test_one_does_not_react(self):
        """A QEMU that stands still delays nobody else."""
        deaf, well = (self.define(name, machine="none") for name in ("deaf", "well"))
        deaf.start()
        well.start()
        pid = deaf.get("Domain", "PID")
        os.kill(pid, signal.SIGSTOP)
        # By somebody else: the bus lets one connection have so many calls pending.
        other = harness.Connection()
        self.addCleanup(other.close)
        calls = [harness.Domain(other, deaf.path, deaf.name).send(
            "Monitor", "Execute", "(ssa{sv})", "query-status", "", {}) for _ in range(100)]
        for _ in range(20):
            well.call("Domain", "Suspend", deadline=10)
            well.call("Domain", "Resume", deadline=10)
        self.assertFalse(any(call.finished for call in calls))
        os.kill(pid, signal.SIGCONT)
        for call in calls:
            self.assertIn("running", call.result())


if __name__ == "__main__":
    harness.main()
