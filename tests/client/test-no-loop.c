/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event-loop.h"
#include "connection-fixture.h"

/* A program without an event loop makes calls, from as many threads as it likes. */

#define THREADS 4

static void test_calls(Fixture *fixture, const void *data)
{
	VmhError *error = NULL;
	VmhSnapshot *snapshot;

	g_assert_null(event_loop_get());
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
	snapshot = vmh_connection_get_snapshot(fixture->connection, &error);
	g_assert_null(error);
	g_assert_cmpuint(vmh_snapshot_get_length(snapshot), ==, 2);
	vmh_snapshot_unref(snapshot);
}

static void test_no_callbacks(Fixture *fixture, const void *data)
{
	Record *record = record_new(fixture);
	VmhError *error = NULL;

	g_assert_cmpint(vmh_connection_register_any(fixture->connection, NULL, VMH_EVENT_ANY, record_event, record, record_freed,
						    &error), ==, -1);
	g_assert_cmpint(error->code, ==, VMH_ERROR_NO_EVENT_LOOP);
	vmh_error_free(error);
	fixture_close(&fixture->connection);
	g_assert_cmpuint(record->freed, ==, 0);
	record_free(record);
}

/* Nobody reads the bus between two calls, so each finds out for itself. */
static void test_service_and_bus_restart(Fixture *fixture, const void *data)
{
	played_service_vanish(fixture->service);
	g_assert_cmpint(fixture_call_vanished(fixture->connection), ==, VMH_ERROR_UNREACHABLE);
	g_assert_false(vmh_connection_is_service_there(fixture->connection));
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	/* What the bus says of who came is before this answer. */
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
	g_assert_true(vmh_connection_is_service_there(fixture->connection));
	played_bus_kill(fixture->bus);
	played_service_vanish(fixture->service);
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, VMH_ERROR_DISCONNECTED);
	g_assert_false(vmh_connection_is_service_there(fixture->connection));
	played_bus_start(fixture->bus);
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
}

static void *make_calls(void *connection)
{
	for (unsigned i = 0; i < 200; i++)
		g_assert_cmpint(fixture_call(connection, "Echo"), ==, -1);
	return NULL;
}

static void test_threads(Fixture *fixture, const void *data)
{
	GThread *threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("calls", make_calls, fixture->connection);
	for (unsigned i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
}

/* What was opened is closed by the last reference. */
static void test_unref(Fixture *fixture, const void *data)
{
	VmhConnection *connection = fixture_open(fixture, 0);

	g_assert_cmpint(fixture_call(connection, "Echo"), ==, -1);
	vmh_connection_unref(connection);
	vmh_connection_unref(NULL);
	vmh_connection_close(NULL);
}

int main(int argc, char **argv)
{
	static const FixtureCase cases[] = {
		{ "calls", test_calls },
		{ "no-callbacks", test_no_callbacks },
		{ "service-and-bus-restart", test_service_and_bus_restart },
		{ "threads", test_threads },
		{ "unref", test_unref },
	};

	fixture_init(&argc, argv);
	g_test_init(&argc, &argv, NULL);
	fixture_add_cases("no-loop", cases, G_N_ELEMENTS(cases));
	return g_test_run();
}
