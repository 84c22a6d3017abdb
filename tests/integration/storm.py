# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a storm is made of: the events that storm_qemu.py says, and what becomes of each."""
import json

# Lines of QMP, with a place for the number; event N is of kind N modulo their number.
_EVENT = '{"timestamp": {"seconds": 1700000000, "microseconds": 0}, "event": %s}\r\n'
_OST = ('"ACPI_DEVICE_OST", "data": {"info": {"device": "%s", "slot": "0", "slot-type": "DIMM", "source": %%d, '
        '"status": 0}}')
EVENTS = (
    _EVENT % (_OST % "q"),
    _EVENT % '"RTC_CHANGE", "data": {"offset": %d, "qom-path": "/rtc"}',
    _EVENT % '"X_STORM", "data": {"n": %d}',
    _EVENT % (_OST % "p"),
)
OST_Q, RTC, UNKNOWN, OST_P = range(len(EVENTS))
# Name on the bus -> the number in its arguments.
NUMBER_OF = {
    "Devices.AcpiDeviceStatus": lambda arguments: arguments[3],
    "Guest.RtcChanged": lambda arguments: arguments[1],
    "Monitor.Event": lambda arguments: json.loads(arguments[1])["n"],
}
