/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "bus-error.h"
#include "bus/names.h"
#include "bus-options.h"
#include "domain-object.h"
#include "method-call.h"

/* org.vmherald.Domains1.Domain: the life of a domain. */

/* ---- properties ---- */

#define STRING_GETTER(name, expression)                                                            \
	static int get_##name(sd_bus *bus, const char *path, const char *interface,                \
			      const char *property, sd_bus_message *reply, void *userdata,         \
			      sd_bus_error *ret_error)                                             \
	{                                                                                          \
		const Domain *domain = ((DomainObject *)userdata)->domain;                         \
		return sd_bus_message_append_basic(reply, 's', expression);                        \
	}
#define NUMBER_GETTER(name, signature, expression)                                                 \
	static int get_##name(sd_bus *bus, const char *path, const char *interface,                \
			      const char *property, sd_bus_message *reply, void *userdata,         \
			      sd_bus_error *ret_error)                                             \
	{                                                                                          \
		const Domain *domain = ((DomainObject *)userdata)->domain;                         \
		return sd_bus_message_append(reply, signature, expression);                        \
	}

STRING_GETTER(name, domain_get_name(domain))
STRING_GETTER(uuid, domain_get_uuid(domain))
STRING_GETTER(title, domain_get_definition(domain)->title ?: "")
STRING_GETTER(state, domain_state_to_string(domain_get_state(domain)))
STRING_GETTER(state_reason, lifecycle_reason_to_string(domain_get_state_reason(domain)))
NUMBER_GETTER(incarnation, "t", domain_get_incarnation(domain))
NUMBER_GETTER(persistent, "b", (int)domain_is_persistent(domain))
NUMBER_GETTER(adopted, "b", (int)domain_is_adopted(domain))
NUMBER_GETTER(autostart, "b", (int)domain_is_autostart(domain))
NUMBER_GETTER(has_saved_state, "b", (int)domain_get_has_saved_state(domain))
NUMBER_GETTER(pid, "u", (uint32_t)domain_get_pid(domain))
NUMBER_GETTER(started_at, "t", (uint64_t)domain_get_started_at(domain))
STRING_GETTER(emulator, domain_get_emulator(domain))
NUMBER_GETTER(owner, "u", (uint32_t)domain_get_owner(domain))
STRING_GETTER(unit, domain_get_unit(domain))
STRING_GETTER(machine, domain_get_machine_type(domain))
STRING_GETTER(accelerator, domain_get_accelerator(domain))
NUMBER_GETTER(cpus, "u", (uint32_t)domain_get_cpus(domain))
NUMBER_GETTER(memory, "t", domain_get_memory(domain))

static int get_log_directory(sd_bus *bus, const char *path, const char *interface, const char *property,
			     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	g_autofree char *directory = domain_get_log_directory(((DomainObject *)userdata)->domain);

	return sd_bus_message_append(reply, "s", directory);
}

static void on_autostart_set(Domain *domain, const GError *error, void *userdata)
{
	if (error)
		log_text(LOG_WARNING, "Autostart: %s", error->message);
}

/* A property's Set is answered before the file is written (sd-bus cannot keep that call); who wants to know
 * the outcome calls SetAutostart(), or sees the property change. What can be told at once is told. */
static int set_autostart(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *value, void *userdata, sd_bus_error *ret_error)
{
	DomainObject *object = userdata;
	g_autoptr(GError) error = NULL;
	int autostart, r = sd_bus_message_read(value, "b", &autostart);

	if (r < 0)
		return r;
	if (!domain_check_persistent(object->domain, &error))
		return bus_error_from_gerror(ret_error, error);
	driver_set_autostart(object->service->driver, object->domain, autostart, on_autostart_set,
			     NULL);
	return 0;
}

/* ---- methods ---- */

static int method_start(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	g_autoptr(Descriptors) descriptors = NULL;
	bool paused = false;
	const BusOption options[] = { { "paused", BUS_OPTION_BOOLEAN, &paused },
				      { "descriptors", BUS_OPTION_DESCRIPTORS, &descriptors } };
	int r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);

	if (r < 0)
		return r;
	domain_start_with(object.domain, paused, g_steal_pointer(&descriptors), method_call_done,
			  method_call_new(object.service, message));
	return 1;
}

/* The three that end, or would end, what runs: each with one option, a time. */
static int call_with_time(sd_bus_message *message, const DomainObject *object, const char *option,
			  int time_ms,
			  void (*operation)(Domain *domain, int time_ms, DomainDone done,
					    void *userdata),
			  sd_bus_error *ret_error)
{
	const BusOption options[] = { { option, BUS_OPTION_DURATION, &time_ms } };
	int r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);

	if (r < 0)
		return r;
	operation(object->domain, time_ms, method_call_done,
		  method_call_new(object->service, message));
	return 1;
}

