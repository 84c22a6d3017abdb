/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stranger.h"

/* A QEMU that somebody else has started is taken in, or it is said why not. */

#define SHORT_MS 200

static void test_whole(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(
		fixture, "q", "status=running;reply:query-cpus-fast=[{},{}];reply:query-memory-size-summary="
		"{\"base-memory\":1048576};qom:/machine/type=\"pc-q35-7.2-machine\"",
		"-name", "by-hand", WITH_UUID, "-device", "{\"driver\":\"x\",\"id\":\"x0\"}", NULL);
	g_autoptr(Domain) domain = domain_ref(adopt_running(fixture, "", stranger));
	g_autofree char *log = NULL;

	g_assert_cmpstr(domain_get_name(domain), ==, "by-hand");
	g_assert_cmpstr(domain_get_uuid(domain), ==, STRANGER_UUID);
	g_assert_true(domain_is_adopted(domain));
	g_assert_false(domain_is_persistent(domain));
	g_assert_true(domain_is_connected(domain));
	g_assert_cmpint(domain_get_pid(domain), ==, stranger->pid);
	g_assert_cmpstr(domain_get_emulator(domain), ==, g_getenv("VMHERALD_FAKE_QEMU"));
	g_assert_cmpstr(domain_get_machine_type(domain), ==, "pc-q35-7.2");
	g_assert_cmpuint(domain_get_cpus(domain), ==, 2);
	g_assert_cmpuint(domain_get_memory(domain), ==, 1048576);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 1);
	g_assert_cmpstr(domain_get_qemu_version(domain), ==, "7.2.22");
	g_assert_cmpint(ABS(g_get_real_time() - domain_get_started_at(domain)), <,
			FIXTURE_DEADLINE_US);
	g_assert_true(g_hash_table_contains(domain_get_devices(domain), "x0"));
	g_assert_cmpuint(fixture->n_added, ==, 1);
	g_assert_false(driver_is_idle(fixture->driver));

	/* It is one of ours now. */
	fixture_emit(fixture, domain, "\"STOP\", \"RESUME\"");
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running", NULL);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	/* Nothing was changed in it. */
	g_assert_cmpstr(log, ==, "[]");
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
	adopt_assert_unknown(fixture, STRANGER_UUID);
	g_assert_cmpuint(fixture->n_removed, ==, 1);
	g_assert_true(driver_is_idle(fixture->driver));
}

/* ---- names ---- */

static void test_names(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) given = stranger_new(fixture, "q1", "status=running", "-name", "own", NULL);
	g_autoptr(Stranger) taken = stranger_new(fixture, "q2", "status=running", "-name", "mine",
						 WITH_UUID, NULL);
	g_autoptr(Stranger) bad = stranger_new(fixture, "q3", "status=running", "-name", "no good", NULL);
	g_autoptr(Stranger) none = stranger_new(fixture, "q4", "status=running", NULL);
	g_autofree char *made = NULL;
	Domain *domain = adopt_running(fixture, "mine", given);

	g_assert_cmpstr(domain_get_name(domain), ==, "mine");
	g_assert_cmpstr(domain_get_name(adopt_running(fixture, "", taken)), ==, "qemu-0b8f4d3e");
	domain = adopt_running(fixture, "", bad);
	made = g_strdup_printf("qemu-%.8s", domain_get_uuid(domain));
	g_assert_cmpstr(domain_get_name(domain), ==, made);
	/* Zeros are no uuid: one is made. */
	domain = adopt_running(fixture, "", none);
	g_assert_true(definition_uuid_is_valid(domain_get_uuid(domain)));
	g_assert_false(g_str_has_prefix(domain_get_uuid(domain), "00000000-0000"));
}

static void test_made_name_taken(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", WITH_UUID, NULL);
	Domain *domain;

	(void)fixture_define(fixture, "qemu-0b8f4d3e", NULL, NULL);
	domain = adopt_running(fixture, "", stranger);
	g_assert_cmpstr(domain_get_name(domain), ==, "qemu-" STRANGER_UUID);
}

/* ---- states ---- */

