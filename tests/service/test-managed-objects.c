/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "managed-objects.h"

#include <string.h>
#include <unistd.h>

#include "bus-fixture.h"
#include "bus/loop-sd-event.h"
#include "bus/names.h"
#include "bus/object-path.h"
#include "domain-object.h"
#include "domain/domain-internal.h"
#include "manager-object.h"
#include "method-call.h"

/*
 * A real driver, whose domains never run, and a peer that asks for all of them while they change. The number of a run is what
 * changes: it only grows, so that an answer which is older than a signal before it is seen as such.
 */

#define MANY (MANAGED_OBJECTS_AT_ONCE + 36)

typedef struct Fixture {
	BusFixture bus;
	Service service;
	bool done;
	GPtrArray *domains;          /* borrowed */
	GHashTable *told;            /* path -> the newest number that the client knows */
	unsigned answers, refusals;
	unsigned in_answer;          /* objects in the last one */
} Fixture;

/* ---- the service ---- */

static void on_added(Domain *domain, void *userdata)
{
	Fixture *fixture = userdata;

	managed_objects_domain_added(fixture->service.managed_objects, domain);
	emitter_domain_added(fixture->service.emitter, domain);
}

static void on_removed(Domain *domain, void *userdata)
{
	Fixture *fixture = userdata;

	managed_objects_domain_removed(fixture->service.managed_objects, domain);
	emitter_domain_removed(fixture->service.emitter, domain);
}

static void on_event(Domain *domain, Event *event, void *userdata)
{
	emitter_event(((Fixture *)userdata)->service.emitter, domain, event);
}

static void on_changed(Domain *domain, DomainProperty properties, void *userdata)
{
	Fixture *fixture = userdata;

	managed_objects_domain_changed(fixture->service.managed_objects, domain);
	emitter_domain_changed(fixture->service.emitter, domain, properties);
}

static void on_manager_changed(void *userdata)
{
}

static void on_started(void *userdata)
{
	((Fixture *)userdata)->done = true;
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	return managed_objects_filter(((Fixture *)userdata)->service.managed_objects, message, ret_error);
}

static void on_answer(Domain *domain, const GError *error, void *userdata)
{
	g_assert_no_error(error);
	((Fixture *)userdata)->done = true;
}

static Domain *define(Fixture *fixture, const char *name)
{
	g_autofree char *text = g_strdup_printf("{\"name\":\"%s\"}", name);

	fixture->done = false;
	driver_define(fixture->service.driver, geteuid(), text, on_answer, fixture);
	bus_wait_for(&fixture->bus, &fixture->done);
	return driver_find_domain(fixture->service.driver, name);
}

static void define_many(Fixture *fixture, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *name = g_strdup_printf("domain%03u", i);

		g_ptr_array_add(fixture->domains, define(fixture, name));
	}
}

static void undefine(Fixture *fixture, Domain *domain)
{
	fixture->done = false;
	driver_undefine(fixture->service.driver, domain, false, on_answer, fixture);
	bus_wait_for(&fixture->bus, &fixture->done);
}

static void set_up(Fixture *fixture, const void *data)
{
	const DriverObserver observer = { on_added, on_removed, on_event, on_changed,
					  on_manager_changed, on_manager_changed,
					  on_manager_changed, fixture };
	Service *service = &fixture->service;
	g_autoptr(GError) error = NULL;

	(void)bus_get_folder();
	bus_set_up(&fixture->bus, NULL);
	service->event = fixture->bus.event;
	service->bus = fixture->bus.service;
	service->loop = loop_sd_event_new(fixture->bus.event);
	service->callers = callers_new();
	service->actions = actions_new();
	service->instance_id = (char *)"test";
	service->emitter = emitter_new(service);
	service->managed_objects = managed_objects_new(service);
	/* Each domain is a slice. */
	managed_objects_set_slice(service->managed_objects, 0);
	g_assert_cmpint(sd_bus_add_filter(service->bus, NULL, on_message, fixture), >=, 0);
	g_assert_cmpint(manager_object_register(service), >=, 0);
	g_assert_cmpint(domain_object_register(service), >=, 0);
	service->driver = driver_new(service->loop, true, &observer, &error);
	g_assert_no_error(error);
	fixture->domains = g_ptr_array_new();
	fixture->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	driver_start(service->driver, on_started, fixture);
	bus_wait_for(&fixture->bus, &fixture->done);
	emitter_open(service->emitter);
}

