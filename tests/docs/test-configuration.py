# SPDX-License-Identifier: LGPL-2.1-or-later
"""The keys of vmherald.conf are those of the table in the code, with the same defaults: in the example file and in the manual page;
and the options of the service are in its manual page. The service says what it has."""
import os
import re
import subprocess
import tempfile
import unittest

import tap

SOURCE = os.environ["VMHERALD_SOURCE"]
PROGRAM = os.path.join(os.environ["VMHERALD_BUILD"], "service", "vmherald")


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def run(*options, **files):
    """Its output, and what is wrong, with these files as the configuration of the session bus."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "vmherald"))
        for name, text in files.items():
            with open(os.path.join(folder, "vmherald", name.replace("_", ".")), "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([PROGRAM, *options], env={**os.environ, "XDG_CONFIG_HOME": folder,
                                                        "CONFIGURATION_DIRECTORY": folder}, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60)
    return done.stdout, done.stderr


def keys(text):
    """[(section, key, value)] of a file."""
    found, section = [], None
    for line in text.splitlines():
        match = re.fullmatch(r"\[(\w+)\]", line)
        section = match.group(1) if match else section
        match = re.fullmatch(r"(\w+)=(.*)", line)
        if match:
            found.append((section, *match.groups()))
    return found


def uncommented(text):
    return re.sub(r"^#(?=\w+=)", "", text, flags=re.MULTILINE)


class Configuration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.defaults = keys(run("--system", "--check-config")[0])
        cls.session = keys(run("--check-config")[0])

    def test_there_are_some(self):
        self.assertGreater(len(self.defaults), 12)
        self.assertEqual([row[:2] for row in self.defaults], [row[:2] for row in self.session])

    def test_example(self):
        """It has each of them, commented out; and it is good when they are not."""
        text = read("data", "vmherald.conf")
        self.assertEqual([], keys(text))
        self.assertEqual(self.defaults, keys(uncommented(text)))
        output, wrong = run("--check-config", vmherald_conf=uncommented(text))
        self.assertEqual("", wrong)
        self.assertEqual(self.defaults, keys(output))

    def test_manual_page(self):
        """Section, key and default."""
        found, section = [], None
        page = read("data", "man", "vmherald.conf.5").replace("\\-", "-")
        for part in re.split(r"^(?=\.SH |\.TP$)", page, flags=re.MULTILINE):
            if part.startswith(".SH"):
                section = part.splitlines()[0][len(".SH "):].strip("[]").capitalize()
            match = re.match(r"\.TP\n\.BI (\w+)= ", part)
            if match:
                # Who must have a default says it at its end; an empty one in words.
                value = re.search(r"[Tt]he\s+default\s+is\s+(.+?)(?:\.$|\s+on the system bus)", part,
                                  re.MULTILINE | re.DOTALL)
                found.append((section.replace("Qemu", "QEMU"), match.group(1), value.group(1) if value else ""))
        self.assertEqual(self.defaults, found)

    def test_example_of_the_page(self):
        text = re.search(r"^# /etc.*?(?=^\.fi)", read("data", "man", "vmherald.conf.5"), re.MULTILINE | re.DOTALL).group(0)
        output, wrong = run("--check-config", vmherald_conf=text)
        self.assertEqual("", wrong)
        self.assertIn(("QEMU", "ImageDirectories", '/var/lib/vmherald/images "/srv/disk images"'), keys(output))

    def test_options(self):
        page = read("data", "man", "vmherald.8").replace("\\-", "-")
        help_text = run("--help")[0]
        options = set(re.findall(r"^\s+(?:-\w, )?(--[\w-]+)", help_text, re.MULTILINE))
        self.assertIn("--check-config", options)
        # Beside them the short form of help, and what is said of another program.
        named = set(re.findall(r"^\.B[IR]* (?:-h \", \" )?(--[\w-]+)", page, re.MULTILINE))
        self.assertEqual(options, named | {"--help"})
        for key in re.findall(r"\[(\w+)\]\.", page):
            self.assertIn(("Service", key), [row[:2] for row in self.defaults])


if __name__ == "__main__":
    tap.main()
