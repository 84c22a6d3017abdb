/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include <vmherald/glib.h>

#include "app-loop.h"
#include "client/event-loop.h"

/* Registering is once for a process, so each case is a process. */

typedef struct Seen {
	unsigned calls;
	unsigned frees;
	int events;
} Seen;

static void loop_timeout_cb(int timeout, void *userdata)
{
	((Seen *)userdata)->calls++;
}

static void handle_cb(int watch, int fd, int events, void *userdata)
{
	Seen *seen = userdata;
	char byte;

	seen->calls++;
	seen->events = events;
	if (events & VMH_HANDLE_READABLE)
		g_assert_cmpint(read(fd, &byte, 1), ==, 1);
	else
		g_assert_cmpint(vmh_event_remove_handle(watch), ==, 0);
}

static void timeout_cb(int timer, void *userdata)
{
	Seen *seen = userdata;

	seen->calls++;
	vmh_event_update_timeout(timer, -1);
}

static void free_cb(void *userdata)
{
	((Seen *)userdata)->frees++;
}

static void not_reached_cb(int timer, void *userdata)
{
	g_assert_not_reached();
}

/* A loop that is registered stays: all the others are refused. */
static void assert_registered(const char *name)
{
	static const VmhEventImpl *impl = &app_loop_impl;
	sd_event *event = NULL;
	Loop *loop = event_loop_get();

	g_assert_nonnull(loop);
	g_assert_cmpstr(loop->impl->name, ==, name);
	g_assert_true(event_loop_is_own_thread());
	g_assert_cmpint(sd_event_new(&event), >=, 0);
	g_assert_cmpint(vmh_event_register_default_impl(), ==, -1);
	g_assert_cmpint(vmh_event_register_impl(impl, NULL), ==, -1);
	g_assert_cmpint(vmh_event_register_glib(NULL), ==, -1);
	g_assert_cmpint(vmh_event_register_sd_event(event), ==, -1);
	g_assert_true(event_loop_get() == loop);
	sd_event_unref(event);
}

/* What is for users of the default loop is refused on all others. */
static void assert_not_default(void)
{
	int pair[2];

	g_assert_cmpint(pipe2(pair, O_CLOEXEC), ==, 0);
	g_assert_cmpint(vmh_event_run_default_impl(), ==, -1);
	g_assert_cmpint(vmh_event_add_handle(pair[0], VMH_HANDLE_READABLE, handle_cb, NULL, NULL), ==, -1);
	g_assert_cmpint(vmh_event_add_timeout(0, timeout_cb, NULL, NULL), ==, -1);
	g_assert_cmpint(vmh_event_remove_handle(1), ==, -1);
	g_assert_cmpint(vmh_event_remove_timeout(1), ==, -1);
	vmh_event_update_handle(1, 0);
	vmh_event_update_timeout(1, 0);
	close(pair[0]);
	close(pair[1]);
}

static void case_none(void)
{
	g_assert_null(event_loop_get());
	g_assert_true(event_loop_is_own_thread());
	g_assert_true(event_loop_check_thread(__func__));
	assert_not_default();
}

static void case_default(void)
{
	Seen piped = { 0 }, timed = { 0 };
	int pair[2], watch, writable, timer;

	g_assert_cmpint(vmh_event_register_default_impl(), ==, 0);
	assert_registered("poll");

	g_assert_cmpint(pipe2(pair, O_CLOEXEC), ==, 0);
	g_assert_cmpint(write(pair[1], "xx", 2), ==, 2);
	watch = vmh_event_add_handle(pair[0], 0, handle_cb, &piped, free_cb);
	g_assert_cmpint(watch, >, 0);
	/* Each descriptor once; then the free function is not called. */
	g_assert_cmpint(vmh_event_add_handle(pair[0], 0, handle_cb, &piped, free_cb), ==, -1);
	g_assert_cmpint(vmh_event_add_handle(-1, 0, handle_cb, &piped, free_cb), ==, -1);
	timer = vmh_event_add_timeout(0, timeout_cb, &timed, free_cb);
	g_assert_cmpint(timer, >, 0);

	g_assert_cmpint(vmh_event_run_default_impl(), ==, 0);
	g_assert_cmpuint(piped.calls, ==, 0);
	g_assert_cmpuint(timed.calls, ==, 1);

	vmh_event_update_handle(watch, VMH_HANDLE_READABLE);
	while (piped.calls < 2)
		g_assert_cmpint(vmh_event_run_default_impl(), ==, 0);
	g_assert_cmpint(piped.events, ==, VMH_HANDLE_READABLE);

	writable = vmh_event_add_handle(pair[1], VMH_HANDLE_WRITABLE, handle_cb, &piped, NULL);
	g_assert_cmpint(vmh_event_run_default_impl(), ==, 0);
	g_assert_cmpint(piped.events, ==, VMH_HANDLE_WRITABLE);
	/* It removed itself. */
	g_assert_cmpint(vmh_event_remove_handle(writable), ==, -1);

	g_assert_cmpint(vmh_event_remove_handle(watch), ==, 0);
	g_assert_cmpint(vmh_event_remove_timeout(timer), ==, 0);
	g_assert_cmpint(vmh_event_remove_timeout(timer), ==, -1);
	g_assert_cmpuint(piped.frees + timed.frees, ==, 0);
	timer = vmh_event_add_timeout(0, timeout_cb, &timed, NULL);
	g_assert_cmpint(vmh_event_run_default_impl(), ==, 0);
	g_assert_cmpuint(piped.frees, ==, 1);
	g_assert_cmpuint(timed.frees, ==, 1);
	close(pair[0]);
	close(pair[1]);
}