static void test_states(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *status, *started, *then;
	} rows[] = {
		{ "status=prelaunch", "started adopted paused", "suspended paused paused" },
		{ "status=paused", "started adopted paused", "suspended paused paused" },
		{ "status=io-error", "started adopted paused", "suspended ioerror paused" },
		{ "status=suspended", "started adopted pm-suspended", "pm-suspended memory pm-suspended" },
		{ "status=guest-panicked", "started adopted crashed", "crashed panicked crashed" },
		/* QEMU is still there, so it keeps a guest that is down. */
		{ "status=shutdown", "started adopted paused", "suspended guest-shutdown paused" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Stranger) stranger = stranger_new(fixture, "q", rows[i].status, NULL);
		Domain *domain = adopt_ok(fixture, "", stranger);
		g_autofree char *log = NULL;

		fixture_expect(fixture, domain, "starting adopted starting", rows[i].started,
			       rows[i].then, NULL);
		/* Neither let go nor ended. */
		log = fixture_execute(fixture, domain, "x-log", NULL);
		g_assert_cmpstr(log, ==, "[]");
		adopt_release(fixture, domain);
		fixture_forget(fixture);
		g_assert_true(stranger_lives(stranger));
		unlink(stranger->path);
	}
}

/* What QEMU does by itself is its own affair. */
static void test_shutdown_kept(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running;powerdown=obey",
						    "-no-shutdown", NULL);
	Domain *domain = adopt_running(fixture, "", stranger);
	g_auto(Answer) answer = { 0 };
	g_autofree char *log = NULL;

	domain_shutdown(domain, -1, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down",
		       "suspended guest-shutdown paused", NULL);
	assert_detail(fixture_last(fixture), "policy", "");
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[\"system_powerdown\"]");
}

static void test_panic(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", NULL);
	Domain *domain = adopt_running(fixture, "", stranger);
	g_autofree char *log = NULL;

	fixture_emit(fixture, domain, "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\"}}");
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed", NULL);
	assert_detail(fixture_last(fixture), "action", "'pause'");
	assert_detail(fixture_last(fixture), "policy", "");
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[]");
}

/* ---- errors ---- */

static void assert_refused(DomainFixture *fixture, const char *name, const char *path, int fd,
			   CoreError code, const char *text)
{
	g_auto(Answer) answer = { 0 };
	g_autoptr(GPtrArray) domains = NULL;

	driver_adopt(fixture->driver, geteuid(), name, path, fd, SHORT_MS, on_driver_answer, &answer);
	answer_wait_error(fixture, &answer, code, text);
	/* The socket is named, so that whoever reads it knows which. */
	if (*path)
		g_assert_nonnull(strstr(answer.error->message, path));
	domains = driver_list_domains(fixture->driver);
	g_assert_cmpuint(domains->len, ==, 0);
	g_assert_true(driver_is_idle(fixture->driver));
}

static void test_unreachable(DomainFixture *fixture, const void *data)
{
	g_autofree char *missing = stranger_path(fixture, "missing"), *file = stranger_path(fixture, "file");
	g_autofree char *dead = stranger_path(fixture, "dead"), *datagram = stranger_path(fixture, "datagram");
	g_autofree char *below = stranger_path(fixture, "file/below");
	int fd;

	assert_refused(fixture, "", "relative/q", -1, CORE_ERROR_INVALID_ARGUMENT, "absolute");
	assert_refused(fixture, "", missing, -1, CORE_ERROR_IO, "start QEMU with -qmp");
	g_assert_true(g_file_set_contents(file, "", 0, NULL));
	assert_refused(fixture, "", file, -1, CORE_ERROR_IO, "not a socket");
	assert_refused(fixture, "", below, -1, CORE_ERROR_IO, "Not a directory");
	close(stranger_listen(dead, SOCK_STREAM));
	assert_refused(fixture, "", dead, -1, CORE_ERROR_IO, "nobody listens");
	fd = stranger_listen(datagram, SOCK_DGRAM);
	assert_refused(fixture, "", datagram, -1, CORE_ERROR_IO, "stream socket");
	close(fd);
}

