/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "domain-fixture.h"

/* The memory of a guest that has panicked is written before on-panic is carried out; whatever becomes of the
 * file, it is carried out. */

#define PANICKED "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\"}},\"STOP\""
#define COMPLETED(status, more)                                                                    \
	"{\"event\":\"DUMP_COMPLETED\",\"data\":{\"result\":{\"status\":\"" status                 \
	"\",\"completed\":4,\"total\":4}" more "}}"
#define TEXT(status) "DumpCompleted " status " ''"
#define ENDED "shutdown host shutting-down", "stopped crashed shut-off"

static char *file(DomainFixture *fixture, const char *name)
{
	return g_build_filename(fixture->folder, name, NULL);
}

static char *members(DomainFixture *fixture, const char *policy)
{
	return g_strdup_printf("\"on-panic\":\"%s\",\"panic-dump\":\"%s/core\"", policy,
			       fixture->folder);
}

static Domain *run(DomainFixture *fixture, const char *settings, const char *policy)
{
	g_autofree char *text = members(fixture, policy);

	return fixture_run_domain(fixture, "a", settings, text);
}

/* QEMU has taken the command, or refused it. */
static bool is_ordered(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	return strstr(log, "dump-guest-memory") != NULL;
}

static void wait_ordered(DomainFixture *fixture, Domain *domain)
{
	gint64 deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;

	while (!is_ordered(fixture, domain))
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
	/* And has answered query-dump, which follows. */
	g_free(fixture_execute(fixture, domain, "query-dump", NULL));
}

static void panic(DomainFixture *fixture, Domain *domain, const char *action)
{
	fixture_emit(fixture, domain, PANICKED);
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed", NULL);
	assert_detail(fixture_last(fixture), "policy", "'on-panic'");
	assert_detail(fixture_last(fixture), "action", action);
	assert_detail(fixture_last(fixture), "dumping", "true");
	assert_detail(fixture_last(fixture), "dump", "");
}

static void panic_and_wait(DomainFixture *fixture, Domain *domain, const char *action)
{
	panic(fixture, domain, action);
	wait_ordered(fixture, domain);
}

/* The command may end QEMU before it is answered. */
static void emit_last(DomainFixture *fixture, Domain *domain, const char *events)
{
	g_autofree char *text = g_strdup_printf("{\"events\":[%s]}", events);

	domain_execute(domain, "x-emit", fixture_json(text), 20000, NULL, NULL);
}

static void assert_file(DomainFixture *fixture, const char *name, const char *expected)
{
	g_autofree char *path = file(fixture, name);
	g_autofree char *text = NULL;
	struct stat status;

	if (!expected) {
		g_assert_cmpint(lstat(path, &status), ==, -1);
		return;
	}
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, expected);
	g_assert_cmpint(stat(path, &status), ==, 0);
	g_assert_cmpint(status.st_mode & 07777, ==, 0600);
}

static void assert_dumped(DomainFixture *fixture)
{
	g_autofree char *path = file(fixture, "core");
	g_autofree char *quoted = g_strdup_printf("'%s'", path);

	assert_detail(fixture_last(fixture), "dump", quoted);
	assert_detail(fixture_last(fixture), "dump-error", "");
	assert_file(fixture, "core", "dump");
	assert_file(fixture, "core.partial", NULL);
}

static void assert_failed(DomainFixture *fixture, const char *text)
{
	g_autofree char *error = event_detail(fixture_last(fixture), "dump-error");

	if (!strstr(error, text))
		g_error("'%s' is not in: %s", text, error);
	assert_detail(fixture_last(fixture), "dump", "");
	assert_file(fixture, "core.partial", NULL);
}

/* ---- what follows ---- */

static void test_stop(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");

	panic_and_wait(fixture, domain, "'stop'");
	assert_file(fixture, "core", NULL);
	assert_file(fixture, "core.partial", "dump");
	emit_last(fixture, domain, COMPLETED("completed", ""));
	fixture_expect(fixture, domain, TEXT("completed"), ENDED, NULL);
	assert_detail(fixture_last(fixture), "policy", "'on-panic'");
	assert_detail(fixture_last(fixture), "action", "'stop'");
	assert_dumped(fixture);
}

