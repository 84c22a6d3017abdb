/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <vmherald/connection.h>
#include <vmherald/event.h>

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
 * A live event is delivered at once if its predecessor is <= V, or in `ahead`, or before the rule that wants it; the predecessor is
 * what the coarsest rule that wants it knows of: all events: sequence - 1; all of its domain: domain-previous; one kind or interface: previous;
 * with arg0: none, there only verification finds holes. Then it is in `ahead`; and V goes on as far as that is without a hole, if there is a
 * rule for all events. Else there is a hole: GetEvents(V) is wanted, and nothing is delivered until its answer is here.
 *
 * Verification finds what was lost and nothing came behind it: CountEvents(V). Its answer comes behind all signals up to its `last`, so it is
 * a mark among the live ones; when its turn comes, the number of sequences in `ahead` up to `last` is either the same (V = last), or there
 * is a hole.
 *
 * If the history does not go back to V, a snapshot is wanted: LastSequence, then GetManagedObjects, sent one behind the other. Both answers are marks.
 * Events between the marks are in the snapshot: they count as delivered, and are not. Then the gap is told, and V is that LastSequence.
 *
 * Bounds: of live events beyond STREAM_LIVE_MAX the newest are thrown away, as if the bus had dropped them; they are fetched later. Beyond
 * STREAM_AHEAD_MAX verification is wanted at once, without waiting for quiet; beyond twice as many, nothing more is delivered until it is here.
 *
 * Not thread-safe: under the lock of the connection.
 */

#define STREAM_LIVE_MAX   8192u
#define STREAM_AHEAD_MAX  4096u
/* Of one GetEvents(). */
#define STREAM_FETCH_MAX  1000u

typedef struct Stream Stream;

Stream *stream_new(Rules *rules, bool passive);     /* rules: borrowed, must outlive it */
Stream *stream_free(Stream *stream);                /* NULL-safe */

/* ---- what comes in ---- */

/* A signal; takes the reference. Also those without a sequence: they keep their place in the order. */
void stream_push(Stream *stream, VmhEvent *event);

/* Somebody has reason to think that something is missing: quiet after a burst, the service or the bus is there again. */
void stream_verify(Stream *stream);

/* Answers. events: of VmhEvent, in order; a reference is taken. */
void stream_counted(Stream *stream, bool complete, uint64_t last, uint64_t count);
void stream_fetched(Stream *stream, bool complete, uint64_t last, GPtrArray *events);
void stream_snapshot_begun(Stream *stream, uint64_t last_sequence);
void stream_snapshot_taken(Stream *stream, VmhSnapshot *snapshot);
/* after is greater than what the service has given out (InvalidArgument): it has lost its numbers. What was, is lost. */
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

/* Has anything been delivered, or come, that verification has not confirmed? Then it is worth its call when it has got quiet. */
bool stream_is_unverified(const Stream *stream);

/* ---- what goes out ---- */

typedef enum StreamItemType {
	STREAM_ITEM_NONE,         /* not now */
	STREAM_ITEM_EVENT,
	STREAM_ITEM_GAP,
	STREAM_ITEM_RECOVERED,    /* a hole was filled; comes before what was in it */
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

/* The highest sequence that has come so far: what is registered now begins behind it. */
uint64_t stream_get_newest(const Stream *stream);
bool stream_has_position(const Stream *stream);
/* Where it begins, if there is no position yet; else nothing happens. Without it, the first event is the beginning. */
void stream_begin(Stream *stream, uint64_t last_sequence);
/* See vmh_connection_get_position(). Free with g_free(). */
char *stream_get_position(const Stream *stream);
/* False: that is no position. */
bool stream_set_position(Stream *stream, const char *position);
