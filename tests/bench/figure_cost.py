# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an event costs: the service, beside a program that does nothing but what nobody can do without, one parse by
json-glib and one sd_bus_emit_signal(). In seconds, with the kernel's part, and in instructions, without it."""
import json

import instructions
from figure import Row, median
from listening import Subscriber, blow
from stage import Stage, cpu_seconds, run, say

NUMBER, TITLE = 3, "CPU of the service for an event, in a storm of RTC_CHANGE"
EVENTS = 100000
AIM = 1.6
LIMIT_NAME = "a parse by json-glib and sd_bus_emit_signal(), alone"


def _limit(count):
    with Subscriber(count) as subscriber:
        used = json.loads(run("work-cost", count))["cpu"]
        subscriber.heard()
    return used * 1e6 / count


def _service(stage, domains, count):
    per_domain = max(1, count // len(domains))
    with Subscriber(per_domain * len(domains)) as subscriber:
        before = cpu_seconds(stage.pid)
        blow(domains, per_domain)
        subscriber.heard()
        used = cpu_seconds(stage.pid) - before
    return used * 1e6 / (per_domain * len(domains))


def _seconds(n_domains, settings):
    count = settings.scaled(EVENTS)
    taken = {"service": [], "limit": []}
    with Stage() as stage:
        domains = stage.start().create_storms(n_domains)
        measures = [("service", lambda: _service(stage, domains, count)), ("limit", lambda: _limit(count))]
        # Not counted: memory that is used for the first time.
        for _, measure_one in measures:
            measure_one()
        for number in range(settings.rounds):
            for name, measure_one in measures if number % 2 == 0 else measures[::-1]:
                taken[name].append(measure_one())
    return taken


def _parts(settings):
    """Of the limit, microseconds."""
    count = settings.scaled(EVENTS)
    with Stage():
        for what in ("parse", "emit"):
            yield what, [json.loads(run("work-cost", count, what))["cpu"] * 1e6 / count
                         for _ in range(settings.rounds)]


def measure(settings):
    for n_domains in instructions.DOMAINS:
        say(f"CPU: {n_domains} domains")
        taken = _seconds(n_domains, settings)
        yield Row(f"CPU time, {n_domains} domain{'s' * (n_domains > 1)}", median(taken["service"]), "us",
                  limit=median(taken["limit"]), limit_name=LIMIT_NAME, at_most=AIM, samples=taken)
    for what, taken in _parts(settings):
        yield Row(f"of the limit: {what}", median(taken), "us", samples={what: taken})
    say("CPU: instructions")
    counted, before = instructions.count(), instructions.recorded()
    for n_domains in instructions.DOMAINS:
        yield Row(f"instructions, {n_domains} domain{'s' * (n_domains > 1)}", counted["service"][str(n_domains)], "",
                  limit=counted["limit"], limit_name=LIMIT_NAME, at_most=AIM,
                  samples={"recorded": [before["service"][str(n_domains)], before["limit"]]})
