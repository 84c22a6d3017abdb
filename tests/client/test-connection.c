/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/names.h"
#include "client/attachment.h"
#include "client/delivery.h"
#include "connection-fixture.h"

/* Registering, delivering and closing, with a service and a bus that are well. */

/* ---- opening ---- */

static void check_not_opened(const char *address, VmhErrorCode code)
{
	VmhError *error = NULL;

	g_assert_null(vmh_connection_open(address, 0, &error));
	g_assert_cmpint(error->code, ==, code);
	g_assert_nonnull(strstr(error->message, address));
	vmh_error_free(error);
}

static void test_no_bus(void)
{
	check_not_opened("unix:path=/nonexistent/bus", VMH_ERROR_UNREACHABLE);
	check_not_opened("no address", VMH_ERROR_UNREACHABLE);
}

static void test_flags(void)
{
	VmhError *error = NULL;

	g_assert_null(vmh_connection_open("session", 1 << 20, &error));
	g_assert_cmpint(error->code, ==, VMH_ERROR_INVALID_ARGUMENT);
	vmh_error_free(error);
}

/* ---- events ---- */

static void test_events(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture), one = record_new(fixture), resets = record_new(fixture);

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	record_register(one, fixture->connection, 2, VMH_EVENT_LIFECYCLE);
	record_register(resets, fixture->connection, 0, VMH_EVENT_RESET);
	played_service_emit(fixture->service, 1, false);
	played_service_emit(fixture->service, 2, false);
	played_service_emit_reset(fixture->service, 2, false);
	played_service_emit(fixture->service, 2, false);
	fixture_turn_until(record_get_length(all) == 4);
	record_assert_range(all, 1, 4);
	g_assert_cmpuint(record_get_length(one), ==, 2);
	g_assert_cmpuint(record_get(one, 0), ==, 2);
	g_assert_cmpuint(record_get(one, 1), ==, 4);
	g_assert_cmpuint(record_get_length(resets), ==, 1);
	g_assert_cmpuint(record_get(resets, 0), ==, 3);
	g_assert_true(all->thread == g_thread_self());
	fixture_close(&fixture->connection);
	g_assert_cmpuint(all->freed, ==, 1);
	g_assert_cmpuint(one->freed, ==, 1);
	g_assert_cmpuint(resets->freed, ==, 1);
}

/* What was before the registering is not told. */
static void test_from_now_on(Fixture *fixture, const void *data)
{
	g_autoptr(Record) first = record_new(fixture), second = record_new(fixture);

	for (unsigned i = 0; i < 5; i++)
		played_service_emit(fixture->service, 1, false);
	record_register(first, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(first) == 1);
	record_register(second, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(second) == 1);
	record_assert_range(first, 6, 7);
	record_assert_range(second, 7, 7);
	fixture_close(&fixture->connection);
}

static void test_state(Fixture *fixture, const void *data)
{
	g_autoptr(Record) properties = record_new(fixture), all = record_new(fixture);

	record_register(properties, fixture->connection, 1, VMH_EVENT_PROPERTIES_CHANGED);
	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit_properties(fixture->service, 2);
	played_service_emit_properties(fixture->service, 1);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) == 1);
	g_assert_cmpuint(record_get_length(properties), ==, 1);
	g_assert_cmpuint(record_get(properties, 0), ==, 0);
	fixture_close(&fixture->connection);
}

