/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manager-object.h"

#include <errno.h>
#include <fcntl.h>

#include "bus-error.h"
#include "bus/names.h"
#include "bus-options.h"
#include "bus/object-path.h"
#include "event-query.h"
#include "method-call.h"
#include "qemu/emulators.h"

/* ---- properties ---- */

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
		       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "s", PROJECT_VERSION);
}

static int get_instance_id(sd_bus *bus, const char *path, const char *interface,
			   const char *property, sd_bus_message *reply, void *userdata,
			   sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "s", ((Service *)userdata)->instance_id);
}

static int get_last_sequence(sd_bus *bus, const char *path, const char *interface,
			     const char *property, sd_bus_message *reply, void *userdata,
			     sd_bus_error *ret_error)
{
	return sd_bus_message_append(reply, "t",
				     driver_get_last_sequence(((Service *)userdata)->driver));
}

static int get_oldest_sequence(sd_bus *bus, const char *path, const char *interface,
			       const char *property, sd_bus_message *reply, void *userdata,
			       sd_bus_error *ret_error)
{
	const History *history = driver_get_history(((Service *)userdata)->driver);

	return sd_bus_message_append(reply, "t", history ? history_get_oldest(history) : 0);
}

static int append_strings(sd_bus_message *reply, const char *key, char *const *values)
{
	int r = sd_bus_message_open_container(reply, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(reply, "s", key);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(reply, (char **)values);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(reply);
	return r;
}

static int append_emulator(sd_bus_message *reply, const QemuEmulator *emulator)
{
	int r = sd_bus_message_open_container(reply, 'e', "sa{sv}");

	if (r >= 0)
		r = sd_bus_message_append(reply, "s", emulator->name);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "{sv}");
	if (r >= 0)
		r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}", "path", "s", emulator->path,
					  "version", "s", emulator->version, "default-machine", "s",
					  emulator->default_machine, "sandbox", "b",
					  (int)emulator->knows_sandbox);
	if (r >= 0)
		r = append_strings(reply, "machines", emulator->machines);
	if (r >= 0)
		r = append_strings(reply, "accelerators", emulator->accelerators);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(reply);
	return r;
}