static void test_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "restart");

	panic_and_wait(fixture, domain, "'restart'");
	emit_last(fixture, domain, COMPLETED("completed", ""));
	fixture_expect(fixture, domain, TEXT("completed"), ENDED, "starting recreated starting",
		       "started recreated running", NULL);
	assert_detail(fixture_last(fixture), "policy", "'on-panic'");
	assert_file(fixture, "core", "dump");

	/* The next one replaces the last, and not before it is whole. */
	panic_and_wait(fixture, domain, "'restart'");
	assert_file(fixture, "core", "dump");
	assert_file(fixture, "core.partial", "dump");
	emit_last(fixture, domain, COMPLETED("failed", ",\"error\":\"disk full\""));
	fixture_wait_state(fixture, domain, DOMAIN_STATE_STARTING);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	assert_file(fixture, "core", "dump");
	assert_file(fixture, "core.partial", NULL);
	fixture_forget(fixture);
}

static void test_preserve(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "preserve");

	panic_and_wait(fixture, domain, "'preserve'");
	fixture_emit(fixture, domain, COMPLETED("completed", ""));
	fixture_expect(fixture, domain, TEXT("completed"), "crashed panicked crashed", NULL);
	assert_detail(fixture_last(fixture), "policy", "'on-panic'");
	assert_detail(fixture_last(fixture), "action", "'preserve'");
	assert_detail(fixture_last(fixture), "dumping", "");
	assert_dumped(fixture);
	/* Said once. */
	fixture_emit(fixture, domain, COMPLETED("completed", ""));
	fixture_expect(fixture, domain, TEXT("completed"), NULL);

	/* It goes on, and panics once more. */
	fixture_emit(fixture, domain, "\"RESUME\"");
	fixture_expect(fixture, domain, "resumed unpaused running", NULL);
	fixture_set(fixture, domain, "dump", "at-once");
	fixture_emit(fixture, domain, PANICKED);
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed",
		       TEXT("completed"), "crashed panicked crashed", NULL);
	assert_dumped(fixture);
}

/* Its event comes before the reply to its command. */
static void test_at_once(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, "dump=at-once", "stop");

	fixture_emit(fixture, domain, PANICKED);
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed",
		       TEXT("completed"), ENDED, NULL);
	assert_dumped(fixture);
}

/* ---- what fails ---- */

static void test_failed(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");

	panic_and_wait(fixture, domain, "'stop'");
	fixture_set(fixture, domain, "dump", "failed");
	emit_last(fixture, domain, COMPLETED("failed", ",\"error\":\"No space left\""));
	fixture_expect(fixture, domain,
		       "DumpCompleted failed 'No space left'", ENDED, NULL);
	assert_failed(fixture, "No space left");
	assert_file(fixture, "core", NULL);
	assert_detail(fixture_last(fixture), "action", "'stop'");
}

/* Why is in the event alone, and that may come before the command is answered. */
static void test_failed_at_once(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");

	fixture_set(fixture, domain, "before:dump-guest-memory",
		    COMPLETED("failed", ",\"error\":\"File too large\""));
	fixture_set(fixture, domain, "reply:query-dump", "{\"status\":\"failed\"}");
	fixture_emit(fixture, domain, PANICKED);
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed",
		       "DumpCompleted failed 'File too large'", ENDED, NULL);
	assert_failed(fixture, "File too large");
}

/* Each command that QEMU may refuse, and each policy. */
static void test_refused(DomainFixture *fixture, const void *data)
{
	static const char *const commands[] = { "getfd", "dump-guest-memory", "query-dump" };

	for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *settings = g_strdup_printf("fail:%s=refused by hand", commands[i]);
		g_autofree char *kept = members(fixture, "preserve"), *ended = members(fixture, "stop");
		Domain *domain = fixture_run_domain(fixture, name, settings, kept);
		g_autofree char *other_name = g_strdup_printf("e%u", i);
		Domain *other = fixture_run_domain(fixture, other_name, settings, ended);

		fixture_emit(fixture, domain, PANICKED);
		fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed",
			       "crashed panicked crashed", NULL);
		assert_failed(fixture, "refused by hand");
		emit_last(fixture, other, PANICKED);
		fixture_expect(fixture, other, "Panicked pause", "crashed panicked crashed", ENDED, NULL);
		assert_failed(fixture, "refused by hand");
		fixture_destroy(fixture, domain);
		fixture_forget(fixture);
	}
}

