/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What a receiver has had, and what it is told to wait for. It writes the line "ready" when it would have everything. Then it is
 * told on its standard input, at any time, how many events are due, and for how many seconds at most it is to wait for them:
 *
 *     COUNT SECONDS
 *
 * When it has so many, or the time is over, it writes a line for each: where, event, stamp, and when it was received, in
 * nanoseconds of CLOCK_REALTIME. Those that were there before must be due too.
 */

typedef struct Receipts {
	GArray *records;
	unsigned due;       /* G_MAXUINT until it is told */
	int64_t end;        /* microseconds of g_get_monotonic_time(); G_MAXINT64 until then */
} Receipts;

void receipts_init(Receipts *receipts);
void receipts_clear(Receipts *receipts);

/* Stamps it with the present time. time: that of the event, in microseconds since 1970, 0 if it is not said. */
void receipts_add(Receipts *receipts, const char *where, const char *event, uint64_t time);

void receipts_print_ready(void);

/* What standard input has to say; ends the program if it has ended. */
void receipts_read_due(Receipts *receipts);

bool receipts_are_told(const Receipts *receipts);

/* Whether there is nothing to wait for any more. */
bool receipts_are_complete(const Receipts *receipts);

/* What is left of the time, in milliseconds; -1 until it is told. */
int receipts_get_timeout(const Receipts *receipts);

void receipts_print(const Receipts *receipts);
