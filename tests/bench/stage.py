# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bus, the service on it, and domains, for one measurement. What the tests of the whole service use for that is used
here too (tests/integration); what is measured is the installed build."""
import contextlib
import os
import signal
import subprocess
import sys

from gi.repository import GLib

import buses
import harness
import processes
from client import Connection, Domain, folder, wait_until
from manager import Manager

NAME, PATH = harness.NAME, harness.PATH
BUILD = os.environ["VMHERALD_BUILD"]
SECONDS = 300.0                          # what only a failure takes
AT_ONCE = 32                             # calls under way


def program(name):
    """The path of a program of tests/bench."""
    return os.path.join(BUILD, "tests", "bench", name)


def run(name, *arguments, **keys):
    """What a program of tests/bench says."""
    return subprocess.run([program(name), *map(str, arguments)], check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, **keys).stdout


class Piped(contextlib.AbstractContextManager):
    """A program of tests/bench that says "ready" and is spoken with. When it is left, it has ended."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen([program(name), *map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError(f"{name} is not ready")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Stage(contextlib.ExitStack):
    """with Stage() as stage: ... When it is left, all of it has ended, and its files have gone."""

    def __init__(self, bus=buses.Daemon, options=(), store=False, program="activated", **bus_options):
        super().__init__()
        self.bus = bus(**bus_options)
        self.callback(self.bus.close)
        self.callback(os.environ.pop, "DBUS_SESSION_BUS_ADDRESS", None)
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = self.bus.address
        self.connection = Connection()
        self.callback(self.connection.close)
        self.service = Manager(self.connection, options=options, store=store, program=program)
        self.callback(self.service.close)
        self.callback(self.remove_domains)

    # ---- the service ----

    def start(self):
        self.service.start()
        self.service.wait_ready()
        wait_until(lambda: self.get("Emulators"), "the emulators")
        return self

    @property
    def pid(self):
        return self.service.process.pid

    def end(self, number=signal.SIGTERM):
        self.service.end(number)

    def call(self, member, signature="()", *arguments, **keys):
        return self.connection.call(PATH, f"{NAME}.Manager", member, signature, *arguments, **keys)

    def get(self, name):
        return self.connection.get(PATH, f"{NAME}.Manager", name)

    def wait_told(self, sequence):
        wait_until(lambda: self.get("LastSequence") >= sequence, f"event {sequence}", SECONDS)

    # ---- domains ----

    def create(self, name, **keys):
        """Transient and running, as harness.definition() has it."""
        path = self.call("CreateDomain", "(sa{sv})", harness.json.dumps(harness.definition(name, **keys)), {},
                         deadline=SECONDS)
        return Domain(self.connection, path, name)

    def create_many(self, names, **keys):
        """As create(), some at a time."""
        domains = []
        for at in range(0, len(names), AT_ONCE):
            calls = [(name, self.connection.send(PATH, f"{NAME}.Manager", "CreateDomain", "(sa{sv})",
                                                 harness.json.dumps(harness.definition(name, **keys)), {}))
                     for name in names[at:at + AT_ONCE]]
            domains += [Domain(self.connection, call.result(SECONDS), name) for name, call in calls]
        return domains

    def create_storms(self, count, first=0, **keys):
        """Domains whose emulator is storm-qemu."""
        return self.create_many([f"storm{number}" for number in range(first, first + count)],
                                machine="none", emulator=program("storm-qemu"), **keys)

    def remove_domains(self):
        """By their pids: the service need not be there, nor be able to."""
        for pid in emulators():
            processes.end_process(pid)
        if self.service.process and self.service.process.poll() is None:
            self.end()


def emulators():
    """The pids of all that run a domain of this stage."""
    return [pid for pid, _ in processes.processes_of(folder())
            if "-uuid" in processes.command_line(pid)]


# ---- what a process has used ----

def cpu_seconds(pid):
    """Of all its threads, with the kernel's part, by the clock of the scheduler: /proc/PID/stat counts ticks alone."""
    nanoseconds = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            nanoseconds += int(file.read().split()[0])
    return nanoseconds / 1e9


def process_seconds(pid):
    """The same with threads that have ended, in ticks."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


def data_bytes(pid):
    """The same without programs and libraries: their part grows smaller by itself the more processes have them."""
    total, counts = 0, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if not words[0].endswith(":"):
                path = words[5] if len(words) > 5 else ""
                counts = not path.startswith("/") or path.startswith(os.environ["XDG_RUNTIME_DIR"])
            elif words[0] == "Pss:" and counts:
                total += int(words[1]) * 1024
    return total


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def let_pass(seconds):
    """Where time itself is what is waited for."""
    loop = GLib.MainLoop()
    GLib.timeout_add(max(1, int(seconds * 1000)), loop.quit)
    loop.run()


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def say(text):
    """How it goes on, for who waits."""
    print(text, file=sys.stderr, flush=True)
