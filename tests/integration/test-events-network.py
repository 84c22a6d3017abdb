# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of network devices, from a real QEMU: interface Network."""
import socket

import harness
import qtest
import recipes
from recipes import ANY, text

MAC = "52:54:00:11:22:33"
OTHER_MAC = "52:54:00:44:55:66"


def virtio(device_id, bus, **properties):
    return {"driver": "virtio-net-pci", "id": device_id, "bus": bus, "mac": MAC, "romfile": "",
            **properties}


class Stream(recipes.EventCase):
    @classmethod
    def keys(cls):
        return {"machine": "none",
                "netdevs": [{"type": "stream", "id": "stream0", "server": True, "addr": {
                    "type": "unix", "path": recipes.place("stream")}}]}

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(recipes.place("stream"))
        return client

    def test_netdev_stream_connected(self):
        client = self.connect()
        self.expect("Network.NetdevConnected", "ss", "stream0", "stream",
                    details={"address": text(recipes.place("stream"))})
        # QEMU serves one at a time: it is ready for the next when it has seen the end of this one.
        client.close()
        self.expect("Network.NetdevDisconnected", "ss", "stream0", "stream")

    def test_netdev_stream_disconnected(self):
        client = self.connect()
        self.expect("Network.NetdevConnected", "ss", "stream0", "stream", details={"address": "s"})
        self.assertEqual([], self.of_domain("Network.NetdevDisconnected"))
        client.close()
        self.expect("Network.NetdevDisconnected", "ss", "stream0", "stream")


class Filter(recipes.EventCase):
    @classmethod
    def keys(cls):
        return {"devices": [virtio("net0", "pcie.0")]}

    def test_nic_rx_filter_changed(self):
        with self.domain.qtest() as connection:
            card = qtest.NetworkCard(connection)
            self.assertTrue(card.set_mac(OTHER_MAC))
            self.expect("Network.MacChanged", "sss", "net0", MAC, OTHER_MAC)
            changed = self.expect("Network.FilterChanged", "sa{sv}", "net0", ANY)
            self.assertEqual(OTHER_MAC, changed.arguments[1]["main-mac"])
            # Heard again: the service has asked for the filter.
            self.assertTrue(card.set_table(multicast=["33:33:00:00:00:01"]))
            harness.wait_until(lambda: [s for s in self.of_domain("Network.FilterChanged")
                                        if s.arguments[1]["multicast-table"] ==
                                        ["33:33:00:00:00:01"]], "the second change")


class Failover(recipes.EventCase):
    """A pair of devices: the guest uses the primary one until it migrates, then the standby."""

    @classmethod
    def keys(cls):
        return {
            "arguments": ["-device", "pcie-root-port,id=port0,chassis=1",
                          "-device", "pcie-root-port,id=port1,chassis=2"],
            "netdevs": [{"type": "hubport", "id": f"hub{i}", "hubid": i} for i in range(2)],
        }

    def negotiate(self):
        """As the guest's driver does when it knows of the feature."""
        self.domain.qmp("device_add", virtio("standby0", "port0", netdev="hub0", failover=True))
        with self.domain.qtest() as connection:
            qtest.NetworkCard(connection, features=qtest.FEATURES | qtest.FEATURE_STANDBY)
        return self.expect("Network.FailoverNegotiated", "s", "standby0")


class Negotiated(Failover):
    def test_failover_negotiated(self):
        self.negotiate()
        self.mark()
        self.assertEqual([], self.of_domain("Network.FailoverPrimaryUnplugged"))


class Unplugged(Failover):
    def test_unplug_primary(self):
        self.negotiate()
        self.domain.qmp("device_add", virtio("primary0", "port1", netdev="hub1",
                                             failover_pair_id="standby0"))
        self.domain.migrate_away()
        self.expect("Network.FailoverPrimaryUnplugged", "s", "primary0")
        self.wait("Migration.Changed", "wait-unplug")
        # A reset lets it go, as the guest would, and then it can leave.
        self.domain.qmp("system_reset")
        self.wait("Migration.Changed", "completed")


if __name__ == "__main__":
    harness.main()
