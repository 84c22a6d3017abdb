/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/json-text.h"
#include "loop/loop-poll.h"
#include "tests/qmp/monitor-fixture.h"

/* The monitor as it should be used, with a QEMU that does as it should. */

#define GREETING "{\"QMP\": {\"version\": {\"package\": \"by hand\"}}}\r\n"

static void test_handshake(MonitorFixture *f, const void *data)
{
	g_assert_false(qmp_monitor_is_ready(f->monitor));
	scripted_qmp_greet(f->server);
	/* No "enable": out-of-band execution would let QEMU answer out of order. */
	scripted_qmp_expect(f->server, "qmp_capabilities", "{}", NULL);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_unanswered(f->server) == 1);
	scripted_qmp_settle(f->loop);
	g_assert_false(qmp_monitor_is_ready(f->monitor));
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, 0);
	scripted_qmp_reply(f->server, "qmp_capabilities", "{\"return\": {}}");
	EXPECT_LOG(f, "ready scripted");
	g_assert_true(qmp_monitor_is_ready(f->monitor));
}

static void test_early_events(MonitorFixture *f, const void *data)
{
	scripted_qmp_event(f->server, "BEFORE", NULL);
	scripted_qmp_greet(f->server);
	scripted_qmp_expect(f->server, "qmp_capabilities", NULL, NULL);
	scripted_qmp_event(f->server, "BETWEEN", "{\"n\": 1}");
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_is_done(f->server));
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(f->log->len, ==, 0);

	scripted_qmp_reply(f->server, "qmp_capabilities", "{\"return\": {}}");
	scripted_qmp_event(f->server, "AFTER", NULL);
	EXPECT_LOG(f, "ready scripted", "event BEFORE", "event BETWEEN {\"n\":1}", "event AFTER");
}

static void test_call(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_expect(f->server, "query-status", "{}", "{\"return\": {\"running\": true}}");
	scripted_qmp_expect(f->server, "device_del", "{\"id\": \"x\\\"\\u00e4\\n\"}",
			    "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no x\"}}");
	scripted_qmp_expect(f->server, "nope", NULL,
			    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no nope\"}}");
	scripted_qmp_expect(f->server, "query-blockstats", NULL, "{\"return\": null}");

	monitor_fixture_call(f, "query-status", NULL, -1);
	monitor_fixture_call(f, "device_del", "{\"id\": \"x\\\"\\u00e4\\n\"}", 60000);
	monitor_fixture_call(f, "nope", NULL, -1);
	monitor_fixture_call(f, "query-blockstats", NULL, -1);
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, 4);
	EXPECT_LOG(f, "query-status = {\"running\":true}",
		   "device_del ! no-such-device: DeviceNotFound: no x",
		   "nope ! qemu-error: CommandNotFound: no nope", "query-blockstats = null");
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, 0);
}

/* What has been written and QEMU has not read yet. */
static int get_unread(const MonitorFixture *f)
{
	int bytes = -1;

	g_assert_cmpint(ioctl(qmp_monitor_get_fd(f->monitor), SIOCOUTQ, &bytes), ==, 0);
	return bytes;
}

static void test_flush(MonitorFixture *f, const void *data)
{
	/* Before QEMU is ready there is nothing to write. */
	monitor_fixture_call(f, "early", NULL, -1);
	qmp_monitor_flush(f->monitor);
	g_assert_cmpint(get_unread(f), ==, 0);
	scripted_qmp_set_reply(f->server, NULL, "{\"return\": {}}");
	scripted_qmp_handshake(f->server);
	EXPECT_LOG(f, "ready scripted", "early = {}");
	monitor_fixture_clear_log(f);

	monitor_fixture_call(f, "at-once", NULL, -1);
	g_assert_cmpint(get_unread(f), ==, 0);
	qmp_monitor_flush(f->monitor);
	g_assert_cmpint(get_unread(f), >, 0);
	qmp_monitor_flush(f->monitor);
	EXPECT_LOG(f, "at-once = {}");
	monitor_fixture_clear_log(f);
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "at-once"), ==, 1);

	/* What QEMU said before it went away comes first. */
	scripted_qmp_event(f->server, "LAST", NULL);
	scripted_qmp_hang_up(f->server);
	monitor_fixture_call(f, "late", NULL, -1);
	qmp_monitor_flush(f->monitor);
	g_assert_cmpuint(f->log->len, ==, 0);
	SCRIPTED_QMP_WAIT(f->loop, monitor_fixture_has_logged(f, "closed lost: "));
	g_assert_cmpstr(g_ptr_array_index(f->log, 0), ==, "event LAST");
	qmp_monitor_flush(f->monitor);
}

