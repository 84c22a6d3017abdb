/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <sys/wait.h>

#include "domain-fixture.h"

/*
 * The monitor that is lost, and filters: what is read afresh after each connect. And the bound of what
 * can be pending. A monitor that is gone is believed after a second (the process may just be ending),
 * so each case here takes that long.
 */

#define FILTER(nic, mac) "{\"name\":\"" nic "\",\"main-mac\":\"" mac "\"}"
#define FILTER_EVENT(nic) "{\"event\":\"NIC_RX_FILTER_CHANGED\",\"data\":{\"name\":\"" nic "\"}}"
#define MAC_1 "52:54:00:00:00:01"
#define MAC_2 "52:54:00:00:00:02"

/* ---- lost ---- */

static void test_lost(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	pid_t pid = domain_get_pid(domain);
	g_auto(Answer) execute = { 0 };

	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_MONITOR_LOST);
	g_assert_false(domain_is_connected(domain));
	domain_execute(domain, "query-status", NULL, 1000, on_answer, &execute);
	answer_wait_error(fixture, &execute, CORE_ERROR_WRONG_STATE, "unknown");

	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_RESYNC);
	g_assert_true(domain_is_connected(domain));
	g_assert_cmpint(domain_get_pid(domain), ==, pid);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 1);

	/* Events flow. */
	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
}

/* What happened meanwhile is read: state, reason, devices. */
static void check_state_after(DomainFixture *fixture, const char *name, const char *run_state,
			      DomainState state, LifecycleReason reason, const char *told)
{
	/* So that it is left as it is found. */
	Domain *domain = fixture_run_domain(fixture, name, NULL,
					    "\"on-panic\":\"preserve\",\"on-shutdown\":\"preserve\"");

	fixture_set(fixture, domain, "status", run_state);
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, state);
	g_assert_cmpint(domain_get_state_reason(domain), ==, reason);
	fixture_expect(fixture, domain, "Lost closed", told, "Resynchronized monitor-lost", NULL);
}

static void test_state_after(DomainFixture *fixture, const void *data)
{
	check_state_after(fixture, "a", "paused", DOMAIN_STATE_PAUSED, LIFECYCLE_REASON_RESYNC,
			  "suspended resync paused (resync)");
	check_state_after(fixture, "b", "io-error", DOMAIN_STATE_PAUSED, LIFECYCLE_REASON_IOERROR,
			  "suspended ioerror paused (resync)");
	check_state_after(fixture, "c", "watchdog", DOMAIN_STATE_PAUSED, LIFECYCLE_REASON_WATCHDOG,
			  "suspended watchdog paused (resync)");
	check_state_after(fixture, "d", "suspended", DOMAIN_STATE_PM_SUSPENDED,
			  LIFECYCLE_REASON_MEMORY, "pm-suspended memory pm-suspended (resync)");
	check_state_after(fixture, "e", "guest-panicked", DOMAIN_STATE_CRASHED,
			  LIFECYCLE_REASON_PANICKED, "crashed panicked crashed (resync)");
	check_state_after(fixture, "f", "shutdown", DOMAIN_STATE_PAUSED,
			  LIFECYCLE_REASON_GUEST_SHUTDOWN, "suspended guest-shutdown paused (resync)");
}

/* Told once, however often it fails to come back; and the end is the end. */
static void test_lost_for_good(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "greeting", "garbage");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed", NULL);
	/* It connects again, is told nonsense, and believes after a second that this was not it. */
	fixture_run_for(fixture, 2500);
	fixture_expect(fixture, domain, NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_UNKNOWN);
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	assert_detail(fixture_last(fixture), "signal", "'KILL'");
}

static void test_destroy_lost(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "term=exit", NULL);

	fixture_set(fixture, domain, "greeting", "none");
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "stopped destroyed shut-off", NULL);
}

/* No answer at all, and a line that is no QMP: a time-out is the caller's, the connection stays. */
static void test_hung_command(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=x-never", NULL);
	g_auto(Answer) answer = { 0 };

	domain_execute(domain, "x-never", NULL, 50, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_TIMEOUT, "x-never");
	g_free(fixture_execute(fixture, domain, "x-lines",
			       "{\"lines\":[\"nonsense\",\"{}\",\"{\\\"return\\\":{},\\\"id\\\":99999}\"]}"));
	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "EventsLost monitor", "EventsLost monitor",
		       "suspended paused paused", NULL);
}

static void test_garbage(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autoptr(GString) lines = g_string_new("{\"lines\":[");
	g_auto(Answer) answer = { 0 };

	for (unsigned i = 0; i < QMP_MONITOR_GARBAGE_MAX; i++)
		g_string_append_printf(lines, "%s\"nonsense\"", i > 0 ? "," : "");
	g_string_append(lines, "]}");
	domain_execute(domain, "x-lines", fixture_json(lines->str), 20000, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	/* Each of them told as lost, then the end of the connection, then that it is there again. */
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, QMP_MONITOR_GARBAGE_MAX + 2);
	fixture_forget(fixture);
}

