/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "domain-fixture.h"
#include "driver-records.h"

/* What the administrator is told: record by record, field by field. And whatever the catalogue says with the
 * words of a record, the record has. */

/* Records with an id, as tables of their fields. */
static GPtrArray *records;

static GLogWriterOutput capture(GLogLevelFlags level, const GLogField *fields, size_t n_fields,
				void *userdata)
{
	GHashTable *record = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	for (size_t i = 0; i < n_fields; i++) {
		g_assert_cmpint(fields[i].length, ==, -1);
		g_assert_true(g_utf8_validate(fields[i].value, -1, NULL));
		/* A field twice is one that cannot be asked for. */
		if (!g_hash_table_insert(record, g_strdup(fields[i].key), g_strdup(fields[i].value)))
			g_error("%s is there twice", fields[i].key);
	}
	g_ptr_array_add(records, record);
	return G_LOG_WRITER_HANDLED;
}

static const char *get(GHashTable *record, const char *name)
{
	return g_hash_table_lookup(record, name);
}

#define assert_field(record, name, expected) g_assert_cmpstr(get(record, name), ==, expected)

/* The first record of id from the one behind *at on; *at moves there. */
static GHashTable *next(unsigned *at, LogId id)
{
	while (*at < records->len) {
		GHashTable *record = g_ptr_array_index(records, (*at)++);

		if (g_strcmp0(get(record, "MESSAGE_ID"), log_id_to_string(id)) == 0)
			return record;
	}
	g_error("no record with the id %s", log_id_to_string(id));
}

static void set_up(DomainFixture *fixture, const void *data)
{
	records = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
	log_set_writer(capture, NULL);
	fixture_set_up(fixture, data);
}

/* The text of the catalogue for that id: its lines up to the next entry. */
static char *read_entry(const char *id)
{
	g_autofree char *text = NULL;
	g_autofree char *head = g_strconcat("\n-- ", id, "\n", NULL);
	const char *begin, *end;

	g_assert_true(g_file_get_contents(g_getenv("VMHERALD_CATALOG"), &text, NULL, NULL));
	begin = strstr(text, head);
	g_assert_nonnull(begin);
	begin += strlen(head);
	end = strstr(begin, "\n-- ");
	return end ? g_strndup(begin, (size_t)(end - begin)) : g_strdup(begin);
}

static void check_catalogue(GHashTable *record)
{
	g_autofree char *entry = NULL;
	g_auto(GStrv) parts = NULL;

	if (!get(record, "MESSAGE_ID"))
		return;
	entry = read_entry(get(record, "MESSAGE_ID"));
	parts = g_strsplit(entry, "@", -1);
	for (unsigned i = 1; parts[i] && parts[i + 1]; i += 2)
		if (!get(record, parts[i]))
			g_error("'%s' has no %s, which the catalogue speaks of", get(record, "MESSAGE"),
				parts[i]);
}

static void tear_down(DomainFixture *fixture, const void *data)
{
	fixture_tear_down(fixture, data);
	log_set_writer(NULL, NULL);
	for (unsigned i = 0; i < records->len; i++)
		check_catalogue(g_ptr_array_index(records, i));
	g_clear_pointer(&records, g_ptr_array_unref);
}

static void assert_about(GHashTable *record, Domain *domain, const char *incarnation)
{
	assert_field(record, "VMHERALD_DOMAIN", domain_get_name(domain));
	assert_field(record, "VMHERALD_UUID", domain_get_uuid(domain));
	assert_field(record, "VMHERALD_INCARNATION", incarnation);
}

/* ---- by a domain that lives ---- */

static void test_life(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	uint64_t sequence;
	unsigned at = 0;
	GHashTable *record = next(&at, LOG_ID_DEFINED);

	assert_about(record, domain, "0");
	assert_field(record, "MESSAGE", "Domain 'a': defined (added)");
	assert_field(record, "PRIORITY", "6");
	assert_field(record, "VMHERALD_EVENT", "defined");
	assert_field(record, "VMHERALD_REASON", "added");
	assert_field(record, "VMHERALD_STATE", "shut-off");
	sequence = g_ascii_strtoull(get(record, "VMHERALD_SEQUENCE"), NULL, 10);
	g_assert_cmpuint(sequence, >, 0);

	fixture_start(fixture, domain);
	record = next(&at, LOG_ID_STARTING);
	assert_about(record, domain, "1");
	record = next(&at, LOG_ID_STARTED);
	assert_about(record, domain, "1");
	assert_field(record, "MESSAGE", "Domain 'a': started (booted)");
	assert_field(record, "PRIORITY", "5");
	assert_field(record, "VMHERALD_STATE", "running");
	/* That of the signal: each record can be found by the other. */
	g_assert_cmpuint(g_ascii_strtoull(get(record, "VMHERALD_SEQUENCE"), NULL, 10), ==,
			 fixture->last_sequence);

	fixture_destroy(fixture, domain);
	record = next(&at, LOG_ID_STOPPED);
	assert_about(record, domain, "1");
	assert_field(record, "VMHERALD_REASON", "destroyed");
	assert_field(record, "VMHERALD_STATE", "shut-off");
	g_assert_nonnull(get(record, "VMHERALD_DETAIL_SIGNAL") ?: get(record, "VMHERALD_DETAIL_EXIT_STATUS"));
	/* Its name is there once. */
	assert_field(record, "VMHERALD_DETAIL_NAME", NULL);
}

