/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "event/decode-plain.h"
#include "event/decode.h"
#include "event/table.h"

/*
 * What becomes of what QEMU says. data/qmp/events.jsonl has what a real one said, of every name at least one
 * (of those that none here can be made to say, written after its schema), and events.expected what that is,
 * line by line. And what a broken one might say: an event is never lost and never crashes anything.
 */

static QmpMessage *parse(const char *line)
{
	g_autoptr(GError) error = NULL;
	QmpMessage *message = qmp_message_read(line, strlen(line), &error);

	g_assert_no_error(error);
	g_assert_cmpint(message->kind, ==, QMP_MESSAGE_EVENT);
	return message;
}

static Event *decode(const char *line)
{
	g_autoptr(QmpMessage) message = parse(line);

	return event_decode(message);
}

/* ---- an event as a line ---- */

/* By key: a dictionary has no order. */
static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void describe_details(GString *text, Event *event)
{
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GVariant) details = NULL;

	if (!event->extra)
		return;
	details = g_variant_ref_sink(g_variant_dict_end(event->extra));
	g_clear_pointer(&event->extra, g_variant_dict_unref);
	for (size_t i = 0; i < g_variant_n_children(details); i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(details, i);
		g_autoptr(GVariant) key = g_variant_get_child_value(entry, 0);
		g_autoptr(GVariant) boxed = g_variant_get_child_value(entry, 1);
		g_autoptr(GVariant) value = g_variant_get_variant(boxed);
		g_autofree char *printed = g_variant_print(value, TRUE);

		g_ptr_array_add(entries, g_strdup_printf(" %s=%s", g_variant_get_string(key, NULL),
							 printed));
	}
	g_ptr_array_sort(entries, compare_texts);
	for (unsigned i = 0; i < entries->len; i++)
		g_string_append(text, entries->pdata[i]);
}

static void describe_field(GString *text, const Event *event, const EventField *field)
{
	const void *place = (const char *)event + field->offset;

	g_string_append_c(text, ' ');
	switch (field->type) {
	case FIELD_FLAG:
		g_string_append(text, *(const bool *)place ? "yes" : "no");
		break;
	case FIELD_INT:
		g_string_append_printf(text, "%" G_GINT64_FORMAT, *(const int64_t *)place);
		break;
	case FIELD_SIZE:
		g_string_append_printf(text, "%" G_GUINT64_FORMAT, *(const uint64_t *)place);
		break;
	default:
		g_string_append_printf(text, "'%s'", *(const char *const *)place);
	}
}

static char *describe(const char *name, Event *event)
{
	const EventRow *row = event_table_lookup(name);
	GString *text = g_string_new(name);

	if (event->kind == EVENT_LIFECYCLE)
		g_string_append_printf(text, " %s %s",
				       lifecycle_event_to_string(event->lifecycle.event),
				       lifecycle_reason_to_string(event->lifecycle.reason));
	if (event->kind == EVENT_MONITOR_EVENT)
		g_string_append_printf(text, " '%s' '%s'", event->monitor_event.name,
				       event->monitor_event.data);
	for (const EventField *field = row ? row->fields : NULL; field && field->type != FIELD_NONE;
	     field++)
		if (field->offset > 0)
			describe_field(text, event, field);
	describe_details(text, event);
	return g_string_free(text, FALSE);
}

/* ---- what QEMU says ---- */

static char *data_path(const char *file)
{
	return g_test_build_filename(G_TEST_DIST, "data", "qmp", file, NULL);
}

static GStrv load(const char *file)
{
	g_autofree char *path = data_path(file);
	g_autofree char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return g_strsplit(g_strchomp(text), "\n", -1);
}

/* By its tree it is the same as without. */
static void check_tree(const char *line, const char *expected, bool irregular)
{
	g_autoptr(QmpMessage) message = qmp_message_parse(line, strlen(line), NULL);
	g_autoptr(Event) event = event_decode(message);
	g_autofree char *text = describe(message->name, event);

	g_assert_null(message->plain);
	g_assert_cmpstr(text, ==, expected);
	g_assert_cmpint(event->irregular, ==, irregular);
	g_assert_cmpint(event->time, >, 0);
}

