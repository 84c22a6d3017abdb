# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host follows a guest's filter before the change is told. The links are macvtaps in a namespace, the QEMU is a
real one, and the guest's driver is played through qtest."""
import time

import harness
import network
import qtest
from badcase import BadCase, note
from harness import NAME, PROPERTIES, wait_until

FIRST, SECOND, THIRD = "52:54:00:f3:00:01", "52:54:00:f3:00:02", "52:54:00:f3:00:03"
GROUP, OTHER_GROUP = "01:00:5e:00:00:fb", "33:33:00:00:00:fb"
ADMINISTRATORS = "01:00:5e:00:00:01"
OTHER_LINK = "taken0"
QUERIES_A_SECOND = 10
STORM_SECONDS = 2


def nic(trusted=True, **keys):
    return {"id": "net0", "type": "macvtap", "source": network.LOWER, "mac": FIRST,
            "trust-guest-rx-filters": trusted, **keys}


class FollowCase(network.NetworkCase, BadCase):
    def run_domain(self, *nics, **keys):
        # A persistent one: it is found again by the next service, with all that is known of it.
        self.domain = self.define("follow", machine="pc", interfaces=list(nics), **keys)
        self.domain.start(paused=True)
        wait_until(self.filters, "the first look at the filters")
        return self.domain

    def play(self):
        """The driver comes; as any driver it begins with what it does not want to receive."""
        guest = self.domain.qtest()
        self.addCleanup(guest.close)
        self.card = qtest.NetworkCard(guest)
        self.card.set_mode(qtest.RX_PROMISC, False)
        self.wait_known(promiscuous=False)
        self.since = self.mark()
        return self.card

    def filters(self):
        return self.domain.get("Network", "Filters")

    def link(self):
        return network.link(self.filters()["net0"]["host-interface"])

    def wait_known(self, **wanted):
        wanted = {key.replace("_", "-"): value for key, value in wanted.items()}
        wait_until(lambda: wanted.items() <= self.filters().get("net0", {}).items(), f"{wanted} in {self.filters()}")

    def changed(self, **wanted):
        wanted = {key.replace("_", "-"): value for key, value in wanted.items()}
        return [s for s in self.recorder.find("Network.FilterChanged", "net0", since=self.since)
                if wanted.items() <= s.arguments[1].items()]

    def wait_changed(self, **wanted):
        """The first one that has these values, since the last that was waited for."""
        wait_until(lambda: self.changed(**wanted), f"FilterChanged with {wanted}")
        told = self.changed(**wanted)[0]
        self.since = self.recorder.signals.index(told) + 1
        return told

    def assert_synced(self, told):
        """In the signal, and in the property as long as it is of the same filter."""
        self.assertEqual(True, told.details["host-synced"], told)
        self.assertNotIn("host-error", told.details)
        self.assertIn(told.details["host-interface"], network.links())


