/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "event/table.h"

/*
 * The table against what a real QEMU said (data/qmp/known-events.jsonl, other-events.jsonl), and
 * against what a broken one might say: an event is never lost and never crashes anything.
 */

static QmpMessage *parse(const char *line)
{
	g_autoptr(GError) error = NULL;
	QmpMessage *message = qmp_message_parse(line, strlen(line), &error);

	g_assert_no_error(error);
	g_assert_cmpint(message->kind, ==, QMP_MESSAGE_EVENT);
	return message;
}

static Event *decode(const char *line)
{
	g_autoptr(QmpMessage) message = parse(line);

	return event_decode(message);
}

/* ---- the table ---- */

static void test_sorted(void)
{
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	g_assert_cmpuint(count, >=, 13);
	for (size_t i = 0; i < count; i++) {
		g_assert_nonnull(rows[i].decode);
		g_assert_cmpuint(rows[i].kind, <, EVENT_KIND_MAX);
		g_assert_cmpuint(strspn(rows[i].name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), ==,
				 strlen(rows[i].name));
		/* Strictly: no name twice. */
		if (i > 0)
			g_assert_cmpstr(rows[i - 1].name, <, rows[i].name);
	}
}

static void test_lookup(void)
{
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	for (size_t i = 0; i < count; i++) {
		g_autofree char *shorter = g_strndup(rows[i].name, strlen(rows[i].name) - 1);
		g_autofree char *longer = g_strconcat(rows[i].name, "X", NULL);
		g_autofree char *spaced = g_strconcat(rows[i].name, " ", NULL);
		g_autofree char *lower = g_ascii_strdown(rows[i].name, -1);

		g_assert_true(event_table_lookup(rows[i].name) == &rows[i]);
		g_assert_null(event_table_lookup(shorter));
		g_assert_null(event_table_lookup(longer));
		g_assert_null(event_table_lookup(spaced));
		g_assert_null(event_table_lookup(lower));
	}
	g_assert_null(event_table_lookup(""));
	g_assert_null(event_table_lookup("A"));
	g_assert_null(event_table_lookup("ZZZ"));
	g_assert_null(event_table_lookup("\xff"));
}

/* Each has its class for a reason: DEVICE_DELETED waits for its backends, the filter asks on its own. */
static void test_classes(void)
{
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	for (size_t i = 0; i < count; i++) {
		EventClass expected = EVENT_CLASS_STREAM;

		if (g_str_equal(rows[i].name, "DEVICE_DELETED"))
			expected = EVENT_CLASS_PREPARE;
		else if (g_str_equal(rows[i].name, "NIC_RX_FILTER_CHANGED"))
			expected = EVENT_CLASS_TRIGGER;
		g_assert_cmpint(rows[i].event_class, ==, expected);
	}
}

/* ---- recordings ---- */

/* By key: a dictionary has no order. */
static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *describe_details(Event *event)
{
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GVariant) details = NULL;

	if (!event->extra)
		return g_strdup("");
	details = g_variant_ref_sink(g_variant_dict_end(event->extra));
	g_clear_pointer(&event->extra, g_variant_dict_unref);
	for (size_t i = 0; i < g_variant_n_children(details); i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(details, i);

		g_ptr_array_add(entries, g_variant_print(entry, FALSE));
	}
	g_ptr_array_sort(entries, compare_texts);
	g_ptr_array_add(entries, NULL);
	return g_strjoinv(" ", (char **)entries->pdata);
}

static char *describe_payload(const Event *event)
{
	switch (event->kind) {
	case EVENT_LIFECYCLE:
		return g_strdup_printf("lifecycle %s %s",
				       lifecycle_event_to_string(event->lifecycle.event),
				       lifecycle_reason_to_string(event->lifecycle.reason));
	case EVENT_RESET:
		return g_strdup_printf("reset %s %s", event->reset.initiator, event->reset.cause);
	case EVENT_POWERDOWN_REQUESTED:
		return g_strdup_printf("powerdown %s", event->powerdown_requested.source);
	case EVENT_WATCHDOG:
		return g_strdup_printf("watchdog %s", event->watchdog.action);
	case EVENT_PANICKED:
		return g_strdup_printf("panicked %s", event->panicked.action);
	case EVENT_DEVICE_REMOVED:
		return g_strdup_printf("removed '%s' %s", event->device_removed.id,
				       event->device_removed.qom_path);
	case EVENT_FILTER_CHANGED:
		return g_strdup_printf("filter '%s'", event->filter_changed.nic);
	case EVENT_MONITOR_EVENT:
		return g_strdup_printf("event %s %s", event->monitor_event.name,
				       event->monitor_event.data);
	default:
		g_assert_not_reached();
	}
}

static char *describe(Event *event)
{
	g_autofree char *payload = describe_payload(event);
	g_autofree char *details = describe_details(event);

	return *details ? g_strconcat(payload, " ", details, NULL) : g_steal_pointer(&payload);
}

static GStrv load(const char *file)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "data", "qmp", file, NULL);
	g_autofree char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return g_strsplit(g_strchomp(text), "\n", -1);
}

