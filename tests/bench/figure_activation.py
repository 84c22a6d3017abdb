# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the call that has the bus start the service to its answer: GetManagedObjects(), with all domains in it and running. The
service before it was killed, and their QEMUs went on. Beside it what a program takes that does nothing but take a name
and answer, started by the same bus."""
import os
import signal

import buses
import life
import real
from calls import Asker
from figure import Row, median
from harness import NAME, OBJECT_MANAGER, PATH
from processes import end_process
from stage import Stage, folder, program, run, say, wait_until

NUMBER, TITLE = 7, "Activation to the first answer"
BARE = "org.example.Bare"
CALL = (OBJECT_MANAGER, "GetManagedObjects")
QUESTIONS = 15                           # of a QEMU that is found again


def create_real(stage, count):
    return [real.create(stage, f"real{number}") for number in range(count)]


# Name, how many domains, how they are made, milliseconds.
CASES = (
    ("no domain", 0, None, 30),
    ("50 real QEMUs to be found again", 50, create_real, 200),
    ("1,000 scripted ones to be found again", 1000, lambda stage, count: stage.create_storms(count), 1000),
)


def services():
    """The folder with the bus service file that was installed, and one for the bare service beside it."""
    place = next(place for place, _, files in os.walk(os.path.join(folder(), "stage"))
                 if place.endswith("/dbus-1/services") and f"{NAME}.service" in files)
    with open(os.path.join(place, f"{BARE}.service"), "w", encoding="utf-8") as file:
        file.write(f"[D-BUS Service]\nName={BARE}\nExec={program('bare-service')} {BARE}\n")
    return place


def end_activated(stage, name):
    if stage.connection.call_bus("NameHasOwner", "(s)", name):
        end_process(stage.connection.call_bus("GetConnectionUnixProcessID", "(s)", name), signal.SIGKILL)
        wait_until(lambda: not stage.connection.call_bus("NameHasOwner", "(s)", name), "the bus to notice")


def activate(stage, name, path, count=0):
    """Milliseconds."""
    end_activated(stage, name)
    with Asker(name, path, *CALL, 1) as asker:
        said = asker.said()
    if (said["objects"], said["running"]) != (count, count):
        raise AssertionError(f"{said['running']} of {said['objects']} run, not {count}")
    return said["took"][0] / 1e6


def ask(domains):
    """Milliseconds. How long the same QEMUs take to answer as many questions of a client that does nothing else."""
    return int(run("qmp-trigger", "questions", QUESTIONS, *(life.monitor_socket(domain.name) for domain in domains))) / 1e6


def measure(settings):
    for name, full, create, aim in CASES:
        count = settings.scaled(full, least=min(full, 5))
        say(f"activation: {name}")
        ours, bare, asked, domains = [], [], [], []
        with Stage(buses.Daemon, services=services()) as stage:
            stage.start()
            if create:
                domains = create(stage, count)
            stage.end(signal.SIGKILL)
            stage.callback(end_activated, stage, NAME)
            stage.callback(end_activated, stage, BARE)
            for _ in range(max(3, settings.rounds)):
                ours.append(activate(stage, NAME, PATH, count))
                bare.append(activate(stage, BARE, "/"))
                if create is create_real:
                    asked.append(ask(domains))
        yield Row(name, median(ours), "ms", at_most=aim, samples={"ours": ours})
        yield Row("    a bare service, beside it", median(bare), "ms", samples={"bare": bare})
        if asked:
            yield Row(f"    a bare client that asks each {QUESTIONS} things", median(asked), "ms", samples={"asked": asked})
