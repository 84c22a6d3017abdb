/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/bus-link.h"
#include "client/delivery.h"
#include "client/recovery.h"
#include "client/stream.h"
#include "connection-fixture.h"

/* What is lost on the way, and a service and a bus that go away and come back. */

/* ---- events that are lost ---- */

static void test_hole(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	for (unsigned i = 0; i < 20; i++)
		played_service_emit(fixture->service, 1 + i % 3, i % 4 == 1 || i % 7 == 2);
	fixture_turn_until(record_get_length(all) >= 20);
	record_assert_range(all, 1, 20);
	g_assert_true(fixture_has_status(fixture, VMH_STATUS_RECOVERED));
	g_assert_cmpuint(fixture->gaps, ==, 0);
	fixture_close(&fixture->connection);
}

/* Nothing comes behind it. */
static void test_tail(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture), other = record_new(fixture);

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	record_register(other, fixture->connection, 2, VMH_EVENT_LIFECYCLE);
	played_service_emit(fixture->service, 1, false);
	for (unsigned i = 0; i < 5; i++)
		played_service_emit(fixture->service, 2, true);
	fixture_turn_until(record_get_length(all) >= 6);
	record_assert_range(all, 1, 6);
	record_assert_range(other, 2, 6);
	fixture_close(&fixture->connection);
}

/* The first one after registering, before anything has come. */
static void test_first(Fixture *fixture, const void *data)
{
	g_autoptr(Record) one = record_new(fixture);

	for (unsigned i = 0; i < 10; i++)
		played_service_emit(fixture->service, 1, false);
	record_register(one, fixture->connection, 1, VMH_EVENT_LIFECYCLE);
	played_service_emit(fixture->service, 1, true);
	played_service_emit_reset(fixture->service, 1, false);
	fixture_turn_until(record_get_length(one) >= 1);
	record_assert_range(one, 11, 11);
	fixture_close(&fixture->connection);
}

/* So long that more than one answer is needed. */
static void test_long_hole(Fixture *fixture, const void *data)
{
	const unsigned length = 3 * STREAM_FETCH_MAX;
	g_autoptr(Record) all = record_new(fixture);

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	for (unsigned i = 0; i < length; i++)
		played_service_emit(fixture->service, 1 + i % 9, i + 1 < length);
	fixture_turn_until(record_get_length(all) >= length);
	record_assert_range(all, 1, length);
	g_assert_cmpuint(played_service_get_calls(fixture->service, "GetEvents"), >=, 3);
	fixture_close(&fixture->connection);
}

static void test_cannot_count(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);

	played_service_set_manners(fixture->service, PLAYED_CANNOT_COUNT);
	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	played_service_emit(fixture->service, 1, true);
	fixture_turn_until(record_get_length(all) >= 2);
	record_assert_range(all, 1, 2);
	g_assert_cmpuint(played_service_get_calls(fixture->service, "CountEvents"), ==, 1);
	played_service_emit(fixture->service, 1, true);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) >= 4);
	record_assert_range(all, 1, 4);
	g_assert_cmpuint(played_service_get_calls(fixture->service, "CountEvents"), ==, 1);
	fixture_close(&fixture->connection);
}

static void test_refusing(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);

	played_service_set_manners(fixture->service, PLAYED_REFUSES);
	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, true);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(played_service_get_calls(fixture->service, "GetEvents") +
			   played_service_get_calls(fixture->service, "CountEvents") >= 3);
	g_assert_cmpuint(record_get_length(all), ==, 0);
	played_service_set_manners(fixture->service, 0);
	fixture_turn_until(record_get_length(all) >= 2);
	record_assert_range(all, 1, 2);
	fixture_close(&fixture->connection);
}

/* Nothing is asked again and again when there is nothing. */
static void test_quiet(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);
	gint64 end;
	unsigned counts;

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(played_service_get_calls(fixture->service, "CountEvents") >= 1);
	counts = played_service_get_calls(fixture->service, "CountEvents");
	end = g_get_monotonic_time() + 2 * RECOVERY_VERIFY_AFTER;
	while (g_get_monotonic_time() < end)
		(void)fixture_run((int)MAX((end - g_get_monotonic_time()) / 1000, 1));
	g_assert_cmpuint(played_service_get_calls(fixture->service, "CountEvents"), <=, counts + 1);
	g_assert_cmpuint(played_service_get_calls(fixture->service, "GetEvents"), ==, 0);
	fixture_close(&fixture->connection);
}