/* Somebody else sends us what looks like the service's. */
static void test_forged(Fixture *fixture, const void *data)
{
	g_autoptr(GDBusConnection) forger = played_bus_connect(fixture->bus);
	g_autoptr(Record) all = record_new(fixture);
	g_autofree char *path = played_path(1);
	g_autoptr(GVariant) rules = NULL;

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	/* The connections have the numbers :1.0 and so on: one of the first is ours. */
	for (unsigned i = 0; i < 8; i++) {
		g_autofree char *receiver = g_strdup_printf(":1.%u", i);
		GVariantBuilder details;

		g_variant_builder_init(&details, G_VARIANT_TYPE_VARDICT);
		g_dbus_connection_emit_signal(forger, receiver, path, BUS_INTERFACE("Domain"), "Lifecycle",
					      g_variant_new("(sss(ttt)a{sv})", "crashed", "failed", "crashed",
							    (guint64)1, (guint64)0, (guint64)0, &details),
					      NULL);
	}
	g_dbus_connection_flush_sync(forger, NULL, NULL);
	played_service_emit(fixture->service, 1, false);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(all) == 2);
	record_assert_range(all, 1, 2);
	fixture_close(&fixture->connection);
	g_dbus_connection_close_sync(forger, NULL, NULL);
}

/* ---- rules ---- */

static void test_rules(Fixture *fixture, const void *data)
{
	g_autoptr(Record) a = record_new(fixture), b = record_new(fixture), c = record_new(fixture), other = record_new(fixture);

	g_assert_cmpuint(played_bus_count_rules(fixture->bus), ==, 0);
	record_register(a, fixture->connection, 1, VMH_EVENT_LIFECYCLE);
	record_register(b, fixture->connection, 1, VMH_EVENT_LIFECYCLE);
	record_register(c, fixture->connection, 1, VMH_EVENT_LIFECYCLE);
	g_assert_cmpuint(played_bus_count_rules(fixture->bus), ==, 1);
	record_register(other, fixture->connection, 2, VMH_EVENT_LIFECYCLE);
	g_assert_cmpuint(played_bus_count_rules(fixture->bus), ==, 2);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(c) == 1);
	record_deregister(b, fixture->connection);
	g_assert_cmpuint(b->freed, ==, 0);
	fixture_turn_until(b->freed == 1);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(c) == 2);
	g_assert_cmpuint(record_get_length(a), ==, 2);
	g_assert_cmpuint(record_get_length(b), ==, 1);
	record_deregister(a, fixture->connection);
	g_assert_cmpuint(played_bus_count_rules(fixture->bus), ==, 2);
	record_deregister(c, fixture->connection);
	fixture_turn_until(played_bus_count_rules(fixture->bus) == 1);
	record_deregister(other, fixture->connection);
	fixture_turn_until(played_bus_count_rules(fixture->bus) == 0);
	fixture_turn_until(a->freed && c->freed && other->freed);
	fixture_close(&fixture->connection);
	g_assert_cmpuint(a->freed + b->freed + c->freed + other->freed, ==, 4);
}

/* The same callback with the same data counts twice. */
static void test_twice(Fixture *fixture, const void *data)
{
	g_autoptr(Record) record = record_new(fixture);
	int first = record_register(record, fixture->connection, 0, VMH_EVENT_ANY);
	int second = record_register(record, fixture->connection, 0, VMH_EVENT_ANY);

	g_assert_cmpint(first, !=, second);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(record) == 2);
	fixture_close(&fixture->connection);
	g_assert_cmpuint(record->freed, ==, 2);
}

static void check_refused(Fixture *fixture, VmhEventMatch match, VmhErrorCode code)
{
	Record *record = record_new(fixture);
	VmhError *error = NULL;

	g_assert_cmpint(vmh_connection_register_match(fixture->connection, &match, record_event, record, record_freed, &error),
			==, -1);
	g_assert_cmpint(error->code, ==, code);
	vmh_error_free(error);
	fixture_settle();
	g_assert_cmpuint(record->freed, ==, 0);
	record_free(record);
}

