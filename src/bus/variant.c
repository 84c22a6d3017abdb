/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/variant.h"

static int append_basic(sd_bus_message *message, GVariant *value)
{
	switch (g_variant_classify(value)) {
	case G_VARIANT_CLASS_BOOLEAN:
		return sd_bus_message_append(message, "b", (int)g_variant_get_boolean(value));
	case G_VARIANT_CLASS_BYTE:
		return sd_bus_message_append(message, "y", g_variant_get_byte(value));
	case G_VARIANT_CLASS_INT16:
		return sd_bus_message_append(message, "n", g_variant_get_int16(value));
	case G_VARIANT_CLASS_UINT16:
		return sd_bus_message_append(message, "q", g_variant_get_uint16(value));
	case G_VARIANT_CLASS_INT32:
		return sd_bus_message_append(message, "i", g_variant_get_int32(value));
	case G_VARIANT_CLASS_UINT32:
		return sd_bus_message_append(message, "u", g_variant_get_uint32(value));
	case G_VARIANT_CLASS_INT64:
		return sd_bus_message_append(message, "x", g_variant_get_int64(value));
	case G_VARIANT_CLASS_UINT64:
		return sd_bus_message_append(message, "t", g_variant_get_uint64(value));
	case G_VARIANT_CLASS_DOUBLE:
		return sd_bus_message_append(message, "d", g_variant_get_double(value));
	case G_VARIANT_CLASS_STRING:
	case G_VARIANT_CLASS_OBJECT_PATH:
	case G_VARIANT_CLASS_SIGNATURE:
		return sd_bus_message_append(message, g_variant_get_type_string(value),
					     g_variant_get_string(value, NULL));
	default:
		/* Handles and maybes: the core makes none. */
		g_assert_not_reached();
	}
}

static int append_children(sd_bus_message *message, GVariant *value, char type, const char *contents)
{
	int r = sd_bus_message_open_container(message, type, contents);

	for (size_t i = 0; r >= 0 && i < g_variant_n_children(value); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

		r = bus_append_gvariant(message, child);
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}

int bus_append_gvariant(sd_bus_message *message, GVariant *value)
{
	const char *type = g_variant_get_type_string(value);
	g_autofree char *inner = NULL;

	if (!g_variant_is_container(value))
		return append_basic(message, value);
	switch (type[0]) {
	case 'v': {
		g_autoptr(GVariant) child = g_variant_get_variant(value);

		return append_children(message, value, 'v', g_variant_get_type_string(child));
	}
	case 'a':
		return append_children(message, value, 'a', type + 1);
	case '(':
	case '{':
		inner = g_strndup(type + 1, strlen(type) - 2);
		return append_children(message, value, type[0] == '(' ? 'r' : 'e', inner);
	default:
		g_assert_not_reached();
	}
}

int bus_append_dict(sd_bus_message *message, GVariant *dict)
{
	return dict ? bus_append_gvariant(message, dict)
		    : sd_bus_message_append(message, "a{sv}", 0);
}

int bus_append_strings(sd_bus_message *message, GHashTable *table)
{
	int r = sd_bus_message_open_container(message, 'a', "{ss}");
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, table);
	while (r >= 0 && g_hash_table_iter_next(&iter, &key, &value))
		r = sd_bus_message_append(message, "{ss}", key, value);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

int bus_append_entries(sd_bus_message *message, GHashTable *table,
		       int (*append)(sd_bus_message *message, const void *value))
{
	int r = sd_bus_message_open_container(message, 'a', "{sa{sv}}");
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, table);
	while (r >= 0 && g_hash_table_iter_next(&iter, &key, &value)) {
		r = sd_bus_message_open_container(message, 'e', "sa{sv}");
		if (r >= 0)
			r = sd_bus_message_append_basic(message, 's', key);
		if (r >= 0)
			r = append(message, value);
		if (r >= 0)
			r = sd_bus_message_close_container(message);
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}
