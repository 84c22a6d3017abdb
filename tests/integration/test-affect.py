# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that come and go in what runs, in the definition, and in both: both or neither."""
import json
import os

import harness
from badcase import DEFINITIONS, BadCase, service_folder
from harness import wait_until

PORTS = ["-device", "pcie-root-port,id=port0,chassis=1", "-device", "qemu-xhci,id=usb",
         "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
FIXED = {"port0", "usb"}
RANDOM = {"qom-type": "rng-random", "id": "random0", "filename": "/dev/urandom"}
RNG = {"driver": "virtio-rng-pci", "id": "rng0", "bus": "port0", "rng": "random0"}
NETDEV = {"type": "user", "id": "host0"}
NIC = {"driver": "usb-net", "id": "net0", "netdev": "host0", "bus": "usb.0"}
STICK = {"driver": "usb-storage", "id": "stick0", "drive": "node0", "bus": "usb.0"}

SHORT = 200000                   # microseconds: not to be reached by something that works


class Affect(BadCase):
    def setUp(self):
        super().setUp()
        self.domain = self.define("affect", arguments=PORTS)
        self.place = service_folder(DEFINITIONS)
        self.file = os.path.join(self.place, "affect.json")
        disk = os.path.join(harness.folder(), "affect.img")
        with open(disk, "wb") as file:
            file.truncate(1 << 20)
        self.node = {"driver": "file", "node-name": "node0", "filename": disk}
        self.plugs = [(STICK, {"blockdev": self.node}), (NIC, {"netdev": NETDEV}),
                      (RNG, {"object": RANDOM})]

    def attach(self, device, affect, **backends):
        return self.domain.attach(device, affect=affect, **{kind: json.dumps(value)
                                                            for kind, value in backends.items()})

    def plugged(self):
        return set(self.domain.get("Devices", "Devices")) - FIXED

    def config(self):
        """The four lists of the definition as the service tells it, and as its file has it."""
        told = json.loads(self.domain.call("Domain", "GetDefinition", "(a{sv})", {}))
        with open(self.file, encoding="utf-8") as file:
            self.assertEqual(told, json.load(file))
        return {key: told[key] for key in ("objects", "blockdevs", "netdevs", "devices") if key in told}

    def full(self):
        return {"objects": [RANDOM], "blockdevs": [self.node], "netdevs": [NETDEV],
                "devices": [STICK, NIC, RNG]}

    def backends(self):
        nodes = {node["node-name"] for node in self.domain.qmp("query-named-block-nodes")}
        objects = {child["name"] for child in self.domain.qmp("qom-list", {"path": "/objects"})}
        networks = self.domain.hmp("info network")
        return (nodes | objects) & {"node0", "random0"} | ({"host0"} if "host0" in networks else set())

    def hide(self, hidden):
        """Nothing can be written where the definitions are, as on a full or a broken disk."""
        away = self.place + ".away"
        os.rename(*((self.place, away) if hidden else (away, self.place)))

    def restart(self):
        self.domain.destroy()
        self.domain.start(paused=True)

    def test_config(self):
        """Added while it is off, there at the start; removed while it runs, gone at the next one."""
        since = self.mark()
        for device, backends in self.plugs:
            self.assertEqual(device["id"], self.attach(device, "config", **backends))
        self.assertEqual(self.full(), self.config())
        self.assertEqual([("defined", "updated")] * 3, self.events(self.domain, since))
        self.domain.start(paused=True)
        self.assertEqual({"stick0", "net0", "rng0"}, self.plugged())
        for name in ("stick0", "net0", "rng0"):
            self.domain.detach(name, affect="config")
        self.assertEqual({}, self.config())
        self.assertEqual({"stick0", "net0", "rng0"}, self.plugged())
        self.restart()
        self.assertEqual((set(), set()), (self.plugged(), self.backends()))

    def test_both(self):
        """It is in at once and at the next start, and so are its backends; and the same way out."""
        self.domain.start(paused=True)
        for device, backends in self.plugs:
            self.attach(device, "both", **backends)
        for _ in range(2):
            self.assertEqual({"stick0", "net0", "rng0"}, self.plugged())
            self.assertEqual({"node0", "random0", "host0"}, self.backends())
            self.assertEqual(self.full(), self.config())
            self.restart()
        # A slot that was full at the start is let go by a guest alone: what stays, stays in both.
        before = self.config()
        self.assertIn("'rng0'", self.assert_fails("Timeout", self.domain.detach, "rng0", affect="both",
                                                 timeout=SHORT))
        self.assertEqual((before, {"stick0", "net0", "rng0"}), (self.config(), self.plugged()))
        self.domain.detach("rng0", affect="config")
        for name in ("stick0", "net0"):
            self.domain.detach(name, affect="both")
        self.assertEqual(({}, {"rng0"}), (self.config(), self.plugged()))
        self.restart()
        self.assertEqual((set(), set()), (self.plugged(), self.backends()))

    def test_interface(self):
        """One of the definition's own kind: its id and its address are made up once for both, and its netdev
        comes and goes with it."""
        nic = {"type": "user", "model": "usb-net", "bus": "usb.0"}
        self.domain.start(paused=True)
        self.assertEqual("net0", self.domain.attach_interface(nic, affect="both"))
        for _ in range(2):
            self.assertEqual({"net0"}, self.plugged())
            network = self.domain.hmp("info network")
            written = json.loads(self.domain.call("Domain", "GetDefinition", "(a{sv})", {}))["interfaces"]
            self.assertEqual([dict(nic, id="net0", mac=written[0]["mac"])], written)
            self.assertIn(f"macaddr={written[0]['mac']}", network)
            self.assertIn("host-net0", network)
            self.restart()
        self.domain.detach("net0", affect="both")
        self.assertEqual(set(), self.plugged())
        self.assertNotIn("host-net0", self.domain.hmp("info network"))
        self.assertNotIn("interfaces", json.loads(self.domain.call("Domain", "GetDefinition", "(a{sv})", {})))
        for affect in ("config", "live"):
            self.assertEqual("lan", self.domain.attach_interface(dict(nic, id="lan"), affect=affect))

    def test_interface_refused(self):
        """What is wrong with it is told by its path, and nothing has been done."""
        self.domain.start(paused=True)
        for interface, error, text in (({"type": "bridge"}, "InvalidDefinition", "interface.source"),
                                       ({"mac": "x"}, "InvalidDefinition", "interface.mac"),
                                       ([], "InvalidDefinition", "interface"),
                                       ({"id": "x" * 65536}, "LimitExceeded", "bytes long"),
                                       ({"id": "usb"}, "DeviceExists", "'usb'")):
            for affect in ("live", "config", "both"):
                # The raw arguments are QEMU's affair: the definition does not know of that one.
                if (error, affect) != ("DeviceExists", "config"):
                    self.assertIn(text, self.refuse(error, [], self.domain.attach_interface, interface,
                                                    affect=affect))
        for device, more, text in (('{"driver": "x"}', {}, "device"), ("", {"netdev": "{}"}, "'netdev'"),
                                   ("", {"object": ""}, "'object'"), ("", {"blockdev": "{}"}, "'blockdev'")):
            self.assertIn(text, self.refuse("InvalidArgument", [], self.domain.call, "Devices", "AttachDevice",
                                            "(sa{sv})", device, harness.options(interface="{}", **more)))
        self.assertEqual(set(), self.plugged())

    def test_live(self):
        self.domain.start(paused=True)
        self.attach(STICK, "live", blockdev=self.node)
        self.assertEqual({}, self.config())
        self.restart()
        self.assertEqual(set(), self.plugged())

    def test_shared_backend(self):
        """What two devices stand on goes with the second."""
        self.attach(RNG, "config", object=RANDOM)
        self.attach(dict(RNG, id="rng1", bus="pcie.0"), "config")
        self.domain.detach("rng0", affect="config")
        self.assertEqual([RANDOM], self.config()["objects"])
        self.domain.start(paused=True)
        self.assertEqual({"rng1"}, self.plugged())
        self.domain.destroy()
        self.domain.detach("rng1", affect="config")
        self.assertEqual({}, self.config())

    def test_hot_plugged_goes(self):
        """All three kinds of backends go with their device, and can be used again."""
        self.domain.start(paused=True)
        for _ in range(2):
            for device, backends in self.plugs:
                self.attach(device, "both", **backends)
            for device, _ in self.plugs:
                self.domain.detach(device["id"], affect="both")
            self.assertEqual((set(), set(), {}), (self.plugged(), self.backends(), self.config()))

    def test_refused_by_qemu(self):
        """Neither, whichever step it is."""
        self.domain.start(paused=True)
        for device, backends in ((dict(STICK, driver="no-such-device"), {"blockdev": self.node}),
                                 (STICK, {"blockdev": dict(self.node, filename="/no/such/file")}),
                                 (NIC, {"netdev": dict(NETDEV, type="no-such-type")})):
            self.refuse("QemuError", [], self.attach, device, "both", **backends)
            self.assertEqual((set(), set(), {}), (self.plugged(), self.backends(), self.config()))

    def test_not_written(self):
        """Neither: what went in is taken out again; a detached one stays in the definition."""
        self.domain.start(paused=True)
        since = self.mark()
        self.hide(True)
        self.addCleanup(lambda: os.path.exists(self.place) or self.hide(False))
        for affect in ("both", "config"):
            message = self.assert_fails("Io", self.attach, STICK, affect, blockdev=self.node)
            self.assertIn(self.place, message)
        self.hide(False)
        self.assertEqual((set(), set(), {}), (self.plugged(), self.backends(), self.config()))
        self.recorder.wait("Devices.DeviceAdded", "stick0", since=since)
        self.recorder.wait("Devices.DeviceRemoved", "stick0", since=since)

        self.attach(STICK, "both", blockdev=self.node)
        self.hide(True)
        self.assertIn("'config'", self.assert_fails("Io", self.domain.detach, "stick0", affect="both"))
        self.hide(False)
        self.assertEqual((set(), [STICK]), (self.plugged(), self.config()["devices"]))
        self.domain.detach("stick0", affect="config")
        self.assertEqual({}, self.config())

    def test_one_half(self):
        self.domain.start(paused=True)
        self.attach(STICK, "live", blockdev=self.node)
        self.refuse("NoSuchDevice", ["'live'", "definition"], self.domain.detach, "stick0", affect="both")
        self.refuse("NoSuchDevice", ["definition"], self.domain.detach, "stick0", affect="config")
        self.domain.detach("stick0", affect="live")
        self.attach(STICK, "config", blockdev=self.node)
        self.refuse("NoSuchDevice", ["'config'"], self.domain.detach, "stick0", affect="both")
        self.refuse("NoSuchDevice", ["'stick0'"], self.domain.detach, "stick0")

    def test_bad(self):
        transient = self.create_paused("transient")
        self.domain.start(paused=True)
        self.attach(STICK, "config", blockdev=self.node)
        self.refuse("WrongState", ["transient"], transient.attach, STICK, affect="config")
        self.refuse("WrongState", ["transient"], transient.detach, "stick0", affect="both")
        for affect in ("", "now", "LIVE"):
            self.refuse("InvalidArgument", ["'affect'", "'both'"], self.attach, NIC, affect)
            self.refuse("InvalidArgument", ["'affect'", "'both'"], self.domain.detach, "stick0",
                        affect=affect)
        self.refuse("InvalidArgument", ["'affect'", "'b'"], self.domain.attach, NIC, affect=True)
        for affect in ("config", "both"):
            self.refuse("DeviceExists", ["'stick0'"], self.attach, STICK, affect)
            self.refuse("DeviceExists", ["'node0'"], self.attach, dict(STICK, id="s1"), affect,
                        blockdev=self.node)
            self.refuse("InvalidDefinition", ["objects[0].qom-type"], self.attach, RNG, affect,
                        object={"id": "random0"})
            self.refuse("InvalidArgument", ["device: "], self.attach, {"id": "x"}, affect)
        self.domain.destroy()
        for affect in ("live", "both"):
            self.refuse("WrongState", ["shut-off"], self.attach, NIC, affect, netdev=NETDEV)
            self.refuse("WrongState", ["shut-off"], self.domain.detach, "stick0", affect=affect)

    def test_service_killed(self):
        """Both halves are there after a restart of the service, and can go together."""
        self.domain.start(paused=True)
        self.attach(STICK, "both", blockdev=self.node)
        self.attach(NIC, "live", netdev=NETDEV)
        self.attach(RNG, "config", object=RANDOM)
        self.connection.kill_service()
        wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
        self.assertEqual({"stick0", "net0"}, self.plugged())
        self.assertEqual([STICK, RNG], self.config()["devices"])
        self.domain.detach("stick0", affect="both")
        self.domain.detach("net0", affect="live")
        self.domain.detach("rng0", affect="config")
        self.assertEqual((set(), set(), {}), (self.plugged(), self.backends(), self.config()))

    def test_killed_in_the_middle(self):
        """Killed while some are on their way: each half is told as it is, and no more."""
        self.domain.start(paused=True)
        for n in range(3):
            name = f"tablet{n}"
            self.domain.send("Devices", "AttachDevice", "(sa{sv})", json.dumps(
                {"driver": "usb-tablet", "id": name}), harness.options(affect="both"))
            if n:
                self.recorder.wait("Devices.DeviceAdded", name)
            self.connection.kill_service()
            wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
            in_qemu = {child["name"] for child in
                       self.domain.qmp("qom-list", {"path": "/machine/peripheral"})}
            self.assertEqual(name in in_qemu, name in self.plugged())
            in_config = name in [device["id"] for device in self.config().get("devices", [])]
            # Never the definition alone: QEMU comes first.
            self.assertTrue(name in in_qemu or not in_config)
            if name in in_qemu:
                self.domain.detach(name, affect="both" if in_config else "live")
        self.assertEqual((set(), {}), (self.plugged(), self.config()))


if __name__ == "__main__":
    harness.main()
