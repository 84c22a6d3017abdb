/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/stored-definition.h"

/*
 * Definitions on disk: DEFINITIONS/NAME.json, one each, written atomically and durably. The name
 * of a file is for people; what counts is the uuid in it. A file that an administrator put there under another name
 * gets its proper one once its definition has been taken in: otherwise the next write would leave two files of
 * one uuid.
 *
 * The store remembers what it has read and written, so that it can tell a file that somebody else has changed
 * since. What it has not read it does not overwrite.
 *
 * WARNING: everything here but definition_store_new() and definition_store_free() blocks on the disk, and has no lock:
 * one thread at a time. So it is called at start-up, and then from items of one strand alone.
 */

#define DEFINITION_STORE_FILES_MAX 8192u
/* Of files that have changed so many are named. */
#define DEFINITION_STORE_CHANGED_MAX 1024u

typedef struct DefinitionStore DefinitionStore;

DefinitionStore *definition_store_new(const char *directory);
DefinitionStore *definition_store_free(DefinitionStore *store);
const char *definition_store_get_directory(const DefinitionStore *store);

/* old_name: what it was stored as before, or NULL. A rename is done first, so that at no time two files have the
 * same uuid or none has. CORE_ERROR_DOMAIN_EXISTS if there is a file of that name that no domain was loaded from. */
bool definition_store_write(DefinitionStore *store, const Definition *definition,
			    const char *old_name, GError **error);
bool definition_store_remove(DefinitionStore *store, const char *name, GError **error);

/* All that can be read. A file without a uuid or MAC gets one, and is written back, so that it keeps it. */
StoredDefinitions *definition_store_load(DefinitionStore *store);
/* Those definitions (StoredDefinition) of the last load are in force: gives their files their proper names. Where
 * something else is in the way, or the folder cannot be written, it stays. */
void definition_store_settle(DefinitionStore *store, GPtrArray *definitions);

/* Names of files that are not as they were read or written: changed, new, gone. Sorted, valid UTF-8. NULL if it
 * cannot be looked at. */
GPtrArray *definition_store_find_changed(DefinitionStore *store, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DefinitionStore, definition_store_free)
