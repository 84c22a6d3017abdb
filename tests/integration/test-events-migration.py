# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of memory that leaves the machine, from a real QEMU: interface Migration. Nobody has to ask
QEMU for them: the service has switched them on."""
import os

import harness
import recipes
from recipes import ANY

MIB = 1 << 20


class Leaving(recipes.EventCase):
    """A machine for each case, for it can leave only once."""

    def setUp(self):
        self.domain = self.start(self._testMethodName.replace("_", "-"))
        super().setUp()

    def migrate(self):
        self.domain.migrate_away()
        self.wait("Migration.Changed", "completed")

    def test_migration(self):
        self.migrate()
        for status, old in (("setup", "none"), ("active", "setup"), ("completed", "active")):
            self.expect("Migration.Changed", "ss", status, old)
        self.assertEqual(["setup", "active", "completed"],
                         [s.arguments[0] for s in self.of_domain("Migration.Changed")])

    def test_migration_pass(self):
        self.migrate()
        passes = self.of_domain("Migration.Pass")
        self.assertEqual(list(range(1, len(passes) + 1)), [s.arguments[1] for s in passes])
        for number in (1, 2):
            self.expect("Migration.Pass", "sx", "outgoing", number)

    def test_dump_completed(self):
        core = recipes.place("core")
        self.domain.qmp("dump-guest-memory", {"paging": False, "detach": True,
                                              "protocol": f"file:{core}"})
        self.addCleanup(os.unlink, core)
        completed = self.expect("Migration.DumpCompleted", "stts", "completed", ANY, ANY, "")
        self.assertEqual(completed.arguments[1], completed.arguments[2])
        self.assertLess(16 * MIB, completed.arguments[2])
        self.assertLess(completed.arguments[2], os.stat(core).st_size)

    def test_dump_completed_failed(self):
        """What went wrong is an argument."""
        self.domain.qmp("dump-guest-memory", {"paging": False, "detach": True,
                                              "protocol": "file:/dev/full"})
        failed = self.expect("Migration.DumpCompleted", "stts", "failed", ANY, ANY, ANY)
        self.assertIn("dump", failed.arguments[3])


if __name__ == "__main__":
    harness.main()
