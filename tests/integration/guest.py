# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest does to its hardware besides networking, through the qtest socket (qtest.py): drivers of
virtio devices, and the registers by which ACPI hands memory and CPUs in and out."""
import struct

from qtest import (CAP_DEVICE, PCI_DEVICES_BALLOON, PCI_DEVICES_BLOCK, PCI_DEVICES_CONSOLE,
                   PCI_DEVICES_MEMORY, VERSION_1, Queue, VirtioDevice, find_devices)

MEMORY = 0x200000                    # guest memory that nobody uses before there is a guest

FEATURE_MULTIPORT = 1 << 1           # of a console
FEATURE_UNPLUGGED_INACCESSIBLE = 1 << 1  # of a memory device

CONSOLE_DEVICE_READY, CONSOLE_PORT_READY, CONSOLE_PORT_OPEN = 0, 3, 6

BALLOON_NUM_PAGES, BALLOON_ACTUAL = 0, 4
BALLOON_PAGE = 4096

BLOCK_IN, BLOCK_OUT = 0, 1
SECTOR = 512

MEMORY_BLOCK_SIZE, MEMORY_ADDRESS = 0, 16
MEMORY_PLUG, MEMORY_UNPLUG = 0, 1
MEMORY_ACK = 0

# Of q35: hw/acpi/memory_hotplug.c and hw/acpi/cpu.c of QEMU.
ACPI_MEMORY, ACPI_CPUS = 0xA00, 0xCD8
ACPI_MEMORY_SLOT, ACPI_MEMORY_EVENT, ACPI_MEMORY_STATUS, ACPI_MEMORY_CONTROL = 0, 4, 8, 0x14
ACPI_CPU_SELECT, ACPI_CPU_CONTROL, ACPI_CPU_COMMAND, ACPI_CPU_DATA = 0, 4, 5, 8
ACPI_CPU_COMMAND_EVENT, ACPI_CPU_COMMAND_STATUS = 1, 2
ACPI_EJECT = 8
OST_INSERT, OST_EJECT = 1, 3         # source events of _OST
OST_SUCCESS, OST_FAILURE = 0, 1


def _device(qtest, kind, features=0):
    device = VirtioDevice(next(find_devices(qtest, kind)))
    device.negotiate(features | VERSION_1)
    return device


class Console:
    """virtio-serial with several ports: its control queues."""

    def __init__(self, qtest):
        device = _device(qtest, PCI_DEVICES_CONSOLE, FEATURE_MULTIPORT)
        self.to_guest = Queue(qtest, device, 2, MEMORY)
        self.to_device = Queue(qtest, device, 3, MEMORY + Queue.MEMORY)
        device.go()
        self._control(0, CONSOLE_DEVICE_READY, 1)

    def _control(self, port, event, value):
        self.to_device.transfer(struct.pack("<IHH", port, event, value))

    def open_port(self, port):
        self._control(port, CONSOLE_PORT_READY, 1)
        self._control(port, CONSOLE_PORT_OPEN, 1)

    def close_port(self, port):
        self._control(port, CONSOLE_PORT_OPEN, 0)


class Balloon:
    def __init__(self, qtest):
        self.device = _device(qtest, PCI_DEVICES_BALLOON)
        self.device.go()

    def obey(self):
        """Takes as many pages as it was told to; returns how many bytes that are."""
        pages = self.device.read(CAP_DEVICE, BALLOON_NUM_PAGES, 4)
        self.device.write(CAP_DEVICE, BALLOON_ACTUAL, pages, 4)
        return pages * BALLOON_PAGE


class Disk:
    def __init__(self, qtest):
        device = _device(qtest, PCI_DEVICES_BLOCK)
        self.queue = Queue(qtest, device, 0, MEMORY)
        device.go()

    def send(self, kind, sector):
        """One sector, BLOCK_IN or BLOCK_OUT. Does not wait: a request that fails may be kept."""
        data = SECTOR if kind == BLOCK_IN else bytes(SECTOR)
        self.queue.push(struct.pack("<IIQ", kind, 0, sector), data, 1)


class MemoryDevice:
    """virtio-mem: takes and returns memory, in blocks from its start on."""

    def __init__(self, qtest):
        self.device = _device(qtest, PCI_DEVICES_MEMORY, FEATURE_UNPLUGGED_INACCESSIBLE)
        self.queue = Queue(qtest, self.device, 0, MEMORY)
        self.device.go()
        self.block_size = self._read64(MEMORY_BLOCK_SIZE)
        self.address = self._read64(MEMORY_ADDRESS)

    def _read64(self, offset):
        return (self.device.read(CAP_DEVICE, offset, 4) |
                self.device.read(CAP_DEVICE, offset + 4, 4) << 32)

    def request(self, kind, size):
        """MEMORY_PLUG or MEMORY_UNPLUG of that many bytes; returns whether the device agrees."""
        request = struct.pack("<H6xQH6x", kind, self.address, size // self.block_size)
        answer = self.queue.transfer(request, 10)
        return struct.unpack_from("<H", answer)[0] == MEMORY_ACK


class MemorySlots:
    """What the guest's ACPI code says and does about DIMMs."""

    def __init__(self, qtest):
        self.qtest = qtest

    def _select(self, slot):
        self.qtest.port_write(ACPI_MEMORY + ACPI_MEMORY_SLOT, 4, slot)

    def tell_status(self, slot, event, status):
        """_OST: what came of an event of that slot."""
        self._select(slot)
        self.qtest.port_write(ACPI_MEMORY + ACPI_MEMORY_EVENT, 4, event)
        self.qtest.port_write(ACPI_MEMORY + ACPI_MEMORY_STATUS, 4, status)

    def eject(self, slot):
        self._select(slot)
        self.qtest.port_write(ACPI_MEMORY + ACPI_MEMORY_CONTROL, 1, ACPI_EJECT)


class CpuSlots:
    """The same for CPUs. The first write switches from the old registers to these."""

    def __init__(self, qtest):
        self.qtest = qtest
        qtest.port_write(ACPI_CPUS, 1, 0)

    def _select(self, slot):
        self.qtest.port_write(ACPI_CPUS + ACPI_CPU_SELECT, 4, slot)

    def _command(self, command, data):
        self.qtest.port_write(ACPI_CPUS + ACPI_CPU_COMMAND, 1, command)
        self.qtest.port_write(ACPI_CPUS + ACPI_CPU_DATA, 4, data)

    def tell_status(self, slot, event, status):
        self._select(slot)
        self._command(ACPI_CPU_COMMAND_EVENT, event)
        self._command(ACPI_CPU_COMMAND_STATUS, status)

    def eject(self, slot):
        self._select(slot)
        self.qtest.port_write(ACPI_CPUS + ACPI_CPU_CONTROL, 1, ACPI_EJECT)
