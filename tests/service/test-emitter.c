/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emitter.h"

#include <string.h>

#include "bus/names.h"
#include "bus/object-path.h"
#include "domain-object.h"
#include "domain/domain-internal.h"
#include "emitter-fixture.h"

/* What goes out, in which order, and how much of it at once. */

/* Who listens by the service's name must not miss what comes before the name. */
static void test_closed(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");

	fixture_emit(domain, 3);
	fixture_run_service(fixture);
	bus_run_client(&fixture->bus);
	g_assert_cmpuint(fixture_get_queued(fixture), ==, 0);
	g_assert_true(g_queue_is_empty(&fixture->bus.received));
	g_assert_false(emitter_is_empty(fixture->service.emitter));
	g_assert_cmpuint(domain->unsent, ==, 4);

	emitter_open(fixture->service.emitter);
	fixture_run_both(fixture);
	g_assert_cmpuint(domain->unsent, ==, 0);
	fixture_assert_next(fixture, "InterfacesAdded");
	fixture_assert_next(fixture, "Lifecycle defined added");
	fixture_assert_all(fixture, "Lifecycle defined updated", 3);
}

static void test_added_removed(EmitterFixture *fixture, const void *data)
{
	emitter_open(fixture->service.emitter);
	fixture_undefine(fixture, fixture_define(fixture, "a"));
	fixture_undefine(fixture, fixture_define(fixture, "a"));
	fixture_run_both(fixture);
	for (unsigned i = 0; i < 2; i++) {
		fixture_assert_next(fixture, "InterfacesAdded");
		fixture_assert_next(fixture, "Lifecycle defined added");
		fixture_assert_next(fixture, "Lifecycle undefined removed");
		fixture_assert_next(fixture, "InterfacesRemoved");
	}
	fixture_assert_next(fixture, "-");
}

/* Who reacts to the event finds the properties right. */
static void test_changed_before_event(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");

	emitter_open(fixture->service.emitter);
	fixture_run_both(fixture);
	g_queue_clear_full(&fixture->bus.received, (GDestroyNotify)sd_bus_message_unref);
	fixture->last_sequence = driver_get_last_sequence(fixture->service.driver);

	domain_set_autostart(domain, true);
	fixture_emit(domain, 1);
	domain_set_autostart(domain, false);
	fixture_emit(domain, 2);
	fixture_run_both(fixture);
	fixture_assert_next(fixture, "PropertiesChanged");
	fixture_assert_next(fixture, "Lifecycle defined updated");
	fixture_assert_next(fixture, "PropertiesChanged");
	fixture_assert_next(fixture, "Lifecycle defined updated");
	fixture_assert_all(fixture, "Lifecycle defined updated", 1);
}

/* Of what changes often only the newest is sent, once, and read when it is sent. */
static void test_changes_folded(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	g_autoptr(sd_bus_message) message = NULL;
	g_autofree char *text = NULL;

	emitter_open(fixture->service.emitter);
	fixture_run_both(fixture);
	g_queue_clear_full(&fixture->bus.received, (GDestroyNotify)sd_bus_message_unref);
	for (unsigned i = 0; i < 101; i++)
		domain_set_autostart(domain, i % 2 == 0);
	fixture_run_both(fixture);
	g_assert_cmpuint(g_queue_get_length(&fixture->bus.received), ==, 1);
	message = g_queue_pop_head(&fixture->bus.received);
	text = bus_describe(message);
	g_assert_cmpstr(text, ==, "'org.vmherald.Domains1.Domain' [{'Autostart' <b true>}] []");
}

/* Changes of a domain that is gone are nobody's. */
static void test_changed_then_removed(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");

	emitter_open(fixture->service.emitter);
	fixture_run_both(fixture);
	g_queue_clear_full(&fixture->bus.received, (GDestroyNotify)sd_bus_message_unref);
	fixture->last_sequence = driver_get_last_sequence(fixture->service.driver);
	fixture_undefine(fixture, domain);
	fixture_run_both(fixture);
	fixture_assert_next(fixture, "Lifecycle undefined removed");
	fixture_assert_next(fixture, "InterfacesRemoved");
	fixture_assert_next(fixture, "-");
}

