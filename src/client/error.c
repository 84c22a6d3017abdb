/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/error-internal.h"

#include <errno.h>
#include <string.h>

#include "bus/names.h"

/* One row for each code, in their order. */
static const struct {
	const char *word;
	const char *name;           /* of the service's error; NULL: there is none of its own */
} codes[] = {
	[VMH_ERROR_FAILED] = { "failed", NULL },
	[VMH_ERROR_NO_SUCH_DOMAIN] = { "no-such-domain", "NoSuchDomain" },
	[VMH_ERROR_DOMAIN_EXISTS] = { "domain-exists", "DomainExists" },
	[VMH_ERROR_INVALID_DEFINITION] = { "invalid-definition", "InvalidDefinition" },
	[VMH_ERROR_INVALID_ARGUMENT] = { "invalid-argument", "InvalidArgument" },
	[VMH_ERROR_WRONG_STATE] = { "wrong-state", "WrongState" },
	[VMH_ERROR_MONITOR_TIMEOUT] = { "monitor-timeout", "MonitorTimeout" },
	[VMH_ERROR_MONITOR_LOST] = { "monitor-lost", "MonitorLost" },
	[VMH_ERROR_QEMU] = { "qemu-error", "QemuError" },
	[VMH_ERROR_START_FAILED] = { "start-failed", "StartFailed" },
	[VMH_ERROR_NO_SUCH_DEVICE] = { "no-such-device", "NoSuchDevice" },
	[VMH_ERROR_DEVICE_EXISTS] = { "device-exists", "DeviceExists" },
	[VMH_ERROR_REMOVAL_REFUSED] = { "removal-refused", "RemovalRefused" },
	[VMH_ERROR_TIMEOUT] = { "timeout", "Timeout" },
	[VMH_ERROR_LIMIT_EXCEEDED] = { "limit-exceeded", "LimitExceeded" },
	[VMH_ERROR_NOT_SUPPORTED] = { "not-supported", "NotSupported" },
	[VMH_ERROR_HISTORY_LOST] = { "history-lost", "HistoryLost" },
	[VMH_ERROR_IO] = { "io", "Io" },
	[VMH_ERROR_ACCESS_DENIED] = { "access-denied", NULL },
	[VMH_ERROR_UNKNOWN_MEMBER] = { "unknown-member", NULL },
	[VMH_ERROR_UNREACHABLE] = { "unreachable", NULL },
	[VMH_ERROR_DISCONNECTED] = { "disconnected", NULL },
	[VMH_ERROR_NO_EVENT_LOOP] = { "no-event-loop", NULL },
	[VMH_ERROR_NO_REPLY] = { "no-reply", NULL },
};

/* The bus's own, and those that sd-bus makes of its troubles. */
static const struct {
	const char *name;
	VmhErrorCode code;
} bus_names[] = {
	{ SD_BUS_ERROR_ACCESS_DENIED, VMH_ERROR_ACCESS_DENIED },
	{ SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, VMH_ERROR_ACCESS_DENIED },
	/* The manager's object is there as long as the service is; all others are domains. */
	{ SD_BUS_ERROR_UNKNOWN_OBJECT, VMH_ERROR_NO_SUCH_DOMAIN },
	{ SD_BUS_ERROR_UNKNOWN_METHOD, VMH_ERROR_UNKNOWN_MEMBER },
	{ SD_BUS_ERROR_UNKNOWN_INTERFACE, VMH_ERROR_UNKNOWN_MEMBER },
	{ SD_BUS_ERROR_UNKNOWN_PROPERTY, VMH_ERROR_UNKNOWN_MEMBER },
	{ SD_BUS_ERROR_INVALID_ARGS, VMH_ERROR_INVALID_ARGUMENT },
	{ SD_BUS_ERROR_LIMITS_EXCEEDED, VMH_ERROR_LIMIT_EXCEEDED },
	{ SD_BUS_ERROR_SERVICE_UNKNOWN, VMH_ERROR_UNREACHABLE },
	{ SD_BUS_ERROR_NAME_HAS_NO_OWNER, VMH_ERROR_UNREACHABLE },
	{ SD_BUS_ERROR_NO_SERVER, VMH_ERROR_UNREACHABLE },
	{ SD_BUS_ERROR_NO_REPLY, VMH_ERROR_NO_REPLY },
	{ SD_BUS_ERROR_TIMEOUT, VMH_ERROR_NO_REPLY },
	{ SD_BUS_ERROR_DISCONNECTED, VMH_ERROR_DISCONNECTED },
};

/* The bus could not start the service. */
#define SPAWN_ERRORS "org.freedesktop.DBus.Error.Spawn."

static VmhErrorCode get_code_of_name(const char *name)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(bus_names); i++)
		if (g_str_equal(bus_names[i].name, name))
			return bus_names[i].code;
	if (g_str_has_prefix(name, SPAWN_ERRORS))
		return VMH_ERROR_UNREACHABLE;
	if (!g_str_has_prefix(name, BUS_ERROR("")))
		return VMH_ERROR_FAILED;
	name += strlen(BUS_ERROR(""));
	for (unsigned i = 0; i < G_N_ELEMENTS(codes); i++)
		if (g_strcmp0(codes[i].name, name) == 0)
			return i;
	return VMH_ERROR_FAILED;
}

static VmhErrorCode get_code_of_errno(int number)
{
	switch (number) {
	case ECONNRESET:
	case ENOTCONN:
	case EPIPE:
	case ESHUTDOWN:
		return VMH_ERROR_DISCONNECTED;
	case ECONNREFUSED:
	case ENOENT:
	case ENOMEDIUM:
		return VMH_ERROR_UNREACHABLE;
	case ETIMEDOUT:
		return VMH_ERROR_NO_REPLY;
	case EACCES:
	case EPERM:
		return VMH_ERROR_ACCESS_DENIED;
	default:
		return VMH_ERROR_FAILED;
	}
}

static VmhError *error_new(VmhErrorCode code, const char *name, char *message)
{
	VmhError *error = g_new0(VmhError, 1);

	error->code = code;
	error->name = g_strdup(name);
	error->message = message;
	return error;
}

void error_set(VmhError **error, VmhErrorCode code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return;
	va_start(arguments, format);
	*error = error_new(code, "", g_strdup_vprintf(format, arguments));
	va_end(arguments);
}

void error_set_bus(VmhError **error, const sd_bus_error *bus_error, int r)
{
	const char *name = bus_error && bus_error->name ? bus_error->name : NULL;

	if (!error)
		return;
	if (!name)
		*error = error_new(get_code_of_errno(-r), "", g_strdup(g_strerror(-r)));
	else
		*error = error_new(get_code_of_name(name), name,
				   g_strdup(bus_error->message ? bus_error->message : name));
}

void vmh_error_free(VmhError *error)
{
	if (!error)
		return;
	g_free(error->name);
	g_free(error->message);
	g_free(error);
}

const char *vmh_error_code_to_string(VmhErrorCode code)
{
	return (unsigned)code < G_N_ELEMENTS(codes) ? codes[code].word : NULL;
}
