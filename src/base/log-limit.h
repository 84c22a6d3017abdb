/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * How many records may be written: so many of each key in an interval, and so many of all together. A guest
 * that fails its disk a thousand times a second, and a client that starts and ends domains in a loop, must not be able
 * to push everything else out of the log. What was left out is counted, and told.
 *
 * Pure: whoever asks says what time it is. One thread at a time.
 */

typedef struct LogLimit LogLimit;

/* Keys that are told apart; those above share one. */
#define LOG_LIMIT_KEYS_MAX 4096u

typedef struct LogLimits {
	unsigned of_key, of_all;     /* records in an interval */
	int64_t interval_us;
} LogLimits;

typedef enum LogVerdict {
	LOG_VERDICT_WRITE,
	LOG_VERDICT_WRITE_LAST,      /* the next ones of that key are left out until the interval is over */
	LOG_VERDICT_LEAVE_OUT,
} LogVerdict;

LogLimit *log_limit_new(const LogLimits *limits);
LogLimit *log_limit_free(LogLimit *limit);

/* key: NULL for a record that is like no other; it counts for all alone. now_us: of a clock that does not go back. */
LogVerdict log_limit_ask(LogLimit *limit, const char *key, int64_t now_us);

/* Before a record is made: true if it is left out, and has been counted. False says nothing of the next one; log_limit_ask()
 * has to be asked yet. */
bool log_limit_leaves_out(LogLimit *limit, const char *key, int64_t now_us);

/* What was left out, of all keys, and not taken yet: in intervals that are over, as far as log_limit_ask() has
 * noticed; and with all, in those that are not. */
uint64_t log_limit_take_left_out(LogLimit *limit, bool all);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LogLimit, log_limit_free)
