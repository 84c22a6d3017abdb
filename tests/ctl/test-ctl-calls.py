#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which calls the verbs make, what they print of the answers, and their exit codes."""

import json
import os
import pty
import subprocess
import tempfile
import unittest

from gi.repository import GLib

import tap
from fake_service import MANAGER, OTHER, SERVICE, UUID, Failure, FakeService, PrivateBus, path_of
from tap import DEADLINE


def s(value):
    return GLib.Variant("s", value)


def b(value):
    return GLib.Variant("b", value)


def texts(*values):
    return GLib.Variant("as", values)


PATH = path_of(UUID)

# arguments of vmheraldctl: interface, member, arguments of the call
SIMPLE = {
    ("start", "vm"): ("Domain", "Start", ({},)),
    ("start", "vm", "--paused"): ("Domain", "Start", ({"paused": True},)),
    ("start", "--paused", UUID): ("Domain", "Start", ({"paused": True},)),
    ("shutdown", "vm"): ("Domain", "Shutdown", ({},)),
    ("shutdown", "vm", "--timeout=1.5"): ("Domain", "Shutdown", ({"timeout": 1500000},)),
    ("shutdown", "--timeout", "0", "vm"): ("Domain", "Shutdown", ({"timeout": 0},)),
    ("reboot", "vm"): ("Domain", "Reboot", ({},)),
    ("reset", "vm"): ("Domain", "Reset", ()),
    ("destroy", "vm"): ("Domain", "Destroy", ({},)),
    ("destroy", "vm", "--grace=10"): ("Domain", "Destroy", ({"grace": 10000000},)),
    ("save", "vm"): ("Domain", "Save", ({},)),
    ("save", "vm", "--path=/tmp/a state"): ("Domain", "Save", ({"path": "/tmp/a state"},)),
    ("save", "vm", "--path", "here"): ("Domain", "Save", ({"path": os.path.abspath("here")},)),
    ("drop-saved", "vm"): ("Domain", "DropSavedState", ()),
    ("suspend", "vm"): ("Domain", "Suspend", ()),
    ("resume", "vm"): ("Domain", "Resume", ()),
    ("wakeup", "vm"): ("Domain", "Wakeup", ()),
    ("nmi", "vm"): ("Domain", "InjectNMI", ()),
    ("undefine", "vm"): ("Domain", "Undefine", ({},)),
    ("undefine", "vm", "--destroy"): ("Domain", "Undefine", ({"destroy": True},)),
    ("autostart", "vm", "on"): ("Domain", "SetAutostart", (True,)),
    ("autostart", "vm", "off"): ("Domain", "SetAutostart", (False,)),
    ("detach", "vm", "rng0"): ("Devices", "DetachDevice", ("rng0", {})),
    ("detach", "vm", "--", "-rng0"): ("Devices", "DetachDevice", ("-rng0", {})),
    ("detach", "vm", "rng0", "--timeout=2"): ("Devices", "DetachDevice", ("rng0", {"timeout": 2000000})),
    ("change-media", "vm", "cd0"): ("Devices", "ChangeMedia", ("cd0", "", {})),
    ("change-media", "vm", "cd0", "--force"): ("Devices", "ChangeMedia", ("cd0", "", {"force": True})),
    ("change-media", "--force", "vm", "cd0", '{"driver": "null-co"}'):
        ("Devices", "ChangeMedia", ("cd0", '{"driver": "null-co"}', {"force": True})),
    ("balloon", "vm", "512M"): ("Guest", "SetBalloon", (512 << 20,)),
    ("balloon", "vm", "3GiB"): ("Guest", "SetBalloon", (3 << 30,)),
    ("threshold", "vm", "disk0", "4K"): ("Block", "SetWriteThreshold", ("disk0", 4096)),
    ("threshold", "vm", "disk0", "16777215T"): ("Block", "SetWriteThreshold", ("disk0", 16777215 << 40)),
    ("threshold", "vm", "disk0", "0"): ("Block", "SetWriteThreshold", ("disk0", 0)),
    ("cancel-job", "vm", "m0"): ("Block", "CancelJob", ("m0", {})),
    ("cancel-job", "vm", "m0", "--force", "--timeout=2"):
        ("Block", "CancelJob", ("m0", {"force": True, "timeout": 2000000})),
}


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.bus = PrivateBus()
        self.addCleanup(self.bus.stop)
        self.fake = FakeService(self.bus)
        self.addCleanup(self.fake.stop)
        self.fake.add_domain(UUID, "vm", "running")
        self.fake.add_domain(OTHER, "täst", "shut-off")

    def run_ctl(self, *arguments, **more):
        return tap.run(f"--address={self.bus.address}", *arguments, **more)

    def succeed(self, *arguments, **more):
        outcome = self.run_ctl(*arguments, **more)
        self.assertEqual((outcome.code, outcome.err), (0, ""))
        return outcome.out

    def on_terminal(self, *arguments, **changes):
        master, slave = pty.openpty()
        with subprocess.Popen([tap.PROGRAM, f"--address={self.bus.address}", *arguments], stdout=slave,
                              stderr=slave, stdin=subprocess.DEVNULL, env=tap.environment(**changes)) as process:
            os.close(slave)
            text = b""
            try:
                while chunk := os.read(master, 4096):
                    text += chunk
            except OSError:         # how a terminal says that its other end is closed
                pass
            self.assertEqual(process.wait(DEADLINE), 0)
        os.close(master)
        return text.decode("utf-8").replace("\r\n", "\n")


