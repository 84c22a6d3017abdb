/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-fixture.h"

/* What cannot be had any more, or not now; where it goes on; and what is too much. */

/* ---- gaps ---- */

static void test_gap(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED }, 0);
	push(&fixture, 90, 89);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, false, 60, 51, 60);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_SNAPSHOT, 10);
	push(&fixture, 91, 90);
	stream_snapshot_begun(fixture.stream, 91);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	/* What is between the answers is in it. What has no sequence keeps its place. */
	push(&fixture, 92, 91);
	stream_push(fixture.stream, played_state(0));
	push(&fixture, 94, 93);
	check_pops(&fixture, "");
	stream_snapshot_taken(fixture.stream, played_snapshot());
	push(&fixture, 95, 94);
	check_pops(&fixture, "state GAP(11-94) 95");
	check_position(&fixture, "95");
	end(&fixture);
}

/* Only verification sees it. */
static void test_gap_counted(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 10);
	stream_counted(fixture.stream, false, 99, 20);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_SNAPSHOT, 10);
	answer_snapshot(&fixture, 120);
	check_pops(&fixture, "GAP(11-120)");
	push(&fixture, 121, 120);
	check_pops(&fixture, "121");
	end(&fixture);
}

static void test_gap_nobody_wants(void)
{
	StreamFixture fixture;
	Rule *rule;

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	rule = take(&fixture, (RuleMatch){ .kind = VMH_EVENT_ANY }, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED }, 0);
	push(&fixture, 90, 89);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, false, 60, 51, 60);
	check_want(&fixture, STREAM_WANT_SNAPSHOT, 10);
	release(&fixture, rule);
	stream_push(fixture.stream, played_state(0));
	check_pops(&fixture, "state");
	answer_snapshot(&fixture, 95);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	end(&fixture);
}

static void test_renumbered(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 1000);
	push_range(&fixture, 1001, 1003);
	check_pops(&fixture, "1001 1002 1003");
	push(&fixture, 1, 0);
	check_want(&fixture, STREAM_WANT_COUNT, 1003);
	check_pops(&fixture, "");
	stream_renumbered(fixture.stream);
	/* Who ends now begins where it was, and is told, too. */
	check_position(&fixture, "1003");
	g_assert_cmpuint(rules_get(fixture.rules, 0)->since, ==, 0);
	check_want(&fixture, STREAM_WANT_SNAPSHOT, 0);
	stream_snapshot_begun(fixture.stream, 2);
	push(&fixture, 3, 2);
	stream_snapshot_taken(fixture.stream, played_snapshot());
	push(&fixture, 4, 3);
	check_pops(&fixture, "GAP(1-3) 4");
	check_position(&fixture, "4");
	g_assert_cmpuint(stream_get_newest(fixture.stream), ==, 4);
	end(&fixture);
}

/* It has not told anything yet. */
static void test_renumbered_to_nothing(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 1000);
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 1000);
	stream_renumbered(fixture.stream);
	check_want(&fixture, STREAM_WANT_SNAPSHOT, 0);
	answer_snapshot(&fixture, 0);
	check_pops(&fixture, "GAP(0-0)");
	push(&fixture, 1, 0);
	check_pops(&fixture, "1");
	end(&fixture);
}

/* ---- failure ---- */

static void test_failed(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	push(&fixture, 20, 19);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	stream_failed(fixture.stream);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	g_assert_true(stream_is_unverified(fixture.stream));
	check_pops(&fixture, "");
	/* An answer that comes nevertheless is none. */
	fetch(&fixture, true, 20, 11, 20);
	check_pops(&fixture, "");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, false, 20, 18, 20);
	check_want(&fixture, STREAM_WANT_SNAPSHOT, 10);
	stream_snapshot_begun(fixture.stream, 22);
	stream_failed(fixture.stream);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	stream_snapshot_taken(fixture.stream, played_snapshot());
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_SNAPSHOT, 10);
	answer_snapshot(&fixture, 25);
	check_pops(&fixture, "GAP(11-25)");
	check_want(&fixture, STREAM_WANT_COUNT, 25);
	stream_failed(fixture.stream);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 25);
	end(&fixture);
}

/* What was not asked for is not taken. */
static void test_not_asked(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	stream_counted(fixture.stream, true, 99, 5);
	fetch(&fixture, true, 99, 11, 20);
	answer_snapshot(&fixture, 15);
	check_pops(&fixture, "");
	check_position(&fixture, "10");
	end(&fixture);
}

