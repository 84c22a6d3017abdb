# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt, and libvirt-dbus, as contenders (contenders.py): on a bus of their own, with the files of libvirt_place.py."""
import contextlib
import ctypes
import os
import socket
import subprocess
import time

import buses
import libvirt_place
import life
import processes
import real
import stage
from client import Connection, wait_until
from guests import Guest, emulator_of

DOMAIN = """<domain type="qemu" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>{name}</name><memory unit="MiB">16</memory><vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>{emulator}</emulator>
    <controller type="usb" model="none"/><memballoon model="none"/><video><model type="none"/></video>
  </devices>
  <qemu:commandline>{arguments}<qemu:env name="{variable}" value="{folder}"/></qemu:commandline>
</domain>
"""
# virDomainEventType.
EVENTS = {"3": "suspended", "4": "resumed", "5": "stopped", "6": "shutdown"}
LOG_LINES = 20                           # of libvirtd, told if it fails
# What a call takes until libvirtd has it.
REQUEST_SECONDS = 0.5
# Who takes care of the orphans of libvirtd, as the first process of a machine does, but at once: until somebody has, libvirtd waits
# for a QEMU that has ended.
KEEPER = '"$@" & wait'
PR_SET_CHILD_SUBREAPER = 36


def become_keeper():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Libvirt(contextlib.ExitStack):
    """libvirtd and its own clients. Its QEMUs carry the mark of the run, by which they are found and ended."""
    name = "libvirt"

    def __init__(self):
        super().__init__()
        self.keeper = None
        # WARNING: otherwise a client that misses the libvirtd of a user starts another one, which outlives the run.
        os.environ["LIBVIRT_AUTOSTART"] = "0"
        self.callback(os.environ.pop, "LIBVIRT_AUTOSTART")
        libvirt_place.configure()
        self.callback(libvirt_place.forget)
        self.log = self.enter_context(open(os.path.join(stage.folder(), "libvirt.log"), "ab"))
        self.callback(self.end)

    # ---- the daemon ----

    def spawn(self):
        self.keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", libvirt_place.program("libvirtd"), "-p",
             os.path.join(stage.folder(), "libvirtd.pid")],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=become_keeper)

    def can_connect(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(os.path.join(libvirt_place.folders()["run"], "libvirt-sock")) == 0

    def start(self):
        self.spawn()
        wait_until(self.can_connect, "libvirtd")
        self.virsh("list")
        return self

    def daemon(self):
        with open(os.path.join(stage.folder(), "libvirtd.pid"), encoding="ascii") as file:
            return int(file.read())

    def end(self):
        """However far behind they are: nobody is asked."""
        for pid in stage.emulators():
            processes.end_process(pid)
        for pid, comm in processes.processes_of(stage.folder()):
            if comm in ("libvirtd", "libvirt-dbus"):
                processes.end_process(pid)
        # QEMUs that were being asked for their abilities have no mark, but the home of the run.
        for pid, comm in processes.processes_of(os.environ["HOME"], "HOME"):
            if comm.startswith("qemu-system"):
                processes.end_process(pid)
        if self.keeper:
            self.keeper.wait()

    def virsh(self, *arguments):
        done = subprocess.run([libvirt_place.program("virsh"), "-q", "-c", libvirt_place.URI, *arguments], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            with open(self.log.name, encoding="utf-8", errors="replace") as log:
                raise AssertionError(f"virsh {' '.join(arguments)}: {done.stderr}{''.join(log.readlines()[-LOG_LINES:])}")

    # ---- as Ours has them ----

    def create(self, name):
        path = os.path.join(stage.folder(), f"{name}.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(DOMAIN.format(
                name=name, emulator=libvirt_place.program("qemu-system-x86_64"),
                arguments="".join(f'<qemu:arg value="{argument}"/>' for argument in life.second_monitor(name)),
                variable=processes.FOLDER_VARIABLE, folder=stage.folder()))
        self.virsh("create", path)
        return Guest(name, self.where(name), emulator_of(name))

    def where(self, name):
        return name

    def pids(self):
        return [self.daemon()]

    def receiver(self):
        return real.Receiver("libvirt-subscriber", libvirt_place.URI)

    def told(self, events):
        for event in events:
            event.name = EVENTS.get(event.name, event.name)
        return events

    def reads(self, guest, count):
        return [stage.program("libvirt-asker"), libvirt_place.URI, "state", guest.name, str(count)]

    @contextlib.contextmanager
    def pending(self, guest, count):
        calls = [self.suspend(guest) for _ in range(count)]
        # They show nowhere before they are answered.
        stage.let_pass(REQUEST_SECONDS)
        try:
            yield
            if any(call.poll() is not None for call in calls):
                raise AssertionError("a call did not wait for QEMU")
        finally:
            for call in calls:
                call.kill()
                call.wait()

    def suspend(self, guest):
        return subprocess.Popen([libvirt_place.program("virsh"), "-q", "-c", libvirt_place.URI, "suspend", guest.name],
                                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    @classmethod
    def first_reply(cls):
        """From the start of libvirtd: where systemd starts it for its first client, that is what the client waits for."""
        with cls() as contender:
            began = time.monotonic_ns()
            contender.spawn()
            return (int(stage.run("libvirt-asker", libvirt_place.URI, "first")) - began) / 1e6


class LibvirtDBus(Libvirt):
    """libvirtd, libvirt-dbus, and the clients of that."""
    name = "libvirt-dbus"
    NAME, PATH, CONNECT = "org.libvirt", "/org/libvirt/QEMU", "org.libvirt.Connect"
    variable = f"DBUS_{'SYSTEM' if libvirt_place.PRIVILEGED else 'SESSION'}_BUS_ADDRESS"

    def __init__(self):
        super().__init__()
        self.bus = buses.Daemon(services=self.services())
        self.callback(self.bus.close)
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = self.bus.address
        self.callback(os.environ.pop, "DBUS_SESSION_BUS_ADDRESS", None)
        self.connection = Connection()
        self.callback(self.connection.close)
        # Before the bus, so that nobody complains of that.
        self.callback(self.end)

    def services(self):
        """The folder with its bus service file."""
        place = os.path.join(stage.folder(), "libvirt-services")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, f"{self.NAME}.service"), "w", encoding="utf-8") as file:
            file.write(f"[D-BUS Service]\nName={self.NAME}\n"
                       f"Exec=/usr/bin/env {self.variable}=unix:path={stage.folder()}/own-bus "
                       f"{libvirt_place.program('libvirt-dbus')} "
                       f"--{'system' if libvirt_place.PRIVILEGED else 'session'}\n")
        return place

    def start(self):
        super().start()
        # With its first call it is started, connects to libvirtd, and listens.
        self.list()
        return self

    def list(self):
        return self.connection.call(self.PATH, self.CONNECT, "ListDomains", "(u)", 0, destination=self.NAME)

    def where(self, name):
        return self.connection.call(self.PATH, self.CONNECT, "DomainLookupByName", "(s)", name, destination=self.NAME)

    def pids(self):
        return [self.daemon(), self.connection.call_bus("GetConnectionUnixProcessID", "(s)", self.NAME)]

    def receiver(self):
        return real.Receiver("receiver", "libvirt-dbus")

    def reads(self, guest, count):
        return [stage.program("caller"), str(count), "libvirt", guest.where]

    def suspend(self, guest):
        return subprocess.Popen(["busctl", f"--address={self.bus.address}", f"--timeout={stage.SECONDS}", "call", self.NAME,
                                 guest.where, "org.libvirt.Domain", "Suspend"],
                                stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    @classmethod
    def first_reply(cls):
        with cls() as contender:
            began = time.monotonic_ns()
            contender.spawn()
            while not contender.can_connect():
                stage.let_pass(0.001)
            contender.list()
            return (time.monotonic_ns() - began) / 1e6
