# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real guest changes what its NIC is to receive: on a bridge, which mostly finds it by itself, and where no
link of the host is behind the NIC."""
import follow
import linux
import network
from follow import FIRST, OTHER, SECOND, THIRD, group
from harness import wait_until
from network import LOWER


class BridgePort(follow.FollowCase):
    """A bridge finds the guest by itself, if it may."""

    interfaces = [{"id": "net0", "type": "bridge", "source": "bridge0", "mac": FIRST,
                   "trust-guest-rx-filters": True}]

    @classmethod
    def prepare_network(cls):
        network.add_bridge("bridge0", LOWER)
        cls.addClassCleanup(network.remove_link, "bridge0")

    def setUp(self):
        super().setUp()
        self.host = self.link()
        self.addCleanup(self.set_mac, FIRST)

    def test_nothing_is_needed(self):
        self.ping()
        before = network.link(self.host), network.multicast_list(self.host)
        self.set_mac(SECOND)
        self.wait_synced("net0", lambda guest: guest["main-mac"] == SECOND)
        self.ping()
        self.guest.run(f"guest-nic join-mac eth0 {group(1)}; guest-nic add-address eth0 {OTHER}")
        self.wait_synced("net0", lambda guest: group(1) in guest["multicast-table"] and
                         OTHER in guest["unicast-table"])
        with follow.Ears(self) as ears:
            ears.wait(group(1))
            ears.wait(OTHER)
        self.assertEqual([], network.forwarding_table(self.host))
        self.assertEqual(before, (network.link(self.host), network.multicast_list(self.host)))
        self.guest.run(f"guest-nic leave-mac eth0 {group(1)}; guest-nic remove-address eth0 {OTHER}")

    def set_port(self, learning, flood):
        network.ip("link", "set", "dev", self.host, "learning", learning, "flood", flood, program="bridge")
        # What it has learned before.
        network.ip("fdb", "flush", "dev", self.host, "master", program="bridge")

    def wait_table(self, *addresses):
        wait_until(lambda: network.forwarding_table(self.host) == sorted(addresses),
                   f"the bridge to be told of {addresses}")

    def test_port_that_does_not_learn(self):
        """Static entries are what it goes by."""
        self.addCleanup(self.set_port, "on", "on")
        self.set_port("off", "off")
        self.set_mac(SECOND)
        self.wait_synced("net0", lambda guest: guest["main-mac"] == SECOND)
        self.assertEqual([SECOND], network.forwarding_table(self.host))
        self.ping()
        self.guest.run(f"guest-nic add-address eth0 {OTHER}")
        self.wait_table(SECOND, OTHER)
        with follow.Ears(self) as ears:
            ears.wait(OTHER)
        self.guest.run(f"guest-nic remove-address eth0 {OTHER}")
        self.wait_table(SECOND)
        self.set_mac(THIRD)
        self.wait_table(THIRD)
        self.ping()
        # It is found by itself again: what was put there goes.
        self.set_port("on", "on")
        self.set_mac(OTHER)
        self.wait_table()
        self.ping()


class UserNetwork(follow.FollowCase):
    """There is no link on the host: the filter is told, and there is nothing to follow it."""

    stands_on_links = False
    interfaces = [{"id": "net0", "type": "user", "mac": FIRST, "trust-guest-rx-filters": True}]
    # QEMU's own network has others.
    WORLD, GUEST = "10.0.2.2", "10.0.2.15/24"

    def test_user_network(self):
        self.guest.run(f"ip address add {self.GUEST} dev eth0")
        self.ping(self.WORLD)
        self.set_mac(SECOND)
        self.recorder.wait("Network.MacChanged", "net0", FIRST, SECOND, since=self.since)
        self.ping(self.WORLD)
        self.guest.run(f"guest-nic join-mac eth0 {group(1)}")
        told = self.wait_told("net0", lambda guest: group(1) in guest["multicast-table"])
        self.assertEqual([], [key for key in told.details if key.startswith("host-")])


if __name__ == "__main__":
    linux.build()
    network.main()
