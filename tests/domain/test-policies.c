/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "domain-fixture.h"

/* What the definition wants to happen at an end, and the sequences of several steps: shutdown, reboot. */

#define SHUTDOWN(guest, cause)                                                                     \
	"{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":" guest ",\"reason\":\"" cause "\"}}"

static void end_with(DomainFixture *fixture, Domain *domain, const char *events, const char *command)
{
	g_auto(Answer) answer = { 0 };

	if (events)
		fixture_emit(fixture, domain, events);
	domain_execute(domain, command, g_str_equal(command, "quit") ? NULL
								     : fixture_json("{\"status\":0}"),
		       20000, on_answer, &answer);
	answer_wait(fixture, &answer);
}

static void assert_decision(DomainFixture *fixture, const char *policy, const char *action)
{
	assert_detail(fixture_last(fixture), "policy", policy);
	assert_detail(fixture_last(fixture), "action", action);
	assert_detail(fixture_last(fixture), "restart-refused", "");
}

/* ---- what is told ---- */

#define PANICKED(action) "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"" action "\"}},\"STOP\""

/* Every end that a policy decides, and some that none does. */
static void test_decisions(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *members, *events, *reason, *policy, *action;
		int status;
	} rows[] = {
		{ NULL, NULL, "failed", "'on-crash'", "'stop'", 1 },
		{ "\"on-crash\":\"restart\"", NULL, "failed", "'on-crash'", "'restart'", 1 },
		{ NULL, SHUTDOWN("true", "guest-shutdown"), "shutdown", "'on-shutdown'", "'stop'", 0 },
		{ "\"on-shutdown\":\"restart\"", SHUTDOWN("true", "guest-shutdown"), "shutdown",
		  "'on-shutdown'", "'restart'", 0 },
		{ NULL, PANICKED("poweroff") "," SHUTDOWN("true", "guest-panic"), "crashed", "'on-panic'",
		  "'stop'", 0 },
		{ "\"on-panic\":\"restart\"", PANICKED("poweroff") "," SHUTDOWN("true", "guest-panic"),
		  "crashed", "'on-panic'", "'restart'", 0 },
		{ "\"on-reboot\":\"stop\"", SHUTDOWN("true", "guest-reset"), "shutdown", "'on-reboot'",
		  "'stop'", 0 },
		{ "\"on-reboot\":\"stop\"", SHUTDOWN("false", "host-qmp-system-reset"), "shutdown",
		  "'on-reboot'", "'stop'", 0 },
		/* QEMU cannot reset every guest. */
		{ NULL, SHUTDOWN("true", "guest-reset"), "recreated", "'on-reboot'", "'restart'", 0 },
		{ NULL, SHUTDOWN("false", "host-qmp-system-reset"), "recreated", "'on-reboot'",
		  "'restart'", 0 },
		/* Somebody ended QEMU; somebody overruled the definition. */
		{ "\"on-shutdown\":\"restart\"", SHUTDOWN("false", "host-signal"), "shutdown", "", "", 0 },
		{ "\"on-shutdown\":\"restart\"", SHUTDOWN("false", "host-ui"), "shutdown", "", "", 0 },
		{ "\"on-shutdown\":\"pause\"", SHUTDOWN("true", "guest-shutdown"), "shutdown", "", "", 0 },
		{ "\"on-panic\":\"pause\"", PANICKED("poweroff") "," SHUTDOWN("true", "guest-panic"),
		  "crashed", "", "", 0 },
		{ NULL, "{\"event\":\"WATCHDOG\",\"data\":{\"action\":\"poweroff\"}}", "shutdown", "", "",
		  0 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *status = g_strdup_printf("{\"status\":%d}", rows[i].status);
		Domain *domain = fixture_run_domain(fixture, name, NULL, rows[i].members);
		bool restarts = g_str_equal(rows[i].action, "'restart'");
		unsigned n_expected = restarts ? 3 : 1;
		gint64 deadline;
		const Event *stopped = NULL;
		g_auto(Answer) answer = { 0 };

		g_test_message("%u: %s", i, rows[i].reason);
		if (rows[i].events)
			fixture_emit(fixture, domain, rows[i].events);
		fixture_forget(fixture);
		domain_execute(domain, "x-exit", fixture_json(status), 20000, on_answer, &answer);
		answer_wait(fixture, &answer);
		for (deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;
		     fixture_count(fixture, name) < n_expected;) {
			g_assert_cmpint(g_get_monotonic_time(), <, deadline);
			(void)loop_run_once(fixture->loop, 100);
		}
		fixture_run(fixture);
		g_assert_cmpuint(fixture_count(fixture, name), ==, n_expected);
		for (unsigned j = 0; j < fixture->records->len; j++) {
			const Record *record = g_ptr_array_index(fixture->records, j);

			if (record->event->lifecycle.event == LIFECYCLE_STOPPED) {
				stopped = record->event;
				continue;
			}
			g_assert_cmpstr(lifecycle_reason_to_string(record->event->lifecycle.reason), ==,
					"recreated");
			assert_detail(record->event, "policy", rows[i].policy);
		}
		g_assert_nonnull(stopped);
		g_assert_cmpstr(lifecycle_reason_to_string(stopped->lifecycle.reason), ==, rows[i].reason);
		assert_detail(stopped, "policy", rows[i].policy);
		assert_detail(stopped, "action", rows[i].action);
		assert_detail(stopped, "restart-refused", "");
		fixture_forget(fixture);
		if (restarts)
			fixture_destroy(fixture, domain);
		fixture_forget(fixture);
	}
}

