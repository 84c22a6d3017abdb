/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain-fixture.h"

/* The service goes and comes: QEMU stays, and is found again. Here the driver is closed in order; killed on
 * a real bus it is in tests/integration. */

static Domain *reopen(DomainFixture *fixture, const char *name)
{
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	return driver_find_domain(fixture->driver, name);
}

static void wait_for_exit(pid_t pid)
{
	int status;

	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
}

static void end_process(pid_t pid)
{
	g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
	wait_for_exit(pid);
}

static char *run_file_of(DomainFixture *fixture, const char *uuid)
{
	return g_build_filename(fixture->folder, "runtime", "domains", uuid, "run.json", NULL);
}

static void replace_in_file(const char *path, const char *from, const char *to)
{
	g_autofree char *text = NULL;
	g_autoptr(GString) changed = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	changed = g_string_new(text);
	g_assert_cmpuint(g_string_replace(changed, from, to, 0), ==, 1);
	g_assert_true(g_file_set_contents(path, changed->str, (gssize)changed->len, NULL));
}

/* ---- found again ---- */

static void test_found(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	pid_t pid = domain_get_pid(domain);
	int64_t started_at = domain_get_started_at(domain);

	fixture_close_driver(fixture);
	domain = reopen(fixture, "a");
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_cmpint(domain_get_pid(domain), ==, pid);
	g_assert_cmpint(domain_get_started_at(domain), ==, started_at);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 1);
	g_assert_true(domain_is_persistent(domain));
	g_assert_cmpstr(domain_get_qemu_version(domain), ==, "7.2.22");
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);

	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
	fixture_start(fixture, domain);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 2);
}

static void test_found_transient(DomainFixture *fixture, const void *data)
{
	g_autofree char *document = fixture_document("a", NULL, NULL);
	g_auto(Answer) answer = { 0 };
	g_autoptr(Domain) domain = NULL;

	driver_create(fixture->driver, geteuid(), document, false, NULL, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_close_driver(fixture);
	domain = domain_ref(reopen(fixture, "a"));
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_false(domain_is_persistent(domain));
	fixture_destroy(fixture, domain);
	g_assert_null(driver_find_domain(fixture->driver, "a"));
	fixture_forget(fixture);
}

/* A device plugged in before takes its backends with it after. */
static void test_backends(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_NETDEV] = fixture_json("{\"type\":\"user\",\"id\":\"host1\"}"),
	};
	g_auto(Answer) attach = { 0 }, detach = { 0 };
	g_autofree char *log = NULL;

	domain_attach_device(domain, fixture_json("{\"driver\":\"x\",\"id\":\"net1\"}"), backends,
			     DOMAIN_CALL_TIMEOUT_MS, on_answer, &attach);
	answer_wait_ok(fixture, &attach);
	fixture_close_driver(fixture);
	domain = reopen(fixture, "a");
	g_assert_cmpuint(g_hash_table_size(domain_get_devices(domain)), ==, 1);
	domain_detach_device(domain, "net1", 20000, on_answer, &detach);
	answer_wait_ok(fixture, &detach);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_nonnull(strstr(log, "\"device_del net1\",\"netdev_del host1\""));
	fixture_forget(fixture);
}

/* A QEMU that does not answer keeps nobody waiting: its state is unknown until it does. */
static void test_silent(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	pid_t pid = domain_get_pid(domain);
	gint64 begin;

	fixture_close_driver(fixture);
	g_assert_cmpint(kill(pid, SIGSTOP), ==, 0);
	begin = g_get_monotonic_time();
	domain = reopen(fixture, "a");
	g_assert_cmpint(g_get_monotonic_time() - begin, <, 10 * G_TIME_SPAN_SECOND);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_UNKNOWN);
	g_assert_cmpint(domain_get_pid(domain), ==, pid);
	g_assert_cmpint(kill(pid, SIGCONT), ==, 0);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_expect(fixture, domain, "Lost no-answer", "Resynchronized service-restarted", NULL);
}

/* ---- not found ---- */

static void test_ended_meanwhile(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-crash\":\"restart\"");
	pid_t pid = domain_get_pid(domain);

	fixture_close_driver(fixture);
	end_process(pid);
	domain = reopen(fixture, "a");
	/* Nobody saw why, and so nothing is guessed, and nothing is started. */
	fixture_expect(fixture, domain, "stopped unknown shut-off", NULL);
	assert_detail(fixture_last(fixture), "while-away", "true");
	assert_detail(fixture_last(fixture), "exit-status", "");
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
	fixture_start(fixture, domain);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 2);
}

