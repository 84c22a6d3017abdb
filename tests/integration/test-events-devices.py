# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of devices that move, from a real QEMU: interface Devices. What a guest's ACPI code does is
done by way of its registers."""
import guest
import harness
import recipes
from harness import GLib
from recipes import int64, text

MIB = 1 << 20
PERIPHERAL = "/machine/peripheral/"


class Slots(recipes.EventCase):
    """Room for memory and for devices."""

    @classmethod
    def keys(cls):
        return {
            "arguments": ["-m", "slots=4,maxmem=1G",
                          "-device", "pcie-root-port,id=port0,chassis=1",
                          "-device", "qemu-xhci,id=usb"],
        }

    def setUp(self):
        super().setUp()
        self.qtest = self.domain.qtest()
        self.addCleanup(self.qtest.close)

    def plug_memory(self):
        self.domain.qmp("object-add", {"qom-type": "memory-backend-ram", "id": "memory0",
                                       "size": 128 * MIB})
        self.domain.qmp("device_add", {"driver": "pc-dimm", "id": "dimm0", "memdev": "memory0"})
        return guest.MemorySlots(self.qtest)

    def unplug_memory(self):
        slots = guest.MemorySlots(self.qtest)
        self.domain.qmp("device_del", {"id": "dimm0"})
        slots.eject(0)
        self.expect("Devices.DeviceRemoved", "ss", "dimm0", PERIPHERAL + "dimm0")
        self.domain.qmp("object-del", {"id": "memory0"})

    def test_acpi_device_ost(self):
        slots = self.plug_memory()
        slots.tell_status(0, guest.OST_INSERT, guest.OST_SUCCESS)
        self.expect("Devices.AcpiDeviceStatus", "sssxx", "dimm0", "0", "DIMM", guest.OST_INSERT,
                    guest.OST_SUCCESS)
        # An empty slot has no device to name.
        slots.tell_status(1, guest.OST_EJECT, guest.OST_FAILURE)
        self.expect("Devices.AcpiDeviceStatus", "sssxx", "", "1", "DIMM", guest.OST_EJECT,
                    guest.OST_FAILURE)
        guest.CpuSlots(self.qtest).tell_status(0, guest.OST_INSERT, guest.OST_SUCCESS)
        self.expect("Devices.AcpiDeviceStatus", "sssxx", "", "0", "CPU", guest.OST_INSERT,
                    guest.OST_SUCCESS)
        self.mark()
        self.assertEqual([], self.of_domain("Devices.DeviceRemovalFailed"))
        self.unplug_memory()

    def test_acpi_device_ost_refused(self):
        """A guest that refuses to let memory go says so by _OST."""
        slots = self.plug_memory()
        self.domain.qmp("device_del", {"id": "dimm0"})
        slots.tell_status(0, guest.OST_EJECT, guest.OST_FAILURE)
        self.expect("Devices.AcpiDeviceStatus", "sssxx", "dimm0", "0", "DIMM", guest.OST_EJECT,
                    guest.OST_FAILURE)
        self.addCleanup(self.unplug_memory)
        self.expect("Devices.DeviceRemovalFailed", "sss", "dimm0", "acpi", PERIPHERAL + "dimm0",
                    details={"source": int64(guest.OST_EJECT), "status": int64(guest.OST_FAILURE),
                             "event": text("ACPI_DEVICE_OST")})

    def test_device_deleted(self):
        self.domain.qmp("device_add", {"driver": "usb-tablet", "id": "tablet0"})
        self.domain.qmp("device_del", {"id": "tablet0"})
        self.expect("Devices.DeviceRemoved", "ss", "tablet0", PERIPHERAL + "tablet0")

    def test_device_deleted_with_children(self):
        """A reset lets go what the guest would not. The backend of virtio is a part of its device."""
        self.domain.qmp("device_add", {"driver": "virtio-rng-pci", "id": "rng0", "bus": "port0"})
        self.domain.qmp("device_del", {"id": "rng0"})
        self.domain.qmp("system_reset")
        self.expect("Devices.DeviceRemoved", "ss", "rng0", PERIPHERAL + "rng0",
                    details={"children": GLib.Variant(
                        "as", [PERIPHERAL + "rng0/virtio-backend"])})
        self.mark()
        self.assertEqual(1, len(self.of_domain("Devices.DeviceRemoved")))

    def test_device_deleted_memory(self):
        self.plug_memory()
        self.unplug_memory()


class Cpu(recipes.EventCase):
    """By itself: QEMU 7.2 dies if anything else is ejected after a CPU."""

    @classmethod
    def keys(cls):
        return {"cpu": "qemu64", "arguments": ["-smp", "cpus=1,maxcpus=2"]}

    def test_device_deleted_cpu(self):
        """QEMU tells the end of the interrupt controller alone, which is a part of the CPU."""
        free = next(cpu for cpu in self.domain.qmp("query-hotpluggable-cpus")
                    if "qom-path" not in cpu)
        self.domain.qmp("device_add", dict(free["props"], driver=free["type"], id="cpu1"))
        with self.domain.qtest() as connection:
            slots = guest.CpuSlots(connection)
            self.domain.qmp("device_del", {"id": "cpu1"})
            slots.eject(1)
        self.expect("Devices.DeviceRemoved", "ss", "cpu1", PERIPHERAL + "cpu1",
                    optional={"children": "as", "reason": "s"})


class Tray(recipes.EventCase):
    @classmethod
    def keys(cls):
        return {
            "blockdevs": [{"driver": "null-co", "node-name": "disc0", "size": MIB,
                           "read-only": True}],
            "devices": [{"driver": "ide-cd", "id": "cd0", "drive": "disc0"}],
        }

    def test_device_tray_moved(self):
        self.domain.qmp("blockdev-open-tray", {"id": "cd0"})
        self.expect("Devices.TrayChanged", "sss", "cd0", "open", "")
        self.domain.qmp("blockdev-close-tray", {"id": "cd0"})
        self.expect("Devices.TrayChanged", "sss", "cd0", "closed", "")
        self.mark()
        self.assertEqual(2, len(self.of_domain("Devices.TrayChanged")))


class MemoryDevice(recipes.EventCase):
    """virtio-mem, which the guest asks for memory, up to what the host offers."""

    @classmethod
    def keys(cls):
        return {
            "arguments": ["-m", "maxmem=1G"],
            "objects": [{"qom-type": "memory-backend-ram", "id": "memory0", "size": 256 * MIB}],
            "devices": [{"driver": "virtio-mem-pci", "id": "virtio0", "memdev": "memory0"}],
        }

    def test_memory_device_size_change(self):
        with self.domain.qtest() as connection:
            device = guest.MemoryDevice(connection)
            self.domain.qmp("qom-set", {"path": PERIPHERAL + "virtio0",
                                        "property": "requested-size", "value": 128 * MIB})
            self.assertTrue(device.request(guest.MEMORY_PLUG, 128 * MIB))
            self.expect("Devices.MemoryDeviceSizeChanged", "sts", "virtio0", 128 * MIB,
                        PERIPHERAL + "virtio0")
            # More than is offered.
            self.assertFalse(device.request(guest.MEMORY_PLUG, 256 * MIB))
            self.domain.qmp("qom-set", {"path": PERIPHERAL + "virtio0",
                                        "property": "requested-size", "value": 0})
            self.assertTrue(device.request(guest.MEMORY_UNPLUG, 128 * MIB))
            self.expect("Devices.MemoryDeviceSizeChanged", "sts", "virtio0", 0,
                        PERIPHERAL + "virtio0")


if __name__ == "__main__":
    harness.main()
