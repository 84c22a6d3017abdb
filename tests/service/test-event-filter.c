/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event-filter.h"

#include <glib/gstdio.h>
#include <string.h>

#include "bus-fixture.h"
#include "bus/names.h"
#include "bus/variant.h"
#include "event-query.h"

/* Filters as a client writes them, over a few entries, and over as many as one call looks at. */

#define UUID_A "aaaaaaaa-0000-4000-8000-000000000000"
#define UUID_B "bbbbbbbb-0000-4000-8000-000000000000"
#define PATH_A "objectpath '/org/vmherald/Domains1/domain/_aaaaaaaa_0000_4000_8000_000000000000'"
#define PATH_B "objectpath '/org/vmherald/Domains1/domain/_bbbbbbbb_0000_4000_8000_000000000000'"
#define NAME   "org.vmherald.Domains1"

/* The numbers are those of the places, from 1 on. */
static const struct {
	const char *uuid;
	EventKind kind;
	const char *arg0;            /* NULL: the arguments were too long for the history */
} told[] = {
	{ UUID_A, EVENT_LIFECYCLE, "started" },
	{ UUID_B, EVENT_LIFECYCLE, "started" },
	{ UUID_A, EVENT_RESET, "guest" },
	{ UUID_B, EVENT_JOB_CHANGED, "j" },
	{ UUID_A, EVENT_JOB_EVENT, "j" },
	{ UUID_A, EVENT_JOB_EVENT, "" },
	{ UUID_B, EVENT_MONITOR_EVENT, NULL },
	{ UUID_B, EVENT_LIFECYCLE, "starte" },
};

static sd_bus_message *write_filter(BusFixture *fixture, const char *text)
{
	sd_bus_message *message = bus_new_message(fixture);
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) value = g_variant_parse(G_VARIANT_TYPE("a{sv}"), text, NULL, NULL, &error);

	g_assert_no_error(error);
	g_assert_cmpint(bus_append_gvariant(message, value), >=, 0);
	bus_seal(message);
	return message;
}

static char *list_wanted(const EventFilter *filter)
{
	g_autoptr(GString) wanted = g_string_new(NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(told); i++) {
		g_autoptr(GVariant) body = told[i].arg0
			? g_variant_ref_sink(g_variant_new("(st)", told[i].arg0, UINT64_MAX)) : NULL;
		const HistoryEntry entry = {
			.sequence = i + 1,
			.kind = told[i].kind,
			.uuid = told[i].uuid,
			.arguments = body ? g_variant_get_data(body) : NULL,
			.length = body ? g_variant_get_size(body) : 0,
		};

		if (event_filter_wants(filter, &entry))
			g_string_append_printf(wanted, "%u", i + 1);
	}
	return g_string_free(g_steal_pointer(&wanted), FALSE);
}

