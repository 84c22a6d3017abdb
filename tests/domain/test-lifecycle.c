/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

/*
 * The cleaned stream: QEMU's events in, in the orders that recordings of a real one show, and what
 * clients are told out. Ends are in test-stop.c.
 */

#define SHUTDOWN_GUEST "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}"
#define SHUTDOWN_PANIC "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-panic\"}}"
#define PANICKED(action) "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"" action "\"}}"
#define WATCHDOG(action) "{\"event\":\"WATCHDOG\",\"data\":{\"action\":\"" action "\"}}"
#define AT(microseconds) "\"timestamp\":{\"seconds\":1700000000,\"microseconds\":" #microseconds "},"
#define IO_ERROR(action) "{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"" action "\"}}"

/* Everything of QEMU that can be asked for in one command. */
static void command(DomainFixture *fixture, Domain *domain, DomainOperation operation)
{
	g_auto(Answer) answer = { 0 };

	domain_command(domain, operation, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

/* ---- start ---- */

static void test_start(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, "\"machine\":\"q35\"");
	int64_t before = event_now();

	g_assert_cmpint(domain_get_pid(domain), ==, 0);
	g_assert_cmpint(domain_get_started_at(domain), ==, 0);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 0);
	fixture->changed = 0;
	fixture_start(fixture, domain);

	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_BOOTED);
	g_assert_cmpint(domain_get_pid(domain), >, 1);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 1);
	g_assert_cmpint(domain_get_started_at(domain), >=, before);
	g_assert_cmpint(domain_get_started_at(domain), <=, event_now());
	g_assert_true(domain_is_connected(domain));
	g_assert_cmpstr(domain_get_qemu_version(domain), ==, "7.2.22");
	g_assert_cmpstr(domain_get_emulator(domain), ==, g_getenv("VMHERALD_FAKE_QEMU"));
	g_assert_cmpstr(domain_get_machine_type(domain), ==, "q35");
	g_assert_cmpuint(domain_get_pending(domain), ==, 0);
	g_assert_cmphex(fixture->changed & (DOMAIN_PROPERTY_STATE | DOMAIN_PROPERTY_INCARNATION |
					    DOMAIN_PROPERTY_PROCESS | DOMAIN_PROPERTY_HARDWARE |
					    DOMAIN_PROPERTY_QEMU_VERSION | DOMAIN_PROPERTY_CONNECTED),
			==, DOMAIN_PROPERTY_STATE | DOMAIN_PROPERTY_INCARNATION |
			    DOMAIN_PROPERTY_PROCESS | DOMAIN_PROPERTY_HARDWARE |
			    DOMAIN_PROPERTY_QEMU_VERSION | DOMAIN_PROPERTY_CONNECTED);
	assert_detail(fixture_last(fixture), "name", "'a'");

	fixture_destroy(fixture, domain);
	g_assert_cmpint(domain_get_pid(domain), ==, 0);
	g_assert_cmpint(domain_get_started_at(domain), ==, 0);
	g_assert_false(domain_is_connected(domain));
	g_assert_cmpstr(domain_get_qemu_version(domain), ==, "");
}

/* As libvirt: first that it runs, then that it is paused. No guest instruction was run. */
static void test_start_paused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };
	g_autofree char *log = NULL;

	domain_start(domain, true, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "starting booted starting", "started booted paused",
		       "suspended paused paused", NULL);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[]");
	command(fixture, domain, DOMAIN_OPERATION_RESUME);
	fixture_expect(fixture, domain, "resumed unpaused running", NULL);
}

static void test_wrong_state(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) start = { 0 }, resume = { 0 }, destroy = { 0 };

	domain_start(domain, false, on_answer, &start);
	g_assert_true(start.done);
	answer_wait_error(fixture, &start, CORE_ERROR_WRONG_STATE, "'a' is running; start");
	domain_command(domain, DOMAIN_OPERATION_RESUME, on_answer, &resume);
	answer_wait_error(fixture, &resume, CORE_ERROR_WRONG_STATE, "'a' is running; resume");
	fixture_destroy(fixture, domain);
	domain_destroy(domain, 1000, on_answer, &destroy);
	answer_wait_error(fixture, &destroy, CORE_ERROR_WRONG_STATE, "'a' is shut-off; destroy");
}

/* ---- stop and resume ---- */

static void test_suspend_resume(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	command(fixture, domain, DOMAIN_OPERATION_SUSPEND);
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
	command(fixture, domain, DOMAIN_OPERATION_RESUME);
	fixture_expect(fixture, domain, "resumed unpaused running", NULL);
}

