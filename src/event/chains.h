/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "event/event.h"

/*
 * The number of the last event of each kind and domain: what the next one calls its previous, so that who listens to one
 * kind alone sees that he has missed none. And that of the last of the domain, whatever its kind, for who listens to all of it.
 *
 * As the history, they are kept in memory that is shared with a file, and so are right after a kill of the service too. An
 * event that was remembered in the history and did not get as far as here is put in order at the start.
 */

/* Domains whose numbers survive the service; those of more are kept while it lives. */
#define CHAINS_KEPT_MAX 4096u

typedef struct Chains Chains;

/* Opens or makes DIRECTORY/chains. Of another boot or layout (as that of history_open()): begun anew. NULL as directory: in
 * memory alone. CORE_ERROR_IO. Blocks on the disk: start-up. */
Chains *chains_open(const char *directory, const char *boot_id, const char *layout, GError **error);
/* What is in the file stays. NULL-safe, returns NULL. */
Chains *chains_close(Chains *chains);

/* All below: event thread. */

/* 0: none. */
uint64_t chains_get(const Chains *chains, const char *uuid, EventKind kind);
uint64_t chains_get_newest(const Chains *chains, const char *uuid);
/* sequence is greater than those before. */
void chains_set(Chains *chains, const char *uuid, EventKind kind, uint64_t sequence);
/* The domain is no more. */
void chains_forget(Chains *chains, const char *uuid);
/* Forgets those of all domains that are not known, as they went while nobody looked. */
void chains_forget_others(Chains *chains, bool (*is_known)(const char *uuid, void *userdata), void *userdata);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Chains, chains_close)
