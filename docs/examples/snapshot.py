#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Subscribe, then snapshot: tells the state of all domains, and from there on each change of it, with no hole
and no double between the two. Needs PyGObject."""
from gi.repository import Gio, GLib

NAME, PATH = "org.vmherald.Domains1", "/org/vmherald/Domains1"
states = None        # object path -> state; None: not known yet
base = 0             # a sequence that is not behind the snapshot
last = {}            # object path -> sequence of the last Lifecycle that came


def call(interface, member, parameters, done):
    bus.call(NAME, PATH, f"org.freedesktop.DBus.{interface}", member, parameters, None,
             Gio.DBusCallFlags.NONE, -1, None, lambda bus, result: done(*bus.call_finish(result).unpack()))


def take_snapshot():
    """The answers come behind the signals of what they say, on one connection."""
    global states
    states = None
    call("Properties", "Get", GLib.Variant("(ss)", (f"{NAME}.Manager", "LastSequence")), on_sequence)
    call("ObjectManager", "GetManagedObjects", None, on_snapshot)


def on_sequence(sequence):
    global base
    base = sequence


def on_snapshot(objects):
    global states
    states = {path: interfaces[f"{NAME}.Domain"]["State"] for path, interfaces in objects.items()}
    for path, state in states.items():
        print("snapshot", path, state, flush=True)


def on_lifecycle(_bus, _sender, path, _interface, _member, parameters):
    event, _reason, state, (sequence, previous, _time), _details = parameters.unpack()
    lost = previous > max(base, last.get(path, 0))
    last[path] = sequence
    if states is None:
        return                    # it is in the snapshot that is on its way
    if lost:                      # the bus has dropped some; or: GetEvents() has them
        take_snapshot()
        return
    states[path] = state
    if event == "undefined":
        del states[path]
    print(sequence, path, event, state, flush=True)


bus = Gio.bus_get_sync(Gio.BusType.SESSION)
bus.signal_subscribe(NAME, f"{NAME}.Domain", "Lifecycle", None, None, Gio.DBusSignalFlags.NONE, on_lifecycle)
take_snapshot()
GLib.MainLoop().run()
