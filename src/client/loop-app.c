/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/loop-app.h"

#include <poll.h>

#include "loop/loop-core.h"

/*
 * The rules of loop/loop.h are kept by loop/loop-core.c, whatever the application's loop is like; it is only asked to call
 * when a descriptor may be ready, or when time has passed.
 *
 *    its handle   one for each of ours. What is ready is asked of the kernel when it calls, so that what an inner turn has taken
 *                 already, or an event meant for the last owner of the descriptor's number, is not told
 *    its timeout  one, set to when the next of all of ours is due; and one more for each inner turn inside of a timeout, as
 *                 many loops do not call a timeout whose callback is on the stack
 *
 * WARNING: what it gets as userdata is a number, never a pointer. A loop that calls once more after a remove, or calls the free
 * function in the midst of it, or never, is not as promised in vmherald/event-loop.h; but nothing comes of it.
 */

typedef struct AppHandle {
	unsigned token;
	int watch;          /* the application's number */
	int id;             /* the core's */
} AppHandle;

typedef struct AppTimer {
	unsigned token;
	int timer;
	bool running;       /* its callback is on the stack */
} AppTimer;

typedef struct LoopApp {
	LoopCore core;
	VmhEventImpl app;
	void *app_data;
	GThread *thread;
	GHashTable *handles;     /* token -> AppHandle, owned */
	GPtrArray *timers;       /* of AppTimer, owned */
	AppTimer *armed;         /* the one that is set, or NULL */
	gint64 armed_due;
	unsigned turns;
} LoopApp;

/* A number that an earlier loop has given out is none of the next one's. */
static unsigned last_token;
static LoopApp *current;

G_STATIC_ASSERT((int)VMH_HANDLE_READABLE == LOOP_READABLE && (int)VMH_HANDLE_WRITABLE == LOOP_WRITABLE &&
		(int)VMH_HANDLE_ERROR == LOOP_ERROR && (int)VMH_HANDLE_HANGUP == LOOP_HANGUP);

static void free_nothing(void *userdata)
{
}

static void arm(LoopApp *self);
static void arm_again(LoopApp *self, AppTimer *timer);

/* False: the call is for nobody. */
static bool is_called_rightly(const LoopApp *self)
{
	if (!self)
		return false;
	if (g_thread_self() == self->thread)
		return true;
	g_critical("the event loop calls on another thread than the one that vmh_event_register_impl() was called on");
	return false;
}

static unsigned ask_kernel(const LoopWatch *watch)
{
	struct pollfd entry = {
		.fd = watch->fd,
		.events = (short)loop_core_poll_events(watch->events),
	};

	return poll(&entry, 1, 0) > 0 ? (unsigned short)entry.revents : 0;
}

static void app_handle_cb(int unused_watch, int unused_fd, int unused_events, void *userdata)
{
	LoopApp *self = current;
	LoopWatch *watch;
	AppHandle *handle;
	unsigned ready;

	if (!is_called_rightly(self))
		return;
	handle = g_hash_table_lookup(self->handles, userdata);
	watch = handle ? g_hash_table_lookup(self->core.handles, GINT_TO_POINTER(handle->id)) : NULL;
	if (!watch)
		return;

	/* The application runs its loop inside of our callback. It need not know of this descriptor now. */
	if (watch->running) {
		loop_core_suspend_running(&self->core);
		return;
	}
	ready = ask_kernel(watch);
	if (!ready)
		return;

	loop_core_collect(&self->core, watch->id, ready);
	if (loop_core_dispatch_handles(&self->core))
		self->turns++;
	arm(self);
}

static AppTimer *find_timer(LoopApp *self, unsigned token)
{
	for (unsigned i = 0; i < self->timers->len; i++) {
		AppTimer *timer = self->timers->pdata[i];

		if (timer->token == token)
			return timer;
	}
	return NULL;
}

static void app_timeout_cb(int unused_timer, void *userdata)
{
	LoopApp *self = current;
	AppTimer *timer;

	if (!is_called_rightly(self))
		return;
	timer = find_timer(self, GPOINTER_TO_UINT(userdata));
	if (!timer)
		return;

	/* Called again by an inner turn, which has another one. */
	if (timer->running) {
		self->app.update_timeout(timer->timer, -1, self->app_data);
		return;
	}

	if (timer == self->armed)
		self->armed = NULL;
	timer->running = true;
	arm(self);
	if (loop_core_dispatch(&self->core))
		self->turns++;
	timer->running = false;
	arm_again(self, timer);
}

static AppTimer *add_timer(LoopApp *self)
{
	unsigned token = ++last_token;
	int number = self->app.add_timeout(-1, app_timeout_cb, GUINT_TO_POINTER(token), free_nothing, self->app_data);
	AppTimer *timer;

	if (number < 0)
		return NULL;
	timer = g_new0(AppTimer, 1);
	timer->token = token;
	timer->timer = number;
	g_ptr_array_add(self->timers, timer);
	return timer;
}

/* The one that is armed, or else any whose callback is not on the stack. */
static AppTimer *get_timer(LoopApp *self)
{
	if (self->armed)
		return self->armed;
	for (unsigned i = 0; i < self->timers->len; i++) {
		AppTimer *timer = self->timers->pdata[i];

		if (!timer->running)
			return timer;
	}
	return add_timer(self);
}

