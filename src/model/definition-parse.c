/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <string.h>

/*
 * The document, read by tables: a key has one row, which says who reads its value, and where to.
 * A new key is a row here, a field in the struct, and a line in definition-write.c.
 *
 * Problems come in the order of the document, so the document leads and the table is searched, not
 * the other way round; what is missing comes last.
 */

#define POLICY(name)  (UINT64_C(1) << DEFINITION_POLICY_##name)
#define UNKNOWN_DISTANCE_MAX 2u               /* typing errors that still make a suggestion */
#define UNKNOWN_LENGTH_MAX   32u

static void read_entries(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			 void *field)
{
	definition_read_entries(reader, node, key->entries, *(GPtrArray **) field);
}

static void read_arguments(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			   void *field)
{
	GStrv *arguments = field;
	GStrv value = definition_read_arguments(reader, node);

	if (!value)
		return;

	g_strfreev(*arguments);
	*arguments = value;
}

static const DefinitionKey resource_keys[] = {
	{ "memory-max", definition_read_size, offsetof(Definition, resources.memory_max),
	  DEFINITION_MEMORY_MAX },
	{ "cpu-weight", definition_read_unsigned, offsetof(Definition, resources.cpu_weight),
	  DEFINITION_CPU_WEIGHT_MAX },
	{ "tasks-max", definition_read_count, offsetof(Definition, resources.tasks_max),
	  DEFINITION_TASKS_MAX },
};

static void read_resources(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
			   void *field)
{
	JsonObject *object = definition_read_object(reader, node);

	if (object)
		definition_read_members(reader, object, resource_keys, G_N_ELEMENTS(resource_keys),
					field);
}

#define FIELD(name) offsetof(Definition, name)

/* Rows with no offset get the definition itself. */
static const DefinitionKey document_keys[] = {
	{ "name",        definition_read_name,     FIELD(name) },
	{ "uuid",        definition_read_uuid,     FIELD(uuid) },
	{ "title",       definition_read_title,    FIELD(title) },
	{ "emulator",    definition_read_emulator, FIELD(emulator) },
	{ "machine",     definition_read_machine },
	{ "accel",       definition_read_accel,    FIELD(accel) },
	{ "cpu",         definition_read_word,     FIELD(cpu) },
	{ "cpus",        definition_read_unsigned, FIELD(cpus), DEFINITION_CPUS_MAX },
	{ "memory",      definition_read_size,     FIELD(memory), DEFINITION_MEMORY_MAX },
	{ "memory-backend", definition_read_memory_backend, FIELD(memory_backend) },
	{ "firmware",    definition_read_firmware, FIELD(firmware) },
	{ "interfaces",  definition_read_interfaces, FIELD(interfaces) },
	{ "consoles",    definition_read_consoles, FIELD(consoles) },
	{ "blockdevs",   read_entries,             FIELD(blockdevs), 0, &definition_blockdev_rule },
	{ "netdevs",     read_entries,             FIELD(netdevs), 0, &definition_netdev_rule },
	{ "objects",     read_entries,             FIELD(objects), 0, &definition_object_rule },
	{ "devices",     read_entries,             FIELD(devices), 0, &definition_device_rule },
	{ "arguments",   read_arguments,           FIELD(arguments) },
	{ "sandbox",     definition_read_sandbox,  FIELD(sandbox) },
	{ "autostart",   definition_read_boolean,  FIELD(autostart) },
	{ "on-shutdown", definition_read_policy,   FIELD(on_shutdown),
	  POLICY(STOP) | POLICY(RESTART) | POLICY(PRESERVE) | POLICY(PAUSE) },
	{ "on-reboot",   definition_read_policy,   FIELD(on_reboot), POLICY(STOP) | POLICY(RESTART) },
	{ "on-panic",    definition_read_policy,   FIELD(on_panic),
	  POLICY(STOP) | POLICY(RESTART) | POLICY(PRESERVE) | POLICY(PAUSE) },
	{ "on-crash",    definition_read_policy,   FIELD(on_crash), POLICY(STOP) | POLICY(RESTART) },
	{ "on-watchdog", definition_read_watchdog, FIELD(on_watchdog) },
	{ "panic-dump",  definition_read_file,     FIELD(panic_dump) },
	{ "resources",   read_resources },
};

/* The number of characters to insert, delete or replace to make one of the other (Levenshtein); both
 * at most UNKNOWN_LENGTH_MAX bytes. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[UNKNOWN_LENGTH_MAX + 1], length = (unsigned) strlen(b), i, j;

	for (j = 0; j <= length; j++)
		row[j] = j;
	for (i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= length; j++) {
			unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[length];
}

static void report_unknown_key(DefinitionReader *reader, const char *name, const DefinitionKey *keys,
			       size_t n_keys)
{
	g_autoptr(GString) known = g_string_new(NULL);
	unsigned best = UNKNOWN_DISTANCE_MAX + 1;
	const char *nearest = NULL;
	size_t i;

	for (i = 0; i < n_keys; i++) {
		if (strlen(name) <= UNKNOWN_LENGTH_MAX && edit_distance(name, keys[i].name) < best) {
			nearest = keys[i].name;
			best = edit_distance(name, nearest);
		}
		g_string_append_printf(known, "%s%s", i > 0 ? ", " : "", keys[i].name);
	}

	if (nearest)
		definition_reader_problem(reader, "is not a known key; did you mean \"%s\"?", nearest);
	else
		definition_reader_problem(reader, "is not a known key; known are %s", known->str);
}

void definition_read_members(DefinitionReader *reader, JsonObject *object, const DefinitionKey *keys,
			     size_t n_keys, void *target)
{
	JsonObjectIter iter;
	const char *name;
	JsonNode *value;
	size_t i;

	json_object_iter_init_ordered(&iter, object);
	while (json_object_iter_next_ordered(&iter, &name, &value)) {
		size_t outer = definition_reader_enter(reader, name);

		for (i = 0; i < n_keys && strcmp(keys[i].name, name) != 0; i++)
			;
		if (i < n_keys)
			keys[i].read(reader, value, &keys[i], (char *) target + keys[i].offset);
		else
			report_unknown_key(reader, name, keys, n_keys);
		definition_reader_leave(reader, outer);
	}
}

void definition_read_document(DefinitionReader *reader, const char *text, size_t length,
			      Definition *definition)
{
	g_autoptr(JsonNode) root = definition_read_text(reader, text, length);
	JsonObject *document = root ? definition_read_object(reader, root) : NULL;

	if (!document)
		return;

	definition_read_members(reader, document, document_keys, G_N_ELEMENTS(document_keys),
				definition);
	definition_make_interface_ids(reader, definition->interfaces);
	definition_check_start(reader, definition);

	if (!json_object_has_member(document, "name")) {
		size_t outer = definition_reader_enter(reader, "name");

		definition_reader_problem(reader, "is required");
		definition_reader_leave(reader, outer);
	}
	definition->has_made_up_uuid = !definition->uuid;
	if (!definition->uuid)
		definition->uuid = g_uuid_string_random();
}
