# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts, completely: what is known of emulators, accelerators, memory, firmware, consoles, logs,
descriptors, the sandbox, and the command line that comes of it all."""
import json
import os
import shlex
import uuid

import harness
import life
from harness import Domain, Gio, GLib, NAME, PATH, folder, wait_until

BIOS = "/usr/share/seabios/bios-256k.bin"
SERIAL = 0x3F8
LOG_MAX = 1 << 20
OLD_MAX = 3
OLD_FOLDERS_MAX = 64


def state_folder(*names):
    return os.path.join(os.environ["XDG_STATE_HOME"], "vmherald", *names)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path


def append(path, data):
    with open(path, "ab") as file:
        file.write(data)


def status_of(pid):
    """The lines of /proc/PID/status, as far as they are numbers."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        pairs = (line.split(":", 1) for line in file)
        return {name: value.strip() for name, value in pairs}


class StartCase(life.LifeCase):
    def refuse_start(self, words, **keys):
        """A persistent domain that cannot start; the text names all words."""
        domain = self.define("bad", **keys)
        text = self.assert_fails("StartFailed", domain.start)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual("shut-off", domain.state)
        domain.undefine()
        return text

    def logs_of(self, domain, name="qemu.log"):
        return os.path.join(domain.get("Domain", "LogDirectory"), name)


class Emulators(StartCase):
    def emulators(self):
        return self.connection.get(PATH, f"{NAME}.Manager", "Emulators")

    def test_property(self):
        known = self.emulators()["qemu-system-x86_64"]
        self.assertIn("tcg", known["accelerators"])
        self.assertIn("q35", known["machines"])
        self.assertIn(known["default-machine"], known["machines"])
        self.assertIs(True, known["sandbox"])

    def test_next_service_knows(self):
        before = self.emulators()
        file = os.stat(state_folder("emulators.json"))
        self.connection.kill_service()
        wait_until(self.emulators, "the emulators")
        self.assertEqual(before, self.emulators())
        after = os.stat(state_folder("emulators.json"))
        self.assertEqual((file.st_ino, file.st_mtime_ns), (after.st_ino, after.st_mtime_ns))

    def test_asked_once(self):
        """Over starts and services; and anew when it is another."""
        program, asked = os.path.join(folder(), "counted-qemu"), os.path.join(folder(), "asked")
        text = f'#!/bin/sh\n[ "$1" = --version ] && echo x >>{asked}\nexec qemu-system-x86_64 "$@"\n'
        write(program, text.encode())
        os.chmod(program, 0o755)
        domain = self.define("counted", emulator=program)
        for _ in range(2):
            domain.start()
            domain.destroy()
            self.connection.kill_service()
            wait_until(self.emulators, "the next service")
        self.assertEqual(b"x\n", read(asked))
        write(program, text.encode() + b"# changed\n")
        domain.start()
        self.assertEqual(b"x\nx\n", read(asked))

    def test_damaged_file(self):
        before = self.emulators()
        self.connection.kill_service()
        write(state_folder("emulators.json"), b'{"version": 1, "emulators": [{"path"')
        wait_until(lambda: self.emulators() == before, "the emulators")
        wait_until(lambda: b"qemu-system-x86_64" in read(state_folder("emulators.json")), "the file")
        json.loads(read(state_folder("emulators.json")))

    def test_reload_finds_new_ones(self):
        """And says nothing where there is none."""
        since = self.mark()
        self.manager("Reload")
        self.mark()
        self.assertEqual([], [s for s in self.recorder.signals[since:]
                              if "Emulators" in str(s.arguments)])


