# SPDX-License-Identifier: LGPL-2.1-or-later
"""What others notice of a QEMU that stands still, and of those who wait for it."""
import os
import signal
import subprocess

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
STRANGER = "org.example.Bare"
PEER = "org.freedesktop.DBus.Peer"
THINGS = {"event": "latency of another domain's events", "get": "Get on another domain",
          "objects": "GetManagedObjects"}


def calls(*arguments):
    return [float(line) for line in stage.run("caller", *arguments).split()]


def has_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


class Pair:
    """One QEMU that is to stand still, and another one; and a program that stands still too, and is none of the service's."""

    def __init__(self, place, settings):
        self.place = place
        self.hung, self.other = real.create(place, "hung"), real.create(place, "other")
        self.settings = settings
        self.stranger = subprocess.Popen([stage.program("bare-service"), STRANGER])
        place.callback(self.stranger.wait)
        place.callback(self.stranger.kill)
        wait_until(lambda: place.connection.call_bus("NameHasOwner", "(s)", STRANGER), "the bare service")

    def ping(self):
        self.place.connection.call(PATH, PEER, "Ping")

    def ask_hung(self):
        return self.hung.send("Monitor", "Execute", "(ssa{sv})", "query-status", "", options(timeout=TIMEOUT))

    def ask_stranger(self):
        return self.place.connection.send("/", PEER, "Ping", destination=STRANGER)

    def measure(self):
        settings = self.settings
        told = real.paced(self.other, 2 * settings.scaled(EVENTS / 2, 10), INTERVAL)[1]
        return {"event": [event.latency for event in told],
                "get": calls(settings.scaled(GETS, 50), "get", self.other.path),
                "objects": calls(settings.scaled(OBJECTS, 20), "objects")}

    def measure_waiting(self, pid, ask):
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: has_stopped(pid), "it to stand still")
            pending = [ask() for _ in range(PENDING)]
            # Bus and service have them all when they answer what came behind them.
            self.ping()
            times = self.measure()
            self.ping()
            if any(call.finished for call in pending):
                raise AssertionError("a call did not wait")
        finally:
            os.kill(pid, signal.SIGCONT)
        for call in pending:
            call.result()
        return times

    def measure_beside(self):
        return self.measure_waiting(self.hung.get("Domain", "PID"), self.ask_hung)

    def measure_stranger(self):
        return self.measure_waiting(self.stranger.pid, self.ask_stranger)


def measure(settings):
    undisturbed, beside, stranger = [], [], []
    with stage.Stage() as place:
        place.start()
        pair = Pair(place, settings)
        pair.measure()
        for number in range(settings.rounds):
            turns = [(undisturbed, pair.measure), (beside, pair.measure_beside), (stranger, pair.measure_stranger)]
            for results, turn in turns[number % 3:] + turns[:number % 3]:
                results.append(turn())

    def over_rounds(results, name):
        return median([median(result[name]) for result in results])

    for name, title in THINGS.items():
        yield Row(title, over_rounds(beside, name), "us", over_rounds(undisturbed, name), "the same, undisturbed",
                  at_most=1.1, samples={"beside": sum((r[name] for r in beside), []),
                                        "undisturbed": sum((r[name] for r in undisturbed), [])})
    for name, title in THINGS.items():
        yield Row(f"    {title}", over_rounds(beside, name), "us", over_rounds(stranger, name),
                  "the same, with the calls pending on a program that is none of the service's")