/* QEMU may say things twice, and things that lead nowhere. */
static void test_twice(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "\"RESUME\",\"STOP\",\"STOP\",\"RESUME\",\"RESUME\",\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running",
		       "suspended paused paused", NULL);
}

static void test_event_time(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "{" AT(123456) "\"event\":\"STOP\"}");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
	g_assert_cmpint(fixture_last(fixture)->time, ==, INT64_C(1700000000123456));
}

static void test_reset(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	command(fixture, domain, DOMAIN_OPERATION_RESET);
	fixture_expect(fixture, domain, "Reset host host-qmp-system-reset", NULL);
	fixture_emit(fixture, domain,
		     "{\"event\":\"RESET\",\"data\":{\"guest\":true,\"reason\":\"guest-reset\"}}");
	fixture_expect(fixture, domain, "Reset guest guest-reset", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
}

static void test_unknown_event(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "{\"event\":\"LATER\",\"data\":{\"a\":[1,null]}},\"BARE\","
				      "{\"event\":\"RESET\",\"data\":{}}");
	fixture_expect(fixture, domain, "Event LATER {\"a\":[1,null]}", "Event BARE {}",
		       "Reset  ", NULL);
}

/* ---- shutdown ---- */

static void test_shutdown_twice(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, SHUTDOWN_GUEST "," SHUTDOWN_GUEST ",\"STOP\"," SHUTDOWN_GUEST);
	fixture_expect(fixture, domain, "shutdown guest shutting-down", NULL);
	assert_detail(fixture_last(fixture), "guest", "true");
	assert_detail(fixture_last(fixture), "cause", "'guest-shutdown'");
	assert_detail(fixture_last(fixture), "name", "'a'");
}

/* The guest is down and QEMU stays; a reset and a resume bring it back. */
static void test_shutdown_pause(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-shutdown\":\"pause\"");

	fixture_emit(fixture, domain, SHUTDOWN_GUEST ",\"STOP\"");
	fixture_expect(fixture, domain, "shutdown guest shutting-down",
		       "suspended guest-shutdown paused", NULL);
	command(fixture, domain, DOMAIN_OPERATION_RESET);
	fixture_expect(fixture, domain, "Reset host host-qmp-system-reset", NULL);
	fixture_emit(fixture, domain, "\"RESUME\"");
	fixture_expect(fixture, domain, "resumed unpaused running", NULL);
	/* And once more, as if nothing had been. */
	fixture_emit(fixture, domain, SHUTDOWN_GUEST ",\"STOP\"");
	fixture_expect(fixture, domain, "shutdown guest shutting-down",
		       "suspended guest-shutdown paused", NULL);
}

static void test_powerdown(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	fixture_emit(fixture, domain, "\"POWERDOWN\"");
	fixture_expect(fixture, domain, "PowerdownRequested host", NULL);
	domain_shutdown(domain, -1, on_answer, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", NULL);
	/* That one was ours; the next is not. */
	fixture_emit(fixture, domain, "\"POWERDOWN\"");
	fixture_expect(fixture, domain, "PowerdownRequested host", NULL);
	g_assert_false(answer.done);
	fixture_destroy(fixture, domain);
	g_assert_true(answer.done);
	g_assert_no_error(answer.error);
}

/* ---- panic ---- */

static void test_panic_pause(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-panic\":\"pause\"");

	fixture_emit(fixture, domain, PANICKED("pause") ",\"STOP\"");
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed", NULL);
	assert_detail(fixture_last(fixture), "action", "'pause'");
	fixture_emit(fixture, domain, "\"RESUME\"");
	fixture_expect(fixture, domain, "resumed unpaused running", NULL);
}

static void test_panic_poweroff(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, PANICKED("poweroff") ",\"STOP\"," SHUTDOWN_PANIC);
	fixture_expect(fixture, domain, "Panicked poweroff", "crashed panicked crashed",
		       "shutdown guest shutting-down", NULL);
}

static void test_panic_run(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, PANICKED("run"));
	fixture_expect(fixture, domain, "Panicked run", "crashed panicked running", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
}

static void test_panic_information(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "{\"event\":\"GUEST_CRASHLOADED\",\"data\":{\"action\":\"run\","
				      "\"info\":{\"type\":\"hyper-v\",\"arg1\":7}}}");
	fixture_expect(fixture, domain, "crashed crashloaded running", NULL);
	assert_detail(fixture_last(fixture), "info-type", "'hyper-v'");
	assert_detail(fixture_last(fixture), "info-arg1", "7");
	assert_detail(fixture_last(fixture), "name", "'a'");
}

