# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that is real: Linux, with a shell at its second serial port (tests/guest). It boots in two to five seconds
without KVM.

    linux.require(self)                          skips the case if there can be no guest
    domain = self.define("name", **linux.keys("name", interfaces=[...]))
    guest = linux.Guest(domain)
    self.addCleanup(guest.close)
    guest.start()
    guest.run("ip link show eth0")

    if __name__ == "__main__":
        linux.build()
        harness.main()"""
import os
import re
import select
import socket
import subprocess
import threading
import time

from client import DEADLINE, folder, wait_until
from processes import FOLDER_VARIABLE
from sandbox import DEFAULTS

HERE = os.path.dirname(os.path.abspath(__file__))
BUILDER = os.path.join(os.path.dirname(HERE), "guest", "build-guest")
MEMORY = "96M"
COMMAND_LINE = "console=ttyS0 panic=-1 quiet"
BOOT_SECONDS = 120.0
# A serial port keeps so much for a reader who is slow.
LINE_MAX = 4000

# Set by build() for the cases: where the guest is, or why there is none.
PLACE_VARIABLE, REFUSED_VARIABLE = "VMHERALD_TEST_GUEST", "VMHERALD_TEST_NO_GUEST"


def build():
    """Builds the guest if it is not built. Called by a script before its main(), as in a network of its own there
    are no packages to be had."""
    if FOLDER_VARIABLE in os.environ:
        return
    place = os.path.join(os.environ.get("VMHERALD_BUILD", DEFAULTS["VMHERALD_BUILD"]), "tests", "guest")
    program, image = os.path.join(place, "guest-nic"), os.path.join(place, "image")
    if not os.path.exists(program):
        os.environ[REFUSED_VARIABLE] = f"there is no {program}, which needs a static C library"
        return
    done = subprocess.run([BUILDER, image, program], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode == 0:
        os.environ[PLACE_VARIABLE] = image
    else:
        os.environ[REFUSED_VARIABLE] = f"there is no guest: {' '.join(done.stderr.split())}"


def require(case):
    """Skips the case with the reason if there is no guest."""
    if REFUSED_VARIABLE in os.environ:
        case.skipTest(os.environ[REFUSED_VARIABLE])


def _socket_path(name):
    return os.path.join(folder(), f"shell-{name}")


def keys(name, **more):
    """Of the definition of a domain with such a guest. More of them are added; of the lists in them, behind what is
    here. Below the root ports "port0" and "port1" is room for devices that are plugged in."""
    place = os.environ[PLACE_VARIABLE]
    ports = [{"driver": "pcie-root-port", "id": f"port{number}", "chassis": number + 1} for number in range(2)]
    result = {
        "memory": MEMORY,
        "consoles": [{"type": "serial", "id": "kernel"}],
        "devices": ports + [{"driver": "isa-serial", "index": 1, "chardev": "shell"}],
        "arguments": ["-kernel", os.path.join(place, "vmlinuz"),
                      "-initrd", os.path.join(place, "initramfs"), "-append", COMMAND_LINE,
                      "-chardev", f"socket,id=shell,path={_socket_path(name)},server=on,wait=off"],
    }
    for key, value in more.items():
        result[key] = result.get(key, []) + value if isinstance(value, list) else value
    return result


class Guest:
    """The shell of a domain's guest. From start() on a thread reads: QEMU waits for a reader who does not."""

    def __init__(self, domain):
        self.domain = domain
        self.socket = None
        self.thread = None
        self.lines = []              # (time of arrival, text); time.monotonic()
        self.number = 0

    def start(self):
        """Starts the domain, and returns when the guest has booted."""
        # What it says before somebody is connected is lost.
        self.domain.start(paused=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(_socket_path(self.domain.name))
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        self.domain.call("Domain", "Resume")
        self.wait_ready()

    def close(self):
        if self.socket:
            self.socket.shutdown(socket.SHUT_RDWR)
            self.thread.join()
            self.socket.close()
            self.socket = None

    def _read(self):
        rest = b""
        while True:
            select.select([self.socket], [], [])
            now = time.monotonic()
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            self.lines += [(now, line.decode("utf-8", "replace").rstrip("\r")) for line in lines]

    def find(self, text, since=0):
        """Index of the first line that is this, from index since on; None if there is none yet."""
        for index in range(since, len(self.lines)):
            if self.lines[index][1] == text:
                return index
        return None

    def wait_ready(self, since=0):
        """Waits until it has booted. since: len(guest.lines) from before a reset."""
        wait_until(lambda: self.find("@@ready", since) is not None, f"{self.domain.name} to boot", BOOT_SECONDS)
        bad = [text for _, text in self.lines[since:] if not text.startswith("@@")]
        if bad:
            raise AssertionError(f"the guest booted badly: {bad}")

    def send(self, command):
        """Sends a command and returns its number, for wait()."""
        assert len(command) < LINE_MAX and "\n" not in command, command
        self.number += 1
        self.socket.sendall(f"{self.number} {command}\n".encode())
        return self.number

    def wait(self, number, deadline=DEADLINE):
        """(status, what it printed)."""
        mark = re.compile(rf"@@{number} (\d+)")
        begin = [0]

        def answer():
            for index in range(begin[0], len(self.lines)):
                match = mark.fullmatch(self.lines[index][1])
                if match:
                    return index, int(match.group(1))
                begin[0] = index
            return None

        try:
            last, status = wait_until(answer, f"the guest to do command {number}", deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {[text for _, text in self.lines[-5:]]}") from error
        first = last
        while first > 0 and not self.lines[first - 1][1].startswith("@@"):
            first -= 1
        return status, "\n".join(text for _, text in self.lines[first:last])

    def try_run(self, command, deadline=DEADLINE):
        """True if it succeeded."""
        return self.wait(self.send(command), deadline)[0] == 0

    def run(self, command, deadline=DEADLINE):
        """Returns what it printed; fails if the command does."""
        status, text = self.wait(self.send(command), deadline)
        if status != 0:
            raise AssertionError(f"in the guest: {command}: status {status}: {text}")
        return text
