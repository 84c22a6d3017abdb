#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the reference page, one HTML file that needs nothing else, from the files of introspection/.

    make-reference.py --version VERSION --template FILE --example FILE --output FILE INTERFACE.xml...

What has no form of its own in the template is made here: contents, interfaces, index of QEMU's events.
Python's standard library is all it needs."""
import argparse
import html
import re
import string
import sys

sys.dont_write_bytecode = True
import contract

HEADINGS = {"method": "Methods", "property": "Properties", "signal": "Signals"}
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
EXPLICIT = "org.freedesktop.systemd1.Explicit"
ANNOUNCED = {
    "true": "PropertiesChanged has the new value.",
    "invalidates": "PropertiesChanged says that it has changed, without the value.",
    "const": "Does not change.",
    "false": "Not announced.",
}
BASIC_TYPES = {
    "y": "byte", "b": "boolean", "n": "int16", "q": "uint16", "i": "int32", "u": "uint32",
    "x": "int64", "t": "uint64", "d": "double", "s": "string", "o": "object path", "g": "signature",
    "h": "file descriptor", "v": "variant",
}
ESCAPE = html.escape


def read_type(signature, at=0):
    """The words for the one complete type at that place, and where it ends."""
    code = signature[at]
    if code in BASIC_TYPES:
        return BASIC_TYPES[code], at + 1
    if signature.startswith("a{", at):
        key, at = read_type(signature, at + 2)
        value, at = read_type(signature, at)
        return f"dictionary of {key} to {value}", at + 1
    if code == "a":
        words, at = read_type(signature, at + 1)
        return f"array of {words}", at
    if code == "(":
        parts, at = [], at + 1
        while signature[at] != ")":
            words, at = read_type(signature, at)
            parts.append(words)
        return f"struct of ({', '.join(parts)})", at + 1
    raise contract.ContractError(f"{signature}: not a type of D-Bus")


def type_in_words(signature):
    words, end = read_type(signature)
    if end != len(signature):
        raise contract.ContractError(f"{signature}: more than one type")
    return words


class Linker:
    """Text to HTML; names of members become links to them."""

    def __init__(self, interfaces):
        self.anchors = {}
        for interface in interfaces:
            for member in interface.members:
                self.anchors.setdefault((interface.name, member.kind, member.name), member.anchor)
        self.prefix = interfaces[0].full_name.rpartition(".")[0]
        self.names = {interface.name for interface in interfaces}

    def find(self, interface, name, call):
        """Anchor of the member that is meant by that name in a text, or None. One that is followed
        by () is a method; else a signal or a property."""
        for kind in ("method",) if call else ("signal", "property"):
            if (interface, kind, name) in self.anchors:
                return self.anchors[interface, kind, name]
        return None

    def find_anywhere(self, name, call):
        found = {self.find(interface, name, call) for interface in self.names} - {None}
        return found.pop() if len(found) == 1 else None

    def text(self, text, member):
        def link(match):
            prefix, interface, name, call = match.groups()
            anchor = None
            if interface in self.names:
                anchor = self.find(interface, name, call)
            elif not interface and not prefix and name != member.name:
                # A word alone counts only if no text has it by chance: two humps, or a call.
                if call or re.search(r"[a-z][A-Z]|^[A-Z]{2,}[a-z]{3,}", name):
                    anchor = self.find(member.interface, name, call) or self.find_anywhere(name, call)
            elif prefix and name in self.names:
                anchor = name
            if not anchor:
                return ESCAPE(match.group())
            return f'<a href="#{anchor}"><code>{ESCAPE(match.group())}</code></a>'

        pattern = re.compile(rf"({re.escape(self.prefix)}\.)?(?:\b([A-Z]\w+)\.)?\b([A-Z]\w+)(\(\))?")
        result, last = [], 0
        for match in pattern.finditer(text):
            result += [ESCAPE(text[last:match.start()]), link(match)]
            last = match.end()
        return "".join(result) + ESCAPE(text[last:])


