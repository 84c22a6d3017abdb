/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* How far the service's numbers are: Properties.Get() of Manager.LastSequence, as a question and its answer. */

/* The arguments of the call; the same for all, borrowed. Any thread. */
GVariant *last_sequence_get_arguments(void);

/* False, and *ret_sequence as it was: that is no such answer. NULL-safe. */
bool last_sequence_read(GVariant *answer, uint64_t *ret_sequence);
