/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop-suite-private.h"

static void test_zero(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_timeout(fixture, 0);

	/* Once on every turn, not several times in one. */
	for (unsigned i = 1; i <= 10; i++) {
		g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
		g_assert_cmpuint(probe->calls, ==, i);
	}
}

static void test_disabled(Fixture *fixture, gconstpointer unused)
{
	Probe *disabled = probe_new_timeout(fixture, LOOP_DISABLED);
	Probe *marker = probe_new_timeout(fixture, 20);

	run_until_calls(fixture, marker, 1);
	g_assert_cmpuint(disabled->calls, ==, 0);

	loop_update_timeout(fixture->loop, disabled->id, 0);
	run_until_calls(fixture, disabled, 2);
	loop_update_timeout(fixture->loop, disabled->id, LOOP_DISABLED);
	run_until_calls(fixture, marker, 2);
	g_assert_cmpuint(disabled->calls, ==, 2);

	loop_update_timeout(fixture->loop, 12345, 0);
	g_assert_false(loop_remove_timeout(fixture->loop, 12345));
}

static void append_to_order(Probe *self)
{
	Probe *first = self->other;
	GString *order = first->extra;

	g_string_append_c(order, (char)('a' + (self->id - first->id)));
	loop_update_timeout(self->loop, self->id, LOOP_DISABLED);
}

static void test_order(Fixture *fixture, gconstpointer unused)
{
	const int intervals_ms[] = { 40, 10, 30, 0, 20 };
	g_autoptr(GString) order = g_string_new(NULL);
	Probe *probes[G_N_ELEMENTS(intervals_ms)];
	gint64 start = g_get_monotonic_time();

	for (unsigned i = 0; i < G_N_ELEMENTS(intervals_ms); i++) {
		probes[i] = probe_new_timeout(fixture, intervals_ms[i]);
		probes[i]->other = probes[0];
		probes[i]->action = append_to_order;
	}
	probes[0]->extra = order;
	run_until_calls(fixture, probes[0], 1);
	probes[0]->extra = NULL;

	g_assert_cmpstr(order->str, ==, "dbeca");
	/* Never early. How late is the machine's business. */
	for (unsigned i = 0; i < G_N_ELEMENTS(intervals_ms); i++)
		g_assert_cmpint(probes[i]->called_at - start, >=, intervals_ms[i] * 1000);
}

static void test_same_time_in_order_of_add(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GString) order = g_string_new(NULL);
	Probe *probes[5];

	for (unsigned i = 0; i < G_N_ELEMENTS(probes); i++) {
		probes[i] = probe_new_timeout(fixture, 5);
		probes[i]->other = probes[0];
		probes[i]->action = append_to_order;
	}
	probes[0]->extra = order;
	run_until_calls(fixture, probes[4], 1);
	probes[0]->extra = NULL;
	g_assert_cmpstr(order->str, ==, "abcde");
}

static void test_repeat(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_timeout(fixture, 10);
	gint64 start = g_get_monotonic_time();

	run_until_calls(fixture, probe, 5);
	g_assert_cmpint(g_get_monotonic_time() - start, >=, 5 * 10 * 1000 - 1000);
}

static void slow_down(Probe *self)
{
	loop_update_timeout(self->loop, self->id, 1000 * 1000);
}

static void test_update_inside(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_timeout(fixture, 0);
	Probe *marker = probe_new_timeout(fixture, 20);

	probe->action = slow_down;
	run_until_calls(fixture, marker, 1);
	g_assert_cmpuint(probe->calls, ==, 1);
}

static void test_update_postpones(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_timeout(fixture, 5);
	Probe *marker = probe_new_timeout(fixture, 20);
	gint64 start;

	loop_update_timeout(fixture->loop, probe->id, 1000 * 1000);
	run_until_calls(fixture, marker, 1);
	g_assert_cmpuint(probe->calls, ==, 0);

	/* Counted from the update. */
	start = g_get_monotonic_time();
	loop_update_timeout(fixture->loop, probe->id, 10);
	run_until_calls(fixture, probe, 1);
	g_assert_cmpint(probe->called_at - start, >=, 10 * 1000);
}

static void remove_self(Probe *self)
{
	probe_remove(self);
	g_assert_cmpuint(self->frees, ==, 0);
}

static void test_remove_inside(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_timeout(fixture, 0);

	probe->action = remove_self;
	run_until_quiet(fixture);
	g_assert_cmpuint(probe->calls, ==, 1);
	g_assert_cmpuint(probe->frees, ==, 1);
}

static void remove_other(Probe *self)
{
	if (self->other->id > 0)
		probe_remove(self->other);
	loop_update_timeout(self->loop, self->id, LOOP_DISABLED);
}

static void test_remove_other_due(Fixture *fixture, gconstpointer unused)
{
	Probe *a = probe_new_timeout(fixture, 0);
	Probe *b = probe_new_timeout(fixture, 0);

	a->other = b;
	b->other = a;
	a->action = b->action = remove_other;
	run_until_quiet(fixture);
	g_assert_cmpuint(a->calls, ==, 1);
	g_assert_cmpuint(b->calls, ==, 0);
	g_assert_cmpuint(b->frees, ==, 1);
}