/* With VMHERALD_TEST_UPDATE the expectations are written anew, to be read before they are believed. */
static void test_recorded(void)
{
	g_auto(GStrv) lines = load("events.jsonl");
	g_auto(GStrv) expected = load("events.expected");
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	bool update = g_getenv("VMHERALD_TEST_UPDATE") != NULL;
	size_t count;

	if (!update)
		g_assert_cmpuint(g_strv_length(lines), ==, g_strv_length(expected));
	for (unsigned i = 0; lines[i]; i++) {
		g_autoptr(QmpMessage) message = parse(lines[i]);
		g_autoptr(Event) event = event_decode(message);
		const EventRow *row = event_table_lookup(message->name);
		g_autofree char *text = describe(message->name, event);

		g_assert_nonnull(row);
		g_hash_table_add(seen, (char *)row->name);
		g_assert_cmpint(event->kind, ==, row->kind);
		g_assert_cmpint(event->time, ==, message->time);
		g_assert_cmpint(event->time, >=, INT64_C(1700000000000000));
		g_assert_false(event->irregular);
		check_tree(lines[i], text, false);
		g_string_append_printf(all, "%s\n", text);
		if (!update)
			g_assert_cmpstr(text, ==, expected[i]);
	}
	if (update) {
		g_autofree char *path = data_path("events.expected");

		g_assert_true(g_file_set_contents(path, all->str, -1, NULL));
	}
	/* No row without a recording. */
	(void)event_table_rows(&count);
	g_assert_cmpuint(g_hash_table_size(seen), ==, count);
}

/* All that may come by the thousand is decoded without a tree. Of the others some member goes to the details unnamed, or has to
 * be looked at. */
static void test_plain(void)
{
	static const char *const others[] = {
		"BLOCK_IO_ERROR", "BLOCK_JOB_COMPLETED", "GUEST_CRASHLOADED", "NETDEV_STREAM_CONNECTED",
		"NIC_RX_FILTER_CHANGED", "QUORUM_REPORT_BAD", "RDMA_GID_STATUS_CHANGED", "SHUTDOWN",
		"SPICE_CONNECTED", "SPICE_DISCONNECTED", "SPICE_INITIALIZED", "VNC_CONNECTED",
		"VNC_DISCONNECTED", "VNC_INITIALIZED", NULL,
	};
	g_auto(GStrv) lines = load("events.jsonl");

	for (unsigned i = 0; lines[i]; i++) {
		g_autoptr(QmpMessage) message = parse(lines[i]);
		const EventRow *row = event_table_lookup(message->name);
		g_autoptr(Event) event = message->plain
						 ? event_decode_plain(row, message->plain, message->time) : NULL;

		g_assert_true(event || g_strv_contains(others, message->name));
	}
}

/* ---- what QEMU should not say ---- */

static void check(const char *line, const char *expected, bool irregular)
{
	g_autoptr(QmpMessage) message = parse(line);
	g_autoptr(Event) event = event_decode(message);
	g_autofree char *text = NULL;

	g_assert_cmpint(event->irregular, ==, irregular);
	text = describe(message->name, event);
	g_assert_cmpstr(text, ==, expected);
	check_tree(line, expected, irregular);
}

