/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "connection-fixture.h"

/* Several threads at once, whose calls the loop does not wait for, nor they for the loop. */

#define THREADS 8
#define CALLS   100

typedef struct Worker {
	Fixture *fixture;
	GThread *thread;
	Record *record;
	int done;                   /* atomic */
	int code;
} Worker;

static bool is_done(Worker *worker)
{
	return g_atomic_int_get(&worker->done);
}

static void worker_start(Worker *worker, Fixture *fixture, GThreadFunc run)
{
	*worker = (Worker){ .fixture = fixture, .record = record_new(fixture) };
	worker->thread = g_thread_new("worker", run, worker);
}

static void worker_join(Worker *worker)
{
	g_thread_join(worker->thread);
	record_free(worker->record);
}

static bool are_done(Worker *workers)
{
	for (unsigned i = 0; i < THREADS; i++)
		if (!is_done(&workers[i]))
			return false;
	return true;
}

static void *make_calls(void *data)
{
	Worker *worker = data;

	for (unsigned i = 0; i < CALLS; i++)
		g_assert_cmpint(fixture_call(worker->fixture->connection, "Echo"), ==, -1);
	g_atomic_int_set(&worker->done, 1);
	return NULL;
}

static void test_calls(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);
	Worker workers[THREADS];
	unsigned emitted = 0;

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	for (unsigned i = 0; i < THREADS; i++)
		worker_start(&workers[i], fixture, make_calls);
	while (!are_done(workers) || emitted < 2000) {
		if (emitted < 2000)
			for (unsigned i = 0; i < 10; i++, emitted++)
				played_service_emit(fixture->service, 1 + emitted % 9, emitted % 97 == 96);
		(void)fixture_run(1);
	}
	fixture_turn_until(record_get_length(all) >= emitted);
	record_assert_range(all, 1, emitted);
	g_assert_true(all->thread == g_thread_self());
	for (unsigned i = 0; i < THREADS; i++)
		worker_join(&workers[i]);
	fixture_close(&fixture->connection);
}

/* One alone has the buck, and the loop is woken by the same answers: half of them are read by the one, half by the other. */
static void test_loop_reads_answers(Fixture *fixture, const void *data)
{
	Worker workers[5];

	for (unsigned i = 0; i < G_N_ELEMENTS(workers); i++) {
		worker_start(&workers[i], fixture, make_calls);
		fixture_turn_until(is_done(&workers[i]));
		worker_join(&workers[i]);
	}
}

/* Nobody runs the loop meanwhile. */
static void test_calls_alone(Fixture *fixture, const void *data)
{
	Worker workers[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		worker_start(&workers[i], fixture, make_calls);
	for (unsigned i = 0; i < THREADS; i++)
		worker_join(&workers[i]);
}

static void *hold(void *data)
{
	Worker *worker = data;

	worker->code = fixture_call(worker->fixture->connection, "Hold");
	g_atomic_int_set(&worker->done, 1);
	return NULL;
}

/* One who waits long has the buck; the others get their answers all the same, and it is passed on. */
static void test_long_call(Fixture *fixture, const void *data)
{
	Worker workers[THREADS], quick;

	for (unsigned i = 0; i < THREADS; i++)
		worker_start(&workers[i], fixture, hold);
	while (played_service_get_held(fixture->service) < THREADS)
		g_thread_yield();
	worker_start(&quick, fixture, make_calls);
	worker_join(&quick);
	g_assert_cmpint(fixture_call(fixture->connection, "Echo"), ==, -1);
	for (unsigned i = 0; i < THREADS; i++)
		g_assert_false(is_done(&workers[i]));
	played_service_release(fixture->service);
	for (unsigned i = 0; i < THREADS; i++) {
		g_thread_join(workers[i].thread);
		g_assert_cmpint(workers[i].code, ==, -1);
		record_free(workers[i].record);
	}
}

static void test_close_under_calls(Fixture *fixture, const void *data)
{
	Worker workers[THREADS];
	VmhConnection *connection = vmh_connection_ref(fixture->connection);

	for (unsigned i = 0; i < THREADS; i++)
		worker_start(&workers[i], fixture, hold);
	while (played_service_get_held(fixture->service) < THREADS)
		g_thread_yield();
	vmh_connection_close(connection);
	for (unsigned i = 0; i < THREADS; i++) {
		g_thread_join(workers[i].thread);
		g_assert_cmpint(workers[i].code, ==, VMH_ERROR_DISCONNECTED);
		record_free(workers[i].record);
	}
	vmh_connection_unref(connection);
}

static void count_freed(void *data)
{
	g_atomic_int_inc((int *)data);
}

static void ignore(VmhConnection *connection, VmhDomain *domain, const VmhEvent *event, void *data)
{
}

static void *churn(void *data)
{
	Worker *worker = data;
	VmhConnection *connection = worker->fixture->connection;

	for (unsigned i = 0; i < 20; i++) {
		int id = vmh_connection_register_any(connection, NULL, i % 2 ? VMH_EVENT_ANY : VMH_EVENT_LIFECYCLE, ignore,
						     &worker->code, count_freed, NULL);

		g_assert_cmpint(id, >, 0);
		g_assert_cmpint(vmh_connection_deregister_any(connection, id, NULL), ==, 0);
	}
	g_atomic_int_set(&worker->done, 1);
	return NULL;
}

static void test_churn(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);
	Worker workers[THREADS];
	unsigned emitted = 0;

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	for (unsigned i = 0; i < THREADS; i++)
		worker_start(&workers[i], fixture, churn);
	while (!are_done(workers)) {
		played_service_emit(fixture->service, 1 + emitted % 9, false);
		emitted++;
		(void)fixture_run(1);
	}
	fixture_turn_until(record_get_length(all) >= emitted);
	record_assert_range(all, 1, emitted);
	fixture_settle();
	for (unsigned i = 0; i < THREADS; i++) {
		g_assert_cmpint(g_atomic_int_get(&workers[i].code), ==, 20);
		worker_join(&workers[i]);
	}
	record_deregister(all, fixture->connection);
	fixture_turn_until(played_bus_count_rules(fixture->bus) == 0);
	fixture_close(&fixture->connection);
}