static void test_sealed_arguments(MonitorFixture *f, const void *data)
{
	const char *text = "{\"deep\": [{\"size\": 9223372036854775807}]}";
	JsonNode *arguments = json_text_parse(text, strlen(text), 1000, 8, NULL);

	/* As a client's text comes in; and without a callback. */
	monitor_fixture_make_ready(f);
	scripted_qmp_expect(f->server, "set", text, "{\"return\": {}}");
	qmp_monitor_execute(f->monitor, "set", arguments, -1, NULL, NULL);
	SCRIPTED_QMP_WAIT(f->loop, qmp_monitor_get_pending(f->monitor) == 0);
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "set"), ==, 1);
}

static void test_before_ready(MonitorFixture *f, const void *data)
{
	monitor_fixture_call(f, "first", NULL, -1);
	monitor_fixture_call(f, "second", NULL, -1);
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(scripted_qmp_get_count(f->server, NULL), ==, 0);
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, 2);

	scripted_qmp_handshake(f->server);
	scripted_qmp_expect(f->server, "first", NULL, "{\"return\": 1}");
	scripted_qmp_expect(f->server, "second", NULL, "{\"return\": 2}");
	EXPECT_LOG(f, "ready scripted", "first = 1", "second = 2");
}

static void test_out_of_order(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	monitor_fixture_call(f, "a", NULL, -1);
	monitor_fixture_call(f, "b", NULL, -1);
	monitor_fixture_call(f, "c", NULL, -1);
	scripted_qmp_reply(f->server, "c", "{\"return\": 3}");
	scripted_qmp_reply(f->server, "a", "{\"return\": 1}");
	scripted_qmp_reply(f->server, "b", "{\"return\": 2}");
	EXPECT_LOG(f, "c = 3", "a = 1", "b = 2");
}

static void test_events_and_replies_in_order(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	monitor_fixture_call(f, "cont", NULL, -1);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_unanswered(f->server) == 1);
	scripted_qmp_event(f->server, "RESUME", NULL);
	scripted_qmp_reply(f->server, "cont", "{\"return\": {}}");
	scripted_qmp_event(f->server, "STOP", NULL);
	EXPECT_LOG(f, "event RESUME", "cont = {}", "event STOP");
}

static void test_in_flight(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	for (int i = 0; i < 100; i++)
		monitor_fixture_call(f, "x", NULL, -1);
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(scripted_qmp_get_unanswered(f->server), ==, QMP_MONITOR_IN_FLIGHT_MAX);

	for (int i = 0; i < 100; i++)
		scripted_qmp_reply(f->server, "x", "{\"return\": {}}");
	SCRIPTED_QMP_WAIT(f->loop, f->log->len == 100);
	g_assert_cmpuint(scripted_qmp_get_unanswered_max(f->server), ==, QMP_MONITOR_IN_FLIGHT_MAX);
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "x"), ==, 100);
}

static void ignore_reply(JsonNode *result, const GError *error, void *userdata)
{
	unsigned *n = userdata;

	(*n)++;
	if (error)
		g_assert_error(error, CORE_ERROR, CORE_ERROR_MONITOR_LOST);
}

