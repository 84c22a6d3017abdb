/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/definition-watch.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/directories.h"
#include "loop/loop-poll.h"

#define DEADLINE_US (30 * G_TIME_SPAN_SECOND)
#define INTERVAL_MS 1
#define RETRY_MS 20

typedef struct Fixture {
	Loop *loop;
	char *root, *parent, *folder, *file;
	DefinitionWatch *watch;
	unsigned n_reasons;
} Fixture;

static void on_reason(void *userdata)
{
	((Fixture *)userdata)->n_reasons++;
}

static void make_folder(const Fixture *fixture)
{
	g_assert_cmpint(g_mkdir_with_parents(fixture->folder, 0700), ==, 0);
}

static void set_up(Fixture *fixture, const void *data)
{
	g_autoptr(GError) error = NULL;

	fixture->loop = loop_poll_new();
	fixture->root = g_dir_make_tmp("definition-watch-XXXXXX", NULL);
	fixture->parent = g_build_filename(fixture->root, "parent", NULL);
	fixture->folder = g_build_filename(fixture->parent, "domains", NULL);
	fixture->file = g_build_filename(fixture->folder, "web.json", NULL);
	make_folder(fixture);
	fixture->watch = definition_watch_new(fixture->loop, fixture->folder, INTERVAL_MS, RETRY_MS,
					      on_reason, fixture, &error);
	g_assert_no_error(error);
	definition_watch_renew(fixture->watch);
	definition_watch_resume(fixture->watch);
}

static void tear_down(Fixture *fixture, const void *data)
{
	fixture->watch = definition_watch_free(fixture->watch);
	fixture->loop = loop_free(fixture->loop);
	g_assert_true(directories_remove(fixture->root, NULL));
	g_free(fixture->root);
	g_free(fixture->parent);
	g_free(fixture->folder);
	g_free(fixture->file);
}

/* Not g_file_set_contents(), which waits for the disk. */
static void put(const Fixture *fixture, const char *text)
{
	FILE *stream = fopen(fixture->file, "we");

	g_assert_nonnull(stream);
	g_assert_cmpint(fputs(text, stream), >=, 0);
	g_assert_cmpint(fclose(stream), ==, 0);
}

/* Until there is a reason to look, as there must be. */
static void wait_for_reason(Fixture *fixture)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_US;

	fixture->n_reasons = 0;
	while (fixture->n_reasons == 0) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		(void)loop_run_once(fixture->loop, 100);
	}
	g_assert_cmpuint(fixture->n_reasons, ==, 1);
}

static void look(Fixture *fixture)
{
	definition_watch_renew(fixture->watch);
	definition_watch_resume(fixture->watch);
}

/* Nothing is due, for longer than the interval. */
static void assert_quiet(Fixture *fixture)
{
	fixture->n_reasons = 0;
	while (loop_run_once(fixture->loop, 10 * INTERVAL_MS))
		;
	g_assert_cmpuint(fixture->n_reasons, ==, 0);
}

/* What letting go of an old watch leaves behind is one more reason. */
static void look_until_quiet(Fixture *fixture)
{
	look(fixture);
	fixture->n_reasons = 0;
	while (loop_run_once(fixture->loop, 10 * INTERVAL_MS)) {
		if (fixture->n_reasons > 0)
			look(fixture);
		g_assert_cmpuint(fixture->n_reasons, <, 10);
	}
}

static void test_reasons(Fixture *fixture, const void *data)
{
	g_autofree char *other = g_build_filename(fixture->folder, "other.json", NULL);

	assert_quiet(fixture);
	put(fixture, "1");
	wait_for_reason(fixture);
	look(fixture);
	assert_quiet(fixture);
	put(fixture, "2");
	wait_for_reason(fixture);
	look(fixture);
	g_assert_cmpint(g_rename(fixture->file, other), ==, 0);
	wait_for_reason(fixture);
	look(fixture);
	g_assert_cmpint(symlink("nowhere", fixture->file), ==, 0);
	wait_for_reason(fixture);
	look(fixture);
	g_assert_cmpint(g_unlink(other), ==, 0);
	wait_for_reason(fixture);
	look(fixture);
	assert_quiet(fixture);
}

