# SPDX-License-Identifier: LGPL-2.1-or-later
"""What others notice of a QEMU that stands still, and of those who wait for it."""
import os
import signal

import real
import stage
from client import PATH, options, wait_until
from figure import Row, median

NUMBER = 6
TITLE = "Beside a QEMU that stands still, with 1,000 calls pending on it"
PENDING = 1000
EVENTS, INTERVAL = 100, 20000            # microseconds
GETS, OBJECTS = 2000, 400
TIMEOUT = 280 * 1000000                  # microseconds; longer than a measurement
THINGS = {"event": "latency of another domain's events", "get": "Get on another domain",
          "objects": "GetManagedObjects"}


def calls(*arguments):
    return [float(line) for line in stage.run("caller", *arguments).split()]


class Pair:
    """One QEMU that is to stand still, and another one."""

    def __init__(self, place, settings):
        self.place = place
        self.hung, self.other = real.create(place, "hung"), real.create(place, "other")
        self.pid = self.hung.get("Domain", "PID")
        self.settings = settings

    def send(self, number):
        os.kill(self.pid, number)

    def ping(self):
        self.place.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")

    def has_stopped(self):
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"

    def measure(self):
        settings = self.settings
        told = real.paced(self.other, 2 * settings.scaled(EVENTS / 2, 10), INTERVAL)[1]
        return {"event": [event.latency for event in told],
                "get": calls(settings.scaled(GETS, 50), "get", self.other.path),
                "objects": calls(settings.scaled(OBJECTS, 20), "objects")}

    def measure_beside(self):
        self.send(signal.SIGSTOP)
        try:
            wait_until(self.has_stopped, "QEMU to stand still")
            pending = [self.hung.send("Monitor", "Execute", "(ssa{sv})", "query-status", "", options(timeout=TIMEOUT))
                       for _ in range(PENDING)]
            # The service has them all when it answers what came behind them.
            self.ping()
            times = self.measure()
            self.ping()
            if any(call.finished for call in pending):
                raise AssertionError("a call did not wait for QEMU")
        finally:
            self.send(signal.SIGCONT)
        for call in pending:
            call.result()
        return times


def measure(settings):
    undisturbed, beside = [], []
    with stage.Stage() as place:
        place.start()
        pair = Pair(place, settings)
        pair.measure()
        for number in range(settings.rounds):
            turns = [(undisturbed, pair.measure), (beside, pair.measure_beside)]
            for results, turn in turns if number % 2 == 0 else reversed(turns):
                results.append(turn())

    def over_rounds(results, name):
        return median([median(result[name]) for result in results])

    for name, title in THINGS.items():
        yield Row(title, over_rounds(beside, name), "us", over_rounds(undisturbed, name), "the same, undisturbed",
                  at_most=1.1, samples={"beside": sum((r[name] for r in beside), []),
                                        "undisturbed": sum((r[name] for r in undisturbed), [])})
