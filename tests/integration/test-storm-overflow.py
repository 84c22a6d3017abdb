# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who sleeps for so long that the history has not all any more that the bus has dropped: one gap tells from where to
where, with a snapshot, and all behind it is exact."""
import harness
import storm
import storm_case
from storm_case import ALL, SLOT_Q

COUNT, SHORT = 100000, 20000
AWAKE = 48                           # that a history of the smallest size has, and the bus takes


class Overflown(storm_case.DropsCase):
    """Who sleeps too long. By the numbers it is known what he must have: the source gives them out in order."""

    def check(self, count, *filters):
        domains, subscribers, begin, _ = self.sleep_through(count, *filters)
        for subscriber in subscribers:
            subscriber.wait_noted("gap")
        last = self.last() + self.domains * AWAKE
        self.blow(domains, AWAKE, first=count)
        self.wait_told(last)
        for subscriber in subscribers:
            subscriber.wait_complete(self.history(last - self.domains * AWAKE))
            self.check_gap(subscriber, domains, count, begin, last)

    def check_gap(self, subscriber, domains, count, begin, last):
        gap, = subscriber.noted("gap")
        first, to, taken, known = map(int, gap)
        place, = [place for place, words in subscriber.notes if words[0] == "gap"]
        before, after = subscriber.events[:place], subscriber.events[place:]
        self.assertEqual((to, self.domains), (taken, known))
        self.assertGreater(to, first)
        # All that it wants up to the gap, and from behind it on; at its end as the history has it.
        self.check_numbers(subscriber.wanted, [e for e in before if e.sequence < first], domains, 0)
        self.check_numbers(subscriber.wanted, after, domains, count + AWAKE)
        self.check_heard(subscriber.wanted, self.history(last - self.domains * AWAKE),
                         [e for e in after if e.sequence > last - self.domains * AWAKE])
        self.assertGreater(after[0].sequence, to)
        self.assertEqual(len(set(subscriber.events)), len(subscriber.events))
        if subscriber.wanted is ALL:
            self.assertEqual(list(range(begin + 1, first)), [e.sequence for e in before])
            self.assertEqual(list(range(to + 1, last + 1)), [e.sequence for e in after])

    def check_numbers(self, wanted, events, domains, end):
        """Of each domain they are without a hole, and begin with 0, or have end for an end."""
        step = len(storm.EVENTS) if wanted is SLOT_Q else 1
        for domain in domains:
            numbers = sorted(self.numbers(events, domain))
            if not numbers:
                self.assertNotIn(domain.path, [e.path for e in events])
            elif end:
                self.assert_same(list(range(end - len(numbers) * step, end, step)), numbers)
            else:
                self.assert_same(list(range(0, len(numbers) * step, step)), numbers)


class OverflownDefault(Overflown):
    """200,000 do not go into a history of the ordinary size."""
    service_options = ()

    def test_one_gap(self):
        self.check(COUNT, ALL)


class OverflownSmall(Overflown):
    service_options = ("--history-size=65536",)

    def test_one_gap(self):
        self.check(SHORT, ALL, SLOT_Q)


if __name__ == "__main__":
    harness.main()
