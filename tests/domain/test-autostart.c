/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-fixture.h"

#include <string.h>

/* Which domains are started when the host has booted, in which order, and how many at once; and the end of all
 * of them with the service, as far as it needs no real guest. */

#define N_DOMAINS 12u

/* What each Lifecycle says, in the order of all domains: "starting b". Other events are left out. */
typedef struct Watch {
	GPtrArray *told;
	unsigned starting, most_starting;
} Watch;

static Watch watch;

static void observe(DomainFixture *fixture, Domain *domain, Event *event)
{
	if (event->kind == EVENT_LIFECYCLE) {
		const char *what = lifecycle_event_to_string(event->lifecycle.event);
		g_autofree char *policy = event_detail(event, "policy");

		if (event->lifecycle.event == LIFECYCLE_STARTING)
			watch.starting++;
		if (event->lifecycle.event == LIFECYCLE_STARTED ||
		    event->lifecycle.event == LIFECYCLE_STOPPED)
			watch.starting--;
		watch.most_starting = MAX(watch.most_starting, watch.starting);
		g_ptr_array_add(watch.told, g_strdup_printf("%s %s %s %s", what, domain_get_name(domain),
				lifecycle_reason_to_string(event->lifecycle.reason), policy));
	}
	event_unref(event);
	domain_event_sent(domain);
}

static void set_up(DomainFixture *fixture, const void *data)
{
	fixture_set_up(fixture, data);
	watch = (Watch){ .told = g_ptr_array_new_with_free_func(g_free) };
}

static void tear_down(DomainFixture *fixture, const void *data)
{
	fixture->observe = NULL;
	g_ptr_array_unref(watch.told);
	fixture_tear_down(fixture, data);
}

static bool is_idle(void *userdata)
{
	DomainFixture *fixture = userdata;
	g_autoptr(GPtrArray) domains = driver_list_domains(fixture->driver);

	for (unsigned i = 0; i < domains->len; i++) {
		Domain *domain = g_ptr_array_index(domains, i);

		if (domain_get_state(domain) == DOMAIN_STATE_STARTING ||
		    (domain_is_autostart(domain) && domain_get_state(domain) == DOMAIN_STATE_SHUT_OFF &&
		     domain_get_incarnation(domain) == 0))
			return false;
	}
	return true;
}

static unsigned find(const char *text)
{
	for (unsigned i = 0; i < watch.told->len; i++)
		if (g_str_equal(g_ptr_array_index(watch.told, i), text))
			return i;
	g_error("'%s' was not told", text);
}

static void define_all(DomainFixture *fixture, unsigned failing)
{
	/* Not in the order of their names. */
	for (unsigned i = N_DOMAINS; i > 0; i--) {
		g_autofree char *name = g_strdup_printf("d%02u", i - 1);

		(void)fixture_define(fixture, name, i - 1 == failing ? "start=fail" : NULL,
				     "\"autostart\": true");
	}
	(void)fixture_define(fixture, "a-manual", NULL, NULL);
	fixture_forget(fixture);
	fixture->observe = observe;
}

static unsigned n_warnings;

/* That one could not be started is a warning; what else is logged depends on what is noticed first. */
static void on_log(const char *log_domain, GLogLevelFlags level, const char *message, void *userdata)
{
	if (!(level & G_LOG_LEVEL_WARNING))
		return;
	g_assert_nonnull(strstr(message, userdata));
	n_warnings++;
}

static gboolean is_fatal(const char *log_domain, GLogLevelFlags level, const char *message, void *userdata)
{
	return (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR)) != 0;
}

