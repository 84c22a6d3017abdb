/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop-suite-private.h"

/* The loop run again from inside a callback. */

static void run_inner_until_other(Probe *self)
{
	gint64 deadline = g_get_monotonic_time() + LOOP_SUITE_DEADLINE_MS * 1000;
	unsigned before = self->other->calls;

	while (self->other->calls == before) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		loop_run_once(self->loop, LOOP_SUITE_DEADLINE_MS);
	}
	probe_drain(self);
}

static void drain_self(Probe *self)
{
	probe_drain(self);
}

static void feed_other_and_run_inner(Probe *self)
{
	probe_feed(self->other);
	run_inner_until_other(self);
}

/* The outer handle stays ready (it is not drained before the inner turn) and must be left out. */
static void test_inner_turn(Fixture *fixture, gconstpointer unused)
{
	Probe *outer = probe_new_pair(fixture, LOOP_READABLE);
	Probe *inner = probe_new_pair(fixture, LOOP_READABLE);

	outer->other = inner;
	outer->action = feed_other_and_run_inner;
	inner->action = drain_self;
	probe_feed(outer);
	run_until_calls(fixture, outer, 1);
	g_assert_cmpuint(outer->calls, ==, 1);
	g_assert_cmpuint(inner->calls, ==, 1);

	/* Watched again afterwards. */
	probe_feed(outer);
	run_until_calls(fixture, outer, 2);
	g_assert_cmpuint(inner->calls, ==, 2);
	run_until_quiet(fixture);
}

/* Inner turns with nothing to do wait, and do not spin on the outer handle. */
static void run_inner_idle(Probe *self)
{
	gint64 start = g_get_monotonic_time();

	g_assert_false(loop_run_once(self->loop, 20));
	g_assert_cmpint(g_get_monotonic_time() - start, >=, 20 * 1000);
	g_assert_false(loop_run_once(self->loop, 0));
	probe_drain(self);
}

static void test_inner_turn_idle(Fixture *fixture, gconstpointer unused)
{
	Probe *outer = probe_new_pair(fixture, LOOP_READABLE);

	outer->action = run_inner_idle;
	probe_feed(outer);
	run_until_calls(fixture, outer, 1);
}

/* What the outer turn collected and the inner one delivered is not delivered twice. */
static void test_inner_turn_delivers_once(Fixture *fixture, gconstpointer unused)
{
	Probe *a = probe_new_pair(fixture, LOOP_READABLE);
	Probe *b = probe_new_pair(fixture, LOOP_READABLE);

	a->other = b;
	a->action = run_inner_until_other;
	b->action = drain_self;
	probe_feed(a);
	probe_feed(b);
	run_until_calls(fixture, a, 1);
	run_until_quiet(fixture);
	/* Either b came first, and a waits for b's next; or a came first and took b's. */
	g_assert_cmpuint(b->calls, ==, 1);
}

static void remove_outer(Probe *self)
{
	Probe *outer = self->other;

	probe_drain(self);
	probe_remove(outer);
	g_assert_cmpuint(outer->frees, ==, 0);
}

static void run_inner_that_removes(Probe *self)
{
	Probe *inner = self->other;

	probe_feed(inner);
	while (inner->calls == 0)
		g_assert_true(loop_run_once(self->loop, LOOP_SUITE_DEADLINE_MS));
	/* More inner turns must not free what is on the stack. */
	for (unsigned i = 0; i < 3; i++)
		loop_run_once(self->loop, 0);
	g_assert_cmpint(self->id, ==, 0);
	g_assert_cmpuint(self->frees, ==, 0);
}

static void test_remove_outer_inside_inner(Fixture *fixture, gconstpointer unused)
{
	Probe *outer = probe_new_pair(fixture, LOOP_READABLE);
	Probe *inner = probe_new_pair(fixture, LOOP_READABLE);

	outer->other = inner;
	inner->other = outer;
	outer->action = run_inner_that_removes;
	inner->action = remove_outer;
	probe_feed(outer);
	run_until_calls(fixture, outer, 1);
	run_until_quiet(fixture);
	g_assert_cmpuint(outer->calls, ==, 1);
	g_assert_cmpuint(outer->frees, ==, 1);
	g_assert_cmpuint(inner->frees, ==, 0);
}

