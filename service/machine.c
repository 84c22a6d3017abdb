/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine.h"

#include <errno.h>
#include <systemd/sd-id128.h>

#include "base/log.h"
#include "unit-name.h"

#define MACHINED           "org.freedesktop.machine1"
#define MACHINED_PATH      "/org/freedesktop/machine1"
#define MACHINED_MANAGER   "org.freedesktop.machine1.Manager"
#define ERROR_EXISTS       "org.freedesktop.machine1.MachineExists"

static bool ask_for(sd_bus *bus, const char *machine)
{
	sd_bus_message *call = NULL;
	int r = sd_bus_message_new_method_call(bus, &call, MACHINED, MACHINED_PATH, MACHINED_MANAGER, "GetMachine");

	if (r >= 0)
		r = sd_bus_message_set_auto_start(call, false);
	if (r >= 0)
		r = sd_bus_message_append(call, "s", machine);
	if (r >= 0)
		r = sd_bus_call(bus, call, MACHINE_LOOK_TIMEOUT_US / 2, NULL, NULL);
	sd_bus_message_unref(call);
	return r >= 0 || r == -ETIMEDOUT;
}

bool machine_is_listed(sd_bus *bus, const Definition *definition)
{
	g_autofree char *name = machine_name_of_domain(definition->name);
	g_autofree char *other = machine_name_of_uuid(definition->name, definition->uuid);

	return ask_for(bus, name) || ask_for(bus, other);
}

static int make_call(sd_bus *bus, const char *name, const char *uuid, pid_t leader,
		     sd_bus_message **ret_call)
{
	sd_bus_message *call = NULL;
	sd_id128_t id;
	int r = sd_id128_from_string(uuid, &id);

	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, &call, MACHINED, MACHINED_PATH, MACHINED_MANAGER,
						   "RegisterMachine");
	if (r >= 0)
		r = sd_bus_message_append(call, "s", name);
	if (r >= 0)
		r = sd_bus_message_append_array(call, 'y', id.bytes, sizeof(id.bytes));
	if (r >= 0)
		r = sd_bus_message_append(call, "ssus", "vmherald", "vm", (uint32_t)leader, "");
	if (r < 0) {
		sd_bus_message_unref(call);
		return r;
	}
	*ret_call = call;
	return r;
}

static int call_register(sd_bus *bus, const char *name, const char *uuid, pid_t leader,
			 sd_bus_error *ret_error)
{
	sd_bus_message *call = NULL;
	int r = make_call(bus, name, uuid, leader, &call);

	if (r >= 0)
		r = sd_bus_call(bus, call, MACHINE_TIMEOUT_US, ret_error, NULL);
	sd_bus_message_unref(call);
	return r;
}

void machine_register(sd_bus *bus, const Definition *definition, pid_t leader)
{
	const LogSubject subject = { definition->name, definition->uuid, 0 };
	g_autofree char *name = machine_name_of_domain(definition->name);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = call_register(bus, name, definition->uuid, leader, &error);

	/* A container of that name, or another domain whose name differs only in what is not allowed there. */
	if (r < 0 && sd_bus_error_has_name(&error, ERROR_EXISTS)) {
		g_autofree char *other = machine_name_of_uuid(definition->name, definition->uuid);

		sd_bus_error_free(&error);
		r = call_register(bus, other, definition->uuid, leader, &error);
	}
	if (r < 0)
		log_write(LOG_PLACE, LOG_ID_NONE,
			  sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ? LOG_DEBUG : LOG_NOTICE,
			  &subject, NULL, "systemd-machined does not list it: %s",
			  error.message ?: g_strerror(-r));
	sd_bus_error_free(&error);
}