class Calls(Case):
    def test_simple(self):
        for arguments, (interface, member, values) in SIMPLE.items():
            with self.subTest(" ".join(arguments)):
                self.fake.calls.clear()
                self.assertEqual(self.succeed(*arguments), "")
                self.assertEqual(self.fake.calls[-1], (PATH, f"{SERVICE}.{interface}", member, values))

    def test_reload(self):
        # A service that does not say what is wrong with its files,
        self.assertEqual(self.succeed("reload"), "")
        self.assertIn((MANAGER, SERVICE + ".Manager", "Reload", ()), self.fake.calls)
        # and one that does.
        self.set_manager_properties(DefinitionProblems=GLib.Variant("a(suuss)", []))
        self.assertEqual(self.succeed("reload"), "")
        self.assertEqual(json.loads(self.succeed("reload", "--json")), [])

    def set_manager_properties(self, **properties):
        self.fake.properties[SERVICE + ".Manager"] = GLib.Variant("a{sv}", properties)

    def test_reload_with_problems(self):
        self.set_manager_properties(DefinitionProblems=GLib.Variant("a(suuss)", [
            ("/etc/a.json", 3, 7, "interfaces[0].mac", "must be good"),
            ("/etc/b.json", 0, 0, "name", "is taken\x1b[2J"), ("/etc", 0, 0, "", "has too many files")]))
        outcome = self.run_ctl("reload")
        self.assertEqual((outcome.code, outcome.err), (1, ""))
        self.assertEqual(outcome.out.splitlines(), [
            "/etc/a.json:3:7: interfaces[0].mac: must be good", "/etc/b.json: name: is taken\\x1b[2J",
            "/etc: has too many files"])
        outcome = self.run_ctl("reload", "--json")
        self.assertEqual(outcome.code, 1)
        self.assertEqual(json.loads(outcome.out)[0], {
            "file": "/etc/a.json", "line": 3, "column": 7, "path": "interfaces[0].mac",
            "problem": "must be good"})

    def test_reload_refused(self):
        self.fake.answers["Reload"] = Failure("LimitExceeded", "too many")
        outcome = self.run_ctl("reload")
        self.assertEqual((outcome.code, outcome.out), (1, ""))
        self.assertIn("too many", outcome.err)

    def test_screenshot(self):
        """Any bytes are copied, into a new file, over an old one, and to the standard output."""
        content = bytes(range(256)) * 1000
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "source"), os.path.join(folder, "a picture.png")
            with open(source, "wb") as file:
                file.write(content)
            self.fake.answers["Screenshot"] = GLib.Variant("(h)", (0,))

            def take(*arguments):
                with open(source, "rb") as file:
                    self.fake.descriptors["Screenshot"] = [file.fileno()]
                    done = subprocess.run([tap.PROGRAM, f"--address={self.bus.address}", "screenshot",
                                           "vm", *arguments], capture_output=True, check=False,
                                          env=tap.environment(), timeout=DEADLINE)
                return done.returncode, done.stdout, done.stderr

            for _ in range(2):
                self.assertEqual(take(target), (0, b"", b""))
                with open(target, "rb") as file:
                    self.assertEqual(file.read(), content)
                with open(target, "ab") as file:
                    file.write(b"longer than before")
            self.assertEqual(self.fake.calls[-1], (PATH, SERVICE + ".Domain", "Screenshot", ({},)))
            self.assertEqual(take("-", "--device=video0", "--head=1"), (0, content, b""))
            self.assertEqual(self.fake.calls[-1][3], ({"device": "video0", "head": 1},))
            code, out, err = take(os.path.join(folder, "nowhere", "x"))
            self.assertEqual((code, out), (1, b""))
            self.assertIn(b"nowhere/x: No such file", err)
            self.assertEqual(take("/dev/full")[0], 1)
            self.fake.answers["Screenshot"] = Failure("QemuError", "no console")
            self.assertEqual(take(target + "2"), (1, b"", b"vmheraldctl: no console\n"))
            self.assertFalse(os.path.exists(target + "2"))

    def test_define_from_file_and_standard_input(self):
        self.fake.answers["DefineDomain"] = GLib.Variant("(o)", (PATH,))
        text = '{"name": "täst"}'
        self.assertEqual(self.succeed("define", "-", stdin=text), UUID + "\n")
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            self.assertEqual(json.loads(self.succeed("define", file.name, "--json")),
                             {"path": PATH, "uuid": UUID})
        self.assertEqual([call[3] for call in self.fake.calls], [(text, {})] * 2)

    def test_create(self):
        self.fake.answers["CreateDomain"] = GLib.Variant("(o)", (PATH,))
        self.assertEqual(self.succeed("create", "vm", "--memory=1G"), UUID + "\n")
        self.assertEqual(self.fake.calls[-1][2], "CreateDomain")
        self.assertEqual(json.loads(self.fake.calls[-1][3][0]), {"name": "vm", "memory": "1G"})
        self.succeed("create", "-", stdin="{}")
        self.assertEqual(self.fake.calls[-1][2:], ("CreateDomain", ("{}", {})))

    def test_adopt(self):
        self.fake.answers["AdoptDomain"] = GLib.Variant("(o)", (PATH,))
        self.assertEqual(self.succeed("adopt", "vm", "/run/q"), UUID + "\n")
        self.assertEqual(self.fake.calls[-1][2:], ("AdoptDomain", ("vm", "/run/q", {})))
        # The path is that of who calls, and without a name QEMU is asked for its own.
        self.assertEqual(json.loads(self.succeed("adopt", "q", "--timeout=0.5", "--json")),
                         {"path": PATH, "uuid": UUID})
        self.assertEqual(self.fake.calls[-1][3],
                         ("", os.path.join(os.getcwd(), "q"), {"timeout": 500000}))
        self.fake.answers["AdoptDomain"] = Failure("MonitorTimeout", "/run/q: taken")
        outcome = self.run_ctl("adopt", "/run/q")
        self.assertEqual((outcome.code, outcome.err), (1, "vmheraldctl: /run/q: taken\n"))

    def test_create_persistent(self):
        self.fake.answers["DefineDomain"] = GLib.Variant("(o)", (PATH,))
        self.succeed("create", "vm", "--define", "--autostart")
        self.assertEqual([call[2] for call in self.fake.calls], ["DefineDomain", "Start"])
        self.fake.answers["Start"] = Failure("StartFailed", "no KVM")
        outcome = self.run_ctl("create", "vm", "--define")
        self.assertEqual((outcome.code, outcome.out, outcome.err),
                         (1, UUID + "\n", "vmheraldctl: no KVM\n"))

    def test_print_makes_no_call(self):
        self.succeed("create", "vm", "--print")
        self.assertEqual(self.fake.calls, [])

    def test_validate(self):
        problems = [("interfaces[0].mac", "no MAC"), ("", "too long")]
        self.fake.answers["ValidateDefinition"] = GLib.Variant("(a(ss))", (problems,))
        outcome = self.run_ctl("validate", "-", stdin="{}")
        self.assertEqual((outcome.code, outcome.out), (1, "interfaces[0].mac\tno MAC\n-\ttoo long\n"))
        outcome = self.run_ctl("validate", "-", "--json", stdin="{}")
        self.assertEqual(json.loads(outcome.out), [{"path": "interfaces[0].mac", "problem": "no MAC"},
                                                   {"path": "", "problem": "too long"}])
        self.fake.answers["ValidateDefinition"] = GLib.Variant("(a(ss))", ([],))
        self.assertEqual(self.succeed("validate", "-", stdin="{}"), "")
        self.assertEqual(json.loads(self.succeed("validate", "-", "--json", stdin="{}")), [])

    def test_definition(self):
        self.fake.answers["GetDefinition"] = GLib.Variant("(s)", ('{"name":"vm","memory":1}',))
        self.assertEqual(self.succeed("definition", "vm"), '{\n  "name": "vm",\n  "memory": 1\n}\n')
        self.assertEqual(self.fake.calls[-1][3], ({},))

    def test_command_line(self):
        self.fake.answers["GetDefinition"] = GLib.Variant("(s)", ("/usr/bin/qemu \\\n    -S 'a\x1bb'\n",))
        self.assertEqual(self.succeed("definition", "vm", "--command-line"),
                         "/usr/bin/qemu \\\n    -S 'a\\x1bb'\n")
        self.assertEqual(self.fake.calls[-1], (PATH, SERVICE + ".Domain", "GetDefinition",
                                               ({"command-line": True},)))
        self.assertEqual(json.loads(self.succeed("--json", "definition", "vm", "--command-line")),
                         "/usr/bin/qemu \\\n    -S 'a\x1bb'\n")

    def test_attach(self):
        self.fake.answers["AttachDevice"] = GLib.Variant("(s)", ("rng0",))
        device, part = '{"driver": "virtio-rng-pci"}', '{"id": "x"}'
        self.assertEqual(self.succeed("attach", "vm", device), "rng0\n")
        self.assertEqual(self.fake.calls[-1],
                         (PATH, SERVICE + ".Devices", "AttachDevice", (device, {})))
        self.assertEqual(self.succeed("--json", "attach", "vm", "-", "--netdev", part, "--object", part,
                                      "--blockdev", part, stdin=device), '"rng0"\n')
        self.assertEqual(self.fake.calls[-1][3],
                         (device, {"netdev": part, "object": part, "blockdev": part}))

    def test_attach_interface(self):
        self.fake.answers["AttachDevice"] = GLib.Variant("(s)", ("net0",))
        text = '{"type": "tap", "queues": 2}'
        for given, sent in ((text, text), ("user", {"type": "user"}),
                            ("macvtap,source=7,vhost=on,queues=4,trust-guest-rx-filters=off",
                             {"type": "macvtap", "source": "7", "vhost": True, "queues": 4,
                              "trust-guest-rx-filters": False}),
                            # The service says what is wrong with it.
                            ("tap,queues=many", {"type": "tap", "queues": "many"})):
            self.assertEqual(self.succeed("attach", "vm", "--interface", given), "net0\n")
            device, options = self.fake.calls[-1][3]
            self.assertEqual((device, list(options)), ("", ["interface"]))
            self.assertEqual(options["interface"] if given == sent else json.loads(options["interface"]), sent)
        self.succeed("attach", "vm", "--interface=user,id=x", "--live", "--config")
        self.assertEqual(self.fake.calls[-1][3],
                         ("", {"affect": "both", "interface": '{"type":"user","id":"x"}'}))

    def test_affect(self):
        self.fake.answers["AttachDevice"] = GLib.Variant("(s)", ("rng0",))
        for flags, options in (([], {}), (["--live"], {"affect": "live"}),
                               (["--config"], {"affect": "config"}),
                               (["--live", "--config"], {"affect": "both"})):
            self.succeed("attach", "vm", "{}", *flags)
            self.assertEqual(self.fake.calls[-1][2:], ("AttachDevice", ("{}", options)))
            self.succeed("detach", "vm", "rng0", *flags)
            self.assertEqual(self.fake.calls[-1][2:], ("DetachDevice", ("rng0", options)))

    def test_medium_from_file(self):
        text = '{"driver": "null-co"}'
        self.assertEqual(self.succeed("change-media", "vm", "cd0", "-", stdin=text), "")
        self.assertEqual(self.fake.calls[-1][2:], ("ChangeMedia", ("cd0", text, {})))

    def test_qmp(self):
        self.fake.answers["Execute"] = GLib.Variant("(s)", ('{"size":18446744073709551615}',))
        self.assertEqual(self.succeed("qmp", "vm", "query-x"), '{\n  "size": 18446744073709551615\n}\n')
        self.assertEqual(self.fake.calls[-1],
                         (PATH, SERVICE + ".Monitor", "Execute", ("query-x", "{}", {})))
        self.succeed("qmp", "vm", "query-x", '{"a": 1}', "--timeout=1")
        self.assertEqual(self.fake.calls[-1][3], ("query-x", '{"a": 1}', {"timeout": 1000000}))
        # Not JSON: shown all the same, but not to the terminal's ears.
        self.fake.answers["Execute"] = GLib.Variant("(s)", ("\x1b[31mred\n",))
        self.assertEqual(self.succeed("qmp", "vm", "query-x"), "\\x1b[31mred\n\n")

    def test_autostart_shown(self):
        for value, text in ((True, "on\n"), (False, "off\n")):
            self.fake.properties[SERVICE + ".Domain"] = GLib.Variant("a{sv}",
                                                                     {"Autostart": GLib.Variant("b", value)})
            self.assertEqual(self.succeed("autostart", "vm"), text)
            self.assertIs(json.loads(self.succeed("autostart", "vm", "--json")), value)