static void test_bad_matches(Fixture *fixture, const void *data)
{
	VmhError *error = NULL;

	check_refused(fixture, (VmhEventMatch){ .kind = VMH_EVENT_UNKNOWN }, VMH_ERROR_INVALID_ARGUMENT);
	check_refused(fixture, (VmhEventMatch){ .kind = VMH_EVENT_KIND_MAX }, VMH_ERROR_INVALID_ARGUMENT);
	check_refused(fixture, (VmhEventMatch){ .kind = -2 }, VMH_ERROR_INVALID_ARGUMENT);
	check_refused(fixture, (VmhEventMatch){ .kind = VMH_EVENT_RESET, .interface = "Domain" }, VMH_ERROR_INVALID_ARGUMENT);
	check_refused(fixture, (VmhEventMatch){ .kind = VMH_EVENT_ANY, .interface = "Do'main" }, VMH_ERROR_INVALID_ARGUMENT);
	check_refused(fixture, (VmhEventMatch){ .kind = VMH_EVENT_ANY, .interface = "" }, VMH_ERROR_INVALID_ARGUMENT);
	check_refused(fixture, (VmhEventMatch){ .kind = VMH_EVENT_ANY, .arg0 = "\xff" }, VMH_ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(vmh_connection_deregister_any(fixture->connection, 7, &error), ==, -1);
	g_assert_cmpint(error->code, ==, VMH_ERROR_INVALID_ARGUMENT);
	vmh_error_free(error);
	g_assert_cmpint(vmh_connection_deregister_any(fixture->connection, 0, NULL), ==, -1);
	g_assert_cmpint(vmh_connection_deregister_any(fixture->connection, -3, NULL), ==, -1);
	g_assert_cmpuint(played_bus_count_rules(fixture->bus), ==, 0);
}

static void test_arg0(Fixture *fixture, const void *data)
{
	const char *strange = "it's, a=\\b";
	const VmhEventMatch matches[] = {
		{ .kind = VMH_EVENT_LIFECYCLE, .arg0 = "suspended" },
		{ .kind = VMH_EVENT_ANY, .interface = "Domain", .arg0 = "guest" },
		{ .kind = VMH_EVENT_LIFECYCLE, .arg0 = strange },
	};
	Record *records[G_N_ELEMENTS(matches)];

	for (unsigned i = 0; i < G_N_ELEMENTS(matches); i++) {
		records[i] = record_new(fixture);
		g_assert_cmpint(vmh_connection_register_match(fixture->connection, &matches[i], record_event, records[i],
							      record_freed, NULL), >, 0);
	}
	played_service_emit(fixture->service, 1, false);
	played_service_emit_reset(fixture->service, 1, false);
	fixture_turn_until(record_get_length(records[1]) == 1);
	g_assert_cmpuint(record_get(records[1], 0), ==, 2);
	g_assert_cmpuint(record_get_length(records[0]), ==, 1);
	g_assert_cmpuint(record_get(records[0], 0), ==, 1);
	g_assert_cmpuint(record_get_length(records[2]), ==, 0);
	fixture_close(&fixture->connection);
	for (unsigned i = 0; i < G_N_ELEMENTS(matches); i++) {
		g_assert_cmpuint(records[i]->freed, ==, 1);
		record_free(records[i]);
	}
}

/* The bus takes so many rules of one connection, of which one is the connection's own. */
static void test_rule_limit(void)
{
	Fixture fixture = { 0 };
	g_autoptr(Record) a = record_new(&fixture);

	fixture.bus = played_bus_new("<limit name=\"max_match_rules_per_connection\">2</limit>");
	fixture.service = played_service_new();
	played_service_appear(fixture.service, played_bus_get_address(fixture.bus));
	fixture.connection = fixture_open(&fixture, 0);
	record_register(a, fixture.connection, 1, VMH_EVENT_RESET);
	check_refused(&fixture, (VmhEventMatch){ .kind = VMH_EVENT_LIFECYCLE }, VMH_ERROR_LIMIT_EXCEEDED);
	g_assert_cmpuint(played_bus_count_rules(fixture.bus), ==, 1);
	/* What shares a rule needs none. */
	record_register(a, fixture.connection, 1, VMH_EVENT_RESET);
	played_service_emit_reset(fixture.service, 1, false);
	fixture_turn_until(record_get_length(a) == 2);
	fixture_close(&fixture.connection);
	g_assert_cmpuint(a->freed, ==, 2);
	played_service_free(fixture.service);
	played_bus_free(fixture.bus);
}

/* ---- in callbacks ---- */

static void remove_self(Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event)
{
	record_deregister(record, connection);
	g_assert_cmpuint(record->freed, ==, 0);
}

static void remove_other(Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event)
{
	record->then = NULL;
	record_deregister(record->other, connection);
}

static void add_other(Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event)
{
	record->then = NULL;
	record_register(record->other, connection, 0, VMH_EVENT_RESET);
}

static void test_change_in_callbacks(Fixture *fixture, const void *data)
{
	g_autoptr(Record) self = record_new(fixture), remover = record_new(fixture), removed = record_new(fixture);
	g_autoptr(Record) adder = record_new(fixture), added = record_new(fixture);

	self->then = remove_self;
	remover->then = remove_other;
	remover->other = removed;
	adder->then = add_other;
	adder->other = added;
	record_register(self, fixture->connection, 0, VMH_EVENT_LIFECYCLE);
	record_register(remover, fixture->connection, 0, VMH_EVENT_LIFECYCLE);
	record_register(removed, fixture->connection, 0, VMH_EVENT_LIFECYCLE);
	record_register(adder, fixture->connection, 0, VMH_EVENT_LIFECYCLE);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(adder) == 1);
	played_service_emit(fixture->service, 1, false);
	played_service_emit_reset(fixture->service, 1, false);
	fixture_turn_until(record_get_length(added) == 1);
	g_assert_cmpuint(record_get_length(self), ==, 1);
	g_assert_cmpuint(record_get_length(remover), ==, 2);
	/* The one behind it is out before its turn. */
	g_assert_cmpuint(record_get_length(removed), ==, 0);
	g_assert_cmpuint(record_get_length(adder), ==, 2);
	fixture_turn_until(self->freed && removed->freed);
	fixture_close(&fixture->connection);
	g_assert_cmpuint(self->freed, ==, 1);
	g_assert_cmpuint(removed->freed, ==, 1);
	g_assert_cmpuint(remover->freed, ==, 1);
	g_assert_cmpuint(adder->freed, ==, 1);
	g_assert_cmpuint(added->freed, ==, 1);
}