/* An editor that writes a thousand times is one reason, and while somebody looks at it none. */
static void test_coalesced(Fixture *fixture, const void *data)
{
	for (unsigned i = 0; i < 1000; i++)
		put(fixture, "1");
	wait_for_reason(fixture);
	for (unsigned i = 0; i < 1000; i++)
		put(fixture, "2");
	assert_quiet(fixture);
	/* What has come meanwhile is read with the first. */
	look(fixture);
	assert_quiet(fixture);
	/* What comes after the look has begun is the next. */
	put(fixture, "3");
	wait_for_reason(fixture);
	definition_watch_renew(fixture->watch);
	put(fixture, "4");
	assert_quiet(fixture);
	definition_watch_resume(fixture->watch);
	wait_for_reason(fixture);
}

/* The kernel's queue is full: that is a reason as well, and afterwards all is as before. */
static void test_overflow(Fixture *fixture, const void *data)
{
	g_autofree char *text = NULL;
	unsigned max;

	g_assert_true(g_file_get_contents("/proc/sys/fs/inotify/max_queued_events", &text, NULL, NULL));
	max = (unsigned)g_ascii_strtoull(text, NULL, 10);
	if (max > 1000000) {
		g_test_skip("the queue of this system has no end");
		return;
	}
	/* Two events each at least, and none is like the one before it. */
	for (unsigned i = 0; i <= max / 2; i++) {
		put(fixture, "");
		g_assert_cmpint(g_unlink(fixture->file), ==, 0);
	}
	wait_for_reason(fixture);
	look(fixture);
	assert_quiet(fixture);
	put(fixture, "1");
	wait_for_reason(fixture);
}

static void test_folder_replaced(Fixture *fixture, const void *data)
{
	g_autofree char *away = g_build_filename(fixture->root, "away", NULL);

	g_assert_cmpint(g_rename(fixture->folder, away), ==, 0);
	wait_for_reason(fixture);
	look_until_quiet(fixture);
	make_folder(fixture);
	wait_for_reason(fixture);
	look_until_quiet(fixture);
	put(fixture, "1");
	wait_for_reason(fixture);
	look_until_quiet(fixture);
	/* The old one is nobody's any more. */
	g_free(fixture->file);
	fixture->file = g_build_filename(away, "web.json", NULL);
	put(fixture, "2");
	assert_quiet(fixture);
}

static void test_folder_removed(Fixture *fixture, const void *data)
{
	put(fixture, "1");
	wait_for_reason(fixture);
	g_assert_true(directories_remove(fixture->folder, NULL));
	look_until_quiet(fixture);
	make_folder(fixture);
	wait_for_reason(fixture);
	look_until_quiet(fixture);
	put(fixture, "2");
	wait_for_reason(fixture);
}

/* Nothing is left to be watched: then it is looked for from time to time. */
static void test_all_removed(Fixture *fixture, const void *data)
{
	g_assert_true(directories_remove(fixture->parent, NULL));
	wait_for_reason(fixture);
	look(fixture);
	wait_for_reason(fixture);
	look(fixture);
	make_folder(fixture);
	wait_for_reason(fixture);
	look_until_quiet(fixture);
	put(fixture, "1");
	wait_for_reason(fixture);
}

#define ADD(name, function)                                                                        \
	g_test_add("/domain/definition-watch/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("reasons", test_reasons);
	ADD("coalesced", test_coalesced);
	ADD("overflow", test_overflow);
	ADD("folder-replaced", test_folder_replaced);
	ADD("folder-removed", test_folder_removed);
	ADD("all-removed", test_all_removed);
	return g_test_run();
}
