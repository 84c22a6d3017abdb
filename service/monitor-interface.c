/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json-text.h"
#include "bus-error.h"
#include "bus/names.h"
#include "bus-options.h"
#include "domain-object.h"
#include "method-call.h"

/* org.vmherald.Domains1.Monitor: the control side. */

#define COMMAND_LENGTH_MAX    256u
/* QEMU reads some 330 KB a second from its monitor. */
#define ARGUMENTS_LENGTH_MAX  (8u * 1024 * 1024)
#define ARGUMENTS_NESTING_MAX 1000u

static int get_qemu_version(sd_bus *bus, const char *path, const char *interface,
			    const char *property, sd_bus_message *reply, void *userdata,
			    sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "s",
				     domain_get_qemu_version(((DomainObject *)userdata)->domain));
}

static int get_irregular_events(sd_bus *bus, const char *path, const char *interface,
				const char *property, sd_bus_message *reply, void *userdata,
				sd_bus_error *ret_error)
{
	const Domain *domain = ((DomainObject *)userdata)->domain;

	return sd_bus_message_append(reply, "t", domain_get_irregular_events(domain));
}

static int get_connected(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "b",
				     (int)domain_is_connected(((DomainObject *)userdata)->domain));
}

static bool parse_arguments(const char *text, JsonNode **ret_arguments, GError **error)
{
	g_autoptr(JsonNode) node = NULL;

	if (*text == '\0')
		return true;
	node = json_text_parse(text, strlen(text), ARGUMENTS_LENGTH_MAX, ARGUMENTS_NESTING_MAX, error);
	if (!node) {
		g_prefix_error(error, "arguments: ");
		return false;
	}
	if (!JSON_NODE_HOLDS_OBJECT(node)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "arguments: must be a JSON object, or empty for none");
		return false;
	}
	*ret_arguments = g_steal_pointer(&node);
	return true;
}

static int method_execute(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	int timeout_ms = DOMAIN_CALL_TIMEOUT_MS;
	const BusOption options[] = { { "timeout", BUS_OPTION_DURATION, &timeout_ms } };
	const char *command, *text;
	g_autoptr(GError) error = NULL;
	JsonNode *arguments = NULL;
	int r = sd_bus_message_read(message, "ss", &command, &text);

	if (r >= 0)
		r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	if (r < 0)
		return r;
	if (*command == '\0' || strlen(command) > COMMAND_LENGTH_MAX)
		return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
					 "command: must have 1 to %u bytes", COMMAND_LENGTH_MAX);
	if (!parse_arguments(text, &arguments, &error))
		return bus_error_from_gerror(ret_error, error);
	domain_execute(object.domain, command, arguments, timeout_ms, method_call_done,
		       method_call_new(object.service, message));
	return 1;
}

const sd_bus_vtable monitor_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("Execute",
		      SD_BUS_ARGS("s", command, "s", arguments, "a{sv}", options),
		      SD_BUS_RESULT("s", result), method_execute, ACTION_MONITOR_EXECUTE),
	SD_BUS_PROPERTY("QemuVersion", "s", get_qemu_version, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Connected", "b", get_connected, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("IrregularEvents", "t", get_irregular_events, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_SIGNAL_WITH_ARGS("Event",
				SD_BUS_ARGS("s", name, "s", data, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Lost", SD_BUS_ARGS("s", reason, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Resynchronized",
				SD_BUS_ARGS("s", reason, "t", last_before, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("EventsLost",
				SD_BUS_ARGS("s", where, "t", count, "(ttt)", stamp, "a{sv}", details),
				0),
	SD_BUS_VTABLE_END,
};
