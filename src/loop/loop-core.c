/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/loop-core.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

static int schedule_compare(const void *a, const void *b, void *unused)
{
	const LoopWatch *left = a, *right = b;

	if (left->due != right->due)
		return left->due < right->due ? -1 : 1;
	return (left->id > right->id) - (left->id < right->id);
}

void loop_core_init(LoopCore *core, const LoopImpl *impl, const LoopCoreBackend *backend)
{
	core->loop.impl = impl;
	core->backend = backend;
	core->handles = g_hash_table_new(NULL, NULL);
	core->descriptors = g_hash_table_new(NULL, NULL);
	core->timeouts = g_hash_table_new(NULL, NULL);
	core->schedule = g_sequence_new(NULL);
	core->collected = g_array_new(FALSE, FALSE, sizeof(int));
	core->running = g_ptr_array_new();
	core->removed = g_ptr_array_new();
	core->last_id = 0;
}

static LoopWatch *find(GHashTable *table, int id)
{
	return g_hash_table_lookup(table, GINT_TO_POINTER(id));
}

/* The id's range is a bound of its own: a loop that made a thousand watches a second would get
 * there in 24 days. Starting over, next to watches that live, is better than to stop. */
static int next_id(LoopCore *core)
{
	do
		core->last_id = core->last_id < INT_MAX ? core->last_id + 1 : 1;
	while (find(core->handles, core->last_id) || find(core->timeouts, core->last_id));

	return core->last_id;
}

/* What epoll refuses is refused everywhere, so that a mistake does not wait for the daemon: files
 * and folders (always "ready", in truth blocking), and a descriptor that is watched already. */
