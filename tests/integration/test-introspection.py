# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the running service introspects is what introspection/ promises, member by member, in both
directions; and what is promised is explained."""
import os
import re
import unittest
import xml.etree.ElementTree as ElementTree

import harness
from harness import Gio, GLib

EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
# sd-bus's word for: read by name alone, never part of all the properties of an object.
EXPLICIT = "org.freedesktop.systemd1.Explicit"
STANDARD = {"org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Peer",
            "org.freedesktop.DBus.Properties"}
MANAGER_INTERFACES = {f"{harness.NAME}.Manager"}
DOMAIN_INTERFACES = {f"{harness.NAME}.{name}" for name in
                     ("Block", "Devices", "Display", "Domain", "Guest", "Migration", "Monitor",
                      "Network")}


def read_files():
    """Path -> text of each description."""
    texts = {}
    place = os.environ["VMHERALD_INTROSPECTION"]
    for name in sorted(os.listdir(place)):
        if name.endswith(".xml"):
            with open(os.path.join(place, name), encoding="utf-8") as file:
                texts[name] = file.read()
    return texts


def describe(interface):
    """An <interface> element as a dictionary that compares and prints well."""
    members = {}
    for member in interface:
        name = member.get("name")
        annotations = {a.get("name"): a.get("value") for a in member.findall("annotation")}
        if member.tag == "property":
            # "true" is what the absence of the annotation means.
            members[f"property {name}"] = (member.get("type"), member.get("access"),
                                           annotations.get(EMITS, "true"),
                                           annotations.get(EXPLICIT, "false"))
        elif member.tag in ("method", "signal"):
            default = "in" if member.tag == "method" else "out"
            members[f"{member.tag} {name}"] = [
                (a.get("name"), a.get("type"),
                 a.get("direction", default) if member.tag == "method" else "out")
                for a in member.findall("arg")]
    return members


def interfaces_of(text):
    return {i.get("name"): describe(i) for i in ElementTree.fromstring(text).findall("interface")}


def promised():
    interfaces = {}
    for text in read_files().values():
        interfaces.update(interfaces_of(text))
    return interfaces


class Documentation(unittest.TestCase):
    """Needs no service."""

    def test_one_interface_a_file(self):
        for name, text in read_files().items():
            self.assertEqual([name.removesuffix(".xml")], list(interfaces_of(text)))

    def test_all_members_are_explained(self):
        for name, text in read_files().items():
            comments = {}
            for comment in re.findall(r"<!--(.*?)-->", text, re.DOTALL):
                comments[comment.strip().partition(":")[0]] = comment
            for interface, members in interfaces_of(text).items():
                self.assertIn("Since: 0.1", comments.get(interface, ""), name)
                for member, shape in members.items():
                    kind, _, member_name = member.partition(" ")
                    with self.subTest(interface=interface, member=member):
                        # Methods and signals may share a name, so the comment before it counts.
                        comment = re.search(
                            rf"<!--(?:(?!-->).)*-->\s*<{kind} name=\"{member_name}\"", text,
                            re.DOTALL)
                        self.assertIsNotNone(comment)
                        self.assertRegex(comment.group(), rf"\s{member_name}:")
                        self.assertIn("Since: 0.1", comment.group())
                        for argument in shape if kind != "property" else ():
                            self.assertIn(f"@{argument[0]}: ", comment.group())

    def test_signals_end_in_the_stamp(self):
        for interface, members in promised().items():
            for member, shape in members.items():
                if member.startswith("signal "):
                    with self.subTest(interface=interface, member=member):
                        self.assertEqual([("stamp", "(ttt)", "out"), ("details", "a{sv}", "out")],
                                         shape[-2:])
                        # arg0 is what match rules can select by.
                        self.assertEqual("s", shape[0][1])


class Introspection(harness.ServiceCase):
    maxDiff = None

    def introspect(self, path):
        return self.connection.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")

    def check(self, path, expected_names, standard):
        found = interfaces_of(self.introspect(path))
        wanted = promised()
        self.assertEqual(set(found), expected_names | standard)
        for name in sorted(expected_names):
            with self.subTest(interface=name):
                self.assertEqual(wanted[name], found[name])

    def test_every_description_is_of_an_object(self):
        self.assertEqual(MANAGER_INTERFACES | DOMAIN_INTERFACES, set(promised()))

    def test_manager(self):
        self.check(harness.PATH, MANAGER_INTERFACES, STANDARD | {harness.OBJECT_MANAGER})

    def test_domain(self):
        domain = self.define("introspected")
        self.check(domain.path, DOMAIN_INTERFACES, STANDARD)

    def test_domain_is_found_by_walking(self):
        domain = self.define("introspected")
        place, _, leaf = domain.path.rpartition("/")
        nodes = ElementTree.fromstring(self.introspect(harness.PATH)).findall("node")
        self.assertIn("domain", [node.get("name").partition("/")[0] for node in nodes])
        nodes = ElementTree.fromstring(self.introspect(place)).findall("node")
        self.assertIn(leaf, [node.get("name") for node in nodes])

    def check_properties(self, path, names):
        """All properties can be read, have the promised type, and the object manager tells the
        same ones. What is explicit is in neither, and is there when it is asked for."""
        wanted = promised()
        managed = self.connection.managed_objects()
        for name in names:
            members = {m.partition(" ")[2]: shape for m, shape in wanted[name].items()
                       if m.startswith("property ")}
            reply = self.connection.bus.call_sync(
                harness.NAME, path, harness.PROPERTIES, "GetAll",
                GLib.Variant("(s)", (name,)), None, Gio.DBusCallFlags.NONE, -1,
                None).get_child_value(0)
            types = {reply.get_child_value(i).get_child_value(0).get_string():
                     reply.get_child_value(i).get_child_value(1).get_variant().get_type_string()
                     for i in range(reply.n_children())}
            told = {member: shape[0] for member, shape in members.items() if shape[3] == "false"}
            with self.subTest(interface=name):
                self.assertEqual(told, types)
                if path in managed:
                    self.assertEqual(set(told), set(managed[path][name]))
                for member in sorted(set(members) - set(told)):
                    value = self.connection.bus.call_sync(
                        harness.NAME, path, harness.PROPERTIES, "Get",
                        GLib.Variant("(ss)", (name, member)), None, Gio.DBusCallFlags.NONE, -1,
                        None).get_child_value(0).get_variant()
                    self.assertEqual(members[member][0], value.get_type_string())

    def test_properties_of_manager(self):
        self.check_properties(harness.PATH, MANAGER_INTERFACES)

    def test_properties_of_shut_off_domain(self):
        self.check_properties(self.define("introspected").path, DOMAIN_INTERFACES)

    def test_properties_of_running_domain(self):
        domain = self.create("introspected", interfaces=[{"id": "net0", "type": "user"}])
        self.recorder.wait("Domain.Lifecycle", "started")
        self.check_properties(domain.path, DOMAIN_INTERFACES)


if __name__ == "__main__":
    harness.main()
