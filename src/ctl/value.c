/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/value.h"

#include <errno.h>
#include <string.h>

#include "ctl/output.h"

static int read_basic(sd_bus_message *message, char type, JsonNode *node)
{
	union {
		uint8_t y;
		int b;
		int16_t n;
		uint16_t q;
		int32_t i;
		uint32_t u;
		int64_t x;
		uint64_t t;
		double d;
		const char *s;
		int h;
	} value = {};
	g_autofree char *text = NULL;
	int r;

	r = sd_bus_message_read_basic(message, type, &value);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	switch (type) {
	case 'y':
		json_node_init_int(node, value.y);
		break;
	case 'b':
		json_node_init_boolean(node, value.b);
		break;
	case 'n':
		json_node_init_int(node, value.n);
		break;
	case 'q':
		json_node_init_int(node, value.q);
		break;
	case 'i':
		json_node_init_int(node, value.i);
		break;
	case 'u':
		json_node_init_int(node, value.u);
		break;
	case 'x':
		json_node_init_int(node, value.x);
		break;
	case 't':
		if (value.t <= INT64_MAX) {
			json_node_init_int(node, (int64_t) value.t);
			break;
		}
		text = g_strdup_printf("%" G_GUINT64_FORMAT, value.t);
		json_node_init_string(node, text);
		break;
	case 'd':
		json_node_init_double(node, value.d);
		break;
	case 'h':
		json_node_init_null(node);
		break;
	default:
		json_node_init_string(node, value.s);
	}
	return 0;
}

static int read_dictionary(sd_bus_message *message, const char *entry, JsonObject *object)
{
	/* entry is "{sv}": its content without the braces is what an entry holds. */
	g_autofree char *contents = g_strndup(entry + 1, strlen(entry) - 2);
	int r;

	while ((r = sd_bus_message_enter_container(message, 'e', contents)) > 0) {
		g_autoptr(JsonArray) pair = json_array_new();
		g_autofree char *key = NULL;

		r = value_read_all(message, pair);
		if (r < 0)
			return r;
		if (json_array_get_length(pair) != 2)
			return -EBADMSG;
		if (JSON_NODE_HOLDS_VALUE(json_array_get_element(pair, 0)) &&
		    json_node_get_value_type(json_array_get_element(pair, 0)) == G_TYPE_STRING)
			key = g_strdup(json_array_get_string_element(pair, 0));
		else
			key = json_to_string(json_array_get_element(pair, 0), false);
		json_object_set_member(object, key, json_array_dup_element(pair, 1));
		r = sd_bus_message_exit_container(message);
		if (r < 0)
			return r;
	}
	return r;
}

static int read_container(sd_bus_message *message, char type, const char *contents, JsonNode *node)
{
	g_autoptr(JsonObject) object = NULL;
	g_autoptr(JsonArray) array = NULL;
	int r;

	r = sd_bus_message_enter_container(message, type, contents);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	if (type == 'a' && *contents == '{') {
		object = json_object_new();
		r = read_dictionary(message, contents, object);
	} else {
		array = json_array_new();
		r = value_read_all(message, array);
	}
	if (r < 0)
		return r;
	r = sd_bus_message_exit_container(message);
	if (r < 0)
		return r;
	if (object) {
		json_node_init_object(node, object);
	} else if (type == 'v') {
		g_autoptr(JsonNode) inner = NULL;

		if (json_array_get_length(array) != 1)
			return -EBADMSG;
		inner = json_array_dup_element(array, 0);
		if (JSON_NODE_HOLDS_OBJECT(inner))
			json_node_init_object(node, json_node_get_object(inner));
		else if (JSON_NODE_HOLDS_ARRAY(inner))
			json_node_init_array(node, json_node_get_array(inner));
		else if (JSON_NODE_HOLDS_VALUE(inner)) {
			g_auto(GValue) value = G_VALUE_INIT;

			json_node_get_value(inner, &value);
			json_node_init(node, JSON_NODE_VALUE);
			json_node_set_value(node, &value);
		} else {
			json_node_init_null(node);
		}
	} else {
		json_node_init_array(node, array);
	}
	return 0;
}

