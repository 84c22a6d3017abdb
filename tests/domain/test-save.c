/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "domain-fixture.h"
#include "domain/domain-internal.h"
#include "domain/state-header.h"

/* Saving and restoring: what is kept, what is refused, and what a save that is cut off leaves behind. */

#define COMPLETE "migrate=complete"
#define MIGRATION(status) "{\"event\":\"MIGRATION\",\"data\":{\"status\":\"" status "\"}}"
#define SAVED                                                                                      \
	"suspended paused paused", "MigrationChanged active none",                                 \
		"MigrationChanged completed active", "stopped saved shut-off"
#define RESTORED                                                                                   \
	"starting restored starting", "MigrationChanged completed none", "started restored running"

static char *state_path(DomainFixture *fixture, Domain *domain, const char *suffix)
{
	g_autofree char *name = g_strconcat(domain_get_uuid(domain), suffix, NULL);

	return g_build_filename(fixture->folder, "state", "saved", name, NULL);
}

static bool has_file(DomainFixture *fixture, Domain *domain, const char *suffix)
{
	g_autofree char *path = state_path(fixture, domain, suffix);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void assert_log(DomainFixture *fixture, Domain *domain, const char *expected)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	g_assert_cmpstr(log, ==, expected);
}

static void save(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_save(domain, NULL, -1, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, SAVED, NULL);
	g_assert_true(domain_get_has_saved_state(domain));
}

static void restore(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, RESTORED, NULL);
	g_assert_false(domain_get_has_saved_state(domain));
}

/* QEMU has been told to write, and says nothing more. */
static bool is_migrating(void *userdata)
{
	DomainFixture *fixture = userdata;
	g_autofree char *log = fixture_execute(fixture, driver_find_domain(fixture->driver, "a"), "x-log",
					       NULL);

	return strstr(log, "\"migrate\"") != NULL;
}

static bool is_migrating_again(void *userdata)
{
	DomainFixture *fixture = userdata;
	g_autofree char *log = fixture_execute(fixture, driver_find_domain(fixture->driver, "a"), "x-log",
					       NULL);

	return g_str_has_suffix(log, "\"migrate\"]");
}

static void begin_save(DomainFixture *fixture, Domain *domain, int timeout_ms, Answer *answer)
{
	domain_save(domain, NULL, timeout_ms, on_answer, answer);
	fixture_wait(fixture, is_migrating, fixture);
	g_assert_true(has_file(fixture, domain, ".state.partial"));
}

static Domain *reopen(DomainFixture *fixture)
{
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	return driver_find_domain(fixture->driver, "a");
}

static void define(DomainFixture *fixture, const char *name, const char *uuid, const char *settings,
		   const char *members)
{
	g_autofree char *all = g_strdup_printf("\"uuid\":\"%s\"%s%s", uuid, members ? "," : "",
					       members ? members : "");
	g_autofree char *document = fixture_document(name, settings, all);
	g_auto(Answer) answer = { 0 };

	driver_define(fixture->driver, geteuid(), document, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

/* ---- there and back ---- */

static void test_there_and_back(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", COMPLETE, NULL);
	g_autofree char *path = state_path(fixture, domain, ".state");
	g_autoptr(StateHeader) header = NULL;
	g_autoptr(GError) error = NULL;
	int fd;

	save(fixture, domain);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	header = state_header_read(fd, domain_get_uuid(domain), &error);
	g_assert_no_error(error);
	(void)close(fd);
	g_assert_cmpstr(header->definition->name, ==, "a");
	g_assert_cmpstr(header->qemu_version, ==, "7.2.22");
	g_assert_cmpuint(header->incarnation, ==, 1);
	g_assert_true(header->was_running);

	restore(fixture, domain);
	assert_detail(fixture_last(fixture), "definition-changed", "");
	assert_log(fixture, domain, "[\"getfd\",\"migrate-incoming\",\"cont\"]");
}

/* Redefined, and renamed, in between: what was saved goes on, and the other holds from the next start on. */
static void test_redefined(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", COMPLETE,
					    "\"cpus\":2,\"devices\":[{\"driver\":\"x\",\"id\":\"old\"}]");
	g_autofree char *uuid = g_strdup(domain_get_uuid(domain));

	save(fixture, domain);
	define(fixture, "b", uuid, COMPLETE, "\"cpus\":3,\"devices\":[{\"driver\":\"x\",\"id\":\"new\"}]");
	fixture_forget(fixture);
	g_assert_cmpuint(domain_get_definition(domain)->cpus, ==, 3);

	restore(fixture, domain);
	assert_detail(fixture_last(fixture), "definition-changed", "true");
	g_assert_cmpstr(domain_get_name(domain), ==, "b");
	g_assert_cmpuint(domain_get_definition(domain)->cpus, ==, 2);
	g_assert_cmpuint(domain_get_next_definition(domain)->cpus, ==, 3);
	g_assert_true(g_hash_table_contains(domain_get_devices(domain), "old"));

	/* Also after a restart of the service. */
	fixture_close_driver(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "b");
	g_assert_cmpuint(domain_get_definition(domain)->cpus, ==, 2);
	g_assert_cmpuint(domain_get_next_definition(domain)->cpus, ==, 3);
	fixture_destroy(fixture, domain);
	fixture_forget(fixture);
	fixture_start(fixture, domain);
	g_assert_cmpuint(domain_get_definition(domain)->cpus, ==, 3);
	g_assert_true(g_hash_table_contains(domain_get_devices(domain), "new"));
}

/* ---- refused ---- */

static void assert_not_restored(DomainFixture *fixture, Domain *domain, const char *text)
{
	g_autofree char *runtime = fixture_path(fixture, domain, NULL);
	g_auto(Answer) answer = { 0 };

	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, text);
	g_assert_nonnull(strstr(answer.error->message, "DropSavedState()"));
	fixture_expect(fixture, domain, "starting restored starting", "stopped failed shut-off", NULL);
	g_assert_true(domain_get_has_saved_state(domain));
	g_assert_false(g_file_test(runtime, G_FILE_TEST_EXISTS));
}