static bool descriptor_is_watchable(LoopCore *core, int fd)
{
	struct stat status;

	return fd >= 0 && !find(core->descriptors, fd) && fstat(fd, &status) >= 0 &&
	       !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

int loop_core_add_handle(Loop *loop, int fd, LoopEvents events, LoopHandleCallback callback,
			 void *userdata, GDestroyNotify free_func)
{
	LoopCore *core = (LoopCore *)loop;
	g_autofree LoopWatch *watch = NULL;
	int id;

	if (!descriptor_is_watchable(core, fd))
		return -1;

	watch = g_new0(LoopWatch, 1);
	watch->id = id = next_id(core);
	watch->fd = fd;
	watch->events = events & (LOOP_READABLE | LOOP_WRITABLE);
	watch->handle_callback = callback;
	watch->userdata = userdata;
	watch->free_func = free_func;
	if (!core->backend->watch(core, watch))
		return -1;

	g_hash_table_insert(core->descriptors, GINT_TO_POINTER(fd), watch);
	g_hash_table_insert(core->handles, GINT_TO_POINTER(id), g_steal_pointer(&watch));
	return id;
}

void loop_core_update_handle(Loop *loop, int handle, LoopEvents events)
{
	LoopCore *core = (LoopCore *)loop;
	LoopWatch *watch = find(core->handles, handle);

	events &= LOOP_READABLE | LOOP_WRITABLE;
	if (!watch || watch->events == events)
		return;

	watch->events = events;
	if (!watch->suspended)
		core->backend->modify(core, watch);
}

bool loop_core_remove_handle(Loop *loop, int handle)
{
	LoopCore *core = (LoopCore *)loop;
	LoopWatch *watch = find(core->handles, handle);

	if (!watch)
		return false;

	if (!watch->suspended)
		core->backend->unwatch(core, watch);
	g_hash_table_remove(core->descriptors, GINT_TO_POINTER(watch->fd));
	g_hash_table_remove(core->handles, GINT_TO_POINTER(handle));
	watch->removed = true;
	/* Not freed here: its own callback, or one that uses the same data, may be our caller. */
	g_ptr_array_add(core->removed, watch);
	return true;
}

static void timeout_unschedule(LoopWatch *watch)
{
	g_clear_pointer(&watch->slot, g_sequence_remove);
}

static void timeout_schedule(LoopCore *core, LoopWatch *watch, gint64 due)
{
	timeout_unschedule(watch);
	watch->due = due;
	watch->slot = g_sequence_insert_sorted(core->schedule, watch, schedule_compare, NULL);
}

static gint64 interval_us(const LoopWatch *watch)
{
	return watch->interval_ms * G_GINT64_CONSTANT(1000);
}

static void timeout_start(LoopCore *core, LoopWatch *watch, int interval_ms)
{
	watch->interval_ms = MAX(interval_ms, LOOP_DISABLED);
	if (watch->interval_ms == LOOP_DISABLED)
		timeout_unschedule(watch);
	else
		timeout_schedule(core, watch, g_get_monotonic_time() + interval_us(watch));
}

int loop_core_add_timeout(Loop *loop, int interval_ms, LoopTimeoutCallback callback, void *userdata,
			  GDestroyNotify free_func)
{
	LoopCore *core = (LoopCore *)loop;
	LoopWatch *watch = g_new0(LoopWatch, 1);

	watch->id = next_id(core);
	watch->fd = -1;
	watch->timeout_callback = callback;
	watch->userdata = userdata;
	watch->free_func = free_func;
	g_hash_table_insert(core->timeouts, GINT_TO_POINTER(watch->id), watch);
	timeout_start(core, watch, interval_ms);
	return watch->id;
}

void loop_core_update_timeout(Loop *loop, int timeout, int interval_ms)
{
	LoopCore *core = (LoopCore *)loop;
	LoopWatch *watch = find(core->timeouts, timeout);

	if (watch)
		timeout_start(core, watch, interval_ms);
}

bool loop_core_remove_timeout(Loop *loop, int timeout)
{
	LoopCore *core = (LoopCore *)loop;
	LoopWatch *watch = find(core->timeouts, timeout);

	if (!watch)
		return false;

	timeout_unschedule(watch);
	g_hash_table_remove(core->timeouts, GINT_TO_POINTER(timeout));
	watch->removed = true;
	g_ptr_array_add(core->removed, watch);
	return true;
}

void loop_core_suspend_running(LoopCore *core)
{
	for (unsigned i = 0; i < core->running->len; i++) {
		LoopWatch *watch = core->running->pdata[i];

		if (watch->fd >= 0 && !watch->removed && !watch->suspended) {
			core->backend->unwatch(core, watch);
			watch->suspended = true;
		}
	}
}

gint64 loop_core_next_due(const LoopCore *core)
{
	for (unsigned i = 0; i < core->removed->len; i++)
		if (!((const LoopWatch *)core->removed->pdata[i])->running)
			return 0;

	for (GSequenceIter *i = g_sequence_get_begin_iter(core->schedule);
	     !g_sequence_iter_is_end(i); i = g_sequence_iter_next(i)) {
		const LoopWatch *watch = g_sequence_get(i);

		if (!watch->running)
			return watch->due;
	}

	return -1;
}

gint64 loop_core_deadline(int max_wait_ms)
{
	if (max_wait_ms < 0)
		return -1;

	return g_get_monotonic_time() + max_wait_ms * G_GINT64_CONSTANT(1000);
}

int loop_core_wait_ms(gint64 next_due, gint64 deadline)
{
	gint64 until = next_due < 0 ? deadline : deadline < 0 ? next_due : MIN(next_due, deadline);
	gint64 wait_us;

	if (until < 0)
		return -1;

	/* Rounded up: woken a fraction of a millisecond early, the loop would spin until then. */
	wait_us = until - g_get_monotonic_time();
	return wait_us <= 0 ? 0 : (int)MIN((wait_us + 999) / 1000, INT_MAX);
}

unsigned loop_core_poll_events(LoopEvents events)
{
	return (events & LOOP_READABLE ? POLLIN : 0) | (events & LOOP_WRITABLE ? POLLOUT : 0);
}

void loop_core_collect(LoopCore *core, int handle, unsigned poll_events)
{
	LoopWatch *watch = find(core->handles, handle);

	if (!watch)
		return;

	watch->ready = (poll_events & POLLIN ? LOOP_READABLE : 0) |
		       (poll_events & POLLOUT ? LOOP_WRITABLE : 0) |
		       (poll_events & (POLLERR | POLLNVAL) ? LOOP_ERROR : 0) |
		       (poll_events & POLLHUP ? LOOP_HANGUP : 0);
	g_array_append_val(core->collected, handle);
}

static void callback_enter(LoopCore *core, LoopWatch *watch)
{
	watch->running = true;
	g_ptr_array_add(core->running, watch);
}

/* watch may have been removed, but not freed: that waits for running to be false. */
static void callback_leave(LoopCore *core, LoopWatch *watch)
{
	g_assert(core->running->len > 0 && core->running->pdata[core->running->len - 1] == watch);
	g_ptr_array_set_size(core->running, core->running->len - 1);
	watch->running = false;

	if (watch->suspended && !watch->removed) {
		watch->suspended = false;
		if (!core->backend->watch(core, watch))
			g_debug("handle %d: its descriptor %d cannot be watched any more",
				watch->id, watch->fd);
	}
}

static bool dispatch_handles(LoopCore *core)
{
	g_autoptr(GArray) collected = NULL;
	bool dispatched = false;

	if (core->collected->len == 0)
		return false;

	/* An inner turn collects into an array of its own. */
	collected = g_steal_pointer(&core->collected);
	core->collected = g_array_new(FALSE, FALSE, sizeof(int));

	for (unsigned i = 0; i < collected->len; i++) {
		LoopWatch *watch = find(core->handles, g_array_index(collected, int, i));
		LoopEvents ready;

		if (!watch || watch->running)
			continue;

		/* Judged by what the handle asks for now: an earlier callback may have updated it,
		 * and an inner turn may have delivered it. */
		ready = watch->ready & (watch->events | LOOP_ERROR | LOOP_HANGUP);
		watch->ready = 0;
		if (!ready)
			continue;

		dispatched = true;
		callback_enter(core, watch);
		watch->handle_callback(watch->id, watch->fd, ready, watch->userdata);
		callback_leave(core, watch);
	}

	return dispatched;
}

/* Each timeout at most once a turn, so that one with interval 0 leaves room for the rest. */
static bool dispatch_timeouts(LoopCore *core)
{
	g_autoptr(GArray) due = NULL;
	bool dispatched = false;
	gint64 now;

	if (g_sequence_is_empty(core->schedule))
		return false;

	now = g_get_monotonic_time();
	due = g_array_new(FALSE, FALSE, sizeof(int));
	for (GSequenceIter *i = g_sequence_get_begin_iter(core->schedule);
	     !g_sequence_iter_is_end(i); i = g_sequence_iter_next(i)) {
		const LoopWatch *watch = g_sequence_get(i);

		if (watch->due > now)
			break;
		if (!watch->running)
			g_array_append_val(due, watch->id);
	}

	for (unsigned i = 0; i < due->len; i++) {
		LoopWatch *watch = find(core->timeouts, g_array_index(due, int, i));
		gint64 next;

		if (!watch || !watch->slot || watch->due > now || watch->running)
			continue;

		/* Before the call, which may set another. It keeps its beat, but does not catch up
		 * on beats that were missed. */
		next = watch->due + interval_us(watch);
		if (next <= now)
			next = now + interval_us(watch);
		timeout_schedule(core, watch, next);

		dispatched = true;
		callback_enter(core, watch);
		watch->timeout_callback(watch->id, watch->userdata);
		callback_leave(core, watch);
	}

	return dispatched;
}

bool loop_core_dispatch_handles(LoopCore *core)
{
	bool handles = dispatch_handles(core);

	loop_core_reap(core);
	return handles;
}

bool loop_core_dispatch(LoopCore *core)
{
	bool handles = dispatch_handles(core);
	bool timeouts = dispatch_timeouts(core);

	loop_core_reap(core);
	return handles || timeouts;
}

void loop_core_reap(LoopCore *core)
{
	unsigned i = 0;

	/* A free function may remove and free others, and may run the loop: hence from the start
	 * again after each. */
	while (i < core->removed->len) {
		LoopWatch *watch = core->removed->pdata[i];

		if (watch->running) {
			i++;
			continue;
		}

		g_ptr_array_remove_index(core->removed, i);
		if (watch->free_func)
			watch->free_func(watch->userdata);
		g_free(watch);
		i = 0;
	}
}

static bool remove_any(LoopCore *core)
{
	GHashTableIter iter;
	void *id;

	g_hash_table_iter_init(&iter, core->handles);
	if (g_hash_table_iter_next(&iter, &id, NULL))
		return loop_core_remove_handle(&core->loop, GPOINTER_TO_INT(id));

	g_hash_table_iter_init(&iter, core->timeouts);
	if (g_hash_table_iter_next(&iter, &id, NULL))
		return loop_core_remove_timeout(&core->loop, GPOINTER_TO_INT(id));

	return false;
}

void loop_core_clear(LoopCore *core)
{
	g_assert(core->running->len == 0);

	do
		loop_core_reap(core);
	while (remove_any(core));

	g_hash_table_unref(core->handles);
	g_hash_table_unref(core->descriptors);
	g_hash_table_unref(core->timeouts);
	g_sequence_free(core->schedule);
	g_array_unref(core->collected);
	g_ptr_array_unref(core->running);
	g_ptr_array_unref(core->removed);
}