/* Whoever took over the other end has closed it. Its number may be another's by now. */
static void assert_closed(int fd)
{
	char byte;

	g_assert_cmpint(read(fd, &byte, 1), ==, 0);
	close(fd);
}

static void test_bad_descriptors(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = stranger_path(fixture, "listening");
	int fds[2];

	assert_refused(fixture, "", "", -1, CORE_ERROR_INVALID_ARGUMENT, "either");
	g_assert_cmpint(pipe(fds), ==, 0);
	assert_refused(fixture, "", "/x", fds[1], CORE_ERROR_INVALID_ARGUMENT, "either");
	assert_closed(fds[0]);
	g_assert_cmpint(pipe(fds), ==, 0);
	assert_refused(fixture, "", "", fds[1], CORE_ERROR_INVALID_ARGUMENT, "monitor-fd");
	assert_closed(fds[0]);
	assert_refused(fixture, "", "", stranger_listen(path, SOCK_STREAM), CORE_ERROR_INVALID_ARGUMENT,
		       "monitor-fd");
	assert_refused(fixture, "", "", socket(AF_UNIX, SOCK_STREAM, 0), CORE_ERROR_INVALID_ARGUMENT,
		       "monitor-fd");
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), ==, 0);
	close(fds[1]);
	assert_refused(fixture, "", "", fds[0], CORE_ERROR_INVALID_ARGUMENT, "monitor-fd");
}

/* Each is played by a server that does not do what QEMU would. */
static void test_no_qemu(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = stranger_path(fixture, "q");
	ScriptedQmp *server;

	/* A human monitor. */
	server = scripted_qmp_new_listening(fixture->loop, path);
	scripted_qmp_send_bytes(server, "QEMU 7.2 monitor - type 'help'\r\n(qemu) ", 40);
	assert_refused(fixture, "", path, -1, CORE_ERROR_INVALID_ARGUMENT, "does not speak QMP");
	scripted_qmp_free(server);
	unlink(path);

	/* Endless nonsense is not waited for. */
	server = scripted_qmp_new_listening(fixture->loop, path);
	for (unsigned i = 0; i < QMP_MONITOR_GARBAGE_MAX; i++)
		scripted_qmp_send_bytes(server, "nonsense\n", 9);
	assert_refused(fixture, "", path, -1, CORE_ERROR_INVALID_ARGUMENT, "in a row");
	scripted_qmp_free(server);
	unlink(path);

	server = scripted_qmp_new_listening(fixture->loop, path);
	scripted_qmp_hang_up(server);
	assert_refused(fixture, "", path, -1, CORE_ERROR_MONITOR_LOST, "no QMP monitor");
	scripted_qmp_free(server);
	unlink(path);

	/* As qemu-storage-daemon: QMP, but no machine. */
	server = scripted_qmp_new_listening(fixture->loop, path);
	scripted_qmp_serve(server);
	scripted_qmp_set_reply(server, NULL,
			       "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"unknown\"}}");
	assert_refused(fixture, "", path, -1, CORE_ERROR_NOT_SUPPORTED, "no virtual machine");
	scripted_qmp_free(server);
	unlink(path);

	/* It greets and is silent then. */
	server = scripted_qmp_new_listening(fixture->loop, path);
	stranger_serve(server);
	scripted_qmp_set_reply(server, "query-name", NULL);
	assert_refused(fixture, "", path, -1, CORE_ERROR_MONITOR_TIMEOUT, "query-name: no answer");
	scripted_qmp_free(server);
	unlink(path);

	/* It goes in the middle of the questions. */
	server = scripted_qmp_new_listening(fixture->loop, path);
	scripted_qmp_handshake(server);
	scripted_qmp_hang_up(server);
	assert_refused(fixture, "", path, -1, CORE_ERROR_MONITOR_LOST, "");
	scripted_qmp_free(server);
	unlink(path);
}

static void test_taken(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", NULL);
	int other = stranger_connect(stranger->path);

	g_assert_cmpint(other, >=, 0);
	assert_refused(fixture, "", stranger->path, -1, CORE_ERROR_MONITOR_TIMEOUT, "another one is");
	close(other);
	(void)adopt_running(fixture, "", stranger);
}

