# SPDX-License-Identifier: LGPL-2.1-or-later
"""The installed service with a journal: the test listens in its place, and reads what comes as the
journal's protocol says."""
import os
import re
import signal
import socket
import struct
import threading

import harness
import life
from harness import wait_until

CATALOG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data",
                       "vmherald.catalog")
IDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "base", "log.c")


def parse(datagram):
    """Name -> value. A name that is there twice fails."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", rest[:8])
            value, datagram = rest[8:8 + size], rest[8 + size + 1:]
            assert rest[8 + size:8 + size + 1] == b"\n"
        else:
            datagram = rest
        assert name.decode() not in fields, name
        fields[name.decode()] = value.decode()
    return fields


def ids():
    with open(IDS, encoding="utf-8") as file:
        return dict(re.findall(r'\[LOG_ID_(\w+)\] = \{ "([^"]+)"', file.read()))


def catalogue():
    with open(CATALOG, encoding="utf-8") as file:
        blocks = re.split(r"^-- ", file.read(), flags=re.MULTILINE)[1:]
    return {block[:32]: block for block in blocks}


class Journal:
    """Takes records as they come: the queue of such a socket is short, and who is too slow gets a
    count of what he missed, as the real one would."""

    def __init__(self):
        self.records = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.join(harness.folder(), "journal"))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            self.records.append(parse(self.socket.recv(1 << 20)))

    def find(self, name, since=0, **fields):
        return [record for record in self.records[since:]
                if record.get("MESSAGE_ID") == ids()[name] and
                all(record.get(f"VMHERALD_{key}") == value for key, value in fields.items())]

    def wait(self, name, since=0, **fields):
        wait_until(lambda: self.find(name, since, **fields), f"the record {name}")
        return self.find(name, since, **fields)[0]


JOURNAL = None


class Records(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.journal = JOURNAL
        self.since = len(self.journal.records)

    def tearDown(self):
        super().tearDown()
        explained = catalogue()
        for record in self.journal.records[self.since:]:
            if "MESSAGE_ID" in record:
                for name in re.findall(r"@(\w+)@", explained[record["MESSAGE_ID"]]):
                    self.assertIn(name, record)

    def wait(self, name, **fields):
        return self.journal.wait(name, self.since, **fields)

    def check(self, record, domain, event):
        """A record about a signal: each is found by the other."""
        self.assertEqual((domain.name, domain.get("Domain", "UUID")),
                         (record["VMHERALD_DOMAIN"], record["VMHERALD_UUID"]))
        self.assertEqual(event.arguments[:3], tuple(record[f"VMHERALD_{name}"] for name in
                                                    ("EVENT", "REASON", "STATE")))
        self.assertEqual(str(event.sequence), record["VMHERALD_SEQUENCE"])
        self.assertEqual("vmherald", record["SYSLOG_IDENTIFIER"])
        self.assertTrue(record["MESSAGE"].startswith(f"Domain '{domain.name}': "))
        self.assertRegex(record["CODE_FILE"], r"driver-records\.c$")

    def test_life(self):
        domain = self.define("recorded", machine="none")
        self.check(self.wait("DEFINED"), domain, self.wait_life(domain, "defined"))
        domain.start()
        self.check(self.wait("STARTING"), domain, self.wait_life(domain, "starting"))
        started = self.wait("STARTED")
        self.check(started, domain, self.wait_life(domain, "started"))
        self.assertEqual(("5", "1"), (started["PRIORITY"], started["VMHERALD_INCARNATION"]))
        domain.call("Domain", "Suspend")
        self.check(self.wait("SUSPENDED"), domain, self.wait_life(domain, "suspended"))
        domain.call("Domain", "Resume")
        self.check(self.wait("RESUMED"), domain, self.wait_life(domain, "resumed"))
        domain.destroy()
        self.check(self.wait("STOPPED"), domain, self.wait_life(domain, "stopped"))
        domain.start()
        self.wait("STARTED", INCARNATION="2")
        os.kill(domain.get("Domain", "PID"), signal.SIGSEGV)
        failed = self.wait("FAILED")
        self.assertEqual(("4", "failed", "SEGV"), (failed["PRIORITY"], failed["VMHERALD_REASON"],
                                                   failed["VMHERALD_DETAIL_SIGNAL"]))
        self.assertTrue(failed["MESSAGE"].endswith("stopped (failed), by signal SEGV"))
        domain.undefine()
        self.wait("UNDEFINED")

    def test_start_fails(self):
        domain = self.define("refused", arguments=["-device", "nope"])
        text = self.assert_fails("StartFailed", domain.start)
        record = self.wait("START_FAILED")
        self.assertTrue(text.endswith(record["VMHERALD_ERROR"]), text)
        self.assertIn("nope", record["VMHERALD_DETAIL_STDERR"])
        self.assertIn("nope", record["MESSAGE"])
        self.assertEqual("refused", record["VMHERALD_DOMAIN"])

    def test_definition_problem(self):
        os.makedirs(life.definitions_folder(), exist_ok=True)
        path = os.path.join(life.definitions_folder(), "bad.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"name": "bad", "colour": "red"}')
        self.addCleanup(os.unlink, path)
        self.connection.kill_service()
        self.connection.managed_objects()
        record = self.wait("DEFINITION_PROBLEM")
        self.assertEqual("4", record["PRIORITY"])
        self.assertIn(path, record["VMHERALD_ERROR"])
        self.assertIn("colour", record["MESSAGE"])
        self.wait("SERVICE_READY")

    def test_monitor_lost(self):
        domain = self.define("stopped", machine="none")
        domain.start()
        pid = domain.get("Domain", "PID")
        self.connection.kill_service()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        self.connection.managed_objects()
        lost = self.wait("MONITOR_LOST", DOMAIN="stopped")
        self.assertEqual(("no-answer", "unknown", "1"),
                         tuple(lost[f"VMHERALD_{name}"] for name in ("REASON", "STATE", "INCARNATION")))
        os.kill(pid, signal.SIGCONT)
        back = self.wait("RESYNCHRONIZED", DOMAIN="stopped")
        self.assertEqual("running", back["VMHERALD_STATE"])

    def test_level(self):
        """What LogControl1 says holds here too, and a journal that went is no harm."""
        path, interface = "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"
        level = lambda value: self.connection.set(path, interface, "LogLevel",
                                                  harness.GLib.Variant("s", value))
        self.assertEqual("journal", self.connection.get(path, interface, "LogTarget"))
        level("warning")
        self.addCleanup(level, "info")
        domain = self.define("hushed", machine="none")
        domain.start()
        level("info")
        domain.destroy()
        self.wait("STOPPED", DOMAIN="hushed")
        self.assertEqual([], self.journal.find("STARTED", self.since, DOMAIN="hushed"))
        self.assertNotIn("hushed", life.service_log())


if __name__ == "__main__":
    if harness.FOLDER_VARIABLE in os.environ:
        JOURNAL = Journal()
    harness.main("--log-target=journal", "--journal-socket={folder}/journal")