static void call_within(Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event)
{
	unsigned before = record_get_length(record);

	/* Those that come while the answer is waited for are for later. */
	if (event->sequence == 1)
		for (unsigned i = 0; i < 20; i++)
			played_service_emit(record->fixture->service, 1 + i % 3, false);
	g_assert_cmpint(fixture_call(connection, "Echo"), ==, -1);
	g_assert_cmpuint(record_get_length(record), ==, before);
}

static void test_call_in_callback(Fixture *fixture, const void *data)
{
	g_autoptr(Record) record = record_new(fixture);

	record->then = call_within;
	record_register(record, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(record) == 21);
	record_assert_range(record, 1, 21);
	g_assert_cmpuint(record->deepest, ==, 1);
	fixture_close(&fixture->connection);
}

static void test_call_outside(Fixture *fixture, const void *data)
{
	g_autoptr(Record) record = record_new(fixture);

	record_register(record, fixture->connection, 0, VMH_EVENT_ANY);
	for (unsigned i = 0; i < 100; i++)
		played_service_emit(fixture->service, 1, false);
	for (unsigned i = 0; i < 10; i++)
		g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
	g_assert_cmpuint(record_get_length(record), ==, 0);
	fixture_turn_until(record_get_length(record) == 100);
	record_assert_range(record, 1, 100);
	fixture_close(&fixture->connection);
}

