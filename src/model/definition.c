/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition-private.h"

#include <string.h>

#include "base/error.h"
#include "base/json-text.h"

/* The value itself: counted, compared with its rules, made from a text. How a text is read is in
 * definition-parse.c, how it is written in definition-write.c. */

static const char *const policy_names[DEFINITION_POLICY_MAX] = {
	[DEFINITION_POLICY_STOP]     = "stop",
	[DEFINITION_POLICY_RESTART]  = "restart",
	[DEFINITION_POLICY_PRESERVE] = "preserve",
	[DEFINITION_POLICY_PAUSE]    = "pause",
};

const char *definition_policy_to_string(DefinitionPolicy policy)
{
	g_assert(policy >= 0 && policy < DEFINITION_POLICY_MAX);
	return policy_names[policy];
}

bool definition_name_is_valid(const char *name)
{
	size_t length = 0;

	if (!name || name[0] == '.' || name[0] == '-')
		return false;

	for (; name[length]; length++) {
		if (length == DEFINITION_NAME_MAX)
			return false;
		if (!g_ascii_isalnum(name[length]) && !strchr("._+-", name[length]))
			return false;
	}
	return length > 0;
}

bool definition_uuid_is_valid(const char *uuid)
{
	return uuid && g_uuid_string_is_valid(uuid);
}

bool definition_has_argument(const Definition *definition, const char *option)
{
	size_t i;

	for (i = 0; definition->arguments[i]; i++) {
		const char *argument = definition->arguments[i];

		if (argument[0] == '-' && strcmp(argument + (argument[1] == '-' ? 2 : 1), option) == 0)
			return true;
	}
	return false;
}

void definition_problem_free(DefinitionProblem *problem)
{
	if (!problem)
		return;

	g_free(problem->path);
	g_free(problem->message);
	g_free(problem);
}

void definition_console_free(DefinitionConsole *console)
{
	if (!console)
		return;

	g_free(console->id);
	g_free(console->type);
	g_free(console);
}

static GPtrArray *entries_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify) json_node_unref);
}

/* A definition with every default, but without name and uuid. */
Definition *definition_new(void)
{
	Definition *definition = g_new0(Definition, 1);

	definition->ref_count = 1;
	definition->accel = g_strsplit("kvm tcg", " ", -1);
	definition->cpus = DEFINITION_CPUS_DEFAULT;
	definition->memory = DEFINITION_MEMORY_DEFAULT;
	definition->interfaces =
		g_ptr_array_new_with_free_func((GDestroyNotify) definition_interface_free);
	definition->consoles =
		g_ptr_array_new_with_free_func((GDestroyNotify) definition_console_free);
	definition->blockdevs = entries_new();
	definition->netdevs = entries_new();
	definition->objects = entries_new();
	definition->devices = entries_new();
	definition->arguments = g_new0(char *, 1);
	definition->on_shutdown = DEFINITION_POLICY_STOP;
	definition->on_reboot = DEFINITION_POLICY_RESTART;
	definition->on_panic = DEFINITION_POLICY_STOP;
	definition->on_crash = DEFINITION_POLICY_STOP;
	definition->on_watchdog = DEFINITION_WATCHDOG_DEFAULT;
	return definition;
}

Definition *definition_ref(const Definition *definition)
{
	Definition *shared = (Definition *) definition;

	g_atomic_int_inc(&shared->ref_count);
	return shared;
}

Definition *definition_unref(Definition *definition)
{
	if (!definition || !g_atomic_int_dec_and_test(&definition->ref_count))
		return NULL;

	g_free(definition->name);
	g_free(definition->uuid);
	g_free(definition->title);
	g_free(definition->emulator);
	g_clear_pointer(&definition->machine_node, json_node_unref);
	g_strfreev(definition->accel);
	g_free(definition->cpu);
	g_clear_pointer(&definition->memory_backend, json_node_unref);
	g_free(definition->firmware.image);
	g_free(definition->firmware.code);
	g_free(definition->firmware.vars);
	g_free(definition->firmware.vars_template);
	g_ptr_array_unref(definition->interfaces);
	g_ptr_array_unref(definition->consoles);
	g_ptr_array_unref(definition->blockdevs);
	g_ptr_array_unref(definition->netdevs);
	g_ptr_array_unref(definition->objects);
	g_ptr_array_unref(definition->devices);
	g_strfreev(definition->arguments);
	g_free(definition->sandbox);
	g_free(definition->panic_dump);
	g_free(definition);
	return NULL;
}

/* The lists are shared: they are never written again, and their counts are atomic. Field by field: the
 * count of the original may change while this runs, so it must not even be read. */
