#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tells what happens to all domains, one line an event, with no more than D-Bus. What the bus has lost is seen by
the sequence of the next event, and fetched. Needs PyGObject."""
import sys

from gi.repository import Gio, GLib

NAME, PATH = "org.vmherald.Domains1", "/org/vmherald/Domains1"
last = 0             # sequence of the last event that was told


def tell(sequence, path, interface, member, arguments):
    global last
    last = sequence
    uuid = path.rpartition("/")[2][1:].replace("_", "-")
    words = arguments[:2] if member == "Lifecycle" else ()
    print(sequence, uuid, f"{interface[len(NAME) + 1:]}.{member}", *words, flush=True)


def fetch(until):
    while last < until:
        answer = bus.call_sync(NAME, PATH, f"{NAME}.Manager", "GetEvents", GLib.Variant("(ta{sv}u)", (last, {}, 1000)),
                               None, Gio.DBusCallFlags.NONE, -1, None)
        complete, _end, events = answer.unpack()
        if not complete:
            print("the history does not reach back to", last, file=sys.stderr)
        if not events:
            return
        for sequence, _previous, _time, path, interface, member, arguments in events:
            tell(sequence, path, interface, member, arguments)


def on_signal(_bus, _sender, path, interface, member, parameters):
    if not interface.startswith(NAME + "."):
        return                    # state: PropertiesChanged and its like
    *arguments, (sequence, _previous, _time), _details = parameters.unpack()
    if last and sequence > last + 1:
        fetch(sequence - 1)
    if sequence > last:           # else it has been fetched
        tell(sequence, path, interface, member, arguments)


bus = Gio.bus_get_sync(Gio.BusType.SESSION)
bus.signal_subscribe(NAME, None, None, None, None, Gio.DBusSignalFlags.NONE, on_signal)
GLib.MainLoop().run()
