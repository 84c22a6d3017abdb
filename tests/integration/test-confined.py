# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real QEMU that is another user than the service: what it is, what it cannot reach, that all it has to do with our folders works
nevertheless, and what is refused there."""
import json
import os
import shutil
import subprocess

import confined
import harness
import life
from confined import place, status
from harness import GLib, Gio, NAME, wait_until

SECCOMP_FILTER = "2"
CONSOLE = {"type": "serial", "id": "tty"}
LOG_SIZE_MAX = 1 << 20               # QEMU_LOG_SIZE_MAX
SANDBOX_KEY = "RequireSandbox="


def setUpModule():
    confined.set_up_system()


def as_qemu(*command):
    """What comes of it when a process of QEMU's user, with its groups, does that."""
    entry = confined.user()
    return subprocess.run(command, check=False, user=entry.pw_uid, group=entry.pw_gid, extra_groups=sorted(confined.groups()),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Process(confined.ConfinedCase):
    def start(self, name, **keys):
        domain = self.define(name, **keys)
        domain.start(paused=True)
        return domain, domain.get("Domain", "PID"), domain.get("Domain", "UUID")

    def test_identity(self):
        """Another user, no group but kvm, no capability, no way to one, and system calls filtered."""
        _, pid, _ = self.start("web1")
        found, entry = status(pid), confined.user()
        self.assertEqual([str(entry.pw_uid)] * 4, found["Uid"].split())
        self.assertEqual([str(entry.pw_gid)] * 4, found["Gid"].split())
        self.assertLessEqual({int(group) for group in found["Groups"].split()}, confined.groups())
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(0, int(found[capabilities], 16), capabilities)
        self.assertEqual("1", found["NoNewPrivs"])
        self.assertEqual(SECCOMP_FILTER, found["Seccomp"])

    def test_holds_nothing_of_another(self):
        domains = [self.start(name, consoles=[CONSOLE]) for name in ("web1", "web2")]
        for (_, pid, own), (_, _, other) in (domains, reversed(domains)):
            links = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
            self.assertEqual([], [link for link in links if other in link])
            self.assertEqual([], [link for link in links if link.startswith((place("etc"), place("lib")))])
            # Its log and its console's, by descriptor.
            self.assertLessEqual({place("log", own, "qemu.log"), place("log", own, "console-tty.log")}, set(links))

    def test_folders_are_closed(self):
        """QEMU's user neither lists nor changes anything there: its own domain's folder is as closed to it as another's."""
        _, _, uuid = self.start("web1", consoles=[CONSOLE])
        paths = [place("run"), place("run", "domains", uuid), place("run", "domains", uuid, "run.json"),
                 place("run", "domains", uuid, "monitor"), place("log"), place("log", uuid, "qemu.log"),
                 place("log", uuid, "console-tty.log"), place("lib"), place("lib", "saved"), place("lib", "nvram"),
                 place("etc", "domains", "web1.json")]
        # The way to them is open, or the rest would show nothing.
        self.assertEqual(0, as_qemu("test", "-x", os.path.dirname(place("run"))).returncode)
        for path in paths:
            with self.subTest(path=path):
                self.assertTrue(os.path.lexists(path))
                for command in (("ls", "-d", f"{path}/."), ("cat", path), ("ln", "-s", "/etc/shadow", f"{path}/planted"), ("rm", "-rf", path), ("mv", path, f"{path}.away")):
                    outcome = as_qemu(*command)
                    self.assertNotEqual(0, outcome.returncode, command)
                    self.assertIn("Permission denied", outcome.stderr)
                self.assertTrue(os.path.lexists(path))


class Works(confined.ConfinedCase):
    """What a QEMU has to do with our folders."""

    def log(self, domain, name):
        return place("log", domain.get("Domain", "UUID"), name)

    def test_console_log(self):
        """What the guest says goes there, the firmware here; and it is emptied while QEMU writes to it."""
        domain = self.define("talks", machine={"type": "pc", "graphics": "off"}, consoles=[CONSOLE])
        domain.start()
        log = self.log(domain, "console-tty.log")
        wait_until(lambda: b"SeaBIOS" in read(log), "the firmware to say who it is")
        with open(log, "ab") as file:
            file.write(b"x" * (LOG_SIZE_MAX + 1))
        wait_until(lambda: os.path.exists(f"{log}.1"), "the log to be emptied")
        domain.call("Domain", "Reset")
        wait_until(lambda: b"SeaBIOS" in read(log), "the firmware to say it in the emptied one")
        self.assertLess(os.path.getsize(log), LOG_SIZE_MAX)

    def test_screenshot(self):
        """QEMU writes to a file in memory that is ours."""
        domain = self.define("seen", devices=[{"driver": "VGA", "id": "video0"}])
        domain.start(paused=True)
        for _ in range(2):
            reply, descriptors = self.connection.bus.call_with_unix_fd_list_sync(
                NAME, domain.path, f"{NAME}.Domain", "Screenshot", GLib.Variant("(a{sv})", ({},)), GLib.VariantType("(h)"),
                Gio.DBusCallFlags.NONE, int(harness.DEADLINE * 1000), None, None)
            with os.fdopen(descriptors.get(reply.unpack()[0]), "rb") as file:
                self.assertEqual(b"\x89PNG", file.read(4))

    def test_save(self):
        domain = self.define("kept")
        domain.start()
        domain.save()
        state = place("lib", "saved", domain.get("Domain", "UUID") + ".state")
        self.assertEqual((0, 0o100600), (os.stat(state).st_uid, os.stat(state).st_mode))
        domain.start()
        self.assertEqual("running", domain.state)
        self.assertFalse(os.path.exists(state))

    def test_panic_dump(self):
        """With the rights of QEMU's user: it is made in a folder that is that user's, and not in one that is root's."""
        for owner, made in ((confined.user().pw_uid, True), (0, False)):
            with self.subTest(owner=owner):
                crashes = os.path.join(harness.folder(), f"crashes-of-{owner}")
                os.mkdir(crashes, 0o755)
                self.addCleanup(shutil.rmtree, crashes)
                os.chown(crashes, owner, -1)
                dump = os.path.join(crashes, "core")
                domain = self.define(f"panics{owner}", panic_dump=dump, on_panic="preserve",
                                     devices=[{"driver": "pvpanic", "id": "pvpanic0"}])
                domain.start()
                domain.hmp(f"o /b {life.PVPANIC:#x} {life.PVPANIC_PANICKED}")
                wait_until(lambda: domain.state == "crashed", "the guest to panic")
                if made:
                    wait_until(lambda: os.path.exists(dump), "its memory to be written")
                    self.assertEqual((owner, b"\x7fELF"), (os.stat(dump).st_uid, read(dump)[:4]))
                else:
                    wait_until(lambda: f"could not be written to {dump}" in life.service_log(), "the reason to be told")
                    self.assertEqual([], os.listdir(crashes))

    def test_found_again(self):
        """By the service after it was killed."""
        domain = self.define("stays", consoles=[CONSOLE])
        domain.start(paused=True)
        pid = domain.get("Domain", "PID")
        self.connection.kill_service()
        self.assertEqual(("paused", pid), (domain.state, domain.get("Domain", "PID")))
        self.assertEqual(str(confined.user().pw_uid), status(pid)["Uid"].split()[0])


class Refused(confined.ConfinedCase):
    def assert_not_started(self, name, error, *words, **keys):
        """And nothing is left of it."""
        domain = self.define(name, **keys)
        text = self.assert_fails(error, domain.start)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual("shut-off", domain.state)
        self.assertFalse(os.path.exists(place("run", "domains", domain.get("Domain", "UUID"))))

    def test_sandbox(self):
        """Whoever writes a definition cannot let QEMU out."""
        for number, (words, keys) in enumerate((
                (("sandbox:", SANDBOX_KEY), {"sandbox": False}),
                (("sandbox:", SANDBOX_KEY), {"sandbox": "on"}),
                (("sandbox:", SANDBOX_KEY), {"sandbox": "on,obsolete=deny,elevateprivileges=allow,spawn=deny,"
                                                        "resourcecontrol=deny"}),
                (("arguments", "-sandbox", SANDBOX_KEY), {"arguments": ["-sandbox", "off"]}),
                (("arguments", "-sandbox", SANDBOX_KEY), {"arguments": ["--sandbox", "off"]}),
                (("arguments", "-runas", SANDBOX_KEY), {"arguments": ["-runas", "root"]}),
                (("arguments", "-readconfig", SANDBOX_KEY), {"arguments": ["-readconfig", "/etc/qemu.conf"]}))):
            with self.subTest(**keys):
                self.assert_not_started(f"free{number}", "NotPermitted", *words, **keys)

    def test_a_file_of_root(self):
        """Neither as a disk, nor as firmware, nor by QEMU's own arguments does a definition reach what QEMU's user may not read."""
        secret = os.path.join(harness.folder(), "secret")
        with open(secret, "wb") as file:
            file.write(b"s" * 65536)
        os.chmod(secret, 0o600)
        self.assert_not_started("thief1", "NotPermitted", secret, "firmware.code", firmware={"code": secret})
        self.assert_not_started("thief2", "StartFailed", "Permission denied",
                                arguments=["-drive", f"if=none,format=raw,readonly=on,file={secret}"])
        self.assert_not_started("thief3", "NotPermitted", secret, "firmware.vars-template",
                                firmware={"code": "/usr/share/seabios/bios-256k.bin", "vars-template": secret})
        # Not by the descriptors that QEMU is given, either: a name in /proc leads nowhere.
        self.assert_not_started("thief4", "NotPermitted", "firmware.code", firmware={"code": "/proc/self/fd/3"})

    def test_saved_elsewhere(self):
        """Root makes that file: nowhere but where images are."""
        self.addCleanup(self.connection.kill_service)
        self.addCleanup(confined.configure)
        images = os.path.join(harness.folder(), "images")
        os.makedirs(os.path.join(images, "below"), exist_ok=True)
        confined.configure(f"ImageDirectories={images}")
        self.manager("Reload")
        domain = self.define("leaves")
        domain.start(paused=True)
        for path in ("/etc/cron.d/planted", f"{images}/../planted", f"{images}/below/planted", f"{images}x"):
            with self.subTest(path=path):
                text = self.assert_fails("NotPermitted", domain.save, path=GLib.Variant("s", path))
                self.assertIn(path, text)
                self.assertIn("ImageDirectories=", text)
                self.assertFalse(os.path.lexists(path))
        self.assertEqual("paused", domain.state)
        domain.save(path=GLib.Variant("s", f"{images}/leaves"))
        self.assertTrue(os.path.exists(f"{images}/leaves"))

    def test_no_such_user(self):
        """Nothing is started: least of all as root."""
        self.addCleanup(self.connection.kill_service)
        self.addCleanup(confined.configure)
        confined.configure(user="nobody-has-this-name")
        if self.connection.service_runs():
            self.connection.kill_service()
        self.assert_not_started("orphan", "StartFailed", "nobody-has-this-name", "User=", "vmherald.conf")


class Planted(confined.ConfinedCase):
    """Even if somebody could put something into the folders of the service: it leads nowhere. Names that the service gives are made
    of what has been checked, too."""

    def setUp(self):
        super().setUp()
        self.victim = os.path.join(harness.folder(), "victim")
        os.makedirs(self.victim)
        self.addCleanup(shutil.rmtree, self.victim)
        self.file = os.path.join(self.victim, "file")
        with open(self.file, "wb") as file:
            file.write(b"as it was")
        self.domain = self.define("web1", consoles=[CONSOLE])
        self.uuid = self.domain.get("Domain", "UUID")

    def assert_untouched(self):
        self.assertEqual(["file"], os.listdir(self.victim))
        self.assertEqual(b"as it was", read(self.file))

    def plant(self, make, target, *names):
        path = place(*names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        make(target, path)
        self.addCleanup(lambda: os.path.islink(path) and os.unlink(path))
        return path

    def test_folder_of_a_run(self):
        """In its place there is a folder of the service's own when it starts."""
        path = self.plant(os.symlink, self.victim, "run", "domains", self.uuid)
        self.domain.start(paused=True)
        self.assertFalse(os.path.islink(path))
        self.domain.destroy()
        self.assert_untouched()

    def test_folder_of_logs(self):
        path = self.plant(os.symlink, self.victim, "log", self.uuid)
        self.assertIn(path, self.assert_fails("StartFailed", self.domain.start))
        self.assert_untouched()

    def test_log_of_qemu(self):
        path = self.plant(os.symlink, self.file, "log", self.uuid, "qemu.log")
        self.domain.start(paused=True)
        self.assertFalse(os.path.islink(path))
        self.assert_untouched()

    def test_log_of_a_console(self):
        for make in (os.symlink, os.link):
            with self.subTest(make=make.__name__):
                path = self.plant(make, self.file, "log", self.uuid, "console-tty.log")
                self.assertIn(path, self.assert_fails("StartFailed", self.domain.start))
                os.unlink(path)
                self.assert_untouched()

    def test_log_that_is_emptied(self):
        """Not a file that is somebody's under another name."""
        self.domain.start()
        with open(self.file, "r+b") as file:
            file.truncate(LOG_SIZE_MAX + 1)
        linked = self.plant(os.link, self.file, "log", self.uuid, "other.log")
        full = place("log", self.uuid, "qemu.log")
        with open(full, "ab") as file:
            file.truncate(LOG_SIZE_MAX + 1)
        wait_until(lambda: os.path.getsize(full) < LOG_SIZE_MAX, "a log to be emptied")
        wait_until(lambda: os.path.exists(f"{full}.1"), "what was in it to be kept")
        with open(full, "ab") as file:
            file.truncate(LOG_SIZE_MAX + 1)
        # All files of the folder are looked at each time.
        wait_until(lambda: os.path.getsize(full) < LOG_SIZE_MAX, "a log to be emptied once more")
        self.assertEqual(LOG_SIZE_MAX + 1, os.path.getsize(self.file))
        os.unlink(linked)

    def test_run_file(self):
        """A link to a definition of somebody else's is no run that is taken up."""
        os.makedirs(place("run", "domains", self.uuid), mode=0o700)
        path = self.plant(os.symlink, self.file, "run", "domains", self.uuid, "run.json")
        self.connection.kill_service()
        self.assertEqual("shut-off", self.domain.state)
        self.domain.start(paused=True)
        self.assertFalse(os.path.islink(path))
        self.assert_untouched()

    def test_names(self):
        """What becomes part of a path is checked: of a domain, of its console; and its uuid."""
        before = sorted(os.listdir(harness.folder())), sorted(os.listdir(place("etc", "domains")))
        for document in ({"name": "../../planted"}, {"name": ".."}, {"name": "a/b"}, {"name": "/planted"}, {"name": ""},
                         {"name": "web2", "uuid": "../../planted"}, {"name": "web2", "uuid": "00000000-0000-0000-0000-00000000000/"},
                         {"name": "web2", "consoles": [{"type": "serial", "id": "../../../planted"}]},
                         {"name": "web2", "consoles": [{"type": "serial", "id": "a/b"}]},
                         {"name": "web2", "consoles": [{"type": "serial", "id": "a,logfile=/planted"}]}):
            with self.subTest(**document):
                self.assert_fails("InvalidDefinition", self.manager, "DefineDomain", "(sa{sv})", json.dumps(document), {})
        self.assertEqual(before, (sorted(os.listdir(harness.folder())), sorted(os.listdir(place("etc", "domains")))))


if __name__ == "__main__":
    harness.main()
