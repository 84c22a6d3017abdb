# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of displays, from a real QEMU: interface Display. The clients are just as good as it takes to be
let in."""
import harness
import recipes
from displays import SpiceClient, VncClient
from harness import wait_until
from recipes import boolean, text


class Client(recipes.EventCase):
    """Both displays on sockets of their own."""

    @classmethod
    def keys(cls):
        return {"arguments": ["-device", "VGA", "-vnc", f"unix:{recipes.place('vnc')}", "-spice",
                              f"unix=on,addr={recipes.place('spice')},disable-ticketing=on"]}

    def connect(self, kind, name):
        client = kind(recipes.place(name))
        self.addCleanup(self.leave, client)
        return client

    def leave(self, client):
        """What is told of this client is told before the next case begins."""
        client.close()
        wait_until(lambda: "disconnected" in [s.arguments[1] for s in self.of_domain("Display.Client")],
                   "the end of a client")


class Vnc(Client):
    def expect_client(self, phase):
        """A client on a socket of the file system has no address."""
        self.expect("Display.Client", "ss", "vnc", phase, details={
            "server": text(recipes.place("vnc")), "client": text(""), "family": text("unix"),
            "server-family": text("unix"), "auth": text("none"), "websocket": boolean(False)})

    def log_in(self):
        client = self.connect(VncClient, "vnc")
        client.initialize()
        return client

    def test_vnc_connected(self):
        self.connect(VncClient, "vnc")
        self.expect_client("connected")
        self.mark()
        self.assertEqual(["connected"], [s.arguments[1] for s in self.of_domain("Display.Client")])

    def test_vnc_initialized(self):
        self.log_in()
        self.expect_client("connected")
        self.expect_client("initialized")

    def test_vnc_disconnected(self):
        client = self.log_in()
        self.expect_client("initialized")
        client.close()
        self.expect_client("disconnected")


class Spice(Client):
    """Each channel is a connection of its own; this is the main one."""

    def expect_client(self, phase, **details):
        self.expect("Display.Client", "ss", "spice", phase, details={
            "server": text("localhost"), "client": text("localhost"), "family": text("unix"),
            "server-family": text("unix"),
            **{key.replace("_", "-"): value for key, value in details.items()}})

    def log_in(self):
        client = self.connect(SpiceClient, "spice")
        client.initialize()
        return client

    def test_spice_connected(self):
        self.connect(SpiceClient, "spice")
        self.expect_client("connected")

    def test_spice_initialized(self):
        self.log_in()
        self.expect_client("connected")
        self.expect_client("initialized", auth=text("none"), connection_id="x",
                           channel_type=recipes.int64(SpiceClient.MAIN), channel_id=recipes.int64(0),
                           tls=boolean(False))

    def test_spice_disconnected(self):
        client = self.log_in()
        self.wait("Display.Client", "spice", "initialized")
        client.close()
        self.expect_client("disconnected")

    def test_spice_migrate_completed(self):
        """QEMU says no more than that the clients, of whom there are none, have moved."""
        self.domain.qmp("client_migrate_info", {"protocol": "spice", "hostname": "127.0.0.1",
                                                "port": 1})
        self.domain.migrate_away()
        self.expect("Display.Client", "ss", "spice", "migrated")


if __name__ == "__main__":
    harness.main()
