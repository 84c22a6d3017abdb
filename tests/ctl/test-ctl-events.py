#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What "events" shows, of whom, and that it only listens."""

import json

from gi.repository import GLib

import sentences
import tap
from fake_service import MANAGER, OTHER, SERVICE, UUID, path_of
from listener import ListeningCase
from tap import DEADLINE

TIME = "2023-11-14 22:13:20.123"

# More than the library keeps of what comes while it waits for an answer.
HELD = 8192 + 1000
# As in domain-names.h.
GONE_MAX = 256
# As in value.h.
LIST_MAX = 16


class Events(ListeningCase):
    def lines(self, cases, *arguments):
        """What is shown of these: Interface.Member, signature, arguments, details."""
        listener = self.listen(f"--count={len(cases)}", *arguments)
        for name, signature, values, details in cases:
            interface, member = name.split(".")
            self.fake.emit(path_of(UUID), interface, member, signature, values, details)
        return listener.finish()

    def test_every_signal_has_a_sentence(self):
        signatures = sentences.signatures()
        self.assertEqual(sorted(signatures), sorted(sentences.CASES))
        cases = [(name, signatures[name], values, details, text)
                 for name, rows in sentences.CASES.items() for values, details, text in rows]
        for case, line in zip(cases, self.lines([case[:4] for case in cases]), strict=True):
            with self.subTest(case[4]):
                self.assertEqual(line, f"{TIME} vm {case[0]} {case[4]}")

    def test_json_is_complete(self):
        """What a sentence leaves out is there."""
        signatures = sentences.signatures()
        cases = [(name, signatures[name], values, details)
                 for name, rows in sentences.CASES.items() for values, details, _ in rows]
        for case, line in zip(cases, self.lines(cases, "--json"), strict=True):
            name, _, values, details = case
            event = json.loads(line)
            with self.subTest(name):
                self.assertEqual((event["interface"], event["member"]),
                                 (f"{SERVICE}.{name.split('.')[0]}", name.split(".")[1]))
                self.assertEqual(len(event["arguments"]), len(values))
                self.assertEqual(set(event["details"]), set(details))

    def test_signals_without_a_sentence(self):
        """What a newer service sends, or one of the known signals with other arguments."""
        cases = [
            (("Domain.Nothing", "", (), {}), ""),
            (("New.Thing", "st", ("a\x1b[2J", 7), {"core": GLib.Variant("t", 7),
                                                   "text": GLib.Variant("s", "a b\x1b\"c\n")}),
             ' "a\\x1b[2J" 7 core=7 text="a b\\x1b\\"c\\x0a"'),
            (("Devices.TrayChanged", "s", ("cd0",), {}), " cd0"),
            (("Guest.BalloonChanged", "ss", ("", "much"), {}), ' "" much'),
            (("Guest.BalloonChanged", "sx", ("", -1), {}), ' "" -1'),
            (("Devices.AcpiDeviceStatus", "sssxx", ("", "0", "CPU", -1, 0), {}), ' "" 0 CPU -1 0'),
        ]
        for (case, text), line in zip(cases, self.lines([case for case, _ in cases]), strict=True):
            with self.subTest(case[0]):
                self.assertEqual(line, f"{TIME} vm {case[0]}{text}")

    def test_long_lists_are_cut(self):
        many = GLib.Variant("as", [f"m{n}: missing" for n in range(LIST_MAX + 1)])
        told = ", ".join(f"m{n}: missing" for n in range(LIST_MAX))
        self.assertEqual(self.lines([("Block.ExportDeleted", "s", ("e",), {"irregular": many})]),
                         [f"{TIME} vm Block.ExportDeleted block export e deleted (irregular: {told}, …)"])

    def test_odd_details(self):
        """Details of another type than they should be are left out, and harm nothing."""
        details = {"type": GLib.Variant("as", ["mirror"]), "len": GLib.Variant("s", "long"),
                   "offset": GLib.Variant("d", 0.5), "error": GLib.Variant("t", 1),
                   "irregular": GLib.Variant("s", "no list"), "reason": GLib.Variant("t", 3)}
        self.assertEqual(self.lines([("Block.JobEvent", "sss", ("m0", "ready", "mirror"), details)]),
                         [f"{TIME} vm Block.JobEvent block job m0 (mirror) ready"])

    def test_json(self):
        listener = self.listen("--json", "--count=3", "--properties")
        self.fake.lifecycle(UUID, "started", "booted", details={"cause": GLib.Variant("s", "host")},
                            previous=41)
        self.fake.emit_raw(path_of(OTHER), "org.freedesktop.DBus.Properties", "PropertiesChanged",
                           GLib.Variant("(sa{sv}as)", (SERVICE + ".Domain",
                                                       {"State": GLib.Variant("s", "paused")}, ["PID"])))
        self.fake.emit(MANAGER, "Manager", "Something", "s", ("x",))
        first, second, third = [json.loads(line) for line in listener.finish()]
        self.assertEqual(first, {
            "time": 1700000000123456, "domain": "vm", "uuid": UUID, "path": path_of(UUID),
            "interface": SERVICE + ".Domain", "member": "Lifecycle",
            "arguments": ["started", "booted", "running"], "sequence": 1, "previous": 41,
            "details": {"cause": "host"}})
        self.assertEqual(second["arguments"], [SERVICE + ".Domain", {"State": "paused"}, ["PID"]])
        self.assertEqual((second["domain"], second["sequence"], second["previous"]), ("other", None, None))
        self.assertGreater(second["time"], 1700000000123456)
        self.assertEqual((third["domain"], third["uuid"], third["path"]), (None, None, MANAGER))

    def test_one_domain_by_name_and_by_uuid(self):
        for domain in ("vm", UUID, UUID.upper()):
            with self.subTest(domain):
                listener = self.listen(domain, "--count=2")
                self.fake.lifecycle(OTHER, "started")
                self.fake.lifecycle(UUID, "suspended")
                self.fake.lifecycle(OTHER, "resumed")
                self.fake.lifecycle(UUID, "resumed")
                self.assertEqual([line.split()[2:5:2] for line in listener.finish()],
                                 [["vm", "suspended"], ["vm", "resumed"]])

    def test_types(self):
        cases = {
            "started": ["started"],
            "Lifecycle": ["started", "stopped"],
            "Domain.Lifecycle": ["started", "stopped"],
            "Domain.*": ["started", "reset", "stopped"],
            "Devices.*,Reset": ["reset", "added"],
            "Devices.DeviceAdded,stopped": ["added", "stopped"],
        }
        for types, expected in cases.items():
            with self.subTest(types):
                listener = self.listen("--json", f"--type={types}", "--type=Lost",
                                       f"--count={len(expected) + 1}")
                self.fake.lifecycle(UUID, "started")
                self.fake.emit(path_of(UUID), "Domain", "Reset", "ss", ("reset", "x"))
                self.fake.emit(path_of(UUID), "Devices", "DeviceAdded", "sss", ("added", "x", "y"))
                self.fake.added(UUID, "vm")
                self.fake.lifecycle(UUID, "stopped")
                self.fake.emit(path_of(UUID), "Monitor", "Lost", "s", ("end",))
                self.assertEqual([json.loads(line)["arguments"][0] for line in listener.finish()],
                                 expected + ["end"])

    def test_properties_with_types(self):
        listener = self.listen("--json", "--type=started", "--properties", "--count=3")
        self.fake.emit_raw(path_of(UUID), "org.freedesktop.DBus.Properties", "PropertiesChanged",
                           GLib.Variant("(sa{sv}as)", (SERVICE + ".Domain", {}, [])))
        self.fake.lifecycle(UUID, "stopped")
        self.fake.removed(UUID)
        self.fake.lifecycle(UUID, "started")
        self.assertEqual([json.loads(line)["member"] for line in listener.finish()],
                         ["PropertiesChanged", "InterfacesRemoved", "Lifecycle"])

    def test_passive(self):
        listener = self.listen("--passive", "--count=4")
        self.fake.lifecycle(UUID, "started")
        self.fake.added(UUID, "vm")
        self.fake.lifecycle(UUID, "suspended")
        self.fake.removed(UUID)
        self.fake.lifecycle(UUID, "stopped")
        self.fake.emit_raw(path_of(OTHER), "org.freedesktop.DBus.Properties", "PropertiesChanged",
                           GLib.Variant("(sa{sv}as)", (SERVICE + ".Domain",
                                                       {"Name": GLib.Variant("s", "renamed")}, [])))
        self.fake.lifecycle(OTHER, "started")
        self.assertEqual([line.split()[2] for line in listener.finish()], [UUID, "vm", "vm", "renamed"])
        self.assertEqual(self.fake.calls, [])

    def test_passive_by_name(self):
        listener = self.listen("vm", "--passive", "--count=1")
        self.fake.added(OTHER, "other")
        self.fake.added(UUID, "vm")
        self.fake.lifecycle(OTHER, "started")
        self.fake.lifecycle(UUID, "resumed")
        self.assertIn("vm Domain.Lifecycle resumed", listener.finish()[0])
        self.assertEqual(self.fake.calls, [])

    def test_names_of_removed_domains_are_bounded(self):
        listener = self.listen("--passive", "--count=3")
        uuids = [f"00000000-0000-0000-0000-{n:012x}" for n in range(GONE_MAX + 1)]
        for uuid in uuids:
            self.fake.added(uuid, "name-" + uuid[-4:])
        for uuid in uuids + [uuids[0]]:
            self.fake.removed(uuid)
        for uuid in (uuids[0], uuids[1], uuids[-1]):
            self.fake.lifecycle(uuid, "undefined")
        self.assertEqual([line.split()[2] for line in listener.finish()],
                         [uuids[0], "name-0001", f"name-{GONE_MAX:04x}"])

    def test_held_back_until_names_are_known(self):
        self.fake.hold("ListDomains")
        listener = self.listen("vm", "--count=2")
        self.fake.wait_call("ListDomains")
        self.fake.lifecycle(OTHER, "started")
        self.fake.lifecycle(UUID, "started")
        self.fake.lifecycle(UUID, "stopped")
        self.fake.flush()
        self.fake.release("ListDomains")
        self.assertEqual([line.split()[2:5:2] for line in listener.finish()],
                         [["vm", "started"], ["vm", "stopped"]])

    def test_held_back_is_bounded(self):
        """A service that does not tell the names is waited for for a while; what is not kept meanwhile is fetched."""
        self.fake.hold("ListDomains")
        listener = self.listen("--json", f"--count={HELD}")
        self.fake.wait_call("ListDomains")
        for _ in range(HELD):
            self.fake.lifecycle(UUID, "started")
        sequences = [json.loads(line)["sequence"] for line in listener.finish()]
        self.assertEqual(sequences, list(range(1, HELD + 1)))
        self.assertIn("does not tell the names", listener.err)
        self.fake.release("ListDomains")

    def test_service_starts_later_and_again(self):
        self.fake.go_away()
        self.bus.add_activation(SERVICE, "/bin/false")
        listener = self.listen("--count=3")
        self.fake.come_back()
        self.fake.wait_call("ListDomains")
        self.fake.lifecycle(UUID, "started")
        # With the line its name is here, so the answer was.
        self.assertIn(b" vm Domain.Lifecycle started", listener.process.stdout.readline())
        self.fake.go_away()
        self.fake.domains[OTHER][0] = "renamed"
        self.fake.come_back()
        self.fake.wait_call("ListDomains", 2)
        self.fake.lifecycle(UUID, "started")
        self.fake.lifecycle(OTHER, "started")
        self.assertEqual([line.split()[2] for line in listener.finish()], ["vm", "renamed"])

    def test_service_dies_before_it_tells_names(self):
        self.fake.hold("ListDomains")
        listener = self.listen("--count=1")
        self.fake.wait_call("ListDomains")
        self.fake.lifecycle(UUID, "started")
        self.fake.flush()
        self.fake.go_away()
        self.assertEqual(listener.finish()[0].split()[2], UUID)
        self.fake.come_back()

    def test_forged(self):
        """A signal that someone else sends straight to the listener is not shown."""
        self.fake.hold("ListDomains")
        listener = self.listen("--count=1")
        self.fake.wait_call("ListDomains")
        forger = self.bus.connect()
        names = forger.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                 "ListNames", None, None, 0, DEADLINE * 1000, None).unpack()[0]
        for name in names:
            if name.startswith(":"):
                body = GLib.Variant("(sss(ttt)a{sv})", ("stopped", "", "", (1, 0, 0), {}))
                forger.emit_signal(name, path_of(UUID), SERVICE + ".Domain", "Lifecycle", body)
        forger.flush_sync()
        forger.close_sync()
        self.fake.lifecycle(UUID, "started")
        self.fake.flush()
        self.fake.release("ListDomains")
        self.assertIn(" started ", listener.finish()[0])

    def test_other_shapes(self):
        """What a newer or broken service sends is shown, or is no event, and does no harm."""
        self.fake.sequence = 2**63 - 1
        listener = self.listen("--json", "--count=3")
        self.fake.emit_raw(path_of(UUID), SERVICE + ".New", "Plain", None)
        self.fake.emit(path_of(UUID), "New", "Deep", "v", (GLib.Variant("v", GLib.Variant("s", "x")),),
                       time=2**64 - 1, previous=2**64 - 1)
        self.fake.emit_raw(path_of(UUID), SERVICE + ".Domain", "Lifecycle",
                           GLib.Variant("(sss(ttt)a{sv})", ("stopped", "", "", (0, 0, 0), {})))
        self.fake.emit(MANAGER + "/domain/_short", "New", "Plain", "as", ([],))
        self.fake.emit(MANAGER, "Domain", "Lifecycle")
        deep, short, bare = [json.loads(line) for line in listener.finish()]
        self.assertEqual((deep["arguments"], deep["sequence"], deep["previous"], deep["time"]),
                         (["x"], 2**63, 2**64 - 1, 2**64 - 1))
        self.assertEqual((short["uuid"], short["arguments"]), (None, [[]]))
        self.assertEqual((bare["uuid"], bare["arguments"], bare["details"]), (None, [], {}))

    def test_bus_ends(self):
        """After a while, for it could come back."""
        listener = self.listen()
        self.bus.process.terminate()
        _, err = listener.process.communicate(timeout=DEADLINE)
        self.assertEqual(listener.process.returncode, 4, err)

    def test_reader_ends(self):
        listener = self.listen()
        self.fake.lifecycle(UUID, "started")
        self.assertIn(b"started", listener.process.stdout.readline())
        listener.process.stdout.close()
        self.fake.lifecycle(UUID, "started")
        self.fake.lifecycle(UUID, "started")
        # By SIGPIPE, without a word.
        self.assertEqual(listener.process.wait(DEADLINE), -13)
        self.assertEqual(listener.process.stderr.read(), b"")
        listener.process.stderr.close()


if __name__ == "__main__":
    tap.main()