/* ---- passive ---- */

static void test_passive(void)
{
	StreamFixture fixture;

	begin(&fixture, true);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 0);
	push(&fixture, 20, 15);
	push(&fixture, 25, 20);
	check_pops(&fixture, "20 25");
	push(&fixture, 40, 33);
	check_pops(&fixture, "BLIND(21-33) 40");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	g_assert_false(stream_is_unverified(fixture.stream));
	/* Numbers that begin anew. */
	push(&fixture, 3, 0);
	push(&fixture, 4, 3);
	check_pops(&fixture, "BLIND(1-2) 3 4");
	end(&fixture);
}

/* ---- position ---- */

static void test_position(void)
{
	StreamFixture fixture;

	begin(&fixture, false);
	g_assert_false(stream_set_position(fixture.stream, "10+"));
	g_assert_false(stream_has_position(fixture.stream));
	g_assert_true(stream_set_position(fixture.stream, ""));
	g_assert_false(stream_has_position(fixture.stream));
	g_assert_true(stream_set_position(fixture.stream, "10+12,14-15"));
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	stream_begin(fixture.stream, 40);
	g_assert_cmpuint(stream_get_newest(fixture.stream), ==, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_ANY }, stream_get_newest(fixture.stream));
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	push(&fixture, 41, 40);
	fetch(&fixture, true, 20, 11, 20);
	check_pops(&fixture, "RECOVERED 11 13 16 17 18 19 20");
	check_position(&fixture, "20");
	/* Who comes while it is catching up gets the same. */
	g_assert_cmpuint(stream_get_newest(fixture.stream), ==, 20);
	check_want(&fixture, STREAM_WANT_FETCH, 20);
	fetch(&fixture, true, 41, 21, 41);
	check_pops_range(&fixture, 21, 41);
	check_want(&fixture, STREAM_WANT_COUNT, 41);
	stream_counted(fixture.stream, true, 41, 0);
	check_pops(&fixture, "");
	check_pops(&fixture, "");
	push(&fixture, 42, 41);
	g_assert_cmpuint(stream_get_newest(fixture.stream), ==, 42);
	end(&fixture);
}

/* Of another host, or the service has lost its numbers: that is told at the first word of it. */
static void test_position_of_other_numbers(void)
{
	StreamFixture fixture;

	begin(&fixture, false);
	g_assert_true(stream_set_position(fixture.stream, "10+900"));
	stream_begin(fixture.stream, 500);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_ANY }, stream_get_newest(fixture.stream));
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_SNAPSHOT, 0);
	answer_snapshot(&fixture, 501);
	check_pops(&fixture, "GAP(1-501)");
	end(&fixture);
}

/* ---- bounds ---- */

/* More than has a place is as if the bus had dropped it; the end of a storm is looked for at once. */
static void test_live_bound(void)
{
	StreamFixture fixture;
	unsigned most = 0;
	uint64_t popped = 0, sent = 3 * STREAM_LIVE_MAX, after;
	StreamItem item;

	begin_all(&fixture, 0);
	for (uint64_t sequence = 1; sequence <= sent; sequence++) {
		push(&fixture, sequence, sequence - 1);
		most = MAX(most, stream_get_load(fixture.stream).live);
	}
	g_assert_cmpuint(most, >, STREAM_LIVE_MAX - 10);
	g_assert_cmpuint(most, <=, STREAM_LIVE_MAX);
	while (popped < sent) {
		item = stream_pop(fixture.stream);
		if (item.type == STREAM_ITEM_EVENT)
			g_assert_cmpuint(item.event->sequence, ==, ++popped);
		vmh_event_unref(item.event);
		if (item.type != STREAM_ITEM_NONE)
			continue;
		/* Without that anybody says that it is quiet. */
		switch (stream_get_want(fixture.stream, &after)) {
		case STREAM_WANT_COUNT:
			stream_counted(fixture.stream, true, sent, sent - after);
			break;
		case STREAM_WANT_FETCH:
			fetch(&fixture, true, MIN(after + STREAM_FETCH_MAX, sent), after + 1, MIN(after + STREAM_FETCH_MAX, sent));
			break;
		default:
			g_assert_not_reached();
		}
	}
	end(&fixture);
}

