/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "domain-fixture.h"

/* Starts that do not become one: an error that says why, and nothing half done. */

static void assert_nothing_left(DomainFixture *fixture, Domain *domain)
{
	g_autofree char *folder = fixture_path(fixture, domain, NULL);

	g_assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
	g_assert_cmpint(domain_get_pid(domain), ==, 0);
	g_assert_cmpuint(domain_get_pending(domain), ==, 0);
}

/* text: what the error and QEMU's own words hold. */
static void check_fails(DomainFixture *fixture, Domain *domain, const char *text)
{
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, text);
	g_assert_nonnull(strstr(answer.error->message, "'a'"));
	fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off", NULL);
	assert_nothing_left(fixture, domain);
}

static void test_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "start=fail", NULL);

	/* Again and again, each time from the beginning. */
	for (unsigned i = 1; i <= 3; i++) {
		check_fails(fixture, domain, "-device nope: no such thing");
		assert_detail(fixture_last(fixture), "exit-status", "1");
		assert_detail(fixture_last(fixture), "stderr", "'fake-qemu: first line\\nfake-qemu: "
			      "-device nope: no such thing'");
		g_assert_cmpuint(domain_get_incarnation(domain), ==, i);
	}
}

static void define_with_emulator(DomainFixture *fixture, const char *emulator)
{
	g_autofree char *document = g_strdup_printf("{\"name\":\"a\",\"accel\":\"tcg\","
						    "\"emulator\":\"%s\"}", emulator);
	g_auto(Answer) answer = { 0 };

	driver_define(fixture->driver, geteuid(), document, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_forget(fixture);
}

static void test_no_emulator(DomainFixture *fixture, const void *data)
{
	define_with_emulator(fixture, "/nowhere/qemu-system-none");
	check_fails(fixture, driver_find_domain(fixture->driver, "a"), "/nowhere/qemu-system-none");
}

static void test_not_executable(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = g_build_filename(fixture->folder, "qemu", NULL);

	g_assert_true(g_file_set_contents(path, "no program", -1, NULL));
	define_with_emulator(fixture, path);
	check_fails(fixture, driver_find_domain(fixture->driver, "a"), path);
	/* Executable, but in no format of one. */
	g_assert_cmpint(g_chmod(path, 0700), ==, 0);
	check_fails(fixture, driver_find_domain(fixture->driver, "a"), path);
}

/* Talks, but not QMP. */
static void test_garbage(DomainFixture *fixture, const void *data)
{
	check_fails(fixture, fixture_define(fixture, "a", "greeting=garbage", NULL), "no QMP");
}

static void test_handshake_refused(DomainFixture *fixture, const void *data)
{
	check_fails(fixture, fixture_define(fixture, "a", "fail:qmp_capabilities=out of order", NULL),
		    "out of order");
}

static void test_cont_refused(DomainFixture *fixture, const void *data)
{
	check_fails(fixture, fixture_define(fixture, "a", "fail:cont=cannot now", NULL), "cannot now");
}

static void test_no_status(DomainFixture *fixture, const void *data)
{
	check_fails(fixture, fixture_define(fixture, "a", "fail:query-status=dark", NULL), "dark");
}

/* The folder of the runs cannot be written: a file stands in its place. */
static void test_no_folder(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	g_autofree char *domains = g_build_filename(fixture->folder, "runtime", "domains", NULL);

	g_assert_cmpint(g_rmdir(domains), ==, 0);
	g_assert_true(g_file_set_contents(domains, "", 0, NULL));
	check_fails(fixture, domain, domains);
	g_assert_cmpint(g_unlink(domains), ==, 0);
	g_assert_cmpint(g_mkdir(domains, 0700), ==, 0);
	fixture_start(fixture, domain);
}

/* One that never answers is given up, wherever it stopped to. */
static void test_deadline(DomainFixture *fixture, const void *data)
{
	static const char *const settings[] = { "greeting=none;term=ignore", "hang=qmp_capabilities",
						"hang=query-status", "hang=qom-list", "hang=cont" };
	gint64 begin = g_get_monotonic_time();

	fixture_set_deadlines(fixture, 200, DOMAIN_SHUTDOWN_TIMEOUT_MS);
	for (unsigned i = 0; i < G_N_ELEMENTS(settings); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		Domain *domain = fixture_define(fixture, name, settings[i], NULL);
		g_auto(Answer) answer = { 0 };

		domain_start(domain, false, on_answer, &answer);
		answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, "200 ms");
		g_assert_nonnull(strstr(answer.error->message, name));
		fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off",
			       NULL);
		assert_detail(fixture_last(fixture), "signal", "'KILL'");
		assert_nothing_left(fixture, domain);
	}
	g_assert_cmpint(g_get_monotonic_time() - begin, >=,
			200 * (gint64)G_N_ELEMENTS(settings) * G_TIME_SPAN_MILLISECOND);
}

