# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long after it happened a subscriber knows of it, if it happens now and then."""
import real
from comparison import Comparison, in_turns, match, medians
from figure import median, percentile
from guests import wait_calm

NUMBER = 1
TITLE = "Latency of one real QEMU's STOP and RESUME, 20 ms apart: from QEMU's time stamp to the subscriber"
COUNT, INTERVAL = 400, 20000             # microseconds
WARM = 20
WAIT_SECONDS = 60


def paced(contender, guest, count):
    with contender.receiver() as receiver:
        emitted = real.trigger([guest], "paced", count, INTERVAL)
        told = match([guest], emitted, contender.told(receiver.receive_until(len(emitted), WAIT_SECONDS)))
    if len(told) != len(emitted):
        raise AssertionError(f"{contender.name}: {len(told)} of {len(emitted)} events were told")
    return [event.latency for event in told]


def measure(settings):
    count = 2 * settings.scaled(COUNT / 2, 20)

    def once(kind):
        with kind() as contender:
            guest = contender.start().create("paced")
            wait_calm([guest])
            paced(contender, guest, WARM)
            return paced(contender, guest, count)

    results = in_turns(settings.rounds, "latency", once)
    yield Comparison("median", "us", medians(results, median),
                     samples={name: sum(of_rounds, []) for name, of_rounds in results.items()})
    yield Comparison("99th percentile", "us", medians(results, lambda latencies: percentile(latencies, 99)))
