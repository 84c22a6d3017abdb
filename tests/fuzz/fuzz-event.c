/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <string.h>

#include "domain-signals.h"
#include "event/decode.h"
#include "event/table.h"
#include "signal-body.h"
#include "tests/service/bus-fixture.h"

/*
 * QEMU's events, one a line, the whole way to the message on the bus: parsed, decoded, stamped,
 * encoded, and read again as a client does. A guest has a say in much of what is in them.
 *
 * Nothing here knows a kind of event, but one: a changed filter is not shown as it was decoded but
 * with QEMU's answer to a query, so the data of each event is tried as such an answer too.
 */

#define PATH      "/org/vmherald/Domains1/domain/_a"
#define LINES_MAX 64u

static sd_bus *get_bus(void)
{
	static BusFixture fixture;

	/* Only to have a bus that messages can be built for: nothing is sent. */
	if (!fixture.service)
		bus_set_up(&fixture, NULL);
	return fixture.service;
}

static void check_variant(GVariant *value)
{
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
		fuzz_assert_text(g_variant_get_string(value, NULL));
	if (!g_variant_is_container(value))
		return;
	for (size_t i = 0; i < g_variant_n_children(value); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

		check_variant(child);
	}
}

static void check_strings(const Event *event)
{
	g_assert_cmpint(event->kind, <, EVENT_KIND_MAX);
	g_assert_cmpint(event->time, >, 0);
	if (event->details) {
		g_assert_cmpstr(g_variant_get_type_string(event->details), ==, "a{sv}");
		check_variant(event->details);
	}
}

static void check_signal(const Event *event)
{
	const DomainSignal *signal = domain_signal_of(event->kind);
	g_autofree char *signature = g_strconcat(signal->signature, SIGNAL_STAMP_SIGNATURE, NULL);
	g_autofree char *text = NULL;
	g_autoptr(sd_bus_message) message = NULL;

	g_assert_cmpint(domain_signal_new(get_bus(), PATH, event, &message), ==, 0);
	bus_seal(message);
	g_assert_cmpstr(sd_bus_message_get_signature(message, true), ==, signature);
	text = bus_describe(message);
	fuzz_assert_text(text);
}

/* As query-rx-filter would have answered it. */
static void check_filter(JsonNode *node)
{
	g_autoptr(RxFilter) filter = rx_filter_parse(node, NULL);
	g_autoptr(RxFilter) again = NULL;
	g_autoptr(Event) event = NULL;

	if (!filter)
		return;
	again = rx_filter_parse(node, NULL);
	g_assert_true(rx_filter_equal(filter, again));

	event = event_new(EVENT_FILTER_CHANGED, 0);
	event->filter_changed.nic = event_string(event, filter->nic);
	event->filter_changed.filter = g_steal_pointer(&filter);
	event_seal(event, (EventStamp){ .sequence = 1 });
	check_signal(event);
}

static void check_event(const QmpMessage *message)
{
	g_autoptr(Event) event = event_decode(message);

	g_assert_nonnull(event);
	event_seal(event, (EventStamp){ .sequence = 2, .previous = 1 });
	check_strings(event);
	if (event->kind != EVENT_FILTER_CHANGED)
		check_signal(event);
	check_filter(message->body);
}

/* Read without a tree, it is the same event. */
static void check_plain(const QmpMessage *message, const char *line, size_t length)
{
	g_autoptr(QmpMessage) plain = qmp_message_read(line, length, NULL);
	g_autoptr(Event) expected = event_decode(message), event = event_decode(plain);
	g_autoptr(GVariant) expected_body = NULL, body = NULL;

	g_assert_cmpstr(plain->name, ==, message->name);
	g_assert_cmpint(plain->time, ==, message->time);
	g_assert_cmpint(event->kind, ==, expected->kind);
	g_assert_cmpint(event->irregular, ==, expected->irregular);
	g_assert_cmpint(event->incomplete, ==, expected->incomplete);
	if (event->kind == EVENT_FILTER_CHANGED) {
		g_assert_cmpstr(event->filter_changed.nic, ==, expected->filter_changed.nic);
		return;
	}
	/* Without a stamp of QEMU's it is now. */
	event->time = expected->time;
	event_seal(expected, (EventStamp){ .sequence = 2, .previous = 1 });
	event_seal(event, (EventStamp){ .sequence = 2, .previous = 1 });
	expected_body = g_variant_ref_sink(signal_body_new(expected));
	body = g_variant_ref_sink(signal_body_new(event));
	g_assert_true(g_variant_equal(expected_body, body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end = line + size;

	for (unsigned i = 0; i < LINES_MAX && line < end; i++) {
		const char *line_end = memchr(line, '\n', (size_t)(end - line)) ?: end;
		g_autoptr(QmpMessage) message =
			qmp_message_parse(line, (size_t)(line_end - line), NULL);

		if (message && message->kind == QMP_MESSAGE_EVENT) {
			check_event(message);
			check_plain(message, line, (size_t)(line_end - line));
		}
		line = line_end < end ? line_end + 1 : end;
	}
	return 0;
}
