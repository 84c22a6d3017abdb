/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <errno.h>
#include <string.h>

/* The readers of single values, named in the tables of definition-parse.c. Each fills in its field, or
 * notes a problem and leaves it alone. */

static bool has_control_character(const char *value)
{
	const char *p;

	for (p = value; *p; p = g_utf8_next_char(p))
		if (g_unichar_iscntrl(g_utf8_get_char(p)))
			return true;
	return false;
}

static bool holds_string(JsonNode *node)
{
	return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
}

/* A string that becomes one word of the command line. */
static const char *read_word_value(DefinitionReader *reader, JsonNode *node)
{
	const char *value = definition_read_string(reader, node);

	if (!value)
		return NULL;

	if (value[0] == '\0')
		definition_reader_problem(reader, "must not be empty");
	else if (strlen(value) > DEFINITION_WORD_MAX)
		definition_reader_problem(reader, "is %zu bytes long, at most %u are allowed",
					  strlen(value), DEFINITION_WORD_MAX);
	else if (has_control_character(value))
		definition_reader_problem(reader, "must not contain control characters");
	else
		return value;
	return NULL;
}

static void set_text(char **field, const char *value)
{
	g_free(*field);
	*field = g_strdup(value);
}

void definition_read_word(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			  void *field)
{
	const char *value = read_word_value(reader, node);

	if (value)
		set_text(field, value);
}

void definition_read_name(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			  void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autofree char *quoted = NULL;

	if (!value)
		return;

	if (definition_name_is_valid(value)) {
		set_text(field, value);
		return;
	}
	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be 1 to %u letters, digits or any of . _ + -, "
				  "starting with neither . nor -; not %s", DEFINITION_NAME_MAX,
				  quoted);
}

void definition_read_uuid(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			  void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autofree char *quoted = NULL;
	char **uuid = field;

	if (!value)
		return;

	if (definition_uuid_is_valid(value)) {
		g_free(*uuid);
		*uuid = g_ascii_strdown(value, -1);
		return;
	}
	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be a UUID such as "
				  "\"0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11\", not %s", quoted);
}

void definition_read_title(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			   void *field)
{
	const char *value = definition_read_string(reader, node);

	if (!value)
		return;

	if (strlen(value) > DEFINITION_TITLE_MAX)
		definition_reader_problem(reader, "is %zu bytes long, at most %u are allowed",
					  strlen(value), DEFINITION_TITLE_MAX);
	else if (has_control_character(value))
		definition_reader_problem(reader, "must not contain control characters");
	else if (value[0] != '\0')
		set_text(field, value);
}

void definition_read_emulator(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			      void *field)
{
	const char *value = read_word_value(reader, node);

	if (!value)
		return;

	if (value[0] != '/' && strchr(value, '/'))
		definition_reader_problem(reader, "must be an absolute path, or a name without slashes "
					  "that is looked up on PATH");
	else
		set_text(field, value);
}

void definition_read_boolean(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			     void *field)
{
	if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_BOOLEAN)
		definition_reader_problem(reader, "must be true or false");
	else
		*(bool *) field = json_node_get_boolean(node);
}

/* A whole number from 1 to max; 0 after a problem. */
static uint64_t read_count_value(DefinitionReader *reader, JsonNode *node, uint64_t max)
{
	int64_t value;

	if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64) {
		definition_reader_problem(reader, "must be a whole number");
		return 0;
	}

	value = json_node_get_int(node);
	if (value < 1 || (uint64_t) value > max) {
		definition_reader_problem(reader, "must be from 1 to %" G_GUINT64_FORMAT ", not %"
					  G_GINT64_FORMAT, max, value);
		return 0;
	}
	return (uint64_t) value;
}

void definition_read_unsigned(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			      void *field)
{
	uint64_t value = read_count_value(reader, node, key->max);

	if (value > 0)
		*(unsigned *) field = (unsigned) value;
}

void definition_read_count(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			   void *field)
{
	uint64_t value = read_count_value(reader, node, key->max);

	if (value > 0)
		*(uint64_t *) field = value;
}