def split_entries(text):
    """Entries of a dictionary, "key (type): meaning; key (type): meaning", one each. Semicolons in
    parentheses do not divide, nor those that no key follows."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == ";" and depth == 0 and re.match(r"; [a-z][a-z-]* \(", text[i:]):
            parts.append(text[start:i])
            start = i + 1
    return [part.strip() for part in parts + [text[start:]]]


class Page:
    def __init__(self, interfaces):
        self.interfaces = interfaces
        self.linker = Linker(interfaces)

    # ---- parts of a member ----

    def meaning(self, argument, member):
        text = argument.text
        if argument.name == "stamp":
            return '<a href="#stamp">sequence, previous, time</a>'
        if member.kind == "signal" and argument.name == "details":
            common = '<a href="#details">what any signal may have</a>'
            if text == "none of its own":
                return common
            entries = split_entries(text)
            items = "".join(f"<li>{self.linker.text(entry, member)}</li>" for entry in entries)
            return f"<ul>{items}<li>{common}</li></ul>"
        entries = split_entries(text) if "{" in argument.type else [text]
        if len(entries) < 2:
            return self.linker.text(text, member)
        return "<ul>" + "".join(f"<li>{self.linker.text(entry, member)}</li>"
                                for entry in entries) + "</ul>"

    def argument_table(self, member):
        if not member.arguments:
            return ""
        directed = member.kind == "method"
        head = "<th scope=\"col\">Argument</th>" + ("<th scope=\"col\">Way</th>" if directed else "")
        rows = []
        for argument in member.arguments:
            way = f"<td>{argument.direction}</td>" if directed else ""
            rows.append(f'<tr><th scope="row"><code>{ESCAPE(argument.name)}</code></th>{way}'
                        f"<td><code>{ESCAPE(argument.type)}</code><br>"
                        f"<small>{type_in_words(argument.type)}</small></td>"
                        f"<td>{self.meaning(argument, member)}</td></tr>")
        return (f'<div class="wide"><table><thead><tr>{head}<th scope="col">Type</th>'
                f'<th scope="col">Meaning</th></tr></thead><tbody>\n' + "\n".join(rows) +
                "\n</tbody></table></div>\n")

    def facts(self, member):
        rows = []
        events = [f'<a href="#event.{name}"><code>{name}</code></a> ({versions})'
                  for name, versions in member.qemu_events()]
        events += [f"{ESCAPE(line)}" for line in member.facts.get("QEMU", [])
                   if line.startswith("none: ")]
        for heading, lines in (
                ("QEMU", events),
                ("Throttled by QEMU", [ESCAPE(line) for line in member.facts.get("Throttled", [])]),
                ("libvirt", [ESCAPE(line) for line in member.facts.get("libvirt", [])]),
                ("Action of polkit", [ESCAPE(line) for line in member.facts.get("Action", [])]),
                ("Since", [ESCAPE(line) for line in member.facts["Since"]])):
            if lines:
                rows.append(f"<dt>{heading}</dt>" + "".join(f"<dd>{line}</dd>" for line in lines))
        return '<dl class="facts">' + "\n".join(rows) + "</dl>\n"

    def property_type(self, member):
        announced = ANNOUNCED[member.annotations.get(EMITS, "true")]
        if member.annotations.get(EXPLICIT) == "true":
            announced += " Only Get() tells it, not GetAll()."
        access = "can be read and written" if member.access == "readwrite" else "can be read"
        return (f"<p><code>{ESCAPE(member.type)}</code> ({type_in_words(member.type)}), {access}. "
                f"{ESCAPE(announced)}</p>\n")

    def signature(self, member):
        if member.kind == "property":
            return ""
        ins = ", ".join(f"{a.type} {a.name}" for a in member.arguments
                        if a.direction == "in" or member.kind == "signal")
        outs = ", ".join(f"{a.type} {a.name}" for a in member.arguments
                         if a.direction == "out" and member.kind == "method")
        return (f'<p class="signature"><code>{member.name}({ESCAPE(ins)})' +
                (f" → {ESCAPE(outs)}" if outs else "") + "</code></p>\n")

    def paragraphs(self, member):
        texts = list(member.paragraphs)
        if member.kind == "property" and member.summary:
            texts.insert(0, member.summary[0].upper() + member.summary[1:] + ".")
        return "".join(f'<p class="text">{self.linker.text(text, member)}</p>\n' for text in texts)

    def member(self, member):
        body = self.signature(member) + self.paragraphs(member)
        if member.kind == "property":
            body += self.property_type(member)
        return (f'<section class="member" id="{member.anchor}">\n'
                f'<h4><a href="#{member.anchor}">{member.name}</a> '
                f"<small>{member.kind}</small></h4>\n" +
                body + self.argument_table(member) + self.facts(member) + "</section>\n")

    # ---- parts of the page ----

    def contents(self):
        items = []
        for interface in self.interfaces:
            lists = []
            for kind, heading in HEADINGS.items():
                links = ", ".join(f'<a href="#{m.anchor}">{m.name}</a>'
                                  for m in interface.of_kind(kind))
                if links:
                    lists.append(f"<li>{heading}: {links}</li>")
            items.append(f'<li><a href="#{interface.name}">{interface.name}</a>: '
                         f"{ESCAPE(interface.about.summary)}<ul>{''.join(lists)}</ul></li>")
        return "<ul>\n" + "\n".join(items) + "\n</ul>\n"

    def interface(self, interface):
        parts = [f'<section id="{interface.name}">\n<h2>{interface.name}</h2>\n'
                 f"<p><code>{interface.full_name}</code>: {ESCAPE(interface.about.summary)}</p>\n",
                 self.paragraphs(interface.about), self.facts(interface.about)]
        for kind, heading in HEADINGS.items():
            members = interface.of_kind(kind)
            if members:
                parts.append(f"<h3>{heading}</h3>\n")
                parts += [self.member(member) for member in members]
        return "".join(parts) + "</section>\n"

    def events(self):
        """Name of QEMU's event -> versions, signals."""
        index = {}
        for interface in self.interfaces:
            for signal in interface.of_kind("signal"):
                for name, versions in signal.qemu_events():
                    entry = index.setdefault(name, (versions, []))
                    if entry[0] != versions:
                        raise contract.ContractError(
                            f"{name}: {entry[0]} in one place, {versions} in {signal.title}")
                    entry[1].append(signal)
        return dict(sorted(index.items()))

    def event_index(self):
        rows = []
        for name, (versions, signals) in self.events().items():
            links = "<br>".join(f'<a href="#{signal.anchor}">{signal.title}</a>' for signal in signals)
            throttled = sorted({line for signal in signals
                                for line in signal.facts.get("Throttled", [])})
            rows.append(f'<tr id="event.{name}"><th scope="row"><code>{name}</code></th>'
                        f"<td>{ESCAPE(versions)}</td><td>{links}</td>"
                        f"<td>{ESCAPE('; '.join(throttled)) or 'no'}</td></tr>")
        return ('<div class="wide"><table><thead><tr><th scope="col">QEMU event</th>'
                '<th scope="col">QEMU versions</th><th scope="col">Signal</th>'
                '<th scope="col">Throttled by QEMU</th></tr></thead><tbody>\n' +
                "\n".join(rows) + "\n</tbody></table></div>\n")

    def parts(self, version):
        return {
            "version": ESCAPE(version),
            "contents": self.contents(),
            "interfaces": "".join(self.interface(interface) for interface in self.interfaces),
            "event_count": str(len(self.events())),
            "events": self.event_index(),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--version", required=True, help="version of the project")
    parser.add_argument("--template", required=True, help="the page, with $names of its parts")
    parser.add_argument("--example", required=True, help="program that is shown: subscribe, then snapshot")
    parser.add_argument("--output", required=True, help="file to write")
    parser.add_argument("interface", nargs="+", help="file of introspection/")
    arguments = parser.parse_args()
    try:
        page = Page(contract.read_files(arguments.interface))
        with open(arguments.template, encoding="utf-8") as file:
            template = string.Template(file.read())
        with open(arguments.example, encoding="utf-8") as file:
            example = ESCAPE(file.read())
        text = template.substitute(page.parts(arguments.version), example=example)
    except (OSError, KeyError, ValueError, SyntaxError, contract.ContractError) as error:
        print(f"make-reference.py: {error}", file=sys.stderr)
        return 1
    with open(arguments.output, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
