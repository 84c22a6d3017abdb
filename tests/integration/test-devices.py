# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that come and go: with their backends, with and without the guest's consent, by way of
the service and past it."""
import json
import os

import harness
from badcase import BadCase
from harness import NAME, wait_until

# The guest is paused. A port whose slot is under ACPI waits for the guest, natively it does not.
PORTS = ["-device", "pcie-root-port,id=port0,chassis=1",
         "-device", "pcie-root-port,id=port1,chassis=2", "-device", "qemu-xhci,id=usb"]
NATIVE = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
FIXED = ["port0", "port1", "usb"]

RANDOM = {"qom-type": "rng-random", "id": "random0", "filename": "/dev/urandom"}
SHORT = 200000                   # microseconds: not to be reached by something that works


class Devices(BadCase):
    arguments = PORTS + NATIVE

    def setUp(self):
        super().setUp()
        self.domain = self.create_paused("devices", arguments=self.arguments)
        self.disk = os.path.join(harness.folder(), "devices.img")
        with open(self.disk, "wb") as file:
            file.truncate(1 << 20)
        self.node = {"driver": "file", "node-name": "node0", "filename": self.disk}
        self.since = self.mark()

    def attach(self, device, **backends):
        return self.domain.attach(device, **{kind: json.dumps(value)
                                             for kind, value in backends.items()})

    def devices(self):
        return {key: value for key, value in self.domain.get("Devices", "Devices").items()
                if key not in FIXED}

    def nodes(self):
        return [node["node-name"] for node in self.domain.qmp("query-named-block-nodes")]

    def objects(self):
        return [child["name"] for child in self.domain.qmp("qom-list", {"path": "/objects"})]

    def wait_devices(self, names):
        wait_until(lambda: sorted(self.devices()) == sorted(names), f"the devices to be {names}")


class Attach(Devices):
    def test_plain(self):
        self.assertEqual("rng0", self.attach({"driver": "virtio-rng-pci", "id": "rng0",
                                              "bus": "port0"}))
        added = self.recorder.wait("Devices.DeviceAdded", "rng0", "virtio-rng-pci",
                                   "/machine/peripheral/rng0", since=self.since)
        self.assertEqual("sss(ttt)a{sv}", added.signature)
        self.assertEqual(self.domain.path, added.path)
        entry = {"driver": "virtio-rng-pci", "qom-path": "/machine/peripheral/rng0", "bus": "port0"}
        wait_until(lambda: self.devices() == {"rng0": entry}, "the bus of the device")
        def told():
            return [s for s in self.recorder.find(f"{harness.PROPERTIES}.PropertiesChanged",
                                                  f"{NAME}.Devices", since=self.since)
                    if s.arguments[1]["Devices"].get("rng0") == entry]
        wait_until(told, "the property to be told")

    def test_fixed_devices_are_listed(self):
        listed = self.domain.get("Devices", "Devices")
        self.assertEqual(FIXED, sorted(listed))
        wait_until(lambda: self.domain.get("Devices", "Devices")["port0"] ==
                   {"driver": "pcie-root-port", "qom-path": "/machine/peripheral/port0",
                    "bus": "pcie.0"}, "the bus of port0")

    def test_id_is_made(self):
        made = [self.attach({"driver": "usb-tablet"}) for _ in range(3)]
        self.assertEqual(sorted(made), sorted(self.devices()))
        self.assertEqual(3, len(set(made)))

    def test_ids_are_made_at_once(self):
        pending = [self.domain.send("Devices", "AttachDevice", "(sa{sv})", '{"driver": "usb-tablet"}',
                                    {}) for _ in range(4)]
        made = [p.result() for p in pending]
        self.assertEqual(4, len(set(made)))
        self.assertEqual(sorted(made), sorted(self.devices()))

    def test_made_id_does_not_hit_another(self):
        self.attach({"driver": "usb-tablet", "id": "device0"})
        self.assertNotEqual("device0", self.attach({"driver": "usb-tablet"}))

    def test_id_exists(self):
        device = {"driver": "usb-tablet", "id": "tablet0"}
        self.attach(device)
        self.refuse("DeviceExists", ["'devices'", "'tablet0'"], self.attach, device)
        self.refuse("DeviceExists", ["'port0'"], self.attach, dict(device, id="port0"))

    def test_id_exists_at_once(self):
        """The second is told so although the first is not in yet, and takes away nothing of it."""
        device = json.dumps({"driver": "virtio-rng-pci", "id": "rng0", "bus": "port0",
                             "rng": "random0"})
        first = self.domain.send("Devices", "AttachDevice", "(sa{sv})", device,
                                 harness.options(object=json.dumps(RANDOM)))
        message = self.assert_fails("DeviceExists", self.domain.call, "Devices", "AttachDevice",
                                    "(sa{sv})", device, harness.options(object=json.dumps(
                                        dict(RANDOM, id="random1"))))
        self.assertIn("'rng0'", message)
        self.assertEqual("rng0", first.result())
        self.assertNotIn("random1", self.objects())

    def test_bad_arguments(self):
        def attach(text, **values):
            return self.domain.call("Devices", "AttachDevice", "(sa{sv})", text,
                                    harness.options(**values))
        good = '{"driver": "usb-tablet"}'
        for text in ("", "x", "[]", "5", "null", "{}", '{"driver": 5}', '{"id": "x"}', "[" * 100000,
                     '{"driver": "usb-tablet"', '{"driver": "usb-tablet", "id": 5}',
                     '{"driver": "usb-tablet", "id": null}'):
            with self.subTest(text=text[:60]):
                self.refuse("InvalidArgument", ["device: "], attach, text)
        for kind, member in (("blockdev", "node-name"), ("netdev", "id"), ("object", "id")):
            for text in ("", "x", "[]", "{}", "[" * 100000, json.dumps({member: 5})):
                with self.subTest(kind=kind, text=text[:60]):
                    self.refuse("InvalidArgument", [f"{kind}: "], attach, good, **{kind: text})
        self.refuse("InvalidArgument", ["options: ", "'chardev'", "blockdev"], attach, good,
                    chardev="{}")
        self.refuse("InvalidArgument", ["options: ", "'netdev'", "'s'", "'b'"], attach, good,
                    netdev=True)

    def test_by_command(self):
        """Who goes past the service is noticed."""
        self.domain.qmp("device_add", {"driver": "usb-tablet", "id": "tablet0"})
        self.recorder.wait("Devices.DeviceAdded", "tablet0", "usb-tablet", since=self.since)
        self.assertIn("tablet0", self.devices())
        self.domain.qmp("device_del", {"id": "tablet0"})
        self.recorder.wait("Devices.DeviceRemoved", "tablet0", since=self.since)
        self.wait_devices([])
        since = self.mark()
        self.assert_fails("QemuError", self.domain.qmp, "device_add", {"driver": "no-such-device",
                                                                     "id": "x"})
        self.mark()
        self.assertEqual([], self.recorder.find("Devices.DeviceAdded", since=since))


class Detach(Devices):
    def test_usb(self):
        """USB needs no guest to let go."""
        self.attach({"driver": "usb-storage", "id": "stick0", "drive": "node0"}, blockdev=self.node)
        self.assertIn("node0", self.nodes())
        self.domain.detach("stick0")
        removed = self.recorder.wait("Devices.DeviceRemoved", "stick0", "/machine/peripheral/stick0",
                                     since=self.since)
        self.assertEqual("ss(ttt)a{sv}", removed.signature)
        self.mark()
        self.assertEqual([], self.recorder.find("Devices.DeviceRemovalFailed"))
        self.assertNotIn("node0", self.nodes())
        self.assertEqual({}, self.devices())

    def test_with_all_backends(self):
        """Whoever is answered may use all names again, many times."""
        netdev = {"type": "user", "id": "host0"}
        for _ in range(10):
            self.attach({"driver": "virtio-net-pci", "id": "net0", "bus": "port0",
                         "netdev": "host0"}, netdev=netdev)
            self.attach({"driver": "virtio-rng-pci", "id": "rng0", "bus": "port1",
                         "rng": "random0"}, object=RANDOM)
            self.attach({"driver": "usb-storage", "id": "stick0", "drive": "node0"},
                        blockdev=self.node)
            for name in ("net0", "rng0", "stick0"):
                self.domain.detach(name)
        self.assertNotIn("node0", self.nodes())
        self.assertNotIn("random0", self.objects())
        self.assertNotIn("host0", self.domain.hmp("info network"))
        self.assertEqual({}, self.devices())
        self.mark()
        self.assertEqual(30, len(self.recorder.find("Devices.DeviceRemoved", since=self.since)))

    def test_one_signal_for_a_device(self):
        """QEMU tells of its parts as well."""
        self.attach({"driver": "virtio-rng-pci", "id": "rng0", "bus": "port0"})
        self.domain.detach("rng0")
        self.mark()
        removed = self.recorder.find("Devices.DeviceRemoved", since=self.since)
        self.assertEqual([("rng0", "/machine/peripheral/rng0")], [s.arguments[:2] for s in removed])
        self.assertEqual(["/machine/peripheral/rng0/virtio-backend"], removed[0].details["children"])

    def test_signal_finds_backends_gone(self):
        """Who only hears DeviceRemoved and acts on it at once finds the names free too."""
        self.attach({"driver": "usb-storage", "id": "stick0", "drive": "node0"}, blockdev=self.node)
        pending = []

        def heard(_bus, _sender, _path, _interface, _member, _parameters):
            pending.append(self.domain.send("Devices", "AttachDevice", "(sa{sv})", json.dumps(
                {"driver": "usb-storage", "id": "stick0", "drive": "node0"}),
                harness.options(blockdev=json.dumps(self.node))))
        self.recorder.connection.bus.signal_subscribe(
            None, f"{NAME}.Devices", "DeviceRemoved", None, None, harness.Gio.DBusSignalFlags.NONE,
            heard)
        self.recorder.connection.call_bus("GetId")
        # Past the service, so that nothing but the signal tells the end.
        self.domain.qmp("device_del", {"id": "stick0"})
        wait_until(lambda: pending, "the signal")
        self.assertEqual("stick0", pending[0].result())

    def test_unknown(self):
        for name in ("nothing", "", "\n", "/machine/peripheral/port0"):
            self.refuse("NoSuchDevice", ["'devices'", f"'{name}'"], self.domain.detach, name)
        self.refuse("InvalidArgument", ["options: ", "'force'", "timeout"], self.domain.detach,
                    "port0", force=True)
        self.refuse("InvalidArgument", ["options: ", "'timeout'", "'t'"], self.domain.detach,
                    "port0", timeout="soon")

    def test_cannot_be_unplugged(self):
        """QEMU refuses; the device and the domain are what they were."""
        self.refuse("RemovalRefused", ["'port0'", "hotplug"], self.domain.detach, "port0")
        self.assertIn("port0", self.domain.get("Devices", "Devices"))

    def test_devices_end_with_the_run(self):
        domain = self.define("ends", arguments=PORTS)
        domain.start()
        domain.attach({"driver": "usb-tablet", "id": "tablet0"})
        domain.destroy()
        self.assertEqual({}, domain.get("Devices", "Devices"))
        domain.start()
        self.assertEqual(FIXED, sorted(domain.get("Devices", "Devices")))

    def test_after_service_was_killed(self):
        """What came in with a device goes with it, even if another service saw it come."""
        self.attach({"driver": "usb-storage", "id": "stick0", "drive": "node0"}, blockdev=self.node)
        self.attach({"driver": "virtio-rng-pci", "id": "rng0", "bus": "port1", "rng": "random0"},
                    object=RANDOM)
        self.domain.qmp("stop")
        self.connection.kill_service()
        wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
        self.wait_devices(["rng0", "stick0"])
        self.assertEqual({"stick0": "usb-storage", "rng0": "virtio-rng-pci"},
                         {key: value["driver"] for key, value in self.devices().items()})
        self.mark()
        self.assertEqual([], self.recorder.find("Devices.DeviceRemoved"))
        self.domain.detach("stick0")
        self.domain.detach("rng0")
        self.assertNotIn("node0", self.nodes())
        self.assertNotIn("random0", self.objects())


class DetachWithoutGuest(Devices):
    """The slot is under ACPI, and the guest that is to let go does not react."""

    arguments = PORTS

    def plug(self):
        self.attach({"driver": "virtio-rng-pci", "id": "rng0", "bus": "port0", "rng": "random0"},
                    object=RANDOM)

    def ask(self):
        """Returns the pending call when QEMU has been asked to unplug the device."""
        pending = self.domain.send("Devices", "DetachDevice", "(sa{sv})", "rng0", {})
        self.domain.qmp("query-status")
        return pending

    def let_go(self):
        """Writes to QEMU's ACPI hotplug controller, as the guest's firmware does."""
        with self.domain.qtest() as guest:
            # The bus selectors are given to bridges in an order of QEMU's own.
            for bus in range(4):
                guest.port_write(0xCD0, 4, bus)
                guest.port_write(0xCC8, 4, 1)

    def time_out(self):
        message = self.assert_fails("Timeout", self.domain.detach, "rng0", timeout=SHORT)
        self.assertIn("'rng0'", message)
        failed = self.recorder.wait("Devices.DeviceRemovalFailed", "rng0", "timeout",
                                    "/machine/peripheral/rng0", since=self.since)
        self.assertEqual("sss(ttt)a{sv}", failed.signature)

    def test_timeout(self):
        self.plug()
        self.time_out()
        self.assertIn("rng0", self.devices())
        self.assertIn("random0", self.objects())
        self.assert_served()

    def test_goes_later(self):
        """A reset lets go of everything that was asked to go."""
        self.plug()
        self.time_out()
        self.domain.call("Domain", "Reset")
        self.recorder.wait("Devices.DeviceRemoved", "rng0", since=self.since)
        self.wait_devices([])
        self.assertNotIn("random0", self.objects())
        self.plug()

    def test_answer_comes_with_the_removal(self):
        self.plug()
        pending = self.ask()
        self.assertFalse(pending.finished)
        self.domain.call("Domain", "Reset")
        pending.result()
        self.recorder.wait("Devices.DeviceRemoved", "rng0", since=self.since)
        self.mark()
        self.assertEqual([], self.recorder.find("Devices.DeviceRemovalFailed"))

    def test_guest_lets_go(self):
        self.plug()
        pending = self.ask()
        self.let_go()
        pending.result()
        self.recorder.wait("Devices.DeviceRemoved", "rng0", since=self.since)
        self.assertNotIn("random0", self.objects())

    def test_asked_twice(self):
        self.plug()
        pending = self.ask()
        self.refuse("WrongState", ["'rng0'", "already"], self.domain.detach, "rng0")
        self.domain.call("Domain", "Reset")
        pending.result()

    def test_domain_ends_first(self):
        self.plug()
        pending = self.ask()
        self.domain.destroy()
        self.assert_fails("MonitorLost", pending.result)

    def test_goes_after_service_was_killed(self):
        self.plug()
        self.ask()
        self.connection.kill_service()
        wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
        self.wait_devices(["rng0"])
        self.domain.call("Domain", "Reset")
        self.recorder.wait("Devices.DeviceRemoved", "rng0", since=self.since)
        self.assertNotIn("random0", self.objects())

    def test_goes_while_nobody_looks(self):
        """Nobody may be told of that; but the list is true, and the backends follow."""
        self.plug()
        self.ask()
        self.connection.kill_service()
        self.let_go()
        wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
        self.recorder.wait("Monitor.Resynchronized", "service-restarted", since=self.since)
        self.assertEqual({}, self.devices())
        wait_until(lambda: "random0" not in self.objects(), "the backend to go")
        # QEMU may have been slower than the service; then the device is told, but not its parts.
        self.mark()
        self.assertEqual([], self.recorder.find("Devices.DeviceRemoved", "", since=self.since))
        self.plug()
        # That is written down, too.
        self.connection.kill_service()
        wait_until(lambda: self.domain.state == "paused", "the domain to be found again")
        self.domain.call("Domain", "Reset")
        self.assertIn("random0", self.objects())


if __name__ == "__main__":
    harness.main()
