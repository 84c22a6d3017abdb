# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain that is saved goes on where it was, exactly once; and what fails on the way leaves the
domain as it was and no file."""
import json
import os
import stat

import harness
import life
from badcase import STATE, note, read_tree, service_folder, write_program
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

    def test_redefined(self):
        """It goes on as the machine that it was; the definition of today holds from the next start on."""
        self.domain.start()
        self.write_memory(b"old")
        self.domain.save()
        uuid = self.uuid
        self.define("renamed", uuid=uuid, machine="pc", memory="32M",
                    arguments=["-bios", self.make_firmware()])
        self.domain.name = "saved"
        since = self.mark()
        self.domain.start()
        started = self.recorder.wait(LIFE, "started", "restored", since=since)
        self.assertIs(True, started.details["definition-changed"])
        self.assert_memory(b"old")
        self.assertEqual(("renamed", "q35", 16 << 20), tuple(self.domain.get("Domain", name)
                                                            for name in ("Name", "Machine", "Memory")))
        self.connection.kill_service()
        wait_until(lambda: self.domain.state == "running", "the domain to be found again")
        self.assertEqual("q35", self.domain.get("Domain", "Machine"))
        self.domain.destroy()
        since = self.mark()
        self.domain.start()
        started = self.recorder.wait(LIFE, "started", "booted", since=since)
        self.assertNotIn("definition-changed", started.details)
        self.assertEqual(("pc", 32 << 20), (self.domain.get("Domain", "Machine"),
                                            self.domain.get("Domain", "Memory")))

    def test_hot_plugged(self):
        """The machine that is restored has the devices that it had, and the definition has not."""
        disk = os.path.join(harness.folder(), "hot.img")
        with open(disk, "wb") as file:
            file.truncate(1 << 20)
        self.domain = self.define("plugged", arguments=[
            "-bios", self.make_firmware(), "-device", "qemu-xhci,id=usb", "-device",
            "pcie-root-port,id=port0,chassis=1", "-device", "pcie-root-port,id=port1,chassis=2"],
            devices=[{"driver": "usb-tablet", "id": "cold0", "bus": "usb.0"}])
        self.domain.start()
        self.domain.attach({"driver": "usb-storage", "id": "stick0", "drive": "hot", "bus": "usb.0",
                            "port": "3"},
                           blockdev=json.dumps({"driver": "file", "node-name": "hot", "filename": disk}))
        self.domain.attach({"driver": "virtio-rng-pci", "id": "rng0", "bus": "port1", "rng": "random0"},
                           object=json.dumps({"qom-type": "rng-random", "id": "random0",
                                              "filename": "/dev/urandom"}))
        self.domain.detach("cold0")
        self.write_memory(b"hot")
        self.domain.save()
        since = self.mark()
        self.domain.start()
        started = self.recorder.wait(LIFE, "started", "restored", since=since)
        self.assertIs(True, started.details["definition-changed"])
        self.assert_memory(b"hot")
        self.assertEqual({"usb", "port0", "port1", "stick0", "rng0"},
                         set(self.domain.get("Devices", "Devices")))
        # It goes with what it came with, as if it had not been saved in between.
        self.domain.detach("stick0")
        self.domain.destroy()
        self.domain.start()
        self.assertEqual({"usb", "port0", "port1", "cold0"}, set(self.domain.get("Devices", "Devices")))

    def test_progress(self):
        self.domain.start()
        self.assertEqual({}, self.domain.get("Migration", "Progress"))
        since = self.mark()
        self.begin_slow_save()
        wait_until(lambda: self.domain.get("Migration", "Progress"), "the first progress")

        def told():
            return [s.arguments[1]["Progress"] for s in
                    self.recorder.find(f"{harness.PROPERTIES}.PropertiesChanged", f"{NAME}.Migration",
                                       path=self.domain.path, since=since)
                    if "Progress" in s.arguments[1]]
        wait_until(lambda: len(told()) >= 2, "progress to be told by itself")
        first, last = told()[0], told()[-1]
        self.assertEqual({"transferred", "remaining", "total"}, set(first))
        self.assertGreater(first["total"], 16 << 20)
        self.assertGreater(last["transferred"], first["transferred"])
        self.assertGreater(last["remaining"], 0)
        self.assertEqual("active", self.domain.get("Migration", "Status"))
        self.domain.destroy()
        self.assertEqual({}, self.domain.get("Migration", "Progress"))

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

    def assert_kept(self, since, content):
        """The start has failed, and all is as it was before."""
        self.assertEqual("shut-off", self.domain.state)
        self.assertTrue(self.has_saved_state)
        with open(self.file, "rb") as file:
            self.assertEqual(content, file.read())
        self.mark()
        self.assertEqual([("starting", "restored", "starting"), ("stopped", "failed", "shut-off")],
                         self.events(since))

    def test_damaged(self):
        """Not ours, not whole, another's: refused with a text that says so, before there is a QEMU."""
        other = self.define("other", arguments=["-bios", self.make_firmware()])
        other.start()
        other.save()
        with open(self.file.replace(self.uuid, other.get("Domain", "UUID")), "rb") as file:
            foreign = file.read()
        other.undefine()
        self.domain.start()
        self.domain.save()
        with open(self.file, "rb") as file:
            good = file.read()
        self.assertTrue(good.startswith(b"vmherald-state 0001 "))
        for damaged, words in ((b"", "not a state"), (b"no such thing", "not a state"),
                               (good[good.index(b"QEVM"):], "not a state"),
                               (good[:2000], "middle of its header"),
                               (good[:len(good) // 2], "were saved"), (good + b"x", "were saved"),
                               (good[:200] + b"?" + good[201:], "damaged header"),
                               (foreign, "another domain, 'other'")):
            with self.subTest(words):
                with open(self.file, "wb") as file:
                    file.write(damaged)
                since = self.mark()
                message = self.assert_fails("StartFailed", self.domain.start)
                for word in (words, "kept", "DropSavedState()", self.file):
                    self.assertIn(word, message)
                self.assertNotIn("QEMU said", message)
                self.assert_kept(since, damaged)
        with open(self.file, "wb") as file:
            file.write(good)
        self.domain.start()
        self.assert_empty()

    def test_damaged_inside(self):
        """What only QEMU can know: its own words."""
        self.domain.start()
        self.domain.save()
        with open(self.file, "rb") as file:
            good = file.read()
        place = good.index(b"QEVM") + 4
        damaged = good[:place] + b"\xff" * 16 + good[place + 16:]
        with open(self.file, "wb") as file:
            file.write(damaged)
        since = self.mark()
        self.assertIn("QEMU said: ", self.assert_fails("StartFailed", self.domain.start))
        self.assert_kept(since, damaged)

    def test_no_space(self):
        """The file cannot grow: told, the guest goes on, no file is left."""
        emulator = write_program("small-files", "#!/usr/bin/python3\n"
                                 "import os, resource, signal, sys\n"
                                 "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                                 "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
                                 "os.execvp('qemu-system-x86_64', ['qemu-system-x86_64'] + sys.argv[1:])\n")
        self.domain = self.define("full", emulator=emulator, arguments=["-bios", self.make_firmware()])
        self.domain.start()
        with self.domain.qtest() as guest:
            guest.command(f"memset {ADDRESS:#x} {8 << 20:#x} 0x55")
        path = os.path.join(harness.folder(), "full.state")
        for values in ({}, {"path": path}):
            since = self.mark()
            message = self.assert_fails("QemuError", self.domain.save, **values)
            self.assertIn("could not be saved", message)
            note(message)
            self.assertEqual("running", self.domain.state)
            self.mark()
            self.assertEqual([("suspended", "paused", "paused"), ("resumed", "unpaused", "running")],
                             self.events(since))
            self.assert_empty()
            self.assertFalse([n for n in os.listdir(harness.folder()) if n.startswith("full.state")])

    def test_timeout(self):
        self.domain.start()
        self.slow_down()
        since = self.mark()
        self.assertIn("in the time given", self.assert_fails("Timeout", self.domain.save, timeout=500000))
        self.assertEqual("running", self.domain.state)
        self.mark()
        self.assertEqual([("suspended", "paused", "paused"), ("resumed", "unpaused", "running")],
                         self.events(since))
        self.assert_empty()
        self.recorder.wait("Migration.Changed", "cancelled", since=since)
        self.domain.qmp("migrate-set-parameters", {"max-bandwidth": 1 << 30})
        self.domain.save(timeout=60000000)

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
        self.domain.migrate_away()
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
        """The guest is as it was: what was stopped for the save goes on."""
        path = os.path.join(harness.folder(), "killed")
        for values in ({}, {"path": path}):
            self.domain.start()
            self.begin_slow_save(**values)
            since = self.mark()
            self.connection.kill_service()
            self.assertEqual(1, len(os.listdir(self.folder)))
            wait_until(lambda: self.domain.state == "running", "the guest to go on")
            self.recorder.wait(LIFE, "resumed", "unpaused", since=since)
            self.assert_empty()
            self.assertEqual([], [n for n in os.listdir(harness.folder()) if n.startswith("killed")])
            # QEMU has been told to give up, so it can be saved.
            wait_until(lambda: self.domain.qmp("query-migrate")["status"] == "cancelled",
                       "QEMU to give up", deadline=20)
            self.domain.qmp("migrate-set-parameters", {"max-bandwidth": 1 << 30})
            self.domain.save()
            self.domain.call("Domain", "DropSavedState")

    def test_killed_during_save_paused(self):
        self.domain.start(paused=True)
        self.begin_slow_save()
        self.connection.kill_service()
        wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
        self.assert_empty()
        wait_until(lambda: self.domain.qmp("query-migrate")["status"] == "cancelled", "QEMU to give up")
        self.assertEqual("paused", self.domain.state)

    def test_killed_any_time(self):
        """Wherever the service is killed, either the guest goes on or its state is whole."""
        for n in range(4):
            self.domain.start()
            self.write_memory(b"%d here" % n)
            since = self.mark()
            self.domain.send("Domain", "Save", "(a{sv})", {})
            if n:
                self.recorder.wait("Migration.Changed", ("active", "completed", "completed")[n - 1],
                                   since=since)
            self.connection.kill_service()
            wait_until(lambda: self.domain.state in ("running", "shut-off"), "an end of the save")
            if self.domain.state == "shut-off":
                self.assertTrue(self.has_saved_state)
                self.domain.start()
            self.assert_memory(b"%d here" % n)
            self.assert_empty()
            self.domain.destroy()

    def test_monitor_lost(self):
        """Cut off by a lost monitor: when it is back, the guest goes on."""
        self.domain = self.define("yanked", arguments=["-bios", self.make_firmware()] +
                                  life.second_monitor("yanked"))
        self.domain.start()
        monitor = life.SecondMonitor("yanked")
        self.addCleanup(monitor.close)
        pending = self.begin_slow_save()
        since = self.mark()
        monitor.execute("yank", instances=[{"type": "chardev", "id": "vmherald-monitor"}])
        self.assert_fails("MonitorLost", pending.result)
        self.recorder.wait("Monitor.Resynchronized", "monitor-lost", since=since)
        self.recorder.wait(LIFE, "resumed", "unpaused", since=since)
        self.assertEqual("running", self.domain.state)
        self.assert_empty()

    def test_killed_during_restore(self):
        """It is still there, or the guest has gone on from it."""
        for n in range(3):
            self.domain.start()
            self.write_memory(b"%d kept" % n)
            self.domain.save()
            since = self.mark()
            self.domain.send("Domain", "Start", "(a{sv})", {})
            self.recorder.wait(LIFE, "starting", "restored", since=since)
            if n:
                self.recorder.wait("Migration.Changed", ("active", "completed")[n - 1], since=since)
            self.connection.kill_service()
            wait_until(lambda: self.domain.state in ("running", "shut-off"), "an end of the start")
            if self.domain.state == "shut-off":
                self.domain.start()
            self.assert_memory(b"%d kept" % n)
            self.assert_empty()
            self.domain.destroy()

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
