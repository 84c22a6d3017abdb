# SPDX-License-Identifier: LGPL-2.1-or-later
"""Why a guest stands still or has ended, told of a real QEMU: its watchdog, a migration, a debugger;
and the file with the memory of a guest that has panicked."""
import os
import resource
import socket
import stat

import harness
import life
from harness import wait_until

MIB = 1 << 20


class OnWatchdog(life.LifeCase):
    """ib700, with what the definition wants."""

    def set_off(self, action):
        self.domain = self.define(f"guarded-{action}", machine="pc", on_watchdog=action,
                                  devices=[{"driver": "ib700"}])
        self.domain.start()
        since = self.mark()
        # What ends QEMU takes the answer with it.
        life.send_port_write(self.domain, life.IB700_START, 1, 0x0f)
        self.recorder.wait("Domain.Watchdog", action, path=self.domain.path, since=since)
        return since

    def test_pause(self):
        since = self.set_off("pause")
        self.wait_life(self.domain, "suspended", "watchdog", "paused", since=since)

    def test_poweroff(self):
        since = self.set_off("poweroff")
        stopped = self.wait_life(self.domain, "stopped", "shutdown", since=since)
        self.assertEqual({"cause": "watchdog", "guest": False, "exit-status": 0},
                         self.details(stopped))

    def test_shutdown(self):
        since = self.set_off("shutdown")
        self.recorder.wait("Domain.PowerdownRequested", "watchdog", path=self.domain.path,
                           since=since)

    def test_reset(self):
        since = self.set_off("reset")
        self.recorder.wait("Domain.Reset", "guest", path=self.domain.path, since=since)
        self.assertEqual([], self.lifecycle(self.domain, since))

    def test_overruled(self):
        """By arguments, and by a client while the guest runs: told is what QEMU does."""
        self.domain = self.define("guarded", machine="pc", on_watchdog="poweroff",
                                  devices=[{"driver": "ib700"}],
                                  arguments=["-action", "watchdog=none"])
        self.domain.start()
        life.send_port_write(self.domain, life.IB700_START, 1, 0x0f)
        self.recorder.wait("Domain.Watchdog", "none", path=self.domain.path)
        since = self.mark()
        self.domain.qmp("set-action", {"watchdog": "pause"})
        life.send_port_write(self.domain, life.IB700_START, 1, 0x0f)
        self.wait_life(self.domain, "suspended", "watchdog", "paused", since=since)

    def test_goes_on(self):
        for action in ("none", "inject-nmi", "debug"):
            with self.subTest(action=action):
                since = self.set_off(action)
                self.mark()
                self.assertEqual([], self.lifecycle(self.domain, since))
                self.assertEqual("running", self.domain.state)
                self.domain.destroy()


class Migration(life.LifeCase):
    """By a client: there is nobody on the other side, which QEMU does not know."""

    def setUp(self):
        super().setUp()
        self.domain = self.define("mover")
        self.domain.start()
        self.since = self.mark()

    def migrate(self):
        self.domain.migrate_away()
        suspended = self.wait_life(self.domain, "suspended", since=self.since)
        self.assertEqual(("suspended", "migrated", "paused"), suspended.arguments[:3])
        self.assertIn(self.details(suspended)["run-state"], ("finish-migrate", "postmigrate"))

    def test_completed(self):
        self.migrate()
        wait_until(lambda: self.domain.qmp("query-migrate")["status"] == "completed",
                   "the migration")
        self.domain.send("Monitor", "Execute", "(ssa{sv})", "quit", "", {})
        stopped = self.wait_life(self.domain, "stopped", since=self.since)
        self.assertEqual(("stopped", "migrated", "shut-off"), stopped.arguments[:3])
        self.assertEqual("host-qmp-quit", stopped.details["cause"])

    def test_cancelled(self):
        """QEMU lets the guest go on when nothing comes of it."""
        self.domain.qmp("migrate-set-capabilities", {"capabilities": [
            {"capability": "pause-before-switchover", "state": True}]})
        self.migrate()
        wait_until(lambda: self.domain.qmp("query-migrate")["status"] == "pre-switchover",
                   "the migration to stand still")
        self.domain.qmp("migrate_cancel")
        resumed = self.wait_life(self.domain, "resumed", since=self.since)
        self.assertEqual(("resumed", "migrated", "running"), resumed.arguments[:3])
        # It ends as one that never went.
        self.domain.send("Monitor", "Execute", "(ssa{sv})", "quit", "", {})
        self.wait_life(self.domain, "stopped", "shutdown", since=self.since)


class Debugger(life.LifeCase):
    def test_step(self):
        path = os.path.join(harness.folder(), "gdb")
        domain = self.define("debugged", arguments=["-gdb", f"unix:{path},server=on,wait=off"])
        domain.start()
        since = self.mark()
        with socket.socket(socket.AF_UNIX) as gdb:
            gdb.connect(path)
            self.wait_life(domain, "suspended", "paused", since=since)
            # One instruction.
            gdb.sendall(b"+$s#73")
            self.wait_life(domain, "resumed", since=since)
            suspended = self.wait_life(domain, "suspended", "debug", since=since)
            self.assertEqual({"run-state": "debug"}, self.details(suspended))
            self.assertEqual("debug", domain.get("Domain", "StateReason"))


