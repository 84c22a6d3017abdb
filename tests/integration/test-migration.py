# SPDX-License-Identifier: LGPL-2.1-or-later
"""Migrations of a real QEMU, begun past the service: nobody has to ask for their events."""
import harness
from badcase import BadCase
from harness import wait_until


class Migration(BadCase):
    def setUp(self):
        super().setUp()
        self.domain = self.create_paused("migrates")
        self.since = self.mark()

    def wait(self, status, old):
        return self.recorder.wait("Migration.Changed", status, old, since=self.since)

    def test_to_nowhere(self):
        self.assertEqual("none", self.domain.get("Migration", "Status"))
        self.domain.migrate_away()
        changed = self.wait("setup", "none")
        self.assertEqual("ss(ttt)a{sv}", changed.signature)
        self.assertEqual(self.domain.path, changed.path)
        self.wait("active", "setup")
        self.wait("completed", "active")
        self.assertEqual("completed", self.domain.get("Migration", "Status"))
        passes = [s.arguments for s in self.recorder.find("Migration.Pass", since=self.since)]
        self.assertEqual([("outgoing", number + 1) for number in range(len(passes))],
                         [arguments[:2] for arguments in passes])
        self.assertGreaterEqual(len(passes), 1)
        self.recorder.wait_property("Migration", "Status", "completed", since=self.since)

    def test_fails(self):
        self.domain.qmp("migrate", {"uri": "unix:/nowhere/at/all"})
        wait_until(lambda: self.domain.get("Migration", "Status") == "failed", "the failure")
        self.recorder.wait("Migration.Changed", "failed", since=self.since)

    def test_after_service_was_killed(self):
        """The status is what QEMU says it is; the capability is switched on again."""
        self.domain.migrate_away()
        self.wait("completed", "active")
        self.domain.qmp("migrate-set-capabilities", {"capabilities": [
            {"capability": "events", "state": False}]})
        self.connection.kill_service()
        wait_until(lambda: self.domain.get("Migration", "Status") == "completed",
                   "the status to be read")
        capabilities = self.domain.qmp("query-migrate-capabilities")
        self.assertIn({"capability": "events", "state": True}, capabilities)


if __name__ == "__main__":
    harness.main()
