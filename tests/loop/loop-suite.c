/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop-suite.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop-suite-private.h"

static void test_readable(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	g_assert_false(loop_run_once(fixture->loop, 0));
	g_assert_cmpuint(probe->calls, ==, 0);

	probe_feed(probe);
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	g_assert_cmpuint(probe->calls, ==, 1);
	g_assert_cmpuint(probe->last, ==, LOOP_READABLE);

	/* Level-triggered: what is not read is reported again. */
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	g_assert_cmpuint(probe->calls, ==, 2);

	probe_drain(probe);
	g_assert_false(loop_run_once(fixture->loop, 0));
	g_assert_cmpuint(probe->calls, ==, 2);
}

static void test_writable(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_WRITABLE);
	char block[4096] = { 0 };

	probe_feed(probe);
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	/* Readable it is, but nobody asked. */
	g_assert_cmpuint(probe->last, ==, LOOP_WRITABLE);

	while (write(probe->fds[0], block, sizeof(block)) > 0)
		;
	g_assert_false(loop_run_once(fixture->loop, 0));

	while (read(probe->fds[1], block, sizeof(block)) > 0)
		;
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	g_assert_cmpuint(probe->calls, ==, 2);
}

static void test_readable_and_writable(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE | LOOP_WRITABLE);

	probe_feed(probe);
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	/* One call with both, not two. */
	g_assert_cmpuint(probe->calls, ==, 1);
	g_assert_cmpuint(probe->last, ==, LOOP_READABLE | LOOP_WRITABLE);
}

static void close_peer(Probe *probe)
{
	close(probe->fds[1]);
	probe->fds[1] = -1;
}

static void test_hangup(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, 0);

	g_assert_false(loop_run_once(fixture->loop, 0));
	close_peer(probe);
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	g_assert_cmpuint(probe->last, ==, LOOP_HANGUP);
	probe_remove(probe);
	g_assert_false(loop_run_once(fixture->loop, 0));
}

static void test_data_with_hangup(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);
	char byte;

	probe_feed(probe);
	close_peer(probe);
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	g_assert_cmpuint(probe->last, ==, LOOP_READABLE | LOOP_HANGUP);
	g_assert_cmpint(read(probe->fds[0], &byte, 1), ==, 1);
	g_assert_cmpint(read(probe->fds[0], &byte, 1), ==, 0);
}

static void test_error(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_unwatched(fixture);
	int ends[2];

	/* The writing end of a pipe that nobody reads. */
	close(probe->fds[0]);
	close(probe->fds[1]);
	g_assert_cmpint(pipe2(ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
	probe->fds[0] = ends[1];
	probe->fds[1] = ends[0];
	probe_watch(probe, 0);

	g_assert_false(loop_run_once(fixture->loop, 0));
	close_peer(probe);
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	g_assert_cmpuint(probe->last, ==, LOOP_ERROR);
}

static void test_update(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, 0);

	probe_feed(probe);
	g_assert_false(loop_run_once(fixture->loop, 0));

	loop_update_handle(fixture->loop, probe->id, LOOP_READABLE);
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	g_assert_cmpuint(probe->last, ==, LOOP_READABLE);

	loop_update_handle(fixture->loop, probe->id, LOOP_WRITABLE);
	g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
	g_assert_cmpuint(probe->last, ==, LOOP_WRITABLE);

	loop_update_handle(fixture->loop, probe->id, 0);
	g_assert_false(loop_run_once(fixture->loop, 0));
	g_assert_cmpuint(probe->calls, ==, 2);

	/* Unknown ids: an update that comes too late is no error. */
	loop_update_handle(fixture->loop, 12345, LOOP_READABLE);
	g_assert_false(loop_remove_handle(fixture->loop, 12345));
}

static void ignore_cb(int handle, int fd, LoopEvents events, void *userdata)
{
}

static void not_reached_free(void *userdata)
{
	g_assert_not_reached();
}

static void test_refused(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);
	g_autofree char *path = NULL;
	int file = g_file_open_tmp(NULL, &path, NULL);
	int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int closed = dup(folder);
	const int refused[] = { -1, closed, file, folder, probe->fds[0] };

	close(closed);
	g_assert_cmpint(file, >=, 0);
	g_assert_cmpint(folder, >=, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++)
		g_assert_cmpint(loop_add_handle(fixture->loop, refused[i], LOOP_READABLE, ignore_cb,
						NULL, not_reached_free), ==, -1);

	close(file);
	close(folder);
	unlink(path);

	/* The one that was there works on. */
	probe_feed(probe);
	run_until_calls(fixture, probe, 1);
}