/* Without a pause: verified once a second all the same. */
static void test_storm(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);
	gint64 end = g_get_monotonic_time() + 3 * RECOVERY_VERIFY_AFTER;
	unsigned emitted = 0;

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	while (g_get_monotonic_time() < end) {
		for (unsigned i = 0; i < 5; i++, emitted++)
			played_service_emit(fixture->service, 1 + emitted % 9, emitted % 11 == 5);
		fixture_turn_until(record_get_length(all) + 50 > emitted);
	}
	g_assert_cmpuint(played_service_get_calls(fixture->service, "CountEvents"), >=, 2);
	fixture_turn_until(record_get_length(all) >= emitted);
	record_assert_range(all, 1, emitted);
	fixture_close(&fixture->connection);
}

/* ---- the history has them no more ---- */

static void test_gap(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) == 1);
	for (unsigned i = 0; i < 4; i++)
		played_service_emit(fixture->service, 1, true);
	played_service_forget(fixture->service, 4);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(fixture->gaps == 1);
	g_assert_cmpuint(fixture->gap_from, ==, 2);
	g_assert_cmpuint(fixture->gap_to, ==, 6);
	g_assert_true(fixture->gap_has_snapshot);
	g_assert_cmpuint(fixture->gap_domains, ==, 2);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) >= 2);
	g_assert_cmpuint(record_get(all, 1), ==, 7);
	g_assert_cmpuint(fixture->gaps, ==, 1);
	fixture_close(&fixture->connection);
}

static void test_passive(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) == 1);
	played_service_emit(fixture->service, 1, true);
	played_service_emit(fixture->service, 1, true);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) == 2);
	g_assert_cmpuint(record_get(all, 1), ==, 4);
	g_assert_cmpuint(fixture->gaps, ==, 1);
	g_assert_cmpuint(fixture->gap_from, ==, 2);
	g_assert_cmpuint(fixture->gap_to, ==, 3);
	g_assert_false(fixture->gap_has_snapshot);
	g_assert_cmpuint(played_service_get_calls(fixture->service, "GetEvents"), ==, 0);
	g_assert_cmpuint(played_service_get_calls(fixture->service, "CountEvents"), ==, 0);
	g_assert_cmpuint(played_service_get_calls(fixture->service, "Get"), ==, 0);
	fixture_close(&fixture->connection);
}

/* It comes back without its history, and begins to count anew. */
static void test_renumbered(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);

	for (unsigned i = 0; i < 10; i++)
		played_service_emit(fixture->service, 1, false);
	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) == 1);
	played_service_vanish(fixture->service);
	played_service_renumber(fixture->service);
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	fixture_turn_until(fixture->gaps == 1);
	g_assert_cmpuint(fixture->gap_from, <=, 1);
	played_service_emit(fixture->service, 1, false);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) >= 3);
	g_assert_cmpuint(record_get(all, 1), ==, 1);
	g_assert_cmpuint(record_get(all, 2), ==, 2);
	fixture_close(&fixture->connection);
}

/* ---- the service goes away ---- */

static void test_service_restarts(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	g_assert_true(vmh_connection_is_service_there(fixture->connection));
	played_service_vanish(fixture->service);
	fixture_turn_until(fixture_has_status(fixture, VMH_STATUS_SERVICE_GONE));
	g_assert_false(vmh_connection_is_service_there(fixture->connection));
	/* What was told before it went is not told after that it has gone. */
	g_assert_cmpuint(record_get_length(all), ==, 1);
	/* Stamped, and on its way when it was killed. */
	played_service_emit(fixture->service, 1, true);
	played_service_emit(fixture->service, 2, true);
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	fixture_turn_until(record_get_length(all) >= 3);
	record_assert_range(all, 1, 3);
	g_assert_true(fixture_has_status(fixture, VMH_STATUS_SERVICE_THERE));
	g_assert_true(vmh_connection_is_service_there(fixture->connection));
	fixture_close(&fixture->connection);
}

static void *vanish_when_held(void *data)
{
	Fixture *fixture = data;

	while (played_service_get_held(fixture->service) == 0)
		g_thread_yield();
	played_service_vanish(fixture->service);
	return NULL;
}

static void test_service_dies_in_call(Fixture *fixture, const void *data)
{
	GThread *thread = g_thread_new("vanish", vanish_when_held, fixture);

	g_assert_cmpint(fixture_call(fixture->connection, "Hold"), ==, VMH_ERROR_NO_REPLY);
	g_thread_join(thread);
	/* It cannot be started here. */
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, VMH_ERROR_UNREACHABLE);
	g_assert_false(vmh_connection_is_service_there(fixture->connection));
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
	g_assert_true(vmh_connection_is_service_there(fixture->connection));
}

static void test_call_timeout(Fixture *fixture, const void *data)
{
	vmh_connection_set_call_timeout(fixture->connection, 50 * G_TIME_SPAN_MILLISECOND);
	g_assert_cmpint(fixture_call(fixture->connection, "Hold"), ==, VMH_ERROR_NO_REPLY);
	vmh_connection_set_call_timeout(fixture->connection, 0);
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
}

