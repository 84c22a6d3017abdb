#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Translations: every file with texts is listed, every text is translated, and it is used."""

import os
import re
import subprocess
import tempfile
import unittest

import tap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PO = os.path.join(ROOT, "po")


def words(name):
    with open(os.path.join(PO, name), encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


class Texts(unittest.TestCase):
    def test_potfiles(self):
        folder = os.path.join(ROOT, "src", "ctl")
        with_texts = []
        for name in sorted(os.listdir(folder)):
            if name.endswith((".c", ".h")):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    if re.search(r'\bN?_\("', file.read()):
                        with_texts.append("src/ctl/" + name)
        listed = [name for name in words("POTFILES") if name.startswith("src/ctl/")]
        self.assertEqual(listed, with_texts)

    def test_linguas(self):
        files = sorted(name[:-3] for name in os.listdir(PO) if name.endswith(".po"))
        self.assertEqual(words("LINGUAS"), files)

    def test_complete(self):
        """No text is missing, left over or fuzzy."""
        with tempfile.TemporaryDirectory() as folder:
            template = os.path.join(folder, "vmherald.pot")
            subprocess.run(["xgettext", "--from-code=UTF-8", "--keyword=_", "--keyword=N_",
                            "--output=" + template, *words("POTFILES")], cwd=ROOT, check=True)
            for language in words("LINGUAS"):
                with self.subTest(language):
                    po = os.path.join(PO, language + ".po")
                    done = subprocess.run(["msgfmt", "-c", "-o", "/dev/null", "--statistics", po],
                                          capture_output=True, text=True, check=True,
                                          env=tap.environment())
                    self.assertRegex(done.stderr, r"^\d+ translated messages?\.\n$")
                    subprocess.run(["msgcmp", po, template], check=True)

    def test_places(self):
        """A translation fills in the same, may leave out the same, and leaves no bracket open."""
        for language in words("LINGUAS"):
            lines = subprocess.run(["msgcat", "--no-wrap", os.path.join(PO, language + ".po")],
                                   capture_output=True, text=True, check=True, encoding="utf-8").stdout
            pairs = re.findall(r'^msgid "(.*\{.*)"\nmsgstr "(.*)"$', lines, re.MULTILINE)
            self.assertGreater(len(pairs), 60)
            for text, translation in pairs:
                with self.subTest(language + ": " + text):
                    self.assertEqual(self.places(translation), self.places(text))

    def places(self, text):
        """What is filled in outside of brackets, and in each pair of them; in any order."""
        parts = re.findall(r"\[([^][]*)\]", text)
        outside = re.sub(r"\[[^][]*\]", "", text)
        self.assertFalse(re.search(r"[][]", outside), text)
        self.assertFalse(re.search(r"[{}]", re.sub(r"\{[a-z0-9|:-]+\}", "", text)), text)
        return (sorted(re.findall(r"\{.*?\}", outside)),
                sorted(sorted(re.findall(r"\{.*?\}", part)) for part in parts))

    def test_used(self):
        """The program finds a catalogue where it was told at build time that it would be."""
        catalogue = os.environ["VMHERALD_LOCALE_DIR"]
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "de", "LC_MESSAGES")
            os.makedirs(target)
            subprocess.run(["msgfmt", "-o", os.path.join(target, "vmherald.mo"),
                            os.path.join(PO, "de.po")], check=True)
            arguments = ["gettext", "--domain=vmherald", "List domains and their states"]
            text = subprocess.run(arguments, capture_output=True, text=True, check=True, encoding="utf-8",
                                  env=tap.environment(LC_ALL="C.UTF-8", LANGUAGE="de",
                                                      TEXTDOMAINDIR=folder)).stdout
            self.assertEqual(text, "Domänen und ihre Zustände auflisten")
        with open(tap.PROGRAM, "rb") as file:
            self.assertIn(catalogue.encode(), file.read())


if __name__ == "__main__":
    tap.main()