static int get_emulators(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	GPtrArray *emulators = driver_get_emulators(((Service *)userdata)->driver);
	int r = sd_bus_message_open_container(reply, 'a', "{sa{sv}}");

	for (unsigned i = 0; r >= 0 && i < emulators->len; i++)
		r = append_emulator(reply, g_ptr_array_index(emulators, i));
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_definition_problems(sd_bus *bus, const char *path, const char *interface,
				   const char *property, sd_bus_message *reply, void *userdata,
				   sd_bus_error *ret_error)
{
	GPtrArray *problems = driver_get_definition_problems(((Service *)userdata)->driver);
	int r = sd_bus_message_open_container(reply, 'a', "(suuss)");

	for (unsigned i = 0; r >= 0 && i < problems->len; i++) {
		const StoredProblem *problem = g_ptr_array_index(problems, i);

		r = sd_bus_message_append(reply, "(suuss)", problem->file, problem->place.line,
					  problem->place.column, problem->path, problem->message);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_definitions_changed(sd_bus *bus, const char *path, const char *interface,
				   const char *property, sd_bus_message *reply, void *userdata,
				   sd_bus_error *ret_error)
{
	GPtrArray *changed = driver_get_changed_files(((Service *)userdata)->driver);
	int r = sd_bus_message_open_container(reply, 'a', "s");

	for (unsigned i = 0; r >= 0 && i < changed->len; i++)
		r = sd_bus_message_append(reply, "s", (const char *)g_ptr_array_index(changed, i));
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* ---- methods ---- */

static uid_t get_caller(const Service *service, sd_bus_message *message)
{
	return credentials_get_user(service->credentials, message);
}

static int method_define(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	const char *definition;
	int r = sd_bus_message_read(message, "s", &definition);

	if (r >= 0)
		r = bus_read_no_options(message, ret_error);
	if (r < 0)
		return r;
	driver_define(service->driver, get_caller(service, message), definition, method_call_done_path,
		      method_call_new(service, message));
	return 1;
}

static int method_create(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	g_autoptr(Descriptors) descriptors = NULL;
	bool paused = false;
	const BusOption options[] = { { "paused", BUS_OPTION_BOOLEAN, &paused },
				      { "descriptors", BUS_OPTION_DESCRIPTORS, &descriptors } };
	const char *definition;
	int r = sd_bus_message_read(message, "s", &definition);

	if (r >= 0)
		r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	if (r < 0)
		return r;
	driver_create(service->driver, get_caller(service, message), definition, paused,
		      g_steal_pointer(&descriptors), method_call_done_path, method_call_new(service, message));
	return 1;
}

static int method_adopt(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	int fd = -1, timeout_ms = ADOPTION_TIMEOUT_MS;
	const BusOption options[] = {
		{ "monitor-fd", BUS_OPTION_DESCRIPTOR, &fd },
		{ "timeout", BUS_OPTION_DURATION, &timeout_ms },
	};
	const char *name, *monitor;
	int r = sd_bus_message_read(message, "ss", &name, &monitor);

	if (r >= 0)
		r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	if (r < 0)
		return r;
	/* That of the message is closed with it. */
	if (fd >= 0) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
	}
	driver_adopt(service->driver, get_caller(service, message), name, monitor, fd, timeout_ms,
		     method_call_done_path, method_call_new(service, message));
	return 1;
}

static int method_get_domain(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	g_autofree char *path = NULL;
	const char *name;
	Domain *domain;
	int r = sd_bus_message_read(message, "s", &name);

	if (r < 0)
		return r;
	domain = driver_find_domain(service->driver, name);
	if (!domain)
		return sd_bus_error_setf(ret_error, BUS_ERROR("NoSuchDomain"),
					 "There is no domain with the name or uuid '%s'", name);
	path = bus_path_from_uuid(domain_get_uuid(domain));
	return sd_bus_reply_method_return(message, "o", path);
}

static int append_listed(sd_bus_message *reply, const Domain *domain)
{
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));

	return sd_bus_message_append(reply, "(osss)", path, domain_get_name(domain),
				     domain_get_uuid(domain),
				     domain_state_to_string(domain_get_state(domain)));
}

static int append_list(sd_bus_message *reply, Service *service, bool filtered, DomainState state)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(service->driver);
	int r = sd_bus_message_open_container(reply, 'a', "(osss)");

	for (unsigned i = 0; r >= 0 && i < domains->len; i++) {
		const Domain *domain = g_ptr_array_index(domains, i);

		if (!filtered || domain_get_state(domain) == state)
			r = append_listed(reply, domain);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_list_domains(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const char *name = NULL;
	const BusOption options[] = { { "state", BUS_OPTION_STRING, &name } };
	DomainState state = DOMAIN_STATE_SHUT_OFF;
	sd_bus_message *reply = NULL;
	int r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);

	if (r < 0)
		return r;
	if (name && !domain_state_from_string(name, &state))
		return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
					 "options: '%s' is no state of a domain", name);
	r = sd_bus_message_new_method_return(message, &reply);
	if (r >= 0)
		r = append_list(reply, userdata, name != NULL, state);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static void on_validated(GPtrArray *problems, const GError *error, void *userdata)
{
	MethodCall *call = userdata;
	sd_bus_message *reply = NULL;
	int r;

	if (error) {
		method_call_done(NULL, NULL, error, call);
		return;
	}
	r = method_call_new_reply(call, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "(ss)");
	for (unsigned i = 0; r >= 0 && i < problems->len; i++) {
		const DefinitionProblem *problem = g_ptr_array_index(problems, i);

		r = sd_bus_message_append(reply, "(ss)", problem->path, problem->message);
	}
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	method_call_reply(call, NULL, reply, r);
}

static int method_validate(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	const char *definition;
	int r = sd_bus_message_read(message, "s", &definition);

	if (r < 0)
		return r;
	driver_validate(service->driver, definition, on_validated, method_call_new(service, message));
	return 1;
}

static int method_reload(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;

	service_reload(service, method_call_done_empty, method_call_new(service, message));
	return 1;
}

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("DefineDomain", SD_BUS_ARGS("s", definition, "a{sv}", options),
		      SD_BUS_RESULT("o", domain), method_define, ACTION_DEFINE),
	ACTION_METHOD("CreateDomain", SD_BUS_ARGS("s", definition, "a{sv}", options),
		      SD_BUS_RESULT("o", domain), method_create, ACTION_DEFINE),
	ACTION_METHOD("AdoptDomain",
		      SD_BUS_ARGS("s", name, "s", monitor, "a{sv}", options),
		      SD_BUS_RESULT("o", domain), method_adopt, ACTION_ADOPT),
	ACTION_METHOD("GetDomain", SD_BUS_ARGS("s", name_or_uuid),
		      SD_BUS_RESULT("o", domain), method_get_domain, ACTION_INSPECT),
	ACTION_METHOD("ListDomains", SD_BUS_ARGS("a{sv}", options),
		      SD_BUS_RESULT("a(osss)", domains), method_list_domains, ACTION_INSPECT),
	ACTION_METHOD("GetEvents",
		      SD_BUS_ARGS("t", after, "a{sv}", filter, "u", limit),
		      SD_BUS_RESULT("b", complete, "t", last, "a(tttossv)", events),
		      event_query_method, ACTION_INSPECT),
	ACTION_METHOD("CountEvents", SD_BUS_ARGS("t", after, "a{sv}", filter),
		      SD_BUS_RESULT("b", complete, "t", last, "t", count),
		      event_query_count_method, ACTION_INSPECT),
	ACTION_METHOD("ValidateDefinition", SD_BUS_ARGS("s", definition),
		      SD_BUS_RESULT("a(ss)", problems), method_validate, ACTION_INSPECT),
	ACTION_METHOD("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reload, ACTION_MANAGE),

	SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("InstanceID", "s", get_instance_id, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("LastSequence", "t", get_last_sequence, 0, 0),
	SD_BUS_PROPERTY("OldestSequence", "t", get_oldest_sequence, 0, 0),
	SD_BUS_PROPERTY("Emulators", "a{sa{sv}}", get_emulators, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("DefinitionProblems", "a(suuss)", get_definition_problems, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_PROPERTY("DefinitionsChanged", "as", get_definitions_changed, 0,
			SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
	SD_BUS_VTABLE_END,
};

int manager_object_register(Service *service)
{
	int r = sd_bus_add_object_manager(service->bus, NULL, BUS_PATH);

	if (r < 0)
		return r;
	return actions_add_object(service->actions, service->bus, BUS_PATH, BUS_INTERFACE("Manager"),
				  manager_vtable, service);
}
