/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-object.h"

/* org.vmherald.Domains1.Display: clients of the display. */

const sd_bus_vtable display_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_SIGNAL_WITH_ARGS("Client",
				SD_BUS_ARGS("s", protocol, "s", phase, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_VTABLE_END,
};
