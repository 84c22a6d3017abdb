/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb "show": all properties of a domain. Whatever a property holds becomes rows: each entry
 * of a dictionary, and each element of a list of dictionaries, has one of its own.
 */
#include <glib/gi18n.h>

#include "ctl/bus.h"
#include "ctl/definitions.h"
#include "ctl/names.h"
#include "ctl/output.h"
#include "ctl/value.h"
#include "ctl/verbs.h"

typedef enum PropertyKind {
	PROPERTY_SIZE,          /* bytes, also as the value of each entry */
	PROPERTY_TIME,          /* microseconds since 1970; 0: not yet */
} PropertyKind;

static const struct {
	const char *name;
	PropertyKind kind;
} properties_by_kind[] = {
	{ "Memory", PROPERTY_SIZE },
	{ "Balloon", PROPERTY_SIZE },
	{ "WriteThresholds", PROPERTY_SIZE },
	{ "Progress", PROPERTY_SIZE },
	{ "StartedAt", PROPERTY_TIME },
};

/* The same of what the entries of a property have. */
static const struct {
	const char *property;
	const char *key;
	const char *types;      /* only where the entry has one of these types; NULL: any */
} sizes_in_entries[] = {
	{ "Devices", "size", NULL },
	{ "Jobs", "len", NAMES_JOBS_IN_BYTES },
	{ "Jobs", "offset", NAMES_JOBS_IN_BYTES },
	{ "Jobs", "speed", NAMES_JOBS_IN_BYTES },
};

/* Its name alone says nothing among those of other interfaces. */
static const struct {
	const char *interface;
	const char *name;
	const char *label;
} labels[] = {
	{ NAMES_INTERFACE("Migration"), "Status", "Migration.Status" },
};

/* Not among those that GetAll() answers with: it tells who somebody is. */
static const struct {
	const char *interface;
	const char *name;
} explicit_properties[] = {
	{ NAMES_INTERFACE("Display"), "Clients" },
};

/* CTL_OK without a value: the service does not have it (yet). Free with json_node_unref(). */
static CtlExit get(Ctl *ctl, const char *path, const char *interface, const char *name,
		   JsonNode **ret_node)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
	CtlExit code;
	int r;

	code = bus_method_new(ctl, path, NAMES_PROPERTIES, name ? "Get" : "GetAll", &message);
	if (code == CTL_OK)
		code = bus_append(message, "s", interface);
	if (code == CTL_OK && name)
		code = bus_append(message, "s", name);
	if (code != CTL_OK)
		return code;
	r = sd_bus_call(ctl->bus, message, UINT64_MAX, &error, &reply);
	if (r < 0 && bus_is_unknown(&error))
		return CTL_OK;
	if (r < 0)
		return bus_report(&error, r);
	*ret_node = value_read(reply);
	return CTL_OK;
}

/* An interface that the service does not have (yet) is no error; ret_node is left alone. */
static CtlExit get_properties(Ctl *ctl, const char *path, const char *interface,
			      JsonNode **ret_node)
{
	g_autoptr(JsonNode) node = NULL;
	CtlExit code;

	code = get(ctl, path, interface, NULL, &node);
	if (code != CTL_OK || !node || !JSON_NODE_HOLDS_OBJECT(node))
		return code;
	for (unsigned i = 0; code == CTL_OK && i < G_N_ELEMENTS(explicit_properties); i++) {
		const char *name = explicit_properties[i].name;
		JsonNode *value = NULL;

		if (!g_str_equal(explicit_properties[i].interface, interface))
			continue;
		code = get(ctl, path, interface, name, &value);
		if (value)
			json_object_set_member(json_node_get_object(node), name, value);
	}
	if (code == CTL_OK)
		*ret_node = g_steal_pointer(&node);
	return code;
}

static char *plain_text(JsonNode *value)
{
	if (JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_STRING)
		return g_strdup(json_node_get_string(value));
	return value_to_text(value);
}

static char *property_text(const char *name, JsonNode *value)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(properties_by_kind); i++) {
		if (!g_str_equal(properties_by_kind[i].name, name) ||
		    !value_get_unsigned(value, &number))
			continue;
		if (properties_by_kind[i].kind == PROPERTY_SIZE)
			return output_size(number);
		return number > 0 ? output_time(number) : g_strdup("-");
	}
	return plain_text(value);
}