/* The number is another's now: it is left alone. */
static void test_number_used_again(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autofree char *path = run_file_of(fixture, domain_get_uuid(domain));
	g_autofree char *from = g_strdup_printf("\"pid\":%d,", (int)domain_get_pid(domain));
	g_autofree char *to = g_strdup_printf("\"pid\":%d,", (int)getpid());
	pid_t pid = domain_get_pid(domain);

	fixture_close_driver(fixture);
	end_process(pid);
	replace_in_file(path, from, to);
	domain = reopen(fixture, "a");
	fixture_expect(fixture, domain, "stopped unknown shut-off", NULL);
}

/* ---- a start that was cut off ---- */

static bool is_off(void *userdata)
{
	return domain_get_state(userdata) == DOMAIN_STATE_SHUT_OFF;
}

/* The process is ours to end: what it would have become, nobody asked to the end. */
static void check_cut_off(DomainFixture *fixture, bool with_pid)
{
	Domain *domain = fixture_run_domain(fixture, "a", "term=ignore", NULL);
	g_autofree char *path = run_file_of(fixture, domain_get_uuid(domain));
	g_autofree char *folder = fixture_path(fixture, domain, NULL);
	pid_t pid = domain_get_pid(domain);

	fixture_close_driver(fixture);
	replace_in_file(path, "\"started\":true", "\"started\":false");
	if (!with_pid) {
		/* As it is before QEMU is started: then QEMU's own file is all there is. */
		g_autofree char *text = NULL;
		g_autofree char *start_time = NULL;
		g_autofree char *number = g_strdup_printf("\"pid\":%d,", (int)pid);
		const char *at;

		replace_in_file(path, number, "\"pid\":0,");
		g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
		at = strstr(text, "\"start-time\":");
		start_time = g_strndup(at, strcspn(at, ","));
		replace_in_file(path, start_time, "\"start-time\":0");
	}
	domain = reopen(fixture, "a");
	fixture_wait(fixture, is_off, domain);
	fixture_expect(fixture, domain, "stopped failed shut-off", NULL);
	g_assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
	/* No orphan: it was waited for, as it is a child of this process. */
	g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, -1);
	fixture_start(fixture, domain);
}

static void test_cut_off(DomainFixture *fixture, const void *data)
{
	check_cut_off(fixture, true);
}

static void test_cut_off_without_pid(DomainFixture *fixture, const void *data)
{
	check_cut_off(fixture, false);
}

/* A folder and nothing in it, or a file that nobody can read: told, and the rest is served. */
static void test_damaged(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	Domain *other = fixture_run_domain(fixture, "b", NULL, NULL);
	g_autofree char *path = run_file_of(fixture, domain_get_uuid(domain));
	g_autofree char *folder = fixture_path(fixture, domain, NULL);
	pid_t pid = domain_get_pid(domain);

	fixture_close_driver(fixture);
	g_assert_true(g_file_set_contents(path, "{\"version\":1", -1, NULL));
	g_test_expect_message("vmherald", G_LOG_LEVEL_WARNING, "*run.json*");
	other = reopen(fixture, "b");
	g_test_assert_expected_messages();
	g_assert_cmpint(domain_get_state(other), ==, DOMAIN_STATE_RUNNING);
	/* Nothing was removed: there is a QEMU that somebody needs. */
	g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
	g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, 0);
	end_process(pid);
	g_assert_true(directories_remove(folder, NULL));
	fixture_forget(fixture);
}

/* ---- leaving ---- */

/* With everything pending that can be: each is answered once, nothing leaks, and QEMUs stay, except for
 * one that was being started. */
