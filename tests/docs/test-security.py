# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each promise in SECURITY.md names the tests that show it. Here it is looked up whether they are there: a promise
whose test was renamed or has gone is one that nobody looks after."""
import ast
import glob
import json
import os
import re
import unittest

import tap

SOURCE = os.environ["VMHERALD_SOURCE"]
BUILD = os.environ["VMHERALD_BUILD"]
HEAD = "| promise | kept by | shown by |"
# `name`, or `name`: `case`, `case` ...
PROOF = re.compile(r"`([^`]+)`(?:: ((?:`[^`]+`(?:, (?=`[^`]+`(?!:)))?)+))?")


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def read_rows():
    """(promise, kept by, shown by) of each row, of all tables with that head."""
    rows, inside = [], False
    for line in read("SECURITY.md").splitlines():
        if line == HEAD:
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not re.fullmatch(r"[|-]+", line):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
    return rows


def proofs(cell):
    """(test, its cases) of each that a cell names."""
    return [(match.group(1), re.findall(r"`([^`]+)`", match.group(2) or "")) for match in PROOF.finditer(cell)]


def read_tests():
    """Name -> command of each test of the build."""
    with open(os.path.join(BUILD, "meson-info", "intro-tests.json"), encoding="utf-8") as file:
        return {test["name"]: test["cmd"] for test in json.load(file)}


def cases_of_script(path):
    with open(path, encoding="utf-8") as file:
        return {function.name for node in ast.walk(ast.parse(file.read())) if isinstance(node, ast.ClassDef)
                for function in node.body
                if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")}


def cases_of_programs():
    """The names with which cases of GLib's are added, of all test programs."""
    names = set()
    for path in glob.glob(os.path.join(SOURCE, "tests", "**", "*.c"), recursive=True):
        with open(path, encoding="utf-8", errors="replace") as file:
            names.update(re.findall(r'"(/[a-z0-9/_-]+)"', file.read()))
    return names


def cases_of(command):
    scripts = [argument for argument in command if argument.endswith(".py")]
    return cases_of_script(scripts[0]) if scripts else cases_of_programs()


class Security(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = read_rows()
        cls.tests = read_tests()

    def test_tables_are_read(self):
        self.assertEqual(read("SECURITY.md").count("\n" + HEAD + "\n"), read("SECURITY.md").count("| promise"))

    def test_rows_are_whole(self):
        for row in self.rows:
            with self.subTest(promise=row[0]):
                self.assertEqual(3, len(row))
                self.assertTrue(all(row))

    def test_each_promise_is_shown(self):
        for row in self.rows:
            with self.subTest(promise=row[0]):
                self.assertTrue(proofs(row[2]))

    def test_tests_are_there(self):
        for row in self.rows:
            for test, cases in proofs(row[2]):
                with self.subTest(promise=row[0], test=test):
                    self.assertIn(test, self.tests)
                    self.assertLessEqual(set(cases), cases_of(self.tests[test]))

    def test_a_cell_is_understood(self):
        """Or the cases above look at nothing."""
        self.assertEqual([("a-b", ["test_c", "test_d"]), ("e", []), ("f", ["/g/h"])],
                         proofs("`a-b`: `test_c`, `test_d`; `e`; `f`: `/g/h`"))


if __name__ == "__main__":
    tap.main()
