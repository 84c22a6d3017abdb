# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest driver without a guest.

QEMU's qtest socket reads and writes the guest's I/O ports and memory. That is enough to be the
driver of a virtio network card: find it on PCI, negotiate features, set up its control queue and
send commands, upon which QEMU raises NIC_RX_FILTER_CHANGED as it does for a real guest. It works
while the virtual CPUs stand still, and then nothing of a real guest gets in between. Drivers of other
devices are in guest.py.

QEMU gets these arguments besides its ordinary ones:
    -qtest unix:PATH,server=on,wait=off -qtest-log none

The registers are those of virtio 1.x over PCI. They are reached through the capability
VIRTIO_PCI_CAP_PCI_CFG, a window in configuration space, so that neither BARs nor bridges have to
be programmed first."""
import socket
import struct
import time

DEADLINE = 30.0                      # seconds for anything that QEMU is to answer

PCI_ADDRESS, PCI_DATA = 0xCF8, 0xCFC
PCI_VENDOR_VIRTIO = 0x1AF4
# Transitional, modern.
PCI_DEVICES_NET = (0x1000, 0x1041)
PCI_DEVICES_BLOCK = (0x1001, 0x1042)
PCI_DEVICES_BALLOON = (0x1002, 0x1045)
PCI_DEVICES_CONSOLE = (0x1003, 0x1043)
PCI_DEVICES_MEMORY = (0x1058,)
PCI_COMMAND, PCI_HEADER_TYPE, PCI_BUSES, PCI_CAPABILITIES = 0x04, 0x0E, 0x18, 0x34
PCI_COMMAND_MASTER = 4
PCI_CAPABILITY_VENDOR = 9

CAP_COMMON, CAP_NOTIFY, CAP_DEVICE, CAP_PCI_CFG = 1, 2, 4, 5
COMMON_FEATURE_SELECT, COMMON_FEATURE = 0, 4
COMMON_DRIVER_FEATURE_SELECT, COMMON_DRIVER_FEATURE = 8, 12
COMMON_STATUS = 20
COMMON_QUEUE_SELECT, COMMON_QUEUE_SIZE, COMMON_QUEUE_ENABLE, COMMON_QUEUE_NOTIFY = 22, 24, 28, 30
COMMON_QUEUE_DESC, COMMON_QUEUE_AVAIL, COMMON_QUEUE_USED = 32, 40, 48

STATUS_ACKNOWLEDGE, STATUS_DRIVER, STATUS_DRIVER_OK, STATUS_FEATURES_OK = 1, 2, 4, 8

VERSION_1 = 1 << 32
# MAC, CTRL_VQ, CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, CTRL_MAC_ADDR
FEATURES = sum(1 << bit for bit in (5, 17, 18, 19, 20, 23)) | VERSION_1
FEATURE_STANDBY = 1 << 62

CLASS_RX, CLASS_MAC, CLASS_VLAN = 0, 1, 2
MAC_TABLE_SET, MAC_ADDR_SET = 0, 1
RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST = range(6)
VLAN_ADD, VLAN_DEL = 0, 1

DESC_NEXT, DESC_WRITE = 1, 2


class QTestError(Exception):
    pass


class QTest:
    """The socket: one line there, one line back."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        self.file = self.socket.makefile("rwb", buffering=0)

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, line):
        self.file.write(line.encode("ascii") + b"\n")
        while True:
            answer = self.file.readline().decode("ascii").split()
            if not answer:
                raise QTestError(f"{line}: QEMU has gone")
            if answer[0] == "IRQ":       # interrupts are told in between
                continue
            if answer[0] != "OK":
                raise QTestError(f"{line}: {' '.join(answer)}")
            return answer[1] if len(answer) > 1 else ""

    def port_write(self, port, size, value):
        self.command(f"out{'bwl'[size >> 1]} {port:#x} {value:#x}")

    def port_read(self, port, size):
        return int(self.command(f"in{'bwl'[size >> 1]} {port:#x}"), 16)

    def write(self, address, data):
        self.command(f"write {address:#x} {len(data):#x} 0x{data.hex()}")

    def read(self, address, size):
        return bytes.fromhex(self.command(f"read {address:#x} {size:#x}")[2:])