/* By name, at most so many at once, and one that fails stops none of the others. */
static void test_order(DomainFixture *fixture, const void *data)
{
	unsigned last = 0, handler;

	n_warnings = 0;
	define_all(fixture, 3);
	g_test_log_set_fatal_handler(is_fatal, NULL);
	handler = g_log_set_handler("vmherald", G_LOG_LEVEL_MASK | G_LOG_FLAG_FATAL, on_log,
				    (void *)"d03");
	driver_autostart(fixture->driver, true);
	fixture_wait(fixture, is_idle, fixture);
	g_log_remove_handler("vmherald", handler);
	g_assert_cmpuint(n_warnings, ==, 1);
	g_assert_cmpuint(watch.most_starting, ==, DRIVER_AUTOSTART_AT_ONCE_MAX);
	for (unsigned i = 0; i < N_DOMAINS; i++) {
		g_autofree char *name = g_strdup_printf("d%02u", i);
		g_autofree char *starting = g_strdup_printf("starting %s booted 'autostart'", name);
		g_autofree char *started = g_strdup_printf("started %s booted 'autostart'", name);
		Domain *domain = driver_find_domain(fixture->driver, name);

		g_assert_cmpuint(find(starting), >=, last);
		last = find(starting);
		if (i == 3)
			g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
		else
			g_assert_cmpuint(find(started), >, last);
	}
	g_assert_cmpint(domain_get_state(driver_find_domain(fixture->driver, "a-manual")), ==,
			DOMAIN_STATE_SHUT_OFF);
}

/* Once for each boot: who comes with the next call does not bring back what was shut down. */
static void test_once(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "early", NULL, "\"autostart\": true");

	fixture_forget(fixture);
	driver_autostart(fixture->driver, false);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
	fixture_forget(fixture);
	fixture_destroy(fixture, domain);
	driver_autostart(fixture->driver, false);
	fixture_run(fixture);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
	fixture_close_driver(fixture);
	fixture_open_driver(fixture);
	driver_autostart(fixture->driver, false);
	fixture_run(fixture);
	domain = driver_find_domain(fixture->driver, "early");
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
	driver_autostart(fixture->driver, true);
	fixture_wait_state(fixture, domain, DOMAIN_STATE_RUNNING);
}

/* While it waits for its turn, late is undone by change; then it is not started. */
static void check_undone(DomainFixture *fixture, void (*change)(DomainFixture *fixture, Domain *late, Answer *answer))
{
	Domain *first[DRIVER_AUTOSTART_AT_ONCE_MAX];
	Domain *late;
	unsigned handler;
	g_auto(Answer) answer = { 0 };

	for (unsigned i = 0; i < DRIVER_AUTOSTART_AT_ONCE_MAX; i++) {
		g_autofree char *name = g_strdup_printf("a%u", i);

		first[i] = fixture_define(fixture, name, "hang=cont", "\"autostart\": true");
	}
	late = domain_ref(fixture_define(fixture, "late", NULL, "\"autostart\": true"));
	fixture_forget(fixture);
	fixture->observe = observe;
	driver_autostart(fixture->driver, true);
	change(fixture, late, &answer);
	answer_wait_ok(fixture, &answer);
	g_test_log_set_fatal_handler(is_fatal, NULL);
	n_warnings = 0;
	handler = g_log_set_handler("vmherald", G_LOG_LEVEL_MASK | G_LOG_FLAG_FATAL, on_log,
				    (void *)"destroyed while it started");
	for (unsigned i = 0; i < DRIVER_AUTOSTART_AT_ONCE_MAX; i++) {
		g_auto(Answer) destroyed = { 0 };

		domain_destroy(first[i], 0, on_answer, &destroyed);
		answer_wait_ok(fixture, &destroyed);
	}
	fixture_run(fixture);
	g_log_remove_handler("vmherald", handler);
	g_assert_cmpuint(n_warnings, ==, DRIVER_AUTOSTART_AT_ONCE_MAX);
	g_assert_cmpint(domain_get_state(late), ==, DOMAIN_STATE_SHUT_OFF);
	g_assert_cmpuint(domain_get_incarnation(late), ==, 0);
	domain_unref(late);
}

static void undefine(DomainFixture *fixture, Domain *late, Answer *answer)
{
	driver_undefine(fixture->driver, late, 0, on_driver_answer, answer);
}

/* Nobody would know of its QEMU. */
static void test_undefined_meanwhile(DomainFixture *fixture, const void *data)
{
	check_undone(fixture, undefine);
}

static void unset(DomainFixture *fixture, Domain *late, Answer *answer)
{
	driver_set_autostart(fixture->driver, late, false, on_driver_answer, answer);
}

/* Whoever was told that it is not started with the host any more does not see it start. */
static void test_unset_meanwhile(DomainFixture *fixture, const void *data)
{
	check_undone(fixture, unset);
}

