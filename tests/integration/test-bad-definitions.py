# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions that are wrong, in every way somebody could think of: by method and by file."""
import json
import os
import socket
import uuid

import harness
from badcase import DEFINITIONS, BadCase, service_folder
from harness import NAME, PATH, Domain, Gio, GLib, wait_until

INVALID_ARGUMENTS = "org.freedesktop.DBus.Error.InvalidArgs"
LARGE = 10 * 1000 * 1000         # what no argument of the service may have
HUGE = 40 * 1000 * 1000          # far more than that; the bus lets it through
NESTING = 100000


def document(**keys):
    return json.dumps({"name": "bad", **{key.replace("_", "-"): value
                                         for key, value in keys.items()}})


# Text of the definition, path of the problem ("" is the document), words of its message.
BAD_KEYS = [
    (document(colour=1), "colour", "not a known key; known are name, uuid"),
    (document(memroy=1), "memroy", 'did you mean "memory"?'),
    (document(Name="bad"), "Name", 'did you mean "name"?'),
    (document(interfaces=[{"mode": "x"}]), "interfaces[0].mode", "must be one of"),
    (document(interfaces=[{}, {"macc": 1}]), "interfaces[1].macc", 'did you mean "mac"?'),
    (document(resources={"cpu": 1}), "resources.cpu", "not a known key"),
    ("{}", "name", "is required"),
    (document(blockdevs=[{"driver": "file"}]), "blockdevs[0].node-name", "is required"),
    (document(devices=[{"id": "x"}]), "devices[0].driver", "is required"),
]

BAD_TYPES = [
    (document(title=5), "title", "must be a string, not a number"),
    (document(cpus="2"), "cpus", "must be a whole number"),
    (document(interfaces={}), "interfaces", "must be a list, not an object"),
    (document(devices=[5]), "devices[0]", "must be an object, not a number"),
    (document(devices=[{"driver": ["a"]}]), "devices[0].driver", "must be a string, not a list"),
    (document(autostart="yes"), "autostart", "must be true or false"),
    (document(arguments="-x"), "arguments", "must be a list"),
    (document(machine=5), "machine", "must be a string or an object"),
    (document(accel=[1]), "accel[0]", "must be a string"),
    (document(resources=None), "resources", "must be an object, not null"),
    (document(on_panic=["stop"]), "on-panic", "must be a string, not a list"),
    (document(on_panic="explode"), "on-panic", "must be one of stop, restart"),
]

BAD_NUMBERS = [
    (document(cpus=0), "cpus", "from 1 to 1024, not 0"),
    (document(cpus=-1), "cpus", "from 1 to 1024, not -1"),
    (document(cpus=1.5), "cpus", "must be a whole number"),
    (document(cpus=2 ** 40), "cpus", "from 1 to 1024"),
    ('{"name": "bad", "cpus": 1e99}', "cpus", "must be a whole number"),
    ('{"name": "bad", "cpus": 1e999}', "", "line 1"),
    ('{"name": "bad", "cpus": 99999999999999999999999}', "", "line 1"),
    ('{"name": "bad", "cpus": NaN}', "", "line 1"),
    (document(memory=0), "memory", "from 1 to"),
    (document(memory=-5), "memory", "from 1 to"),
    (document(memory=2 ** 62), "memory", "from 1 to"),
    (document(memory=0.5), "memory", "whole number of bytes"),
    (document(memory="1.5G"), "memory", "unit K, M, G or T"),
    (document(memory="-1G"), "memory", "unit K, M, G or T"),
    (document(memory="99999999999999999999T"), "memory", "from 1 to"),
    (document(resources={"cpu-weight": 10 ** 9}), "resources.cpu-weight", "from 1 to 10000"),
]

