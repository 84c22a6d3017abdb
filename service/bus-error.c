/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-error.h"

#include "base/error.h"
#include "bus/names.h"

static const char *const names[] = {
	[CORE_ERROR_NO_SUCH_DOMAIN] = BUS_ERROR("NoSuchDomain"),
	[CORE_ERROR_DOMAIN_EXISTS] = BUS_ERROR("DomainExists"),
	[CORE_ERROR_INVALID_DEFINITION] = BUS_ERROR("InvalidDefinition"),
	[CORE_ERROR_INVALID_CONFIGURATION] = BUS_ERROR("InvalidConfiguration"),
	[CORE_ERROR_INVALID_ARGUMENT] = BUS_ERROR("InvalidArgument"),
	[CORE_ERROR_WRONG_STATE] = BUS_ERROR("WrongState"),
	[CORE_ERROR_MONITOR_TIMEOUT] = BUS_ERROR("MonitorTimeout"),
	[CORE_ERROR_MONITOR_LOST] = BUS_ERROR("MonitorLost"),
	[CORE_ERROR_QEMU_ERROR] = BUS_ERROR("QemuError"),
	[CORE_ERROR_START_FAILED] = BUS_ERROR("StartFailed"),
	[CORE_ERROR_NO_SUCH_DEVICE] = BUS_ERROR("NoSuchDevice"),
	[CORE_ERROR_DEVICE_EXISTS] = BUS_ERROR("DeviceExists"),
	[CORE_ERROR_REMOVAL_REFUSED] = BUS_ERROR("RemovalRefused"),
	[CORE_ERROR_TIMEOUT] = BUS_ERROR("Timeout"),
	[CORE_ERROR_LIMIT_EXCEEDED] = BUS_ERROR("LimitExceeded"),
	[CORE_ERROR_NOT_SUPPORTED] = BUS_ERROR("NotSupported"),
	[CORE_ERROR_HISTORY_LOST] = BUS_ERROR("HistoryLost"),
	[CORE_ERROR_NOT_PERMITTED] = BUS_ERROR("NotPermitted"),
	[CORE_ERROR_NO_SUCH_LINK] = BUS_ERROR("NoSuchLink"),
	[CORE_ERROR_IO] = BUS_ERROR("Io"),
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == CORE_ERROR_MAX);

const char *bus_error_name(int code)
{
	g_assert(code >= 0 && code < CORE_ERROR_MAX);
	return names[code];
}

/* The core speaks CORE_ERROR; whatever else comes from a library below it is about files. */
static const char *get_name(const GError *error)
{
	return error->domain == CORE_ERROR ? bus_error_name(error->code)
					   : names[CORE_ERROR_IO];
}

/* A file name in a text may be anything; an answer that cannot be sent would be none. */
static char *make_text(const GError *error)
{
	return g_utf8_make_valid(error->message, -1);
}

int bus_error_from_gerror(sd_bus_error *ret_error, const GError *error)
{
	g_autofree char *text = make_text(error);

	return sd_bus_error_set(ret_error, get_name(error), text);
}

int bus_new_gerror(sd_bus_message *call, const GError *error, sd_bus_message **ret_reply)
{
	g_autofree char *text = make_text(error);

	return sd_bus_message_new_method_errorf(call, ret_reply, get_name(error), "%s", text);
}
