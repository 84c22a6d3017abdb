/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/*
 * Listening to the service: what is registered, and the loop. The service may start, end and start again meanwhile, and so may the
 * connection to the bus, for a while: the library fetches what was missed.
 */

/* A bus that is gone for longer will not come back: microseconds. */
#define WATCH_BUS_GONE_MAX (5 * G_USEC_PER_SEC)

typedef struct WatchHandler {
	/* event is borrowed. Each is told once, whatever number of types it is of. */
	void (*event)(const VmhEvent *event, void *userdata);
	/* Events from `from` to `to` are lost. snapshot may be NULL. */
	void (*gap)(uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata);
	void (*status)(VmhStatus status, void *userdata);
	void *userdata;
} WatchHandler;

typedef struct WatchRules {
	VmhDomain *domain;          /* NULL: all */
	const GPtrArray *types;     /* EventType; empty: all. What comes may be more */
	bool properties;            /* PropertiesChanged too, where types are given */
	/* Events come in the order of their sequences, whatever domain they are of: all are listened to, not those of types alone. */
	bool in_order;
	const char *after;          /* a position to go on from; NULL: now */
	const char *after_name;     /* what that was read from */
} WatchRules;

typedef struct Watch Watch;

/* Connects, with a loop; to be called before anything else does. flags: VmhConnectionFlags. */
CtlExit watch_connect(Ctl *ctl, unsigned flags);

/* When it returns, nothing can be missed any more. rules->domain and ctl must outlive the watch. */
CtlExit watch_new(Ctl *ctl, const WatchRules *rules, const WatchHandler *handler, Watch **ret_watch);
Watch *watch_free(Watch *watch);

/* Handles what there is, or waits for more: until deadline (monotonic, in microseconds; -1: for ever). */
CtlExit watch_process(Watch *watch, int64_t deadline);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watch, watch_free)
