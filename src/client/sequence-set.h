/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A set of sequences, as ranges in their order: what was delivered ahead of the position. Pure.
 *
 * Most come in order, and most go in order; both are quick, and all else is found by bisection.
 */

typedef struct SequenceRange {
	uint64_t from, to;          /* both included */
} SequenceRange;

typedef struct SequenceSet SequenceSet;

SequenceSet *sequence_set_new(void);
SequenceSet *sequence_set_free(SequenceSet *set);   /* NULL-safe */

void sequence_set_add(SequenceSet *set, uint64_t sequence);
/* False, and nothing is done, if the range does not lie behind all that is in the set, with at least one between them. */
bool sequence_set_append(SequenceSet *set, SequenceRange range);
/* Takes out what is <= sequence. */
void sequence_set_remove_until(SequenceSet *set, uint64_t sequence);
void sequence_set_clear(SequenceSet *set);

bool sequence_set_has(const SequenceSet *set, uint64_t sequence);
/* How many are <= sequence. */
uint64_t sequence_set_count_until(const SequenceSet *set, uint64_t sequence);
/* The highest; 0: the set is empty. */
uint64_t sequence_set_get_last(const SequenceSet *set);
/* Ranges: what takes up memory. */
unsigned sequence_set_get_length(const SequenceSet *set);
SequenceRange sequence_set_get_range(const SequenceSet *set, unsigned index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SequenceSet, sequence_set_free)
