#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What vmheraldctl does without a bus: definitions, usage errors, help, completion."""

import json
import os
import tempfile
import unittest

import tap
from tap import run

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")

VERBS = ["list", "show", "definition", "validate", "define", "undefine", "create", "adopt", "start",
         "shutdown", "reboot", "reset", "destroy", "save", "drop-saved", "screenshot", "suspend", "resume",
         "wakeup", "nmi",
         "autostart", "attach", "detach", "nics", "change-media", "balloon", "threshold", "cancel-job",
         "qmp", "events", "wait", "reload"]

# name of the golden file: arguments of "create". To renew the files: VMHERALD_RENEW=1.
DOCUMENTS = {
    "name": ["vm"],
    "plain": ["vm", "--memory", "512M", "--cpus", "2", "--machine", "q35", "--accel", "tcg",
              "--cpu", "max", "--emulator", "qemu-system-x86_64", "--title", "Täst",
              "--uuid", "0f4f6a8e-3a34-4c8c-9ad7-f30a4bd0a5d1", "--autostart", "--define"],
    "disks": ["vm", "--disk", "/images/a.qcow2", "--disk", "/images/b.img", "--disk", "/images/c.raw",
              "--disk", "/dev/sdx,format=raw", "--disk", "/images/d,e.vmdk", "--cdrom", "/images/x.iso"],
    "relative": ["vm", "--disk", "../a.qcow2", "--cdrom", "./x.iso"],
    "nets": ["vm", "--net", "user", "--net", "none,mac=52:54:00:00:00:01,model=e1000e,"
             "trust-guest-rx-filters=on", "--net", "user,id=uplink",
             "--net", "macvtap,source=eth0,mode=vepa,queues=4,vhost=on", "--net", "tap,source=7,queues=x"],
    "machine": ["vm", "--machine", "q35,smm=off,usb=on,kernel-irqchip=split"],
    "accels": ["vm", "--accel", "kvm", "--accel", "tcg,thread=multi"],
    "objects": ["vm", "--object", '{"qom-type": "iothread", "id": "io0"}',
                "--blockdev", '{"driver": "null-co", "node-name": "n0"}',
                "--netdev", '{"type": "user", "id": "u0"}',
                "--device", '{"driver": "virtio-rng-pci", "id": "rng0"}',
                "--disk", "/images/a.qcow2", "--device", '{"driver": "pcie-root-port", "x": [1, null]}',
                "--argument", "-qtest", "--argument", "unix:/q,server=on"],
}

