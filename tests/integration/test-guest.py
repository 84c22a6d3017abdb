# SPDX-License-Identifier: LGPL-2.1-or-later
"""What guests do with their channels, their balloon, and with devices they are asked to let go of;
the guest's part is played through qtest."""
import json

import guest
import harness
from badcase import BadCase
from harness import wait_until

AGENT = "org.qemu.guest_agent.0"
SLOT_DIMM, SLOT_CPU = 0, 1
OST_IN_USE, OST_PENDING = 0x82, 0x84


class Channels(BadCase):
    ARGUMENTS = ["-device", "virtio-serial-pci,id=serial0",
                 "-chardev", "null,id=host0", "-chardev", "null,id=host1",
                 "-device", f"virtserialport,id=port0,chardev=host0,nr=1,name={AGENT}",
                 "-device", "virtconsole,id=console0,chardev=host1,nr=2"]

    def setUp(self):
        super().setUp()
        self.domain = self.create_paused("channels", arguments=self.ARGUMENTS)
        self.since = self.mark()

    def channels(self):
        return self.domain.get("Guest", "Channels")

    def test_open_and_reset(self):
        closed = {"name": AGENT, "state": "closed", "agent": True}
        console = {"name": "", "state": "closed", "agent": False}
        wait_until(lambda: self.channels() == {"port0": closed, "console0": console},
                   "the channels to be read")
        with self.domain.qtest() as socket:
            ports = guest.Console(socket)
            ports.open_port(1)
            told = self.recorder.wait("Guest.ChannelChanged", "port0", "open", since=self.since)
            self.assertEqual("ss(ttt)a{sv}", told.signature)
            self.assertEqual({"name": AGENT, "agent": True}, told.details)
            self.assertEqual("open", self.channels()["port0"]["state"])
            ports.open_port(2)
            self.recorder.wait("Guest.ChannelChanged", "console0", "open", since=self.since)
            self.recorder.wait_property("Guest", "Channels", {"port0": dict(closed, state="open"),
                                        "console0": dict(console, state="open")}, since=self.since)
            # The guest is reset: QEMU closes its channels and tells.
            self.domain.call("Domain", "Reset")
            self.recorder.wait("Guest.ChannelChanged", "port0", "closed", since=self.since)
            self.recorder.wait("Guest.ChannelChanged", "console0", "closed", since=self.since)
        self.assertEqual({"port0": closed, "console0": console}, self.channels())

    def test_after_service_was_killed(self):
        """A port is read afresh; a console QEMU does not tell of but by events."""
        with self.domain.qtest() as socket:
            ports = guest.Console(socket)
            ports.open_port(1)
            self.recorder.wait("Guest.ChannelChanged", "port0", "open", since=self.since)
            self.connection.kill_service()
            wait_until(lambda: self.channels()["port0"]["state"] == "open", "the port to be read")
        self.assertEqual("closed", self.channels()["console0"]["state"])


class Balloon(BadCase):
    def test_balloon(self):
        domain = self.create_paused("balloon", arguments=["-device", "virtio-balloon-pci,id=balloon0"])
        since = self.mark()
        self.assertEqual(16 << 20, domain.get("Guest", "Balloon"))
        with domain.qtest() as socket:
            balloon = guest.Balloon(socket)
            domain.call("Guest", "SetBalloon", "(t)", 8 << 20)
            self.assertEqual(8 << 20, balloon.obey())
            told = self.recorder.wait("Guest.BalloonChanged", "balloon0", 8 << 20, since=since)
            self.assertEqual("st(ttt)a{sv}", told.signature)
        self.assertEqual(8 << 20, domain.get("Guest", "Balloon"))
        self.recorder.wait_property("Guest", "Balloon", 8 << 20, since=since)
        self.connection.kill_service()
        self.assertEqual(8 << 20, domain.get("Guest", "Balloon"))

    def test_no_balloon(self):
        domain = self.create_paused("without")
        self.assertEqual(0, domain.get("Guest", "Balloon"))
        self.refuse("QemuError", ["balloon"], domain.call, "Guest", "SetBalloon", "(t)", 8 << 20)
        self.refuse("InvalidArgument", ["bytes"], domain.call, "Guest", "SetBalloon", "(t)", 1 << 63)