static void test_remove_frees_later(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	probe_feed(probe);
	probe_remove(probe);
	g_assert_cmpuint(probe->frees, ==, 0);
	g_assert_false(loop_run_once(fixture->loop, 0));
	g_assert_cmpuint(probe->frees, ==, 1);
	g_assert_cmpuint(probe->calls, ==, 0);
}

static void remove_self(Probe *self)
{
	probe_remove(self);
	g_assert_cmpuint(self->frees, ==, 0);
}

static void test_remove_self(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	probe->action = remove_self;
	probe_feed(probe);
	run_until_calls(fixture, probe, 1);
	run_until_quiet(fixture);
	g_assert_cmpuint(probe->calls, ==, 1);
	g_assert_cmpuint(probe->frees, ==, 1);
}

static void remove_other(Probe *self)
{
	if (self->other->id > 0)
		probe_remove(self->other);
	probe_drain(self);
}

/* Both are ready in one turn; whichever comes first removes the other. */
static void test_remove_other_ready(Fixture *fixture, gconstpointer unused)
{
	Probe *a = probe_new_pair(fixture, LOOP_READABLE);
	Probe *b = probe_new_pair(fixture, LOOP_READABLE);

	a->other = b;
	b->other = a;
	a->action = b->action = remove_other;
	probe_feed(a);
	probe_feed(b);
	run_until_quiet(fixture);
	g_assert_cmpuint(a->calls + b->calls, ==, 1);
	g_assert_cmpuint(a->frees + b->frees, ==, 1);
}

static void silence_other(Probe *self)
{
	loop_update_handle(self->loop, self->other->id, 0);
	probe_drain(self);
}

static void test_update_other_ready(Fixture *fixture, gconstpointer unused)
{
	Probe *a = probe_new_pair(fixture, LOOP_READABLE);
	Probe *b = probe_new_pair(fixture, LOOP_READABLE);

	a->other = b;
	b->other = a;
	a->action = b->action = silence_other;
	probe_feed(a);
	probe_feed(b);
	run_until_quiet(fixture);
	g_assert_cmpuint(a->calls + b->calls, ==, 1);
}

static void remove_both_and_itself(Probe *self)
{
	if (self->other->id > 0)
		probe_remove(self->other);
	probe_remove(self);
}

static void test_remove_both(Fixture *fixture, gconstpointer unused)
{
	Probe *a = probe_new_pair(fixture, LOOP_READABLE);
	Probe *b = probe_new_pair(fixture, LOOP_READABLE);

	a->other = b;
	b->other = a;
	a->action = b->action = remove_both_and_itself;
	probe_feed(a);
	probe_feed(b);
	run_until_quiet(fixture);
	g_assert_cmpuint(a->calls + b->calls, ==, 1);
	g_assert_cmpuint(a->frees, ==, 1);
	g_assert_cmpuint(b->frees, ==, 1);
}

static void watch_other(Probe *self)
{
	probe_drain(self);
	probe_watch(self->other, LOOP_READABLE);
}

static void test_add_inside(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	probe->other = probe_new_unwatched(fixture);
	probe->action = watch_other;
	probe_feed(probe->other);
	probe_feed(probe);
	run_until_calls(fixture, probe->other, 1);
	g_assert_cmpuint(probe->calls, ==, 1);
}

static void toggle_events(Probe *self)
{
	loop_update_handle(self->loop, self->id,
			   self->last == LOOP_WRITABLE ? LOOP_READABLE : LOOP_WRITABLE);
}

static void test_update_inside(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	probe->action = toggle_events;
	probe_feed(probe);
	for (unsigned i = 1; i <= 6; i++) {
		run_until_calls(fixture, probe, i);
		g_assert_cmpuint(probe->last, ==, i % 2 ? LOOP_READABLE : LOOP_WRITABLE);
	}
}

