/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * The event loop as an interface.
 *
 * The core never runs a loop of its own: it asks the one it is given to watch descriptors and to
 * call it after a time, in the manner of libvirt's virEventRegisterImpl(). The daemon gives it
 * sd-event (bus/loop-sd-event.c); tests and other hosts use poll(2) (loop/loop-poll.c) or a
 * GMainContext (loop/loop-glib.c). One test suite runs against all of them.
 *
 * Rules every implementation keeps:
 *  - Everything is called on the loop's own thread, the event thread. Nothing here is thread-safe.
 *  - A callback may add, update and remove any handle or timeout, itself included, and may run
 *    the loop again. After a remove its callback is never called again, not even for an event
 *    that the same turn had already collected.
 *  - A callback is never entered twice: an inner turn leaves out the handles and timeouts whose
 *    callbacks are on the stack.
 *  - The free function of a handle or timeout runs exactly once, after the remove, when no
 *    callback of that handle or timeout is on the stack any more; never from within the remove
 *    itself. Freeing the loop runs those still due.
 *  - ERROR and HANGUP are always reported, asked for or not. READABLE may come together with
 *    HANGUP: read what is there before you believe the hang-up.
 *  - A timeout repeats every interval until it is updated or removed. 0 means on every turn of
 *    the loop (after the descriptors that are ready), -1 means disabled.
 *  - Ids are positive and are not used again while the loop lives, short of two thousand million
 *    of them.
 */

typedef enum LoopEvents {
	LOOP_READABLE = 1 << 0,
	LOOP_WRITABLE = 1 << 1,
	LOOP_ERROR    = 1 << 2,
	LOOP_HANGUP   = 1 << 3,
} LoopEvents;

#define LOOP_DISABLED (-1)

typedef struct Loop Loop;
typedef void (*LoopHandleCallback)(int handle, int fd, LoopEvents events, void *userdata);
typedef void (*LoopTimeoutCallback)(int timeout, void *userdata);

/* What an implementation provides. Each embeds struct Loop as its first member. */
typedef struct LoopImpl {
	const char *name;
	int (*add_handle)(Loop *loop, int fd, LoopEvents events, LoopHandleCallback callback,
			  void *userdata, GDestroyNotify free_func);
	void (*update_handle)(Loop *loop, int handle, LoopEvents events);
	bool (*remove_handle)(Loop *loop, int handle);
	int (*add_timeout)(Loop *loop, int interval_ms, LoopTimeoutCallback callback, void *userdata,
			   GDestroyNotify free_func);
	void (*update_timeout)(Loop *loop, int timeout, int interval_ms);
	bool (*remove_timeout)(Loop *loop, int timeout);
	/* One turn: waits until something is due (or at most max_wait_ms; -1 for ever) and
	 * dispatches it. Returns false if nothing was dispatched. */
	bool (*run_once)(Loop *loop, int max_wait_ms);
	void (*free)(Loop *loop);
} LoopImpl;

struct Loop {
	const LoopImpl *impl;
};

/* Watches fd, which stays the caller's and must outlive the handle. Several handles on one fd are
 * not allowed, nor are files and folders. events may be 0: then only ERROR and HANGUP are
 * reported. Returns the handle's id, or -1 if the descriptor cannot be watched (then free_func is
 * not called). */
int loop_add_handle(Loop *loop, int fd, LoopEvents events, LoopHandleCallback callback,
		    void *userdata, GDestroyNotify free_func);
void loop_update_handle(Loop *loop, int handle, LoopEvents events);
/* Returns false if there is no such handle. */
bool loop_remove_handle(Loop *loop, int handle);

/* Returns the timeout's id; never fails. The first call comes interval_ms from now. */
int loop_add_timeout(Loop *loop, int interval_ms, LoopTimeoutCallback callback, void *userdata,
		     GDestroyNotify free_func);
/* Sets a new interval, counted from now; LOOP_DISABLED stops it without removing it. */
void loop_update_timeout(Loop *loop, int timeout, int interval_ms);
bool loop_remove_timeout(Loop *loop, int timeout);

bool loop_run_once(Loop *loop, int max_wait_ms);
Loop *loop_free(Loop *loop);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Loop, loop_free)
