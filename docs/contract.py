# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the contract on the bus: the files of introspection/ with the comments in them.

Before each interface, method, signal and property stands a comment of this form:

    NAME: what it is (properties; of others the text stands below)
    @ARGUMENT: what it means, goes on in
        lines that are indented deeper

    Paragraphs, divided by empty lines.

    QEMU: EVENT (VERSIONS)      a line each; "none: WHY" where the service itself is the source
    Throttled: HOW              only where QEMU throttles the event
    libvirt: COUNTERPART        a line each; or none
    Action: ACTION              who may: the action of polkit on the system bus, of methods and writable properties
    Since: VERSION

The three lines before Action are those of signals. Nothing is guessed: what has another form, or is
not explained, is a ContractError that names the file and the member."""
import dataclasses
import re
import xml.etree.ElementTree as ElementTree

FACTS = ("QEMU", "Throttled", "libvirt", "Action", "Since")
ACTION = re.compile(r"org\.vmherald\.domains1\.[a-z-]+")
FACT = re.compile(rf"({'|'.join(FACTS)}): (.+)")
QEMU_EVENT = re.compile(r"([A-Z][A-Z0-9_]+) \(((?:all versions|since [\d.]+|[\d.]+ only)(?:; [^)]+)?)\)")
KINDS = ("method", "signal", "property")


class ContractError(Exception):
    """The contract is not in the form above."""


@dataclasses.dataclass
class Argument:
    name: str
    type: str
    direction: str
    text: str


@dataclasses.dataclass
class Member:
    interface: str                 # without the prefix of the bus name
    kind: str                      # one of KINDS, or interface
    name: str
    summary: str
    paragraphs: list
    facts: dict                    # name of the fact -> its lines
    arguments: list = dataclasses.field(default_factory=list)
    type: str = ""                 # of properties
    access: str = ""
    annotations: dict = dataclasses.field(default_factory=dict)

    @property
    def anchor(self):
        return f"{self.interface}.{self.kind}.{self.name}"

    @property
    def title(self):
        return f"{self.interface}.{self.name}"

    def qemu_events(self):
        """(name, versions) of each of QEMU's events that this signal is made of."""
        return [QEMU_EVENT.fullmatch(line).groups() for line in self.facts.get("QEMU", [])
                if not line.startswith("none: ")]


@dataclasses.dataclass
class Interface:
    full_name: str
    about: Member
    members: list

    @property
    def name(self):
        return self.about.name

    def of_kind(self, kind):
        return [member for member in self.members if member.kind == kind]


def one_line(lines):
    return " ".join(" ".join(lines).split())


class Comment:
    """The parts of one comment: name, summary, arguments, paragraphs, facts."""

    def __init__(self, text, where):
        self.where = where
        self.arguments, self.paragraphs, self.facts = {}, [], {}
        blocks = re.split(r"\n\s*\n", "\n".join(line.rstrip() for line in text.strip("\n").split("\n")))
        blocks = [block for block in blocks if block.strip()]
        if not blocks:
            self.fail("the comment is empty")
        self.read_head(blocks[0].strip().split("\n"))
        if len(blocks) < 2:
            self.fail("the comment has no Since: line")
        self.read_facts(blocks[-1].strip().split("\n"))
        self.paragraphs = [one_line(block.split("\n")) for block in blocks[1:-1]]

    def fail(self, text):
        raise ContractError(f"{self.where}: {text}")

    def read_head(self, lines):
        items = []
        for line in lines:
            if line.strip().startswith("@") or not items:
                items.append([line])
            else:
                items[-1].append(line)
        self.name, colon, summary = one_line(items[0]).partition(":")
        if not colon or " " in self.name:
            self.fail("the comment does not begin with NAME:")
        self.summary = summary.strip()
        for item in items[1:]:
            name, colon, text = one_line(item)[1:].partition(":")
            if not colon or not text.strip():
                self.fail(f"@{name} is not explained")
            if name in self.arguments:
                self.fail(f"@{name} is explained twice")
            self.arguments[name] = text.strip()

    def read_facts(self, lines):
        order = []
        for line in lines:
            match = FACT.fullmatch(line.strip())
            if not match:
                self.fail(f"the comment does not end in lines of facts: {line.strip()}")
            order.append(FACTS.index(match.group(1)))
            self.facts.setdefault(match.group(1), []).append(match.group(2))
        if order != sorted(order):
            self.fail(f"the facts are not in the order {', '.join(FACTS)}")
        for fact in ("Since", "Throttled", "Action"):
            if len(self.facts.get(fact, [])) > 1 or fact == "Since" and fact not in self.facts:
                self.fail(f"the comment needs one line {fact}:")


