# SPDX-License-Identifier: LGPL-2.1-or-later
"""What "events" says of each signal of the service: Interface.Member: (arguments, details, sentence).

The signatures are those of service/domain-signals.c, which also tells which signals there are.
"""

import os
import re

from gi.repository import GLib

SIGNALS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "service", "domain-signals.c")

MIB = 1024 * 1024


def s(value):
    return GLib.Variant("s", value)


def t(value):
    return GLib.Variant("t", value)


def x(value):
    return GLib.Variant("x", value)


def b(value):
    return GLib.Variant("b", value)


RESYNC = {"reason": s("resync")}
MIRROR = {"type": s("mirror"), "len": t(4 * MIB), "offset": t(3 * MIB), "speed": t(0)}
FILTER = {"main-mac": s("52:54:00:00:00:01"), "promiscuous": b(False),
          "unicast-table": GLib.Variant("as", []), "vlan-table": GLib.Variant("au", range(20))}
FILTER_TEXT = ("main-mac=52:54:00:00:00:01 promiscuous=false unicast-table=[] "
               "vlan-table=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, … +4]")
GID = {"subnet-prefix": t(0xfe80 << 48), "interface-id": t(0x5054)}
GID_TEXT = "(subnet prefix 0xfe80000000000000, interface id 0x5054)"
ACPI = {"event": s("ACPI_DEVICE_OST"), "source": x(3), "status": x(0x80)}

