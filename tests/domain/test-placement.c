/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>

#include "domain-fixture.h"

/* Where a QEMU is put when it is started: asked once for each start, remembered over a restart of the service, and
 * a start that may not be anywhere is none. */

#define UNIT "group-a"

/* Under no lock: the worker is asked before the start is answered, and one at a time. */
typedef struct Asked {
	unsigned n;
	pid_t pid;
	bool lived;
	uint64_t memory_max;
	bool refuse, nowhere;
} Asked;

static Asked asked;

static bool place(const Definition *definition, pid_t pid, char **ret_unit, GError **error, void *userdata)
{
	g_assert_true(userdata == &asked);
	asked.n++;
	asked.pid = pid;
	asked.lived = kill(pid, 0) == 0;
	asked.memory_max = definition->resources.memory_max;
	if (asked.refuse) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "no group for '%s'",
			    definition->name);
		return false;
	}
	if (!asked.nowhere)
		*ret_unit = g_strdup(UNIT);
	return true;
}

static const Placement placement = { place, &asked };

static void set_up(DomainFixture *fixture, const void *data)
{
	asked = (Asked){ 0 };
	fixture->placement = &placement;
	fixture_set_up(fixture, data);
}

static void test_placed(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, "\"resources\":{\"memory-max\":\"1G\"}");

	g_assert_cmpstr(domain_get_unit(domain), ==, "");
	fixture->changed = 0;
	fixture_start(fixture, domain);
	g_assert_cmpuint(asked.n, ==, 1);
	g_assert_cmpint(asked.pid, ==, domain_get_pid(domain));
	g_assert_true(asked.lived);
	g_assert_cmpuint(asked.memory_max, ==, UINT64_C(1) << 30);
	g_assert_cmpstr(domain_get_unit(domain), ==, UNIT);
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_UNIT);

	/* The next service does not ask again, and knows. */
	fixture_close_driver(fixture);
	fixture_open_driver(fixture);
	domain = driver_find_domain(fixture->driver, "a");
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	g_assert_cmpstr(domain_get_unit(domain), ==, UNIT);
	g_assert_cmpuint(asked.n, ==, 1);

	fixture->changed = 0;
	fixture_destroy(fixture, domain);
	g_assert_cmpstr(domain_get_unit(domain), ==, "");
	g_assert_true(fixture->changed & DOMAIN_PROPERTY_UNIT);
}

static void test_nowhere(DomainFixture *fixture, const void *data)
{
	Domain *domain;

	asked.nowhere = true;
	domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_assert_cmpuint(asked.n, ==, 1);
	g_assert_cmpstr(domain_get_unit(domain), ==, "");
	fixture_destroy(fixture, domain);
}

static void test_refused(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", NULL, NULL);
	g_auto(Answer) answer = { 0 };

	asked.refuse = true;
	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_START_FAILED, "no group for 'a'");
	fixture_expect(fixture, domain, "starting booted starting", "stopped failed shut-off", NULL);
	g_assert_cmpint(domain_get_pid(domain), ==, 0);
	g_assert_cmpstr(domain_get_unit(domain), ==, "");
	/* Killed, and waited for. */
	g_assert_cmpint(kill(asked.pid, 0), ==, -1);

	asked.refuse = false;
	fixture_start(fixture, domain);
	fixture_destroy(fixture, domain);
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
#define ADD(path, function)                                                                        \
	g_test_add(path, DomainFixture, NULL, set_up, function, fixture_tear_down)
	ADD("/domain/placement/placed", test_placed);
	ADD("/domain/placement/nowhere", test_nowhere);
	ADD("/domain/placement/refused", test_refused);
	return g_test_run();
}