class PciFunction:
    def __init__(self, qtest, bus, device, function):
        self.qtest = qtest
        self.address = 0x80000000 | bus << 16 | device << 11 | function << 8

    def read(self, offset, size=4):
        self.qtest.port_write(PCI_ADDRESS, 4, self.address | offset & 0xFC)
        return self.qtest.port_read(PCI_DATA + (offset & 3), size)

    def write(self, offset, value, size=4):
        self.qtest.port_write(PCI_ADDRESS, 4, self.address | offset & 0xFC)
        self.qtest.port_write(PCI_DATA + (offset & 3), size, value)


def find_devices(qtest, wanted, bus=0, next_bus=None):
    """All virtio devices of that kind (one of PCI_DEVICES_...), in the order of PCI. Bridges that no
    firmware has numbered yet are given numbers on the way."""
    next_bus = next_bus if next_bus is not None else [1]
    for device in range(32):
        for function_number in range(8):
            function = PciFunction(qtest, bus, device, function_number)
            identity = function.read(0)
            if identity & 0xFFFF == 0xFFFF:
                if function_number == 0:
                    break
                continue
            if identity & 0xFFFF == PCI_VENDOR_VIRTIO and identity >> 16 in wanted:
                yield function
            header = function.read(PCI_HEADER_TYPE, 1)
            if header & 0x7F == 1:
                secondary = function.read(PCI_BUSES + 1, 1)
                is_new = secondary == 0
                if is_new:
                    secondary = next_bus[0]
                    next_bus[0] += 1
                    function.write(PCI_BUSES, bus | secondary << 8 | 0xFF << 16)
                yield from find_devices(qtest, wanted, secondary, next_bus)
                if is_new:
                    function.write(PCI_BUSES + 2, next_bus[0] - 1, 1)
            if function_number == 0 and not header & 0x80:
                break


class VirtioDevice:
    """The registers of a virtio device, through the window in its configuration space."""

    def __init__(self, function):
        self.function = function
        self.capabilities = {}
        function.write(PCI_COMMAND, function.read(PCI_COMMAND, 2) | PCI_COMMAND_MASTER, 2)
        offset = function.read(PCI_CAPABILITIES, 1)
        while offset:
            if function.read(offset, 1) == PCI_CAPABILITY_VENDOR:
                kind = function.read(offset + 3, 1)
                self.capabilities[kind] = (offset, function.read(offset + 4, 1),
                                           function.read(offset + 8))
                if kind == CAP_NOTIFY:
                    self.notify_multiplier = function.read(offset + 16)
            offset = function.read(offset + 1, 1)
        self.window = self.capabilities[CAP_PCI_CFG][0]

    def _aim(self, capability, offset, size):
        _, bar, base = self.capabilities[capability]
        self.function.write(self.window + 4, bar, 1)
        self.function.write(self.window + 8, base + offset)
        self.function.write(self.window + 12, size)

    def read(self, capability, offset, size):
        self._aim(capability, offset, size)
        return self.function.read(self.window + 16, size)

    def write(self, capability, offset, value, size):
        self._aim(capability, offset, size)
        self.function.write(self.window + 16, value, size)

    def negotiate(self, wanted):
        status = 0
        self.write(CAP_COMMON, COMMON_STATUS, status, 1)
        for bit in (STATUS_ACKNOWLEDGE, STATUS_DRIVER):
            status |= bit
            self.write(CAP_COMMON, COMMON_STATUS, status, 1)
        for half in (0, 1):
            self.write(CAP_COMMON, COMMON_FEATURE_SELECT, half, 4)
            offered = self.read(CAP_COMMON, COMMON_FEATURE, 4)
            self.write(CAP_COMMON, COMMON_DRIVER_FEATURE_SELECT, half, 4)
            self.write(CAP_COMMON, COMMON_DRIVER_FEATURE,
                       offered & wanted >> 32 * half & 0xFFFFFFFF, 4)
        self.write(CAP_COMMON, COMMON_STATUS, status | STATUS_FEATURES_OK, 1)
        if not self.read(CAP_COMMON, COMMON_STATUS, 1) & STATUS_FEATURES_OK:
            raise QTestError("the device refuses the features")

    def set_up_queue(self, index, size, descriptors, available, used):
        """Returns the offset for notify()."""
        self.write(CAP_COMMON, COMMON_QUEUE_SELECT, index, 2)
        self.write(CAP_COMMON, COMMON_QUEUE_SIZE, size, 2)
        for register, address in ((COMMON_QUEUE_DESC, descriptors),
                                  (COMMON_QUEUE_AVAIL, available), (COMMON_QUEUE_USED, used)):
            self.write(CAP_COMMON, register, address & 0xFFFFFFFF, 4)
            self.write(CAP_COMMON, register + 4, address >> 32, 4)
        notify_offset = self.read(CAP_COMMON, COMMON_QUEUE_NOTIFY, 2) * self.notify_multiplier
        self.write(CAP_COMMON, COMMON_QUEUE_ENABLE, 1, 2)
        return notify_offset

    def go(self):
        self.write(CAP_COMMON, COMMON_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER |
                   STATUS_FEATURES_OK | STATUS_DRIVER_OK, 1)

    def notify(self, notify_offset, index):
        self.write(CAP_NOTIFY, notify_offset, index, 2)


