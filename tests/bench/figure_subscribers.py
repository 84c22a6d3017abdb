# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service notices of a hundred subscribers, one of whom stands still and is to have everything.

Each of them costs the bus: it looks at a hundred rules for each signal, and delivers it four times. So what has to be the same is
what the service itself needs for an event and for a call; and how much it tells is compared with what a bare emitter can
tell on a bus with the same hundred."""
import contextlib
import os
import signal

import buses
import stage
from client import wait_until
from figure import Row, median
from figure_throughput import Run
from listening import DOMAIN_PATHS, Subscriber, blow

NUMBER, TITLE = 9, "A hundred subscribers with different rules, one of them stopped; without them"
DOMAINS = 8
EVENTS = 100000                      # in a storm
PACED, INTERVAL = 1000, 1000         # events of one domain, and microseconds between them
GETS = 4000                          # on another one, meanwhile and before
SUBSCRIBERS = 100
QUIET = ("Block", "Devices", "Display", "Domain", "Migration", "Monitor", "Network")
MEMBERS = ("Domain.Lifecycle", "Domain.Reset", "Domain.Watchdog", "Devices.DeviceAdded", "Devices.DeviceRemoved",
           "Devices.TrayChanged", "Devices.AcpiDeviceStatus", "Network.FilterChanged", "Network.MacChanged", "Block.IOError",
           "Block.WriteThreshold", "Block.JobChanged", "Guest.ChannelChanged", "Guest.BalloonChanged",
           "Guest.MemoryFailure", "Display.Client", "Migration.Changed", "Migration.Pass", "Monitor.Event")


def rule(**keys):
    return ",".join(["type='signal'"] + [f"{key}='{value}'" for key, value in keys.items()])


def rules(domains):
    """Of the other ninety-nine. What is told in the measurement is for two of them: one listens to that domain, one to an
    argument that all of it has."""
    yield from (rule(path=domain.path) for domain in domains)
    yield from (rule(interface=f"{stage.NAME}.{interface}") for interface in QUIET)
    yield from (rule(interface=f"{stage.NAME}.{name}", member=member)
                for name, _, member in (each.partition(".") for each in MEMBERS))
    yield rule(interface=f"{stage.NAME}.Guest", arg0="/rtc")
    number = 0
    while True:
        yield rule(interface=f"{stage.NAME}.Devices", arg0=f"disk{number}")
        yield rule(interface=f"{stage.NAME}.Guest", member="ChannelChanged", arg0=f"agent{number}")
        yield rule(path=f"{stage.PATH}/domain/_00000000_0000_4000_8000_{number:012}")
        number += 1


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


@contextlib.contextmanager
def crowd(domains):
    """Yields the pids of those who are awake."""
    with contextlib.ExitStack() as stack:
        stopped = stack.enter_context(Subscriber(0, f"type='signal',{DOMAIN_PATHS}"))
        os.kill(stopped.process.pid, signal.SIGSTOP)
        wait_until(lambda: is_stopped(stopped.process.pid), "a subscriber to stand still")
        yield [stack.enter_context(Subscriber(0, each)).process.pid
               for each, _ in zip(rules(domains), range(SUBSCRIBERS - 1))]


class Rest:
    """wait_until(Rest(pids)): since it was looked at last none of them has run."""

    def __init__(self, pids):
        self.pids = pids
        self.used = None

    def __call__(self):
        before, self.used = self.used, [stage.cpu_seconds(pid) for pid in self.pids]
        return before == self.used


class Turn:
    """All that is measured once: with the crowd or without it."""

    def __init__(self, place, domains, settings):
        self.run = Run(place, domains, settings.scaled(EVENTS // len(domains)))
        self.paced = settings.scaled(PACED, 20)
        self.gets = settings.scaled(GETS, 20)

    def measure(self, pids=()):
        """What was told is behind all of them before the next thing is measured."""
        before = stage.cpu_seconds(self.run.stage.pid)
        quiet = self.get()
        cpu_get = (stage.cpu_seconds(self.run.stage.pid) - before) * 1e6 / self.gets
        with Subscriber(self.paced, latency=True) as subscriber:
            blow(self.run.domains[:1], self.paced, "x-pace", **{"interval-us": INTERVAL})
            beside = self.get()
            latency = subscriber.heard()["latency"]
        wait_until(Rest(pids), "the subscribers to be done")
        rate, cpu = self.run.service()
        wait_until(Rest(pids), "the subscribers to be done", stage.SECONDS)
        bare, _ = self.run.bare()
        return {"cpu": cpu["service"], "rate": rate, "bare": bare, "latency": latency, "cpu get": cpu_get,
                "get": quiet, "get beside": beside}

    def get(self):
        times = stage.run("caller", self.gets, "get", self.run.domains[1].path)
        return [float(time) for time in times.split()]

    def measure_in_crowd(self):
        with crowd(self.run.domains) as pids:
            return self.measure(pids)


def compare(bus, settings):
    alone, crowded = [], []
    with stage.Stage(bus) as place:
        turn = Turn(place.start(), place.create_storms(DOMAINS), settings)
        turn.measure()
        for number in range(settings.rounds):
            turns = [(alone, turn.measure), (crowded, turn.measure_in_crowd)]
            for results, measure_turn in turns if number % 2 == 0 else reversed(turns):
                results.append(measure_turn())
    return alone, crowded


def over_rounds(results, name):
    values = [result[name] for result in results]
    return median([median(value) if isinstance(value, list) else value for value in values])


def measure(settings):
    for bus in (buses.Daemon, buses.Broker):
        stage.say(f"subscribers: {bus.name}")
        alone, crowded = compare(bus, settings)

        def row(title, unit, name, **keys):
            return Row(f"{bus.name}: {title}", over_rounds(crowded, name), unit, limit=over_rounds(alone, name),
                       limit_name="without them", samples={"crowd": [each[name] for each in crowded],
                                                           "alone": [each[name] for each in alone]}, **keys)

        yield row("CPU of the service per event, storm of 8", "us", "cpu", at_most=1.1)
        yield row("CPU of the service per Get", "us", "cpu get", at_most=1.1)
        yield row("Get", "us", "get", at_most=1.1)
        yield row("Get, beside 1,000 events/s", "us", "get beside")
        yield row("latency of those events, the bus included", "us", "latency")
        yield Row(f"{bus.name}: events told, storm of 8", over_rounds(crowded, "rate"), "/s",
                  limit=over_rounds(crowded, "bare"), limit_name="bare sd_bus_emit_signal(), with them", at_least=0.8,
                  samples={"ours": [each["rate"] for each in crowded],
                           "bare": [each["bare"] for each in crowded]})