class Accelerators(StartCase):
    def test_fallback(self):
        domain = self.define("falls-back", accel=["xen", "tcg"])
        self.assertEqual("", domain.get("Domain", "Accelerator"))
        since = self.mark()
        domain.start()
        self.assertEqual("tcg", domain.get("Domain", "Accelerator"))
        self.recorder.wait_property("Domain", "Accelerator", "tcg", path=domain.path, since=since)
        self.assertIn(b"xen", read(self.logs_of(domain)))
        domain.destroy()
        self.assertEqual("", domain.get("Domain", "Accelerator"))
        self.recorder.wait_property("Domain", "Accelerator", "", path=domain.path, since=since)

    def test_kvm_or_not(self):
        domain = self.create("either", accel=["kvm", "tcg"], machine="none")
        # (A machine without a CPU: here it is asked which one is taken, not whether that one is any good.)
        enabled = domain.qmp("query-kvm")["enabled"]
        self.assertEqual("kvm" if enabled else "tcg", domain.get("Domain", "Accelerator"))

    def test_after_service_was_killed(self):
        domain = self.create("stays", accel="tcg,thread=multi")
        self.connection.kill_service()
        wait_until(lambda: domain.state == "running", "the next service")
        self.assertEqual("tcg", domain.get("Domain", "Accelerator"))

    def test_arguments_have_their_own(self):
        """Then only QEMU knows, and it does not tell."""
        domain = self.create("own", accel="xen", arguments=["-accel", "tcg"])
        self.assertEqual("", domain.get("Domain", "Accelerator"))

    def test_none_works(self):
        self.refuse_start(["xen", "hvf"], accel=["xen", "hvf"])


class Memory(StartCase):
    def test_backend(self):
        domain = self.create("shared", memory="24M", memory_backend={
            "qom-type": "memory-backend-memfd", "share": True})
        backend, = domain.qmp("query-memdev")
        self.assertEqual((True, 24 << 20), (backend["share"], backend["size"]))
        self.assertEqual(24 << 20, domain.qmp("query-memory-size-summary")["base-memory"])
        maps = read(f"/proc/{domain.get('Domain', 'PID')}/maps")
        self.assertIn(b"memfd:memory-backend-memfd", maps)

    def test_saved_and_restored(self):
        domain = self.define("shared", memory_backend={"qom-type": "memory-backend-ram"})
        domain.start()
        domain.save()
        domain.start()
        self.assertEqual("running", domain.state)

    def test_refused(self):
        self.refuse_start(["no-such-option"], memory_backend={
            "qom-type": "memory-backend-ram", "no-such-option": 1})
        self.refuse_start(["/no/such/folder"], memory_backend={
            "qom-type": "memory-backend-file", "mem-path": "/no/such/folder/file"})


