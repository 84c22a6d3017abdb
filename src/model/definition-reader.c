/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <stdarg.h>
#include <string.h>

#include "base/error.h"

/* Where we are in the document, what was wrong there, and values of a plain type. */

#define QUOTED_MAX 64u    /* bytes of a value of the document that a message or a path repeats */

void definition_reader_init(DefinitionReader *reader)
{
	reader->problems =
		g_ptr_array_new_with_free_func((GDestroyNotify) definition_problem_free);
	reader->n_problems = 0;
	reader->path = g_string_new(NULL);
	reader->ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void definition_reader_clear(DefinitionReader *reader)
{
	g_clear_pointer(&reader->problems, g_ptr_array_unref);
	g_string_free(g_steal_pointer(&reader->path), TRUE);
	g_clear_pointer(&reader->ids, g_hash_table_unref);
}

void definition_reader_problem(DefinitionReader *reader, const char *format, ...)
{
	DefinitionProblem *problem;
	va_list arguments;

	if (reader->n_problems++ >= DEFINITION_PROBLEMS_MAX)
		return;

	problem = g_new0(DefinitionProblem, 1);
	problem->path = g_strdup(reader->path->str);
	va_start(arguments, format);
	problem->message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_ptr_array_add(reader->problems, problem);
}

void definition_reader_set_place(DefinitionReader *reader, unsigned line, unsigned column)
{
	DefinitionProblem *problem;

	if (reader->n_problems == 0 || reader->n_problems > DEFINITION_PROBLEMS_MAX)
		return;
	problem = g_ptr_array_index(reader->problems, reader->problems->len - 1);
	problem->place = (DefinitionPlace){ line, column };
}

void definition_reader_set_error(const DefinitionReader *reader, GError **error)
{
	const DefinitionProblem *first = g_ptr_array_index(reader->problems, 0);
	bool has_path = first->path[0] != '\0';
	g_autofree char *more = NULL;

	if (reader->n_problems > 1)
		more = g_strdup_printf(" (and %zu more problem%s)", reader->n_problems - 1,
				       reader->n_problems > 2 ? "s" : "");
	g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION, "%s%s%s%s",
		    has_path ? first->path : "the document", has_path ? ": " : " ", first->message,
		    more ? more : "");
}

/* At most QUOTED_MAX bytes, cut between characters; valid UTF-8 without control characters. */
static void append_shortened(GString *out, const char *value)
{
	g_autofree char *valid = g_utf8_make_valid(value, (gssize) strnlen(value, QUOTED_MAX * 2));
	size_t start = out->len;
	const char *p;

	for (p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar character = g_utf8_get_char(p);

		if (out->len - start >= QUOTED_MAX) {
			g_string_append(out, "...");
			return;
		}
		g_string_append_unichar(out, g_unichar_iscntrl(character) ? '?' : character);
	}
}

char *definition_quote(const char *value)
{
	GString *out = g_string_new("\"");

	append_shortened(out, value);
	g_string_append_c(out, '"');
	return g_string_free(out, FALSE);
}

size_t definition_reader_enter(DefinitionReader *reader, const char *key)
{
	size_t outer = reader->path->len;

	if (outer > 0)
		g_string_append_c(reader->path, '.');
	append_shortened(reader->path, key);
	return outer;
}

size_t definition_reader_enter_index(DefinitionReader *reader, unsigned index)
{
	size_t outer = reader->path->len;

	g_string_append_printf(reader->path, "[%u]", index);
	return outer;
}

void definition_reader_leave(DefinitionReader *reader, size_t outer)
{
	g_string_truncate(reader->path, outer);
}

static char *claim_key(const char *kind, const char *id)
{
	return g_strconcat(kind, " ", id, NULL);
}

bool definition_reader_is_claimed(DefinitionReader *reader, const char *kind, const char *id)
{
	g_autofree char *key = claim_key(kind, id);

	return g_hash_table_contains(reader->ids, key);
}

bool definition_reader_claim(DefinitionReader *reader, const char *kind, const char *id)
{
	g_autofree char *key = claim_key(kind, id);
	const char *holder = g_hash_table_lookup(reader->ids, key);

	if (holder) {
		g_autofree char *quoted = definition_quote(id);

		definition_reader_problem(reader, "the %s %s is there already, at %s", kind, quoted,
					  holder);
		return false;
	}
	g_hash_table_insert(reader->ids, g_steal_pointer(&key), g_strdup(reader->path->str));
	return true;
}

static const char *type_name(JsonNode *node)
{
	switch (json_node_get_node_type(node)) {
	case JSON_NODE_OBJECT:
		return "an object";
	case JSON_NODE_ARRAY:
		return "a list";
	case JSON_NODE_NULL:
		return "null";
	case JSON_NODE_VALUE:
		break;
	}
	switch (json_node_get_value_type(node)) {
	case G_TYPE_STRING:
		return "a string";
	case G_TYPE_BOOLEAN:
		return "true or false";
	default:
		return "a number";
	}
}

const char *definition_read_string(DefinitionReader *reader, JsonNode *node)
{
	if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING) {
		definition_reader_problem(reader, "must be a string, not %s", type_name(node));
		return NULL;
	}
	return json_node_get_string(node);
}

JsonObject *definition_read_object(DefinitionReader *reader, JsonNode *node)
{
	if (!JSON_NODE_HOLDS_OBJECT(node)) {
		definition_reader_problem(reader, "must be an object, not %s", type_name(node));
		return NULL;
	}
	return json_node_get_object(node);
}

JsonArray *definition_read_array(DefinitionReader *reader, JsonNode *node)
{
	JsonArray *array;

	if (!JSON_NODE_HOLDS_ARRAY(node)) {
		definition_reader_problem(reader, "must be a list, not %s", type_name(node));
		return NULL;
	}

	array = json_node_get_array(node);
	if (json_array_get_length(array) > DEFINITION_LIST_MAX) {
		definition_reader_problem(reader, "has %u entries, at most %u are allowed",
					  json_array_get_length(array), DEFINITION_LIST_MAX);
		return NULL;
	}
	return array;
}
