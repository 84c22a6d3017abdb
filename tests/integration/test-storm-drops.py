# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bus that drops what a slow receiver does not take. The library notices, also where nothing comes behind the hole,
and fetches it."""
import harness
import storm_case
from storm_case import ALL, CLOCK, SLOT_Q

COUNT, SHORT = 100000, 20000


class Kept(storm_case.DropsCase):
    def check(self, count, *filters):
        domains, subscribers, begin, plain = self.sleep_through(count, *filters)
        truth = self.history(begin)
        self.check_source(truth, domains, count)
        for subscriber in subscribers:
            self.check_complete(subscriber, truth)
        self.assertNotEqual([], subscribers[0].noted("status"))
        self.check_dropped(plain, domains[0], self.domains * count)

    def test_200000(self):
        self.check(COUNT, ALL)

    def test_filters(self):
        self.check(SHORT, CLOCK, SLOT_Q)


if __name__ == "__main__":
    harness.main()
