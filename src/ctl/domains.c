/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that show domains. */
#include <glib/gi18n.h>
#include <stdio.h>

#include "ctl/bus.h"
#include "ctl/names.h"
#include "ctl/output.h"
#include "ctl/value.h"
#include "ctl/verbs.h"

/* Who pressed the tabulator key does not wait longer for names: microseconds. */
#define NAMES_TIMEOUT (2u * G_USEC_PER_SEC)

static char *list_state;

const GOptionEntry list_options[] = {
	{ "state", 0, 0, G_OPTION_ARG_FILENAME, &list_state,
	  N_("Only domains in this state (running, shut-off, …)"), N_("STATE") },
	{},
};

CtlExit list_run(Ctl *ctl, char **arguments)
{
	const char *const heads[] = { _("NAME"), _("STATE"), _("UUID"), NULL };
	const BusOption options[] = { { "state", .text = list_state }, {} };
	g_autoptr(OutputTable) table = output_table_new(heads, 1);
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_ARRAY);
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *path, *name, *uuid, *state;
	JsonArray *array = json_array_new();
	CtlExit code;
	int r;

	json_node_take_array(node, array);
	code = bus_method_new(ctl, NAMES_MANAGER_PATH, "Manager", "ListDomains", &message);
	if (code == CTL_OK)
		code = bus_append_options(message, options);
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code != CTL_OK)
		return code;
	r = sd_bus_message_enter_container(reply, 'a', "(osss)");
	while (r > 0 && (r = sd_bus_message_read(reply, "(osss)", &path, &name, &uuid, &state)) > 0) {
		JsonObject *object = json_object_new();

		json_object_set_string_member(object, "path", path);
		json_object_set_string_member(object, "name", name);
		json_object_set_string_member(object, "uuid", uuid);
		json_object_set_string_member(object, "state", state);
		json_array_add_object_element(array, object);
		output_table_add(table, name, state, uuid, NULL);
	}
	if (r < 0)
		return bus_report(NULL, r);
	if (ctl->json)
		output_json(node);
	else
		output_table_print(ctl, table);
	return CTL_OK;
}

void list_names(Ctl *ctl)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *name;
	int r;

	if (bus_method_new(ctl, NAMES_MANAGER_PATH, "Manager", "ListDomains", &message) != CTL_OK ||
	    bus_append_options(message, NULL) != CTL_OK ||
	    sd_bus_message_set_auto_start(message, false) < 0)
		return;
	if (sd_bus_call(ctl->bus, message, NAMES_TIMEOUT, NULL, &reply) < 0)
		return;
	r = sd_bus_message_enter_container(reply, 'a', "(osss)");
	while (r > 0 && (r = sd_bus_message_read(reply, "(osss)", NULL, &name, NULL, NULL)) > 0) {
		g_autofree char *safe = output_safe(name);

		puts(safe);
	}
}

/* An interface that the service does not have (yet) is no error; ret_node is left alone. */
static CtlExit get_properties(Ctl *ctl, const char *path, const char *interface, JsonNode **ret_node)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	g_autoptr(JsonNode) node = NULL;
	g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
	CtlExit code;
	int r;

	code = bus_method_new(ctl, path, NAMES_PROPERTIES, "GetAll", &message);
	if (code == CTL_OK)
		code = bus_append(message, "s", interface);
	if (code != CTL_OK)
		return code;
	r = sd_bus_call(ctl->bus, message, UINT64_MAX, &error, &reply);
	if (r < 0 && (sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_INTERFACE) ||
		      sd_bus_error_has_name(&error, SD_BUS_ERROR_INVALID_ARGS)))
		return CTL_OK;
	if (r < 0)
		return bus_report(&error, r);
	node = value_read(reply);
	if (node && JSON_NODE_HOLDS_OBJECT(node))
		*ret_node = g_steal_pointer(&node);
	return CTL_OK;
}

static char *property_text(const char *name, JsonNode *value)
{
	bool number = JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_INT64;
	int64_t integer = number ? json_node_get_int(value) : 0;

	if (number && g_str_equal(name, "Memory"))
		return output_size((uint64_t) integer);
	if (number && g_str_equal(name, "StartedAt"))
		return integer > 0 ? output_time((uint64_t) integer) : g_strdup("-");
	if (JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_STRING)
		return g_strdup(json_node_get_string(value));
	return value_to_text(value);
}

