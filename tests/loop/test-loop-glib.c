/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop-suite.h"
#include "loop/loop-glib.h"

static Loop *new_on_default(void)
{
	return loop_glib_new(NULL);
}

static Loop *new_on_own(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();

	/* The loop keeps the context. */
	return loop_glib_new(context);
}

typedef struct Shared {
	Loop *loop;
	int timeout;
	unsigned calls;
	unsigned frees;
	bool foreign_called;
	bool inner_called;
} Shared;

static void shared_cb(int timeout, void *userdata)
{
	Shared *shared = userdata;

	shared->calls++;
	loop_remove_timeout(shared->loop, timeout);
	g_assert_cmpuint(shared->frees, ==, 0);
}

static void shared_free(void *userdata)
{
	((Shared *)userdata)->frees++;
}

/* Whoever iterates the context drives the loop, the deferred frees included. */
static void test_driven_by_context(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	g_autoptr(Loop) loop = loop_glib_new(context);
	Shared shared = { .loop = loop };
	int idle;

	loop_add_timeout(loop, 0, shared_cb, &shared, shared_free);
	while (shared.calls == 0)
		g_main_context_iteration(context, TRUE);
	while (g_main_context_iteration(context, FALSE))
		;
	g_assert_cmpuint(shared.frees, ==, 1);

	/* Removed outside of any turn: the context wakes up to free it. */
	idle = loop_add_timeout(loop, LOOP_DISABLED, shared_cb, &shared, shared_free);
	loop_remove_timeout(loop, idle);
	g_assert_cmpuint(shared.frees, ==, 1);
	g_main_context_iteration(context, TRUE);
	g_assert_cmpuint(shared.frees, ==, 2);
}

static gboolean foreign_cb(void *userdata)
{
	((Shared *)userdata)->foreign_called = true;
	return G_SOURCE_REMOVE;
}

static void busy_cb(int timeout, void *userdata)
{
}

static void test_foreign_sources(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	g_autoptr(Loop) loop = loop_glib_new(context);
	g_autoptr(GSource) source = g_timeout_source_new(5);
	Shared shared = { .loop = loop };

	g_source_set_callback(source, foreign_cb, &shared, NULL);
	g_source_attach(source, context);
	/* Also next to one of ours that is due on every turn. */
	loop_add_timeout(loop, 0, busy_cb, NULL, NULL);
	loop_suite_run_until(loop, &shared.foreign_called);
}

static void inner_cb(int timeout, void *userdata)
{
	((Shared *)userdata)->inner_called = true;
}

static gboolean foreign_runs_loop_cb(void *userdata)
{
	Shared *shared = userdata;

	loop_add_timeout(shared->loop, 0, inner_cb, shared, NULL);
	loop_suite_run_until(shared->loop, &shared->inner_called);
	shared->foreign_called = true;
	return G_SOURCE_REMOVE;
}

static void test_run_inside_foreign(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	g_autoptr(Loop) loop = loop_glib_new(context);
	g_autoptr(GSource) source = g_idle_source_new();
	Shared shared = { .loop = loop };

	g_source_set_callback(source, foreign_runs_loop_cb, &shared, NULL);
	g_source_attach(source, context);
	loop_suite_run_until(loop, &shared.foreign_called);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	loop_suite_add("glib-default", new_on_default);
	loop_suite_add("glib", new_on_own);
	g_test_add_func("/loop/glib/driven-by-context", test_driven_by_context);
	g_test_add_func("/loop/glib/foreign-sources", test_foreign_sources);
	g_test_add_func("/loop/glib/run-inside-foreign", test_run_inside_foreign);
	return g_test_run();
}
