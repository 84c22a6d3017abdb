# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains that come and go leave nothing behind: no descriptor, thread, process, file or memory."""
import os

import harness
import life
from harness import folder, qemus_of, wait_until
from processes import is_sanitized, private_memory

WARM_UP = 20
CYCLES = 200
# What a hundred cycles may add: the allocator's own ups and downs. A leak of 2 KiB a cycle is more.
GROWTH_KIB_MAX = 200


class Cycles(life.LifeCase):
    def setUp(self):
        super().setUp()
        # The last thing that a service does because it has been started.
        wait_until(lambda: self.connection.get(harness.PATH, f"{harness.NAME}.Manager",
                                               "Emulators"), "the emulators to be known")
        self.pid = self.connection.service_pid()

    def count(self):
        return {
            "descriptors": len(os.listdir(f"/proc/{self.pid}/fd")),
            "threads": len(os.listdir(f"/proc/{self.pid}/task")),
            "QEMUs": len(qemus_of(folder())),
            "runtime files": len(os.listdir(life.runtime_folder())),
            "definitions": len(os.listdir(life.definitions_folder())),
            "children": len(self.children()),
        }

    def children(self):
        """Also those that nobody has waited for."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return file.read().split()

    def cycle(self, number):
        self.create("fleeting", machine="none",
                    title=f"Number {number}").destroy()

    def test_nothing_is_left(self):
        for number in range(WARM_UP):
            self.cycle(number)
        before = self.count()
        memory = []
        for number in range(CYCLES):
            if number % (CYCLES // 2) == 0:
                memory.append(private_memory(self.pid))
            self.cycle(number)
        memory.append(private_memory(self.pid))
        # Threads of the pool come and go by themselves.
        wait_until(lambda: self.count() == before, f"{before} again; now: {self.count()}")
        self.assertEqual(0, before["QEMUs"] + before["runtime files"] + before["definitions"] +
                         before["children"])
        harness.note(f"private memory in KiB before, after {CYCLES // 2}, after {CYCLES} cycles: " +
                     ", ".join(map(str, memory)))
        self.assertEqual(self.pid, self.connection.service_pid())
        life.check_stamps(self, self.recorder.events())
        if not is_sanitized(self.pid):
            self.assertLess(memory[-1] - memory[-2], GROWTH_KIB_MAX)

    def test_failed_starts(self):
        """A start that fails leaves as little."""
        def fail():
            self.assert_fails("StartFailed", self.create, "wrong", machine="none",
                              devices=[{"driver": "nonsense"}])
        for _ in range(WARM_UP):
            fail()
        before = self.count()
        for _ in range(WARM_UP):
            fail()
        wait_until(lambda: self.count() == before, f"{before} again; now: {self.count()}")


if __name__ == "__main__":
    harness.main()