/* "512M" and the like. False if it is not of that form; *ret_bytes is UINT64_MAX if it is too much
 * for the type. */
static bool parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t number;
	unsigned shift;
	char *end = NULL;

	if (!g_ascii_isdigit(text[0]))
		return false;

	errno = 0;
	number = g_ascii_strtoull(text, &end, 10);
	if (errno == ERANGE)
		number = UINT64_MAX;

	unit = *end ? strchr(units, *end) : NULL;
	if (!unit || (end[1] != '\0' && strcmp(end + 1, "iB") != 0))
		return false;

	shift = 10 * (unsigned) (unit - units + 1);
	*ret_bytes = number > UINT64_MAX >> shift ? UINT64_MAX : number << shift;
	return true;
}

void definition_read_size(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			  void *field)
{
	GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
	uint64_t bytes = 0;
	bool formed = false;

	if (type == G_TYPE_INT64) {
		formed = true;
		bytes = json_node_get_int(node) > 0 ? (uint64_t) json_node_get_int(node) : 0;
	} else if (type == G_TYPE_STRING) {
		formed = parse_size(json_node_get_string(node), &bytes);
	}

	if (!formed)
		definition_reader_problem(reader, "must be a whole number of bytes, or a string with a "
					  "unit K, M, G or T such as \"512M\"");
	else if (bytes < 1 || bytes > key->max)
		definition_reader_problem(reader, "must be from 1 to %" G_GUINT64_FORMAT " bytes",
					  key->max);
	else
		*(uint64_t *) field = bytes;
}

void definition_read_policy(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			    void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autoptr(GString) allowed = g_string_new(NULL);
	g_autofree char *quoted = NULL;
	DefinitionPolicy policy;

	if (!value)
		return;

	for (policy = 0; policy < DEFINITION_POLICY_MAX; policy++) {
		const char *name = definition_policy_to_string(policy);

		if (!(key->max & (UINT64_C(1) << policy)))
			continue;
		if (strcmp(value, name) == 0) {
			*(DefinitionPolicy *) field = policy;
			return;
		}
		g_string_append_printf(allowed, "%s%s", allowed->len > 0 ? ", " : "", name);
	}
	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be one of %s; not %s", allowed->str, quoted);
}

/* QEMU's WatchdogAction, qapi/run-state.json. */
static const char *const watchdog_actions[] = {
	DEFINITION_WATCHDOG_DEFAULT, "shutdown", "poweroff", "pause", "none", "inject-nmi", "debug", NULL,
};

void definition_read_watchdog(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			      void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autofree char *allowed = NULL, *quoted = NULL;

	if (!value)
		return;

	for (size_t i = 0; watchdog_actions[i]; i++) {
		if (strcmp(value, watchdog_actions[i]) == 0) {
			*(const char **) field = watchdog_actions[i];
			return;
		}
	}
	allowed = g_strjoinv(", ", (char **) watchdog_actions);
	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be one of %s; not %s", allowed, quoted);
}

void definition_read_file(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			  void *field)
{
	const char *value = read_word_value(reader, node);

	if (!value)
		return;

	if (value[0] != '/' || g_str_has_suffix(value, "/"))
		definition_reader_problem(reader, "must be the absolute path of a file");
	else
		set_text(field, value);
}

/* What QEMU's option syntax allows as a name. */
static bool option_name_is_valid(const char *name)
{
	size_t i;

	if (!g_ascii_isalpha(name[0]))
		return false;

	for (i = 1; name[i]; i++)
		if (i >= DEFINITION_ID_MAX || (!g_ascii_isalnum(name[i]) && !strchr("-._", name[i])))
			return false;
	return true;
}

static void read_machine_option(DefinitionReader *reader, const char *name, JsonNode *value)
{
	if (!option_name_is_valid(name))
		definition_reader_problem(reader, "must have a name of letters, digits, - . _ that "
					  "starts with a letter");
	else if (strcmp(name, "accel") == 0)
		definition_reader_problem(reader, "is not an option here: use the key \"accel\" of the "
					  "document");
	else if (!JSON_NODE_HOLDS_VALUE(value))
		definition_reader_problem(reader, "must be a string, a number, or true or false");
	else if (strcmp(name, "type") == 0 || json_node_get_value_type(value) == G_TYPE_STRING)
		read_word_value(reader, value);
}

