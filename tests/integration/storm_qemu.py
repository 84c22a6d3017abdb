#!/usr/bin/python3 -IS
# SPDX-License-Identifier: LGPL-2.1-or-later
"""In the part of QEMU: says events as fast as somebody reads them. It is the emulator of a domain, as
replay_qemu.py is, of a recording in which there is nothing.

    x-storm {"first": N, "count": M}    returns {}, and then M events follow, the first with number N in it
    x-storm-left                        returns {"left": N}, those that were not said yet

Each event has its number, and its kind by it (storm.py says which is which). While nobody is connected it says
none: an event that comes of that is one that was written to a connection."""
import os
import select
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True
import replay_qemu                                                                # noqa: E402
from storm import EVENTS                                                          # noqa: E402

CHUNK = 500                              # events at once


class Storm(replay_qemu.Machine):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.next_number = self.end = 0
        self.negotiated = False

    def drop(self):
        super().drop()
        self.negotiated = False

    def storm(self, arguments):
        self.next_number = arguments["first"]
        self.end = self.next_number + arguments["count"]
        return {}

    def handle(self, line):
        """As QEMU's parser: a byte that is in no JSON text ends what has come of a command."""
        _before, reset, line = line.rpartition(b"\xff")
        if reset:
            self.send({"error": {"class": "GenericError", "desc": "JSON parse error"}})
        super().handle(line)

    def execute(self, name, arguments):
        if name == "x-storm":
            return self.storm(arguments)
        if name == "x-storm-left":
            return {"left": self.end - self.next_number}
        if name == "query-version":
            return replay_qemu.GREETING["QMP"]["version"]
        if name == "qmp_capabilities":
            self.negotiated = True
        return super().execute(name, arguments)

    def blow(self):
        """The rest of what was begun when the other end went away is lost."""
        numbers = range(self.next_number, min(self.next_number + CHUNK, self.end))
        self.next_number = numbers.stop
        text = "".join(EVENTS[n % len(EVENTS)] % n for n in numbers)
        try:
            self.connection.sendall(text.encode())
        except OSError:
            self.drop()

    def wait(self, descriptors):
        """As QEMU, it outlives the service."""
        terminated, _parent, monitor = descriptors
        busy = self.negotiated and self.next_number < self.end
        ready = select.select([terminated, monitor], [], [], 0 if busy else None)[0]
        if not ready:
            self.blow()
        return ready


if __name__ == "__main__":
    replay_qemu.main(Storm)
