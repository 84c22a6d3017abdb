/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-edit.h"

#include <string.h>

#include "base/error.h"
#include "base/json-read.h"

/*
 * Which backends a device stands on, its properties say: "drive" names a block node, "netdev" a network
 * backend, and many name an object ("rng", "memdev", "iothread", ...). QEMU's schema of device properties
 * is not known here, so each string is taken for a name if there is something of that name; and an entry
 * goes only if nothing that stays has a string equal to its id. In doubt it stays: an unused backend does no
 * harm, a missing one keeps the domain from starting.
 */

typedef struct ListRow {
	size_t offset;           /* of the list in a Definition */
	const char *id;          /* the member that an entry is named by */
	const char *kind;        /* for people */
} ListRow;

static const ListRow list_rows[DEFINITION_ENTRY_MAX] = {
	[DEFINITION_ENTRY_OBJECT] = { offsetof(Definition, objects), "id", "object" },
	[DEFINITION_ENTRY_BLOCKDEV] = { offsetof(Definition, blockdevs), "node-name", "blockdev" },
	[DEFINITION_ENTRY_NETDEV] = { offsetof(Definition, netdevs), "id", "netdev" },
	[DEFINITION_ENTRY_DEVICE] = { offsetof(Definition, devices), "id", "device" },
};

static GPtrArray **get_list(const Definition *definition, DefinitionEntryKind list)
{
	return (GPtrArray **)((char *)definition + list_rows[list].offset);
}

/* NULL if it has none. */
static const char *get_id(JsonNode *entry, DefinitionEntryKind list)
{
	const char *id;

	return json_read_string(json_node_as_object(entry), list_rows[list].id, &id) ? id : NULL;
}

/* ---- looking ---- */

static JsonNode *find_entry(const Definition *definition, DefinitionEntryKind list, const char *id)
{
	const GPtrArray *entries = *get_list(definition, list);

	for (unsigned i = 0; i < entries->len; i++)
		if (g_strcmp0(get_id(g_ptr_array_index(entries, i), list), id) == 0)
			return g_ptr_array_index(entries, i);
	return NULL;
}

static bool find_interface(const Definition *definition, const char *id, unsigned *ret_index)
{
	for (unsigned i = 0; i < definition->interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(definition->interfaces, i);

		if (!g_str_equal(interface->id, id))
			continue;
		*ret_index = i;
		return true;
	}
	return false;
}

bool definition_has_device(const Definition *definition, const char *id)
{
	unsigned index;

	return find_interface(definition, id, &index) ||
	       find_entry(definition, DEFINITION_ENTRY_DEVICE, id);
}

/* ---- a copy that is edited, and then read as a document ---- */

static Definition *edit_begin(const Definition *definition)
{
	return definition_with_autostart(definition, definition->autostart);
}

static Definition *edit_end(Definition *edited, GError **error)
{
	g_autofree char *text = definition_to_json(edited);

	return definition_parse(text, strlen(text), error);
}

static GPtrArray *copy_entries(const GPtrArray *entries)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);

	for (unsigned i = 0; i < entries->len; i++)
		g_ptr_array_add(copy, json_node_ref(g_ptr_array_index(entries, i)));
	return copy;
}

/* ---- adding ---- */

static bool check_is_new(const Definition *definition, DefinitionEntryKind list, JsonNode *entry,
			 GError **error)
{
	const char *id = get_id(entry, list);

	if (!id || !(list == DEFINITION_ENTRY_DEVICE ? definition_has_device(definition, id)
						      : find_entry(definition, list, id) != NULL))
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_DEVICE_EXISTS,
		    "The definition of domain '%s' already has a %s with the %s '%s'", definition->name,
		    list_rows[list].kind, list_rows[list].id, id);
	return false;
}

Definition *definition_add_entries(const Definition *definition,
				   JsonNode *const entries[DEFINITION_ENTRY_MAX], GError **error)
{
	g_autoptr(Definition) edited = edit_begin(definition);

	for (unsigned i = 0; i < DEFINITION_ENTRY_MAX; i++) {
		GPtrArray **list = get_list(edited, (DefinitionEntryKind)i);
		GPtrArray *longer;

		if (!entries[i])
			continue;
		if (!check_is_new(definition, (DefinitionEntryKind)i, entries[i], error))
			return NULL;
		longer = copy_entries(*list);
		g_ptr_array_add(longer, json_node_ref(entries[i]));
		g_ptr_array_unref(*list);
		*list = longer;
	}
	return edit_end(edited, error);
}

