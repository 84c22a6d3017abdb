# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what on the system bus: the policy of the bus, polkit (played, so that it can be slow, or broken, or away), and what
becomes of a call that waits for it. The service is root, callers are others."""
import glob
import json
import os
import shutil
import sys
import unittest

from gi.repository import GLib

import harness
from client import NAME, OBJECT_MANAGER, PATH, PROPERTIES, wait_until
from authority_bus import MEMBER, OTHER, STRANGER, Client, Polkit, Service, SystemBroker, SystemDaemon

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
CHALLENGE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
HELD_MAX = 32                    # AuthorizationsMax

sys.path.insert(0, os.path.join(os.environ["VMHERALD_INTROSPECTION"], "..", "docs"))
import contract  # noqa: E402  pylint: disable=wrong-import-position,wrong-import-order


def description(name, **keys):
    return json.dumps({"name": name, "emulator": "qemu-system-nothing", **keys})


@unittest.skipUnless(os.geteuid() == 0, "only root can be others")
class Case(unittest.TestCase):
    assert_fails = harness.ServiceCase.assert_fails
    bus_type = SystemDaemon

    def setUp(self):
        os.chmod(harness.folder(), 0o711)
        self.addCleanup(os.chmod, harness.folder(), 0o700)
        self.bus = self.make_bus()
        self.addCleanup(self.bus.close)
        self.service = Service(self.bus)
        self.addCleanup(self.service.close)
        self.verdict = "no"
        self.polkit = Polkit(self.bus, self.decide)
        self.addCleanup(self.close_polkit)
        self.member = self.client(MEMBER)
        self.root = self.service.root
        self.path = self.root.call(PATH, f"{NAME}.Manager", "DefineDomain", "(sa{sv})", description("web1"), {})
        self.uuid = self.root.get(self.path, f"{NAME}.Domain", "UUID")

    def make_bus(self):
        return self.bus_type()

    def decide(self, _subject, _action, _details, _interactive):
        return self.verdict

    def close_polkit(self):
        if self.polkit:
            self.polkit.close()
        self.polkit = None

    def client(self, uid):
        client = Client(self.bus, uid)
        self.addCleanup(lambda: client.bus.is_closed() or client.close())
        return client

    def undefine_all(self):
        for path in self.root.managed_objects():
            self.root.call(path, f"{NAME}.Domain", "Undefine", "(a{sv})", {})

    def domain(self, client, member, signature="(a{sv})", *arguments, **keys):
        return client.send(self.path, f"{NAME}.Domain", member, signature, *(arguments or ({},)), **keys)

    def manager(self, client, member, signature="()", *arguments, **keys):
        return client.send(PATH, f"{NAME}.Manager", member, signature, *arguments, **keys)

    def last(self):
        return self.polkit.asked[-1][1:3]


# ---- each method, with arguments of its signature ----

VALUES = {"s": "x", "t": 0, "u": 0, "b": False, "a{sv}": {}}


def methods():
    """(interface, member, arguments, action) of each method and writable property in the descriptions."""
    rows = []
    for interface in contract.read_files(glob.glob(os.path.join(os.environ["VMHERALD_INTROSPECTION"], "*.xml"))):
        for member in interface.members:
            action = member.facts.get("Action", [None])[0]
            if action:
                rows.append((interface.full_name, member, action.removeprefix("org.vmherald.domains1.")))
    return rows


class EachMethod(Case):
    def call(self, interface, member):
        path = PATH if interface.endswith(".Manager") else self.path
        if member.kind == "property":
            return self.member.send(path, PROPERTIES, "Set", "(ssv)", interface, member.name,
                                    GLib.Variant("b", True))
        types = [argument.type for argument in member.arguments if argument.direction == "in"]
        return self.member.send(path, interface, member.name, f"({''.join(types)})",
                                *(VALUES[kind] for kind in types))

    def test_denied(self):
        """Each is asked about, by its action, and refused; nothing has happened."""
        rows = methods()
        self.assertGreater(len(rows), 30)
        for interface, member, action in rows:
            with self.subTest(member=f"{interface}.{member.name}"):
                before = len(self.polkit.asked)
                text = self.assert_fails(DENIED, self.call(interface, member).result)
                self.assertIn(f"org.vmherald.domains1.{action}", text)
                self.assertEqual(before + 1, len(self.polkit.asked))
                self.assertEqual(action, self.last()[0])
                details = self.last()[1]
                self.assertEqual(f"{interface.rpartition('.')[2]}.{member.name}", details["method"])
                if not interface.endswith(".Manager"):
                    self.assertEqual(("web1", self.uuid), (details["name"], details["uuid"]))
        self.assertEqual([self.path], list(self.root.managed_objects()))
        self.assertFalse(self.root.get(self.path, f"{NAME}.Domain", "Autostart"))

    def test_allowed(self):
        """Each comes through: what it says then is its own answer or its own error."""
        self.verdict = "yes"
        for interface, member, _ in methods():
            if member.name in ("Undefine", "SetAutostart", "Autostart"):
                continue             # below: they would be felt by the others
            with self.subTest(member=f"{interface}.{member.name}"):
                try:
                    self.call(interface, member).result()
                except GLib.Error as error:
                    self.assertNotIn("AccessDenied", error.message)
                    self.assertIn(f"{NAME}.Error.", error.message)
        self.domain(self.member, "SetAutostart", "(b)", True).result()
        self.assertTrue(self.root.get(self.path, f"{NAME}.Domain", "Autostart"))
        self.member.send(self.path, PROPERTIES, "Set", "(ssv)", f"{NAME}.Domain", "Autostart",
                         GLib.Variant("b", False)).result()
        wait_until(lambda: not self.root.get(self.path, f"{NAME}.Domain", "Autostart"), "the property")
        self.domain(self.member, "Undefine").result()
        self.assertEqual({}, self.root.managed_objects())

    def test_log(self):
        log = ("/org/freedesktop/LogControl1", PROPERTIES)
        self.assert_fails(DENIED, self.member.send(*log, "Set", "(ssv)", "org.freedesktop.LogControl1", "LogLevel",
                                                   GLib.Variant("s", "debug")).result)
        self.assertEqual("manage", self.last()[0])
        self.assertEqual("LogControl1.LogLevel", self.last()[1]["method"])
        self.assert_fails(DENIED, self.member.send(*log, "Get", "(ss)", "org.freedesktop.LogControl1",
                                                   "LogLevel").result)
        self.assertEqual("inspect", self.last()[0])

    def test_read(self):
        """All that is read needs inspect; what every peer answers needs nothing."""
        for path, member, signature, *arguments in (
                (self.path, "Get", "(ss)", f"{NAME}.Display", "Clients"),
                (self.path, "GetAll", "(s)", f"{NAME}.Domain"), (PATH, "GetAll", "(s)", f"{NAME}.Manager")):
            self.assert_fails(DENIED, self.member.send(path, PROPERTIES, member, signature, *arguments).result)
            self.assertEqual("inspect", self.last()[0])
        self.assert_fails(DENIED, self.member.send(PATH, OBJECT_MANAGER, "GetManagedObjects").result)
        before = len(self.polkit.asked)
        self.member.send(PATH, "org.freedesktop.DBus.Peer", "Ping").result()
        self.member.send(PATH, "org.freedesktop.DBus.Introspectable", "Introspect").result()
        self.assert_fails("org.freedesktop.DBus.Error.UnknownMethod",
                          self.manager(self.member, "Nothing").result)
        self.assertEqual(before, len(self.polkit.asked))

    def test_root(self):
        """Is not asked about."""
        self.root.managed_objects()
        self.assertEqual([], self.polkit.asked)


class Answers(Case):
    def test_challenge(self):
        self.verdict = "challenge"
        text = self.assert_fails(CHALLENGE, self.domain(self.member, "Start").result)
        self.assertIn("Domain.Start of domain 'web1' needs org.vmherald.domains1.control", text)
        self.assertEqual(0, self.polkit.asked[-1][3])
        # Who allows it is asked by polkit itself; what it says then is the last word.
        self.assert_fails(DENIED, self.domain(self.member, "Start", interactive=True).result)
        self.assertEqual(1, self.polkit.asked[-1][3])
        self.verdict = "yes"
        self.assert_fails("StartFailed", self.domain(self.member, "Start", interactive=True).result)

    def test_broken(self):
        self.verdict = "error"
        self.assertIn("polkit cannot be asked for it: broken on purpose",
                      self.assert_fails(DENIED, self.domain(self.member, "Start").result))
        self.close_polkit()
        self.assertIn("polkit cannot be asked",
                      self.assert_fails(DENIED, self.domain(self.member, "Start").result))
        self.assertEqual([self.path], list(self.root.managed_objects()))

    def test_slow(self):
        """Others go on, and so does whoever waits."""
        self.verdict = "slow"
        waiting = self.domain(self.member, "Start")
        wait_until(lambda: self.polkit.waiting, "the question")
        self.verdict = "yes"
        self.manager(self.member, "ListDomains", "(a{sv})", {}).result()
        self.client(OTHER)
        self.root.managed_objects()
        self.assertFalse(waiting.finished)
        self.polkit.answer_all("yes")
        self.assert_fails("StartFailed", waiting.result)

    def test_leaves(self):
        """The question is taken back, and nothing of him stays."""
        self.verdict = "slow"
        client = self.client(MEMBER)
        for _ in range(3):
            self.domain(client, "Undefine")
        wait_until(lambda: len(self.polkit.waiting) == 3, "the questions")
        client.close()
        wait_until(lambda: len(self.polkit.cancelled) == 3, "them to be taken back")
        self.assertEqual(set(self.polkit.waiting), set(self.polkit.cancelled))
        self.polkit.answer_all("yes")
        self.verdict = "yes"
        self.manager(self.member, "ListDomains", "(a{sv})", {}).result()
        self.assertEqual([self.path], list(self.root.managed_objects()))

    def test_vanishes(self):
        """The domain goes while it is asked about."""
        self.verdict = "slow"
        waiting = self.domain(self.member, "Start")
        wait_until(lambda: self.polkit.waiting, "the question")
        self.undefine_all()
        self.polkit.answer_all("yes")
        self.assert_fails("org.freedesktop.DBus.Error.UnknownObject", waiting.result)

    def test_becomes_another(self):
        """It is renamed while it is asked about: what was granted was not this."""
        self.verdict = "slow"
        waiting = self.domain(self.member, "Undefine")
        wait_until(lambda: self.polkit.waiting, "the question")
        self.root.call(PATH, f"{NAME}.Manager", "DefineDomain", "(sa{sv})",
                       description("secret", uuid=self.uuid), {})
        self.verdict = "no"
        self.polkit.answer_all("yes")
        self.assertIn("domain 'secret'", self.assert_fails(DENIED, waiting.result))
        self.assertEqual(["web1", "secret"], [entry[2]["name"] for entry in self.polkit.asked])

    def test_many(self):
        self.verdict = "slow"
        waiting = [self.domain(self.member, "Start") for _ in range(HELD_MAX + 2)]
        wait_until(lambda: len([call for call in waiting if call.finished]) == 2, "two to be refused")
        for call in waiting:
            if call.finished:
                self.assert_fails("LimitExceeded", call.result)
        # polkit reads for itself, perhaps later than the two.
        wait_until(lambda: len(self.polkit.waiting) >= HELD_MAX, "the questions")
        self.assertEqual(HELD_MAX, len(self.polkit.waiting))
        # Another user has his own.
        self.polkit.answer_all("no")
        for call in waiting[:HELD_MAX]:
            self.assert_fails(DENIED, call.result)
        self.verdict = "yes"
        self.manager(self.member, "ListDomains", "(a{sv})", {}).result()

    def test_end(self):
        """Who waits when the service ends is told."""
        self.verdict = "slow"
        waiting = self.domain(self.member, "Start")
        wait_until(lambda: self.polkit.waiting, "the question")
        self.service.process.terminate()
        self.assert_fails("MonitorLost", waiting.result)
        self.service.process.wait()


class Kept(Case):
    def ask_list(self, client=None):
        before = len(self.polkit.asked)
        self.manager(client or self.member, "ListDomains", "(a{sv})", {}).result()
        return len(self.polkit.asked) - before

    def test_changed(self):
        self.verdict = "yes"
        self.assertEqual([1, 0, 0], [self.ask_list() for _ in range(3)])
        self.assertEqual(1, self.ask_list(self.client(MEMBER)))
        # Another domain, another question.
        self.member.send(self.path, PROPERTIES, "GetAll", "(s)", f"{NAME}.Domain").result()
        self.assertEqual("web1", self.last()[1]["name"])
        self.polkit.say_changed()
        wait_until(lambda: self.ask_list() == 1, "the answer to be forgotten")
        self.assertEqual(0, self.ask_list())
        # A no is not kept, nor a yes to what changes anything.
        for _ in range(2):
            self.assert_fails("StartFailed", self.domain(self.member, "Start").result)
            self.assertEqual("control", self.last()[0])
        self.assertEqual(2, len([entry for entry in self.polkit.asked if entry[1] == "control"]))
        self.verdict = "no"
        self.polkit.say_changed()
        self.close_polkit()
        wait_until(lambda: self.fails_to_list(), "it to be asked again")

    def test_person(self):
        """Who reads and may be asked is so only if he must, and what he has shown is not kept."""
        self.verdict = "yes"
        for count in (1, 1):
            self.manager(self.member, "ListDomains", "(a{sv})", {}, interactive=True).result()
            self.assertEqual(count, len(self.polkit.asked))
        self.polkit.decide = lambda _subject, _action, _details, interactive: "yes" if interactive else "challenge"
        self.polkit.asked.clear()
        for count in (2, 4):
            self.manager(self.member, "GetDomain", "(s)", "web1", interactive=True).result()
            self.assertEqual(count, len(self.polkit.asked))
        self.assertEqual([0, 1, 0, 1], [entry[3] for entry in self.polkit.asked])

    def fails_to_list(self):
        try:
            self.ask_list()
        except (GLib.Error, AttributeError):
            return True
        return False


class Details(Case):
    def define(self, text, member="DefineDomain"):
        self.assert_fails(DENIED, self.manager(self.member, member, "(sa{sv})", text, {}).result)
        self.assertEqual("define", self.last()[0])
        details = dict(self.last()[1])
        self.assertEqual(f"Manager.{member}", details.pop("method"))
        return details

    def test_define(self):
        other = "11111111-2222-3333-4444-555555555555"
        for member in ("DefineDomain", "CreateDomain"):
            self.assertEqual({"name": "db1"}, self.define(description("db1"), member))
            self.assertEqual({"name": "db1", "uuid": other},
                             self.define(description("db1", uuid=other.upper()), member))
            # It is about the one that has that uuid, whatever it calls itself.
            self.assertEqual({"name": "web1", "uuid": self.uuid, "new-name": "db1"},
                             self.define(description("db1", uuid=self.uuid), member))
            self.assertEqual({"name": "web1", "uuid": self.uuid},
                             self.define(description("web1", uuid=self.uuid), member))
            self.assertEqual({}, self.define("{", member))
        # A key that is there twice, or is written in another way, is read as it is when it is defined.
        self.assertEqual({"name": "web1"}, self.define('{"name":"db1","name":"web1"}'))
        self.assertEqual({"name": "web1"}, self.define('{"na\\u006de":"web1","emulator":"qemu-system-nothing"}'))

    def test_defined(self):
        """What was asked about is what is done."""
        self.verdict = "yes"
        path = self.manager(self.member, "DefineDomain", "(sa{sv})", description("db1"), {}).result()
        self.assertEqual("db1", self.root.get(path, f"{NAME}.Domain", "Name"))
        self.assertEqual("db1", self.last()[1]["name"])
        self.assert_fails("InvalidDefinition",
                          self.manager(self.member, "DefineDomain", "(sa{sv})", "{", {}).result)

    def test_manager(self):
        for member, signature, arguments, details in (
                ("GetDomain", "(s)", ("web1",), {"name": "web1", "uuid": self.uuid}),
                ("GetDomain", "(s)", (self.uuid,), {"name": "web1", "uuid": self.uuid}),
                ("GetDomain", "(s)", ("none",), {"name": "none"}),
                ("ListDomains", "(a{sv})", ({},), {}),
                ("AdoptDomain", "(ssa{sv})", ("db1", "/none", {}), {"name": "db1"})):
            self.assert_fails(DENIED, self.manager(self.member, member, signature, *arguments).result)
            self.assertEqual({**details, "method": f"Manager.{member}"}, self.last()[1])

    def test_identity(self):
        """The bus says who calls; what a caller says of himself counts nowhere."""
        self.assert_fails(DENIED, self.domain(self.member, "Start").result)
        self.assertEqual(self.member.bus.get_unique_name(), self.polkit.asked[-1][0])
        message = harness.Gio.DBusMessage.new_method_call(NAME, self.path, f"{NAME}.Domain", "Undefine")
        message.set_sender(self.root.bus.get_unique_name())
        message.set_body(GLib.Variant("(a{sv})", ({},)))
        replies = []
        self.member.bus.send_message_with_reply(
            message, harness.Gio.DBusSendMessageFlags.NONE, -1, None,
            lambda bus, result: replies.append(bus.send_message_with_reply_finish(result)))
        wait_until(lambda: replies, "the answer")
        self.assertEqual(DENIED, replies[0].get_error_name())
        self.assertEqual(self.member.bus.get_unique_name(), self.polkit.asked[-1][0])
        self.assertEqual([self.path], list(self.root.managed_objects()))


class Policy(Case):
    """Of the bus: who may send, and who gets signals."""

    def record(self, uid):
        client = self.client(uid)
        found = []
        client.bus.signal_subscribe(None, None, None, None, None, harness.Gio.DBusSignalFlags.NONE,
                                    lambda _bus, _sender, path, interface, member, _: found.append(
                                        f"{interface}.{member}") if path.startswith(PATH) else None)
        client.call_bus("GetId")
        return client, found

    def test_policy(self):
        self.verdict = "yes"
        stranger, strange = self.record(STRANGER)
        member, heard = self.record(MEMBER)
        self.assert_fails(DENIED, self.manager(stranger, "ListDomains", "(a{sv})", {}).result)
        self.assert_fails(DENIED, self.domain(stranger, "Start").result)
        self.assertEqual([], self.polkit.asked)
        stranger.send(PATH, "org.freedesktop.DBus.Introspectable", "Introspect").result()
        self.root.call(PATH, f"{NAME}.Manager", "DefineDomain", "(sa{sv})", description("db1"), {})
        wait_until(lambda: f"{NAME}.Domain.Lifecycle" in heard, "the signal")
        stranger.call_bus("GetId")
        self.assertEqual([], strange)
        for client in (stranger, member):
            self.assert_fails(DENIED, client.call_bus, "RequestName", "(su)", NAME + ".Other", 0)


@unittest.skipUnless(shutil.which("dbus-broker"), "dbus-broker is not installed")
class PolicyOnBroker(Policy):
    bus_type = SystemBroker


class Widened(Policy):
    """As the comment in the policy shows it: another group gets what is named there, and no more."""

    MORE = f"""<policy group="bin">
        <allow send_destination="{NAME}"/>
        <allow receive_sender="{NAME}" receive_type="signal" receive_interface="{NAME}.Domain"/>
    </policy>"""

    def make_bus(self):
        return self.bus_type(self.MORE)

    def test_widened(self):
        other, found = self.record(OTHER)
        self.assert_fails(DENIED, self.domain(other, "Start").result)
        self.assertEqual("control", self.last()[0])
        self.root.call(PATH, f"{NAME}.Manager", "DefineDomain", "(sa{sv})", description("db1"), {})
        wait_until(lambda: f"{NAME}.Domain.Lifecycle" in found, "the signal")
        # What comes before it and after it, and is not named.
        self.root.call(PATH, f"{NAME}.Manager", "DefineDomain", "(sa{sv})", description("db2"), {})
        wait_until(lambda: found.count(f"{NAME}.Domain.Lifecycle") == 2, "the next one")
        self.assertEqual({f"{NAME}.Domain.Lifecycle"}, set(found))


@unittest.skipUnless(shutil.which("dbus-broker"), "dbus-broker is not installed")
class WidenedOnBroker(Widened):
    bus_type = SystemBroker


if __name__ == "__main__":
    harness.main()
