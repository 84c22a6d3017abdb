# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the cases share in which the host follows a real guest: a domain whose NICs stand on links of the host,
the Linux in it, the world beyond the cable, and views of all three.

The cases of a class share the guest, which is booted before the first of them, and come in any order: each
puts back what it has changed."""
import os
import select
import socket
import struct
import threading
import time

import harness
import life
import linux
import network
from harness import wait_until
from network import PEER, WORLD_ADDRESS

# Of the experimental kind, as `guest-nic frames` takes it; the sender is nobody.
ETHERTYPE = 0x88b5
SENDER = "02:00:00:00:00:99"
BROADCAST = "ff:ff:ff:ff:ff:ff"

# Of netlink(7) and rtnetlink(7).
NLMSG_HEADER, IFINFO_LENGTH = 16, 16
RTMGRP_LINK, RTM_NEWLINK, IFLA_ADDRESS = 1, 16, 1


def mac(number, prefix="52:54:00:e2"):
    return f"{prefix}:{number >> 8:02x}:{number & 255:02x}"


def group(number):
    """Of link layer, and of nothing else: no IP group has it."""
    return mac(number, "03:00:00:e2")


# What the first NIC has, and what it is given.
FIRST, SECOND, THIRD, OTHER = mac(1), mac(2), mac(3), mac(4)


def read_mac(link):
    """By one read(2): cheap enough for each signal. None if there is no such link."""
    try:
        with open(f"/sys/class/net/{link}/address", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def has_flag(link, flag):
    return flag in network.link(link)["flags"]


class LinkRecorder(harness.Recorder):
    """Keeps beside each FilterChanged what was true when it came. Times are those of time.monotonic()."""

    def __init__(self):
        self.seen = {}               # sequence -> (arrival, MAC of its link)
        self.last = 0.0              # arrival of the last one
        super().__init__()

    def _arrived(self, bus, sender, path, interface, member, parameters):
        count = len(self.signals)
        now = time.monotonic()
        super()._arrived(bus, sender, path, interface, member, parameters)
        if len(self.signals) > count and member == "FilterChanged":
            signal = self.signals[-1]
            self.seen[signal.sequence] = now, read_mac(signal.details.get("host-interface", ""))
            self.last = now


class LinkWatch:
    """Notes when the kernel tells that a link has a MAC (RTM_NEWLINK), which it does from within the change. A
    context manager; a thread of it reads, so that the times are those of arrival."""

    def __init__(self):
        self.seen = []               # (arrival, index of the link, MAC); time.monotonic()
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, RTMGRP_LINK))
        self.end, self.other_end = os.pipe()
        self.thread = threading.Thread(target=self._read)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.close(self.other_end)
        self.thread.join()
        os.close(self.end)
        self.socket.close()

    def wait(self, index, address):
        """When it was told first that the link has it."""
        def told():
            return [at for at, *what in self.seen if what == [index, address]]
        return wait_until(told, f"RTM_NEWLINK of {index} with {address}")[0]

    def _read(self):
        while self.end not in select.select([self.socket, self.end], [], [])[0]:
            data = self.socket.recv(65536)
            now = time.monotonic()
            while len(data) >= NLMSG_HEADER:
                length, kind = struct.unpack_from("=IH", data)
                if kind == RTM_NEWLINK:
                    self._note(now, data[NLMSG_HEADER:length])
                data = data[(length + 3) & ~3:]

    def _note(self, now, message):
        index, place = struct.unpack_from("=i", message, 4)[0], IFINFO_LENGTH
        while place + 4 <= len(message):
            length, kind = struct.unpack_from("=HH", message, place)
            if kind == IFLA_ADDRESS:
                self.seen.append((now, index, message[place + 4:place + length].hex(":")))
            place += max(4, (length + 3) & ~3)


class Ears:
    """What frames come to a link of the guest from one of the world, while it lasts. A context manager."""

    def __init__(self, case, link="eth0", world_link=PEER):
        self.guest = case.guest
        self.network = case.network
        self.link = link
        self.world_link = world_link
        self.file = f"/tmp/frames-{link}"
        self.number = 0

    def __enter__(self):
        self.guest.run(f"guest-nic frames {self.link} >{self.file} 2>&1 & ears=$!")
        wait_until(lambda: "listening" in self.read(), "the guest to listen")
        return self

    def __exit__(self, *_):
        self.guest.run("kill $ears; wait $ears; true")

    def read(self):
        return self.guest.run(f"cat {self.file}").splitlines()

    def send(self, destination, vlan=None):
        """Returns the line that it will be."""
        self.number += 1
        text = str(self.number)
        self.network.send_frame(destination, SENDER, ETHERTYPE, text.encode(), vlan, self.world_link)
        return f"{destination} {text}"

    def wait(self, destination, vlan=None):
        """Sends one until it comes."""
        sent = []

        def came():
            sent.append(self.send(destination, vlan))
            return set(sent) & set(self.read())
        wait_until(came, f"a frame to {destination} in the guest")

    def hears(self, destination):
        """Whether one comes. Broadcasts always do, and none overtakes it."""
        sent = self.send(destination)
        self.wait(BROADCAST)
        return sent in self.read()


class FollowCase(harness.ServiceCase):
    """self.domain, self.guest and self.network are of the class; net0 is eth0 in the guest, and so on."""

    # Of the definition.
    interfaces = []
    # Without that there is no self.network, and no need of a namespace.
    stands_on_links = True

    @classmethod
    def setUpClass(cls):
        if linux.REFUSED_VARIABLE in os.environ or cls.stands_on_links and network.REFUSED_VARIABLE in os.environ:
            return                   # setUp() tells it of each case
        if cls.stands_on_links:
            cls.network = network.Network()
            cls.addClassCleanup(cls.network.close)
            cls.prepare_network()
            cls.addClassCleanup(network.wait_for_links, set(network.links()))
        cls.recorder = LinkRecorder()
        cls.addClassCleanup(cls.recorder.close)
        cls.connection = harness.Connection()
        cls.addClassCleanup(cls.connection.close)
        first = cls()
        cls.addClassCleanup(first.remove_domains)
        name = cls.__name__.lower()
        cls.domain = first.define(name, **linux.keys(name, interfaces=cls.interfaces))
        cls.guest = linux.Guest(cls.domain)
        cls.addClassCleanup(cls.guest.close)
        cls.guest.start()
        cls.prepare_guest()

    @classmethod
    def prepare_network(cls):
        """What is to be there before the domain is."""

    @classmethod
    def prepare_guest(cls):
        """What it has to be told after each boot."""
        # Each link answers for its own addresses alone.
        cls.guest.run("echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore")
        cls.guest.run(f"ip link set eth0 up; ip address add {network.GUEST_ADDRESS}/{network.PREFIX} dev eth0")

    def setUp(self):
        if self.stands_on_links:
            network.require(self)
        linux.require(self)
        self.since = len(self.recorder.signals)

    # ---- the guest ----

    def ping(self, address=WORLD_ADDRESS):
        wait_until(lambda: self.guest.try_run(f"ping -c 1 -W 1 {address}"), f"{address} to answer the guest")

    def set_mac(self, address, link="eth0"):
        self.guest.run(f"guest-nic set-mac {link} {address}")

    # ---- the host ----

    def links(self, nic):
        """Names of the links that were made for the NIC."""
        alias = f"vmherald: {self.domain.name} {nic}"
        return [name for name, link in network.links().items() if link.get("ifalias") == alias]

    def link(self, nic="net0"):
        """The one that it stands on."""
        found = self.links(nic)
        self.assertEqual(1, len(found), f"links of {nic}: {found}")
        return found[0]

    def wait_mac(self, link, address):
        wait_until(lambda: read_mac(link) == address, f"{link} to have {address}")

    def wait_groups(self, link, there=(), gone=()):
        def is_so():
            table = network.multicast_list(link)
            return all(table.get(one) for one in there) and not any(one in table for one in gone)
        wait_until(is_so, f"{link} to take {there} and not {gone}")

    def wait_flag(self, link, flag, there=True):
        wait_until(lambda: has_flag(link, flag) == there, f"{flag} of {link} to be {there}")

    # ---- what is told ----

    def mark(self):
        """An index for since: what comes from now on."""
        life.settle(self.connection, self.recorder)
        return len(self.recorder.signals)

    def wait_told(self, nic, matches, since=None):
        """The first FilterChanged of the NIC since the case began whose filter matches."""
        def told():
            return [s for s in self.recorder.find("Network.FilterChanged", nic, path=self.domain.path,
                                                  since=self.since if since is None else since)
                    if matches(s.arguments[1])]
        wait_until(told, f"FilterChanged of {nic}")
        return told()[0]

    # WARNING: the first that tells the change has to tell what has come of it. One that comes later would do for a
    # service that tells first and follows afterwards.

    def wait_synced(self, nic, matches, since=None):
        """The same; it says that the host has followed."""
        signal = self.wait_told(nic, matches, since)
        self.assertIs(True, signal.details.get("host-synced"), signal)
        self.assertNotIn("host-error", signal.details)
        return signal

    def wait_error(self, nic, matches, since=None):
        """The same; it says that the host could not follow. Returns why."""
        signal = self.wait_told(nic, matches, since)
        self.assertIs(False, signal.details.get("host-synced"), signal)
        return signal.details["host-error"]

    def wait_followed(self, address, nic="net0", since=None):
        """Waits for the signal of that MAC, and looks at what could be relied on when it came."""
        signal = self.wait_synced(nic, lambda guest: guest["main-mac"] == address, since)
        self.assertEqual(self.link(nic), signal.details["host-interface"])
        self.assertEqual(address, self.recorder.seen[signal.sequence][1])
        return signal


class MacvtapCase(FollowCase):
    """net0 is on a macvtap, and trusted; its MAC is put back after each case."""

    interfaces = [{"id": "net0", "type": "macvtap", "source": network.LOWER, "mac": FIRST,
                   "trust-guest-rx-filters": True}]

    def setUp(self):
        super().setUp()
        self.host = self.link()
        self.addCleanup(self.put_back)

    def put_back(self):
        """Told even if it is the same again, so nothing is under way afterwards."""
        since = self.mark()
        self.set_mac(FIRST)
        self.wait_followed(FIRST, since=since)

    def join(self, *groups):
        self.guest.run(f"guest-nic join-mac eth0 {' '.join(groups)}")

    def leave(self, *groups):
        self.guest.run(f"guest-nic leave-mac eth0 {' '.join(groups)}")

    def add_on_host(self, address):
        """Somebody else's entry in the multicast list."""
        network.ip("maddress", "add", address, "dev", self.host)
        self.addCleanup(network.ip, "maddress", "del", address, "dev", self.host)