class Queue:
    """A virtqueue in guest memory, with one chain of buffers at a time."""

    MEMORY = 0x4000          # bytes it takes there

    def __init__(self, qtest, device, index, memory, size=16):
        self.qtest = qtest
        self.device = device
        self.index = index
        self.size = size
        self.descriptors = memory
        self.available = memory + 16 * size
        self.used = (self.available + 6 + 2 * size + 4095) & ~4095
        self.buffer = self.used + 4096
        self.count = 0
        qtest.write(memory, bytes(self.buffer + 4096 - memory))
        self.notify_offset = device.set_up_queue(index, size, self.descriptors, self.available,
                                                 self.used)

    def push(self, *parts):
        """Hands a chain to the device: bytes are for it to read, a number is room for so many of its
        own. Returns the address of each."""
        addresses, chain, at = [], b"", self.buffer
        for number, part in enumerate(parts):
            room = isinstance(part, int)
            length = part if room else len(part)
            flags = (DESC_WRITE if room else 0) | (DESC_NEXT if number + 1 < len(parts) else 0)
            self.qtest.write(at, b"\xff" * length if room else part)
            chain += struct.pack("<QIHH", at, length, flags, number + 1)
            addresses.append(at)
            at += length
        self.qtest.write(self.descriptors, chain)
        self.qtest.write(self.available + 4 + 2 * (self.count % self.size), struct.pack("<H", 0))
        self.count = self.count + 1 & 0xFFFF
        self.qtest.write(self.available + 2, struct.pack("<H", self.count))
        self.device.notify(self.notify_offset, self.index)
        return addresses

    def transfer(self, *parts):
        """Waits until the device has worked on the chain; returns what it wrote in the last part."""
        addresses = self.push(*parts)
        # Each read is a round trip to QEMU's main loop, which is where the device does its work.
        deadline = time.monotonic() + DEADLINE
        while struct.unpack("<H", self.qtest.read(self.used + 2, 2))[0] != self.count:
            if time.monotonic() > deadline:
                raise QTestError(f"no answer on queue {self.index}")
        return self.qtest.read(addresses[-1], parts[-1]) if isinstance(parts[-1], int) else b""


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


class NetworkCard:
    """A virtio network card with its control queue alone.

    The methods return True if the card has accepted the command. Each accepted command counts as
    a change of the filter, whether it changed anything or not."""

    QUEUE = 2                # without multiqueue: 0 receives, 1 sends, 2 controls
    SIZE = 64                # what QEMU offers for it
    MEMORY = 0x100000        # guest memory that nobody uses before there is a guest

    def __init__(self, qtest, index=0, memory=MEMORY, features=FEATURES):
        self.device = VirtioDevice(list(find_devices(qtest, PCI_DEVICES_NET))[index])
        self.device.negotiate(features)
        self.queue = Queue(qtest, self.device, self.QUEUE, memory, self.SIZE)
        self.device.go()

    def command(self, command_class, command, payload):
        """Class and command, payload, and room for the answer: three descriptors in a chain."""
        return self.queue.transfer(bytes((command_class, command)), payload, 1) == b"\0"

    def set_mac(self, mac):
        return self.command(CLASS_MAC, MAC_ADDR_SET, mac_bytes(mac))

    def set_table(self, unicast=(), multicast=()):
        payload = b""
        for table in (unicast, multicast):
            payload += struct.pack("<I", len(table)) + b"".join(map(mac_bytes, table))
        return self.command(CLASS_MAC, MAC_TABLE_SET, payload)

    def set_mode(self, mode, on):
        """mode: one of RX_PROMISC, RX_ALLMULTI, ..."""
        return self.command(CLASS_RX, mode, bytes((on,)))

    def add_vlan(self, vlan):
        return self.command(CLASS_VLAN, VLAN_ADD, struct.pack("<H", vlan))

    def remove_vlan(self, vlan):
        return self.command(CLASS_VLAN, VLAN_DEL, struct.pack("<H", vlan))