static void test_others_wait(DomainFixture *fixture, const void *data)
{
	g_autofree char *path = stranger_path(fixture, "full");
	g_autoptr(GArray) waiting = g_array_new(FALSE, FALSE, sizeof(int));
	int listener = stranger_listen(path, SOCK_STREAM), fd;

	while ((fd = stranger_connect(path)) >= 0)
		g_array_append_val(waiting, fd);
	assert_refused(fixture, "", path, -1, CORE_ERROR_MONITOR_TIMEOUT, "others wait");
	for (unsigned i = 0; i < waiting->len; i++)
		close(g_array_index(waiting, int, i));
	close(listener);
}

static void test_exists(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) first = stranger_new(fixture, "q1", "status=running", WITH_UUID, NULL);
	g_autoptr(Stranger) second = stranger_new(fixture, "q2", "status=running", WITH_UUID, NULL);
	g_autoptr(Stranger) third = stranger_new(fixture, "q3", "status=running", NULL);
	g_auto(Answer) again = { 0 }, uuid = { 0 }, name = { 0 }, bad = { 0 }, two = { 0 }, one = { 0 };

	adopt_begin(fixture, "a", first->path, &one);
	/* Told at once, and not when a time-out is over. */
	adopt_begin(fixture, "b", first->path, &two);
	g_assert_true(two.done);
	answer_wait_error(fixture, &two, CORE_ERROR_DOMAIN_EXISTS, "at this moment");
	answer_wait_ok(fixture, &one);
	fixture_forget(fixture);

	adopt_begin(fixture, "b", first->path, &again);
	answer_wait_error(fixture, &again, CORE_ERROR_DOMAIN_EXISTS, "monitor of domain 'a'");
	adopt_begin(fixture, "b", second->path, &uuid);
	answer_wait_error(fixture, &uuid, CORE_ERROR_DOMAIN_EXISTS,
			  STRANGER_UUID ", which is that of domain 'a'");
	adopt_begin(fixture, "a", third->path, &name);
	answer_wait_error(fixture, &name, CORE_ERROR_DOMAIN_EXISTS, "domain 'a' already");
	adopt_begin(fixture, "-a", third->path, &bad);
	answer_wait_error(fixture, &bad, CORE_ERROR_INVALID_ARGUMENT, "is no name");
	/* Whoever was refused is free again. */
	(void)adopt_running(fixture, "b", third);
}

/* Of two calls for one name and one uuid, all questions answered, one wins. */
static void test_race(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) first = stranger_new(fixture, "q1", "status=running", WITH_UUID, NULL);
	g_autoptr(Stranger) second = stranger_new(fixture, "q2", "status=running", NULL);
	g_auto(Answer) one = { 0 }, two = { 0 };
	const GError *loser;

	adopt_begin(fixture, "a", first->path, &one);
	adopt_begin(fixture, "a", second->path, &two);
	answer_wait(fixture, &one);
	answer_wait(fixture, &two);
	g_assert_true(!one.error != !two.error);
	loser = one.error ? one.error : two.error;
	g_assert_error(loser, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS);
	fixture_forget(fixture);
}

static void test_lost_while_read(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(
		fixture, "q", "status=running;close=query-named-block-nodes", WITH_UUID, NULL);
	g_auto(Answer) answer = { 0 };

	adopt_begin(fixture, "a", stranger->path, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "could not be read");
	adopt_assert_unknown(fixture, STRANGER_UUID);
	g_assert_true(stranger_lives(stranger));
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 2);
	fixture_forget(fixture);
	/* It closes once; after that it can be had. */
	(void)adopt_running(fixture, "a", stranger);
}