/* So much in one turn, then the others have theirs. */
static void test_budget(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	unsigned n = 4 * EMITTER_TURN_BUDGET;

	emitter_open(fixture->service.emitter);
	fixture_emit(domain, n);
	/* One has gone out when the emitter was opened, and is not counted. */
	g_assert_cmpuint(domain->unsent, ==, n - EMITTER_TURN_BUDGET);
	while (domain->unsent > 0) {
		unsigned before = domain->unsent;

		g_assert_true(bus_run_service(&fixture->bus));
		g_assert_cmpuint(before - domain->unsent, <=, EMITTER_TURN_BUDGET);
		bus_run_client(&fixture->bus);
	}
	fixture_run_both(fixture);
	fixture_assert_next(fixture, "InterfacesAdded");
	fixture_assert_next(fixture, "Lifecycle defined added");
	fixture_assert_all(fixture, "Lifecycle defined updated", n);
}

/* What was found goes out before the first call is looked at, however much it is: the call changes the state. */
static void test_open_sends_all(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	unsigned n = EMITTER_BUS_QUEUE_THRESHOLD + EMITTER_TURN_BUDGET;

	fixture_emit(domain, n);
	g_assert_cmpuint(domain->unsent, ==, n + 1);
	emitter_open(fixture->service.emitter);
	g_assert_cmpuint(domain->unsent, ==, 0);
	fixture_run_both(fixture);
	fixture_assert_next(fixture, "InterfacesAdded");
	fixture_assert_next(fixture, "Lifecycle defined added");
	fixture_assert_all(fixture, "Lifecycle defined updated", n);
}

/* A peer that does not read: a bounded amount waits in the connection, the rest is counted by its domain,
 * and all of it arrives in its order once it reads. */
static void test_peer_does_not_read(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	unsigned n = 20000, sent;

	emitter_open(fixture->service.emitter);
	for (unsigned i = 1; i < n; i++) {
		fixture_emit(domain, 1);
		if (i % 1000 == 0)
			fixture_run_service(fixture);
		g_assert_cmpuint(fixture_get_queued(fixture), <=, EMITTER_BUS_QUEUE_THRESHOLD);
	}
	fixture_run_service(fixture);
	g_assert_cmpuint(fixture_get_queued(fixture), ==, EMITTER_BUS_QUEUE_THRESHOLD);
	sent = n - domain->unsent;
	g_assert_cmpuint(sent, >=, EMITTER_BUS_QUEUE_THRESHOLD - 1);
	g_assert_cmpuint(domain->unsent, >, DOMAIN_QUEUE_MAX);

	/* It reads a little: a little more is sent. */
	bus_run_client(&fixture->bus);
	fixture_run_service(fixture);
	g_assert_cmpuint(n - domain->unsent, >, sent);
	g_assert_cmpuint(fixture_get_queued(fixture), <=, EMITTER_BUS_QUEUE_THRESHOLD);

	fixture_run_both(fixture);
	g_assert_cmpuint(domain->unsent, ==, 0);
	fixture_assert_next(fixture, "InterfacesAdded");
	fixture_assert_next(fixture, "Lifecycle defined added");
	fixture_assert_all(fixture, "Lifecycle defined updated", n - 1);
}