CASES = {
    "Domain.Lifecycle": [
        (("started", "booted", "running"), {}, "started (booted); state running"),
        (("started", "", "running"), {}, "started; state running"),
        (("stopped", "crashed", "shut-off"), {"signal": s("SIGKILL"), "while-away": b(True)},
         "stopped (crashed); state shut-off, signal SIGKILL, while the service was away"),
        (("stopped", "failed", "shut-off"),
         {"exit-status": GLib.Variant("i", 1), "stderr": s("no\x1b[31m such\nfile")},
         "stopped (failed); state shut-off, exit status 1, QEMU said: no\\x1b[31m such\\x0afile"),
        (("shutdown", "guest", "shutting-down"), {"cause": s("guest-shutdown"), "guest": b(True)},
         "shutdown (guest); state shutting-down, cause guest-shutdown"),
    ],
    "Domain.Reset": [
        (("guest", "guest-reset"), {}, "machine reset by the guest (guest-reset)"),
        (("host", "host-qmp-system-reset"), {}, "machine reset by the host (host-qmp-system-reset)"),
        (("", ""), {}, "machine reset"),
    ],
    "Domain.PowerdownRequested": [(("host",), {}, "guest asked to power down, by host")],
    "Domain.GuestShutdownRequested": [(("pvpanic",), {}, "guest asks for its shutdown, through pvpanic")],
    "Domain.Watchdog": [(("inject-nmi",), {}, "watchdog expired, action inject-nmi")],
    "Domain.Panicked": [
        (("pause",), {}, "guest panicked, action pause"),
        (("run",), {"info-type": s("hyper-v"), "info-arg1": t(2**64 - 1)},
         "guest panicked, action run, hyper-v"),
        (("pause",), {"info-type": s("s390"), "info-reason": s("disabled-wait")},
         "guest panicked, action pause, s390, disabled-wait"),
        (("pause",), {"info-type": s("tdx"), "info-message": s("td\x07 lost")},
         "guest panicked, action pause, tdx: td\\x07 lost"),
    ],
    "Devices.DeviceAdded": [(("rng0", "virtio-rng-pci", "/q"), {}, "device rng0 added (virtio-rng-pci)")],
    "Devices.DeviceRemoved": [
        (("rng0", "/q"), {}, "device rng0 removed"),
        (("", "/machine/q"), {}, "device /machine/q removed"),
        (("a \x1b[2J\n", "/q"), RESYNC, 'device "a \\x1b[2J\\x0a" removed (found by resync)'),
    ],
    "Devices.DeviceRemovalFailed": [
        (("d0", "guest", "/q"), {}, "device d0 not removed: the guest refuses"),
        (("d0", "memory", ""), {"text": s("in use")},
         "device d0 not removed: the guest keeps its memory: in use"),
        (("", "acpi", "/q"), ACPI, "device /q not removed: refused by ACPI (source 0x3, status 0x80)"),
        (("d0", "timeout", "/q"), {}, "device d0 not removed: the guest did not let go of it in time"),
        (("d0", "newer", "/q"), {}, "device d0 not removed: newer"),
    ],
    "Devices.TrayChanged": [
        (("cd0", "open", "ide0"), {}, "tray of cd0 opened"),
        (("cd0", "closed", "ide0"), RESYNC, "tray of cd0 closed (found by resync)"),
        (("", "", "ide0"), {"irregular": GLib.Variant("as", ["id: missing", "tray-open: wrong type"])},
         'tray of ide0: "" (irregular: id: missing, tray-open: wrong type)'),
    ],
    "Devices.AcpiDeviceStatus": [
        (("dimm0", "0", "DIMM", 3, 0x84), {}, "ACPI status of DIMM slot 0 (dimm0): source 0x3, status 0x84"),
        (("", "1", "CPU", 0x103, 0), {}, "ACPI status of CPU slot 1: source 0x103, status 0x0"),
    ],
    "Devices.MemoryDeviceSizeChanged": [
        (("vmem0", 512 * MIB, "/q"), {}, "memory device vmem0 has 512 MiB plugged in"),
        (("", 0, "/q"), {}, "memory device /q has 0 B plugged in"),
    ],
    "Devices.VfuClientHangup": [
        (("vfu0", "e1000e", "/q"), {}, "client of vfio-user server vfu0 hung up (device e1000e)")],
    "Network.FilterChanged": [(("net0", FILTER), {}, "receive filter of net0: " + FILTER_TEXT)],
    "Network.MacChanged": [
        (("net0", "52:54:00:00:00:01", "52:54:00:00:00:02"), {},
         "MAC address of net0 is 52:54:00:00:00:02 (was 52:54:00:00:00:01)")],
    "Network.NetdevConnected": [
        (("n0", "stream"), {"address": s("[::1]:4444")},
         "network backend n0 (stream) connected to [::1]:4444"),
        (("n0", "vhost-user"), {"chardev": s("c0")},
         "network backend n0 (vhost-user) connected, chardev c0"),
    ],
    "Network.NetdevDisconnected": [
        (("n0", "stream"), {}, "network backend n0 (stream) disconnected")],
    "Network.FailoverNegotiated": [(("net0",), {}, "failover negotiated for net0")],
    "Network.FailoverPrimaryUnplugged": [(("pf0",), {}, "failover primary pf0 unplugged for migration")],
    "Network.RdmaGidStatusChanged": [
        (("n0", True), GID, "RDMA address of n0 added " + GID_TEXT),
        (("n0", False), {}, "RDMA address of n0 removed"),
    ],
    "Block.IOError": [
        (("vd0", "write", "stop", True, "No space left on device"), {},
         "I/O error: vd0, write, no space left; guest paused"),
        (("", "read", "report", False, "Input/output error"), {"node": s("n0"), "qom-path": s("/q")},
         "I/O error: n0, read, Input/output error; reported to the guest"),
        (("", "read", "ignore", False, ""), {"qom-path": s("/q")}, "I/O error: /q, read; ignored"),
    ],
    "Block.ImageCorrupted": [
        (("vd0", True, "bad [table] {0}"), {"node": s("n0"), "offset": t(65536), "size": t(512)},
         "image of vd0 is corrupted and can no longer be used: bad [table] {0}, offset 65536, 512 B"),
        (("", False, ""), {"node": s("n0")}, "image of n0 is corrupted"),
    ],
    "Block.WriteThreshold": [
        (("n0", 8 * MIB, 65536), {}, "write threshold of n0 at 8 MiB exceeded by 64 KiB"),
        (("n0", 8 * MIB, 0), RESYNC, "write threshold of n0 at 8 MiB was exceeded (found by resync)"),
    ],
    "Block.JobChanged": [
        (("m0", "running"), MIRROR, "job m0 (mirror): running, 3 MiB of 4 MiB"),
        (("m0", "concluded"), {**MIRROR, "error": s("No space")},
         "job m0 (mirror): concluded, 3 MiB of 4 MiB: No space"),
        (("c0", "running"), {"type": s("create"), "len": t(1), "offset": t(0)}, "job c0 (create): running"),
        (("m0", "null"), {}, "job m0: null"),
        (("m0", "null"), {"type": s("mirror")}, "job m0 (mirror): null"),
    ],
    "Block.JobEvent": [
        (("m0", "ready", "mirror"), {**MIRROR, "offset": t(4 * MIB)},
         "block job m0 (mirror) ready, 4 MiB of 4 MiB"),
        (("m0", "completed", "mirror"), {**MIRROR, "error": s("No space")},
         "block job m0 (mirror) completed, 3 MiB of 4 MiB: No space"),
        (("m0", "cancelled", "mirror"), MIRROR, "block job m0 (mirror) cancelled, 3 MiB of 4 MiB"),
        (("m0", "pending", "backup"), {}, "block job m0 (backup) waits to be finalized"),
        (("m0", "error", ""), {"operation": s("write"), "action": s("stop")},
         "I/O error in block job m0, write; job paused"),
        (("m0", "error", ""), {"operation": s("read"), "action": s("report")},
         "I/O error in block job m0, read; job fails"),
        (("m0", "error", ""), {"operation": s("read"), "action": s("ignore")},
         "I/O error in block job m0, read; ignored"),
        (("m0", "newer", "mirror"), {}, "block job m0 (mirror): newer"),
    ],
    "Block.ExportDeleted": [(("nbd0",), {}, "block export nbd0 deleted")],
    "Block.QuorumFailure": [
        (("q0", 2048, 8), {}, "quorum q0 has no majority, first sector 2048, count 8")],
    "Block.QuorumReportBad": [
        (("n1", "read", 2048, 8), {"error": s("I/O error")},
         "quorum child n1 failed or differs at read, first sector 2048, count 8: I/O error")],
    "Block.PRManagerChanged": [
        (("pr0", "connected"), {}, "persistent reservation helper pr0 connected"),
        (("pr0", "disconnected"), RESYNC,
         "persistent reservation helper pr0 disconnected (found by resync)"),
        (("pr0", ""), {}, 'persistent reservation helper pr0: ""'),
    ],
    "Guest.ChannelChanged": [
        (("port0", "open"), {"name": s("org.qemu.guest_agent.0"), "agent": b(True)},
         "channel port0 (org.qemu.guest_agent.0) opened"),
        (("port0", "closed"), RESYNC, "channel port0 closed (found by resync)"),
        (("port0", ""), {}, 'channel port0: ""'),
    ],
    "Guest.BalloonChanged": [
        (("", 512 * MIB), {}, "balloon at 512 MiB"),
        (("balloon0", 512 * MIB), RESYNC, "balloon balloon0 at 512 MiB (found by resync)"),
        (("", 2**64 - 1), {}, "balloon at 16.0\u00a0EiB"),
    ],
    "Guest.BalloonReport": [
        (("", 512 * MIB, 128 * MIB), {}, "balloon reports 512 MiB committed, 128 MiB available")],
    "Guest.RtcChanged": [(("/q", -3600), {}, "guest has set its clock, offset -3600 s")],
    "Guest.MemoryFailure": [
        (("hypervisor", "fatal", ["action-required", "recursive"]), {},
         "host memory error in the hypervisor, action fatal (action-required, recursive)"),
        (("guest", "inject", []), {}, "host memory error in the guest, action inject"),
        (("", "reset", []), {}, "host memory error, action reset"),
    ],
    "Guest.CpuPolarizationChanged": [(("vertical",), {}, "guest asks for vertical CPU polarization")],
    "Guest.Information": [
        (("control-program-identification",), {}, "guest has told its control-program-identification")],
    "Display.Client": [
        (("vnc", "connected"), {"client": s("127.0.0.1:55048"), "server": s("127.0.0.1:5900"),
                                "websocket": b(False)}, "vnc client connected from 127.0.0.1:55048"),
        (("vnc", "initialized"), {"client": s("[::1]:55048"), "auth": s("sasl")},
         "vnc client initialized from [::1]:55048, authentication sasl"),
        (("spice", "initialized"), {"client": s("a:1"), "connection-id": x(7), "channel-type": x(2),
                                    "channel-id": x(0), "tls": b(True)},
         "spice client initialized from a:1, channel 7:2:0"),
        (("vnc", "disconnected"), {"client": s("a:1")}, "vnc client disconnected from a:1"),
        (("spice", "migrated"), {}, "spice clients migrated"),
        (("vnc", "newer"), {"client": s("a:1")}, "vnc client from a:1: newer"),
    ],
    "Migration.Changed": [
        (("active", "setup"), {}, "migration: active (was setup)"),
        (("setup", ""), RESYNC, "migration: setup (found by resync)"),
    ],
    "Migration.Pass": [(("outgoing", 3), {}, "migration pass 3 (outgoing)")],
    "Migration.DeviceChanged": [
        (("gpu0", "stop-copy", "/q"), {}, "migration of device gpu0: stop-copy"),
        (("", "stop", "/q"), {}, "migration of device /q: stop"),
    ],
    "Migration.ColoExit": [(("primary", "error"), {}, "COLO ended, mode primary, reason error")],
    "Migration.DumpCompleted": [
        (("completed", 8 * MIB, 8 * MIB, ""), {}, "memory dump completed, 8 MiB of 8 MiB"),
        (("failed", 0, 8 * MIB, "disk full"), {}, "memory dump failed, 0 B of 8 MiB: disk full"),
        (("newer", 0, 0, ""), {}, "memory dump: newer, 0 B of 0 B"),
    ],
    "Monitor.Event": [
        (("NEW", '{"a": [1]}'), {}, 'QEMU\'s event NEW: {"a": [1]}'),
        (("NEW", ""), {"omitted-bytes": t(MIB)}, "QEMU's event NEW (1 MiB left out)"),
        (("LONG", "x" * 2000), {}, "QEMU's event LONG: " + "x" * 1024 + "…"),
    ],
    "Monitor.Lost": [(("closed",), {}, "monitor lost: closed")],
    "Monitor.Resynchronized": [
        (("connection-kept", 41), {}, "the service was started again; nothing was lost"),
        (("service-restarted", 41), {},
         "state read afresh (service-restarted); events after number 41 may be missing"),
        (("monitor-lost", 0), {}, "state read afresh (monitor-lost); events before may be missing"),
    ],
    "Monitor.EventsLost": [
        (("monitor", 1), {"reason": s("no \x1bJSON")}, "events lost in monitor: 1, no \\x1bJSON")],
}


def signatures():
    """Interface.Member: its arguments' signature, of every signal that the service has."""
    with open(SIGNALS, encoding="utf-8") as file:
        text = file.read()
    interfaces = dict(re.findall(r'#define (\w+)\s+BUS_INTERFACE\("(\w+)"\)', text))
    rows = re.findall(r'\[EVENT_\w+\] = \{ (\w+), "(\w+)", "(\S*)",', text)
    if len(rows) != text.count("[EVENT_"):
        raise AssertionError("a row of the service's table is not understood")
    return {f"{interfaces[interface]}.{member}": signature for interface, member, signature in rows}
