/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

/* A monitor that is lost in the middle of something that had left the guest standing still: what was begun is
 * brought to its end when QEMU is found again, though nobody waits for it any more. */

static bool is_in_log(DomainFixture *fixture, Domain *domain, const char *text)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	return g_str_has_suffix(log, text);
}

/* The guest is down, and the order to bring it back is lost. */
static void test_reboot(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "powerdown=obey", NULL);
	pid_t pid = domain_get_pid(domain);
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "close", "system_reset");
	domain_reboot(domain, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "system_reset");
	fixture_expect(fixture, domain, "PowerdownRequested api", "Lost closed",
		       "Resynchronized monitor-lost", "Reset host host-qmp-system-reset", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_cmpint(domain_get_pid(domain), ==, pid);
	while (!is_in_log(fixture, domain, "\"system_reset\",\"cont\",\"set-action poweroff\"]"))
		fixture_run(fixture);
	/* Then a shutdown is one again. */
	answer_clear(&answer);
	domain_shutdown(domain, -1, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down",
		       "stopped shutdown shut-off", NULL);
}

/* It was brought back, and the order to let it go on is lost. */
static void test_reboot_reset(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "powerdown=obey", NULL);
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "close", "cont");
	domain_reboot(domain, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "cont");
	fixture_expect(fixture, domain, "PowerdownRequested api", "Reset host host-qmp-system-reset",
		       "Lost closed", "Resynchronized monitor-lost", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	while (!is_in_log(fixture, domain, "\"cont\",\"cont\",\"set-action poweroff\"]"))
		fixture_run(fixture);
}

/* The guest goes down while nobody looks. */
static void test_reboot_unseen(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	domain_reboot(domain, -1, on_answer, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", NULL);
	fixture_set(fixture, domain, "reply:query-status",
		    "{\"status\": \"shutdown\", \"running\": false}");
	fixture_close_monitor(fixture, domain);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost",
		       "Reset host host-qmp-system-reset", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_true(is_in_log(fixture, domain, "\"system_reset\",\"cont\",\"set-action poweroff\"]"));
}

/* And it does not: the caller goes on waiting. */
static void test_reboot_waiting(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	domain_reboot(domain, -1, on_answer, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", NULL);
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	g_assert_false(answer.done);
	g_assert_true(is_in_log(fixture, domain, "\"set-action pause\",\"system_powerdown\"]"));
	fixture_emit(fixture, domain, "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,"
				      "\"reason\":\"guest-shutdown\"}},\"STOP\"");
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "Reset host host-qmp-system-reset", NULL);
}

/* ---- save ---- */

static void save_and_lose(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "close", "migrate");
	domain_save(domain, NULL, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "");
	g_assert_false(domain_get_has_saved_state(domain));
}

static void test_save(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	save_and_lose(fixture, domain);
	fixture_expect(fixture, domain, "suspended paused paused", "Lost closed",
		       "Resynchronized monitor-lost", "resumed unpaused running", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_true(is_in_log(fixture, domain, "\"cont\"]"));
}

/* Who stopped it wants it to stay so. */
static void test_save_of_paused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	g_free(fixture_execute(fixture, domain, "stop", NULL));
	save_and_lose(fixture, domain);
	fixture_expect(fixture, domain, "suspended paused paused", "Lost closed",
		       "Resynchronized monitor-lost", NULL);
	g_assert_true(is_in_log(fixture, domain, "\"migrate_cancel\"]"));
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
}

#define ADD(name, function) FIXTURE_ADD("/domain/cut-off/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("reboot", test_reboot);
	ADD("reboot-reset", test_reboot_reset);
	ADD("reboot-unseen", test_reboot_unseen);
	ADD("reboot-waiting", test_reboot_waiting);
	ADD("save", test_save);
	ADD("save-of-paused", test_save_of_paused);
	return g_test_run();
}
