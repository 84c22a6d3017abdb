/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/wait.h>

#include "domain-fixture.h"

/* Why a guest stands still, where no event of QEMU says it: QEMU is asked, and what comes meanwhile waits. */

#define MIGRATION(status) "{\"event\":\"MIGRATION\",\"data\":{\"status\":\"" status "\"}}"
#define MIGRATION_TEXT(status, old) "MigrationChanged " status " " old
#define SHUTDOWN(guest, cause)                                                                     \
	"{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":" guest ",\"reason\":\"" cause "\"}}"

/* Behind the reply, as what is not caused by the command. */
static void emit_after(DomainFixture *fixture, Domain *domain, const char *events)
{
	g_autofree char *text = g_strdup_printf("{\"after\":true,\"events\":[%s]}", events);

	g_free(fixture_execute(fixture, domain, "x-emit", text));
}

static void command(DomainFixture *fixture, Domain *domain, DomainOperation operation)
{
	g_auto(Answer) answer = { 0 };

	domain_command(domain, operation, on_answer, &answer);
	answer_wait_ok(fixture, &answer);
}

/* Everything that query-status can say of a guest that does not run. */
static void test_run_states(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *run_state, *text, *detail;
	} rows[] = {
		{ "paused", "suspended paused paused", "" },
		{ "prelaunch", "suspended paused paused", "'prelaunch'" },
		{ "save-vm", "suspended paused paused", "'save-vm'" },
		{ "restore-vm", "suspended from-snapshot paused", "'restore-vm'" },
		{ "internal-error", "suspended internal-error paused", "'internal-error'" },
		{ "debug", "suspended debug paused", "'debug'" },
		{ "colo", "suspended colo paused", "'colo'" },
		{ "io-error", "suspended ioerror paused", "'io-error'" },
		{ "watchdog", "suspended watchdog paused", "'watchdog'" },
		{ "finish-migrate", "suspended migrated paused", "'finish-migrate'" },
		{ "postmigrate", "suspended migrated paused", "'postmigrate'" },
		{ "of-the-future", "suspended paused paused", "'of-the-future'" },
		/* Gone on meanwhile. */
		{ "running", "suspended paused paused", "" },
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_test_message("%s", rows[i].run_state);
		fixture_set(fixture, domain, "status", rows[i].run_state);
		fixture_emit(fixture, domain, "\"STOP\"");
		fixture_expect(fixture, domain, rows[i].text, NULL);
		assert_detail(fixture_last(fixture), "run-state", rows[i].detail);
		fixture_set(fixture, domain, "status", "paused");
		command(fixture, domain, DOMAIN_OPERATION_RESUME);
		/* By Resume(), whatever was before. */
		fixture_expect(fixture, domain, "resumed unpaused running", NULL);
		assert_detail(fixture_last(fixture), "run-state", "");
	}
}

/* What comes behind a STOP that is being asked about keeps its place; other domains do not wait. */
static void test_order(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	Domain *other = fixture_run_domain(fixture, "b", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "hang", "query-status");
	domain_execute(domain, "x-emit", fixture_json("{\"events\":[\"STOP\",\"X_LAST\"]}"),
		       20000, on_answer, &answer);
	fixture_emit(fixture, other, "\"STOP\",\"RESUME\"");
	fixture_expect(fixture, other, "suspended paused paused", "resumed unpaused running", NULL);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 0);
	g_assert_false(answer.done);
	/* It is hung: told without what it would have said. */
	answer_wait_ok(fixture, &answer);
	fixture_expect(fixture, domain, "suspended paused paused", "Event X_LAST {}", NULL);
}

/* What QEMU would say of a STOP is not waited for when its RESUME has come: the question hangs until the end. */
static void test_not_waited_for(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "hang", "query-status");
	fixture_emit(fixture, domain, "\"STOP\",\"RESUME\",\"X_BETWEEN\"");
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running", "Event X_BETWEEN {}",
		       NULL);
	domain_execute(domain, "x-emit", fixture_json("{\"after\":true,\"events\":[\"STOP\"]}"), 20000, on_answer,
		       &answer);
	answer_wait_ok(fixture, &answer);
	fixture_run(fixture);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 0);
	fixture_emit(fixture, domain, "\"RESUME\"");
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running", NULL);
}

