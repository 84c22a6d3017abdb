# SPDX-License-Identifier: LGPL-2.1-or-later
"""Both sides of a network card beside each other, by GetInterfaces and by vmheraldctl; and interfaces that are plugged in.
A guest's driver is played through qtest."""
import json
import os
import signal
import subprocess

import harness
import network
import qtest
from badcase import note
from harness import wait_until

FIRST, SECOND, GROUP = "52:54:00:f2:00:01", "52:54:00:f2:00:02", "01:00:5e:00:00:fb"
BRIDGE = "bridge0"
GUEST_KEYS = {"main-mac", "promiscuous", "unicast", "multicast", "vlan", "broadcast-allowed", "unicast-overflow",
              "multicast-overflow", "unicast-table", "multicast-table", "vlan-table"}


def interfaces(domain):
    return domain.call("Network", "GetInterfaces", "(a{sv})", {})


def shown(domain):
    """The rows of vmheraldctl nics: (card, filter) -> the rest, of an address a list."""
    done = subprocess.run(["vmheraldctl", "nics", domain.name], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        card, part, *rest = line.split("\t")
        found.setdefault((card, part), []).append(tuple(rest))
    return found


class Nics(harness.ServiceCase):
    """Without a link on the host."""

    def run_domain(self, name, *nics, **keys):
        domain = self.define(name, interfaces=list(nics), **keys)
        domain.start(paused=True)
        wait_until(lambda: domain.get("Network", "Filters"), "the first look at the filters")
        return domain

    def test_guest_alone(self):
        domain = self.run_domain("alone", {"id": "net0", "type": "none", "mac": FIRST, "trust-guest-rx-filters": True},
                                 {"id": "net1", "type": "user", "mac": SECOND, "model": "e1000"},
                                 devices=[{"driver": "virtio-net-pci", "id": "other"}])
        found = interfaces(domain)
        self.assertEqual({"net0", "net1", "other"}, set(found))
        self.assertEqual(GUEST_KEYS, set(found["net0"].pop("guest")))
        self.assertEqual({"type": "none", "model": "virtio-net-pci", "mac": FIRST, "queues": 1, "vhost": False,
                          "trusted": True, "differences": []}, found["net0"])
        # QEMU tells no filter of this one,
        self.assertEqual({"type": "user", "model": "e1000", "mac": SECOND, "queues": 1, "vhost": False,
                          "trusted": False, "differences": []}, found["net1"])
        # and of that one nothing is known but its filter.
        self.assertEqual({"guest", "differences"}, set(found["other"]))
        rows = shown(domain)
        self.assertEqual([(FIRST, "-", "-")], rows["net0", "mac"])
        self.assertEqual([("e1000", "user", "-")], rows["net1", "kind"])
        self.assertNotIn(("net1", "mac"), rows)

    def test_unannounced(self):
        """A change that no event has told is seen all the same, and the events go on."""
        domain = self.run_domain("fresh", {"id": "net0", "type": "none", "mac": FIRST})
        guest = domain.qtest()
        self.addCleanup(guest.close)
        card = qtest.NetworkCard(guest)
        card.set_mac(SECOND)
        wait_until(lambda: interfaces(domain)["net0"]["guest"]["main-mac"] == SECOND, "the guest's MAC")
        self.recorder.wait("Network.MacChanged", "net0", FIRST, SECOND)
        # The MAC goes back without an event.
        domain.qmp("system_reset")
        wait_until(lambda: interfaces(domain)["net0"]["guest"]["main-mac"] == FIRST, "the first MAC again")

    def test_refused(self):
        domain = self.define("off", interfaces=[{"type": "none"}])
        self.assert_fails("WrongState", interfaces, domain)
        self.assert_fails("InvalidArgument", domain.call, "Network", "GetInterfaces", "(a{sv})",
                          harness.options(fresh=True))

    def test_hung(self):
        """Of a QEMU that does not answer what was seen last."""
        domain = self.run_domain("hung", {"id": "net0", "type": "none", "mac": FIRST})
        pid = domain.get("Domain", "PID")
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        self.assertEqual(FIRST, interfaces(domain)["net0"]["guest"]["main-mac"])


class Links(network.NetworkCase):
    """With one."""

    def setUp(self):
        super().setUp()
        network.add_bridge(BRIDGE)
        self.addCleanup(network.remove_link, BRIDGE)

    def run_domain(self, *nics):
        domain = self.define("links", machine="pc", interfaces=list(nics))
        domain.start(paused=True)
        wait_until(lambda: domain.get("Network", "Filters"), "the first look at the filters")
        return domain

    def guest(self, domain):
        guest = domain.qtest()
        self.addCleanup(guest.close)
        return qtest.NetworkCard(guest)

    def test_not_trusted(self):
        """What the guest wants and the host does not do is shown, on both faces."""
        domain = self.run_domain({"id": "net0", "type": "macvtap", "source": network.LOWER, "mac": FIRST})
        card = self.guest(domain)
        before = interfaces(domain)["net0"]
        self.assertEqual(("macvtap", network.LOWER, "bridge", FIRST, False),
                         tuple(before[key] for key in ("type", "source", "mode", "mac", "trusted")))
        self.assertEqual((FIRST, True), (before["host"]["mac"], before["host"]["up"]))
        self.assertEqual({"mac", "up", "promiscuous", "all-multicast", "multicast", "multicast-table"},
                         set(before["host"]))
        self.assertIn(before["host-interface"], network.links())
        card.set_mac(SECOND)
        card.set_table([], [GROUP])
        card.set_mode(0, False)
        wait_until(lambda: {"mac", "multicast-table"} <= set(interfaces(domain)["net0"]["differences"]),
                   "the differences")
        after = interfaces(domain)["net0"]
        self.assertEqual((SECOND, FIRST), (after["guest"]["main-mac"], after["host"]["mac"]))
        self.assertEqual(([GROUP], []), (after["guest"]["multicast-table"], after["host"]["multicast-table"]))
        rows = shown(domain)
        self.assertEqual([(SECOND, FIRST, "differs")], rows["net0", "mac"])
        self.assertEqual([(GROUP, "-", "differs")], rows["net0", "multicast-table"])
        self.assertEqual([("off", "-", "-")], rows["net0", "trusted"])
        # What somebody brings into line by hand is in line.
        network.ip("link", "set", before["host-interface"], "address", SECOND)
        self.assertNotIn("mac", interfaces(domain)["net0"]["differences"])

    def test_link_gone(self):
        domain = self.run_domain({"id": "net0", "type": "macvtap", "source": network.LOWER, "mac": FIRST},
                                 {"id": "net1", "type": "macvtap", "source": network.LOWER, "mac": SECOND})
        name = interfaces(domain)["net0"]["host-interface"]
        network.remove_link(name)
        found = interfaces(domain)
        self.assertNotIn("host", found["net0"])
        self.assertIn(name, found["net0"]["host-error"])
        self.assertEqual(SECOND, found["net1"]["host"]["mac"])
        self.assertIn(("net0", "error"), shown(domain))

    def test_bridge(self):
        domain = self.run_domain({"id": "net0", "type": "bridge", "source": BRIDGE, "mac": FIRST})
        found = interfaces(domain)["net0"]
        self.assertEqual(({"mac", "up", "learning", "unicast-flood", "forwarding"}, []),
                         (set(found["host"]), found["differences"]))
        network.ip("link", "set", "dev", found["host-interface"], "learning", "off", program="bridge")
        self.assertEqual(["forwarding"], interfaces(domain)["net0"]["differences"])
        self.assertEqual([("-", "-", "differs")], shown(domain)["net0", "forwarding"])

    def test_no_such_source(self):
        """Named, at a start and when it is plugged in; and nothing of it stays."""
        domain = self.run_domain({"id": "net0", "type": "none", "mac": FIRST})
        for interface in ({"type": "bridge", "source": "no-such"}, {"type": "macvtap", "source": "no-such"},
                          {"type": "tap", "source": "no-such"}, {"type": "bridge", "source": network.LOWER}):
            links = set(network.links())
            self.assertIn(interface["source"], self.assert_fails("Io", domain.attach_interface, interface,
                                                                 affect="both"))
            other = self.define("other", interfaces=[interface])
            self.assertIn(interface["source"], self.assert_fails("StartFailed", other.start))
            other.undefine()
            self.assertEqual(links, set(network.links()))
        self.assertEqual({"net0"}, set(interfaces(domain)))

    def test_most_queues(self):
        """As many as there may be, at a start; one more is refused."""
        most = [{"id": f"net{i}", "type": "tap", "queues": 16} for i in range(8)]
        domain = self.run_domain(*most)
        self.assertEqual([16] * 8, [nic["queues"] for nic in interfaces(domain).values()])
        links = set(network.links())
        self.assertIn("129", self.assert_fails("LimitExceeded", domain.attach_interface, {"type": "tap"}))
        self.assertEqual(links, set(network.links()))

    def test_plugged_in(self):
        """In what runs and in the definition, with the same address, as the tool does it."""
        domain = self.run_domain({"id": "net0", "type": "none", "mac": FIRST})
        done = subprocess.run(["vmheraldctl", "attach", "links", "--live", "--config",
                               f"--interface=macvtap,source={network.LOWER},mode=vepa"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        self.assertEqual("net1\n", done.stdout)
        found = interfaces(domain)["net1"]
        self.assertEqual(("macvtap", "vepa", found["mac"]), (found["type"], found["mode"], found["host"]["mac"]))
        written = json.loads(domain.call("Domain", "GetDefinition", "(a{sv})", {}))["interfaces"][1]
        self.assertEqual({"id": "net1", "type": "macvtap", "source": network.LOWER, "mode": "vepa",
                          "mac": found["mac"]}, written)
        domain.destroy()
        domain.start(paused=True)
        again = interfaces(domain)["net1"]
        self.assertEqual((found["mac"], found["mac"]), (again["mac"], again["host"]["mac"]))
        self.assertNotEqual(found["host-interface"], again["host-interface"])
        note(f"links of the two runs: {found['host-interface']}, {again['host-interface']}")


if __name__ == "__main__":
    network.main()