/* Before the state is read, all that waits goes out, in its order; if that is too much, as much as may be. */
static void test_catch_up(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	unsigned n = EMITTER_BUS_QUEUE_THRESHOLD + 3 * EMITTER_TURN_BUDGET;

	g_assert_true(emitter_catch_up(fixture->service.emitter));
	g_assert_cmpuint(fixture_get_queued(fixture), ==, 0);
	emitter_open(fixture->service.emitter);
	fixture_emit(domain, n);
	g_assert_true(emitter_catch_up(fixture->service.emitter));
	g_assert_true(emitter_catch_up(fixture->service.emitter));
	fixture_run_both(fixture);
	g_assert_cmpuint(domain->unsent, ==, 0);
	fixture_assert_next(fixture, "InterfacesAdded");
	fixture_assert_next(fixture, "Lifecycle defined added");
	fixture_assert_all(fixture, "Lifecycle defined updated", n);

	fixture_emit(domain, 2 * EMITTER_CATCH_UP_MAX);
	g_assert_false(emitter_catch_up(fixture->service.emitter));
	g_assert_cmpuint(fixture_get_queued(fixture), ==, EMITTER_CATCH_UP_MAX);
	fixture_run_both(fixture);
	g_assert_true(emitter_catch_up(fixture->service.emitter));
	fixture_assert_all(fixture, "Lifecycle defined updated", 2 * EMITTER_CATCH_UP_MAX);
}

/* Changed properties count for the threshold as well. */
static void test_changes_do_not_pass(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	unsigned n = 5000;

	emitter_open(fixture->service.emitter);
	for (unsigned i = 1; i < n; i++) {
		domain_set_autostart(domain, i % 2 == 0);
		fixture_emit(domain, 1);
		/* One change goes out together with its event. */
		g_assert_cmpuint(fixture_get_queued(fixture), <=, EMITTER_BUS_QUEUE_THRESHOLD + 1);
	}
	fixture_run_service(fixture);
	g_assert_cmpuint(fixture_get_queued(fixture), <=, EMITTER_BUS_QUEUE_THRESHOLD + 1);
	fixture_run_both(fixture);
	g_assert_cmpuint(domain->unsent, ==, 0);
}

/* The connection ends, and the emitter with things left: nothing leaks, nobody is called. */
static void test_freed_full(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");

	fixture_emit(domain, 100);
	domain_set_autostart(domain, true);
	emitter_manager_changed(fixture->service.emitter, "Emulators");
	g_assert_null(emitter_free(NULL));
}

/* ---- answers ---- */

/* A call that the client does not wait for yet. */
static void send_call(EmitterFixture *fixture, const char *path, const char *interface, const char *member,
		      const char *types, ...)
{
	g_autoptr(sd_bus_message) message = NULL;
	va_list arguments;

	g_assert_cmpint(sd_bus_message_new_method_call(fixture->bus.client, &message, NULL, path,
						       interface, member), >=, 0);
	va_start(arguments, types);
	g_assert_cmpint(sd_bus_message_appendv(message, types, arguments), >=, 0);
	va_end(arguments);
	g_assert_cmpint(sd_bus_send(fixture->bus.client, message, &(uint64_t){ 0 }), >=, 0);
}

/* Who is answered has been told what has changed. */
static void test_answer_behind_changes(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));

	emitter_open(fixture->service.emitter);
	fixture_forget(fixture);
	send_call(fixture, path, BUS_INTERFACE("Domain"), "SetAutostart", "b", 1);
	while (fixture->service.calls > 0 || g_queue_is_empty(&fixture->bus.received))
		fixture_run_both(fixture);
	fixture_run_both(fixture);
	fixture_assert_next(fixture, "PropertiesChanged");
	fixture_assert_next(fixture, "answer");
	fixture_assert_next(fixture, "-");
}

static bool is_undefined(const EmitterFixture *fixture)
{
	return driver_find_domain(fixture->service.driver, "a") == NULL;
}

