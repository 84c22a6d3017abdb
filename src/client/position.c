/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/position.h"

#include <inttypes.h>
#include <string.h>

char *position_to_string(uint64_t sequence, const SequenceSet *ahead)
{
	GString *string = g_string_new(NULL);

	g_string_append_printf(string, "%" PRIu64, sequence);
	for (unsigned i = 0; i < sequence_set_get_length(ahead); i++) {
		SequenceRange range = sequence_set_get_range(ahead, i);

		g_string_append_printf(string, "%c%" PRIu64, i == 0 ? '+' : ',', range.from);
		if (range.to > range.from)
			g_string_append_printf(string, "-%" PRIu64, range.to);
	}
	return g_string_free(string, FALSE);
}

/* As it is written: digits, without a zero before others. The last number there is stays free, so that each has one behind it. */
static bool parse_sequence(const char **at, uint64_t *ret_sequence)
{
	const char *digit = *at;
	uint64_t sequence = 0;

	for (; g_ascii_isdigit(*digit); digit++) {
		if (!g_uint64_checked_mul(&sequence, sequence, 10) ||
		    !g_uint64_checked_add(&sequence, sequence, (unsigned)(*digit - '0')))
			return false;
	}
	if (digit == *at || (**at == '0' && digit > *at + 1) || sequence == UINT64_MAX)
		return false;
	*at = digit;
	*ret_sequence = sequence;
	return true;
}

static bool parse_range(const char **at, SequenceRange *range)
{
	if (!parse_sequence(at, &range->from))
		return false;
	range->to = range->from;
	if (**at != '-')
		return true;
	(*at)++;
	return parse_sequence(at, &range->to) && range->to > range->from;
}

bool position_parse(const char *string, uint64_t *ret_sequence, SequenceSet *ahead)
{
	uint64_t sequence;
	const char *at = string;
	SequenceRange range;

	if (strnlen(string, POSITION_LENGTH_MAX + 1) > POSITION_LENGTH_MAX || !parse_sequence(&at, &sequence))
		return false;
	for (char before = '+'; *at; before = ',') {
		if (*at++ != before || !parse_range(&at, &range) || range.from <= sequence ||
		    sequence_set_get_length(ahead) == POSITION_RANGES_MAX || !sequence_set_append(ahead, range))
			return false;
	}
	*ret_sequence = sequence;
	return true;
}
