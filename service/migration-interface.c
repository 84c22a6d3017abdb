/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-object.h"

/* org.vmherald.Domains1.Migration: a migration or a dump under way. */

static int get_status(sd_bus *bus, const char *path, const char *interface, const char *property,
		      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const Domain *domain = ((DomainObject *)userdata)->domain;

	return sd_bus_message_append(reply, "s", domain_get_migration_status(domain));
}

static int get_progress(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const Domain *domain = ((DomainObject *)userdata)->domain;
	const MigrationProgress *progress = domain_get_migration_progress(domain);

	if (!progress)
		return sd_bus_message_append(reply, "a{st}", 0);
	return sd_bus_message_append(reply, "a{st}", 3, "transferred", progress->transferred,
				     "remaining", progress->remaining, "total", progress->total);
}

const sd_bus_vtable migration_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Status", "s", get_status, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Progress", "a{st}", get_progress, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_SIGNAL_WITH_ARGS("Changed",
				SD_BUS_ARGS("s", status, "s", old, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Pass",
				SD_BUS_ARGS("s", direction, "x", pass, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("DeviceChanged",
				SD_BUS_ARGS("s", device, "s", state, "s", qom_path, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("ColoExit",
				SD_BUS_ARGS("s", mode, "s", reason, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("DumpCompleted",
				SD_BUS_ARGS("s", status, "t", completed, "t", total, "s", error,
					    "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_VTABLE_END,
};