USAGE = {
    "no verb": [],
    "unknown verb": ["frobnicate"],
    "unknown global option": ["--frobnicate", "list"],
    "unknown option of a verb": ["list", "--frobnicate"],
    "option of another verb": ["list", "--grace", "3"],
    "two buses": ["--system", "--session", "list"],
    "system and address": ["--system", "--address=unix:path=/nowhere", "list"],
    "too few": ["show"],
    "too many": ["show", "a", "b"],
    "too many for none": ["reload", "x"],
    "option without its value": ["list", "--state"],
    "seconds": ["shutdown", "vm", "--timeout=soon"],
    "negative seconds": ["shutdown", "vm", "--timeout=-1"],
    "not a number": ["shutdown", "vm", "--timeout=nan"],
    "endless": ["destroy", "vm", "--grace=inf"],
    "no seconds": ["wait", "vm", "started", "--timeout="],
    "autostart": ["autostart", "vm", "maybe"],
    "event": ["wait", "vm", "stoped"],
    "rule injection": ["wait", "vm", "Lifecycle',sender='x"],
    "type": ["events", "--type=started,,stopped"],
    "empty interface": ["events", "--type=.Lifecycle"],
    "count": ["events", "--count=-1"],
    "count word": ["events", "--count=many"],
    "after": ["events", "--after=soon"],
    "empty after": ["events", "--after="],
    "list after": ["events", "--after=1,2"],
    "oldest without a call": ["events", "--after=oldest", "--passive"],
    "descriptor": ["events", "--ready-fd=999"],
    "qmp arguments": ["qmp", "vm", "query-status", "{"],
    "qmp no object": ["qmp", "vm", "query-status", "[]"],
    "qmp empty": ["qmp", "vm", "query-status", ""],
    "save seconds": ["save", "vm", "--timeout=soon"],
    "device": ["attach", "vm", '{"driver": }'],
    "blockdev": ["attach", "vm", '{"driver": "x"}', "--blockdev", "3"],
    "neither device nor interface": ["attach", "vm"],
    "device and interface": ["attach", "vm", '{"driver": "x"}', "--interface", "user"],
    "interface": ["attach", "vm", "--interface", "{"],
    "interface without type": ["attach", "vm", "--interface", ",source=eth0"],
    "interface without value": ["attach", "vm", "--interface", "tap,source"],
    "medium": ["change-media", "vm", "cd0", '{"driver": }'],
    "threshold without unit": ["threshold", "vm", "n0", "512"],
    "threshold word": ["threshold", "vm", "n0", "much"],
    "threshold unit": ["threshold", "vm", "n0", "5Q"],
    "threshold bytes": ["threshold", "vm", "n0", "5MB"],
    "negative threshold": ["threshold", "vm", "n0", "-1M"],
    "huge threshold": ["threshold", "vm", "n0", "16777216T"],
    "huge number": ["threshold", "vm", "n0", "99999999999999999999K"],
    "empty threshold": ["threshold", "vm", "n0", ""],
    "threshold without size": ["threshold", "vm", "n0"],
    "balloon": ["balloon", "vm", "lots"],
    "cancel seconds": ["cancel-job", "vm", "m0", "--timeout=soon"],
    "file with options": ["create", "./vm.json", "--memory=1G"],
    "memory without unit": ["create", "vm", "--print", "--memory=512"],
    "empty memory": ["create", "vm", "--print", "--memory="],
    "cpus": ["create", "vm", "--print", "--cpus=-1"],
    "cpus word": ["create", "vm", "--print", "--cpus=two"],
    "disk format": ["create", "vm", "--print", "--disk=/dev/sdx"],
    "empty disk": ["create", "vm", "--print", "--disk="],
    "empty format": ["create", "vm", "--print", "--disk=/a.img,format="],
    "empty net": ["create", "vm", "--print", "--net="],
    "net key": ["create", "vm", "--print", "--net=user,mac"],
    "net key twice": ["create", "vm", "--print", "--net=user,id=a,id=b"],
    "empty machine": ["create", "vm", "--print", "--machine=,smm=on"],
    "device json": ["create", "vm", "--print", "--device=virtio-rng-pci"],
    "transient autostart": ["create", "vm", "--autostart"],
    "completion": ["--complete", "nothing"],
}


class Definitions(unittest.TestCase):
    maxDiff = None

    def test_golden(self):
        for name, arguments in DOCUMENTS.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                os.mkdir(os.path.join(folder, "here"))
                folder = os.path.realpath(folder)
                outcome = run("create", *arguments, "--print", cwd=os.path.join(folder, "here"))
                self.assertEqual((outcome.code, outcome.err), (0, ""))
                text = outcome.out.replace(folder, "/FOLDER")
                path = os.path.join(GOLDEN, name + ".json")
                if os.environ.get("VMHERALD_RENEW"):
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(text)
                with open(path, encoding="utf-8") as file:
                    self.assertEqual(text, file.read())
                json.loads(text)

    def test_print_file(self):
        text = '{"name":"vm","memory":1073741824,"devices":[],"x":{},"big":18446744073709551615}'
        outcome = run("create", "-", "--print", stdin=text)
        self.assertEqual(outcome.code, 0)
        self.assertEqual(json.loads(outcome.out), json.loads(text))
        self.assertIn('"big": 18446744073709551615\n', outcome.out)
        self.assertIn('"devices": [],\n', outcome.out)

    def test_print_strings_unchanged(self):
        value = {"name": 'a"b\\', "title": "x:{}[],  y\u202e\x9b\U000e0001", "list": [[], [{}], {"a": []}]}
        outcome = run("create", "-", "--print", stdin=json.dumps(value, ensure_ascii=False))
        self.assertEqual(json.loads(outcome.out), value)
        for hostile in "\u202e\x9b\U000e0001":
            self.assertNotIn(hostile, outcome.out)


