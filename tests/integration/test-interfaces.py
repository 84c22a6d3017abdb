# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces that stand on links of the host: those links come with QEMU or with the NIC, and go with it, whoever is
killed in between. In a network namespace of the script's own.

    VMHERALD_TEST_SEED   another seed for the moments of the kills"""
import contextlib
import json
import os
import random
import signal
import time

import harness
import life
import network
from client import options
from harness import NAME, folder, wait_until
from network import LOWER, ip, link, links
from processes import end_process, qemus_of, wait_for_end

SEED = int(os.environ.get("VMHERALD_TEST_SEED", "1"))
KILLS = 20
CYCLES = 50
# The moments are spread over a little more than what is done then takes here and now.
SPREAD = 1.25

FIRST_FD = 256                   # of an interface, in QEMU
MODES = ["bridge", "vepa", "private", "passthru"]
# As in test-devices.py: natively a guest that stands still lets go at once, by ACPI it does not.
PORTS = [*(argument for n in range(2) for argument in
           ("-device", f"pcie-root-port,id=port{n},chassis={n + 1}"))]
NATIVE = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]


def macvtap(nic="net0", **keys):
    return {"id": nic, "type": "macvtap", "source": LOWER, **keys}


def alias(domain, nic="net0"):
    return f"vmherald: {domain.name} {nic}"


def link_of(domain, nic="net0"):
    """The link of a NIC, by what it says of itself; None if there is none."""
    found = [link for link in links().values() if link.get("ifalias") == alias(domain, nic)]
    return found[0] if found else None


def descriptors(pid):
    """Numbers of the descriptors that QEMU has for its interfaces."""
    # What it opens itself has the lowest numbers that are free.
    return [number for number in range(FIRST_FD, FIRST_FD + 128)
            if os.path.islink(f"/proc/{pid}/fd/{number}")]


class Case(network.NetworkCase):
    def setUp(self):
        super().setUp()
        self.before = set(links())

    def made(self):
        """Names of links that were made since."""
        return set(links()) - self.before

    def start(self, name, *interfaces, **keys):
        domain = self.define(name, interfaces=list(interfaces), **keys)
        domain.start(paused=True)
        return domain

    def document(self, domain):
        return json.loads(domain.call("Domain", "GetDefinition", "(a{sv})", options(live=True)))


class Start(Case):
    def test_macvtap(self):
        """Each mode: on the source, with the guest's address, up, with its name."""
        for mode in MODES:
            with self.subTest(mode=mode):
                domain = self.start(f"m-{mode}", macvtap(mode=mode, mac="52:54:00:00:00:01"))
                found = link_of(domain)
                self.assertEqual(LOWER, found["link"])
                self.assertEqual("macvtap", found["linkinfo"]["info_kind"])
                self.assertEqual(mode, found["linkinfo"]["info_data"]["mode"])
                self.assertEqual("52:54:00:00:00:01", found["address"])
                self.assertIn("UP", found["flags"])
                self.assertEqual([FIRST_FD], descriptors(domain.get("Domain", "PID")))
                domain.destroy()
                self.assertEqual(set(), self.made())

    def test_bridge(self):
        self.add_bridge("br0")
        self.before = set(links())
        domain = self.start("b", {"id": "net0", "type": "bridge", "source": "br0"})
        found = link_of(domain)
        self.assertEqual("br0", found["master"])
        self.assertEqual("tun", found["linkinfo"]["info_kind"])
        self.assertIn("UP", found["flags"])
        domain.destroy()
        self.assertEqual(set(), self.made())

    def test_tap(self):
        domain = self.start("t", {"id": "net0", "type": "tap"})
        self.assertIn("UP", link_of(domain)["flags"])
        domain.destroy()
        self.assertEqual(set(), self.made())

    def test_foreign_tap(self):
        """One that somebody else has made is taken as it is, and stays."""
        ip("tuntap", "add", "given0", "mode", "tap")
        self.addCleanup(network.remove_link, "given0")
        self.before = set(links())
        domain = self.start("f", {"id": "net0", "type": "tap", "source": "given0"})
        self.assertEqual(set(), self.made())
        self.assertEqual([FIRST_FD], descriptors(domain.get("Domain", "PID")))
        domain.destroy()
        self.assertIsNotNone(link("given0"))

    def test_queues(self):
        """Each has a descriptor, and QEMU knows them all."""
        domain = self.start("q", macvtap(queues=2), {"id": "net1", "type": "tap", "queues": 3})
        self.assertEqual(list(range(FIRST_FD, FIRST_FD + 5)), descriptors(domain.get("Domain", "PID")))
        told = domain.hmp("info network")
        self.assertEqual(2, told.count("host-net0: index"), told)
        self.assertEqual(3, told.count("host-net1: index"), told)
        domain.destroy()
        self.assertEqual(set(), self.made())

    def test_all_at_once(self):
        """Several, with what a caller passes beside them."""
        self.add_bridge("br0")
        self.before = set(links())
        domain = self.start("all", macvtap("a"), {"id": "b", "type": "bridge", "source": "br0"},
                            {"id": "c", "type": "user"}, {"id": "d", "type": "tap"}, {"id": "e", "type": "none"})
        self.assertEqual(3, len(self.made()))
        self.assertEqual({"a", "b", "c", "d", "e"}, set(domain.get("Devices", "Devices")))
        domain.destroy()
        self.assertEqual(set(), self.made())

    def test_command_line(self):
        """It shows the numbers before there is a link, and the same while it runs."""
        domain = self.define("line", interfaces=[macvtap(queues=2)])
        def read():
            return domain.call("Domain", "GetDefinition", "(a{sv})", options(command_line=True))

        text = read()
        self.assertIn(f'"fds":"{FIRST_FD}:{FIRST_FD + 1}"', text)
        self.assertEqual(set(), self.made())
        domain.start(paused=True)
        self.assertEqual(text, read())

    def refuse_start(self, name, *interfaces):
        domain = self.define(name, interfaces=list(interfaces))
        text = self.assert_fails("StartFailed", domain.start)
        self.assertEqual(self.before, set(links()))
        self.assertEqual([], qemus_of(folder()))
        self.assertEqual("shut-off", domain.state)
        return text

    def test_refused(self):
        """The error names the interface and what is wrong with it; what was made before it is gone."""
        tap = {"id": "net0", "type": "tap"}
        text = self.refuse_start("source", tap, macvtap("net1", source="nowhere"))
        self.assertIn("interface 'net1': ", text)
        self.assertIn("nowhere", text)
        text = self.refuse_start("bridge", macvtap(), {"id": "net1", "type": "bridge", "source": LOWER})
        self.assertIn(f"interface 'net1': {LOWER} is not a bridge", text)
        text = self.refuse_start("tap", tap, {"id": "net1", "type": "tap", "source": LOWER})
        self.assertIn("interface 'net1': ", text)
        self.assertIn(LOWER, text)
        text = self.assert_fails("InvalidDefinition", self.define, "long",
                                 interfaces=[macvtap(source="a" * 16)])
        self.assertIn("interfaces[0].source", text)

    def test_address_in_use(self):
        mac = "52:54:00:00:00:07"
        first = self.start("first", macvtap(mac=mac))
        self.before = set(links())
        domain = self.define("second", interfaces=[macvtap(mac=mac)])
        text = self.assert_fails("StartFailed", domain.start)
        self.assertIn("interface 'net0': ", text)
        self.assertIn(mac, text)
        self.assertEqual(self.before, set(links()))
        first.destroy()
        domain.start(paused=True)

    def test_lower_in_use(self):
        """A link gives itself to one macvtap in mode passthru."""
        first = self.start("first", macvtap(mode="passthru"))
        self.before = set(links())
        domain = self.define("second", interfaces=[macvtap(mode="passthru")])
        self.assertIn("interface 'net0': ", self.assert_fails("StartFailed", domain.start))
        self.assertEqual(self.before, set(links()))
        # Who hears that it has stopped finds the link free.
        since = len(self.recorder.signals)
        first.send("Domain", "Destroy", "(a{sv})", {})
        self.recorder.wait("Domain.Lifecycle", "stopped", path=first.path, since=since)
        domain.start(paused=True)

    def test_refused_by_qemu(self):
        domain = self.define("bad", interfaces=[macvtap(bus="nowhere")])
        self.assertIn("nowhere", self.assert_fails("StartFailed", domain.start))
        self.assertEqual(set(), self.made())


