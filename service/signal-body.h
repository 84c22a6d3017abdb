/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/event.h"

/* What the message of an event has for a body, as a GVariant and as its bytes: that is what the history keeps. Any thread. */

/* Of a sealed event, as one tuple; floating. */
GVariant *signal_body_new(const Event *event);
/* The type of that tuple. Free with g_free(). */
char *signal_body_get_type(EventKind kind);

/* Puts into out what g_variant_get_data() would give of that tuple. */
void signal_body_write(const Event *event, GByteArray *out);
