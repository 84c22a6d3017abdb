/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/rx-filter.h"
#include "loop/loop.h"

/*
 * NIC_RX_FILTER_CHANGED only says that something changed, and after saying so QEMU is silent until
 * query-rx-filter arms it again (one latch for each NIC). So somebody must always pay the query, and whoever
 * pays decides how often a guest may make us work:
 *
 *   event -> request(nic) -> query at once, or when 100 ms have passed since the last one
 *                         -> more requests meanwhile are folded into that one
 *   a query for all of them is also the one of each that waits for its turn
 *   answer -> armed again, told to the owner
 *   who has more to do with a filter than to take it says so, and until it says done that NIC is not queried
 *
 * Query and arming are one step inside QEMU, so no change can slip between: what happens before the query is in
 * its answer, what happens after it is a new event. The last state is always delivered.
 */

#define FILTER_WATCH_QUERIES_PER_SECOND  10
#define FILTER_WATCH_NICS_MAX            256u

typedef struct FilterWatch FilterWatch;

typedef struct FilterWatchOwner {
	/* Send query-rx-filter for nic (NULL: for all); answer with filter_watch_answer(). */
	void (*query)(FilterWatch *watch, const char *nic, void *userdata);
	/* The filter of a NIC has been read. before is NULL the first time. requested: the guest did something
	 * (even if the filter is the same again); otherwise it was read for other reasons. It becomes what is known
	 * with filter_watch_commit(), which the owner calls before he tells of it.
	 * False: it is being worked on, and filter_watch_done() follows. Until then nothing more is seen of that
	 * NIC, and its own query is not sent: a guest cannot make work pile up. The others go on. */
	bool (*seen)(FilterWatch *watch, RxFilter *before, RxFilter *now, bool requested, void *userdata);
	void *userdata;
} FilterWatchOwner;

/* owner is copied. Event thread only, all of it. */
FilterWatch *filter_watch_new(Loop *loop, const FilterWatchOwner *owner);
FilterWatch *filter_watch_free(FilterWatch *watch);

/* The guest changed the filter of nic ("" or NULL: one we do not know by name; then all are queried). */
void filter_watch_request(FilterWatch *watch, const char *nic);

/* Read all of them, without a guest having asked: after a connect, after a reset. */
void filter_watch_query_all(FilterWatch *watch);

/* result: what query-rx-filter returned, NULL if it failed. nic: as in query(). What the guest asked for
 * and a query that failed did not bring counts as asked for in the next. */
void filter_watch_answer(FilterWatch *watch, const char *nic, JsonNode *result);

/* The query failed for a reason that passes; without another one QEMU might be silent for ever. */
void filter_watch_retry(FilterWatch *watch, const char *nic);

/* What seen() was called with is in filter_watch_get_filters() from now on. Nothing happens if that was done, or the
 * NIC was forgotten; so with the next two. */
void filter_watch_commit(FilterWatch *watch, const char *nic);
/* After seen() has returned false. What came meanwhile is read now. */
void filter_watch_done(FilterWatch *watch, const char *nic);
/* Instead of it: what was seen is to be read once more, as if for the first time. */
void filter_watch_repeat(FilterWatch *watch, const char *nic);

/* A device is gone, and with it what is being done about it. */
void filter_watch_forget(FilterWatch *watch, const char *nic);

/* The guest has asked, and that was not answered yet, or the answer is still being worked on. */
bool filter_watch_is_busy(const FilterWatch *watch);

/* NIC -> RxFilter, as committed. Borrowed. */
GHashTable *filter_watch_get_filters(const FilterWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FilterWatch, filter_watch_free)
