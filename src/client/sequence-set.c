/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/sequence-set.h"

struct SequenceSet {
	GArray *ranges;             /* SequenceRange, sorted, at least one sequence between two of them */
	unsigned start;             /* those before it are gone: what goes in order is not paid for each time */
};

static SequenceRange *range_at(const SequenceSet *set, unsigned index)
{
	return &g_array_index(set->ranges, SequenceRange, set->start + index);
}

/* The first range that ends at sequence or behind it; the length, if there is none. */
static unsigned find(const SequenceSet *set, uint64_t sequence)
{
	unsigned low = 0, high = sequence_set_get_length(set);

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (range_at(set, middle)->to < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void remove_ranges(SequenceSet *set, unsigned n)
{
	set->start += n;
	if (set->start > set->ranges->len / 2) {
		g_array_remove_range(set->ranges, 0, set->start);
		set->start = 0;
	}
}

/* The two at index and behind it have nothing between them any more. */
static void join(SequenceSet *set, unsigned index)
{
	range_at(set, index)->to = range_at(set, index + 1)->to;
	g_array_remove_index(set->ranges, set->start + index + 1);
}

SequenceSet *sequence_set_new(void)
{
	SequenceSet *set = g_new0(SequenceSet, 1);

	set->ranges = g_array_new(FALSE, FALSE, sizeof(SequenceRange));
	return set;
}

SequenceSet *sequence_set_free(SequenceSet *set)
{
	if (!set)
		return NULL;
	g_array_unref(set->ranges);
	g_free(set);
	return NULL;
}

void sequence_set_add(SequenceSet *set, uint64_t sequence)
{
	unsigned index = find(set, sequence), length = sequence_set_get_length(set);
	bool joins_before = index > 0 && range_at(set, index - 1)->to == sequence - 1;
	const SequenceRange range = { sequence, sequence };

	if (index < length && range_at(set, index)->from <= sequence)
		return;
	if (joins_before)
		range_at(set, --index)->to = sequence;
	else if (index < length && range_at(set, index)->from == sequence + 1)
		range_at(set, index)->from = sequence;
	else
		g_array_insert_val(set->ranges, set->start + index, range);
	if (joins_before && index + 1 < length && range_at(set, index + 1)->from == sequence + 1)
		join(set, index);
}

bool sequence_set_append(SequenceSet *set, SequenceRange range)
{
	uint64_t last = sequence_set_get_last(set);

	if (range.from > range.to || (sequence_set_get_length(set) > 0 && (range.from <= last || range.from - last < 2)))
		return false;
	g_array_append_val(set->ranges, range);
	return true;
}

void sequence_set_remove_until(SequenceSet *set, uint64_t sequence)
{
	unsigned index = find(set, sequence);

	if (index < sequence_set_get_length(set) && range_at(set, index)->to == sequence)
		index++;
	remove_ranges(set, index);
	if (sequence_set_get_length(set) > 0 && range_at(set, 0)->from <= sequence)
		range_at(set, 0)->from = sequence + 1;
}

void sequence_set_clear(SequenceSet *set)
{
	g_array_set_size(set->ranges, 0);
	set->start = 0;
}

bool sequence_set_has(const SequenceSet *set, uint64_t sequence)
{
	unsigned index = find(set, sequence);

	return index < sequence_set_get_length(set) && range_at(set, index)->from <= sequence;
}

uint64_t sequence_set_count_until(const SequenceSet *set, uint64_t sequence)
{
	unsigned length = sequence_set_get_length(set);
	uint64_t count = 0;

	for (unsigned i = 0; i < length && range_at(set, i)->from <= sequence; i++)
		count += MIN(range_at(set, i)->to, sequence) - range_at(set, i)->from + 1;
	return count;
}

uint64_t sequence_set_get_last(const SequenceSet *set)
{
	unsigned length = sequence_set_get_length(set);

	return length > 0 ? range_at(set, length - 1)->to : 0;
}

unsigned sequence_set_get_length(const SequenceSet *set)
{
	return set->ranges->len - set->start;
}

SequenceRange sequence_set_get_range(const SequenceSet *set, unsigned index)
{
	return *range_at(set, index);
}
