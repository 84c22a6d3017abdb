# SPDX-License-Identifier: LGPL-2.1-or-later
"""`meson install` puts in place what the list has, everything of it, nothing else, and where it was told to."""
import os
import stat
import tempfile
import unittest

import installation
import tap
from installation import BUILD, Configured

PROGRAMS = ("{libexecdir}/vmherald", "{libexecdir}/vmherald-launcher", "{bindir}/vmheraldctl",
            "{libdir}/libvmherald.so.{version}")
# The folders of systemd, of a bus, and one more for what an administrator edits, are told in words of their own.
OPTIONS = {
    "systemd_system_unit_dir": "/a/system",
    "systemd_user_unit_dir": "/a/user",
    "systemd_sysusers_dir": "/a/sysusers",
    "systemd_tmpfiles_dir": "/a/tmpfiles",
    "systemd_catalog_dir": "/a/catalog",
    "dbus_session_service_dir": "/a/session",
    "dbus_system_service_dir": "/a/system-services",
    "dbus_interfaces_dir": "/a/interfaces",
}


class Installed(installation.InstalledCase):
    def test_all_and_no_more(self):
        self.assertEqual(installation.wanted(BUILD), self.paths)

    def test_modes(self):
        """Everybody can read it, nobody can change it, and only programs are programs."""
        programs = {installation.expand(path, BUILD) for path in PROGRAMS}
        modes = {path: os.lstat(self.place + path).st_mode for path in self.paths}
        self.assertEqual({}, {path: oct(mode) for path, mode in modes.items()
                              if not stat.S_ISLNK(mode) and "/examples/" not in path and
                              stat.S_IMODE(mode) != (0o755 if path in programs else 0o644)})

    def test_nothing_is_left_to_fill_in(self):
        for path in self.paths:
            if path.endswith((".service", ".conf", ".pc")):
                with open(self.place + path, encoding="utf-8") as file:
                    self.assertNotRegex(file.read(), r"@\w+@", path)

    def test_programs_that_are_named_are_there(self):
        """Units and bus files start what is installed."""
        named = set()
        for path in self.paths:
            if path.endswith(".service"):
                with open(self.place + path, encoding="utf-8") as file:
                    named |= {line.split("=", 1)[1].split()[0] for line in file
                              if line.startswith(("Exec=", "ExecStart="))}
        self.assertEqual(1, len(named))
        self.assertLessEqual(named, set(self.paths))


class Elsewhere(unittest.TestCase):
    def test_prefixes(self):
        """Everything is below the prefix, in the folders that were asked for."""
        for options in (("--prefix=/usr", "--sysconfdir=/etc", "--libdir=lib/x86_64-linux-gnu"),
                        ("--prefix=/usr/local",),
                        ("--prefix=/opt/vmherald", "--libexecdir=lib/helpers", "--mandir=man", "--bindir=programs")):
            with self.subTest(options=options), Configured(*options) as build:
                self.assertEqual(installation.wanted(build.path), build.installed())

    def test_folders_of_others(self):
        with Configured("--prefix=/usr", *(f"-D{name}={value}" for name, value in OPTIONS.items())) as build:
            folders = {os.path.dirname(path) for path in build.installed()}
            self.assertLessEqual(set(OPTIONS.values()), folders)
            self.assertEqual(set(), {folder for folder in folders if folder.startswith(
                ("/usr/lib/systemd", "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d", "/usr/share/dbus-1/services",
                 "/usr/share/dbus-1/system-services", "/usr/share/dbus-1/interfaces"))})


if __name__ == "__main__":
    tap.main()