void definition_read_machine(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			     void *field)
{
	g_autofree char *line = definition_entry_to_json(node);
	Definition *definition = field;
	size_t n_before = reader->n_problems;
	JsonObjectIter iter;
	JsonObject *object;
	const char *name;
	JsonNode *value;

	if (strlen(line) > DEFINITION_WORD_MAX) {
		definition_reader_problem(reader, "is %zu bytes long as one line of JSON, at most %u "
					  "are allowed", strlen(line), DEFINITION_WORD_MAX);
		return;
	}

	if (!JSON_NODE_HOLDS_OBJECT(node) && !holds_string(node)) {
		definition_reader_problem(reader, "must be a string or an object");
		return;
	}
	if (!JSON_NODE_HOLDS_OBJECT(node)) {
		const char *type = read_word_value(reader, node);

		if (!type)
			return;
		object = json_object_new();
		json_object_set_string_member(object, "type", type);
		node = json_node_init_object(json_node_alloc(), object);
		json_object_unref(object);
		json_node_seal(node);
	} else {
		json_object_iter_init_ordered(&iter, json_node_get_object(node));
		while (json_object_iter_next_ordered(&iter, &name, &value)) {
			size_t outer = definition_reader_enter(reader, name);

			read_machine_option(reader, name, value);
			definition_reader_leave(reader, outer);
		}
		if (!json_object_has_member(json_node_get_object(node), "type")) {
			size_t outer = definition_reader_enter(reader, "type");

			definition_reader_problem(reader, "is required");
			definition_reader_leave(reader, outer);
		}
		if (reader->n_problems > n_before)
			return;
		json_node_ref(node);
	}

	g_assert(!definition->machine_node);
	definition->machine_node = node;
	definition->machine = json_node_get_object(node);
}

/* One accelerator, perhaps with options: "tcg", "tcg,thread=multi". */
static const char *read_accelerator(DefinitionReader *reader, JsonNode *node)
{
	const char *value = read_word_value(reader, node);
	g_autofree char *quoted = NULL;
	size_t length = 0;

	if (!value)
		return NULL;

	while (g_ascii_islower(value[length]) || g_ascii_isdigit(value[length]))
		length++;
	if (length > 0 && (value[length] == '\0' || (value[length] == ',' && value[length + 1])))
		return value;

	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be an accelerator such as \"kvm\" or "
				  "\"tcg,thread=multi\", not %s", quoted);
	return NULL;
}

void definition_read_accel(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			   void *field)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	size_t n_before = reader->n_problems;
	GStrv *accel = field;
	unsigned n_values = 1, i;
	JsonArray *array = NULL;

	if (JSON_NODE_HOLDS_ARRAY(node)) {
		array = definition_read_array(reader, node);
		if (!array)
			return;
		n_values = json_array_get_length(array);
		if (n_values == 0)
			definition_reader_problem(reader, "must not be an empty list");
	} else if (!holds_string(node)) {
		definition_reader_problem(reader, "must be a string or a list of strings");
		return;
	}

	for (i = 0; i < n_values; i++) {
		size_t outer = array ? definition_reader_enter_index(reader, i) : reader->path->len;
		const char *value = read_accelerator(reader, array ? json_array_get_element(array, i)
								   : node);

		if (value)
			g_strv_builder_add(builder, value);
		definition_reader_leave(reader, outer);
	}
	if (reader->n_problems > n_before)
		return;

	g_strfreev(*accel);
	*accel = g_strv_builder_end(builder);
}

/* QEMU's own rule for ids. */
void definition_read_id(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autofree char *quoted = NULL;

	if (!value)
		return;

	if (option_name_is_valid(value)) {
		set_text(field, value);
		return;
	}
	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be a letter and then letters, digits or any of - . _, "
				  "at most %u bytes; not %s", DEFINITION_ID_MAX, quoted);
}
