# SPDX-License-Identifier: LGPL-2.1-or-later
"""A system bus of a case's own, with the policy that is installed, the service on it as root, and clients of other users. Only root
can make one.

The group vmherald need not exist here: GROUP stands for it, and MEMBER is in it. A client is a connection of this process; only its
socket was connected by a child that is the other user, which is all that a bus can see of him."""
import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import xml.etree.ElementTree as ElementTree

from gi.repository import Gio, GLib

import buses
from client import NAME, PROPERTIES, Connection, Pending, folder, wait_until  # noqa: F401
from processes import end_process

GROUP = "daemon"
MEMBER, STRANGER, OTHER = 1, 65534, 2
POLKIT = "org.freedesktop.PolicyKit1"

# As that of every system bus, as far as it matters here.
CONFIGURATION = """<busconfig>
    <type>system</type>
    <listen>unix:path={path}</listen>
    <auth>EXTERNAL</auth>
    <policy context="default">
        <allow user="*"/>
        <deny own="*"/>
        <deny send_type="method_call"/>
        <allow send_type="signal"/>
        <allow send_requested_reply="true" send_type="method_return"/>
        <allow send_requested_reply="true" send_type="error"/>
        <allow receive_type="method_call"/>
        <allow receive_type="method_return"/>
        <allow receive_type="error"/>
        <allow receive_type="signal"/>
        <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
        <allow send_destination="{polkit}"/>
    </policy>
    <policy user="root">
        <allow own="{polkit}"/>
    </policy>
{rest}
    <limit name="max_incoming_bytes">1000000000</limit>
    <limit name="max_replies_per_connection">50000</limit>
    <limit name="reply_timeout">600000</limit>
</busconfig>
"""


def installed(name):
    for place, _, files in os.walk(os.path.join(folder(), "stage")):
        if name in files and place.endswith("system.d"):
            with open(os.path.join(place, name), encoding="utf-8") as file:
                return file.read()
    raise AssertionError(f"{name} is not installed")


def policy(more=""):
    """The installed one, and what an administrator adds."""
    text = installed(f"{NAME}.conf").replace('group="vmherald"', f'group="{GROUP}"')
    return "\n".join(re.findall(r"<policy .*?</policy>", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL),
                                re.DOTALL)) + more


class SystemDaemon(buses.Daemon):
    def __init__(self, more=""):
        buses.Bus.__init__(self)
        self.configuration = os.path.join(folder(), "system-bus.conf")
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(path=self.path, polkit=POLKIT, rest=policy(more)))
        self.spawn(["dbus-daemon", "--nofork", "--nopidfile", "--nosyslog",
                    f"--config-file={self.configuration}"])
        self.wait_ready()
        os.chmod(self.path, 0o666)


TYPES = {None: 0, "method_call": 1, "method_return": 2, "error": 3, "signal": 4}


class Rules:
    """Those of one context, as dbus-broker-launch hands them to dbus-broker: of the rules that fit, the one with the highest number
    counts, and what is more special comes later."""

    def __init__(self):
        self.own, self.send, self.receive = [], [], []

    def add(self, rule, priority):
        verdict = rule.tag == "allow"
        keys = dict(rule.items())
        if "own" in keys:
            name = keys["own"]
            self.own.append((verdict, priority, name == "*", "" if name == "*" else name))
            return
        for kind, other, rules in (("send", "destination", self.send), ("receive", "sender", self.receive)):
            # Answers that were asked for always come through there.
            if any(key.startswith(kind) for key in keys) and f"{kind}_requested_reply" not in keys:
                rules.append((verdict, priority, keys.get(f"{kind}_{other}", ""), keys.get(f"{kind}_path", ""),
                              keys.get(f"{kind}_interface", ""), keys.get(f"{kind}_member", ""),
                              TYPES[keys.get(f"{kind}_type")], 0, 0, 2 ** 64 - 1))

    def batch(self, before=None):
        before = before or Rules()
        return (True, 1, before.own + self.own, before.send + self.send, before.receive + self.receive)


class SystemBroker(buses.Broker):
    """dbus-broker with the same configuration."""

    def __init__(self, more=""):
        self.more = more
        super().__init__()
        os.chmod(self.path, 0o666)

    def policy(self):
        text = CONFIGURATION.format(path=self.path, polkit=POLKIT, rest=policy(self.more))
        default, groups, users = Rules(), {}, {}
        for place, element in enumerate(ElementTree.fromstring(text).iter("policy")):
            if "group" in element.attrib:
                context, rules = 1, groups.setdefault(grp.getgrnam(element.get("group")).gr_gid, Rules())
            elif "user" in element.attrib:
                context, rules = 2, users.setdefault(pwd.getpwnam(element.get("user")).pw_uid, Rules())
            else:
                context, rules = 0, default
            for number, rule in enumerate(element):
                rules.add(rule, 1 + number + 100 * place + 10000 * context)
        return ([(buses.ANYBODY, default.batch())] + [(uid, rules.batch(default)) for uid, rules in users.items()],
                [(True, gid, gid, rules.batch()) for gid, rules in groups.items()], [], False, "system")


