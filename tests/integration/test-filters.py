# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest does with the receive filter of its network card, told by a driver that is played
through qtest. The guest itself never runs, so nothing but the driver changes anything."""
import time

import harness
import qtest
from badcase import BadCase, note
from harness import NAME, wait_until

QUERIES_A_SECOND = 10
CHANGES = 2000
FIRST, SECOND = "52:54:00:f1:00:01", "52:54:00:f1:00:02"
GROUP = "01:00:5e:00:00:fb"
NETWORK = f"{NAME}.Network"
# The contract; main-mac and the like are checked by value where they matter.
TYPES = {"main-mac": "s", "promiscuous": "b", "unicast": "s", "multicast": "s", "vlan": "s",
         "broadcast-allowed": "b", "unicast-overflow": "b", "multicast-overflow": "b",
         "unicast-table": "as", "multicast-table": "as", "vlan-table": "au"}


def normal(filter_or_wanted):
    """Tables are sets: QEMU tells their entries in an order of its own."""
    return {key.replace("_", "-"): sorted(value) if isinstance(value, list) else value
            for key, value in filter_or_wanted.items()}


def fits(wanted, found):
    found = normal(found)
    return all(found.get(key) == value for key, value in wanted.items())


def mac(number, group=False):
    return f"{'03' if group else '52'}:54:00:00:{number >> 8:02x}:{number & 0xff:02x}"


class FilterCase(BadCase):
    interfaces = [{"id": "net0", "type": "none", "mac": FIRST}]

    def setUp(self):
        super().setUp()
        self.domain = self.create_paused("filters", **self.definition_keys())
        wait_until(self.filters, "the first look at the filters")
        self.guest = self.domain.qtest()
        self.addCleanup(self.guest.close)
        self.since = self.mark()

    def definition_keys(self):
        return {"interfaces": self.interfaces}

    def filters(self):
        return self.domain.get("Network", "Filters")

    def changed(self, nic, since=None):
        return self.recorder.find("Network.FilterChanged", nic,
                                  since=self.since if since is None else since)

    def wait_filter(self, nic="net0", since=None, **wanted):
        """Waits for a FilterChanged that has these values, and returns it."""
        wanted = normal(wanted)

        def fitting():
            return [s for s in self.changed(nic, since) if fits(wanted, s.arguments[1])]
        wait_until(fitting, f"FilterChanged of {nic} with {wanted}")
        return fitting()[0]

    def wait_property(self, nic="net0", since=None, **wanted):
        """Waits for PropertiesChanged with these values; and then the property has them as well."""
        wanted = normal(wanted)
        since = self.since if since is None else since

        def told():
            return [s for s in self.recorder.find(f"{harness.PROPERTIES}.PropertiesChanged", NETWORK,
                                                  since=since)
                    if fits(wanted, s.arguments[1]["Filters"].get(nic, {}))]
        wait_until(told, f"Filters[{nic}] with {wanted}")
        self.assertTrue(fits(wanted, self.filters()[nic]), self.filters()[nic])


class Filter(FilterCase):
    def setUp(self):
        super().setUp()
        self.card = qtest.NetworkCard(self.guest)

    def test_before_any_driver(self):
        """All there is to know can be read without waiting for an event, with the right types."""
        reply = self.connection.bus.call_sync(
            NAME, self.domain.path, harness.PROPERTIES, "Get",
            harness.GLib.Variant("(ss)", (NETWORK, "Filters")), None,
            harness.Gio.DBusCallFlags.NONE, -1, None)
        value = reply.get_child_value(0).get_variant()
        self.assertEqual("a{sa{sv}}", value.get_type_string())
        entry = value.lookup_value("net0", None)
        types = {entry.get_child_value(i).get_child_value(0).get_string():
                 entry.get_child_value(i).get_child_value(1).get_variant().get_type_string()
                 for i in range(entry.n_children())}
        self.assertEqual(TYPES, types)
        found = self.filters()["net0"]
        self.assertEqual((FIRST, True, "all", True), (found["main-mac"], found["promiscuous"],
                                                      found["vlan"], found["broadcast-allowed"]))

    def test_mac(self):
        self.assertTrue(self.card.set_mac(SECOND))
        told = self.wait_filter(main_mac=SECOND)
        self.assertEqual("sa{sv}(ttt)a{sv}", told.signature)
        self.assertEqual(set(TYPES), set(told.arguments[1]))
        changed = self.recorder.wait("Network.MacChanged", "net0", FIRST, SECOND, since=self.since)
        self.assertEqual("sss(ttt)a{sv}", changed.signature)
        self.wait_property(main_mac=SECOND)

    def test_same_mac(self):
        """A command of the guest is told although nothing is different; of the MAC there is no
        news."""
        self.card.set_mac(FIRST)
        self.wait_filter(main_mac=FIRST)
        self.card.set_mac(FIRST)
        wait_until(lambda: len(self.changed("net0")) >= 2, "the second one")
        self.mark()
        self.assertEqual([], self.recorder.find("Network.MacChanged", since=self.since))

    def test_table(self):
        self.card.set_table([SECOND, mac(7)], [GROUP])
        self.wait_filter(unicast_table=[SECOND, mac(7)], multicast_table=[GROUP],
                         unicast_overflow=False, multicast_overflow=False)
        self.wait_property(multicast_table=[GROUP])
        self.card.set_table([], [])
        self.wait_filter(unicast_table=[], multicast_table=[])

    def test_overflow(self):
        """What does not fit is no longer known by name, and that is told."""
        full = [mac(i, True) for i in range(64)]
        self.card.set_table([], full)
        self.wait_filter(multicast_table=full, multicast_overflow=False)
        self.card.set_table([], full + [mac(64, True)])
        self.wait_filter(multicast_table=[], multicast_overflow=True)
        self.card.set_table([mac(i) for i in range(65)], [])
        self.wait_filter(unicast_table=[], unicast_overflow=True, multicast_overflow=False)
        self.wait_property(unicast_overflow=True)

    def test_modes(self):
        for mode, on, wanted in (
                (qtest.RX_PROMISC, False, {"promiscuous": False}),
                (qtest.RX_ALLMULTI, True, {"multicast": "all"}),
                (qtest.RX_ALLMULTI, False, {"multicast": "normal"}),
                (qtest.RX_NOMULTI, True, {"multicast": "none"}),
                (qtest.RX_ALLUNI, True, {"unicast": "all"}),
                (qtest.RX_ALLUNI, False, {"unicast": "normal"}),
                (qtest.RX_NOUNI, True, {"unicast": "none"}),
                (qtest.RX_NOBCAST, True, {"broadcast-allowed": False}),
                (qtest.RX_NOBCAST, False, {"broadcast-allowed": True}),
                (qtest.RX_PROMISC, True, {"promiscuous": True})):
            with self.subTest(wanted=wanted):
                since = self.mark()
                self.assertTrue(self.card.set_mode(mode, on))
                self.wait_filter(since=since, **wanted)
                self.assertTrue(fits(wanted, self.filters()["net0"]))

    def test_vlan(self):
        # The driver offers to filter VLANs, so none passes until it is asked for.
        self.card.add_vlan(5)
        self.wait_filter(vlan="normal", vlan_table=[5])
        self.card.add_vlan(4094)
        self.wait_filter(vlan_table=[5, 4094])
        self.card.remove_vlan(5)
        self.wait_filter(vlan_table=[4094])
        self.wait_property(vlan_table=[4094])

    def test_refused_command(self):
        """The card refuses; nothing has changed, nothing is told."""
        self.assertFalse(self.card.command(qtest.CLASS_MAC, 99, b"\0"))
        # A good one behind it, so that there is something to wait for.
        self.card.set_mac(SECOND)
        self.wait_filter(main_mac=SECOND)
        self.mark()
        self.assertEqual(1, len(self.changed("net0")))

    def test_reset(self):
        """A reset gives the MAC back; QEMU tells nothing of it."""
        self.card.set_mac(SECOND)
        self.recorder.wait("Network.MacChanged", "net0", FIRST, SECOND, since=self.since)
        since = self.mark()
        self.domain.call("Domain", "Reset")
        self.recorder.wait("Domain.Reset", "host", since=since)
        self.recorder.wait("Network.MacChanged", "net0", SECOND, FIRST, since=since)
        self.wait_filter(since=since, main_mac=FIRST, promiscuous=True)
        self.wait_property(since=since, main_mac=FIRST)

    def test_card_is_unplugged(self):
        """No filter of a card that has gone."""
        since = self.mark()
        domain = self.create_paused("plugged", machine="pc")
        domain.attach({"driver": "virtio-net-pci", "id": "late0", "mac": SECOND})
        with domain.qtest() as guest:
            qtest.NetworkCard(guest).set_mac(mac(9))
        self.wait_filter("late0", since=since, main_mac=mac(9))
        self.assertIn("late0", domain.get("Network", "Filters"))
        pending = domain.send("Devices", "DetachDevice", "(sa{sv})", "late0", {})
        # The reset takes away what the guest was asked to let go.
        domain.call("Domain", "Reset")
        pending.result()
        self.assertEqual({}, domain.get("Network", "Filters"))
        domain.call("Domain", "Reset")
        self.assertEqual({}, domain.get("Network", "Filters"))

    def test_run_ends(self):
        self.card.set_mac(SECOND)
        self.wait_filter(main_mac=SECOND)
        domain = self.define("ends", interfaces=self.interfaces)
        domain.start()
        wait_until(lambda: domain.get("Network", "Filters"), "the first look")
        domain.destroy()
        self.assertEqual({}, domain.get("Network", "Filters"))

    def test_rate(self):
        """However fast the guest is, QEMU is asked ten times a second, and the last word counts."""
        began = time.monotonic()
        for number in range(1, CHANGES):
            self.card.set_mac(mac(number))
        self.card.set_mac(SECOND)
        self.wait_filter(main_mac=SECOND)
        self.mark()
        lasted = time.monotonic() - began
        told = self.changed("net0")
        note(f"{CHANGES} changes in {lasted:.2f} s, {len(told)} signals")
        self.assertLessEqual(len(told), lasted * QUERIES_A_SECOND + 2)
        self.assertEqual(SECOND, told[-1].arguments[1]["main-mac"])
        # Each link of the chain of addresses is where the one before ended.
        chain = [s.arguments[1:3] for s in self.recorder.find("Network.MacChanged",
                                                              since=self.since)]
        self.assertEqual(FIRST, chain[0][0])
        self.assertEqual([new for _, new in chain[:-1]], [old for old, _ in chain[1:]])
        self.assertEqual(SECOND, chain[-1][1])
        self.assertEqual(SECOND, self.filters()["net0"]["main-mac"])

    def test_latch_is_armed_again_after_restart(self):
        """A change while no service listens: QEMU tells nobody, and would not tell the next one
        either until it is asked."""
        self.card.set_mac(SECOND)
        self.wait_filter(main_mac=SECOND)
        since = self.mark()
        self.connection.kill_service()
        self.card.set_mac(mac(1))
        self.card.set_mac(mac(2))
        wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
        wait_until(lambda: self.filters().get("net0", {}).get("main-mac") == mac(2),
                   "the change that nobody was told of")
        self.recorder.wait("Monitor.Resynchronized", "service-restarted", since=since)
        self.card.set_mac(mac(3))
        self.wait_filter(since=since, main_mac=mac(3))
        self.recorder.wait("Network.MacChanged", "net0", mac(2), mac(3), since=since)
        self.wait_property(since=since, main_mac=mac(3))


class TwoCards(FilterCase):
    interfaces = [{"id": "net0", "type": "none", "mac": FIRST},
                  {"id": "net1", "type": "user", "mac": SECOND}]

    def setUp(self):
        super().setUp()
        self.cards = [qtest.NetworkCard(self.guest, 0),
                      qtest.NetworkCard(self.guest, 1, qtest.NetworkCard.MEMORY + 0x10000)]

    def test_independent(self):
        """What one does is not told of the other, and does not hold it up."""
        self.assertEqual({"net0", "net1"}, set(self.filters()))
        for number in range(1, 300):
            self.cards[0].set_mac(mac(number))
        self.cards[1].set_table([], [GROUP])
        self.cards[0].set_mac(mac(1000))
        self.wait_filter("net0", main_mac=mac(1000))
        self.wait_filter("net1", multicast_table=[GROUP])
        self.mark()
        self.assertEqual(1, len(self.changed("net1")))
        self.assertEqual([], self.recorder.find("Network.MacChanged", "net1", since=self.since))
        self.assertEqual((mac(1000), SECOND), (self.filters()["net0"]["main-mac"],
                                               self.filters()["net1"]["main-mac"]))


class OddCards(FilterCase):
    """A card without an id, beside one of another kind that has no filter to be asked for."""

    def definition_keys(self):
        return {"devices": [{"driver": "e1000", "id": "old0"},
                            {"driver": "virtio-net-pci", "mac": FIRST}]}

    def test_card_without_id(self):
        name, found = next(iter(self.filters().items()))
        self.assertEqual((1, FIRST), (len(self.filters()), found["main-mac"]))
        card = qtest.NetworkCard(self.guest)
        card.set_mac(SECOND)
        self.wait_filter(name, main_mac=SECOND)
        self.recorder.wait("Network.MacChanged", name, FIRST, SECOND, since=self.since)
        card.set_table([], [GROUP])
        self.wait_filter(name, multicast_table=[GROUP])
        self.wait_property(name, main_mac=SECOND, multicast_table=[GROUP])

    def test_other_kind_has_none(self):
        self.assertNotIn("old0", self.filters())
        domain = self.create_paused("none", devices=[{"driver": "e1000", "id": "old0"}])
        self.assertEqual({}, domain.get("Network", "Filters"))
        # That nobody can be asked is no reason to be unwell.
        domain.call("Domain", "Reset")
        self.assertEqual("paused", domain.state)


if __name__ == "__main__":
    harness.main()
