# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drives of a real QEMU: jobs, write thresholds, errors, trays and media; and that what is known of them is
right after the service was killed."""
import json
import os
import signal

import harness
import life
from harness import PROPERTIES, options, wait_until

SIZE = 4 << 20
ENOSPC = 28
SOON = 200_000                       # microseconds


class BlockCase(life.LifeCase):
    def signals(self, domain, names, since):
        """Signals of the domain since then, without stamp and details."""
        self.mark()
        return [(s.member,) + s.arguments[:-2] for s in self.recorder.signals[since:]
                if s.path == domain.path and s.member in names]

    def restart_service(self, domain, state):
        since = self.mark()
        self.connection.kill_service()
        wait_until(lambda: domain.state == state, "the domain to be found again")
        self.recorder.wait("Monitor.Resynchronized", "service-restarted", since=since)

    def wait_value(self, domain, interface, name, value):
        wait_until(lambda: domain.get(interface, name) == value,
                   f"{name} = {value}, not {domain.get(interface, name)}")

    def check_told_before(self, event, name, value):
        """PropertiesChanged with the value has come before the signal, and no other in between."""
        index = self.recorder.signals.index(event)
        told = [s.arguments[1][name] for s in self.recorder.signals[:index]
                if s.path == event.path and s.interface == PROPERTIES and name in s.arguments[1]]
        self.assertEqual(value, told[-1] if told else None, event)


class Jobs(BlockCase):
    def setUp(self):
        super().setUp()
        self.domain = self.define("jobs", machine="none")
        self.domain.start()
        for node in ("a", "b"):
            self.domain.qmp("blockdev-add", {"driver": "null-co", "node-name": node, "size": SIZE})
        self.since = self.mark()

    def jobs(self):
        return self.domain.get("Block", "Jobs")

    def mirror(self, job, **values):
        self.domain.qmp("blockdev-mirror", {"job-id": job, "device": "a", "target": "b",
                                            "sync": "full", **values})

    def cancel(self, job, **values):
        self.domain.call("Block", "CancelJob", "(sa{sv})", job, options(**values))

    def wait_job(self, job, status):
        return self.recorder.wait("Block.JobChanged", job, status, since=self.since)

    def statuses(self, job):
        return [s[2] for s in self.signals(self.domain, ["JobChanged"], self.since) if s[1] == job]

    def test_mirror(self):
        self.mirror("m0")
        ready = self.wait_job("m0", "ready")
        self.assertEqual("ss(ttt)a{sv}", ready.signature)
        self.assertEqual("mirror", ready.details["type"])
        self.recorder.wait("Block.JobEvent", "m0", "ready", "mirror", since=self.since)
        self.assertEqual({"m0": {"type": "mirror", "status": "ready", "len": SIZE, "offset": SIZE,
                                 "speed": 0}}, self.jobs())
        self.domain.qmp("block-job-complete", {"device": "m0"})
        gone = self.wait_job("m0", "null")
        self.assertEqual({"type": "mirror", "len": SIZE, "offset": SIZE, "speed": 0}, gone.details)
        self.recorder.wait("Block.JobEvent", "m0", "completed", "mirror", since=self.since)
        self.assertEqual(["created", "running", "ready", "waiting", "pending", "concluded", "null"],
                         self.statuses("m0"))
        self.assertEqual({}, self.jobs())
        self.check_told_before(gone, "Jobs", {})

    def test_cancel(self):
        """The reply comes when the job is over."""
        self.mirror("m1", speed=1)
        self.wait_job("m1", "running")
        self.cancel("m1", force=True)
        self.assertEqual({}, self.jobs())
        self.mark()
        self.assertEqual("null", self.statuses("m1")[-1])
        cancelled = self.recorder.find("Block.JobEvent", "m1", "cancelled", "mirror")[0]
        self.assertEqual(1, cancelled.details["speed"])

    def test_cancel_ready(self):
        self.mirror("m2")
        self.wait_job("m2", "ready")
        self.cancel("m2")
        self.recorder.wait("Block.JobEvent", "m2", "completed", "mirror", since=self.since)
        self.assertEqual("null", self.statuses("m2")[-1])

    def test_cancel_that_stays(self):
        self.domain.qmp("blockdev-backup", {"job-id": "b1", "device": "a", "target": "b", "sync": "full",
                                            "speed": 1, "auto-dismiss": False})
        self.wait_job("b1", "running")
        self.cancel("b1")
        self.assertEqual("concluded", self.jobs()["b1"]["status"])
        message = self.assert_fails("QemuError", self.cancel, "b1")
        self.assertIn("concluded", message)
        self.domain.qmp("job-dismiss", {"id": "b1"})
        self.wait_job("b1", "null")
        self.assertEqual({}, self.jobs())

    def test_cancel_fails(self):
        self.assertIn("'nope'", self.assert_fails("NoSuchDevice", self.cancel, "nope"))
        self.assert_fails("InvalidArgument", self.cancel, "nope", forced=True)
        self.domain.destroy()
        self.assert_fails("WrongState", self.cancel, "nope")

    def test_cancel_timeout(self):
        """QEMU stands still."""
        self.mirror("m3", speed=1)
        self.wait_job("m3", "running")
        pid = self.domain.get("Domain", "PID")
        os.kill(pid, signal.SIGSTOP)
        try:
            message = self.assert_fails("MonitorTimeout", self.cancel, "m3", force=True, timeout=SOON)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertIn("'m3'", message)
        self.wait_job("m3", "null")

    def test_pending(self):
        self.domain.qmp("blockdev-backup", {"job-id": "b2", "device": "a", "target": "b", "sync": "full",
                                            "auto-finalize": False})
        self.recorder.wait("Block.JobEvent", "b2", "pending", "backup", since=self.since)
        self.domain.qmp("job-finalize", {"id": "b2"})
        self.wait_job("b2", "null")

    def add_full_disk(self):
        source = os.path.join(harness.folder(), "source.raw")
        with open(source, "wb") as file:
            file.write(b"x" * SIZE)
        self.domain.qmp("blockdev-add", {"driver": "file", "node-name": "source", "filename": source})
        self.domain.qmp("blockdev-add", {
            "driver": "blkdebug", "node-name": "full", "image": {"driver": "null-co", "size": SIZE},
            "inject-error": [{"event": "none", "errno": ENOSPC, "once": False}]})

    def test_error(self):
        self.add_full_disk()
        self.domain.qmp("blockdev-mirror", {"job-id": "e0", "device": "source", "target": "full",
                                            "sync": "full"})
        error = self.recorder.wait("Block.JobEvent", "e0", "error", since=self.since)
        # It may be gone before QEMU is asked what it is.
        self.assertIn(error.arguments[2], ("mirror", ""))
        self.assertEqual({"operation": "write", "action": "report"}, error.details)
        completed = self.recorder.wait("Block.JobEvent", "e0", "completed", "mirror", since=self.since)
        self.assertEqual("No space left on device", completed.details["error"])
        gone = self.wait_job("e0", "null")
        self.assertEqual("No space left on device", gone.details["error"])
        self.assertNotIn("error", self.wait_job("e0", "aborting").details)

    def test_paused_by_error(self):
        self.add_full_disk()
        self.domain.qmp("blockdev-mirror", {"job-id": "e1", "device": "source", "target": "full",
                                            "sync": "full", "on-target-error": "stop"})
        self.wait_job("e1", "paused")
        error = self.recorder.wait("Block.JobEvent", "e1", "error", "mirror", since=self.since)
        self.assertEqual({"operation": "write", "action": "stop"}, error.details)
        self.assertEqual("paused", self.jobs()["e1"]["status"])
        self.assertIn("paused", self.assert_fails("QemuError", self.cancel, "e1"))
        self.cancel("e1", force=True)
        self.assertEqual({}, self.jobs())

    def test_create_fails(self):
        """Its error is in query-jobs alone."""
        self.domain.qmp("blockdev-create", {"job-id": "c0", "options": {
            "driver": "file", "filename": "/nonexistent/new.raw", "size": 65536}})
        concluded = self.wait_job("c0", "concluded")
        self.assertEqual("create", concluded.details["type"])
        self.assertIn("/nonexistent", concluded.details["error"])
        self.assertEqual(concluded.details["error"], self.jobs()["c0"]["error"])
        self.domain.qmp("job-dismiss", {"id": "c0"})
        self.wait_job("c0", "null")

    def test_commit_and_stream(self):
        """A qcow2 on another, both made by QEMU."""
        for name, backing in (("base", None), ("top", "base")):
            path = os.path.join(harness.folder(), f"{name}.qcow2")
            self.domain.qmp("blockdev-create", {"job-id": "c", "options": {
                "driver": "file", "filename": path, "size": 0}})
            self.recorder.wait("Block.JobChanged", "c", "concluded", since=self.since)
            self.domain.qmp("job-dismiss", {"id": "c"})
            self.domain.qmp("blockdev-add", {"driver": "file", "node-name": f"{name}f",
                                             "filename": path})
            self.since = self.mark()
            self.domain.qmp("blockdev-create", {"job-id": "c", "options": {
                "driver": "qcow2", "file": f"{name}f", "size": SIZE}})
            self.recorder.wait("Block.JobChanged", "c", "concluded", since=self.since)
            self.domain.qmp("job-dismiss", {"id": "c"})
            self.since = self.mark()
            self.domain.qmp("blockdev-add", {"driver": "qcow2", "node-name": name, "file": f"{name}f",
                                             "backing": backing})
        self.domain.hmp('qemu-io top "write 0 1M"')
        self.domain.qmp("block-commit", {"job-id": "commit0", "device": "top"})
        self.wait_job("commit0", "ready")
        self.assertEqual("commit", self.jobs()["commit0"]["type"])
        self.cancel("commit0")
        self.domain.qmp("block-stream", {"job-id": "stream0", "device": "top"})
        gone = self.wait_job("stream0", "null")
        self.assertEqual("stream", gone.details["type"])
        self.recorder.wait("Block.JobEvent", "stream0", "completed", "stream", since=self.since)

    def test_service_is_killed(self):
        self.mirror("k0")
        self.wait_job("k0", "ready")
        since = self.mark()
        self.restart_service(self.domain, "running")
        self.assertEqual(("mirror", "ready", SIZE),
                         tuple(self.jobs()["k0"][key] for key in ("type", "status", "len")))
        self.assertEqual([], self.signals(self.domain, ["JobChanged", "JobEvent"], since))
        self.cancel("k0", force=True)
        self.recorder.wait("Block.JobEvent", "k0", "cancelled", "mirror", since=since)
        self.assertEqual({}, self.jobs())

    def test_domain_ends(self):
        self.mirror("d0")
        self.wait_job("d0", "ready")
        self.domain.destroy()
        self.assertEqual({}, self.jobs())


class Thresholds(BlockCase):
    def setUp(self):
        super().setUp()
        self.domain = self.define("threshold", machine="none",
                                  blockdevs=[{"driver": "null-co", "node-name": "n0", "size": SIZE}])
        self.domain.start()
        self.since = self.mark()

    def set(self, node, bytes_):
        self.domain.call("Block", "SetWriteThreshold", "(st)", node, bytes_)

    def thresholds(self):
        return self.domain.get("Block", "WriteThresholds")

    def test_fires_once(self):
        self.assertEqual({}, self.thresholds())
        self.set("n0", 4096)
        self.assertEqual({"n0": 4096}, self.thresholds())
        self.recorder.wait_property("Block", "WriteThresholds", {"n0": 4096}, since=self.since)
        self.domain.hmp('qemu-io n0 "write 0 512"')
        self.mark()
        self.assertEqual([], self.recorder.find("Block.WriteThreshold"))
        self.domain.hmp('qemu-io n0 "write 8192 512"')
        reached = self.recorder.wait("Block.WriteThreshold", "n0", 4096, 4608, since=self.since)
        self.assertEqual("stt(ttt)a{sv}", reached.signature)
        self.assertEqual({}, reached.details)
        self.check_told_before(reached, "WriteThresholds", {})
        self.domain.hmp('qemu-io n0 "write 16384 512"')
        self.mark()
        self.assertEqual(1, len(self.recorder.find("Block.WriteThreshold")))

    def test_taken_off(self):
        self.set("n0", 4096)
        self.set("n0", 0)
        self.assertEqual({}, self.thresholds())
        self.domain.hmp('qemu-io n0 "write 8192 512"')
        self.mark()
        self.assertEqual([], self.recorder.find("Block.WriteThreshold"))

    def test_by_command(self):
        self.domain.qmp("block-set-write-threshold", {"node-name": "n0", "write-threshold": 8192})
        self.assertEqual({"n0": 8192}, self.thresholds())
        self.domain.qmp("blockdev-add", {"driver": "null-co", "node-name": "n1", "size": SIZE})
        self.set("n1", 1)
        self.domain.qmp("blockdev-del", {"node-name": "n1"})
        self.wait_value(self.domain, "Block", "WriteThresholds", {"n0": 8192})

    def test_refused(self):
        self.assertIn("'n9'", self.assert_fails("QemuError", self.set, "n9", 1))
        self.assert_fails("InvalidArgument", self.set, "n0", 1 << 63)
        self.assertEqual({}, self.thresholds())
        self.domain.destroy()
        self.assert_fails("WrongState", self.set, "n0", 1)

    def test_service_is_killed(self):
        self.set("n0", 4096)
        self.restart_service(self.domain, "running")
        self.assertEqual({"n0": 4096}, self.thresholds())
        self.domain.hmp('qemu-io n0 "write 8192 512"')
        self.recorder.wait("Block.WriteThreshold", "n0", 4096, 4608, since=self.since)


class Errors(BlockCase):
    """The firmware reads the boot sector, which fails."""

    def define_failing(self, **device):
        domain = self.define("errors", blockdevs=[{
            "driver": "blkdebug", "node-name": "b0", "image": {"driver": "null-co", "size": SIZE},
            "inject-error": [{"event": "none", "iotype": "read", "errno": 5, "once": False}]}],
            devices=[{"driver": "virtio-blk-pci", "id": "vd0", "drive": "b0", "bootindex": 1,
                      **device}])
        return domain

    def test_stop(self):
        domain = self.define_failing(rerror="stop", werror="stop")
        domain.start()
        error = self.recorder.wait("Block.IOError", "vd0", "read", "stop", False)
        self.assertEqual("sssbs(ttt)a{sv}", error.signature)
        self.assertEqual("Input/output error", error.arguments[4])
        self.assertEqual("b0", error.details["node"])
        self.wait_life(domain, "suspended", "ioerror", "paused")
        self.assertEqual([("IOError", "vd0"), ("Lifecycle", "suspended")],
                         [s[:2] for s in self.signals(domain, ["IOError", "Lifecycle"], 0)][-2:])
        self.assertEqual(("paused", "ioerror"), (domain.state, domain.get("Domain", "StateReason")))
        self.wait_value(domain, "Block", "IOStatus", {"vd0": "failed"})
        self.recorder.wait_property("Block", "IOStatus", {"vd0": "failed"})

        self.restart_service(domain, "paused")
        self.assertEqual("ioerror", domain.get("Domain", "StateReason"))
        self.assertEqual({"vd0": "failed"}, domain.get("Block", "IOStatus"))

        # The request that failed is made again.
        since = self.mark()
        domain.call("Domain", "Resume")
        self.wait_life(domain, "suspended", "ioerror", since=since)
        self.assertEqual(["resumed", "suspended"], [e[0] for e in self.lifecycle(domain, since)])
        again = self.recorder.wait("Block.IOError", "vd0", since=since)
        self.assertEqual("b0", again.details["node"])
        domain.destroy()
        self.assertEqual({}, domain.get("Block", "IOStatus"))

    def test_resume_clears(self):
        """What is below the drive is mended before it goes on."""
        top = {"driver": "throttle", "node-name": "top", "throttle-group": "group0", "file": "bad"}
        domain = self.define("mended", arguments=["-object", "throttle-group,id=group0"], blockdevs=[
            {"driver": "null-co", "node-name": "good", "size": SIZE},
            {"driver": "blkdebug", "node-name": "bad", "image": {"driver": "null-co", "size": SIZE},
             "inject-error": [{"event": "none", "iotype": "read", "errno": 5, "once": False}]}, top],
            devices=[{"driver": "virtio-blk-pci", "id": "vd0", "drive": "top", "bootindex": 1,
                      "rerror": "stop"}])
        domain.start()
        self.recorder.wait("Block.IOError", "vd0", "read", "stop", False)
        self.wait_value(domain, "Block", "IOStatus", {"vd0": "failed"})
        domain.qmp("blockdev-reopen", {"options": [dict(top, file="good")]})
        domain.call("Domain", "Resume")
        self.wait_value(domain, "Block", "IOStatus", {"vd0": "ok"})
        self.recorder.wait_property("Block", "IOStatus", {"vd0": "ok"})
        self.assertEqual("running", domain.state)

    def test_report(self):
        domain = self.define_failing(rerror="report")
        domain.start()
        self.recorder.wait("Block.IOError", "vd0", "read", "report", False)
        self.mark()
        self.assertEqual({"vd0": "ok"}, domain.get("Block", "IOStatus"))
        self.assertEqual("running", domain.state)


class Media(BlockCase):
    machine = "pc"
    devices = [{"driver": "ide-cd", "id": "cd0", "drive": "n0", "bus": "ide.1"},
               {"driver": "virtio-blk-pci", "id": "vd0", "drive": "disk"}]
    blockdevs = [{"driver": "null-co", "node-name": "n0", "size": 1 << 20, "read-only": True},
                 {"driver": "null-co", "node-name": "disk", "size": 1 << 20}]

    def setUp(self):
        super().setUp()
        self.domain = self.define("media", machine=self.machine, blockdevs=self.blockdevs,
                                  devices=self.devices)
        self.domain.start(paused=True)
        self.since = self.mark()

    def medium(self, node):
        return {"driver": "null-co", "node-name": node, "size": 1 << 20, "read-only": True}

    def change(self, medium, device="cd0", **values):
        self.domain.call("Devices", "ChangeMedia", "(ssa{sv})", device,
                         json.dumps(medium) if medium else "", options(**values))

    def inserted(self):
        for drive in self.domain.qmp("query-block"):
            if drive.get("qdev") == "cd0":
                return drive.get("inserted", {}).get("node-name")
        return None

    def nodes(self):
        return sorted(node["node-name"] for node in self.domain.qmp("query-named-block-nodes"))

    def tray(self):
        return self.domain.get("Devices", "Trays")["cd0"]

    def moves(self):
        return [s[2] for s in self.signals(self.domain, ["TrayChanged"], self.since)]

    def test_trays(self):
        self.assertEqual({"cd0": "closed"}, self.domain.get("Devices", "Trays"))
        self.domain.qmp("blockdev-open-tray", {"id": "cd0"})
        moved = self.recorder.wait("Devices.TrayChanged", "cd0", "open", "", since=self.since)
        self.assertEqual("sss(ttt)a{sv}", moved.signature)
        self.check_told_before(moved, "Trays", {"cd0": "open"})
        self.restart_service(self.domain, "paused")
        self.assertEqual("open", self.tray())
        self.domain.qmp("blockdev-close-tray", {"id": "cd0"})
        self.recorder.wait("Devices.TrayChanged", "cd0", "closed", since=self.since)
        self.domain.qmp("eject", {"id": "cd0"})
        wait_until(lambda: self.tray() == "open", "the tray to be open")

    def test_there_and_back(self):
        self.change(self.medium("n1"))
        self.assertEqual(("n1", "closed"), (self.inserted(), self.tray()))
        self.assertEqual(["open", "closed"], self.moves())
        # What the definition has stays.
        self.assertEqual(["disk", "n0", "n1"], self.nodes())
        self.change(self.medium("n2"))
        self.assertEqual("n2", self.inserted())
        self.assertEqual(["disk", "n0", "n2"], self.nodes())
        self.change(None)
        self.assertEqual((None, "open"), (self.inserted(), self.tray()))
        self.assertEqual(["disk", "n0"], self.nodes())
        self.change(self.medium("n1"))
        self.assertEqual(("n1", "closed"), (self.inserted(), self.tray()))

    def test_after_kill(self):
        self.change(self.medium("n1"))
        self.restart_service(self.domain, "paused")
        self.change(self.medium("n2"))
        self.assertEqual(["disk", "n0", "n2"], self.nodes())

    def check_undone(self, error, words, medium, device="cd0", **values):
        before = (self.inserted(), self.nodes(), self.tray())
        message = self.assert_fails(error, self.change, medium, device, **values)
        for word in words:
            self.assertIn(word, message)
        self.assertEqual(before, (self.inserted(), self.nodes(), self.tray()))

    def test_no_such_file(self):
        self.check_undone("QemuError", ["/nonexistent"], {"driver": "file", "node-name": "n1",
                                                          "filename": "/nonexistent"})
        self.assertEqual([], self.moves())

    def test_cannot_be_inserted(self):
        """It is written to elsewhere, which a CD drive does not share."""
        self.check_undone("QemuError", ["disk"], {"driver": "raw", "node-name": "n1", "file": "disk"})
        self.assertEqual(["open", "closed"], self.moves())
        self.domain.qmp("blockdev-open-tray", {"id": "cd0"})
        self.check_undone("QemuError", ["disk"], {"driver": "raw", "node-name": "n1", "file": "disk"})

    def test_no_cd(self):
        self.check_undone("QemuError", [], self.medium("n1"), "vd0")
        self.check_undone("NoSuchDevice", ["'nope'"], self.medium("n1"), "nope")
        self.check_undone("InvalidArgument", ["node-name"], {"driver": "null-co"})
        self.check_undone("InvalidArgument", ["forced"], self.medium("n1"), forced=True)
        for text in ("{", "[]", "7"):
            message = self.assert_fails("InvalidArgument", self.domain.call, "Devices", "ChangeMedia",
                                        "(ssa{sv})", "cd0", text, {})
            self.assertIn("blockdev", message)

    def lock(self):
        """PREVENT ALLOW MEDIUM REMOVAL, by way of the second IDE channel."""
        with self.domain.qtest() as guest:
            # The first may be answered by UNIT ATTENTION.
            for _ in range(2):
                for port, value in ((0x176, 0xA0), (0x171, 0), (0x174, 0), (0x175, 0), (0x177, 0xA0)):
                    guest.port_write(port, 1, value)
                for word in (0x001E, 0, 0x0001, 0, 0, 0):
                    guest.port_write(0x170, 2, word)
        self.assertTrue([d for d in self.domain.qmp("query-block") if d.get("qdev") == "cd0" and
                         d["locked"]])

    def test_locked(self):
        self.lock()
        self.check_undone("RemovalRefused", ["'cd0'", "force"], self.medium("n1"))
        self.check_undone("RemovalRefused", ["'cd0'", "force"], None)
        self.assertEqual([], self.moves())
        self.change(self.medium("n1"), force=True)
        self.assertEqual(("n1", "closed"), (self.inserted(), self.tray()))

    def test_in_an_attached_drive(self):
        """Its first node came with it, and goes when another comes; that one goes with it."""
        self.domain.qmp("device_add", {"driver": "virtio-scsi-pci", "id": "scsi0"})
        self.domain.attach({"driver": "scsi-cd", "id": "cd1", "drive": "s0"},
                           blockdev=json.dumps(self.medium("s0")))
        self.wait_value(self.domain, "Devices", "Trays", {"cd0": "closed", "cd1": "closed"})
        self.change(self.medium("s1"), "cd1")
        self.assertEqual(["disk", "n0", "s1"], self.nodes())
        self.domain.detach("cd1")
        self.assertEqual({"cd0": "closed"}, self.domain.get("Devices", "Trays"))
        wait_until(lambda: self.nodes() == ["disk", "n0"], "the node to go with the drive")


if __name__ == "__main__":
    harness.main()
