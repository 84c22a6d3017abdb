/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb "show": all properties of a domain. Whatever a property holds becomes rows: each entry
 * of a dictionary, and each element of a list of dictionaries, has one of its own.
 */
#include <glib/gi18n.h>

#include "ctl/call.h"
#include "ctl/definitions.h"
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
	{ "Jobs", "len", VALUE_JOBS_IN_BYTES },
	{ "Jobs", "offset", VALUE_JOBS_IN_BYTES },
	{ "Jobs", "speed", VALUE_JOBS_IN_BYTES },
};

/* The clients of a display are not among those that all properties are asked for with: they tell who somebody is. */
#define EXPLICIT_INTERFACE "Display"
#define EXPLICIT_PROPERTY  "Clients"

static char *property_text(const char *name, const VmhValue *value)
{
	const char *string = vmh_value_get_string(value);
	uint64_t number = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(properties_by_kind); i++) {
		if (!g_str_equal(properties_by_kind[i].name, name) || !vmh_value_get_uint64(value, &number))
			continue;
		if (properties_by_kind[i].kind == PROPERTY_SIZE)
			return output_size(number);
		return number > 0 ? output_time(number) : g_strdup("-");
	}
	return string ? g_strdup(string) : value_to_text(value);
}

/* What a key of an entry has in bytes, as a text; NULL: it has none. */
static char *entry_size(const char *property, const VmhValue *entry, const char *key)
{
	const char *type = vmh_value_lookup_string(entry, "type");
	uint64_t number = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes_in_entries); i++) {
		const char *types = sizes_in_entries[i].types;

		if (g_str_equal(sizes_in_entries[i].property, property) &&
		    g_str_equal(sizes_in_entries[i].key, key) &&
		    (!types || (type && value_is_among(types, type))) &&
		    vmh_value_lookup_uint64(entry, key, &number))
			return output_size(number);
	}
	return NULL;
}

/* Devices, jobs, clients and the like: key=value. */
static char *entry_text(const char *property, const VmhValue *entry)
{
	GString *string = g_string_new(value_is_empty(entry) ? "{}" : NULL);

	for (size_t i = 0; i < vmh_value_get_length(entry); i++) {
		const char *key = vmh_value_get_key(entry, i);
		g_autoptr(VmhValue) value = vmh_value_get_child(entry, i);
		g_autofree char *size = entry_size(property, entry, key);

		if (i > 0)
			g_string_append_c(string, ' ');
		value_append_string(string, key);
		g_string_append_c(string, '=');
		if (size)
			value_append_string(string, size);
		else
			value_append_inner_text(string, value);
	}
	return g_string_free(string, false);
}

static bool is_list_of_entries(const VmhValue *value)
{
	return g_str_has_prefix(vmh_value_get_type(value), "aa{s") && !value_is_empty(value);
}

static void add_property(OutputTable *table, const char *interface, const char *name, const VmhValue *value)
{
	/* Its name alone says nothing among those of other interfaces. */
	bool bare = !g_str_equal(interface, "Migration") || !g_str_equal(name, "Status");
	g_autofree char *label = bare ? g_strdup(name) : g_strdup_printf("%s.%s", interface, name);
	g_autofree char *text = NULL;

	if (!value_is_dictionary(value) && !is_list_of_entries(value)) {
		text = property_text(name, value);
		output_table_add(table, label, text, NULL);
		return;
	}
	for (size_t i = 0; i < vmh_value_get_length(value); i++) {
		const char *key = vmh_value_get_key(value, i);
		g_autoptr(VmhValue) entry = vmh_value_get_child(value, i);
		g_autofree char *what = key ? g_strdup_printf("%s[%s]", name, key)
					    : g_strdup_printf("%s[%" G_GSIZE_FORMAT "]", name, i);
		g_autofree char *entry_string = value_is_dictionary(entry) ? entry_text(name, entry)
									    : property_text(name, entry);

		output_table_add(table, what, entry_string, NULL);
	}
}

/* To the table, and to the JSON of the interface. What the service does not have (yet) is left out. */
static CtlExit add_explicit(Call *call, OutputTable *table, JsonObject *object)
{
	g_autoptr(VmhValue) value = vmh_domain_get_property(call->domain, EXPLICIT_INTERFACE, EXPLICIT_PROPERTY,
							    &call->error);

	if (value) {
		add_property(table, EXPLICIT_INTERFACE, EXPLICIT_PROPERTY, value);
		json_object_set_member(object, EXPLICIT_PROPERTY, value_to_json(value));
	} else if (!call_is_unknown(call->error)) {
		return call_end(call, false);
	}
	g_clear_pointer(&call->error, vmh_error_free);
	return CTL_OK;
}

/* The same for a whole interface. ret_name: the domain's, if it is there; free with g_free(). */
static CtlExit add_interface(Call *call, const char *interface, OutputTable *table, JsonObject *all, char **ret_name)
{
	g_autoptr(VmhValue) properties = vmh_domain_get_properties(call->domain, interface, &call->error);
	g_autofree char *full = g_strconcat(VMH_BUS_NAME, ".", interface, NULL);
	JsonNode *node;

	if (!properties && !call_is_unknown(call->error))
		return call_end(call, false);
	g_clear_pointer(&call->error, vmh_error_free);
	if (!properties)
		return CTL_OK;
	for (size_t i = 0; i < vmh_value_get_length(properties); i++) {
		g_autoptr(VmhValue) value = vmh_value_get_child(properties, i);

		add_property(table, interface, vmh_value_get_key(properties, i), value);
	}
	if (g_str_equal(interface, "Domain"))
		*ret_name = g_strdup(vmh_value_lookup_string(properties, "Name"));
	node = value_to_json(properties);
	json_object_set_member(all, full, node);
	if (g_str_equal(interface, EXPLICIT_INTERFACE))
		return add_explicit(call, table, json_node_get_object(node));
	return CTL_OK;
}

CtlExit show_run(Ctl *ctl, char **arguments)
{
	static const char *const interfaces[] = {
		"Domain", "Devices", "Network", "Block", "Guest", EXPLICIT_INTERFACE, "Migration", "Monitor",
	};
	const char *const heads[] = { _("PROPERTY"), _("VALUE"), NULL };
	g_autoptr(OutputTable) table = output_table_new(heads, 1);
	g_autoptr(JsonNode) result = json_node_new(JSON_NODE_OBJECT);
	JsonObject *object = json_object_new();
	JsonObject *all = json_object_new();
	g_autofree char *name = NULL;
	g_auto(Call) call = {};
	CtlExit code;

	json_node_take_object(result, object);
	json_object_set_object_member(object, "interfaces", all);
	code = call_begin(ctl, arguments[0], NULL, &call);
	for (unsigned i = 0; code == CTL_OK && i < G_N_ELEMENTS(interfaces); i++)
		code = add_interface(&call, interfaces[i], table, all, &name);
	if (code != CTL_OK)
		return code;
	json_object_set_string_member(object, "path", vmh_domain_get_path(call.domain));
	if (ctl->json)
		output_json(result);
	else
		output_table_print(ctl, table);
	/* The file of a domain has its name. */
	if (name)
		definitions_note_changed(ctl, name);
	return CTL_OK;
}
