/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>

#include "domain-fixture.h"

/* Who wanted a run to end, what was done for it, and what comes of it when it ends late. */

#define SHUTDOWN "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}"

static void assert_order(DomainFixture *fixture, const char *order, const char *asked,
			 const char *escalated, const char *signals)
{
	assert_detail(fixture_last(fixture), "order", order);
	assert_detail(fixture_last(fixture), "guest-asked", asked);
	assert_detail(fixture_last(fixture), "escalated", escalated);
	assert_detail(fixture_last(fixture), "sent-signals", signals);
}

/* The guest shuts down. The reply may be lost, as QEMU ends meanwhile. */
static void shut_down(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	fixture_emit(fixture, domain, SHUTDOWN);
	domain_execute(domain, "x-exit", fixture_json("{\"status\":0}"), 20000, on_answer, &answer);
	answer_wait(fixture, &answer);
}

static void shutdown_in_vain(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	fixture_set_deadlines(fixture, DOMAIN_START_TIMEOUT_MS, 50);
	domain_shutdown(domain, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_TIMEOUT, "may still do so");
	fixture_expect(fixture, domain, "PowerdownRequested api", NULL);
	fixture_set_deadlines(fixture, DOMAIN_START_TIMEOUT_MS, DOMAIN_SHUTDOWN_TIMEOUT_MS);
}

/* ---- what is told ---- */

static void test_obeyed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "powerdown=obey", NULL);
	g_auto(Answer) answer = { 0 };

	domain_shutdown(domain, 20000, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down",
		       "stopped shutdown shut-off", NULL);
	assert_order(fixture, "'shutdown'", "true", "false", "");
	assert_detail(fixture_last(fixture), "exit-status", "0");
}

static void test_forced(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	domain_shutdown(domain, 50, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown host shutting-down",
		       "stopped destroyed shut-off", NULL);
	assert_order(fixture, "'shutdown'", "true", "true", "['TERM']");
	assert_detail(fixture_last(fixture), "exit-status", "0");
}

/* A QEMU that does not even hear: the guest was not asked, and TERM is not enough. The grace of the second who
 * wants it to end is the shorter one. */
static void test_forced_and_killed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 }, destroy = { 0 };

	g_assert_cmpint(kill(domain_get_pid(domain), SIGSTOP), ==, 0);
	domain_shutdown(domain, 0, on_answer, &answer);
	fixture_run_for(fixture, 50);
	g_assert_false(answer.done);
	domain_destroy(domain, 50, on_answer, &destroy);
	answer_wait_ok(fixture, &answer);
	answer_wait_ok(fixture, &destroy);
	fixture_expect(fixture, domain, "stopped destroyed shut-off", NULL);
	assert_order(fixture, "'destroy'", "false", "true", "['TERM', 'KILL']");
	assert_detail(fixture_last(fixture), "signal", "'KILL'");
}

static void test_destroyed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
	assert_order(fixture, "'destroy'", "false", "false", "['TERM']");
}

static void test_by_others(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	g_assert_cmpint(kill(domain_get_pid(domain), SIGTERM), ==, 0);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped shutdown shut-off",
		       NULL);
	assert_order(fixture, "", "", "", "");
	/* Nothing of it is left for the next run. */
	fixture_start(fixture, domain);
	fixture_destroy(fixture, domain);
	fixture_forget(fixture);
	fixture_start(fixture, domain);
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	assert_order(fixture, "", "", "", "");
}

/* A start that hangs is ended by us, which nobody has ordered. */
static void test_start_failed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "greeting=none", NULL);
	g_auto(Answer) answer = { 0 };

	fixture_set_deadlines(fixture, 300, DOMAIN_SHUTDOWN_TIMEOUT_MS);
	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, "within 300 ms");
	fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off", NULL);
	assert_order(fixture, "", "", "", "['KILL']");
}

/* ---- late ---- */

/* It was asked to go, the caller has given up, and then it goes: nobody wants it back. */
static void test_late(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-shutdown\":\"restart\"");

	shutdown_in_vain(fixture, domain);
	shut_down(fixture, domain);
	fixture_expect(fixture, domain, "shutdown guest shutting-down", "stopped shutdown shut-off",
		       NULL);
	assert_order(fixture, "'shutdown'", "true", "false", "");
	assert_detail(fixture_last(fixture), "policy", "");
	fixture_run(fixture);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
}

/* It has come again since; what it does now has nothing to do with that. */
static void test_late_after_reset(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-shutdown\":\"restart\"");

	shutdown_in_vain(fixture, domain);
	fixture_emit(fixture, domain, "{\"event\":\"RESET\",\"data\":{\"guest\":true,"
				      "\"reason\":\"guest-reset\"}}");
	shut_down(fixture, domain);
	fixture_expect(fixture, domain, "Reset guest guest-reset", "shutdown guest shutting-down",
		       "stopped shutdown shut-off", "starting recreated starting",
		       "started recreated running", NULL);
}

/* A QEMU that dies is another matter than a guest that goes. */
static void test_late_crash(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-crash\":\"restart\"");

	shutdown_in_vain(fixture, domain);
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", "starting recreated starting",
		       "started recreated running", NULL);
}

/* ---- by who has left ---- */

static const void *left;

static bool is_gone(void *userdata)
{
	return userdata == left;
}

static void abandon(Domain *domain, Answer *answer)
{
	left = answer;
	domain_abandon(domain, on_answer, is_gone);
	g_assert_true(answer->done);
	g_assert_cmpuint(domain_get_pending(domain), ==, 0);
}

/* What was ordered is done. */
static void test_abandoned(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "term=ignore", NULL);
	g_auto(Answer) answer = { 0 }, destroy = { 0 };

	domain_destroy(domain, 50, on_answer, &destroy);
	abandon(domain, &destroy);
	fixture_expect(fixture, domain, "stopped destroyed shut-off", NULL);
	assert_order(fixture, "'destroy'", "false", "true", "['TERM', 'KILL']");

	fixture_set_deadlines(fixture, DOMAIN_START_TIMEOUT_MS, DOMAIN_SHUTDOWN_TIMEOUT_MS);
	domain = fixture_run_domain(fixture, "b", NULL, NULL);
	domain_shutdown(domain, 50, on_answer, &answer);
	abandon(domain, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown host shutting-down",
		       "stopped destroyed shut-off", NULL);
	assert_order(fixture, "'shutdown'", "true", "true", "['TERM']");
}

#define ADD(name, function) FIXTURE_ADD("/domain/stop-orders/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("obeyed", test_obeyed);
	ADD("forced", test_forced);
	ADD("forced-and-killed", test_forced_and_killed);
	ADD("destroyed", test_destroyed);
	ADD("by-others", test_by_others);
	ADD("start-failed", test_start_failed);
	ADD("late", test_late);
	ADD("late-after-reset", test_late_after_reset);
	ADD("late-crash", test_late_crash);
	ADD("abandoned", test_abandoned);
	return g_test_run();
}
