/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <vmherald/connection.h>
#include <vmherald/event.h>

#include "client/position.h"
#include "client/rules.h"

/*
 * What makes the events of a connection complete. Pure: it does no I/O and has no clock; what it wants to know it says
 * (stream_get_want()), and is told.
 *
 *    V        position: each event that a rule wants, with a sequence up to V, has been delivered
 *    ahead    sequences > V that have been delivered as well
 *    live     signals that came and have not been looked at yet, in the order of their coming, and marks between them
 *    fetched  events of the history, to be delivered before what is live
 *
 * A live event is delivered at once if its predecessors are <= V, or in `ahead`, or before the rules that know them; which they are
 * depends on what a rule wants (rules_want()): all events: sequence - 1; all of its domain: domain-previous; one kind or interface: previous;
 * with arg0: none, there only verification finds holes. Then it is in `ahead`, and V goes on as far as that is without a hole. Else there
 * is a hole: GetEvents(V) is wanted, and nothing is delivered until its answer is here.
 *
 * So what is behind each other in order is what one rule wants: of a rule for a kind, the events of one kind and domain.
 *
 * Verification finds what was lost and nothing came behind it: CountEvents(V). Its answer comes behind all signals up to its `last`, so it is
 * a mark among the live ones; when its turn comes, the number of sequences delivered up to `last` is either the same (V = last), or there
 * is a hole up to there. Where a count says nothing (rules_are_exact(), or `ahead` has what no rule wants any more) it counts as one.
 *
 * If the history does not go back to V, a snapshot is wanted: LastSequence, then GetManagedObjects, sent one behind the other. What came before
 * the second answer is in the snapshot: it counts as delivered, and is not. Then the gap is told, from V to the newest of that, which is V then.
 *
 * No rule wants anything up to the lowest since of all, so V is never below it.
 *
 * Bounds: of live events beyond STREAM_LIVE_MAX the newest are thrown away, as if the bus had dropped them; they are fetched later. Beyond
 * STREAM_AHEAD_MAX verification is wanted at once, without waiting for quiet. The answer may be far behind in the queue: beyond twice as many
 * nothing more is delivered until what is behind V has been fetched and found to be there. Passive, V is moved on over
 * the oldest, and a hole behind that is not seen any more.
 *
 * Not thread-safe: under the lock of the connection.
 */

#define STREAM_LIVE_MAX   8192u
/* Ranges of sequences. */
#define STREAM_AHEAD_MAX  (POSITION_RANGES_MAX / 2)
/* Of one GetEvents(). */
#define STREAM_FETCH_MAX  1000u
/* An answer to CountEvents() that has looked at fewer was not cut short by what the service does at once. */
#define STREAM_COUNT_MIN  1000u

typedef struct Stream Stream;

/* NULL in place of it: those above. Others are for tests, which get there sooner. */
typedef struct StreamBounds {
	unsigned live_max;          /* at least 8 */
	unsigned ahead_max;
	unsigned count_min;
} StreamBounds;

/* rules: borrowed, must outlive it. */
Stream *stream_new(Rules *rules, bool passive);
Stream *stream_new_with_bounds(Rules *rules, bool passive, const StreamBounds *bounds);
Stream *stream_free(Stream *stream);                /* NULL-safe */

/* ---- what comes in ---- */

/* A signal; takes the reference. Also those without a sequence: they keep their place in the order. Signals of one service come in the order
 * of their sequences; one that does not is a sign that the service has begun to number anew. */
void stream_push(Stream *stream, VmhEvent *event);

/* Somebody has reason to think that something is missing: quiet after a burst, the service or the bus is there again. */
void stream_verify(Stream *stream);

/* Answers, each to what was wanted, and in its place among what is pushed. events: of VmhEvent, in order; a reference is taken. */
void stream_counted(Stream *stream, bool complete, uint64_t last, uint64_t count);
void stream_fetched(Stream *stream, bool complete, uint64_t last, GPtrArray *events);
void stream_snapshot_begun(Stream *stream, uint64_t last_sequence);
/* Takes the reference. Its sequence is stream_get_newest() at that time: it has in it what all that came has made of things. */
void stream_snapshot_taken(Stream *stream, VmhSnapshot *snapshot);
/* after is greater than what the service has given out (InvalidArgument): it has lost its numbers. What was, is lost: rules get 0 as since, and
 * a gap from 1 is told, behind which all that anybody remembers of old sequences is void. */
void stream_renumbered(Stream *stream);
/* No answer. What was wanted is wanted again, from stream_verify() on. */
void stream_failed(Stream *stream);

/* ---- what it wants ---- */

typedef enum StreamWant {
	STREAM_WANT_NOTHING,
	STREAM_WANT_COUNT,        /* CountEvents(after, rules' filter) */
	STREAM_WANT_FETCH,        /* GetEvents(after, rules' filter, STREAM_FETCH_MAX) */
	STREAM_WANT_SNAPSHOT,
} StreamWant;

/* Says each thing once: it counts as asked. */
StreamWant stream_get_want(Stream *stream, uint64_t *ret_after);

/* Has anything been delivered, or come, or failed, that verification has not confirmed? Then it is worth its call when it has got quiet. */
bool stream_is_unverified(const Stream *stream);

/* ---- what goes out ---- */

typedef enum StreamItemType {
	STREAM_ITEM_NONE,         /* not now */
	STREAM_ITEM_EVENT,
	STREAM_ITEM_GAP,
	STREAM_ITEM_RECOVERED,    /* a hole was filled; comes before what was in it. Or signals without a sequence were thrown away */
} StreamItemType;

typedef struct StreamItem {
	StreamItemType type;
	VmhEvent *event;          /* the caller's to unref */
	uint64_t from, to;        /* of a gap */
	VmhSnapshot *snapshot;    /* the caller's to unref; NULL: passive */
} StreamItem;

/* The next to be delivered. An event counts as delivered. */
StreamItem stream_pop(Stream *stream);

/* ---- position ---- */

/* The highest sequence that is known of: what is registered now begins behind it. After stream_set_position(), as long as what was missed since
 * is not here, that is the position: whoever is registered meanwhile gets it too. */
uint64_t stream_get_newest(const Stream *stream);
bool stream_has_position(const Stream *stream);
/* The service's LastSequence. It is where it begins, if there is no position yet, and it counts as known. Without it, the first event is
 * the beginning. A position that was set and is greater is one of other numbers: as stream_renumbered(). */
void stream_begin(Stream *stream, uint64_t last_sequence);
/* See vmh_connection_get_position(). Free with g_free(). */
char *stream_get_position(const Stream *stream);
/* False, and nothing has changed: that is no position. "" is one (nothing is known yet). Before anything has come. */
bool stream_set_position(Stream *stream, const char *position);

/* What takes up memory: live ones with marks, fetched ones, ranges in `ahead`. */
typedef struct StreamLoad {
	unsigned live, fetched, ahead;
} StreamLoad;

StreamLoad stream_get_load(const Stream *stream);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)
