/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "domain-fixture.h"
#include "domain/domain-internal.h"

/*
 * Order under load, and flow control: what QEMU says is told in its order, each domain for itself, and a
 * reader that is slow costs nothing but time. The stamp is checked by the fixture, with each event.
 */

#define DOMAINS  8u
#define EVENTS   20000u

static unsigned next_of[DOMAINS];
static unsigned switches;            /* from one domain to another */
static Domain *last_domain;

static void count_event(DomainFixture *fixture, Domain *domain, Event *event)
{
	unsigned i, n;

	if (event->kind == EVENT_MONITOR_EVENT) {
		g_assert_cmpint(sscanf(domain_get_name(domain), "d%u", &i), ==, 1);
		g_assert_cmpint(sscanf(event->monitor_event.data, "{\"n\":%u}", &n), ==, 1);
		g_assert_cmpuint(n, ==, next_of[i]);
		next_of[i]++;
		switches += domain != last_domain;
		last_domain = domain;
	}
	event_unref(event);
	domain_event_sent(domain);
}

static bool is_complete(void *userdata)
{
	for (unsigned i = 0; i < DOMAINS; i++)
		if (next_of[i] < EVENTS)
			return false;
	return true;
}

static void test_load(DomainFixture *fixture, const void *data)
{
	Domain *domains[DOMAINS];
	Answer answers[DOMAINS] = { 0 };
	g_autofree char *arguments = g_strdup_printf("{\"first\":0,\"count\":%u}", EVENTS);

	for (unsigned i = 0; i < DOMAINS; i++) {
		g_autofree char *name = g_strdup_printf("d%u", i);

		domains[i] = fixture_run_domain(fixture, name, NULL, NULL);
	}
	fixture->observe = count_event;
	for (unsigned i = 0; i < DOMAINS; i++)
		domain_execute(domains[i], "x-flood", fixture_json(arguments), 20000, on_answer,
			       &answers[i]);
	fixture_wait(fixture, is_complete, NULL);
	for (unsigned i = 0; i < DOMAINS; i++) {
		answer_wait_ok(fixture, &answers[i]);
		answer_clear(&answers[i]);
		g_assert_cmpuint(next_of[i], ==, EVENTS);
	}
	/* None of them was served to its end before the next had its turn. */
	g_assert_cmpuint(switches, >, DOMAINS);
	fixture->observe = NULL;
}

/* A reply takes its place among the events: at the end of a call all that was before it is told. */
static void test_reply_in_order(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);

	for (unsigned i = 0; i < 20; i++) {
		g_free(fixture_execute(fixture, domain, "x-flood", "{\"first\":0,\"count\":500}"));
		g_assert_cmpuint(fixture_count(fixture, "a"), ==, 500);
		fixture_forget(fixture);
	}
}

/* ---- a reader that is slow ---- */

static bool is_held(void *userdata)
{
	return ((DomainFixture *)userdata)->unsent > DOMAIN_UNSENT_MAX;
}

static void assert_flood(const DomainFixture *fixture, const char *domain, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fixture->records->len; i++) {
		const Record *record = g_ptr_array_index(fixture->records, i);
		g_autofree char *text = NULL;

		if (!g_str_equal(record->domain, domain) || !g_str_has_prefix(record->text, "Event"))
			continue;
		text = g_strdup_printf("Event X_TEST {\"n\":%u}", n++);
		g_assert_cmpstr(record->text, ==, text);
	}
	g_assert_cmpuint(n, ==, count);
}

static void release(DomainFixture *fixture)
{
	Domain *domain = fixture->slow;

	fixture->slow = NULL;
	for (; fixture->unsent > 0; fixture->unsent--)
		domain_event_sent(domain);
}

static void test_flow_control(DomainFixture *fixture, const void *data)
{
	Domain *slow = fixture_run_domain(fixture, "slow", NULL, NULL);
	Domain *other = fixture_run_domain(fixture, "other", NULL, NULL);
	g_auto(Answer) flood = { 0 };

	fixture->slow = slow;
	domain_execute(slow, "x-flood", fixture_json("{\"first\":0,\"count\":30000}"), 60000, on_answer,
		       &flood);
	fixture_wait(fixture, is_held, fixture);
	/* The others do not notice. */
	for (unsigned i = 0; i < 10; i++)
		g_free(fixture_execute(fixture, other, "x-flood", "{\"first\":0,\"count\":1}"));
	g_free(fixture_execute(fixture, other, "x-flood", "{\"first\":0,\"count\":10000}"));
	g_assert_cmpuint(fixture_count(fixture, "other"), ==, 10010);
	/* And no more of the slow one has been taken in than the bound. */
	g_assert_cmpuint(fixture->unsent, ==, DOMAIN_UNSENT_MAX + 1);
	g_assert_cmpuint(fixture_count(fixture, "slow"), ==, DOMAIN_UNSENT_MAX + 1);
	g_assert_false(flood.done);

	release(fixture);
	answer_wait_ok(fixture, &flood);
	assert_flood(fixture, "slow", 30000);
}

static bool is_reading_held(void *userdata)
{
	return ((Domain *)userdata)->reading_held;
}