class Firmware(StartCase):
    def setUp(self):
        super().setUp()
        self.template = write(os.path.join(folder(), "vars.template"), b"\x5a" * 65536)

    def flash(self, **keys):
        return {"code": BIOS, "vars-template": self.template, **keys}

    def files(self, domain):
        """Of its flash devices: file -> read-only."""
        return {block["inserted"]["image"]["filename"]: block["inserted"]["ro"]
                for block in domain.qmp("query-block") if block["qdev"].startswith("/machine/system.flash")}

    def test_image(self):
        domain = self.create("image", firmware="bios-256k.bin")
        life.wait_for_firmware(domain)
        self.refuse_start(["no-such-image"], firmware="no-such-image")

    def test_flash(self):
        domain = self.define("flash", firmware=self.flash())
        own = state_folder("nvram", domain.get("Domain", "UUID") + ".vars")
        self.assertFalse(os.path.exists(own))
        domain.start()
        life.wait_for_firmware(domain)
        self.assertEqual({BIOS: True, own: False}, self.files(domain))
        self.assertEqual(b"\x5a" * 65536, read(own))
        self.assertEqual(0o600, os.stat(own).st_mode & 0o777)
        domain.destroy()
        # What is in it is the guest's from now on, and no template takes it away.
        write(own, b"\xa5" * 65536)
        domain.start()
        self.assertEqual(b"\xa5" * 65536, read(own))
        domain.destroy()
        domain.undefine()
        self.assertFalse(os.path.exists(own))
        self.assertEqual(b"\x5a" * 65536, read(self.template))

    def test_transient(self):
        domain = self.create("passing", firmware=self.flash())
        own = os.path.join(life.runtime_folder(), domain.get("Domain", "UUID"),
                           domain.get("Domain", "UUID") + ".vars")
        self.assertEqual({BIOS: True, own: False}, self.files(domain))
        domain.destroy()
        self.assertFalse(os.path.exists(own))
        self.assertEqual([], os.listdir(state_folder("nvram")))

    def test_own_place(self):
        place = os.path.join(folder(), "own.vars")
        link = os.path.join(folder(), "link.template")
        os.symlink(self.template, link)
        domain = self.define("placed", firmware=self.flash(vars=place, **{"vars-template": link}))
        domain.start()
        self.assertEqual({BIOS: True, place: False}, self.files(domain))
        domain.destroy()
        domain.undefine()
        self.assertTrue(os.path.exists(place))
        os.unlink(place)
        os.unlink(link)

    def test_code_alone(self):
        self.assertEqual({BIOS: True}, self.files(self.create("code", firmware={"code": BIOS})))

    def test_refused(self):
        missing = os.path.join(folder(), "missing")
        self.refuse_start(["firmware.code", missing, "No such file"], firmware=self.flash(code=missing))
        self.refuse_start(["firmware.code", folder(), "no regular file"], firmware=self.flash(code=folder()))
        self.refuse_start(["firmware.vars-template", missing, "No such file"],
                          firmware={"code": BIOS, "vars-template": missing})
        self.refuse_start(["firmware.vars", missing, "No such file"],
                          firmware={"code": BIOS, "vars": missing})
        self.refuse_start(["firmware.vars", missing + "/x"], firmware=self.flash(vars=missing + "/x"))
        huge = os.path.join(folder(), "huge")
        with open(huge, "wb") as file:
            file.truncate((64 << 20) + 1)
        self.refuse_start(["firmware.vars-template", huge], firmware=self.flash(**{"vars-template": huge}))
        os.unlink(huge)
        self.assertEqual([], os.listdir(state_folder("nvram")))


class Consoles(StartCase):
    def write_byte(self, domain, value):
        domain.port_write(SERIAL, 1, value)

    def test_log(self):
        """With one serial port for the guest to write to, and nobody who reads it; also while the service is
        away, and over the end of the run."""
        domain = self.define("talks", consoles=[{"id": "boot"}, {"id": "hvc", "type": "virtio"}])
        domain.start(paused=True)
        log = self.logs_of(domain, "console-boot.log")
        self.assertEqual(b"", read(log))
        self.assertEqual(0o700, os.stat(os.path.dirname(log)).st_mode & 0o777)
        self.write_byte(domain, 0x41)
        wait_until(lambda: read(log) == b"A", "a byte in the log")
        self.connection.kill_service()
        with domain.qtest() as guest:
            guest.port_write(SERIAL, 1, 0x42)
        wait_until(lambda: read(log) == b"AB", "a byte in the log")
        wait_until(lambda: domain.state == "paused", "the next service")
        self.assertEqual("virtconsole", domain.get("Devices", "Devices")["hvc"]["driver"])
        domain.destroy()
        domain.start(paused=True)
        self.write_byte(domain, 0x43)
        wait_until(lambda: read(log) == b"ABC", "a byte in the log")

    def test_more_than_a_log_holds(self):
        domain = self.create("floods", consoles=[{"id": "boot"}])
        domain.call("Domain", "Suspend")
        log = self.logs_of(domain, "console-boot.log")
        for number in range(OLD_MAX + 1):
            append(log, b"%d" % number * (LOG_MAX + 1))
            wait_until(lambda: os.stat(log).st_size < LOG_MAX, "the log to be emptied")
            wait_until(lambda: read(log + ".1")[-1:] == b"%d" % number, "the old one")
        self.assertEqual(LOG_MAX, os.stat(log + f".{OLD_MAX}").st_size)
        self.assertEqual(b"1", read(log + f".{OLD_MAX}")[:1])
        self.write_byte(domain, 0x5A)
        wait_until(lambda: read(log).endswith(b"]\nZ"), "a byte at the new end")
        # The service that finds it running looks after it as well.
        self.connection.kill_service()
        append(log, b"x" * (LOG_MAX + 1))
        wait_until(lambda: domain.state == "paused", "the next service")
        wait_until(lambda: os.stat(log).st_size < LOG_MAX, "the log to be emptied")
        files = {"qemu.log", "console-boot.log"} | {f"console-boot.log.{i + 1}" for i in range(OLD_MAX)}
        wait_until(lambda: set(os.listdir(os.path.dirname(log))) == files, f"the logs to be {files}")


