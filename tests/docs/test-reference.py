# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reference page has all of the contract, and is a good page: every member of every file of
introspection/ with its arguments, nothing empty, all of QEMU's events, links that lead somewhere.

The descriptions are read here a second time, by other means than those of the generator."""
import glob
import html.parser
import os
import re
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

import tap

SOURCE = os.environ["VMHERALD_SOURCE"]
PAGE = os.environ["VMHERALD_REFERENCE"]
EVENTS = 59
VOID = {"meta", "br", "link", "img", "hr", "input"}
# What must have a text of its own.
FILLED = {"td", "th", "dd", "dt", "p", "li", "h1", "h2", "h3", "h4", "a", "code", "title"}
# xmllint knows no HTML younger than its 4th version.
YOUNG_TAGS = re.compile(r"Tag (header|nav|main|section) invalid")


class Node:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, dict(attributes), parent
        self.children = []

    def text(self):
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)

    def walk(self):
        yield self
        for child in self.children:
            if not isinstance(child, str):
                yield from child.walk()

    def find_all(self, *tags):
        return [node for node in self.walk() if node.tag in tags]


class Tree(html.parser.HTMLParser):
    """The page as a tree; a tag that is not closed where it must be is an error."""

    def __init__(self, text):
        super().__init__()
        self.root = self.here = Node("document", [], None)
        self.feed(text)
        self.close()
        if self.here is not self.root:
            raise ValueError(f"<{self.here.tag}> is not closed")

    def handle_starttag(self, tag, attrs):
        node = Node(tag, attrs, self.here)
        self.here.children.append(node)
        if tag not in VOID:
            self.here = node

    def handle_endtag(self, tag):
        if self.here.tag != tag:
            raise ValueError(f"line {self.getpos()[0]}: </{tag}> closes <{self.here.tag}>")
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.children.append(data)


def interfaces():
    for path in sorted(glob.glob(os.path.join(SOURCE, "introspection", "*.xml"))):
        yield ElementTree.parse(path).find("interface")


def words(text):
    return " ".join(text.split())


class Reference(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        with open(PAGE, encoding="utf-8") as file:
            cls.source = file.read()
        cls.page = Tree(cls.source).root
        cls.by_id = {node.attributes["id"]: node for node in cls.page.walk() if "id" in node.attributes}

    def test_every_member_is_there(self):
        count = 0
        for interface in interfaces():
            short = interface.get("name").rpartition(".")[2]
            self.assertIn(interface.get("name"), self.by_id[short].text())
            for member in interface:
                count += 1
                anchor = f"{short}.{member.tag}.{member.get('name')}"
                with self.subTest(member=anchor):
                    section = self.by_id[anchor]
                    self.assertEqual("section", section.tag)
                    rows = [[words(cell.text()) for cell in row.find_all("th", "td")]
                            for row in section.find_all("tr")[1:]]
                    args = member.findall("arg")
                    self.assertEqual([a.get("name") for a in args], [row[0] for row in rows])
                    for arg, row in zip(args, rows):
                        self.assertTrue(row[-2].startswith(arg.get("type")), row)
                        self.assertGreater(len(row[-2]), len(arg.get("type")), "no words for the type")
                        self.assertTrue(row[-1])
                    if member.tag == "property":
                        self.assertIn(f"{member.get('type')} (", section.text())
        self.assertGreater(count, 90)

    def test_nothing_else_is_there(self):
        wanted = {f"{i.get('name').rpartition('.')[2]}.{m.tag}.{m.get('name')}"
                  for i in interfaces() for m in i}
        found = {node.attributes["id"] for node in self.page.find_all("section")
                 if node.attributes.get("class") == "member"}
        self.assertEqual(wanted, found)

    def test_every_signal_has_its_facts(self):
        """The lines at the end of the comment before it, as they stand there."""
        for path in sorted(glob.glob(os.path.join(SOURCE, "introspection", "*.xml"))):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for block, name in re.findall(r"<!--((?:(?!-->).)*)-->\s*<signal name=\"(\w+)\"", text,
                                          re.DOTALL):
                interface = os.path.basename(path).split(".")[-2]
                with self.subTest(signal=f"{interface}.{name}"):
                    wanted = re.findall(r"^ *(QEMU|Throttled|libvirt|Since): (.*)$", block, re.M)
                    titles = {"Throttled": "Throttled by QEMU"}
                    facts, title = [], None
                    for node in self.by_id[f"{interface}.signal.{name}"].find_all("dt", "dd"):
                        if node.tag == "dt":
                            title = node.text()
                        else:
                            facts.append((title, words(node.text())))
                    self.assertEqual([(titles.get(k, k), words(v)) for k, v in wanted], facts)
                    self.assertLessEqual({"QEMU", "libvirt", "Since"}, {k for k, v in wanted})

    def test_nothing_is_empty(self):
        for node in self.page.walk():
            if node.tag in FILLED:
                self.assertTrue(node.text().strip(), f"<{node.tag} {node.attributes}> in "
                                f"{words(node.parent.text())[:80]}")

    def test_index_has_all_events(self):
        with open(os.path.join(SOURCE, "docs", "events.md"), encoding="utf-8") as file:
            table = re.findall(r"^\| `([A-Z0-9_]+)` \|", file.read(), re.M)
        rows = [anchor.removeprefix("event.") for anchor in self.by_id if anchor.startswith("event.")]
        self.assertEqual(EVENTS, len(rows))
        self.assertEqual(sorted(rows), rows)
        self.assertEqual(table, rows)
        for name in rows:
            links = [a.attributes["href"] for a in self.by_id[f"event.{name}"].find_all("a")]
            self.assertTrue(links, name)
            for link in links:
                self.assertIn(f"#event.{name}", [a.attributes["href"] for a in
                                                 self.by_id[link[1:]].find_all("a")])

    def test_links_resolve(self):
        links = [node.attributes["href"] for node in self.page.find_all("a")]
        self.assertGreater(len(links), 200)
        for link in links:
            self.assertTrue(link.startswith("#"), link)
            self.assertIn(link[1:], self.by_id)

    def test_ids_are_unique(self):
        ids = [node.attributes["id"] for node in self.page.walk() if "id" in node.attributes]
        self.assertEqual(len(ids), len(set(ids)))

    def test_needs_nothing_else(self):
        self.assertEqual([], self.page.find_all("link", "script", "img", "iframe", "object", "base"))
        self.assertNotRegex(self.source, r"@import|url\(|https?://|\ssrc=")
        self.assertNotRegex(self.source, r"\$(?!domain\b)", "a part of the template is left")

    def test_light_and_dark(self):
        style, = self.page.find_all("style")
        self.assertIn("prefers-color-scheme: dark", style.text())

    def test_says_how_to_listen(self):
        text = self.page.text()
        for example in ("path_namespace='/org/vmherald/Domains1'", "busctl --user monitor",
                        "gdbus monitor --session --dest org.vmherald.Domains1", "arg0='stopped'"):
            self.assertIn(example, text)
        for anchor in ("listening", "stamp", "snapshot", "details", "events"):
            self.assertIn(anchor, self.by_id)

    def test_shows_the_example(self):
        with open(os.path.join(SOURCE, "docs", "examples", "snapshot.py"), encoding="utf-8") as file:
            self.assertIn(file.read(), [node.text() for node in self.page.find_all("pre")])

    def test_xmllint_has_no_complaint(self):
        done = subprocess.run(["xmllint", "--html", "--noout", "--nonet", PAGE], capture_output=True,
                              text=True, check=False)
        errors = [line for line in done.stderr.splitlines()
                  if " error :" in line and not YOUNG_TAGS.search(line)]
        self.assertEqual([], errors)
        # It did read the page: the young tags are complained about.
        self.assertRegex(done.stderr, YOUNG_TAGS)


if __name__ == "__main__":
    tap.main()
