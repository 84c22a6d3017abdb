# SPDX-License-Identifier: LGPL-2.1-or-later
"""A storm of real QEMUs, each with a second monitor that counts. The library has every event that QEMU emitted:
while it sleeps and the bus drops, and while the service is killed, if the connections are kept. If they are not, what
is missing was emitted when no monitor was connected, or was in a connection that was cut off, and that is told."""
import json
import threading

import harness
import life
import storm_case
from storm_case import ALL, of_domain

QEMUS, ROUNDS = 3, 2000              # each of four commands with an event each
AHEAD = 50                           # rounds that are on their way to QEMU
KILLS, PER_LIFE = 3, 2000
SLEEP_AT = "500"
COMMANDS = ("stop", "system_reset", "cont", "system_powerdown")
TOLD = {
    "STOP": ("Domain.Lifecycle", "suspended"),
    "RESUME": ("Domain.Lifecycle", "resumed"),
    "RESET": ("Domain.Reset", "host"),
    "POWERDOWN": ("Domain.PowerdownRequested", "host"),
}
COUNTED = set(TOLD.values())


class Witness(threading.Thread):
    """Gives the commands, and notes each event as a signal of the service has to have it."""

    def __init__(self, domain):
        super().__init__()
        self.monitor = life.SecondMonitor(domain.name)
        self.seen = []
        self.failure = None

    def run(self):
        try:
            self.count()
        except (AssertionError, OSError, KeyError) as failure:
            self.failure = failure

    def give(self, rounds):
        for _ in range(rounds):
            for command in COMMANDS:
                self.monitor.send(command)

    def count(self):
        self.give(AHEAD)
        answered = 0
        while answered < ROUNDS * len(COMMANDS):
            message = json.loads(self.monitor.stream.readline())
            if "event" in message:
                self.seen.append((*TOLD[message["event"]], life.time_of(message)))
            else:
                assert "return" in message, message
                answered += 1
                if answered % len(COMMANDS) == 0 and \
                        answered // len(COMMANDS) + AHEAD <= ROUNDS:
                    self.give(1)


class QemuStorm(storm_case.StormCase):
    def begin(self, *options):
        self.domains = []
        for number in range(QEMUS):
            self.domains.append(self.define(f"real{number}", machine="none",
                                            arguments=life.second_monitor(f"real{number}")))
            self.domains[-1].start()
        self.start = self.last()
        self.subscribers = [self.subscribe(wanted, *options)
                            for wanted in (ALL, of_domain(self.domains[1]))]
        self.witnesses = [Witness(domain) for domain in self.domains]
        for witness in self.witnesses:
            self.addCleanup(witness.monitor.close)

    def finish(self):
        """What was told in the end."""
        for witness in self.witnesses:
            harness.wait_until(lambda: not witness.is_alive(), "QEMU to have done all", 100)
            self.assertIsNone(witness.failure)
        # Behind all that the monitor has before the answer.
        for domain in self.domains:
            domain.qmp("query-status")
        return self.history(self.start)

    def told(self, truth, domain):
        return [(e.name, e.arguments[0], e.time) for e in truth
                if e.path == domain.path and (e.name, e.arguments[0]) in COUNTED]

    def check_all(self, truth):
        for domain, witness in zip(self.domains, self.witnesses):
            self.assertEqual(ROUNDS * len(COMMANDS), len(witness.seen))
            self.assert_same(witness.seen, self.told(truth, domain))
        for subscriber in self.subscribers:
            self.check_complete(subscriber, truth)

    def kill_and_go_on(self):
        for witness in self.witnesses:
            witness.start()
        for _ in range(KILLS):
            self.wait_told(self.last() + PER_LIFE)
            self.kill()
            self.back()


class Sleeping(QemuStorm):
    bus_options = {"max_outgoing_bytes": 64 << 10}

    def test_every_event(self):
        self.begin("--pause-at", SLEEP_AT)
        for witness in self.witnesses:
            witness.start()
        truth = self.finish()
        for subscriber in self.subscribers:
            subscriber.wait_noted("paused")
            subscriber.wake()
        self.check_all(truth)
        for subscriber in self.subscribers:
            self.assertNotEqual([], subscriber.noted("status"))


class KilledWithStore(QemuStorm):
    store = True

    def test_every_event(self):
        self.begin()
        self.wait_kept(self.domains)
        self.kill_and_go_on()
        self.check_all(self.finish())


class KilledWithoutStore(QemuStorm):
    def test_every_event_of_a_connection(self):
        self.begin()
        self.kill_and_go_on()
        truth = self.finish()
        missing = 0
        for domain, witness in zip(self.domains, self.witnesses):
            missing += self.check_holes(truth, domain, witness)
        harness.note(f"measured: {missing} of {QEMUS * ROUNDS * len(COMMANDS)} events were emitted while the "
                     "service was not there, or were in connections that it left")
        for subscriber in self.subscribers:
            self.check_complete(subscriber, truth)

    def check_holes(self, truth, domain, witness):
        """What the witness has and the service has not is a piece for each kill, and that is told. But for a STOP
        between the reconnection and the answer that tells the state: what that finds stands for it."""
        told = {(name, time) for name, _, time in self.told(truth, domain)}
        missing = [i for i, (name, _, time) in enumerate(witness.seen) if (name, time) not in told]
        begins = [i for i in missing if i - 1 not in missing]
        late = [i for i in begins if i + 1 not in missing and witness.seen[i][1] == "suspended" and
                set(range(i - len(COMMANDS), i)) & set(missing)]
        self.assertLessEqual(len(begins) - len(late), KILLS)
        self.assertEqual(KILLS, sum(e.path == domain.path and e.name == "Monitor.Resynchronized"
                                    for e in truth))
        return len(missing)


if __name__ == "__main__":
    harness.main()
