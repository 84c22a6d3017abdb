/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/loop-glib.h"

#include <glib-unix.h>

#include "loop/loop-core.h"

/*
 * One GSource carries all descriptors and timeouts, so that a turn is one dispatch of it, in the
 * order that loop/loop.h promises. GLib knows the source only while it is attached; what else is
 * in the context (GDBus, for one) gets its turn beside it.
 */
typedef struct LoopGlib LoopGlib;

typedef struct LoopSource {
	GSource source; /* first: GLib allocates and owns it */
	LoopGlib *loop;
} LoopSource;

struct LoopGlib {
	LoopCore core;
	GMainContext *context;
	LoopSource *source;
	gint64 deadline; /* of the loop_run_once() that waits, or -1 */
};

static bool backend_watch(LoopCore *core, LoopWatch *watch)
{
	LoopGlib *self = (LoopGlib *)core;

	watch->tag = g_source_add_unix_fd(&self->source->source, watch->fd,
					  (GIOCondition)loop_core_poll_events(watch->events));
	return true;
}

static void backend_modify(LoopCore *core, LoopWatch *watch)
{
	LoopGlib *self = (LoopGlib *)core;

	g_source_modify_unix_fd(&self->source->source, watch->tag,
				(GIOCondition)loop_core_poll_events(watch->events));
}

static void backend_unwatch(LoopCore *core, LoopWatch *watch)
{
	LoopGlib *self = (LoopGlib *)core;

	g_source_remove_unix_fd(&self->source->source, watch->tag);
	watch->tag = NULL;
}

static const LoopCoreBackend backend = {
	.watch = backend_watch,
	.modify = backend_modify,
	.unwatch = backend_unwatch,
};

static gboolean source_prepare(GSource *source, int *wait_ms)
{
	LoopGlib *self = ((LoopSource *)source)->loop;

	/* Here and not in run_once: a callback may also iterate the context without asking us. */
	loop_core_suspend_running(&self->core);
	*wait_ms = loop_core_wait_ms(loop_core_next_due(&self->core), self->deadline);
	/* Ready only once it is due: with wait_ms 0 for the deadline's sake alone, dispatching
	 * would report a turn in which nothing happened. */
	return loop_core_wait_ms(loop_core_next_due(&self->core), -1) == 0;
}

/* GLib looks at the descriptors by itself. */
static gboolean source_check(GSource *source)
{
	LoopGlib *self = ((LoopSource *)source)->loop;

	return loop_core_wait_ms(loop_core_next_due(&self->core), -1) == 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc unused_callback, void *unused)
{
	LoopGlib *self = ((LoopSource *)source)->loop;
	GHashTableIter iter;
	LoopWatch *watch;

	g_hash_table_iter_init(&iter, self->core.handles);
	while (g_hash_table_iter_next(&iter, NULL, (void **)&watch)) {
		unsigned events = watch->tag ? g_source_query_unix_fd(source, watch->tag) : 0;

		if (events)
			loop_core_collect(&self->core, watch->id, events);
	}

	loop_core_dispatch(&self->core);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
	.prepare = source_prepare,
	.check = source_check,
	.dispatch = source_dispatch,
};

static bool loop_glib_run_once(Loop *loop, int max_wait_ms)
{
	LoopGlib *self = (LoopGlib *)loop;
	gint64 deadline = loop_core_deadline(max_wait_ms);
	gint64 outer_deadline = self->deadline;
	bool dispatched;

	do {
		loop_core_reap(&self->core);
		self->deadline = deadline;
		dispatched = g_main_context_iteration(self->context, max_wait_ms != 0);
		self->deadline = outer_deadline;
	} while (!dispatched && (deadline < 0 || g_get_monotonic_time() < deadline));

	return dispatched;
}

static void loop_glib_free(Loop *loop)
{
	LoopGlib *self = (LoopGlib *)loop;

	loop_core_clear(&self->core);
	g_source_destroy(&self->source->source);
	g_source_unref(&self->source->source);
	g_main_context_unref(self->context);
	g_free(self);
}

static const LoopImpl impl = {
	.name = "glib",
	.add_handle = loop_core_add_handle,
	.update_handle = loop_core_update_handle,
	.remove_handle = loop_core_remove_handle,
	.add_timeout = loop_core_add_timeout,
	.update_timeout = loop_core_update_timeout,
	.remove_timeout = loop_core_remove_timeout,
	.run_once = loop_glib_run_once,
	.free = loop_glib_free,
};

Loop *loop_glib_new(GMainContext *context)
{
	LoopGlib *self = g_new0(LoopGlib, 1);

	loop_core_init(&self->core, &impl, &backend);
	self->context = g_main_context_ref(context ? context : g_main_context_default());
	self->deadline = -1;
	self->source = (LoopSource *)g_source_new(&source_funcs, sizeof(LoopSource));
	self->source->loop = self;
	g_source_set_static_name(&self->source->source, "vmherald loop");
	/* An inner turn must dispatch what the outer one is in the middle of; the core knows which
	 * callbacks are on the stack. */
	g_source_set_can_recurse(&self->source->source, TRUE);
	g_source_attach(&self->source->source, self->context);
	return &self->core.loop;
}
