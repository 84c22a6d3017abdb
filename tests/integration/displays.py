# SPDX-License-Identifier: LGPL-2.1-or-later
"""As much of a client of VNC and of SPICE as QEMU needs to tell of one: they connect, say who they are,
and look at nothing."""
import hashlib
import os
import socket
import struct

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


def _mask(seed, size):
    """MGF1 of RSA-OAEP (RFC 8017), with SHA-1."""
    blocks = (hashlib.sha1(seed + struct.pack(">I", i)).digest() for i in range(size // 20 + 1))
    return b"".join(blocks)[:size]


def _xor(left, right):
    return bytes(a ^ b for a, b in zip(left, right))


def _encrypt(key, text):
    """RSA-OAEP. key: SubjectPublicKeyInfo of 1024 bits, which ends in two integers: modulus (with a
    leading zero) and exponent (65537)."""
    assert key[-5:] == bytes((2, 3, 1, 0, 1)), key.hex()
    modulus = int.from_bytes(key[-133:-5], "big")
    block = hashlib.sha1(b"").digest() + bytes(128 - 2 * 20 - 2 - len(text)) + b"\1" + text
    seed = os.urandom(20)
    block = _xor(block, _mask(seed, len(block)))
    seed = _xor(seed, _mask(block, 20))
    number = int.from_bytes(b"\0" + seed + block, "big")
    return pow(number, 65537, modulus).to_bytes(128, "big")


class SpiceClient:
    """One channel, and no ticket."""

    MAIN = 1
    AUTH_SELECTION, AUTH_SPICE = 1, 2     # capabilities
    TICKET = 1

    def __init__(self, address):
        self.connection = connect(address)

    def close(self):
        self.connection.close()

    def initialize(self):
        link = struct.pack("<IBBIIII", 0, self.MAIN, 0, 1, 0, 18,
                           self.AUTH_SELECTION | self.AUTH_SPICE)
        self.connection.sendall(b"REDQ" + struct.pack("<III", 2, 2, len(link)) + link)
        size = struct.unpack_from("<I", _read(self.connection, 16), 12)[0]
        answer = _read(self.connection, size)
        assert answer[:4] == bytes(4), answer[:4]
        self.connection.sendall(struct.pack("<I", self.TICKET) + _encrypt(answer[4:166], b"\0"))
        assert _read(self.connection, 4) == bytes(4)