static void test_start_fails(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "start=fail", NULL);
	g_auto(Answer) answer = { 0 };
	unsigned at = 0;
	GHashTable *record;

	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, "no such thing");
	record = next(&at, LOG_ID_START_FAILED);
	assert_about(record, domain, "1");
	assert_field(record, "PRIORITY", "4");
	assert_field(record, "VMHERALD_ERROR", answer.error->message);
	assert_field(record, "VMHERALD_DETAIL_STDERR",
		     "fake-qemu: first line\nfake-qemu: -device nope: no such thing");
	g_assert_true(g_str_has_prefix(get(record, "MESSAGE"), "Domain 'a': could not be started: "));
	g_assert_true(g_str_has_suffix(get(record, "MESSAGE"), "-device nope: no such thing"));
	record = next(&at, LOG_ID_FAILED);
	assert_field(record, "MESSAGE", "Domain 'a': stopped (failed), exit status 1");
	assert_field(record, "PRIORITY", "4");
}

static void test_killed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	unsigned at = 0;
	GHashTable *record;

	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	record = next(&at, LOG_ID_FAILED);
	assert_field(record, "MESSAGE", "Domain 'a': stopped (failed), by signal KILL");
	assert_field(record, "VMHERALD_DETAIL_SIGNAL", "KILL");
}

static void test_monitor(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	unsigned at = 0;
	GHashTable *record;

	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	record = next(&at, LOG_ID_MONITOR_LOST);
	assert_about(record, domain, "1");
	assert_field(record, "PRIORITY", "4");
	assert_field(record, "VMHERALD_EVENT", "monitor-lost");
	assert_field(record, "VMHERALD_REASON", "closed");
	assert_field(record, "VMHERALD_STATE", "unknown");
	record = next(&at, LOG_ID_RESYNCHRONIZED);
	assert_field(record, "VMHERALD_REASON", "monitor-lost");
	assert_field(record, "VMHERALD_STATE", "running");
	fixture_destroy(fixture, domain);
}

static void test_garbage(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *result = fixture_execute(fixture, domain, "x-lines", "{\"lines\":[\"no QMP\"]}");
	unsigned at = 0;
	GHashTable *record = next(&at, LOG_ID_EVENTS_LOST);

	assert_about(record, domain, "1");
	assert_field(record, "VMHERALD_DETAIL_WHERE", "monitor");
	g_assert_nonnull(get(record, "VMHERALD_DETAIL_REASON"));
	fixture_destroy(fixture, domain);
}

/* ---- by events as they can be ---- */

static void record_sealed(Domain *domain, Event *event)
{
	event_seal(event, (EventStamp){ 1234, 0 });
	driver_record_event(domain, event);
	event_unref(event);
}

/* Each event of its life, with each reason. */
static void test_all_of_life(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);

	for (int kind = 0; kind < LIFECYCLE_EVENT_MAX; kind++)
		for (int reason = 0; reason < LIFECYCLE_REASON_MAX; reason++) {
			Event *event = event_new_lifecycle(0, (LifecycleEvent)kind, (LifecycleReason)reason);
			unsigned before = records->len;
			GHashTable *record;

			event->lifecycle.state = DOMAIN_STATE_PAUSED;
			record_sealed(domain, event);
			g_assert_cmpuint(records->len, ==, before + 1);
			record = g_ptr_array_index(records, before);
			g_assert_nonnull(get(record, "MESSAGE_ID"));
			assert_field(record, "VMHERALD_EVENT",
				     lifecycle_event_to_string((LifecycleEvent)kind));
			assert_field(record, "VMHERALD_REASON",
				     lifecycle_reason_to_string((LifecycleReason)reason));
			assert_field(record, "VMHERALD_STATE", "paused");
			assert_field(record, "VMHERALD_SEQUENCE", "1234");
			g_assert_null(strchr(get(record, "MESSAGE"), '{'));
		}
}

