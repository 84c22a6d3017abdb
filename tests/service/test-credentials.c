/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "credentials.h"

#include <errno.h>
#include <unistd.h>

#include "bus-fixture.h"
#include "bus/names.h"

/* The other end of the connection plays the bus: it sends calls of many senders, and says who they are, when the case wants it. */

typedef struct Fixture {
	BusFixture bus;
	Credentials *credentials;
	GString *dispatched;         /* members, in the order in which they have passed */
} Fixture;

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Fixture *fixture = userdata;
	int r;

	if (!sd_bus_message_is_method_call(message, NULL, NULL))
		return 0;
	r = credentials_filter(fixture->credentials, message, ret_error);
	if (r == 0) {
		g_string_append(fixture->dispatched, sd_bus_message_get_member(message));
		return 1;
	}
	return r;
}

static void set_up(Fixture *fixture, const void *data)
{
	bus_set_up(&fixture->bus, NULL);
	fixture->credentials = credentials_new(fixture->bus.service);
	fixture->dispatched = g_string_new(NULL);
	g_assert_cmpint(sd_bus_add_filter(fixture->bus.service, NULL, on_message, fixture), >=, 0);
}

static void tear_down(Fixture *fixture, const void *data)
{
	fixture->credentials = credentials_free(fixture->credentials);
	bus_tear_down(&fixture->bus, NULL);
	g_string_free(fixture->dispatched, TRUE);
}

/* Until neither end has anything more to do. */
static void run(Fixture *fixture)
{
	uint64_t queued = 1;

	while (queued > 0) {
		while (bus_run_service(&fixture->bus))
			;
		bus_run_client(&fixture->bus);
		g_assert_cmpint(sd_bus_get_n_queued_write(fixture->bus.client, &queued), >=, 0);
	}
	while (bus_run_service(&fixture->bus))
		;
	bus_run_client(&fixture->bus);
}

static void call(Fixture *fixture, const char *sender, const char *member)
{
	g_autoptr(sd_bus_message) message = NULL;
	uint64_t cookie;             /* asked for: else no answer is expected */

	g_assert_cmpint(sd_bus_message_new_method_call(fixture->bus.client, &message, NULL, "/a", "a.b", member),
			>=, 0);
	if (sender)
		g_assert_cmpint(sd_bus_message_set_sender(message, sender), >=, 0);
	g_assert_cmpint(sd_bus_send(fixture->bus.client, message, &cookie), >=, 0);
}

/* The next one that the service has asked, or NULL. */
static sd_bus_message *take_question(Fixture *fixture, const char *about)
{
	g_autoptr(sd_bus_message) question = g_queue_pop_head(&fixture->bus.received);
	const char *name;

	if (!question)
		return NULL;
	g_assert_true(sd_bus_message_is_method_call(question, "org.freedesktop.DBus", "GetConnectionCredentials"));
	g_assert_cmpint(sd_bus_message_read(question, "s", &name), >, 0);
	g_assert_cmpstr(name, ==, about);
	return g_steal_pointer(&question);
}

static void answer(Fixture *fixture, sd_bus_message *question, uint32_t uid)
{
	g_autoptr(sd_bus_message) reply = NULL;

	g_assert_cmpint(sd_bus_message_new_method_return(question, &reply), >=, 0);
	/* One that is not known is passed over. */
	g_assert_cmpint(sd_bus_message_append(reply, "a{sv}", 3, "LinuxSecurityLabel", "ay", 1, 0,
					      "UnixUserID", "u", uid, "ProcessID", "u", uid + 1), >=, 0);
	g_assert_cmpint(sd_bus_send(fixture->bus.client, reply, NULL), >=, 0);
}

static void answer_next(Fixture *fixture, const char *about, uint32_t uid)
{
	g_autoptr(sd_bus_message) question = take_question(fixture, about);

	g_assert_nonnull(question);
	answer(fixture, question, uid);
}

/* The next one that the peer has got is an error of that name. */
static void assert_error(Fixture *fixture, const char *name)
{
	g_autoptr(sd_bus_message) message = g_queue_pop_head(&fixture->bus.received);

	g_assert_nonnull(message);
	g_assert_true(sd_bus_message_is_method_error(message, name));
}

/* ---- cases ---- */

static void test_asked_once(Fixture *fixture, const void *data)
{
	uid_t uid = 0;
	pid_t pid = 0;

	call(fixture, ":1.1", "A");
	run(fixture);
	g_assert_cmpstr(fixture->dispatched->str, ==, "");
	g_assert_false(credentials_get(fixture->credentials, ":1.1", &uid, &pid));
	g_assert_cmpuint(credentials_count_waiting(fixture->credentials), ==, 1);
	answer_next(fixture, ":1.1", 1000);
	run(fixture);
	g_assert_cmpstr(fixture->dispatched->str, ==, "A");
	g_assert_true(credentials_get(fixture->credentials, ":1.1", &uid, &pid));
	g_assert_cmpuint(uid, ==, 1000);
	g_assert_cmpint(pid, ==, 1001);
	call(fixture, ":1.1", "B");
	run(fixture);
	g_assert_cmpstr(fixture->dispatched->str, ==, "AB");
	g_assert_true(g_queue_is_empty(&fixture->bus.received));
	g_assert_cmpuint(credentials_count_waiting(fixture->credentials), ==, 0);
}

