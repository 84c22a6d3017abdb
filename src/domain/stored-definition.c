/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/stored-definition.h"

#include <string.h>

#define SUFFIX ".json"

static void definition_free(void *data)
{
	StoredDefinition *stored = data;

	definition_unref(stored->definition);
	g_free(stored->file);
	g_free(stored);
}

static void problem_free(void *data)
{
	StoredProblem *problem = data;

	g_free(problem->file);
	g_free(problem->path);
	g_free(problem->message);
	g_free(problem);
}

StoredDefinitions *stored_definitions_new(const char *directory)
{
	StoredDefinitions *stored = g_new0(StoredDefinitions, 1);

	stored->directory = g_strdup(directory);
	stored->definitions = g_ptr_array_new_with_free_func(definition_free);
	stored->problems = g_ptr_array_new_with_free_func(problem_free);
	stored->doubtful = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	stored->complete = true;
	return stored;
}

StoredDefinitions *stored_definitions_free(StoredDefinitions *stored)
{
	if (!stored)
		return NULL;
	g_free(stored->directory);
	g_ptr_array_unref(stored->definitions);
	g_ptr_array_unref(stored->problems);
	g_hash_table_unref(stored->doubtful);
	g_free(stored);
	return NULL;
}

void stored_definitions_add(StoredDefinitions *stored, const char *file, Definition *definition)
{
	StoredDefinition *entry = g_new0(StoredDefinition, 1);

	entry->definition = definition;
	entry->file = g_strdup(file);
	g_ptr_array_add(stored->definitions, entry);
}

static void add_problem(StoredDefinitions *stored, const char *file, DefinitionPlace place,
			const char *path, const char *message)
{
	g_autofree char *whole = g_build_filename(stored->directory, file, NULL);
	StoredProblem *problem = g_new0(StoredProblem, 1);

	/* A name of a file may be any bytes. */
	problem->file = g_utf8_make_valid(whole, -1);
	problem->place = place;
	problem->path = g_utf8_make_valid(path, -1);
	problem->message = g_utf8_make_valid(message, -1);
	g_ptr_array_add(stored->problems, problem);
}

void stored_definitions_add_problem(StoredDefinitions *stored, const char *file,
				    DefinitionPlace place, const char *path, const char *message)
{
	if (stored->n_problems++ < STORED_PROBLEMS_MAX)
		add_problem(stored, file, place, path, message);
}

bool stored_definitions_add_problems_of(StoredDefinitions *stored, const char *file, const char *text,
					size_t length)
{
	g_autoptr(GPtrArray) problems = definition_validate(text, length);

	for (unsigned i = 0; i < MIN(problems->len, STORED_PROBLEMS_OF_FILE_MAX); i++) {
		const DefinitionProblem *problem = g_ptr_array_index(problems, i);

		stored_definitions_add_problem(stored, file, problem->place, problem->path,
					       problem->message);
	}
	if (problems->len > STORED_PROBLEMS_OF_FILE_MAX)
		stored_definitions_add_problem(stored, file, (DefinitionPlace){ 0 }, "",
					       "has more problems");
	return problems->len > 0;
}

void stored_definitions_end_problems(StoredDefinitions *stored)
{
	g_autofree char *message = NULL;

	if (stored->n_problems <= STORED_PROBLEMS_MAX)
		return;
	message = g_strdup_printf("there are %u more problems in the files",
				  stored->n_problems - STORED_PROBLEMS_MAX);
	add_problem(stored, NULL, (DefinitionPlace){ 0 }, "", message);
	stored->n_problems = 0;
}

char *stored_problem_to_string(const StoredProblem *problem)
{
	GString *text = g_string_new(problem->file);

	if (problem->place.line > 0)
		g_string_append_printf(text, ":%u:%u", problem->place.line, problem->place.column);
	if (*problem->path)
		g_string_append_printf(text, ": %s", problem->path);
	g_string_append_printf(text, ": %s", problem->message);
	return g_string_free(text, FALSE);
}

bool stored_problem_equal(const StoredProblem *a, const StoredProblem *b)
{
	return a->place.line == b->place.line && a->place.column == b->place.column &&
	       g_str_equal(a->file, b->file) && g_str_equal(a->path, b->path) &&
	       g_str_equal(a->message, b->message);
}

char *stored_file_of(const char *name)
{
	/* A name cannot hold a slash or begin with a dot. */
	g_assert(definition_name_is_valid(name));
	return g_strconcat(name, SUFFIX, NULL);
}

char *stored_name_of(const char *file)
{
	if (*file == '.' || !g_str_has_suffix(file, SUFFIX))
		return NULL;
	return g_strndup(file, strlen(file) - strlen(SUFFIX));
}