class Logs(StartCase):
    def test_stays_and_moves_on(self):
        domain = self.define("bad", machine="no-such-machine")
        log = self.logs_of(domain)
        for number in range(OLD_MAX + 2):
            self.assert_fails("StartFailed", domain.start)
            self.assertIn(b"unsupported machine", read(log))
        self.assertEqual({"qemu.log"} | {f"qemu.log.{i + 1}" for i in range(OLD_MAX)},
                         set(os.listdir(os.path.dirname(log))))

    def test_bounded_while_it_runs(self):
        domain = self.create("noisy")
        pid = domain.get("Domain", "PID")
        log = self.logs_of(domain)
        append(log, b"noise\n" * (LOG_MAX // 6 + 1))
        wait_until(lambda: os.stat(log).st_size < LOG_MAX, "the log to be emptied")
        # QEMU itself goes on at the new end, and its last words are the error's.
        since = self.mark()
        with open(f"/proc/{pid}/fd/2", "ab") as stderr:
            stderr.write(b"last words\n")
        os.kill(pid, 6)
        stopped = self.wait_life(domain, "stopped", "failed", since=since)
        self.assertTrue(stopped.details["stderr"].endswith("noise\nlast words"),
                        stopped.details["stderr"][-100:])
        self.assertTrue(read(log).endswith(b"]\nlast words\n"))

    def test_of_domains_that_are_no_more(self):
        kept = self.define("kept")
        kept.start()
        kept.destroy()
        # Older than all, and nevertheless of a domain.
        os.utime(os.path.dirname(self.logs_of(kept)), (1, 1))
        other = state_folder("log", "not-of-a-domain")
        os.mkdir(other)
        for number in range(OLD_FOLDERS_MAX + 5):
            place = state_folder("log", str(uuid.uuid4()))
            os.mkdir(place)
            write(os.path.join(place, "qemu.log"), b"old")
            os.utime(place, (1000 + number, 1000 + number))
        passing = self.create("passing")
        log = self.logs_of(passing)
        passing.destroy()
        wait_until(lambda: len(os.listdir(state_folder("log"))) == OLD_FOLDERS_MAX + 2, "the oldest to go")
        self.assertTrue(os.path.exists(log))
        self.assertTrue(os.path.exists(self.logs_of(kept)))
        os.rmdir(other)


class Descriptors(StartCase):
    def call(self, path, interface, member, signature, arguments, files):
        """With descriptors, which the caller has closed when the answer comes."""
        fds = Gio.UnixFDList.new()
        for file in files:
            fds.append(file.fileno())
            file.close()
        return self.connection.bus.call_with_unix_fd_list_sync(
            NAME, path, f"{NAME}.{interface}", member, GLib.Variant(signature, arguments), None,
            Gio.DBusCallFlags.NONE, 60000, fds, None)[0].unpack()

    def options(self, numbers):
        return {"descriptors": GLib.Variant("a{uh}", {number: 0 for number in numbers})}

    def disk(self):
        """Nameless when QEMU comes to it."""
        path = os.path.join(folder(), "passed.img")
        write(path, bytes(1 << 20))
        first, second = open(path, "r+b"), open(path, "rb")
        os.unlink(path)
        self.addCleanup(second.close)
        return first, second

    def definition(self, name):
        return harness.definition(
            name, arguments=["-add-fd", "fd=12,set=7"], blockdevs=[
                {"driver": "file", "node-name": "disk", "filename": "/dev/fdset/7"}],
            devices=[{"driver": "virtio-blk-pci", "id": "disk0", "drive": "disk", "share-rw": True}])

    def check_disk(self, domain, mine):
        self.assertEqual("", domain.hmp('qemu-io disk "write -P 0x61 4096 512"'))
        mine.seek(4096)
        self.assertEqual(b"a" * 512, mine.read(512))

    def test_start(self):
        domain = Domain(self.connection, self.manager("DefineDomain", "(sa{sv})",
                                                      json.dumps(self.definition("given")), {}), "given")
        self.assertIn("fd=12", self.assert_fails("StartFailed", domain.start))
        theirs, mine = self.disk()
        self.call(domain.path, "Domain", "Start", "(a{sv})", (self.options([12]),), [theirs])
        self.check_disk(domain, mine)
        # Also for one that finds it running; and for that one start alone.
        self.connection.kill_service()
        wait_until(lambda: domain.state == "running", "the next service")
        self.check_disk(domain, mine)
        domain.destroy()
        self.assertIn("fd=12", self.assert_fails("StartFailed", domain.start))

    def test_create(self):
        theirs, mine = self.disk()
        path, = self.call(PATH, "Manager", "CreateDomain", "(sa{sv})",
                          (json.dumps(self.definition("given")), self.options([12])), [theirs])
        self.check_disk(Domain(self.connection, path, "given"), mine)

    def test_bound(self):
        domain = self.define("many")
        service = self.connection.service_pid()
        before = len(os.listdir(f"/proc/{service}/fd"))

        def start(numbers):
            with open("/dev/zero", "rb") as file:
                self.call(domain.path, "Domain", "Start", "(a{sv})", (self.options(numbers),), [file])

        for number in (0, 3, 9, 256, 1 << 31):
            self.assertIn(str(number), self.assert_fails("InvalidArgument", start, [number]))
        self.assertIn("64", self.assert_fails("LimitExceeded", start, range(10, 75)))
        wait_until(lambda: len(os.listdir(f"/proc/{service}/fd")) == before, "all to be closed again")
        start(range(192, 256))
        pid = domain.get("Domain", "PID")
        for number in range(192, 256):
            self.assertEqual("/dev/zero", os.readlink(f"/proc/{pid}/fd/{number}"))
        self.assert_fails("WrongState", start, [10])
        domain.destroy()
        wait_until(lambda: len(os.listdir(f"/proc/{service}/fd")) == before, "all to be closed again")


class Confined(StartCase):
    """The sandbox. That all else works in it, all other scripts show."""

    def is_confined(self, domain):
        """By filters of its own: where all of this runs in a container, everybody has that one's."""
        status = status_of(domain.get("Domain", "PID"))
        return int(status["Seccomp_filters"]) > int(status_of(os.getpid())["Seccomp_filters"])

    def test_default(self):
        for name, keys in (("confined", {}), ("asked", {"sandbox": True})):
            domain = self.create(name, **keys)
            self.assertTrue(self.is_confined(domain))
            self.assertEqual("1", status_of(domain.get("Domain", "PID"))["NoNewPrivs"])

    def test_off(self):
        self.assertFalse(self.is_confined(self.create("free", sandbox=False)))

    def test_own(self):
        self.assertTrue(self.is_confined(self.create("own", sandbox="on,obsolete=deny")))
        self.assertFalse(self.is_confined(self.create("raw", arguments=["-sandbox", "off"])))
        self.refuse_start(["no-such-option"], sandbox="on,no-such-option=deny")

    def test_other_user(self):
        """QEMU may become one, and nothing more."""
        if os.getuid() != 0:
            self.skipTest("only root can become another user")
        domain = self.create("other", arguments=["-runas", "nobody"])
        self.assertTrue(self.is_confined(domain))
        self.assertNotEqual("0", status_of(domain.get("Domain", "PID"))["Uid"].split()[0])

    def test_spawns(self):
        """Whoever wants another program has to say so."""
        sink = os.path.join(folder(), "spawned")
        domain = self.create("spawns")
        since = self.mark()
        domain.connection.send(domain.path, f"{NAME}.Monitor", "Execute", "(ssa{sv})", "migrate",
                               json.dumps({"uri": f"exec:cat >{sink}"}), {})
        stopped = self.wait_life(domain, "stopped", since=since)
        self.assertEqual("SYS", stopped.details["signal"])
        self.assertFalse(os.path.exists(sink))
        domain = self.create("spawns", sandbox="on,spawn=allow")
        domain.qmp("migrate", {"uri": f"exec:cat >{sink}"})
        wait_until(lambda: domain.get("Migration", "Status") == "completed", "the migration")
        self.assertTrue(os.path.exists(sink))

    def test_what_needs_the_host(self):
        domain = self.create("works", devices=[{"driver": "VGA"}],
                             interfaces=[{"type": "user"}])
        for command, name in (("screendump", "filename"), ("pmemsave", "filename"),
                              ("dump-guest-memory", "protocol")):
            path = os.path.join(folder(), f"works-{command}")
            arguments = {name: path if name == "filename" else f"file:{path}"}
            if command == "pmemsave":
                arguments.update({"val": 0, "size": 4096})
            if command == "dump-guest-memory":
                arguments["paging"] = False
            domain.qmp(command, arguments)
            self.assertGreater(os.stat(path).st_size, 1000)
            os.unlink(path)


class CommandLine(StartCase):
    def text(self, domain):
        return domain.call("Domain", "GetDefinition", "(a{sv})", harness.options(command_line=True))

    def test_next_and_this(self):
        domain = self.define("shown", title="it's a, title", arguments=["-boot", "menu=on,splash-time=5"],
                             consoles=[{"id": "c"}])
        before = self.text(domain)
        self.assertTrue(before.startswith("/"))
        self.assertIn(" \\\n    -boot menu=on,splash-time=5", before)
        domain.start()
        running = self.text(domain)
        self.assertEqual(before, running)
        real = read(f"/proc/{domain.get('Domain', 'PID')}/cmdline").decode().split("\0")[:-1]
        self.assertEqual(real, shlex.split(running.replace("\\\n", "")))
        # What has been defined since is not what runs.
        document = json.loads(domain.call("Domain", "GetDefinition", "(a{sv})", {}))
        document["cpus"] = 2
        self.manager("DefineDomain", "(sa{sv})", json.dumps(document), {})
        self.connection.kill_service()
        wait_until(lambda: domain.state == "running", "the next service")
        self.assertEqual(running, self.text(domain))
        domain.destroy()
        self.assertIn("-smp cpus=2", self.text(domain))

    def test_saved(self):
        domain = self.define("shown")
        domain.start()
        domain.save()
        self.assertIn("-incoming defer", self.text(domain))
        # As the machine that was saved, whatever has been defined since.
        document = json.loads(domain.call("Domain", "GetDefinition", "(a{sv})", {}))
        document["cpus"] = 2
        self.manager("DefineDomain", "(sa{sv})", json.dumps(document), {})
        self.assertIn("-smp cpus=1", self.text(domain))

    def test_quoting(self):
        domain = self.define("quotes", arguments=["-append", "it's $HOME; a \"b\"\n*"])
        self.assertEqual("it's $HOME; a \"b\"\n*", shlex.split(self.text(domain).replace("\\\n", ""))[-1])

    def test_refused(self):
        domain = self.define("shown", emulator="qemu-system-nothing")
        self.assertIn("qemu-system-nothing", self.assert_fails("StartFailed", self.text, domain))
        self.assertIn("exclude", self.assert_fails(
            "InvalidArgument", domain.call, "Domain", "GetDefinition", "(a{sv})",
            harness.options(command_line=True, live=True)))


if __name__ == "__main__":
    harness.main()