/* What is read in the same turn as the answer does not overtake what has waited for it, and others do not wait. */
static void test_order(Fixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) first = NULL, second = NULL;

	call(fixture, ":1.1", "A");
	call(fixture, ":1.2", "x");
	call(fixture, ":1.1", "B");
	run(fixture);
	first = take_question(fixture, ":1.1");
	second = take_question(fixture, ":1.2");
	answer(fixture, second, 2);
	run(fixture);
	g_assert_cmpstr(fixture->dispatched->str, ==, "x");
	answer(fixture, first, 1);
	call(fixture, ":1.1", "C");
	call(fixture, ":1.1", "D");
	run(fixture);
	g_assert_cmpstr(fixture->dispatched->str, ==, "xABCD");
	g_assert_cmpuint(credentials_count_waiting(fixture->credentials), ==, 0);
}

static void test_not_told(Fixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) question = NULL;
	const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(SD_BUS_ERROR_NAME_HAS_NO_OWNER, "gone");

	call(fixture, ":1.1", "A");
	run(fixture);
	question = take_question(fixture, ":1.1");
	g_assert_cmpint(sd_bus_reply_method_error(question, &error), >=, 0);
	run(fixture);
	assert_error(fixture, SD_BUS_ERROR_ACCESS_DENIED);
	g_assert_cmpuint(credentials_count_senders(fixture->credentials), ==, 0);
	/* Without a user nobody is anybody. */
	call(fixture, ":1.1", "A");
	run(fixture);
	question = sd_bus_message_unref(question);
	question = take_question(fixture, ":1.1");
	{
		g_autoptr(sd_bus_message) reply = NULL;

		g_assert_cmpint(sd_bus_message_new_method_return(question, &reply), >=, 0);
		g_assert_cmpint(sd_bus_message_append(reply, "a{sv}", 1, "ProcessID", "u", 1), >=, 0);
		g_assert_cmpint(sd_bus_send(fixture->bus.client, reply, NULL), >=, 0);
	}
	run(fixture);
	assert_error(fixture, SD_BUS_ERROR_ACCESS_DENIED);
	/* Nor is he of whom nobody says that he has sent it. */
	call(fixture, NULL, "A");
	run(fixture);
	assert_error(fixture, SD_BUS_ERROR_ACCESS_DENIED);
	g_assert_cmpstr(fixture->dispatched->str, ==, "");
}

static void test_leaves(Fixture *fixture, const void *data)
{
	uid_t uid;

	call(fixture, ":1.1", "A");
	run(fixture);
	credentials_forget(fixture->credentials, ":1.1");
	g_assert_cmpuint(credentials_count_waiting(fixture->credentials), ==, 0);
	answer_next(fixture, ":1.1", 1);
	run(fixture);
	g_assert_cmpstr(fixture->dispatched->str, ==, "");
	g_assert_false(credentials_get(fixture->credentials, ":1.1", &uid, NULL));
	credentials_forget(fixture->credentials, ":1.1");
}

static void test_bounds(Fixture *fixture, const void *data)
{
	uid_t uid;

	for (unsigned i = 0; i < CREDENTIALS_WAITING_MAX + 1; i++)
		call(fixture, ":1.1", "A");
	run(fixture);
	g_assert_cmpuint(credentials_count_waiting(fixture->credentials), ==, CREDENTIALS_WAITING_MAX);
	answer_next(fixture, ":1.1", 1);
	assert_error(fixture, BUS_ERROR("LimitExceeded"));
	run(fixture);
	g_assert_cmpuint(fixture->dispatched->len, ==, CREDENTIALS_WAITING_MAX);
	for (unsigned i = 0; i < CREDENTIALS_SENDERS_MAX; i++) {
		g_autofree char *name = g_strdup_printf(":2.%u", i);

		call(fixture, name, "B");
		run(fixture);
		answer_next(fixture, name, i);
		run(fixture);
	}
	g_assert_cmpuint(credentials_count_senders(fixture->credentials), ==, CREDENTIALS_SENDERS_MAX);
	g_assert_false(credentials_get(fixture->credentials, ":1.1", &uid, NULL));
	g_assert_true(credentials_get(fixture->credentials, ":2.0", &uid, NULL));
}

static void test_all_wait(Fixture *fixture, const void *data)
{
	for (unsigned i = 0; i <= CREDENTIALS_WAITING_ALL_MAX / CREDENTIALS_WAITING_MAX; i++) {
		g_autofree char *name = g_strdup_printf(":1.%u", i);

		for (unsigned k = 0; k < CREDENTIALS_WAITING_MAX; k++)
			call(fixture, name, "A");
		run(fixture);
	}
	g_assert_cmpuint(credentials_count_waiting(fixture->credentials), ==, CREDENTIALS_WAITING_ALL_MAX);
	/* At the end all are answered. */
	fixture->credentials = credentials_free(fixture->credentials);
	run(fixture);
	g_assert_true(sd_bus_message_is_method_error(g_queue_peek_tail(&fixture->bus.received),
						     BUS_ERROR("MonitorLost")));
}

static void test_session(void)
{
	uid_t uid = 1;

	g_assert_cmpint(credentials_filter(NULL, NULL, NULL), ==, 0);
	g_assert_true(credentials_get(NULL, ":1.1", &uid, NULL));
	g_assert_cmpuint(uid, ==, getuid());
	credentials_forget(NULL, ":1.1");
	g_assert_cmpuint(credentials_count_waiting(NULL) + credentials_count_senders(NULL), ==, 0);
	g_assert_null(credentials_free(NULL));
}

#define CASE(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
	CASE("/credentials/asked-once", test_asked_once);
	CASE("/credentials/order", test_order);
	CASE("/credentials/not-told", test_not_told);
	CASE("/credentials/leaves", test_leaves);
	CASE("/credentials/bounds", test_bounds);
	CASE("/credentials/all-wait", test_all_wait);
	g_test_add_func("/credentials/session", test_session);
	return g_test_run();
}