/* The next owner of the number must not get what was collected for the one before. */
static void replace_handle(Probe *self)
{
	Probe *next = self->other;
	int fd = self->fds[0];

	probe_remove(self);
	g_assert_cmpint(dup2(next->fds[0], fd), ==, fd);
	close(next->fds[0]);
	next->fds[0] = fd;
	self->fds[0] = -1;
	probe_watch(next, LOOP_READABLE);
	g_assert_cmpint(next->id, !=, self->id);
}

static void test_replace_inside(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	probe->other = probe_new_unwatched(fixture);
	probe->action = replace_handle;
	probe_feed(probe);
	run_until_calls(fixture, probe, 1);
	run_until_quiet(fixture);
	g_assert_cmpuint(probe->frees, ==, 1);
	g_assert_cmpuint(probe->other->calls, ==, 0);

	probe_feed(probe->other);
	run_until_calls(fixture, probe->other, 1);
}

static void rewatch_same(Probe *self)
{
	Probe *next = self->other;

	probe_remove(self);
	next->fds[0] = self->fds[0];
	next->fds[1] = self->fds[1];
	self->fds[0] = self->fds[1] = -1;
	probe_watch(next, LOOP_READABLE);
}

static void test_remove_add_same_fd(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	probe->other = probe_new_unwatched(fixture);
	close(probe->other->fds[0]);
	close(probe->other->fds[1]);
	probe->action = rewatch_same;
	probe_feed(probe);
	run_until_calls(fixture, probe->other, 1);
	g_assert_cmpuint(probe->calls, ==, 1);
	g_assert_cmpuint(probe->other->last, ==, LOOP_READABLE);
}

static void test_loop_free_frees(Fixture *fixture, gconstpointer unused)
{
	Probe *probes[] = {
		probe_new_pair(fixture, LOOP_READABLE), probe_new_pair(fixture, 0),
		probe_new_timeout(fixture, 1000),	probe_new_timeout(fixture, LOOP_DISABLED),
		probe_new_pair(fixture, LOOP_READABLE), probe_new_timeout(fixture, 0),
	};

	/* Some removed and not freed yet, some still watched. */
	probe_remove(probes[1]);
	probe_remove(probes[5]);
	fixture->loop = loop_free(fixture->loop);
	for (unsigned i = 0; i < G_N_ELEMENTS(probes); i++)
		g_assert_cmpuint(probes[i]->frees, ==, 1);
}

typedef struct Chain {
	Loop *loop;
	int next;
	unsigned *n_freed;
} Chain;

static void chain_free(void *userdata)
{
	Chain *chain = userdata;

	/* An object that goes takes its other watches along. */
	loop_remove_timeout(chain->loop, chain->next);
	(*chain->n_freed)++;
	g_free(chain);
}

static void ignore_timeout_cb(int timeout, void *userdata)
{
}

static int chain_new(Loop *loop, unsigned length, unsigned *n_freed)
{
	int next = -1;

	while (length-- > 0) {
		Chain *chain = g_new(Chain, 1);

		*chain = (Chain){ .loop = loop, .next = next, .n_freed = n_freed };
		next = loop_add_timeout(loop, LOOP_DISABLED, ignore_timeout_cb, chain, chain_free);
	}
	return next;
}

static void test_free_removes_others(Fixture *fixture, gconstpointer unused)
{
	unsigned n_freed = 0;
	int first = chain_new(fixture->loop, 20, &n_freed);

	g_assert_true(loop_remove_timeout(fixture->loop, first));
	g_assert_cmpuint(n_freed, ==, 0);
	run_until_quiet(fixture);
	g_assert_cmpuint(n_freed, ==, 20);

	chain_new(fixture->loop, 20, &n_freed);
	fixture->loop = loop_free(fixture->loop);
	g_assert_cmpuint(n_freed, ==, 40);
}