static bool is_of_type(JsonObject *entry, const char *types)
{
	JsonNode *type = json_object_get_member(entry, "type");

	if (!types)
		return true;
	return type && JSON_NODE_HOLDS_VALUE(type) &&
	       json_node_get_value_type(type) == G_TYPE_STRING &&
	       names_is_among(types, json_node_get_string(type));
}

/* Devices, jobs, clients and the like: key=value. */
static char *entry_text(const char *property, JsonObject *entry)
{
	g_autoptr(JsonNode) shown = json_node_new(JSON_NODE_OBJECT);
	g_autoptr(GList) keys = json_object_get_members(entry);
	JsonObject *object = json_object_new();

	json_node_take_object(shown, object);
	for (GList *item = keys; item; item = item->next)
		json_object_set_member(object, item->data, json_object_dup_member(entry, item->data));
	for (unsigned i = 0; i < G_N_ELEMENTS(sizes_in_entries); i++) {
		const char *key = sizes_in_entries[i].key;
		JsonNode *value = json_object_get_member(entry, key);
		g_autofree char *size = NULL;
		uint64_t number = 0;

		if (!g_str_equal(sizes_in_entries[i].property, property) || !value ||
		    !is_of_type(entry, sizes_in_entries[i].types) ||
		    !value_get_unsigned(value, &number))
			continue;
		size = output_size(number);
		json_object_set_string_member(object, key, size);
	}
	return value_to_text(shown);
}

static void add_entry(OutputTable *table, const char *property, const char *key, JsonNode *value)
{
	g_autofree char *label = g_strdup_printf("%s[%s]", property, key);
	g_autofree char *text = NULL;

	if (JSON_NODE_HOLDS_OBJECT(value))
		text = entry_text(property, json_node_get_object(value));
	else
		text = property_text(property, value);
	output_table_add(table, label, text, NULL);
}

static bool is_list_of_objects(JsonNode *value)
{
	JsonArray *array;

	if (!JSON_NODE_HOLDS_ARRAY(value))
		return false;
	array = json_node_get_array(value);
	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		if (!JSON_NODE_HOLDS_OBJECT(json_array_get_element(array, i)))
			return false;
	}
	return json_array_get_length(array) > 0;
}

static void add_property(OutputTable *table, const char *interface, const char *name,
			 JsonNode *value)
{
	const char *label = name;
	g_autofree char *text = NULL;

	for (unsigned i = 0; i < G_N_ELEMENTS(labels); i++) {
		if (g_str_equal(labels[i].interface, interface) && g_str_equal(labels[i].name, name))
			label = labels[i].label;
	}
	if (JSON_NODE_HOLDS_OBJECT(value)) {
		JsonObject *object = json_node_get_object(value);
		g_autoptr(GList) keys = json_object_get_members(object);

		for (GList *item = keys; item; item = item->next)
			add_entry(table, name, item->data, json_object_get_member(object, item->data));
	} else if (is_list_of_objects(value)) {
		JsonArray *array = json_node_get_array(value);

		for (unsigned i = 0; i < json_array_get_length(array); i++) {
			g_autofree char *key = g_strdup_printf("%u", i);

			add_entry(table, name, key, json_array_get_element(array, i));
		}
	} else {
		text = property_text(name, value);
		output_table_add(table, label, text, NULL);
	}
}

static void add_properties(OutputTable *table, const char *interface, JsonObject *properties)
{
	g_autoptr(GList) names = json_object_get_members(properties);

	for (GList *item = names; item; item = item->next)
		add_property(table, interface, item->data,
			     json_object_get_member(properties, item->data));
}

/* The file of a domain has its name. */
static void note_changed(Ctl *ctl, JsonObject *interfaces)
{
	JsonObject *domain = json_object_has_member(interfaces, NAMES_INTERFACE("Domain"))
				     ? json_object_get_object_member(interfaces, NAMES_INTERFACE("Domain"))
				     : NULL;
	JsonNode *name = domain ? json_object_get_member(domain, "Name") : NULL;

	if (name && JSON_NODE_HOLDS_VALUE(name) && json_node_get_value_type(name) == G_TYPE_STRING)
		definitions_note_changed(ctl, json_node_get_string(name));
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
		add_properties(table, interfaces[i], json_node_get_object(properties));
		json_object_set_member(all, interfaces[i], properties);
	}
	if (code != CTL_OK)
		return code;
	json_object_set_string_member(object, "path", path);
	if (ctl->json)
		output_json(result);
	else
		output_table_print(ctl, table);
	note_changed(ctl, all);
	return CTL_OK;
}