/* Line by line what becomes of known-events.jsonl. */
static const char *const expected[] = {
	"removed '' /machine/peripheral/cpu1/lapic",
	"removed 'dimm1' /machine/peripheral/dimm1",
	"removed '' /machine/peripheral/net9/virtio-backend",
	"removed 'net9' /machine/peripheral/net9",
	"removed '' /machine/peripheral/disk9/virtio-backend",
	"removed 'disk9' /machine/peripheral/disk9",
	"removed '' /machine/peripheral/disk8/virtio-backend",
	"removed 'disk8' /machine/peripheral/disk8",
	"lifecycle crashed crashloaded {'action', <'run'>}",
	"panicked pause",
	"panicked poweroff",
	"panicked run",
	"filter 'net0'",
	"filter ''",
	"powerdown host",
	"reset guest guest-reset",
	"reset host host-qmp-system-reset",
	"lifecycle resumed unpaused",
	"lifecycle shutdown host {'cause', <'host-qmp-quit'>} {'guest', <false>}",
	"lifecycle shutdown guest {'cause', <'guest-panic'>} {'guest', <true>}",
	"lifecycle shutdown guest {'cause', <'guest-shutdown'>} {'guest', <true>}",
	"lifecycle shutdown host {'cause', <'host-qmp-system-reset'>} {'guest', <false>}",
	"lifecycle shutdown guest {'cause', <'guest-reset'>} {'guest', <true>}",
	"lifecycle shutdown host {'cause', <'host-signal'>} {'guest', <false>}",
	"lifecycle suspended paused",
	"lifecycle pm-suspended memory",
	"lifecycle pm-suspended disk",
	"lifecycle started wakeup",
	"watchdog pause",
	"watchdog none",
	"watchdog debug",
	"watchdog reset",
	"watchdog shutdown",
	"watchdog poweroff",
};

static void test_recorded(void)
{
	g_auto(GStrv) lines = load("known-events.jsonl");
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	size_t count;

	g_assert_cmpuint(g_strv_length(lines), ==, G_N_ELEMENTS(expected));
	for (unsigned i = 0; lines[i]; i++) {
		g_autoptr(QmpMessage) message = parse(lines[i]);
		g_autoptr(Event) event = event_decode(message);
		const EventRow *row = event_table_lookup(message->name);
		g_autofree char *text = describe(event);

		g_assert_nonnull(row);
		g_hash_table_add(seen, (char *)row->name);
		g_assert_cmpint(event->kind, ==, row->kind);
		g_assert_cmpint(event->time, ==, message->time);
		g_assert_cmpint(event->time, >, INT64_C(1700000000000000));
		g_assert_cmpstr(text, ==, expected[i]);
	}
	/* No row without a recording. */
	(void)event_table_rows(&count);
	g_assert_cmpuint(g_hash_table_size(seen), ==, count);
}

static void test_recorded_unknown(void)
{
	g_auto(GStrv) lines = load("other-events.jsonl");

	g_assert_cmpuint(g_strv_length(lines), >=, 30);
	for (unsigned i = 0; lines[i]; i++) {
		g_autoptr(QmpMessage) message = parse(lines[i]);
		g_autoptr(Event) event = event_decode(message);
		g_autoptr(JsonNode) data = NULL;

		g_assert_cmpint(event->kind, ==, EVENT_MONITOR_EVENT);
		g_assert_cmpstr(event->monitor_event.name, ==, message->name);
		g_assert_cmpint(event->time, ==, message->time);
		/* Its JSON, whole, in the form of one object. */
		data = json_from_string(event->monitor_event.data, NULL);
		g_assert_true(JSON_NODE_HOLDS_OBJECT(data));
		if (message->body)
			g_assert_true(json_node_equal(data, message->body));
		else
			g_assert_cmpstr(event->monitor_event.data, ==, "{}");
	}
}

/* ---- what QEMU should not say ---- */

static void check(const char *line, const char *text)
{
	g_autoptr(Event) event = decode(line);
	g_autofree char *description = describe(event);

	g_assert_cmpstr(description, ==, text);
}

