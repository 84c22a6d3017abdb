# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a QEMU is on the system bus: whose process, in which unit, and what it cannot reach."""
import json
import re

import system_case
from machine import wait_until
from person import NAME

QEMU_USER = "vmherald-qemu"
MEMORY_MAX, CPU_WEIGHT, TASKS_MAX = 256 << 20, 50, 64
# Of /proc/PID/status: no privileges, and none to be had.
SECCOMP_FILTER = "2"
# What is root's alone: with what a domain has there, NAME and UUID filled in.
FOLDERS = ("/run/vmherald", "/run/vmherald/domains", "/run/vmherald/domains/{uuid}", "/var/lib/vmherald/domains",
           "/var/log/vmherald/{uuid}")


class Confined(system_case.SystemCase):
    def setUp(self):
        self.root = self.person("root")
        self.addCleanup(self.remove_domains)

    def start(self, name, **keys):
        """(object path, pid, uuid) of a domain that runs."""
        path = self.define(name, self.root, **keys)
        self.root.domain(path, "Start", "(a{sv})", {})
        return path, self.root.get(path, "Domain", "PID"), self.root.get(path, "Domain", "UUID")

    def status(self, pid):
        return dict(line.split(":\t", 1) for line in self.machine.read(f"/proc/{pid}/status").splitlines()
                    if ":\t" in line)

    def number_of(self, database, name):
        return self.machine.run("getent", database, name).stdout.split(":")[2]

    def as_qemu(self, *command):
        """As a process of QEMU's user and groups would: the command's outcome."""
        return self.machine.run("setpriv", f"--reuid={QEMU_USER}", f"--regid={QEMU_USER}", "--init-groups", *command,
                                check=False)

    def test_process(self):
        """QEMU is nobody: a user of its own, that group and kvm, no capability, no way to one, and system calls filtered."""
        status = self.status(self.start("web1")[1])
        self.assertEqual([self.number_of("passwd", QEMU_USER)] * 4, status["Uid"].split())
        self.assertEqual([self.number_of("group", QEMU_USER)] * 4, status["Gid"].split())
        allowed = {self.number_of("group", QEMU_USER), self.number_of("group", "kvm")}
        self.assertLessEqual(set(status["Groups"].split()), allowed)
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(0, int(status[capabilities], 16), capabilities)
        self.assertEqual("1", status["NoNewPrivs"])
        self.assertEqual(SECCOMP_FILTER, status["Seccomp"])

    def test_what_it_holds(self):
        """No descriptor of the service's comes along: nothing of another domain's, and not the bus."""
        _, first, first_uuid = self.start("web1")
        _, second, second_uuid = self.start("web2")
        for pid, other in ((first, second_uuid), (second, first_uuid)):
            open_files = self.machine.run("sh", "-c", f"ls -l /proc/{pid}/fd").stdout
            self.assertNotIn(other, open_files)
            self.assertNotIn("definitions", open_files)

    def test_folders_are_roots(self):
        """A process of QEMU's user sees nothing of another domain, of the definitions, or of the logs."""
        _, _, uuid = self.start("web1")
        for folder in FOLDERS:
            folder = folder.format(uuid=uuid)
            if not self.machine.exists(folder):
                continue
            with self.subTest(folder=folder):
                listing = self.as_qemu("ls", folder)
                self.assertNotEqual(0, listing.returncode, f"{folder}: {listing.stdout}")
                self.assertIn("Permission denied", listing.stderr)
                self.assertNotEqual(0, self.as_qemu("touch", f"{folder}/planted").returncode)
        # As root it is there, or the above shows nothing.
        self.assertIn("run.json", self.machine.run("ls", f"/run/vmherald/domains/{uuid}").stdout)

    def test_scope(self):
        """Each QEMU is a unit of its own, with the limits that its definition has."""
        path, pid, _ = self.start("web1", resources={"memory-max": "256M", "cpu-weight": CPU_WEIGHT,
                                                     "tasks-max": TASKS_MAX})
        unit = self.machine.run("ps", "-o", "unit=", "-p", str(pid)).stdout.strip()
        self.assertRegex(unit, r"^vmherald-web1.*\.scope$")
        shown = self.machine.show(unit, "Slice", "MemoryMax", "CPUWeight", "TasksMax", "ActiveState")
        self.assertEqual({"Slice": "machine.slice", "MemoryMax": str(MEMORY_MAX), "CPUWeight": str(CPU_WEIGHT),
                          "TasksMax": str(TASKS_MAX), "ActiveState": "active"}, shown)
        self.root.domain(path, "Destroy", "(a{sv})", {})
        wait_until(lambda: self.machine.show(unit, "ActiveState") == "inactive", "the scope to go")

    def test_scope_of_an_odd_name(self):
        """A name can have characters that mean something to systemd."""
        for name in ("a-b.c+d_e", "x" * 64):
            with self.subTest(name=name):
                _, pid, _ = self.start(name)
                unit = self.machine.run("ps", "-o", "unit=", "-p", str(pid)).stdout.strip()
                self.assertRegex(unit, r"\.scope$")
                self.assertNotEqual("vmherald.service", unit)

    def test_machined(self):
        """Who manages machines sees ours, and they go when they end."""
        path, _, _ = self.start("web1")
        # Those of other cases take their time to go.
        machines = wait_until(lambda: len(self.machines()) == 1 and self.machines(), lambda: f"one machine: {self.machines()}")
        self.assertIn("web1", machines[0]["machine"])
        self.assertEqual(("vm", "vmherald"), (machines[0]["class"], machines[0]["service"]))
        self.root.domain(path, "Destroy", "(a{sv})", {})
        wait_until(lambda: not self.machines(), "the machine to go")

    def machines(self):
        return json.loads(self.machine.run("machinectl", "list", "--output=json").stdout or "[]")

    def test_a_disk_of_the_images(self):
        """Files of the image folder are opened for QEMU, which cannot open them itself."""
        disk = "/var/lib/vmherald/images/web1.img"
        self.machine.run("truncate", "--size=1M", disk)
        self.machine.run("chmod", "0600", disk)
        blockdev = {"driver": "file", "node-name": "disk", "filename": disk}
        path, _, _ = self.start("web1", blockdevs=[blockdev])
        nodes = json.loads(self.root.domain(path, "Execute", "(ssa{sv})", "query-named-block-nodes", "", {},
                                            interface="Monitor"))
        self.assertIn("disk", [node["node-name"] for node in nodes])
        self.assertNotEqual(0, self.as_qemu("cat", disk).returncode)

    def test_a_file_of_somebody(self):
        """What QEMU's user may not open, a definition does not reach; the error says which file."""
        for secret in ("/etc/shadow", "/root/secret.img"):
            if secret.startswith("/root"):
                self.machine.write(secret, "x" * 512, mode="0600")
            with self.subTest(file=secret):
                blockdev = {"driver": "file", "node-name": "disk", "filename": secret, "read-only": True}
                path = self.define(f"thief{len(secret)}", self.root, blockdevs=[blockdev])
                with self.assertRaises(system_case.Refused) as context:
                    self.root.domain(path, "Start", "(a{sv})", {})
                self.assertIn(secret, context.exception.message)

    def test_a_file_by_the_command_line(self):
        """And not by QEMU's own arguments either, which nobody looks into."""
        path = self.define("thief", self.root, arguments=["-drive", "if=none,format=raw,readonly=on,file=/etc/shadow"])
        text = self.assert_refused("StartFailed", self.root.domain, path, "Start", "(a{sv})", {})
        self.assertRegex(text, re.compile("permission denied", re.IGNORECASE))


if __name__ == "__main__":
    system_case.main()