#define ASKED(command) "{\"event\":\"X_ASKED\",\"data\":{\"what\":\"" command "\"}}"
#define ASKED_TEXT(command) "Event X_ASKED {\"what\":\"" command "\"}"

/* And if it has come together with the STOP, QEMU is not even asked. */
static void test_not_asked(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "each:query-status", ASKED("status"));
	fixture_emit(fixture, domain, "\"STOP\",\"RESUME\",\"STOP\",\"RESUME\"");
	fixture_emit(fixture, domain, "\"X_LAST\"");
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running",
		       "suspended paused paused", "resumed unpaused running", "Event X_LAST {}", NULL);
	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", ASKED_TEXT("status"), NULL);
}

/* A guest that has gone on meanwhile, and stands still for another reason, stood still for who knows what; and it is
 * not asked about each stop of the past, nor for more than is needed. */
static void test_gone_on(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "each:query-status", ASKED("status"));
	fixture_set(fixture, domain, "each:query-migrate", ASKED("migrate"));
	fixture_set(fixture, domain, "status", "debug");
	fixture_set(fixture, domain, "before:query-status",
		    "{\"event\":\"RESUME\"}\n{\"event\":\"STOP\"}\n{\"event\":\"RESUME\"}");
	fixture_emit(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended paused paused", "resumed unpaused running",
		       "suspended paused paused", "resumed unpaused running", ASKED_TEXT("status"), NULL);
	fixture_set(fixture, domain, "status", "finish-migrate");
	emit_after(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended migrated paused", ASKED_TEXT("status"),
		       ASKED_TEXT("migrate"), NULL);
}

/* QEMU ends while it is asked. */
static void test_end_while_asked(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "hang", "query-status");
	domain_execute(domain, "x-emit", fixture_json("{\"after\":true,\"events\":[\"STOP\"]}"), 20000,
		       on_answer, &answer);
	answer_wait_ok(fixture, &answer);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_RUNNING);
	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "suspended paused paused", "shutdown host shutting-down",
		       "stopped destroyed shut-off", NULL);
}

/* ---- migration, by a client ---- */

static Domain *begin_migration(DomainFixture *fixture, const char *migration, const char *text)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	g_free(fixture_execute(fixture, domain, "migrate", "{\"uri\":\"exec:cat\"}"));
	fixture_set(fixture, domain, "status", "finish-migrate");
	fixture_set(fixture, domain, "migration", migration);
	emit_after(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, text, NULL);
	assert_detail(fixture_last(fixture), "run-state", "'finish-migrate'");
	return domain;
}

static void end_with_quit(DomainFixture *fixture, Domain *domain)
{
	g_auto(Answer) answer = { 0 };

	domain_execute(domain, "quit", NULL, 20000, on_answer, &answer);
	answer_wait(fixture, &answer);
}

static void test_migrated(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin_migration(fixture, "device", "suspended migrated paused");

	emit_after(fixture, domain, MIGRATION("completed"));
	end_with_quit(fixture, domain);
	fixture_expect(fixture, domain, MIGRATION_TEXT("completed", "none"), "shutdown host shutting-down",
		       "stopped migrated shut-off", NULL);
	assert_detail(fixture_last(fixture), "cause", "'host-qmp-quit'");
	assert_detail(fixture_last(fixture), "policy", "");
}

/* It was complete when the stop was told: no event is needed. */
static void test_migrated_at_once(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin_migration(fixture, "completed", "suspended migrated paused");

	end_with_quit(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped migrated shut-off", NULL);
}

static void test_migrated_paused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	command(fixture, domain, DOMAIN_OPERATION_SUSPEND);
	emit_after(fixture, domain, MIGRATION("active") "," MIGRATION("completed"));
	fixture_expect(fixture, domain, "suspended paused paused", MIGRATION_TEXT("active", "none"),
		       MIGRATION_TEXT("completed", "active"), NULL);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_MIGRATED);
	/* Somebody lets it go on here all the same: then it has not moved. */
	fixture_emit(fixture, domain, "\"RESUME\"");
	end_with_quit(fixture, domain);
	fixture_expect(fixture, domain, "resumed unpaused running", "shutdown host shutting-down",
		       "stopped shutdown shut-off", NULL);
}

