/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/loop-poll.h"

/*
 * Descriptors that go with commands. The other side reads as QEMU does (chardev/char-socket.c, monitor/qmp.c): a byte at
 * a time, a descriptor that comes replaces the one that came before, a command takes it.
 */

#define GREETING "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, "        \
		 "\"package\": \"\"}, \"capabilities\": []}}\r\n"
#define CALLS 40u

typedef struct Fixture {
	Loop *loop;
	QmpMonitor *monitor;
	int server;
	int received;                /* -1: none */
	GString *line;
	unsigned n_taken;            /* descriptors, by the commands they were for */
	unsigned n_lines, n_replies;
	bool ready;
} Fixture;

static void on_ready(QmpMonitor *monitor, JsonNode *greeting, void *userdata)
{
	((Fixture *)userdata)->ready = true;
}

static const QmpMonitorHandler handler = { .ready = on_ready };

static void set_up(Fixture *fixture, const void *data)
{
	int pair[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
	fixture->server = pair[0];
	fixture->received = -1;
	fixture->line = g_string_new(NULL);
	fixture->loop = loop_poll_new();
	fixture->monitor = qmp_monitor_new(fixture->loop, pair[1], -1, &handler, fixture);
	g_assert_cmpint(write(fixture->server, GREETING, strlen(GREETING)), ==, strlen(GREETING));
}

static void tear_down(Fixture *fixture, const void *data)
{
	qmp_monitor_free(fixture->monitor);
	loop_free(fixture->loop);
	g_string_free(fixture->line, TRUE);
	if (fixture->received >= 0)
		(void)close(fixture->received);
	(void)close(fixture->server);
}

/* A file of its own; its size is its number. */
static int make_file(unsigned number)
{
	g_autofree char *path = g_strdup("/tmp/vmherald-test-XXXXXX");
	int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(ftruncate(fd, number), ==, 0);
	return fd;
}

static void take_line(Fixture *fixture)
{
	const char *number = strstr(fixture->line->str, "\"number\":");
	const char *id = strstr(fixture->line->str, "\"id\":");
	g_autofree char *reply = NULL;
	struct stat status;

	g_assert_nonnull(id);
	reply = g_strdup_printf("{\"return\": {}, \"id\": %u}\r\n", (unsigned)strtoul(id + 5, NULL, 10));
	if (number) {
		g_assert_cmpint(fixture->received, >=, 0);
		g_assert_cmpint(fstat(fixture->received, &status), ==, 0);
		g_assert_cmpint(status.st_size, ==, strtol(number + 9, NULL, 10));
		(void)close(fixture->received);
		fixture->received = -1;
		fixture->n_taken++;
	} else {
		/* None is left lying about for a command that asks for another. */
		g_assert_cmpint(fixture->received, ==, -1);
	}
	g_assert_cmpint(write(fixture->server, reply, strlen(reply)), ==, strlen(reply));
	fixture->n_lines++;
	g_string_truncate(fixture->line, 0);
}

/* Up to max bytes of what is there. False if there was none. */
static bool serve(Fixture *fixture, unsigned max)
{
	for (unsigned i = 0; i < max; i++) {
		char byte;
		struct iovec bytes = { &byte, 1 };
		union {
			char space[CMSG_SPACE(sizeof(int))];
			struct cmsghdr alignment;
		} control;
		struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1,
					  .msg_control = control.space,
					  .msg_controllen = sizeof(control.space) };
		ssize_t n = recvmsg(fixture->server, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		struct cmsghdr *header;

		if (n < 0) {
			g_assert_cmpint(errno, ==, EAGAIN);
			return i > 0;
		}
		g_assert_cmpint(n, ==, 1);
		header = CMSG_FIRSTHDR(&message);
		if (header) {
			if (fixture->received >= 0)
				(void)close(fixture->received);
			memcpy(&fixture->received, CMSG_DATA(header), sizeof(int));
		}
		g_string_append_c(fixture->line, byte);
		if (byte == '\n')
			take_line(fixture);
	}
	return true;
}

static void on_reply(JsonNode *result, const GError *error, void *userdata)
{
	g_assert_no_error(error);
	((Fixture *)userdata)->n_replies++;
}

static void run_until_replied(Fixture *fixture, unsigned n)
{
	gint64 end = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;

	while (fixture->n_replies < n) {
		g_assert_cmpint(g_get_monotonic_time(), <, end);
		(void)loop_run_once(fixture->loop, 0);
		(void)serve(fixture, 1000);
	}
}

static JsonNode *make_arguments(unsigned number, size_t padding)
{
	JsonObject *object = json_object_new();
	JsonNode *node = json_node_init_object(json_node_alloc(), object);
	g_autofree char *text = g_strnfill(padding, 'x');

	json_object_set_string_member(object, "padding", text);
	json_object_set_int_member(object, "number", number);
	json_object_unref(object);
	return node;
}

/* With and without, more than are in flight at once, some larger than what a socket takes at once. */
static void test_many(Fixture *fixture, const void *data)
{
	unsigned with = 0;

	for (unsigned i = 1; i <= CALLS; i++) {
		int fd = make_file(i);

		if (i % 3 != 0) {
			qmp_monitor_send_descriptor(fixture->monitor, fd);
			with++;
		}
		(void)qmp_monitor_execute(fixture->monitor, "take",
					  i % 3 != 0 ? make_arguments(i, i % 7 == 0 ? 500000 : 1) : NULL,
					  -1, on_reply, fixture);
		/* The caller's, and a copy goes. */
		g_assert_cmpint(fcntl(fd, F_GETFD), >=, 0);
		(void)close(fd);
	}
	run_until_replied(fixture, CALLS);
	g_assert_cmpuint(fixture->n_taken, ==, with);
	/* And qmp_capabilities. */
	g_assert_cmpuint(fixture->n_lines, ==, CALLS + 1);
}

static unsigned count_descriptors(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

static void on_failed(JsonNode *result, const GError *error, void *userdata)
{
	g_assert_nonnull(error);
	((Fixture *)userdata)->n_replies++;
}

/* Those of calls that are cancelled, time out, or are never sent are closed. */
static void test_not_sent(Fixture *fixture, const void *data)
{
	unsigned before = count_descriptors();
	uint64_t calls[CALLS];

	for (unsigned i = 0; i < CALLS; i++) {
		int fd = make_file(i);

		qmp_monitor_send_descriptor(fixture->monitor, fd);
		/* Twice: the one before goes with nothing. */
		qmp_monitor_send_descriptor(fixture->monitor, fd);
		calls[i] = qmp_monitor_execute(fixture->monitor, "take", NULL, i % 2 ? -1 : 1, on_failed,
					       fixture);
		(void)close(fd);
	}
	g_assert_cmpuint(count_descriptors(), ==, before + CALLS);
	for (unsigned i = 1; i < CALLS / 2; i += 2)
		qmp_monitor_cancel(fixture->monitor, calls[i]);
	/* The others time out: nobody serves. */
	while (fixture->n_replies < CALLS * 3 / 4)
		(void)loop_run_once(fixture->loop, 10);
	qmp_monitor_send_descriptor(fixture->monitor, fixture->server);
	fixture->monitor = qmp_monitor_free(fixture->monitor);
	g_assert_cmpuint(fixture->n_replies, ==, CALLS);
	/* The monitor's own is gone too. */
	g_assert_cmpuint(count_descriptors(), ==, before - 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/qmp/monitor-descriptors/many", Fixture, NULL, set_up, test_many, tear_down);
	g_test_add("/qmp/monitor-descriptors/not-sent", Fixture, NULL, set_up, test_not_sent, tear_down);
	return g_test_run();
}
