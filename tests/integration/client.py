# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as a client sees it, through GDBus, which shares no code with the sd-bus of the
service.

Nothing here sleeps. What takes time is waited for with wait_until(), which lets the main context
run until a condition holds and fails after DEADLINE."""
import json
import os
import signal
import socket
import threading
import time
from collections import namedtuple

from gi.repository import Gio, GLib

import qtest
from processes import FOLDER_VARIABLE, end_process

NAME = "org.vmherald.Domains1"
PATH = "/org/vmherald/Domains1"
ERROR = NAME + ".Error."
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")

DEADLINE = 60.0                  # seconds for one thing to come true; only a failure takes so long


def wait_until(condition, what, deadline=DEADLINE):
    """Runs the main context until condition() is true, and returns what it returned."""
    context = GLib.MainContext.default()
    end = time.monotonic() + deadline
    # Wakes the context up for conditions that no source of it tells of, such as a file.
    ticker = GLib.timeout_add(20, lambda: GLib.SOURCE_CONTINUE)
    try:
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > end:
                raise AssertionError(f"waited {deadline:.0f} s in vain for {what}")
            context.iteration(True)
    finally:
        GLib.source_remove(ticker)


def folder():
    """The folder of this run: XDG directories, sockets, logs."""
    return os.environ[FOLDER_VARIABLE]


def qtest_socket(name):
    """Of the domain of that name, if it was defined by harness.definition()."""
    return os.path.join(folder(), f"qtest-{name}")


Signal = namedtuple("Signal", "path interface member signature arguments")
Signal.__doc__ = """One signal as it came. name: "Domain.Lifecycle", without the common prefix."""
Signal.name = property(lambda self: f"{self.interface.removeprefix(NAME + '.')}.{self.member}")
Signal.sequence = property(lambda self: self.arguments[-2][0])
Signal.previous = property(lambda self: self.arguments[-2][1])
Signal.time = property(lambda self: self.arguments[-2][2])
# With those of the event alone: what came before it differs from run to run.
Signal.details = property(lambda self: {key: value for key, value in self.arguments[-1].items()
                                        if key != "domain-previous"})
Signal.domain_previous = property(lambda self: self.arguments[-1].get("domain-previous",
                                                                      self.previous))


def options(**values):
    """a{sv}: bool is b, int is t, str is s, a GLib.Variant is itself; _ in a key stands for -."""
    variants = {}
    for key, value in values.items():
        if isinstance(value, bool):
            value = GLib.Variant("b", value)
        elif isinstance(value, int):
            value = GLib.Variant("t", value)
        elif isinstance(value, str):
            value = GLib.Variant("s", value)
        variants[key.replace("_", "-")] = value
    return variants


class Pending:
    """A call that was sent and is not waited for yet."""

    def __init__(self):
        self.finished = False
        self.value = None
        self.error = None

    def result(self, deadline=DEADLINE):
        wait_until(lambda: self.finished, "the reply to a call", deadline)
        if self.error:
            raise self.error
        return self.value


class Connection:
    """A connection of its own to the bus."""

    def __init__(self):
        self.bus = Gio.DBusConnection.new_for_address_sync(
            os.environ["DBUS_SESSION_BUS_ADDRESS"],
            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)

    def close(self):
        self.bus.close_sync(None)

    @staticmethod
    def _unpack(reply):
        values = reply.unpack()
        return values[0] if len(values) == 1 else values or None

    def send(self, path, interface, member, signature="()", *arguments, destination=NAME, interactive=False):
        """Sends a call and returns a Pending. interactive: the user may be asked for a password."""
        pending = Pending()

        def finish(bus, result):
            try:
                pending.value = self._unpack(bus.call_finish(result))
            except GLib.Error as error:
                pending.error = error
            pending.finished = True

        flags = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION if interactive else Gio.DBusCallFlags.NONE
        self.bus.call(destination, path, interface, member, GLib.Variant(signature, arguments),
                      None, flags, GLib.MAXINT32, None, finish)
        return pending

    def call(self, path, interface, member, signature="()", *arguments, destination=NAME,
             deadline=DEADLINE):
        """Calls and waits; signals go on arriving meanwhile. One value is returned as it is, more
        as a tuple, none as None."""
        return self.send(path, interface, member, signature, *arguments,
                         destination=destination).result(deadline)

    def call_bus(self, member, signature="()", *arguments):
        return self.call(BUS[1], BUS[2], member, signature, *arguments, destination=BUS[0])

    def get(self, path, interface, name):
        return self.call(path, PROPERTIES, "Get", "(ss)", interface, name)

    def get_all(self, path, interface):
        return self.call(path, PROPERTIES, "GetAll", "(s)", interface)

    def set(self, path, interface, name, variant):
        self.call(path, PROPERTIES, "Set", "(ssv)", interface, name, variant)

    def managed_objects(self):
        return self.call(PATH, OBJECT_MANAGER, "GetManagedObjects")

    def service_owner(self):
        """The unique name of the service, "" if it does not run; does not start it."""
        return self.call_bus("GetNameOwner", "(s)", NAME) if self.service_runs() else ""

    def service_runs(self):
        return self.call_bus("NameHasOwner", "(s)", NAME)

    def service_pid(self):
        return self.call_bus("GetConnectionUnixProcessID", "(s)", NAME)

    def kill_service(self, signal_number=signal.SIGKILL):
        """Ends the service the hard way; afterwards its name is free."""
        end_process(self.service_pid(), signal_number)
        wait_until(lambda: not self.service_runs(), "the bus to notice")


class Recorder:
    """Everything the service emits, in order, on a connection that makes no call to it: a match
    rule is all there is."""

    def __init__(self):
        self.connection = Connection()
        self.signals = []
        self.connection.bus.signal_subscribe(None, None, None, None, None,
                                             Gio.DBusSignalFlags.NONE, self._arrived)
        # The bus works through what one connection sends in order: once this is answered, the
        # match rule is in force.
        self.connection.call_bus("GetId")

    def close(self):
        self.connection.close()

    def _arrived(self, _bus, _sender, path, interface, member, parameters):
        if path == PATH or path.startswith(PATH + "/"):
            self.signals.append(Signal(path, interface, member, parameters.get_type_string()[1:-1],
                                       parameters.unpack()))

    def find(self, name, *arguments, path=None, since=0):
        """The signals NAME ("Domain.Lifecycle") whose first arguments are these, from index
        since on."""
        return [s for s in self.signals[since:]
                if s.name == name and s.arguments[:len(arguments)] == arguments and
                path in (None, s.path)]

    def wait(self, name, *arguments, path=None, since=0, deadline=DEADLINE):
        """Waits for such a signal and returns the first."""
        wait_until(lambda: self.find(name, *arguments, path=path, since=since),
                   f"{name}{arguments}; seen: {[s[1:3] + s[4:] for s in self.signals[since:]]}",
                   deadline)
        return self.find(name, *arguments, path=path, since=since)[0]

    def wait_property(self, interface, name, value, path=None, since=0, deadline=DEADLINE):
        """Waits for PropertiesChanged to tell that a property of NAME.interface has that value."""
        def told():
            return [s for s in self.find(f"{PROPERTIES}.PropertiesChanged",
                                         f"{NAME}.{interface}", path=path, since=since)
                    if s.arguments[1].get(name) == value]
        wait_until(told, f"{interface}.{name} = {value!r}", deadline)
        return told()[0]

    def events(self, path=None):
        """The signals that carry a stamp."""
        return [s for s in self.signals if s.interface.startswith(NAME + ".") and
                s.signature.endswith("(ttt)a{sv}") and path in (None, s.path)]


class Domain:
    """A domain as a client sees it."""

    def __init__(self, connection, path, name):
        self.connection = connection
        self.path = path
        self.name = name

    def send(self, interface, member, signature="()", *arguments):
        return self.connection.send(self.path, f"{NAME}.{interface}", member, signature, *arguments)

    def call(self, interface, member, signature="()", *arguments, deadline=DEADLINE):
        return self.send(interface, member, signature, *arguments).result(deadline)

    def get(self, interface, name):
        return self.connection.get(self.path, f"{NAME}.{interface}", name)

    @property
    def state(self):
        return self.get("Domain", "State")

    def start(self, **values):
        self.call("Domain", "Start", "(a{sv})", options(**values))

    def destroy(self, **values):
        self.call("Domain", "Destroy", "(a{sv})", options(**values))

    def save(self, **values):
        self.call("Domain", "Save", "(a{sv})", options(**values))

    def undefine(self):
        self.call("Domain", "Undefine", "(a{sv})", {})

    def attach(self, device, **values):
        return self.call("Devices", "AttachDevice", "(sa{sv})", json.dumps(device),
                         options(**values))

    def attach_interface(self, interface, **values):
        return self.call("Devices", "AttachDevice", "(sa{sv})", "",
                         options(interface=json.dumps(interface), **values))

    def detach(self, device_id, **values):
        self.call("Devices", "DetachDevice", "(sa{sv})", device_id, options(**values))

    def qmp(self, command, arguments=None):
        text = json.dumps(arguments) if arguments is not None else ""
        return json.loads(self.call("Monitor", "Execute", "(ssa{sv})", command, text, {}))

    def hmp(self, line):
        """A line of QEMU's human monitor."""
        return self.qmp("human-monitor-command", {"command-line": line})

    def migrate_away(self):
        """Begins a migration to one who takes everything and runs nothing."""
        path = os.path.join(folder(), f"away-{self.name}")
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()

        def drain():
            with listener, listener.accept()[0] as stream:
                while stream.recv(1 << 20):
                    pass

        threading.Thread(target=drain, daemon=True).start()
        self.qmp("migrate", {"uri": f"unix:{path}"})

    def port_write(self, port, size, value):
        """Writes to an I/O port as the guest would: 0x604 is ACPI, 0xcf9 the reset register, ..."""
        self.hmp(f"o /{'bwl'[size >> 1]} {port:#x} {value:#x}")

    def qtest(self):
        """The qtest socket of a domain from ServiceCase.definition(): a context manager."""
        return qtest.QTest(qtest_socket(self.name))
