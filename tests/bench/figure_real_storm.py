# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMUs that stop and go on as fast as they can: what the service makes of it, and, on the same bus and of the same QEMUs,
a program that does no more than it must (relay). The processors are as busy for the one as for the other."""
import contextlib
import os
import subprocess

import life
import real
import stage
from client import folder, wait_until
from figure import Row, median

NUMBER = 4
TITLE = "Storm of STOP and RESUME on 8 real QEMUs"
QEMUS, SECONDS = 8, 10.0
LATE_MS = 100


class Storm:
    """pid: of who makes signals of the events."""

    def __init__(self, pid, domains, seconds):
        cpu, self.before = stage.cpu_seconds(pid), stage.pss_bytes(pid)
        with real.Receiver() as receiver:
            emitted = real.trigger(domains, "storm", seconds)
            told = receiver.receive(len(emitted))
        real.check_told(domains, emitted, told)
        self.cpu = stage.cpu_seconds(pid) - cpu
        self.after = stage.pss_bytes(pid)
        self.events = len(emitted)
        last = max(event.time for event in emitted)
        self.seconds = (last - min(event.time for event in emitted)) / 1e6
        self.late = (max(event.received for event in told) / 1000 - last) / 1000
        self.latency = [event.latency for event in told]


def relayed_monitor(name):
    return os.path.join(folder(), f"relayed-{name}")


def create(place, name):
    """A domain with three monitors: of the service, of the trigger and of the relay. Who is not connected costs nothing."""
    return place.create(name, arguments=[*life.second_monitor(name),
                                         "-qmp", f"unix:{relayed_monitor(name)},server=on,wait=off"])


@contextlib.contextmanager
def relay(domains):
    """Its pid, while it relays."""
    arguments = [text for domain in domains for text in (domain.path, relayed_monitor(domain.name))]
    with subprocess.Popen([stage.program("relay"), *arguments], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.stdin.close()


def in_turns(place, domains, rounds, seconds):
    """Storms of the service, and of the relay while there is no service."""
    storms, relayed = [], []
    for _ in range(rounds):
        storms.append(Storm(place.pid, domains, seconds))
        place.end()
        with relay(domains) as pid:
            relayed.append(Storm(pid, domains, seconds))
        place.start()
        for domain in domains:
            wait_until(lambda domain=domain: domain.get("Monitor", "Connected") and domain.state == "running",
                       f"{domain.name} again")
    return storms, relayed


def measure(settings):
    with stage.Stage() as place:
        place.start()
        domains = [create(place, f"storm{number}") for number in range(QEMUS)]
        storms, relayed = in_turns(place, domains, settings.rounds, max(0.5, SECONDS * settings.scale))

    yield Row("events delivered, of those emitted, in order", sum(len(s.latency) for s in storms) /
              sum(s.events for s in storms), "", at_least=1)
    yield Row("the last signal behind QEMU's last event", median([s.late for s in storms]), "ms", at_most=LATE_MS,
              samples={"late": [s.late for s in storms]})
    yield Row("the same of a relay, which does nothing else", median([s.late for s in relayed]), "ms",
              samples={"late": [s.late for s in relayed]})
    for name, unit, get in (("events", "/s", lambda s: s.events / s.seconds),
                            ("median latency", "ms", lambda s: median(s.latency) / 1000),
                            ("CPU for 1,000 events", "ms", lambda s: s.cpu / s.events * 1e6)):
        yield Row(name, median([get(s) for s in storms]), unit, limit=median([get(s) for s in relayed]),
                  limit_name="relay")
    yield Row("memory of the service (PSS) before", storms[0].before / 1024, "KiB")
    yield Row("memory of the service (PSS) behind the last", storms[-1].after / 1024, "KiB")