/* Nor does it overtake what waits for the bus, which is full. */
static void test_answer_behind_signals(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;
	unsigned n = 20000;

	emitter_open(fixture->service.emitter);
	fixture_forget(fixture);
	for (unsigned i = 0; i < n; i++) {
		fixture_emit(domain, 1);
		if (i % 1000 == 0)
			fixture_run_service(fixture);
	}
	fixture_run_service(fixture);
	send_call(fixture, path, BUS_INTERFACE("Domain"), "Undefine", "a{sv}", 0);
	g_assert_cmpint(sd_bus_flush(fixture->bus.client), >=, 0);
	while (!is_undefined(fixture)) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		g_assert_cmpint(sd_event_run(fixture->bus.event, 1000), >=, 0);
	}
	g_assert_cmpuint(fixture_get_queued(fixture), <=, EMITTER_BUS_QUEUE_THRESHOLD + 1);
	/* Full, and not just busy. */
	g_assert_cmpuint(domain->unsent, >, 0);
	fixture_run_both(fixture);
	for (unsigned i = 0; i < n; i++)
		fixture_assert_next(fixture, "Lifecycle defined updated");
	fixture_assert_next(fixture, "Lifecycle undefined removed");
	fixture_assert_next(fixture, "InterfacesRemoved");
	fixture_assert_next(fixture, "answer");
	fixture_assert_next(fixture, "-");
}

/* The turn's budget is used up by one domain: that is nothing to whom another answers. */
static void test_answer_beside_others(EmitterFixture *fixture, const void *data)
{
	Domain *busy = fixture_define(fixture, "a"), *other = fixture_define(fixture, "b");
	unsigned n = 2 * EMITTER_TURN_BUDGET;

	emitter_open(fixture->service.emitter);
	fixture_forget(fixture);
	fixture_emit(busy, n);
	g_assert_cmpuint(busy->unsent, >, 0);
	emitter_reply(fixture->service.emitter, NULL, bus_new_message(&fixture->bus));
	emitter_reply(fixture->service.emitter, busy, bus_new_message(&fixture->bus));
	emitter_reply(fixture->service.emitter, other, bus_new_message(&fixture->bus));
	fixture_run_both(fixture);
	for (unsigned i = 0; i < n + 3; i++) {
		bool is_answer = i == EMITTER_TURN_BUDGET || i > n;

		fixture_assert_next(fixture, is_answer ? "C" : "Lifecycle defined updated");
	}
	fixture_assert_next(fixture, "-");
}

/* The end: who waits still is answered, though nothing else goes out any more. */
static void test_answer_at_the_end(EmitterFixture *fixture, const void *data)
{
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;

	emitter_open(fixture->service.emitter);
	send_call(fixture, BUS_PATH, BUS_INTERFACE("Manager"), "DefineDomain", "sa{sv}",
		  "{\"name\":\"late\"}", 0);
	while (fixture->service.calls == 0) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		(void)sd_bus_process(fixture->bus.client, NULL);
		g_assert_cmpint(sd_event_run(fixture->bus.event, 1000), >=, 0);
	}
	emitter_flush(fixture->service.emitter);
	fixture->service.driver = driver_free(fixture->service.driver);
	g_assert_cmpuint(fixture->service.calls, ==, 0);
	while (g_queue_is_empty(&fixture->bus.received)) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		fixture_run_service(fixture);
		bus_run_client(&fixture->bus);
	}
	fixture_assert_next(fixture, "error");
}

/* ---- identities of clients ---- */

#define WHO "alice"

static void connect_client(Domain *domain)
{
	Event *event = event_new(EVENT_DISPLAY_CLIENT, 0);

	event->display_client = DISPLAY_CLIENT_EMPTY;
	event->display_client.protocol = "vnc";
	event->display_client.phase = "initialized";
	event->display_client.client_host = "10.0.0.1";
	event->display_client.client_service = "7";
	event->display_client.family = "ipv4";
	event->display_client.x509_dname = "CN=" WHO;
	event->display_client.sasl_username = WHO;
	display_client_add_details(event);
	display_commit_client(domain, event);
}

/* The next message, which is of that member (NULL: an answer), as text. */
static char *take_text(EmitterFixture *fixture, const char *member)
{
	g_autoptr(sd_bus_message) message = g_queue_pop_head(&fixture->bus.received);

	g_assert_nonnull(message);
	g_assert_cmpstr(sd_bus_message_get_member(message), ==, member);
	g_assert_false(sd_bus_message_is_method_error(message, NULL));
	return bus_describe(message);
}