/* ---- destroyed meanwhile ---- */

static void check_destroyed(DomainFixture *fixture, Domain *domain, Answer *start)
{
	g_auto(Answer) destroy = { 0 };

	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_STARTING);
	domain_destroy(domain, DOMAIN_DESTROY_GRACE_MS, on_answer, &destroy);
	answer_wait_ok(fixture, &destroy);
	answer_wait_error(fixture, start, CORE_ERROR_START_FAILED, "destroyed while it started");
	fixture_expect(fixture, domain, "starting booted starting", "stopped destroyed shut-off", NULL);
	assert_nothing_left(fixture, domain);
}

static void test_destroy_while_spawning(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < 20; i++) {
		g_auto(Answer) start = { 0 };

		domain_start(domain, false, on_answer, &start);
		check_destroyed(fixture, domain, &start);
	}
	fixture_start(fixture, domain);
}

static bool has_process(void *userdata)
{
	return domain_get_pid(userdata) != 0;
}

static bool is_connected(void *userdata)
{
	return domain_is_connected(userdata);
}

static void test_destroy_while_greeting(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "greeting=none;term=ignore", NULL);
	g_auto(Answer) start = { 0 };

	domain_start(domain, false, on_answer, &start);
	fixture_wait(fixture, has_process, domain);
	check_destroyed(fixture, domain, &start);
}

static void test_destroy_while_reading_state(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "hang=query-status;term=ignore", NULL);
	g_auto(Answer) start = { 0 };

	domain_start(domain, false, on_answer, &start);
	fixture_wait(fixture, is_connected, domain);
	check_destroyed(fixture, domain, &start);
}

static void test_killed_while_starting(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "hang=cont", NULL);
	g_auto(Answer) start = { 0 };

	domain_start(domain, false, on_answer, &start);
	fixture_wait(fixture, is_connected, domain);
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	answer_wait_error(fixture, &start, CORE_ERROR_START_FAILED, "'a'");
	fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off", NULL);
	assert_detail(fixture_last(fixture), "signal", "'KILL'");
}

/* While it starts nothing else is accepted; each is told so. */
static void test_calls_while_starting(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "hang=cont", NULL);
	g_auto(Answer) start = { 0 }, again = { 0 }, execute = { 0 }, undefine = { 0 };

	domain_start(domain, false, on_answer, &start);
	domain_start(domain, false, on_answer, &again);
	answer_wait_error(fixture, &again, CORE_ERROR_WRONG_STATE, "starting");
	domain_execute(domain, "query-status", NULL, 1000, on_answer, &execute);
	answer_wait_error(fixture, &execute, CORE_ERROR_WRONG_STATE, "starting");
	driver_undefine(fixture->driver, domain, false, on_driver_answer, &undefine);
	answer_wait_error(fixture, &undefine, CORE_ERROR_WRONG_STATE, "starting");
	check_destroyed(fixture, domain, &start);
}

/* ---- transient ---- */

static void test_transient(DomainFixture *fixture, const void *data)
{
	g_autofree char *document = fixture_document("a", "start=fail", NULL);
	g_auto(Answer) answer = { 0 };

	driver_create(fixture->driver, geteuid(), document, false, NULL, on_driver_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, "no such thing");
	/* Who is answered finds no object. */
	g_assert_null(driver_find_domain(fixture->driver, "a"));
	g_assert_cmpuint(fixture->n_added, ==, 1);
	g_assert_cmpuint(fixture->n_removed, ==, 1);
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/start/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("refused", test_refused);
	ADD("no-emulator", test_no_emulator);
	ADD("not-executable", test_not_executable);
	ADD("garbage", test_garbage);
	ADD("handshake-refused", test_handshake_refused);
	ADD("cont-refused", test_cont_refused);
	ADD("no-status", test_no_status);
	ADD("no-folder", test_no_folder);
	ADD("deadline", test_deadline);
	ADD("destroy-while-spawning", test_destroy_while_spawning);
	ADD("destroy-while-greeting", test_destroy_while_greeting);
	ADD("destroy-while-reading-state", test_destroy_while_reading_state);
	ADD("killed-while-starting", test_killed_while_starting);
	ADD("calls-while-starting", test_calls_while_starting);
	ADD("transient", test_transient);
	return g_test_run();
}
