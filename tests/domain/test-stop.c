/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <unistd.h>

#include "domain-fixture.h"

/* Every way in which a run can end: one `stopped`, with its reason, and nothing of the run left. */

#define SHUTDOWN(guest, cause)                                                                     \
	"{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":" guest ",\"reason\":\"" cause "\"}}"

/* A command whose reply may be lost, as QEMU ends meanwhile. */
static void execute_last(DomainFixture *fixture, Domain *domain, const char *command,
			 const char *arguments)
{
	g_auto(Answer) answer = { 0 };

	domain_execute(domain, command, arguments ? fixture_json(arguments) : NULL, 20000, on_answer,
		       &answer);
	answer_wait(fixture, &answer);
}

static void assert_nothing_left(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *folder = fixture_path(fixture, domain, NULL);

	g_assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
	g_assert_cmpint(domain_get_pid(domain), ==, 0);
	g_assert_cmpuint(domain_get_pending(domain), ==, 0);
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 0);
	g_assert_cmpuint(g_hash_table_size(domain_get_filters(domain)), ==, 0);
}

/* ---- by us ---- */

static void test_destroy(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *folder = fixture_path(fixture, domain, NULL);

	g_assert_true(g_file_test(folder, G_FILE_TEST_IS_DIR));
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
	assert_detail(fixture_last(fixture), "cause", "'host-signal'");
	assert_detail(fixture_last(fixture), "guest", "false");
	assert_detail(fixture_last(fixture), "exit-status", "0");
	assert_detail(fixture_last(fixture), "name", "'a'");
	assert_nothing_left(fixture, domain);
}

/* Who is answered finds what he was told. */
static void on_destroyed(Domain *domain, const char *result, const GError *error, void *userdata)
{
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
	on_answer(domain, result, error, userdata);
}

static void test_kill_after_grace(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "term=ignore", NULL);
	g_auto(Answer) first = { 0 }, second = { 0 };

	domain_destroy(domain, DOMAIN_DESTROY_GRACE_MS, on_destroyed, &first);
	domain_destroy(domain, 50, on_destroyed, &second);
	answer_wait_ok(fixture, &second);
	answer_wait_ok(fixture, &first);
	fixture_expect(fixture, domain, "stopped destroyed shut-off", NULL);
	assert_detail(fixture_last(fixture), "signal", "'KILL'");
	assert_detail(fixture_last(fixture), "exit-status", "");
	assert_nothing_left(fixture, domain);
}

static void test_destroy_paused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
}

/* ---- by others ---- */

static void test_term(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	g_assert_cmpint(kill(domain_get_pid(domain), SIGTERM), ==, 0);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped shutdown shut-off",
		       NULL);
	assert_detail(fixture_last(fixture), "cause", "'host-signal'");
	assert_detail(fixture_last(fixture), "guest", "false");
	assert_detail(fixture_last(fixture), "exit-status", "0");
	assert_nothing_left(fixture, domain);
}

static void test_kill(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	assert_detail(fixture_last(fixture), "signal", "'KILL'");
	assert_detail(fixture_last(fixture), "exit-status", "");
	assert_detail(fixture_last(fixture), "cause", "");
	assert_nothing_left(fixture, domain);
}

static void test_quit(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	execute_last(fixture, domain, "quit", NULL);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped shutdown shut-off",
		       NULL);
	assert_detail(fixture_last(fixture), "cause", "'host-qmp-quit'");
	assert_detail(fixture_last(fixture), "guest", "false");
	assert_detail(fixture_last(fixture), "exit-status", "0");
}

/* ---- by the guest ---- */

static void test_guest(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, SHUTDOWN("true", "guest-shutdown"));
	execute_last(fixture, domain, "x-exit", "{\"status\":0}");
	fixture_expect(fixture, domain, "shutdown guest shutting-down", "stopped shutdown shut-off",
		       NULL);
	assert_detail(fixture_last(fixture), "cause", "'guest-shutdown'");
	assert_detail(fixture_last(fixture), "guest", "true");
	assert_detail(fixture_last(fixture), "exit-status", "0");
	assert_nothing_left(fixture, domain);
}

/* SHUTDOWN twice, the second one for a quit that came too late: the first one is why. */
static void test_guest_then_quit(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-shutdown\":\"pause\"");

	fixture_emit(fixture, domain, SHUTDOWN("true", "guest-shutdown") ",\"STOP\"");
	fixture_expect(fixture, domain, "shutdown guest shutting-down",
		       "suspended guest-shutdown paused", NULL);
	execute_last(fixture, domain, "quit", NULL);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped shutdown shut-off",
		       NULL);
}