/* The file cannot be made; what is in the way is left alone. */
static void test_no_file(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");
	g_autofree char *partial = file(fixture, "core.partial");

	g_assert_cmpint(g_mkdir(partial, 0700), ==, 0);
	fixture_emit(fixture, domain, PANICKED);
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed", ENDED, NULL);
	{
		g_autofree char *error = event_detail(fixture_last(fixture), "dump-error");

		g_assert_nonnull(strstr(error, "cannot be removed"));
	}
	g_assert_cmpint(g_rmdir(partial), ==, 0);
}

/* Left from a dump that was cut off. */
static void test_stale(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, "dump=at-once", "stop");
	g_autofree char *partial = file(fixture, "core.partial");

	g_assert_true(g_file_set_contents(partial, "something longer", -1, NULL));
	fixture_emit(fixture, domain, PANICKED);
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed",
		       TEXT("completed"), ENDED, NULL);
	assert_dumped(fixture);
}

/* Two definitions with the same path: the file of the one is not taken for that of the other. */
static void test_replaced(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");
	g_autofree char *partial = file(fixture, "core.partial");

	panic_and_wait(fixture, domain, "'stop'");
	g_assert_cmpint(g_unlink(partial), ==, 0);
	g_assert_true(g_file_set_contents(partial, "of another", -1, NULL));
	emit_last(fixture, domain, COMPLETED("completed", ""));
	fixture_expect(fixture, domain, TEXT("completed"), ENDED, NULL);
	{
		g_autofree char *error = event_detail(fixture_last(fixture), "dump-error");

		g_assert_nonnull(strstr(error, "replaced"));
	}
	assert_file(fixture, "core", NULL);
	g_assert_cmpint(g_unlink(partial), ==, 0);
}

/* ---- what comes in between ---- */

/* As long as one takes, others live. */
static void test_others_go_on(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, "hang=dump-guest-memory", "stop");
	Domain *other = fixture_run_domain(fixture, "b", NULL, NULL);

	panic(fixture, domain, "'stop'");
	while (!is_ordered(fixture, domain))
		;
	for (unsigned i = 0; i < 100; i++) {
		fixture_emit(fixture, other, "\"STOP\",\"RESUME\"");
		fixture_expect(fixture, other, "suspended paused paused", "resumed unpaused running",
			       NULL);
	}
	/* Its own events flow, too. */
	fixture_emit(fixture, domain, "\"X_OWN\"");
	fixture_expect(fixture, domain, "Event X_OWN {}", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_CRASHED);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off", NULL);
	assert_failed(fixture, "QEMU ended before");
}

static void test_destroy(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "restart");

	panic_and_wait(fixture, domain, "'restart'");
	assert_file(fixture, "core.partial", "dump");
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off", NULL);
	assert_failed(fixture, "QEMU ended before");
	assert_detail(fixture_last(fixture), "policy", "");
	assert_file(fixture, "core", NULL);
}

static void test_killed(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");

	panic_and_wait(fixture, domain, "'stop'");
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	assert_failed(fixture, "QEMU ended before");
}

/* Destroyed before a worker has come to the file, or before it has told. */
static void test_destroy_at_once(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");

	panic(fixture, domain, "'stop'");
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off", NULL);
	assert_failed(fixture, "QEMU ended before");
}

/* Not before the guest stands still, and not if it goes on. */
static void test_goes_on(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");

	fixture_emit(fixture, domain, "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\"}},"
				      "\"RESUME\",\"STOP\",\"RESUME\"");
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed",
		       "resumed unpaused running", "suspended paused paused",
		       "resumed unpaused running", NULL);
	fixture_run_for(fixture, 50);
	g_assert_false(is_ordered(fixture, domain));
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off", NULL);
	assert_file(fixture, "core.partial", NULL);
}

