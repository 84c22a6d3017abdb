# SPDX-License-Identifier: LGPL-2.1-or-later
"""What those who ask for the state of a domain notice of another one, whose QEMU stands still, and of the calls that wait for
it."""
import dataclasses
import os
import signal
import subprocess
import time
from statistics import mean

from client import wait_until
from comparison import Comparison, in_turns, medians
from figure import median
from guests import wait_calm

NUMBER = 3
TITLE = "Beside a QEMU that stands still: the state of another domain, asked for at most %g s"
SECONDS = 20.0                           # less than the 30 s for which libvirt has a call wait behind another one
TITLE %= SECONDS
READS = 1000
PENDING = (1, 4)


@dataclasses.dataclass
class Reads:
    """times: microseconds. cut: one had no answer when the time was over; its time so far is the last."""
    times: list
    cut: bool

    @property
    def median_cut(self):
        """Whether the median depends on how long that one would have taken."""
        return self.cut and self.times[-1] <= median(self.times)


def read(contender, guest, count, seconds):
    began = time.monotonic()
    with subprocess.Popen(contender.reads(guest, count), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            text, cut = process.communicate(timeout=seconds)[0], False
        except subprocess.TimeoutExpired:
            took = (time.monotonic() - began) * 1e6
            process.kill()
            text, cut = process.communicate()[0], True
    if not cut and process.returncode:
        raise AssertionError(f"{contender.name}: a state was not told")
    times = [float(line) for line in text.splitlines()]
    if cut:
        times.append(max(0, took - sum(times)))
    return Reads(times, cut)


def stands_still(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def measure(settings):
    count, seconds = settings.scaled(READS, 50), max(5, SECONDS * settings.scale)

    def once(kind):
        """How many wait -> Reads."""
        results = {}
        for pending in (0, *PENDING):
            with kind() as contender:
                contender.start()
                hung, other = contender.create("hung"), contender.create("other")
                wait_calm([hung, other])
                read(contender, other, 20, seconds)
                if not pending:
                    results[pending] = read(contender, other, count, seconds)
                    continue
                os.kill(hung.pid, signal.SIGSTOP)
                wait_until(lambda: stands_still(hung.pid), "QEMU to stand still")
                try:
                    with contender.pending(hung, pending):
                        results[pending] = read(contender, other, count, seconds)
                finally:
                    os.kill(hung.pid, signal.SIGCONT)
        return results

    results = in_turns(settings.rounds, "isolation", once)

    def names(pending, attribute):
        return {name for name, of_rounds in results.items() if any(getattr(r[pending], attribute) for r in of_rounds)}

    for pending in (0, *PENDING):
        title = f"{pending} call{'s' if pending > 1 else ''} pending: " if pending else "undisturbed: "
        yield Comparison(title + "median", "us", medians(results, lambda r: median(r[pending].times)),
                         bounded=names(pending, "median_cut"),
                         samples={name: sum((r[pending].times for r in of_rounds), [])
                                  for name, of_rounds in results.items()})
        yield Comparison(title + "mean", "us", medians(results, lambda r: mean(r[pending].times)),
                         bounded=names(pending, "cut"))
        yield Comparison(title + "longest", "us", medians(results, lambda r: max(r[pending].times)),
                         bounded=names(pending, "cut"))
