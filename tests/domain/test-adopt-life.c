/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stranger.h"

/* From the adoption on: how it ends, is let go of, is lost and found again. */

#define SHORT_MS 200

/* ---- its end ---- */

static void test_ends(DomainFixture *fixture, const void *data)
{
	static const struct {
		int signal;
		const char *shutdown, *stopped;
	} rows[] = {
		{ SIGTERM, "shutdown host shutting-down", "stopped shutdown shut-off" },
		{ SIGKILL, NULL, "stopped failed shut-off" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", NULL);
		g_autoptr(Domain) domain = domain_ref(adopt_running(fixture, "", stranger));

		g_assert_cmpint(kill(stranger->pid, rows[i].signal), ==, 0);
		if (rows[i].shutdown)
			fixture_expect(fixture, domain, rows[i].shutdown, rows[i].stopped, NULL);
		else
			fixture_expect(fixture, domain, rows[i].stopped, NULL);
		/* No definition wants anything of it. */
		assert_detail(fixture_last(fixture), "policy", "");
		adopt_assert_unknown(fixture, domain_get_uuid(domain));
		unlink(stranger->path);
	}
}

/* ---- the monitor lost ---- */

static void test_reconnect(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", NULL);
	Domain *domain = adopt_running(fixture, "", stranger);
	g_autofree char *log = NULL;

	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	/* What it does at a shutdown is not set by us. */
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[]");
}

/* Another QEMU at the same path is not the one that was adopted. */
static void test_other_at_path(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", NULL);
	g_autoptr(Domain) domain = domain_ref(adopt_running(fixture, "", stranger));
	g_autoptr(Stranger) other = NULL;
	g_autofree char *aside = stranger_path(fixture, "aside");

	g_assert_cmpint(rename(stranger->path, aside), ==, 0);
	other = stranger_new(fixture, "q", "status=paused", NULL);
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed", NULL);
	/* Tried and refused for a while, and then it is back. */
	fixture_run_for(fixture, 500);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_UNKNOWN);
	g_assert_cmpint(rename(aside, stranger->path), ==, 0);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_expect(fixture, domain, "Resynchronized monitor-lost", NULL);
}

static void test_descriptor(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", "-name", "d", NULL);
	g_autoptr(Domain) domain = domain_ref(adopt_descriptor(fixture, stranger_connect(stranger->path)));

	g_assert_cmpstr(domain_get_name(domain), ==, "d");
	/* By SO_PEERCRED: who listens there. */
	g_assert_cmpint(domain_get_pid(domain), ==, stranger->pid);
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_expect(fixture, domain, "Lost closed-for-good", NULL);
	/* Kept until its process ends, which can still be asked for. */
	g_assert_cmpint(domain_get_pid(domain), ==, stranger->pid);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "stopped destroyed shut-off", NULL);
}

/* ---- the process is not known ---- */

static bool has_stopped(void *userdata)
{
	return domain_get_state(userdata) == DOMAIN_STATE_SHUT_OFF;
}

static void test_unknown_process(DomainFixture *fixture, const void *data)
{
	int fd;
	ScriptedQmp *server = scripted_qmp_new(fixture->loop, &fd);
	g_autoptr(Domain) domain = NULL;
	g_auto(Answer) answer = { 0 };

	stranger_serve(server);
	domain = domain_ref(adopt_descriptor(fixture, fd));
	g_assert_cmpint(domain_get_pid(domain), ==, 0);
	g_assert_cmpstr(domain_get_emulator(domain), ==, "");
	g_assert_cmpstr(domain_get_name(domain), ==, "played");
	/* It cannot be killed, only be told to quit; if it does not, that is said. */
	scripted_qmp_set_reply(server, "quit", "{\"return\": {}}");
	domain_destroy(domain, SHORT_MS, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_TIMEOUT, "process is not known");
	g_assert_cmpuint(scripted_qmp_get_count(server, "quit"), ==, 1);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	/* Its end is the end of its monitor. Nobody knows more of it. */
	scripted_qmp_free(server);
	fixture_wait(fixture, has_stopped, domain);
	fixture_expect(fixture, domain, "stopped unknown shut-off", NULL);
	adopt_assert_unknown(fixture, STRANGER_UUID);
}