BAD_NAMES = [
    (document(name=name), "name", "letters, digits")
    for name in ("", "a/b", "../a", "/", ".", "..", ".a", "-a", "a b", "a\nb", "a\tb", "a\x1b[1m",
                 "a\x7f", "a" * 65, "\u00e4", "a\u202e", "a" * 100000)
] + [
    (document(uuid=value), "uuid", "must be a UUID such as")
    for value in ("", "x", "0bd63a7e7c7f4d4f9b803a8a2f4f6c11", "0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c1g",
                  "../../etc", "\n")
] + [
    (document(emulator="../qemu"), "emulator", "must be an absolute path, or a name"),
    (document(emulator="a\nb"), "emulator", "control characters"),
    (document(emulator="/" + "a" * 5000), "emulator", "at most 4096"),
    (document(title="a" * 2000), "title", "at most 1024"),
    (document(interfaces=[{"id": "1"}]), "interfaces[0].id", "must be a letter and then"),
    (document(interfaces=[{"mac": "01:00:5e:00:00:01"}]), "interfaces[0].mac", "is a group"),
]

BAD_TEXTS = [
    ("", "", ""),
    (" \n\t ", "", ""),
    ("name", "", "line 1"),
    ('{"name": "bad"', "", "line 1"),
    ('{"name": "bad",}', "", "1:15"),
    ('{"name": "bad"} {}', "", "line 1"),
    ('// hello\n{"name": "bad"}', "", "line 1"),
    ('{"name": "a\\u0000b"}', "", "line 1"),
    ('{"name": "a\\ud800b"}', "", "line 1"),
    ("[]", "", "must be an object, not a list"),
    ("5", "", "must be an object, not a number"),
    ("null", "", "must be an object, not null"),
    ("[" * NESTING, "", "64"),
    ("[" * NESTING + "]" * NESTING, "", "64"),
    ('{"name": "bad", "devices": ' + '[{"driver": ' * NESTING, "", "64"),
]

BAD_LISTS = [
    (document(devices=[{"driver": "x", "id": "d"}, {"driver": "y", "id": "d"}]), "devices[1].id",
     'the device "d" is there already, at devices[0].id'),
    (document(interfaces=[{"id": "d"}], devices=[{"driver": "y", "id": "d"}]), "devices[0].id",
     "at interfaces[0].id"),
    (document(blockdevs=[{"driver": "x", "node-name": "n"}] * 2), "blockdevs[1].node-name",
     "is there already"),
    (document(netdevs=[{"type": "user", "id": "n"}] * 2), "netdevs[1].id", "is there already"),
    (document(objects=[{"qom-type": "x", "id": "n"}] * 2), "objects[1].id", "is there already"),
    (document(devices=[{"driver": "x"}] * 2000), "devices", "at most 1024"),
    (document(arguments=["-uuid", "x"]), "arguments[0]", 'use the key "uuid"'),
    (document(arguments=["--daemonize"]), "arguments[0]", "no longer be the one"),
]


def describe(text):
    return text[:60] + ("..." if len(text) > 60 else "")