static void test_wanted(BusFixture *fixture, const void *data)
{
	static const struct {
		const char *filter, *wanted;
	} rows[] = {
		{ "{}", "12345678" },
		{ "{'domain': <" PATH_A ">}", "1356" },
		{ "{'interface': <'" NAME ".Block'>}", "456" },
		{ "{'member': <'Lifecycle'>}", "128" },
		{ "{'member': <'Lifecycle'>, 'interface': <'" NAME ".Block'>}", "" },
		{ "{'member': <'lifecycle'>}", "" },
		{ "{'interface': <'" NAME "'>}", "" },
		{ "{'arg0': <'started'>}", "127" },
		{ "{'arg0': <'starte'>}", "78" },
		{ "{'arg0': <''>}", "67" },
		{ "{'arg0': <'j'>, 'domain': <" PATH_B ">}", "47" },
		/* One is enough. */
		{ "{'any-of': <[@a{sv} {}]>}", "12345678" },
		{ "{'any-of': <[{'member': <'Reset'>}]>}", "3" },
		{ "{'any-of': <[{'member': <'Reset'>}, {'arg0': <'starte'>}, {'member': <'Reset'>}]>}", "378" },
		{ "{'any-of': <[{'domain': <" PATH_A ">}, {'domain': <" PATH_B ">}]>}", "12345678" },
		/* All that it says, and each from where it says on. */
		{ "{'any-of': <[{'domain': <" PATH_A ">, 'member': <'JobEvent'>, 'arg0': <'j'>}]>}", "5" },
		{ "{'any-of': <[{'after': <uint64 6>}]>}", "78" },
		{ "{'any-of': <[{'domain': <" PATH_A ">, 'after': <uint64 3>}, "
		  "{'domain': <" PATH_B ">, 'after': <uint64 7>}]>}", "568" },
		{ "{'any-of': <[{'after': <uint64 6>, 'member': <'Reset'>}, {'after': <uint64 8>}]>}", "" },
		/* And what stands beside it. */
		{ "{'domain': <" PATH_B ">, 'any-of': <[{'member': <'Lifecycle'>}, {'arg0': <'j'>}]>}", "2478" },
		{ "{'arg0': <'j'>, 'any-of': <[{'member': <'JobEvent'>}]>}", "5" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(sd_bus_message) message = write_filter(fixture, rows[i].filter);
		g_autoptr(EventFilter) filter = NULL;
		g_autofree char *wanted = NULL;
		sd_bus_error error = SD_BUS_ERROR_NULL;

		g_assert_cmpint(event_filter_read(message, &filter, &error), >=, 0);
		wanted = list_wanted(filter);
		if (!g_str_equal(wanted, rows[i].wanted))
			g_error("%s: %s, and not %s", rows[i].filter, wanted, rows[i].wanted);
	}
}

static void test_refused(BusFixture *fixture, const void *data)
{
	static const struct {
		const char *filter, *text;
	} rows[] = {
		{ "{'sender': <'me'>}", "options: 'sender' is not known here; known: domain, interface, member, arg0, any-of" },
		{ "{'after': <uint64 1>}", "'after' is not known here" },
		{ "{'domain': <'/a'>}", "'domain' must be of type 'o', not 's'" },
		{ "{'domain': <objectpath '/a'>}", "domain: '/a' is not the path of a domain" },
		{ "{'any-of': <'Reset'>}", "'any-of' must be of type 'aa{sv}', not 's'" },
		{ "{'any-of': <@aa{sv} []>}", "'any-of' is empty" },
		{ "{'any-of': <[@a{sv} {}, {'after': <1>}]>}", "any-of[1]: options: 'after' must be of type 't', not 'i'" },
		{ "{'any-of': <[{'any-of': <@aa{sv} []>}]>}",
		  "any-of[0]: options: 'any-of' is not known here; known: domain, interface, member, arg0, after" },
		{ "{'any-of': <[{'domain': <objectpath '/a'>}]>}", "any-of[0]: options: domain: '/a' is not" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(sd_bus_message) message = write_filter(fixture, rows[i].filter);
		sd_bus_error error = SD_BUS_ERROR_NULL;
		EventFilter *filter = NULL;

		g_assert_cmpint(event_filter_read(message, &filter, &error), <, 0);
		g_assert_null(filter);
		g_assert_cmpstr(error.name, ==, BUS_ERROR("InvalidArgument"));
		if (!strstr(error.message, rows[i].text))
			g_error("%s: '%s' is not in: %s", rows[i].filter, rows[i].text, error.message);
		sd_bus_error_free(&error);
	}
}

/* n of them, each of a domain that is not there, but for the last. */
static char *make_many(unsigned n)
{
	g_autoptr(GString) text = g_string_new("{'any-of': <[");

	for (unsigned i = 1; i < n; i++)
		g_string_append_printf(text, "{'domain': <objectpath '/org/vmherald/Domains1/domain/"
				       "_aaaaaaaa_0000_4000_8000_0000000000%02x'>}, ", i);
	g_string_append(text, "{'domain': <" PATH_B ">}]>}");
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void test_bound(BusFixture *fixture, const void *data)
{
	g_autofree char *most = make_many(EVENT_FILTER_ANY_OF_MAX);
	g_autofree char *too_many = make_many(EVENT_FILTER_ANY_OF_MAX + 1);
	g_autoptr(sd_bus_message) message = write_filter(fixture, most);
	g_autoptr(sd_bus_message) refused = write_filter(fixture, too_many);
	g_autoptr(EventFilter) filter = NULL;
	g_autofree char *wanted = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;

	g_assert_cmpint(event_filter_read(refused, &filter, &error), <, 0);
	g_assert_cmpstr(error.name, ==, BUS_ERROR("InvalidArgument"));
	g_assert_cmpstr(error.message, ==, "any-of[64]: more than 64 are too many");
	sd_bus_error_free(&error);
	g_assert_cmpint(event_filter_read(message, &filter, &error), >=, 0);
	wanted = list_wanted(filter);
	g_assert_cmpstr(wanted, ==, "2478");
}

/* ---- what has gone ---- */

/* A history of 16, of which the first hundred have gone: many of A, with a reset of B as number 50. */
static History *make_short_history(const char *folder)
{
	g_autoptr(GError) error = NULL;
	History *history = history_open(folder, "boot", "layout", 0, HISTORY_BYTES_MIN, HISTORY_EVENTS_MIN, &error);

	g_assert_no_error(error);
	for (unsigned i = 1; i <= 100 + HISTORY_EVENTS_MIN; i++) {
		const HistoryEntry entry = {
			.sequence = i,
			.kind = i == 50 ? EVENT_RESET : EVENT_LIFECYCLE,
			.uuid = i == 50 ? UUID_B : UUID_A,
			.arguments = "",
			.length = 1,
		};

		history_append(history, &entry);
	}
	return history;
}

static void test_forgotten(BusFixture *fixture, const void *data)
{
	static const struct {
		const char *filter;
		uint64_t last;
	} rows[] = {
		{ "{}", 100 },
		{ "{'domain': <" PATH_B ">}", 50 },
		{ "{'member': <'Reset'>}", 50 },
		{ "{'member': <'Reset'>, 'domain': <" PATH_A ">}", 0 },
		{ "{'member': <'Panicked'>}", 0 },
		{ "{'member': <'OfTomorrow'>}", 0 },
		/* What its value was is not known. */
		{ "{'member': <'Reset'>, 'arg0': <'guest'>}", 50 },
		{ "{'any-of': <[{'member': <'Panicked'>}, {'member': <'Reset'>}]>}", 50 },
		{ "{'any-of': <[{'domain': <" PATH_A ">, 'after': <uint64 100>}, {'member': <'Reset'>}]>}", 50 },
		{ "{'any-of': <[{'domain': <" PATH_A ">, 'after': <uint64 99>}, {'member': <'Reset'>}]>}", 100 },
		{ "{'domain': <" PATH_B ">, 'any-of': <[@a{sv} {}]>}", 50 },
		{ "{'domain': <" PATH_B ">, 'any-of': <[{'domain': <" PATH_B ">}]>}", 50 },
		{ "{'domain': <" PATH_B ">, 'any-of': <[{'domain': <" PATH_A ">}]>}", 0 },
		{ "{'member': <'Reset'>, 'any-of': <[{'member': <'Lifecycle'>}]>}", 0 },
	};
	g_autofree char *folder = g_dir_make_tmp("event-filter-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "history", NULL);
	g_autoptr(History) history = make_short_history(folder);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(sd_bus_message) message = write_filter(fixture, rows[i].filter);
		g_autoptr(EventFilter) filter = NULL;

		g_test_message("%s", rows[i].filter);
		g_assert_cmpint(event_filter_read(message, &filter, NULL), >=, 0);
		g_assert_false(event_filter_has_forgotten(filter, history, rows[i].last));
		if (rows[i].last > 0)
			g_assert_true(event_filter_has_forgotten(filter, history, rows[i].last - 1));
	}
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* ---- the effort ---- */

static History *fill_history(const char *folder)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) body = g_variant_ref_sink(g_variant_new_parsed(
		"('suspended', 'paused', 'paused', (uint64 1, uint64 1, uint64 1), {'domain-previous': <uint64 1>})"));
	History *history = history_open(folder, "boot", "layout", 0, HISTORY_BYTES_MAX, HISTORY_EVENTS_DEFAULT,
					&error);

	g_assert_no_error(error);
	for (unsigned i = 1; i <= HISTORY_EVENTS_DEFAULT; i++) {
		const HistoryEntry entry = {
			.sequence = i,
			.kind = EVENT_LIFECYCLE,
			.uuid = i % 2 ? UUID_A : UUID_B,
			.arguments = g_variant_get_data(body),
			.length = g_variant_get_size(body),
		};

		history_append(history, &entry);
	}
	return history;
}

static void measure(BusFixture *fixture, const History *history, const char *what, const char *text)
{
	g_autoptr(sd_bus_message) message = write_filter(fixture, text);
	g_autoptr(EventFilter) filter = NULL;
	uint64_t entries;
	unsigned wanted = 0;
	HistoryEntry entry;
	int64_t start;

	g_assert_cmpint(event_filter_read(message, &filter, NULL), >=, 0);
	entries = EVENT_COUNT_EFFORT_MAX / event_filter_get_effort(filter);
	start = g_get_monotonic_time();
	for (uint64_t i = 1; i <= entries && history_get(history, i, &entry); i++)
		wanted += event_filter_wants(filter, &entry);
	g_test_message("measured: %s: %.1f ms for %u entries", what,
		       (double)(g_get_monotonic_time() - start) / 1000, (unsigned)entries);
	g_assert_cmpuint(wanted, ==, entries / 2);
}

static void test_effort(BusFixture *fixture, const void *data)
{
	g_autofree char *folder = g_dir_make_tmp("event-filter-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "history", NULL);
	g_autofree char *most = make_many(EVENT_FILTER_ANY_OF_MAX);
	g_autoptr(History) history = fill_history(folder);

	measure(fixture, history, "a filter for one domain", "{'domain': <" PATH_B ">}");
	measure(fixture, history, "one for a domain and arg0", "{'arg0': <'suspended'>, 'domain': <" PATH_B ">}");
	measure(fixture, history, "one of 64 domains", most);
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

#define ADD(name, function)                                                                        \
	g_test_add("/service/event-filter/" name, BusFixture, NULL, bus_set_up, function, bus_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("wanted", test_wanted);
	ADD("refused", test_refused);
	ADD("bound", test_bound);
	ADD("forgotten", test_forgotten);
	ADD("effort", test_effort);
	return g_test_run();
}
