# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service is killed in the midst of a storm, several times. Whoever listens by the library has all that was told;
and if the connections to QEMU are kept meanwhile, that is all that QEMU said."""
import harness
import storm_case
from harness import wait_until
from storm_case import ALL, CLOCK, SLOT_Q, STORM_SECONDS, of_domain

DOMAINS, COUNT, KILLS = 2, 40000, 3
PER_LIFE = 6000                      # events at least that are heard of one service


class Kills(storm_case.StormCase):
    def wait_heard(self, witness, domains, times):
        """The resynchronization of the service before is over, and this one has told some. The service is not asked: its
        answer would come behind all that waits in it, and by then the storm may be over."""
        def is_resynchronized(domain):
            return sum(e.path == domain.path and e.name == "Monitor.Resynchronized"
                       for e in witness.read().events) >= times
        for domain in domains:
            wait_until(lambda: is_resynchronized(domain), f"Resynchronized {times} times", STORM_SECONDS)
        least = len(witness.events) + PER_LIFE
        wait_until(lambda: len(witness.read().events) >= least, f"{PER_LIFE} more events", STORM_SECONDS)

    def storm(self, *filters):
        domains = self.make_domains(DOMAINS)
        begin = self.last()
        subscribers = [self.subscribe(wanted) for wanted in (of_domain(domains[1]), *filters)]
        witness = self.listen()
        if self.store:
            self.wait_kept(domains)
        self.blow(domains, COUNT)
        for kills in range(KILLS):
            self.wait_heard(witness, domains, kills)
            self.kill()
            self.back()
        self.wait_resynchronized(domains, begin, KILLS)
        self.wait_blown(domains)
        truth = self.history(begin)
        for subscriber in subscribers:
            self.check_complete(subscriber, truth)
        sequences = [e.sequence for e in truth]
        self.assertEqual(list(range(begin + 1, begin + 1 + len(truth))), sequences)
        return domains, truth


class WithoutStore(Kills):
    """What was in the connection goes with it. The source says nothing while there is none."""

    def check(self, *filters):
        domains, truth = self.storm(*filters)
        lost = 0
        for domain in domains:
            numbers = self.numbers(truth, domain)
            self.assertEqual(sorted(set(numbers)), numbers)
            holes = sum(b != a + 1 for a, b in zip(numbers, numbers[1:]))
            self.assertLessEqual(holes, KILLS)
            lost += COUNT - len(numbers)
            # And it is told that there may be a hole.
            self.assertEqual(KILLS, sum(e.path == domain.path and e.name == "Monitor.Resynchronized"
                                        for e in truth))
        harness.note(f"measured: {lost} of {DOMAINS * COUNT} events were in connections that were cut off")

    def test_all_and_some(self):
        self.check(ALL, SLOT_Q)


class WithStore(Kills):
    store = True

    def test_all_and_some(self):
        domains, truth = self.storm(ALL, CLOCK)
        self.check_source(truth, domains, COUNT)


if __name__ == "__main__":
    harness.main()