static void test_migrated_destroyed(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin_migration(fixture, "completed", "suspended migrated paused");

	fixture_destroy(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped destroyed shut-off",
		       NULL);
}

/* QEMU lets the guest go on by itself. */
static void test_migration_failed(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin_migration(fixture, "active", "suspended migrated paused");

	emit_after(fixture, domain, MIGRATION("failed") ",\"RESUME\"");
	fixture_expect(fixture, domain, MIGRATION_TEXT("failed", "none"), "resumed migrated running", NULL);
	/* It ends as any other. */
	end_with_quit(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped shutdown shut-off", NULL);
}

static void test_migration_cont(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin_migration(fixture, "active", "suspended migrated paused");

	g_free(fixture_execute(fixture, domain, "cont", NULL));
	fixture_expect(fixture, domain, "resumed unpaused running", NULL);
}

static void test_postcopy(DomainFixture *fixture, const void *data)
{
	Domain *domain = begin_migration(fixture, "postcopy-active", "suspended postcopy paused");

	emit_after(fixture, domain, MIGRATION("postcopy-paused"));
	fixture_expect(fixture, domain, "suspended postcopy-failed paused",
		       MIGRATION_TEXT("postcopy-paused", "none"), NULL);
	emit_after(fixture, domain, MIGRATION("postcopy-recover") "," MIGRATION("postcopy-active") ","
				    MIGRATION("completed"));
	fixture_expect(fixture, domain, "suspended postcopy paused", MIGRATION_TEXT("postcopy-recover", "postcopy-paused"),
		       MIGRATION_TEXT("postcopy-active", "postcopy-recover"),
		       MIGRATION_TEXT("completed", "postcopy-active"), NULL);
	end_with_quit(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped migrated shut-off", NULL);
}

static void test_postcopy_failed(DomainFixture *fixture, const void *data)
{
	(void)begin_migration(fixture, "postcopy-paused", "suspended postcopy-failed paused");
}

static void test_from_snapshot(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	fixture_set(fixture, domain, "status", "restore-vm");
	emit_after(fixture, domain, "\"STOP\"");
	fixture_expect(fixture, domain, "suspended from-snapshot paused", NULL);
	emit_after(fixture, domain, "\"RESUME\"");
	fixture_expect(fixture, domain, "resumed from-snapshot running", NULL);
}

/* ---- found again ---- */

/* told: what has changed since, or NULL. */
static Domain *reopen(DomainFixture *fixture, const char *told)
{
	Domain *domain;

	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	if (told)
		fixture_expect(fixture, domain, told, "Resynchronized service-restarted", NULL);
	else
		fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	return domain;
}

static void test_found(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *run_state;
		LifecycleReason reason;
	} rows[] = {
		{ "paused", LIFECYCLE_REASON_RESYNC },
		{ "internal-error", LIFECYCLE_REASON_INTERNAL_ERROR },
		{ "io-error", LIFECYCLE_REASON_IOERROR },
		{ "watchdog", LIFECYCLE_REASON_WATCHDOG },
		{ "finish-migrate", LIFECYCLE_REASON_MIGRATED },
		{ "postmigrate", LIFECYCLE_REASON_MIGRATED },
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	pid_t pid = domain_get_pid(domain);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		fixture_set(fixture, domain, "status", rows[i].run_state);
		domain = reopen(fixture, i == 0 ? "suspended resync paused (resync)" : NULL);
		g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
		g_assert_cmpint(domain_get_state_reason(domain), ==, rows[i].reason);
	}
	/* The last one says that it has moved. */
	end_with_quit(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped migrated shut-off", NULL);
	(void)waitpid(pid, NULL, WNOHANG);
}

/* Killed while it was saved: QEMU is through with it, but the guest has not moved. */
static void test_found_save(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	pid_t pid = domain_get_pid(domain);
	g_autofree char *name = g_strconcat(domain_get_uuid(domain), ".state.partial", NULL);
	g_autofree char *partial = g_build_filename(fixture->folder, "state", "saved", name, NULL);

	fixture_set(fixture, domain, "status", "postmigrate");
	g_assert_true(g_file_set_contents(partial, "half", -1, NULL));
	domain = reopen(fixture, "suspended paused paused (resync)");
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_PAUSED);
	end_with_quit(fixture, domain);
	fixture_expect(fixture, domain, "shutdown host shutting-down", "stopped shutdown shut-off", NULL);
	(void)waitpid(pid, NULL, WNOHANG);
}

/* ---- what we could not let go on ---- */

/* The guest is down, and what should bring it back is refused: that is no running guest. */
static void test_reboot_refused(DomainFixture *fixture, const void *data)
{
	static const char *const steps[] = { "fail:system_reset", "fail:cont" };

	for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);
		Domain *domain = fixture_run_domain(fixture, name, "powerdown=obey", NULL);
		g_auto(Answer) answer = { 0 };

		fixture_set(fixture, domain, steps[i], "refused");
		domain_reboot(domain, -1, on_answer, &answer);
		answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "refused");
		/* Who is answered finds it so. */
		g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_PAUSED);
		if (i == 0)
			fixture_expect(fixture, domain, "PowerdownRequested api",
				       "suspended api-error paused", NULL);
		else
			fixture_expect(fixture, domain, "PowerdownRequested api",
				       "Reset host host-qmp-system-reset",
				       "suspended api-error paused", NULL);
		fixture_set(fixture, domain, steps[i], "");
		command(fixture, domain, DOMAIN_OPERATION_RESUME);
		fixture_expect(fixture, domain, "resumed unpaused running", NULL);
	}
}