/* ---- the end of all ---- */

static void on_shut_down(void *userdata)
{
	bool *done = userdata;

	g_assert_false(*done);
	*done = true;
}

static bool is_set(void *userdata)
{
	return *(bool *)userdata;
}

/* Nor by a reload while it goes on; and who comes next does what was left out. */
static void test_no_autostart_while_shutting_down(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "early", NULL, "\"autostart\": true");
	g_auto(Answer) answer = { 0 };
	bool done = false;

	driver_shut_down(fixture->driver, 1000 * 1000, on_shut_down, &done);
	driver_autostart(fixture->driver, false);
	driver_reload(fixture->driver, on_driver_answer, &answer);
	answer_wait_ok(fixture, &answer);
	fixture_wait(fixture, is_set, &done);
	g_assert_cmpuint(domain_get_incarnation(domain), ==, 0);
	fixture_close_driver(fixture);
	fixture_open_driver(fixture);
	driver_autostart(fixture->driver, false);
	fixture_wait_state(fixture, driver_find_domain(fixture->driver, "early"), DOMAIN_STATE_RUNNING);
}

static void test_shut_down(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", "powerdown=obey", "\"on-shutdown\": \"restart\"");
	g_auto(Answer) answer = { 0 };
	bool done = false;

	fixture_forget(fixture);
	driver_shut_down(fixture->driver, 1000 * 1000, on_shut_down, &done);
	g_assert_true(driver_is_shutting_down(fixture->driver));
	fixture_wait(fixture, is_set, &done);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
	fixture_expect(fixture, domain, "PowerdownRequested api", "shutdown guest shutting-down",
		       "stopped shutdown shut-off", NULL);
	/* Its own policy has no say. */
	assert_detail(fixture_last(fixture), "policy", "'on-exit'");
	assert_detail(fixture_last(fixture), "action", "'shutdown'");
	/* Nothing is started any more. */
	domain_start(domain, false, on_answer, &answer);
	answer_wait_error(fixture, &answer, CORE_ERROR_WRONG_STATE, "The service is leaving");
}

/* Who does not hear is ended when the time is up, also one that ignores the first signal. */
static void test_deadline(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	bool done = false;

	fixture_forget(fixture);
	driver_shut_down(fixture->driver, 1, on_shut_down, &done);
	fixture_wait(fixture, is_set, &done);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
}

/* A start that is under way is not cut off before its time. */
static void test_starting(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a", "powerdown=obey", NULL);
	g_auto(Answer) answer = { 0 };
	bool done = false;

	domain_start(domain, false, on_answer, &answer);
	driver_shut_down(fixture->driver, 1000 * 1000, on_shut_down, &done);
	answer_wait_ok(fixture, &answer);
	fixture_wait(fixture, is_set, &done);
	g_assert_cmpint(domain_get_state(domain), ==, DOMAIN_STATE_SHUT_OFF);
}

/* The service is killed in the middle of it: what still runs is found by the next. */
static void test_shut_down_cut_off(DomainFixture *fixture, const void *data)
{
	bool done = false;

	(void)fixture_run_domain(fixture, "a", NULL, NULL);
	driver_shut_down(fixture->driver, 1000 * 1000, on_shut_down, &done);
	fixture_run(fixture);
	g_assert_false(done);
	fixture_close_driver(fixture);
	fixture_open_driver(fixture);
	fixture_wait_state(fixture, driver_find_domain(fixture->driver, "a"), DOMAIN_STATE_RUNNING);
}

#define ADD(name, function)                                                                        \
	g_test_add("/domain/autostart/" name, DomainFixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("order", test_order);
	ADD("once", test_once);
	ADD("undefined-meanwhile", test_undefined_meanwhile);
	ADD("unset-meanwhile", test_unset_meanwhile);
	ADD("shut-down", test_shut_down);
	ADD("no-autostart-while-shutting-down", test_no_autostart_while_shutting_down);
	ADD("deadline", test_deadline);
	ADD("starting", test_starting);
	ADD("shut-down-cut-off", test_shut_down_cut_off);
	return g_test_run();
}
