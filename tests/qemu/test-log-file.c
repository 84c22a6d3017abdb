/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/log-file.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* Logs that others write: moved on at a start, emptied when they are too long, read at an end. */

typedef struct Fixture {
	char *folder, *log;
	int writer;          /* as QEMU has it open */
} Fixture;

static void open_writer(Fixture *fixture)
{
	fixture->writer = open(fixture->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	g_assert_cmpint(fixture->writer, >=, 0);
}

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("log-XXXXXX", NULL);
	fixture->log = g_build_filename(fixture->folder, "qemu.log", NULL);
	open_writer(fixture);
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_autoptr(GDir) directory = g_dir_open(fixture->folder, 0, NULL);
	const char *name;

	close(fixture->writer);
	while ((name = g_dir_read_name(directory))) {
		g_autofree char *path = g_build_filename(fixture->folder, name, NULL);

		g_remove(path);
	}
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->folder);
	g_free(fixture->log);
}

static void write_text(Fixture *fixture, const char *text, size_t length)
{
	g_assert_cmpint(write(fixture->writer, text, length), ==, (ssize_t) length);
}

static void write_lines(Fixture *fixture, size_t size)
{
	g_autoptr(GString) text = g_string_new(NULL);
	unsigned i;

	for (i = 0; text->len < size; i++)
		g_string_append_printf(text, "line %010u\n", i);
	write_text(fixture, text->str, size);
}

/* NULL: there is no such file. number 0: the log itself. */
static char *read_log(Fixture *fixture, unsigned number)
{
	g_autofree char *path = number == 0 ? g_strdup(fixture->log) :
					      g_strdup_printf("%s.%u", fixture->log, number);
	char *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

static void check_log(Fixture *fixture, unsigned number, const char *expected)
{
	g_autofree char *text = read_log(fixture, number);

	g_assert_cmpstr(text, ==, expected);
}

static void limit(Fixture *fixture)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(qemu_log_limit(fixture->log, &error));
	g_assert_no_error(error);
}

static void test_begin(Fixture *fixture, const void *data)
{
	unsigned i;

	for (i = 0; i < QEMU_LOG_OLD_MAX + 3; i++) {
		g_autofree char *text = g_strdup_printf("%u", i);

		write_text(fixture, text, strlen(text));
		close(fixture->writer);
		g_assert_true(qemu_log_begin(fixture->log, NULL));
		check_log(fixture, 0, NULL);
		open_writer(fixture);
		/* One that says nothing stays where it is. */
		g_assert_true(qemu_log_begin(fixture->log, NULL));
		check_log(fixture, 0, "");
	}
	check_log(fixture, 1, "5");
	check_log(fixture, 2, "4");
	check_log(fixture, 3, "3");
	check_log(fixture, 4, NULL);
}

static void test_short(Fixture *fixture, const void *data)
{
	g_autofree char *text = NULL, *missing = g_strconcat(fixture->log, "x", NULL);

	write_lines(fixture, QEMU_LOG_SIZE_MAX);
	limit(fixture);
	text = read_log(fixture, 0);
	g_assert_cmpuint(strlen(text), ==, QEMU_LOG_SIZE_MAX);
	check_log(fixture, 1, NULL);
	g_assert_true(qemu_log_limit(missing, NULL));
	check_log(fixture, 1, NULL);
}

static void test_long(Fixture *fixture, const void *data)
{
	g_autofree char *old = NULL, *text = NULL, *second = NULL;
	struct stat info;
	unsigned i;

	write_lines(fixture, 3 * QEMU_LOG_SIZE_MAX);
	limit(fixture);
	/* Its last part, and the writer goes on at the new end. */
	old = read_log(fixture, 1);
	g_assert_cmpuint(strlen(old), ==, QEMU_LOG_SIZE_MAX);
	write_text(fixture, "goes on\n", 8);
	text = read_log(fixture, 0);
	g_assert_true(g_str_has_suffix(text, "]\ngoes on\n"));
	g_assert_cmpuint(strlen(text), <, 100);
	g_assert_cmpint(stat(fixture->log, &info), ==, 0);
	g_assert_cmpint(info.st_size, <, 100);

	for (i = 0; i < 2 * QEMU_LOG_OLD_MAX; i++) {
		write_lines(fixture, QEMU_LOG_SIZE_MAX + 1);
		limit(fixture);
	}
	second = read_log(fixture, QEMU_LOG_OLD_MAX);
	g_assert_cmpuint(strlen(second), ==, QEMU_LOG_SIZE_MAX);
	check_log(fixture, QEMU_LOG_OLD_MAX + 1, NULL);
}