static void remove_self_and_run(Probe *self)
{
	probe_remove(self);
	loop_run_once(self->loop, 0);
	g_assert_cmpuint(self->frees, ==, 0);
}

static void test_remove_self_then_run(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	probe->action = remove_self_and_run;
	probe_feed(probe);
	run_until_calls(fixture, probe, 1);
	run_until_quiet(fixture);
	g_assert_cmpuint(probe->frees, ==, 1);
}

static void update_while_suspended(Probe *self)
{
	loop_run_once(self->loop, 0);
	loop_update_handle(self->loop, self->id, LOOP_WRITABLE);
	loop_run_once(self->loop, 0);
	loop_update_handle(self->loop, self->id, self->last == LOOP_READABLE ? LOOP_WRITABLE : 0);
}

static void test_update_inside_inner(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_pair(fixture, LOOP_READABLE);

	probe->action = update_while_suspended;
	probe_feed(probe);
	run_until_calls(fixture, probe, 2);
	g_assert_cmpuint(probe->last, ==, LOOP_WRITABLE);
	run_until_quiet(fixture);
	g_assert_cmpuint(probe->calls, ==, 2);
}

/* An interval of 0 would recurse for ever if the inner turn called it again. */
static void run_inner_twice(Probe *self)
{
	loop_run_once(self->loop, 0);
	loop_run_once(self->loop, 0);
}

static void test_timeout_runs_inner(Fixture *fixture, gconstpointer unused)
{
	Probe *timeout = probe_new_timeout(fixture, 0);
	Probe *second = probe_new_timeout(fixture, 0);

	timeout->action = run_inner_twice;
	run_until_calls(fixture, timeout, 3);
	g_assert_cmpuint(second->calls, >=, 4);
}

static void run_inner_that_removes_timeout(Probe *self)
{
	Probe *inner = self->other;

	probe_feed(inner);
	while (inner->calls == 0)
		loop_run_once(self->loop, LOOP_SUITE_DEADLINE_MS);
	loop_run_once(self->loop, 0);
	g_assert_cmpuint(self->frees, ==, 0);
}

static void test_remove_outer_timeout(Fixture *fixture, gconstpointer unused)
{
	Probe *outer = probe_new_timeout(fixture, 0);
	Probe *inner = probe_new_pair(fixture, LOOP_READABLE);

	outer->other = inner;
	inner->other = outer;
	outer->action = run_inner_that_removes_timeout;
	inner->action = remove_outer;
	run_until_calls(fixture, outer, 1);
	run_until_quiet(fixture);
	g_assert_cmpuint(outer->calls, ==, 1);
	g_assert_cmpuint(outer->frees, ==, 1);
}

#define N_LEVELS 10

static void descend(Probe *self)
{
	if (self->other)
		feed_other_and_run_inner(self);
	else
		probe_drain(self);
}

static void test_ten_levels(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = NULL;

	for (unsigned i = 0; i < N_LEVELS; i++) {
		Probe *next = probe_new_pair(fixture, LOOP_READABLE);

		next->other = probe;
		next->action = descend;
		probe = next;
	}
	probe_feed(probe);
	run_until_calls(fixture, probe, 1);
	for (; probe; probe = probe->other)
		g_assert_cmpuint(probe->calls, ==, 1);
}

void loop_suite_add_nesting(const char *name, LoopSuiteNew new_loop)
{
	suite_test(name, "inner-turn", new_loop, test_inner_turn);
	suite_test(name, "inner-turn-idle", new_loop, test_inner_turn_idle);
	suite_test(name, "inner-turn-delivers-once", new_loop, test_inner_turn_delivers_once);
	suite_test(name, "remove-outer-inside-inner", new_loop, test_remove_outer_inside_inner);
	suite_test(name, "remove-self-then-run", new_loop, test_remove_self_then_run);
	suite_test(name, "update-inside-inner", new_loop, test_update_inside_inner);
	suite_test(name, "timeout-runs-inner", new_loop, test_timeout_runs_inner);
	suite_test(name, "remove-outer-timeout", new_loop, test_remove_outer_timeout);
	suite_test(name, "ten-levels", new_loop, test_ten_levels);
}