class Dump(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(harness.folder(), "core of a 'guest'")
        self.addCleanup(self.remove)

    def remove(self):
        for path in (self.path, self.path + ".partial"):
            if os.path.lexists(path):
                os.unlink(path)

    def panic(self, policy, **keys):
        self.domain = self.define("nervous", on_panic=policy, panic_dump=self.path,
                                  devices=[{"driver": "pvpanic"}], **keys)
        self.domain.start()
        self.trigger()

    def trigger(self):
        self.since = self.mark()
        life.send_port_write(self.domain, life.PVPANIC, 1, life.PVPANIC_PANICKED)

    def check_first(self, policy):
        crashed = self.wait_life(self.domain, "crashed", since=self.since)
        self.assertEqual({"policy": "on-panic", "action": policy, "dumping": True},
                         self.details(crashed))

    def check_last(self, policy):
        """The second signal, of a guest that is kept."""
        told = lambda: self.recorder.find("Domain.Lifecycle", "crashed", "panicked", "crashed",
                                          path=self.domain.path, since=self.since)
        wait_until(lambda: len(told()) == 2, "the second signal")
        details = self.details(told()[-1])
        self.assertEqual({"policy": "on-panic", "action": policy, "dump": self.path}, details)
        self.check_dumped(details)

    def check_dumped(self, details, memory=16 * MIB):
        self.assertEqual(self.path, details.get("dump"), details)
        status = os.stat(self.path)
        self.assertEqual(0o600, stat.S_IMODE(status.st_mode))
        # The memory, that of the display, firmware; headers.
        self.assertGreater(status.st_size, memory)
        self.assertLess(status.st_size, memory + 64 * MIB)
        with open(self.path, "rb") as core:
            self.assertEqual(b"\x7fELF", core.read(4))
        self.assertFalse(os.path.lexists(self.path + ".partial"))

    def test_stop(self):
        self.panic("stop")
        self.check_first("stop")
        stopped = self.wait_life(self.domain, "stopped", since=self.since)
        self.mark()
        self.assertEqual([("crashed", "panicked", "crashed"), ("shutdown", "host", "shutting-down"),
                          ("stopped", "crashed", "shut-off")],
                         self.lifecycle(self.domain, self.since))
        self.assertEqual({"policy": "on-panic", "action": "stop", "dump": self.path,
                          "cause": "host-qmp-quit", "guest": False, "exit-status": 0},
                         self.details(stopped))
        self.check_dumped(self.details(stopped))

    def test_preserve(self):
        self.panic("preserve")
        self.check_first("preserve")
        self.check_last("preserve")
        self.assertEqual("guest-panicked", self.domain.qmp("query-status")["status"])
        self.assertEqual("crashed", self.domain.state)
        # And once more: the new one takes the place of the last.
        before = os.stat(self.path).st_ino
        self.domain.call("Domain", "Resume")
        self.trigger()
        self.check_last("preserve")
        self.assertNotEqual(before, os.stat(self.path).st_ino)

    def test_restart(self):
        self.panic("restart")
        self.check_first("restart")
        started = self.wait_life(self.domain, "started", since=self.since)
        self.mark()
        self.assertEqual(("started", "recreated", "running"), started.arguments[:3])
        self.assertEqual({"policy": "on-panic"}, self.details(started))
        stopped = self.wait_life(self.domain, "stopped", "crashed", since=self.since)
        self.assertEqual("restart", stopped.details["action"])
        self.check_dumped(self.details(stopped))
        self.assertEqual("running", self.domain.state)

    def test_no_folder(self):
        self.path = os.path.join(harness.folder(), "no", "such", "folder")
        self.panic("stop")
        stopped = self.wait_life(self.domain, "stopped", "crashed", since=self.since)
        self.assertIn("No such file", stopped.details["dump-error"])
        self.assertNotIn("dump", stopped.details)

    def test_no_space(self):
        """QEMU says that it could not write; the last dump stays."""
        with open(self.path, "w", encoding="ascii") as last:
            last.write("the last one")
        self.domain = self.define("nervous", on_panic="stop", panic_dump=self.path,
                                  devices=[{"driver": "pvpanic"}])
        self.domain.start()
        # A disk without space, for this process: no file may be longer than its headers are.
        resource.prlimit(self.domain.get("Domain", "PID"), resource.RLIMIT_FSIZE, (4096, 4096))
        self.trigger()
        stopped = self.wait_life(self.domain, "stopped", since=self.since)
        # It is told when that is over: nothing half is left.
        with open(self.path, encoding="ascii") as last:
            self.assertEqual("the last one", last.read())
        self.assertFalse(os.path.lexists(self.path + ".partial"))
        self.assertEqual("crashed", stopped.arguments[1])
        self.assertIn("File too large", stopped.details["dump-error"])

    def test_killed_service(self):
        """Killed as soon as the panic is told: QEMU goes on writing, or has not begun, or is done.
        Found again it is brought to its end."""
        self.panic("stop", memory="64M")
        self.check_first("stop")
        self.connection.kill_service()
        wait_until(lambda: self.domain.state == "shut-off", "the end")
        self.check_dumped({"dump": self.path}, 64 * MIB)

    def test_others(self):
        """Another domain stops and goes on while the memory is written."""
        other = self.define("other", machine="none")
        other.start()
        self.panic("stop", memory="256M")
        self.check_first("stop")
        for _ in range(20):
            other.call("Domain", "Suspend")
            other.call("Domain", "Resume")
        stopped = self.wait_life(self.domain, "stopped", since=self.since)
        self.check_dumped(self.details(stopped), 256 * MIB)
        self.mark()
        self.assertEqual([("suspended", "paused", "paused"), ("resumed", "unpaused", "running")] * 20,
                         self.lifecycle(other, self.since))


if __name__ == "__main__":
    harness.main()
