# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of life and death share: a second monitor beside that of the service, a guest
played through the human monitor, a clock for the end of a process, and a look at what is left on
the disk."""
import json
import os
import select
import socket
import threading
import time
import xml.etree.ElementTree as ElementTree

import harness
from harness import DEADLINE, NAME, PROPERTIES, Recorder, folder, wait_until

ACPI_CONTROL = 0x604                 # PM1a_CNT of q35 as SeaBIOS places it
ACPI_POWER_OFF = 0x2000              # SLP_EN with SLP_TYP S5, S3, S4
ACPI_SLEEP = 0x2400
ACPI_HIBERNATE = 0x2800
RESET_CONTROL, RESET_HARD = 0xCF9, 6
PVPANIC, PVPANIC_PANICKED, PVPANIC_CRASHLOADED = 0x505, 1, 2
IB700_START = 0x443


def monitor_socket(name):
    """Of the second monitor of the domain of that name, if it was given second_monitor()."""
    return os.path.join(folder(), f"qmp-{name}")


def second_monitor(name):
    """The arguments for it."""
    return ["-qmp", f"unix:{monitor_socket(name)},server=on,wait=off"]


def runtime_folder():
    """Where a running domain has its folder."""
    return os.path.join(os.environ["XDG_RUNTIME_DIR"], "vmherald", "domains")


def definitions_folder():
    return os.path.join(os.environ["XDG_CONFIG_HOME"], "vmherald", "domains")


def service_log():
    with open(os.path.join(folder(), "service.log"), encoding="utf-8", errors="replace") as log:
        return log.read()


def lives(pid):
    """Whether the process is there and has not ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


EXPLICIT = "annotation[@name='org.freedesktop.systemd1.Explicit'][@value='true']"


def promised_properties(explicit=True):
    """Interface -> property -> type, from the installed descriptions; with or without those that are
    only there for who asks for them by name."""
    promised = {}
    place = os.environ["VMHERALD_INTROSPECTION"]
    for name in os.listdir(place):
        if name.endswith(".xml"):
            for interface in ElementTree.parse(os.path.join(place, name)).iter("interface"):
                promised[interface.get("name")] = {
                    p.get("name"): p.get("type") for p in interface.findall("property")
                    if explicit or p.find(EXPLICIT) is None}
    return promised


def time_of(event):
    """QEMU's time of one of its events, in microseconds since 1970."""
    return event["timestamp"]["seconds"] * 1000000 + event["timestamp"]["microseconds"]


class SecondMonitor:
    """QMP, without the service. Blocks: for the test, or for a thread of it."""

    def __init__(self, name):
        self.events = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(monitor_socket(name))
        self.stream = self.socket.makefile("rwb", buffering=0)
        self.stream.readline()
        self.execute("qmp_capabilities")

    def close(self):
        self.stream.close()
        self.socket.close()

    def send(self, command, **arguments):
        message = {"execute": command, "arguments": arguments}
        self.stream.write(json.dumps(message).encode() + b"\n")

    def execute(self, command, **arguments):
        """Returns the reply; events that come before it are kept in events."""
        self.send(command, **arguments)
        while True:
            line = self.stream.readline()
            if not line:
                raise AssertionError(f"{command}: QEMU has gone")
            message = json.loads(line)
            if "event" not in message:
                return message
            self.heard(message)

    def heard(self, event):
        """What is kept of an event; for those who want something else of it."""
        self.events.append(event["event"])


class ExitClock:
    """Notes when a process ends, on a thread that does nothing else."""

    def __init__(self, pid):
        self.pidfd = os.pidfd_open(pid)
        self.time = None
        self.thread = threading.Thread(target=self._wait)
        self.thread.start()

    def _wait(self):
        if select.select([self.pidfd], [], [], DEADLINE)[0]:
            self.time = time.monotonic()

    def get(self):
        self.thread.join()
        os.close(self.pidfd)
        if self.time is None:
            raise AssertionError("the process did not end")
        return self.time


