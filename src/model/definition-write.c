/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <math.h>
#include <string.h>

/*
 * A definition as a document again. What QEMU owns is written one entry a line, so that a document
 * of many devices can be read and compared.
 *
 * json-glib's generator is not used: it counts references of objects and arrays without atomic
 * operations, and a definition is shared between threads. Here nothing is counted.
 */

#define INDENT "    "

static void append_string(GString *out, const char *value)
{
	const char *p;

	g_string_append_c(out, '"');
	for (p = value; *p; p++) {
		switch (*p) {
		case '"':
			g_string_append(out, "\\\"");
			break;
		case '\\':
			g_string_append(out, "\\\\");
			break;
		case '\n':
			g_string_append(out, "\\n");
			break;
		case '\t':
			g_string_append(out, "\\t");
			break;
		default:
			if ((unsigned char) *p < 0x20)
				g_string_append_printf(out, "\\u%04x", (unsigned) *p);
			else
				g_string_append_c(out, *p);
		}
	}
	g_string_append_c(out, '"');
}

/* The shortest form that is read back as the same number, and as one with a fraction. */
static void append_double(GString *out, double value)
{
	char buffer[G_ASCII_DTOSTR_BUF_SIZE];

	g_assert(isfinite(value));
	g_ascii_formatd(buffer, sizeof(buffer), "%.15g", value);
	if (memcmp(&(double) { g_ascii_strtod(buffer, NULL) }, &value, sizeof(value)) != 0)
		g_ascii_dtostr(buffer, sizeof(buffer), value);
	g_string_append(out, buffer);
	if (!strpbrk(buffer, ".e"))
		g_string_append(out, ".0");
}

static void append_value(GString *out, JsonNode *node)
{
	switch (json_node_get_value_type(node)) {
	case G_TYPE_STRING:
		append_string(out, json_node_get_string(node));
		break;
	case G_TYPE_BOOLEAN:
		g_string_append(out, json_node_get_boolean(node) ? "true" : "false");
		break;
	case G_TYPE_DOUBLE:
		append_double(out, json_node_get_double(node));
		break;
	default:
		g_string_append_printf(out, "%" G_GINT64_FORMAT, json_node_get_int(node));
	}
}

/* Recursive: the nesting of a document is bounded by DEFINITION_NESTING_MAX. */
static void append_node(GString *out, JsonNode *node)
{
	JsonObjectIter iter;
	JsonObject *object;
	JsonArray *array;
	const char *name;
	JsonNode *member;
	unsigned i;

	switch (json_node_get_node_type(node)) {
	case JSON_NODE_OBJECT:
		object = json_node_get_object(node);
		g_string_append_c(out, '{');
		json_object_iter_init_ordered(&iter, object);
		for (i = 0; json_object_iter_next_ordered(&iter, &name, &member); i++) {
			if (i > 0)
				g_string_append_c(out, ',');
			append_string(out, name);
			g_string_append_c(out, ':');
			append_node(out, member);
		}
		g_string_append_c(out, '}');
		break;
	case JSON_NODE_ARRAY:
		array = json_node_get_array(node);
		g_string_append_c(out, '[');
		for (i = 0; i < json_array_get_length(array); i++) {
			if (i > 0)
				g_string_append_c(out, ',');
			append_node(out, json_array_get_element(array, i));
		}
		g_string_append_c(out, ']');
		break;
	case JSON_NODE_NULL:
		g_string_append(out, "null");
		break;
	case JSON_NODE_VALUE:
		append_value(out, node);
		break;
	}
}

char *definition_entry_to_json(JsonNode *entry)
{
	GString *out = g_string_new(NULL);

	append_node(out, entry);
	return g_string_free(out, FALSE);
}

/* Begins the next member at this depth. */
static void append_key(GString *out, unsigned depth, const char *key)
{
	unsigned i;

	if (out->str[out->len - 1] != '{')
		g_string_append_c(out, ',');
	g_string_append_c(out, '\n');
	for (i = 0; i < depth; i++)
		g_string_append(out, INDENT);
	append_string(out, key);
	g_string_append(out, ": ");
}

static void append_text_member(GString *out, unsigned depth, const char *key, const char *value)
{
	if (!value)
		return;

	append_key(out, depth, key);
	append_string(out, value);
}

