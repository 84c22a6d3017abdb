/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/resource.h>

#include "bus/loop-sd-event.h"
#include "loop-suite.h"

static sd_event *event_new(void)
{
	sd_event *event = NULL;

	g_assert_cmpint(sd_event_new(&event), >=, 0);
	return event;
}

static Loop *new_on_own(void)
{
	sd_event *event = event_new();
	Loop *loop = loop_sd_event_new(event);

	/* The loop keeps the event. */
	sd_event_unref(event);
	return loop;
}

typedef struct Shared {
	Loop *loop;
	sd_event *event;
	unsigned frees;
	unsigned foreign_calls;
	bool foreign_called;
	bool inner_called;
} Shared;

static void busy_cb(int timeout, void *userdata)
{
}

static int foreign_cb(sd_event_source *source, void *userdata)
{
	Shared *shared = userdata;

	shared->foreign_called = ++shared->foreign_calls >= 10;
	return 0;
}

/* The bus and the loop share the sd_event; neither starves the other. */
static void test_foreign_sources(void)
{
	sd_event *event = event_new();
	g_autoptr(Loop) loop = loop_sd_event_new(event);
	Shared shared = { .loop = loop };
	sd_event_source *source = NULL;

	g_assert_cmpint(sd_event_add_defer(event, &source, foreign_cb, &shared), >=, 0);
	g_assert_cmpint(sd_event_source_set_enabled(source, SD_EVENT_ON), >=, 0);
	loop_add_timeout(loop, 0, busy_cb, NULL, NULL);
	loop_suite_run_until(loop, &shared.foreign_called);

	sd_event_source_disable_unref(source);
	sd_event_unref(event);
}

static void inner_cb(int timeout, void *userdata)
{
	((Shared *)userdata)->inner_called = true;
}

static int foreign_runs_loop_cb(sd_event_source *source, void *userdata)
{
	Shared *shared = userdata;

	loop_add_timeout(shared->loop, 1, inner_cb, shared, NULL);
	loop_suite_run_until(shared->loop, &shared->inner_called);
	shared->foreign_called = true;
	return 0;
}

static void test_run_inside_foreign(void)
{
	sd_event *event = event_new();
	g_autoptr(Loop) loop = loop_sd_event_new(event);
	Shared shared = { .loop = loop };
	sd_event_source *source = NULL;

	g_assert_cmpint(sd_event_add_defer(event, &source, foreign_runs_loop_cb, &shared), >=, 0);
	loop_suite_run_until(loop, &shared.foreign_called);

	sd_event_source_disable_unref(source);
	sd_event_unref(event);
}

static void exit_cb(int timeout, void *userdata)
{
	Shared *shared = userdata;

	loop_remove_timeout(shared->loop, timeout);
}

static void exit_free(void *userdata)
{
	Shared *shared = userdata;

	shared->frees++;
	sd_event_exit(shared->event, 7);
}

/* As the daemon does it: sd_event_loop() drives everything, the deferred free included. */
static void test_driven_by_sd_event(void)
{
	sd_event *event = event_new();
	g_autoptr(Loop) loop = loop_sd_event_new(event);
	Shared shared = { .loop = loop, .event = event };

	loop_add_timeout(loop, 5, exit_cb, &shared, exit_free);
	g_assert_cmpint(sd_event_loop(event), ==, 7);
	g_assert_cmpuint(shared.frees, ==, 1);
	sd_event_unref(event);
}

/* Removed outside of any turn, with nothing else due: sd_event_loop() wakes up to free it. */
static void test_remove_outside(void)
{
	sd_event *event = event_new();
	g_autoptr(Loop) loop = loop_sd_event_new(event);
	Shared shared = { .loop = loop, .event = event };
	int timeout = loop_add_timeout(loop, LOOP_DISABLED, exit_cb, &shared, exit_free);

	g_assert_true(loop_remove_timeout(loop, timeout));
	g_assert_cmpuint(shared.frees, ==, 0);
	g_assert_cmpint(sd_event_loop(event), ==, 7);
	g_assert_cmpuint(shared.frees, ==, 1);
	sd_event_unref(event);
}

static void test_out_of_descriptors(void)
{
	sd_event *event = event_new();
	struct rlimit limit, none;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	none = limit;
	none.rlim_cur = 0;
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
	g_assert_null(loop_sd_event_new(event));
	g_assert_cmpint(errno, ==, EMFILE);
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	sd_event_unref(event);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	loop_suite_add("sd-event", new_on_own);
	g_test_add_func("/loop/sd-event/foreign-sources", test_foreign_sources);
	g_test_add_func("/loop/sd-event/run-inside-foreign", test_run_inside_foreign);
	g_test_add_func("/loop/sd-event/driven-by-sd-event", test_driven_by_sd_event);
	g_test_add_func("/loop/sd-event/remove-outside", test_remove_outside);
	g_test_add_func("/loop/sd-event/out-of-descriptors", test_out_of_descriptors);
	return g_test_run();
}