FILTER = {"main-mac": s("52:54:00:00:00:02"), "promiscuous": b(False), "unicast": s("normal"),
          "multicast": s("all"), "vlan": s("normal"), "broadcast-allowed": b(True),
          "unicast-overflow": b(False), "multicast-overflow": b(False), "unicast-table": texts(),
          "multicast-table": texts("33:33:00:00:00:01", "01:00:5e:00:00:fb"),
          "vlan-table": GLib.Variant("au", [0, 7])}
NICS = {
    "wan": {"type": s("macvtap"), "source": s("eth0"), "mode": s("bridge"), "model": s("virtio-net-pci"),
            "trusted": b(True), "host-interface": s("vmh0"), "guest": GLib.Variant("a{sv}", FILTER),
            "host": GLib.Variant("a{sv}", {
                "mac": s("52:54:00:00:00:01"), "up": b(True), "promiscuous": b(False), "multicast": b(True),
                "all-multicast": b(False),
                "multicast-table": texts("01:00:5e:00:00:fb", "01:00:5e:00:00:aa")}),
            "refused": s("it cannot be"),
            "differences": texts("mac", "all-multicast", "multicast-table")},
    "lan": {"type": s("bridge"), "model": s("virtio-net-pci"), "host-interface": s("vmh1"),
            "guest": GLib.Variant("a{sv}", {"main-mac": s("52:54:00:00:00:03")}),
            "host": GLib.Variant("a{sv}", {"mac": s("fe:54:00:00:00:03"), "learning": b(False),
                                           "forwarding": texts()}),
            "differences": texts("forwarding")},
    "gone": {"host-error": s("no link \x1b[31m"), "differences": texts()},
    "odd": {"guest": s("no filter"), "host": GLib.Variant("ai", [1]), "differences": s("?")},
}
NICS_SHOWN = """\
gone error - - no\u00a0link\u00a0\\x1b[31m
lan kind virtio-net-pci bridge -
lan link - vmh1 -
lan mac 52:54:00:00:00:03 fe:54:00:00:00:03 ok
lan learning - off -
lan forwarding - - differs
wan kind virtio-net-pci macvtap\u00a0eth0\u00a0bridge -
wan link - vmh0 -
wan up - on -
wan trusted on - -
wan refused - - it\u00a0cannot\u00a0be
wan mac 52:54:00:00:00:02 52:54:00:00:00:01 differs
wan promiscuous off off ok
wan multicast all on ok
wan multicast-overflow off - -
wan all-multicast - off differs
wan multicast-table - 01:00:5e:00:00:aa differs
wan multicast-table 01:00:5e:00:00:fb 01:00:5e:00:00:fb ok
wan multicast-table 33:33:00:00:00:01 - differs
wan unicast normal - -
wan unicast-overflow off - -
wan vlan normal - -
wan vlan-table [0,\u00a07] - -
wan broadcast-allowed on - -
"""