static void test_failures(DomainFixture *fixture, const void *data)
{
	static const struct {
		LifecycleEvent event;
		LifecycleReason reason;
		LogId id;
	} rows[] = {
		{ LIFECYCLE_SUSPENDED, LIFECYCLE_REASON_PAUSED, LOG_ID_SUSPENDED },
		{ LIFECYCLE_SUSPENDED, LIFECYCLE_REASON_IOERROR, LOG_ID_HELD },
		{ LIFECYCLE_SUSPENDED, LIFECYCLE_REASON_WATCHDOG, LOG_ID_HELD },
		{ LIFECYCLE_SUSPENDED, LIFECYCLE_REASON_GUEST_SHUTDOWN, LOG_ID_SUSPENDED },
		{ LIFECYCLE_STOPPED, LIFECYCLE_REASON_SAVED, LOG_ID_STOPPED },
		{ LIFECYCLE_STOPPED, LIFECYCLE_REASON_CRASHED, LOG_ID_FAILED },
		{ LIFECYCLE_STOPPED, LIFECYCLE_REASON_UNKNOWN, LOG_ID_FAILED },
		{ LIFECYCLE_CRASHED, LIFECYCLE_REASON_PANICKED, LOG_ID_CRASHED },
	};
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		record_sealed(domain, event_new_lifecycle(0, rows[i].event, rows[i].reason));
		assert_field(g_ptr_array_index(records, records->len - 1), "MESSAGE_ID",
			     log_id_to_string(rows[i].id));
	}
}

/* Each kind with an empty payload, as an irregular QEMU makes them; which of them are records is said here. */
static void test_all_kinds(DomainFixture *fixture, const void *data)
{
	static const EventKind told[] = {
		EVENT_WATCHDOG, EVENT_DEVICE_REMOVAL_FAILED, EVENT_IO_ERROR, EVENT_IMAGE_CORRUPTED,
		EVENT_MEMORY_FAILURE, EVENT_QUORUM_FAILURE, EVENT_QUORUM_REPORT_BAD, EVENT_MONITOR_LOST,
		EVENT_MONITOR_RESYNCHRONIZED, EVENT_EVENTS_LOST,
	};
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);

	for (int kind = EVENT_LIFECYCLE + 1; kind < EVENT_KIND_MAX; kind++) {
		unsigned before = records->len;
		bool expected = false;

		for (unsigned i = 0; i < G_N_ELEMENTS(told); i++)
			expected = expected || told[i] == (EventKind)kind;
		record_sealed(domain, event_new((EventKind)kind, 0));
		g_assert_cmpuint(records->len, ==, before + expected);
	}
}

static void test_texts(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	Event *event = event_new(EVENT_IO_ERROR, 0);
	GHashTable *record;

	event->io_error.device = event_string(event, "disk0");
	event->io_error.operation = event_string(event, "write");
	event->io_error.action = event_string(event, "stop");
	event->io_error.text = event_string(event, "No {DEVICE} space %s %n");
	event_add_detail(event, "node", g_variant_new_string("node0"));
	event_add_detail(event, "irregular", g_variant_new_strv((const char *const[]){ "x", "y" }, 2));
	record_sealed(domain, event);
	record = g_ptr_array_index(records, records->len - 1);
	assert_field(record, "MESSAGE", "Domain 'a': a write of disk 'disk0' failed: "
		     "No {DEVICE} space %s %n; action: stop");
	assert_field(record, "VMHERALD_DETAIL_TEXT", "No {DEVICE} space %s %n");
	assert_field(record, "VMHERALD_DETAIL_NODE", "node0");
	assert_field(record, "VMHERALD_DETAIL_IRREGULAR", "['x', 'y']");
	assert_field(record, "VMHERALD_STATE", "shut-off");
}

/* More details than a record takes: what it is about stays. */
static void test_many_details(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	Event *event = event_new_lifecycle(0, LIFECYCLE_STOPPED, LIFECYCLE_REASON_SHUTDOWN);
	GHashTable *record;

	for (unsigned i = 0; i < 1000; i++) {
		g_autofree char *key = g_strdup_printf("detail-%u", i);

		event_add_detail(event, key, g_variant_new_uint32(i));
	}
	record_sealed(domain, event);
	record = g_ptr_array_index(records, records->len - 1);
	assert_field(record, "VMHERALD_EVENT", "stopped");
	assert_field(record, "VMHERALD_SEQUENCE", "1234");
	g_assert_cmpuint(g_hash_table_size(record), <=, LOG_FIELDS_MAX + 10);
}

#define ADD(name, function)                                                                        \
	g_test_add("/domain/records/" name, DomainFixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("life", test_life);
	ADD("start-fails", test_start_fails);
	ADD("killed", test_killed);
	ADD("monitor", test_monitor);
	ADD("garbage", test_garbage);
	ADD("all-of-life", test_all_of_life);
	ADD("failures", test_failures);
	ADD("all-kinds", test_all_kinds);
	ADD("texts", test_texts);
	ADD("many-details", test_many_details);
	return g_test_run();
}
