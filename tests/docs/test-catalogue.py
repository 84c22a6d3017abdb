# SPDX-License-Identifier: LGPL-2.1-or-later
"""data/vmherald.catalog explains each record that has an id, with fields that are there and commands
that exist; and journalctl can read it."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import tap

SOURCE = os.environ["VMHERALD_SOURCE"]


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def entries():
    """Message id -> (headers, text)."""
    found = {}
    for block in re.split(r"^-- ", read("data", "vmherald.catalog"), flags=re.MULTILINE)[1:]:
        head, _, text = block.partition("\n\n")
        identity, *headers = head.splitlines()
        assert identity not in found, f"{identity} stands there twice"
        found[identity] = dict(line.split(": ", 1) for line in headers), text.strip()
    return found


def ids():
    """Name -> message id, of the table."""
    return dict(re.findall(r'^\t\[(LOG_ID_\w+)\] = \{ "([^"]+)"', read("src", "base", "log.c"),
                           re.MULTILINE))


def fields():
    return set(re.findall(r'^#define LOG_FIELD_\w+\s+"([A-Z_]+)"', read("src", "base", "log.h"),
                          re.MULTILINE))


def sources():
    for folder in ("src", "service"):
        for place, _, names in os.walk(os.path.join(SOURCE, folder)):
            for name in names:
                if name.endswith(".c") and name != "log.c":
                    yield read(place, name)


class Catalogue(unittest.TestCase):
    def test_every_id_is_explained(self):
        self.assertGreater(len(ids()), 20)
        self.assertEqual(sorted(ids().values()), sorted(entries()))
        for identity, (headers, text) in entries().items():
            with self.subTest(id=identity):
                self.assertRegex(identity, r"^[0-9a-f]{32}$")
                self.assertEqual("vmherald", headers["Defined-By"])
                self.assertRegex(headers["Subject"], r"^[A-Z].{5,75}$")
                self.assertGreater(len(text.split()), 10)

    def test_every_id_is_used(self):
        text = "\n".join(sources())
        for name in ids():
            self.assertRegex(text, rf"\b{name}\b")

    def test_fields_are_there(self):
        known = fields()
        for identity, (headers, text) in entries().items():
            for name in re.findall(r"@(\w+)@", headers["Subject"] + text):
                with self.subTest(id=identity, field=name):
                    self.assertTrue(name in known or name.startswith("VMHERALD_DETAIL_"))

    def test_commands_are_there(self):
        verbs = re.findall(r'^\t\{ "([a-z-]+)", ', read("src", "ctl", "verbs.c"), re.MULTILINE)
        self.assertIn("show", verbs)
        for identity, (_, text) in entries().items():
            for verb in re.findall(r"vmheraldctl ([a-z-]+)", text):
                with self.subTest(id=identity):
                    self.assertIn(verb, verbs)

    def test_journalctl_reads_it(self):
        program = shutil.which("journalctl")
        self.assertIsNotNone(program, "journalctl is in Debian's package systemd")
        with tempfile.TemporaryDirectory(prefix="vmherald-test-") as root:
            place = os.path.join(root, "usr", "lib", "systemd", "catalog")
            os.makedirs(place)
            os.makedirs(os.path.join(root, "var", "lib", "systemd", "catalog"))
            shutil.copy(os.path.join(SOURCE, "data", "vmherald.catalog"), place)
            subprocess.run([program, "--update-catalog", f"--root={root}"], check=True)
            listed = subprocess.run([program, "--list-catalog", f"--root={root}"], check=True,
                                    capture_output=True, encoding="utf-8").stdout
        self.assertEqual(
            sorted(f"{identity} vmherald: {headers['Subject']}"
                   for identity, (headers, _) in entries().items()), sorted(listed.splitlines()))


if __name__ == "__main__":
    tap.main()
