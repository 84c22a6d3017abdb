/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <string.h>

/*
 * The part of the document that is QEMU's: lists of QAPI objects and of arguments. QEMU is their
 * validator. Checked here is only what we rely on: that an entry can be told from the others, that
 * the kernel will pass it on, and that no argument takes the process out of our hands.
 */

const DefinitionEntryRule definition_blockdev_rule = { "node-name", "driver", "node-name", true };
const DefinitionEntryRule definition_netdev_rule   = { "netdev", "type", "id", true };
const DefinitionEntryRule definition_object_rule   = { "object", "qom-type", "id", true };
const DefinitionEntryRule definition_device_rule   = { "device", "driver", "id", false };

typedef struct RefusedArgument {
	const char *name;        /* QEMU takes one dash or two */
	const char *reason;
} RefusedArgument;

static const RefusedArgument refused_arguments[] = {
	{ "chroot",    "QEMU would no longer find the paths it is given" },
	{ "daemonize", "the process would no longer be the one that was started" },
	{ "incoming",  "the guest is started and restored by methods, not by the command line" },
	{ "name",      "use the key \"name\"" },
	{ "pidfile",   "the service has QEMU write one of its own" },
	{ "preconfig", "QEMU would wait for commands that are never sent" },
	{ "uuid",      "use the key \"uuid\"" },
};

/* The member if it is a string with something in it; else NULL, and a problem if it is wrong or
 * missing where it must not be. */
static const char *read_entry_member(DefinitionReader *reader, JsonObject *object, const char *key,
				     bool required)
{
	JsonNode *member = json_object_get_member(object, key);
	const char *value = NULL;
	size_t outer;

	if (!member && !required)
		return NULL;

	outer = definition_reader_enter(reader, key);
	if (!member)
		definition_reader_problem(reader, "is required");
	else
		value = definition_read_string(reader, member);
	if (value && value[0] == '\0') {
		definition_reader_problem(reader, "must not be empty");
		value = NULL;
	}
	definition_reader_leave(reader, outer);
	return value;
}

static void read_entry(DefinitionReader *reader, JsonNode *node, const DefinitionEntryRule *rule,
		       GPtrArray *entries)
{
	JsonObject *object = definition_read_object(reader, node);
	g_autofree char *line = NULL;
	const char *id;

	if (!object)
		return;

	if (strcmp(rule->required, rule->id) != 0)
		read_entry_member(reader, object, rule->required, true);

	id = read_entry_member(reader, object, rule->id, rule->id_required);
	if (id) {
		size_t outer = definition_reader_enter(reader, rule->id);

		definition_reader_claim(reader, rule->kind, id);
		definition_reader_leave(reader, outer);
	}

	line = definition_entry_to_json(node);
	if (strlen(line) > DEFINITION_ARGUMENT_MAX)
		definition_reader_problem(reader, "is %zu bytes long as one line of JSON, at most %u "
					  "fit into an argument", strlen(line),
					  DEFINITION_ARGUMENT_MAX);

	g_ptr_array_add(entries, json_node_ref(node));
}

void definition_read_entries(DefinitionReader *reader, JsonNode *node,
			     const DefinitionEntryRule *rule, GPtrArray *entries)
{
	JsonArray *array = definition_read_array(reader, node);
	unsigned n_entries = array ? json_array_get_length(array) : 0;
	unsigned i;

	for (i = 0; i < n_entries; i++) {
		size_t outer = definition_reader_enter_index(reader, i);

		read_entry(reader, json_array_get_element(array, i), rule, entries);
		definition_reader_leave(reader, outer);
	}
}

static const RefusedArgument *find_refused(const char *argument)
{
	size_t i;

	if (argument[0] != '-')
		return NULL;

	argument += argument[1] == '-' ? 2 : 1;
	for (i = 0; i < G_N_ELEMENTS(refused_arguments); i++)
		if (strcmp(argument, refused_arguments[i].name) == 0)
			return &refused_arguments[i];
	return NULL;
}

GStrv definition_read_arguments(DefinitionReader *reader, JsonNode *node)
{
	JsonArray *array = definition_read_array(reader, node);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	unsigned i;

	if (!array)
		return NULL;

	for (i = 0; i < json_array_get_length(array); i++) {
		size_t outer = definition_reader_enter_index(reader, i);
		const char *argument = definition_read_string(reader,
							      json_array_get_element(array, i));
		const RefusedArgument *refused = argument ? find_refused(argument) : NULL;

		if (refused)
			definition_reader_problem(reader, "-%s is not allowed here: %s",
						  refused->name, refused->reason);
		else if (argument && strlen(argument) > DEFINITION_ARGUMENT_MAX)
			definition_reader_problem(reader, "is %zu bytes long, at most %u fit into "
						  "an argument", strlen(argument),
						  DEFINITION_ARGUMENT_MAX);
		else if (argument)
			g_strv_builder_add(builder, argument);
		definition_reader_leave(reader, outer);
	}
	return g_strv_builder_end(builder);
}
