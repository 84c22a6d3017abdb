/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "domain-fixture.h"

/* Jobs: what their events and query-jobs say, put together; and ending them. */

#define STATUS(id, status)                                                                         \
	"{\"event\":\"JOB_STATUS_CHANGE\",\"data\":{\"id\":\"" id "\",\"status\":\"" status "\"}}"
#define PROGRESS "\"len\":100,\"offset\":40,\"speed\":7"
#define JOB(id, type, status)                                                                      \
	"{\"id\":\"" id "\",\"type\":\"" type "\",\"status\":\"" status "\",\"current-progress\":1," \
	"\"total-progress\":9}"

static void set_jobs(DomainFixture *fixture, Domain *domain, const char *jobs)
{
	fixture_set(fixture, domain, "reply:query-jobs", jobs);
}

static const DomainJob *find_job(Domain *domain, const char *id)
{
	return g_hash_table_lookup(domain_get_jobs(domain), id);
}

static void assert_log(DomainFixture *fixture, Domain *domain, const char *expected)
{
	g_autofree char *log = fixture_execute(fixture, domain, "x-log", NULL);

	if (!g_str_has_suffix(log, expected))
		g_error("'%s' is not at the end of: %s", expected, log);
}

/* ---- events ---- */

/* A mirror that fails, as QEMU tells it: by the end it has dismissed itself. */
static void test_failure(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	const DomainJob *job;

	set_jobs(fixture, domain, "[" JOB("other", "stream", "running") "," JOB("m", "mirror", "running") "]");
	fixture->changed = 0;
	fixture_emit(fixture, domain, STATUS("m", "created"));
	fixture_expect(fixture, domain, "JobChanged m created", NULL);
	assert_detail(fixture_last(fixture), "type", "'mirror'");
	assert_detail(fixture_last(fixture), "len", "9");
	assert_detail(fixture_last(fixture), "offset", "0");
	assert_detail(fixture_last(fixture), "speed", "");
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_JOBS);
	job = find_job(domain, "m");
	g_assert_cmpstr(job->type, ==, "mirror");
	/* Not what query-jobs says, for that is ahead of the events. */
	g_assert_cmpstr(job->status, ==, "created");
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 1);

	set_jobs(fixture, domain, "[]");
	fixture_emit(fixture, domain,
		     STATUS("m", "running") ","
		     "{\"event\":\"BLOCK_JOB_ERROR\",\"data\":{\"device\":\"m\",\"operation\":\"write\","
		     "\"action\":\"report\"}}," STATUS("m", "aborting") ","
		     "{\"event\":\"BLOCK_JOB_COMPLETED\",\"data\":{\"device\":\"m\",\"type\":\"mirror\","
		     PROGRESS ",\"error\":\"no space\"}}," STATUS("m", "concluded"));
	fixture_expect(fixture, domain, "JobChanged m running", "JobEvent m error mirror",
		       "JobChanged m aborting", "JobEvent m completed mirror", "JobChanged m concluded",
		       NULL);
	assert_detail(fixture_last(fixture), "error", "'no space'");
	assert_detail(fixture_last(fixture), "len", "100");
	assert_detail(fixture_last(fixture), "offset", "40");
	assert_detail(fixture_last(fixture), "speed", "7");
	g_assert_cmpstr(find_job(domain, "m")->error, ==, "no space");
	fixture_emit(fixture, domain, STATUS("m", "null"));
	fixture_expect(fixture, domain, "JobChanged m null", NULL);
	assert_detail(fixture_last(fixture), "type", "'mirror'");
	assert_detail(fixture_last(fixture), "error", "'no space'");
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 0);
}

/* The error of one that is no block job is only in query-jobs. */
static void test_error_is_asked(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	set_jobs(fixture, domain, "[" JOB("c", "create", "running") "]");
	fixture_emit(fixture, domain, STATUS("c", "created"));
	set_jobs(fixture, domain, "[{\"id\":\"c\",\"type\":\"create\",\"status\":\"concluded\","
				  "\"current-progress\":0,\"total-progress\":1,\"error\":\"no room\"}]");
	fixture_emit(fixture, domain, STATUS("c", "concluded"));
	fixture_expect(fixture, domain, "JobChanged c created", "JobChanged c concluded", NULL);
	assert_detail(fixture_last(fixture), "error", "'no room'");
	fixture_emit(fixture, domain, STATUS("c", "null"));
	fixture_expect(fixture, domain, "JobChanged c null", NULL);
}

