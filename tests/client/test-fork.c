/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/wait.h>
#include <unistd.h>

#include "connection-fixture.h"

/*
 * A process that has forked.
 *
 * WARNING: the one that forks has no thread but this one. GDBus has some, and they may have a lock of malloc() or of a sanitizer just
 * then, which nobody in the child would ever let go. So the service is played by another process.
 */

typedef struct ServiceProcess {
	pid_t pid;
	int orders;                 /* a byte: emit an event */
	int answers;                /* a byte: it is on the bus */
} ServiceProcess;

static G_NORETURN void play(PlayedBus *bus, int orders, int answers)
{
	PlayedService *service = played_service_new();
	char order = 0;

	played_service_appear(service, played_bus_get_address(bus));
	g_assert_cmpint(write(answers, &order, 1), ==, 1);
	while (read(orders, &order, 1) == 1)
		played_service_emit(service, 1, false);
	played_service_free(service);
	_exit(0);
}

static void service_start(ServiceProcess *process, PlayedBus *bus)
{
	int orders[2], answers[2];
	char answer;

	g_assert_cmpint(pipe(orders), ==, 0);
	g_assert_cmpint(pipe(answers), ==, 0);
	process->pid = fork();
	if (process->pid == 0) {
		close(orders[1]);
		close(answers[0]);
		play(bus, orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	process->orders = orders[1];
	process->answers = answers[0];
	g_assert_cmpint(read(process->answers, &answer, 1), ==, 1);
}

static void assert_good_end(pid_t pid)
{
	int status;

	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmpint(status, ==, 0);
}

static void service_end(ServiceProcess *process)
{
	close(process->orders);
	close(process->answers);
	assert_good_end(process->pid);
}

static void test_fork(void)
{
	Fixture fixture = { .bus = played_bus_new(NULL) };
	g_autoptr(Record) record = record_new(&fixture);
	ServiceProcess service;
	pid_t pid;

	service_start(&service, fixture.bus);
	fixture.connection = fixture_open(&fixture, 0);
	record_register(record, fixture.connection, 0, VMH_EVENT_ANY);
	g_assert_cmpint(fixture_call(fixture.connection, "Echo"), ==, -1);
	g_assert_true(vmh_connection_is_service_there(fixture.connection));
	pid = fork();
	if (pid == 0) {
		int wrong = fixture_call(fixture.connection, "Echo") != VMH_ERROR_DISCONNECTED ||
			    vmh_connection_deregister_any(fixture.connection, record->id, NULL) != -1 ||
			    vmh_connection_is_service_there(fixture.connection);

		vmh_connection_close(fixture.connection);
		_exit(wrong);
	}
	assert_good_end(pid);
	g_assert_cmpint(write(service.orders, "", 1), ==, 1);
	fixture_turn_until(record_get_length(record) == 1);
	g_assert_cmpint(fixture_call(fixture.connection, "Echo"), ==, -1);
	fixture_close(&fixture.connection);
	service_end(&service);
	played_bus_free(fixture.bus);
}

int main(int argc, char **argv)
{
	fixture_init(&argc, argv);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/fork", test_fork);
	return g_test_run();
}
