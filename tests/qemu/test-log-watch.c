/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/log-watch.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "loop/loop-poll.h"

/* Folders of logs that somebody writes to. */

typedef struct Fixture {
	Loop *loop;
	QemuLogWatch *watch;
	char *folder, *log;
	int writer;
	GString *written;            /* keys, with a space behind each */
} Fixture;

static void on_written(const char *key, void *userdata)
{
	g_string_append_printf(((Fixture *)userdata)->written, "%s ", key ? key : "any");
}

static void set_up(Fixture *fixture, const void *data)
{
	fixture->loop = loop_poll_new();
	fixture->watch = qemu_log_watch_new(fixture->loop, on_written, fixture);
	g_assert_nonnull(fixture->watch);
	fixture->folder = g_dir_make_tmp("log-watch-XXXXXX", NULL);
	fixture->log = g_build_filename(fixture->folder, "qemu.log", NULL);
	fixture->writer = open(fixture->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	g_assert_cmpint(fixture->writer, >=, 0);
	fixture->written = g_string_new(NULL);
}

static void tear_down(Fixture *fixture, const void *data)
{
	qemu_log_watch_free(fixture->watch);
	loop_free(fixture->loop);
	g_assert_cmpint(close(fixture->writer), ==, 0);
	(void)g_unlink(fixture->log);
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->folder);
	g_free(fixture->log);
	g_string_free(fixture->written, TRUE);
}

static void write_line(Fixture *fixture)
{
	g_assert_cmpint(write(fixture->writer, "line\n", 5), ==, 5);
}

/* What the kernel has to say is there as soon as the write is done. */
static void run(Fixture *fixture)
{
	while (loop_run_once(fixture->loop, 0))
		;
}

static int arm(Fixture *fixture)
{
	int number = qemu_log_watch_arm(fixture->watch, fixture->folder);

	g_assert_cmpint(number, >, 0);
	return number;
}

static void assert_written(Fixture *fixture, const char *expected)
{
	run(fixture);
	g_assert_cmpstr(fixture->written->str, ==, expected);
	g_string_truncate(fixture->written, 0);
}

/* However much is written, once for each time that it was armed. */
static void test_once(Fixture *fixture, const void *data)
{
	for (unsigned i = 0; i < 3; i++) {
		qemu_log_watch_note(fixture->watch, arm(fixture), "a");
		qemu_log_watch_noted(fixture->watch);
		assert_written(fixture, "");
		write_line(fixture);
		assert_written(fixture, "a ");
		write_line(fixture);
		assert_written(fixture, "");
	}
}

/* The worker has armed it, and the event thread does not know yet whose it is. */
static void test_before_it_is_noted(Fixture *fixture, const void *data)
{
	int number = arm(fixture);

	write_line(fixture);
	assert_written(fixture, "");
	qemu_log_watch_note(fixture->watch, number, "a");
	assert_written(fixture, "a ");
	qemu_log_watch_noted(fixture->watch);
	write_line(fixture);
	assert_written(fixture, "");
}

/* Armed once more before anything was written. */
static void test_armed_twice(Fixture *fixture, const void *data)
{
	qemu_log_watch_note(fixture->watch, arm(fixture), "a");
	qemu_log_watch_note(fixture->watch, arm(fixture), "a");
	write_line(fixture);
	assert_written(fixture, "a ");
}

static void test_forgotten(Fixture *fixture, const void *data)
{
	qemu_log_watch_note(fixture->watch, arm(fixture), "a");
	qemu_log_watch_forget(fixture->watch, "b");
	qemu_log_watch_forget(fixture->watch, "a");
	qemu_log_watch_forget(NULL, "a");
	write_line(fixture);
	assert_written(fixture, "");
}

static void test_not_there(Fixture *fixture, const void *data)
{
	g_assert_cmpint(qemu_log_watch_arm(fixture->watch, "/nonexistent"), ==, -1);
	g_assert_cmpint(qemu_log_watch_arm(fixture->watch, fixture->log), ==, -1);
	g_assert_cmpint(qemu_log_watch_arm(NULL, fixture->folder), ==, -1);
}

#define ADD(name, function)                                                                        \
	g_test_add("/qemu/log-watch/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("once", test_once);
	ADD("before-it-is-noted", test_before_it_is_noted);
	ADD("armed-twice", test_armed_twice);
	ADD("forgotten", test_forgotten);
	ADD("not-there", test_not_there);
	return g_test_run();
}