/* A question that is not answered holds what comes later back, and then nothing is lost. */
static void test_no_answer(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	gint64 begin = g_get_monotonic_time();

	fixture_set(fixture, domain, "hang", "query-jobs");
	fixture_emit(fixture, domain, STATUS("m", "created") ",\"STOP\"");
	fixture_expect(fixture, domain, "JobChanged m created", "suspended paused paused", NULL);
	g_assert_cmpint(g_get_monotonic_time() - begin, >=, 5 * G_TIME_SPAN_SECOND);
	g_assert_cmpstr(find_job(domain, "m")->type, ==, "");
}

/* Nothing of what QEMU may say is more than told. */
static void test_odd(DomainFixture *fixture, const void *data)
{
	static const char *const replies[] = {
		"{}", "7", "[7,{},[],null]", "[{\"id\":7}]", "[{\"id\":\"m\"}]",
		"[{\"id\":\"m\",\"type\":[],\"status\":{},\"total-progress\":\"x\",\"error\":1}]",
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(replies); i++) {
		set_jobs(fixture, domain, replies[i]);
		fixture_emit(fixture, domain, STATUS("m", "created") "," STATUS("m", "null"));
		fixture_expect(fixture, domain, "JobChanged m created", "JobChanged m null", NULL);
		fixture_close_monitor(fixture, domain);
		fixture_expect(fixture, domain, "Lost closed", "Resynchronized monitor-lost", NULL);
	}
	fixture_emit(fixture, domain,
		     "{\"event\":\"JOB_STATUS_CHANGE\",\"data\":{\"id\":\"m\"}},"
		     "{\"event\":\"JOB_STATUS_CHANGE\",\"data\":{\"status\":\"running\"}},"
		     "\"JOB_STATUS_CHANGE\",\"BLOCK_JOB_COMPLETED\","
		     "{\"event\":\"BLOCK_JOB_READY\",\"data\":{\"device\":\"m\",\"len\":[]}}");
	fixture_expect(fixture, domain, "JobChanged m ", "JobChanged  running", "JobChanged  ",
		       "JobEvent  completed ", "JobEvent m ready ", NULL);
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 0);
}

/* More than are kept: told, and QEMU can be asked to end them. */
static void test_many(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_autoptr(GString) events = g_string_new(NULL);
	g_auto(Answer) answer = { 0 };

	for (unsigned i = 0; i < 1025; i++)
		g_string_append_printf(events, "%s{\"event\":\"JOB_STATUS_CHANGE\",\"data\":{\"id\":"
				       "\"j%u\",\"status\":\"running\"}}", i > 0 ? "," : "", i);
	set_jobs(fixture, domain, "[]");
	fixture_emit(fixture, domain, events->str);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 1025);
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 1024);
	g_assert_null(find_job(domain, "j1024"));
	fixture_forget(fixture);
	domain_cancel_job(domain, "j1024", false, 20000, on_answer, &answer);
	fixture_emit(fixture, domain, STATUS("j1024", "null"));
	answer_wait_ok(fixture, &answer);
	assert_log(fixture, domain, ",\"job-cancel j1024\"]");
	fixture_expect(fixture, domain, "JobChanged j1024 null", NULL);
}

/* ---- read afresh ---- */

static void test_resync(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	const DomainJob *job;
	g_auto(Answer) answer = { 0 };

	set_jobs(fixture, domain, "[" JOB("stays", "mirror", "running") "," JOB("goes", "backup", "running")
				  "," JOB("moves", "stream", "running") "]");
	fixture_emit(fixture, domain, STATUS("stays", "running") "," STATUS("goes", "running") ","
				      STATUS("moves", "running"));
	fixture_forget(fixture);
	domain_cancel_job(domain, "goes", false, 20000, on_answer, &answer);
	set_jobs(fixture, domain, "[" JOB("stays", "mirror", "running") "," JOB("moves", "stream", "paused")
				  "," JOB("new", "create", "concluded") "]");
	g_assert_false(answer.done);
	fixture_close_monitor(fixture, domain);
	fixture_expect(fixture, domain, "Lost closed", "JobChanged goes null (resync)",
		       "JobChanged moves paused (resync)", "JobChanged new concluded (resync)",
		       "Resynchronized monitor-lost", NULL);
	answer_wait_ok(fixture, &answer);
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 3);
	job = find_job(domain, "new");
	g_assert_cmpstr(job->type, ==, "create");
	g_assert_cmpuint(job->length, ==, 9);

	/* Those of the details are checked with the last one. */
	set_jobs(fixture, domain, "[]");
	fixture->changed = 0;
	fixture_close_monitor(fixture, domain);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_UNKNOWN);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpuint(fixture_count(fixture, "a"), ==, 5);
	for (unsigned i = 1; i < 4; i++) {
		const Record *record = g_ptr_array_index(fixture->records, i);

		g_assert_true(g_str_has_suffix(record->text, " null (resync)"));
		assert_detail(record->event, "reason", "'resync'");
	}
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_JOBS);
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 0);
}

