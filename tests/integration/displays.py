# SPDX-License-Identifier: LGPL-2.1-or-later
"""As much of a client of VNC and of SPICE as QEMU needs to tell of one: they connect, say who they are,
and look at nothing."""
import socket
import struct
import subprocess
import tempfile

DEADLINE = 30.0


def _read(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("QEMU has gone")
        data += more
    return data


def connect(address):
    """address: a path, or host and port."""
    if isinstance(address, str):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE)
        connection.connect(address)
        return connection
    return socket.create_connection(address, DEADLINE)


class VncClient:
    """RFB 3.8."""

    NONE, PASSWORD = 1, 2

    def __init__(self, address):
        self.connection = connect(address)
        _read(self.connection, 12)

    def close(self):
        self.connection.close()

    def offered(self):
        """What QEMU takes for a proof of who one is."""
        self.connection.sendall(b"RFB 003.008\n")
        return list(_read(self.connection, _read(self.connection, 1)[0]))

    def initialize(self):
        """Without any proof."""
        assert self.NONE in self.offered()
        self.connection.sendall(bytes((self.NONE,)))
        assert _read(self.connection, 4) == bytes(4)
        self.connection.sendall(b"\1")           # others may look too
        _read(self.connection, 24)

    def fail(self):
        """With a wrong password."""
        assert self.PASSWORD in self.offered()
        self.connection.sendall(bytes((self.PASSWORD,)))
        _read(self.connection, 16)
        self.connection.sendall(bytes(16))
        return struct.unpack(">I", _read(self.connection, 4))[0]


def _encrypt(key, data):
    """RSA-OAEP. key: SubjectPublicKeyInfo, as SPICE sends it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(key)
        file.flush()
        return subprocess.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER",
                               "-inkey", file.name, "-pkeyopt", "rsa_padding_mode:oaep"],
                              input=data, capture_output=True, check=True).stdout


class SpiceClient:
    """One channel, and no ticket."""

    MAIN = 1
    AUTH_SELECTION, AUTH_SPICE = 1, 2     # capabilities
    TICKET = 1
    MAGIC = b"REDQ"
    HEADER = struct.Struct("<4sIII")      # magic, major, minor, length of what follows
    LINK = struct.Struct("<IBBIII")       # connection, type and number of the channel, capabilities
    KEY = slice(4, 166)                   # of the answer: a public key behind an error

    def __init__(self, address):
        """Connected, and known as a channel."""
        self.connection = connect(address)
        link = self.LINK.pack(0, self.MAIN, 0, 1, 0, self.LINK.size)
        link += struct.pack("<I", self.AUTH_SELECTION | self.AUTH_SPICE)
        self.connection.sendall(self.HEADER.pack(self.MAGIC, 2, 2, len(link)) + link)
        magic, _, _, length = self.HEADER.unpack(_read(self.connection, self.HEADER.size))
        assert magic == self.MAGIC, magic
        self.answer = _read(self.connection, length)
        assert self.answer[:4] == bytes(4), self.answer[:4]

    def close(self):
        self.connection.close()

    def initialize(self):
        self.connection.sendall(struct.pack("<I", self.TICKET) +
                                _encrypt(self.answer[self.KEY], b"\0"))
        assert _read(self.connection, 4) == bytes(4)