static void append_number_member(GString *out, unsigned depth, const char *key, uint64_t value)
{
	append_key(out, depth, key);
	g_string_append_printf(out, "%" G_GUINT64_FORMAT, value);
}

/* With the largest unit that fits without a rest; a number of bytes where none does. */
static void append_size_member(GString *out, unsigned depth, const char *key, uint64_t bytes)
{
	static const char units[] = { 'T', 'G', 'M', 'K' };
	size_t i;

	append_key(out, depth, key);
	for (i = 0; i < G_N_ELEMENTS(units); i++) {
		unsigned shift = 10 * (unsigned) (G_N_ELEMENTS(units) - i);

		if (bytes >> shift << shift == bytes) {
			g_string_append_printf(out, "\"%" G_GUINT64_FORMAT "%c\"", bytes >> shift,
					       units[i]);
			return;
		}
	}
	g_string_append_printf(out, "%" G_GUINT64_FORMAT, bytes);
}

static void append_strings(GString *out, char *const *values)
{
	size_t i;

	g_string_append_c(out, '[');
	for (i = 0; values[i]; i++) {
		if (i > 0)
			g_string_append(out, ", ");
		append_string(out, values[i]);
	}
	g_string_append_c(out, ']');
}

static void append_accel(GString *out, const Definition *definition)
{
	static const char *const usual[] = { "kvm", "tcg", NULL };

	if (g_strv_equal((const char *const *) definition->accel, usual))
		return;

	append_key(out, 1, "accel");
	if (!definition->accel[1])
		append_string(out, definition->accel[0]);
	else
		append_strings(out, definition->accel);
}

static void append_machine(GString *out, const Definition *definition)
{
	if (!definition->machine)
		return;

	append_key(out, 1, "machine");
	if (json_object_get_size(definition->machine) == 1)
		append_string(out, json_object_get_string_member(definition->machine, "type"));
	else
		append_node(out, definition->machine_node);
}

static void append_interface(GString *out, const DefinitionInterface *interface)
{
	g_string_append_c(out, '{');
	append_text_member(out, 3, "id", interface->id);
	append_text_member(out, 3, "type", interface->type);
	append_text_member(out, 3, "source", interface->source);
	if (g_strcmp0(interface->mode, DEFINITION_MODE_DEFAULT) != 0)
		append_text_member(out, 3, "mode", interface->mode);
	append_text_member(out, 3, "mac", interface->mac);
	if (strcmp(interface->model, DEFINITION_MODEL_DEFAULT) != 0)
		append_text_member(out, 3, "model", interface->model);
	append_text_member(out, 3, "bus", interface->bus);
	if (interface->queues > 1)
		append_number_member(out, 3, "queues", interface->queues);
	if (interface->vhost) {
		append_key(out, 3, "vhost");
		g_string_append(out, "true");
	}
	if (interface->trust_guest_rx_filters) {
		append_key(out, 3, "trust-guest-rx-filters");
		g_string_append(out, "true");
	}
	g_string_append(out, "\n" INDENT INDENT "}");
}

static void append_interfaces(GString *out, const GPtrArray *interfaces)
{
	unsigned i;

	if (interfaces->len == 0)
		return;

	append_key(out, 1, "interfaces");
	for (i = 0; i < interfaces->len; i++) {
		g_string_append(out, i == 0 ? "[\n" : ",\n");
		g_string_append(out, INDENT INDENT);
		append_interface(out, g_ptr_array_index(interfaces, i));
	}
	g_string_append(out, "\n" INDENT "]");
}

static void append_entries(GString *out, const char *key, const GPtrArray *entries)
{
	unsigned i;

	if (entries->len == 0)
		return;

	append_key(out, 1, key);
	for (i = 0; i < entries->len; i++) {
		g_string_append(out, i == 0 ? "[\n" : ",\n");
		g_string_append(out, INDENT INDENT);
		append_node(out, g_ptr_array_index(entries, i));
	}
	g_string_append(out, "\n" INDENT "]");
}

static void append_policy(GString *out, const char *key, DefinitionPolicy policy,
			  DefinitionPolicy usual)
{
	if (policy != usual)
		append_text_member(out, 1, key, definition_policy_to_string(policy));
}

static void append_memory_backend(GString *out, const Definition *definition)
{
	if (!definition->memory_backend)
		return;

	append_key(out, 1, "memory-backend");
	append_node(out, definition->memory_backend);
}

