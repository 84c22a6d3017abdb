#!/usr/bin/python3 -IS
# SPDX-License-Identifier: LGPL-2.1-or-later
"""In the part of QEMU: says again what a recording of one says (tests/data/recordings).

It is the emulator of a domain, and takes the command line that the service makes. The definition's
arguments end in "-replay RECORDING". A recording has one object a line:

    {"t": 0.5, "dir": ">", "msg": {...}}    what was sent to QEMU
    {"t": 0.5, "dir": "<", "msg": {...}}    what QEMU said
    {"note": ...} {"guest": ...} {"ctrl": ...}    what else happened; of no interest here

Nothing is played by itself: who plays gives a command for each step, by Monitor.Execute, so that the
service is done with one event before it hears the next, and everything it asks is answered out of the
same place of the recording, however fast this machine is.

    x-replay-next                    plays the next event, unchanged; returns {"event": NAME, "left": N}
    x-replay-sync {"asked": BOOL}    returns {}; with "asked" only when query-rx-filter has come since
                                     the last event was played
    x-replay-end                     ends as QEMU does: exit(0), with no reply

The place in the recording is always right before the next event: the replies recorded up to there are
known, also that to a question during which the event before came (macvtap-e2e). query-... and qom-get,
qom-list are answered with the last of those, as they were for the same arguments; if a command was
recorded with one set of arguments only, that one serves for any. A recorded refusal is one here too, and
what was never answered is CommandNotFound. A NIC's filter is the last that any query-rx-filter returned.
query-status and the list of the devices are known without a recording, as any QEMU knows them. All else
is accepted: {}.

A recording may begin when its monitor was connected long since (event-guest_balloon, -guest_dimm,
-guest_virtio_mem): there it greets as the others do. It may have more than one greeting: the recorder left
and connected again (rxfilter-qtest-arming). That is a step: the connection is closed behind the reply, and
the next one, which is the service's when it connects again, is greeted with the second greeting. A
destination of a migration (event-migration_two_dst) and a source differ in nothing but their events.

What is said here and not in the recording (RESUME for `cont`, SHUTDOWN for `quit` and SIGTERM) has a time
right behind that of the event before it. It ends with its parent."""
import json
import os
import select
import signal
import socket
import sys

GREETING = {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},
                    "capabilities": ["oob"]}}
START = 1700000000                                       # before any recording
RUN_STATES = {"RESUME": "running", "WAKEUP": "running", "SUSPEND": "suspended"}
STOP_REASONS = {("WATCHDOG", "pause"): "watchdog", ("BLOCK_IO_ERROR", "stop"): "io-error",
                ("GUEST_PANICKED", "pause"): "guest-panicked"}


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["desc"])
        self.error = error


def key_of(arguments):
    return json.dumps(arguments or {}, sort_keys=True)


class Recording:
    """What QEMU said, in order: steps are greetings and events; in between, answers and run states become
    known."""

    def __init__(self, path):
        self.entries = []                # ("greeting" | "event", message) or ("reply", command, reply)
        commands = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                message = record.get("msg", {})
                if record.get("dir") == ">":
                    commands[message["id"]] = message
                elif "QMP" in message:
                    self.entries.append(("greeting", message))
                elif "event" in message:
                    self.entries.append(("event", message))
                elif "id" in message:
                    self.entries.append(("reply", commands.pop(message["id"]), message))
        self.place = 0
        self.answers = {}                # command -> key_of(arguments) -> reply
        self.status = {"status": "prelaunch", "singlestep": False, "running": False}
        self.stop_reason = "paused"
        self.devices = {}                # id -> driver
        self.filters = {}                # NIC -> its filter, whatever the query was
        self.greeting = GREETING
        if self.entries and self.entries[0][0] == "greeting":
            self.greeting = self.entries[0][1]
            self.place = 1
        self._know()

    def left(self):
        return sum(entry[0] != "reply" for entry in self.entries[self.place:])

    def next(self):
        """The next greeting or event."""
        kind, message = self.entries[self.place]
        self.place += 1
        if kind == "greeting":
            self.greeting = message
        else:
            self.note_event(message)
        self._know()
        return kind, message

    def set_status(self, status):
        self.status = {"status": status, "singlestep": False, "running": status == "running"}

    def note_event(self, message):
        """What it means for the run state; a recorded query-status knows better."""
        name, data = message["event"], message.get("data")
        action = data.get("action") if isinstance(data, dict) else None
        if name == "STOP":
            self.set_status(self.stop_reason)
            self.stop_reason = "paused"
        elif name == "SHUTDOWN":
            self.stop_reason = "shutdown"
        elif name == "RESET" and not self.status["running"]:
            self.set_status("prelaunch")
        elif name in RUN_STATES:
            self.set_status(RUN_STATES[name])
        elif (name, action) in STOP_REASONS:
            self.stop_reason = STOP_REASONS[name, action]

    def _know(self):
        """Up to the next event: answers."""
        while self.place < len(self.entries) and self.entries[self.place][0] == "reply":
            _, command, reply = self.entries[self.place]
            self.place += 1
            name, arguments = command["execute"], command.get("arguments", {})
            self.answers.setdefault(name, {})[key_of(arguments)] = reply
            if name == "query-status":
                self.status = reply["return"]
            elif name == "query-rx-filter" and "return" in reply:
                self.filters.update((each["name"], each) for each in reply["return"])
            elif name == "device_add" and "return" in reply and "id" in arguments:
                self.devices[arguments["id"]] = arguments["driver"]

    def answer(self, name, arguments):
        known = self.answers.get(name, {})
        reply = known.get(key_of(arguments))
        if reply is None and len(known) == 1 and not name.startswith("qom-"):
            reply, = known.values()
        if reply is None:
            raise Refused({"class": "CommandNotFound",
                           "desc": f"The command {name} has not been found"})
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["return"]