static int method_shutdown(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	return call_with_time(message, userdata, "timeout", -1, domain_shutdown, ret_error);
}

static int method_reboot(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	return call_with_time(message, userdata, "timeout", -1, domain_reboot, ret_error);
}

static int method_destroy(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	return call_with_time(message, userdata, "grace", DOMAIN_DESTROY_GRACE_MS, domain_destroy,
			      ret_error);
}

/* The methods that are one QMP command without arguments, told apart by their name. */
static int method_command(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	static const struct {
		const char *member;
		DomainOperation operation;
	} commands[] = {
		{ "Reset", DOMAIN_OPERATION_RESET },
		{ "Suspend", DOMAIN_OPERATION_SUSPEND },
		{ "Resume", DOMAIN_OPERATION_RESUME },
		{ "Wakeup", DOMAIN_OPERATION_WAKEUP },
		{ "InjectNMI", DOMAIN_OPERATION_INJECT_NMI },
	};
	const DomainObject object = *(DomainObject *)userdata;

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (!g_str_equal(commands[i].member, sd_bus_message_get_member(message)))
			continue;
		domain_command(object.domain, commands[i].operation, method_call_done,
			       method_call_new(object.service, message));
		return 1;
	}
	g_assert_not_reached();
}

static int method_undefine(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	bool destroy = false;
	const BusOption options[] = { { "destroy", BUS_OPTION_BOOLEAN, &destroy } };
	int r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);

	if (r < 0)
		return r;
	driver_undefine(object.service->driver, object.domain, destroy, method_call_done_empty,
			method_call_new(object.service, message));
	return 1;
}

static int method_get_definition(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	bool live = false, command_line = false;
	const BusOption options[] = { { "live", BUS_OPTION_BOOLEAN, &live },
				      { "command-line", BUS_OPTION_BOOLEAN, &command_line } };
	int r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	if (r < 0)
		return r;
	if (live && command_line)
		return sd_bus_error_set(ret_error, BUS_ERROR("InvalidArgument"),
					"options: 'live' and 'command-line' exclude each other");
	if (command_line) {
		domain_get_command_line(object.domain, method_call_done,
					method_call_new(object.service, message));
		return 1;
	}
	if (!domain_check_not_adopted(object.domain, "The option command-line tells how it was started, the "
				      "properties tell what is known of it", &error))
		return bus_error_from_gerror(ret_error, error);
	text = definition_to_json(live ? domain_get_definition(object.domain)
				       : domain_get_next_definition(object.domain));
	return sd_bus_reply_method_return(message, "s", text);
}

static void on_screenshot(Domain *domain, int fd, const GError *error, void *userdata)
{
	MethodCall *call = userdata;
	sd_bus_message *reply = NULL;
	int r;

	if (error) {
		method_call_done(domain, NULL, error, call);
		return;
	}
	r = method_call_new_reply(call, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "h", fd);
	method_call_reply(call, domain, reply, r);
}

static int method_screenshot(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	const char *device = NULL;
	uint32_t head = UINT32_MAX;
	int timeout_ms = DOMAIN_CALL_TIMEOUT_MS;
	const BusOption options[] = {
		{ "device", BUS_OPTION_STRING, &device },
		{ "head", BUS_OPTION_NUMBER, &head },
		{ "timeout", BUS_OPTION_DURATION, &timeout_ms },
	};
	int r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);

	if (r < 0)
		return r;
	domain_screenshot(object.domain, device, head == UINT32_MAX ? -1 : (int64_t)head, timeout_ms,
			  on_screenshot, method_call_new(object.service, message));
	return 1;
}

static int method_save(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	const char *path = NULL;
	int timeout_ms = -1;
	const BusOption options[] = {
		{ "path", BUS_OPTION_STRING, &path },
		{ "timeout", BUS_OPTION_DURATION, &timeout_ms },
	};
	int r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);

	if (r < 0)
		return r;
	domain_save(object.domain, path, timeout_ms, method_call_done,
		    method_call_new(object.service, message));
	return 1;
}

static int method_drop_saved_state(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;

	domain_drop_saved_state(object.domain, method_call_done,
				method_call_new(object.service, message));
	return 1;
}

