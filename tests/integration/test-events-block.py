# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of disks and of jobs on them, from a real QEMU: interface Block."""
import os
import struct

import guest
import harness
import recipes
from recipes import ANY, text, uint64

MIB = 1 << 20
EIO, ENOSPC = 5, 28
L1_TABLE_OFFSET = 40                 # where the header of a qcow2 image has it
QCOW2_COPIED = 1 << 63
CLUSTER = 65536


def null(name):
    return {"driver": "null-co", "node-name": name, "size": MIB}


def failing(name, error, **rule):
    """A node on which requests fail."""
    return {"driver": "blkdebug", "node-name": name, "image": {"driver": "null-co", "size": MIB},
            "inject-error": [{"event": "none", "errno": error, "once": False, **rule}]}


class Nodes(recipes.EventCase):
    """No machine is needed for disks that no guest uses."""

    @classmethod
    def keys(cls):
        return {"machine": "none"}

    def add(self, *nodes):
        for node in nodes:
            self.domain.qmp("blockdev-add", node)

    def qemu_io(self, node, command):
        self.domain.hmp(f'qemu-io {node} "{command}"')


class Disks(Nodes):
    def test_block_write_threshold(self):
        self.add(null("threshold0"))
        self.domain.qmp("block-set-write-threshold", {"node-name": "threshold0",
                                                      "write-threshold": 4096})
        self.qemu_io("threshold0", "write 0 512")
        self.mark()
        self.assertEqual([], self.of_domain("Block.WriteThreshold"))
        self.qemu_io("threshold0", "write 8192 512")
        self.expect("Block.WriteThreshold", "stt", "threshold0", 4096, 8192 + 512 - 4096)
        # QEMU tells it once.
        self.qemu_io("threshold0", "write 16384 512")
        self.mark()
        self.assertEqual(1, len(self.of_domain("Block.WriteThreshold")))

    def run_job(self, command, job, arguments):
        self.domain.qmp(command, dict(arguments, **{"job-id": job}))
        self.wait("Block.JobChanged", job, "concluded")
        self.domain.qmp("job-dismiss", {"id": job})

    def test_block_image_corrupted(self):
        path = recipes.place("corrupt.qcow2")
        self.run_job("blockdev-create", "create0", {"options": {
            "driver": "file", "filename": path, "size": 0}})
        self.add({"driver": "file", "node-name": "file0", "filename": path})
        self.run_job("blockdev-create", "create1", {"options": {
            "driver": "qcow2", "file": "file0", "size": MIB}})
        self.domain.qmp("blockdev-del", {"node-name": "file0"})
        with open(path, "r+b") as image:
            image.seek(L1_TABLE_OFFSET)
            table, = struct.unpack(">Q", image.read(8))
            image.seek(table)
            # The table of the first clusters lies on top of the refcounts.
            image.write(struct.pack(">Q", QCOW2_COPIED | CLUSTER))
        self.add({"driver": "qcow2", "node-name": "qcow0", "file": {"driver": "file",
                                                                   "filename": path}})
        self.qemu_io("qcow0", "write 0 512")
        self.qemu_io("qcow0", "flush")
        corrupted = self.expect("Block.ImageCorrupted", "sbs", "", True, ANY, details={
            "node": text("qcow0"), "offset": uint64(CLUSTER), "size": uint64(CLUSTER)})
        self.assertEqual("Preventing invalid write on metadata (overlaps with refcount table)",
                         corrupted.arguments[2])

    def test_block_export_deleted(self):
        self.add(null("exported0"))
        self.domain.qmp("nbd-server-start", {"addr": {"type": "unix", "data": {
            "path": recipes.place("nbd")}}})
        self.addCleanup(self.domain.qmp, "nbd-server-stop")
        self.domain.qmp("block-export-add", {"type": "nbd", "id": "export0",
                                             "node-name": "exported0"})
        self.domain.qmp("block-export-del", {"id": "export0"})
        self.expect("Block.ExportDeleted", "s", "export0")

    def add_quorum(self, name, *contents):
        """A disk that is kept as often as there are contents: bytes, of which each is full."""
        children = []
        for number, content in enumerate(contents):
            child = f"{name}-{number}"
            with open(recipes.place(child), "wb") as file:
                file.write(bytes((content,)) * CLUSTER)
            self.add({"driver": "file", "node-name": child, "filename": recipes.place(child)})
            children.append(child)
        self.add({"driver": "quorum", "node-name": name, "children": children,
                  "vote-threshold": 2})

    def test_quorum_report_bad(self):
        self.add_quorum("outvoted", 0, 0, 7)
        self.qemu_io("outvoted", "read 512 1024")
        self.expect("Block.QuorumReportBad", "ssxx", "outvoted-2", "read", 1, 2)
        self.mark()
        self.assertEqual([], self.of_domain("Block.QuorumFailure"))

    def test_quorum_failure(self):
        self.add_quorum("disagreeing", 0, 7, 9)
        self.qemu_io("disagreeing", "read 4096 512")
        self.expect("Block.QuorumFailure", "sxx", "disagreeing", 8, 1)


