/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/under-way.h"

#include "base/json-read.h"
#include "qemu/interface.h"

UnderWay *under_way_free(UnderWay *entry)
{
	if (!entry)
		return NULL;
	for (unsigned i = 0; i < BACKEND_MAX; i++)
		g_free(entry->backends.ids[i]);
	g_free(entry->old);
	host_nic_free(entry->link);
	g_free(entry);
	return NULL;
}

GHashTable *under_way_table_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
				     (GDestroyNotify)under_way_free);
}

void under_way_table_add_links(GHashTable *table, GHashTable *nics)
{
	GHashTableIter iter;
	void *device, *entry;

	g_hash_table_iter_init(&iter, table);
	while (g_hash_table_iter_next(&iter, &device, &entry))
		if (((const UnderWay *)entry)->link)
			g_hash_table_insert(nics, g_strconcat(device, "/under-way", NULL),
					    host_nic_copy(((const UnderWay *)entry)->link));
}

static void write_string(JsonBuilder *builder, const char *member, const char *value)
{
	if (!value)
		return;
	json_builder_set_member_name(builder, member);
	json_builder_add_string_value(builder, value);
}

static void write_bool(JsonBuilder *builder, const char *member, bool value)
{
	json_builder_set_member_name(builder, member);
	json_builder_add_boolean_value(builder, value);
}

void under_way_table_write(JsonBuilder *builder, GHashTable *table)
{
	GHashTableIter iter;
	void *device, *value;

	json_builder_begin_object(builder);
	g_hash_table_iter_init(&iter, table);
	while (g_hash_table_iter_next(&iter, &device, &value)) {
		const UnderWay *entry = value;

		json_builder_set_member_name(builder, device);
		json_builder_begin_object(builder);
		write_bool(builder, "medium", entry->medium);
		for (unsigned i = 0; i < BACKEND_MAX; i++)
			write_string(builder, backend_rows[i].name, entry->backends.ids[i]);
		write_string(builder, "old", entry->old);
		write_bool(builder, "was-open", entry->was_open);
		if (entry->link)
			host_nic_write(builder, "link", entry->link);
		json_builder_set_member_name(builder, "fds");
		json_builder_add_int_value(builder, entry->n_fds);
		json_builder_end_object(builder);
	}
	json_builder_end_object(builder);
}

static char *read_string(JsonObject *object, const char *member)
{
	const char *value;

	return json_read_string(object, member, &value) ? g_strdup(value) : NULL;
}

GHashTable *under_way_table_read(JsonObject *object)
{
	GHashTable *table = under_way_table_new();
	JsonObjectIter iter;
	const char *device;
	JsonNode *node;

	if (!object)
		return table;
	json_object_iter_init(&iter, object);
	while (json_object_iter_next(&iter, &device, &node)) {
		JsonObject *member = json_node_as_object(node);
		UnderWay *entry = g_new0(UnderWay, 1);
		int64_t n_fds = 0;

		(void)json_read_bool(member, "medium", &entry->medium);
		for (unsigned i = 0; i < BACKEND_MAX; i++)
			entry->backends.ids[i] = read_string(member, backend_rows[i].name);
		entry->old = read_string(member, "old");
		(void)json_read_bool(member, "was-open", &entry->was_open);
		entry->link = host_nic_read_json(json_read_object(member, "link"));
		(void)json_read_int(member, "fds", &n_fds);
		entry->n_fds = (unsigned)CLAMP(n_fds, 0, DEFINITION_NIC_DESCRIPTORS_MAX);
		g_hash_table_insert(table, g_strdup(device), entry);
	}
	return table;
}