static void test_bound(DomainFixture *fixture, const void *data)
{
	Answer answers[DRIVER_ADOPTIONS_MAX] = { 0 };
	g_auto(Answer) above = { 0 };
	int ends[DRIVER_ADOPTIONS_MAX], fds[2];

	for (unsigned i = 0; i < DRIVER_ADOPTIONS_MAX; i++) {
		g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
		ends[i] = fds[1];
		driver_adopt(fixture->driver, geteuid(), "", "", fds[0], 60000, on_driver_answer, &answers[i]);
		g_assert_false(answers[i].done);
	}
	g_assert_false(driver_is_idle(fixture->driver));
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	driver_adopt(fixture->driver, geteuid(), "", "", fds[0], 60000, on_driver_answer, &above);
	g_assert_error(above.error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	assert_closed(fds[1]);
	/* One that ends makes room. */
	close(ends[0]);
	answer_wait_error(fixture, &answers[0], CORE_ERROR_MONITOR_LOST, "monitor-fd");
	answer_clear(&above);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	driver_adopt(fixture->driver, geteuid(), "", "", fds[0], 60000, on_driver_answer, &above);
	g_assert_false(above.done);
	/* A service that leaves keeps nobody waiting. */
	fixture_close_driver(fixture);
	answer_wait_error(fixture, &above, CORE_ERROR_IO, "leaving");
	close(fds[1]);
	for (unsigned i = 1; i < DRIVER_ADOPTIONS_MAX; i++) {
		answer_wait_error(fixture, &answers[i], CORE_ERROR_IO, "leaving");
		close(ends[i]);
	}
	for (unsigned i = 0; i < DRIVER_ADOPTIONS_MAX; i++)
		answer_clear(&answers[i]);
}

/* ---- what cannot be done with it ---- */

static void test_not_supported(DomainFixture *fixture, const void *data)
{
	g_autoptr(Stranger) stranger = stranger_new(fixture, "q", "status=running", WITH_UUID, NULL);
	g_autofree char *document = fixture_document("b", NULL, "\"uuid\":\"" STRANGER_UUID "\"");
	Domain *domain = adopt_running(fixture, "a", stranger);
	g_auto(Answer) save = { 0 }, autostart = { 0 }, start = { 0 }, define = { 0 }, drop = { 0 };

	domain_save(domain, NULL, -1, on_answer, &save);
	answer_wait_error(fixture, &save, CORE_ERROR_NOT_SUPPORTED, "was adopted");
	driver_set_autostart(fixture->driver, domain, true, on_driver_answer, &autostart);
	answer_wait_error(fixture, &autostart, CORE_ERROR_NOT_SUPPORTED, "was adopted");
	domain_start(domain, false, on_answer, &start);
	answer_wait_error(fixture, &start, CORE_ERROR_WRONG_STATE, "is running");
	driver_define(fixture->driver, geteuid(), document, on_driver_answer, &define);
	answer_wait_error(fixture, &define, CORE_ERROR_NOT_SUPPORTED, "was adopted");
	domain_drop_saved_state(domain, on_answer, &drop);
	answer_wait(fixture, &drop);
	g_assert_nonnull(drop.error);
	/* A file with its uuid is left alone, too. */
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	g_assert_false(domain_is_persistent(domain));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	FIXTURE_ADD("/adopt/whole", test_whole);
	FIXTURE_ADD("/adopt/names", test_names);
	FIXTURE_ADD("/adopt/made-name-taken", test_made_name_taken);
	FIXTURE_ADD("/adopt/states", test_states);
	FIXTURE_ADD("/adopt/shutdown-kept", test_shutdown_kept);
	FIXTURE_ADD("/adopt/panic", test_panic);
	FIXTURE_ADD("/adopt/unreachable", test_unreachable);
	FIXTURE_ADD("/adopt/bad-descriptors", test_bad_descriptors);
	FIXTURE_ADD("/adopt/no-qemu", test_no_qemu);
	FIXTURE_ADD("/adopt/taken", test_taken);
	FIXTURE_ADD("/adopt/others-wait", test_others_wait);
	FIXTURE_ADD("/adopt/exists", test_exists);
	FIXTURE_ADD("/adopt/race", test_race);
	FIXTURE_ADD("/adopt/lost-while-read", test_lost_while_read);
	FIXTURE_ADD("/adopt/bound", test_bound);
	FIXTURE_ADD("/adopt/not-supported", test_not_supported);
	return g_test_run();
}