def connect_fd(path, uid):
    """A socket that was connected by that user."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            stream = socket.socket(socket.AF_UNIX)
            stream.connect(path)
            socket.send_fds(theirs, [b"x"], [stream.fileno()])
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(pid, 0)
    return socket.socket(fileno=fds[0])


class Client(Connection):
    """A connection of a user."""

    def __init__(self, bus, uid):  # pylint: disable=super-init-not-called
        stream = connect_fd(bus.path, uid)
        stream.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\n")
        answer = stream.recv(4096)
        if not answer.startswith(b"OK "):
            raise AssertionError(f"the bus does not take user {uid}: {answer}")
        stream.sendall(b"BEGIN\r\n")
        stream.setblocking(False)
        stream = Gio.Socket.new_from_fd(stream.detach()).connection_factory_create_connection()
        self.bus = Gio.DBusConnection.new_sync(
            stream, None, Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.bus.set_exit_on_close(False)


class Service:
    """The installed one, as root on that bus, with folders of its own."""

    def __init__(self, bus):
        self.place = os.path.join(folder(), "system")
        shutil.rmtree(self.place, ignore_errors=True)
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=bus.address)
        for variable in ("CONFIGURATION", "STATE", "RUNTIME", "LOGS"):
            path = os.path.join(self.place, variable.lower())
            os.makedirs(path, mode=0o700)
            environment[f"{variable}_DIRECTORY"] = path
        self.root = Connection.__new__(Connection)
        self.root.bus = Gio.DBusConnection.new_for_address_sync(
            bus.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.process = subprocess.Popen([os.path.join(folder(), "activated"), "--system", "--idle-timeout=0"],
                                        env=environment, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.process.poll() is not None or self.root.service_runs(), "the service")

    def close(self):
        self.root.close()
        if self.process.poll() is None:
            end_process(self.process.pid, 15)
        self.process.wait()


POLKIT_XML = """<node><interface name="org.freedesktop.PolicyKit1.Authority">
<method name="CheckAuthorization"><arg type="(sa{sv})" direction="in"/><arg type="s" direction="in"/>
<arg type="a{ss}" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
<arg type="(bba{ss})" direction="out"/></method>
<method name="CancelCheckAuthorization"><arg type="s" direction="in"/></method>
<signal name="Changed"/></interface></node>"""


class Polkit:
    """Says what the case has decided: yes, no, challenge, slow (answered by answer()), error."""

    PATH = "/org/freedesktop/PolicyKit1/Authority"
    VERDICTS = {"yes": (True, False), "no": (False, False), "challenge": (False, True)}

    def __init__(self, bus, decide):
        self.decide = decide                    # (user's unique name, action, details, interactive) -> one of those
        self.asked, self.waiting, self.cancelled = [], {}, []
        self.bus = Gio.DBusConnection.new_for_address_sync(
            bus.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        interface = Gio.DBusNodeInfo.new_for_xml(POLKIT_XML).interfaces[0]
        self.bus.register_object(self.PATH, interface, self.called, None, None)
        self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "RequestName", GLib.Variant("(su)", (POLKIT, 4)), None, 0, -1, None)

    def close(self):
        self.bus.close_sync(None)

    def called(self, _bus, _sender, _path, _interface, member, parameters, invocation):
        if member == "CancelCheckAuthorization":
            self.cancelled.append(parameters.unpack()[0])
            invocation.return_value(None)
            return
        (kind, subject), action, details, flags, cancellation = parameters.unpack()
        assert kind == "system-bus-name", kind
        self.asked.append((subject["name"], action.removeprefix("org.vmherald.domains1."), details, flags))
        verdict = self.decide(subject["name"], self.asked[-1][1], details, flags == 1)
        if verdict == "slow":
            self.waiting[cancellation] = invocation
        elif verdict == "error":
            invocation.return_dbus_error(f"{POLKIT}.Error.Failed", "broken on purpose")
        else:
            self.answer(invocation, verdict)

    def answer(self, invocation, verdict):
        invocation.return_value(GLib.Variant("((bba{ss}))", ((*self.VERDICTS[verdict], {}),)))

    def answer_all(self, verdict):
        for invocation in self.waiting.values():
            self.answer(invocation, verdict)
        self.waiting = {}

    def say_changed(self):
        self.bus.emit_signal(None, self.PATH, f"{POLKIT}.Authority", "Changed", None)
