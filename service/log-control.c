/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log-control.h"

#define LOG_CONTROL_PATH      "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"

static int get_level(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "s", log_level_to_string(log_writer_get_level(userdata)));
}

static int set_level(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *value, void *userdata, sd_bus_error *ret_error)
{
	const char *name;
	int level, r = sd_bus_message_read(value, "s", &name);

	if (r < 0)
		return r;
	if (!log_level_from_string(name, &level))
		return sd_bus_error_setf(ret_error, SD_BUS_ERROR_INVALID_ARGS,
					 "LogLevel: '%s' is none of emerg, alert, crit, err, warning, "
					 "notice, info, debug", name);
	log_writer_set_level(userdata, level);
	return 0;
}

static int get_target(sd_bus *bus, const char *path, const char *interface, const char *property,
		      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "s",
				     log_target_to_string(log_writer_get_target(userdata)));
}

static int set_target(sd_bus *bus, const char *path, const char *interface, const char *property,
		      sd_bus_message *value, void *userdata, sd_bus_error *ret_error)
{
	const char *name;
	LogTarget target;
	int r = sd_bus_message_read(value, "s", &name);

	if (r < 0)
		return r;
	if (!log_target_from_string(name, &target))
		return sd_bus_error_setf(ret_error, SD_BUS_ERROR_INVALID_ARGS,
					 "LogTarget: '%s' is none of auto, journal, console, null", name);
	log_writer_set_target(userdata, target);
	return 0;
}

static int get_identifier(sd_bus *bus, const char *path, const char *interface,
			  const char *property, sd_bus_message *reply, void *userdata,
			  sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "s", LOG_WRITER_IDENTIFIER);
}

static const sd_bus_vtable log_control_vtable[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0, ACTION_MANAGE),
	ACTION_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0, ACTION_MANAGE),
	SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, 0),
	SD_BUS_VTABLE_END,
};

int log_control_register(sd_bus *bus, Actions *actions, LogWriter *writer)
{
	return actions_add_object(actions, bus, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE,
				  log_control_vtable, writer);
}
