/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/filter-ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/atomic-file.h"
#include "base/json-read.h"
#include "base/json-text.h"
#include "base/log.h"

/* {"index": 7, "multicast": ["01:00:5e:00:00:01"], "forwarding": []} */
#define NESTING_MAX 2u
/* Two full tables, with quotes and commas, and the rest. */
#define LENGTH_MAX (2 * FILTER_LEDGER_ENTRIES_MAX * (MAC_TEXT_LENGTH + 3) + 256)

static char *make_name(const HostNic *link)
{
	return g_strdup_printf("filter-%s.json", link->link);
}

static bool read_table(JsonObject *object, const char *member, MacSet *set)
{
	JsonArray *array = json_read_array(object, member);

	if (!array || json_array_get_length(array) > FILTER_LEDGER_ENTRIES_MAX)
		return false;
	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		JsonNode *node = json_array_get_element(array, i);
		Mac mac;

		if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING ||
		    !mac_parse(json_node_get_string(node), &mac))
			return false;
		mac_set_add(set, &mac);
	}
	return true;
}

/* NULL if it is damaged. */
static HostFilterOwn *parse(const char *text, size_t length, const HostNic *link, GError **error)
{
	g_autoptr(JsonNode) node = json_text_parse(text, length, LENGTH_MAX, NESTING_MAX, error);
	g_autoptr(HostFilterOwn) own = host_filter_own_new();
	JsonObject *object = json_node_as_object(node);
	int64_t index;

	if (!node)
		return NULL;
	if (!json_read_int(object, "index", &index) ||
	    !read_table(object, "multicast", own->multicast_table) ||
	    !read_table(object, "forwarding", own->forwarding)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "it is not one of this service's");
		return NULL;
	}
	return index == link->index ? g_steal_pointer(&own) : host_filter_own_new();
}

HostFilterOwn *filter_ledger_read(const char *directory, const HostNic *link)
{
	g_autofree char *name = make_name(link), *path = g_build_filename(directory, name, NULL);
	g_autoptr(HostFilterOwn) own = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	size_t length;

	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return host_filter_own_new();
	text = atomic_file_read(directory, name, LENGTH_MAX, &length, &error);
	if (text)
		own = parse(text, length, link, &error);
	if (own)
		return g_steal_pointer(&own);
	log_text(LOG_NOTICE, "%s cannot be used: %s; what a guest had its link %s let through until now stays",
		 path, error->message, link->link);
	return host_filter_own_new();
}

static void write_table(JsonBuilder *builder, const char *member, const MacSet *set)
{
	g_auto(GStrv) macs = mac_set_to_strings(set);

	json_builder_set_member_name(builder, member);
	json_builder_begin_array(builder);
	for (unsigned i = 0; macs[i]; i++)
		json_builder_add_string_value(builder, macs[i]);
	json_builder_end_array(builder);
}

bool filter_ledger_write(const char *directory, const HostNic *link, const HostFilterOwn *own, GError **error)
{
	g_autoptr(JsonBuilder) builder = json_builder_new_immutable();
	g_autofree char *name = make_name(link), *text = NULL;
	g_autoptr(JsonNode) node = NULL;

	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "index");
	json_builder_add_int_value(builder, link->index);
	write_table(builder, "multicast", own->multicast_table);
	write_table(builder, "forwarding", own->forwarding);
	json_builder_end_object(builder);
	node = json_builder_get_root(builder);
	text = json_text_from_node(node);
	return atomic_file_write_volatile(directory, name, text, strlen(text), 0600, error);
}

void filter_ledger_remove(const char *directory, const HostNic *link)
{
	g_autofree char *name = make_name(link), *path = g_build_filename(directory, name, NULL);

	(void)remove(path);
}
