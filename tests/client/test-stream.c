/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-fixture.h"

/* What is live, holes in it, and how they are found. */

/* ---- live ---- */

static void test_order(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	g_assert_false(stream_is_unverified(fixture.stream));
	push_range(&fixture, 11, 14);
	push(&fixture, 14, 13);
	check_pops(&fixture, "11 12 13 14");
	check_position(&fixture, "14");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	g_assert_true(stream_is_unverified(fixture.stream));
	end(&fixture);
}

/* Nothing is known: the first is the beginning. */
static void test_beginning(void)
{
	StreamFixture fixture;

	begin(&fixture, false);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_ANY }, 0);
	check_position(&fixture, "");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	push(&fixture, 77, 70);
	check_position(&fixture, "76");
	stream_begin(fixture.stream, 80);
	check_pops(&fixture, "77");
	g_assert_cmpuint(stream_get_newest(fixture.stream), ==, 80);
	end(&fixture);
}

static void test_not_wanted(void)
{
	StreamFixture fixture;
	Rule *rule;

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	rule = take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_RESET }, 10);
	push(&fixture, 12, 5);
	push(&fixture, 14, 12);
	stream_push(fixture.stream, played_event(15, 0, 14, 0, VMH_EVENT_JOB_EVENT, "job"));
	stream_push(fixture.stream, played_event(16, 0, 15, 0, VMH_EVENT_RESET, "guest"));
	release(&fixture, rule);
	check_pops(&fixture, "16");
	end(&fixture);
}

/* ---- holes ---- */

static void test_hole(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	push(&fixture, 11, 10);
	push(&fixture, 15, 14);
	check_pops(&fixture, "11");
	check_want(&fixture, STREAM_WANT_FETCH, 11);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	push(&fixture, 16, 15);
	check_pops(&fixture, "");
	fetch(&fixture, true, 15, 12, 15);
	check_pops(&fixture, "RECOVERED 12 13 14 15 16");
	check_position(&fixture, "16");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	/* The next one is told as well. */
	push(&fixture, 18, 17);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 16);
	fetch(&fixture, true, 18, 17, 18);
	check_pops(&fixture, "RECOVERED 17 18");
	end(&fixture);
}

/* Answers end early: at so many events, bytes, or looked at. It is asked on, and said once that something was recovered. */
static void test_pages(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	push(&fixture, 20, 19);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, true, 12, 11, 12);
	check_pops(&fixture, "RECOVERED 11 12");
	check_want(&fixture, STREAM_WANT_FETCH, 12);
	/* One that looked at some, and found none of interest. */
	fetch(&fixture, true, 15, 1, 0);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 15);
	fetch(&fixture, true, 25, 16, 25);
	check_pops(&fixture, "16 17 18 19 20 21 22 23 24 25");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	/* What was fetched comes live, too. */
	push_range(&fixture, 21, 26);
	check_pops(&fixture, "26");
	end(&fixture);
}

/* A service that has nothing more is believed, and not asked for ever. */
static void test_nothing_more(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	push(&fixture, 20, 19);
	push(&fixture, 22, 21);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, true, 10, 1, 0);
	check_pops(&fixture, "20");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, true, 10, 1, 0);
	check_pops(&fixture, "22");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	end(&fixture);
}

/* Of a domain, and of a kind, there are others between two. */
static void test_hole_of_few(void)
{
	StreamFixture fixture;

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_ANY, .uuid = played_domain(1) }, 10);
	push(&fixture, 20, 5);
	stream_push(fixture.stream, played_event(22, 0, 9, 1, VMH_EVENT_RESET, "guest"));
	push(&fixture, 25, 20);
	stream_push(fixture.stream, played_event(30, 0, 22, 1, VMH_EVENT_JOB_EVENT, "job"));
	check_pops(&fixture, "20 22 25 30");
	check_position(&fixture, "10+20,22,25,30");
	stream_push(fixture.stream, played_event(40, 0, 35, 1, VMH_EVENT_JOB_CHANGED, "job"));
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, true, 45, 33, 33);
	check_pops(&fixture, "RECOVERED 33");
	check_position(&fixture, "45");
	end(&fixture);
}

/* With a value there is nothing to see a hole by; a late one is delivered once. */
static void test_late(void)
{
	StreamFixture fixture;

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .arg0 = "started" }, 10);
	push(&fixture, 20, 15);
	check_pops(&fixture, "20");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 10);
	stream_counted(fixture.stream, true, 25, 3);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, true, 25, 19, 21);
	check_pops(&fixture, "RECOVERED 19 21");
	check_position(&fixture, "25");
	end(&fixture);
}

/* ---- verification ---- */

static void test_verified(void)
{
	StreamFixture fixture;

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 10);
	push(&fixture, 20, 5);
	check_pops(&fixture, "20");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 10);
	g_assert_false(stream_is_unverified(fixture.stream));
	/* The answer has its place among the signals. */
	push(&fixture, 25, 20);
	stream_counted(fixture.stream, true, 27, 2);
	push(&fixture, 30, 25);
	check_pops(&fixture, "25 30");
	check_position(&fixture, "27+30");
	g_assert_true(stream_is_unverified(fixture.stream));
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	end(&fixture);
}

