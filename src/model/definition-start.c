/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <string.h>

/*
 * The keys about what QEMU is started with besides the guest's devices: what its memory is made of, its
 * firmware, logs of its consoles, what the process itself may do.
 */

static void report_member(DefinitionReader *reader, const char *key, const char *problem)
{
	size_t outer = definition_reader_enter(reader, key);

	definition_reader_problem(reader, "%s", problem);
	definition_reader_leave(reader, outer);
}

/* ---- memory-backend ---- */

void definition_read_memory_backend(DefinitionReader *reader, JsonNode *node,
				    const DefinitionKey *key, void *field)
{
	JsonObject *object = definition_read_object(reader, node);
	g_autofree char *line = NULL, *quoted = NULL;
	size_t n_before = reader->n_problems, outer;
	const char *type;

	if (!object)
		return;

	if (json_object_has_member(object, "id"))
		report_member(reader, "id", "is not allowed here: the service gives it one");
	if (json_object_has_member(object, "size"))
		report_member(reader, "size", "is not allowed here: use the key \"memory\"");

	outer = definition_reader_enter(reader, "qom-type");
	if (!json_object_has_member(object, "qom-type")) {
		definition_reader_problem(reader, "is required");
	} else {
		type = definition_read_string(reader, json_object_get_member(object, "qom-type"));
		quoted = type ? definition_quote(type) : NULL;
		if (type && !g_str_has_prefix(type, "memory-backend-"))
			definition_reader_problem(reader, "must be a memory backend such as "
						  "\"memory-backend-memfd\", not %s", quoted);
	}
	definition_reader_leave(reader, outer);

	line = definition_entry_to_json(node);
	if (strlen(line) > DEFINITION_WORD_MAX)
		definition_reader_problem(reader, "is %zu bytes long as one line of JSON, at most %u "
					  "are allowed", strlen(line), DEFINITION_WORD_MAX);
	if (reader->n_problems == n_before)
		*(JsonNode **) field = json_node_ref(node);
}

/* ---- firmware ---- */

static const DefinitionKey firmware_keys[] = {
	{ "code", definition_read_file, offsetof(DefinitionFirmware, code) },
	{ "vars", definition_read_file, offsetof(DefinitionFirmware, vars) },
	{ "vars-template", definition_read_file, offsetof(DefinitionFirmware, vars_template) },
};

void definition_read_firmware(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			      void *field)
{
	DefinitionFirmware *firmware = field;

	if (JSON_NODE_HOLDS_OBJECT(node)) {
		JsonObject *object = json_node_get_object(node);

		definition_read_members(reader, object, firmware_keys, G_N_ELEMENTS(firmware_keys),
					firmware);
		if (!json_object_has_member(object, "code"))
			report_member(reader, "code", "is required");
	} else if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING) {
		definition_reader_problem(reader, "must be a string or an object");
	} else if (json_node_get_string(node)[0] != '/' && strchr(json_node_get_string(node), '/')) {
		definition_reader_problem(reader, "must be an absolute path, or a name without slashes "
					  "that QEMU looks up in its own folders");
	} else {
		definition_read_word(reader, node, key, &firmware->image);
	}
}

/* ---- consoles ---- */

static void read_console_type(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			      void *field)
{
	const char *value = definition_read_string(reader, node);
	g_autofree char *quoted = NULL;
	char **type = field;

	if (!value)
		return;

	if (strcmp(value, "serial") == 0 || strcmp(value, "virtio") == 0) {
		g_free(*type);
		*type = g_strdup(value);
		return;
	}
	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be \"serial\" or \"virtio\", not %s", quoted);
}

static const DefinitionKey console_keys[] = {
	{ "id", definition_read_id, offsetof(DefinitionConsole, id) },
	{ "type", read_console_type, offsetof(DefinitionConsole, type) },
};

static void read_console(DefinitionReader *reader, JsonNode *node, DefinitionConsole *console)
{
	JsonObject *object = definition_read_object(reader, node);
	size_t outer;

	if (!object)
		return;

	definition_read_members(reader, object, console_keys, G_N_ELEMENTS(console_keys), console);
	if (!json_object_has_member(object, "id"))
		report_member(reader, "id", "is required");
	if (!console->id)
		return;

	outer = definition_reader_enter(reader, "id");
	/* Both name a file; the one also names a device. */
	if (definition_reader_claim(reader, "console", console->id) &&
	    strcmp(console->type, "virtio") == 0)
		definition_reader_claim(reader, definition_device_rule.kind, console->id);
	definition_reader_leave(reader, outer);
}

