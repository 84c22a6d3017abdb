# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long after it happened a subscriber knows of it, if it happens now and then."""
import real
from figure import Row, median, percentile
from stage import Stage

NUMBER = 1
TITLE = "Latency of one real QEMU's STOP and RESUME, 20 ms apart"
COUNT, INTERVAL = 400, 20000             # microseconds
LIMIT = "sum of a raw QMP reader of the same events and a bare bus hop: %s of all pairs"
ASKING = "the same with a reader that asks QEMU why it has stopped, as the service does: the median of all pairs"


def latencies(events, name=None):
    return [event.latency for event in events if name in (None, event.name)]


def sums(first, second):
    """The percentile of a sum is not the sum of percentiles, which would be a milder limit: so it is that of the sums of each
    with each."""
    return [a + b for a in first for b in second]


class Round:
    """Reader and subscriber see the same events, and the bare hop is before them or behind."""

    def __init__(self, place, domain, count, hop_first):
        hop = latencies(real.hop(count, INTERVAL)) if hop_first else None
        emitted, told = real.paced(domain, count, INTERVAL)
        asking = real.asking(place, domain, count, INTERVAL)
        self.hop = hop or latencies(real.hop(count, INTERVAL))
        self.reader, self.asking = latencies(emitted), latencies(asking)
        self.service = latencies(told)
        self.stop, self.resume = latencies(told, "suspended"), latencies(told, "resumed")
        # What a service that costs nothing would have, one that does not ask and one that does.
        self.limit, self.limit_asking = sums(self.reader, self.hop), sums(self.asking, self.hop)
        self.limit_stop = sums(latencies(asking, "STOP"), self.hop)
        self.limit_resume = sums(latencies(emitted, "RESUME"), self.hop)


def measure(settings):
    count = 2 * settings.scaled(COUNT / 2, 20)
    with Stage() as place:
        place.start()
        domain = real.create(place, "paced")
        real.paced(domain, 20, INTERVAL)
        rounds = [Round(place, domain, count, number % 2 == 0) for number in range(settings.rounds)]

    def over_rounds(statistic, name, *arguments):
        return median([statistic(getattr(r, name), *arguments) for r in rounds])

    samples = {name: [x for r in rounds for x in getattr(r, name)]
               for name in ("service", "stop", "resume", "reader", "asking", "hop")}
    yield Row("median", over_rounds(median, "service"), "us", over_rounds(median, "limit"),
              LIMIT % "the median", at_most=1.5, samples=samples)
    yield Row("99th percentile", over_rounds(percentile, "service", 99), "us", over_rounds(percentile, "limit", 99),
              LIMIT % "the 99th percentile", at_most=1.5)
    yield Row("median of all, beside who asks too", over_rounds(median, "service"), "us",
              over_rounds(median, "limit_asking"), ASKING)
    yield Row("median of STOP, beside who asks too", over_rounds(median, "stop"), "us", over_rounds(median, "limit_stop"),
              ASKING)
    yield Row("median of RESUME", over_rounds(median, "resume"), "us", over_rounds(median, "limit_resume"),
              LIMIT % "the median")
    for title, name in (("median of the raw reader", "reader"), ("median of the raw reader that asks", "asking"),
                        ("median of the bare bus hop", "hop")):
        yield Row(title, over_rounds(median, name), "us")
