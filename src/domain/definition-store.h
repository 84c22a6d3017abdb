/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"

/*
 * Definitions on disk: DEFINITIONS/NAME.json, one each, written atomically and durably. The name
 * of a file is for people; what counts is the uuid in it. A file that an administrator put there under another name
 * gets its proper one when it is read: otherwise the next write would leave two files of one uuid.
 *
 * Everything blocks on the disk: worker thread, or start-up.
 */

#define DEFINITION_STORE_FILES_MAX 8192u

/* old_name: what it was stored as before, or NULL. A rename is done first, so that at no time two files have the
 * same uuid or none has. */
bool definition_store_write(const char *directory, const Definition *definition,
			    const char *old_name, GError **error);
bool definition_store_remove(const char *directory, const char *name, GError **error);

typedef struct StoredDefinition {
	Definition *definition;
	char *file;              /* name within the directory */
} StoredDefinition;

void stored_definition_free(StoredDefinition *stored);

/* All that can be read, in the order of their file names (StoredDefinition). problems gets a line for each
 * file that cannot: "FILE: what is wrong". A file without a uuid or MAC gets one, and is written back, so that it keeps
 * it. */
GPtrArray *definition_store_load(const char *directory, GPtrArray *problems);
