# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain that is saved goes on where it was, exactly once; and what fails on the way leaves the
domain as it was and no file."""
import os
import stat

import harness
from badcase import STATE, read_tree, service_folder
from harness import NAME, GLib, wait_until

ADDRESS = 0x200000               # of guest memory that no firmware touches
LIFE = "Domain.Lifecycle"


class Save(harness.ServiceCase):
    def setUp(self):
        super().setUp()
        # A reset vector that loops: a guest that runs and changes nothing.
        self.domain = self.define("saved", arguments=["-bios", self.make_firmware()])
        self.folder = os.path.join(service_folder(STATE), "saved")
        self.file = os.path.join(self.folder, f"{self.uuid}.state")

    @staticmethod
    def make_firmware():
        path = os.path.join(harness.folder(), "loop.bin")
        with open(path, "wb") as file:
            file.write(b"\xf4" * 0xfff0 + b"\xfa\xf4\xeb\xfd" + b"\0" * 12)
        return path

    @property
    def uuid(self):
        return self.domain.get("Domain", "UUID")

    @property
    def has_saved_state(self):
        return self.domain.get("Domain", "HasSavedState")

    def events(self, since=0):
        return [s.arguments[:3] for s in self.recorder.find(LIFE, path=self.domain.path,
                                                           since=since)]

    def mark(self):
        """An index behind all that was told until now."""
        self.connection.call(harness.PATH, "org.freedesktop.DBus.Peer", "Ping")
        self.recorder.connection.call(harness.PATH, "org.freedesktop.DBus.Peer", "Ping")
        return len(self.recorder.signals)

    def write_memory(self, data):
        with self.domain.qtest() as guest:
            guest.write(ADDRESS, data)

    def assert_memory(self, data):
        with self.domain.qtest() as guest:
            self.assertEqual(data, guest.read(ADDRESS, len(data)))

    def assert_empty(self):
        """Nothing of a saved state is left, also after what a worker does in its own time."""
        wait_until(lambda: not os.listdir(self.folder), f"{self.folder} to be empty")
        self.assertFalse(self.has_saved_state)

    def slow_down(self):
        """From here on a save takes for ever: few bytes a second (less than 10 would be no limit), and
        pages that cannot be left out."""
        self.domain.qmp("migrate-set-parameters", {"max-bandwidth": 1000})
        with self.domain.qtest() as guest:
            guest.command(f"memset {ADDRESS:#x} {8 << 20:#x} 0x55")

    def begin_slow_save(self, **values):
        self.slow_down()
        pending = self.domain.send("Domain", "Save", "(a{sv})", harness.options(**values))
        wait_until(lambda: self.domain.qmp("query-migrate").get("status") == "active",
                   "QEMU to write")
        self.assertFalse(pending.finished)
        return pending


class Good(Save):
    def test_running(self):
        self.domain.start()
        self.write_memory(b"kept")
        since = self.mark()
        self.domain.save()
        self.assertEqual("shut-off", self.domain.state)
        self.assertTrue(self.has_saved_state)
        self.mark()
        self.assertEqual([("suspended", "paused", "paused"), ("stopped", "saved", "shut-off")],
                         self.events(since))
        self.recorder.wait_property("Domain", "HasSavedState", True, path=self.domain.path)
        self.assertEqual([os.path.basename(self.file)], os.listdir(self.folder))
        self.assertEqual(0o600, stat.S_IMODE(os.lstat(self.file).st_mode))
        self.assertEqual(0o700, stat.S_IMODE(os.stat(self.folder).st_mode))

        since = self.mark()
        self.domain.start()
        self.assertEqual("running", self.domain.state)
        self.assert_memory(b"kept")
        self.mark()
        self.assertEqual([("starting", "restored", "starting"), ("started", "restored", "running")],
                         self.events(since))
        self.recorder.wait_property("Domain", "HasSavedState", False, path=self.domain.path,
                                    since=since)
        self.assert_empty()

        # Once: the next start is an ordinary one.
        self.domain.destroy()
        since = self.mark()
        self.domain.start()
        self.mark()
        self.assertEqual(("starting", "booted", "starting"), self.events(since)[0])

    def test_paused(self):
        self.domain.start(paused=True)
        self.write_memory(b"still")
        since = self.mark()
        self.domain.save()
        self.mark()
        self.assertEqual([("stopped", "saved", "shut-off")], self.events(since))
        since = self.mark()
        self.domain.start(paused=True)
        self.assertEqual("paused", self.domain.state)
        self.mark()
        self.assertEqual([("starting", "restored", "starting"), ("started", "restored", "paused"),
                          ("suspended", "restored", "paused")], self.events(since))
        self.assert_memory(b"still")
        self.assert_empty()
        self.domain.call("Domain", "Resume")
        self.assertEqual("running", self.domain.state)

    def test_twice(self):
        """Saved, restored, changed, saved again: the last one counts."""
        self.domain.start()
        for data in (b"one", b"two", b"three"):
            self.write_memory(data)
            self.domain.save()
            self.domain.start()
            self.assert_memory(data)

    def test_path(self):
        path = os.path.join(harness.folder(), "a state, with '$(blanks)'")
        self.domain.start()
        self.write_memory(b"path")
        self.domain.save(path=path)
        self.assertEqual(path, os.readlink(self.file))
        self.assertEqual(0o600, stat.S_IMODE(os.lstat(path).st_mode))
        self.assertEqual([], [name for name in os.listdir(harness.folder()) if "partial" in name])
        self.domain.start()
        self.assert_memory(b"path")
        self.assert_empty()
        wait_until(lambda: not os.path.exists(path), "the file to go")

    def test_service_restart_between(self):
        self.domain.start()
        self.write_memory(b"later")
        self.domain.save()
        self.connection.kill_service()
        self.assertTrue(self.has_saved_state)
        self.domain.start()
        self.assert_memory(b"later")
        self.assert_empty()

    def test_devices_are_listed(self):
        """The state is read afresh as at any start."""
        self.domain = self.define("devices", arguments=["-device", "qemu-xhci,id=usb"])
        self.domain.start(paused=True)
        self.domain.save()
        self.domain.start(paused=True)
        self.assertEqual(["usb"], list(self.domain.get("Devices", "Devices")))

    def test_drop(self):
        path = os.path.join(harness.folder(), "dropped")
        for values in ({}, {"path": path}):
            self.domain.start()
            self.domain.save(**values)
            since = self.mark()
            self.domain.call("Domain", "DropSavedState")
            self.assertEqual([], os.listdir(self.folder))
            self.assertFalse(self.has_saved_state)
            self.assertFalse(os.path.exists(path))
            self.recorder.wait_property("Domain", "HasSavedState", False, path=self.domain.path,
                                        since=since)
            self.assertIn("no saved state", self.assert_fails(
                "WrongState", self.domain.call, "Domain", "DropSavedState"))
            since = self.mark()
            self.domain.start()
            self.recorder.wait(LIFE, "started", "booted", since=since)
            self.domain.destroy()

    def test_undefine(self):
        path = os.path.join(harness.folder(), "undefined")
        self.domain.start()
        self.domain.save(path=path)
        self.domain.undefine()
        self.assertEqual([], os.listdir(self.folder))
        self.assertFalse(os.path.exists(path))


class Bad(Save):
    def test_states(self):
        self.assertIn("shut-off", self.assert_fails("WrongState", self.domain.save))
        self.assert_fails("WrongState", self.domain.call, "Domain", "DropSavedState")
        self.domain.start()
        for path in ("", "relative"):
            self.assertIn("absolute", self.assert_fails("InvalidArgument", self.domain.save,
                                                        path=path))
        self.assert_fails("InvalidArgument", self.domain.save, path=True)
        self.assert_fails("InvalidArgument", self.domain.save, force=True)
        self.assertEqual("running", self.domain.state)
        self.assert_empty()

    def test_transient(self):
        self.domain = self.create("transient")
        self.assertIn("transient", self.assert_fails("WrongState", self.domain.save))
        self.assertEqual("running", self.domain.state)

    def test_path_exists(self):
        path = os.path.join(harness.folder(), "mine")
        with open(path, "w", encoding="utf-8") as file:
            file.write("mine")
        self.domain.start()
        for wrong in (path, harness.folder(), os.path.join(path, "below"), "/no/such/folder/state",
                      os.path.join(harness.folder(), "x" * 250)):
            with self.subTest(wrong):
                self.assertIn(wrong, self.assert_fails("Io", self.domain.save, path=wrong))
                self.assertEqual("running", self.domain.state)
                self.assert_empty()
        with open(path, encoding="utf-8") as file:
            self.assertEqual("mine", file.read())

    def test_damaged(self):
        self.domain.start()
        self.domain.save()
        with open(self.file, "rb") as file:
            good = file.read()
        for damaged in (b"", b"no such thing", good[:len(good) // 2], good[:100] + good[4000:]):
            with open(self.file, "wb") as file:
                file.write(damaged)
            since = self.mark()
            message = self.assert_fails("StartFailed", self.domain.start)
            self.assertIn("QEMU said: ", message)
            self.assertIn("kept", message)
            self.assertEqual("shut-off", self.domain.state)
            self.assertTrue(self.has_saved_state)
            with open(self.file, "rb") as file:
                self.assertEqual(damaged, file.read())
            self.mark()
            self.assertEqual([("starting", "restored", "starting"), ("stopped", "failed", "shut-off")],
                             self.events(since))
        with open(self.file, "wb") as file:
            file.write(good)
        self.domain.start()
        self.assert_empty()

    def test_other_machine(self):
        self.domain.start()
        self.domain.save()
        uuid = self.uuid
        self.define("saved", uuid=uuid, machine="pc", arguments=["-bios", self.make_firmware()])
        self.assertIn("QEMU said: ", self.assert_fails("StartFailed", self.domain.start))
        self.assertTrue(self.has_saved_state)
        self.assertTrue(os.path.exists(self.file))

    def test_file_is_gone(self):
        path = os.path.join(harness.folder(), "moved")
        self.domain.start()
        self.domain.save(path=path)
        os.rename(path, path + "-away")
        self.assertIn(path, self.assert_fails("StartFailed", self.domain.start))
        self.assertTrue(self.has_saved_state)
        os.rename(path + "-away", path)
        self.domain.start()

    def test_not_migratable(self):
        """QEMU refuses: its text, the guest goes on, no file."""
        self.domain = self.define("pinned", arguments=["-only-migratable"])
        self.domain.undefine()
        self.domain = self.define("pinned", arguments=["-device", "ivshmem-plain,memdev=m,master=off",
                                                       "-object", "memory-backend-ram,id=m,size=1M,"
                                                       "share=on"])
        self.domain.start()
        message = self.assert_fails("QemuError", self.domain.save)
        self.assertIn("ivshmem", message)
        self.assertEqual("running", self.domain.state)
        self.assert_empty()

    def test_cancelled(self):
        self.domain.start()
        pending = self.begin_slow_save()
        since = self.mark()
        self.domain.qmp("migrate_cancel")
        self.assertIn("cancelled", self.assert_fails("QemuError", pending.result))
        self.assertEqual("running", self.domain.state)
        self.mark()
        self.assertEqual([("resumed", "unpaused", "running")], self.events(since))
        self.assert_empty()
        # It can be saved as if nothing had been.
        self.domain.qmp("migrate-set-parameters", {"max-bandwidth": 1 << 30})
        self.domain.save()

    def test_fails_in_qemu(self):
        """After QEMU has taken the command: its own text, by way of query-migrate."""
        self.domain.start()
        self.domain.qmp("migrate-set-parameters", {"tls-creds": "nothing"})
        self.assertIn("TLS", self.assert_fails("QemuError", self.domain.save))
        self.assertEqual("running", self.domain.state)
        self.assert_empty()

    def test_migrated_already(self):
        self.domain.start()
        self.slow_down()
        self.domain.qmp("migrate", {"uri": "exec:cat >/dev/null"})
        self.assertIn("migration", self.assert_fails("QemuError", self.domain.save))
        self.assertEqual("running", self.domain.state)
        self.assert_empty()

    def test_meanwhile(self):
        self.domain.start()
        pending = self.begin_slow_save()
        for member, arguments in (("Save", ("(a{sv})", {})), ("Shutdown", ("(a{sv})", {})),
                                  ("Reboot", ("(a{sv})", {})), ("Start", ("(a{sv})", {})),
                                  ("Resume", ()), ("Reset", ())):
            with self.subTest(member):
                self.assertIn("being saved", self.assert_fails("WrongState", self.domain.call,
                                                               "Domain", member, *arguments))
        self.assertIn("being saved", self.assert_fails(
            "WrongState", self.domain.attach, {"driver": "usb-tablet"}))
        self.assert_fails("WrongState", self.domain.call, "Domain", "DropSavedState")
        self.assertFalse(pending.finished)
        self.domain.destroy()
        self.assert_fails("MonitorLost", pending.result)

    def test_destroy_during_save(self):
        path = os.path.join(harness.folder(), "destroyed")
        for values in ({}, {"path": path}):
            self.domain.start()
            pending = self.begin_slow_save(**values)
            since = self.mark()
            self.domain.destroy()
            self.assert_fails("MonitorLost", pending.result)
            self.recorder.wait(LIFE, "stopped", "destroyed", since=since)
            self.assertEqual([], os.listdir(self.folder))
            self.assertEqual([], [n for n in os.listdir(harness.folder()) if n.startswith("destroyed")])
            self.assertFalse(self.has_saved_state)

    def test_resumed_past_the_service(self):
        """A guest that goes on by itself makes what was written worth nothing."""
        self.domain.start()
        pending = self.begin_slow_save()
        self.domain.qmp("cont")
        self.domain.qmp("migrate-set-parameters", {"max-bandwidth": 1 << 30})
        try:
            pending.result()
        except GLib.Error:
            self.assert_empty()
        else:
            # QEMU itself stopped it again before it wrote the rest: that is whole as well.
            self.assertEqual("shut-off", self.domain.state)

    def test_under_way(self):
        self.domain.start()
        pending = self.domain.send("Domain", "Shutdown", "(a{sv})", {})
        self.assertIn("shutdown", self.assert_fails("WrongState", self.domain.save))
        self.domain.destroy()
        wait_until(lambda: pending.finished, "the answer to Shutdown()")

    def test_killed_during_save(self):
        path = os.path.join(harness.folder(), "killed")
        for values in ({}, {"path": path}):
            self.domain.start()
            self.begin_slow_save(**values)
            self.connection.kill_service()
            self.assertEqual(1, len(os.listdir(self.folder)))
            wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
            self.assert_empty()
            self.assertEqual([], [n for n in os.listdir(harness.folder()) if n.startswith("killed")])
            # QEMU has been told to give up, so it can go on and be saved.
            wait_until(lambda: self.domain.qmp("query-migrate")["status"] == "cancelled",
                       "QEMU to give up", deadline=20)
            self.domain.call("Domain", "Resume")
            self.domain.qmp("migrate-set-parameters", {"max-bandwidth": 1 << 30})
            self.domain.save()
            self.domain.call("Domain", "DropSavedState")

    def test_found_running_with_a_saved_state(self):
        """Killed between the whole file and the end of QEMU: the guest counts, the file is the past."""
        self.domain.start()
        self.domain.save()
        with open(self.file, "rb") as file:
            good = file.read()
        self.domain.start()
        self.assert_empty()
        self.connection.kill_service()
        with open(self.file, "wb") as file:
            file.write(good)
        with open(self.file.replace(".state", ".state.used"), "wb") as file:
            file.write(good)
        wait_until(lambda: self.domain.state == "running", "the domain to be found again")
        self.assert_empty()

    def test_cont_is_refused(self):
        """A state that QEMU has taken but cannot go on from is still there."""
        disk = os.path.join(harness.folder(), "locked.img")
        with open(disk, "wb") as file:
            file.truncate(1 << 20)
        keys = {"blockdevs": [{"driver": "file", "node-name": "n0", "filename": disk,
                               "locking": "on"}],
                "devices": [{"driver": "virtio-blk-pci", "id": "d0", "drive": "n0"}]}
        self.domain = self.define("locked", **keys)
        self.domain.start()
        self.domain.save()
        other = self.define("other", **keys)
        other.start()
        self.assertIn("lock", self.assert_fails("StartFailed", self.domain.start))
        self.assertTrue(self.has_saved_state)
        self.assertNotEqual([], [n for n in read_tree(self.folder) if n.endswith(".state")])
        other.destroy()
        self.domain.start()
        self.assertEqual("running", self.domain.state)
        self.assert_empty()


if __name__ == "__main__":
    harness.main()