class Nics(Case):
    def setUp(self):
        super().setUp()
        self.fake.answers["GetInterfaces"] = GLib.Variant("(a{sa{sv}})", (NICS,))

    def test_plain(self):
        """A field a column, and what differs is said in a word."""
        self.assertEqual(self.succeed("nics", "vm"),
                         NICS_SHOWN.replace(" ", "\t").replace("\u00a0", " "))
        self.assertEqual(self.fake.calls[-1], (PATH, SERVICE + ".Network", "GetInterfaces", ({},)))

    def test_json(self):
        found = json.loads(self.succeed("nics", "vm", "--json"))
        self.assertEqual(sorted(found), sorted(NICS))
        self.assertEqual(found["wan"]["differences"], ["mac", "all-multicast", "multicast-table"])
        self.assertIs(found["wan"]["host"]["up"], True)
        self.assertEqual(found["wan"]["guest"]["vlan-table"], [0, 7])

    def test_terminal(self):
        plain = self.on_terminal("nics", "vm", "--no-color")
        lines = plain.splitlines()
        self.assertEqual(lines[0].split(), ["CARD", "FILTER", "GUEST", "HOST", "COMPARED"])
        self.assertEqual(len(lines), 1 + len(NICS_SHOWN.splitlines()))
        column = lines[0].index("COMPARED")
        self.assertEqual({line[column:] for line in lines[1:]}, {"-", "ok", "differs", "it cannot be", "no link \\x1b[31m"})
        colored = self.on_terminal("nics", "vm")
        self.assertEqual(colored.count("\x1b[31mdiffers\x1b[0m"), plain.count("differs"))

    def test_none(self):
        self.fake.answers["GetInterfaces"] = GLib.Variant("(a{sa{sv}})", ({},))
        self.assertEqual(self.succeed("nics", "vm"), "")
        self.assertEqual(json.loads(self.succeed("nics", "vm", "--json")), {})


