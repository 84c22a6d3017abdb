# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service manager for the service alone: it starts it, notes what it is told, and keeps its descriptors, as systemd
does (sd_notify(3): READY=1 and the like, FDSTORE=1, FDNAME=, FDSTOREREMOVE=1; sd_listen_fds(3); the environment of
sd_watchdog_enabled(3))."""
import array
import fcntl
import os
import signal
import socket
import subprocess
import threading
import time

from client import folder, wait_until

MESSAGE_MAX = 4096
FDS_MAX = 16


class Manager:
    def __init__(self, connection, limit=64, options=(), store=True, program="activated",
                 watchdog=0, hear=None):
        """options: of the service, besides those that it is started with in any case. Without store, it
        is not told that there is a service manager. program: what starts it, in the folder. watchdog: microseconds; 0: none.
        hear: called with the fields of each message that is not about the store, on a thread of its own."""
        self.connection = connection
        self.limit = limit
        self.options = options
        self.store = store
        self.program = program
        self.process = None
        self.watchdog = watchdog
        self.hear = hear
        self.told = []               # the fields of each message that is not about the store
        self.kept = []               # (name, descriptor, whether it is let go of at a hang-up)
        self.refused = 0
        self.lock = threading.Lock()
        self.path = os.path.join(folder(), "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(self.path)
        self.thread = threading.Thread(target=self._receive)
        self.thread.start()

    # ---- the store ----

    def _receive(self):
        while True:
            text, control, _, _ = self.socket.recvmsg(MESSAGE_MAX,
                                                      socket.CMSG_LEN(4 * FDS_MAX))
            fds = array.array("i")
            for level, kind, data in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
            if text == b"END":
                return
            fields = dict(line.split("=", 1) for line in text.decode().splitlines())
            with self.lock:
                self._take(fields, list(fds))
                if "FDNAME" not in fields:
                    self.told.append(fields)
            if self.hear and "FDNAME" not in fields:
                self.hear(fields)

    # ---- what it was told ----

    def find(self, **wanted):
        """The messages with these fields; ... stands for any value."""
        with self.lock:
            return [fields for fields in self.told
                    if all(key in fields and value in (..., fields[key]) for key, value in wanted.items())]

    def status(self):
        """The last line."""
        return ([""] + [fields["STATUS"] for fields in self.find(STATUS=...)])[-1]

    def wait_told(self, count=1, **wanted):
        wait_until(lambda: len(self.find(**wanted)) >= count, f"{count} messages {wanted}")
        return self.find(**wanted)

    def _take(self, fields, fds):
        name = fields.get("FDNAME", "stored")
        if fields.get("FDSTOREREMOVE") == "1":
            for entry in [entry for entry in self.kept if entry[0] == name]:
                os.close(entry[1])
                self.kept.remove(entry)
        for fd in fds:
            if fields.get("FDSTORE") != "1" or len(self.kept) >= self.limit:
                self.refused += 1
                os.close(fd)
            else:
                self.kept.append((name, fd, fields.get("FDPOLL") != "0"))

    def names(self):
        with self.lock:
            return sorted(name for name, _, _ in self.kept)

    def polled(self):
        with self.lock:
            return [name for name, _, polled in self.kept if polled]

    def drop(self):
        """Forgets everything, as when the unit is stopped."""
        with self.lock:
            for _, fd, _ in self.kept:
                os.close(fd)
            self.kept = []

    def add(self, name, fd):
        """As if it had been kept. Takes fd over."""
        with self.lock:
            self.kept.append((name, fd, False))

    # ---- the service ----

    def start(self):
        with self.lock:
            given = [(name, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100))
                     for name, fd, _ in self.kept]
        environment = dict(os.environ)
        if self.store:
            environment["NOTIFY_SOCKET"] = self.path
        if given:
            environment.update(LISTEN_FDS=str(len(given)),
                               LISTEN_FDNAMES=":".join(name for name, _ in given))

        if self.watchdog:
            environment["WATCHDOG_USEC"] = str(self.watchdog)

        def place():
            for number, (_, fd) in enumerate(given):
                os.dup2(fd, 3 + number)

        # Its number is known when it is there: so the last step is left to a shell.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", "LISTEN_PID=$$ WATCHDOG_PID=$$ exec \"$0\" --session --idle-timeout=0 \"$@\"",
             os.path.join(folder(), self.program), *self.options],
            env=environment, stdin=subprocess.DEVNULL, close_fds=False, preexec_fn=place)
        for _, fd in given:
            os.close(fd)

    def wait_ready(self):
        wait_until(self.connection.service_runs, "the service to be on the bus")

    def end(self, signal_number=signal.SIGKILL):
        """Returns when it has gone, with the time in microseconds since 1970."""
        self.process.send_signal(signal_number)
        self.process.wait()
        at = time.time_ns() // 1000
        wait_until(lambda: not self.connection.service_runs(), "the bus to notice")
        return at

    def close(self):
        if self.process and self.process.poll() is None:
            self.end(signal.SIGTERM)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"END", self.path)
        self.thread.join()
        self.drop()
        self.socket.close()
        os.unlink(self.path)