/* The interfaces themselves stay the other's: this list frees none. */
static GPtrArray *borrow_interfaces(const Definition *definition)
{
	GPtrArray *interfaces = g_ptr_array_new();

	for (unsigned i = 0; i < definition->interfaces->len; i++)
		g_ptr_array_add(interfaces, g_ptr_array_index(definition->interfaces, i));
	return interfaces;
}

Definition *definition_add_interface(const Definition *definition, const DefinitionInterface *interface,
				     GError **error)
{
	g_autoptr(Definition) edited = NULL;

	if (interface->id && definition_has_device(definition, interface->id)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_DEVICE_EXISTS,
			    "The definition of domain '%s' already has a device with the id '%s'",
			    definition->name, interface->id);
		return NULL;
	}
	edited = edit_begin(definition);
	g_ptr_array_unref(edited->interfaces);
	edited->interfaces = borrow_interfaces(definition);
	g_ptr_array_add(edited->interfaces, (void *)interface);
	return edit_end(edited, error);
}

/* ---- removing ---- */

/* Properties whose strings name no backend. */
static bool names_no_backend(const char *member)
{
	static const char *const members[] = {
		"bus", "driver", "filename", "id", "node-name", "qom-type", "serial", "type",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(members); i++)
		if (g_str_equal(members[i], member))
			return true;
	return false;
}

/* An object and a block node may have the same name: two properties say which is meant. */
static bool may_name(const char *member, DefinitionEntryKind list)
{
	if (g_str_equal(member, "drive"))
		return list == DEFINITION_ENTRY_BLOCKDEV;
	if (g_str_equal(member, "netdev"))
		return list == DEFINITION_ENTRY_NETDEV;
	return !names_no_backend(member);
}

/* Recursive: the nesting of a document is bounded by DEFINITION_NESTING_MAX. */
static bool refers_to(JsonNode *node, const char *member, DefinitionEntryKind list, const char *id)
{
	JsonObject *object = json_node_as_object(node);
	JsonArray *array = json_node_as_array(node);
	JsonObjectIter iter;
	const char *name;
	JsonNode *value;

	if (JSON_NODE_HOLDS_VALUE(node))
		return json_node_get_value_type(node) == G_TYPE_STRING && may_name(member, list) &&
		       g_str_equal(json_node_get_string(node), id);
	if (object) {
		json_object_iter_init(&iter, object);
		while (json_object_iter_next(&iter, &name, &value))
			if (refers_to(value, name, list, id))
				return true;
	}
	for (unsigned i = 0; array && i < json_array_get_length(array); i++)
		if (refers_to(json_array_get_element(array, i), member, list, id))
			return true;
	return false;
}

/* Of the entries that are in gone, or of those that are not. */
static bool is_referred_to(const Definition *definition, GHashTable *gone, bool by_gone,
			   DefinitionEntryKind list, const char *id)
{
	for (unsigned i = 0; i < DEFINITION_ENTRY_MAX; i++) {
		const GPtrArray *entries = *get_list(definition, (DefinitionEntryKind)i);

		for (unsigned k = 0; k < entries->len; k++) {
			JsonNode *entry = g_ptr_array_index(entries, k);

			if (g_hash_table_contains(gone, entry) == by_gone &&
			    refers_to(entry, "", list, id))
				return true;
		}
	}
	/* What they mean is not known. */
	for (unsigned i = 0; !by_gone && definition->arguments[i]; i++)
		if (strstr(definition->arguments[i], id))
			return true;
	return false;
}

