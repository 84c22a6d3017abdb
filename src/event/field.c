/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/field.h"

#include <string.h>

#include "base/json-read.h"
#include "base/json-text.h"

/* Objects in objects below this are told as JSON. */
#define NESTING_MAX     4u
/* Of a value that is quoted in a text for people. */
#define QUOTED_MAX      64

typedef struct Reader {
	Event *event;
	const EventField *fields;
	unsigned n_rest;
	size_t rest_bytes;
} Reader;

void event_add_irregularity(Event *event, const char *member, const char *what)
{
	g_autoptr(GVariant) before = NULL;
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_auto(GStrv) texts = NULL;
	g_autofree char *text = g_strdup_printf("%s: %s", member, what);

	event->irregular = true;
	if (event->extra)
		before = g_variant_dict_lookup_value(event->extra, "irregular",
						     G_VARIANT_TYPE_STRING_ARRAY);
	if (before) {
		g_autofree const char **old = g_variant_get_strv(before, NULL);

		if (g_strv_length((char **)old) >= EVENT_IRREGULARITIES_MAX)
			return;
		g_strv_builder_addv(builder, old);
	}
	g_strv_builder_add(builder, text);
	texts = g_strv_builder_end(builder);
	event_add_detail(event, "irregular", g_variant_new_strv((const char *const *)texts, -1));
}

/* ---- one value ---- */

static bool is_of(JsonNode *node, GType type)
{
	return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

/* As it is, in the type that JSON gives it; NULL: nothing to tell. */
static GVariant *make_variant(JsonNode *node)
{
	g_autofree char *text = NULL;

	if (JSON_NODE_HOLDS_NULL(node))
		return NULL;
	if (is_of(node, G_TYPE_BOOLEAN))
		return g_variant_new_boolean(json_node_get_boolean(node));
	if (is_of(node, G_TYPE_INT64))
		return g_variant_new_int64(json_node_get_int(node));
	if (is_of(node, G_TYPE_DOUBLE))
		return g_variant_new_double(json_node_get_double(node));
	if (is_of(node, G_TYPE_STRING))
		return g_variant_new_string(json_node_get_string(node));
	text = json_text_from_node(node);
	return g_variant_new_take_string(g_steal_pointer(&text));
}

/* In lower case with dashes, and none of those that have a meaning of their own. */
static char *make_key(const char *path)
{
	char *key = g_ascii_strdown(path, -1);

	g_strdelimit(key, "._", '-');
	if (g_str_equal(key, "reason") || g_str_equal(key, "irregular") ||
	    g_str_equal(key, EVENT_DETAIL_DOMAIN_PREVIOUS)) {
		char *prefixed = g_strconcat("qemu-", key, NULL);

		g_free(key);
		key = prefixed;
	}
	return key;
}

static bool is_too_long(JsonNode *node)
{
	return is_of(node, G_TYPE_STRING) && strlen(json_node_get_string(node)) > EVENT_TEXT_MAX;
}

static bool has_type(const EventField *field, JsonNode *node)
{
	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_WORD:
		return is_of(node, G_TYPE_STRING);
	case FIELD_FLAG:
	case FIELD_SWITCH:
		return is_of(node, G_TYPE_BOOLEAN);
	case FIELD_INT:
	case FIELD_SIZE:
		return is_of(node, G_TYPE_INT64);
	default:
		return true;
	}
}

static void check_word(Event *event, const EventField *field, const char *word)
{
	g_autofree char *start = NULL, *valid = NULL, *what = NULL;

	if (g_strv_contains(field->values, word))
		return;
	start = g_strndup(word, QUOTED_MAX);
	valid = g_utf8_make_valid(start, -1);
	what = g_strdup_printf("unknown value '%s'", valid);
	event_add_irregularity(event, field->member, what);
}

static void put_payload(Event *event, const EventField *field, JsonNode *node)
{
	void *place = (char *)event + field->offset;

	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_WORD:
		*(const char **)place = event_string(event, json_node_get_string(node));
		break;
	case FIELD_SWITCH:
		*(const char **)place = field->values[json_node_get_boolean(node) ? 0 : 1];
		break;
	case FIELD_FLAG:
		*(bool *)place = json_node_get_boolean(node);
		break;
	case FIELD_INT:
		*(int64_t *)place = json_node_get_int(node);
		break;
	case FIELD_SIZE:
		*(uint64_t *)place = (uint64_t)json_node_get_int(node);
		break;
	default:
		g_assert_not_reached();
	}
}