class Jobs(Nodes):
    @classmethod
    def keys(cls):
        with open(recipes.place("source"), "wb") as source:
            source.write(b"x" * MIB)
        return {"machine": "none", "blockdevs": [
            {"driver": "file", "node-name": "source", "filename": recipes.place("source")},
            null("target"), failing("full", ENOSPC)]}

    def send(self, command, **arguments):
        self.domain.qmp(command, {key.replace("_", "-"): value for key, value in
                                  dict(arguments, job_id="job0").items()})

    def mirror(self, target="target", **arguments):
        self.send("blockdev-mirror", device="source", target=target, sync="full", **arguments)

    def backup(self, **arguments):
        self.send("blockdev-backup", device="source", target="target", sync="full", **arguments)

    def wait_status(self, status):
        return self.wait("Block.JobChanged", "job0", status)

    def expect_job(self, event, job_type, offset=MIB, **details):
        details.update(len=uint64(MIB), offset=uint64(offset), speed=uint64(0))
        self.expect("Block.JobEvent", "sss", "job0", event, job_type, details=details)

    def complete(self):
        self.wait_status("ready")
        self.domain.qmp("block-job-complete", {"device": "job0"})
        self.wait_status("null")

    def test_block_job_ready(self):
        self.mirror()
        self.expect_job("ready", "mirror")
        self.complete()

    def test_block_job_completed(self):
        self.mirror()
        self.complete()
        self.expect_job("completed", "mirror")

    def test_block_job_completed_with_error(self):
        self.mirror("full", on_target_error="report")
        self.wait_status("null")
        self.expect_job("completed", "mirror", 0, error=text("No space left on device"))

    def test_block_job_cancelled(self):
        self.mirror()
        self.wait_status("ready")
        self.domain.qmp("block-job-cancel", {"device": "job0", "force": True})
        self.expect_job("cancelled", "mirror")
        self.wait_status("null")

    def test_block_job_error(self):
        """The job waits, and so there is time to ask QEMU what kind it is: the event does not say."""
        self.mirror("full", on_target_error="stop")
        self.expect("Block.JobEvent", "sss", "job0", "error", "mirror", details={
            "operation": text("write"), "action": text("stop")})
        self.wait_status("paused")
        self.domain.qmp("block-job-cancel", {"device": "job0", "force": True})
        self.wait_status("null")

    def test_block_job_pending(self):
        self.backup(auto_finalize=False)
        self.expect("Block.JobEvent", "sss", "job0", "pending", "backup")
        self.domain.qmp("job-finalize", {"id": "job0"})
        self.wait_status("null")

    def check_statuses(self, job_type, *statuses):
        """Each change in order; what the job is, is told with each."""
        self.wait_status(statuses[-1])
        changes = self.of_domain("Block.JobChanged")
        self.assertEqual([("job0", status) for status in statuses],
                         [s.arguments[:2] for s in changes])
        for change in changes:
            self.check(change, "ss", change.arguments[:2], {"type": text(job_type)},
                       {"len": "t", "offset": "t", "speed": "t"})

    def test_job_status_change(self):
        self.mirror()
        self.complete()
        self.check_statuses("mirror", "created", "running", "ready", "waiting", "pending",
                            "concluded", "null")

    def test_job_status_change_kept(self):
        """A job that is not dismissed by itself waits to be."""
        self.send("blockdev-create", options={
            "driver": "file", "filename": recipes.place("created"), "size": MIB})
        self.wait_status("concluded")
        self.mark()
        self.assertFalse([s for s in self.of_domain("Block.JobChanged")
                          if s.arguments[1] == "null"])
        self.domain.qmp("job-dismiss", {"id": "job0"})
        self.check_statuses("create", "created", "running", "waiting", "pending", "concluded",
                            "null")


class GuestDisk(recipes.EventCase):
    """The guest's driver is played; its CPUs stand still."""

    @classmethod
    def keys(cls):
        return {"blockdevs": [failing("node0", ENOSPC, iotype="write")],
                "devices": [{"driver": "virtio-blk-pci", "id": "disk0", "drive": "node0",
                             "werror": "enospc", "rerror": "report"}]}

    def test_block_io_error_no_space(self):
        with self.domain.qtest() as connection:
            guest.Disk(connection).send(guest.BLOCK_OUT, 0)
            self.expect("Block.IOError", "sssbs", "disk0", "write", "stop", True,
                        os.strerror(ENOSPC), details={"node": text("node0")})


class BootDisk(recipes.EventCase):
    """The firmware looks for something to boot."""

    @classmethod
    def keys(cls):
        return {"blockdevs": [failing("node0", EIO, iotype="read")],
                "devices": [{"driver": "virtio-blk-pci", "id": "disk0", "drive": "node0",
                             "rerror": "stop", "bootindex": 1}]}

    def test_block_io_error(self):
        self.domain.call("Domain", "Resume")
        error = self.expect("Block.IOError", "sssbs", "disk0", "read", "stop", False,
                            os.strerror(EIO), details={"node": text("node0")})
        stopped = self.expect_life("suspended", "ioerror", "paused")
        self.assertLess(error.sequence, stopped.sequence)


if __name__ == "__main__":
    harness.main()