static void test_decisions_kept(DomainFixture *fixture, const void *data)
{
	static const char *const policies[] = { "pause", "preserve" };

	for (unsigned i = 0; i < G_N_ELEMENTS(policies); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *action = g_strdup_printf("'%s'", policies[i]);
		g_autofree char *members = g_strdup_printf("\"on-shutdown\":\"%s\",\"on-panic\":\"%s\"",
							   policies[i], policies[i]);
		Domain *domain = fixture_run_domain(fixture, name, NULL, members);

		fixture_emit(fixture, domain, SHUTDOWN("true", "guest-shutdown") ",\"STOP\"");
		fixture_expect(fixture, domain, "shutdown guest shutting-down",
			       "suspended guest-shutdown paused", NULL);
		assert_decision(fixture, "'on-shutdown'", action);
		fixture_emit(fixture, domain, "\"RESUME\"," PANICKED("pause"));
		fixture_expect(fixture, domain, "resumed unpaused running", "Panicked pause",
			       "crashed panicked crashed", NULL);
		assert_decision(fixture, "'on-panic'", action);
	}
}

/* A start that fails, and one that was not asked for by a policy, have no policy. */
static void test_no_decision(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "start=fail", "\"on-crash\":\"restart\"");
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait(fixture, &answer);
	fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off", NULL);
	assert_decision(fixture, "", "");
}

/* A client may have QEMU end at a reset whatever the definition says. */
static void test_reboot_overruled(DomainFixture *fixture, const void *data)
{
	static const char *const arguments[] = {
		"[\"-no-reboot\"]", "[\"--no-reboot\"]", "[\"-action\",\"watchdog=none,reboot=shutdown\"]",
	};
	Domain *domain;

	for (unsigned i = 0; i < G_N_ELEMENTS(arguments); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *document = fixture_document(name, NULL, NULL);
		g_autoptr(GString) text = g_string_new(document);
		g_autofree char *more = g_strdup_printf("\"arguments\":[%.*s,",
							(int)strlen(arguments[i]) - 2, arguments[i] + 1);
		g_auto(Answer) answer = { 0 };

		g_assert_cmpuint(g_string_replace(text, "\"arguments\":[", more, 1), ==, 1);
		driver_define(fixture->driver, geteuid(), text->str, on_driver_answer, &answer);
		answer_wait_ok(fixture, &answer);
		domain = driver_find_domain(fixture->driver, name);
		fixture_forget(fixture);
		fixture_start(fixture, domain);
		end_with(fixture, domain, SHUTDOWN("true", "guest-reset"), "x-exit");
		fixture_expect(fixture, domain, "shutdown guest shutting-down",
			       "stopped shutdown shut-off", NULL);
		assert_decision(fixture, "", "");
	}

	domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_free(fixture_execute(fixture, domain, "set-action", "{\"reboot\":\"shutdown\"}"));
	end_with(fixture, domain, SHUTDOWN("true", "guest-reset"), "x-exit");
	fixture_expect(fixture, domain, "shutdown guest shutting-down", "stopped shutdown shut-off", NULL);
	assert_decision(fixture, "", "");
	/* In the next run that is forgotten. */
	fixture_start(fixture, domain);
	g_free(fixture_execute(fixture, domain, "set-action", "{\"reboot\":\"shutdown\"}"));
	g_free(fixture_execute(fixture, domain, "set-action", "{\"reboot\":\"reset\"}"));
	end_with(fixture, domain, SHUTDOWN("true", "guest-reset"), "x-exit");
	fixture_expect(fixture, domain, "shutdown guest shutting-down", "stopped recreated shut-off",
		       "starting recreated starting", "started recreated running", NULL);
}

/* ---- restart ---- */