/* Reset by hand while it is written: the file is kept, and the new life of the guest is not ended. */
static void test_reset(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");
	g_auto(Answer) answer = { 0 };

	panic_and_wait(fixture, domain, "'stop'");
	domain_command(domain, DOMAIN_OPERATION_RESET, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_emit(fixture, domain, "\"RESUME\"");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_forget(fixture);
	fixture_emit(fixture, domain, COMPLETED("completed", ""));
	fixture_expect(fixture, domain, TEXT("completed"), NULL);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off", NULL);
	assert_dumped(fixture);
}

/* Reset, and panicked anew before it was written: one file, and then what on-panic wants. */
static void test_reset_and_panic(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "preserve");
	g_auto(Answer) answer = { 0 };

	panic_and_wait(fixture, domain, "'preserve'");
	domain_command(domain, DOMAIN_OPERATION_RESET, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_emit(fixture, domain, "\"RESUME\"");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_forget(fixture);
	panic(fixture, domain, "'preserve'");
	fixture_emit(fixture, domain, COMPLETED("completed", ""));
	fixture_expect(fixture, domain, TEXT("completed"), "crashed panicked crashed", NULL);
	assert_dumped(fixture);
}

/* One that runs on, or powers off by itself, is not dumped. */
static void test_other_actions(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");

	fixture_emit(fixture, domain, "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"run\"}}");
	fixture_expect(fixture, domain, "Panicked run", "crashed panicked running", NULL);
	assert_detail(fixture_last(fixture), "dumping", "");
	assert_detail(fixture_last(fixture), "policy", "");
	assert_detail(fixture_last(fixture), "action", "'run'");
	g_assert_false(is_ordered(fixture, domain));
	assert_file(fixture, "core.partial", NULL);
}

/* ---- the service, or the monitor, is not there ---- */

static Domain *reopen(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *name = g_strdup(domain_get_name(domain));

	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	return driver_find_domain(fixture->driver, name);
}

static void prepare_reopen(DomainFixture *fixture, Domain *domain, const char *dump)
{
	panic_and_wait(fixture, domain, "'stop'");
	fixture_set(fixture, domain, "status", "guest-panicked");
	fixture_set(fixture, domain, "dump", dump);
}

static unsigned count_calls(DomainFixture *fixture, Domain *domain, const char *command)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);
	unsigned n = 0;

	for (const char *p = log; (p = strstr(p, command)); p++)
		n++;
	return n;
}

/* Until it was called more than n times, and has answered. */
static void wait_called(DomainFixture *fixture, Domain *domain, const char *command, unsigned n)
{
	gint64 deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;

	while (count_calls(fixture, domain, command) <= n)
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
	g_free(fixture_execute(fixture, domain, "x-log", NULL));
}

/* How far it had got: not begun, half, whole, failed. */
static void test_found(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *dump;
		bool again, failed;
	} rows[] = {
		{ "none", true, false },
		{ "active", false, false },
		{ "completed", false, false },
		{ "failed", false, true },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *text = members(fixture, "stop");
		g_autofree char *path = file(fixture, "core");
		Domain *domain = fixture_run_domain(fixture, name, NULL, text);
		pid_t pid = domain_get_pid(domain);
		unsigned asked;

		g_test_message("%s", rows[i].dump);
		prepare_reopen(fixture, domain, rows[i].dump);
		asked = count_calls(fixture, domain, "query-dump");
		domain = reopen(fixture, domain);
		if (rows[i].again || g_str_equal(rows[i].dump, "active")) {
			fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
			g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_CRASHED);
			/* QEMU is asked how far it is when a worker has found the file; if it has not begun, it
			 * is told to, and asked once more. */
			wait_called(fixture, domain, "query-dump", asked + rows[i].again);
			emit_last(fixture, domain, COMPLETED("completed", ""));
			fixture_expect(fixture, domain, TEXT("completed"), ENDED, NULL);
		} else {
			fixture_expect(fixture, domain, "Resynchronized service-restarted", ENDED, NULL);
		}
		assert_detail(fixture_last(fixture), "action", "'stop'");
		if (rows[i].failed)
			assert_failed(fixture, "does not say why");
		else
			assert_dumped(fixture);
		(void)waitpid(pid, NULL, WNOHANG);
		(void)g_unlink(path);
	}
}

