#!/usr/bin/gjs
// SPDX-License-Identifier: LGPL-2.1-or-later
// Tells what happens to all domains, one line an event, with no more than D-Bus. What the bus has lost is seen by
// the sequence of the next event, and fetched.
const {Gio, GLib} = imports.gi;

const NAME = 'org.vmherald.Domains1';
const PATH = '/org/vmherald/Domains1';
const bus = Gio.DBus.session;
let last = 0;        // sequence of the last event that was told

function tell(sequence, path, iface, member, values) {
    last = sequence;
    const uuid = path.slice(path.lastIndexOf('/') + 2).replaceAll('_', '-');
    const words = member === 'Lifecycle' ? values.slice(0, 2) : [];
    print([sequence, uuid, `${iface.slice(NAME.length + 1)}.${member}`, ...words].join(' '));
}

function fetch(until) {
    while (last < until) {
        const [complete, , events] = bus.call_sync(NAME, PATH, `${NAME}.Manager`, 'GetEvents',
            new GLib.Variant('(ta{sv}u)', [last, {}, 1000]), null, Gio.DBusCallFlags.NONE, -1, null).recursiveUnpack();
        if (!complete)
            printerr(`the history does not reach back to ${last}`);
        if (events.length === 0)
            return;
        for (const [sequence, , , path, iface, member, values] of events)
            tell(sequence, path, iface, member, values);
    }
}

bus.signal_subscribe(NAME, null, null, null, null, Gio.DBusSignalFlags.NONE,
    (_bus, _sender, path, iface, member, parameters) => {
        if (!iface.startsWith(`${NAME}.`))
            return;               // state: PropertiesChanged and its like
        const values = parameters.recursiveUnpack();
        const [sequence] = values.at(-2);
        if (last && sequence > last + 1)
            fetch(sequence - 1);
        if (sequence > last)      // else it has been fetched
            tell(sequence, path, iface, member, values);
    });
new GLib.MainLoop(null, false).run();
