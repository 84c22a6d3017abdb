# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of what a guest does by itself, from a real QEMU: interface Guest. The guest's part is
played by way of its ports, its memory and its registers."""
import guest
import harness
import recipes
from recipes import ANY, boolean, text

MIB = 1 << 20
AGENT = "org.qemu.guest_agent.0"
RTC_INDEX, RTC_DATA = 0x70, 0x71
RTC_HOURS = 4
BASE_HOUR, SET_HOUR = 12, 0x15       # as the clock holds it: two decimal digits
# MCi_STATUS of an error that is valid, not corrected, enabled, with an address, and must be acted on.
UNCORRECTED = 0xbd80000000000134


class Hardware(recipes.EventCase):
    @classmethod
    def keys(cls):
        return {
            "cpu": "qemu64",
            "arguments": ["-rtc", f"base=2030-01-01T{BASE_HOUR}:00:00",
                          "-chardev", f"socket,id=agent0,path={recipes.place('agent')},"
                                      "server=on,wait=off",
                          "-chardev", "null,id=other0"],
            "devices": [{"driver": "virtio-balloon-pci", "id": "balloon0"},
                        {"driver": "virtio-serial-pci", "id": "serial0"},
                        {"driver": "virtserialport", "id": "port1", "nr": 1, "chardev": "agent0",
                         "name": AGENT},
                        {"driver": "virtserialport", "id": "port2", "nr": 2, "chardev": "other0",
                         "name": "org.example.0"}],
        }

    def test_balloon_change(self):
        self.domain.qmp("balloon", {"value": 8 * MIB})
        with self.domain.qtest() as connection:
            taken = guest.Balloon(connection).obey()
        self.assertEqual(8 * MIB, taken)
        self.expect("Guest.BalloonChanged", "st", "balloon0", 8 * MIB)

    def expect_channel(self, port, state, name):
        self.expect("Guest.ChannelChanged", "ss", port, state,
                    details={"name": text(name), "agent": boolean(name == AGENT)})

    def test_vserport_change(self):
        with self.domain.qtest() as connection:
            console = guest.Console(connection)
            console.open_port(1)
            self.expect_channel("port1", "open", AGENT)
            console.open_port(2)
            self.expect_channel("port2", "open", "org.example.0")
            # QEMU tells no more than one a second of each port.
            console.close_port(1)
            self.expect_channel("port1", "closed", AGENT)

    def test_rtc_change(self):
        self.domain.port_write(RTC_INDEX, 1, RTC_HOURS)
        self.domain.port_write(RTC_DATA, 1, SET_HOUR)
        changed = self.expect("Guest.RtcChanged", "sx", ANY, ANY)
        qom_path, offset = changed.arguments[:2]
        self.assertEqual("mc146818rtc", self.domain.qmp("qom-get", {"path": qom_path,
                                                                    "property": "type"}))
        # Three hours ahead of the time it was given, and a second for the rounding.
        self.assertAlmostEqual(3 * 3600, offset, delta=1)

    def test_memory_failure(self):
        """The CPU has not switched machine checks on, so that one is fatal to it."""
        self.domain.hmp(f"mce 0 1 {UNCORRECTED:#x} 0x5 0x1000 0x8c")
        self.expect("Guest.MemoryFailure", "ssas", "guest", "reset", ["action-required"])


if __name__ == "__main__":
    harness.main()
