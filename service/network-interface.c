/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-variant.h"
#include "domain-object.h"
#include "domain-signals.h"

/* org.vmherald.Domains1.Network: what guests do with their NICs. */

static int append_filter(sd_bus_message *reply, const void *filter)
{
	return domain_signal_append_filter(reply, filter);
}

static int get_filters(sd_bus *bus, const char *path, const char *interface, const char *property,
		       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return bus_append_entries(reply, domain_get_filters(((DomainObject *)userdata)->domain),
				  append_filter);
}

const sd_bus_vtable network_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Filters", "a{sa{sv}}", get_filters, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_SIGNAL_WITH_ARGS("FilterChanged",
				SD_BUS_ARGS("s", nic, "a{sv}", filter, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("MacChanged",
				SD_BUS_ARGS("s", nic, "s", old, "s", new, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("NetdevConnected",
				SD_BUS_ARGS("s", netdev, "s", kind, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("NetdevDisconnected",
				SD_BUS_ARGS("s", netdev, "s", kind, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("FailoverNegotiated",
				SD_BUS_ARGS("s", device, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("FailoverPrimaryUnplugged",
				SD_BUS_ARGS("s", device, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("RdmaGidStatusChanged",
				SD_BUS_ARGS("s", netdev, "b", status, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_VTABLE_END,
};