static void test_unknown_process_by_path(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = stranger_path(fixture, "q");
	ScriptedQmp *server = scripted_qmp_new_listening(fixture->loop, path);
	g_autoptr(Domain) domain = NULL;
	g_auto(Answer) answer = { 0 };

	stranger_serve(server);
	adopt_begin(fixture, "", path, &answer);
	answer_wait_ok(fixture, &answer);
	domain = domain_ref(driver_find_domain(fixture->driver, "played"));
	g_assert_cmpint(domain_get_pid(domain), ==, 0);
	fixture_forget(fixture);
	/* Somebody still listens there, so it has not ended. */
	scripted_qmp_hang_up(server);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	/* And now nobody does. */
	scripted_qmp_free(server);
	fixture_wait(fixture, has_stopped, domain);
	fixture_expect(fixture, domain, "Lost closed", "stopped unknown shut-off", NULL);
	adopt_assert_unknown(fixture, STRANGER_UUID);
}

/* ---- letting go ---- */

static void test_release(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running;hang=query-pci",
						    WITH_UUID, NULL);
	g_autoptr(Domain) domain = domain_ref(adopt_running(fixture, "a", stranger));
	g_autofree char *folder = fixture_path(fixture, domain, NULL), *log = NULL;
	g_auto(Answer) pending = { 0 }, first = { 0 }, second = { 0 };

	g_assert_true(g_file_test(folder, G_FILE_TEST_IS_DIR));
	domain_execute(domain, "query-pci", NULL, 20000, on_answer, &pending);
	driver_undefine(fixture->driver, domain, false, on_driver_answer, &first);
	driver_undefine(fixture->driver, domain, false, on_driver_answer, &second);
	answer_wait_ok(fixture, &first);
	answer_wait_ok(fixture, &second);
	answer_wait_error(fixture, &pending, CORE_ERROR_MONITOR_LOST, "");
	fixture_expect(fixture, domain, "undefined released running", NULL);
	adopt_assert_unknown(fixture, STRANGER_UUID);
	g_assert_cmpuint(fixture->n_removed, ==, 1);
	g_assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
	g_assert_true(driver_is_idle(fixture->driver));
	g_assert_true(stranger_lives(stranger));

	/* It goes on, and has been told nothing. */
	domain_unref(domain);
	domain = domain_ref(adopt_running(fixture, "b", stranger));
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[]");
}