static void nesting_cb(int timer, void *userdata)
{
	Seen *seen = userdata;

	seen->calls++;
	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "*turning*");
	g_assert_cmpint(vmh_event_run_default_impl(), ==, -1);
	g_test_assert_expected_messages();
}

static void *use_elsewhere(void *unused)
{
	g_assert_nonnull(event_loop_get());
	g_assert_false(event_loop_is_own_thread());
	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "vmh_event_run_default_impl() is for the thread*");
	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "vmh_event_add_timeout() is for the thread*");
	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "use_elsewhere() is for the thread*");
	g_assert_cmpint(vmh_event_run_default_impl(), ==, -1);
	g_assert_cmpint(vmh_event_add_timeout(0, not_reached_cb, NULL, NULL), ==, -1);
	g_assert_false(event_loop_check_thread(__func__));
	g_test_assert_expected_messages();
	return NULL;
}

/* Mistakes of programming are told, and do nothing. */
static void case_mistakes(void)
{
	VmhEventImpl without = app_loop_impl;
	Seen seen = { 0 };

	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "*impl*failed");
	g_assert_cmpint(vmh_event_register_impl(NULL, NULL), ==, -1);
	without.remove_timeout = NULL;
	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "*remove_timeout*failed");
	g_assert_cmpint(vmh_event_register_impl(&without, NULL), ==, -1);
	g_test_expect_message("vmherald", G_LOG_LEVEL_CRITICAL, "*event*failed");
	g_assert_cmpint(vmh_event_register_sd_event(NULL), ==, -1);
	g_test_assert_expected_messages();
	g_assert_null(event_loop_get());

	g_assert_cmpint(vmh_event_register_default_impl(), ==, 0);
	g_thread_join(g_thread_new("elsewhere", use_elsewhere, NULL));
	vmh_event_add_timeout(0, nesting_cb, &seen, NULL);
	g_assert_cmpint(vmh_event_run_default_impl(), ==, 0);
	g_assert_cmpuint(seen.calls, ==, 1);
	g_assert_cmpint(vmh_event_run_default_impl(), ==, 0);
	g_assert_cmpuint(seen.calls, ==, 2);
}

static void case_glib(void)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	Seen seen = { 0 };

	g_assert_cmpint(vmh_event_register_glib(context), ==, 0);
	assert_registered("glib");
	assert_not_default();
	loop_add_timeout(event_loop_get(), 0, loop_timeout_cb, &seen, NULL);
	while (seen.calls == 0)
		g_main_context_iteration(context, TRUE);
}

static void case_sd_event(void)
{
	sd_event *event = NULL;
	Seen seen = { 0 };

	g_assert_cmpint(sd_event_new(&event), >=, 0);
	g_assert_cmpint(vmh_event_register_sd_event(event), ==, 0);
	sd_event_unref(event);
	assert_registered("sd-event");
	assert_not_default();
	loop_add_timeout(event_loop_get(), 0, loop_timeout_cb, &seen, NULL);
	while (seen.calls == 0)
		g_assert_cmpint(sd_event_run(event, UINT64_MAX), >=, 0);
}

static void case_app(void)
{
	AppLoop *app = app_loop_new(0);
	VmhEventImpl impl = app_loop_impl;
	Seen seen = { 0 };

	/* Refused, it has not been registered. */
	app_loop_refuse(app, true);
	g_assert_cmpint(vmh_event_register_impl(&impl, app), ==, -1);
	g_assert_null(event_loop_get());
	app_loop_refuse(app, false);
	g_assert_cmpint(vmh_event_register_impl(&impl, app), ==, 0);
	/* It was copied. */
	memset(&impl, 0, sizeof(impl));
	assert_registered("application");
	assert_not_default();
	loop_add_timeout(event_loop_get(), 0, loop_timeout_cb, &seen, NULL);
	while (seen.calls == 0)
		app_loop_turn(app, -1);
}

static void *register_at_once(void *won)
{
	if (vmh_event_register_default_impl() == 0)
		g_atomic_int_inc((int *)won);
	return NULL;
}

static void case_race(void)
{
	GThread *threads[8];
	int won = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("registering", register_at_once, &won);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	g_assert_cmpint(won, ==, 1);
	g_assert_nonnull(event_loop_get());
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "none", case_none },
	{ "default", case_default },
	{ "mistakes", case_mistakes },
	{ "glib", case_glib },
	{ "sd-event", case_sd_event },
	{ "app", case_app },
	{ "race", case_race },
};

static void run_in_process(gconstpointer index)
{
	if (g_test_subprocess()) {
		cases[GPOINTER_TO_UINT(index)].run();
		return;
	}
	g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
	g_test_trap_assert_passed();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strdup_printf("/client/event-loop/%s", cases[i].name);

		g_test_add_data_func(path, GUINT_TO_POINTER(i), run_in_process);
	}
	return g_test_run();
}
