/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/*
 * What a signal says, in words: "tray of cd0 opened". A table has a format for each signal of the
 * service, and fills in its arguments and details; what is in no format is seen with --json alone.
 */

/* In the user's language, safe for a terminal, without a line feed. NULL if the table has no format
 * for this signal, or its arguments are not those that the format speaks of: a newer service may
 * send such. Free with g_free(). */
char *sentence_new(const VmhEvent *event);
