/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event-loop.h"

#include <vmherald/glib.h>

#include "bus/loop-sd-event.h"
#include "client/loop-app.h"
#include "loop/loop-glib.h"
#include "loop/loop-poll.h"

/*
 * Which loop it is, is said once in the life of a process, and never taken back. So the lock is for registering alone;
 * everybody else reads a pointer that does not change any more.
 */
static GMutex registering;
static Loop *the_loop;
static GThread *the_thread;
/* A turn is under way. The loop's thread. */
static bool turning;

typedef Loop *(*LoopMaker)(const void *argument, void *data);

static int register_loop_locked(LoopMaker make, const void *argument, void *data)
{
	Loop *loop;

	if (the_loop)
		return -1;
	loop = make(argument, data);
	if (!loop)
		return -1;
	the_thread = g_thread_self();
	g_atomic_pointer_set(&the_loop, loop);
	return 0;
}

static int register_loop(LoopMaker make, const void *argument, void *data)
{
	int r;

	g_mutex_lock(&registering);
	r = register_loop_locked(make, argument, data);
	g_mutex_unlock(&registering);
	return r;
}

static Loop *make_app(const void *impl, void *impl_data)
{
	return loop_app_new(impl, impl_data);
}

static Loop *make_default(const void *unused, void *unused_data)
{
	return loop_poll_new();
}

static Loop *make_glib(const void *unused, void *context)
{
	return loop_glib_new(context);
}

static Loop *make_sd_event(const void *unused, void *event)
{
	return loop_sd_event_new(event);
}

int vmh_event_register_impl(const VmhEventImpl *impl, void *impl_data)
{
	g_return_val_if_fail(impl, -1);
	g_return_val_if_fail(impl->add_handle && impl->update_handle && impl->remove_handle, -1);
	g_return_val_if_fail(impl->add_timeout && impl->update_timeout && impl->remove_timeout, -1);

	return register_loop(make_app, impl, impl_data);
}

int vmh_event_register_default_impl(void)
{
	return register_loop(make_default, NULL, NULL);
}

int vmh_event_register_glib(GMainContext *context)
{
	return register_loop(make_glib, NULL, context);
}

int vmh_event_register_sd_event(sd_event *event)
{
	g_return_val_if_fail(event, -1);

	return register_loop(make_sd_event, NULL, event);
}

Loop *event_loop_get(void)
{
	return g_atomic_pointer_get(&the_loop);
}

bool event_loop_is_own_thread(void)
{
	return !event_loop_get() || g_thread_self() == the_thread;
}

bool event_loop_check_thread(const char *function)
{
	if (event_loop_is_own_thread())
		return true;
	g_critical("%s() is for the thread that the event loop was registered on, and was called on another", function);
	return false;
}

/* ---- the default loop ---- */

/* NULL: it is not the one, or this is not its thread. */
static Loop *get_default(const char *function)
{
	Loop *loop = event_loop_get();

	if (!loop || !g_str_equal(loop->impl->name, "poll") || !event_loop_check_thread(function))
		return NULL;
	return loop;
}

int vmh_event_run_default_impl(void)
{
	Loop *loop = get_default(__func__);
	bool ran;

	if (!loop)
		return -1;
	g_return_val_if_fail(!turning, -1);

	turning = true;
	ran = loop_run_once(loop, -1);
	turning = false;
	return ran ? 0 : -1;
}

/* What is given to the default loop for a handle or a timeout of the program's own. */
typedef struct Own {
	VmhHandleCallback handle_callback;
	VmhTimeoutCallback timeout_callback;
	void *userdata;
	VmhFreeFunc free_func;
} Own;

static Own *own_new(void *userdata, VmhFreeFunc free_func)
{
	Own *own = g_new0(Own, 1);

	own->userdata = userdata;
	own->free_func = free_func;
	return own;
}

static void own_free(void *data)
{
	g_autofree Own *own = data;

	if (own->free_func)
		own->free_func(own->userdata);
}

static void own_handle_cb(int handle, int fd, LoopEvents events, void *data)
{
	Own *own = data;

	/* The bits are the same: client/loop-app.c has it in an assertion. */
	own->handle_callback(handle, fd, (int)events, own->userdata);
}

static void own_timeout_cb(int timeout, void *data)
{
	Own *own = data;

	own->timeout_callback(timeout, own->userdata);
}

int vmh_event_add_handle(int fd, int events, VmhHandleCallback callback, void *userdata, VmhFreeFunc free_func)
{
	Loop *loop = get_default(__func__);
	Own *own;
	int handle;

	g_return_val_if_fail(callback, -1);

	if (!loop)
		return -1;
	own = own_new(userdata, free_func);
	own->handle_callback = callback;
	handle = loop_add_handle(loop, fd, (LoopEvents)events, own_handle_cb, own, own_free);
	if (handle < 0)
		g_free(own);
	return handle;
}

void vmh_event_update_handle(int watch, int events)
{
	Loop *loop = get_default(__func__);

	if (loop)
		loop_update_handle(loop, watch, (LoopEvents)events);
}

int vmh_event_remove_handle(int watch)
{
	Loop *loop = get_default(__func__);

	return loop && loop_remove_handle(loop, watch) ? 0 : -1;
}

int vmh_event_add_timeout(int interval, VmhTimeoutCallback callback, void *userdata, VmhFreeFunc free_func)
{
	Loop *loop = get_default(__func__);
	Own *own;

	g_return_val_if_fail(callback, -1);

	if (!loop)
		return -1;
	own = own_new(userdata, free_func);
	own->timeout_callback = callback;
	return loop_add_timeout(loop, interval, own_timeout_cb, own, own_free);
}

void vmh_event_update_timeout(int timer, int interval)
{
	Loop *loop = get_default(__func__);

	if (loop)
		loop_update_timeout(loop, timer, interval);
}

int vmh_event_remove_timeout(int timer)
{
	Loop *loop = get_default(__func__);

	return loop && loop_remove_timeout(loop, timer) ? 0 : -1;
}