static void test_states_bound(void)
{
	StreamFixture fixture;
	unsigned states = 0;
	StreamItem item;

	begin_all(&fixture, 0);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED }, 0);
	for (unsigned i = 0; i < 2 * STREAM_LIVE_MAX; i++)
		stream_push(fixture.stream, played_state(0));
	g_assert_cmpuint(stream_get_load(fixture.stream).live, <=, STREAM_LIVE_MAX);
	while ((item = stream_pop(fixture.stream)).type == STREAM_ITEM_EVENT) {
		vmh_event_unref(item.event);
		states++;
	}
	g_assert_cmpuint(states, >, STREAM_LIVE_MAX - 10);
	g_assert_cmpint(item.type, ==, STREAM_ITEM_RECOVERED);
	check_pops(&fixture, "");
	end(&fixture);
}

/* Every other event is of interest, and nothing is confirmed. */
static unsigned push_every_other(StreamFixture *fixture, uint64_t *sequence, unsigned n)
{
	unsigned popped = 0;
	StreamItem item;

	for (unsigned i = 0; i < n; i++, *sequence += 2)
		push(fixture, *sequence, *sequence > 1 ? *sequence - 2 : 0);
	while ((item = stream_pop(fixture->stream)).type == STREAM_ITEM_EVENT) {
		vmh_event_unref(item.event);
		popped++;
	}
	return popped;
}

static void test_ahead_bound(void)
{
	StreamFixture fixture;
	uint64_t sequence = 3, position;
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)vmh_event_unref);

	begin(&fixture, false);
	stream_begin(fixture.stream, 1);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 1);
	g_assert_cmpuint(push_every_other(&fixture, &sequence, STREAM_AHEAD_MAX - 1), ==, STREAM_AHEAD_MAX - 1);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	g_assert_cmpuint(push_every_other(&fixture, &sequence, 1), ==, 1);
	check_want(&fixture, STREAM_WANT_COUNT, 1);
	/* No answer yet. */
	g_assert_cmpuint(push_every_other(&fixture, &sequence, STREAM_AHEAD_MAX + 100), ==, STREAM_AHEAD_MAX);
	g_assert_cmpuint(stream_get_load(fixture.stream).ahead, ==, 2 * STREAM_AHEAD_MAX);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	/* It is behind a hundred that wait: what is ahead is looked through. */
	stream_counted(fixture.stream, true, sequence, (sequence - 3) / 2);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 1);
	for (uint64_t i = 3; i <= 2 * STREAM_AHEAD_MAX + 1; i += 2)
		g_ptr_array_add(events, make(i, i - 2));
	position = 2 * STREAM_AHEAD_MAX + 4;
	stream_fetched(fixture.stream, true, position, events);
	g_assert_cmpuint(push_every_other(&fixture, &sequence, 1), ==, 101);
	g_assert_cmpuint(stream_get_load(fixture.stream).ahead, <, 2 * STREAM_AHEAD_MAX);
	end(&fixture);
}

static void test_ahead_bound_passive(void)
{
	StreamFixture fixture;
	uint64_t sequence = 3;

	begin(&fixture, true);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 0);
	for (unsigned i = 0; i < 10; i++)
		g_assert_cmpuint(push_every_other(&fixture, &sequence, STREAM_AHEAD_MAX), ==, STREAM_AHEAD_MAX);
	g_assert_cmpuint(stream_get_load(fixture.stream).ahead, ==, 2 * STREAM_AHEAD_MAX);
	end(&fixture);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/stream/gap", test_gap);
	g_test_add_func("/client/stream/gap-counted", test_gap_counted);
	g_test_add_func("/client/stream/gap-nobody-wants", test_gap_nobody_wants);
	g_test_add_func("/client/stream/renumbered", test_renumbered);
	g_test_add_func("/client/stream/renumbered-to-nothing", test_renumbered_to_nothing);
	g_test_add_func("/client/stream/failed", test_failed);
	g_test_add_func("/client/stream/not-asked", test_not_asked);
	g_test_add_func("/client/stream/passive", test_passive);
	g_test_add_func("/client/stream/position", test_position);
	g_test_add_func("/client/stream/position-of-other-numbers", test_position_of_other_numbers);
	g_test_add_func("/client/stream/live-bound", test_live_bound);
	g_test_add_func("/client/stream/states-bound", test_states_bound);
	g_test_add_func("/client/stream/ahead-bound", test_ahead_bound);
	g_test_add_func("/client/stream/ahead-bound-passive", test_ahead_bound_passive);
	return g_test_run();
}
