# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole service on a bus of its own, for test scripts.

A script holds unittest.TestCase classes, mostly derived from ServiceCase, and ends in

    if __name__ == "__main__":
        harness.main()

Run by meson, main() makes a folder, installs the build into it (sandbox.py), and starts the script a
second time below dbus-test-runner, where the service is activated by the bus as it is for a user.
The script's cases are told in TAP, and two more: that nothing is left running, and that the log of the
service is clean.

A script can also be run by hand, against build/.

    VMHERALD_BUILD      build folder to install, if it is another one
    VMHERALD_TEST_KEEP  keep the folder, to look into the log of the service"""
import json
import os
import sys
import unittest

from gi.repository import Gio, GLib

# The scripts import all they need from here.
from client import (DEADLINE, ERROR, NAME, OBJECT_MANAGER, PATH,  # noqa: F401
                    PROPERTIES, Connection, Domain, Recorder, Signal, folder, options,
                    qtest_socket, wait_until)
from processes import FOLDER_VARIABLE, end_process, qemus_of
from sandbox import Sandbox
from tap import TapResult


def definition(name, **keys):
    """A small domain that runs anywhere: emulated CPU, no disk. Keys of the document with _ for
    -; arguments are added to those given here."""
    document = {
        "name": name,
        "emulator": "qemu-system-x86_64",
        "machine": "q35",
        "accel": "tcg",
        "memory": "16M",
    }
    arguments = ["-qtest", f"unix:{qtest_socket(name)},server=on,wait=off", "-qtest-log", "none"]
    arguments += keys.pop("arguments", [])
    document.update({key.replace("_", "-"): value for key, value in keys.items()})
    document["arguments"] = arguments
    return document


class ServiceCase(unittest.TestCase):
    """A case with a connection, a recorder that has been listening from before the first call,
    and no domains; whatever domains it leaves are removed after it."""

    def setUp(self):
        self.recorder = Recorder()
        self.addCleanup(self.recorder.close)
        self.connection = Connection()
        self.addCleanup(self.connection.close)
        self.addCleanup(self.remove_domains)

    def manager(self, member, signature="()", *arguments, deadline=DEADLINE):
        return self.connection.call(PATH, f"{NAME}.Manager", member, signature, *arguments,
                                    deadline=deadline)

    def define(self, name, **keys):
        path = self.manager("DefineDomain", "(sa{sv})", json.dumps(definition(name, **keys)), {})
        return Domain(self.connection, path, name)

    def create(self, name, **keys):
        path = self.manager("CreateDomain", "(sa{sv})", json.dumps(definition(name, **keys)), {})
        return Domain(self.connection, path, name)

    def assert_fails(self, error_name, function, *arguments, **keys):
        """function must fail with the error of that name (without the prefix, unless it has dots);
        returns its text."""
        with self.assertRaises(GLib.Error) as context:
            function(*arguments, **keys)
        remote = Gio.DBusError.get_remote_error(context.exception)
        self.assertEqual(error_name if "." in error_name else ERROR + error_name, remote,
                         context.exception.message)
        Gio.DBusError.strip_remote_error(context.exception)
        return context.exception.message

    def remove_domains(self):
        for path, interfaces in self.connection.managed_objects().items():
            domain = Domain(self.connection, path, interfaces[f"{NAME}.Domain"]["Name"])
            for step in (lambda: domain.destroy(grace=GLib.Variant("t", 0)), domain.undefine):
                try:
                    step()
                except GLib.Error:
                    pass         # it was not running, or it was transient and has gone
        # In its own time: a QEMU that the service could not reach ends a little later.
        try:
            wait_until(lambda: not qemus_of(folder()), "all guests to end")
        except AssertionError:
            for pid, _ in qemus_of(folder()):
                end_process(pid)
            raise


def run_cases():
    """Below the bus: the cases, told through the pipe that the outer process reads."""
    with open(os.path.join(folder(), "tap"), "w", encoding="utf-8") as stream:
        suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
        result = TapResult(stream)
        suite.run(result)
    return 0 if result.wasSuccessful() else 1


def note(text):
    """Adds a line to the report that is no verdict, such as a measurement."""
    with open(os.path.join(folder(), "tap"), "w", encoding="utf-8") as stream:
        stream.write(f"# {text}\n")


def main(*service_options, seconds=None, user=None):
    """service_options go to the service behind those of the installed bus service file; {folder} in
    them is the folder of the test. seconds: what the script may take, if that is not the ordinary time.
    user: number of the user that the bus, the service and the cases are; only root can say so."""
    if FOLDER_VARIABLE in os.environ:
        sys.exit(run_cases())
    sys.exit(Sandbox(service_options, seconds, user).run())