/* After a restart of the service they are known, and nothing is told. */
static void test_restart(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	set_jobs(fixture, domain, "[" JOB("m", "mirror", "ready") "]");
	fixture_close_driver(fixture);
	fixture_forget(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_expect(fixture, domain, "Resynchronized service-restarted", NULL);
	g_assert_cmpstr(find_job(domain, "m")->status, ==, "ready");
	g_assert_cmpstr(find_job(domain, "m")->type, ==, "mirror");
	fixture->changed = 0;
	fixture_destroy(fixture, domain);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_JOBS);
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 0);
}

/* ---- cancel ---- */

static void begin_job(DomainFixture *fixture, Domain *domain, const char *type)
{
	g_autofree char *jobs = g_strdup_printf("[{\"id\":\"j\",\"type\":\"%s\",\"status\":\"running\"}]",
						type);

	set_jobs(fixture, domain, jobs);
	fixture_emit(fixture, domain, STATUS("j", "running"));
	fixture_forget(fixture);
}

static void test_cancel(DomainFixture *fixture, const void *data)
{
	static const struct {
		const char *type, *command;
	} rows[] = {
		{ "commit", "block-job-cancel" }, { "stream", "block-job-cancel" },
		{ "mirror", "block-job-cancel" }, { "backup", "block-job-cancel" },
		{ "create", "job-cancel" }, { "amend", "job-cancel" }, { "snapshot-save", "job-cancel" },
	};
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *log = g_strdup_printf(",\"%s j\",\"%s j\"]", rows[i].command,
						       rows[i].command);
		g_auto(Answer) first = { 0 }, second = { 0 };

		begin_job(fixture, domain, rows[i].type);
		domain_cancel_job(domain, "j", true, 20000, on_answer, &first);
		domain_cancel_job(domain, "j", false, 20000, on_answer, &second);
		assert_log(fixture, domain, log);
		/* It dismisses itself. */
		set_jobs(fixture, domain, "[]");
		fixture_emit(fixture, domain, STATUS("j", "aborting") "," STATUS("j", "concluded"));
		g_assert_false(first.done || second.done);
		fixture_emit(fixture, domain, STATUS("j", "null"));
		answer_wait_ok(fixture, &first);
		answer_wait_ok(fixture, &second);
		fixture_forget(fixture);
	}
}

/* One that stays until it is dismissed is over when it has concluded. */
static void test_cancel_stays(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	begin_job(fixture, domain, "backup");
	domain_cancel_job(domain, "j", false, 20000, on_answer, &answer);
	fixture_emit(fixture, domain, STATUS("j", "concluded"));
	answer_wait_ok(fixture, &answer);
	g_assert_cmpstr(find_job(domain, "j")->status, ==, "concluded");
	fixture_forget(fixture);
}

static void test_cancel_fails(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) unknown = { 0 }, refused = { 0 }, late = { 0 }, ended = { 0 };

	domain_cancel_job(domain, "j", false, 20000, on_answer, &unknown);
	answer_wait_error(fixture, &unknown, CORE_ERROR_NO_SUCH_DEVICE, "'j'");
	begin_job(fixture, domain, "mirror");
	domain_cancel_job(domain, "j", false, 50, on_answer, &late);
	answer_wait_error(fixture, &late, CORE_ERROR_TIMEOUT, "'j'");
	fixture_set(fixture, domain, "fail:block-job-cancel", "it is paused");
	domain_cancel_job(domain, "j", false, 20000, on_answer, &refused);
	answer_wait_error(fixture, &refused, CORE_ERROR_QEMU_ERROR, "it is paused");
	fixture_set(fixture, domain, "fail:block-job-cancel", "");
	domain_cancel_job(domain, "j", false, 20000, on_answer, &ended);
	fixture_destroy(fixture, domain);
	answer_wait_error(fixture, &ended, CORE_ERROR_MONITOR_LOST, "");
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/jobs/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("failure", test_failure);
	ADD("error-is-asked", test_error_is_asked);
	ADD("no-answer", test_no_answer);
	ADD("odd", test_odd);
	ADD("many", test_many);
	ADD("resync", test_resync);
	ADD("restart", test_restart);
	ADD("cancel", test_cancel);
	ADD("cancel-stays", test_cancel_stays);
	ADD("cancel-fails", test_cancel_fails);
	return g_test_run();
}