static void test_foreign(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", COMPLETE, NULL);
	Domain *other = fixture_run_domain(fixture, "other", COMPLETE, NULL);
	g_autofree char *path = state_path(fixture, domain, ".state");
	g_autofree char *other_path = state_path(fixture, other, ".state");
	g_autofree char *good = NULL, *foreign = NULL, *longer = NULL;
	size_t length, foreign_length;
	struct {
		const char *bytes;
		size_t length;
		const char *text;
	} rows[5] = { { "", 0, "is not a state" }, { "QEVM and more", 13, "is not a state" } };

	save(fixture, domain);
	save(fixture, other);
	g_assert_true(g_file_get_contents(path, &good, &length, NULL));
	g_assert_true(g_file_get_contents(other_path, &foreign, &foreign_length, NULL));
	longer = g_malloc0(length + 1);
	memcpy(longer, good, length);
	rows[2] = (typeof(rows[0])){ foreign, foreign_length, "another domain, 'other'" };
	rows[3] = (typeof(rows[0])){ good, length - 1, "is damaged" };
	rows[4] = (typeof(rows[0])){ longer, length + 1, "is damaged" };

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *after = NULL;
		size_t after_length;

		g_assert_true(g_file_set_contents(path, rows[i].bytes, (gssize)rows[i].length, NULL));
		assert_not_restored(fixture, domain, rows[i].text);
		assert_not_restored(fixture, domain, path);
		g_assert_true(g_file_get_contents(path, &after, &after_length, NULL));
		g_assert_cmpmem(after, after_length, rows[i].bytes, rows[i].length);
	}
	g_assert_true(g_file_set_contents(path, good, (gssize)length, NULL));
	restore(fixture, domain);
}

/* QEMU does not take it: its own words, and the versions if they are not the same. */
static void test_other_version(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", COMPLETE, NULL);
	g_autofree char *path = state_path(fixture, domain, ".state");
	const StateHeader header = { (Definition *)domain_get_definition(domain), 1, (char *)"9.0.0", true, 1 };
	g_autofree char *text = state_header_to_text(&header);
	int fd;

	save(fixture, domain);
	fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
	g_assert_true(state_header_write(fd, text, NULL));
	g_assert_cmpint(write(fd, "other", 5), ==, 5);
	g_assert_true(state_header_complete(fd, NULL));
	(void)close(fd);
	assert_not_restored(fixture, domain, "saved by QEMU 9.0.0, and this is QEMU 7.2.22");
	assert_not_restored(fixture, domain, "QEMU said: fake-qemu: load of migration failed");
}

/* ---- cut off ---- */

static void test_timeout(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	domain_save(domain, NULL, 100, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_TIMEOUT, "'a'");
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running", NULL);
	assert_log(fixture, domain, "[\"cont\",\"stop\",\"getfd\",\"migrate\",\"migrate_cancel\",\"cont\"]");
	g_assert_false(has_file(fixture, domain, ".state.partial"));
	g_assert_false(domain_get_has_saved_state(domain));
}

