/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "event/rx-filter.h"
#include "model/lifecycle.h"
#include "model/state.h"

/*
 * One thing that happened to a domain, typed. The same value goes the whole way: a decoder fills it
 * from QEMU's JSON on a worker, the domain checks and completes it on the event thread, the driver
 * stamps it, the service encodes it. One kind for each signal that clients can see.
 *
 * Built by one thread at a time; immutable from the stamp on. The count is atomic.
 */

typedef enum EventKind {
	EVENT_LIFECYCLE,
	EVENT_RESET,
	EVENT_POWERDOWN_REQUESTED,
	EVENT_WATCHDOG,
	EVENT_PANICKED,
	EVENT_DEVICE_ADDED,
	EVENT_DEVICE_REMOVED,
	EVENT_DEVICE_REMOVAL_FAILED,
	EVENT_FILTER_CHANGED,
	EVENT_MAC_CHANGED,
	EVENT_MONITOR_EVENT,            /* an event the table has no row for */
	EVENT_MONITOR_LOST,
	EVENT_MONITOR_RESYNCHRONIZED,
	EVENT_EVENTS_LOST,
	EVENT_KIND_MAX,
} EventKind;

/* sequence counts the signals of the whole service; previous is the sequence of the last one with the same
 * domain and kind, 0 if none is known. 0 as sequence: not stamped yet. */
typedef struct EventStamp {
	uint64_t sequence;
	uint64_t previous;
} EventStamp;

typedef struct Event {
	int ref_count;
	EventKind kind;
	int64_t time;                   /* microseconds since 1970: QEMU's stamp where it gave one */
	EventStamp stamp;
	GPtrArray *strings;             /* owns the strings of the payload */
	GVariantDict *extra;            /* details while the event is being built, or NULL */
	GVariant *details;              /* a{sv}, made from extra when the event is stamped */

	union {
		struct {
			LifecycleEvent event;
			LifecycleReason reason;
			DomainState state;
		} lifecycle;
		struct {
			const char *initiator;   /* guest, host */
			const char *cause;       /* QEMU's ShutdownCause */
		} reset;
		struct {
			const char *source;
		} powerdown_requested;
		struct {
			const char *action;
		} watchdog, panicked;
		struct {
			const char *id, *driver, *qom_path;
		} device_added;
		struct {
			const char *id, *qom_path;   /* id "" if QEMU named none */
		} device_removed;
		struct {
			const char *id, *reason, *qom_path;
		} device_removal_failed;
		struct {
			const char *nic;         /* "" if QEMU named none */
			RxFilter *filter;        /* NULL until it has been queried */
		} filter_changed;
		struct {
			const char *nic, *old_mac, *new_mac;
		} mac_changed;
		struct {
			const char *name, *data;
		} monitor_event;
		struct {
			const char *reason;
		} monitor_lost;
		struct {
			const char *reason;
			uint64_t last_before;
		} resynchronized;
		struct {
			const char *where;
			uint64_t count;
		} events_lost;
	};
} Event;

/* time 0: now. Any thread. */
Event *event_new(EventKind kind, int64_t time);
Event *event_new_lifecycle(int64_t time, LifecycleEvent event, LifecycleReason reason);
Event *event_ref(Event *event);
Event *event_unref(Event *event);

/* A copy of string that lives as long as the event, for its payload. NULL counts as "". */
const char *event_string(Event *event, const char *string);

/* Adds to the details; value may be floating. Key: lower case with dashes. Not after the stamp. */
void event_add_detail(Event *event, const char *key, GVariant *value);

/* Fixes stamp and details. From here on the event does not change. */
void event_seal(Event *event, EventStamp stamp);

/* Microseconds since 1970. */
int64_t event_now(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Event, event_unref)