static void test_undefine_destroy(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", NULL);
	g_autoptr(Domain) domain = domain_ref(adopt_running(fixture, "a", stranger));
	g_autoptr(Domain) own = domain_ref(fixture_run_domain(fixture, "own", NULL, NULL));
	g_auto(Answer) answer = { 0 }, refused = { 0 }, both = { 0 };

	driver_undefine(fixture->driver, domain, true, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
	adopt_assert_unknown(fixture, domain_get_uuid(domain));

	/* The same of one of ours: both in one. */
	driver_undefine(fixture->driver, own, false, on_driver_answer, &refused);
	answer_wait_error(fixture, &refused, CORE_ERROR_WRONG_STATE, "running");
	driver_undefine(fixture->driver, own, true, on_driver_answer, &both);
	answer_wait_ok(fixture, &both);
	fixture_expect(fixture, own, "shutdown host shutting-down", "stopped destroyed shut-off",
		       "undefined removed shut-off", NULL);
	g_assert_null(driver_find_domain(fixture->driver, "own"));
}

/* ---- the service goes and comes ---- */

static void test_restart(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(
		fixture, "q", "status=running;reply:query-cpus-fast=[{},{},{}]", NULL);
	Domain *domain = adopt_running(fixture, "a", stranger);
	g_autofree char *uuid = g_strdup(domain_get_uuid(domain)), *log = NULL;
	int64_t started_at = domain_get_started_at(domain);

	fixture_close_driver(fixture);
	g_assert_true(stranger_lives(stranger));
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	g_assert_nonnull(domain);
	g_assert_cmpstr(domain_get_uuid(domain), ==, uuid);
	g_assert_true(domain_is_adopted(domain));
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_cmpint(domain_get_pid(domain), ==, stranger->pid);
	g_assert_cmpuint(domain_get_cpus(domain), ==, 3);
	g_assert_cmpuint(domain_get_memory(domain), ==, 0);
	g_assert_cmpint(domain_get_started_at(domain), ==, started_at);
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[]");

	/* Once more; this time it ends meanwhile. */
	fixture_close_driver(fixture);
	g_assert_cmpint(kill(stranger->pid, SIGKILL), ==, 0);
	g_assert_cmpint(waitpid(stranger->pid, NULL, 0), ==, stranger->pid);
	fixture_open_driver(fixture);
	g_assert_null(driver_find_domain(fixture->driver, "a"));
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 1);
	assert_detail(((Record *)g_ptr_array_index(fixture->records, 0))->event, "while-away", "true");
	fixture_forget(fixture);
}

static void test_restart_by_descriptor(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", NULL);
	g_autoptr(Domain) domain = NULL;

	(void)adopt_descriptor(fixture, stranger_connect(stranger->path));
	fixture_close_driver(fixture);
	g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "*adopted by a descriptor*cannot be*");
	fixture_open_driver(fixture);
	g_test_assert_expected_messages();
	{
		g_autoptr(GPtrArray) domains = driver_list_domains(fixture->driver);

		g_assert_cmpuint(domains->len, ==, 1);
		domain = domain_ref(g_ptr_array_index(domains, 0));
	}
	/* Its end can be seen, and it can be ended, but not be talked to. */
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_UNKNOWN);
	g_assert_cmpint(domain_get_pid(domain), ==, stranger->pid);
	fixture_expect(fixture, domain, "Lost closed-for-good", NULL);
	adopt_release(fixture, domain);
	fixture_expect(fixture, domain, "undefined released unknown", NULL);
	/* By its path it can be had again. */
	(void)adopt_running(fixture, "", stranger);
}

/* A run of which nothing can ever be known. */
static void test_restart_without_anything(DomainFixture *fixture, const void *data)
{
	int fd;
	ScriptedQmp *server = scripted_qmp_new(fixture->loop, &fd);

	stranger_serve(server);
	(void)adopt_descriptor(fixture, fd);
	fixture_close_driver(fixture);
	fixture_open_driver(fixture);
	fixture_run(fixture);
	adopt_assert_unknown(fixture, STRANGER_UUID);
	g_assert_cmpuint(fixture_count(fixture, "played"), ==, 2);
	fixture_forget(fixture);
	scripted_qmp_free(server);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	FIXTURE_ADD("/adopt-life/ends", test_ends);
	FIXTURE_ADD("/adopt-life/reconnect", test_reconnect);
	FIXTURE_ADD("/adopt-life/other-at-path", test_other_at_path);
	FIXTURE_ADD("/adopt-life/descriptor", test_descriptor);
	FIXTURE_ADD("/adopt-life/unknown-process", test_unknown_process);
	FIXTURE_ADD("/adopt-life/unknown-process-by-path", test_unknown_process_by_path);
	FIXTURE_ADD("/adopt-life/release", test_release);
	FIXTURE_ADD("/adopt-life/undefine-destroy", test_undefine_destroy);
	FIXTURE_ADD("/adopt-life/restart", test_restart);
	FIXTURE_ADD("/adopt-life/restart-by-descriptor", test_restart_by_descriptor);
	FIXTURE_ADD("/adopt-life/restart-without-anything", test_restart_without_anything);
	return g_test_run();
}
