# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: root, members of the group (alice, bob), and a stranger (mallory), with the bus's own policy, the real
polkit, and the rules of an administrator."""
import json
import os
import time
import xml.etree.ElementTree as ElementTree

import system_case
from image import ROOT_PASSWORD
from machine import wait_until
from person import ACCESS_DENIED, INTERACTIVE, NAME, OBJECT_MANAGER, PATH, PROPERTIES, Refused

RULES = "/etc/polkit-1/rules.d/10-test.rules"
ALICE_MAY_CONTROL_WEB1 = """
polkit.addRule(function(action, subject) {
    if (subject.user == "alice" && action.id == "org.vmherald.domains1.control" && action.lookup("name") == "web1")
        return polkit.Result.YES;
});
"""
# Each question of the service's is told in the journal, with what it said it is about. What polkit.log() says goes nowhere: Debian
# starts polkitd with --no-debug.
TELL_QUESTIONS = """
polkit.addRule(function(action, subject) {
    if (action.id.indexOf("org.vmherald.domains1.") == 0)
        polkit.spawn(["/usr/bin/logger", "--tag=question", JSON.stringify([action.id, action.lookup("method"),
            action.lookup("name"), action.lookup("uuid"), subject.user])]);
});
"""
NOT_ASKED = {("org.freedesktop.DBus.Introspectable", "Introspect"), ("org.freedesktop.DBus.Peer", "Ping")}
PLAIN = {"s": "", "b": False, "u": 1, "t": 1, "x": 1, "o": PATH, "a{sv}": {}, "h": 0}


def contract():
    """(interface, method, signature of what goes in) of each method in the introspection files."""
    folder = os.environ["VMHERALD_INTROSPECTION"]
    methods = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".xml"):
            continue
        for interface in ElementTree.parse(os.path.join(folder, name)).iter("interface"):
            for method in interface.findall("method"):
                signature = [argument.get("type") for argument in method.findall("arg")
                             if argument.get("direction") == "in"]
                methods.append((interface.get("name").removeprefix(NAME + "."), method.get("name"), signature))
    return methods


def plain(signature):
    return [PLAIN[kind] for kind in signature]


class Access(system_case.SystemCase):
    def setUp(self):
        self.root = self.person("root")
        self.addCleanup(self.remove_domains)
        self.addCleanup(self.machine.run, "rm", "-f", RULES)
        self.web1 = self.define("web1", self.root)
        self.web2 = self.define("web2", self.root)

    def object_of(self, interface):
        return PATH if interface == "Manager" else self.web1

    def call_plainly(self, person, interface, member, signature, **keys):
        """The name of the error that such a call ends in, "" if in none."""
        try:
            person.call(self.object_of(interface), f"{NAME}.{interface}", member, f"({''.join(signature)})",
                        *plain(signature), **keys)
        except Refused as refused:
            return refused.name
        return ""

    def set_rules(self, text, changed):
        """Puts rules there, and waits until polkit has read them: until changed() is true."""
        self.machine.write(RULES, text)
        wait_until(changed, "polkit to read its rules")

    # ---- the stranger ----

    def test_a_stranger_is_refused_everything(self):
        """By the bus, before the service sees it."""
        mallory = self.person("mallory")
        for interface, member, signature in contract():
            with self.subTest(method=f"{interface}.{member}"):
                self.assertEqual(ACCESS_DENIED, self.call_plainly(mallory, interface, member, signature))
        for call in ((PATH, OBJECT_MANAGER, "GetManagedObjects"),
                     (self.web1, PROPERTIES, "GetAll", "(s)", f"{NAME}.Domain"),
                     (self.web1, PROPERTIES, "Get", "(ss)", f"{NAME}.Domain", "Name"),
                     (self.web1, PROPERTIES, "Set", "(ssv)", f"{NAME}.Domain", "Autostart", system_case.boolean(True))):
            with self.subTest(call=call):
                self.assert_refused(ACCESS_DENIED, mallory.call, *call)
        self.assertNotEqual(0, self.machine.run("vmheraldctl", "--system", "list", user="mallory", check=False).returncode)

    def test_a_stranger_hears_nothing(self):
        mallory, alice = self.person("mallory"), self.person("alice")
        mallory.listen()
        alice.listen()
        self.root.domain(self.web1, "Start", "(a{sv})", {})
        alice.wait_signal("Domain.Lifecycle", "started")
        self.assertEqual([], mallory.heard())

    def test_introspection_is_for_all(self):
        mallory = self.person("mallory")
        for interface, member in sorted(NOT_ASKED):
            with self.subTest(member=member):
                mallory.call(PATH, interface, member)

    # ---- members ----

    def test_a_member_reads(self):
        """And hears, without a password: the shipped rule."""
        alice = self.person("alice")
        alice.listen()
        self.assertEqual({"web1", "web2"}, {row[1] for row in alice.manager("ListDomains", "(a{sv})", {})})
        self.assertEqual("web1", alice.get(self.web1, "Domain", "Name"))
        self.assertIn(self.web1, alice.call(PATH, OBJECT_MANAGER, "GetManagedObjects"))
        self.assertIn("web1", alice.domain(self.web1, "GetDefinition", "(a{sv})", {}))
        self.root.domain(self.web1, "Start", "(a{sv})", {})
        alice.wait_signal("Domain.Lifecycle", "started")
        self.assertIn("web1", self.machine.run("vmheraldctl", "--system", "list", user="alice").stdout)

    def test_each_method_as_a_member(self):
        """Each is either reading, which a member may, or is refused, since nobody has allowed it; root may all. What polkit was
        asked tells which of both each is, and that it was told the domain and the method."""
        # polkit.spawn() closes whatever could be open, which takes long where much could.
        self.machine.write("/etc/systemd/system/polkit.service.d/files.conf", "[Service]\nLimitNOFILE=1024\n")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "restart", "polkit.service")
        bob = self.person("bob")
        self.set_rules(TELL_QUESTIONS, lambda: not self.may(bob, self.web2, "Start") and self.questions())
        wrong = []
        counts = {"inspect": 0, "refused": 0}
        for interface, member, signature in contract():
            method = f"{interface}.{member}"
            before = len(self.questions())
            error = self.call_plainly(bob, interface, member, signature)
            questions = [question for question in self.questions()[before:] if question[1] == method]
            if not questions:
                wrong.append(f"{method}: nobody was asked ({error})")
                continue
            action, _, name, uuid, user = questions[0]
            inspect = action == "org.vmherald.domains1.inspect"
            counts["inspect" if inspect else "refused"] += 1
            if inspect == (error in (ACCESS_DENIED, INTERACTIVE)):
                wrong.append(f"{method}: {action}, and the answer is {error}")
            if user != "bob" or (interface != "Manager" and (name != "web1" or not uuid)):
                wrong.append(f"{method}: asked about {questions[0]}")
            # With the flag, and nobody there to ask: refused as well, and not left waiting.
            if not inspect and self.call_plainly(bob, interface, member, signature, interactive=True) not in (
                    ACCESS_DENIED, INTERACTIVE):
                wrong.append(f"{method}: the interactive flag alone opens it")
            # A guest that is asked to shut down has nothing that would: that is not waited for.
            if self.call_plainly(self.root, interface, member, signature, milliseconds=3000) in (
                    ACCESS_DENIED, INTERACTIVE):
                wrong.append(f"{method}: root is refused")
            self.web1 = self.define_again()
        self.assertEqual([], wrong)
        self.assertGreater(counts["inspect"], 0)
        self.assertGreater(counts["refused"], 20)
        system_case.measured(f"{counts['inspect']} methods are for members, {counts['refused']} need to be allowed")

    def define_again(self):
        """What root has just called may have ended or removed it."""
        for row in self.root.manager("ListDomains", "(a{sv})", {}):
            if row[1] == "web1":
                return row[0]
        return self.define("web1", self.root)

    def questions(self):
        """[action, method, name, uuid, user] of each that polkit was asked so far."""
        self.machine.run("journalctl", "--sync")
        out = self.machine.run("journalctl", "--no-pager", "--quiet", "--output=cat", "--identifier=question").stdout
        return [json.loads(line) for line in out.splitlines()]

    # ---- rules and agents ----

    def test_alice_may_start_web1(self):
        """A rule of the administrator's, with the domain's name: the answer changes while the service runs, and back."""
        alice, bob = self.person("alice"), self.person("bob")
        pid = self.service_pid()
        self.assert_refused(INTERACTIVE, alice.domain, self.web1, "Start", "(a{sv})", {})
        self.set_rules(ALICE_MAY_CONTROL_WEB1, lambda: self.may(alice, self.web1, "Start"))
        self.assertEqual("running", alice.get(self.web1, "Domain", "State"))
        self.assert_refused(INTERACTIVE, alice.domain, self.web2, "Start", "(a{sv})", {})
        self.assert_refused(INTERACTIVE, bob.domain, self.web1, "Destroy", "(a{sv})", {})
        # To control is not to define.
        self.assert_refused(INTERACTIVE, alice.domain, self.web1, "Undefine", "(a{sv})", {})
        alice.domain(self.web1, "Destroy", "(a{sv})", {})
        self.machine.run("rm", RULES)
        wait_until(lambda: not self.may(alice, self.web1, "Reset", "()"), "polkit to forget")
        self.assertEqual(pid, self.service_pid())

    @staticmethod
    def may(person, path, member, signature="(a{sv})"):
        try:
            person.domain(path, member, signature, *([{}] if signature != "()" else []))
        except Refused as refused:
            return refused.name not in (ACCESS_DENIED, INTERACTIVE)
        return True

    def test_a_password_opens_it(self):
        """With an agent, and the flag that allows to ask: who knows root's password may; the call waits meanwhile."""
        alice = self.person("alice")
        alice.polkit_agent(ROOT_PASSWORD)
        self.assert_refused(INTERACTIVE, alice.domain, self.web1, "Start", "(a{sv})", {})
        self.assertEqual([], alice.asked())
        alice.domain(self.web1, "Start", "(a{sv})", {}, interactive=True)
        asked = alice.asked()
        self.assertEqual(["org.vmherald.domains1.control"], [question[0] for question in asked])
        self.assertEqual("running", alice.get(self.web1, "Domain", "State"))

    def test_a_wrong_password(self):
        alice = self.person("alice")
        alice.polkit_agent("not " + ROOT_PASSWORD)
        with self.assertRaises(Refused) as context:
            alice.domain(self.web1, "Start", "(a{sv})", {}, interactive=True)
        self.assertIn(context.exception.name, (ACCESS_DENIED, INTERACTIVE))
        self.assertTrue(alice.asked())
        self.assertEqual("shut-off", alice.get(self.web1, "Domain", "State"))

    def test_without_polkit(self):
        """Nobody to ask is no answer: who is not root is refused, and root is not."""
        alice = self.person("alice")
        self.machine.run("systemctl", "mask", "--runtime", "--now", "polkit.service")
        self.addCleanup(self.machine.run, "systemctl", "unmask", "--runtime", "polkit.service")
        begun = time.monotonic()
        with self.assertRaises(Refused) as context:
            alice.domain(self.web1, "Start", "(a{sv})", {})
        self.assertIn(context.exception.name, (ACCESS_DENIED, INTERACTIVE))
        self.assertLess(time.monotonic() - begun, 30)
        self.root.domain(self.web1, "Start", "(a{sv})", {})

    def test_the_groups_are_those_of_the_bus(self):
        """Who becomes a member, and who is one no more, needs no restart of the service."""
        pid = self.service_pid()
        self.machine.run("gpasswd", "--add", "mallory", "vmherald")
        self.addCleanup(self.machine.run, "gpasswd", "--delete", "mallory", "vmherald", check=False)
        self.assertTrue(self.person("mallory").manager("ListDomains", "(a{sv})", {}))
        self.machine.run("gpasswd", "--delete", "mallory", "vmherald")
        self.assert_refused(ACCESS_DENIED, self.person("mallory").manager, "ListDomains", "(a{sv})", {})
        self.assertEqual(pid, self.service_pid())


if __name__ == "__main__":
    system_case.main()
