/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/owner-store.h"

#include <stdlib.h>
#include <string.h>

#include "base/atomic-file.h"
#include "base/log.h"
#include "model/definition.h"

#define FILE_MAX 32u

bool owner_store_write(const char *directory, const char *uuid, uid_t owner, GError **error)
{
	g_autofree char *text = g_strdup_printf("%u\n", (unsigned)owner);

	return atomic_file_write(directory, uuid, text, strlen(text), 0600, error);
}

bool owner_store_remove(const char *directory, const char *uuid, GError **error)
{
	return atomic_file_remove(directory, uuid, error);
}

static bool read_owner(const char *directory, const char *uuid, uint64_t *ret_owner, GError **error)
{
	g_autofree char *text = atomic_file_read(directory, uuid, FILE_MAX, NULL, error);

	if (!text)
		return false;
	if (g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, G_MAXUINT32 - 1, ret_owner, NULL))
		return true;
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s/%s: is no number of a user", directory, uuid);
	return false;
}

GHashTable *owner_store_load(const char *directory)
{
	GHashTable *owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autoptr(GError) error = NULL;
		uint64_t owner;

		if (!definition_uuid_is_valid(name))
			continue;
		if (read_owner(directory, name, &owner, &error))
			g_hash_table_insert(owners, g_strdup(name), GUINT_TO_POINTER((unsigned)owner));
		else
			log_problem(LOG_ID_STORE_FAILED, NULL, error->message);
	}
	return owners;
}
