# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of the bus that calls and never reads an answer:  flood.py SOCKET NAME CALLS

It says "sent" when all calls are with the bus, or when the bus takes no more, and leaves at the end of its input."""
import os
import socket
import struct
import sys


def pad(data, to=8):
    return data + b"\0" * (-len(data) % to)


def string(text):
    return struct.pack("<I", len(text)) + text.encode() + b"\0"


def field(code, kind, text):
    return struct.pack("<BB", code, 1) + kind.encode() + b"\0" + string(text)


def call(serial, name, path, interface, member, signature="", body=b""):
    fields = [field(1, "o", path), field(6, "s", name), field(2, "s", interface), field(3, "s", member)]
    if signature:
        fields.append(struct.pack("<BB", 8, 1) + b"g\0" + struct.pack("<B", len(signature)) + signature.encode() + b"\0")
    # The padding before each is counted, and not that behind the last.
    array = b"".join(map(pad, fields[:-1])) + fields[-1]
    return pad(struct.pack("<BBBBIII", ord("l"), 1, 0, 1, len(body), serial, len(array)) + array) + body


def main():
    path, name, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
    bus = socket.socket(socket.AF_UNIX)
    bus.connect(path)
    bus.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\nBEGIN\r\n")
    bus.sendall(call(1, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"))
    bus.settimeout(5)
    try:
        for serial in range(2, calls + 2):
            bus.sendall(call(serial, name, "/org/vmherald/Domains1", name + ".Manager", "ListDomains", "a{sv}",
                             struct.pack("<II", 0, 0)))
    except TimeoutError:
        pass
    print("sent", flush=True)
    sys.stdin.read()
    bus.close()


if __name__ == "__main__":
    main()
