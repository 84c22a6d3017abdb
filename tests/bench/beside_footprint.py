# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one more domain takes."""
import dataclasses

import stage
from comparison import Comparison, in_turns, medians
from guests import wait_calm

NUMBER = 4
TITLE = "What a running domain takes, of %d real QEMUs"
DOMAINS = 50
TITLE %= DOMAINS


@dataclasses.dataclass
class Size:
    memory: int              # bytes, without programs and libraries
    threads: int


def size(contender):
    pids = contender.pids()
    return Size(sum(map(stage.data_bytes, pids)), sum(map(stage.threads, pids)))


def measure(settings):
    count = settings.scaled(DOMAINS, 5)

    def once(kind):
        """(memory, threads) with one domain, and for each one more."""
        with kind() as contender:
            guests = [contender.start().create("small0")]
            before = size(contender)
            guests += [contender.create(f"small{number}") for number in range(1, count)]
            wait_calm(guests)
            after = size(contender)
        return before, Size((after.memory - before.memory) / (count - 1), (after.threads - before.threads) / (count - 1))

    results = in_turns(settings.rounds, "footprint", once)
    yield Comparison("memory of all with one domain (PSS)", "KiB", medians(results, lambda r: r[0].memory / 1024))
    yield Comparison("memory for each one more", "KiB", medians(results, lambda r: r[1].memory / 1024))
    yield Comparison("threads with one domain", "", medians(results, lambda r: r[0].threads))
    yield Comparison("threads for each one more", "", medians(results, lambda r: r[1].threads))