/* A mandatory member that is missing or has another type: told as it is. */
static void test_broken(void)
{
	static const struct {
		const char *name;
		const char *data;
	} rows[] = {
		{ "DEVICE_DELETED", "{}" },
		{ "DEVICE_DELETED", "{\"device\":\"a\"}" },
		{ "DEVICE_DELETED", "{\"path\":null}" },
		{ "DEVICE_DELETED", "{\"path\":{\"a\":1},\"device\":\"a\"}" },
		{ "GUEST_PANICKED", "{}" },
		{ "GUEST_PANICKED", "{\"action\":7}" },
		{ "GUEST_PANICKED", "{\"action\":[],\"info\":{\"type\":\"s390\"}}" },
		{ "RESET", "{}" },
		{ "RESET", "{\"guest\":true}" },
		{ "RESET", "{\"reason\":\"guest-reset\"}" },
		{ "RESET", "{\"guest\":\"true\",\"reason\":\"guest-reset\"}" },
		{ "RESET", "{\"guest\":1,\"reason\":\"guest-reset\"}" },
		{ "RESET", "{\"guest\":true,\"reason\":false}" },
		{ "SHUTDOWN", "{}" },
		{ "SHUTDOWN", "{\"guest\":true}" },
		{ "SHUTDOWN", "{\"reason\":\"guest-reset\"}" },
		{ "SHUTDOWN", "{\"guest\":null,\"reason\":\"guest-reset\"}" },
		{ "SHUTDOWN", "{\"guest\":true,\"reason\":[\"guest-reset\"]}" },
		{ "WATCHDOG", "{}" },
		{ "WATCHDOG", "{\"action\":false}" },
		{ "WATCHDOG", "{\"Action\":\"pause\"}" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *line = g_strdup_printf("{\"event\":\"%s\",\"data\":%s}",
							rows[i].name, rows[i].data);
		g_autofree char *text = g_strdup_printf("event %s %s", rows[i].name, rows[i].data);

		check(line, text);
	}
}

/* No data, or data that is no object: rows that need none do not mind, the others tell what came. */
static void test_no_object(void)
{
	static const char *const data[] = { "[]", "[{\"guest\":true}]", "\"text\"", "7", "null", "true" };
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	for (size_t i = 0; i < count; i++) {
		g_autofree char *bare = g_strdup_printf("{\"event\":\"%s\"}", rows[i].name);
		g_autoptr(Event) event = decode(bare);
		bool needs_data = event->kind == EVENT_MONITOR_EVENT;

		if (needs_data)
			g_assert_cmpstr(event->monitor_event.data, ==, "{}");
		for (size_t j = 0; j < G_N_ELEMENTS(data); j++) {
			g_autofree char *line = g_strdup_printf("{\"event\":\"%s\",\"data\":%s}",
								rows[i].name, data[j]);
			g_autoptr(Event) other = decode(line);

			g_assert_cmpint(other->kind, ==, event->kind);
			if (!needs_data)
				continue;
			g_assert_cmpstr(other->monitor_event.name, ==, rows[i].name);
			g_assert_cmpstr(other->monitor_event.data, ==, data[j]);
		}
	}
	/* The same for a name without a row. */
	check("{\"event\":\"NEWER\",\"data\":[1,2]}", "event NEWER [1,2]");
	check("{\"event\":\"NEWER\",\"data\":null}", "event NEWER null");
}

/* A later QEMU has other words: they are passed on, nobody guesses. */
static void test_unknown_values(void)
{
	check("{\"event\":\"WATCHDOG\",\"data\":{\"action\":\"later\"}}", "watchdog later");
	check("{\"event\":\"WATCHDOG\",\"data\":{\"action\":\"\"}}", "watchdog ");
	check("{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"later\"}}", "panicked later");
	check("{\"event\":\"RESET\",\"data\":{\"guest\":false,\"reason\":\"later\",\"new\":[1]}}",
	      "reset host later");
	check("{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"later\"}}",
	      "lifecycle shutdown guest {'cause', <'later'>} {'guest', <true>}");
	check("{\"event\":\"GUEST_CRASHLOADED\",\"data\":{\"action\":1}}",
	      "lifecycle crashed crashloaded");
	check("{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":5,\"path\":\"/a\"}}", "removed '' /a");
	check("{\"event\":\"NIC_RX_FILTER_CHANGED\",\"data\":{\"name\":{}}}", "filter ''");
	check("{\"event\":\"STOP\",\"data\":{\"why\":\"new\"}}", "lifecycle suspended paused");
}

/* GuestPanicInformation, a union by its type. */
static void test_panic_information(void)
{
	check("{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\",\"info\":{"
	      "\"type\":\"hyper-v\",\"arg1\":1,\"arg2\":18446744073709551615}}}",
	      "panicked pause {'info-arg1', <uint64 1>} {'info-arg2', <uint64 18446744073709551615>} "
	      "{'info-type', <'hyper-v'>}");
	check("{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\",\"info\":{"
	      "\"type\":\"s390\",\"reason\":\"disabled-wait\",\"odd\":[1],\"none\":null}}}",
	      "panicked pause {'info-reason', <'disabled-wait'>} {'info-type', <'s390'>}");
	check("{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\",\"info\":[]}}",
	      "panicked pause");
	check("{\"event\":\"GUEST_CRASHLOADED\",\"data\":{\"action\":\"run\",\"info\":{"
	      "\"type\":\"s390\"}}}",
	      "lifecycle crashed crashloaded {'action', <'run'>} {'info-type', <'s390'>}");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/table/sorted", test_sorted);
	g_test_add_func("/event/table/lookup", test_lookup);
	g_test_add_func("/event/table/classes", test_classes);
	g_test_add_func("/event/table/recorded", test_recorded);
	g_test_add_func("/event/table/recorded-unknown", test_recorded_unknown);
	g_test_add_func("/event/table/broken", test_broken);
	g_test_add_func("/event/table/no-object", test_no_object);
	g_test_add_func("/event/table/unknown-values", test_unknown_values);
	g_test_add_func("/event/table/panic-information", test_panic_information);
	return g_test_run();
}
