#!/usr/bin/python3 -IS
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who measures would notice: a signal that is missing or out of order. And who is measured against says what he is told to
say."""
import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import time
import unittest

from gi.repository import GLib

import buses
import harness
import stage
import storm
from client import Connection
from listening import Subscriber

STALL = 1                            # seconds, in the case that is about it


class Listening(unittest.TestCase):
    def setUp(self):
        self.connection = Connection()
        self.addCleanup(self.connection.close)

    def emit(self, *numbers, path="/org/vmherald/Domains1/domain/_1"):
        for number in numbers:
            stamp = (number + 1, number, time.time_ns() // 1000)
            self.connection.bus.emit_signal(None, path, f"{harness.NAME}.Guest", "RtcChanged",
                                            GLib.Variant("(sx(ttt)a{sv})", ("/rtc", number, stamp, {})))
        self.connection.bus.flush_sync(None)

    def test_complete(self):
        with Subscriber(3000, latency=True) as subscriber:
            stage.run("bare-emitter", 1000, *(f"{harness.PATH}/domain/_{number}" for number in range(3)))
            heard = subscriber.heard()
        self.assertEqual((3000, 0, 3, 3000), (heard["received"], heard["disordered"], heard["paths"],
                                              len(heard["latency"])))
        self.assertGreater(heard["last"], heard["first"])
        self.assertGreaterEqual(min(heard["latency"]), 0)

    def test_missing(self):
        with Subscriber(4) as subscriber:
            self.emit(0, 1, 3, 4)
            with self.assertRaisesRegex(AssertionError, "1 of 4 signals were out of order"):
                subscriber.heard()

    def test_out_of_order(self):
        with Subscriber(4) as subscriber:
            self.emit(0, 2, 1, 3)
            with self.assertRaisesRegex(AssertionError, "3 of 4 signals were out of order"):
                subscriber.heard()

    def test_missing_at_the_end(self):
        with Subscriber(4, stall=STALL) as subscriber:
            self.emit(0, 1, 2)
            with self.assertRaisesRegex(AssertionError, "1 of 4 signals were lost"):
                subscriber.heard()

    def test_rule(self):
        with Subscriber(2, "type='signal',path='/org/vmherald/Domains1/domain/_2'") as subscriber:
            self.emit(0, 1, 2)
            self.emit(0, 1, path="/org/vmherald/Domains1/domain/_2")
            self.assertEqual(1, subscriber.heard()["paths"])


class Bus(unittest.TestCase):
    """What a bus says is told, but for what is expected of root's dbus-daemon."""
    EXPECTED = ("dbus-daemon[1]: [session uid=0 pid=1] org.freedesktop.DBus.Error.AccessDenied: "
                "Failed to set fd limit to 65536: Operation not permitted\n")

    def test_expected(self):
        other = self.EXPECTED.replace("Operation not permitted", "Invalid argument")
        self.assertEqual(f"one\n{other}", buses.unexpected(f"{self.EXPECTED}one\n{self.EXPECTED}{other}"))

    def test_told(self):
        with contextlib.redirect_stderr(io.StringIO()) as told:
            bus = buses.Daemon()
            with open(bus.log, "a", encoding="utf-8") as log:
                log.write("it says\n")
            bus.close()
        self.assertEqual("it says\n", told.getvalue())

    def test_cannot_start(self):
        with contextlib.redirect_stderr(io.StringIO()) as told:
            with self.assertRaisesRegex(AssertionError, "dbus-daemon ended with status 1"):
                buses.Daemon(max_outgoing_bytes="much")
        self.assertIn("max_outgoing_bytes", told.getvalue())


class StormQemu(unittest.TestCase):
    def setUp(self):
        path = os.path.join(harness.folder(), "storm-monitor")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            descriptor = listener.fileno()
            self.process = subprocess.Popen(
                [stage.program("storm-qemu"), "-name", "guest=a,debug-threads=on", "-uuid", "u", "-chardev",
                 f"socket,id=vmherald-monitor,fd={descriptor},server=on,wait=off"],
                stdin=subprocess.DEVNULL, pass_fds=[descriptor])
        self.addCleanup(self.end)
        self.connect(path)
        self.addCleanup(os.unlink, path)
        self.path = path

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def connect(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(stage.SECONDS)
        self.socket.connect(path)
        self.stream = self.socket.makefile("rb")
        self.addCleanup(self.stream.close)
        self.assertIn("QMP", self.read())
        self.execute("qmp_capabilities")

    def read(self):
        return json.loads(self.stream.readline())

    def execute(self, command, **arguments):
        self.socket.sendall(json.dumps({"id": 7, "execute": command, "arguments": arguments}).encode() + b"\n")
        reply = self.read()
        self.assertEqual(7, reply["id"])
        return reply.get("return", reply.get("error"))

    def test_answers(self):
        self.assertEqual({"name": "a"}, self.execute("query-name"))
        self.assertEqual({"UUID": "u"}, self.execute("query-uuid"))
        self.assertEqual("CommandNotFound", self.execute("query-spice")["class"])
        self.assertEqual({}, self.execute("system_wakeup", text='}"execute": "quit"\\'))

    def test_storm(self):
        count = 50000                # more than the socket takes
        before = time.time_ns() // 1000
        self.execute("x-storm", first=5, count=count, kind="rtc")
        for number in range(5, 5 + count):
            event = self.read()
            self.assertEqual(("RTC_CHANGE", {"offset": number, "qom-path": "/rtc"}), (event["event"], event["data"]))
            stamp = event["timestamp"]
            now = stamp["seconds"] * 1000000 + stamp["microseconds"]
            self.assertLessEqual(before, now)
            before = now
        self.assertLessEqual(before, time.time_ns() // 1000)
        self.assertEqual({"left": 0}, self.execute("x-storm-left"))

    def test_mixed(self):
        self.execute("x-storm", first=0, count=8, kind="mixed")
        for number in range(8):
            wanted = json.loads(storm.EVENTS[number % len(storm.EVENTS)] % number)
            event = self.read()
            self.assertEqual((wanted["event"], wanted["data"]), (event["event"], event["data"]))

    def test_pace(self):
        """Never early: the schedule is by the monotonic clock, so that is what can be said of it."""
        began = time.monotonic()
        self.execute("x-pace", first=0, count=20, **{"interval-us": 5000})
        for number in range(20):
            self.assertEqual(number, self.read()["data"]["offset"])
            self.assertGreaterEqual(time.monotonic() - began, 0.005 * (number + 1))

    def test_says_nothing_to_nobody(self):
        """And goes on with the next one."""
        self.execute("x-pace", first=0, count=5, **{"interval-us": 60000000})
        self.stream.close()
        self.socket.close()
        self.connect(self.path)
        self.assertEqual({"left": 5}, self.execute("x-storm-left"))

    def test_terminated(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual({"guest": False, "reason": "host-signal"}, self.read()["data"])
        self.assertEqual(b"", self.stream.readline())
        self.assertEqual(0, self.process.wait())


if __name__ == "__main__":
    harness.main()