/* Whole before the service was killed: nothing is left but to end QEMU, or to keep it. */
static void test_found_whole(DomainFixture *fixture, const void *data)
{
	static const char *const policies[] = { "stop", "preserve" };

	for (unsigned i = 0; i < G_N_ELEMENTS(policies); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		g_autofree char *text = members(fixture, policies[i]);
		Domain *domain = fixture_run_domain(fixture, name, "dump=at-once;fail:quit=later", text);
		pid_t pid = domain_get_pid(domain);
		g_autofree char *path = file(fixture, "core");
		gint64 deadline = g_get_monotonic_time() + FIXTURE_DEADLINE_US;

		fixture_emit(fixture, domain, PANICKED);
		while (!g_file_test(path, G_FILE_TEST_EXISTS)) {
			g_assert_cmpint(g_get_monotonic_time(), <, deadline);
			(void)loop_run_once(fixture->loop, 100);
		}
		fixture_run(fixture);
		fixture_set(fixture, domain, "status", "guest-panicked");
		fixture_set(fixture, domain, "fail:quit", "");
		domain = reopen(fixture, domain);
		if (i == 0) {
			fixture_expect(fixture, domain, "Resynchronized service-restarted", ENDED, NULL);
			assert_dumped(fixture);
		} else {
			fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
			fixture_run_for(fixture, 50);
			g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_CRASHED);
			g_assert_cmpint(domain_get_state_reason(domain), ==,
					LIFECYCLE_REASON_PANICKED);
			fixture_destroy(fixture, domain);
			fixture_forget(fixture);
		}
		(void)waitpid(pid, NULL, WNOHANG);
		(void)g_unlink(path);
	}
}

/* Without a dump too: what was left to be done is done. */
static void test_found_panicked(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-panic\":\"restart\"");
	pid_t pid = domain_get_pid(domain);

	fixture_set(fixture, domain, "status", "guest-panicked");
	domain = reopen(fixture, domain);
	fixture_expect(fixture, domain, "crashed panicked crashed (resync)",
		       "Resynchronized service-restarted", ENDED, "starting recreated starting", "started recreated running", NULL);
	(void)waitpid(pid, NULL, WNOHANG);
}

/* The monitor is lost and found again while QEMU writes. */
static void test_monitor_lost(DomainFixture *fixture, const void *data)
{
	Domain *domain = run(fixture, NULL, "stop");

	panic_and_wait(fixture, domain, "'stop'");
	fixture_set(fixture, domain, "status", "guest-panicked");
	fixture_set(fixture, domain, "dump", "completed");
	g_test_expect_message("vmherald", G_LOG_LEVEL_INFO, "*'a': monitor:*");
	domain_execute(domain, "x-close", NULL, 20000, NULL, NULL);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", ENDED, NULL);
	assert_dumped(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/panic-dump/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("stop", test_stop);
	ADD("restart", test_restart);
	ADD("preserve", test_preserve);
	ADD("at-once", test_at_once);
	ADD("failed", test_failed);
	ADD("failed-at-once", test_failed_at_once);
	ADD("refused", test_refused);
	ADD("no-file", test_no_file);
	ADD("stale", test_stale);
	ADD("replaced", test_replaced);
	ADD("others-go-on", test_others_go_on);
	ADD("destroy", test_destroy);
	ADD("destroy-at-once", test_destroy_at_once);
	ADD("killed", test_killed);
	ADD("goes-on", test_goes_on);
	ADD("reset", test_reset);
	ADD("reset-and-panic", test_reset_and_panic);
	ADD("other-actions", test_other_actions);
	ADD("found", test_found);
	ADD("found-whole", test_found_whole);
	ADD("found-panicked", test_found_panicked);
	ADD("monitor-lost", test_monitor_lost);
	return g_test_run();
}
