/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/forgotten.h"

typedef struct Lasts {
	uint64_t of_kind[EVENT_KIND_MAX];
} Lasts;
G_STATIC_ASSERT(EVENT_KIND_MAX <= 64);

struct Forgotten {
	uint64_t unknown;            /* up to there anything may have been */
	uint64_t mixed;              /* up to there any domain may have been, of those that are not in the table */
	uint64_t last;
	Lasts all;
	GHashTable *domains;         /* uuid -> Lasts */
};

Forgotten *forgotten_new(uint64_t unknown)
{
	Forgotten *forgotten = g_new0(Forgotten, 1);

	forgotten->unknown = unknown;
	forgotten->domains = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return forgotten;
}

Forgotten *forgotten_free(Forgotten *forgotten)
{
	if (!forgotten)
		return NULL;
	g_hash_table_unref(forgotten->domains);
	g_free(forgotten);
	return NULL;
}

static Lasts *get_lasts(Forgotten *forgotten, const char *uuid)
{
	Lasts *lasts = g_hash_table_lookup(forgotten->domains, uuid);

	if (lasts)
		return lasts;
	if (g_hash_table_size(forgotten->domains) == FORGOTTEN_DOMAINS_MAX) {
		g_hash_table_remove_all(forgotten->domains);
		forgotten->mixed = forgotten->last;
	}
	lasts = g_new0(Lasts, 1);
	g_hash_table_insert(forgotten->domains, g_strdup(uuid), lasts);
	return lasts;
}

void forgotten_add(Forgotten *forgotten, const char *uuid, EventKind kind, uint64_t sequence)
{
	get_lasts(forgotten, uuid)->of_kind[kind] = sequence;
	forgotten->all.of_kind[kind] = sequence;
	forgotten->last = sequence;
}

uint64_t forgotten_get_last(const Forgotten *forgotten, const char *uuid, uint64_t kinds)
{
	const Lasts *lasts = uuid ? g_hash_table_lookup(forgotten->domains, uuid) : &forgotten->all;
	uint64_t last = kinds != 0 ? forgotten->unknown : 0;

	for (unsigned kind = 0; kind < EVENT_KIND_MAX; kind++) {
		if (!(kinds & UINT64_C(1) << kind))
			continue;
		if (lasts)
			last = MAX(last, lasts->of_kind[kind]);
		if (uuid)
			last = MAX(last, MIN(forgotten->mixed, forgotten->all.of_kind[kind]));
	}
	return last;
}
