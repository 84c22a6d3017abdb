/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop-suite-private.h"

void fixture_set_up(Fixture *fixture, gconstpointer new_loop)
{
	fixture->loop = ((LoopSuiteNew)new_loop)();
	g_assert_nonnull(fixture->loop);
	fixture->probes = g_ptr_array_new();
}

void fixture_tear_down(Fixture *fixture, gconstpointer unused)
{
	fixture->loop = loop_free(fixture->loop);

	for (unsigned i = 0; i < fixture->probes->len; i++) {
		Probe *probe = fixture->probes->pdata[i];

		g_assert_cmpuint(probe->frees, ==, 1);
		g_assert_false(probe->freed_too_early);
		for (unsigned j = 0; j < 2; j++)
			if (probe->fds[j] >= 0)
				close(probe->fds[j]);
		g_free(probe);
	}
	g_ptr_array_unref(fixture->probes);
}

static void probe_called(Probe *self)
{
	self->calls++;
	self->called_at = g_get_monotonic_time();
	/* Never again after a remove, and never once more while it runs. */
	g_assert_cmpint(self->id, >, 0);
	g_assert_cmpuint(self->depth, ==, 0);

	self->depth++;
	if (self->action)
		self->action(self);
	self->depth--;
}

static void handle_cb(int handle, int fd, LoopEvents events, void *userdata)
{
	Probe *self = userdata;

	g_assert_cmpint(handle, ==, self->id);
	g_assert_cmpint(fd, ==, self->fds[0]);
	g_assert_cmpuint(events, !=, 0);
	self->last = events;
	self->all |= events;
	probe_called(self);
}

static void timeout_cb(int timeout, void *userdata)
{
	Probe *self = userdata;

	g_assert_cmpint(timeout, ==, self->id);
	probe_called(self);
}

static void probe_free_cb(void *userdata)
{
	Probe *self = userdata;

	self->frees++;
	if (self->depth > 0 || self->removing)
		self->freed_too_early = true;
}

Probe *probe_new_unwatched(Fixture *fixture)
{
	Probe *self = g_new0(Probe, 1);

	self->loop = fixture->loop;
	g_ptr_array_add(fixture->probes, self);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, self->fds) < 0)
		g_error("socketpair: %s", g_strerror(errno));
	return self;
}

void probe_watch(Probe *self, LoopEvents events)
{
	self->id = loop_add_handle(self->loop, self->fds[0], events, handle_cb, self,
				   probe_free_cb);
	g_assert_cmpint(self->id, >, 0);
}

Probe *probe_new_pair(Fixture *fixture, LoopEvents events)
{
	Probe *self = probe_new_unwatched(fixture);

	probe_watch(self, events);
	return self;
}

Probe *probe_new_timeout(Fixture *fixture, int interval_ms)
{
	Probe *self = g_new0(Probe, 1);

	self->loop = fixture->loop;
	self->fds[0] = self->fds[1] = -1;
	g_ptr_array_add(fixture->probes, self);
	self->id = loop_add_timeout(self->loop, interval_ms, timeout_cb, self, probe_free_cb);
	g_assert_cmpint(self->id, >, 0);
	return self;
}

void probe_remove(Probe *self)
{
	int id = self->id;

	self->id = 0;
	self->removing = true;
	if (self->fds[0] >= 0)
		g_assert_true(loop_remove_handle(self->loop, id));
	else
		g_assert_true(loop_remove_timeout(self->loop, id));
	self->removing = false;
	g_assert_false(loop_remove_handle(self->loop, id));
	g_assert_false(loop_remove_timeout(self->loop, id));
}

void probe_feed(Probe *self)
{
	g_assert_cmpint(write(self->fds[1], "x", 1), ==, 1);
}

void probe_drain(Probe *self)
{
	char buffer[256];

	while (read(self->fds[0], buffer, sizeof(buffer)) > 0)
		;
}

void run_until_calls(Fixture *fixture, const Probe *probe, unsigned n_calls)
{
	gint64 deadline = g_get_monotonic_time() + LOOP_SUITE_DEADLINE_MS * 1000;

	while (probe->calls < n_calls) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS);
	}
}

void run_until_quiet(Fixture *fixture)
{
	for (unsigned i = 0; loop_run_once(fixture->loop, 0); i++)
		g_assert_cmpuint(i, <, 100000);
}

void loop_suite_run_until(Loop *loop, const bool *condition)
{
	gint64 deadline = g_get_monotonic_time() + LOOP_SUITE_DEADLINE_MS * 1000;

	while (!*condition) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		loop_run_once(loop, LOOP_SUITE_DEADLINE_MS);
	}
}
