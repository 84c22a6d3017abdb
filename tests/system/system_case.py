# SPDX-License-Identifier: LGPL-2.1-or-later
"""The system test: the packages on a machine of their own (machine.py), with the real service manager, bus and polkit.

A script has one machine for all its cases; a case that has to have a fresh one is a script of its own. It ends in

    if __name__ == "__main__":
        system_case.main()

Where there can be no machine its cases are skipped, with the reason.

    VMHERALD_IMAGES        folder of the images
    VMHERALD_PACKAGES      folder of the packages; the script is skipped without one
    VMHERALD_UNAVAILABLE   why there can be no machine, if whoever calls knows it already"""
import json
import os
import signal
import sys
import unittest

from gi.repository import GLib

import image
from machine import Machine
from person import NAME, PATH, Person, Refused
from tap import TapResult

_state = {}


def find_image():
    """The image, and the packages. Raises image.Unavailable."""
    if os.environ.get("VMHERALD_UNAVAILABLE"):
        raise image.Unavailable(os.environ["VMHERALD_UNAVAILABLE"])
    packages = os.environ.get("VMHERALD_PACKAGES")
    if not packages or not os.path.isdir(packages):
        raise image.Unavailable("there are no packages: make check-system makes them")
    return image.image(os.environ["VMHERALD_IMAGES"]), packages


def script_name():
    return os.path.basename(sys.argv[0]).removeprefix("test-").removesuffix(".py")


def definition(name, **keys):
    """A small domain that needs no guest: an emulated CPU, and nothing else, unless keys say so."""
    document = {"name": name, "emulator": "qemu-system-x86_64", "machine": "none", "accel": "tcg", "memory": "16M"}
    document.update({key.replace("_", "-"): value for key, value in keys.items()})
    return json.dumps(document)


class SystemCase(unittest.TestCase):
    """Cases on the script's machine. INSTALL: with the packages, and with its people as members."""
    INSTALL = True

    @classmethod
    def setUpClass(cls):
        if "unavailable" in _state:
            raise unittest.SkipTest(_state["unavailable"])
        try:
            path, packages = find_image()
        except image.Unavailable as reason:
            _state["unavailable"] = str(reason)
            raise unittest.SkipTest(str(reason)) from None
        if "machine" not in _state:
            machine = _state["machine"] = Machine(path, f"vmherald-{script_name()}-{os.getpid()}", packages)
            machine.boot()
            machine.add_people()
            if cls.INSTALL:
                machine.install()
        cls.machine = _state["machine"]

    def person(self, user):
        person = Person(self.machine, user)
        self.addCleanup(person.close)
        return person

    def assert_refused(self, name, function, *arguments, **keys):
        """function must be refused with the error of that name (without the service's prefix); returns its text."""
        with self.assertRaises(Refused) as context:
            function(*arguments, **keys)
        self.assertEqual(name, context.exception.name, context.exception.message)
        return context.exception.message

    def define(self, name, person=None, **keys):
        """By root, or whom one says: the path."""
        if person is None:
            person = self.person("root")
        return person.manager("DefineDomain", "(sa{sv})", definition(name, **keys), {})

    def remove_domains(self):
        """Whatever is there, by root."""
        root = self.person("root")
        for path, _, _, state in root.manager("ListDomains", "(a{sv})", {}):
            for member in ("Destroy", "Undefine"):
                try:
                    root.domain(path, member, "(a{sv})", {})
                except Refused:
                    pass                # it does not run, or it has gone with its end

    def service_pid(self):
        return int(self.machine.show("vmherald.service", "MainPID"))


def boolean(value):
    return GLib.Variant("b", value)


def measured(text):
    print(f"# measured: {text}", flush=True)


class Numbered:
    """A stream for TapResult, which leaves the numbers to whoever tells."""

    def __init__(self):
        self.count = 0

    def write(self, line):
        verdict, tab, name = line.partition("\t")
        if tab and verdict in ("ok", "not ok"):
            self.count += 1
            line = f"{verdict} {self.count} - {name}"
        sys.stdout.write(line)

    def flush(self):
        sys.stdout.flush()


def every_case_skipped(suite, result):
    """unittest tells of a class that was skipped as one; the sum has each case."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            every_case_skipped(test, result)
        else:
            result.startTest(test)
            result.addSkip(test, _state["unavailable"])
            result.stopTest(test)


def told_in_tap(suite, result):
    try:
        find_image()
    except image.Unavailable as reason:
        _state["unavailable"] = str(reason)
        every_case_skipped(suite, result)
        return
    try:
        suite.run(result)
    finally:
        machine = _state.get("machine")
        if machine:
            if not result.wasSuccessful() and machine.leader:
                for line in machine.run("journalctl", "--no-pager", "--lines=400", check=False).stdout.splitlines():
                    print("# " + line)
            machine.end()


def main():
    # meson ends a test that takes too long by SIGTERM; the machine is a session of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    stream = Numbered()
    result = TapResult(stream)
    told_in_tap(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]), result)
    print(f"1..{stream.count}", flush=True)
    sys.exit(0 if result.wasSuccessful() else 1)


__all__ = ["NAME", "PATH", "Refused", "SystemCase", "boolean", "definition", "main", "measured"]
