# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes QEMUs say events, by a second monitor of each, and counts what each says: the witness of a storm, in the machine.

    inside_storm.py SECONDS SOCKET...

stops and continues all of them in turns, as fast as they answer, until SECONDS are over, and prints as JSON what each has said:
socket -> list of "suspended" and "resumed"."""
import json
import socket
import sys
import threading
import time

TOLD = {"STOP": "suspended", "RESUME": "resumed"}


class Monitor:
    def __init__(self, path):
        self.path = path
        self.told = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw", encoding="utf-8")
        self.file.readline()                     # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command):
        self.file.write(json.dumps({"execute": command}) + "\n")
        self.file.flush()
        while True:
            message = json.loads(self.file.readline())
            if "event" in message:
                if message["event"] in TOLD:
                    self.told.append(TOLD[message["event"]])
            else:
                return message

    def storm(self, end):
        while time.monotonic() < end:
            self.execute("stop")
            self.execute("cont")
        # QEMU says events and answers in order: with this one, all have been read.
        self.execute("query-status")


def main():
    end = time.monotonic() + float(sys.argv[1])
    monitors = [Monitor(path) for path in sys.argv[2:]]
    threads = [threading.Thread(target=monitor.storm, args=(end,)) for monitor in monitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({monitor.path: monitor.told for monitor in monitors}))


if __name__ == "__main__":
    main()