def check_signal(member, where):
    for fact in ("QEMU", "libvirt"):
        if fact not in member.facts:
            raise ContractError(f"{where}: the signal has no line {fact}:")
    for line in member.facts["QEMU"]:
        if not line.startswith("none: ") and not QEMU_EVENT.fullmatch(line):
            raise ContractError(f"{where}: not EVENT (VERSIONS): {line}")


def check_action(member, where):
    """Whoever calls needs one; what is only read needs that of all reading."""
    needed = member.kind == "method" or "write" in member.access
    if needed and "Action" not in member.facts:
        raise ContractError(f"{where}: it has no line Action:")
    if set(member.facts) - {"Since", "Action" if needed else "Since"}:
        raise ContractError(f"{where}: only signals have other facts than Since:, but for Action: of what is called or written")
    if needed and not ACTION.fullmatch(member.facts["Action"][0]):
        raise ContractError(f"{where}: no action: {member.facts['Action'][0]}")


def make_member(interface, element, text, where):
    name = element.get("name").rpartition(".")[2]
    where = f"{where}: {element.tag} {name}"
    if text is None:
        raise ContractError(f"{where}: no comment stands before it")
    comment = Comment(text, where)
    if comment.name != element.get("name"):
        comment.fail(f"the comment before it is that of {comment.name}")
    member = Member(interface, element.tag, name, comment.summary, comment.paragraphs, comment.facts,
                    type=element.get("type", ""), access=element.get("access", ""))
    member.annotations = {a.get("name"): a.get("value") for a in element.findall("annotation")}
    if element.tag == "interface":
        member.summary = comment.arguments.pop("short_description", "")
    for arg in element.findall("arg"):
        if arg.get("name") not in comment.arguments:
            comment.fail(f"@{arg.get('name')} is not explained")
        direction = "out" if element.tag == "signal" else arg.get("direction", "in")
        member.arguments.append(Argument(arg.get("name"), arg.get("type"), direction,
                                         comment.arguments.pop(arg.get("name"))))
    if comment.arguments:
        comment.fail(f"@{', @'.join(comment.arguments)}: no such argument")
    # A method may say it all with its arguments; what else there is needs a text.
    if not (member.summary or member.paragraphs or
            any(argument.direction == "out" for argument in member.arguments)):
        comment.fail("what it is is not said")
    if element.tag == "signal":
        check_signal(member, where)
    else:
        check_action(member, where)
    return member


def read_interface(text, where):
    """The interface of one file. Comments of the document as a whole do not count."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(text, parser)
    found = None
    comment = None
    for element in root:
        if element.tag is ElementTree.Comment:
            comment = element.text
        elif element.tag == "interface" and found is None:
            found = (element, comment)
        else:
            raise ContractError(f"{where}: more than one interface in the file")
    if found is None:
        raise ContractError(f"{where}: no interface in the file")
    element, comment = found
    full_name = element.get("name")
    about = make_member(full_name.rpartition(".")[2], element, comment, where)
    members, comment = [], None
    for child in element:
        if child.tag is ElementTree.Comment:
            comment = child.text
            continue
        if child.tag not in KINDS:
            raise ContractError(f"{where}: <{child.tag}> is not known")
        members.append(make_member(about.name, child, comment, where))
        comment = None
    return Interface(full_name, about, members)


def read_files(paths):
    """The interfaces of the files, sorted by name."""
    interfaces = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            interfaces.append(read_interface(file.read(), path))
    return sorted(interfaces, key=lambda interface: interface.full_name)
