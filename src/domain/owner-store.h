/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Which user has defined a persistent domain: STATE/owners/UUID with his number. It counts against his limit, over restarts of the service. It
 * stands beside the definition and not in it, where its author could write whatever he likes. Of the service's own user, and of
 * files that an administrator has put there, there is none. (Of a transient domain the run file knows.)
 *
 * Blocks on the disk; no lock: one thread at a time, as with the definitions.
 */

/* Before the definition is written: what is left behind by a kill between the two is removed at the next start. */
bool owner_store_write(const char *directory, const char *uuid, uid_t owner, GError **error);
/* What is not there is no error. */
bool owner_store_remove(const char *directory, const char *uuid, GError **error);
/* uuid -> uid. A file that is not understood is left out. */
GHashTable *owner_store_load(const char *directory);