static void append_firmware(GString *out, const DefinitionFirmware *firmware)
{
	append_text_member(out, 1, "firmware", firmware->image);
	if (!firmware->code)
		return;

	append_key(out, 1, "firmware");
	g_string_append_c(out, '{');
	append_text_member(out, 2, "code", firmware->code);
	append_text_member(out, 2, "vars", firmware->vars);
	append_text_member(out, 2, "vars-template", firmware->vars_template);
	g_string_append(out, "\n" INDENT "}");
}

static void append_consoles(GString *out, const GPtrArray *consoles)
{
	unsigned i;

	if (consoles->len == 0)
		return;

	append_key(out, 1, "consoles");
	for (i = 0; i < consoles->len; i++) {
		const DefinitionConsole *console = g_ptr_array_index(consoles, i);

		g_string_append(out, i == 0 ? "[\n" : ",\n");
		g_string_append(out, INDENT INDENT "{");
		append_text_member(out, 3, "id", console->id);
		append_text_member(out, 3, "type", console->type);
		g_string_append(out, "\n" INDENT INDENT "}");
	}
	g_string_append(out, "\n" INDENT "]");
}

static void append_sandbox(GString *out, const Definition *definition)
{
	if (!definition->sandbox)
		return;

	append_key(out, 1, "sandbox");
	if (strcmp(definition->sandbox, "off") == 0)
		g_string_append(out, "false");
	else
		append_string(out, definition->sandbox);
}

static void append_resources(GString *out, const Definition *definition)
{
	if (definition->resources.memory_max == 0 && definition->resources.cpu_weight == 0 &&
	    definition->resources.tasks_max == 0)
		return;

	append_key(out, 1, "resources");
	g_string_append_c(out, '{');
	if (definition->resources.memory_max > 0)
		append_size_member(out, 2, "memory-max", definition->resources.memory_max);
	if (definition->resources.cpu_weight > 0)
		append_number_member(out, 2, "cpu-weight", definition->resources.cpu_weight);
	if (definition->resources.tasks_max > 0)
		append_number_member(out, 2, "tasks-max", definition->resources.tasks_max);
	g_string_append(out, "\n" INDENT "}");
}

char *definition_to_json(const Definition *definition)
{
	GString *out = g_string_new("{");

	append_text_member(out, 1, "name", definition->name);
	append_text_member(out, 1, "uuid", definition->uuid);
	append_text_member(out, 1, "title", definition->title);
	append_text_member(out, 1, "emulator", definition->emulator);
	append_machine(out, definition);
	append_accel(out, definition);
	append_text_member(out, 1, "cpu", definition->cpu);
	if (definition->cpus != DEFINITION_CPUS_DEFAULT)
		append_number_member(out, 1, "cpus", definition->cpus);
	if (definition->memory != DEFINITION_MEMORY_DEFAULT)
		append_size_member(out, 1, "memory", definition->memory);
	append_memory_backend(out, definition);
	append_firmware(out, &definition->firmware);
	append_interfaces(out, definition->interfaces);
	append_consoles(out, definition->consoles);
	append_entries(out, "blockdevs", definition->blockdevs);
	append_entries(out, "netdevs", definition->netdevs);
	append_entries(out, "objects", definition->objects);
	append_entries(out, "devices", definition->devices);
	if (definition->arguments[0]) {
		append_key(out, 1, "arguments");
		append_strings(out, definition->arguments);
	}
	append_sandbox(out, definition);
	if (definition->autostart) {
		append_key(out, 1, "autostart");
		g_string_append(out, "true");
	}
	append_policy(out, "on-shutdown", definition->on_shutdown, DEFINITION_POLICY_STOP);
	append_policy(out, "on-reboot", definition->on_reboot, DEFINITION_POLICY_RESTART);
	append_policy(out, "on-panic", definition->on_panic, DEFINITION_POLICY_STOP);
	append_policy(out, "on-crash", definition->on_crash, DEFINITION_POLICY_STOP);
	if (strcmp(definition->on_watchdog, DEFINITION_WATCHDOG_DEFAULT) != 0)
		append_text_member(out, 1, "on-watchdog", definition->on_watchdog);
	append_text_member(out, 1, "panic-dump", definition->panic_dump);
	append_resources(out, definition);
	g_string_append(out, "\n}\n");
	return g_string_free(out, FALSE);
}