class Lists(Case):
    def test_plain(self):
        self.assertEqual(self.succeed("list"), f"vm\trunning\t{UUID}\ntäst\tshut-off\t{OTHER}\n")
        self.assertEqual(self.succeed("list", "--state=shut-off"), f"täst\tshut-off\t{OTHER}\n")

    def test_json(self):
        rows = json.loads(self.succeed("list", "--json"))
        self.assertEqual(rows[0], {"path": PATH, "name": "vm", "uuid": UUID, "state": "running"})
        self.assertEqual(len(rows), 2)

    def test_empty(self):
        self.assertEqual(self.succeed("list", "--state=crashed"), "")
        self.assertEqual(json.loads(self.succeed("list", "--state=crashed", "--json")), [])

    def test_changed_files(self):
        """Noted for people, beside what was asked for; not for programs."""
        self.fake.properties[SERVICE + ".Manager"] = GLib.Variant("a{sv}", {
            "DefinitionsChanged": GLib.Variant("as", ["other.json", "vm.json"])})
        self.fake.properties[SERVICE + ".Domain"] = GLib.Variant("a{sv}", {
            "Name": GLib.Variant("s", "vm")})
        note = "vmheraldctl: changed by hand, and used after 'vmheraldctl reload' only: "
        self.assertIn(note + "other.json, vm.json\n", self.on_terminal("list"))
        self.assertIn(note + "vm.json\n", self.on_terminal("show", "vm"))
        self.assertNotIn(note, self.on_terminal("list", "--json"))
        self.succeed("list")
        self.fake.properties[SERVICE + ".Domain"] = GLib.Variant("a{sv}", {
            "Name": GLib.Variant("s", "vm2")})
        self.assertNotIn(note, self.on_terminal("show", "vm"))
        self.fake.properties[SERVICE + ".Manager"] = GLib.Variant("a{sv}", {
            "DefinitionsChanged": GLib.Variant("as", [f"d{number}.json" for number in range(9)])})
        self.assertIn("d7.json, …\n", self.on_terminal("list"))

    def test_terminal(self):
        plain = f"NAME  STATE     UUID\nvm    running   {UUID}\ntäst  shut-off  {OTHER}\n"
        self.assertEqual(self.on_terminal("list", "--no-color"), plain)
        self.assertEqual(self.on_terminal("list", NO_COLOR="1"), plain)
        self.assertEqual(self.on_terminal("list", TERM="dumb"), plain)
        colored = self.on_terminal("list")
        self.assertIn("\x1b[1mNAME\x1b[0m", colored)
        self.assertIn("\x1b[32mrunning\x1b[0m", colored)

    def test_hostile_name(self):
        self.fake.domains[UUID][0] = "a\x1b[2J\tb\n\u202ec"
        self.assertEqual(self.succeed("list", "--state=running"),
                         f"a\\x1b[2J\\x09b\\x0a\\u202ec\trunning\t{UUID}\n")

    def test_show(self):
        self.fake.properties[SERVICE + ".Domain"] = GLib.Variant("a{sv}", {
            "Name": GLib.Variant("s", "vm"), "Memory": GLib.Variant("t", 512 * 1024 * 1024),
            "StartedAt": GLib.Variant("t", 1700000000123456), "CPUs": GLib.Variant("u", 2),
            "Persistent": GLib.Variant("b", True), "Title": GLib.Variant("s", "a b")})
        self.fake.properties[SERVICE + ".Devices"] = GLib.Variant("a{sv}", {
            "Devices": GLib.Variant("a{sa{sv}}", {"rng0": {"driver": GLib.Variant("s", "virtio-rng-pci"),
                                                           "bus": GLib.Variant("s", "")}})})
        lines = self.succeed("show", "vm").splitlines()
        for line in ("Name\tvm", "Memory\t512 MiB", "StartedAt\t2023-11-14 22:13:20.123", "CPUs\t2",
                     "Persistent\ttrue", "Title\ta b", 'Devices[rng0]\tdriver=virtio-rng-pci bus=""'):
            self.assertIn(line, lines)
        shown = json.loads(self.succeed("show", UUID, "--json"))
        self.assertEqual(shown["path"], PATH)
        self.assertEqual(set(shown["interfaces"]), {SERVICE + ".Domain", SERVICE + ".Devices"})
        self.assertEqual(shown["interfaces"][SERVICE + ".Domain"]["Memory"], 512 * 1024 * 1024)

    def set_properties(self):
        s, t, b = (lambda value, kind=kind: GLib.Variant(kind, value) for kind in "stb")
        client = {"protocol": s("vnc"), "client": s("[::1]:5"), "sasl-username": s("ann\x1b[2J")}
        for interface, properties in {
            "Domain": {"Name": s("vm")},
            "Devices": {"Devices": GLib.Variant("a{sa{sv}}", {
                            "dimm0": {"driver": s("pc-dimm"), "size": t(512 << 20)}}),
                        "Trays": GLib.Variant("a{ss}", {"cd0": "open", "cd 1": "closed"})},
            "Block": {"Jobs": GLib.Variant("a{sa{sv}}", {
                          "m0": {"type": s("mirror"), "status": s("ready"), "len": t(4 << 20),
                                 "offset": t(4 << 20), "speed": t(0)},
                          "c0": {"type": s("create"), "len": t(1)}, "odd": {"type": t(1), "len": t(1)}}),
                      "IOStatus": GLib.Variant("a{ss}", {"vd0": "nospace"}),
                      "WriteThresholds": GLib.Variant("a{st}", {"n0": 8 << 30})},
            "Guest": {"Channels": GLib.Variant("a{sa{sv}}", {
                          "port0": {"name": s("org.qemu.guest_agent.0"), "state": s("open"),
                                    "agent": b(True)}}),
                      "Balloon": t(512 << 20)},
            "Display": {},
            "Migration": {"Status": s("active"),
                          "Progress": GLib.Variant("a{st}", {"remaining": 3 << 20})},
            "Monitor": {"IrregularEvents": t(2)},
        }.items():
            self.fake.properties[f"{SERVICE}.{interface}"] = GLib.Variant("a{sv}", properties)
        self.fake.explicit[(SERVICE + ".Display", "Clients")] = \
            GLib.Variant("aa{sv}", [client, {"protocol": s("spice"), "channel-id": GLib.Variant("x", 0)}])

    def test_show_all_interfaces(self):
        self.set_properties()
        self.assertEqual(sorted(self.succeed("show", "vm").splitlines()), sorted([
            "Name\tvm", 'Devices[dimm0]\tdriver=pc-dimm size="512 MiB"',
            "Trays[cd0]\topen", "Trays[cd 1]\tclosed",
            'Jobs[m0]\ttype=mirror status=ready len="4 MiB" offset="4 MiB" speed="0 B"',
            "Jobs[c0]\ttype=create len=1", "Jobs[odd]\ttype=1 len=1",
            "IOStatus[vd0]\tnospace", "WriteThresholds[n0]\t8 GiB",
            "Channels[port0]\tname=org.qemu.guest_agent.0 state=open agent=true", "Balloon\t512 MiB",
            'Clients[0]\tprotocol=vnc client="[::1]:5" sasl-username="ann\\x1b[2J"',
            "Clients[1]\tprotocol=spice channel-id=0",
            "Migration.Status\tactive", "Progress[remaining]\t3 MiB", "IrregularEvents\t2"]))

    def test_show_all_interfaces_json(self):
        self.set_properties()
        shown = json.loads(self.succeed("show", "vm", "--json"))["interfaces"]
        expected = {interface: properties.unpack() for interface, properties in
                    self.fake.properties.items()}
        for (interface, name), value in self.fake.explicit.items():
            expected[interface][name] = value.unpack()
        self.assertEqual(shown, expected)

    def test_show_empty(self):
        """A domain that is shut off has nothing of all that."""
        for interface, properties in {"Block": {"Jobs": GLib.Variant("a{sa{sv}}", {})},
                                      "Display": {}}.items():
            self.fake.properties[f"{SERVICE}.{interface}"] = GLib.Variant("a{sv}", properties)
        clients = (SERVICE + ".Display", "Clients")
        self.fake.explicit[clients] = GLib.Variant("aa{sv}", [])
        self.assertEqual(self.succeed("show", "vm"), "Clients\t[]\n")
        del self.fake.explicit[clients]     # a service that does not have it
        self.assertEqual(self.succeed("show", "vm"), "")

    def test_show_refused(self):
        """That something may not be seen is not hidden."""
        self.set_properties()
        self.fake.answers["Get"] = Failure("org.freedesktop.DBus.Error.AccessDenied", "No")
        outcome = self.run_ctl("show", "vm")
        self.assertEqual((outcome.code, outcome.out, outcome.err), (1, "", "vmheraldctl: No\n"))

    def test_values(self):
        """Every type of the bus comes through."""
        value = GLib.Variant("(ybnqiuxtdsogavasa{ub})", (
            1, True, -2, 3, -4, 5, -6, 2**64 - 1, 0.5, "s", "/o", "g", [GLib.Variant("s", "in")], ["x"],
            {7: True}))
        self.fake.properties[SERVICE + ".Domain"] = GLib.Variant("a{sv}", {"All": value})
        shown = json.loads(self.succeed("show", "vm", "--json"))
        self.assertEqual(shown["interfaces"][SERVICE + ".Domain"]["All"],
                         [1, True, -2, 3, -4, 5, -6, str(2**64 - 1), 0.5, "s", "/o", "g", ["in"], ["x"],
                          {"7": True}])