/* Adds the backends that stand below what is in gone, and below nothing else. True if there was one. */
static bool add_backends(const Definition *definition, GHashTable *gone)
{
	bool found = false;

	for (unsigned i = 0; i < DEFINITION_ENTRY_DEVICE; i++) {
		const GPtrArray *entries = *get_list(definition, (DefinitionEntryKind)i);

		for (unsigned k = 0; k < entries->len; k++) {
			JsonNode *entry = g_ptr_array_index(entries, k);
			const char *id = get_id(entry, (DefinitionEntryKind)i);

			if (!g_hash_table_contains(gone, entry) &&
			    is_referred_to(definition, gone, true, (DefinitionEntryKind)i, id) &&
			    !is_referred_to(definition, gone, false, (DefinitionEntryKind)i, id))
				found |= g_hash_table_add(gone, entry);
		}
	}
	return found;
}

/* "usb.0" is a bus of the device "usb"; a bridge's bus is named as the bridge is. */
static bool is_bus_of(const char *bus, const char *id)
{
	size_t length = strlen(id);

	return bus && strncmp(bus, id, length) == 0 && (bus[length] == '\0' || bus[length] == '.');
}

static bool check_is_no_bus(const Definition *definition, const char *id, GError **error)
{
	const char *sits = NULL, *bus;

	for (unsigned i = 0; i < definition->interfaces->len && !sits; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(definition->interfaces, i);

		sits = is_bus_of(interface->bus, id) ? interface->id : NULL;
	}
	for (unsigned i = 0; i < definition->devices->len && !sits; i++) {
		JsonNode *entry = g_ptr_array_index(definition->devices, i);

		if (json_read_string(json_node_as_object(entry), "bus", &bus) && is_bus_of(bus, id))
			sits = get_id(entry, DEFINITION_ENTRY_DEVICE) ?: "one without an id";
	}
	if (!sits)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_REMOVAL_REFUSED,
		    "Device '%s' stays in the definition of domain '%s': another device sits on its bus "
		    "(%s); remove that first", id, definition->name, sits);
	return false;
}

static void remove_entries(Definition *edited, GHashTable *gone)
{
	for (unsigned i = 0; i < DEFINITION_ENTRY_MAX; i++) {
		GPtrArray **list = get_list(edited, (DefinitionEntryKind)i);
		GPtrArray *kept = copy_entries(*list);

		for (unsigned k = kept->len; k-- > 0;)
			if (g_hash_table_contains(gone, g_ptr_array_index(kept, k)))
				g_ptr_array_remove_index(kept, k);
		g_ptr_array_unref(*list);
		*list = kept;
	}
}

/* Its netdev is not in the lists, and nothing in them can be its. */
static Definition *remove_interface(const Definition *definition, unsigned index, GError **error)
{
	g_autoptr(Definition) edited = edit_begin(definition);

	g_ptr_array_unref(edited->interfaces);
	edited->interfaces = borrow_interfaces(definition);
	g_ptr_array_remove_index(edited->interfaces, index);
	return edit_end(edited, error);
}

Definition *definition_remove_device(const Definition *definition, const char *id, GError **error)
{
	/* By address: entries of one definition, which is not changed. */
	g_autoptr(GHashTable) gone = g_hash_table_new(NULL, NULL);
	JsonNode *device = find_entry(definition, DEFINITION_ENTRY_DEVICE, id);
	g_autoptr(Definition) edited = NULL;
	unsigned index;

	if (!definition_has_device(definition, id)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE,
			    "The definition of domain '%s' has no device with the id '%s'",
			    definition->name, id);
		return NULL;
	}
	if (!check_is_no_bus(definition, id, error))
		return NULL;
	if (!device && find_interface(definition, id, &index))
		return remove_interface(definition, index, error);
	(void)g_hash_table_add(gone, device);
	while (add_backends(definition, gone))
		;
	edited = edit_begin(definition);
	remove_entries(edited, gone);
	return edit_end(edited, error);
}

JsonNode *definition_entry_with_id(JsonNode *entry, const char *id)
{
	JsonObject *object = json_object_new();
	JsonObjectIter iter;
	const char *member;
	JsonNode *value, *copy;

	json_object_iter_init(&iter, json_node_get_object(entry));
	while (json_object_iter_next(&iter, &member, &value))
		json_object_set_member(object, member, json_node_ref(value));
	json_object_set_string_member(object, "id", id);
	copy = json_node_init_object(json_node_alloc(), object);
	json_object_unref(object);
	return copy;
}
