/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emitter-fixture.h"

#include <unistd.h>

#include "bus/loop-sd-event.h"
#include "domain-object.h"
#include "domain/domain-internal.h"
#include "manager-object.h"

static void on_added(Domain *domain, void *userdata)
{
	emitter_domain_added(((EmitterFixture *)userdata)->service.emitter, domain);
}

static void on_removed(Domain *domain, void *userdata)
{
	emitter_domain_removed(((EmitterFixture *)userdata)->service.emitter, domain);
}

static void on_event(Domain *domain, Event *event, void *userdata)
{
	emitter_event(((EmitterFixture *)userdata)->service.emitter, domain, event);
}

static void on_changed(Domain *domain, DomainProperty properties, void *userdata)
{
	emitter_domain_changed(((EmitterFixture *)userdata)->service.emitter, domain, properties);
}

static void on_manager_changed(void *userdata)
{
}

static void on_started(void *userdata)
{
	((EmitterFixture *)userdata)->started = true;
}

void fixture_set_up(EmitterFixture *fixture, const void *data)
{
	const DriverObserver observer = { on_added, on_removed, on_event, on_changed,
					  on_manager_changed, on_manager_changed,
					  on_manager_changed, fixture };
	g_autoptr(GError) error = NULL;

	(void)bus_get_folder();
	bus_set_up(&fixture->bus, NULL);
	fixture->service.event = fixture->bus.event;
	fixture->service.bus = fixture->bus.service;
	fixture->service.loop = loop_sd_event_new(fixture->bus.event);
	fixture->service.callers = callers_new();
	fixture->service.actions = actions_new();
	fixture->service.instance_id = (char *)"test";
	fixture->service.emitter = emitter_new(&fixture->service);
	g_assert_cmpint(manager_object_register(&fixture->service), >=, 0);
	g_assert_cmpint(domain_object_register(&fixture->service), >=, 0);
	fixture->service.driver = driver_new(fixture->service.loop, true, &observer, &error);
	g_assert_no_error(error);
	driver_start(fixture->service.driver, on_started, fixture);
	bus_wait_for(&fixture->bus, &fixture->started);
}

void fixture_tear_down(EmitterFixture *fixture, const void *data)
{
	fixture->service.driver = driver_free(fixture->service.driver);
	fixture->service.emitter = emitter_free(fixture->service.emitter);
	fixture->service.callers = callers_free(fixture->service.callers);
	fixture->service.actions = actions_free(fixture->service.actions);
	fixture->service.loop = loop_free(fixture->service.loop);
	bus_tear_down(&fixture->bus, NULL);
	g_assert_true(directories_remove(bus_get_folder(), NULL));
}

/* ---- what the domains do ---- */

static void on_answer(Domain *domain, const GError *error, void *userdata)
{
	g_assert_no_error(error);
	((EmitterFixture *)userdata)->answered = true;
}

Domain *fixture_define(EmitterFixture *fixture, const char *name)
{
	g_autofree char *text = g_strdup_printf("{\"name\":\"%s\"}", name);

	fixture->answered = false;
	driver_define(fixture->service.driver, geteuid(), text, on_answer, fixture);
	bus_wait_for(&fixture->bus, &fixture->answered);
	return driver_find_domain(fixture->service.driver, name);
}

void fixture_undefine(EmitterFixture *fixture, Domain *domain)
{
	fixture->answered = false;
	driver_undefine(fixture->service.driver, domain, false, on_answer, fixture);
	bus_wait_for(&fixture->bus, &fixture->answered);
}

void fixture_emit(Domain *domain, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		domain_emit_defined(domain, LIFECYCLE_REASON_UPDATED);
}

void fixture_run_service(EmitterFixture *fixture)
{
	while (bus_run_service(&fixture->bus))
		;
}

uint64_t fixture_get_queued(const EmitterFixture *fixture)
{
	uint64_t queued = 0;

	g_assert_cmpint(sd_bus_get_n_queued_write(fixture->bus.service, &queued), >=, 0);
	return queued;
}

/* ---- what the peer gets ---- */

void fixture_run_both(EmitterFixture *fixture)
{
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;

	do {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		fixture_run_service(fixture);
		bus_run_client(&fixture->bus);
	} while (!emitter_is_empty(fixture->service.emitter) || fixture_get_queued(fixture) > 0);
	bus_run_client(&fixture->bus);
}

char *fixture_take(EmitterFixture *fixture)
{
	g_autoptr(sd_bus_message) message = g_queue_pop_head(&fixture->bus.received);
	const char *event, *reason, *state, *member;
	uint64_t sequence, previous, time;

	if (!message)
		return g_strdup("-");
	member = sd_bus_message_get_member(message);
	if (!member)
		return g_strdup(sd_bus_message_is_method_error(message, NULL) ? "error" : "answer");
	if (!g_str_equal(member, "Lifecycle"))
		return g_strdup(member);
	g_assert_cmpint(sd_bus_message_read(message, "sss(ttt)", &event, &reason, &state, &sequence,
					    &previous, &time), >, 0);
	g_assert_cmpuint(sequence, ==, fixture->last_sequence + 1);
	fixture->last_sequence = sequence;
	return g_strdup_printf("Lifecycle %s %s", event, reason);
}

void fixture_assert_next(EmitterFixture *fixture, const char *text)
{
	g_autofree char *next = fixture_take(fixture);

	g_assert_cmpstr(next, ==, text);
}

void fixture_assert_all(EmitterFixture *fixture, const char *text, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fixture_assert_next(fixture, text);
	g_assert_true(g_queue_is_empty(&fixture->bus.received));
}

void fixture_forget(EmitterFixture *fixture)
{
	fixture_run_both(fixture);
	g_queue_clear_full(&fixture->bus.received, (GDestroyNotify)sd_bus_message_unref);
	fixture->last_sequence = driver_get_last_sequence(fixture->service.driver);
}
