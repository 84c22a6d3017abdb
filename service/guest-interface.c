/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-object.h"

/* org.vmherald.Domains1.Guest: what the guest says and is given: channels, memory, clock. */

const sd_bus_vtable guest_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_SIGNAL_WITH_ARGS("ChannelChanged",
				SD_BUS_ARGS("s", id, "s", state, "(ttt)", stamp, "a{sv}", details),
					    0),
	SD_BUS_SIGNAL_WITH_ARGS("BalloonChanged",
				SD_BUS_ARGS("s", device, "t", bytes, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("BalloonReport",
				SD_BUS_ARGS("s", device, "t", committed, "t", available, "(ttt)",
					    stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("RtcChanged",
				SD_BUS_ARGS("s", qom_path, "x", offset, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("MemoryFailure",
				SD_BUS_ARGS("s", recipient, "s", action, "as", flags, "(ttt)",
					    stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("CpuPolarizationChanged",
				SD_BUS_ARGS("s", polarization, "(ttt)", stamp, "a{sv}", details),
					    0),
	SD_BUS_SIGNAL_WITH_ARGS("Information",
				SD_BUS_ARGS("s", kind, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_VTABLE_END,
};
