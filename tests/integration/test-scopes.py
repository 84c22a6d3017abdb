# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each QEMU in a scope of systemd's, which is played here; and what becomes of a start when it refuses, says nothing,
or is not there."""
import json
import os
import subprocess
import uuid

import harness
import life
from harness import wait_until
from systemd import ACCESS_DENIED, Machined, Systemd

LIMITS = {"memory-max": "1G", "cpu-weight": 200, "tasks-max": 50}
LIMIT_PROPERTIES = {"MemoryMax": 1 << 30, "CPUWeight": 200, "TasksMax": 50}


class Whole(life.LifeCase):
    """The service, started by the session's bus."""

    def play(self):
        systemd = Systemd()
        self.addCleanup(systemd.close)
        return systemd

    def test_life_of_a_scope(self):
        systemd = self.play()
        domain = self.define("web-1", machine="none", resources=LIMITS)
        self.assertEqual("", domain.get("Domain", "Unit"))
        since = self.mark()
        domain.start()
        self.assertEqual(["vmherald-web-1.scope"], list(systemd.units))
        unit = systemd.units["vmherald-web-1.scope"]
        self.assertEqual([domain.get("Domain", "PID")], unit["PIDs"])
        # It was nothing but a child that waits.
        self.assertEqual("vmherald-launcher", os.path.basename(unit["exe"]))
        self.assertEqual("Virtual machine web-1", unit["Description"])
        self.assertEqual("inactive-or-failed", unit["CollectMode"])
        self.assertEqual(["vmherald-guests.target"], unit["Before"])
        self.assertEqual(LIMIT_PROPERTIES, {key: unit[key] for key in LIMIT_PROPERTIES})
        # The user's manager puts it where it puts programs, and has no mounts to wait for.
        self.assertNotIn("Slice", unit)
        self.assertNotIn("After", unit)
        self.assertEqual("vmherald-web-1.scope", domain.get("Domain", "Unit"))
        self.recorder.wait_property("Domain", "Unit", "vmherald-web-1.scope", path=domain.path, since=since)
        # Over a kill of the service: remembered, not asked for again.
        self.connection.kill_service()
        self.assertEqual("vmherald-web-1.scope", domain.get("Domain", "Unit"))
        since = self.mark()
        domain.destroy()
        self.assertEqual("", domain.get("Domain", "Unit"))
        self.recorder.wait_property("Domain", "Unit", "", path=domain.path, since=since)
        self.assertEqual(["Subscribe", "StartTransientUnit"], systemd.members())

    def test_no_limits(self):
        systemd = self.play()
        self.define("plain", machine="none").start()
        unit = systemd.units["vmherald-plain.scope"]
        self.assertEqual(set(), set(LIMIT_PROPERTIES) & set(unit))

    def test_refused(self):
        """Without limits it goes on, with them it does not, and leaves nothing behind."""
        systemd = self.play()
        systemd.refusal = ("org.freedesktop.systemd1.ScopeRefused", "no more today")
        domain = self.define("free", machine="none")
        domain.start()
        self.assertEqual("running", domain.state)
        self.assertEqual("", domain.get("Domain", "Unit"))
        limited = self.define("limited", machine="none", resources={"tasks-max": 10})
        text = self.assert_fails("StartFailed", limited.start)
        self.assertIn("vmherald-limited.scope", text)
        self.assertIn("no more today", text)
        self.assertEqual("shut-off", limited.state)
        systemd.refusal = (ACCESS_DENIED, "not you")
        self.assertIn("not you", self.assert_fails("NotPermitted", limited.start))
        systemd.refusal = None
        limited.start()
        self.assertEqual("vmherald-limited.scope", limited.get("Domain", "Unit"))

    def test_started_again_at_once(self):
        """The scope of the run before has not gone yet."""
        systemd = self.play()
        domain = self.define("again", machine="none")
        domain.start()
        domain.destroy()
        systemd.taken.add("vmherald-again.scope")
        systemd.leaving.add("vmherald-again.scope")
        domain.start()
        self.assertEqual("vmherald-again.scope", domain.get("Domain", "Unit"))

    def test_many_at_once(self):
        systemd = self.play()
        domains = [self.define(f"d{n}", machine="none") for n in range(6)]
        pending = [self.connection.send(domain.path, f"{harness.NAME}.Domain", "Start", "(a{sv})", {})
                   for domain in domains]
        for call in pending:
            call.result()
        self.assertEqual({f"vmherald-d{n}.scope" for n in range(6)}, set(systemd.units))
        self.assertEqual({d.get("Domain", "PID") for d in domains},
                         {unit["PIDs"][0] for unit in systemd.units.values()})

    def test_no_systemd(self):
        """As without it, whatever the definition wants; told once."""
        for name in ("one", "two"):
            domain = self.define(name, machine="none", resources=LIMITS)
            domain.start()
            self.assertEqual("", domain.get("Domain", "Unit"))
        with open(os.path.join(harness.folder(), "service.log"), encoding="utf-8") as log:
            told = log.read().count("There is no systemd on the session bus")
        # By each service that the cases above have had, too.
        self.assertIn(told, (1, 2, 3))