/* What can be typed is, the rest is in the details. */
static void test_irregular(void)
{
	static const struct {
		const char *name, *data, *expected;
	} rows[] = {
		{ "RESET", "{}",
		  "RESET '' '' irregular=['guest: missing', 'reason: missing']" },
		{ "RESET", "{\"guest\":true}", "RESET 'guest' '' irregular=['reason: missing']" },
		{ "RESET", "{\"guest\":1,\"reason\":\"guest-reset\"}",
		  "RESET '' 'guest-reset' irregular=['guest: wrong type'] raw-guest='1'" },
		{ "RESET", "{\"guest\":true,\"reason\":[false]}",
		  "RESET 'guest' '' irregular=['reason: wrong type'] raw-qemu-reason='[false]'" },
		{ "RESET", "{\"guest\":false,\"reason\":\"later\"}",
		  "RESET 'host' 'later' irregular=[\"reason: unknown value 'later'\"]" },
		{ "SHUTDOWN", "{\"guest\":null,\"reason\":\"host-ui\"}",
		  "SHUTDOWN shutdown host cause='host-ui' irregular=['guest: missing']" },
		{ "SHUTDOWN", "{\"guest\":true,\"reason\":\"later\"}",
		  "SHUTDOWN shutdown guest cause='later' guest=true "
		  "irregular=[\"reason: unknown value 'later'\"]" },
		{ "DEVICE_DELETED", "{\"device\":5,\"path\":\"/a\"}",
		  "DEVICE_DELETED '' '/a' irregular=['device: wrong type'] raw-device='5'" },
		{ "ACPI_DEVICE_OST", "{\"info\":7}",
		  "ACPI_DEVICE_OST '' '' '' 0 0 info=int64 7 irregular=['info.slot: missing', "
		  "'info.slot-type: missing', 'info.source: missing', 'info.status: missing']" },
		{ "BALLOON_CHANGE", "{\"actual\":\"big\"}",
		  "BALLOON_CHANGE '' 0 irregular=['actual: wrong type'] raw-actual='\"big\"'" },
		{ "MIGRATION", "{\"status\":\"wonderful\",\"more\":{\"a\":{\"b\":1}},\"list\":[1,{}]}",
		  "MIGRATION 'wonderful' '' irregular=[\"status: unknown value 'wonderful'\"] "
		  "list='[1,{}]' more-a-b=int64 1" },
		{ "NETDEV_STREAM_CONNECTED", "{\"netdev-id\":\"n\"}",
		  "NETDEV_STREAM_CONNECTED 'n' 'stream' irregular=['addr: missing']" },
		{ "NETDEV_STREAM_CONNECTED", "{\"netdev-id\":\"n\",\"addr\":{\"host\":1}}",
		  "NETDEV_STREAM_CONNECTED 'n' 'stream' irregular=['addr: wrong type']" },
		{ "GUEST_PANICKED", "{\"action\":\"pause\",\"info\":[]}",
		  "GUEST_PANICKED 'pause' info='[]'" },
		{ "STOP", "{\"why\":\"new\",\"reason\":\"r\",\"irregular\":true,\"A_b\":1.5}",
		  "STOP suspended paused a-b=1.5 qemu-irregular=true qemu-reason='r' why='new'" },
		{ "STOP", "{\"domain_previous\":1}",
		  "STOP suspended paused qemu-domain-previous=int64 1" },
		{ "STOP", "[1]", "STOP suspended paused irregular=['data: wrong type'] raw-data='[1]'" },
		{ "WAKEUP", "null", "WAKEUP started wakeup irregular=['data: wrong type'] raw-data='null'" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *line = g_strdup_printf("{\"event\":\"%s\",\"data\":%s}",
							rows[i].name, rows[i].data);

		check(line, rows[i].expected, strstr(rows[i].expected, " irregular=") != NULL);
	}
}

/* Of what is incomplete no state must be made; a word that is not known is whole. */
static void test_incomplete(void)
{
	static const struct {
		const char *name, *data;
		bool incomplete;
	} rows[] = {
		{ "MIGRATION", "{}", true },
		{ "MIGRATION", "{\"status\":1}", true },
		{ "MIGRATION", "{\"status\":\"later\"}", false },
		{ "BALLOON_CHANGE", "{\"actual\":1}", false },
		{ "ACPI_DEVICE_OST", "{\"info\":{\"device\":7,\"slot\":\"1\",\"slot-type\":\"CPU\",\"source\":1,"
				     "\"status\":0}}", true },
		{ "SHUTDOWN", "{}", false },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *line = g_strdup_printf("{\"event\":\"%s\",\"data\":%s}",
							rows[i].name, rows[i].data);
		g_autoptr(Event) event = decode(line);

		g_test_message("%s", line);
		g_assert_cmpint(event->incomplete, ==, rows[i].incomplete);
	}
}

/* No row is refused, whatever comes: its kind is that of the row. */
static void test_any_data(void)
{
	static const char *const data[] = { "[]", "[{\"guest\":true}]", "\"text\"", "7", "null", "true", "{}",
					    "{\"device\":{},\"id\":[],\"info\":{\"slot\":{}}}" };
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	for (size_t i = 0; i < count; i++) {
		g_autofree char *bare = g_strdup_printf("{\"event\":\"%s\"}", rows[i].name);
		g_autoptr(Event) event = decode(bare);

		g_assert_cmpint(event->kind, ==, rows[i].kind);
		for (size_t j = 0; j < G_N_ELEMENTS(data); j++) {
			g_autofree char *line = g_strdup_printf("{\"event\":\"%s\",\"data\":%s}",
								rows[i].name, data[j]);
			g_autoptr(Event) other = decode(line);

			g_assert_cmpint(other->kind, ==, rows[i].kind);
		}
	}
}

/* A name without a row is told as it came. */
static void test_unknown_name(void)
{
	g_autoptr(GString) text = g_string_new("{\"event\":\"NEWER\",\"data\":\"");
	g_autoptr(Event) event = NULL;
	uint64_t omitted;

	check("{\"event\":\"NEWER\",\"data\":{\"a\":[1,2]}}", "NEWER 'NEWER' '{\"a\":[1,2]}'", false);
	check("{\"event\":\"NEWER\",\"data\":null}", "NEWER 'NEWER' 'null'", false);
	check("{\"event\":\"NEWER\"}", "NEWER 'NEWER' '{}'", false);

	while (text->len <= EVENT_DATA_MAX + 64)
		g_string_append(text, "0123456789abcdef");
	g_string_append(text, "\"}");
	event = decode(text->str);
	g_assert_cmpuint(strlen(event->monitor_event.data), ==, strlen("{}"));
	g_assert_true(g_variant_dict_lookup(event->extra, "omitted-bytes", "t", &omitted));
	g_assert_cmpuint(omitted, >, EVENT_DATA_MAX);
}

/* GuestPanicInformation, a union by its type. */
static void test_panic_information(void)
{
	check("{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\",\"info\":{"
	      "\"type\":\"hyper-v\",\"arg1\":1,\"arg2\":18446744073709551615}}}",
	      "GUEST_PANICKED 'pause' info-arg1=uint64 1 info-arg2=uint64 18446744073709551615 "
	      "info-type='hyper-v'", false);
	check("{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\",\"info\":{"
	      "\"type\":\"s390\",\"reason\":\"disabled-wait\",\"odd\":[1],\"none\":null}}}",
	      "GUEST_PANICKED 'pause' info-odd='[1]' info-reason='disabled-wait' info-type='s390'", false);
	check("{\"event\":\"GUEST_CRASHLOADED\",\"data\":{\"action\":\"run\",\"info\":{"
	      "\"type\":\"tdx\",\"error-code\":7,\"message\":\"m\",\"gpa\":18446744073709551614}}}",
	      "GUEST_CRASHLOADED crashed crashloaded action='run' info-error-code=uint64 7 "
	      "info-gpa=uint64 18446744073709551614 info-message='m' info-type='tdx'", false);
}

/* Who somebody is does not get into the details, in whatever form it comes. */
static void test_identity(void)
{
	g_autoptr(Event) event = decode(
		"{\"event\":\"VNC_INITIALIZED\",\"data\":{\"server\":{\"host\":\"h\",\"service\":\"1\"},"
		"\"client\":{\"host\":\"c\",\"service\":\"2\",\"family\":\"ipv4\",\"websocket\":false,"
		"\"x509_dname\":[\"alice\"],\"sasl_username\":\"alice\",\"token\":\"alice\"}}}");
	g_autofree char *text = NULL;

	g_assert_cmpstr(event->display_client.sasl_username, ==, "alice");
	event->display_client.sasl_username = "";
	text = describe("VNC_INITIALIZED", event);
	g_assert_null(strstr(text, "alice"));
	g_assert_nonnull(strstr(text, " client='c:2'"));
}

static void test_bounds(void)
{
	g_autoptr(GString) text = g_string_new("{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"device\":\"");
	g_autoptr(Event) event = NULL;
	g_autofree char *line = NULL;
	g_auto(GStrv) irregular = NULL;

	/* A string that is too long, and members without end. */
	for (unsigned i = 0; i <= EVENT_TEXT_MAX; i++)
		g_string_append_c(text, 'x');
	g_string_append(text, "\"");
	for (unsigned i = 0; i < 2 * EVENT_DETAILS_MAX; i++)
		g_string_append_printf(text, ",\"m%u\":%u", i, i);
	g_string_append(text, "}}");
	event = decode(text->str);
	g_assert_cmpstr(event->io_error.device, ==, "");
	g_assert_true(g_variant_dict_lookup(event->extra, "irregular", "^as", &irregular));
	g_assert_true(g_strv_contains((const char *const *)irregular, "device: too long"));
	g_assert_true(g_strv_contains((const char *const *)irregular, "data: too many members"));
	line = describe("BLOCK_IO_ERROR", event);
	g_assert_nonnull(strstr(line, " m0="));
	g_assert_null(strstr(line, " m127="));
	g_assert_cmpuint(strlen(line), <, EVENT_TEXT_MAX);

	/* So many departures are told, and no more. */
	for (unsigned i = 0; i < 2 * EVENT_IRREGULARITIES_MAX; i++) {
		g_clear_pointer(&irregular, g_strfreev);
		g_clear_pointer(&event, event_unref);
		event = event_new(EVENT_WATCHDOG, 1);
		for (unsigned j = 0; j <= i; j++)
			event_add_irregularity(event, "m", "odd");
		g_assert_true(g_variant_dict_lookup(event->extra, "irregular", "^as", &irregular));
		g_assert_cmpuint(g_strv_length(irregular), ==, MIN(i + 1, EVENT_IRREGULARITIES_MAX));
	}
}

/* All of them together: what is made of an event has to fit into a message on the bus, and into the history. */
static void test_size(void)
{
	g_autoptr(GString) text = g_string_new("{\"event\":\"WAKEUP\",\"data\":{\"first\":1");
	g_autofree char *filler = g_strnfill(EVENT_TEXT_MAX - 100, 'x');
	g_autoptr(Event) event = NULL;
	g_autoptr(GVariant) details = NULL;
	g_auto(GStrv) irregular = NULL;

	for (unsigned i = 0; i < EVENT_DETAILS_MAX - 1; i++)
		g_string_append_printf(text, ",\"m%u%s\":\"%s\"", i, filler, filler);
	g_string_append(text, "}}");
	event = decode(text->str);
	g_assert_true(g_variant_dict_lookup(event->extra, "irregular", "^as", &irregular));
	g_assert_true(g_strv_contains((const char *const *)irregular, "data: too long"));
	g_assert_true(g_variant_dict_contains(event->extra, "first"));
	details = g_variant_ref_sink(g_variant_dict_end(event->extra));
	g_clear_pointer(&event->extra, g_variant_dict_unref);
	g_assert_cmpuint(g_variant_get_size(details), >, EVENT_REST_MAX / 2);
	g_assert_cmpuint(g_variant_get_size(details), <=, EVENT_REST_MAX + 4096);
}

static void test_addresses(void)
{
	static const struct {
		const char *host, *service, *address;
	} rows[] = {
		{ "127.0.0.1", "5900", "127.0.0.1:5900" }, { "::1", "5900", "[::1]:5900" },
		{ "", "/run/vnc", "/run/vnc" },            { "localhost", "", "localhost" },
		{ "", "", "" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *address = display_client_format_address(rows[i].host, rows[i].service);

		g_assert_cmpstr(address, ==, rows[i].address);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/decode/recorded", test_recorded);
	g_test_add_func("/event/decode/plain", test_plain);
	g_test_add_func("/event/decode/irregular", test_irregular);
	g_test_add_func("/event/decode/incomplete", test_incomplete);
	g_test_add_func("/event/decode/any-data", test_any_data);
	g_test_add_func("/event/decode/unknown-name", test_unknown_name);
	g_test_add_func("/event/decode/panic-information", test_panic_information);
	g_test_add_func("/event/decode/identity", test_identity);
	g_test_add_func("/event/decode/bounds", test_bounds);
	g_test_add_func("/event/decode/size", test_size);
	g_test_add_func("/event/decode/addresses", test_addresses);
	return g_test_run();
}
