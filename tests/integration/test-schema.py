# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU itself says which events it can emit: the table has a row for each."""
import os
import re
import subprocess

import harness

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EVENTS_MIN = 50                      # 7.2 has 52


def rows():
    """Names of the rows in src/event/table.c."""
    with open(os.path.join(SOURCE, "src", "event", "table.c"), encoding="utf-8") as file:
        table = file.read().partition("static const EventRow rows[] = {")[2].partition("\n};")[0]
    return re.findall(r'^\t\{ "([A-Z0-9_]+)",', table, re.MULTILINE)


class Schema(harness.ServiceCase):
    def emulators(self):
        """Names of those installed that emulate: there are builds that need KVM, which may not be here."""
        found = harness.wait_until(
            lambda: self.connection.get(harness.PATH, f"{harness.NAME}.Manager", "Emulators"),
            "the emulators")
        return [name for name, emulator in found.items() if "tcg" in subprocess.run(
            [emulator["path"], "-accel", "help"], stdin=subprocess.DEVNULL, capture_output=True,
            check=True, text=True).stdout.split()]

    def test_query_qmp_schema(self):
        emulators = self.emulators()
        self.assertIn("qemu-system-x86_64", emulators)
        known = rows()
        for number, emulator in enumerate(sorted(emulators)):
            with self.subTest(emulator=emulator):
                domain = self.define(f"asked{number}", emulator=emulator, machine="none")
                domain.start()
                events = [entry["name"] for entry in domain.qmp("query-qmp-schema")
                          if entry["meta-type"] == "event"]
                domain.destroy()
                self.assertGreaterEqual(len(events), EVENTS_MIN)
                self.assertEqual([], [name for name in events if name not in known])


if __name__ == "__main__":
    harness.main()