class Errors(Case):
    def fails(self, code, text, *arguments):
        outcome = self.run_ctl(*arguments)
        self.assertEqual((outcome.code, outcome.out, outcome.err), (code, "", f"vmheraldctl: {text}\n"))

    def test_of_the_service(self):
        self.fails(1, "There is no domain 'nobody'", "start", "nobody")
        self.fake.answers["Start"] = Failure("StartFailed", "QEMU ended:\nbad \x1b[31mdrive")
        self.fails(1, "QEMU ended:\nbad \\x1b[31mdrive", "start", "vm")
        self.fake.answers["Start"] = Failure("org.freedesktop.DBus.Error.AccessDenied", "No")
        self.fails(1, "No", "start", "vm")
        self.fake.answers["Start"] = Failure("org.freedesktop.DBus.Error.FileNotFound", "gone")
        self.fails(1, "gone", "start", "vm")

    def test_of_media_blocks_and_balloon(self):
        for member, *arguments in (("SetWriteThreshold", "threshold", "vm", "n0", "1G"),
                                   ("CancelJob", "cancel-job", "vm", "m0"),
                                   ("ChangeMedia", "change-media", "vm", "cd0"),
                                   ("SetBalloon", "balloon", "vm", "1G")):
            with self.subTest(member):
                self.fake.answers[member] = Failure("NoSuchDevice", "There is no such thing")
                self.fails(1, "There is no such thing", *arguments)
                del self.fake.answers[member]
                self.fails(1, "There is no domain 'nobody'", arguments[0], "nobody", *arguments[2:])

    def test_odd_answer(self):
        self.fake.answers["GetDomain"] = Failure("org.freedesktop.DBus.Error.UnknownMethod", "old")
        self.fails(1, "old", "start", "vm")

    def test_service_dies_in_a_call(self):
        self.fake.hold("Start")
        process = subprocess.Popen([tap.PROGRAM, f"--address={self.bus.address}", "start", "vm"],
                                   stderr=subprocess.PIPE, env=tap.environment())
        self.fake.wait_call("Start")
        self.fake.go_away()
        _, text = process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, 4, text)
        self.fake.come_back()

    def test_no_service(self):
        self.fake.go_away()
        outcome = self.run_ctl("list")
        self.assertEqual(outcome.code, 4)
        self.assertIn(SERVICE, outcome.err)
        self.bus.add_activation(SERVICE, "/bin/false")
        self.assertEqual(self.run_ctl("list").code, 4)
        self.fake.come_back()

    def test_session_bus_from_environment(self):
        outcome = tap.run("list", DBUS_SESSION_BUS_ADDRESS=self.bus.address)
        self.assertEqual(outcome.code, 0, outcome.err)
        outcome = tap.run("list", "--system", DBUS_SYSTEM_BUS_ADDRESS=self.bus.address)
        self.assertEqual(outcome.code, 0, outcome.err)

    def test_complete_domains(self):
        self.assertEqual(self.succeed("--complete", "domains"), "vm\ntäst\n")
        self.fake.go_away()
        self.bus.add_activation(SERVICE, "/bin/false")
        outcome = self.run_ctl("--complete", "domains")
        self.assertEqual((outcome.out, outcome.err), ("", ""))
        self.fake.come_back()


if __name__ == "__main__":
    tap.main()
