# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service with the interfaces of vmherald and no virtual machine, on a private bus.

It answers what a test tells it to, records every call, and emits what a test wants. It runs on a
thread of its own; tests wait for a call to arrive, never for time to pass.
"""

import os
import subprocess
import tempfile
import threading

import gi
gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

from fake_history import History  # noqa: E402
from tap import DEADLINE  # noqa: E402

SERVICE = "org.vmherald.Domains1"
MANAGER = "/org/vmherald/Domains1"
# Of two domains.
UUID = "0f4f6a8e-3a34-4c8c-9ad7-f30a4bd0a5d1"
OTHER = "11111111-2222-3333-4444-555555555555"

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""

INTERFACES = """<node>
<interface name="org.vmherald.Domains1.Manager">
  <method name="DefineDomain"><arg type="s"/><arg type="a{sv}"/><arg type="o" direction="out"/></method>
  <method name="CreateDomain"><arg type="s"/><arg type="a{sv}"/><arg type="o" direction="out"/></method>
  <method name="AdoptDomain"><arg type="s"/><arg type="s"/><arg type="a{sv}"/>
    <arg type="o" direction="out"/></method>
  <method name="GetDomain"><arg type="s"/><arg type="o" direction="out"/></method>
  <method name="ListDomains"><arg type="a{sv}"/><arg type="a(osss)" direction="out"/></method>
  <method name="ValidateDefinition"><arg type="s"/><arg type="a(ss)" direction="out"/></method>
  <method name="GetEvents"><arg type="t"/><arg type="a{sv}"/><arg type="u"/>
    <arg type="b" direction="out"/><arg type="t" direction="out"/><arg type="a(tttossv)" direction="out"/></method>
  <method name="CountEvents"><arg type="t"/><arg type="a{sv}"/>
    <arg type="b" direction="out"/><arg type="t" direction="out"/><arg type="t" direction="out"/></method>
  <method name="Reload"/>
</interface>
<interface name="org.vmherald.Domains1.Domain">
  <method name="Start"><arg type="a{sv}"/></method>
  <method name="Shutdown"><arg type="a{sv}"/></method>
  <method name="Reboot"><arg type="a{sv}"/></method>
  <method name="Reset"/>
  <method name="Destroy"><arg type="a{sv}"/></method>
  <method name="Suspend"/>
  <method name="Resume"/>
  <method name="Wakeup"/>
  <method name="InjectNMI"/>
  <method name="Save"><arg type="a{sv}"/></method>
  <method name="DropSavedState"/>
  <method name="Screenshot"><arg type="a{sv}"/><arg type="h" direction="out"/></method>
  <method name="Undefine"><arg type="a{sv}"/></method>
  <method name="GetDefinition"><arg type="a{sv}"/><arg type="s" direction="out"/></method>
  <method name="SetAutostart"><arg type="b"/></method>
</interface>
<interface name="org.vmherald.Domains1.Devices">
  <method name="AttachDevice"><arg type="s"/><arg type="a{sv}"/><arg type="s" direction="out"/></method>
  <method name="DetachDevice"><arg type="s"/><arg type="a{sv}"/></method>
  <method name="ChangeMedia"><arg type="s"/><arg type="s"/><arg type="a{sv}"/></method>
</interface>
<interface name="org.vmherald.Domains1.Block">
  <method name="SetWriteThreshold"><arg type="s"/><arg type="t"/></method>
  <method name="CancelJob"><arg type="s"/><arg type="a{sv}"/></method>
</interface>
<interface name="org.vmherald.Domains1.Network">
  <method name="GetInterfaces"><arg type="a{sv}"/><arg type="a{sa{sv}}" direction="out"/></method>
</interface>
<interface name="org.vmherald.Domains1.Guest">
  <method name="SetBalloon"><arg type="t"/></method>
</interface>
<interface name="org.vmherald.Domains1.Monitor">
  <method name="Execute"><arg type="s"/><arg type="s"/><arg type="a{sv}"/><arg type="s" direction="out"/></method>
</interface>
<interface name="org.freedesktop.DBus.ObjectManager">
  <method name="GetManagedObjects"><arg type="a{oa{sa{sv}}}" direction="out"/></method>
</interface>
<interface name="org.freedesktop.DBus.Properties">
  <method name="Get"><arg type="s"/><arg type="s"/><arg type="v" direction="out"/></method>
  <method name="GetAll"><arg type="s"/><arg type="a{sv}" direction="out"/></method>