static void test_crash_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-crash\":\"restart\"");
	pid_t pid = domain_get_pid(domain);

	g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", "starting recreated starting",
		       "started recreated running", NULL);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 2);
	g_assert_cmpint(domain_get_pid(domain), !=, pid);
	/* It was asked for: no restart. */
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
}

static void test_panic_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-panic\":\"restart\"");

	end_with(fixture, domain, "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"poweroff\"}},"
				  "\"STOP\"," SHUTDOWN("true", "guest-panic"), "x-exit");
	fixture_expect(fixture, domain, "Panicked poweroff", "crashed panicked crashed",
		       "shutdown guest shutting-down", "stopped crashed shut-off",
		       "starting recreated starting", "started recreated running", NULL);
}

static void test_shutdown_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-shutdown\":\"restart\"");

	end_with(fixture, domain, SHUTDOWN("true", "guest-shutdown"), "x-exit");
	fixture_expect(fixture, domain, "shutdown guest shutting-down", "stopped shutdown shut-off",
		       "starting recreated starting", "started recreated running", NULL);
	/* The host ended it, not the guest. */
	end_with(fixture, domain, NULL, "quit");
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped shutdown shut-off", NULL);
	fixture_run(fixture);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
}

static void test_no_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	fixture_run(fixture);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
}

/* A guest that dies at once must not keep the host busy for ever. */
static void test_restart_bound(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-crash\":\"restart\"");

	for (unsigned i = 0; i < 5; i++) {
		g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
		fixture_expect(fixture, domain, "stopped failed shut-off", "starting recreated starting",
			       "started recreated running", NULL);
	}
	g_test_expect_message("vmherald", G_LOG_LEVEL_INFO, "*'a': monitor:*");
	g_test_expect_message("vmherald", G_LOG_LEVEL_MESSAGE, "*'a'*6 times*not started again*");
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	assert_detail(fixture_last(fixture), "policy", "'on-crash'");
	assert_detail(fixture_last(fixture), "action", "'stop'");
	assert_detail(fixture_last(fixture), "restart-refused", "true");
	g_test_assert_expected_messages();
	/* By hand it can be. */
	fixture_start(fixture, domain);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 7);
}

/* A restart that does not succeed ends there. */
static void test_restart_fails(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-crash\":\"restart\"");
	const char *changed = "\"on-crash\":\"restart\",\"title\":\"changed\"";
	g_autofree char *document = NULL;
	g_autofree char *members = g_strdup_printf("%s,\"uuid\":\"%s\"", changed,
						   domain_get_uuid(domain));
	g_auto(Answer) answer = { 0 };

	document = fixture_document("a", "start=fail", members);
	driver_define(fixture->driver, geteuid(), document, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "defined updated running", NULL);
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", "starting recreated starting",
		       "stopped failed shut-off", NULL);
	fixture_run(fixture);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
}

/* ---- shutdown ---- */

static void test_shutdown(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "powerdown=obey", "\"on-shutdown\":\"restart\"");
	g_auto(Answer) answer = { 0 };

	domain_shutdown(domain, -1, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	/* Who wants it down does not want it to come back. */
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down",
		       "stopped shutdown shut-off", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
}

static void test_shutdown_forced(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	domain_shutdown(domain, 50, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown host shutting-down",
		       "stopped destroyed shut-off", NULL);
}

static void test_shutdown_pause(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "powerdown=obey", "\"on-shutdown\":\"pause\"");
	g_auto(Answer) answer = { 0 };

	domain_shutdown(domain, -1, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down",
		       "suspended guest-shutdown paused", NULL);
}

static void test_shutdown_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:system_powerdown=no button", NULL);
	g_auto(Answer) answer = { 0 };

	domain_shutdown(domain, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "no button");
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	fixture_expect(fixture, domain, NULL);
}

/* Not forced: the guest was asked, and goes on if it does not want to. */
static void test_shutdown_timeout(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	fixture_set_deadlines(fixture, DOMAIN_START_TIMEOUT_MS, 50);
	domain_shutdown(domain, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_TIMEOUT, "'a'");
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	/* It may still do so. */
	fixture_emit(fixture, domain, SHUTDOWN("true", "guest-shutdown"));
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down", NULL);
}

/* ---- reboot ---- */

#define REBOOT_LOG                                                                                 \
	"[\"cont\",\"set-action pause\",\"system_powerdown\",\"system_reset\",\"cont\","           \
	"\"set-action poweroff\"]"

