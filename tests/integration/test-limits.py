# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one user may have, over all his connections and over a restart: above it his calls are refused, and nobody else's."""
import json
import os
import socket

import harness
from harness import ERROR, NAME, PATH, Gio, GLib, wait_until
from system_bus import ALICE, BOB, SystemServiceCase, document

DOMAINS_MAX, CALLS_MAX = 3, 5


@harness.unittest.skipUnless(os.geteuid() == 0, "only root can be other users")
class Limits(SystemServiceCase):
    CONFIGURATION = ("[Limits]", f"DomainsMax={DOMAINS_MAX}", f"CallsMax={CALLS_MAX}")

    def setUp(self):
        super().setUp()
        self.alice, self.bob = self.connect(ALICE), self.connect(BOB)

    def test_domains(self):
        """Of five at once he gets three, and they are his after a restart too."""
        pending = [self.alice.send(PATH, f"{NAME}.Manager", "DefineDomain", "(sa{sv})", document(f"a{i}"), {})
                   for i in range(CALLS_MAX)]
        results = []
        for call in pending:
            try:
                results.append(call.result())
            except GLib.Error as error:
                self.assertEqual(f"{ERROR}LimitExceeded", Gio.DBusError.get_remote_error(error))
        self.assertEqual(DOMAINS_MAX, len(results))
        self.stop()
        wait_until(lambda: not self.root.service_runs(), "the bus to notice")
        self.start()
        text = self.assert_fails(f"{ERROR}LimitExceeded", self.define, self.alice, "more")
        self.assertIn(f"User {ALICE} has {DOMAINS_MAX} domains. The limit of a user is {DOMAINS_MAX}, [Limits] DomainsMax=",
                      text)
        self.assertEqual(ALICE, self.alice.get(results[0], f"{NAME}.Domain", "Owner"))
        # To change one is none more; nobody else is kept from anything, and root from nothing.
        changed = json.loads(self.alice.call(results[0], f"{NAME}.Domain", "GetDefinition", "(a{sv})", {}))
        self.assertEqual(results[0], self.alice.manager("DefineDomain", "(sa{sv})", json.dumps(changed), {}))
        self.define(self.bob, "bobs")
        for i in range(DOMAINS_MAX + 1):
            self.assertEqual(0, self.root.get(self.define(self.root, f"root{i}"), f"{NAME}.Domain", "Owner"))
        self.alice.call(results[0], f"{NAME}.Domain", "Undefine", "(a{sv})", {})
        self.define(self.alice, "another")

    def test_domains_by_reload(self):
        self.write("[Limits]", "DomainsMax=1")
        self.root.manager("Reload")
        self.define(self.alice, "one")
        self.assertIn("limit of a user is 1,", self.assert_fails(f"{ERROR}LimitExceeded", self.define, self.alice, "two"))

    def test_calls(self):
        """Over all his connections together; what hangs is an adoption whose monitor says nothing."""
        connections = [self.connect(ALICE) for _ in range(CALLS_MAX)]
        silent = [self.hang(connection) for connection in connections]
        wait_until(lambda: self.is_refused(self.alice), "the limit")
        text = self.assert_fails(f"{ERROR}LimitExceeded", self.alice.manager, "GetDomain", "(s)", "x")
        self.assertIn(f"User {ALICE} has {CALLS_MAX} calls pending on this service", text)
        self.assertIn(f"The limit of a user is {CALLS_MAX}, [Limits] CallsMax= in vmherald.conf", text)
        # He can read, and others are not concerned.
        self.assertEqual("0.1.0", self.alice.get(PATH, f"{NAME}.Manager", "Version"))
        self.assertEqual([], self.bob.names())
        for ours, theirs in silent:
            ours.close()
            theirs.close()
        wait_until(lambda: not self.is_refused(self.alice), "the calls to end")

    def hang(self, connection):
        ours, theirs = socket.socketpair()
        descriptors = Gio.UnixFDList.new()
        index = descriptors.append(theirs.fileno())
        arguments = GLib.Variant("(ssa{sv})", ("", "", {"monitor-fd": GLib.Variant("h", index),
                                                        "timeout": GLib.Variant("t", 250000000)}))
        connection.bus.call_with_unix_fd_list(NAME, PATH, f"{NAME}.Manager", "AdoptDomain", arguments, None,
                                              Gio.DBusCallFlags.NONE, -1, descriptors, None, None)
        return ours, theirs


if __name__ == "__main__":
    harness.main()