class Removal(BadCase):
    ARGUMENTS = ["-m", "16,slots=4,maxmem=1G", "-smp", "1,maxcpus=2"]

    def setUp(self):
        super().setUp()
        self.domain = self.create_paused("removal", arguments=self.ARGUMENTS, cpu="qemu64")
        self.since = self.mark()

    def send_detach(self, device):
        pending = self.domain.send("Devices", "DetachDevice", "(sa{sv})", device, {})
        # The service has sent its command when it answers this, and QEMU has done it.
        self.domain.qmp("query-status")
        return pending

    def add_dimm(self):
        backend = {"qom-type": "memory-backend-ram", "id": "memory1", "size": 128 << 20}
        self.domain.attach({"driver": "pc-dimm", "id": "dimm1", "memdev": "memory1"},
                           object=json.dumps(backend))
        wait_until(lambda: self.domain.get("Devices", "Devices")["dimm1"].get("size") == 128 << 20,
                   "the size of the DIMM")

    def test_dimm_refused_and_let_go(self):
        self.add_dimm()
        with self.domain.qtest() as socket:
            slots = guest.MemorySlots(socket)
            for status in (guest.OST_FAILURE, OST_IN_USE):
                since = len(self.recorder.signals)
                pending = self.send_detach("dimm1")
                slots.tell_status(SLOT_DIMM, guest.OST_EJECT, OST_PENDING)
                slots.tell_status(SLOT_DIMM, guest.OST_EJECT, status)
                message = self.assert_fails("RemovalRefused", pending.result)
                self.assertIn("'dimm1'", message)
                self.assertIn("ACPI", message)
                failed = self.recorder.wait("Devices.DeviceRemovalFailed", "dimm1", "acpi",
                                            "/machine/peripheral/dimm1", since=since)
                self.assertEqual({"event": "ACPI_DEVICE_OST", "source": guest.OST_EJECT,
                                  "status": status}, failed.details)
                told = [s.name for s in self.recorder.events(self.domain.path)
                        if s in self.recorder.signals[since:]]
                self.assertEqual(["Devices.AcpiDeviceStatus", "Devices.AcpiDeviceStatus",
                                  "Devices.DeviceRemovalFailed"], told)
            self.assertIn("dimm1", self.domain.get("Devices", "Devices"))
            pending = self.send_detach("dimm1")
            slots.eject(SLOT_DIMM)
            pending.result()
        self.recorder.wait("Devices.DeviceRemoved", "dimm1", "/machine/peripheral/dimm1",
                           since=self.since)
        self.assertNotIn("dimm1", self.domain.get("Devices", "Devices"))
        self.assertNotIn("memory1", [child["name"] for child in
                                     self.domain.qmp("qom-list", {"path": "/objects"})])

    def test_dimm_let_go_after_all(self):
        """The one who waited has been told that it stays; then it goes."""
        self.add_dimm()
        with self.domain.qtest() as socket:
            slots = guest.MemorySlots(socket)
            pending = self.send_detach("dimm1")
            slots.tell_status(SLOT_DIMM, guest.OST_EJECT, guest.OST_FAILURE)
            self.assert_fails("RemovalRefused", pending.result)
            self.domain.qmp("device_del", {"id": "dimm1"})
            slots.eject(SLOT_DIMM)
            self.recorder.wait("Devices.DeviceRemoved", "dimm1", since=self.since)

    def test_cpu(self):
        """QEMU 7.2 with emulated CPUs tells of the CPU's interrupt controller alone."""
        cpu = [entry for entry in self.domain.qmp("query-hotpluggable-cpus")
               if "qom-path" not in entry][0]
        self.domain.attach(dict(cpu["props"], driver=cpu["type"], id="cpu1"))
        with self.domain.qtest() as socket:
            slots = guest.CpuSlots(socket)
            pending = self.send_detach("cpu1")
            slots.eject(SLOT_CPU)
            pending.result()
        removed = self.recorder.wait("Devices.DeviceRemoved", "cpu1", "/machine/peripheral/cpu1",
                                     since=self.since)
        self.assertEqual(["/machine/peripheral/cpu1/lapic"], removed.details["children"])
        self.assertNotIn("cpu1", self.domain.get("Devices", "Devices"))
        self.mark()
        self.assertEqual(1, len(self.recorder.find("Devices.DeviceRemoved", since=self.since)))


if __name__ == "__main__":
    harness.main()
