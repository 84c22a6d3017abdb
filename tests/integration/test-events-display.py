# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of displays, from a real QEMU: interface Display. The clients are just as good as it takes to be
let in."""
import socket
import struct
import subprocess

import harness
import recipes
from recipes import boolean, text

RFB_VERSION = b"RFB 003.008\n"
RFB_SECURITY_NONE, RFB_SHARED = b"\1", b"\1"

SPICE_MAGIC = b"REDQ"
SPICE_HEADER = struct.Struct("<4sIII")           # magic, major, minor, length of what follows
SPICE_LINK = struct.Struct("<IBBIII")            # connection, type and number of the channel, capabilities
SPICE_MAIN = 1
SPICE_AUTHENTICATION_SELECTION, SPICE_AUTHENTICATION_TICKET = 1 << 0, 1 << 1
SPICE_TICKET = 1
SPICE_KEY = slice(4, 166)                        # of the reply: a public key behind an error


class Client(recipes.EventCase):
    """Both displays on sockets of their own."""

    @classmethod
    def keys(cls):
        return {"arguments": ["-device", "VGA", "-vnc", f"unix:{recipes.place('vnc')}", "-spice",
                              f"unix=on,addr={recipes.place('spice')},disable-ticketing=on"]}

    def connect(self, name):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(harness.DEADLINE)
        client.connect(recipes.place(name))
        return client

    def receive(self, client, size):
        received = b""
        while len(received) < size:
            part = client.recv(size - len(received))
            self.assertTrue(part, "the server hung up")
            received += part
        return received


class Vnc(Client):
    def expect_client(self, phase):
        """A client on a socket of the file system has no address."""
        self.expect("Display.Client", "ss", "vnc", phase, details={
            "server": text(recipes.place("vnc")), "client": text(""), "family": text("unix"),
            "server-family": text("unix"), "auth": text("none"), "websocket": boolean(False)})

    def greet(self):
        client = self.connect("vnc")
        self.assertEqual(b"RFB", self.receive(client, len(RFB_VERSION))[:3])
        return client

    def log_in(self):
        client = self.greet()
        client.sendall(RFB_VERSION)
        offered = self.receive(client, self.receive(client, 1)[0])
        self.assertIn(RFB_SECURITY_NONE, offered)
        client.sendall(RFB_SECURITY_NONE)
        self.assertEqual(bytes(4), self.receive(client, 4))
        client.sendall(RFB_SHARED)
        return client

    def test_vnc_connected(self):
        self.greet()
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

    def link(self):
        """Returns the client, and the key for its ticket."""
        client = self.connect("spice")
        capabilities = SPICE_AUTHENTICATION_SELECTION | SPICE_AUTHENTICATION_TICKET
        message = SPICE_LINK.pack(0, SPICE_MAIN, 0, 1, 0, SPICE_LINK.size) + \
            struct.pack("<I", capabilities)
        client.sendall(SPICE_HEADER.pack(SPICE_MAGIC, 2, 2, len(message)) + message)
        magic, _, _, length = SPICE_HEADER.unpack(self.receive(client, SPICE_HEADER.size))
        self.assertEqual(SPICE_MAGIC, magic)
        return client, self.receive(client, length)[SPICE_KEY]

    def log_in(self):
        client, key = self.link()
        key_file = recipes.place("spice-key")
        with open(key_file, "wb") as file:
            file.write(key)
        ticket = subprocess.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER",
                                 "-inkey", key_file, "-pkeyopt", "rsa_padding_mode:oaep"],
                                input=b"\0", capture_output=True, check=True).stdout
        client.sendall(struct.pack("<I", SPICE_TICKET) + ticket)
        self.assertEqual(bytes(4), self.receive(client, 4))
        return client

    def test_spice_connected(self):
        self.link()
        self.expect_client("connected")

    def test_spice_initialized(self):
        self.log_in()
        self.expect_client("connected")
        self.expect_client("initialized", auth=text("none"), connection_id="x",
                           channel_type=recipes.int64(SPICE_MAIN), channel_id=recipes.int64(0),
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
        self.domain.qmp("migrate", {"uri": "exec:cat >/dev/null"})
        self.expect("Display.Client", "ss", "spice", "migrated")


if __name__ == "__main__":
    harness.main()
