/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

/* Who cancels a job is answered when it is over, however that is known. */

#define CHANGED(id, status)                                                                        \
	"{\"event\":\"JOB_STATUS_CHANGE\",\"data\":{\"id\":\"" id "\",\"status\":" status "}}"
#define JOB(status) "{\"id\":\"j\",\"type\":\"mirror\",\"status\":\"" status "\"}"

/* Asked to cancel, and it has taken the order. */
static Domain *run_cancelling(DomainFixture *fixture, Answer *answer)
{
	Domain *domain = fixture_run_domain(fixture, "a",
					    "reply:block-job-cancel={};reply:query-jobs=["
					    JOB("running") "]", NULL);

	domain_cancel_job(domain, "j", false, 20000, on_answer, answer);
	fixture_emit(fixture, domain, "\"X_TEST\"");
	g_assert_false(answer->done);
	fixture_forget(fixture);
	return domain;
}

/* An event that says nothing of the status: QEMU is asked, and the job has gone. */
static void test_gone(DomainFixture *fixture, const void *data)
{
	g_auto(Answer) answer = { 0 };
	Domain *domain = run_cancelling(fixture, &answer);

	fixture_set(fixture, domain, "reply:query-jobs", "[]");
	fixture_emit(fixture, domain, CHANGED("j", "7"));
	answer_wait_ok(fixture, &answer);
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 0);
	fixture_forget(fixture);
}

/* The same, and it waits to be dismissed. */
static void test_concluded(DomainFixture *fixture, const void *data)
{
	g_auto(Answer) answer = { 0 };
	Domain *domain = run_cancelling(fixture, &answer);

	fixture_set(fixture, domain, "reply:query-jobs", "[" JOB("concluded") "]");
	fixture_emit(fixture, domain, CHANGED("j", "7"));
	answer_wait_ok(fixture, &answer);
	g_assert_cmpuint(g_hash_table_size(domain_get_jobs(domain)), ==, 1);
	fixture_forget(fixture);
}

#define ADD(name, function) FIXTURE_ADD("/domain/cancel/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("gone", test_gone);
	ADD("concluded", test_concluded);
	return g_test_run();
}
