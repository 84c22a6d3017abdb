# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd on the bus, as far as the service speaks with it: StartTransientUnit() and its job, SystemState; and
systemd-machined. Each is played by a connection of its own. Calls are answered while the main context runs, which it
does whenever a case waits."""
import os

from gi.repository import Gio, GLib

from client import Connection

SYSTEMD = "org.freedesktop.systemd1"
MACHINED = "org.freedesktop.machine1"
UNIT_EXISTS = SYSTEMD + ".UnitExists"
MACHINE_EXISTS = MACHINED + ".MachineExists"
NO_SUCH_MACHINE = MACHINED + ".NoSuchMachine"
ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"

INTERFACES = """<node>
<interface name="org.freedesktop.systemd1.Manager">
  <method name="Subscribe"/>
  <method name="StartTransientUnit"><arg type="s"/><arg type="s"/><arg type="a(sv)"/><arg type="a(sa(sv))"/>
    <arg type="o" direction="out"/></method>
  <signal name="JobRemoved"><arg type="u"/><arg type="o"/><arg type="s"/><arg type="s"/></signal>
  <signal name="UnitRemoved"><arg type="s"/><arg type="o"/></signal>
  <property name="SystemState" type="s" access="read"/>
</interface>
<interface name="org.freedesktop.machine1.Manager">
  <method name="RegisterMachine"><arg type="s"/><arg type="ay"/><arg type="s"/><arg type="s"/><arg type="u"/>
    <arg type="s"/><arg type="o" direction="out"/></method>
  <method name="GetMachine"><arg type="s"/><arg type="o" direction="out"/></method>
</interface>
</node>"""


class Player:
    """One name with one object. silent: members that are never answered; refusal: (error, text) for all others."""

    def __init__(self, name, path):
        self.connection = Connection()
        self.path = path
        self.interface = name + ".Manager"
        self.calls = []              # (member, arguments)
        self.silent = set()
        self.refusal = None
        info = Gio.DBusNodeInfo.new_for_xml(INTERFACES).lookup_interface(self.interface)
        self.connection.bus.register_object(path, info, self._called, self._got, None)
        self.connection.call_bus("RequestName", "(su)", name, 0)

    def close(self):
        if not self.connection.bus.is_closed():
            self.connection.close()

    def members(self):
        return [member for member, _ in self.calls]

    def _called(self, _bus, _sender, _path, _interface, member, parameters, invocation):
        arguments = parameters.unpack()
        self.calls.append((member, arguments))
        if member in self.silent:
            return
        error = self.refusal or self.check(member, arguments)
        if error:
            invocation.return_dbus_error(*error)
        else:
            invocation.return_value(self.answer(member, arguments))
        self.answered(member, arguments, error)

    def _got(self, _bus, _sender, _path, _interface, name):
        self.calls.append(("Get", (name,)))
        return self.get(name)

    def emit(self, member, signature, *arguments):
        self.connection.bus.emit_signal(None, self.path, self.interface, member,
                                        GLib.Variant(signature, arguments))

    # For who plays something.

    def check(self, member, arguments):
        return None

    def answered(self, member, arguments, error):
        pass


class Systemd(Player):
    """taken: names of units that there are; those in leaving go as soon as one was refused their name. result: of each
    job. state: that of the host."""

    def __init__(self):
        super().__init__(SYSTEMD, "/org/freedesktop/systemd1")
        self.units = {}              # name -> its properties, with what its process was then
        self.taken = set()
        self.leaving = set()
        self.result = "done"
        self.state = "running"
        self.jobs = 0

    def get(self, name):
        return GLib.Variant("s", self.state)

    def check(self, member, arguments):
        if member == "StartTransientUnit" and arguments[0] in self.taken:
            return (UNIT_EXISTS, f"Unit {arguments[0]} was already loaded or has a fragment file.")
        return None

    def job(self):
        return f"/org/freedesktop/systemd1/job/{self.jobs}"

    def answer(self, member, arguments):
        if member == "Subscribe":
            return None
        self.jobs += 1
        properties = dict(arguments[2])
        pid = properties["PIDs"][0]
        properties["exe"] = os.readlink(f"/proc/{pid}/exe")
        self.units[arguments[0]] = properties
        return GLib.Variant("(o)", (self.job(),))

    def answered(self, member, arguments, error):
        if member != "StartTransientUnit":
            return
        if error and arguments[0] in self.leaving:
            self.leaving.remove(arguments[0])
            self.taken.discard(arguments[0])
            self.emit("UnitRemoved", "(so)", arguments[0], "/org/freedesktop/systemd1/unit/x")
        elif not error:
            # Others' jobs and units end as well.
            self.emit("JobRemoved", "(uoss)", 999, "/org/freedesktop/systemd1/job/999", arguments[0], "failed")
            if self.result:
                self.emit("JobRemoved", "(uoss)", self.jobs, self.job(), arguments[0], self.result)


class Machined(Player):
    """taken: names of machines that there are."""

    def __init__(self):
        super().__init__(MACHINED, "/org/freedesktop/machine1")
        self.taken = set()
        self.machines = {}           # name -> the other arguments

    def check(self, member, arguments):
        if member == "GetMachine":
            known = arguments[0] in self.taken or arguments[0] in self.machines
            return None if known else (NO_SUCH_MACHINE, f"No machine '{arguments[0]}' known")
        if arguments[0] in self.taken:
            return (MACHINE_EXISTS, f"Machine '{arguments[0]}' already exists")
        return None

    def answer(self, member, arguments):
        if member == "RegisterMachine":
            self.machines[arguments[0]] = arguments[1:]
        return GLib.Variant("(o)", ("/org/freedesktop/machine1/machine/x",))
