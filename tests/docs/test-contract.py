# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/contract.py: what the descriptions say is read as it stands, and what they do not say stops
the build."""
import importlib.machinery
import importlib.util
import os
import unittest

import contract
import tap

SOURCE = os.environ["VMHERALD_SOURCE"]

GOOD = """<node>
    <!-- A comment of the document. -->
    <!--
        org.example.Thing:
        @short_description: a thing

        About things.

        Since: 0.1
    -->
    <interface name="org.example.Thing">
        <!--
            Happened:
            @id: id of the thing, which goes
                on in a second line
            @details: size (t): bytes

            First
            paragraph.

            Second: with a colon.

            QEMU: THING_DONE (since 9.1; s390x)
            QEMU: none: the service knows
            Throttled: once a second
            libvirt: none
            Since: 0.2
        -->
        <signal name="Happened">
            <arg name="id" type="s"/>
            <arg name="details" type="a{sv}"/>
        </signal>
        <!--
            Size: bytes

            Since: 0.1
        -->
        <property name="Size" type="t" access="read">
            <annotation name="org.example.Note" value="yes"/>
        </property>
    </interface>
</node>
"""


def load_generator():
    """make-reference.py has a name that import cannot say."""
    path = os.path.join(SOURCE, "docs", "make-reference.py")
    loader = importlib.machinery.SourceFileLoader("make_reference", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Reading(unittest.TestCase):
    def setUp(self):
        self.thing = contract.read_interface(GOOD, "thing.xml")

    def test_interface(self):
        self.assertEqual(("org.example.Thing", "Thing"), (self.thing.full_name, self.thing.name))
        self.assertEqual("a thing", self.thing.about.summary)
        self.assertEqual(["About things."], self.thing.about.paragraphs)

    def test_signal(self):
        signal, = self.thing.of_kind("signal")
        self.assertEqual([("id", "s", "out", "id of the thing, which goes on in a second line"),
                          ("details", "a{sv}", "out", "size (t): bytes")],
                         [(a.name, a.type, a.direction, a.text) for a in signal.arguments])
        self.assertEqual(["First paragraph.", "Second: with a colon."], signal.paragraphs)
        self.assertEqual([("THING_DONE", "since 9.1; s390x")], signal.qemu_events())
        self.assertEqual({"QEMU": ["THING_DONE (since 9.1; s390x)", "none: the service knows"],
                          "Throttled": ["once a second"], "libvirt": ["none"], "Since": ["0.2"]},
                         signal.facts)

    def test_property(self):
        size, = self.thing.of_kind("property")
        self.assertEqual(("bytes", "t", "read", {"org.example.Note": "yes"}),
                         (size.summary, size.type, size.access, size.annotations))


class Refusing(unittest.TestCase):
    """Each: what is changed in the good one, and what the error says."""

    CASES = [
        ("            @id: id of the thing, which goes\n                on in a second line\n", "",
         "signal Happened: @id is not explained"),
        ("@details: size (t): bytes", "@details:", "signal Happened: @details is not explained"),
        ("@details: size", "@id: size", "@id is explained twice"),
        ("@details: size (t): bytes", "@details: x\n            @more: y", "@more: no such argument"),
        ("            Since: 0.2\n", "", "signal Happened: the comment needs one line Since:"),
        ("            libvirt: none\n", "", "the signal has no line libvirt:"),
        ("            QEMU: THING_DONE (since 9.1; s390x)\n            QEMU: none: the service knows\n",
         "", "the signal has no line QEMU:"),
        ("(since 9.1; s390x)", "(some)", "not EVENT (VERSIONS): THING_DONE (some)"),
        ("QEMU: none: the service knows", "Libvirt: x", "does not end in lines of facts: Libvirt: x"),
        ("            libvirt: none\n            Since: 0.2\n",
         "            Since: 0.2\n            libvirt: none\n", "the facts are not in the order"),
        ("            Happened:\n", "            Happens:\n",
         "signal Happened: the comment before it is that of Happens"),
        ("            Size: bytes\n", "            Size:\n", "property Size: what it is is not said"),
        ("            Size: bytes\n\n            Since: 0.1\n", "            Size: bytes\n",
         "property Size: the comment has no Since: line"),
        ("            Size: bytes\n\n", "            Size: bytes\n\n            libvirt: none\n",
         "property Size: only signals have other facts than Since:"),
        ('type="t" access="read"', 'type="t" access="readwrite"', "property Size: it has no line Action:"),
        ("            Size: bytes\n\n", "            Size: bytes\n\n            Action: org.vmherald.domains1.inspect\n",
         "property Size: only signals have other facts than Since:"),
        ("        <!--\n            Size: bytes\n\n            Since: 0.1\n        -->\n", "",
         "property Size: no comment stands before it"),
        ("    </interface>\n", "<thing name=\"X\"/></interface>\n", "<thing> is not known"),
        ("    </interface>\n", "    </interface>\n    <interface name=\"org.example.Other\"/>\n",
         "more than one interface"),
    ]

    def test_cases(self):
        for old, new, error in self.CASES:
            with self.subTest(error=error):
                self.assertEqual(1, GOOD.count(old))
                with self.assertRaises(contract.ContractError) as caught:
                    contract.read_interface(GOOD.replace(old, new), "thing.xml")
                self.assertIn(error, str(caught.exception))
                self.assertIn("thing.xml: ", str(caught.exception))


class Generator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.generator = load_generator()

    def test_types_in_words(self):
        for signature, words in {
                "s": "string", "as": "array of string", "(ttt)": "struct of (uint64, uint64, uint64)",
                "a{sv}": "dictionary of string to variant", "aa{sv}":
                "array of dictionary of string to variant", "a{sa{sv}}":
                "dictionary of string to dictionary of string to variant",
                "a(osss)": "array of struct of (object path, string, string, string)"}.items():
            self.assertEqual(words, self.generator.type_in_words(signature))
        for signature in ("?", "ss"):
            with self.assertRaises(contract.ContractError):
                self.generator.type_in_words(signature)

    def test_entries_of_a_dictionary(self):
        self.assertEqual(["a (s): one; or two (x; y)", "b-c (t), d (t): three"],
                         self.generator.split_entries("a (s): one; or two (x; y); b-c (t), d (t): three"))

    def test_an_event_has_the_same_versions_everywhere(self):
        other = GOOD.replace("org.example.Thing", "org.example.Other").replace("since 9.1; s390x",
                                                                              "all versions")
        page = self.generator.Page([contract.read_interface(GOOD, "a"),
                                    contract.read_interface(other, "b")])
        with self.assertRaisesRegex(contract.ContractError, "THING_DONE: "):
            page.events()


if __name__ == "__main__":
    tap.main()
