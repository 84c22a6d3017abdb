# SPDX-License-Identifier: LGPL-2.1-or-later
"""debian/ says the same as the sources: what is installed is in a package, what a package needs is installed before it is
built, and versions are those of the sources. `make deb` itself takes a minute, and is not done here."""
import fnmatch
import glob
import os
import re
import unittest

import installation
import tap
from installation import SOURCE, VERSION, Configured

# As dh_auto_configure has it on Debian 12.
UNIT_DIR = "/lib/systemd/system"
OPTIONS = ("--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var", "--libdir=lib/x86_64-linux-gnu",
           "-Dsystemd_system_unit_dir=" + UNIT_DIR)


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def read_lists():
    """Package -> patterns of debian/PACKAGE.install."""
    lists = {}
    for path in glob.glob(os.path.join(SOURCE, "debian", "*.install")):
        lines = read(path).replace("${env:SYSTEM_UNIT_DIR}", UNIT_DIR.lstrip("/")).splitlines()
        lists[os.path.basename(path).removesuffix(".install")] = [line for line in lines if line and line[0] != "#"]
    return lists


def takes(pattern, path):
    """As dh_install does it: a folder is all that is in it, and * is one part of a path."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) >= len(wanted) and all(fnmatch.fnmatchcase(*pair) for pair in zip(parts, wanted))


def read_control():
    """Of each paragraph of debian/control, field -> value."""
    paragraphs = []
    for text in re.split(r"\n\n+", read("debian", "control").strip()):
        text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
        paragraphs.append(dict(re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", text, flags=re.MULTILINE)))
    return paragraphs


def alternatives(value):
    """The names of each dependency of a field."""
    return [[re.match(r"[a-z0-9+.-]+", name.strip()).group() for name in dependency.split("|")]
            for dependency in value.split(",") if dependency.strip() and not dependency.strip().startswith("${")]


def read_sections():
    """Section -> packages of scripts/debian-packages.txt."""
    sections, name = {}, None
    for line in read("scripts", "debian-packages.txt").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            name = line.strip("[]")
        elif line:
            sections.setdefault(name, set()).add(line)
    return sections


class Packages(unittest.TestCase):
    def test_each_file_is_in_one(self):
        lists = read_lists()
        with Configured(*OPTIONS) as build:
            paths = [path.lstrip("/") for path in build.installed()]
        found = {path: [(package, pattern) for package, patterns in lists.items() for pattern in patterns
                        if takes(pattern, path)] for path in paths}
        self.assertEqual({}, {path: takers for path, takers in found.items() if len(takers) != 1})
        self.assertEqual({(package, pattern) for package, patterns in lists.items() for pattern in patterns},
                         {takers[0] for takers in found.values()}, "a pattern takes nothing")

    def test_lists_are_of_packages(self):
        self.assertEqual({paragraph["Package"].strip() for paragraph in read_control()[1:]}, set(read_lists()))

    def test_version_is_that_of_the_sources(self):
        self.assertEqual(("vmherald", VERSION),
                         re.match(r"(\S+) \((\S+)\) ", read("debian", "changelog")).groups())

    def test_nodes_of_the_library(self):
        """Each node of the version script says in which version it came, and so do the packages that need it."""
        nodes = re.findall(r"^VMHERALD_(\S+) \{", read("src", "client", "vmherald.map"), flags=re.MULTILINE)
        symbols = re.findall(r"^ \(symver\)VMHERALD_(\S+) (\S+)$", read("debian", "libvmherald0.symbols"),
                             flags=re.MULTILINE)
        self.assertTrue(nodes)
        self.assertEqual([(node, node) for node in nodes], symbols)

    def test_what_builds_it_is_installed_before(self):
        sections = read_sections()
        there = sections["build and run"] | sections["deb"]
        # debhelper brings its own.
        there |= {"debhelper-compat", "dh-sequence-installsysusers"}
        needed = alternatives(read_control()[0]["Build-Depends"])
        self.assertTrue(needed)
        self.assertEqual([], [names for names in needed if not there & set(names)])

    def test_versions_of_libraries(self):
        """What meson.build asks for, dpkg asks for."""
        asked = dict(re.findall(r"dependency\('([\w.-]+)', version: '>= ([\d.]+)'\)", read("meson.build")))
        field = read_control()[0]["Build-Depends"]
        for name, package in (("glib-2.0", "libglib2.0-dev"), ("json-glib-1.0", "libjson-glib-dev"),
                              ("libnl-route-3.0", "libnl-route-3-dev"), ("libsystemd", "libsystemd-dev")):
            self.assertIn(f"{package} (>= {asked[name]})", field)
        self.assertIn("meson (>= {})".format(
            re.search(r"meson_version: '>= ([\d.]+)'", read("meson.build")).group(1)), field)


class Lists(unittest.TestCase):
    def test_patterns_are_understood(self):
        """Or the first case looks at nothing."""
        self.assertTrue(takes("usr/lib/*/libx.so.*", "usr/lib/a-b-c/libx.so.0"))
        self.assertTrue(takes("usr/share/man/man[158]", "usr/share/man/man1/x.1"))
        self.assertTrue(takes("usr/bin", "usr/bin/x"))
        self.assertFalse(takes("usr/lib/*/libx.so", "usr/lib/a-b-c/libx.so.0"))
        self.assertFalse(takes("usr/bin", "usr/binary"))
        self.assertFalse(takes("usr/lib/systemd/user", "usr/lib/systemd/system/x"))


if __name__ == "__main__":
    tap.main()