static void tear_down(Fixture *fixture, const void *data)
{
	fixture->service.managed_objects = managed_objects_free(fixture->service.managed_objects);
	fixture->service.driver = driver_free(fixture->service.driver);
	fixture->service.emitter = emitter_free(fixture->service.emitter);
	fixture->service.callers = callers_free(fixture->service.callers);
	fixture->service.actions = actions_free(fixture->service.actions);
	fixture->service.loop = loop_free(fixture->service.loop);
	g_ptr_array_unref(fixture->domains);
	g_hash_table_unref(fixture->told);
	bus_tear_down(&fixture->bus, NULL);
	g_assert_true(directories_remove(bus_get_folder(), NULL));
}

/* ---- the client ---- */

static void call(Fixture *fixture)
{
	g_autoptr(sd_bus_message) message = NULL;

	g_assert_cmpint(sd_bus_message_new_method_call(fixture->bus.client, &message, NULL, BUS_PATH,
						       BUS_OBJECT_MANAGER, "GetManagedObjects"), >=, 0);
	g_assert_cmpint(sd_bus_send(fixture->bus.client, message, &(uint64_t){ 0 }), >=, 0);
}

static void learn(Fixture *fixture, const char *path, uint64_t number)
{
	const uint64_t *told = g_hash_table_lookup(fixture->told, path);

	g_assert_true(!told || *told <= number);
	g_hash_table_replace(fixture->told, g_strdup(path), g_memdup2(&number, sizeof(number)));
}

/* What one property says, if it is the number. True: it was. */
static bool read_number(sd_bus_message *message, uint64_t *ret_number)
{
	const char *name;

	g_assert_cmpint(sd_bus_message_read(message, "s", &name), >, 0);
	if (!g_str_equal(name, "Incarnation")) {
		g_assert_cmpint(sd_bus_message_skip(message, "v"), >, 0);
		return false;
	}
	g_assert_cmpint(sd_bus_message_read(message, "v", "t", ret_number), >, 0);
	return true;
}

/* a{sv}. */
static void learn_properties(Fixture *fixture, sd_bus_message *message, const char *path)
{
	uint64_t number;

	g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "{sv}"), >, 0);
	while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
		if (read_number(message, &number))
			learn(fixture, path, number);
		g_assert_cmpint(sd_bus_message_exit_container(message), >, 0);
	}
	g_assert_cmpint(sd_bus_message_exit_container(message), >, 0);
}

/* a{sa{sv}}. */
static void learn_interfaces(Fixture *fixture, sd_bus_message *message, const char *path)
{
	const char *interface;

	g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "{sa{sv}}"), >, 0);
	while (sd_bus_message_enter_container(message, 'e', "sa{sv}") > 0) {
		g_assert_cmpint(sd_bus_message_read(message, "s", &interface), >, 0);
		learn_properties(fixture, message, path);
		g_assert_cmpint(sd_bus_message_exit_container(message), >, 0);
	}
	g_assert_cmpint(sd_bus_message_exit_container(message), >, 0);
}

/* What is not in it was removed before, and what is has not been. */
static void learn_answer(Fixture *fixture, sd_bus_message *message)
{
	g_autoptr(GHashTable) before = g_steal_pointer(&fixture->told);
	GHashTableIter iter;
	void *path;

	fixture->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	fixture->in_answer = 0;
	g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "{oa{sa{sv}}}"), >, 0);
	while (sd_bus_message_enter_container(message, 'e', "oa{sa{sv}}") > 0) {
		const uint64_t *told, *now;
		const char *object;

		g_assert_cmpint(sd_bus_message_read(message, "o", &object), >, 0);
		g_assert_false(g_hash_table_contains(fixture->told, object));
		learn_interfaces(fixture, message, object);
		told = g_hash_table_lookup(before, object);
		now = g_hash_table_lookup(fixture->told, object);
		/* WARNING: this is what it is all about. */
		g_assert_true(now && (!told || *told <= *now));
		fixture->in_answer++;
		g_assert_cmpint(sd_bus_message_exit_container(message), >, 0);
	}
	g_hash_table_iter_init(&iter, before);
	while (g_hash_table_iter_next(&iter, &path, NULL))
		g_assert_true(g_hash_table_contains(fixture->told, path));
	fixture->answers++;
}

static void learn_signal(Fixture *fixture, sd_bus_message *message)
{
	const char *member = sd_bus_message_get_member(message), *text;

	if (g_str_equal(member, "PropertiesChanged")) {
		g_assert_cmpint(sd_bus_message_read(message, "s", &text), >, 0);
		learn_properties(fixture, message, sd_bus_message_get_path(message));
	} else if (g_str_equal(member, "InterfacesAdded")) {
		g_assert_cmpint(sd_bus_message_read(message, "o", &text), >, 0);
		learn_interfaces(fixture, message, text);
	} else if (g_str_equal(member, "InterfacesRemoved")) {
		g_assert_cmpint(sd_bus_message_read(message, "o", &text), >, 0);
		g_hash_table_remove(fixture->told, text);
	}
}

