/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/loop.h"

int loop_add_handle(Loop *loop, int fd, LoopEvents events, LoopHandleCallback callback,
		    void *userdata, GDestroyNotify free_func)
{
	g_assert(loop && callback);

	return loop->impl->add_handle(loop, fd, events, callback, userdata, free_func);
}

void loop_update_handle(Loop *loop, int handle, LoopEvents events)
{
	g_assert(loop);

	loop->impl->update_handle(loop, handle, events);
}

bool loop_remove_handle(Loop *loop, int handle)
{
	g_assert(loop);

	return loop->impl->remove_handle(loop, handle);
}

int loop_add_timeout(Loop *loop, int interval_ms, LoopTimeoutCallback callback, void *userdata,
		     GDestroyNotify free_func)
{
	g_assert(loop && callback);

	return loop->impl->add_timeout(loop, interval_ms, callback, userdata, free_func);
}

void loop_update_timeout(Loop *loop, int timeout, int interval_ms)
{
	g_assert(loop);

	loop->impl->update_timeout(loop, timeout, interval_ms);
}

bool loop_remove_timeout(Loop *loop, int timeout)
{
	g_assert(loop);

	return loop->impl->remove_timeout(loop, timeout);
}

bool loop_run_once(Loop *loop, int max_wait_ms)
{
	g_assert(loop);

	return loop->impl->run_once(loop, max_wait_ms);
}

Loop *loop_free(Loop *loop)
{
	if (loop)
		loop->impl->free(loop);

	return NULL;
}