static void test_all(Fixture *fixture, const void *data)
{
	g_autofree char *console = g_build_filename(fixture->folder, "console-a.log", NULL);
	g_autofree char *other = g_build_filename(fixture->folder, "other.txt", NULL);
	g_autofree char *text = g_strnfill(QEMU_LOG_SIZE_MAX + 1, 'x'), *after = NULL;
	struct stat info;

	write_text(fixture, text, QEMU_LOG_SIZE_MAX + 1);
	g_assert_true(g_file_set_contents(console, text, -1, NULL));
	g_assert_true(g_file_set_contents(other, text, -1, NULL));
	qemu_log_limit_all(fixture->folder);
	qemu_log_limit_all("/nonexistent");
	g_assert_cmpint(stat(fixture->log, &info), ==, 0);
	g_assert_cmpint(info.st_size, <, 100);
	g_assert_cmpint(stat(console, &info), ==, 0);
	g_assert_cmpint(info.st_size, <, 100);
	g_assert_cmpint(stat(other, &info), ==, 0);
	g_assert_cmpuint(info.st_size, ==, QEMU_LOG_SIZE_MAX + 1);
}

/* Where no copy can be made, the bound still holds. */
static void test_no_copy(Fixture *fixture, const void *data)
{
	g_autofree char *copy = g_strconcat(fixture->log, ".copy", NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	g_assert_cmpint(g_mkdir(copy, 0700), ==, 0);
	write_lines(fixture, QEMU_LOG_SIZE_MAX + 1);
	g_assert_false(qemu_log_limit(fixture->log, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(error->message, copy));
	check_log(fixture, 0, "");
	check_log(fixture, 1, NULL);
}

/* Nothing but a regular file is touched. */
static void test_no_file(Fixture *fixture, const void *data)
{
	g_autofree char *link = g_build_filename(fixture->folder, "link.log", NULL);
	g_autofree char *text = NULL;

	g_assert_cmpint(symlink(fixture->log, link), ==, 0);
	write_lines(fixture, QEMU_LOG_SIZE_MAX + 1);
	g_assert_false(qemu_log_limit(link, NULL));
	text = read_log(fixture, 0);
	g_assert_cmpuint(strlen(text), ==, QEMU_LOG_SIZE_MAX + 1);
}

/* What QEMU says last is told, also if the file was emptied a moment before. */
static void test_tail_after_limit(Fixture *fixture, const void *data)
{
	g_autofree char *before = NULL, *after = NULL, *long_after = NULL;

	write_lines(fixture, QEMU_LOG_SIZE_MAX);
	write_text(fixture, "the reason\n", 11);
	limit(fixture);
	before = qemu_log_tail(fixture->log);
	g_assert_true(g_str_has_prefix(before, "line 0"));
	g_assert_true(g_str_has_suffix(before, "the reason"));
	g_assert_cmpuint(strlen(before), >, QEMU_STDERR_TAIL_MAX - 100);

	write_text(fixture, "the end\n", 8);
	after = qemu_log_tail(fixture->log);
	g_assert_true(g_str_has_suffix(after, "the reason\nthe end"));
	g_assert_cmpuint(strlen(after), <=, QEMU_STDERR_TAIL_MAX);

	write_lines(fixture, 2 * QEMU_STDERR_TAIL_MAX);
	long_after = qemu_log_tail(fixture->log);
	g_assert_null(strstr(long_after, "the end"));
}

/* That of the last run is not this one's. */
static void test_tail_of_this_run(Fixture *fixture, const void *data)
{
	g_autofree char *tail = NULL;

	write_text(fixture, "old\n", 4);
	g_assert_true(qemu_log_begin(fixture->log, NULL));
	close(fixture->writer);
	open_writer(fixture);
	write_text(fixture, "new\n", 4);
	tail = qemu_log_tail(fixture->log);
	g_assert_cmpstr(tail, ==, "new");
}

#define ADD(name, function) \
	g_test_add("/qemu/log-file/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("begin", test_begin);
	ADD("short", test_short);
	ADD("long", test_long);
	ADD("all", test_all);
	ADD("no-copy", test_no_copy);
	ADD("no-file", test_no_file);
	ADD("tail-after-limit", test_tail_after_limit);
	ADD("tail-of-this-run", test_tail_of_this_run);
	return g_test_run();
}