/* What nobody waits for is not sent, unless it has been; what is behind it is. */
static void test_cancel(MonitorFixture *f, const void *data)
{
	uint64_t sent[QMP_MONITOR_IN_FLIGHT_MAX], waiting;
	unsigned n = 0;

	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, "slow", NULL);
	scripted_qmp_set_reply(f->server, "wanted", "{\"return\": {}}");
	for (unsigned i = 0; i < G_N_ELEMENTS(sent); i++)
		sent[i] = qmp_monitor_execute(f->monitor, "slow", NULL, -1, ignore_reply, &n);
	waiting = qmp_monitor_execute(f->monitor, "unwanted", NULL, 60000, ignore_reply, &n);
	monitor_fixture_call(f, "wanted", NULL, -1);
	qmp_monitor_cancel(f->monitor, sent[0]);
	qmp_monitor_cancel(f->monitor, waiting);
	qmp_monitor_cancel(f->monitor, waiting);
	qmp_monitor_cancel(f->monitor, 0);
	/* Not from inside. */
	g_assert_cmpuint(n, ==, 0);
	SCRIPTED_QMP_WAIT(f->loop, n == 1);
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, QMP_MONITOR_IN_FLIGHT_MAX + 1);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_count(f->server, "slow") == G_N_ELEMENTS(sent));
	for (unsigned i = 0; i < G_N_ELEMENTS(sent); i++)
		scripted_qmp_reply(f->server, "slow", "{\"return\": {}}");
	EXPECT_LOG(f, "wanted = {}");
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "unwanted"), ==, 0);
	g_assert_cmpuint(n, ==, 1 + G_N_ELEMENTS(sent));
}

static void test_unknown_ids(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_send(f->server, "{\"return\": {}, \"id\": 9999}\r\n"
				     "{\"return\": {}, \"id\": 1}\r\n"
				     "{\"return\": {}, \"id\": 0}\r\n"
				     "{\"return\": {}}\r\n"
				     "{\"return\": {}, \"id\": \"libvirt-7\"}\r\n"
				     "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\r\n");
	scripted_qmp_event(f->server, "STOP", NULL);
	EXPECT_LOG(f, "event STOP");
	g_assert_cmpuint(qmp_monitor_get_unknown_ids(f->monitor), ==, 6);
	g_assert_cmpuint(qmp_monitor_get_garbage(f->monitor), ==, 0);
}

static void test_split_greeting(void)
{
	for (size_t split = 1; split < strlen(GREETING); split++) {
		MonitorFixture f = { 0 };

		monitor_fixture_set_up(&f, NULL);
		scripted_qmp_send_bytes(f.server, GREETING, split);
		scripted_qmp_settle(f.loop);
		scripted_qmp_send(f.server, GREETING + split);
		scripted_qmp_expect(f.server, "qmp_capabilities", NULL, "{\"return\": {}}");
		EXPECT_LOG(&f, "ready by hand");
		monitor_fixture_tear_down(&f, NULL);
	}
}

static void test_split(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	for (size_t split = 0;; split++) {
		/* The handshake had the first id. */
		g_autofree char *bytes = g_strdup_printf(
			"{\"event\": \"A\", \"data\": {\"\xc3\xa4\": \"\\n\"}}\r\n"
			"{\"id\": %zu, \"return\": {\"x\": [1]}}\r\n\r\n{\"event\": \"B\"}\n", split + 2);

		if (split == strlen(bytes))
			break;
		monitor_fixture_call(f, "x", NULL, -1);
		SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_count(f->server, "x") == split + 1);
		scripted_qmp_send_bytes(f->server, bytes, split);
		scripted_qmp_settle(f->loop);
		scripted_qmp_send(f->server, bytes + split);
		EXPECT_LOG(f, "event A {\"\xc3\xa4\":\"\\n\"}", "x = {\"x\":[1]}", "event B");
		monitor_fixture_clear_log(f);
	}
}

static void test_joined(MonitorFixture *f, const void *data)
{
	g_autoptr(GString) bytes = g_string_new(NULL);

	monitor_fixture_make_ready(f);
	for (int i = 0; i < 10000; i++)
		g_string_append_printf(bytes, "{\"event\": \"E%d\"}\r\n", i);
	scripted_qmp_send(f->server, bytes->str);
	SCRIPTED_QMP_WAIT(f->loop, f->log->len >= 10000);
	for (int i = 0; i < 10000; i++) {
		g_autofree char *line = g_strdup_printf("event E%d", i);

		g_assert_cmpstr(f->log->pdata[i], ==, line);
	}
}