class ByMethod(BadCase):
    def check(self, table):
        for text, path, words in table:
            with self.subTest(text=describe(text)):
                # Whoever reads it is told the place; the document as a whole has none.
                wanted = [words, f"{path}: " if path else "the document"]
                self.refuse("InvalidDefinition", wanted, self.define_text, text)
                self.refuse("InvalidDefinition", wanted, self.create_text, text)
                problems = self.manager("ValidateDefinition", "(s)", text)
                self.assertEqual(path, problems[0][0])
                self.assertIn(words, problems[0][1])
        # Nobody heard of it either.
        self.assertEqual([], self.stamped())

    def test_keys(self):
        self.check(BAD_KEYS)

    def test_types(self):
        self.check(BAD_TYPES)

    def test_numbers(self):
        self.check(BAD_NUMBERS)

    def test_names(self):
        self.check(BAD_NAMES)

    def test_texts(self):
        self.check(BAD_TEXTS)

    def test_lists(self):
        self.check(BAD_LISTS)

    def test_all_problems_are_listed(self):
        text = document(name="a/b", memory="much", colour=1,
                        interfaces=[{"mac": "x"}, {"type": "y"}],
                        devices=[{}, {"driver": "a", "id": "d"}, {"driver": "a", "id": "d"}])
        problems = self.manager("ValidateDefinition", "(s)", text)
        self.assertEqual(["name", "memory", "colour", "interfaces[0].mac", "interfaces[1].type",
                          "devices[0].driver", "devices[2].id"], [path for path, _ in problems])
        self.refuse("InvalidDefinition", ["name: ", "(and 6 more problems)"], self.define_text, text)
        self.assertEqual([], self.manager("ValidateDefinition", "(s)", document()))

    def test_list_of_problems_has_an_end(self):
        problems = self.manager("ValidateDefinition", "(s)",
                                json.dumps({f"key{i}": i for i in range(10000)}))
        self.assertLess(len(problems), 100)
        self.assertIn("more problems", problems[-1][1])

    def test_huge(self):
        """The service says how much it takes. Once is enough: sd-bus reads a large message by many
        realloc(), and where each of them is checked that takes the square of its size."""
        self.refuse("LimitExceeded", ["the definition is 400000", "at most 4194304"],
                    self.define_text, document(title="x" * HUGE))

    def test_large(self):
        text = document(title="x" * LARGE)
        for call in (self.define_text, self.create_text):
            self.refuse("LimitExceeded", ["the definition is 100000", "at most 4194304"], call, text)
        problems = self.manager("ValidateDefinition", "(s)", text)
        self.assertEqual(1, len(problems))
        self.assertIn("at most 4194304", problems[0][1])

    def test_large_elsewhere(self):
        domain = self.create("big")
        text = json.dumps({"driver": "x" * LARGE})
        self.refuse("InvalidArgument", ["device: ", "1048576"], domain.call, "Devices",
                    "AttachDevice", "(sa{sv})", text, {})
        self.refuse("InvalidArgument", ["arguments: ", "8388608"], domain.call, "Monitor",
                    "Execute", "(ssa{sv})", "query-status", text, {})
        self.refuse("InvalidArgument", ["command: ", "256"], domain.call, "Monitor",
                    "Execute", "(ssa{sv})", "x" * LARGE, "", {})
        self.refuse("NoSuchDevice", [], domain.call, "Devices", "DetachDevice", "(sa{sv})",
                    "x" * 1000000, {})
        self.refuse("NoSuchDomain", [], self.manager, "GetDomain", "(s)", "x" * 1000000)

    def test_options(self):
        text = document()
        self.refuse("InvalidArgument", ["options: ", "'start'", "known: none"], self.define_text,
                    text, start=True)
        self.refuse("InvalidArgument", ["options: ", "'pause'", "known: paused"], self.create_text,
                    text, pause=True)
        self.refuse("InvalidArgument", ["options: ", "'paused'", "'b'", "'s'"], self.create_text,
                    text, paused="yes")
        self.refuse("InvalidArgument", ["options: ", "'paused'", "'a{sv}'"], self.create_text,
                    text, paused=GLib.Variant("a{sv}", {}))
        self.refuse("InvalidArgument", ["options: ", "'of'", "state"], self.manager, "ListDomains",
                    "(a{sv})", {"of": GLib.Variant("s", "running")})
        self.refuse("InvalidArgument", ["options: ", "'asleep'"], self.manager, "ListDomains",
                    "(a{sv})", {"state": GLib.Variant("s", "asleep")})

    def test_signatures(self):
        for signature, arguments in (("()", ()), ("(s)", (document(),)), ("(i)", (5,)),
                                     ("(ssa{sv})", ("", "", {}))):
            self.refuse(INVALID_ARGUMENTS, [], self.manager, "DefineDomain", signature, *arguments)
        self.refuse("org.freedesktop.DBus.Error.UnknownMethod", [], self.manager, "Define", "()")

    def test_unknown_domain(self):
        for name in ("nobody", str(uuid.uuid4()), "", "\n", "/"):
            self.refuse("NoSuchDomain", ["no domain", f"'{name}'"], self.manager, "GetDomain", "(s)",
                        name)
        for leaf in (f"_{uuid.uuid4()}".replace("-", "_"), "x", "_"):
            nobody = Domain(self.connection, f"{PATH}/domain/{leaf}", "nobody")
            self.refuse("org.freedesktop.DBus.Error.UnknownObject", [], nobody.start)

    def test_name_is_taken(self):
        known = self.define("taken")
        again = json.dumps(harness.definition("taken"))
        for call in (self.define_text, self.create_text):
            self.refuse("DomainExists", ["'taken'"], call, again)
        self.assertEqual("shut-off", known.state)

    def test_uuid_is_taken(self):
        identity = str(uuid.uuid4())
        self.define("first", uuid=identity)
        other = json.dumps(harness.definition("second", uuid=identity))
        self.refuse("DomainExists", [identity], self.create_text, other)
        self.refuse("DomainExists", [identity], self.create_text, other.replace(identity,
                                                                              identity.upper()))

    def test_running_domain_is_not_renamed(self):
        identity = str(uuid.uuid4())
        self.define("first", uuid=identity).start()
        self.refuse("WrongState", ["'first'", "'second'", "shut it down"], self.define_text,
                    json.dumps(harness.definition("second", uuid=identity)))

    def test_redefinition_with_faults_changes_nothing(self):
        domain = self.define("kept", title="before")
        text = domain.call("Domain", "GetDefinition", "(a{sv})", {})
        identity = domain.get("Domain", "UUID")
        self.refuse("InvalidDefinition", ["cpus"], self.define_text,
                    json.dumps({"name": "kept", "uuid": identity, "cpus": 0}))
        self.assertEqual(text, domain.call("Domain", "GetDefinition", "(a{sv})", {}))

    def test_text_that_is_no_utf8(self):
        """No library sends such a message, so it is made by hand. The bus drops who sends it."""
        address = dict(part.split("=", 1) for part in
                       os.environ["DBUS_SESSION_BUS_ADDRESS"].removeprefix("unix:").split(","))
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(harness.DEADLINE)
            raw.connect(address["path"])
            raw.sendall(b"\0AUTH EXTERNAL %s\r\n" % str(os.getuid()).encode().hex().encode())
            self.assertTrue(raw.recv(4096).startswith(b"OK "))
            raw.sendall(b"BEGIN\r\n")
            mark = "a mark that is found"
            for serial, (name, path, interface, member, body) in enumerate((
                    ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                     "Hello", None),
                    (NAME, PATH, f"{NAME}.Manager", "DefineDomain",
                     GLib.Variant("(sa{sv})", (document(title=mark), {})))), 1):
                message = Gio.DBusMessage.new_method_call(name, path, interface, member)
                message.set_serial(serial)
                if body:
                    message.set_body(body)
                blob = message.to_blob(Gio.DBusCapabilityFlags.NONE)
                raw.sendall(bytes(blob).replace(mark.encode(), b"\xff" * len(mark)))
            while raw.recv(65536):
                pass                 # what the bus says before it hangs up
        self.assertEqual({}, self.connection.managed_objects())
        self.assert_served()


