/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-object.h"

/* org.vmherald.Domains1.Block: drives, their errors and their jobs. */

const sd_bus_vtable block_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_SIGNAL_WITH_ARGS("IOError",
				SD_BUS_ARGS("s", device, "s", operation, "s", action, "b", no_space,
					    "s", text, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("ImageCorrupted",
				SD_BUS_ARGS("s", device, "b", fatal, "s", text, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("WriteThreshold",
				SD_BUS_ARGS("s", node, "t", threshold, "t", excess, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("JobChanged",
				SD_BUS_ARGS("s", id, "s", status, "(ttt)", stamp, "a{sv}", details),
					    0),
	SD_BUS_SIGNAL_WITH_ARGS("JobEvent",
				SD_BUS_ARGS("s", id, "s", event, "s", type, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("ExportDeleted",
				SD_BUS_ARGS("s", id, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("QuorumFailure",
				SD_BUS_ARGS("s", reference, "x", sector, "x", count, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("QuorumReportBad",
				SD_BUS_ARGS("s", node, "s", operation, "x", sector, "x", count,
					    "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("PRManagerChanged",
				SD_BUS_ARGS("s", id, "s", state, "(ttt)", stamp, "a{sv}", details),
					    0),
	SD_BUS_VTABLE_END,
};