/* A callback that runs until it is told to, so that what waits for it can be seen to wait. */
static int entered, leave;

static void stay(Record *record, VmhConnection *connection, VmhDomain *domain, const VmhEvent *event)
{
	g_atomic_int_set(&entered, 1);
	while (!g_atomic_int_get(&leave))
		g_thread_yield();
}

static void *deregister_running(void *data)
{
	Worker *worker = data;
	Record *record = worker->record->other;

	while (!g_atomic_int_get(&entered))
		g_thread_yield();
	g_assert_cmpint(g_atomic_int_get(&worker->done), ==, 0);
	record_deregister(record, worker->fixture->connection);
	/* It has returned. */
	g_assert_cmpint(g_atomic_int_get(&leave), ==, 1);
	g_assert_cmpuint(record->depth, ==, 0);
	g_atomic_int_set(&worker->done, 1);
	return NULL;
}

static void *release_later(void *data)
{
	Worker *worker = data;

	while (!g_atomic_int_get(&entered))
		g_thread_yield();
	/* So much is done before it that the other one would have been through. */
	for (unsigned i = 0; i < CALLS; i++)
		g_assert_cmpint(fixture_call(worker->fixture->connection, "Echo"), ==, -1);
	g_atomic_int_set(&leave, 1);
	g_atomic_int_set(&worker->done, 1);
	return NULL;
}

static void test_deregister_waits(Fixture *fixture, const void *data)
{
	g_autoptr(Record) record = record_new(fixture);
	Worker remover = { .fixture = fixture, .record = record_new(fixture) }, releaser;

	entered = leave = 0;
	record->then = stay;
	record_register(record, fixture->connection, 0, VMH_EVENT_ANY);
	remover.record->other = record;
	remover.thread = g_thread_new("remover", deregister_running, &remover);
	worker_start(&releaser, fixture, release_later);
	played_service_emit(fixture->service, 1, false);
	fixture_turn_until(is_done(&remover) && is_done(&releaser));
	worker_join(&remover);
	worker_join(&releaser);
	fixture_turn_until(record->freed == 1);
	g_assert_cmpuint(record_get_length(record), ==, 1);
	fixture_close(&fixture->connection);
	g_assert_cmpuint(record->freed, ==, 1);
}

/* The bus comes and goes while all of them call. */
static void *call_until_told(void *data)
{
	Worker *worker = data;

	while (!is_done(worker)) {
		int code = fixture_call(worker->fixture->connection, "Echo");

		g_assert_true(code == -1 || code == VMH_ERROR_DISCONNECTED || code == VMH_ERROR_UNREACHABLE ||
			      code == VMH_ERROR_NO_REPLY);
	}
	return NULL;
}

static void test_bus_restarts_under_calls(Fixture *fixture, const void *data)
{
	g_autoptr(Record) all = record_new(fixture);
	Worker workers[THREADS];

	record_register(all, fixture->connection, 0, VMH_EVENT_ANY);
	for (unsigned i = 0; i < THREADS; i++)
		worker_start(&workers[i], fixture, call_until_told);
	for (unsigned round = 0; round < 3; round++) {
		played_service_emit(fixture->service, 1, false);
		fixture_turn_until(record_get_length(all) == round * 2 + 1);
		played_bus_kill(fixture->bus);
		played_service_vanish(fixture->service);
		played_service_emit(fixture->service, 2, true);
		played_bus_start(fixture->bus);
		played_service_appear(fixture->service, played_bus_get_address(fixture->bus));
		fixture_turn_until(record_get_length(all) == round * 2 + 2);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		g_atomic_int_set(&workers[i].done, 1);
		worker_join(&workers[i]);
	}
	record_assert_range(all, 1, 6);
	g_assert_cmpuint(played_bus_count_rules(fixture->bus), ==, 1);
	fixture_close(&fixture->connection);
}

int main(int argc, char **argv)
{
	static const FixtureCase cases[] = {
		{ "calls", test_calls },
		{ "loop-reads-answers", test_loop_reads_answers },
		{ "calls-alone", test_calls_alone },
		{ "long-call", test_long_call },
		{ "close-under-calls", test_close_under_calls },
		{ "churn", test_churn },
		{ "deregister-waits", test_deregister_waits },
		{ "bus-restarts-under-calls", test_bus_restarts_under_calls },
	};

	fixture_init(&argc, argv);
	g_test_init(&argc, &argv, NULL);
	fixture_add_cases("threads", cases, G_N_ELEMENTS(cases));
	return g_test_run();
}