/* The disk is full already: not even the header fits. QEMU is not troubled, and the guest has not stood still. */
static void test_no_room(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	struct rlimit before, small;
	g_auto(Answer) answer = { 0 };

	(void)signal(SIGXFSZ, SIG_IGN);
	g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
	small = (struct rlimit){ 100, before.rlim_max };
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
	domain_save(domain, NULL, -1, on_answer, &answer);
	answer_wait(fixture, &answer);
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
	answer_wait_error(fixture, &answer, CORE_ERROR_IO, ".state.partial: cannot be written");
	g_assert_false(has_file(fixture, domain, ".state.partial"));
	g_assert_false(domain_get_has_saved_state(domain));
	assert_log(fixture, domain, "[\"cont\"]");
	fixture_expect(fixture, domain, NULL);
}

/* The disk is full: told as QEMU tells it, and the guest goes on. */
static void test_fails(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "reply:query-migrate",
		    "{\"status\":\"failed\",\"error-desc\":\"No space left on device\"}");
	begin_save(fixture, domain, -1, &answer);
	fixture_emit(fixture, domain, MIGRATION("active") "," MIGRATION("failed"));
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "No space left on device");
	fixture_expect(fixture, domain, "suspended paused paused", "MigrationChanged active none",
		       "MigrationChanged failed active", "resumed unpaused running", NULL);
	g_assert_false(has_file(fixture, domain, ".state.partial"));
}

static bool has_no_partial(void *userdata)
{
	DomainFixture *fixture = userdata;

	return !has_file(fixture, driver_find_domain(fixture->driver, "a"), ".state.partial");
}

/* The monitor is lost while QEMU writes: when it is back, the guest goes on if it ran. */
static void test_monitor_lost(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	begin_save(fixture, domain, -1, &answer);
	fixture_close_monitor(fixture, domain);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "'a'");
	fixture_wait(fixture, has_no_partial, fixture);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_expect(fixture, domain, "suspended paused paused", "Lost closed",
		       "Resynchronized monitor-lost", "resumed unpaused running", NULL);
	assert_log(fixture, domain, "[\"cont\",\"stop\",\"getfd\",\"migrate\",\"set-action poweroff\","
				    "\"migrate_cancel\",\"cont\"]");
	g_assert_false(domain_get_has_saved_state(domain));
}

static void pause_it(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_command(domain, DOMAIN_OPERATION_SUSPEND, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "suspended paused paused", NULL);
}

/* One that stood still before stands still after it. */
static void test_monitor_lost_paused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	pause_it(fixture, domain);
	begin_save(fixture, domain, -1, &answer);
	fixture_close_monitor(fixture, domain);
	answer_wait_error(fixture, &answer, CORE_ERROR_MONITOR_LOST, "'a'");
	fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	assert_log(fixture, domain, "[\"cont\",\"stop\",\"getfd\",\"migrate\",\"set-action poweroff\","
				    "\"migrate_cancel\"]");
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
}

/* The service is killed while QEMU writes: the same. */
static void test_killed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) running = { 0 }, paused = { 0 };

	begin_save(fixture, domain, -1, &running);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "Resynchronized service-restarted", "resumed unpaused running", NULL);
	assert_log(fixture, domain, "[\"cont\",\"stop\",\"getfd\",\"migrate\",\"set-action poweroff\","
				    "\"migrate_cancel\",\"cont\"]");
	g_assert_false(has_file(fixture, domain, ".state.partial"));

	pause_it(fixture, domain);
	domain_save(domain, NULL, -1, on_answer, &paused);
	fixture_wait(fixture, is_migrating_again, fixture);
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
	g_assert_false(has_file(fixture, domain, ".state.partial"));
}

static bool is_cut(void *userdata)
{
	return !domain_is_connected(userdata);
}

/* Lost between the whole file and the end of QEMU: the save is brought to its end. */
static void test_quit_lost(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", COMPLETE ";close=quit", NULL);
	g_auto(Answer) answer = { 0 };

	domain_save(domain, NULL, -1, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "suspended paused paused", "MigrationChanged active none",
		       "MigrationChanged completed active", "Lost closed", "Resynchronized monitor-lost",
		       "stopped saved shut-off", NULL);
	g_assert_true(domain_get_has_saved_state(domain));
	g_assert_true(has_file(fixture, domain, ".state"));
}

static void test_quit_killed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", COMPLETE ";close=quit", NULL);
	g_auto(Answer) answer = { 0 };

	domain_save(domain, NULL, -1, on_answer, &answer);
	fixture_wait(fixture, is_cut, domain);
	domain = reopen(fixture);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_SHUT_OFF);
	fixture_expect(fixture, domain, "Resynchronized service-restarted", "stopped saved shut-off", NULL);
	g_assert_true(domain_get_has_saved_state(domain));
	restore(fixture, domain);
}

/* `cont` is on its way, which QEMU will not do. */
static bool is_let_go(void *userdata)
{
	const Domain *domain = userdata;

	return domain->start && domain->start->let_go;
}