static void test_save_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	fixture_set(fixture, domain, "fail:migrate", "no space");
	fixture_set(fixture, domain, "fail:cont", "refused");
	domain_save(domain, NULL, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "no space");
	fixture_expect(fixture, domain, "suspended paused paused", "suspended api-error paused", NULL);
	g_assert_cmpint(domain_get_state_reason(domain), ==, LIFECYCLE_REASON_API_ERROR);
}

/* It panics at the moment at which it is to be stopped: what is to be kept is not let go on. */
static void test_save_panicked(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-panic\":\"preserve\"");
	g_auto(Answer) answer = { 0 };
	g_autofree char *log = NULL;

	fixture_set(fixture, domain, "before:stop",
		    "{\"event\":\"GUEST_PANICKED\",\"data\":{\"action\":\"pause\"}}");
	fixture_set(fixture, domain, "fail:migrate", "no space");
	domain_save(domain, NULL, -1, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_QEMU_ERROR, "no space");
	fixture_expect(fixture, domain, "Panicked pause", "crashed panicked crashed", NULL);
	log = fixture_execute(fixture, domain, "x-log", NULL);
	g_assert_cmpstr(log, ==, "[\"cont\",\"stop\",\"getfd\",\"migrate\"]");
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_CRASHED);
}

#define ADD(name, function) FIXTURE_ADD("/domain/stop-cause/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("run-states", test_run_states);
	ADD("order", test_order);
	ADD("not-waited-for", test_not_waited_for);
	ADD("not-asked", test_not_asked);
	ADD("gone-on", test_gone_on);
	ADD("end-while-asked", test_end_while_asked);
	ADD("migrated", test_migrated);
	ADD("migrated-at-once", test_migrated_at_once);
	ADD("migrated-paused", test_migrated_paused);
	ADD("migrated-destroyed", test_migrated_destroyed);
	ADD("migration-failed", test_migration_failed);
	ADD("migration-cont", test_migration_cont);
	ADD("postcopy", test_postcopy);
	ADD("postcopy-failed", test_postcopy_failed);
	ADD("from-snapshot", test_from_snapshot);
	ADD("found", test_found);
	ADD("found-save", test_found_save);
	ADD("reboot-refused", test_reboot_refused);
	ADD("save-refused", test_save_refused);
	ADD("save-panicked", test_save_panicked);
	return g_test_run();
}
