/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-fixture.h"

#include <vmherald/glib.h>

void begin(StreamFixture *fixture, bool passive)
{
	fixture->rules = rules_new();
	fixture->stream = stream_new(fixture->rules, passive);
}

void end(StreamFixture *fixture)
{
	stream_free(fixture->stream);
	rules_free(fixture->rules);
}

Rule *take(StreamFixture *fixture, RuleMatch match, uint64_t since)
{
	bool is_new;

	return rules_take(fixture->rules, &match, since, &is_new);
}

void release(StreamFixture *fixture, Rule *rule)
{
	g_autofree char *text = NULL;

	g_assert_true(rules_release(fixture->rules, rule, &text));
}

void begin_all(StreamFixture *fixture, uint64_t after)
{
	begin(fixture, false);
	stream_begin(fixture->stream, after);
	take(fixture, (RuleMatch){ .kind = VMH_EVENT_ANY }, after);
}

VmhEvent *make(uint64_t sequence, uint64_t previous)
{
	return played_event(sequence, previous, previous, 0, VMH_EVENT_LIFECYCLE, "started");
}

void push(StreamFixture *fixture, uint64_t sequence, uint64_t previous)
{
	stream_push(fixture->stream, make(sequence, previous));
}

void push_range(StreamFixture *fixture, uint64_t from, uint64_t to)
{
	for (uint64_t sequence = from; sequence <= to; sequence++)
		push(fixture, sequence, sequence - 1);
}

static char *pop_text(StreamFixture *fixture, StreamItem *item)
{
	*item = stream_pop(fixture->stream);
	switch (item->type) {
	case STREAM_ITEM_EVENT:
		return item->event->sequence > 0 ? g_strdup_printf("%" G_GUINT64_FORMAT, item->event->sequence) : g_strdup("state");
	case STREAM_ITEM_GAP:
		return g_strdup_printf("%s(%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT ")", item->snapshot ? "GAP" : "BLIND", item->from,
				       item->to);
	case STREAM_ITEM_RECOVERED:
		return g_strdup("RECOVERED");
	default:
		return NULL;
	}
}

void check_pops(StreamFixture *fixture, const char *expected)
{
	g_autoptr(GString) line = g_string_new(NULL);
	StreamItem item;
	char *text;

	while ((text = pop_text(fixture, &item))) {
		g_string_append_printf(line, "%s%s", line->len > 0 ? " " : "", text);
		g_free(text);
		vmh_event_unref(item.event);
		vmh_snapshot_unref(item.snapshot);
	}
	g_assert_cmpstr(line->str, ==, expected);
}

void check_pops_range(StreamFixture *fixture, uint64_t from, uint64_t to)
{
	g_autoptr(GString) line = g_string_new(NULL);

	for (uint64_t sequence = from; sequence <= to; sequence++)
		g_string_append_printf(line, "%s%" G_GUINT64_FORMAT, line->len > 0 ? " " : "", sequence);
	check_pops(fixture, line->str);
}

void check_want(StreamFixture *fixture, StreamWant expected, uint64_t expected_after)
{
	uint64_t after = expected_after;

	g_assert_cmpint(stream_get_want(fixture->stream, &after), ==, expected);
	g_assert_cmpuint(after, ==, expected_after);
}

void check_position(StreamFixture *fixture, const char *expected)
{
	g_autofree char *position = stream_get_position(fixture->stream);

	g_assert_cmpstr(position, ==, expected);
}

void fetch(StreamFixture *fixture, bool complete, uint64_t last, uint64_t from, uint64_t to)
{
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)vmh_event_unref);

	for (uint64_t sequence = from; sequence <= to; sequence++)
		g_ptr_array_add(events, make(sequence, sequence - 1));
	stream_fetched(fixture->stream, complete, last, events);
}

void answer_snapshot(StreamFixture *fixture, uint64_t last)
{
	stream_snapshot_begun(fixture->stream, last);
	stream_snapshot_taken(fixture->stream, played_snapshot());
}