</interface>
</node>"""


def path_of(uuid):
    return f"{MANAGER}/domain/_{uuid.replace('-', '_')}"


class Failure(Exception):
    """An error the fake answers with."""

    def __init__(self, name, text):
        super().__init__(text)
        self.name = name if "." in name else f"{SERVICE}.Error.{name}"
        self.text = text


class PrivateBus:
    """A dbus-daemon that knows nothing but what is in its own folder."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="vmherald-ctl-")
        os.mkdir(os.path.join(self.folder.name, "services"))
        config = os.path.join(self.folder.name, "bus.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(BUS_CONFIG.format(folder=self.folder.name))
        self.address = f"unix:path={self.folder.name}/bus"
        self.start()

    def start(self):
        config = os.path.join(self.folder.name, "bus.conf")
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address=1"],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process.stdout.readline()

    def add_activation(self, name, command):
        path = os.path.join(self.folder.name, "services", name + ".service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[D-BUS Service]\nName={name}\nExec={command}\n")
        connection = self.connect()
        connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                             "ReloadConfig", None, None, 0, DEADLINE * 1000, None)
        connection.close_sync()

    def connect(self):
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
                 Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        return Gio.DBusConnection.new_for_address_sync(self.address, flags, None, None)

    def end(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.process.stdout.close()

    def stop(self):
        self.end()
        self.folder.cleanup()


class FakeService:
    def __init__(self, bus):
        self.bus = bus
        self.condition = threading.Condition()
        self.calls = []             # (path, interface, member, arguments)
        self.domains = {}           # uuid -> [name, state]
        self.properties = {}        # interface -> GLib.Variant("a{sv}")
        self.explicit = {}          # (interface, property) -> GLib.Variant; not what GetAll answers with
        self.answers = {}           # member -> value, Failure or function of the arguments
        self.descriptors = {}       # member -> descriptors that go with the answer
        self.held = set()           # members that are not answered yet
        self.invocations = []
        self.sequence = 0
        self.history = History()
        self.chained = False        # events name those before them, as the service's do
        self.previous = {}          # path, or path and member -> sequence
        self.context = GLib.MainContext.new()
        self.loop = GLib.MainLoop.new(self.context, False)
        self.connection = None
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(started,))
        self.thread.start()
        if not started.wait(DEADLINE):
            raise TimeoutError("the fake service does not start")

    def _run(self, started):
        self.context.push_thread_default()
        self._connect()
        started.set()
        self.loop.run()
        if not self.connection.is_closed():
            self.connection.close_sync()
        self.context.pop_thread_default()

    def _connect(self):
        self.connection = self.bus.connect()
        info = Gio.DBusNodeInfo.new_for_xml(INTERFACES)
        self.infos = {interface.name: interface for interface in info.interfaces}
        for name in (SERVICE + ".Manager", "org.freedesktop.DBus.Properties",
                     "org.freedesktop.DBus.ObjectManager"):
            self._register(MANAGER, name)
        for uuid in self.domains:
            self._register_domain(uuid)
        self._bus_call("RequestName", GLib.Variant("(su)", (SERVICE, 4)))

    def _bus_call(self, member, arguments):
        return self.connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus",
                                         "org.freedesktop.DBus", member, arguments, None, 0,
                                         DEADLINE * 1000, None)

    def _register(self, path, name):
        # Properties of an object are ours to answer; GDBus only has them where we do not.
        self.connection.register_object(path, self.infos[name], self._on_call, None, None)

    def _register_domain(self, uuid):
        for name in self.infos:
            if not name.endswith((".Manager", ".ObjectManager")):
                self._register(path_of(uuid), name)

    def _in_thread(self, function):
        done = threading.Event()

        def call():
            function()
            done.set()
            return False

        source = GLib.Idle()
        source.set_callback(lambda *unused: call())
        source.attach(self.context)
        if not done.wait(DEADLINE):
            raise TimeoutError("the fake service does not answer")

    def _on_call(self, connection, sender, path, interface, member, parameters, invocation, *rest):
        # Where the numbers are is asked by whoever listens, and is a question of its own here.
        if member == "Get" and parameters.unpack()[1] in ("LastSequence", "OldestSequence"):
            member = parameters.unpack()[1]
        with self.condition:
            self.calls.append((path, interface, member, parameters.unpack()))
            hold = member in self.held
            if hold:
                self.invocations.append((invocation, path, interface, member, parameters))
            self.condition.notify_all()
        if not hold:
            self._answer(invocation, path, interface, member, parameters)

    def _answer(self, invocation, path, interface, member, parameters):
        # What is said of the events is behind their signals.
        with self.condition:
            self._answer_in_order(invocation, path, interface, member, parameters)

    def _answer_in_order(self, invocation, path, interface, member, parameters):
        try:
            value = self._value(path, interface, member, parameters.unpack())
        except Failure as failure:
            invocation.return_dbus_error(failure.name, failure.text)
            return
        descriptors = Gio.UnixFDList()
        for descriptor in self.descriptors.get(member, []):
            descriptors.append(descriptor)
        invocation.return_value_with_unix_fd_list(value, descriptors)

    def _find(self, path):
        for uuid, domain in self.domains.items():
            if path_of(uuid) == path:
                return domain
        raise Failure("org.freedesktop.DBus.Error.UnknownObject", "There is no such object")

    def _value(self, path, interface, member, arguments):
        answer = self.answers.get(member)
        if isinstance(answer, Failure):
            raise answer
        if callable(answer):
            answer = answer(*arguments)
        if answer is not None:
            return answer
        if member == "GetDomain":
            for uuid, (name, _) in self.domains.items():
                if arguments[0] in (uuid, name):
                    return GLib.Variant("(o)", (path_of(uuid),))
            raise Failure("NoSuchDomain", f"There is no domain '{arguments[0]}'")
        if member == "ListDomains":
            wanted = arguments[0].get("state")
            rows = [(path_of(uuid), name, uuid, state) for uuid, (name, state) in self.domains.items()
                    if wanted in (None, state)]
            return GLib.Variant("(a(osss))", (rows,))
        if member == "LastSequence":
            return GLib.Variant("(v)", (GLib.Variant("t", self.sequence),))
        if member == "OldestSequence":
            return GLib.Variant("(v)", (GLib.Variant("t", self.history.oldest()),))
        if member in ("GetEvents", "CountEvents"):
            if arguments[0] > self.sequence:
                raise Failure("InvalidArgument", "after is greater than LastSequence")
            return (self.history.get_events if member == "GetEvents" else self.history.count_events)(*arguments)
        if member == "GetManagedObjects":
            return GLib.Variant("(a{oa{sa{sv}}})", ({
                path_of(uuid): {SERVICE + ".Domain": {"Name": GLib.Variant("s", name),
                                                      "UUID": GLib.Variant("s", uuid),
                                                      "State": GLib.Variant("s", state)}}
                for uuid, (name, state) in self.domains.items()},))
        if member == "Get" and arguments[1] == "State":
            return GLib.Variant("(v)", (GLib.Variant("s", self._find(path)[1]),))
        if member in ("Get", "GetAll"):
            values = self.properties.get(arguments[0])
            if values is None:
                raise Failure("org.freedesktop.DBus.Error.UnknownInterface", "Unknown interface")
            if member == "GetAll":
                return GLib.Variant.new_tuple(values)
            # An empty list counts as false.
            value = self.explicit.get(arguments, values.lookup_value(arguments[1], None))
            if value is None:
                raise Failure("org.freedesktop.DBus.Error.UnknownProperty", "Unknown property")
            return GLib.Variant("(v)", (value,))
        return None

    # What tests use

    def add_domain(self, uuid, name, state):
        self.domains[uuid] = [name, state]
        self._in_thread(lambda: self._register_domain(uuid))

    def wait_call(self, member, count=1):
        """Returns the calls of that member once there are so many."""
        with self.condition:
            def matching():
                return [call for call in self.calls if call[2] == member]
            if not self.condition.wait_for(lambda: len(matching()) >= count, DEADLINE):
                raise TimeoutError(f"no {member} came, only {self.calls}")
            return matching()

    def hold(self, member):
        self.held.add(member)

    def release(self, member):
        with self.condition:
            self.held.discard(member)
            waiting, self.invocations = self.invocations, []
        self._in_thread(lambda: [self._answer(*invocation) for invocation in waiting])

    def emit_raw(self, path, interface, member, arguments):
        self.connection.emit_signal(None, path, interface, member, arguments)

    def emit(self, path, interface, member, signature="", arguments=(), details=None,
             time=1700000000123456, previous=0, lost=False):
        """An event: the stamp and the details go to the end. lost: by the bus, on its way."""
        with self.condition:
            self.sequence += 1
            if self.chained:
                previous = self.previous.get((path, member), 0)
                details = {**(details or {}), "domain-previous": GLib.Variant("t", self.previous.get(path, 0))}
                self.previous[path] = self.previous[(path, member)] = self.sequence
            body = GLib.Variant(f"({signature}(ttt)a{{sv}})",
                                (*arguments, (self.sequence, previous, time), details or {}))
            self.history.add(self.sequence, previous, time, path, f"{SERVICE}.{interface}", member, body)
            if not lost:
                self.emit_raw(path, f"{SERVICE}.{interface}", member, body)

    def lifecycle(self, uuid, event, reason="unknown", state="running", **more):
        self.emit(path_of(uuid), "Domain", "Lifecycle", "sss", (event, reason, state), **more)

    def added(self, uuid, name):
        properties = {"Name": GLib.Variant("s", name)}
        self.emit_raw(MANAGER, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
                      GLib.Variant("(oa{sa{sv}})",
                                   (path_of(uuid), {SERVICE + ".Domain": properties})))

    def removed(self, uuid, interface="Domain"):
        self.emit_raw(MANAGER, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved",
                      GLib.Variant("(oas)", (path_of(uuid), [f"{SERVICE}.{interface}"])))

    def flush(self):
        self.connection.flush_sync()

    def go_away(self):
        """As if killed: the connection ends, with calls unanswered."""
        self._in_thread(self.connection.close_sync)

    def come_back(self):
        self._in_thread(self._connect)

    def stop(self):
        self.loop.quit()
        self.thread.join(DEADLINE)
