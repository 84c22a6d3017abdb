# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is told to systemd: it understands the units, makes the user and the folders, and starts the service when
somebody calls it on the bus."""
import configparser
import os
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

import installation
import tap

BUS_NAME = "org.vmherald.Domains1"


def find(paths, ending):
    found = [path for path in paths if path.endswith(ending)]
    if len(found) != 1:
        raise RuntimeError(f"{ending}: {found}")
    return found[0]


def read(path):
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parser.optionxform = str
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)
    return parser


class Case(installation.InstalledCase):
    def installed(self, ending):
        return self.place + find(self.paths, ending)


class Units(Case):
    def verify(self, manager):
        """Says what systemd says of the unit, with the program where the unit has it."""
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        unit = self.installed(f"/{manager}/vmherald.service")
        with open(unit, encoding="utf-8") as file:
            text = file.read()
        folder = tempfile.mkdtemp(dir=self.place)
        copy = os.path.join(folder, "vmherald.service")
        with open(copy, "w", encoding="utf-8") as file:
            file.write(text.replace(find(self.paths, "libexec/vmherald"), self.installed("libexec/vmherald")))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                               f"--{manager}", copy],
                              capture_output=True, text=True, check=False,
                              env=os.environ | {"XDG_RUNTIME_DIR": folder})
        # Units of the machine are none of ours.
        return [line for line in done.stderr.splitlines() if "vmherald" in line], done.returncode

    def test_system_unit(self):
        self.assertEqual(([], 0), self.verify("system"))

    def test_user_unit(self):
        self.assertEqual(([], 0), self.verify("user"))

    def test_bus_starts_the_unit(self):
        for folder, manager in (("services", "user"), ("system-services", "system")):
            with self.subTest(bus=manager):
                bus = read(self.installed(f"/{folder}/{BUS_NAME}.service"))["D-BUS Service"]
                unit = read(self.installed(f"/{manager}/{bus['SystemdService']}"))["Service"]
                self.assertEqual(BUS_NAME, bus["Name"])
                self.assertEqual(BUS_NAME, unit["BusName"])
                # Without systemd it is the same program, with the same options.
                self.assertEqual(bus["Exec"], unit["ExecStart"])

    def test_guests_outlive_the_service(self):
        for manager in ("user", "system"):
            unit = read(self.installed(f"/{manager}/vmherald.service"))["Service"]
            self.assertEqual("process", unit["KillMode"])
            self.assertGreater(int(unit["FileDescriptorStoreMax"]), 0)
        self.assertEqual("yes", unit["RuntimeDirectoryPreserve"])

    def test_confinement(self):
        """The figure is that of the documentation."""
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        with open(os.path.join(os.environ["VMHERALD_SOURCE"], "docs", "systemd.md"), encoding="utf-8") as file:
            told = re.search(r"Overall exposure level for vmherald.service: ([0-9.]+) ", file.read()).group(1)
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                               self.installed("/system/vmherald.service")],
                              capture_output=True, text=True, check=False)
        if "unrecognized option" in done.stderr:
            self.skipTest("this systemd-analyze knows no --offline")
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+) ", done.stdout).group(1)
        print(f"# measured: exposure of the system unit: {found}", flush=True)
        # Other versions of systemd weigh other things.
        if "systemd 252" in subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True,
                                           check=True).stdout:
            self.assertEqual(told, found)

    def test_order_of_the_end(self):
        """The service before its guests: so it is after the target that their scopes are before."""
        for manager in ("user", "system"):
            with open(self.installed(f"/{manager}/vmherald.service"), encoding="utf-8") as file:
                lines = file.read().splitlines()
            self.assertIn("After=vmherald-guests.target", lines)
            self.assertIn("Wants=vmherald-guests.target", lines)
            self.assertTrue(os.path.exists(self.installed(f"/{manager}/vmherald-guests.target")))

    def test_readiness(self):
        for manager in ("user", "system"):
            unit = read(self.installed(f"/{manager}/vmherald.service"))["Service"]
            self.assertEqual(("notify", "main"), (unit["Type"], unit["NotifyAccess"]))
            self.assertGreater(int(unit["WatchdogSec"]), 0)

    def test_folders_are_roots(self):
        unit = read(self.installed("/system/vmherald.service"))["Service"]
        for folder, mode in (("State", "0700"), ("Logs", "0700"), ("Runtime", "0700"), ("Configuration", "0755")):
            self.assertEqual(("vmherald", mode), (unit[f"{folder}Directory"], unit[f"{folder}DirectoryMode"]))


class MadeAtInstallation(Case):
    def run_below(self, program, configuration, *options):
        if not shutil.which(program):
            self.skipTest(f"there is no {program}")
        if os.geteuid() != 0:
            self.skipTest("users and folders of root can be made by root alone")
        root = tempfile.mkdtemp(dir=self.place)
        os.mkdir(os.path.join(root, "etc"))
        installation.run(program, *options, f"--root={root}", self.installed(configuration))
        return root

    def lines(self, root, name):
        with open(os.path.join(root, "etc", name), encoding="utf-8") as file:
            return [line.rstrip("\n").split(":") for line in file]

    def test_users(self):
        root = self.run_below("systemd-sysusers", "/sysusers.d/vmherald.conf")
        users = {fields[0]: fields for fields in self.lines(root, "passwd")}
        groups = {fields[0]: fields for fields in self.lines(root, "group")}
        self.assertEqual({"vmherald-qemu"}, set(users))
        self.assertEqual({"vmherald", "vmherald-qemu", "kvm"}, set(groups))
        qemu = users["vmherald-qemu"]
        self.assertEqual(groups["vmherald-qemu"][2], qemu[3])
        self.assertEqual("vmherald-qemu", groups["kvm"][3])
        # Nobody is a member of the group of those who may call.
        self.assertEqual("", groups["vmherald"][3])
        self.assertEqual(("/", "nologin"), (qemu[5], os.path.basename(qemu[6])))
        # No password will do.
        self.assertTrue({fields[0]: fields for fields in self.lines(root, "shadow")}["vmherald-qemu"][1].startswith("!"))

    def test_folder_of_images(self):
        root = self.run_below("systemd-tmpfiles", "/tmpfiles.d/vmherald.conf", "--create")
        for folder in ("var/lib/vmherald", "var/lib/vmherald/images"):
            status = os.stat(os.path.join(root, folder))
            self.assertEqual((0o700, 0, 0), (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid))


if __name__ == "__main__":
    tap.main()