/* Devices, filters and the like: a row for each entry. */
static void add_entries(OutputTable *table, const char *name, JsonObject *entries)
{
	g_autoptr(GList) keys = json_object_get_members(entries);

	for (GList *item = keys; item; item = item->next) {
		g_autofree char *label = g_strdup_printf("%s[%s]", name, (const char *) item->data);
		g_autofree char *text = value_to_text(json_object_get_member(entries, item->data));

		output_table_add(table, label, text, NULL);
	}
}

static void add_properties(OutputTable *table, JsonObject *properties)
{
	g_autoptr(GList) names = json_object_get_members(properties);

	for (GList *item = names; item; item = item->next) {
		const char *name = item->data;
		JsonNode *value = json_object_get_member(properties, name);
		g_autofree char *text = NULL;

		if (JSON_NODE_HOLDS_OBJECT(value)) {
			add_entries(table, name, json_node_get_object(value));
			continue;
		}
		text = property_text(name, value);
		output_table_add(table, name, text, NULL);
	}
}

CtlExit show_run(Ctl *ctl, char **arguments)
{
	static const char *const interfaces[] = {
		NAMES_INTERFACE("Domain"),    NAMES_INTERFACE("Devices"), NAMES_INTERFACE("Network"),
		NAMES_INTERFACE("Block"),     NAMES_INTERFACE("Guest"),   NAMES_INTERFACE("Display"),
		NAMES_INTERFACE("Migration"), NAMES_INTERFACE("Monitor"),
	};
	const char *const heads[] = { _("PROPERTY"), _("VALUE"), NULL };
	g_autoptr(OutputTable) table = output_table_new(heads, 1);
	g_autoptr(JsonNode) result = json_node_new(JSON_NODE_OBJECT);
	g_autofree char *path = NULL;
	JsonObject *object = json_object_new();
	JsonObject *all = json_object_new();
	CtlExit code;

	json_node_take_object(result, object);
	json_object_set_object_member(object, "interfaces", all);
	code = bus_find_domain(ctl, arguments[0], &path);
	for (unsigned i = 0; code == CTL_OK && i < G_N_ELEMENTS(interfaces); i++) {
		JsonNode *properties = NULL;

		code = get_properties(ctl, path, interfaces[i], &properties);
		if (!properties)
			continue;
		add_properties(table, json_node_get_object(properties));
		json_object_set_member(all, interfaces[i], properties);
	}
	if (code != CTL_OK)
		return code;
	json_object_set_string_member(object, "path", path);
	if (ctl->json)
		output_json(result);
	else
		output_table_print(ctl, table);
	return CTL_OK;
}

CtlExit definition_run(Ctl *ctl, char **arguments)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *definition = NULL;
	CtlExit code;

	code = bus_domain_method_new(ctl, arguments[0], "Domain", "GetDefinition", &message);
	if (code == CTL_OK)
		code = bus_append_options(message, NULL);
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code == CTL_OK)
		code = bus_read(reply, "s", &definition);
	if (code == CTL_OK)
		output_json_text(definition);
	return code;
}

static CtlExit show_autostart(Ctl *ctl, const char *domain)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	int autostart = 0;
	CtlExit code;

	code = bus_domain_method_new(ctl, domain, NAMES_PROPERTIES, "Get", &message);
	if (code == CTL_OK)
		code = bus_append(message, "ss", NAMES_INTERFACE("Domain"), "Autostart");
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code == CTL_OK)
		code = bus_read(reply, "v", "b", &autostart);
	if (code == CTL_OK && ctl->json)
		puts(autostart ? "true" : "false");
	else if (code == CTL_OK)
		puts(autostart ? "on" : "off");
	return code;
}

CtlExit autostart_run(Ctl *ctl, char **arguments)
{
	g_autoptr(sd_bus_message) message = NULL;
	bool autostart;
	CtlExit code;

	if (!arguments[1])
		return show_autostart(ctl, arguments[0]);
	autostart = g_str_equal(arguments[1], "on");
	if (!autostart && !g_str_equal(arguments[1], "off")) {
		ctl_error(_("autostart: '%s' is neither on nor off"), arguments[1]);
		return CTL_USAGE;
	}
	code = bus_domain_method_new(ctl, arguments[0], "Domain", "SetAutostart", &message);
	if (code == CTL_OK)
		code = bus_append(message, "b", autostart);
	return code == CTL_OK ? bus_call(ctl, message, NULL) : code;
}
