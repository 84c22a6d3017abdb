# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain with a real QEMU, whoever runs it."""
import dataclasses

import life
import processes
import stage

CALM, LOOK_SECONDS, CALM_SECONDS = 0.05, 0.5, 20


@dataclasses.dataclass
class Guest:
    """A domain with a second monitor (life.py), for real.trigger(). where: how a receiver names it."""
    name: str
    where: str
    pid: int


def emulator_of(name):
    """The pid of the QEMU with that second monitor."""
    argument = life.second_monitor(name)[1]
    return next(pid for pid in stage.emulators() if argument in processes.command_line(pid))


def wait_calm(guests):
    """Until their firmware has come to rest, so that it takes no time of those who are measured; it need not."""
    for _ in range(int(CALM_SECONDS / LOOK_SECONDS)):
        before = sum(stage.cpu_seconds(guest.pid) for guest in guests)
        stage.let_pass(LOOK_SECONDS)
        if sum(stage.cpu_seconds(guest.pid) for guest in guests) - before < CALM * LOOK_SECONDS * len(guests):
            return