static void test_stop_reading(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	f->stop_at = "event B";
	scripted_qmp_send(f->server, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n{\"event\": \"C\"}\n"
				     "{\"event\": \"D\"}\n{\"ev");
	EXPECT_LOG(f, "event A", "event B");
	/* Neither what was read already nor what comes now. */
	scripted_qmp_send(f->server, "ent\": \"E\"}\n");
	scripted_qmp_settle(f->loop);
	EXPECT_LOG(f, "event A", "event B");

	/* Never from inside the call. */
	qmp_monitor_set_reading(f->monitor, true);
	EXPECT_LOG(f, "event A", "event B");
	EXPECT_LOG(f, "event A", "event B", "event C", "event D", "event E");
}

static void test_stop_writes_on(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, "x", "{\"return\": {}}");
	qmp_monitor_set_reading(f->monitor, false);
	monitor_fixture_call(f, "x", NULL, -1);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_count(f->server, "x") == 1);
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(f->log->len, ==, 0);
	qmp_monitor_set_reading(f->monitor, true);
	EXPECT_LOG(f, "x = {}");
}

static void test_stop_early_events(MonitorFixture *f, const void *data)
{
	f->stop_at = "ready";
	scripted_qmp_event(f->server, "EARLY", NULL);
	scripted_qmp_handshake(f->server);
	EXPECT_LOG(f, "ready scripted");
	scripted_qmp_settle(f->loop);
	EXPECT_LOG(f, "ready scripted");
	qmp_monitor_set_reading(f->monitor, true);
	EXPECT_LOG(f, "ready scripted", "event EARLY");
}

/* A hang-up is reported on each turn of the loop; the loop must come to rest all the same. */
static void test_stop_hang_up(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	qmp_monitor_set_reading(f->monitor, false);
	monitor_fixture_call(f, "x", NULL, -1);
	scripted_qmp_expect(f->server, "x", NULL, NULL);
	scripted_qmp_event(f->server, "LAST", NULL);
	scripted_qmp_hang_up(f->server);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_is_done(f->server));
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(f->log->len, ==, 0);
	qmp_monitor_set_reading(f->monitor, true);
	EXPECT_LOG(f, "event LAST", "x ! lost: x: QEMU closed the monitor",
		   "closed lost: QEMU closed the monitor");
}

/* One event at a time; what is left over must neither be lost nor pile up. */
static void test_stop_at_each(MonitorFixture *f, const void *data)
{
	g_autoptr(GString) bytes = g_string_new(NULL);
	g_autofree char *padding = g_strnfill(500, 'x');

	monitor_fixture_make_ready(f);
	f->stop_at = "event";
	for (int i = 0; i < 2000; i++)
		g_string_append_printf(bytes, "{\"event\": \"E%d\", \"x\": \"%s\"}\r\n", i, padding);
	scripted_qmp_send(f->server, bytes->str);
	for (unsigned i = 0; i < 2000; i++) {
		g_autofree char *line = g_strdup_printf("event E%u", i);

		SCRIPTED_QMP_WAIT(f->loop, f->log->len > i);
		g_assert_cmpuint(f->log->len, ==, i + 1);
		g_assert_cmpstr(f->log->pdata[i], ==, line);
		qmp_monitor_set_reading(f->monitor, true);
	}
}

static void test_partial_writes(MonitorFixture *f, const void *data)
{
	g_autofree char *value = g_strnfill(4 * 1024 * 1024, 'x');
	g_autofree char *arguments = g_strdup_printf("{\"value\":\"%s\"}", value);

	monitor_fixture_make_ready(f);
	scripted_qmp_set_reading(f->server, false);
	monitor_fixture_call(f, "big", arguments, -1);
	monitor_fixture_call(f, "small", NULL, -1);
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "big"), ==, 0);
	/* Reads meanwhile. */
	scripted_qmp_event(f->server, "STOP", NULL);
	EXPECT_LOG(f, "event STOP");

	scripted_qmp_expect(f->server, "big", arguments, "{\"return\": 1}");
	scripted_qmp_expect(f->server, "small", "{}", "{\"return\": 2}");
	scripted_qmp_set_reading(f->server, true);
	EXPECT_LOG(f, "event STOP", "big = 1", "small = 2");
}