/* What was said has something of a domain, and nothing of who looks at it. */
static void assert_nobody(char *text, const char *something)
{
	g_assert_nonnull(strstr(text, something));
	g_assert_null(strstr(text, WHO));
	g_free(text);
}

static char *call(EmitterFixture *fixture, const char *path, const char *interface, const char *member,
		  const char *types, const char *first, const char *second)
{
	g_autoptr(sd_bus_message) message = NULL;

	g_assert_cmpint(sd_bus_message_new_method_call(fixture->bus.client, &message, NULL, path,
						       interface, member), >=, 0);
	g_assert_cmpint(sd_bus_message_append(message, types, first, second), >=, 0);
	g_assert_cmpint(sd_bus_send(fixture->bus.client, message, &(uint64_t){ 0 }), >=, 0);
	fixture_run_both(fixture);
	return take_text(fixture, NULL);
}

/* Who asks for them gets them, and nothing else has them. */
static void test_identities(EmitterFixture *fixture, const void *data)
{
	Domain *domain = fixture_define(fixture, "a");
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));
	g_autofree char *changed = NULL, *asked = NULL;

	emitter_open(fixture->service.emitter);
	fixture_run_both(fixture);
	g_queue_clear_full(&fixture->bus.received, (GDestroyNotify)sd_bus_message_unref);

	connect_client(domain);
	fixture_run_both(fixture);
	changed = take_text(fixture, "PropertiesChanged");
	g_assert_cmpstr(changed, ==, "'org.vmherald.Domains1.Display' [] ['Clients']");
	assert_nobody(take_text(fixture, "Client"), "10.0.0.1:7");
	emitter_domain_added(fixture->service.emitter, domain);
	fixture_run_both(fixture);
	assert_nobody(take_text(fixture, "InterfacesAdded"), "Domains1.Display");
	assert_nobody(call(fixture, BUS_PATH, "org.freedesktop.DBus.ObjectManager",
			   "GetManagedObjects", "", NULL, NULL), "Domains1.Display");
	assert_nobody(call(fixture, path, "org.freedesktop.DBus.Properties", "GetAll", "s",
			   BUS_INTERFACE("Domain"), NULL), "'Name'");
	assert_nobody(call(fixture, path, "org.freedesktop.DBus.Properties", "GetAll", "s",
			   BUS_INTERFACE("Display"), NULL), "");
	asked = call(fixture, path, "org.freedesktop.DBus.Properties", "Get", "ss",
		     BUS_INTERFACE("Display"), "Clients");
	g_assert_cmpstr(asked, ==, "<aa{sv} [[{'protocol' <s 'vnc'>} {'phase' <s 'initialized'>} "
				   "{'family' <s 'ipv4'>} {'server' <s ''>} "
				   "{'client' <s '10.0.0.1:7'>} {'x509-dname' <s 'CN=" WHO "'>} "
				   "{'sasl-username' <s '" WHO "'>}]]>");
	g_assert_true(g_queue_is_empty(&fixture->bus.received));
}

#define ADD(name, function)                                                                        \
	g_test_add("/service/emitter/" name, EmitterFixture, NULL, fixture_set_up, function, fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("closed", test_closed);
	ADD("added-removed", test_added_removed);
	ADD("changed-before-event", test_changed_before_event);
	ADD("changes-folded", test_changes_folded);
	ADD("changed-then-removed", test_changed_then_removed);
	ADD("budget", test_budget);
	ADD("open-sends-all", test_open_sends_all);
	ADD("peer-does-not-read", test_peer_does_not_read);
	ADD("changes-do-not-pass", test_changes_do_not_pass);
	ADD("catch-up", test_catch_up);
	ADD("freed-full", test_freed_full);
	ADD("answer-behind-changes", test_answer_behind_changes);
	ADD("answer-behind-signals", test_answer_behind_signals);
	ADD("answer-beside-others", test_answer_beside_others);
	ADD("answer-at-the-end", test_answer_at_the_end);
	ADD("identities", test_identities);
	return g_test_run();
}