static int method_set_autostart(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const DomainObject object = *(DomainObject *)userdata;
	int autostart, r = sd_bus_message_read(message, "b", &autostart);

	if (r < 0)
		return r;
	driver_set_autostart(object.service->driver, object.domain, autostart,
			     method_call_done_empty, method_call_new(object.service, message));
	return 1;
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define NO_RESULT SD_BUS_NO_RESULT
#define OPTIONS SD_BUS_ARGS("a{sv}", options)

const sd_bus_vtable domain_interface_vtable[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("Start", OPTIONS, NO_RESULT, method_start, ACTION_CONTROL),
	ACTION_METHOD("Shutdown", OPTIONS, NO_RESULT, method_shutdown, ACTION_CONTROL),
	ACTION_METHOD("Reboot", OPTIONS, NO_RESULT, method_reboot, ACTION_CONTROL),
	ACTION_METHOD("Reset", SD_BUS_NO_ARGS, NO_RESULT, method_command, ACTION_CONTROL),
	ACTION_METHOD("Destroy", OPTIONS, NO_RESULT, method_destroy, ACTION_CONTROL),
	ACTION_METHOD("Suspend", SD_BUS_NO_ARGS, NO_RESULT, method_command, ACTION_CONTROL),
	ACTION_METHOD("Resume", SD_BUS_NO_ARGS, NO_RESULT, method_command, ACTION_CONTROL),
	ACTION_METHOD("Wakeup", SD_BUS_NO_ARGS, NO_RESULT, method_command, ACTION_CONTROL),
	ACTION_METHOD("InjectNMI", SD_BUS_NO_ARGS, NO_RESULT, method_command, ACTION_CONTROL),
	ACTION_METHOD("Undefine", OPTIONS, NO_RESULT, method_undefine, ACTION_DEFINE),
	ACTION_METHOD("GetDefinition", OPTIONS, SD_BUS_RESULT("s", definition),
		      method_get_definition, ACTION_INSPECT),
	ACTION_METHOD("Screenshot", OPTIONS, SD_BUS_RESULT("h", picture), method_screenshot,
		      ACTION_SCREENSHOT),
	ACTION_METHOD("Save", OPTIONS, NO_RESULT, method_save, ACTION_CONTROL),
	ACTION_METHOD("DropSavedState", SD_BUS_NO_ARGS, NO_RESULT,
		      method_drop_saved_state, ACTION_DEFINE),
	ACTION_METHOD("SetAutostart", SD_BUS_ARGS("b", autostart), NO_RESULT,
		      method_set_autostart, ACTION_DEFINE),

	SD_BUS_PROPERTY("Name", "s", get_name, 0, CHANGES),
	SD_BUS_PROPERTY("UUID", "s", get_uuid, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Title", "s", get_title, 0, CHANGES),
	SD_BUS_PROPERTY("State", "s", get_state, 0, CHANGES),
	SD_BUS_PROPERTY("StateReason", "s", get_state_reason, 0, CHANGES),
	SD_BUS_PROPERTY("Incarnation", "t", get_incarnation, 0, CHANGES),
	SD_BUS_PROPERTY("Persistent", "b", get_persistent, 0, CHANGES),
	SD_BUS_PROPERTY("Adopted", "b", get_adopted, 0, CHANGES),
	ACTION_WRITABLE_PROPERTY("Autostart", "b", get_autostart, set_autostart, CHANGES, ACTION_DEFINE),
	SD_BUS_PROPERTY("HasSavedState", "b", get_has_saved_state, 0, CHANGES),
	SD_BUS_PROPERTY("PID", "u", get_pid, 0, CHANGES),
	SD_BUS_PROPERTY("StartedAt", "t", get_started_at, 0, CHANGES),
	SD_BUS_PROPERTY("Owner", "u", get_owner, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Unit", "s", get_unit, 0, CHANGES),
	SD_BUS_PROPERTY("Emulator", "s", get_emulator, 0, CHANGES),
	SD_BUS_PROPERTY("Machine", "s", get_machine, 0, CHANGES),
	SD_BUS_PROPERTY("Accelerator", "s", get_accelerator, 0, CHANGES),
	SD_BUS_PROPERTY("LogDirectory", "s", get_log_directory, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("CPUs", "u", get_cpus, 0, CHANGES),
	SD_BUS_PROPERTY("Memory", "t", get_memory, 0, CHANGES),

	SD_BUS_SIGNAL_WITH_ARGS("Lifecycle",
				SD_BUS_ARGS("s", event, "s", reason, "s", state, "(ttt)", stamp,
					    "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Reset",
				SD_BUS_ARGS("s", initiator, "s", cause, "(ttt)", stamp, "a{sv}",
					    details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("PowerdownRequested",
				SD_BUS_ARGS("s", source, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("GuestShutdownRequested",
				SD_BUS_ARGS("s", source, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Watchdog",
				SD_BUS_ARGS("s", action, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Panicked",
				SD_BUS_ARGS("s", action, "(ttt)", stamp, "a{sv}", details), 0),
	SD_BUS_VTABLE_END,
};