class Machine:
    def __init__(self, recording, listener):
        self.recording = recording
        self.listener = listener
        self.connection = None
        self.input = b""
        self.time = {"seconds": START, "microseconds": 0}
        self.asked = False               # query-rx-filter, since the last event
        self.sync = None                 # id of an x-replay-sync that waits for that
        self.hang_up = False             # behind the reply that is due

    # ---- what it says ----

    def send(self, message):
        if self.connection:
            try:
                self.connection.sendall(json.dumps(message).encode() + b"\r\n")
            except OSError:
                self.drop()

    def drop(self):
        self.connection.close()
        self.connection = None
        self.input = b""

    def emit(self, name, **data):
        """An event that is in no recording."""
        message = {"timestamp": {"seconds": self.time["seconds"],
                                 "microseconds": self.time["microseconds"] + 1}, "event": name}
        if data:
            message["data"] = data
        self.recording.note_event(message)
        self.send(message)

    def note_time(self, message):
        """A written recording may have one with a time that is none."""
        time = message.get("timestamp", {})
        if all(isinstance(time.get(key), int) and time[key] >= 0
               for key in ("seconds", "microseconds")):
            self.time = time

    def leave(self):
        if self.connection:
            self.connection.close()
        os._exit(0)

    # ---- commands; as of QEMU, events come before the reply ----

    def cont(self, _arguments):
        if not self.recording.status["running"]:
            self.emit("RESUME")
        return {}

    def stop(self, _arguments):
        if self.recording.status["running"]:
            self.emit("STOP")
        return {}

    def system_reset(self, _arguments):
        self.emit("RESET", guest=False, reason="host-qmp-system-reset")
        return {}

    def system_powerdown(self, _arguments):
        self.emit("POWERDOWN")
        return {}

    def system_wakeup(self, _arguments):
        self.emit("WAKEUP")
        return {}

    def query_status(self, _arguments):
        return self.recording.status

    def qom_list(self, arguments):
        try:
            return self.recording.answer("qom-list", arguments)
        except Refused:
            if arguments.get("path") != "/machine/peripheral":
                raise
        return [{"name": "type", "type": "string"}] + [
            {"name": name, "type": f"child<{driver}>"}
            for name, driver in self.recording.devices.items()]

    def query_rx_filter(self, arguments):
        self.asked = True
        found = [each for each in self.recording.filters.values()
                 if arguments.get("name", each["name"]) == each["name"]]
        return found or self.recording.answer("query-rx-filter", arguments)

    def next(self, _arguments):
        kind, message = self.recording.next()
        if kind == "greeting":
            self.hang_up = True
        else:
            self.asked = False
            self.note_time(message)
            self.send(message)
        return {"event": message.get("event", ""), "left": self.recording.left()}

    COMMANDS = {"cont": cont, "stop": stop, "system_reset": system_reset,
                "system_powerdown": system_powerdown, "system_wakeup": system_wakeup,
                "query-status": query_status, "qom-list": qom_list,
                "query-rx-filter": query_rx_filter, "x-replay-next": next}

    def execute(self, name, arguments):
        if name in self.COMMANDS:
            return self.COMMANDS[name](self, arguments)
        if name.startswith("query-") or name == "qom-get":
            return self.recording.answer(name, arguments)
        return {}

    def reply(self, command_id, **outcome):
        self.send({"id": command_id, **outcome})
        if self.hang_up and self.connection:
            self.hang_up = False
            self.drop()

    def handle(self, line):
        command = json.loads(line)
        name, arguments, command_id = (command["execute"], command.get("arguments", {}),
                                       command["id"])
        if name == "quit":
            self.emit("SHUTDOWN", guest=False, reason="host-qmp-quit")
            self.reply(command_id, **{"return": {}})
            self.leave()
        if name == "x-replay-end":
            self.leave()
        if name == "x-replay-sync" and arguments.get("asked") and not self.asked:
            self.sync = command_id
            return
        try:
            self.reply(command_id, **{"return": self.execute(name, arguments)})
        except Refused as refused:
            self.reply(command_id, error=refused.error)
        if self.asked and self.sync is not None:
            self.reply(self.sync, **{"return": {}})
            self.sync = None

    # ---- the loop ----

    def accept(self):
        try:
            self.connection, _ = self.listener.accept()
        except BlockingIOError:
            return
        self.connection.setblocking(True)
        self.send(self.recording.greeting)

    def read(self):
        try:
            data = self.connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.drop()
            return
        *lines, self.input = (self.input + data).split(b"\n")
        for line in lines:
            if self.connection:
                self.handle(line)

    def wait(self, descriptors):
        return select.select(descriptors, [], [])[0]

    def run(self):
        terminated, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(wake)
        parent = os.pidfd_open(os.getppid())
        while True:
            ready = self.wait([terminated, parent, self.connection or self.listener])
            if parent in ready:
                self.leave()
            if terminated in ready:
                self.emit("SHUTDOWN", guest=False, reason="host-signal")
                self.leave()
            if self.connection in ready:
                self.read()
            elif self.listener in ready:
                self.accept()


def main(machine=Machine):
    listener = recording = None
    for option, value in zip(sys.argv, sys.argv[1:]):
        if option == "-replay":
            recording = Recording(value)
        elif option == "-pidfile":
            with open(value, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        elif option == "-chardev" and value.startswith("socket,id=vmherald-monitor,"):
            values = dict(part.partition("=")[::2] for part in value.split(","))
            listener = socket.socket(fileno=int(values["fd"]))
    if not listener or not recording:
        sys.exit("replay_qemu.py: no monitor, or no -replay RECORDING")
    machine(recording, listener).run()


if __name__ == "__main__":
    main()