/* A step that waits for a reply goes on reading, but not without end: then its deadline ends it. */
static void test_flow_waiting(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, NULL);
	g_auto(Answer) flood = { 0 };
	g_autofree char *arguments = g_strdup_printf("{\"first\":0,\"count\":%u}",
						     2 * DOMAIN_QUEUE_WAITING_MAX);

	fixture_set(fixture, domain, "hang", "query-status");
	domain_execute(domain, "x-emit", fixture_json("{\"events\":[\"STOP\"]}"), 20000, NULL, NULL);
	domain_execute(domain, "x-flood", fixture_json(arguments), 60000, on_answer, &flood);
	fixture_wait(fixture, is_reading_held, domain);
	g_assert_cmpuint(domain->prepares, ==, 1);
	g_assert_cmpuint(strand_get_length(domain->events), <=, DOMAIN_QUEUE_WAITING_MAX + 1);
	answer_wait_ok(fixture, &flood);
	assert_flood(fixture, "a", 2 * DOMAIN_QUEUE_WAITING_MAX);
}

/* Held, let go, held again, in steps as a bus would take them. */
static void test_flow_in_steps(DomainFixture *fixture, const void *data)
{
	Domain *slow = fixture_run_domain(fixture, "slow", NULL, NULL);
	g_auto(Answer) flood = { 0 };

	fixture->slow = slow;
	domain_execute(slow, "x-flood", fixture_json("{\"first\":0,\"count\":30000}"), 60000, on_answer,
		       &flood);
	for (unsigned i = 0; i < 10; i++) {
		fixture_wait(fixture, is_held, fixture);
		g_assert_cmpuint(fixture->unsent, ==, DOMAIN_UNSENT_MAX + 1);
		while (fixture->unsent > DOMAIN_UNSENT_MAX / 2) {
			fixture->unsent--;
			domain_event_sent(slow);
		}
	}
	g_assert_false(flood.done);
	release(fixture);
	answer_wait_ok(fixture, &flood);
	assert_flood(fixture, "slow", 30000);
}

static void on_pause_over(int timeout, void *userdata)
{
	*(bool *)userdata = true;
}

static bool is_true(void *userdata)
{
	return *(bool *)userdata;
}

/* QEMU ends while it is not read: what it said last is still told, and the end after it, however long the
 * reader takes. */
static void test_end_while_held(DomainFixture *fixture, const void *data)
{
	Domain *slow = fixture_run_domain(fixture, "slow", NULL, NULL);
	g_auto(Answer) flood = { 0 }, quit = { 0 };
	bool pause_over = false;
	int timeout;

	fixture->slow = slow;
	domain_execute(slow, "x-flood", fixture_json("{\"first\":0,\"count\":7000}"), 20000, on_answer,
		       &flood);
	domain_execute(slow, "quit", NULL, 20000, on_answer, &quit);
	/* Longer than the second that the rest of a dead QEMU's words may take to arrive. */
	timeout = loop_add_timeout(fixture->loop, 2500, on_pause_over, &pause_over, NULL);
	fixture_wait(fixture, is_true, &pause_over);
	g_assert_true(loop_remove_timeout(fixture->loop, timeout));

	release(fixture);
	fixture_wait_state(fixture, slow, DOMAIN_STATE_SHUT_OFF);
	assert_flood(fixture, "slow", 7000);
	g_assert_cmpuint(fixture_count(fixture, "slow"), ==, 7002);
	g_assert_cmpstr(((Record *)g_ptr_array_index(fixture->records, 7001))->text, ==,
			"stopped shutdown shut-off");
	fixture_forget(fixture);
}

/* ---- runs ---- */

static bool is_second_run(void *userdata)
{
	return domain_get_incarnation(userdata) == 2 &&
	       domain_get_state(userdata) == DOMAIN_STATE_RUNNING;
}

/* What an old run said is told before its end or not at all: never in the next one. */
static void test_incarnation(DomainFixture *fixture, const void *data)
{
	Domain *domain = fixture_run_domain(fixture, "a", NULL, "\"on-crash\":\"restart\"");
	g_auto(Answer) flood = { 0 };
	bool stopped = false;

	domain_execute(domain, "x-flood", fixture_json("{\"first\":0,\"count\":100000}"), 20000,
		       on_answer, &flood);
	while (fixture_count(fixture, "a") == 0)
		(void)loop_run_once(fixture->loop, 100);
	g_assert_cmpint(kill(domain_get_pid(domain), SIGKILL), ==, 0);
	fixture_wait(fixture, is_second_run, domain);
	for (unsigned i = 0; i < fixture->records->len; i++) {
		const Record *record = g_ptr_array_index(fixture->records, i);

		stopped |= g_str_has_prefix(record->text, "stopped");
		if (g_str_has_prefix(record->text, "Event"))
			g_assert_false(stopped);
	}
	g_assert_true(stopped);
	fixture_forget(fixture);
	/* The new one is heard. */
	g_free(fixture_execute(fixture, domain, "x-flood", "{\"first\":0,\"count\":10}"));
	assert_flood(fixture, "a", 10);
}

#define ADD(name, function) FIXTURE_ADD("/domain/order/" name, function)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("load", test_load);
	ADD("reply-in-order", test_reply_in_order);
	ADD("flow-control", test_flow_control);
	ADD("flow-in-steps", test_flow_in_steps);
	ADD("flow-waiting", test_flow_waiting);
	ADD("end-while-held", test_end_while_held);
	ADD("incarnation", test_incarnation);
	return g_test_run();
}