/* ---- sleep ---- */

static void test_sleep(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "\"SUSPEND\"");
	fixture_expect(fixture, domain, "pm-suspended memory pm-suspended", NULL);
	command(fixture, domain, DOMAIN_OPERATION_WAKEUP);
	fixture_expect(fixture, domain, "started wakeup running", NULL);
}

static void test_sleep_disk(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "\"SUSPEND_DISK\"," SHUTDOWN_GUEST);
	fixture_expect(fixture, domain, "pm-suspended disk pm-suspended",
		       "shutdown guest shutting-down", NULL);
}

/* ---- why it stopped ---- */

static void test_watchdog(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, WATCHDOG("pause") ",\"STOP\"");
	fixture_expect(fixture, domain, "Watchdog pause", "suspended watchdog paused", NULL);
	fixture_emit(fixture, domain, "\"RESUME\",\"STOP\"");
	/* The explanation is used up. */
	fixture_expect(fixture, domain, "resumed unpaused running", "suspended paused paused", NULL);
	fixture_emit(fixture, domain, "\"RESUME\"," WATCHDOG("none") "," WATCHDOG("debug") ","
				      WATCHDOG("inject-nmi") ",\"STOP\"");
	fixture_expect(fixture, domain, "resumed unpaused running", "Watchdog none", "Watchdog debug",
		       "Watchdog inject-nmi", "suspended paused paused", NULL);
}

/* WATCHDOG comes at most once a second, so it may come behind the STOP that it explains: seen so. */
static void test_watchdog_late(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "{" AT(500) "\"event\":\"STOP\"}");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
	fixture->changed = 0;
	fixture_emit(fixture, domain, "{" AT(499) "\"event\":\"WATCHDOG\",\"data\":{\"action\":\"pause\"}}");
	fixture_expect(fixture, domain, "Watchdog pause", NULL);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_WATCHDOG);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_STATE);
}

/* One that happened after the stop does not explain it. */
static void test_watchdog_later(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "{" AT(500) "\"event\":\"STOP\"},{" AT(501)
				      "\"event\":\"WATCHDOG\",\"data\":{\"action\":\"pause\"}}");
	fixture_expect(fixture, domain, "suspended paused paused", "Watchdog pause", NULL);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_PAUSED);
}

static void test_watchdog_actions(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, WATCHDOG("shutdown") ",\"POWERDOWN\",\"POWERDOWN\"");
	fixture_expect(fixture, domain, "Watchdog shutdown", "PowerdownRequested watchdog",
		       "PowerdownRequested host", NULL);
	fixture_emit(fixture, domain, "{\"event\":\"RESET\",\"data\":{\"guest\":true,"
				      "\"reason\":\"guest-reset\"}}," WATCHDOG("reset"));
	fixture_expect(fixture, domain, "Reset guest guest-reset", "Watchdog reset", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
}

static void test_io_error(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, IO_ERROR("stop") ",\"STOP\"");
	fixture_expect(fixture, domain, "IOError   stop 0",
		       "suspended ioerror paused", NULL);
	fixture_emit(fixture, domain, "\"RESUME\"," IO_ERROR("report") ",\"STOP\"");
	fixture_expect(fixture, domain, "resumed unpaused running",
		       "IOError   report 0", "suspended paused paused", NULL);
}

#define ADD(name, function) FIXTURE_ADD("/domain/lifecycle/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("start", test_start);
	ADD("start-paused", test_start_paused);
	ADD("wrong-state", test_wrong_state);
	ADD("suspend-resume", test_suspend_resume);
	ADD("twice", test_twice);
	ADD("event-time", test_event_time);
	ADD("reset", test_reset);
	ADD("unknown-event", test_unknown_event);
	ADD("shutdown-twice", test_shutdown_twice);
	ADD("shutdown-pause", test_shutdown_pause);
	ADD("powerdown", test_powerdown);
	ADD("panic-pause", test_panic_pause);
	ADD("panic-poweroff", test_panic_poweroff);
	ADD("panic-run", test_panic_run);
	ADD("panic-information", test_panic_information);
	ADD("sleep", test_sleep);
	ADD("sleep-disk", test_sleep_disk);
	ADD("watchdog", test_watchdog);
	ADD("watchdog-late", test_watchdog_late);
	ADD("watchdog-later", test_watchdog_later);
	ADD("watchdog-actions", test_watchdog_actions);
	ADD("io-error", test_io_error);
	return g_test_run();
}