class Usage(unittest.TestCase):
    def test_errors(self):
        for name, arguments in USAGE.items():
            with self.subTest(name):
                outcome = run(*arguments)
                self.assertEqual((outcome.code, outcome.out), (2, ""), outcome.err)
                if name != "completion":
                    self.assertTrue(outcome.err.startswith("vmheraldctl: "), outcome.err)

    def test_invalid_utf8(self):
        outcome = run(b"show", b"\xff")
        self.assertEqual((outcome.code, outcome.out), (2, ""))

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            missing = run("define", os.path.join(folder, "missing.json"))
            self.assertEqual(missing.code, 1)
            self.assertIn("missing.json: No such file", missing.err)
            self.assertEqual(run("define", folder).code, 1)
            binary = os.path.join(folder, "binary.json")
            with open(binary, "wb") as file:
                file.write(b'{"name": "\xff"}')
            self.assertIn("not valid UTF-8", run("define", binary).err)
            long = os.path.join(folder, "long.json")
            with open(long, "wb") as file:
                file.truncate(16 * 1024 * 1024 + 1)
            self.assertIn("longer than", run("define", long).err)

    def test_no_bus(self):
        self.assertEqual(run("--address=unix:path=/nowhere/bus", "list").code, 4)
        self.assertEqual(run("--address=nonsense", "list").code, 4)
        outcome = run("list")
        self.assertEqual(outcome.code, 4)
        self.assertIn("no session bus", outcome.err)

    def test_output_cannot_be_written(self):
        import subprocess
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([tap.PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE,
                                  env=tap.environment(), timeout=tap.DEADLINE, check=False)
        self.assertEqual(done.returncode, 1)


class Help(unittest.TestCase):
    def test_overall(self):
        outcome = run("--help")
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        for verb in VERBS:
            self.assertIn(f"\n  {verb} ", outcome.out)
        self.assertIn("Exit status:", outcome.out)
        self.assertEqual(run("-h").out, outcome.out)

    def test_each_verb(self):
        for verb in VERBS:
            with self.subTest(verb):
                outcome = run(verb, "--help")
                self.assertEqual((outcome.code, outcome.err), (0, ""))
                self.assertIn(f"vmheraldctl [OPTION…] {verb}", outcome.out)
                self.assertIn("--address=", outcome.out)
                self.assertEqual(run("--help", verb).out, outcome.out)
                self.assertEqual(run("-h", verb).out, outcome.out)

    def test_version(self):
        outcome = run("--version")
        self.assertEqual(outcome.code, 0)
        self.assertRegex(outcome.out, r"^vmheraldctl \d+\.\d+\.\d+\n$")

    def test_complete(self):
        self.assertEqual(run("--complete", "verbs").out.split(), VERBS)
        self.assertEqual(run("--complete", "arguments:attach").out, "DOMAIN [JSON|FILE]\n")
        options = run("--complete", "options:wait").out.split()
        self.assertIn("--timeout=", options)
        self.assertIn("--json", options)
        self.assertNotIn("--complete=", options)

    def test_manual_names_everything(self):
        with open(os.environ["VMHERALD_MANUAL"], encoding="utf-8") as file:
            manual = file.read().replace("\\-", "-")
        for verb in VERBS:
            with self.subTest(verb):
                self.assertIn(f".B {verb}", manual)
                for option in run("--complete", f"options:{verb}").out.split():
                    self.assertIn(option.rstrip("="), manual)


if __name__ == "__main__":
    tap.main()
