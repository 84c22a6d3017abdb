# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calls of a soak run (test-soak.py): what each action of the plan is on the bus, and calls that must be
refused."""
import json

import harness
from harness import ERROR, PATH, Gio
from soak_model import CUT, OK

# ---- action -> (interface, member, signature, values) ----

def method(interface, member):
    return lambda target: (interface, member, "()", ())


def with_options(member, *names):
    def build(target, *values):
        given = {name: value for name, value in zip(names, values) if value is not None}
        return "Domain", member, "(a{sv})", (harness.options(**given),)
    return build


def execute(command):
    def build(target, timeout=None):
        given = {} if timeout is None else {"timeout": timeout}
        return "Monitor", "Execute", "(ssa{sv})", (command, "", harness.options(**given))
    return build


def attach(target, device):
    """One of them is an interface, with a backend that comes and goes with it."""
    if device == "d2":
        interface = json.dumps({"type": "user", "model": "usb-net", "bus": "usb.0", "id": device})
        return "Devices", "AttachDevice", "(sa{sv})", ("", harness.options(interface=interface))
    return ("Devices", "AttachDevice", "(sa{sv})",
            (json.dumps({"driver": "usb-tablet", "bus": "usb.0", "id": device}), {}))


CALLS = {
    "start": with_options("Start", "paused"),
    "destroy": with_options("Destroy", "grace"),
    "shutdown": with_options("Shutdown", "timeout"),
    "reboot": with_options("Reboot", "timeout"),
    "suspend": method("Domain", "Suspend"),
    "resume": method("Domain", "Resume"),
    "reset": method("Domain", "Reset"),
    "save": with_options("Save"),
    "drop-saved": method("Domain", "DropSavedState"),
    "undefine": with_options("Undefine"),
    "set-autostart": lambda target, flag: ("Domain", "SetAutostart", "(b)", (flag,)),
    "query": execute("query-status"),
    "stop": execute("stop"),
    "cont": execute("cont"),
    "quit": execute("quit"),
    "attach": attach,
    "detach": lambda target, device: ("Devices", "DetachDevice", "(sa{sv})", (device, {})),
    "define": lambda target, *arguments: ("Manager", "DefineDomain", "(sa{sv})",
                                          (target.document(*arguments), {})),
    "create": lambda target, paused: ("Manager", "CreateDomain", "(sa{sv})",
                                      (target.document(), harness.options(paused=paused))),
}
# Steps of the plan that are an action in a particular form.
PARTICULAR = {
    "start": lambda: ("start", (False,)),
    "start-paused": lambda: ("start", (True,)),
    "rename": lambda *arguments: ("define", arguments),
}
# Arguments that do not matter to what may become of it.
BELIEVED = {name: lambda *arguments: () for name in ("destroy", "shutdown", "reboot", "query")}
# Carried out by QEMU, perhaps after the one who asked for it has gone.
TO_QEMU = ("suspend", "resume", "reset", "stop", "cont", "quit", "attach", "detach")

NO_OBJECT = ("UnknownObject",)
GARBAGE = [
    lambda t: (PATH, "Manager", "GetDomain", "(s)", ("nobody",), ("NoSuchDomain",)),
    lambda t: (PATH, "Manager", "DefineDomain", "(sa{sv})", ("{", {}), ("InvalidDefinition",)),
    lambda t: (PATH, "Manager", "DefineDomain", "(sa{sv})",
               (json.dumps({"name": t.name(0), "uuid": t.uuid, "nonsense": 1}), {}),
               ("InvalidDefinition",)),
    lambda t: (PATH, "Manager", "CreateDomain", "(sa{sv})",
               (t.document(), harness.options(nonsense=1)), ("InvalidArgument",)),
    lambda t: (PATH, "Manager", "ListDomains", "(a{sv})", (harness.options(state="asleep"),),
               ("InvalidArgument",)),
    lambda t: (PATH, "Manager", "ListDomains", "(s)", ("x",), ("InvalidArgs",)),
    lambda t: (PATH + "/domain/_00000000_0000_0000_0000_000000000000", "Domain", "Start",
               "(a{sv})", ({},), NO_OBJECT),
    lambda t: (PATH + "/domain/nonsense", "Domain", "Suspend", "()", (), NO_OBJECT),
    lambda t: (t.path, "Domain", "Suspend", "(s)", ("x",), NO_OBJECT + ("InvalidArgs",)),
    lambda t: (t.path, "Domain", "Nonsense", "()", (), NO_OBJECT + ("UnknownMethod",)),
    lambda t: (t.path, "Domain", "Start", "(a{sv})", (harness.options(nonsense=1),),
               NO_OBJECT + ("InvalidArgument",)),
    lambda t: (t.path, "Monitor", "Execute", "(ssa{sv})", ("query-status", "[", {}),
               NO_OBJECT + ("InvalidArgument",)),
    lambda t: (t.path, "Monitor", "Execute", "(ssa{sv})", ("nonsense", "", {}),
               NO_OBJECT + ("QemuError", "WrongState", "MonitorLost", "MonitorTimeout")),
    lambda t: (t.path, "Devices", "AttachDevice", "(sa{sv})",
               (json.dumps({"driver": "nonsense"}), {}),
               NO_OBJECT + ("QemuError", "WrongState", "MonitorLost", "MonitorTimeout")),
    lambda t: (t.path, "Devices", "AttachDevice", "(sa{sv})",
               ("", harness.options(interface='{"type": "bridge"}')), NO_OBJECT + ("InvalidDefinition",)),
    lambda t: (t.path, "Network", "GetInterfaces", "(a{sv})", (harness.options(nonsense=1),),
               NO_OBJECT + ("InvalidArgument",)),
    lambda t: (t.path, "Devices", "DetachDevice", "(sa{sv})", ("nonsense", {}),
               NO_OBJECT + ("NoSuchDevice", "WrongState", "MonitorLost")),
]


def outcome_of(pending):
    """OK, the last part of the name of the error, or CUT: there was no service to answer."""
    if not pending.error:
        return OK
    name = Gio.DBusError.get_remote_error(pending.error) or ""
    if name.rpartition(".")[2] in ("NoReply", "Disconnected") or ".Spawn." in name or \
            "The service is leaving" in pending.error.message:
        return CUT
    return name.removeprefix(ERROR).removeprefix("org.freedesktop.DBus.Error.")