/* Killed when the state was used up and the guest had not been told to go on: it is told now. */
static void test_restore_killed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", COMPLETE ";hang=cont", NULL);
	g_auto(Answer) first = { 0 }, saved = { 0 }, second = { 0 };
	g_autofree char *log = NULL;

	domain_start(domain, true, on_answer, &first);
	answer_wait_ok(fixture, &first);
	domain_save(domain, NULL, -1, on_answer, &saved);
	answer_wait_ok(fixture, &saved);
	domain_start(domain, false, on_answer, &second);
	fixture_wait(fixture, is_let_go, domain);
	fixture_run(fixture);
	g_assert_true(has_file(fixture, domain, ".state.used"));
	domain = reopen(fixture);
	fixture_expect(fixture, domain, "started restored paused (resync)",
		       "Resynchronized service-restarted", NULL);
	g_assert_false(has_file(fixture, domain, ".state.used"));
	g_assert_false(domain_get_has_saved_state(domain));
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[\"getfd\",\"migrate-incoming\",\"cont\",\"cont\",\"set-action poweroff\"]");
}

/* ---- progress ---- */

#define PROGRESS(transferred, remaining)                                                           \
	"{\"status\":\"active\",\"ram\":{\"transferred\":" transferred ",\"remaining\":" remaining         \
	",\"total\":100}}"

typedef struct ProgressWait {
	const Domain *domain;
	uint64_t transferred;
} ProgressWait;

static bool has_progress(void *userdata)
{
	const ProgressWait *wait = userdata;
	const MigrationProgress *progress = domain_get_migration_progress(wait->domain);

	return progress && progress->transferred == wait->transferred;
}

static void wait_progress(DomainFixture *fixture, Domain *domain, uint64_t transferred, uint64_t remaining)
{
	ProgressWait wait = { domain, transferred };

	fixture_wait(fixture, has_progress, &wait);
	g_assert_cmpuint(domain_get_migration_progress(domain)->remaining, ==, remaining);
	g_assert_cmpuint(domain_get_migration_progress(domain)->total, ==, 100);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_PROGRESS);
	fixture->changed = 0;
}

static void test_progress(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	g_assert_null(domain_get_migration_progress(domain));
	fixture->changed = 0;
	fixture_set(fixture, domain, "reply:query-migrate", PROGRESS("5", "95"));
	begin_save(fixture, domain, -1, &answer);
	fixture_emit(fixture, domain, MIGRATION("active"));
	wait_progress(fixture, domain, 5, 95);
	/* No event tells: it is asked. */
	fixture_set(fixture, domain, "reply:query-migrate", PROGRESS("50", "60"));
	wait_progress(fixture, domain, 50, 60);
	/* The last word, which is not asked for again. */
	fixture_set(fixture, domain, "reply:query-migrate", PROGRESS("110", "0"));
	fixture_emit(fixture, domain, MIGRATION("cancelled"));
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "cancelled");
	wait_progress(fixture, domain, 110, 0);
	fixture_set(fixture, domain, "reply:query-migrate", PROGRESS("7", "7"));
	fixture_run_for(fixture, MIGRATION_POLL_MS + 200);
	g_assert_cmpuint(domain_get_migration_progress(domain)->transferred, ==, 110);
	fixture_destroy(fixture, domain);
	g_assert_null(domain_get_migration_progress(domain));
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_PROGRESS);
	fixture_forget(fixture);
}

/* Nothing that QEMU should not say is taken for a progress, and one that is silent is asked once. */
static void test_progress_malformed(DomainFixture *fixture, const void *data)
{
	static const char *const answers[] = {
		"[]", "7", "{\"ram\":7}", "{\"ram\":{\"transferred\":1,\"total\":2}}",
		"{\"ram\":{\"transferred\":\"x\",\"remaining\":1,\"total\":2}}",
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(answers); i++) {
		fixture_set(fixture, domain, "reply:query-migrate", answers[i]);
		fixture_emit(fixture, domain, MIGRATION("active") "," MIGRATION("failed"));
		fixture_run(fixture);
		g_assert_null(domain_get_migration_progress(domain));
	}
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/save/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("there-and-back", test_there_and_back);
	ADD("redefined", test_redefined);
	ADD("foreign", test_foreign);
	ADD("other-version", test_other_version);
	ADD("timeout", test_timeout);
	ADD("no-room", test_no_room);
	ADD("fails", test_fails);
	ADD("monitor-lost", test_monitor_lost);
	ADD("monitor-lost-paused", test_monitor_lost_paused);
	ADD("killed", test_killed);
	ADD("quit-lost", test_quit_lost);
	ADD("quit-killed", test_quit_killed);
	ADD("restore-killed", test_restore_killed);
	ADD("progress", test_progress);
	ADD("progress-malformed", test_progress_malformed);
	return g_test_run();
}