/* Registered while nobody is there. */
static void test_service_comes_later(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);

	played_service_vanish(fixture->service);
	fixture_turn_until(fixture_has_status(fixture, VMH_STATUS_SERVICE_GONE));
	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	for (unsigned i = 0; i < 5; i++)
		played_service_emit(fixture->service, 1, i == 3);
	fixture_turn_until(record_get_length(all) >= 5);
	record_assert_range(all, 1, 5);
	fixture_close(&fixture->connection);
}

/* However often it comes and goes while nobody looks, what is told of it is bounded, and ends with how it is. */
static void test_flapping(Fixture *fixture, const void *data)
{
	for (unsigned i = 0; i < DELIVERY_STATUS_MAX; i++) {
		played_service_vanish(fixture->service);
		played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	}
	played_service_vanish(fixture->service);
	g_assert_cmpint(fixture_call_vanished(fixture->connection), ==, VMH_ERROR_UNREACHABLE);
	fixture_settle();
	g_assert_cmpuint(fixture->statuses->len, ==, DELIVERY_STATUS_MAX);
	for (unsigned i = 0; i < fixture->statuses->len; i++)
		g_assert_cmpint(g_array_index(fixture->statuses, VmhStatus, i), ==,
				i % 2 ? VMH_STATUS_SERVICE_GONE : VMH_STATUS_SERVICE_THERE);
}

/* ---- the bus goes away ---- */

static void lose_bus(Fixture *fixture)
{
	played_bus_kill(fixture->bus);
	played_service_vanish(fixture->service);
}

static void get_bus_back(Fixture *fixture)
{
	played_bus_start(fixture->bus);
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
}

static void test_bus_restarts(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture), one = record_new(fixture);

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	record_register(one, fixture->connection, 1, VMH_EVENT_LIFECYCLE);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) == 1);
	lose_bus(fixture);
	fixture_turn_until(fixture_has_status(fixture, VMH_STATUS_DISCONNECTED));
	g_assert_false(vmh_connection_is_service_there(fixture->connection));
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, VMH_ERROR_DISCONNECTED);
	played_service_emit(fixture->service, 1, true);
	played_service_emit(fixture->service, 2, true);
	get_bus_back(fixture);
	fixture_turn_until(record_get_length(all) >= 3);
	record_assert_range(all, 1, 3);
	record_assert_range(one, 1, 2);
	g_assert_true(fixture_has_status(fixture, VMH_STATUS_CONNECTED));
	g_assert_cmpuint(played_bus_count_rules(fixture->bus), ==, 2);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) >= 4);
	record_assert_range(all, 1, 4);
	g_assert_cmpuint(fixture->gaps, ==, 0);
	record_deregister(one, fixture->connection);
	record_deregister(all, fixture->connection);
	fixture_turn_until(played_bus_count_rules(fixture->bus) == 0);
	fixture_close(&fixture->connection);
}

/* Somebody who makes a call has it back at once, and need not wait for the loop. */
static void test_call_brings_bus_back(Fixture *fixture, const void *data)
{
	for (unsigned i = 0; i < 3; i++) {
		lose_bus(fixture);
		g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, VMH_ERROR_DISCONNECTED);
		get_bus_back(fixture);
		g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
		g_assert_true(vmh_connection_is_service_there(fixture->connection));
	}
}

static void *kill_when_held(void *data)
{
	Fixture *fixture = data;

	while (played_service_get_held(fixture->service) == 0)
		g_thread_yield();
	played_bus_kill(fixture->bus);
	return NULL;
}

static void test_bus_dies_in_call(Fixture *fixture, const void *data)
{
	GThread *thread = g_thread_new("kill", kill_when_held, fixture);

	g_assert_cmpint(fixture_call(fixture->connection, "Hold"), ==, VMH_ERROR_DISCONNECTED);
	g_thread_join(thread);
	played_service_vanish(fixture->service);
}

/* It lets nobody in, and does not refuse either: the loop goes on. */
static void test_bus_hangs(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);
	gint64 begin;

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	lose_bus(fixture);
	fixture_turn_until(fixture_has_status(fixture, VMH_STATUS_DISCONNECTED));
	played_bus_start(fixture->bus);
	played_bus_stop(fixture->bus);
	begin = g_get_monotonic_time();
	for (unsigned i = 0; i < 20; i++)
		(void)fixture_run(20);
	g_assert_cmpint(g_get_monotonic_time() - begin, <, LINK_START_TIMEOUT / 2);
	g_assert_false(fixture_has_status(fixture, VMH_STATUS_CONNECTED));
	played_bus_continue(fixture->bus);
	played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
	fixture_turn_until(fixture_has_status(fixture, VMH_STATUS_SERVICE_THERE));
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) == 1);
	fixture_close(&fixture->connection);
}

