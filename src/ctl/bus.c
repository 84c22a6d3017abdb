/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/bus.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>

#include "ctl/names.h"

static int open_address(const char *address, sd_bus **ret_bus)
{
	sd_bus *bus = NULL;
	int r;

	r = sd_bus_new(&bus);
	if (r >= 0)
		r = sd_bus_set_address(bus, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(bus, true);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_unref(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

CtlExit bus_open(Ctl *ctl)
{
	sd_bus *bus = NULL;
	int r;

	if (ctl->bus)
		return CTL_OK;
	if (ctl->address)
		r = open_address(ctl->address, &bus);
	else if (ctl->system)
		r = sd_bus_open_system(&bus);
	else
		r = sd_bus_open_user(&bus);
	if (r == -ENOMEDIUM) {
		ctl_error(_("There is no session bus here (DBUS_SESSION_BUS_ADDRESS is not set)"));
		return CTL_UNREACHABLE;
	}
	if (r < 0) {
		ctl_error(_("Cannot connect to the bus: %s"), g_strerror(-r));
		return CTL_UNREACHABLE;
	}
	ctl->bus = bus;
	return CTL_OK;
}

CtlExit bus_method_new(Ctl *ctl, const char *path, const char *interface, const char *member,
		       sd_bus_message **ret_message)
{
	g_autofree char *full = NULL;
	CtlExit code;
	int r;

	code = bus_open(ctl);
	if (code != CTL_OK)
		return code;
	full = strchr(interface, '.') ? g_strdup(interface)
				      : g_strconcat(NAMES_SERVICE ".", interface, NULL);
	r = sd_bus_message_new_method_call(ctl->bus, ret_message, NAMES_SERVICE, path, full, member);
	if (r < 0)
		return bus_report(NULL, r);
	/* On the system bus polkit may ask the user; only who can wait may allow that. */
	(void) sd_bus_message_set_allow_interactive_authorization(*ret_message, true);
	return CTL_OK;
}

CtlExit bus_domain_method_new(Ctl *ctl, const char *domain, const char *interface,
			      const char *member, sd_bus_message **ret_message)
{
	g_autofree char *path = NULL;
	CtlExit code;

	code = bus_find_domain(ctl, domain, &path);
	return code == CTL_OK ? bus_method_new(ctl, path, interface, member, ret_message) : code;
}

CtlExit bus_append(sd_bus_message *message, const char *types, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, types);
	r = sd_bus_message_appendv(message, types, arguments);
	va_end(arguments);
	return r < 0 ? bus_report(NULL, r) : CTL_OK;
}

CtlExit bus_append_options(sd_bus_message *message, const BusOption *options)
{
	int r;

	r = sd_bus_message_open_container(message, 'a', "{sv}");
	for (; r >= 0 && options && options->key; options++) {
		if (options->text)
			r = sd_bus_message_append(message, "{sv}", options->key, "s", options->text);
		else if (options->flag)
			r = sd_bus_message_append(message, "{sv}", options->key, "b", true);
		else if (options->microseconds && *options->microseconds != BUS_NO_DURATION)
			r = sd_bus_message_append(message, "{sv}", options->key, "t",
						  *options->microseconds);
		else if (options->number && *options->number >= 0)
			r = sd_bus_message_append(message, "{sv}", options->key, "u",
						  (uint32_t)*options->number);
	}
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	return r < 0 ? bus_report(NULL, r) : CTL_OK;
}

CtlExit bus_call(Ctl *ctl, sd_bus_message *message, sd_bus_message **ret_reply)
{
	g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_call(ctl->bus, message, UINT64_MAX, &error, ret_reply);
	return r < 0 ? bus_report(&error, r) : CTL_OK;
}

CtlExit bus_read(sd_bus_message *message, const char *types, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, types);
	r = sd_bus_message_readv(message, types, arguments);
	va_end(arguments);
	if (r <= 0) {
		ctl_error(_("The service gave an answer that is not understood"));
		return CTL_FAILED;
	}
	return CTL_OK;
}

CtlExit bus_find_domain(Ctl *ctl, const char *domain, char **ret_path)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *path = NULL;
	CtlExit code;

	code = bus_method_new(ctl, NAMES_MANAGER_PATH, "Manager", "GetDomain", &message);
	if (code == CTL_OK)
		code = bus_append(message, "s", domain);
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code == CTL_OK)
		code = bus_read(reply, "o", &path);
	if (code == CTL_OK)
		*ret_path = g_strdup(path);
	return code;
}

CtlExit bus_exit_code(const sd_bus_error *error, int r)
{
	static const char *const unreachable[] = {
		SD_BUS_ERROR_SERVICE_UNKNOWN,
		SD_BUS_ERROR_NAME_HAS_NO_OWNER,
		SD_BUS_ERROR_NO_SERVER,
		SD_BUS_ERROR_NO_REPLY,
		SD_BUS_ERROR_DISCONNECTED,
	};

	if (error && sd_bus_error_is_set(error)) {
		for (unsigned i = 0; i < G_N_ELEMENTS(unreachable); i++) {
			if (sd_bus_error_has_name(error, unreachable[i]))
				return CTL_UNREACHABLE;
		}
		/* The bus could not start the service. */
		if (g_str_has_prefix(error->name, "org.freedesktop.DBus.Error.Spawn."))
			return CTL_UNREACHABLE;
	}
	switch (-r) {
	case ECONNRESET:
	case ECONNREFUSED:
	case ENOTCONN:
	case EPIPE:
	case ENOENT:
		/* sd-bus also maps errors of the service to errno; those carry their own name. */
		return error && sd_bus_error_is_set(error) &&
		       !g_str_has_prefix(error->name, "System.Error.") ? CTL_FAILED : CTL_UNREACHABLE;
	default:
		return CTL_FAILED;
	}
}

bool bus_is_unknown(const sd_bus_error *error)
{
	static const char *const names[] = {
		SD_BUS_ERROR_UNKNOWN_INTERFACE, SD_BUS_ERROR_UNKNOWN_PROPERTY, SD_BUS_ERROR_INVALID_ARGS,
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		if (sd_bus_error_has_name(error, names[i]))
			return true;
	}
	return false;
}

CtlExit bus_report(const sd_bus_error *error, int r)
{
	if (error && error->message && *error->message)
		ctl_error("%s", error->message);
	else if (error && error->name)
		ctl_error("%s", error->name);
	else
		ctl_error("%s", g_strerror(-r));
	return bus_exit_code(error, r);
}