static void put_detail(Event *event, const EventField *field, JsonNode *node)
{
	GVariant *value = field->type == FIELD_SIZE
				  ? g_variant_new_uint64((uint64_t)json_node_get_int(node))
				  : make_variant(node);

	event_add_detail(event, field->detail, value);
}

/* ---- the fields of the row ---- */

static void clear_payload(Event *event, const EventField *field)
{
	if (field->offset == 0)
		return;
	if (field->type == FIELD_TEXT || field->type == FIELD_WORD || field->type == FIELD_SWITCH)
		*(const char **)((char *)event + field->offset) = "";
	else if (field->type == FIELD_CONSTANT)
		*(const char **)((char *)event + field->offset) = field->values[0];
}

static JsonNode *find_member(JsonObject *data, const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, ".", -1);
	JsonObject *object = data;

	for (unsigned i = 0; object && parts[i]; i++) {
		if (!parts[i + 1])
			return json_object_get_member(object, parts[i]);
		object = json_read_object(object, parts[i]);
	}
	return NULL;
}

static void leave_empty(Event *event, const EventField *field, const char *what)
{
	event_add_irregularity(event, field->member, what);
	event->incomplete |= field->offset > 0;
}

static void read_field(Event *event, const EventField *field, JsonObject *data)
{
	JsonNode *node;

	clear_payload(event, field);
	if (field->type == FIELD_CONSTANT || field->type == FIELD_TAKEN)
		return;
	node = find_member(data, field->member);
	if (!node || JSON_NODE_HOLDS_NULL(node)) {
		if (!field->optional)
			leave_empty(event, field, "missing");
		return;
	}
	if (is_too_long(node)) {
		leave_empty(event, field, "too long");
		return;
	}
	if (!has_type(field, node)) {
		g_autofree char *text = json_text_from_node(node);
		g_autofree char *key = make_key(field->member);
		g_autofree char *raw = g_strconcat("raw-", key, NULL);

		leave_empty(event, field, "wrong type");
		if (strlen(text) <= EVENT_TEXT_MAX)
			event_add_detail(event, raw, g_variant_new_string(text));
		return;
	}
	if (field->type == FIELD_WORD)
		check_word(event, field, json_node_get_string(node));
	if (field->offset > 0)
		put_payload(event, field, node);
	else
		put_detail(event, field, node);
}

/* ---- what no field names ---- */

static bool is_named(const Reader *reader, const char *path)
{
	for (const EventField *field = reader->fields; field && field->type != FIELD_NONE; field++)
		if (field->member && g_str_equal(field->member, path))
			return true;
	return false;
}

static void add_rest(Reader *reader, const char *key, GVariant *value)
{
	size_t key_bytes = strlen(key), value_bytes = g_variant_get_size(value);

	if (key_bytes > EVENT_TEXT_MAX || value_bytes > EVENT_TEXT_MAX) {
		event_add_irregularity(reader->event, "data", "a member is too long");
		return;
	}
	if (key_bytes + value_bytes > EVENT_REST_MAX - reader->rest_bytes) {
		event_add_irregularity(reader->event, "data", "too long");
		return;
	}
	reader->rest_bytes += key_bytes + value_bytes;
	event_add_detail(reader->event, key, value);
}

static void read_rest(Reader *reader, const char *prefix, JsonObject *object, unsigned nesting)
{
	JsonObjectIter iter;
	const char *member;
	JsonNode *node;

	json_object_iter_init_ordered(&iter, object);
	while (reader->n_rest <= EVENT_DETAILS_MAX && json_object_iter_next_ordered(&iter, &member, &node)) {
		g_autofree char *path = *prefix ? g_strconcat(prefix, ".", member, NULL)
						: g_strdup(member);
		g_autofree char *key = NULL;
		g_autoptr(GVariant) value = NULL;

		if (is_named(reader, path))
			continue;
		if (JSON_NODE_HOLDS_OBJECT(node) && nesting < NESTING_MAX) {
			read_rest(reader, path, json_node_get_object(node), nesting + 1);
			continue;
		}
		if (++reader->n_rest > EVENT_DETAILS_MAX) {
			event_add_irregularity(reader->event, "data", "too many members");
			return;
		}
		value = make_variant(node);
		if (!value)
			continue;
		g_variant_ref_sink(value);
		key = make_key(path);
		add_rest(reader, key, value);
	}
}

void event_read_fields(Event *event, const EventField *fields, JsonObject *data)
{
	Reader reader = { event, fields, 0, 0 };

	for (const EventField *field = fields; field && field->type != FIELD_NONE; field++)
		read_field(event, field, data);
	if (data)
		read_rest(&reader, "", data, 0);
}