class Life(Case):
    def test_qemu_is_killed(self):
        domain = self.start("k", macvtap(), {"id": "net1", "type": "tap"})
        end_process(domain.get("Domain", "PID"))
        self.recorder.wait("Domain.Lifecycle", "stopped", path=domain.path)
        self.assertEqual(set(), self.made())

    def test_guest_goes(self):
        domain = self.start("g", macvtap(), arguments=["-no-shutdown"], on_shutdown="stop")
        domain.qmp("quit")
        self.recorder.wait("Domain.Lifecycle", "stopped", path=domain.path)
        self.assertEqual(set(), self.made())

    def test_reset(self):
        """The link stays what it is."""
        domain = self.start("r", macvtap())
        index = link_of(domain)["ifindex"]
        domain.call("Domain", "Reset")
        self.recorder.wait("Domain.Reset", path=domain.path)
        self.assertEqual(index, link_of(domain)["ifindex"])

    def test_link_is_deleted(self):
        domain = self.start("d", macvtap())
        network.remove_link(link_of(domain)["ifname"])
        domain.destroy()
        self.assertEqual(set(), self.made())

    def test_service_is_killed(self):
        """The next one knows of it, and removes it at the end."""
        domain = self.start("s", macvtap(), {"id": "net1", "type": "tap"})
        made = self.made()
        self.connection.kill_service()
        self.assertEqual(made, self.made())
        wait_until(lambda: domain.state == "paused", "it to be found again")
        self.assertEqual(made, self.made())
        domain.destroy()
        self.assertEqual(set(), self.made())

    def test_both_are_killed(self):
        domain = self.start("s", macvtap())
        pid = domain.get("Domain", "PID")
        self.connection.kill_service()
        end_process(pid)
        self.assertEqual(1, len(self.made()))
        wait_until(lambda: domain.state == "shut-off", "the end to be found")
        self.assertEqual(set(), self.made())

    def test_redefined(self):
        """What runs stays, and goes when it stops; the next start is that of the new definition."""
        domain = self.start("d", macvtap("old"))
        uuid = domain.get("Domain", "UUID")
        self.define("d", uuid=uuid, interfaces=[{"id": "new", "type": "tap"}])
        self.assertIsNotNone(link_of(domain, "old"))
        domain.destroy()
        self.assertEqual(set(), self.made())
        domain.start(paused=True)
        self.assertIsNone(link_of(domain, "old"))
        self.assertIsNotNone(link_of(domain, "new"))

    def test_save(self):
        """Restored, it has a link of the same kind and address; one that was plugged in, too."""
        domain = self.start("s", macvtap("net0", mac="52:54:00:00:00:01", bus="port0"), machine="q35",
                            arguments=PORTS + NATIVE)
        domain.attach_interface(macvtap("net1", mac="52:54:00:00:00:02", bus="port1"))
        before = link_of(domain)["ifindex"]
        domain.save()
        self.assertEqual("shut-off", domain.state)
        self.assertEqual(set(), self.made())
        domain.start(paused=True)
        self.assertNotEqual(before, link_of(domain)["ifindex"])
        self.assertEqual("52:54:00:00:00:01", link_of(domain)["address"])
        self.assertEqual("52:54:00:00:00:02", link_of(domain, "net1")["address"])
        domain.destroy()
        self.assertEqual(set(), self.made())

    def test_save_fails_at_restore(self):
        """What is wrong with an interface is told, and the state is kept."""
        self.add_bridge("br0")
        domain = self.start("s", {"id": "net0", "type": "bridge", "source": "br0"})
        domain.save()
        network.remove_link("br0")
        self.assertIn("interface 'net0': ", self.assert_fails("StartFailed", domain.start))
        self.assertTrue(domain.get("Domain", "HasSavedState"))
        self.add_bridge("br0")
        domain.start(paused=True)