/* ---- pending ---- */

/* What waits for a hung QEMU is bounded; and it can be ended all the same. */
static void test_pending_bound(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=x-never", NULL);
	g_autofree Answer *answers = g_new0(Answer, DOMAIN_PENDING_MAX);
	g_auto(Answer) more = { 0 }, destroy = { 0 };

	for (unsigned i = 0; i < DOMAIN_PENDING_MAX; i++)
		domain_execute(domain, "x-never", NULL, 20000, on_answer, &answers[i]);
	g_assert_cmpuint(domain_get_pending(domain), ==, DOMAIN_PENDING_MAX);
	domain_execute(domain, "x-never", NULL, 20000, on_answer, &more);
	g_assert_true(more.done);
	answer_wait_error(fixture, &more, CORE_ERROR_LIMIT_EXCEEDED, "'a'");

	domain_destroy(domain, DOMAIN_DESTROY_GRACE_MS, on_answer, &destroy);
	answer_wait_ok(fixture, &destroy);
	for (unsigned i = 0; i < DOMAIN_PENDING_MAX; i++) {
		g_assert_true(answers[i].done);
		g_assert_error(answers[i].error, CORE_ERROR, CORE_ERROR_MONITOR_LOST);
		answer_clear(&answers[i]);
	}
	fixture_forget(fixture);
}

static void test_destroy_bound(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "term=ignore", NULL);
	unsigned n = 2 * DOMAIN_PENDING_MAX, refused = 0;
	g_autofree Answer *answers = g_new0(Answer, n);

	for (unsigned i = 0; i < n; i++)
		domain_destroy(domain, i == 0 ? 50 : 20000, on_answer, &answers[i]);
	g_assert_cmpuint(domain_get_pending(domain), <, n);
	for (unsigned i = 0; i < n; i++) {
		answer_wait(fixture, &answers[i]);
		refused += g_error_matches(answers[i].error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
		answer_clear(&answers[i]);
	}
	g_assert_cmpuint(refused, >, 0);
	fixture_expect(fixture, domain, "stopped destroyed shut-off", NULL);
}

/* ---- filters ---- */

static bool has_filters(void *userdata)
{
	return g_hash_table_size(domain_get_filters(userdata)) == 2;
}

static void test_filters(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "filters", "[" FILTER("n0", MAC_1) "," FILTER("n1", MAC_1) "]");
	/* Read for another reason: they are there, and nothing is told. */
	g_free(fixture_execute(fixture, domain, "system_reset", NULL));
	fixture_expect(fixture, domain, "Reset host host-qmp-system-reset", NULL);
	fixture_wait(fixture, has_filters, domain);
	fixture_expect(fixture, domain, NULL);

	/* The guest did something, if only the same again. */
	fixture_emit(fixture, domain, FILTER_EVENT("n1"));
	fixture_set(fixture, domain, "filters", "[" FILTER("n1", MAC_1) "]");
	fixture_expect(fixture, domain, "FilterChanged n1 " MAC_1, NULL);
}

static void test_filter_mac(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "filters=[" FILTER("n0", MAC_1) "]",
					    "\"devices\":[{\"driver\":\"x\",\"id\":\"n0\"}]");

	fixture->changed = 0;
	fixture_set(fixture, domain, "filters", "[" FILTER("n0", MAC_2) "]");
	fixture_emit(fixture, domain, FILTER_EVENT("n0"));
	fixture_expect(fixture, domain, "FilterChanged n0 " MAC_2, "MacChanged n0 " MAC_1 " " MAC_2,
		       NULL);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_FILTERS);

	/* A reset puts the MAC back without an event: found out, and told. */
	fixture_set(fixture, domain, "filters", "[" FILTER("n0", MAC_1) "]");
	g_free(fixture_execute(fixture, domain, "system_reset", NULL));
	fixture_expect(fixture, domain, "Reset host host-qmp-system-reset",
		       "FilterChanged n0 " MAC_1 " (resync)",
		       "MacChanged n0 " MAC_2 " " MAC_1 " (resync)", NULL);

	g_free(fixture_execute(fixture, domain, "device_del", "{\"id\":\"n0\"}"));
	fixture_expect(fixture, domain, "DeviceRemoved n0 /machine/peripheral/n0", NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_filters(domain)), ==, 0);
}

#define ADD(name, function) FIXTURE_ADD("/domain/monitor/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("lost", test_lost);
	ADD("state-after", test_state_after);
	ADD("lost-for-good", test_lost_for_good);
	ADD("destroy-lost", test_destroy_lost);
	ADD("hung-command", test_hung_command);
	ADD("garbage", test_garbage);
	ADD("pending-bound", test_pending_bound);
	ADD("destroy-bound", test_destroy_bound);
	ADD("filters", test_filters);
	ADD("filter-mac", test_filter_mac);
	return g_test_run();
}