static void take_in(Fixture *fixture)
{
	sd_bus_message *next;

	bus_run_client(&fixture->bus);
	while ((next = g_queue_pop_head(&fixture->bus.received))) {
		g_autoptr(sd_bus_message) message = next;

		if (sd_bus_message_is_method_error(message, NULL))
			fixture->refusals++;
		else if (!sd_bus_message_get_member(message))
			learn_answer(fixture, message);
		else
			learn_signal(fixture, message);
	}
}

static void run(Fixture *fixture, unsigned answers)
{
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;

	do {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		(void)bus_run_service(&fixture->bus);
		take_in(fixture);
	} while (fixture->answers < answers || !emitter_is_empty(fixture->service.emitter));
	while (bus_run_service(&fixture->bus))
		;
	take_in(fixture);
}

/* The client knows of all domains how they are. */
static void assert_known(Fixture *fixture)
{
	g_autoptr(GPtrArray) domains = driver_list_domains(fixture->service.driver);

	g_assert_cmpuint(g_hash_table_size(fixture->told), ==, domains->len);
	for (unsigned i = 0; i < domains->len; i++) {
		g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domains->pdata[i]));
		const uint64_t *told = g_hash_table_lookup(fixture->told, path);

		g_assert_nonnull(told);
		g_assert_cmpuint(*told, ==, domain_get_incarnation(domains->pdata[i]));
	}
}

/* ---- changes ---- */

/* With an event every other time, which has its properties told before it. */
static void change(Fixture *fixture, unsigned i)
{
	Domain *domain = fixture->domains->pdata[i];

	domain->incarnation++;
	domain_changed(domain, DOMAIN_PROPERTY_INCARNATION);
	if (domain->incarnation % 2)
		domain_emit_defined(domain, LIFECYCLE_REASON_UPDATED);
}

static void turns(Fixture *fixture, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		(void)bus_run_service(&fixture->bus);
		take_in(fixture);
	}
}

/* Until the call has come, and some have been written. */
static void begin_call(Fixture *fixture)
{
	run(fixture, 0);
	call(fixture);
	turns(fixture, 20);
	g_assert_cmpuint(fixture->answers, ==, 0);
	g_assert_cmpuint(fixture->service.calls, ==, 1);
}

/* ---- tests ---- */

static void test_few(Fixture *fixture, const void *data)
{
	define_many(fixture, 3);
	run(fixture, 0);
	call(fixture);
	run(fixture, 1);
	g_assert_cmpuint(fixture->in_answer, ==, 3);
	assert_known(fixture);
	g_assert_cmpuint(fixture->service.calls, ==, 0);
}

static void test_many(Fixture *fixture, const void *data)
{
	define_many(fixture, MANY);
	begin_call(fixture);
	/* Others are served meanwhile, and events told. */
	change(fixture, MANY - 1);
	turns(fixture, 10);
	g_assert_cmpuint(fixture->answers, ==, 0);
	run(fixture, 1);
	g_assert_cmpuint(fixture->in_answer, ==, MANY);
	assert_known(fixture);
	g_assert_cmpuint(fixture->service.calls, ==, 0);
}

/* One that is written already changes. */
static void test_written_changes(Fixture *fixture, const void *data)
{
	define_many(fixture, MANY);
	begin_call(fixture);
	change(fixture, 0);
	run(fixture, 1);
	assert_known(fixture);
	/* It is known to be restless now, and is written last. */
	call(fixture);
	turns(fixture, 60);
	g_assert_cmpuint(fixture->answers, ==, 1);
	change(fixture, 0);
	run(fixture, 2);
	assert_known(fixture);
}

/* All change all the time: it is answered all the same. */
static void test_no_quiet(Fixture *fixture, const void *data)
{
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;
	unsigned n = 0;

	define_many(fixture, MANY);
	begin_call(fixture);
	while (fixture->answers == 0) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		change(fixture, n++ % MANY);
		turns(fixture, 2);
	}
	run(fixture, 1);
	assert_known(fixture);
	/* Begun anew a few times, each of them long before its end. */
	g_assert_cmpuint(n, <, 2 * MANY);
}

static void test_come_and_go(Fixture *fixture, const void *data)
{
	define_many(fixture, MANY);
	begin_call(fixture);
	/* Written, not written yet, and new. */
	undefine(fixture, fixture->domains->pdata[1]);
	undefine(fixture, fixture->domains->pdata[MANY - 2]);
	(void)define(fixture, "a-new-one");
	(void)define(fixture, "zz-new-one");
	run(fixture, 1);
	g_assert_cmpuint(fixture->in_answer, ==, MANY);
	assert_known(fixture);
}