class Hotplug(Case):
    def setUp(self):
        super().setUp()
        self.domain = self.start("h", machine="q35", arguments=PORTS + NATIVE)

    def netdevs(self):
        return self.domain.hmp("info network")

    def assert_nothing(self):
        self.assertEqual(set(), self.made())
        self.assertNotIn("host-", self.netdevs())
        self.assertNotIn("interfaces", self.document(self.domain))

    def test_plug(self):
        self.add_bridge("br0")
        self.before = set(links())
        for interface in (macvtap("n"), macvtap("n", queues=2), {"id": "n", "type": "bridge", "source": "br0"},
                          {"id": "n", "type": "tap"}, {"id": "n", "type": "user"}, {"id": "n", "type": "none"}):
            with self.subTest(interface=interface):
                has_link = interface["type"] in ("macvtap", "bridge", "tap")
                self.assertEqual("n", self.domain.attach_interface({**interface, "bus": "port0"}))
                self.assertEqual(has_link, link_of(self.domain, "n") is not None)
                self.assertEqual(interface["type"] != "none", "host-n" in self.netdevs())
                self.assertIn("n", self.domain.get("Devices", "Devices"))
                self.assertEqual(["n"], [i["id"] for i in self.document(self.domain)["interfaces"]])
                self.domain.detach("n")
                self.assert_nothing()

    def test_without_id(self):
        self.assertEqual("net0", self.domain.attach_interface({"type": "macvtap", "source": LOWER, "bus": "port0"}))
        self.assertIsNotNone(link_of(self.domain))

    def test_refused(self):
        """Whoever refuses, nothing is left of it."""
        text = self.assert_fails("Io", self.domain.attach_interface, macvtap("n", source="nowhere", bus="port0"))
        self.assertIn("interface 'n': ", text)
        self.assert_nothing()
        for wrong in ({"bus": "nowhere"}, {"model": "nothing"}):
            self.assert_fails("QemuError", self.domain.attach_interface, macvtap("n", **wrong))
            self.assert_nothing()
        # The names of the descriptors are free, too.
        self.domain.attach_interface(macvtap("n", bus="port0"))
        self.assert_fails("DeviceExists", self.domain.attach_interface, macvtap("n", bus="port1"))
        self.assertEqual(1, len(self.made()))

    def test_guest_refuses(self):
        """By ACPI a guest that stands still does not let go: the link stays with the NIC."""
        domain = self.start("acpi", macvtap("n", bus="port0"), machine="q35", arguments=PORTS)
        self.assert_fails("Timeout", domain.detach, "n", timeout=200000)
        self.assertIsNotNone(link_of(domain, "n"))
        self.assertIn("host-n", domain.hmp("info network"))
        domain.destroy()
        self.assertEqual(set(), self.made())

    def test_unplugged_past_the_service(self):
        """By a client's own device_del."""
        self.domain.attach_interface(macvtap("n", bus="port0"))
        self.domain.qmp("device_del", {"id": "n"})
        self.recorder.wait("Devices.DeviceRemoved", "n", path=self.domain.path)
        self.assertEqual(set(), self.made())
        wait_until(lambda: "interfaces" not in self.document(self.domain), "the definition to follow")
        self.assert_nothing()

    def test_unplugged_while_away(self):
        self.domain.attach_interface(macvtap("n", bus="port0"))
        domain = self.start("second", machine="q35",
                            arguments=PORTS + NATIVE + life.second_monitor("second"))
        domain.attach_interface(macvtap("m", bus="port0"))
        with contextlib.closing(life.SecondMonitor("second")) as monitor:
            self.connection.kill_service()
            monitor.execute("device_del", id="m")
            wait_until(lambda: monitor.execute("query-status") and "DEVICE_DELETED" in monitor.events,
                       "the device to go")
        wait_until(lambda: domain.state == "paused", "it to be found again")
        wait_until(lambda: not link_of(domain, "m"), "its link to go")
        self.assertIsNotNone(link_of(self.domain, "n"))

    def test_cycles(self):
        for number in range(CYCLES):
            self.domain.attach_interface(macvtap("n", bus=f"port{number % 2}", queues=1 + number % 2))
            self.domain.detach("n")
        self.assert_nothing()
        pid = self.domain.get("Domain", "PID")
        self.assertEqual([], [fd for fd in os.listdir(f"/proc/{pid}/fd")
                              if "tap" in os.readlink(f"/proc/{pid}/fd/{fd}")])
        service = self.connection.service_pid()
        self.assertEqual([], [fd for fd in os.listdir(f"/proc/{service}/fd")
                              if "tap" in os.readlink(f"/proc/{service}/fd/{fd}")])


