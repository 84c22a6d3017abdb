/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "loop/loop.h"

/*
 * What all event loops have in common.
 *
 * Waiting differs between poll(2), a GMainContext and epoll; the rules of loop/loop.h do not. So
 * the tables, the order of a turn and the deferred frees are here, once, and an implementation
 * only says how it watches a descriptor and how it waits:
 *
 *    wait      the implementation, until a descriptor is ready or loop_core_next_due()
 *    collect   loop_core_collect() for each descriptor that is ready
 *    dispatch  loop_core_dispatch(): handles, then timeouts, then the frees that are due
 *
 * A turn remembers ids, never pointers: whatever a callback removes is simply not found any more.
 */

typedef struct LoopCore LoopCore;

typedef struct LoopWatch {
	int id;
	int fd;              /* a handle's descriptor; -1 for a timeout */
	LoopEvents events;   /* what a handle asks for */
	LoopEvents ready;    /* collected and not yet delivered */
	int interval_ms;     /* a timeout's */
	gint64 due;          /* monotonic, microseconds; valid while scheduled */
	GSequenceIter *slot; /* its place among the scheduled timeouts, or NULL */
	LoopHandleCallback handle_callback;
	LoopTimeoutCallback timeout_callback;
	void *userdata;
	GDestroyNotify free_func;
	bool running;        /* its callback is on the stack */
	bool suspended;      /* unwatched while its callback runs an inner turn */
	bool removed;
	void *tag;           /* the implementation's own */
} LoopWatch;

/* How one implementation watches descriptors. */
typedef struct LoopCoreBackend {
	/* False if the descriptor cannot be watched. */
	bool (*watch)(LoopCore *core, LoopWatch *watch);
	/* watch->events has changed. */
	void (*modify)(LoopCore *core, LoopWatch *watch);
	/* The descriptor may be closed, and its number used again, as soon as this returns. */
	void (*unwatch)(LoopCore *core, LoopWatch *watch);
} LoopCoreBackend;

struct LoopCore {
	Loop loop; /* first: a LoopCore is a Loop */
	const LoopCoreBackend *backend;
	GHashTable *handles;       /* id -> LoopWatch, owned */
	GHashTable *descriptors;   /* fd -> LoopWatch, of handles */
	GHashTable *timeouts;      /* id -> LoopWatch, owned */
	GSequence *schedule;       /* enabled timeouts, earliest first */
	GArray *collected;         /* ids of handles, for the next dispatch */
	GPtrArray *running;        /* watches whose callback is on the stack, outermost first */
	GPtrArray *removed;        /* watches that wait for their free function */
	int last_id;
};

void loop_core_init(LoopCore *core, const LoopImpl *impl, const LoopCoreBackend *backend);
/* Runs all free functions that are left. The backend must still work. Not from a callback. */
void loop_core_clear(LoopCore *core);

/* For LoopImpl; see loop/loop.h. */
int loop_core_add_handle(Loop *loop, int fd, LoopEvents events, LoopHandleCallback callback,
			 void *userdata, GDestroyNotify free_func);
void loop_core_update_handle(Loop *loop, int handle, LoopEvents events);
bool loop_core_remove_handle(Loop *loop, int handle);
int loop_core_add_timeout(Loop *loop, int interval_ms, LoopTimeoutCallback callback, void *userdata,
			  GDestroyNotify free_func);
void loop_core_update_timeout(Loop *loop, int timeout, int interval_ms);
bool loop_core_remove_timeout(Loop *loop, int timeout);

/* Before an implementation waits: takes the descriptors of callbacks on the stack out of what is
 * watched, so that an inner turn does not spin on what it may not dispatch. */
void loop_core_suspend_running(LoopCore *core);

/* When the next turn has something to do though no descriptor is ready: a time of
 * g_get_monotonic_time(), 0 for at once, -1 for never. */
gint64 loop_core_next_due(const LoopCore *core);

/* The end of a loop_run_once() that begins now, as a time of g_get_monotonic_time(), or -1. */
gint64 loop_core_deadline(int max_wait_ms);

/* How long to wait now, in milliseconds rounded up (-1: for ever), for whichever is earlier:
 * next_due, or deadline (-1: none), both times of g_get_monotonic_time(). */
int loop_core_wait_ms(gint64 next_due, gint64 deadline);

/* Notes that poll_events (POLLIN and so on) came for a handle. */
void loop_core_collect(LoopCore *core, int handle, unsigned poll_events);

/* What to ask poll(2) for to get events. */
unsigned loop_core_poll_events(LoopEvents events);

/* Runs the callbacks of what was collected and of the timeouts that are due, then frees. Returns
 * false if no callback was run. */
bool loop_core_dispatch(LoopCore *core);
/* The same without the timeouts, for a loop of somebody else's that tells of each descriptor by itself. */
bool loop_core_dispatch_handles(LoopCore *core);

/* Runs the free functions that are due. */
void loop_core_reap(LoopCore *core);
