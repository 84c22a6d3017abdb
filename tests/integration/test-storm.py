# SPDX-License-Identifier: LGPL-2.1-or-later
"""200,000 events while who listens sleeps, on a bus that keeps them for him: by the library he has each of them once
and in order. And how long it takes the service to count them."""
import time

import harness
import storm_case
from storm_case import ALL


class SleepingOnDaemon(storm_case.SleepingCase):
    def test_200000(self):
        domains, subscribers, truth = self.storm(ALL)
        start = time.monotonic()
        complete, last, count = self.manager("CountEvents", "(ta{sv})", truth[0].sequence - 1, {})
        harness.note(f"measured: CountEvents() of {count} events: "
                     f"{(time.monotonic() - start) * 1000:.1f} ms")
        self.assertEqual((True, 131072), (complete, count))
        self.assertEqual(truth[0].sequence - 1 + count, last)
        self.check_source(truth, domains, self.count)
        self.wake(subscribers, truth)
        self.check_source(subscribers[0].events, domains[:1], self.count)


if __name__ == "__main__":
    harness.main()