class Kills(Case):
    def setUp(self):
        super().setUp()
        self.chance = random.Random(SEED)

    def kill_at_a_moment(self, spread, send):
        """Sends a call, and kills the service at some moment from then on."""
        pid = self.connection.service_pid()
        pending = send()
        self.connection.bus.flush_sync(None)
        # The moment is the point here, and no condition: any must do.
        wait_for_end(pid, self.chance.random() * spread)
        end_process(pid, signal.SIGKILL)
        wait_until(lambda: not self.connection.service_runs(), "the bus to notice")
        wait_until(lambda: pending.finished, "the call to end")

    def measure(self, function):
        begin = time.monotonic()
        function()
        return SPREAD * (time.monotonic() - begin)

    def test_start(self):
        """Running with both links, or shut off without any."""
        domain = self.define("k", interfaces=[macvtap("a"), {"id": "b", "type": "tap"}])
        found = {"running": 0, "shut-off": 0}
        spread = self.measure(domain.start)
        domain.destroy()
        for _ in range(KILLS):
            self.kill_at_a_moment(spread, lambda: domain.send("Domain", "Start", "(a{sv})", {}))
            state = wait_until(lambda: domain.state in found and domain.state, "the state to settle")
            found[state] += 1
            wanted = {"a", "b"} if state == "running" else set()
            wait_until(lambda: {nic for nic in "ab" if link_of(domain, nic)} == wanted and
                       len(self.made()) == len(wanted), f"the links to be {wanted} and no others")
            if state == "running":
                domain.destroy()
                self.assertEqual(set(), self.made())
        harness.note(f"killed in a start: {found['running']} times it ran, {found['shut-off']} times not")

    def test_end(self):
        domain = self.define("e", interfaces=[macvtap("a")])
        domain.start(paused=True)
        spread = self.measure(domain.destroy)
        for _ in range(KILLS // 2):
            domain.start(paused=True)
            self.kill_at_a_moment(spread, lambda: domain.send("Domain", "Destroy", "(a{sv})", {}))
            state = wait_until(lambda: domain.state in ("paused", "shut-off") and domain.state,
                               "the state to settle")
            self.assertEqual(1 if state == "paused" else 0, len(self.made()))
            if state == "paused":
                domain.destroy()
        self.assertEqual(set(), self.made())

    def test_attach(self):
        """The NIC is there with netdev and link, or nothing is; and the same on its way out."""
        domain = self.start("p", machine="q35", arguments=PORTS + NATIVE)
        attached = {"in": 0, "out": 0}

        def whole():
            is_in = "n" in domain.get("Devices", "Devices")
            return is_in == ("host-n" in domain.hmp("info network")) == (link_of(domain, "n") is not None) and \
                len(self.made()) == (1 if is_in else 0) and ["in" if is_in else "out"]

        place = os.path.join(life.runtime_folder(), domain.get("Domain", "UUID"), "run.json")
        interface = macvtap("n", bus="port0", queues=2)
        spread = self.measure(lambda: domain.attach_interface(interface))
        spread_out = self.measure(lambda: domain.detach("n"))
        for _ in range(KILLS):
            self.kill_at_a_moment(spread, lambda: domain.send(
                "Devices", "AttachDevice", "(sa{sv})", "", options(interface=json.dumps(interface))))
            wait_until(lambda: domain.state == "paused", "it to be found again")
            state = wait_until(whole, "device, netdev and link to agree")[0]
            attached[state] += 1

            def noted():
                with open(place, encoding="utf-8") as file:
                    return "under-way" not in file.read()
            wait_until(noted, "the run file to be written")
            if state == "out":
                continue
            self.kill_at_a_moment(spread_out, lambda: domain.send(
                "Devices", "DetachDevice", "(sa{sv})", "n", {}))
            wait_until(lambda: domain.state == "paused", "it to be found again")
            if wait_until(whole, "device, netdev and link to agree") == ["in"]:
                domain.detach("n")
            self.assertEqual(["out"], wait_until(whole, "all of it to have gone"))
        harness.note(f"killed in an attach: {attached['in']} times it was in, {attached['out']} times not")


if __name__ == "__main__":
    network.main()