class TimingRecorder(Recorder):
    """Notes when each signal arrived, too: times[i] belongs to signals[i]."""

    def __init__(self):
        self.times = []
        super().__init__()

    def _arrived(self, *arguments):
        now = time.monotonic()
        super()._arrived(*arguments)
        self.times += [now] * (len(self.signals) - len(self.times))


def settle(connection, recorder):
    """Whatever the service has sent by now has arrived at the recorder afterwards: the service
    answers after it, and the bus delivers in order."""
    connection.call(harness.PATH, f"{NAME}.Manager", "ListDomains", "(a{sv})", {})
    recorder.connection.call_bus("GetId")


def send_port_write(domain, port, size, value):
    """As domain.port_write(), for what may end QEMU before it can answer: is not waited for."""
    line = f"o /{'bwl'[size >> 1]} {port:#x} {value:#x}"
    return domain.send("Monitor", "Execute", "(ssa{sv})", "human-monitor-command",
                       json.dumps({"command-line": line}), {})


def power_off(domain):
    """The guest shuts down; its firmware must have run."""
    send_port_write(domain, ACPI_CONTROL, 2, ACPI_POWER_OFF)


def wait_for_firmware(domain):
    """SeaBIOS has placed the ACPI registers, so that the guest's part can be played."""
    wait_until(lambda: "0xffffffff" not in domain.hmp(f"i /w {ACPI_CONTROL:#x}"),
               "the firmware to place the ACPI registers")


def check_stamps(case, events):
    """What was emitted, by one service or several, while somebody listened from before the first of the
    domains: sequence goes up by one with each; previous is that of the same path and member, 0 where there is none,
    and domain-previous that of the same path, where that is another one."""
    numbers = [s.sequence for s in events]
    case.assertNotEqual([], numbers)
    case.assertEqual(list(range(numbers[0], numbers[0] + len(numbers))), numbers)
    last = {}
    for event in events:
        key = (event.path, event.interface, event.member)
        case.assertEqual(last.get(key, 0), event.previous, event)
        case.assertEqual(last.get(event.path, 0), event.domain_previous, event)
        case.assertNotEqual(event.previous, event.arguments[-1].get("domain-previous"), event)
        last[key] = last[event.path] = event.sequence


class LifeCase(harness.ServiceCase):
    def setUp(self):
        super().setUp()
        # They become known a little after the start of the service, and their signal would come in between.
        harness.wait_until(lambda: self.connection.get(harness.PATH, f"{harness.NAME}.Manager",
                                                       "Emulators"), "the emulators")
        self.recorder = TimingRecorder()
        self.addCleanup(self.recorder.close)

    def mark(self):
        """An index for since: what comes from now on."""
        settle(self.connection, self.recorder)
        return len(self.recorder.signals)

    def lifecycle(self, domain, since=0):
        """(event, reason, state) of each Lifecycle signal of the domain."""
        return [s.arguments[:3] for s in
                self.recorder.find("Domain.Lifecycle", path=domain.path, since=since)]

    def wait_life(self, domain, *arguments, since=0, deadline=DEADLINE):
        return self.recorder.wait("Domain.Lifecycle", *arguments, path=domain.path, since=since,
                                  deadline=deadline)

    def members(self, domain, since=0):
        """(member, first argument) of each event signal of the domain, in order."""
        return [(s.member, s.arguments[0]) for s in self.recorder.events(domain.path)
                if s in self.recorder.signals[since:]]

    def details(self, signal):
        """Without the name, which is that of the domain."""
        details = dict(signal.details)
        self.assertTrue(details.pop("name"))
        return details

    def check_state_told_before(self, signal):
        """PropertiesChanged with the state has come before the Lifecycle signal, and no other
        state between the two."""
        index = self.recorder.signals.index(signal)
        told = [s.arguments[1]["State"] for s in self.recorder.signals[:index]
                if s.path == signal.path and s.interface == PROPERTIES and
                "State" in s.arguments[1]]
        self.assertEqual(signal.arguments[2], told[-1] if told else None, signal)
