/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/event.h"

/*
 * The last events, as they were told: what a subscriber fetches who has missed some.
 *
 * A ring in memory that is shared with a file in the runtime folder. To remember an event is a copy to memory, and after a
 * kill of the service the pages are still the kernel's: the next one has the same history. It ends with the boot, and so
 * do the QEMUs that it speaks of.
 *
 *   head --> [oldest] ... [newest] <-- tail         both offsets are in the file; what lies between counts
 *
 * WARNING: the order of stores is what a kill at any moment relies on. What is to be overwritten is given up first (head), the
 * new entry is written where nothing counts, then it is made to count (tail), and only then its number is taken
 * (sequence_next()): so every number that was given out has its entry, as long as the ring reaches back to it.
 *
 * The numbers of the entries are without a hole. An event that is too long for the ring has an entry that says so.
 *
 * Bytes are allocated as the ring fills for the first time. Where the file system has no more, the ring turns around earlier.
 */

#define HISTORY_BYTES_DEFAULT   (16u * 1024 * 1024)
#define HISTORY_BYTES_MIN       (64u * 1024)
#define HISTORY_BYTES_MAX       (1024u * 1024 * 1024)
#define HISTORY_EVENTS_DEFAULT  131072u
#define HISTORY_EVENTS_MIN      16u
#define HISTORY_EVENTS_MAX      16777216u
/* Of one event; and a ring gives at most a quarter of itself to one. */
#define HISTORY_ENTRY_MAX       (1024u * 1024)
#define HISTORY_GROWTH          (256u * 1024)

typedef struct History History;

typedef struct HistoryEntry {
	uint64_t sequence, previous;
	int64_t time;              /* microseconds since 1970 */
	EventKind kind;
	const char *uuid;          /* of the domain */
	const void *arguments;     /* as the face has encoded them, at a multiple of 8; NULL: too long for the ring */
	size_t length;
} HistoryEntry;

/* Opens or makes DIRECTORY/history. last: the last number given out; what is kept ends there, or one later, if a kill came
 * between entry and number. Entries of another boot, of another layout (a text that says how arguments are encoded) or
 * that do not end at last are dropped. bytes and events are its bounds. CORE_ERROR_IO: then there is no history. Blocks
 * on the disk: start-up. */
History *history_open(const char *directory, const char *boot_id, const char *layout, uint64_t last,
		      size_t bytes, unsigned events, GError **error);
/* What is in it stays. NULL-safe, returns NULL. */
History *history_close(History *history);

/* All below: event thread. */

/* entry->sequence is one more than that of the newest, if there is one. Copied; the oldest make room. */
void history_append(History *history, const HistoryEntry *entry);

/* 0: there are none. */
uint64_t history_get_oldest(const History *history);
uint64_t history_get_newest(const History *history);
/* The last one that the ring does not have any more, of those that may have been of that domain (NULL: of any) and one of those kinds, of which
 * each is a bit: 0: none. */
uint64_t history_get_last_forgotten(const History *history, const char *uuid, uint64_t kinds);
/* False if the ring does not have it. What entry points to is good until the next append. */
bool history_get(const History *history, uint64_t sequence, HistoryEntry *ret_entry);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(History, history_close)