static void disable_other(Probe *self)
{
	loop_update_timeout(self->loop, self->other->id, LOOP_DISABLED);
	loop_update_timeout(self->loop, self->id, LOOP_DISABLED);
}

static void test_disable_other_due(Fixture *fixture, gconstpointer unused)
{
	Probe *a = probe_new_timeout(fixture, 0);
	Probe *b = probe_new_timeout(fixture, 0);

	a->other = b;
	a->action = disable_other;
	run_until_quiet(fixture);
	g_assert_cmpuint(a->calls, ==, 1);
	g_assert_cmpuint(b->calls, ==, 0);
}

static void add_timeout_inside(Probe *self)
{
	if (!self->other) {
		Fixture *fixture = self->extra;

		self->extra = NULL;
		self->other = probe_new_timeout(fixture, 0);
		/* Not in the turn that is under way. */
		g_assert_cmpuint(self->other->calls, ==, 0);
	}
}

static void test_add_inside(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_timeout(fixture, 0);

	probe->extra = fixture;
	probe->action = add_timeout_inside;
	run_until_calls(fixture, probe, 3);
	g_assert_cmpuint(probe->other->calls, ==, 2);
}

static void test_max_wait(Fixture *fixture, gconstpointer unused)
{
	Probe *probe = probe_new_timeout(fixture, 1000 * 1000);
	gint64 start = g_get_monotonic_time();

	g_assert_false(loop_run_once(fixture->loop, 0));
	g_assert_false(loop_run_once(fixture->loop, 30));
	g_assert_cmpint(g_get_monotonic_time() - start, >=, 30 * 1000);
	g_assert_cmpuint(probe->calls, ==, 0);
}

/* Busy descriptors and an interval of 0 side by side: each turn serves both, descriptors first. */
static void test_no_starvation(Fixture *fixture, gconstpointer unused)
{
	Probe *handles[] = {
		probe_new_pair(fixture, LOOP_READABLE), probe_new_pair(fixture, LOOP_WRITABLE),
	};
	Probe *zero = probe_new_timeout(fixture, 0);
	Probe *later = probe_new_timeout(fixture, 10);

	probe_feed(handles[0]);
	for (unsigned i = 1; i <= 50; i++) {
		g_assert_true(loop_run_once(fixture->loop, LOOP_SUITE_DEADLINE_MS));
		g_assert_cmpuint(handles[0]->calls, ==, i);
		g_assert_cmpuint(handles[1]->calls, ==, i);
		g_assert_cmpuint(zero->calls, ==, i);
		g_assert_cmpint(zero->called_at, >=, handles[0]->called_at);
		g_assert_cmpint(zero->called_at, >=, handles[1]->called_at);
	}
	run_until_calls(fixture, later, 2);
}

#define N_TIMEOUTS 4096

static void test_many_timeouts(Fixture *fixture, gconstpointer unused)
{
	Probe *probes[N_TIMEOUTS];

	for (unsigned i = 0; i < N_TIMEOUTS; i++) {
		probes[i] = probe_new_timeout(fixture, (int)(i * 7919 % 50));
		probes[i]->action = remove_self;
	}
	for (unsigned i = 0; i < N_TIMEOUTS; i += 2)
		probe_remove(probes[i]);
	for (unsigned i = 1; i < N_TIMEOUTS; i += 2)
		run_until_calls(fixture, probes[i], 1);
	run_until_quiet(fixture);
	for (unsigned i = 0; i < N_TIMEOUTS; i++) {
		g_assert_cmpuint(probes[i]->calls, ==, i % 2);
		g_assert_cmpuint(probes[i]->frees, ==, 1);
	}
}

void loop_suite_add_timeouts(const char *name, LoopSuiteNew new_loop)
{
	suite_test(name, "timeout/zero", new_loop, test_zero);
	suite_test(name, "timeout/disabled", new_loop, test_disabled);
	suite_test(name, "timeout/order", new_loop, test_order);
	suite_test(name, "timeout/same-time", new_loop, test_same_time_in_order_of_add);
	suite_test(name, "timeout/repeat", new_loop, test_repeat);
	suite_test(name, "timeout/update-inside", new_loop, test_update_inside);
	suite_test(name, "timeout/update-postpones", new_loop, test_update_postpones);
	suite_test(name, "timeout/remove-inside", new_loop, test_remove_inside);
	suite_test(name, "timeout/remove-other-due", new_loop, test_remove_other_due);
	suite_test(name, "timeout/disable-other-due", new_loop, test_disable_other_due);
	suite_test(name, "timeout/add-inside", new_loop, test_add_inside);
	suite_test(name, "timeout/max-wait", new_loop, test_max_wait);
	suite_test(name, "timeout/no-starvation", new_loop, test_no_starvation);
	suite_test(name, "timeout/many", new_loop, test_many_timeouts);
}
