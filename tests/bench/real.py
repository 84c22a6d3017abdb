# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMUs, made to emit STOP and RESUME by monitors beside those of the service, and who receives what comes of it."""
import dataclasses
import os
import signal

import life
import stage

TOLD = {"STOP": "suspended", "RESUME": "resumed"}


@dataclasses.dataclass
class Event:
    """where: the domain's path, or the number of its monitor. time: QEMU's stamp, microseconds since 1970. latency: from then
    until it was received, in microseconds."""
    where: str
    name: str
    time: int
    received: int

    @property
    def latency(self):
        return self.received / 1000 - self.time


def events(text):
    for line in text.splitlines():
        where, name, time, received = line.split()
        yield Event(where, name, int(time), int(received))


def create(place, name):
    """A domain with a second monitor."""
    return place.create(name, arguments=life.second_monitor(name))


def trigger(domains, *arguments):
    """What the second monitors of the domains had, in the order of each."""
    return list(events(stage.run("qmp-trigger", *arguments,
                                 *(life.monitor_socket(domain.name) for domain in domains))))


class Receiver(stage.Piped):
    """A subscriber to Domain.Lifecycle, or to what is said of domains where that program of tests/bench listens."""

    def __init__(self, program="receiver", *arguments):
        super().__init__(program, *arguments)

    def receive_until(self, count, seconds):
        """At most so many events, those that have come until then, in the order of the bus."""
        return list(events(self.process.communicate(f"{count} {seconds}\n")[0]))

    def receive(self, count):
        """So many events."""
        received = self.receive_until(count, stage.SECONDS)
        if len(received) != count:
            raise AssertionError(f"{len(received)} of {count} signals have come")
        return received


def check_told(domains, emitted, told):
    """All that QEMU emitted was told, in its order, and nothing else."""
    for number, domain in enumerate(domains):
        of_qemu = [(TOLD[e.name], e.time) for e in emitted if e.where == str(number)]
        of_service = [(e.name, e.time) for e in told if e.where == domain.path]
        if of_qemu != of_service:
            place = next((i for i, both in enumerate(zip(of_qemu, of_service)) if both[0] != both[1]),
                         min(len(of_qemu), len(of_service)))
            raise AssertionError(f"{domain.name}: event {place} of {len(of_qemu)} is not what was told: "
                                 f"{of_qemu[place:place + 3]}, {of_service[place:place + 3]}")


def paced(domain, count, interval):
    """(what the raw reader had, what a subscriber had) of so many events, interval microseconds apart."""
    with Receiver() as receiver:
        emitted = trigger([domain], "paced", count, interval)
        told = receiver.receive(len(emitted))
    check_told([domain], emitted, told)
    return emitted, told


def asking(place, domain, count, interval):
    """What a raw reader had that asks why a guest has stopped, as the service does, which stands still meanwhile."""
    os.kill(place.pid, signal.SIGSTOP)
    emitted = trigger([domain], "asking", count, interval)
    with Receiver() as receiver:
        os.kill(place.pid, signal.SIGCONT)
        check_told([domain], emitted, receiver.receive(len(emitted)))
    return emitted


def hop(count, interval):
    """What a subscriber had of so many bare signals."""
    with Receiver() as receiver:
        stage.run("bus-hop", count, interval)
        return receiver.receive(count)
