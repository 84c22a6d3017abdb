# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMUs that the service has not started: the test does, as somebody would by hand."""
import os
import socket
import subprocess

import life
from harness import DEADLINE, Domain, folder, options, qtest_socket, wait_until


def is_listening(path):
    """Whether somebody listens there; it connects to nobody, for a monitor serves one client."""
    with open("/proc/net/unix", encoding="utf-8") as table:
        # Flags of a listening socket: SO_ACCEPTCON.
        return any(line.split()[3] == "00010000" and line.rstrip().endswith(" " + path)
                   for line in table.readlines()[1:])


class Stranger:
    """A QEMU with a monitor for the service (socket) and one for the test (life.SecondMonitor)."""

    def __init__(self, name, *arguments, machine="none", monitor=None, **keywords):
        self.name = name
        self.socket = os.path.join(folder(), f"adopt-{name}")
        monitor = monitor or ["-qmp", f"unix:{self.socket},server=on,wait=off"]
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", machine, "-accel", "tcg", "-nodefaults",
             "-display", "none", "-qtest", f"unix:{qtest_socket(name)},server=on,wait=off",
             "-qtest-log", "none", *monitor, *life.second_monitor(name), *arguments],
            stdin=subprocess.DEVNULL, **keywords)
        # The last one that is opened.
        wait_until(lambda: is_listening(life.monitor_socket(name)) or self.process.poll() is not None,
                   "QEMU to listen")
        if self.process.poll() is not None:
            raise AssertionError(f"QEMU ended with {self.process.returncode}")

    @property
    def pid(self):
        return self.process.pid

    def lives(self):
        return self.process.poll() is None

    def end(self):
        """However it is; its sockets are removed, so that the next one may have the name."""
        if self.lives():
            self.process.kill()
        self.process.wait(DEADLINE)
        for path in (self.socket, life.monitor_socket(self.name), qtest_socket(self.name)):
            if os.path.exists(path):
                os.unlink(path)

    def connect(self):
        """A connection to the monitor that is the service's."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.socket)
        return connection


class AdoptCase(life.LifeCase):
    def stranger(self, name, *arguments, **keywords):
        stranger = Stranger(name, *arguments, **keywords)
        self.addCleanup(stranger.end)
        return stranger

    def adopt(self, monitor, name="", **values):
        """monitor: a Stranger, or a path."""
        path = self.manager("AdoptDomain", "(ssa{sv})", name, getattr(monitor, "socket", monitor),
                            options(**values))
        return Domain(self.connection, path, self.connection.get(
            path, "org.vmherald.Domains1.Domain", "Name"))