/* The bus has lost the last ones. */
static void test_tail(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	push_range(&fixture, 11, 12);
	check_pops(&fixture, "11 12");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 12);
	stream_counted(fixture.stream, true, 15, 3);
	push(&fixture, 16, 15);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 12);
	fetch(&fixture, true, 14, 13, 14);
	check_pops(&fixture, "RECOVERED 13 14");
	check_want(&fixture, STREAM_WANT_FETCH, 14);
	fetch(&fixture, true, 16, 15, 16);
	check_pops(&fixture, "15 16");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	end(&fixture);
}

/* A count that looked at many may have ended early. One asks at a time, and none is forgotten. */
static void test_count_goes_on(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 0);
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 0);
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	stream_counted(fixture.stream, true, STREAM_COUNT_MIN, 0);
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_COUNT, STREAM_COUNT_MIN);
	stream_counted(fixture.stream, true, STREAM_COUNT_MIN + 1, 0);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	end(&fixture);
}

/* What a count says is only of use if it was of the same rules. */
static void test_count_of_other_rules(void)
{
	StreamFixture fixture;
	Rule *rule;

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	rule = take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .arg0 = "started" }, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .uuid = played_domain(1) }, 10);
	push(&fixture, 20, 5);
	check_pops(&fixture, "20");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 10);
	release(&fixture, rule);
	stream_counted(fixture.stream, true, 25, 1);
	check_pops(&fixture, "");
	check_position(&fixture, "10+20");
	check_want(&fixture, STREAM_WANT_COUNT, 10);
	/* 20 was of the rule that went: this one is another. */
	stream_counted(fixture.stream, true, 26, 1);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	end(&fixture);
}

/* The bus may have it in force only some signals after the number it begins with. */
static void test_new_rule(void)
{
	StreamFixture fixture;

	begin_all(&fixture, 10);
	check_pops(&fixture, "");
	g_assert_true(stream_is_unverified(fixture.stream));
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 10);
	g_assert_false(stream_is_unverified(fixture.stream));
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_PROPERTIES_CHANGED }, 10);
	check_pops(&fixture, "");
	g_assert_false(stream_is_unverified(fixture.stream));
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_RESET }, 10);
	check_pops(&fixture, "");
	g_assert_true(stream_is_unverified(fixture.stream));
	end(&fixture);
}

static void test_many_rules(void)
{
	StreamFixture fixture;

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	for (unsigned i = 0; i <= RULES_FILTER_MAX; i++) {
		g_autofree char *arg0 = g_strdup_printf("%u", i);

		take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE, .arg0 = i == 0 ? "started" : arg0 }, 10);
	}
	push(&fixture, 12, 11);
	check_pops(&fixture, "12");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 10);
	stream_counted(fixture.stream, true, 15, 1);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	fetch(&fixture, true, 15, 12, 13);
	check_pops(&fixture, "RECOVERED 13");
	check_position(&fixture, "15");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	end(&fixture);
}

/* A rule that comes while others' events are fetched does not miss its own. */
static void test_rule_during_fetch(void)
{
	StreamFixture fixture;
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)vmh_event_unref);

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 10);
	push(&fixture, 20, 18);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_FETCH, 10);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_RESET }, 20);
	g_ptr_array_add(events, make(18, 5));
	g_ptr_array_add(events, make(20, 18));
	g_ptr_array_add(events, make(30, 20));
	stream_fetched(fixture.stream, true, 30, events);
	check_pops(&fixture, "RECOVERED 18 20");
	check_position(&fixture, "20");
	stream_verify(fixture.stream);
	check_want(&fixture, STREAM_WANT_COUNT, 20);
	end(&fixture);
}

/* Nobody wants anything up to the least that somebody wants. */
static void test_least_since(void)
{
	StreamFixture fixture;
	Rule *rule;

	begin(&fixture, false);
	stream_begin(fixture.stream, 10);
	rule = take(&fixture, (RuleMatch){ .kind = VMH_EVENT_LIFECYCLE }, 10);
	push(&fixture, 20, 18);
	check_pops(&fixture, "");
	release(&fixture, rule);
	check_pops(&fixture, "");
	check_want(&fixture, STREAM_WANT_NOTHING, 0);
	take(&fixture, (RuleMatch){ .kind = VMH_EVENT_RESET }, 5000);
	check_pops(&fixture, "");
	check_position(&fixture, "5000");
	end(&fixture);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/stream/order", test_order);
	g_test_add_func("/client/stream/beginning", test_beginning);
	g_test_add_func("/client/stream/not-wanted", test_not_wanted);
	g_test_add_func("/client/stream/hole", test_hole);
	g_test_add_func("/client/stream/pages", test_pages);
	g_test_add_func("/client/stream/nothing-more", test_nothing_more);
	g_test_add_func("/client/stream/hole-of-few", test_hole_of_few);
	g_test_add_func("/client/stream/late", test_late);
	g_test_add_func("/client/stream/verified", test_verified);
	g_test_add_func("/client/stream/tail", test_tail);
	g_test_add_func("/client/stream/count-goes-on", test_count_goes_on);
	g_test_add_func("/client/stream/count-of-other-rules", test_count_of_other_rules);
	g_test_add_func("/client/stream/new-rule", test_new_rule);
	g_test_add_func("/client/stream/many-rules", test_many_rules);
	g_test_add_func("/client/stream/rule-during-fetch", test_rule_during_fetch);
	g_test_add_func("/client/stream/least-since", test_least_since);
	return g_test_run();
}
