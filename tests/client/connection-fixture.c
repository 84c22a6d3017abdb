/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "connection-fixture.h"

#include <systemd/sd-event.h>
#include <vmherald/glib.h>

#include "app-loop.h"
#include "bus/names.h"
#include "client/call.h"
#include "client/event-loop.h"

static Loop *the_loop;           /* NULL: there is none, or it is the application's */
static AppLoop *app_loop;

void fixture_init(int *argc, char **argv)
{
	const char *name = argv[1];
	sd_event *event = NULL;

	g_assert_cmpint(*argc, >, 1);
	--*argc;
	for (int i = 1; i <= *argc; i++)
		argv[i] = argv[i + 1];
	if (g_str_equal(name, "poll")) {
		g_assert_cmpint(vmh_event_register_default_impl(), ==, 0);
	} else if (g_str_equal(name, "glib")) {
		g_assert_cmpint(vmh_event_register_glib(NULL), ==, 0);
	} else if (g_str_equal(name, "sd-event")) {
		g_assert_cmpint(sd_event_default(&event), >=, 0);
		g_assert_cmpint(vmh_event_register_sd_event(event), ==, 0);
		sd_event_unref(event);
	} else if (g_str_equal(name, "app")) {
		app_loop = app_loop_new(0);
		g_assert_cmpint(vmh_event_register_impl(&app_loop_impl, app_loop), ==, 0);
		return;
	} else {
		g_assert_cmpstr(name, ==, "none");
	}
	the_loop = event_loop_get();
}

bool fixture_run(int max_wait_ms)
{
	unsigned calls;

	if (the_loop)
		return loop_run_once(the_loop, max_wait_ms);
	calls = app_loop_get_calls(app_loop);
	app_loop_turn(app_loop, max_wait_ms);
	return app_loop_get_calls(app_loop) > calls;
}

static void on_status(VmhConnection *connection, VmhStatus status, void *userdata)
{
	Fixture *fixture = userdata;

	g_array_append_val(fixture->statuses, status);
}

static void on_gap(VmhConnection *connection, uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata)
{
	Fixture *fixture = userdata;

	fixture->gaps++;
	fixture->gap_from = from;
	fixture->gap_to = to;
	fixture->gap_has_snapshot = snapshot != NULL;
	fixture->gap_domains = snapshot ? vmh_snapshot_get_length(snapshot) : 0;
}

VmhConnection *fixture_open(Fixture *fixture, unsigned flags)
{
	VmhError *error = NULL;
	VmhConnection *connection = vmh_connection_open(played_bus_get_address(fixture->bus), flags, &error);

	g_assert_cmpstr(error ? error->message : NULL, ==, NULL);
	g_assert_nonnull(connection);
	return connection;
}

void fixture_close(VmhConnection **connection)
{
	vmh_connection_close(*connection);
	g_clear_pointer(connection, vmh_connection_unref);
}

void fixture_set_up(Fixture *fixture, const void *flags)
{
	fixture->statuses = g_array_new(FALSE, FALSE, sizeof(VmhStatus));
	fixture->bus = played_bus_new(NULL);
	fixture->service = played_service_new();
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	fixture->connection = fixture_open(fixture, GPOINTER_TO_UINT(flags));
	vmh_connection_set_status_callback(fixture->connection, on_status, fixture, NULL);
	vmh_connection_set_gap_callback(fixture->connection, on_gap, fixture, NULL);
}

void fixture_tear_down(Fixture *fixture, const void *flags)
{
	if (fixture->connection)
		fixture_close(&fixture->connection);
	if (event_loop_get())
		fixture_settle();
	played_service_free(fixture->service);
	played_bus_free(fixture->bus);
	g_array_unref(fixture->statuses);
}

void fixture_settle(void)
{
	while (fixture_run(0))
		;
}

bool fixture_has_status(const Fixture *fixture, VmhStatus status)
{
	for (unsigned i = 0; i < fixture->statuses->len; i++)
		if (g_array_index(fixture->statuses, VmhStatus, i) == status)
			return true;
	return false;
}

/* ---- records ---- */

Record *record_new(Fixture *fixture)
{
	Record *record = g_new0(Record, 1);

	record->sequences = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	record->kinds = g_array_new(FALSE, FALSE, sizeof(VmhEventKind));
	record->fixture = fixture;
	return record;
}

Record *record_free(Record *record)
{
	g_array_unref(record->sequences);
	g_array_unref(record->kinds);
	g_free(record);
	return NULL;
}

void record_event(VmhConnection *connection, VmhDomain *domain, const VmhEvent *event, void *userdata)
{
	Record *record = userdata;

	/* What is freed may not be used any more. */
	g_assert_cmpuint(record->freed, ==, 0);
	g_assert_cmpstr(vmh_domain_get_uuid(domain), ==, event->uuid);
	g_assert_cmpstr(vmh_domain_get_path(domain), ==, event->path);
	record->thread = g_thread_self();
	record->depth++;
	record->deepest = MAX(record->deepest, record->depth);
	g_array_append_val(record->sequences, event->sequence);
	g_array_append_val(record->kinds, event->kind);
	if (record->then)
		record->then(record, connection, domain, event);
	record->depth--;
}

void record_freed(void *userdata)
{
	Record *record = userdata;

	g_assert_cmpuint(record->depth, ==, 0);
	record->freed++;
}

int record_register(Record *record, VmhConnection *connection, unsigned number, VmhEventKind kind)
{
	g_autofree char *uuid = played_uuid(number);
	VmhDomain *domain = number ? vmh_domain_new(connection, uuid, NULL) : NULL;
	VmhError *error = NULL;

	record->id = vmh_connection_register_any(connection, domain, kind, record_event, record, record_freed, &error);
	g_assert_cmpstr(error ? error->message : NULL, ==, NULL);
	g_assert_cmpint(record->id, >, 0);
	vmh_domain_unref(domain);
	return record->id;
}

void record_deregister(Record *record, VmhConnection *connection)
{
	VmhError *error = NULL;

	g_assert_cmpint(vmh_connection_deregister_any(connection, record->id, &error), ==, 0);
	g_assert_null(error);
}

unsigned record_get_length(const Record *record)
{
	return record->sequences->len;
}

uint64_t record_get(const Record *record, unsigned index)
{
	return g_array_index(record->sequences, uint64_t, index);
}

void record_assert_range(const Record *record, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < record->sequences->len; i++)
		g_assert_cmpuint(record_get(record, i), ==, first + i);
	g_assert_cmpuint(record->sequences->len, ==, last - first + 1);
}

int fixture_call(VmhConnection *connection, const char *member)
{
	const Call call = {
		.interface = BUS_INTERFACE("Manager"),
		.member = member,
		.arguments = g_variant_new("(s)", "there and back"),
	};
	VmhError *error = NULL;
	GVariant *answer = call_run(connection, &call, &error);
	int code = error ? (int)error->code : -1;

	g_assert_true((answer == NULL) == (error != NULL));
	if (answer)
		g_variant_unref(answer);
	vmh_error_free(error);
	return code;
}

int fixture_call_vanished(VmhConnection *connection)
{
	int code;

	do
		code = fixture_call(connection, "Echo");
	while (code == VMH_ERROR_NO_REPLY);
	return code;
}

void fixture_add_cases(const char *group, const FixtureCase *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		g_autofree char *path = g_strdup_printf("/client/%s/%s", group, cases[i].name);

		g_test_add(path, Fixture, GUINT_TO_POINTER(cases[i].flags), fixture_set_up, cases[i].run, fixture_tear_down);
	}
}
