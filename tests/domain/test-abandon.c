/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "domain-fixture.h"
#include "domain/domain-internal.h"

/*
 * Callers that have left: what QEMU has not been told yet it is not told any more, and what has begun comes to its
 * end. QEMU is stopped meanwhile, so what it has been told is what the socket holds.
 */

#define CALLS    20u
#define OBJECT   "{\"qom-type\":\"rng-builtin\",\"id\":\"obj1\"}"
#define BLOCKDEV "{\"driver\":\"null-co\",\"node-name\":\"node1\"}"
#define DEVICE   "{\"driver\":\"virtio-net-pci\",\"id\":\"net1\"}"

/* Answers to somebody who is not there any more. */
static const Answer *left;
static size_t n_left;

static bool is_gone(void *userdata)
{
	const Answer *answer = userdata;

	return answer >= left && answer < left + n_left;
}

static void leave(Domain *domain, const Answer *answers, size_t n)
{
	left = answers;
	n_left = n;
	domain_abandon(domain, on_answer, is_gone);
}

static void hold(Domain *domain)
{
	g_assert_cmpint(kill(domain_get_pid(domain), SIGSTOP), ==, 0);
}

static void let_go(Domain *domain)
{
	g_assert_cmpint(kill(domain_get_pid(domain), SIGCONT), ==, 0);
}

/* Commands that it does not know, each with a name of its own. */
static void execute(Domain *domain, Answer answers[CALLS])
{
	for (unsigned i = 0; i < CALLS; i++) {
		g_autofree char *name = g_strdup_printf("c%u", i);

		domain_execute(domain, name, NULL, 20000, on_answer, &answers[i]);
	}
}

static void clear(Answer answers[CALLS])
{
	for (unsigned i = 0; i < CALLS; i++)
		answer_clear(&answers[i]);
}

static void attach(Domain *domain, Answer *answer)
{
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_OBJECT] = fixture_json(OBJECT),
		[BACKEND_BLOCKDEV] = fixture_json(BLOCKDEV),
	};

	domain_attach_device(domain, fixture_json(DEVICE), backends, DOMAIN_CALL_TIMEOUT_MS, on_answer, answer);
}

static bool is_sent(void *userdata)
{
	return qmp_monitor_get_pending(((Domain *)userdata)->monitor) > 0;
}

static void assert_log(DomainFixture *fixture, Domain *domain, const char *expected)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	g_assert_cmpstr(log, ==, expected);
}

static void test_commands(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	Answer mine[CALLS] = { 0 }, others[CALLS] = { 0 };

	hold(domain);
	execute(domain, mine);
	execute(domain, others);
	leave(domain, mine, CALLS);
	/* Those that were not sent have ended, each once, and count no more. */
	fixture_run(fixture);
	for (unsigned i = 0; i < CALLS; i++) {
		g_assert_cmpint(mine[i].done, ==, i >= QMP_MONITOR_IN_FLIGHT_MAX);
		g_assert_false(others[i].done);
	}
	g_assert_cmpuint(domain_get_pending(domain), ==, QMP_MONITOR_IN_FLIGHT_MAX + CALLS);
	let_go(domain);
	for (unsigned i = 0; i < CALLS; i++)
		answer_wait_error(fixture, &others[i], CORE_ERROR_QEMU_ERROR, "CommandNotFound");
	assert_log(fixture, domain, "[\"cont\",\"c0\",\"c1\",\"c2\",\"c3\",\"c4\",\"c5\",\"c6\",\"c7\","
				    "\"c0\",\"c1\",\"c2\",\"c3\",\"c4\",\"c5\",\"c6\",\"c7\",\"c8\","
				    "\"c9\",\"c10\",\"c11\",\"c12\",\"c13\",\"c14\",\"c15\",\"c16\","
				    "\"c17\",\"c18\",\"c19\"]");
	for (unsigned i = 0; i < QMP_MONITOR_IN_FLIGHT_MAX; i++)
		answer_wait_error(fixture, &mine[i], CORE_ERROR_QEMU_ERROR, "CommandNotFound");
	g_assert_cmpuint(domain_get_pending(domain), ==, 0);
	clear(mine);
	clear(others);
}

/* A transaction whose first command is on its way. */
static void test_attach(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	hold(domain);
	attach(domain, &answer);
	fixture_wait(fixture, is_sent, domain);
	leave(domain, &answer, 1);
	fixture_run(fixture);
	g_assert_false(answer.done);
	let_go(domain);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "DeviceAdded net1 virtio-net-pci /machine/peripheral/net1", NULL);
}

/* And one that fails further on: taken back all the same. */
static void test_attach_undone(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:device_add=no", NULL);
	g_auto(Answer) answer = { 0 };

	hold(domain);
	attach(domain, &answer);
	fixture_wait(fixture, is_sent, domain);
	leave(domain, &answer, 1);
	let_go(domain);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "no");
	assert_log(fixture, domain, "[\"cont\",\"object-add obj1\",\"blockdev-add node1\","
				    "\"device_add net1\",\"blockdev-del node1\",\"object-del obj1\"]");
}

/* One that had not begun: QEMU never hears of it, and its id is free. */
static void test_attach_waiting(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	Answer calls[CALLS] = { 0 };
	g_auto(Answer) answer = { 0 }, again = { 0 };

	hold(domain);
	execute(domain, calls);
	attach(domain, &answer);
	leave(domain, &answer, 1);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "not sent");
	leave(domain, calls, CALLS);
	let_go(domain);
	for (unsigned i = 0; i < CALLS; i++)
		answer_wait(fixture, &calls[i]);
	attach(domain, &again);
	answer_wait_ok(fixture, &again);
	assert_log(fixture, domain, "[\"cont\",\"c0\",\"c1\",\"c2\",\"c3\",\"c4\",\"c5\",\"c6\",\"c7\","
				    "\"object-add obj1\",\"blockdev-add node1\",\"device_add net1\"]");
	fixture_forget(fixture);
	clear(calls);
}

static void test_start(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	leave(domain, &answer, 1);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "starting booted starting", "started booted running", NULL);
}

/* The numbers of one connection's calls say nothing to the next. */
static void test_other_connection(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "device-del=never",
					    "\"devices\":[{\"driver\":\"x\",\"id\":\"d\"}]");
	Answer calls[CALLS] = { 0 };
	g_auto(Answer) detach = { 0 };

	domain_detach_device(domain, "d", 20000, on_answer, &detach);
	g_free(fixture_execute(fixture, domain, "x-log", NULL));
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	hold(domain);
	/* One of them has the number that device_del had. */
	for (unsigned n = 0; n < 10; n++) {
		execute(domain, calls);
		leave(domain, &detach, 1);
		fixture_run(fixture);
		for (unsigned i = 0; i < CALLS; i++)
			g_assert_false(calls[i].done);
		leave(domain, calls, CALLS);
		let_go(domain);
		for (unsigned i = 0; i < CALLS; i++)
			answer_wait(fixture, &calls[i]);
		clear(calls);
		memset(calls, 0, sizeof(calls));
		hold(domain);
	}
	let_go(domain);
	g_free(fixture_execute(fixture, domain, "x-emit",
			       "{\"events\":[{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"d\","
			       "\"path\":\"/machine/peripheral/d\"}}]}"));
	answer_wait_ok(fixture, &detach);
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/abandon/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("commands", test_commands);
	ADD("attach", test_attach);
	ADD("attach-undone", test_attach_undone);
	ADD("attach-waiting", test_attach_waiting);
	ADD("start", test_start);
	ADD("other-connection", test_other_connection);
	return g_test_run();
}
