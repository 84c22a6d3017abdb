/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain-fixture.h"
#include "domain/domain-internal.h"

/* The service goes and comes, and the connections to its QEMUs are kept meanwhile. What they say in between is
 * said here by a command that the one who leaves does not wait for. */

static Domain *begin(DomainFixture *fixture, const char *settings, const char *members)
{
	fixture_close_driver(fixture);
	fixture_use_store(fixture);
	fixture_open_driver(fixture);
	return fixture_run_domain(fixture, "a", settings, members);
}

static Domain *reopen(DomainFixture *fixture)
{
	fixture_open_driver(fixture);
	return driver_find_domain(fixture->driver, "a");
}

static bool is_kept(void *userdata)
{
	return fixture_count_kept(userdata) > 0;
}

static bool is_forgotten(void *userdata)
{
	return fixture_count_kept(userdata) == 0;
}

static bool is_settled(void *userdata)
{
	return run_picture_get_settled(((Domain *)userdata)->picture) != RUN_UNSETTLED;
}

/* Leaves in order, with everything told; the domain is no longer to be used, its connection is. */
static int leave(DomainFixture *fixture, Domain *domain)
{
	int fd;

	fixture_wait(fixture, is_kept, fixture);
	fixture_wait(fixture, is_settled, domain);
	fd = fixture_get_kept(fixture, domain);
	fixture_close_driver(fixture);
	return fd;
}

static void say_to(int fd, const char *bytes)
{
	g_assert_cmpint(send(fd, bytes, strlen(bytes), 0), ==, (ssize_t)strlen(bytes));
}

#define EMIT(events) "{\"execute\":\"x-emit\",\"id\":7,\"arguments\":{\"events\":[" events "]}}\r\n"
#define KEPT "Resynchronized connection-kept"
#define GAP "Resynchronized service-restarted"

static void test_nothing_happened(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);

	(void)leave(fixture, domain);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_cmpstr(domain_get_qemu_version(domain), ==, "7.2.22");
	g_assert_true(domain_is_connected(domain));
	/* And once more: the connection is as good as it was. */
	(void)leave(fixture, domain);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
	fixture_destroy(fixture, domain);
	fixture_wait(fixture, is_forgotten, fixture);
	fixture_forget(fixture);
}

/* In order, from the state that was told last: no change of state that was not one. */
static void test_events_meanwhile(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd = leave(fixture, domain);

	say_to(fd, "{\"execute\":\"stop\",\"id\":5}\r\n{\"execute\":\"cont\",\"id\":6}\r\n"
		   EMIT("\"RESUME\",{\"event\":\"X_TEST\",\"data\":{\"n\":1}}")
		   "{\"execute\":\"stop\",\"id\":8}\r\n");
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running",
		       "Event X_TEST {\"n\":1}", "suspended paused paused", KEPT, NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
}

/* More than a queue holds: flow control does not stand in the way, and nothing is lost. */
static void test_many(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd = leave(fixture, domain);
	const unsigned count = 3 * DOMAIN_QUEUE_MAX;

	G_STATIC_ASSERT(DOMAIN_QUEUE_MAX == 4096);
	say_to(fd, "{\"execute\":\"x-flood\",\"id\":5,\"arguments\":{\"first\":0,\"count\":12288}}\r\n");
	domain = reopen(fixture);
	g_assert_cmpuint(count, ==, 12288);
	while (fixture_count(fixture, "a") <= count)
		(void)loop_run_once(fixture->loop, 100);
	for (unsigned i = 0; i <= count; i++) {
		const Record *record = g_ptr_array_index(fixture->records, i);
		g_autofree char *expected = i == count ? g_strdup(KEPT)
						       : g_strdup_printf("Event X_TEST {\"n\":%u}", i);

		g_assert_cmpstr(record->text, ==, expected);
	}
	fixture_forget(fixture);
}

/* Half a command was written: it does not spoil the next one. */
static void test_half_command(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd = leave(fixture, domain);

	say_to(fd, "{\"execute\":\"sto");
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
}

/* What the one who left has read of a message is gone, and that is told. */
static void test_half_message(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd = leave(fixture, domain);
	char bytes[20];

	say_to(fd, EMIT("{\"event\":\"X_TEST\",\"data\":{\"n\":1}},{\"event\":\"X_TEST\",\"data\":{\"n\":2}}"));
	for (size_t n = 0; n < sizeof(bytes);) {
		ssize_t more = recv(fd, bytes + n, sizeof(bytes) - n, 0);

		n += more > 0 ? (size_t)more : 0;
	}
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "Event X_TEST {\"n\":2}", GAP, NULL);
}

/* Read, and not told yet: that is a gap, though the connection is the same. What comes behind it is told. */
static void test_unsettled(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd;

	fixture_wait(fixture, is_kept, fixture);
	fixture->slow = domain;
	fixture_emit(fixture, domain, "{\"event\":\"X_TEST\",\"data\":{\"n\":1}}");
	fixture_run(fixture);
	fd = fixture_get_kept(fixture, domain);
	fixture->slow = NULL;
	fixture->unsent = 0;
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	say_to(fd, EMIT("{\"event\":\"X_TEST\",\"data\":{\"n\":2}}"));
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "Event X_TEST {\"n\":2}", GAP, NULL);
	/* With the gap told, the books are balanced again. */
	(void)leave(fixture, domain);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
}

