/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/definition-store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic-file.h"
#include "base/error.h"

#define SUFFIX ".json"

static char *file_of(const char *name)
{
	/* A name cannot hold a slash or begin with a dot (definition_name_is_valid). */
	g_assert(definition_name_is_valid(name));
	return g_strconcat(name, SUFFIX, NULL);
}

static bool write_file(const char *directory, const char *file, const Definition *definition,
		       GError **error)
{
	g_autofree char *json = definition_to_json(definition);

	return atomic_file_write(directory, file, json, strlen(json), 0600, error);
}

bool definition_store_write(const char *directory, const Definition *definition,
			    const char *old_name, GError **error)
{
	g_autofree char *file = file_of(definition->name);
	g_autofree char *path = g_build_filename(directory, file, NULL);
	g_autofree char *old_path = NULL;

	if (old_name && !g_str_equal(old_name, definition->name)) {
		g_autofree char *old_file = file_of(old_name);

		old_path = g_build_filename(directory, old_file, NULL);
		if (rename(old_path, path) < 0 && errno != ENOENT) {
			core_error_set_errno(error, errno, "%s: cannot be renamed to %s", old_path,
					     file);
			return false;
		}
	}
	if (write_file(directory, file, definition, error))
		return true;
	/* What was there before is there again, under the name it had. */
	if (old_path)
		(void)rename(path, old_path);
	return false;
}

bool definition_store_remove(const char *directory, const char *name, GError **error)
{
	g_autofree char *file = file_of(name);

	return atomic_file_remove(directory, file, error);
}

void stored_definition_free(StoredDefinition *stored)
{
	definition_unref(stored->definition);
	g_free(stored->file);
	g_free(stored);
}

/* What was made up (uuid, MAC) is not in the text: keep what it is now. */
static bool is_complete(const char *text, const Definition *definition)
{
	if (!strcasestr(text, definition->uuid))
		return false;
	for (unsigned i = 0; i < definition->interfaces->len; i++) {
		const DefinitionInterface *interface =
			g_ptr_array_index(definition->interfaces, i);

		if (!strcasestr(text, interface->mac))
			return false;
	}
	return true;
}

static Definition *load_file(const char *directory, const char *file, GError **error)
{
	size_t length;
	g_autofree char *text = atomic_file_read(directory, file, DEFINITION_LENGTH_MAX, &length,
						 error);
	g_autoptr(Definition) definition = text ? definition_parse(text, length, error) : NULL;

	if (definition && !is_complete(text, definition) &&
	    !write_file(directory, file, definition, error))
		return NULL;
	return g_steal_pointer(&definition);
}

/* The name of the file from now on. If the proper one is taken, or the folder cannot be written, it stays: the
 * caller finds out that a name is there twice, and who wants to write that it cannot be. */
static char *give_proper_name(const char *directory, const char *file, const Definition *definition)
{
	g_autofree char *proper = file_of(definition->name);
	g_autofree char *old_path = g_build_filename(directory, file, NULL);
	g_autofree char *path = g_build_filename(directory, proper, NULL);

	if (g_str_equal(file, proper) ||
	    renameat2(AT_FDCWD, old_path, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		return g_strdup(file);
	g_message("%s: is called %s from now on, as what it defines", old_path, proper);
	return g_steal_pointer(&proper);
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static GPtrArray *list_files(const char *directory, GPtrArray *problems)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(directory, 0, &error);
	const char *file;

	if (!dir)
		g_ptr_array_add(problems, g_strdup(error->message));
	while (dir && (file = g_dir_read_name(dir))) {
		if (!g_str_has_suffix(file, SUFFIX) || *file == '.')
			continue;
		if (files->len >= DEFINITION_STORE_FILES_MAX) {
			g_ptr_array_add(problems, g_strdup_printf("%s: more than %u files; the rest "
								  "is not read", directory,
								  DEFINITION_STORE_FILES_MAX));
			break;
		}
		g_ptr_array_add(files, g_strdup(file));
	}
	g_ptr_array_sort(files, compare_files);
	return files;
}

GPtrArray *definition_store_load(const char *directory, GPtrArray *problems)
{
	GPtrArray *result = g_ptr_array_new_with_free_func((GDestroyNotify)stored_definition_free);
	g_autoptr(GPtrArray) files = list_files(directory, problems);

	for (unsigned i = 0; i < files->len; i++) {
		const char *file = g_ptr_array_index(files, i);
		g_autoptr(GError) error = NULL;
		Definition *definition = load_file(directory, file, &error);
		StoredDefinition *stored;

		if (!definition) {
			g_ptr_array_add(problems, g_strdup_printf("%s/%s: %s", directory, file,
								  error->message));
			continue;
		}
		stored = g_new0(StoredDefinition, 1);
		stored->definition = definition;
		stored->file = give_proper_name(directory, file, definition);
		g_ptr_array_add(result, stored);
	}
	return result;
}