/* To be called whenever another timeout may be the next that is due. */
static void arm(LoopApp *self)
{
	gint64 due = loop_core_next_due(&self->core);
	AppTimer *timer;

	if (self->armed ? due == self->armed_due : due < 0)
		return;
	timer = get_timer(self);
	/* Refused: it is done when the callback that is on the stack returns. */
	if (!timer)
		return;
	self->armed = due < 0 ? NULL : timer;
	self->armed_due = due;
	self->app.update_timeout(timer->timer, loop_core_wait_ms(due, -1), self->app_data);
}

/* After its callback: the same one, as another might be called in the same turn of the application's, and ours would have two in it. */
static void arm_again(LoopApp *self, AppTimer *timer)
{
	gint64 due = loop_core_next_due(&self->core);

	if (self->armed && self->armed != timer)
		self->app.update_timeout(self->armed->timer, -1, self->app_data);
	self->armed = due < 0 ? NULL : timer;
	self->armed_due = due;
	self->app.update_timeout(timer->timer, loop_core_wait_ms(due, -1), self->app_data);
}

/* ---- descriptors ---- */

static bool backend_watch(LoopCore *core, LoopWatch *watch)
{
	LoopApp *self = (LoopApp *)core;
	unsigned token = ++last_token;
	int number = self->app.add_handle(watch->fd, (int)watch->events, app_handle_cb, GUINT_TO_POINTER(token),
					  free_nothing, self->app_data);
	AppHandle *handle;

	if (number < 0)
		return false;
	handle = g_new0(AppHandle, 1);
	handle->token = token;
	handle->watch = number;
	handle->id = watch->id;
	g_hash_table_insert(self->handles, GUINT_TO_POINTER(token), handle);
	watch->tag = handle;
	return true;
}

static void backend_modify(LoopCore *core, LoopWatch *watch)
{
	LoopApp *self = (LoopApp *)core;
	AppHandle *handle = watch->tag;

	self->app.update_handle(handle->watch, (int)watch->events, self->app_data);
}

static void backend_unwatch(LoopCore *core, LoopWatch *watch)
{
	LoopApp *self = (LoopApp *)core;
	AppHandle *handle = g_steal_pointer(&watch->tag);
	int number = handle->watch;

	/* First, so that a call from within the remove finds nobody. */
	g_hash_table_remove(self->handles, GUINT_TO_POINTER(handle->token));
	self->app.remove_handle(number, self->app_data);
}

static const LoopCoreBackend backend = {
	.watch = backend_watch,
	.modify = backend_modify,
	.unwatch = backend_unwatch,
};

/* ---- as a Loop: the core's functions, and the timeout after them ---- */

static bool loop_app_remove_handle(Loop *loop, int handle)
{
	bool removed = loop_core_remove_handle(loop, handle);

	arm((LoopApp *)loop);
	return removed;
}

static int loop_app_add_timeout(Loop *loop, int interval_ms, LoopTimeoutCallback callback, void *userdata,
				GDestroyNotify free_func)
{
	int timeout = loop_core_add_timeout(loop, interval_ms, callback, userdata, free_func);

	arm((LoopApp *)loop);
	return timeout;
}

static void loop_app_update_timeout(Loop *loop, int timeout, int interval_ms)
{
	loop_core_update_timeout(loop, timeout, interval_ms);
	arm((LoopApp *)loop);
}

static bool loop_app_remove_timeout(Loop *loop, int timeout)
{
	bool removed = loop_core_remove_timeout(loop, timeout);

	arm((LoopApp *)loop);
	return removed;
}

static bool loop_app_run_once(Loop *loop, int max_wait_ms)
{
	g_critical("only the application runs its event loop");
	return false;
}

static void loop_app_free(Loop *loop)
{
	LoopApp *self = (LoopApp *)loop;

	loop_core_clear(&self->core);
	current = NULL;
	for (unsigned i = 0; i < self->timers->len; i++)
		self->app.remove_timeout(((AppTimer *)self->timers->pdata[i])->timer, self->app_data);
	g_ptr_array_unref(self->timers);
	g_hash_table_unref(self->handles);
	g_free(self);
}

static const LoopImpl loop_impl = {
	.name = "application",
	.add_handle = loop_core_add_handle,
	.update_handle = loop_core_update_handle,
	.remove_handle = loop_app_remove_handle,
	.add_timeout = loop_app_add_timeout,
	.update_timeout = loop_app_update_timeout,
	.remove_timeout = loop_app_remove_timeout,
	.run_once = loop_app_run_once,
	.free = loop_app_free,
};

Loop *loop_app_new(const VmhEventImpl *impl, void *impl_data)
{
	LoopApp *self = g_new0(LoopApp, 1);

	g_assert(!current);
	loop_core_init(&self->core, &loop_impl, &backend);
	self->app = *impl;
	self->app_data = impl_data;
	self->thread = g_thread_self();
	self->handles = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	self->timers = g_ptr_array_new_with_free_func(g_free);
	current = self;
	/* Now, as adding a timeout of ours cannot fail. */
	if (!add_timer(self)) {
		loop_app_free(&self->core.loop);
		return NULL;
	}
	return &self->core.loop;
}

unsigned loop_app_get_turns(const Loop *loop)
{
	return ((const LoopApp *)loop)->turns;
}
