# SPDX-License-Identifier: LGPL-2.1-or-later
"""Buses of a case's own, with bounds that a case can reach. Nothing is activated on them, if no folder with bus service
files is given: who wants the service there starts it (manager.py)."""
import os
import re
import socket
import subprocess
import sys

from gi.repository import Gio, GLib

from client import folder, wait_until
from processes import end_process

CONFIGURATION = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
    "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
    <type>session</type>
    <listen>unix:path={path}</listen>
    <auth>EXTERNAL</auth>
    <policy context="default">
        <allow send_destination="*" eavesdrop="true"/>
        <allow eavesdrop="true"/>
        <allow own="*"/>
    </policy>
    {services}
    {limits}
</busconfig>
"""
# What an ordinary session bus has; a system bus has far less.
LIMITS = {"max_incoming_bytes": 1000000000, "max_outgoing_bytes": 1000000000,
          "max_message_size": 1000000000, "max_match_rules_per_connection": 50000,
          "max_replies_per_connection": 50000}


# root's dbus-daemon wants more descriptors than the hard limit allows, and says so where root may not raise that. It goes on
# with those that there are, which are enough here; no limit that could be set before it starts would keep it from trying.
EXPECTED = re.compile(r"dbus-daemon.*Failed to set fd limit to \d+: Operation not permitted$")


def unexpected(text):
    return "".join(line for line in text.splitlines(keepends=True) if not EXPECTED.search(line.rstrip("\n")))


class Bus:
    """One program, and its socket. It is there when its client can connect. What it says is kept in the folder, and told when
    it ends, but for what is expected."""

    def __init__(self):
        self.path = os.path.join(folder(), "own-bus")
        self.log = self.path + ".log"
        self.address = f"unix:path={self.path}"
        self.process = None

    def spawn(self, command, **keys):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, **keys)

    def can_connect(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.path) == 0

    def wait_ready(self):
        try:
            wait_until(lambda: self.process.poll() is not None or self.can_connect(), "the bus")
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with status {self.process.returncode}")
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.process.poll() is None:
            end_process(self.process.pid)
            self.process.wait()
        if os.path.exists(self.path):
            os.unlink(self.path)
        with open(self.log, encoding="utf-8", errors="replace") as log:
            sys.stderr.write(unexpected(log.read()))


class Daemon(Bus):
    """dbus-daemon. What does not go into max_outgoing_bytes of a receiver is dropped in silence, if it is a signal."""

    name = "dbus-daemon"

    def __init__(self, services=None, **limits):
        super().__init__()
        configuration = os.path.join(folder(), "own-bus.conf")
        lines = [f'<limit name="{name}">{value}</limit>'
                 for name, value in {**LIMITS, **limits}.items()]
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(
                path=self.path, limits="\n    ".join(lines),
                services=f"<servicedir>{services}</servicedir>" if services else ""))
        self.spawn(["dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", f"--config-file={configuration}"])
        self.wait_ready()


# What dbus-broker takes for a policy: connecting, and rules for names, for sending and for receiving, of users, of
# groups, of SELinux.
RULE = "(btssssuutt)"
BATCH = f"(bta(btbs)a{RULE}a{RULE})"
POLICY = f"(a(u{BATCH})a(buu{BATCH})a(ss)bs)"
ANYBODY = 2 ** 32 - 1
ALLOW = (True, 1, "", "", "", "", 0, 0, 0, 2 ** 64 - 1)


class Broker(Bus):
    """dbus-broker, with its controller's part played: dbus-broker-launch would want a systemd. Who is so slow that he
    needs more than his user's share of max_bytes is disconnected."""

    name = "dbus-broker"

    def __init__(self, max_bytes=512 * 1024 * 1024):
        super().__init__()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.bind(self.path)
        listener.listen()
        listener.setblocking(False)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        with theirs:
            self.spawn(["dbus-broker", "--controller", str(theirs.fileno()), "--machine-id", "0" * 31 + "1",
                        "--max-bytes", str(max_bytes), "--max-fds", "1024", "--max-matches", "16384",
                        "--max-objects", "65536"], pass_fds=[theirs.fileno()])
        stream = Gio.Socket.new_from_fd(ours.detach()).connection_factory_create_connection()
        self.controller = Gio.DBusConnection.new_sync(
            stream, None, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)
        policy = GLib.Variant(POLICY, self.policy())
        with listener:
            descriptors = Gio.UnixFDList.new_from_array([os.dup(listener.fileno())])
            self.controller.call_with_unix_fd_list_sync(
                None, "/org/bus1/DBus/Broker", "org.bus1.DBus.Broker", "AddListener",
                GLib.Variant("(ohv)", ("/org/bus1/DBus/Listener/0", 0, policy)), None,
                Gio.DBusCallFlags.NONE, -1, descriptors, None)

    def policy(self):
        """Everybody may everything."""
        batch = (True, 1, [(True, 1, True, "")], [ALLOW], [ALLOW])
        return [(ANYBODY, batch)], [], [], False, ""

    def close(self):
        """It ends with its controller."""
        super().close()
        if not self.controller.is_closed():
            self.controller.close_sync(None)
