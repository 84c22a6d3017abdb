# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network of its own for a test script: the bus, the service, the QEMUs and the cases are in a network
namespace that nothing else is in, and beyond a cable there is a second one, "the world".

    our namespace                              the world
      LOWER  <------------ veth ------------>  PEER, with WORLD_ADDRESS
      what the case and the service add

A script that wants it has NetworkCase for its cases and ends in

    if __name__ == "__main__":
        network.main()

With the last process in it and the last descriptor of it a namespace goes, and with it all its links: so nothing
is left even by a script that is killed. Where namespaces cannot be made, each case is skipped with the reason.

Python functions are here for what the kernel offers by system calls alone; links are the business of ip(8)."""
import ctypes
import json
import os
import socket
import struct
import subprocess
import threading

import harness
from harness import wait_until
from processes import FOLDER_VARIABLE

LOWER, PEER = "lower0", "peer0"
# Of TEST-NET-1 (RFC 5737): the world, and what is free for guests.
WORLD_ADDRESS, GUEST_ADDRESS, PREFIX = "192.0.2.1", "192.0.2.2", 24
# Set by main() for the cases if there is no namespace; the value is the reason.
REFUSED_VARIABLE = "VMHERALD_TEST_NO_NAMESPACE"

VLAN_ETHERTYPE = 0x8100
FRAME_MIN = 60                   # without the check sum

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 1 << 14, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    """A function of the C library that returns -1 and sets errno."""
    if getattr(_libc, function)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def enter_new():
    """This process, and what it starts from now on, in a network namespace of its own. /sys/class/net shows the
    namespace that the file system was mounted in, so /sys is mounted once more, where only they see it."""
    _call("unshare", CLONE_NEWNS | CLONE_NEWNET)
    _call("mount", None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    _call("mount", b"sysfs", b"/sys", b"sysfs", ctypes.c_ulong(0), None)
    ip("link", "set", "lo", "up")


def main(*service_options, seconds=None):
    """As harness.main(), in a namespace."""
    if FOLDER_VARIABLE not in os.environ:
        try:
            enter_new()
        except OSError as error:
            os.environ[REFUSED_VARIABLE] = f"no network namespace can be made: {error.strerror}"
        except RuntimeError as error:
            # In a container, the namespace may be one's own and its links not.
            os.environ[REFUSED_VARIABLE] = f"no links can be made: {error}"
    harness.main(*service_options, seconds=seconds)


class Namespace:
    """One more namespace. What is done inside `with namespace:` is done there, by this thread and by the processes
    that it starts: sockets stay where they were made."""

    def __init__(self):
        # A thread of its own is what makes it: a thread that cannot go back is of no use for anything else.
        self.fd = -1
        self.back = []
        thread = threading.Thread(target=self._make)
        thread.start()
        thread.join()
        if self.fd < 0:
            raise OSError("no second network namespace can be made")

    def _make(self):
        _call("unshare", CLONE_NEWNET)
        self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self):
        self.back.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _call("setns", self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        back = self.back.pop()
        _call("setns", back, CLONE_NEWNET)
        os.close(back)

    def close(self):
        os.close(self.fd)


# ---- links, of the namespace one is in ----

def ip(*arguments, program="ip", fds=()):
    """Runs ip(8) or one of its family; returns what it printed. Fails with what it said."""
    done = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, pass_fds=fds)
    if done.returncode != 0:
        raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _read_json(*arguments, program="ip"):
    return json.loads(ip("-j", "-d", *arguments, program=program) or "[]")


def links():
    """Name -> link, as `ip -j -d link` shows it; promiscuity is in there, and linkinfo with the kind."""
    return {link["ifname"]: link for link in _read_json("link", "show")}


def link(name):
    """None if there is none."""
    return links().get(name)


def multicast_list(name):
    """MAC -> whether it was put there by somebody ("global use"), of the link's multicast list."""
    found = {}
    with open("/proc/thread-self/net/dev_mcast", encoding="ascii") as table:
        for line in table:
            _, owner, _, global_use, address = line.split()
            if owner == name:
                found[":".join(address[i:i + 2] for i in range(0, 12, 2))] = global_use == "1"
    return found


def forwarding_table(port):
    """The static entries of the bridge's table for one of its ports, without the port's own address."""
    return sorted(entry["mac"] for entry in _read_json("fdb", "show", "brport", port, program="bridge")
                  if entry.get("state") == "static" and "self" not in entry.get("flags", []))


def add_bridge(name, *ports):
    """A bridge that is up, and forwards at once."""
    ip("link", "add", name, "type", "bridge", "forward_delay", "0", "stp_state", "0")
    for port in ports:
        ip("link", "set", port, "master", name)
    ip("link", "set", name, "up")


def remove_link(name):
    """Nothing happens if it has gone."""
    if link(name):
        ip("link", "del", name)


# ---- the network of a case ----

class Network:
    """LOWER, PEER and the world."""

    def __init__(self):
        self.world = Namespace()
        self.add_cable(LOWER, PEER)
        with self.world:
            ip("link", "set", "lo", "up")
            ip("address", "add", f"{WORLD_ADDRESS}/{PREFIX}", "dev", PEER)
            # It believes at once what it hears of a neighbour's new MAC, and not only after a second.
            with open(f"/proc/sys/net/ipv4/neigh/{PEER}/locktime", "w", encoding="ascii") as file:
                file.write("0")

    def close(self):
        remove_link(LOWER)
        self.world.close()

    def add_cable(self, name, peer):
        """Between a link of ours and one of the world's."""
        # ip takes a path for the name of a namespace.
        ip("link", "add", name, "type", "veth", "peer", "name", peer, "netns", f"/proc/self/fd/{self.world.fd}",
           fds=[self.world.fd])
        ip("link", "set", name, "up")
        with self.world:
            ip("link", "set", peer, "up")

    def send_frame(self, destination, sender, ethertype, text, vlan=None, peer=PEER):
        """From the world, to whom it may concern."""
        tag = struct.pack("!HH", VLAN_ETHERTYPE, vlan) if vlan is not None else b""
        addresses = bytes.fromhex((destination + sender).replace(":", ""))
        with self.world, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender_socket:
            sender_socket.bind((peer, 0))
            sender_socket.send((addresses + tag + struct.pack("!H", ethertype) + text).ljust(FRAME_MIN, b"\0"))

    def send_datagram(self, group, port, text):
        """From the world, to an IP group."""
        with self.world, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(WORLD_ADDRESS))
            sender.sendto(text, (group, port))


def require(case):
    """Skips the case with the reason if there is no network of its own."""
    if REFUSED_VARIABLE in os.environ:
        case.skipTest(os.environ[REFUSED_VARIABLE])


def wait_for_links(before):
    """Waits until no link is left that was not there before."""
    try:
        wait_until(lambda: set(links()) <= before, "the links of the domains to go")
    except AssertionError as error:
        raise AssertionError(f"left: {sorted(set(links()) - before)}") from error


class NetworkCase(harness.ServiceCase):
    """A case with a Network, in which no link is left that was not there before."""

    def setUp(self):
        require(self)
        self.network = Network()
        self.addCleanup(self.network.close)
        # After the domains have been removed: what is cleaned up is what was set up, backwards.
        self.addCleanup(wait_for_links, set(links()))
        super().setUp()

    def add_bridge(self, name, *ports):
        add_bridge(name, *ports)
        self.addCleanup(remove_link, name)
