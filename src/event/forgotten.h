/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "event/event.h"

/*
 * What the history has had and does not have any more: of each domain and kind, the last. So who asks for few of many events is told
 * that some are missing only if they are of those few.
 *
 * It is in memory alone: of what was forgotten before the start of the service it is not known what it was.
 */

/* With more domains, all that were are as one. */
#define FORGOTTEN_DOMAINS_MAX 4096u

typedef struct Forgotten Forgotten;

/* All up to there may have been of any kind and domain. */
Forgotten *forgotten_new(uint64_t unknown);
/* NULL-safe, returns NULL. */
Forgotten *forgotten_free(Forgotten *forgotten);

/* In the order of the sequence. */
void forgotten_add(Forgotten *forgotten, const char *uuid, EventKind kind, uint64_t sequence);
/* The sequence of the last one that may have been of that domain (NULL: of any) and one of those kinds, of which each is a bit; 0: none. */
uint64_t forgotten_get_last(const Forgotten *forgotten, const char *uuid, uint64_t kinds);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Forgotten, forgotten_free)