/* The events are those that QEMU sent; what they lead to is asked when all of them are read. */
static void test_device_went(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_NETDEV] = fixture_json("{\"type\":\"user\",\"id\":\"host1\"}"),
	};
	g_auto(Answer) attach = { 0 };
	g_autofree char *log = NULL;
	int fd;

	domain_attach_device(domain, fixture_json("{\"driver\":\"x\",\"id\":\"net1\"}"), backends,
			     DOMAIN_CALL_TIMEOUT_MS, on_answer, &attach);
	answer_wait_ok(fixture, &attach);
	fixture_forget(fixture);
	fd = leave(fixture, domain);
	say_to(fd, "{\"execute\":\"device_del\",\"id\":9,\"arguments\":{\"id\":\"net1\"}}\r\n");
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "DeviceRemoved net1 /machine/peripheral/net1", KEPT, NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_nonnull(strstr(log, "\"device_del net1\",\"netdev_del host1\""));
}

/* QEMU has ended, and what it said last is still there. */
static void test_ended(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, "\"on-shutdown\":\"restart\"");
	pid_t pid = domain_get_pid(domain);
	int fd = leave(fixture, domain);

	say_to(fd, EMIT("{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}")
		   "{\"execute\":\"x-exit\",\"id\":9,\"arguments\":{\"status\":0}}\r\n");
	g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "shutdown guest shutting-down", "stopped shutdown shut-off", NULL);
	assert_detail(fixture_last(fixture), "while-away", "true");
	assert_detail(fixture_last(fixture), "cause", "'guest-shutdown'");
	fixture_wait(fixture, is_forgotten, fixture);
	fixture_start(fixture, domain);
}

/* A connection that ended while QEMU goes on: another one, and the gap is told. */
static void test_dead(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int fd = leave(fixture, domain);

	say_to(fd, "{\"execute\":\"x-close\",\"id\":9}\r\n");
	domain = reopen(fixture);
	fixture_expect(fixture, domain, GAP, NULL);
	g_assert_true(domain_is_connected(domain));
	fixture_wait(fixture, is_kept, fixture);
	/* The new one is kept instead. */
	(void)leave(fixture, domain);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
}

/* Something else that answers, but not as it should. */
static void test_useless(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, "fail:query-version=not now", NULL);

	(void)leave(fixture, domain);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, GAP, NULL);
	g_assert_true(domain_is_connected(domain));
}

/* A QEMU that hangs keeps its connection, and with it its events. */
static void test_silent(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	pid_t pid = domain_get_pid(domain);
	int fd = leave(fixture, domain);

	g_assert_cmpint(kill(pid, SIGSTOP), ==, 0);
	say_to(fd, "{\"execute\":\"stop\",\"id\":5}\r\n");
	domain = reopen(fixture);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_UNKNOWN);
	g_assert_cmpint(kill(pid, SIGCONT), ==, 0);
	fixture_expect(fixture, domain, "Lost no-answer", "suspended paused paused", KEPT, NULL);
}

/* Descriptors that belong to no run are let go of, and so is that of a start that was cut off. */
static void test_others(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin(fixture, NULL, NULL);
	int pair[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
	(void)leave(fixture, domain);
	fixture_set_kept(fixture, "monitor-00000000-0000-4000-8000-000000000000", pair[0]);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, KEPT, NULL);
	g_assert_cmpuint(fixture_count_kept(fixture), ==, 1);
	g_assert_cmpint(recv(pair[1], pair, 1, 0), ==, 0);
	(void)close(pair[1]);
	g_assert_cmpint(fixture_get_kept(fixture, domain), >=, 0);
}

/* A state that changed with nobody connected is told as found. */
static void test_without_store(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "status", "paused");
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "suspended resync paused (resync)", GAP, NULL);
	/* Once. */
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, GAP, NULL);
}

static bool is_written(void *path)
{
	g_autofree char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return strstr(text, "\"d2\"") != NULL;
}

/* So are devices that came and went: by a client of another monitor, for example. */
static void test_devices_without_store(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"devices\":[{\"driver\":\"x\",\"id\":\"d0\"},"
					    "{\"driver\":\"y\",\"id\":\"d1\"}]");
	g_autofree char *path = NULL;

	fixture_set(fixture, domain, "reply:qom-list",
		    "[{\"name\":\"d1\",\"type\":\"child<y>\"},{\"name\":\"d2\",\"type\":\"child<z>\"}]");
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "DeviceRemoved d0 /machine/peripheral/d0 (resync)",
		       "DeviceAdded d2 z /machine/peripheral/d2 (resync)", GAP, NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 2);
	/* Once, when that has been written down. */
	path = fixture_path(fixture, domain, "run.json");
	fixture_wait(fixture, is_written, path);
	fixture_close_driver(fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, GAP, NULL);
}

#define ADD(name, function) FIXTURE_ADD("/domain/handover/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("nothing-happened", test_nothing_happened);
	ADD("events-meanwhile", test_events_meanwhile);
	ADD("many", test_many);
	ADD("half-command", test_half_command);
	ADD("half-message", test_half_message);
	ADD("unsettled", test_unsettled);
	ADD("device-went", test_device_went);
	ADD("ended", test_ended);
	ADD("dead", test_dead);
	ADD("useless", test_useless);
	ADD("silent", test_silent);
	ADD("others", test_others);
	ADD("without-store", test_without_store);
	ADD("devices-without-store", test_devices_without_store);
	return g_test_run();
}