static void test_nested_loop(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, "again", NULL);
	f->call_at = "event A";
	f->call_ms = 10;
	f->nest_at = "event A";
	f->nest_until = "again ! timeout";
	scripted_qmp_send(f->server, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n{\"event\": \"C\"}\n");
	EXPECT_LOG(f, "event A", "again ! timeout: again: no reply within 10 ms", "event B",
		   "event C");
}

/* A command waits until all is handed on that was read with what it was asked at: if that says that it is no longer wanted,
 * QEMU does not get it. */
static void test_taken_back(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, "{\"return\": {}}");
	f->call_at = "event A";
	f->cancel_at = "event C";
	scripted_qmp_send(f->server, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n{\"event\": \"C\"}\n");
	EXPECT_LOG(f, "event A", "event B", "event C", 
		   "again ! lost: again: not sent, as nobody waits for it any more");
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "again"), ==, 0);

	monitor_fixture_clear_log(f);
	scripted_qmp_send(f->server, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n");
	EXPECT_LOG(f, "event A", "event B", "again = {}");
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "again"), ==, 1);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
	return fd;
}

static char *respond_to_quit(ScriptedQmp *server, const char *command, const char *arguments,
			     void *userdata)
{
	scripted_qmp_event(server, "SHUTDOWN", "{\"guest\": false}");
	scripted_qmp_hang_up(server);
	return g_strdup("{\"return\": {}}");
}

static void count_closed(QmpMonitor *monitor, const GError *error, void *userdata)
{
	++*(unsigned *)userdata;
}

/* The server as an open-ended QEMU on a path, for one client after the other. */
static void test_listening(void)
{
	static const QmpMonitorHandler handler = { .closed = count_closed };
	g_autofree char *folder = g_dir_make_tmp("qmp-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "qmp.sock", NULL);
	g_autoptr(Loop) loop = loop_poll_new();
	g_autoptr(ScriptedQmp) server = scripted_qmp_new_listening(loop, path);
	unsigned n_closed = 0;

	scripted_qmp_serve(server);
	scripted_qmp_set_responder(server, "quit", respond_to_quit, NULL);
	for (unsigned i = 1; i <= 3; i++) {
		g_autoptr(QmpMonitor) monitor = qmp_monitor_new(loop, connect_to(path), -1, &handler,
								&n_closed);

		qmp_monitor_execute(monitor, "quit", NULL, -1, NULL, NULL);
		SCRIPTED_QMP_WAIT(loop, n_closed == i);
		g_assert_cmpuint(scripted_qmp_get_count(server, "quit"), ==, i);
		g_assert_cmpuint(qmp_monitor_get_garbage(monitor), ==, 0);
	}
	server = scripted_qmp_free(server);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

#define ADD(name, function)                                                                        \
	g_test_add("/qmp/monitor/" name, MonitorFixture, NULL, monitor_fixture_set_up, function,   \
		   monitor_fixture_tear_down)

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);

	ADD("handshake", test_handshake);
	ADD("early-events", test_early_events);
	ADD("call", test_call);
	ADD("flush", test_flush);
	ADD("sealed-arguments", test_sealed_arguments);
	ADD("before-ready", test_before_ready);
	ADD("out-of-order", test_out_of_order);
	ADD("events-and-replies-in-order", test_events_and_replies_in_order);
	ADD("in-flight", test_in_flight);
	ADD("cancel", test_cancel);
	ADD("taken-back", test_taken_back);
	ADD("unknown-ids", test_unknown_ids);
	g_test_add_func("/qmp/monitor/split-greeting", test_split_greeting);
	ADD("split", test_split);
	ADD("joined", test_joined);
	ADD("stop-reading", test_stop_reading);
	ADD("stop-writes-on", test_stop_writes_on);
	ADD("stop-early-events", test_stop_early_events);
	ADD("stop-hang-up", test_stop_hang_up);
	ADD("stop-at-each", test_stop_at_each);
	ADD("partial-writes", test_partial_writes);
	ADD("nested-loop", test_nested_loop);
	g_test_add_func("/qmp/monitor/listening", test_listening);

	return g_test_run();
}