class Trusted(FollowCase):
    def setUp(self):
        super().setUp()
        self.run_domain(nic())
        self.play()
        self.name = self.filters()["net0"]["host-interface"]

    def groups(self):
        return {mac for mac, ours in network.multicast_list(self.name).items() if ours}

    def test_mac(self):
        self.card.set_mac(SECOND)
        told = self.wait_changed(main_mac=SECOND)
        # Who reads the signal can rely on it.
        self.assertEqual(SECOND, self.link()["address"])
        self.assert_synced(told)
        # Behind it.
        self.recorder.wait("Network.MacChanged", "net0", FIRST, SECOND, since=self.since)
        self.wait_known(main_mac=SECOND, host_synced=True, host_interface=self.name)

    def test_property(self):
        """What was told last, whole: never the guest's new filter with what the host did about the old one."""
        for number in range(10):
            self.card.set_mac(SECOND if number % 2 else THIRD)
            self.wait_known(main_mac=SECOND if number % 2 else THIRD)
        self.mark()
        told = [s.arguments[1]["Filters"]["net0"] for s in self.recorder.find(f"{PROPERTIES}.PropertiesChanged",
                                                                             f"{NAME}.Network", since=self.since)
                if "Filters" in s.arguments[1]]
        self.assertGreater(len(told), 5)
        for entry in told:
            self.assertEqual((True, self.name), (entry["host-synced"], entry["host-interface"]))
            self.assertNotIn("host-error", entry)

    def test_groups_and_modes(self):
        network.ip("maddress", "add", ADMINISTRATORS, "dev", self.name)
        self.card.set_table([], [GROUP])
        self.assert_synced(self.wait_changed(multicast_table=[GROUP]))
        self.assertEqual({ADMINISTRATORS, GROUP}, self.groups())
        self.card.set_table([], [OTHER_GROUP])
        self.assert_synced(self.wait_changed(multicast_table=[OTHER_GROUP]))
        self.assertEqual({ADMINISTRATORS, OTHER_GROUP}, self.groups())
        self.card.set_mode(qtest.RX_ALLMULTI, True)
        self.assert_synced(self.wait_changed(multicast="all"))
        self.assertIn("ALLMULTI", self.link()["flags"])
        self.card.set_mode(qtest.RX_ALLMULTI, False)
        self.assert_synced(self.wait_changed(multicast="normal", promiscuous=False))
        self.assertNotIn("ALLMULTI", self.link()["flags"])
        self.card.set_mode(qtest.RX_PROMISC, True)
        self.assert_synced(self.wait_changed(promiscuous=True))
        self.assertIn("PROMISC", self.link()["flags"])
        # More than the table holds: all of them.
        self.card.set_table([], [f"03:00:00:00:00:{i:02x}" for i in range(65)])
        self.assert_synced(self.wait_changed(multicast_overflow=True))
        self.assertIn("ALLMULTI", self.link()["flags"])
        self.assertEqual({ADMINISTRATORS}, self.groups())

    def test_vlan(self):
        self.card.add_vlan(7)
        self.assert_synced(self.wait_changed(vlan_table=[7]))
        self.assertIn("PROMISC", self.link()["flags"])
        self.card.remove_vlan(7)
        self.assert_synced(self.wait_changed(vlan_table=[], main_mac=FIRST, promiscuous=False))
        wait_until(lambda: "PROMISC" not in self.link()["flags"], "the link to be as before")

    def test_reset(self):
        """It takes the guest's filter back, and QEMU does not say so."""
        self.card.set_mac(SECOND)
        self.card.set_table([], [GROUP])
        self.wait_changed(main_mac=SECOND, multicast_table=[GROUP])
        self.domain.qmp("system_reset")
        told = self.wait_changed(main_mac=FIRST)
        self.assert_synced(told)
        self.assertEqual("resync", told.details["reason"])
        self.assertEqual((FIRST, set()), (self.link()["address"], self.groups()))

    def test_address_in_use(self):
        """Told, and tried again with the next change."""
        network.ip("link", "add", OTHER_LINK, "link", network.LOWER, "address", SECOND, "type", "macvtap", "mode",
                   "bridge")
        self.addCleanup(network.remove_link, OTHER_LINK)
        network.ip("link", "set", OTHER_LINK, "up")
        self.card.set_mac(SECOND)
        told = self.wait_changed(main_mac=SECOND)
        self.assertEqual((False, self.name), (told.details["host-synced"], told.details["host-interface"]))
        self.assertIn(OTHER_LINK, told.details["host-error"])
        self.wait_known(host_synced=False, host_error=told.details["host-error"])
        self.assertEqual(FIRST, self.link()["address"])
        network.remove_link(OTHER_LINK)
        self.card.set_table([], [GROUP])
        self.assert_synced(self.wait_changed(multicast_table=[GROUP]))
        self.assertEqual((SECOND, {GROUP}), (self.link()["address"], self.groups()))
        self.assertNotIn("host-error", self.filters()["net0"])

    def test_link_deleted(self):
        """Told at once, and again when there is something to follow."""
        network.remove_link(self.name)
        told = self.wait_changed(multicast_table=[])
        self.assertEqual("resync", told.details["reason"])
        self.assertIn("gone", told.details["host-error"])
        self.card.set_mac(SECOND)
        told = self.wait_changed(main_mac=SECOND)
        self.assertEqual((False, self.name), (told.details["host-synced"], told.details["host-interface"]))
        self.assertIn("gone", told.details["host-error"])

    def test_next_service(self):
        """It goes on where the one before it was killed, and takes out what that one has put in."""
        network.ip("maddress", "add", ADMINISTRATORS, "dev", self.name)
        self.card.set_table([], [GROUP])
        self.wait_changed(multicast_table=[GROUP])
        self.connection.kill_service()
        self.card.set_mac(SECOND)
        self.card.set_table([], [OTHER_GROUP])
        self.since = self.mark()
        wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
        self.wait_known(main_mac=SECOND, multicast_table=[OTHER_GROUP], host_synced=True, host_interface=self.name)
        self.assertEqual((SECOND, {ADMINISTRATORS, OTHER_GROUP}), (self.link()["address"], self.groups()))
        self.card.set_table([], [])
        self.assert_synced(self.wait_changed(multicast_table=[]))
        self.assertEqual({ADMINISTRATORS}, self.groups())

    def test_saved(self):
        """A guest that is restored has its filter as it was, and stands on another link."""
        self.card.set_mac(SECOND)
        self.card.set_table([], [GROUP])
        self.wait_changed(main_mac=SECOND, multicast_table=[GROUP])
        self.domain.save()
        self.assertEqual({}, self.filters())
        self.domain.start(paused=True)
        self.wait_known(main_mac=SECOND, multicast_table=[GROUP], host_synced=True)
        self.assertNotEqual(self.name, self.link()["ifname"])
        self.assertEqual(SECOND, self.link()["address"])
        self.assertIn(GROUP, network.multicast_list(self.link()["ifname"]))

    def test_storm(self):
        """A guest that does nothing else: what it costs is bounded, and its last state is what counts."""
        begin, since = time.monotonic(), self.since
        number = 0
        while time.monotonic() < begin + STORM_SECONDS:
            self.card.set_mac(SECOND if number % 2 else THIRD)
            number += 1
        self.card.set_mac(SECOND)
        self.card.set_table([], [GROUP])
        self.assert_synced(self.wait_changed(multicast_table=[GROUP]))
        told, seconds = len(self.recorder.find("Network.FilterChanged", since=since)), time.monotonic() - begin
        self.assertLessEqual(told, seconds * QUERIES_A_SECOND + 2)
        self.assertEqual((SECOND, {GROUP}), (self.link()["address"], self.groups()))
        note(f"{number} changes in {seconds:.1f} s, told {told} times")

    def test_time(self):
        """From the guest's change to the signal, each on its own."""
        times = []
        begin = time.monotonic()
        for i in range(20):
            mac = f"52:54:00:f3:01:{i:02x}"
            # Not within the limit of the one before.
            wait_until(lambda: time.monotonic() > begin + 2 / QUERIES_A_SECOND, "the next turn")
            begin = time.monotonic()
            self.card.set_mac(mac)
            self.wait_changed(main_mac=mac)
            times.append((time.monotonic() - begin) * 1000)
            self.assertEqual(mac, self.link()["address"])
        times.sort()
        note(f"from the guest's change to FilterChanged: median {times[len(times) // 2]:.1f} ms, at most "
             f"{times[-1]:.1f} ms")


