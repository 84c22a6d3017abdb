/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-fixture.h"

#include <inttypes.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <systemd/sd-id128.h>

static bool is_ready(sd_bus *bus)
{
	return sd_bus_is_ready(bus) > 0;
}

static void connect_ends(BusFixture *fixture)
{
	int fds[2];
	sd_id128_t id;

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
	g_assert_cmpint(sd_id128_randomize(&id), >=, 0);
	g_assert_cmpint(sd_bus_new(&fixture->service), >=, 0);
	g_assert_cmpint(sd_bus_set_fd(fixture->service, fds[0], fds[0]), >=, 0);
	g_assert_cmpint(sd_bus_set_server(fixture->service, true, id), >=, 0);
	g_assert_cmpint(sd_bus_set_anonymous(fixture->service, true), >=, 0);
	g_assert_cmpint(sd_bus_start(fixture->service), >=, 0);
	g_assert_cmpint(sd_bus_new(&fixture->client), >=, 0);
	g_assert_cmpint(sd_bus_set_fd(fixture->client, fds[1], fds[1]), >=, 0);
	g_assert_cmpint(sd_bus_set_anonymous(fixture->client, true), >=, 0);
	g_assert_cmpint(sd_bus_start(fixture->client), >=, 0);
}

void bus_set_up(BusFixture *fixture, const void *data)
{
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;

	g_queue_init(&fixture->received);
	connect_ends(fixture);
	while (!is_ready(fixture->service) || !is_ready(fixture->client)) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		g_assert_cmpint(sd_bus_process(fixture->service, NULL), >=, 0);
		g_assert_cmpint(sd_bus_process(fixture->client, NULL), >=, 0);
	}
	g_assert_cmpint(sd_event_new(&fixture->event), >=, 0);
	g_assert_cmpint(sd_bus_attach_event(fixture->service, fixture->event, SD_EVENT_PRIORITY_NORMAL),
			>=, 0);
}

static void unref_message(void *message)
{
	sd_bus_message_unref(message);
}

void bus_tear_down(BusFixture *fixture, const void *data)
{
	g_queue_clear_full(&fixture->received, unref_message);
	(void)sd_bus_detach_event(fixture->service);
	fixture->service = sd_bus_close_unref(fixture->service);
	fixture->client = sd_bus_close_unref(fixture->client);
	fixture->event = sd_event_unref(fixture->event);
}

bool bus_run_service(BusFixture *fixture)
{
	int r = sd_event_run(fixture->event, 0);

	g_assert_cmpint(r, >=, 0);
	return r > 0;
}

void bus_run_client(BusFixture *fixture)
{
	for (;;) {
		sd_bus_message *message = NULL;
		int r = sd_bus_process(fixture->client, &message);

		g_assert_cmpint(r, >=, 0);
		if (message)
			g_queue_push_tail(&fixture->received, message);
		if (r == 0)
			return;
	}
}

sd_bus_message *bus_new_message(BusFixture *fixture)
{
	sd_bus_message *message = NULL;

	g_assert_cmpint(sd_bus_message_new_signal(fixture->service, &message, "/a", "a.b", "C"), >=, 0);
	return message;
}

void bus_seal(sd_bus_message *message)
{
	g_assert_cmpint(sd_bus_message_seal(message, 1, 0), >=, 0);
	g_assert_cmpint(sd_bus_message_rewind(message, true), >=, 0);
}

static void describe_basic(sd_bus_message *message, char type, GString *text)
{
	union {
		uint8_t y;
		int b;
		int16_t n;
		uint16_t q;
		int32_t i;
		uint32_t u;
		int64_t x;
		uint64_t t;
		double d;
		const char *s;
	} value;

	g_assert_cmpint(sd_bus_message_read_basic(message, type, &value), >, 0);
	switch (type) {
	case 'y':
		g_string_append_printf(text, "%u", value.y);
		return;
	case 'b':
		g_string_append(text, value.b ? "true" : "false");
		return;
	case 'n':
		g_string_append_printf(text, "%d", value.n);
		return;
	case 'q':
		g_string_append_printf(text, "%u", value.q);
		return;
	case 'i':
		g_string_append_printf(text, "%" PRIi32, value.i);
		return;
	case 'u':
		g_string_append_printf(text, "%" PRIu32, value.u);
		return;
	case 'x':
		g_string_append_printf(text, "%" PRIi64, value.x);
		return;
	case 't':
		g_string_append_printf(text, "%" PRIu64, value.t);
		return;
	case 'd':
		g_string_append_printf(text, "%g", value.d);
		return;
	default:
		g_string_append_printf(text, "'%s'", value.s);
	}
}

static void describe(sd_bus_message *message, GString *text)
{
	const char *contents;
	char type;
	bool first = true;

	while (sd_bus_message_peek_type(message, &type, &contents) > 0) {
		if (!first)
			g_string_append_c(text, ' ');
		first = false;
		if (!contents) {
			describe_basic(message, type, text);
			continue;
		}
		if (type == 'v')
			g_string_append_printf(text, "<%s ", contents);
		else
			g_string_append_c(text, type == 'a' ? '[' : type == 'e' ? '{' : '(');
		g_assert_cmpint(sd_bus_message_enter_container(message, type, contents), >, 0);
		describe(message, text);
		g_assert_cmpint(sd_bus_message_exit_container(message), >, 0);
		g_string_append_c(text, type == 'v' ? '>' : type == 'a' ? ']' : type == 'e' ? '}' : ')');
	}
}

char *bus_describe(sd_bus_message *message)
{
	GString *text = g_string_new(NULL);

	describe(message, text);
	return g_string_free(text, FALSE);
}

/* Once: the environment must not be changed when there are threads. */
const char *bus_get_folder(void)
{
	static const char *const variables[] = { "CONFIGURATION_DIRECTORY", "STATE_DIRECTORY",
						 "RUNTIME_DIRECTORY", "LOGS_DIRECTORY", "PATH" };
	static char *folder;

	if (folder)
		return folder;
	folder = g_dir_make_tmp("vmherald-service-XXXXXX", NULL);
	g_assert_nonnull(folder);
	for (unsigned i = 0; i < G_N_ELEMENTS(variables); i++) {
		g_autofree char *path = g_build_filename(folder, variables[i], NULL);

		g_assert_true(g_setenv(variables[i], path, TRUE));
	}
	return folder;
}

void bus_wait_for(BusFixture *fixture, const bool *condition)
{
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;

	while (!*condition) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		g_assert_cmpint(sd_event_run(fixture->event, 100000), >=, 0);
	}
}
