/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/json-text.h"
#include "bus-error.h"
#include "bus/names.h"
#include "bus-options.h"
#include "bus/variant.h"
#include "domain-object.h"
#include "method-call.h"

/* org.vmherald.Domains1.Devices: what comes and goes while a domain runs. */

/* A device object is small; what QEMU would need a minute to read is refused here. */
#define OBJECT_LENGTH_MAX  (1024u * 1024)
#define OBJECT_NESTING_MAX 64u

static int append_device(sd_bus_message *reply, const void *value)
{
	const DomainDevice *device = value;

	return sd_bus_message_append(reply, "a{sv}", device->is_memory ? 4 : 3,
				     "driver", "s", device->driver,
				     "qom-path", "s", device->qom_path, "bus", "s", device->bus,
				     "size", "t", device->size);
}

static int get_devices(sd_bus *bus, const char *path, const char *interface, const char *property,
		       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return bus_append_entries(reply, domain_get_devices(((DomainObject *)userdata)->domain),
				  append_device);
}

static int get_trays(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return bus_append_strings(reply, domain_get_trays(((DomainObject *)userdata)->domain));
}

/* NULL and the error, which names the argument. */
static JsonNode *parse_object(const char *what, const char *text, sd_bus_error *ret_error)
{
	g_autoptr(GError) error = NULL;
	JsonNode *node = json_text_parse(text, strlen(text), OBJECT_LENGTH_MAX, OBJECT_NESTING_MAX,
					 &error);

	if (!node) {
		g_prefix_error(&error, "%s: ", what);
		(void)bus_error_from_gerror(ret_error, error);
	}
	return node;
}

/* NULL: not given. */
static int parse_affect(const char *text, DeviceAffect *ret_affect, sd_bus_error *ret_error)
{
	if (!text || device_affect_from_string(text, ret_affect))
		return 0;
	return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
				 "options: 'affect' must be 'live', 'config' or 'both'");
}

/* What AttachDevice was called with; borrowed from the message. */
typedef struct AttachCall {
	const char *device;
	const char *backends[BACKEND_MAX];
	const char *interface;
	DeviceAffect affect;
	int timeout_ms;
} AttachCall;

static int read_attach_call(sd_bus_message *message, AttachCall *call, sd_bus_error *ret_error)
{
	BusOption options[BACKEND_MAX + 3];
	const char *affect = NULL;
	int r = sd_bus_message_read(message, "s", &call->device);

	for (size_t i = 0; i < BACKEND_MAX; i++)
		options[i] = (BusOption){ backend_rows[i].name, BUS_OPTION_STRING, &call->backends[i] };
	options[BACKEND_MAX] = (BusOption){ "interface", BUS_OPTION_STRING, &call->interface };
	options[BACKEND_MAX + 1] = (BusOption){ "affect", BUS_OPTION_STRING, &affect };
	options[BACKEND_MAX + 2] = (BusOption){ "timeout", BUS_OPTION_DURATION, &call->timeout_ms };
	if (r >= 0)
		r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	if (r >= 0)
		r = parse_affect(affect, &call->affect, ret_error);
	return r;
}

static int error_number(const sd_bus_error *error)
{
	return sd_bus_error_get_errno(error) ? -sd_bus_error_get_errno(error) : -EINVAL;
}

static int attach_interface(const DomainObject *object, const AttachCall *call, sd_bus_message *message,
			    sd_bus_error *ret_error)
{
	g_autoptr(DefinitionInterface) interface = NULL;
	g_autoptr(GError) error = NULL;

	if (*call->device)
		return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
					 "device: must be empty with the option 'interface', which is a "
					 "device and its backend");
	for (size_t i = 0; i < BACKEND_MAX; i++)
		if (call->backends[i])
			return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
						 "options: '%s' and 'interface' do not go together",
						 backend_rows[i].name);
	interface = definition_parse_interface(call->interface, strlen(call->interface), &error);
	if (!interface)
		return bus_error_from_gerror(ret_error, error);
	driver_attach_interface(object->service->driver, object->domain, interface, call->timeout_ms,
				call->affect, method_call_done,
				method_call_new(object->service, message));
	return 1;
}