void definition_read_consoles(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			      void *field)
{
	JsonArray *array = definition_read_array(reader, node);
	unsigned n_consoles = array ? json_array_get_length(array) : 0;
	GPtrArray *consoles = *(GPtrArray **) field;
	unsigned i;

	if (n_consoles > DEFINITION_CONSOLES_MAX) {
		definition_reader_problem(reader, "has %u entries, at most %u are allowed", n_consoles,
					  DEFINITION_CONSOLES_MAX);
		return;
	}
	for (i = 0; i < n_consoles; i++) {
		DefinitionConsole *console = g_new0(DefinitionConsole, 1);
		size_t outer = definition_reader_enter_index(reader, i);

		console->type = g_strdup("serial");
		g_ptr_array_add(consoles, console);
		read_console(reader, json_array_get_element(array, i), console);
		definition_reader_leave(reader, outer);
	}
}

/* ---- sandbox ---- */

/* "on" or "off", then perhaps options of QEMU's: ",spawn=allow". */
static bool sandbox_is_formed(const char *value)
{
	const char *rest = g_str_has_prefix(value, "on")  ? value + 2 :
			   g_str_has_prefix(value, "off") ? value + 3 : NULL;
	size_t i;

	if (!rest || (rest[0] != '\0' && rest[0] != ','))
		return false;
	for (i = 0; rest[i]; i++)
		if (!g_ascii_islower(rest[i]) && !strchr(",=-", rest[i]))
			return false;
	return true;
}

void definition_read_sandbox(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			     void *field)
{
	GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
	g_autofree char *quoted = NULL;
	char **sandbox = field;
	const char *value;

	if (type == G_TYPE_BOOLEAN) {
		g_free(*sandbox);
		*sandbox = json_node_get_boolean(node) ? NULL : g_strdup("off");
		return;
	}
	if (type != G_TYPE_STRING) {
		definition_reader_problem(reader, "must be true, false or a string");
		return;
	}
	value = json_node_get_string(node);
	if (strlen(value) <= DEFINITION_WORD_MAX && sandbox_is_formed(value)) {
		g_free(*sandbox);
		*sandbox = g_strdup(value);
		return;
	}
	quoted = definition_quote(value);
	definition_reader_problem(reader, "must be as QEMU's option -sandbox takes it, such as "
				  "\"on,spawn=deny\", not %s", quoted);
}

/* ---- together ---- */

/* A key of the document and an option of the machine that would be given twice. */
static void check_machine_option(DefinitionReader *reader, const Definition *definition,
				 const char *key, const char *option)
{
	size_t outer;

	if (!definition->machine || !json_object_has_member(definition->machine, option))
		return;

	outer = definition_reader_enter(reader, key);
	definition_reader_problem(reader, "is given twice: the machine has the option \"%s\"", option);
	definition_reader_leave(reader, outer);
}

static void check_twice(DefinitionReader *reader, const Definition *definition, const char *key,
			const char *option)
{
	size_t outer;

	if (!definition_has_argument(definition, option))
		return;

	outer = definition_reader_enter(reader, key);
	definition_reader_problem(reader, "is given twice: the arguments have -%s", option);
	definition_reader_leave(reader, outer);
}

static void check_consoles(DefinitionReader *reader, const GPtrArray *consoles)
{
	unsigned i;

	for (i = 0; i < consoles->len; i++) {
		const DefinitionConsole *console = g_ptr_array_index(consoles, i);

		if (strcmp(console->type, "virtio") == 0 &&
		    definition_reader_is_claimed(reader, definition_device_rule.kind,
						 DEFINITION_CONSOLES_DEVICE)) {
			size_t outer = definition_reader_enter(reader, "consoles");

			definition_reader_problem(reader, "need the id \"%s\" for a device of their own",
						  DEFINITION_CONSOLES_DEVICE);
			definition_reader_leave(reader, outer);
			return;
		}
	}
}

void definition_check_start(DefinitionReader *reader, const Definition *definition)
{
	if (definition->memory_backend)
		check_machine_option(reader, definition, "memory-backend", "memory-backend");
	if (definition->firmware.code)
		check_machine_option(reader, definition, "firmware", "pflash0");
	if (definition->firmware.vars || definition->firmware.vars_template)
		check_machine_option(reader, definition, "firmware", "pflash1");
	if (definition->firmware.image)
		check_twice(reader, definition, "firmware", "bios");
	if (definition->sandbox)
		check_twice(reader, definition, "sandbox", "sandbox");
	check_consoles(reader, definition->consoles);
}
