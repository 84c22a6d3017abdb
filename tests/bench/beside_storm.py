# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMUs that stop and go on as fast as they can. Who falls behind is waited for only so long, and what he had by then
counts: all of it would be minutes."""
import dataclasses

import real
import stage
from comparison import Comparison, in_turns, match, medians
from figure import median
from guests import wait_calm

NUMBER = 2
TITLE = "Storm of STOP and RESUME on real QEMUs for %g s; who is behind is waited for at most %g s more"
SECONDS, WAIT_SECONDS = 5.0, 60.0
TITLE %= SECONDS, WAIT_SECONDS
QEMUS = (1, 8)


@dataclasses.dataclass
class Storm:
    emitted: int
    rate: float              # events of QEMU in a second
    told: int
    told_rate: float         # from QEMU's first event to the last that was told
    late: float              # milliseconds: the last that was told behind QEMU's last
    latency: float           # milliseconds, the median of what was told
    cpu: float               # milliseconds for 1,000 events that were told

    @property
    def complete(self):
        return self.told == self.emitted


def storm(kind, count, seconds, wait_seconds):
    with kind() as contender:
        contender.start()
        guests = [contender.create(f"storm{number}") for number in range(count)]
        wait_calm(guests)
        pids = contender.pids()
        cpu = sum(map(stage.process_seconds, pids))
        with contender.receiver() as receiver:
            emitted = real.trigger(guests, "storm", seconds)
            told = match(guests, emitted, contender.told(receiver.receive_until(len(emitted), wait_seconds)))
        cpu = sum(map(stage.process_seconds, pids)) - cpu
    first, last = min(event.time for event in emitted), max(event.time for event in emitted)
    last_told = max(event.received for event in told) / 1000
    return Storm(len(emitted), len(emitted) / (last - first) * 1e6, len(told), len(told) / (last_told - first) * 1e6,
                 (last_told - last) / 1000, median([event.latency for event in told]) / 1000, cpu / len(told) * 1e6)


def measure(settings):
    for count in QEMUS:
        results = in_turns(settings.rounds, f"storm on {count}", lambda kind: storm(
            kind, count, max(0.5, SECONDS * settings.scale), max(10, WAIT_SECONDS * settings.scale)))
        behind = {name for name, storms in results.items() if not all(s.complete for s in storms)}
        title = f"{count} QEMU{'s' if count > 1 else ''}: "
        yield Comparison(title + "events emitted", "/s", medians(results, lambda s: s.rate))
        yield Comparison(title + "events delivered, of those emitted", "%",
                         medians(results, lambda s: 100 * s.told / s.emitted))
        yield Comparison(title + "events delivered", "/s", medians(results, lambda s: s.told_rate))
        yield Comparison(title + "the last signal behind QEMU's last event", "ms", medians(results, lambda s: s.late),
                         bounded=behind, samples={name: [s.late for s in storms] for name, storms in results.items()})
        yield Comparison(title + "median latency", "ms", medians(results, lambda s: s.latency), bounded=behind)
        yield Comparison(title + "CPU for 1,000 events delivered, without the bus", "ms", medians(results, lambda s: s.cpu))