static void test_leave_with_pending(DomainFixture *fixture, const void *data)
{
	Domain *busy = fixture_run_domain(fixture, "busy", "hang=x-never", NULL);
	Domain *starting = fixture_define(fixture, "starting", "hang=cont", NULL);
	Domain *spawning = fixture_define(fixture, "spawning", NULL, NULL);
	Domain *attaching = fixture_run_domain(fixture, "attaching", "hang=netdev_add", NULL);
	Domain *rebooting = fixture_run_domain(fixture, "rebooting", NULL, NULL);
	Domain *ending = fixture_run_domain(fixture, "ending", "term=ignore", NULL);
	JsonNode *backends[BACKEND_MAX] = {
		[BACKEND_OBJECT] = fixture_json("{\"qom-type\":\"x\",\"id\":\"obj1\"}"),
		[BACKEND_NETDEV] = fixture_json("{\"type\":\"user\",\"id\":\"host1\"}"),
	};
	g_autofree char *document = fixture_document("new", NULL, NULL);
	Answer answers[10] = { 0 };
	pid_t pids[4], cut_off;

	domain_start(starting, false, on_answer, &answers[0]);
	while (!domain_is_connected(starting))
		(void)loop_run_once(fixture->loop, 100);
	cut_off = domain_get_pid(starting);
	pids[0] = domain_get_pid(busy);
	pids[1] = domain_get_pid(attaching);
	pids[2] = domain_get_pid(rebooting);
	pids[3] = domain_get_pid(ending);
	domain_execute(busy, "x-never", NULL, 20000, on_answer, &answers[1]);
	domain_execute(busy, "x-flood", fixture_json("{\"first\":0,\"count\":9000}"), 20000, on_answer,
		       &answers[2]);
	domain_shutdown(busy, 20000, on_answer, &answers[3]);
	domain_attach_device(attaching, fixture_json("{\"driver\":\"x\"}"), backends, DOMAIN_CALL_TIMEOUT_MS, on_answer,
			     &answers[4]);
	domain_reboot(rebooting, 20000, on_answer, &answers[5]);
	domain_destroy(ending, 20000, on_answer, &answers[6]);
	driver_define(fixture->driver, geteuid(), document, on_driver_answer, &answers[7]);
	driver_reload(fixture->driver, on_driver_answer, &answers[8]);
	(void)loop_run_once(fixture->loop, 100);
	domain_start(spawning, false, on_answer, &answers[9]);
	fixture_close_driver(fixture);
	for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
		g_assert_true(answers[i].done);
		/* Who is told that the monitor was closed would think that QEMU is to blame. */
		if (answers[i].error)
			g_assert_cmpstr(answers[i].error->message, ==, "The service is leaving");
		answer_clear(&answers[i]);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(pids); i++)
		g_assert_cmpint(waitpid(pids[i], NULL, WNOHANG), ==, 0);

	/* The next one clears up: starts that were cut off are ended, the others are found. */
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	fixture_wait(fixture, is_off, driver_find_domain(fixture->driver, "starting"));
	fixture_wait(fixture, is_off, driver_find_domain(fixture->driver, "spawning"));
	/* Reaped by the driver, or ended when there was none. */
	(void)waitpid(cut_off, NULL, WNOHANG);
	g_assert_cmpint(domain_get_state(driver_find_domain(fixture->driver, "busy")), ==,
			DOMAIN_STATE_RUNNING);
	fixture_forget(fixture);
}

/* ---- files changed by hand ---- */

static void put_definition(DomainFixture *fixture, const char *file, const char *name,
			   const char *uuid)
{
	g_autofree char *path = g_build_filename(fixture->folder, "config", "domains", file, NULL);
	g_autofree char *text = g_strdup_printf("{\"name\":\"%s\",\"uuid\":\"%s\"}", name, uuid);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* Two files of one uuid: the first counts, at the start as at a reload, and the other one is told. */
static void test_same_uuid(DomainFixture *fixture, const void *data)
{
	static const char uuid[] = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
	g_auto(Answer) answer = { 0 };
	Domain *domain;

	fixture_close_driver(fixture);
	put_definition(fixture, "a.json", "a", uuid);
	put_definition(fixture, "b.json", "b", uuid);
	g_test_expect_message("vmherald", G_LOG_LEVEL_WARNING, "*b.json*" "aaaaaaaa*");
	domain = reopen(fixture, "a");
	g_test_assert_expected_messages();
	g_assert_nonnull(domain);
	g_assert_null(driver_find_domain(fixture->driver, "b"));

	g_test_expect_message("vmherald", G_LOG_LEVEL_WARNING, "*b.json*" "aaaaaaaa*");
	driver_reload(fixture->driver, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	g_test_assert_expected_messages();
	g_assert_true(driver_find_domain(fixture->driver, "a") == domain);
	g_assert_null(driver_find_domain(fixture->driver, "b"));
	fixture_expect(fixture, domain, NULL);
}

#define ADD(name, function) FIXTURE_ADD("/domain/restart/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("found", test_found);
	ADD("found-transient", test_found_transient);
	ADD("backends", test_backends);
	ADD("silent", test_silent);
	ADD("ended-meanwhile", test_ended_meanwhile);
	ADD("number-used-again", test_number_used_again);
	ADD("cut-off", test_cut_off);
	ADD("cut-off-without-pid", test_cut_off_without_pid);
	ADD("damaged", test_damaged);
	ADD("leave-with-pending", test_leave_with_pending);
	ADD("same-uuid", test_same_uuid);
	return g_test_run();
}
