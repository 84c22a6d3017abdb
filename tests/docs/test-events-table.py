# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/events.md says of each of QEMU's events which signal tells it and what proves it. Here it is
held against what is there: the rows of src/event/table.c, the contract, the recordings with their
expectations, and the cases of the tests."""
import ast
import collections
import glob
import json
import os
import re
import unittest

import contract
import tap

SOURCE = os.environ["VMHERALD_SOURCE"]
RECORDINGS = os.path.join("tests", "data", "recordings")
INTEGRATION = os.path.join("tests", "integration")
EVENTS = 59
REAL_MIN = 40
HEAD = "| QEMU event | QEMU versions | signal | replayed recordings | real QEMU |"
NO_CASE = "–"

Row = collections.namedtuple("Row", "event versions signals recordings case")


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def code(cell):
    """What stands in backquotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def read_rows():
    lines = read("docs", "events.md").splitlines()
    rows = []
    for line in lines[lines.index(HEAD) + 2:]:
        if not line.startswith("|"):
            break
        event, versions, signals, recordings, case = [cell.strip() for cell in line.strip("|").split("|")]
        rows.append(Row(*code(event), versions, code(signals), code(recordings), case))
    return rows


def c_table():
    """Names in the rows of the table that events are looked up in, in its order."""
    body = re.search(r"static const EventRow rows\[\] = \{\n(.*?)\n\};", read("src", "event", "table.c"),
                     re.DOTALL).group(1)
    return re.findall(r"^\t\{ \"([A-Z0-9_]+)\",", body, re.M)


def events_in(path):
    """Names of the events that QEMU sent in a recording."""
    names = set()
    for line in read(path).splitlines():
        entry = json.loads(line)
        if entry.get("dir") == "<" and isinstance(entry.get("msg"), dict) and "event" in entry["msg"]:
            names.add(entry["msg"]["event"])
    return names


def cases_in(path):
    """Names of the test cases of a script."""
    return {function.name for node in ast.walk(ast.parse(read(path))) if isinstance(node, ast.ClassDef)
            for function in node.body
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")}


class EventsTable(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.rows = read_rows()

    def test_is_sorted_and_complete(self):
        names = [row.event for row in self.rows]
        self.assertEqual(sorted(set(names)), names)
        self.assertEqual(EVENTS, len(names))

    def test_has_the_events_of_the_code(self):
        self.assertEqual(c_table(), [row.event for row in self.rows])

    def test_signals_are_those_of_the_contract(self):
        told = collections.defaultdict(dict)
        interfaces = contract.read_files(glob.glob(os.path.join(SOURCE, "introspection", "*.xml")))
        for interface in interfaces:
            for signal in interface.of_kind("signal"):
                for event, versions in signal.qemu_events():
                    told[event][signal.title] = versions
        for row in self.rows:
            with self.subTest(event=row.event):
                self.assertEqual({title: row.versions for title in row.signals}, told[row.event])
        self.assertEqual({row.event for row in self.rows}, set(told))

    def test_each_event_has_a_recording(self):
        for row in self.rows:
            with self.subTest(event=row.event):
                self.assertTrue(row.recordings)

    def test_recordings_have_the_event(self):
        for row in self.rows:
            for name in row.recordings:
                with self.subTest(event=row.event, recording=name):
                    self.assertIn(row.event, events_in(os.path.join(RECORDINGS, name)))

    def test_expectations_have_the_signal(self):
        """The first of the signals is the one that the event is for."""
        for row in self.rows:
            for name in row.recordings:
                with self.subTest(event=row.event, recording=name):
                    text = read(RECORDINGS, name.removesuffix(".jsonl") + ".expected")
                    self.assertRegex(text, rf"(?m)^{re.escape(row.signals[0])} \(")

    def test_cases_are_there(self):
        for row in self.rows:
            if row.case == NO_CASE:
                continue
            with self.subTest(event=row.event):
                script, case = code(row.case)
                self.assertRegex(script, r"^test-events-[a-z]+\.py$")
                self.assertEqual(f"test_{row.event.lower()}", case)
                self.assertIn(case, cases_in(os.path.join(INTEGRATION, script)))
                meson = read(INTEGRATION, "meson.build")
                self.assertIn(f"'{script.removeprefix('test-').removesuffix('.py')}'", meson)

    def test_most_come_from_a_real_qemu(self):
        self.assertGreaterEqual(sum(row.case != NO_CASE for row in self.rows), REAL_MIN)

    def test_every_dash_has_its_reason(self):
        _, _, notes = read("docs", "events.md").partition(HEAD)
        notes = "\n".join(line for line in notes.splitlines() if not line.startswith("|"))
        self.assertEqual(sorted(row.event for row in self.rows if row.case == NO_CASE),
                         sorted(code_word for code_word in code(notes) if re.fullmatch(r"[A-Z0-9_]+",
                                                                                       code_word)))


if __name__ == "__main__":
    tap.main()
