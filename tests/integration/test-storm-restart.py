# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who listens is killed in the midst of a storm, several times, and another one goes on from where he was. What they have
by the library is together everything once."""
import itertools

import harness
import storm_case
from storm_case import ALL, SLOT_Q, of_domain

DOMAINS, COUNT = 2, 25000
KILLS, PER_LIFE = 4, 2000


class Restarted(storm_case.StormCase):
    """The subscriber is killed, and another one goes on from its position."""

    def go_on(self, domains, wanted, begin):
        heard, position = [], str(begin)
        for life in itertools.count():
            subscriber = self.subscribe(wanted, "--position", position)
            if life == KILLS:
                return heard, subscriber
            harness.wait_until(lambda: len(subscriber.read().events) >= PER_LIFE or
                               subscriber.check_alive(), "some events")
            subscriber.process.kill()
            subscriber.process.wait()
            count, words = [note for note in subscriber.read().notes if note[1][0] == "position"][-1]
            heard += subscriber.events[:count]
            position = words[1]

    def check_restarted(self, *filters):
        domains = self.make_domains(DOMAINS)
        begin = self.last()
        self.blow(domains, COUNT)
        lives = [self.go_on(domains, wanted, begin) for wanted in filters or [of_domain(domains[1])]]
        self.wait_told(begin + DOMAINS * COUNT)
        truth = self.history(begin)
        for heard, subscriber in lives:
            subscriber.wait_complete(truth)
            self.assertEqual([], subscriber.noted("gap"))
            self.check_heard(subscriber.wanted, truth, heard + subscriber.events)

    def test_all_and_some(self):
        self.check_restarted(ALL, SLOT_Q)

    def test_one_domain(self):
        self.check_restarted()


if __name__ == "__main__":
    harness.main()
