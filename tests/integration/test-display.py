# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients of a real QEMU's display: who comes, gets in, and goes."""
import os

import harness
from badcase import BadCase
from displays import SpiceClient, VncClient
from harness import NAME, PATH, PROPERTIES, wait_until


class Display(BadCase):
    def start(self, name, *arguments):
        self.domain = self.create_paused(name, arguments=["-device", "VGA", *arguments])
        self.since = self.mark()

    def clients(self):
        return self.domain.get("Display", "Clients")

    def wait_client(self, protocol, phase, since=None):
        return self.recorder.wait("Display.Client", protocol, phase,
                                  since=self.since if since is None else since)

    def phases(self):
        return [(client["protocol"], client["phase"]) for client in self.clients()]

    def connect(self, kind, address):
        client = kind(address)
        self.addCleanup(client.close)
        return client


class Vnc(Display):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(harness.folder(), "vnc")

    def test_unix(self):
        self.start("vnc", "-vnc", f"unix:{self.path}")
        self.assertEqual([], self.clients())
        client = self.connect(VncClient, self.path)
        connected = self.wait_client("vnc", "connected")
        self.assertEqual("ss(ttt)a{sv}", connected.signature)
        self.assertEqual({"server": self.path, "server-family": "unix", "client": "",
                          "family": "unix", "auth": "none", "websocket": False}, connected.details)
        entry = {"protocol": "vnc", "phase": "connected", "server": self.path, "client": "",
                 "family": "unix", "auth": "none"}
        self.assertEqual([entry], self.clients())
        client.initialize()
        self.wait_client("vnc", "initialized")
        self.assertEqual([dict(entry, phase="initialized")], self.clients())
        client.close()
        self.wait_client("vnc", "disconnected")
        self.assertEqual([], self.clients())

    def test_only_who_asks_is_told(self):
        """Neither a signal nor a dump of all properties has the clients in it."""
        self.start("asked", "-vnc", f"unix:{self.path}")
        self.connect(VncClient, self.path).initialize()
        self.wait_client("vnc", "initialized")
        self.mark()
        changed = self.recorder.find(f"{PROPERTIES}.PropertiesChanged", f"{NAME}.Display",
                                     since=self.since)
        self.assertTrue(changed)
        for signal in changed:
            self.assertEqual((f"{NAME}.Display", {}, ["Clients"]), signal.arguments)
        self.assertNotIn("Clients", self.connection.get_all(self.domain.path, f"{NAME}.Display"))
        everything = self.connection.managed_objects()[self.domain.path]
        self.assertNotIn("Clients", everything[f"{NAME}.Display"])
        added = self.recorder.wait("org.freedesktop.DBus.ObjectManager.InterfacesAdded",
                                   self.domain.path, path=PATH)
        self.assertNotIn("Clients", added.arguments[1][f"{NAME}.Display"])
        self.assertEqual([("vnc", "initialized")], self.phases())

    def test_password(self):
        self.start("password", "-vnc", "127.0.0.1:0,to=99,password=on")
        server = self.domain.qmp("query-vnc-servers")[0]["server"][0]
        self.domain.qmp("set_password", {"protocol": "vnc", "password": "secret"})
        client = self.connect(VncClient, ("127.0.0.1", int(server["service"])))
        connected = self.wait_client("vnc", "connected")
        host, port = client.connection.getsockname()
        self.assertEqual(f"{host}:{port}", connected.details["client"])
        self.assertEqual(f"127.0.0.1:{server['service']}", connected.details["server"])
        self.assertEqual("vnc", connected.details["auth"])
        self.assertEqual([f"{host}:{port}"], [entry["client"] for entry in self.clients()])
        self.assertNotEqual(0, client.fail())
        self.wait_client("vnc", "disconnected")
        self.assertEqual([], self.clients())
        self.mark()
        self.assertEqual([], self.recorder.find("Display.Client", "vnc", "initialized",
                                                since=self.since))

    def test_after_service_was_killed(self):
        """They are listed by QEMU, without a signal; what they do next is told."""
        self.start("killed", "-vnc", f"unix:{self.path}")
        first, second = self.connect(VncClient, self.path), self.connect(VncClient, self.path)
        first.initialize()
        second.initialize()
        wait_until(lambda: self.phases() == 2 * [("vnc", "initialized")], "both to get in")
        self.connection.kill_service()
        wait_until(lambda: len(self.clients()) == 2, "the clients to be read")
        since = self.mark()
        self.assertEqual(2 * [("vnc", "initialized")], self.phases())
        first.close()
        self.wait_client("vnc", "disconnected", since)
        self.assertEqual([("vnc", "initialized")], self.phases())


class Spice(Display):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(harness.folder(), "spice")
        self.start("spice", "-spice", f"unix=on,addr={self.path},disable-ticketing=on")

    def test_channel(self):
        client = self.connect(SpiceClient, self.path)
        self.wait_client("spice", "connected")
        self.assertEqual([("spice", "connected")], self.phases())
        client.initialize()
        initialized = self.wait_client("spice", "initialized")
        self.assertEqual(SpiceClient.MAIN, initialized.details["channel-type"])
        self.assertEqual(0, initialized.details["channel-id"])
        self.assertFalse(initialized.details["tls"])
        entry = self.clients()[0]
        self.assertEqual(("initialized", initialized.details["connection-id"], SpiceClient.MAIN, 0),
                         (entry["phase"], entry["connection-id"], entry["channel-type"],
                          entry["channel-id"]))
        client.close()
        self.wait_client("spice", "disconnected")
        self.assertEqual([], self.clients())

    def test_after_service_was_killed(self):
        client = self.connect(SpiceClient, self.path)
        client.initialize()
        self.wait_client("spice", "initialized")
        self.connection.kill_service()
        wait_until(lambda: self.phases() == [("spice", "initialized")], "the channel to be read")
        since = self.mark()
        client.close()
        self.wait_client("spice", "disconnected", since)
        self.assertEqual([], self.clients())


if __name__ == "__main__":
    harness.main()
