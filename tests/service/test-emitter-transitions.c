/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emitter.h"

#include "domain/domain-internal.h"
#include "emitter-fixture.h"

/* Each transition of a domain is seen in its properties before its signal, however much waits for the bus. */

static void pass(Domain *domain, DomainState state)
{
	LifecycleEvent event = state == DOMAIN_STATE_PAUSED ? LIFECYCLE_SUSPENDED : LIFECYCLE_RESUMED;

	domain_publish_lifecycle(domain, event_new_lifecycle(0, event, LIFECYCLE_REASON_UPDATED), state);
}

/* To and fro, as often as it takes until it waits. */
static void pass_often(Domain *domain, unsigned n)
{
	domain->state = DOMAIN_STATE_RUNNING;
	for (unsigned i = 0; i < n; i++) {
		pass(domain, DOMAIN_STATE_PAUSED);
		pass(domain, DOMAIN_STATE_RUNNING);
	}
}

static char *read_state(sd_bus_message *message)
{
	const char *event, *reason, *state;

	if (g_str_equal(sd_bus_message_get_member(message), "Lifecycle")) {
		g_assert_cmpint(sd_bus_message_read(message, "sss", &event, &reason, &state), >, 0);
		return g_strdup(state);
	}
	g_assert_cmpstr(sd_bus_message_get_member(message), ==, "PropertiesChanged");
	g_assert_cmpint(sd_bus_message_skip(message, "s"), >, 0);
	g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "{sv}"), >, 0);
	while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
		g_assert_cmpint(sd_bus_message_read(message, "s", &event), >, 0);
		if (g_str_equal(event, "State")) {
			g_assert_cmpint(sd_bus_message_read(message, "v", "s", &state), >, 0);
			return g_strdup(state);
		}
		g_assert_cmpint(sd_bus_message_skip(message, "v"), >, 0);
		g_assert_cmpint(sd_bus_message_exit_container(message), >=, 0);
	}
	return NULL;
}

/* Each signal finds the state that it is the transition to in the properties, and so does the end of it all. Returns how
 * many there were. */
static unsigned assert_states(EmitterFixture *fixture, DomainState last)
{
	g_autofree char *told = g_strdup(domain_state_to_string(DOMAIN_STATE_RUNNING));
	unsigned n = 0;

	while (!g_queue_is_empty(&fixture->bus.received)) {
		g_autoptr(sd_bus_message) message = g_queue_pop_head(&fixture->bus.received);
		g_autofree char *state = read_state(message);

		if (g_str_equal(sd_bus_message_get_member(message), "Lifecycle")) {
			g_assert_cmpstr(state, ==, told);
			n++;
		} else if (state) {
			g_free(told);
			told = g_steal_pointer(&state);
		}
	}
	g_assert_cmpstr(told, ==, domain_state_to_string(last));
	return n;
}

/* In one turn come more of them than go out in one. */
static void test_turn(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");

	emitter_open(fixture->service.emitter);
	fixture_forget(fixture);
	pass_often(domain, EMITTER_TURN_BUDGET);
	/* Others go on being folded. */
	for (unsigned i = 0; i < 11; i++)
		domain_set_autostart(domain, i % 2 == 0);
	g_assert_cmpuint(domain->unsent, >, 0);
	fixture_run_both(fixture);
	g_assert_cmpuint(assert_states(fixture, DOMAIN_STATE_RUNNING), ==, 2 * EMITTER_TURN_BUDGET);
	domain->state = DOMAIN_STATE_SHUT_OFF;
}

/* Nor does one that comes without a signal overtake those that wait. */
static void test_full(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	unsigned n = 8000;

	emitter_open(fixture->service.emitter);
	fixture_forget(fixture);
	pass_often(domain, n);
	g_assert_true(domain_enter_state(domain, DOMAIN_STATE_PAUSED, LIFECYCLE_REASON_UPDATED));
	fixture_run_service(fixture);
	g_assert_cmpuint(fixture_get_queued(fixture), <=, EMITTER_BUS_QUEUE_THRESHOLD + 1);
	g_assert_cmpuint(domain->unsent, >, 0);
	fixture_run_both(fixture);
	g_assert_cmpuint(assert_states(fixture, DOMAIN_STATE_PAUSED), ==, 2 * n);
	domain->state = DOMAIN_STATE_SHUT_OFF;
}

/* InterfacesAdded has the newest, and nothing older comes behind it. */
static void test_of_new(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");

	pass_often(domain, 2);
	pass(domain, DOMAIN_STATE_PAUSED);
	emitter_open(fixture->service.emitter);
	fixture_run_both(fixture);
	fixture_assert_next(fixture, "InterfacesAdded");
	fixture_assert_next(fixture, "Lifecycle defined added");
	for (unsigned i = 0; i < 2; i++) {
		fixture_assert_next(fixture, "Lifecycle suspended updated");
		fixture_assert_next(fixture, "Lifecycle resumed updated");
	}
	fixture_assert_all(fixture, "Lifecycle suspended updated", 1);
	domain->state = DOMAIN_STATE_SHUT_OFF;
}

#define ADD(name, function)                                                                        \
	g_test_add("/service/emitter-transitions/" name, EmitterFixture, NULL, fixture_set_up, function,      \
		   fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("turn", test_turn);
	ADD("full", test_full);
	ADD("of-new", test_of_new);
	return g_test_run();
}