class Untrusted(FollowCase):
    def test_untouched(self):
        self.run_domain(nic(trusted=False))
        before = self.link()
        self.play()
        self.card.set_mac(SECOND)
        told = self.wait_changed(main_mac=SECOND)
        self.assertEqual((False, before["ifname"]), (told.details["host-synced"], told.details["host-interface"]))
        self.assertNotIn("host-error", told.details)
        self.card.set_table([], [GROUP])
        self.card.set_mode(qtest.RX_ALLMULTI, True)
        self.wait_changed(multicast="all", multicast_table=[GROUP])
        after = self.link()
        self.assertEqual((FIRST, before["flags"]), (after["address"], after["flags"]))
        self.assertNotIn(GROUP, network.multicast_list(after["ifname"]))
        # What is as it should be, whoever has seen to it, is told so.
        self.card.set_table([], [])
        self.card.set_mode(qtest.RX_ALLMULTI, False)
        self.card.set_mac(FIRST)
        self.assertTrue(self.wait_changed(main_mac=FIRST, multicast="normal", multicast_table=[])
                        .details["host-synced"])


class Others(FollowCase):
    def test_plugged_in(self):
        """It is followed at once: a card wants everything, as long as no driver says what."""
        self.run_domain({"id": "other", "type": "none"})
        self.domain.attach_interface(nic())
        self.wait_known(promiscuous=True, host_synced=True)
        self.assertIn("PROMISC", self.link()["flags"])

    def test_bridge(self):
        """A tap at a bridge that finds its guest by itself."""
        self.add_bridge("bridge0")
        self.run_domain(nic(type="bridge", source="bridge0"))
        self.play()
        self.card.set_mac(SECOND)
        self.assert_synced(self.wait_changed(main_mac=SECOND))
        name = self.filters()["net0"]["host-interface"]
        self.assertEqual([], network.forwarding_table(name))
        network.ip("link", "set", "dev", name, "learning", "off", program="bridge")
        self.card.set_mac(THIRD)
        self.assert_synced(self.wait_changed(main_mac=THIRD))
        self.assertEqual([THIRD], network.forwarding_table(name))


if __name__ == "__main__":
    network.main()
