/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/loop-poll.h"

#include <errno.h>
#include <poll.h>

#include "loop/loop-core.h"

/*
 * The array that poll(2) wants is kept from turn to turn, and a change to the handles is made in
 * place: a watch knows its index (watch->tag), and the last one moves into the gap of one that
 * goes.
 */
typedef struct LoopPoll {
	LoopCore core;
	GArray *polled;     /* struct pollfd */
	GPtrArray *watches; /* LoopWatch, same order */
} LoopPoll;

static bool backend_watch(LoopCore *core, LoopWatch *watch)
{
	LoopPoll *self = (LoopPoll *)core;
	struct pollfd entry = {
		.fd = watch->fd,
		.events = (short)loop_core_poll_events(watch->events),
	};

	watch->tag = GUINT_TO_POINTER(self->polled->len);
	g_array_append_val(self->polled, entry);
	g_ptr_array_add(self->watches, watch);
	return true;
}

static void backend_modify(LoopCore *core, LoopWatch *watch)
{
	LoopPoll *self = (LoopPoll *)core;
	unsigned index = GPOINTER_TO_UINT(watch->tag);

	g_array_index(self->polled, struct pollfd, index).events =
		(short)loop_core_poll_events(watch->events);
}

static void backend_unwatch(LoopCore *core, LoopWatch *watch)
{
	LoopPoll *self = (LoopPoll *)core;
	unsigned index = GPOINTER_TO_UINT(watch->tag);
	LoopWatch *moved;

	g_array_remove_index_fast(self->polled, index);
	g_ptr_array_remove_index_fast(self->watches, index);
	if (index < self->watches->len) {
		moved = self->watches->pdata[index];
		moved->tag = GUINT_TO_POINTER(index);
	}
}

static const LoopCoreBackend backend = {
	.watch = backend_watch,
	.modify = backend_modify,
	.unwatch = backend_unwatch,
};

static void collect(LoopPoll *self, int n_ready)
{
	for (unsigned i = 0; i < self->polled->len && n_ready > 0; i++) {
		const struct pollfd *entry = &g_array_index(self->polled, struct pollfd, i);
		const LoopWatch *watch = self->watches->pdata[i];

		if (!entry->revents)
			continue;
		n_ready--;
		loop_core_collect(&self->core, watch->id, (unsigned short)entry->revents);
	}
}

static bool loop_poll_run_once(Loop *loop, int max_wait_ms)
{
	LoopPoll *self = (LoopPoll *)loop;
	gint64 deadline = loop_core_deadline(max_wait_ms);

	for (;;) {
		int wait_ms, n_ready;

		loop_core_reap(&self->core);
		loop_core_suspend_running(&self->core);
		wait_ms = loop_core_wait_ms(loop_core_next_due(&self->core), deadline);
		n_ready = poll((void *)self->polled->data, self->polled->len, wait_ms);
		if (n_ready < 0 && errno != EINTR) {
			g_warning("poll: %s", g_strerror(errno));
			return false;
		}

		collect(self, n_ready);
		if (loop_core_dispatch(&self->core))
			return true;
		if (deadline >= 0 && g_get_monotonic_time() >= deadline)
			return false;
	}
}

static void loop_poll_free(Loop *loop)
{
	LoopPoll *self = (LoopPoll *)loop;

	loop_core_clear(&self->core);
	g_array_unref(self->polled);
	g_ptr_array_unref(self->watches);
	g_free(self);
}

static const LoopImpl impl = {
	.name = "poll",
	.add_handle = loop_core_add_handle,
	.update_handle = loop_core_update_handle,
	.remove_handle = loop_core_remove_handle,
	.add_timeout = loop_core_add_timeout,
	.update_timeout = loop_core_update_timeout,
	.remove_timeout = loop_core_remove_timeout,
	.run_once = loop_poll_run_once,
	.free = loop_poll_free,
};

Loop *loop_poll_new(void)
{
	LoopPoll *self = g_new0(LoopPoll, 1);

	loop_core_init(&self->core, &impl, &backend);
	self->polled = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
	self->watches = g_ptr_array_new();
	return &self->core.loop;
}