class ByFile(BadCase):
    def setUp(self):
        super().setUp()
        self.place = service_folder(DEFINITIONS)
        self.written = []
        self.addCleanup(self.take_away)

    def write(self, name, text):
        path = os.path.join(self.place, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        self.written.append(path)
        return path

    def take_away(self):
        for path in self.written:
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            elif os.path.lexists(path):
                os.unlink(path)
        self.manager("Reload")

    def write_bad(self):
        """Bad files of all kinds; returns their paths."""
        tables = BAD_KEYS + BAD_TYPES + BAD_NUMBERS + BAD_NAMES + BAD_TEXTS + BAD_LISTS
        paths = [self.write(f"bad{i}.json", text) for i, (text, _, _) in enumerate(tables)]
        paths.append(self.write("no-utf8.json", b'{"name": "\xff\xfe"}'))
        paths.append(self.write("no-utf8-title.json", b'{"name": "x", "title": "\xc3("}'))
        paths.append(self.write("nul.json", b'{"name": "x"}\0'))
        paths.append(self.write("binary.json", os.urandom(4096)))
        paths.append(self.write("huge.json", document(title="x" * HUGE)))
        for name in ("folder.json", "dangling.json", "fifo.json"):
            paths.append(os.path.join(self.place, name))
        os.mkdir(paths[-3])
        os.symlink("nowhere", paths[-2])
        os.mkfifo(paths[-1])
        self.written += paths[-3:]
        return paths

    def log_since(self, mark=0):
        with open(os.path.join(harness.folder(), "service.log"), "rb") as file:
            file.seek(mark)
            return file.read().decode("utf-8", "replace")

    def assert_warned(self, paths, mark):
        lines = [line for line in self.log_since(mark).splitlines() if "warning: " in line]
        self.assertEqual([], [path for path in paths
                              if not any(path + ":" in line for line in lines)])

    def names(self):
        return sorted(interfaces[f"{NAME}.Domain"]["Name"]
                      for interfaces in self.connection.managed_objects().values())

    def log_mark(self):
        return os.path.getsize(os.path.join(harness.folder(), "service.log"))

    def test_start_up(self):
        self.write("good.json", json.dumps(harness.definition("good", uuid=str(uuid.uuid4()))))
        bad = self.write_bad()
        # Two good ones that cannot both be: the first counts.
        identity = str(uuid.uuid4())
        self.write("twin1.json", json.dumps(harness.definition("twin1", uuid=identity)))
        bad.append(self.write("twin2.json", json.dumps(harness.definition("twin2", uuid=identity))))
        bad.append(self.write("zwin.json", json.dumps(harness.definition("good"))))
        mark = self.log_mark()
        self.connection.kill_service()
        self.assertEqual(["good", "twin1"], self.names())
        self.assert_warned(bad, mark)
        self.assertEqual([], [path for path in bad if not os.path.lexists(path)])
        domain = Domain(self.connection, self.manager("GetDomain", "(s)", "good"), "good")
        domain.start()
        self.assertEqual("running", domain.state)

    def test_reload(self):
        before = self.define("before")
        bad = self.write_bad()
        self.write("good.json", json.dumps(harness.definition("good", uuid=str(uuid.uuid4()))))
        mark = self.log_mark()
        self.manager("Reload")
        self.assertEqual(["before", "good"], self.names())
        self.assert_warned(bad, mark)
        self.assert_served()
        self.assertEqual("shut-off", before.state)

    def test_good_file_turns_bad(self):
        """What it defined stays; nobody knows what was meant."""
        domain = self.define("turns", title="good")
        path = os.path.join(self.place, "turns.json")
        with open(path, encoding="utf-8") as file:
            good = file.read()
        self.write("turns.json", good[:-20])
        self.manager("Reload")
        self.assertEqual("good", domain.get("Domain", "Title"))
        domain.start()
        self.write("turns.json", good)


class FolderThatCannotBeWritten(BadCase):
    """The tests may be run by root, whom permissions do not stop, so there is a file in place of
    the folder."""

    def setUp(self):
        super().setUp()
        self.place = service_folder(DEFINITIONS)
        self.known = self.define("known", title="before")
        os.rename(self.place, self.place + ".away")
        with open(self.place, "wb"):
            pass
        self.addCleanup(self.restore)

    def restore(self):
        os.unlink(self.place)
        os.rename(self.place + ".away", self.place)

    def test_define(self):
        since = self.mark()
        self.refuse("Io", [self.place], self.define_text, document())
        self.assertEqual([], self.stamped(since))

    def test_redefine(self):
        identity = self.known.get("Domain", "UUID")
        self.refuse("Io", [self.place], self.define_text,
                    json.dumps(harness.definition("known", uuid=identity, title="after")))
        self.refuse("Io", [], self.define_text,
                    json.dumps(harness.definition("renamed", uuid=identity)))
        self.assertEqual(("known", "before"), (self.known.get("Domain", "Name"),
                                               self.known.get("Domain", "Title")))

    def test_autostart(self):
        self.refuse("Io", [self.place], self.known.call, "Domain", "SetAutostart", "(b)", True)
        self.assertFalse(self.known.get("Domain", "Autostart"))

    def test_reload(self):
        """Nothing is taken away because nothing could be read."""
        self.manager("Reload")
        self.assertEqual("shut-off", self.known.state)

    def test_the_rest_works(self):
        """Who needs no file is not concerned."""
        self.known.start()
        domain = self.create("transient")
        self.assertEqual(["running", "running"], [self.known.state, domain.state])
        domain.destroy()


if __name__ == "__main__":
    harness.main()