static void test_panic(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"poweroff\"}},"
				      "\"STOP\"," SHUTDOWN("true", "guest-panic"));
	execute_last(fixture, domain, "x-exit", "{\"status\":0}");
	fixture_expect(fixture, domain, "Panicked poweroff", "crashed panicked crashed",
		       "shutdown guest shutting-down", "stopped crashed shut-off", NULL);
	assert_detail(fixture_last(fixture), "cause", "'guest-panic'");
	assert_detail(fixture_last(fixture), "guest", "true");
}

static void test_sleep_disk(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "\"SUSPEND_DISK\"," SHUTDOWN("true", "guest-shutdown"));
	execute_last(fixture, domain, "x-exit", "{\"status\":0}");
	fixture_expect(fixture, domain, "pm-suspended disk pm-suspended",
		       "shutdown guest shutting-down", "stopped shutdown shut-off", NULL);
}

/* exit(0) from within the watchdog: no SHUTDOWN, and still not a failure. */
static void test_watchdog_poweroff(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_emit(fixture, domain, "{\"event\":\"WATCHDOG\",\"data\":{\"action\":\"poweroff\"}}");
	execute_last(fixture, domain, "x-exit", "{\"status\":0}");
	fixture_expect(fixture, domain, "Watchdog poweroff", "stopped shutdown shut-off", NULL);
	assert_detail(fixture_last(fixture), "cause", "'watchdog'");
	assert_detail(fixture_last(fixture), "guest", "false");
	assert_detail(fixture_last(fixture), "exit-status", "0");
}

/* ---- by QEMU itself ---- */

static void test_exit_status(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	execute_last(fixture, domain, "x-exit", "{\"status\":3}");
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	assert_detail(fixture_last(fixture), "exit-status", "3");
	assert_detail(fixture_last(fixture), "signal", "");
	assert_nothing_left(fixture, domain);
}

/* What is pending when it ends is answered, each once. */
static void test_pending(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "hang=x-never", NULL);
	Answer answers[100] = { 0 };

	for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++)
		domain_execute(domain, "x-never", NULL, 20000, on_answer, &answers[i]);
	g_assert_cmpuint(domain_get_pending(domain), ==, G_N_ELEMENTS(answers));
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
		answer_wait(fixture, &answers[i]);
		g_assert_error(answers[i].error, CORE_ERROR, CORE_ERROR_MONITOR_LOST);
		answer_clear(&answers[i]);
	}
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	assert_nothing_left(fixture, domain);
}

/* What it said last is told before its end, however much that is. */
static void test_last_words(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) flood = { 0 };
	unsigned n = 5000;

	domain_execute(domain, "x-flood", fixture_json("{\"first\":0,\"count\":5000}"), 20000,
		       on_answer, &flood);
	execute_last(fixture, domain, "x-exit", "{\"status\":0}");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_SHUT_OFF);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, n + 1);
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *text = g_strdup_printf("Event X_TEST {\"n\":%u}", i);
		const Record *record = g_ptr_array_index(fixture->records, i);

		g_assert_cmpstr(record->text, ==, text);
	}
	g_assert_true(flood.done);
	g_assert_no_error(flood.error);
}

/* ---- transient ---- */

static bool has_left(void *userdata)
{
	return ((DomainFixture *)userdata)->n_removed == 1;
}

static void test_transient(DomainFixture *fixture, const void *data)
{
	g_autofree char *document = fixture_document("a", NULL, NULL);
	g_auto(Answer) answer = { 0 };
	g_autoptr(Domain) domain = NULL;

	driver_create(fixture->driver, geteuid(), document, false, NULL, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	domain = domain_ref(driver_find_domain(fixture->driver, "a"));
	g_assert_false(domain_is_persistent(domain));
	fixture_expect(fixture, domain, "starting booted starting", "started booted running", NULL);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
	fixture_wait(fixture, has_left, fixture);
	g_assert_null(driver_find_domain(fixture->driver, "a"));
	assert_nothing_left(fixture, domain);
}

#define ADD(name, function) FIXTURE_ADD("/domain/stop/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("destroy", test_destroy);
	ADD("kill-after-grace", test_kill_after_grace);
	ADD("destroy-paused", test_destroy_paused);
	ADD("term", test_term);
	ADD("kill", test_kill);
	ADD("quit", test_quit);
	ADD("guest", test_guest);
	ADD("guest-then-quit", test_guest_then_quit);
	ADD("panic", test_panic);
	ADD("sleep-disk", test_sleep_disk);
	ADD("watchdog-poweroff", test_watchdog_poweroff);
	ADD("exit-status", test_exit_status);
	ADD("pending", test_pending);
	ADD("last-words", test_last_words);
	ADD("transient", test_transient);
	return g_test_run();
}