/* 0: nothing left in this container. The depth is bounded by the bus: 64 containers. */
static int read_next(sd_bus_message *message, JsonNode **ret_node)
{
	g_autoptr(JsonNode) node = NULL;
	const char *contents = NULL;
	char type = 0;
	int r;

	r = sd_bus_message_peek_type(message, &type, &contents);
	if (r <= 0)
		return r;
	node = json_node_alloc();
	if (strchr("avr(", type))
		r = read_container(message, type, contents, node);
	else
		r = read_basic(message, type, node);
	if (r < 0)
		return r;
	*ret_node = g_steal_pointer(&node);
	return 1;
}

int value_read_all(sd_bus_message *message, JsonArray *array)
{
	JsonNode *node = NULL;
	int r;

	while ((r = read_next(message, &node)) > 0)
		json_array_add_element(array, node);
	return r;
}

JsonNode *value_read(sd_bus_message *message)
{
	JsonNode *node = NULL;

	return read_next(message, &node) > 0 ? node : NULL;
}

bool value_get_unsigned(JsonNode *node, uint64_t *ret_number)
{
	if (!JSON_NODE_HOLDS_VALUE(node))
		return false;
	if (json_node_get_value_type(node) == G_TYPE_STRING)
		return g_ascii_string_to_unsigned(json_node_get_string(node), 10, 0, UINT64_MAX,
						  ret_number, NULL);
	if (json_node_get_value_type(node) != G_TYPE_INT64 || json_node_get_int(node) < 0)
		return false;
	*ret_number = (uint64_t) json_node_get_int(node);
	return true;
}

char *value_shorten(const char *text)
{
	g_autofree char *head = NULL;
	g_autofree char *cut = NULL;

	/* The text may be a megabyte of a guest's; only the head of it is looked at. */
	if (g_utf8_strlen(text, -1) <= (glong) VALUE_TEXT_STRING_MAX)
		return output_safe(text);
	head = g_utf8_substring(text, 0, VALUE_TEXT_STRING_MAX);
	cut = g_strconcat(head, "…", NULL);
	return output_safe(cut);
}

static void append_string(GString *string, const char *text)
{
	g_autofree char *safe = value_shorten(text);
	bool bare = *safe && !strpbrk(safe, " \"'=,[]{}");

	if (bare) {
		g_string_append(string, safe);
		return;
	}
	g_string_append_c(string, '"');
	for (const char *p = safe; *p; p++) {
		if (*p == '"')
			g_string_append_c(string, '\\');
		g_string_append_c(string, *p);
	}
	g_string_append_c(string, '"');
}

static void append_node(GString *string, JsonNode *node, bool top);

static void append_object(GString *string, JsonObject *object, bool top)
{
	g_autoptr(GList) keys = json_object_get_members(object);
	bool braces = !top || !keys;

	if (braces)
		g_string_append_c(string, '{');
	for (GList *item = keys; item; item = item->next) {
		const char *key = item->data;

		if (item != keys)
			g_string_append(string, braces ? ", " : " ");
		append_string(string, key);
		g_string_append_c(string, '=');
		append_node(string, json_object_get_member(object, key), false);
	}
	if (braces)
		g_string_append_c(string, '}');
}

static void append_array(GString *string, JsonArray *array)
{
	unsigned length = json_array_get_length(array);

	g_string_append_c(string, '[');
	for (unsigned i = 0; i < MIN(length, VALUE_TEXT_LIST_MAX); i++) {
		if (i > 0)
			g_string_append(string, ", ");
		append_node(string, json_array_get_element(array, i), false);
	}
	if (length > VALUE_TEXT_LIST_MAX)
		g_string_append_printf(string, ", … +%u", length - VALUE_TEXT_LIST_MAX);
	g_string_append_c(string, ']');
}

static void append_node(GString *string, JsonNode *node, bool top)
{
	g_autofree char *text = NULL;

	if (JSON_NODE_HOLDS_OBJECT(node)) {
		append_object(string, json_node_get_object(node), top);
	} else if (JSON_NODE_HOLDS_ARRAY(node)) {
		append_array(string, json_node_get_array(node));
	} else if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING) {
		append_string(string, json_node_get_string(node));
	} else {
		text = json_to_string(node, false);
		g_string_append(string, text);
	}
}

void value_append_text(GString *string, JsonNode *node)
{
	append_node(string, node, true);
}

char *value_to_text(JsonNode *node)
{
	GString *string = g_string_new(NULL);

	append_node(string, node, true);
	return g_string_free(string, false);
}