static void test_reboot(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "powerdown=obey", NULL);
	pid_t pid = domain_get_pid(domain);
	g_auto(Answer) answer = { 0 }, again = { 0 };
	g_autofree char *log = NULL;

	domain_reboot(domain, -1, on_answer, &answer);
	domain_reboot(domain, -1, on_answer, &again);
	answer_wait_error(fixture, &again, CORE_ERROR_WRONG_STATE, "rebooted already");
	answer_wait_ok(fixture, &answer);
	/* Its shutting down and starting are not told: it never was anything but running. */
	fixture_expect(fixture, domain, "PowerdownRequested api", "Reset host host-qmp-system-reset",
		       NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_cmpint(domain_get_pid(domain), ==, pid);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, REBOOT_LOG);

	/* Then a shutdown is one again. */
	answer_clear(&answer);
	domain_shutdown(domain, -1, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down",
		       "stopped shutdown shut-off", NULL);
}

static void test_reboot_forced(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };
	g_autofree char *log = NULL;

	domain_reboot(domain, 50, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "Reset host host-qmp-system-reset",
		       NULL);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, REBOOT_LOG);
}

/* Forced, and QEMU refuses the reset too: then there is nothing left to wait for. */
static void test_reboot_forced_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:system_reset=refused", NULL);
	g_auto(Answer) answer = { 0 };

	domain_reboot(domain, 50, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "refused");
	fixture_expect(fixture, domain, "PowerdownRequested api", NULL);
}

static void test_reboot_timeout(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };
	g_autofree char *log = NULL;

	fixture_set_deadlines(fixture, DOMAIN_START_TIMEOUT_MS, 50);
	domain_reboot(domain, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_TIMEOUT, "'a'");
	/* What it does later is a shutdown again. */
	fixture_emit(fixture, domain, SHUTDOWN("true", "guest-shutdown"));
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down", NULL);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[\"cont\",\"set-action pause\",\"system_powerdown\","
				 "\"set-action poweroff\"]");
}

/* Whatever is refused on the way: QEMU is left to end with its guest, as the definition has it. */
static void test_reboot_refused(DomainFixture *fixture, const void *data)
{
	static const char *const steps[] = { "system_powerdown", "system_reset", "cont" };

	for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *key = g_strconcat("fail:", steps[i], NULL);
		Domain *domain = fixture_run_domain(fixture, name, "powerdown=obey", NULL);
		g_auto(Answer) answer = { 0 };
		g_autofree char *log = NULL;

		fixture_set(fixture, domain, key, "refused");
		domain_reboot(domain, -1, on_answer, &answer);
		answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "refused");
		log = fixture_execute(fixture, domain, "x-log", NULL);
		g_assert_true(g_strrstr(log, "set-action poweroff") > g_strrstr(log, "set-action pause"));
		fixture_forget(fixture);
	}
}

static void test_reboot_not_supported(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "fail:set-action=too old", NULL);
	g_auto(Answer) answer = { 0 };

	domain_reboot(domain, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "too old");
	fixture_expect(fixture, domain, NULL);
}

static void test_end_while_rebooting(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-crash\":\"restart\"");
	g_auto(Answer) answer = { 0 };

	domain_reboot(domain, -1, on_answer, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", NULL);
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "'a'");
	fixture_expect(fixture, domain, "stopped failed shut-off", "starting recreated starting",
		       "started recreated running", NULL);
	/* Nothing of the old reboot is left in the new run. */
	fixture_emit(fixture, domain, SHUTDOWN("true", "guest-shutdown"));
	fixture_expect(fixture, domain, "shutdown guest shutting-down", NULL);
}

#define ADD(name, function) FIXTURE_ADD("/domain/policies/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("decisions", test_decisions);
	ADD("decisions-kept", test_decisions_kept);
	ADD("no-decision", test_no_decision);
	ADD("reboot-overruled", test_reboot_overruled);
	ADD("crash-restart", test_crash_restart);
	ADD("panic-restart", test_panic_restart);
	ADD("shutdown-restart", test_shutdown_restart);
	ADD("no-restart", test_no_restart);
	ADD("restart-bound", test_restart_bound);
	ADD("restart-fails", test_restart_fails);
	ADD("shutdown", test_shutdown);
	ADD("shutdown-forced", test_shutdown_forced);
	ADD("shutdown-pause", test_shutdown_pause);
	ADD("shutdown-refused", test_shutdown_refused);
	ADD("shutdown-timeout", test_shutdown_timeout);
	ADD("reboot", test_reboot);
	ADD("reboot-forced", test_reboot_forced);
	ADD("reboot-forced-refused", test_reboot_forced_refused);
	ADD("reboot-timeout", test_reboot_timeout);
	ADD("reboot-refused", test_reboot_refused);
	ADD("reboot-not-supported", test_reboot_not_supported);
	ADD("end-while-rebooting", test_end_while_rebooting);
	return g_test_run();
}
