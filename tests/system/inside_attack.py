# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client that means no good, in the machine: one attack, named by the first argument. What came of it is printed as JSON."""
import json
import os
import socket
import sys
import threading
import time

from gi.repository import Gio, GLib

NAME = "org.vmherald.Domains1"
PATH = "/org/vmherald/Domains1"
SECONDS = 50
# Of a monitor that is none.
GREETING = b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}\r\n'
EVENT = b'{"timestamp": {"seconds": 1, "microseconds": 0}, "event": "X_%d", "data": {"n": 1}}\r\n'
ANSWERS = {
    "query-status": {"status": "running", "running": True, "singlestep": False},
    "query-name": {"name": "../../etc/passwd"},
    "query-uuid": {"UUID": "00000000-0000-0000-0000-000000000000"},
    "query-version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""},
    "query-block": [], "query-named-block-nodes": [], "query-chardev": [], "query-rx-filter": [], "query-jobs": [],
    "query-block-jobs": [], "query-commands": [], "qom-list": [], "query-vnc-servers": [], "query-events": [],
}


def connect():
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
    bus.set_exit_on_close(False)
    return bus


def error_name(error):
    return Gio.DBusError.get_remote_error(error) or f"{GLib.quark_to_string(error.domain) if isinstance(error.domain, int) else error.domain}:{error.code}"


def outcome(function):
    """"" or the name of the error."""
    try:
        function()
    except GLib.Error as error:
        return error_name(error)
    return ""



def send(bus, message):
    reply, _ = bus.send_message_with_reply_sync(message, Gio.DBusSendMessageFlags.NONE, SECONDS * 1000, None)
    reply.to_gerror()
    return reply


def own_name():
    """Takes the service's name. 1: it is ours."""
    bus = connect()
    return {"error": outcome(lambda: bus.call_sync(
        "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
        GLib.Variant("(su)", (NAME, 4 | 2)), None, Gio.DBusCallFlags.NONE, -1, None))}


def forge_signal(path):
    """Says that a domain was stopped."""
    bus = connect()
    bus.emit_signal(None, path, NAME + ".Domain", "Lifecycle",
                    GLib.Variant("(sss(ttt)a{sv})", ("stopped", "crashed", "shut-off", (999999, 999998, 1), {})))
    bus.flush_sync(None)
    return {}


def forge_sender(sender, path):
    """Calls as if it were another connection."""
    bus = connect()
    message = Gio.DBusMessage.new_method_call(NAME, path, NAME + ".Domain", "Start")
    message.set_sender(sender)
    message.set_body(GLib.Variant("(a{sv})", ({},)))
    return {"error": outcome(lambda: send(bus, message))}


def big(mebibytes):
    """A definition of that size. The bus ends the connection of who sends more than it takes."""
    bus = connect()
    text = '{"name": "big", "title": "' + "x" * (int(mebibytes) << 20) + '"}'
    return {"error": outcome(lambda: bus.call_sync(NAME, PATH, NAME + ".Manager", "DefineDomain",
                                                   GLib.Variant("(sa{sv})", (text, {})), None,
                                                   Gio.DBusCallFlags.NONE, SECONDS * 1000, None)),
            "closed": bus.is_closed()}


def descriptors(count, calls):
    """Calls that bring so many descriptors each, which nobody has asked for."""
    bus = connect()
    errors = {}
    for _ in range(int(calls)):
        fds = Gio.UnixFDList.new()
        try:
            with open("/dev/null", "rb") as null:
                for _ in range(int(count)):
                    fds.append(null.fileno())
            bus.call_with_unix_fd_list_sync(NAME, PATH, NAME + ".Manager", "AdoptDomain",
                                            GLib.Variant("(ssa{sv})", ("x", "/nowhere", {})), None,
                                            Gio.DBusCallFlags.NONE, SECONDS * 1000, fds, None)
            name = ""
        except GLib.Error as error:
            name = error_name(error)
        errors[name] = errors.get(name, 0) + 1
        if bus.is_closed():
            break
    return {"errors": errors, "closed": bus.is_closed()}


def flood(calls):
    """So many calls at once, without reading an answer before all are sent. How each ended."""
    bus = connect()
    loop = GLib.MainLoop()
    errors, left = {}, int(calls)

    def finish(source, result):
        nonlocal left
        name = outcome(lambda: source.call_finish(result))
        errors[name] = errors.get(name, 0) + 1
        left -= 1
        if left == 0:
            loop.quit()

    for _ in range(left):
        bus.call(NAME, PATH, NAME + ".Manager", "ListDomains", GLib.Variant("(a{sv})", ({},)), None,
                 Gio.DBusCallFlags.NONE, SECONDS * 1000, None, finish)
    loop.run()
    return {"errors": errors, "closed": bus.is_closed()}


def fake_qemu(path, what, count):
    """A monitor that is none: greets, answers each command as QEMU would if it knew nothing, and then says things. It prints when
    it listens, and what became of it when the service has let go of it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen()
    print(json.dumps({"listens": True}), flush=True)
    stream, _ = listener.accept()
    file = stream.makefile("rb")
    stream.settimeout(SECONDS)
    state = {"sent": 0, "ended": ""}
    lock = threading.Lock()             # a line is sent as one

    def say(data):
        with lock:
            stream.sendall(data)

    def storm():
        try:
            while state["sent"] < int(count):
                if what == "line":
                    say(b"x" * (1 << 20))
                    state["sent"] += 1
                else:
                    say(b"".join(EVENT % (state["sent"] + number) for number in range(1000)))
                    state["sent"] += 1000
        except OSError as error:
            state["ended"] = type(error).__name__

    thread = threading.Thread(target=storm, daemon=True)
    try:
        say(GREETING)
        if what == "line":
            thread.start()
        for line in file:
            command = json.loads(line)
            say(json.dumps({"return": ANSWERS.get(command["execute"], {}), "id": command.get("id")}).encode() + b"\r\n")
            if what == "events" and command["execute"] == "query-status" and not thread.ident:
                thread.start()
    except OSError as error:
        state["ended"] = type(error).__name__
    if thread.ident:
        thread.join()
    return state


ATTACKS = {function.__name__: function for function in (own_name, forge_signal, forge_sender, big, descriptors, flood, fake_qemu)}

if __name__ == "__main__":
    begun = time.monotonic()
    result = ATTACKS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({**result, "seconds": time.monotonic() - begun}))
