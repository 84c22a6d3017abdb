# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU gets SIGTERM, and it is told that the domain has stopped."""
import os
import signal
import time

from comparison import Comparison, in_turns, medians
from figure import median
from guests import wait_calm

NUMBER = 6
TITLE = "From SIGTERM to QEMU until the domain is told to have stopped"
QEMUS = 5
# What is told before: that it shuts down.
DUE, WAIT_SECONDS = 2, 30


def stop(contender, guest):
    """Milliseconds."""
    with contender.receiver() as receiver:
        sent = time.time_ns()
        os.kill(guest.pid, signal.SIGTERM)
        told = contender.told(receiver.receive_until(DUE, WAIT_SECONDS))
    if not told or told[-1].name != "stopped":
        raise AssertionError(f"{contender.name}: {[event.name for event in told]} was told of a QEMU that was ended")
    return (told[-1].received - sent) / 1e6


def measure(settings):
    def once(kind):
        with kind() as contender:
            contender.start()
            guests = [contender.create(f"stop{number}") for number in range(settings.scaled(QEMUS, 2))]
            wait_calm(guests)
            return [stop(contender, guest) for guest in guests]

    results = in_turns(settings.rounds, "stop", once)
    yield Comparison("stopped, behind the signal", "ms", medians(results, median),
                     samples={name: sum(of_rounds, []) for name, of_rounds in results.items()})