static void test_ids_not_reused(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	Probe *probe = probe_new_unwatched(fixture);

	probe_watch(probe, LOOP_READABLE);
	g_hash_table_add(seen, GINT_TO_POINTER(probe->id));
	for (unsigned i = 0; i < 500; i++) {
		int fd = probe->fds[1];
		int handle = loop_add_handle(fixture->loop, fd, LOOP_READABLE, ignore_cb, NULL,
					     NULL);
		int timeout = loop_add_timeout(fixture->loop, 1000, ignore_timeout_cb, NULL, NULL);

		g_assert_cmpint(handle, >, 0);
		g_assert_cmpint(timeout, >, 0);
		g_assert_true(g_hash_table_add(seen, GINT_TO_POINTER(handle)));
		g_assert_true(g_hash_table_add(seen, GINT_TO_POINTER(timeout)));
		/* Handles and timeouts are two kinds, also where the ids are one row. */
		g_assert_false(loop_remove_timeout(fixture->loop, handle));
		g_assert_false(loop_remove_handle(fixture->loop, timeout));
		g_assert_true(loop_remove_handle(fixture->loop, handle));
		g_assert_true(loop_remove_timeout(fixture->loop, timeout));
	}
}

#define N_MANY 1000

static void drain_self(Probe *self)
{
	probe_drain(self);
}

static void test_many_handles(Fixture *fixture, gconstpointer unused)
{
	struct rlimit limit;
	Probe *probes[N_MANY];
	unsigned n_called;
	gint64 deadline = g_get_monotonic_time() + LOOP_SUITE_DEADLINE_MS * 1000;

	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	limit.rlim_cur = MAX(limit.rlim_cur, MIN(limit.rlim_max, 2 * N_MANY + 100));
	g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
	if (limit.rlim_cur < 2 * N_MANY + 100)
		g_error("the hard limit of open files is too low for this test");

	for (unsigned i = 0; i < N_MANY; i++) {
		probes[i] = probe_new_pair(fixture, LOOP_READABLE);
		probes[i]->action = drain_self;
	}
	/* Every second one goes, so that the tables have holes. */
	for (unsigned i = 1; i < N_MANY; i += 2)
		probe_remove(probes[i]);
	for (unsigned i = 0; i < N_MANY; i++)
		probe_feed(probes[i]);

	do {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS);
		n_called = 0;
		for (unsigned i = 0; i < N_MANY; i++)
			n_called += probes[i]->calls;
	} while (n_called < N_MANY / 2);
	run_until_quiet(fixture);

	for (unsigned i = 0; i < N_MANY; i++) {
		g_assert_cmpuint(probes[i]->calls, ==, i % 2 ? 0 : 1);
		g_assert_cmpuint(probes[i]->frees, ==, i % 2 ? 1 : 0);
	}
}

void loop_suite_add(const char *name, LoopSuiteNew new_loop)
{
	suite_test(name, "readable", new_loop, test_readable);
	suite_test(name, "writable", new_loop, test_writable);
	suite_test(name, "readable-and-writable", new_loop, test_readable_and_writable);
	suite_test(name, "hangup", new_loop, test_hangup);
	suite_test(name, "data-with-hangup", new_loop, test_data_with_hangup);
	suite_test(name, "error", new_loop, test_error);
	suite_test(name, "update", new_loop, test_update);
	suite_test(name, "refused", new_loop, test_refused);
	suite_test(name, "remove-frees-later", new_loop, test_remove_frees_later);
	suite_test(name, "remove-self", new_loop, test_remove_self);
	suite_test(name, "remove-other-ready", new_loop, test_remove_other_ready);
	suite_test(name, "update-other-ready", new_loop, test_update_other_ready);
	suite_test(name, "remove-both", new_loop, test_remove_both);
	suite_test(name, "add-inside", new_loop, test_add_inside);
	suite_test(name, "update-inside", new_loop, test_update_inside);
	suite_test(name, "replace-inside", new_loop, test_replace_inside);
	suite_test(name, "remove-add-same-fd", new_loop, test_remove_add_same_fd);
	suite_test(name, "loop-free-frees", new_loop, test_loop_free_frees);
	suite_test(name, "free-removes-others", new_loop, test_free_removes_others);
	suite_test(name, "ids-not-reused", new_loop, test_ids_not_reused);
	suite_test(name, "many-handles", new_loop, test_many_handles);
	loop_suite_add_nesting(name, new_loop);
	loop_suite_add_timeouts(name, new_loop);
}