static int attach_device(const DomainObject *object, const AttachCall *call, sd_bus_message *message,
			 sd_bus_error *ret_error)
{
	g_autoptr(JsonNode) device = parse_object("device", call->device, ret_error);
	JsonNode *backends[BACKEND_MAX] = { NULL };

	for (size_t i = 0; device && i < BACKEND_MAX && !sd_bus_error_is_set(ret_error); i++)
		if (call->backends[i])
			backends[i] = parse_object(backend_rows[i].name, call->backends[i], ret_error);
	if (sd_bus_error_is_set(ret_error)) {
		for (size_t i = 0; i < BACKEND_MAX; i++)
			g_clear_pointer(&backends[i], json_node_unref);
		return error_number(ret_error);
	}
	driver_attach_device(object->service->driver, object->domain, g_steal_pointer(&device), backends,
			     call->timeout_ms, call->affect, method_call_done,
			     method_call_new(object->service, message));
	return 1;
}

static int method_attach(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	AttachCall call = { .affect = DEVICE_AFFECT_LIVE, .timeout_ms = DOMAIN_CALL_TIMEOUT_MS };
	int r = read_attach_call(message, &call, ret_error);

	if (r < 0)
		return r;
	return call.interface ? attach_interface(&object, &call, message, ret_error)
			      : attach_device(&object, &call, message, ret_error);
}

static int method_detach(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	int timeout_ms = DOMAIN_DETACH_TIMEOUT_MS;
	const char *id, *affect_text = NULL;
	const BusOption options[] = {
		{ "timeout", BUS_OPTION_DURATION, &timeout_ms },
		{ "affect", BUS_OPTION_STRING, &affect_text },
	};
	DeviceAffect affect = DEVICE_AFFECT_LIVE;
	int r = sd_bus_message_read(message, "s", &id);

	if (r >= 0)
		r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	if (r >= 0)
		r = parse_affect(affect_text, &affect, ret_error);
	if (r < 0)
		return r;
	driver_detach_device(object.service->driver, object.domain, id, timeout_ms, affect,
			     method_call_done, method_call_new(object.service, message));
	return 1;
}

static int method_change_media(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	bool force = false;
	int timeout_ms = DOMAIN_CALL_TIMEOUT_MS;
	const BusOption options[] = {
		{ "force", BUS_OPTION_BOOLEAN, &force },
		{ "timeout", BUS_OPTION_DURATION, &timeout_ms },
	};
	const char *id, *text;
	JsonNode *blockdev = NULL;
	int r = sd_bus_message_read(message, "ss", &id, &text);

	if (r >= 0)
		r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	if (r < 0)
		return r;
	if (*text) {
		blockdev = parse_object("blockdev", text, ret_error);
		if (!blockdev)
			return -sd_bus_error_get_errno(ret_error);
	}
	domain_change_media(object.domain, id, blockdev, force, timeout_ms, method_call_done,
			    method_call_new(object.service, message));
	return 1;
}

const sd_bus_vtable devices_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("AttachDevice", SD_BUS_ARGS("s", device, "a{sv}", options),
		      SD_BUS_RESULT("s", id), method_attach, ACTION_ATTACH),
	ACTION_METHOD("DetachDevice", SD_BUS_ARGS("s", id, "a{sv}", options),
		      SD_BUS_NO_RESULT, method_detach, ACTION_ATTACH),
	ACTION_METHOD("ChangeMedia", SD_BUS_ARGS("s", id, "s", blockdev, "a{sv}", options),
		      SD_BUS_NO_RESULT, method_change_media, ACTION_ATTACH),
	SD_BUS_PROPERTY("Trays", "a{ss}", get_trays, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("Devices", "a{sa{sv}}", get_devices, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_SIGNAL_WITH_ARGS("DeviceAdded",
				SD_BUS_ARGS("s", id, "s", driver, "s", qom_path, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("DeviceRemoved",
				SD_BUS_ARGS("s", id, "s", qom_path, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("DeviceRemovalFailed",
				SD_BUS_ARGS("s", id, "s", reason, "s", qom_path, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("TrayChanged",
				SD_BUS_ARGS("s", id, "s", state, "s", device, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("AcpiDeviceStatus",
				SD_BUS_ARGS("s", device, "s", slot, "s", slot_type, "x", source,
					    "x", status, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("MemoryDeviceSizeChanged",
				SD_BUS_ARGS("s", id, "t", size, "s", qom_path, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("VfuClientHangup",
				SD_BUS_ARGS("s", id, "s", device, "s", qom_path, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_VTABLE_END,
};
