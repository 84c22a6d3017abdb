/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>
#include <unistd.h>

#include "app-loop.h"
#include "client/loop-app.h"
#include "loop-suite.h"
#include "loop/loop-core.h"

/* The rules of loop/loop.h on an application's event loop, whatever its manners. */

static AppLoop *app;

/* The suite runs the loop, which the application does otherwise: turns of the latter, until one has run a callback. */
static bool suite_run_once(Loop *loop, int max_wait_ms)
{
	gint64 deadline = loop_core_deadline(max_wait_ms);
	unsigned before = loop_app_get_turns(loop);

	for (;;) {
		app_loop_turn(app, loop_core_wait_ms(-1, deadline));
		if (loop_app_get_turns(loop) != before)
			return true;
		if (deadline >= 0 && g_get_monotonic_time() >= deadline)
			return false;
	}
}

static const LoopImpl *loop_app_impl;

static void suite_free(Loop *loop)
{
	loop_app_impl->free(loop);
	/* Neither did it forget a handle, nor ask for one that is gone. */
	g_assert_cmpuint(app_loop_get_mistakes(app), ==, 0);
	g_clear_pointer(&app, app_loop_free);
}

static Loop *suite_new(AppLoopManners manners)
{
	static LoopImpl impl;
	Loop *loop;

	g_assert_null(app);
	app = app_loop_new(manners);
	loop = loop_app_new(&app_loop_impl, app);
	loop_app_impl = loop->impl;
	impl = *loop_app_impl;
	impl.run_once = suite_run_once;
	impl.free = suite_free;
	loop->impl = &impl;
	return loop;
}

static Loop *new_good(void)
{
	return suite_new(0);
}

static Loop *new_not_nested(void)
{
	return suite_new(APP_LOOP_NOT_NESTED);
}

static Loop *new_hasty(void)
{
	return suite_new(APP_LOOP_FREES_AT_ONCE | APP_LOOP_CALLS_REMOVED);
}

static Loop *new_forgetful(void)
{
	return suite_new(APP_LOOP_NEVER_FREES | APP_LOOP_CALLS_REMOVED | APP_LOOP_NOT_NESTED);
}

typedef struct Seen {
	unsigned calls;
	unsigned frees;
} Seen;

static void handle_cb(int handle, int fd, LoopEvents events, void *userdata)
{
	((Seen *)userdata)->calls++;
}

static void timeout_cb(int timeout, void *userdata)
{
	((Seen *)userdata)->calls++;
}

static void free_cb(void *userdata)
{
	((Seen *)userdata)->frees++;
}

/* A loop that has no room: what can be refused is, and nothing is left over. */
static void test_refused(void)
{
	Loop *loop;
	Seen seen = { 0 };
	int pair[2];

	app = app_loop_new(0);
	app_loop_refuse(app, true);
	g_assert_null(loop_app_new(&app_loop_impl, app));
	g_clear_pointer(&app, app_loop_free);

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
	loop = new_good();
	app_loop_refuse(app, true);
	g_assert_cmpint(loop_add_handle(loop, pair[0], LOOP_WRITABLE, handle_cb, &seen, free_cb), ==, -1);
	/* This cannot fail: the application's timeout is there already. */
	g_assert_cmpint(loop_add_timeout(loop, 0, timeout_cb, &seen, free_cb), >, 0);
	while (seen.calls < 2)
		loop_run_once(loop, -1);
	g_assert_cmpuint(app_loop_get_length(app), ==, 1);
	loop = loop_free(loop);
	g_assert_cmpuint(seen.frees, ==, 1);

	/* The descriptor is not taken for watched. */
	loop = new_good();
	g_assert_cmpint(loop_add_handle(loop, pair[0], LOOP_WRITABLE, handle_cb, &seen, free_cb), >, 0);
	loop = loop_free(loop);
	close(pair[0]);
	close(pair[1]);
}

/* However many there are of ours, the application's timeout is one; and set only if it has to be. */
static void test_one_timeout(void)
{
	Loop *loop = new_good();
	Seen seen = { 0 };
	int first = loop_add_timeout(loop, 60 * 1000, timeout_cb, &seen, NULL);

	for (unsigned i = 1; i < 100; i++)
		loop_add_timeout(loop, 60 * 1000 + (int)i, timeout_cb, &seen, NULL);
	g_assert_cmpuint(app_loop_get_length(app), ==, 1);
	g_assert_false(loop_run_once(loop, 0));
	loop_update_timeout(loop, first, 0);
	g_assert_true(loop_run_once(loop, -1));
	g_assert_cmpuint(seen.calls, ==, 1);
	/* One more, which is there in case that a callback turns the loop. */
	g_assert_cmpuint(app_loop_get_length(app), <=, 2);
	loop_free(loop);
}

/* Idle, it is not called at all. */
static void test_idle(void)
{
	Loop *loop = new_good();
	Seen seen = { 0 };
	int timeout = loop_add_timeout(loop, 0, timeout_cb, &seen, free_cb);
	unsigned calls;

	g_assert_true(loop_run_once(loop, -1));
	loop_remove_timeout(loop, timeout);
	g_assert_false(loop_run_once(loop, 0));
	g_assert_cmpuint(seen.frees, ==, 1);
	calls = app_loop_get_calls(app);
	g_assert_false(loop_run_once(loop, 30));
	g_assert_cmpuint(app_loop_get_calls(app), ==, calls);
	loop_free(loop);
}

static void *turn_elsewhere(void *unused)
{
	app_loop_turn(app, 0);
	return NULL;
}

/* It is told, and nothing is called on the wrong thread. */
static void test_wrong_thread(void)
{
	Loop *loop = new_good();
	Seen seen = { 0 };

	loop_add_timeout(loop, 0, timeout_cb, &seen, NULL);
	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "*calls on another thread*");
	g_thread_join(g_thread_new("elsewhere", turn_elsewhere, NULL));
	g_test_assert_expected_messages();
	g_assert_cmpuint(seen.calls, ==, 0);
	loop_run_once(loop, -1);
	g_assert_cmpuint(seen.calls, ==, 1);
	loop_free(loop);
}

/* It is the application's to run. */
static void test_not_run(void)
{
	AppLoop *own = app_loop_new(0);
	Loop *loop = loop_app_new(&app_loop_impl, own);

	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "*only the application*");
	g_assert_false(loop_run_once(loop, 0));
	g_test_assert_expected_messages();
	loop_free(loop);
	app_loop_free(own);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	loop_suite_add("app", new_good);
	loop_suite_add("app-not-nested", new_not_nested);
	loop_suite_add("app-hasty", new_hasty);
	loop_suite_add("app-forgetful", new_forgetful);
	g_test_add_func("/client/loop-app/refused", test_refused);
	g_test_add_func("/client/loop-app/one-timeout", test_one_timeout);
	g_test_add_func("/client/loop-app/idle", test_idle);
	g_test_add_func("/client/loop-app/wrong-thread", test_wrong_thread);
	g_test_add_func("/client/loop-app/not-run", test_not_run);
	return g_test_run();
}
