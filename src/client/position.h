/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/sequence-set.h"

/*
 * A position in the stream as text (vmh_connection_get_position()): "1234", or "1234+1240-1250,1260", which is the position and what was
 * delivered ahead of it. What is read may come from anywhere, a file that somebody has edited included.
 */

/* Of what is ahead. The longest text is made of so many ranges of the longest numbers. */
#define POSITION_RANGES_MAX 8192u
#define POSITION_LENGTH_MAX (20u + POSITION_RANGES_MAX * 42u)

/* Free with g_free(). */
char *position_to_string(uint64_t sequence, const SequenceSet *ahead);
/* False, and *ret_sequence as it was, if that is not the form in which it is written. ahead: empty; what is in it on failure does not matter. */
bool position_parse(const char *string, uint64_t *ret_sequence, SequenceSet *ahead);
