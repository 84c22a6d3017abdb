# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many instructions the service needs for an event, beside work-cost, which does nothing but the unavoidable with it;
and the recorded figures, which say whether that has changed.

What is compared is the number, and the ratio to work-cost, of which the one counts that has changed less: with the
libraries that it was recorded with both say the same, and with others, which need more instructions or less, it is one of
them that does not change, the number if it is json-glib, which the service mostly does without, the ratio if it is what both
have in common."""
import json
import os
import shlex
import subprocess

import callgrind
import stage
from figure import median
from listening import Subscriber, blow

DOMAINS = (1, 8)
EVENTS = 2400                            # by which two storms differ; of all domains
STORMS = 5                               # of each length
TOLERANCE = 0.05
RECORD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.json")
LIBRARIES = ("glib-2.0", "json-glib-1.0", "libsystemd")


def _of_one(count, long, short):
    """The difference of two counts is without what is done once."""
    return (long - short) / count


def count_limit(*what, events=EVENTS):
    """Of work-cost, for each."""
    return _of_one(events, callgrind.count_program("work-cost", 2 * events, *what),
                   callgrind.count_program("work-cost", events, *what))


def storm(service, pid, domains, count):
    """Instructions of a storm of so many events of each domain, all of which arrive, in order."""
    with Subscriber(count * len(domains)) as subscriber:
        blow(domains, count)
        subscriber.heard()
    return service.dump(pid)


def count_service(n_domains, events=EVENTS):
    """Of the service, for each."""
    service = callgrind.Service()
    with stage.Stage(program=callgrind.PROGRAM) as place:
        domains = place.start().create_storms(n_domains)
        service.begin(place.pid)
        per_domain = max(1, events // n_domains // 4)

        def storms(length):
            """The median: they differ by a per cent, by how much the monitor and the bus had in store each time."""
            return median([storm(service, place.pid, domains, length) for _ in range(STORMS)])
        # What is done for the first time, and memory that is used for the first time, is not counted.
        storm(service, place.pid, domains, per_domain)
        short = storms(per_domain)
        return _of_one(4 * per_domain * n_domains, storms(5 * per_domain), short)


def count():
    """What a record has, for this build."""
    with stage.Stage():
        limit = count_limit()
    return {"limit": round(limit), "service": {str(n): round(count_service(n)) for n in DOMAINS}}


def recorded():
    with open(RECORD, encoding="utf-8") as file:
        return json.load(file)


def record(counted):
    with open(RECORD, "w", encoding="utf-8") as file:
        json.dump({**counted, "with": versions()}, file, indent=8)
        file.write("\n")


def compare(counted, before, n_domains):
    """By what part of itself it differs from the recorded one, and the words for it."""
    numbers = [figures["service"][str(n_domains)] for figures in (counted, before)]
    ratios = [number / figures["limit"] for number, figures in zip(numbers, (counted, before))]
    change = min((now / then - 1 for now, then in (numbers, ratios)), key=abs)
    words = " and ".join(f"{number:,} instructions ({ratio:.3f} x {figures['limit']:,}) {when}" for number, ratio, figures, when
                         in zip(numbers, ratios, (counted, before), ("now", "recorded")))
    return change, f"an event of {n_domains} domain{'s' * (n_domains > 1)}: {words}: {change:+.1%}"


# ---- what it was counted with ----

def _say(*command):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True).stdout


def _compiler():
    with open(os.path.join(stage.BUILD, "compile_commands.json"), encoding="utf-8") as file:
        words = shlex.split(json.load(file)[0]["command"])
    first = next(i for i, word in enumerate(words) if word.startswith("-"))
    return _say(*words[:first], "--version").splitlines()[0]


def versions():
    return {"compiler": _compiler(), "glibc": os.confstr("CS_GNU_LIBC_VERSION"),
            "valgrind": _say("valgrind", "--version").strip(),
            **{library: _say("pkg-config", "--modversion", library).strip() for library in LIBRARIES}}