Definition *definition_with_autostart(const Definition *definition, bool autostart)
{
	Definition *copy = g_new0(Definition, 1);

	copy->ref_count = 1;
	copy->name = g_strdup(definition->name);
	copy->uuid = g_strdup(definition->uuid);
	copy->title = g_strdup(definition->title);
	copy->emulator = g_strdup(definition->emulator);
	copy->machine = definition->machine;
	if (definition->machine_node)
		copy->machine_node = json_node_ref(definition->machine_node);
	copy->accel = g_strdupv(definition->accel);
	copy->cpu = g_strdup(definition->cpu);
	copy->cpus = definition->cpus;
	copy->memory = definition->memory;
	if (definition->memory_backend)
		copy->memory_backend = json_node_ref(definition->memory_backend);
	copy->firmware.image = g_strdup(definition->firmware.image);
	copy->firmware.code = g_strdup(definition->firmware.code);
	copy->firmware.vars = g_strdup(definition->firmware.vars);
	copy->firmware.vars_template = g_strdup(definition->firmware.vars_template);
	copy->interfaces = g_ptr_array_ref(definition->interfaces);
	copy->consoles = g_ptr_array_ref(definition->consoles);
	copy->blockdevs = g_ptr_array_ref(definition->blockdevs);
	copy->netdevs = g_ptr_array_ref(definition->netdevs);
	copy->objects = g_ptr_array_ref(definition->objects);
	copy->devices = g_ptr_array_ref(definition->devices);
	copy->arguments = g_strdupv(definition->arguments);
	copy->sandbox = g_strdup(definition->sandbox);
	copy->autostart = autostart;
	copy->on_shutdown = definition->on_shutdown;
	copy->on_reboot = definition->on_reboot;
	copy->on_panic = definition->on_panic;
	copy->on_crash = definition->on_crash;
	copy->on_watchdog = definition->on_watchdog;
	copy->panic_dump = g_strdup(definition->panic_dump);
	copy->resources = definition->resources;
	return copy;
}

Definition *definition_with_name(const Definition *definition, const char *name)
{
	Definition *copy = definition_with_autostart(definition, definition->autostart);

	g_free(copy->name);
	copy->name = g_strdup(name);
	return copy;
}

/* Reads the document; NULL if the reader has problems afterwards. */
static Definition *read_definition(DefinitionReader *reader, const char *text, size_t length)
{
	g_autoptr(Definition) definition = definition_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *written = NULL;

	definition_read_document(reader, text, length, definition);
	if (reader->n_problems > 0)
		return NULL;

	/* What is accepted is also kept in a file, and must be accepted again when it is read back.
	 * Numbers can become longer when they are written, and what was made up is added. */
	written = definition_to_json(definition);
	if (!json_text_check(written, strlen(written), DEFINITION_LENGTH_MAX, DEFINITION_NESTING_MAX,
			     &error)) {
		definition_reader_problem(reader, "could not be read again once it is written out: %s",
					  error->message);
		return NULL;
	}
	return g_steal_pointer(&definition);
}

Definition *definition_parse(const char *text, size_t length, GError **error)
{
	DefinitionReader reader;
	Definition *definition;

	if (length > DEFINITION_LENGTH_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "the definition is %zu bytes long, at most %u are allowed", length,
			    DEFINITION_LENGTH_MAX);
		return NULL;
	}

	definition_reader_init(&reader);
	definition = read_definition(&reader, text, length);
	if (!definition)
		definition_reader_set_error(&reader, error);
	definition_reader_clear(&reader);
	return definition;
}

GPtrArray *definition_validate(const char *text, size_t length)
{
	g_autoptr(Definition) definition = NULL;
	DefinitionReader reader;
	GPtrArray *problems;

	definition_reader_init(&reader);
	if (length > DEFINITION_LENGTH_MAX)
		definition_reader_problem(&reader, "is %zu bytes long, at most %u are allowed",
					  length, DEFINITION_LENGTH_MAX);
	else
		definition = read_definition(&reader, text, length);

	if (reader.n_problems > 0 && length <= DEFINITION_LENGTH_MAX)
		definition_locate_problems(reader.problems, text, length);
	if (reader.n_problems > DEFINITION_PROBLEMS_MAX) {
		size_t n_more = reader.n_problems - DEFINITION_PROBLEMS_MAX;
		DefinitionProblem *more = g_new0(DefinitionProblem, 1);

		more->path = g_strdup("");
		more->message = g_strdup_printf("has %zu more problem%s", n_more, n_more > 1 ? "s" : "");
		g_ptr_array_add(reader.problems, more);
	}
	problems = g_ptr_array_ref(reader.problems);
	definition_reader_clear(&reader);
	return problems;
}