static void turn_within(Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event)
{
	if (event->sequence != 1)
		return;
	for (unsigned i = 0; i < 10; i++)
		played_service_emit(record->fixture->service, 1, false);
	/* The bus is read in the inner turns, as one can see by an answer for another thread; but nothing is delivered. */
	for (unsigned i = 0; i < 50; i++)
		(void)fixture_run(1);
	g_assert_cmpuint(record_get_length(record), ==, 1);
}

static void test_inner_turns(Fixture *fixture, const void *data)
{
	g_autoptr(Record) record = record_new(fixture), second = record_new(fixture);

	record->then = turn_within;
	record_register(record, fixture->connection, 0, VMH_EVENT_ANY);
	record_register(second, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(record_get_length(second) == 11);
	record_assert_range(record, 1, 11);
	record_assert_range(second, 1, 11);
	g_assert_cmpuint(record->deepest, ==, 1);
	fixture_close(&fixture->connection);
}

/* Others of the application's are served in between. */
static void test_bounded_turn(Fixture *fixture, const void *data)
{
	g_autoptr(Record) record = record_new(fixture);
	unsigned before, turns = 0;

	record_register(record, fixture->connection, 0, VMH_EVENT_ANY);
	for (unsigned i = 0; i < 500; i++)
		played_service_emit(fixture->service, 1, false);
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
	while ((before = record_get_length(record)) < 500) {
		(void)fixture_run(DEADLINE_US / 1000);
		g_assert_cmpuint(record_get_length(record) - before, <=, DELIVERY_TURN_MAX);
		turns += record_get_length(record) > before;
	}
	g_assert_cmpuint(turns, ==, (500 + DELIVERY_TURN_MAX - 1) / DELIVERY_TURN_MAX);
	record_assert_range(record, 1, 500);
	fixture_close(&fixture->connection);
}

/* ---- closing ---- */

static void close_within(Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event)
{
	VmhError *error = NULL;

	vmh_connection_close(connection);
	/* Its own data is in use. */
	g_assert_cmpuint(record->freed, ==, 0);
	g_assert_cmpuint(record->other->freed, ==, 1);
	g_assert_cmpint(fixture_call(connection, "Echo"), ==, VMH_ERROR_DISCONNECTED);
	g_assert_cmpint(vmh_connection_register_any(connection, NULL, VMH_EVENT_ANY, record_event, record, record_freed, &error),
			==, -1);
	g_assert_cmpint(error->code, ==, VMH_ERROR_DISCONNECTED);
	vmh_error_free(error);
	vmh_connection_close(connection);
	if (record->fixture->connection)
		g_clear_pointer(&record->fixture->connection, vmh_connection_unref);
}

static void test_close_in_callback(Fixture *fixture, const void *data)
{
	g_autoptr(Record) closer = record_new(fixture), other = record_new(fixture);

	closer->then = close_within;
	closer->other = other;
	record_register(closer, fixture->connection, 0, VMH_EVENT_ANY);
	record_register(other, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 1, false);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(closer->freed == 1);
	fixture_settle();
	g_assert_cmpuint(record_get_length(closer), ==, 1);
	g_assert_cmpuint(record_get_length(other), ==, 0);
	g_assert_cmpuint(closer->freed, ==, 1);
	g_assert_cmpuint(other->freed, ==, 1);
}

/* A domain that was kept is one afterwards too. */
static VmhDomain *kept_domain;
static VmhEvent *kept_event;

static void keep(Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event)
{
	kept_domain = vmh_domain_ref(domain);
	kept_event = vmh_event_ref(event);
}

static void test_keep(Fixture *fixture, const void *data)
{
	g_autoptr(Record) record = record_new(fixture);
	g_autofree char *uuid = played_uuid(4);

	record->then = keep;
	record_register(record, fixture->connection, 0, VMH_EVENT_ANY);
	played_service_emit(fixture->service, 4, false);
	fixture_turn_until(record_get_length(record) == 1);
	fixture_close(&fixture->connection);
	g_assert_cmpstr(vmh_domain_get_uuid(kept_domain), ==, uuid);
	g_assert_cmpstr(kept_event->uuid, ==, uuid);
	g_assert_cmpint(fixture_call(vmh_domain_get_connection(kept_domain), "Echo"), ==, VMH_ERROR_DISCONNECTED);
	g_clear_pointer(&kept_domain, vmh_domain_unref);
	g_clear_pointer(&kept_event, vmh_event_unref);
}

static void test_replaced_status(Fixture *fixture, const void *data)
{
	g_autoptr(Record) first = record_new(fixture), second = record_new(fixture);

	vmh_connection_set_status_callback(fixture->connection, (VmhStatusCallback)(void *)record_event, first, record_freed);
	vmh_connection_set_status_callback(fixture->connection, NULL, NULL, NULL);
	fixture_turn_until(first->freed == 1);
	vmh_connection_set_gap_callback(fixture->connection, (VmhGapCallback)(void *)record_event, second, record_freed);
	fixture_close(&fixture->connection);
	g_assert_cmpuint(first->freed, ==, 1);
	g_assert_cmpuint(second->freed, ==, 1);
}

/* ---- others ---- */

static void test_snapshot(Fixture *fixture, const void *data)
{
	VmhError *error = NULL;
	VmhSnapshot *snapshot;

	for (unsigned i = 0; i < 3; i++)
		played_service_emit(fixture->service, 1, false);
	snapshot = vmh_connection_get_snapshot(fixture->connection, &error);
	g_assert_null(error);
	g_assert_cmpuint(vmh_snapshot_get_sequence(snapshot), ==, 3);
	g_assert_cmpuint(vmh_snapshot_get_length(snapshot), ==, 2);
	vmh_snapshot_unref(snapshot);
}

static void test_domain_new(Fixture *fixture, const void *data)
{
	VmhError *error = NULL;
	VmhDomain *domain = vmh_domain_new(fixture->connection, "ABCDEFAB-2222-3333-4444-555555555555", &error);

	g_assert_null(error);
	g_assert_cmpstr(vmh_domain_get_uuid(domain), ==, "abcdefab-2222-3333-4444-555555555555");
	g_assert_cmpstr(vmh_domain_get_path(domain), ==,
			BUS_DOMAIN_PATH "/_abcdefab_2222_3333_4444_555555555555");
	vmh_domain_unref(domain);
	g_assert_null(vmh_domain_new(fixture->connection, "vm1", &error));
	g_assert_cmpint(error->code, ==, VMH_ERROR_INVALID_ARGUMENT);
	vmh_error_free(error);
	vmh_domain_unref(NULL);
}

int main(int argc, char **argv)
{
	static const FixtureCase cases[] = {
		{ "events", test_events },
		{ "from-now-on", test_from_now_on },
		{ "state", test_state },
		{ "forged", test_forged },
		{ "rules", test_rules },
		{ "twice", test_twice },
		{ "bad-matches", test_bad_matches },
		{ "arg0", test_arg0 },
		{ "change-in-callbacks", test_change_in_callbacks },
		{ "call-in-callback", test_call_in_callback },
		{ "call-outside", test_call_outside },
		{ "inner-turns", test_inner_turns },
		{ "bounded-turn", test_bounded_turn },
		{ "close-in-callback", test_close_in_callback },
		{ "keep", test_keep },
		{ "replaced-status", test_replaced_status },
		{ "snapshot", test_snapshot },
		{ "domain-new", test_domain_new },
	};

	fixture_init(&argc, argv);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/connection/no-bus", test_no_bus);
	g_test_add_func("/client/connection/flags", test_flags);
	g_test_add_func("/client/connection/rule-limit", test_rule_limit);
	fixture_add_cases("connection", cases, G_N_ELEMENTS(cases));
	return g_test_run();
}