class Alone(harness.unittest.TestCase):
    """What a worker does, by itself: on both buses, with a time-out that can be waited for."""

    def setUp(self):
        self.process = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.systemd = Systemd()
        self.addCleanup(self.systemd.close)

    def place(self, *names, bus="system", timeout=60000, **keys):
        """The lines that were written, and the records."""
        address = os.environ["DBUS_SESSION_BUS_ADDRESS"]
        self.uuids = [str(uuid.uuid4()) for _ in names]
        definitions = [json.dumps({"name": name, "uuid": identity, **keys})
                       for name, identity in zip(names, self.uuids)]
        maker = subprocess.Popen(
            [os.path.join(os.environ["VMHERALD_BUILD"], "tests/service/scope-maker"), bus, str(timeout),
             str(self.process.pid), *definitions], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=address, G_MESSAGES_DEBUG="all"))
        wait_until(lambda: maker.poll() is not None, "the worker")
        out, records = maker.communicate()
        self.assertEqual(0, maker.returncode, records)
        return out.splitlines(), records

    def test_system(self):
        lines, _ = self.place("web1", resources=LIMITS)
        self.assertEqual(["unit vmherald-web1.scope"], lines)
        unit = self.systemd.units["vmherald-web1.scope"]
        self.assertEqual("machine.slice", unit["Slice"])
        self.assertEqual(["local-fs.target", "remote-fs.target", "network.target"], unit["After"])
        self.assertEqual(LIMIT_PROPERTIES, {key: unit[key] for key in LIMIT_PROPERTIES})
        self.assertEqual([self.process.pid], unit["PIDs"])

    def test_silence(self):
        """Neither an answer to the call, nor the end of the job."""
        for case in ("Subscribe", "StartTransientUnit", "job"):
            with self.subTest(silent=case):
                self.systemd.silent = {case}
                self.systemd.result = None
                lines, records = self.place("a", timeout=300)
                self.assertEqual(["nowhere"], lines)
                self.assertIn("no answer within 300 ms", records)
                lines, _ = self.place("a", timeout=300, resources=LIMITS)
                self.assertRegex(lines[0], f"^error {harness.ERROR}StartFailed .*vmherald-a.scope.*no answer within 300 ms")

    def test_job_fails(self):
        self.systemd.result = "dependency"
        lines, records = self.place("a")
        self.assertEqual(["nowhere"], lines)
        self.assertIn("'dependency'", records)
        lines, _ = self.place("a", resources=LIMITS)
        self.assertRegex(lines[0], f"^error {harness.ERROR}StartFailed .*'dependency'")

    def test_forbidden(self):
        self.systemd.refusal = (ACCESS_DENIED, "not you")
        lines, _ = self.place("a", resources=LIMITS)
        self.assertRegex(lines[0], f"^error {harness.ERROR}NotPermitted .*not you")

    def test_name_is_taken(self):
        """By a scope that stays: another name, when the time to leave is over."""
        self.systemd.taken.add("vmherald-a.scope")
        lines, _ = self.place("a")
        self.assertEqual([f"unit vmherald-a:{self.process.pid}.scope"], lines)
        # And if that one is taken too, nothing is guessed.
        self.systemd.taken.add(f"vmherald-a:{self.process.pid}.scope")
        lines, records = self.place("a")
        self.assertEqual(["nowhere"], lines)
        self.assertIn("already loaded", records)

    def test_absent(self):
        self.systemd.close()
        for bus in ("session", "system"):
            lines, records = self.place("a", "b", bus=bus, resources=LIMITS)
            self.assertEqual(["nowhere", "nowhere"], lines)
            self.assertEqual(1, records.count(f"There is no systemd on the {bus} bus"))

    # ---- systemd-machined ----

    def machined(self):
        machined = Machined()
        self.addCleanup(machined.close)
        return machined

    def test_machine(self):
        machined = self.machined()
        lines, _ = self.place("web1", "my_vm+2")
        self.assertEqual(["unit vmherald-web1.scope", "unit vmherald-my_vm\\x2b2.scope"], lines)
        self.assertEqual(["web1", "my-vm-2"], list(machined.machines))
        identity, service, kind, leader, root = machined.machines["web1"]
        self.assertEqual(uuid.UUID(self.uuids[0]).bytes, bytes(identity))
        self.assertEqual(("vmherald", "vm", self.process.pid, ""), (service, kind, leader, root))

    def test_machine_is_taken(self):
        machined = self.machined()
        machined.taken.add("web1")
        lines, _ = self.place("web1")
        # That machine may be the one of an earlier run, whose scope machined is about to stop by its name.
        self.assertEqual([f"unit vmherald-web1:{self.process.pid}.scope"], lines)
        self.assertEqual([f"web1-{self.uuids[0][:8]}"], list(machined.machines))

    def test_machine_is_refused(self):
        """Told, and no more; and one that does not answer is not waited for."""
        machined = self.machined()
        machined.refusal = (ACCESS_DENIED, "no machines here")
        lines, records = self.place("a", resources=LIMITS)
        self.assertEqual(["unit vmherald-a.scope"], lines)
        self.assertIn("no machines here", records)
        machined.refusal = None
        machined.silent = {"RegisterMachine"}
        lines, records = self.place("a", resources=LIMITS)
        self.assertEqual(["unit vmherald-a.scope"], lines)
        self.assertIn("systemd-machined does not list it", records)

    def test_machined_is_slow(self):
        """Nobody knows then what it is going to stop."""
        machined = self.machined()
        machined.silent = {"GetMachine"}
        lines, _ = self.place("a")
        self.assertEqual([f"unit vmherald-a:{self.process.pid}.scope"], lines)
        self.assertEqual(["a"], list(machined.machines))

    def test_no_machine_without_a_scope(self):
        """Its leader would be in the unit of the service, which would be the machine then. And none on a session bus."""
        machined = self.machined()
        self.place("a", bus="session")
        self.systemd.refusal = (ACCESS_DENIED, "not you")
        self.place("a")
        self.assertNotIn("RegisterMachine", machined.members())


if __name__ == "__main__":
    harness.main()