/* Whatever happens at whatever time. */
static void test_dice(Fixture *fixture, const void *data)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);
	unsigned calls = 0;

	define_many(fixture, MANY);
	for (unsigned i = 0; i < 4000; i++) {
		/* Some more often than others, and sometimes all at once. */
		if (g_rand_int_range(rand, 0, 4) == 0)
			change(fixture, (unsigned)g_rand_int_range(rand, 0, g_rand_boolean(rand) ? 5 : MANY));
		if (g_rand_int_range(rand, 0, 400) == 0)
			for (unsigned k = 0; k < MANY; k++)
				change(fixture, k);
		if (g_rand_int_range(rand, 0, 60) == 0 && calls < fixture->answers + 5) {
			call(fixture);
			calls++;
		}
		turns(fixture, (unsigned)g_rand_int_range(rand, 0, 4));
	}
	run(fixture, calls);
	g_assert_cmpuint(calls, >, 20);
	g_assert_cmpuint(fixture->refusals, ==, 0);
	g_assert_cmpuint(fixture->service.calls, ==, 0);
	assert_known(fixture);
}

/* What sd-bus itself would say, of one domain. */
static void test_as_sd_bus(Fixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) ours = bus_new_message(&fixture->bus);
	g_autofree char *path = NULL, *text = NULL;

	define_many(fixture, 1);
	path = bus_path_from_uuid(domain_get_uuid(fixture->domains->pdata[0]));
	g_assert_cmpint(sd_bus_message_open_container(ours, 'a', "{oa{sa{sv}}}"), >=, 0);
	g_assert_cmpint(domain_object_append(&fixture->service, fixture->domains->pdata[0], ours), >=, 0);
	g_assert_cmpint(sd_bus_message_close_container(ours), >=, 0);
	bus_seal(ours);
	text = bus_describe(ours);
	run(fixture, 0);
	g_assert_cmpint(domain_object_emit_added(fixture->bus.service, fixture->domains->pdata[0]), >=, 0);
	bus_run_client(&fixture->bus);
	g_assert_cmpuint(fixture->bus.received.length, ==, 1);
	{
		g_autoptr(sd_bus_message) theirs = g_queue_pop_head(&fixture->bus.received);
		g_autofree char *described = bus_describe(theirs), *interfaces = NULL;
		g_auto(GStrv) parts = NULL;

		/* 'PATH' [{interface ...} {interface ...}], in whatever order. */
		parts = g_strsplit(described + strlen(path) + 4, "]} {'", -1);
		for (unsigned i = 0; parts[i]; i++) {
			g_autofree char *part = g_strndup(parts[i], strcspn(parts[i], "]"));

			g_assert_nonnull(strstr(text, part));
		}
		g_assert_cmpuint(strlen(text), ==, strlen(described) + strlen("[{}]"));
	}
}

/* Its caller has gone, or the service goes. */
static void test_ends(Fixture *fixture, const void *data)
{
	define_many(fixture, MANY);
	begin_call(fixture);
	call(fixture);
	turns(fixture, 5);
	g_assert_cmpuint(fixture->service.calls, ==, 2);
	fixture->service.managed_objects = managed_objects_free(fixture->service.managed_objects);
	g_assert_cmpuint(fixture->service.calls, ==, 0);
	take_in(fixture);
	g_assert_cmpuint(fixture->refusals, ==, 2);
	g_assert_cmpuint(fixture->answers, ==, 0);
	fixture->service.managed_objects = managed_objects_new(&fixture->service);
}

/* Who has asked too much is told so, and can go on when some of it is answered. */
static void test_bound(Fixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) message = bus_new_message(&fixture->bus);
	GList links[CALLER_CALLS_MAX + CALLER_CALLS_RESERVE] = { { NULL } };

	define_many(fixture, 3);
	for (unsigned i = 0; i < G_N_ELEMENTS(links); i++)
		callers_add(fixture->service.callers, message, &links[i]);
	call(fixture);
	run(fixture, 0);
	g_assert_cmpuint(fixture->refusals, ==, 1);
	g_assert_cmpuint(fixture->answers, ==, 0);
	callers_remove(fixture->service.callers, message, &links[0]);
	call(fixture);
	run(fixture, 1);
	assert_known(fixture);
	for (unsigned i = 1; i < G_N_ELEMENTS(links); i++)
		callers_remove(fixture->service.callers, message, &links[i]);
}

#define ADD(name, function)                                                                        \
	g_test_add("/service/managed-objects/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("few", test_few);
	ADD("many", test_many);
	ADD("written-changes", test_written_changes);
	ADD("no-quiet", test_no_quiet);
	ADD("come-and-go", test_come_and_go);
	ADD("dice", test_dice);
	ADD("as-sd-bus", test_as_sd_bus);
	ADD("ends", test_ends);
	ADD("bound", test_bound);
	return g_test_run();
}