static void register_fails(Record *record, VmhConnection *connection)
{
	VmhError *error = NULL;

	g_assert_cmpint(vmh_connection_register_any(connection, NULL, VMH_EVENT_ANY, record_event, record, record_freed, &error),
			==, -1);
	g_assert_cmpint(error->code, ==, VMH_ERROR_DISCONNECTED);
	vmh_error_free(error);
}

static void test_registering_without_bus(Fixture *fixture, const void *data)
{
	g_autoptr(Record) kept = record_new(fixture), refused = record_new(fixture);

	record_register(kept, fixture->connection, 1, VMH_EVENT_RESET);
	lose_bus(fixture);
	fixture_turn_until(fixture_has_status(fixture, VMH_STATUS_DISCONNECTED));
	register_fails(refused, fixture->connection);
	/* Deregistering needs no bus. */
	record_deregister(kept, fixture->connection);
	get_bus_back(fixture);
	fixture_turn_until(fixture_has_status(fixture, VMH_STATUS_SERVICE_THERE));
	g_assert_cmpuint(played_bus_count_rules(fixture->bus), ==, 0);
	fixture_close(&fixture->connection);
	g_assert_cmpuint(kept->freed, ==, 1);
	g_assert_cmpuint(refused->freed, ==, 0);
}

/* ---- going on where another left off ---- */

static void test_position(Fixture *fixture, const void *data)
{
	g_autoptr(Record) first = record_new(fixture), second = record_new(fixture), one = record_new(fixture);
	g_autofree char *nothing = vmh_connection_get_position(fixture->connection);
	char *position;
	VmhError *error = NULL;

	g_assert_cmpstr(nothing, ==, "");
	for (unsigned i = 0; i < 3; i++)
		played_service_emit(fixture->service, 1, false);
	record_register(first, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	played_service_emit(fixture->service, 2, false);
	fixture_turn_until(record_get_length(first) == 2);
	position = vmh_connection_get_position(fixture->connection);
	g_assert_cmpstr(position, ==, "5");
	g_assert_cmpint(vmh_connection_set_position(fixture->connection, "3", &error), ==, -1);
	g_assert_cmpint(error->code, ==, VMH_ERROR_INVALID_ARGUMENT);
	g_clear_pointer(&error, vmh_error_free);
	fixture_close(&fixture->connection);
	for (unsigned i = 0; i < 6; i++)
		played_service_emit(fixture->service, 1 + i % 2, false);
	fixture->connection = fixture_open(fixture, 0);
	g_assert_cmpint(vmh_connection_set_position(fixture->connection, "five", &error), ==, -1);
	g_assert_cmpint(error->code, ==, VMH_ERROR_INVALID_ARGUMENT);
	g_clear_pointer(&error, vmh_error_free);
	g_assert_cmpint(vmh_connection_set_position(fixture->connection, position, &error), ==, 0);
	/* Both begin there. */
	record_register(one, fixture->connection, 2, VMH_EVENT_LIFECYCLE);
	record_register(second, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(second) >= 7);
	record_assert_range(second, 6, 12);
	g_assert_cmpuint(record_get_length(one), ==, 3);
	g_assert_cmpuint(record_get(one, 0), ==, 7);
	fixture_close(&fixture->connection);
	free(position);
}

int main(int argc, char **argv)
{
	static const FixtureCase cases[] = {
		{ "hole", test_hole },
		{ "tail", test_tail },
		{ "first", test_first },
		{ "long-hole", test_long_hole },
		{ "cannot-count", test_cannot_count },
		{ "refusing", test_refusing },
		{ "quiet", test_quiet },
		{ "storm", test_storm },
		{ "gap", test_gap },
		{ "passive", test_passive, VMH_CONNECTION_PASSIVE },
		{ "renumbered", test_renumbered },
		{ "service-restarts", test_service_restarts },
		{ "service-dies-in-call", test_service_dies_in_call },
		{ "service-comes-later", test_service_comes_later },
		{ "call-timeout", test_call_timeout },
		{ "flapping", test_flapping },
		{ "bus-restarts", test_bus_restarts },
		{ "call-brings-bus-back", test_call_brings_bus_back },
		{ "bus-dies-in-call", test_bus_dies_in_call },
		{ "bus-hangs", test_bus_hangs },
		{ "registering-without-bus", test_registering_without_bus },
		{ "position", test_position },
	};

	fixture_init(&argc, argv);
	g_test_init(&argc, &argv, NULL);
	fixture_add_cases("recovery", cases, G_N_ELEMENTS(cases));
	return g_test_run();
}
