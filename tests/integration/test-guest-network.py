# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real guest changes what its NIC is to receive, the macvtap on the host follows, and packets arrive."""
import follow
import linux
import network
from follow import BROADCAST, FIRST, OTHER, SECOND, THIRD, group, has_flag, mac, read_mac
from harness import wait_until
from network import LOWER

UNTRUSTED = mac(0x101)
PLUGGED = mac(0x201)
IP_GROUP, IP_GROUP_MAC, PORT = "239.255.0.1", "01:00:5e:7f:00:01", 5000
# QEMU's virtio-net has room for so many addresses (MAC_TABLE_ENTRIES).
TABLE_SIZE = 64
VLAN = 7
# Of the untrusted NIC, TEST-NET-2: each NIC is in a network of its own.
SECOND_WORLD, SECOND_GUEST = "198.51.100.1", "198.51.100.2"


class Macvtap(follow.MacvtapCase):
    interfaces = [*follow.MacvtapCase.interfaces,
                  {"id": "net1", "type": "macvtap", "source": LOWER, "mac": UNTRUSTED}]

    # ---- what the guest changes ----

    def test_mac(self):
        self.ping()
        self.set_mac(SECOND)
        self.wait_followed(SECOND)
        self.recorder.wait("Network.MacChanged", "net0", FIRST, SECOND, since=self.since)
        self.ping()

    def test_ip_group(self):
        """Of a program in the guest."""
        file = "/tmp/datagrams"
        self.guest.run(f"guest-nic join eth0 {IP_GROUP} {PORT} >{file} 2>&1 & member=$!")
        self.wait_synced("net0", lambda guest: IP_GROUP_MAC in guest["multicast-table"])
        self.assertTrue(network.multicast_list(self.host)[IP_GROUP_MAC])

        def came():
            self.network.send_datagram(IP_GROUP, PORT, b"hello")
            return "hello" in self.guest.run(f"cat {file}")
        wait_until(came, "a datagram to the group")
        self.guest.run("kill $member; wait $member; true")
        self.wait_groups(self.host, gone=[IP_GROUP_MAC])

    def test_group(self):
        """Of link layer. Somebody on the host has put one there before, and that one stays."""
        ours, theirs = group(1), group(2)
        self.add_on_host(theirs)
        with follow.Ears(self) as ears:
            self.assertFalse(ears.hears(ours))
            self.join(ours, theirs)
            self.wait_synced("net0", lambda guest: {ours, theirs} <= set(guest["multicast-table"]))
            ears.wait(ours)
            ears.wait(theirs)
            self.leave(theirs, ours)
            self.wait_groups(self.host, gone=[ours], there=[theirs])
            self.assertFalse(ears.hears(ours))
            self.assertFalse(ears.hears(theirs))

    def test_all_multicast(self):
        self.check_mode("allmulti", "ALLMULTI", lambda guest: guest["multicast"] == "all")

    def test_promiscuous(self):
        self.check_mode("promisc", "PROMISC", lambda guest: guest["promiscuous"])

    def check_mode(self, word, flag, matches):
        with follow.Ears(self) as ears:
            self.assertFalse(ears.hears(group(3)))
            self.guest.run(f"ifconfig eth0 {word}")
            self.wait_synced("net0", matches)
            self.assertTrue(has_flag(self.host, flag))
            ears.wait(group(3))
            since = self.mark()
            self.guest.run(f"ifconfig eth0 -{word}")
            self.wait_synced("net0", lambda guest: not matches(guest), since)
            self.assertFalse(has_flag(self.host, flag))
            self.assertFalse(ears.hears(group(3)))

    def test_overflow(self):
        """More groups than the card has room for: from there on it takes all."""
        groups = [group(number) for number in range(0x100, 0x100 + TABLE_SIZE + 1)]
        few = groups[:2]
        with follow.Ears(self) as ears:
            self.join(*few)
            self.wait_groups(self.host, there=few)
            self.join(*groups[2:])
            self.wait_synced("net0", lambda guest: guest["multicast-overflow"])
            self.assertTrue(has_flag(self.host, "ALLMULTI"))
            for one in few[0], groups[-1]:
                ears.wait(one)
            since = self.mark()
            self.leave(*groups[2:])
            self.wait_synced("net0", lambda guest: not guest["multicast-overflow"] and
                             not set(groups[2:]) & set(guest["multicast-table"]), since)
            self.assertFalse(has_flag(self.host, "ALLMULTI"))
            self.wait_groups(self.host, there=few, gone=groups[2:])
            ears.wait(few[0])
            self.assertFalse(ears.hears(groups[-1]))
            self.leave(*few)
            self.wait_groups(self.host, gone=few)

    def test_vlan(self):
        if not self.guest.try_run(f"load 8021q && ip link add link eth0 name vlan type vlan id {VLAN}"):
            self.skipTest("the kernel of the guest knows no VLANs")
        self.wait_synced("net0", lambda guest: VLAN in guest["vlan-table"])
        self.assertTrue(has_flag(self.host, "PROMISC"))
        self.guest.run("ip link set vlan up")
        with follow.Ears(self, "vlan") as ears:
            ears.wait(FIRST, vlan=VLAN)
            ears.wait(BROADCAST, vlan=VLAN)
        since = self.mark()
        self.guest.run("ip link del vlan")
        self.wait_synced("net0", lambda guest: VLAN not in guest["vlan-table"], since)
        self.assertFalse(has_flag(self.host, "PROMISC"))

    def test_second_address(self):
        """Frames to it do not come to a macvtap: that is said, and the rest is followed."""
        self.guest.run(f"guest-nic add-address eth0 {OTHER}")
        self.assertIn("passthru", self.wait_error("net0", lambda guest: OTHER in guest["unicast-table"]))
        since = self.mark()
        self.set_mac(SECOND)
        self.wait_error("net0", lambda guest: guest["main-mac"] == SECOND, since)
        self.wait_mac(self.host, SECOND)
        since = self.mark()
        self.guest.run(f"guest-nic remove-address eth0 {OTHER}")
        self.wait_synced("net0", lambda guest: OTHER not in guest["unicast-table"], since)

    # ---- what happens to the guest, and to its NICs ----

    def test_reboot(self):
        """The MAC goes back to what it was, and no event tells it."""
        self.set_mac(SECOND)
        self.wait_followed(SECOND)
        self.join(group(4))
        self.wait_groups(self.host, there=[group(4)])
        since, lines = self.mark(), len(self.guest.lines)
        self.guest.send("reboot -f")
        self.wait_followed(FIRST, since=since)
        self.wait_groups(self.host, gone=[group(4)])
        self.recorder.wait("Network.MacChanged", "net0", SECOND, FIRST, since=since)
        self.guest.wait_ready(lines)
        self.prepare_guest()
        self.ping()

    def plug_in(self, source=LOWER, **more):
        """Returns the name of the link in the guest, and of that on the host."""
        self.addCleanup(self.unplug)
        self.domain.attach_interface({"id": "net2", "type": "macvtap", "source": source, "mac": PLUGGED,
                                      "bus": "port0", "trust-guest-rx-filters": True, **more})
        found = wait_until(lambda: self.guest.run(f"grep -l {PLUGGED} /sys/class/net/*/address; true"),
                           "the guest to see the new NIC")
        link = found.split("/")[4]
        self.guest.run(f"ip link set {link} up")
        return link, self.link("net2")

    def unplug(self):
        """Nothing happens if it is not there."""
        if "net2" in self.domain.get("Devices", "Devices"):
            self.domain.detach("net2")
            wait_until(lambda: not self.links("net2"), "its link to go")

    def test_hotplug(self):
        """Twice: nothing of the first one is left for the second."""
        for _ in range(2):
            link, host = self.plug_in()
            since = self.mark()
            with follow.Ears(self, link) as ears:
                self.set_mac(THIRD, link)
                self.wait_followed(THIRD, "net2", since)
                ears.wait(THIRD)
                self.guest.run(f"guest-nic join-mac {link} {group(5)}")
                self.wait_groups(host, there=[group(5)])
                ears.wait(group(5))
            self.unplug()

    def test_passthru(self):
        """All that the link below gets is the guest's, what comes to its further addresses too."""
        self.network.add_cable("lower1", "peer1")
        self.addCleanup(network.remove_link, "lower1")
        link, _ = self.plug_in("lower1", mode="passthru")
        self.set_mac(THIRD, link)
        self.wait_followed(THIRD, "net2")
        self.assertEqual(THIRD, read_mac("lower1"))
        self.guest.run(f"guest-nic add-address {link} {OTHER}")
        self.wait_synced("net2", lambda guest: OTHER in guest["unicast-table"])
        with follow.Ears(self, link, "peer1") as ears:
            for address in THIRD, OTHER:
                ears.wait(address)

    def test_link_is_deleted(self):
        """It is told at once, and again when there is something to follow."""
        link, host = self.plug_in()
        since = self.mark()
        network.ip("link", "del", host)
        self.assertIn(host, self.wait_error("net2", lambda guest: True, since))
        self.set_mac(THIRD, link)
        self.assertIn(host, self.wait_error("net2", lambda guest: guest["main-mac"] == THIRD))
        self.domain.detach("net2")
        self.plug_in()

    def test_address_in_use(self):
        network.ip("link", "add", "link", LOWER, "name", "other0", "address", OTHER, "type", "macvlan",
                   "mode", "bridge")
        self.addCleanup(network.remove_link, "other0")
        network.ip("link", "set", "other0", "up")
        self.set_mac(OTHER)
        self.assertIn("other0", self.wait_error("net0", lambda guest: guest["main-mac"] == OTHER))
        self.assertEqual(FIRST, read_mac(self.host))
        # Tried again at the next change, whatever it is.
        network.remove_link("other0")
        since = self.mark()
        self.join(group(6))
        self.wait_followed(OTHER, since=since)
        self.ping()
        self.leave(group(6))

    def test_no_trust(self):
        """What the guest wants is told, and nothing else happens."""
        host = self.link("net1")
        world = f"{SECOND_WORLD}/{network.PREFIX}", "dev", network.PEER
        self.in_world("address", "add", *world)
        self.addCleanup(self.in_world, "address", "del", *world)
        self.guest.run(f"ip link set eth1 up; ip address add {SECOND_GUEST}/{network.PREFIX} dev eth1")
        self.ping(SECOND_WORLD)
        before = network.link(host), network.multicast_list(host)
        self.set_mac(SECOND, "eth1")
        self.guest.run(f"guest-nic join-mac eth1 {group(10)}; ip link set eth1 promisc on")
        told = self.wait_told("net1", lambda guest: guest["main-mac"] == SECOND and guest["promiscuous"] and
                              group(10) in guest["multicast-table"])
        self.assertEqual({"host-interface": host, "host-synced": False}, told.details)
        self.assertEqual(before, (network.link(host), network.multicast_list(host)))
        self.assertFalse(self.guest.try_run(f"ping -c 1 -W 1 {SECOND_WORLD}"))
        self.set_mac(UNTRUSTED, "eth1")
        self.ping(SECOND_WORLD)
        self.guest.run(f"guest-nic leave-mac eth1 {group(10)}; ip link set eth1 promisc off")
        self.guest.run("ip address flush dev eth1; ip link set eth1 down")

    def in_world(self, *arguments):
        with self.network.world:
            network.ip(*arguments)


if __name__ == "__main__":
    linux.build()
    network.main()
