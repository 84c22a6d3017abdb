# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on the service with what the bus lets through, by a client who has no limits. Each is refused with the right error, another
client's calls are answered meanwhile, and nothing grows: neither memory nor descriptors."""
import os
import subprocess
import sys

import harness
from harness import ERROR, NAME, PATH, Gio, GLib, wait_until
from system_bus import SystemServiceCase, UserConnection, document

# A message comes in some hundred pieces, and with the address sanitizer each of them copies all that has come before.
SLOW = os.environ.get("VMHERALD_SANITIZERS", "none") != "none"
LONG = (16 if SLOW else 127) << 20


@harness.unittest.skipUnless(os.geteuid() == 0, "only root may serve the system bus")
class Attacks(SystemServiceCase):
    def setUp(self):
        super().setUp()
        self.mallory = self.connect(0)

    def test_long_arguments(self):
        """As long as the bus carries: 128 MiB is what D-Bus has for a message."""
        with self.no_growth(f"definitions of {LONG >> 20} MiB"):
            for _ in range(3):
                text = self.assert_fails(f"{ERROR}LimitExceeded", self.mallory.manager, "DefineDomain", "(sa{sv})",
                                         " " * LONG, {})
                self.assertIn("at most 4194304", text)

    @harness.unittest.skipIf(SLOW, "with sanitizers a message of 128 MiB takes minutes")
    def test_longest_message(self):
        """To the last byte of it, where a library may draw the line one byte earlier than the bus: the service must live."""
        pid = self.process.pid
        for length in ((1 << 27) - 512, (1 << 27) - 300, (1 << 27) - 216, (1 << 27) - 208, (1 << 27) - 200, (1 << 27) - 192):
            client = self.connect(0)
            try:
                client.manager("GetDomain", "(s)", "x" * length)
            except GLib.Error:
                pass
            self.assertEqual([], self.root.names())
        self.assertEqual(pid, self.root.service_pid())

    def test_long_names(self):
        with self.no_growth("names of 100 KB"):
            for _ in range(50):
                name = "x" * 100000
                self.assert_fails(f"{ERROR}NoSuchDomain", self.mallory.manager, "GetDomain", "(s)", name)
                self.assert_fails(f"{ERROR}InvalidDefinition", self.define, self.mallory, name)
                # A longer path is none for libsystemd, which drops the message.
                self.assert_fails("org.freedesktop.DBus.Error.UnknownObject", self.mallory.call,
                                  PATH + "/domain/" + name[:60000], f"{NAME}.Domain", "Start", "(a{sv})", {})
                self.send_only(PATH + "/domain/" + name, "Domain", "Start", GLib.Variant("(a{sv})", ({},)))

    def send_only(self, path, interface, member, body):
        """Nobody waits for the answer."""
        message = Gio.DBusMessage.new_method_call(NAME, path, f"{NAME}.{interface}", member)
        message.set_body(body)
        message.set_flags(Gio.DBusMessageFlags.NO_REPLY_EXPECTED)
        self.mallory.bus.send_message(message, Gio.DBusSendMessageFlags.NONE)

    def test_descriptors(self):
        """Where none are taken they are closed with the message; where some are, too."""
        def call(member, arguments, n):
            descriptors = Gio.UnixFDList.new()
            for _ in range(n):
                descriptors.append(0)
            self.mallory.bus.call_with_unix_fd_list_sync(NAME, PATH, f"{NAME}.Manager", member, arguments, None,
                                                       Gio.DBusCallFlags.NONE, -1, descriptors, None)

        numbers = GLib.Variant("a{uh}", {i: i for i in range(200)})
        create = GLib.Variant("(sa{sv})", (document("x"), {"descriptors": numbers}))
        with self.no_growth("6,000 descriptors"):
            for _ in range(20):
                call("ListDomains", GLib.Variant("(a{sv})", ({},)), 200)
                with self.assertRaises(GLib.Error) as context:
                    call("CreateDomain", create, 200)
                self.assertIn(Gio.DBusError.get_remote_error(context.exception),
                              (f"{ERROR}LimitExceeded", f"{ERROR}InvalidArgument"))

    def flood(self):
        """20,000 calls, and nobody reads the answers; meanwhile others are served."""
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flood.py")
        with subprocess.Popen([sys.executable, program, self.bus.path, NAME, "20000"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as client:
            self.assertEqual(b"sent\n", client.stdout.readline())
            for _ in range(20):
                self.assertEqual([], self.root.names())
            client.stdin.close()
            self.assertEqual(0, client.wait(harness.DEADLINE))

    def test_flood(self):
        """Neither he nor the answers for him are waited for. The first leaves behind what malloc() keeps for the next."""
        before = self.memory()
        self.flood()
        harness.note(f"measured: the first flood of 20,000 calls: {(self.memory() - before) >> 10} KiB more memory")
        with self.no_growth("the next two floods"):
            self.flood()
            self.flood()

    def test_connections(self):
        with self.no_growth("1,000 connections"):
            for _ in range(10):
                connections = [UserConnection(self.bus.address, 0) for _ in range(100)]
                for connection in connections:
                    self.assertEqual([], connection.names())
                for connection in connections:
                    connection.close()

    def test_no_reply(self):
        """Nobody waits for the answers, so none is made; what waits is counted all the same."""
        with self.no_growth("2,000 calls without an answer"):
            for _ in range(2000):
                self.send_only(PATH, "Manager", "DefineDomain", GLib.Variant("(sa{sv})", ("{", {})))
            self.mallory.bus.flush_sync(None)
            # His bound is for them too, as long as a worker has not looked at them.
            wait_until(lambda: not self.is_refused(self.mallory), "the calls to end")
            self.assertEqual([], self.mallory.names())


if __name__ == "__main__":
    harness.main()
