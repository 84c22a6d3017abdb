# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many events go through the service to one subscriber, who has each of them, typed and in order; beside a program that
does nothing but emit the same signal, on the same kind of bus to the same subscriber."""
import json

import buses
from figure import Row, median
from listening import Subscriber, blow, seconds
from stage import Stage, cpu_seconds, run, say

NUMBER, TITLE = 2, "Throughput, scripted QMP servers at full speed"
BUSES = (buses.Daemon, buses.Broker)
DOMAINS = (1, 8, 100)
EVENTS = 150000                      # two to four seconds
AIM = 0.8


class Run:
    """One of the bare emitter, or of the service: events/s, and the microseconds of CPU that each took for an event."""

    def __init__(self, stage, domains, per_domain):
        self.stage = stage
        self.domains = domains
        self.per_domain = per_domain
        self.count = per_domain * len(domains)

    def measure(self, emit, **pids):
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        with Subscriber(self.count) as subscriber:
            cpu = emit()
            said = subscriber.heard()
        cpu.update((name, cpu_seconds(pid) - before[name]) for name, pid in pids.items())
        cpu["subscriber"] = said["cpu"]
        if said["paths"] != len(self.domains):
            raise AssertionError(f"signals of {said['paths']} domains, not {len(self.domains)}")
        return self.count / seconds(said), {name: used * 1e6 / self.count for name, used in cpu.items()}

    def bare(self):
        def emit():
            paths = [domain.path for domain in self.domains]
            return {"emitter": json.loads(run("bare-emitter", self.per_domain, *paths))["cpu"]}
        return self.measure(emit, bus=self.stage.bus.process.pid)

    def service(self):
        def emit():
            blow(self.domains, self.per_domain)
            return {}
        return self.measure(emit, service=self.stage.pid, bus=self.stage.bus.process.pid)


def compare(stage, count, settings):
    domains = stage.create_storms(count)
    both = Run(stage, domains, settings.scaled(EVENTS // count))
    taken = {both.bare: [], both.service: []}
    # Not counted: memory that is used for the first time.
    for measure in taken:
        measure()
    for number in range(settings.rounds):
        order = list(taken) if number % 2 == 0 else list(taken)[::-1]
        for measure in order:
            taken[measure].append(measure())
    return taken[both.service], taken[both.bare]


def rates(taken):
    return [rate for rate, _ in taken]


def costs(taken):
    """Process -> the median of its microseconds of an event."""
    return {name: median([cpu[name] for _, cpu in taken]) for name in taken[0][1]}


def measure(settings):
    for bus in BUSES:
        for count in DOMAINS:
            say(f"throughput: {count} domains on {bus.name}")
            with Stage(bus) as stage:
                ours, bare = compare(stage.start(), count, settings)
            yield Row(f"{bus.name}, {count} domain{'s' * (count > 1)}", median(rates(ours)), "/s",
                      limit=median(rates(bare)), limit_name="bare sd_bus_emit_signal()", at_least=AIM,
                      samples={"ours": rates(ours), "bare": rates(bare), "ours us": costs(ours),
                               "bare us": costs(bare)})
