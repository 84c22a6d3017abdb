/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "tests/qmp/monitor-fixture.h"

/* The monitor with a QEMU that lies, hangs or dies, and with callbacks that free it. */

#define SHORT_MS 20

static void test_garbage(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_send(f->server, "qemu: warning: x\n{\"event\": \"A\"}\n{}\n[]\n\xff\xfe\n"
				     "{\"event\": 5}\n{\"event\": \"B\"}\n{\"event\": \"C\"");
	scripted_qmp_send(f->server, "\n{\"event\": \"D\"}\n");
	EXPECT_LOG(f, "event A", "event B", "event D");
	g_assert_cmpuint(qmp_monitor_get_garbage(f->monitor), ==, 6);
}

static void test_garbage_bound(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	for (unsigned i = 1; i < QMP_MONITOR_GARBAGE_MAX; i++)
		scripted_qmp_send(f->server, "x\n");
	scripted_qmp_event(f->server, "A", NULL);
	for (unsigned i = 1; i < QMP_MONITOR_GARBAGE_MAX; i++)
		scripted_qmp_send(f->server, "x\n");
	EXPECT_LOG(f, "event A");
	scripted_qmp_settle(f->loop);
	EXPECT_LOG(f, "event A");

	scripted_qmp_send(f->server, "x\n");
	EXPECT_LOG(f, "event A",
		   "closed lost: 64 messages in a row that are no QMP, the last one: "
		   "line 1, column 1: a word that is not JSON");
	g_assert_cmpuint(qmp_monitor_get_garbage(f->monitor), ==, 2 * QMP_MONITOR_GARBAGE_MAX - 1);
}

static void test_garbage_only(MonitorFixture *f, const void *data)
{
	for (unsigned i = 0; i < 2 * QMP_MONITOR_GARBAGE_MAX; i++)
		scripted_qmp_send(f->server, "SSH-2.0-OpenSSH_9.2p1\r\n");
	SCRIPTED_QMP_WAIT(f->loop, monitor_fixture_has_logged(f, "closed lost: 64 messages"));
	g_assert_cmpuint(f->log->len, ==, 1);
}

static void test_second_greeting(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_greet(f->server);
	scripted_qmp_event(f->server, "A", NULL);
	EXPECT_LOG(f, "event A");
	g_assert_cmpuint(qmp_monitor_get_garbage(f->monitor), ==, 1);
}

static void test_nesting(MonitorFixture *f, const void *data)
{
	g_autofree char *brackets = g_strnfill(100000, '[');

	monitor_fixture_make_ready(f);
	scripted_qmp_send(f->server, brackets);
	scripted_qmp_send(f->server, "\n");
	scripted_qmp_event(f->server, "A", NULL);
	EXPECT_LOG(f, "event A");
	g_assert_cmpuint(qmp_monitor_get_garbage(f->monitor), ==, 1);
}

static void test_too_long(MonitorFixture *f, const void *data)
{
	g_autofree char *piece = g_strnfill(16 * 1024 * 1024, 'x');

	monitor_fixture_make_ready(f);
	monitor_fixture_call(f, "x", NULL, -1);
	scripted_qmp_set_reply(f->server, "x", NULL);
	scripted_qmp_event(f->server, "A", NULL);
	for (int i = 0; i < 5; i++)
		scripted_qmp_send(f->server, piece);
	EXPECT_LOG(f, "event A", "x ! lost: x: a message of more than 67108864 bytes",
		   "closed lost: a message of more than 67108864 bytes");
}

static void test_hang_up(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	monitor_fixture_call(f, "a", NULL, -1);
	monitor_fixture_call(f, "b", NULL, 60000);
	scripted_qmp_expect(f->server, "a", NULL, NULL);
	scripted_qmp_expect(f->server, "b", NULL, NULL);
	scripted_qmp_send(f->server, "{\"event\": \"SHUTDOWN\"}\r\n{\"return\": {}, \"i");
	scripted_qmp_hang_up(f->server);
	EXPECT_LOG(f, "event SHUTDOWN",
		   "a ! lost: a: QEMU closed the monitor, in the middle of a message",
		   "b ! lost: b: QEMU closed the monitor, in the middle of a message",
		   "closed lost: QEMU closed the monitor, in the middle of a message");
	g_assert_false(qmp_monitor_is_ready(f->monitor));
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, 0);

	/* Late calls end too, not from inside the call. */
	monitor_fixture_clear_log(f);
	monitor_fixture_call(f, "c", NULL, -1);
	qmp_monitor_set_reading(f->monitor, false);
	EXPECT_LOG(f, "c ! lost: c: the monitor is closed");
}

static void test_hang_up_order(MonitorFixture *f, const void *data)
{
	g_autoptr(GPtrArray) expected = g_ptr_array_new_with_free_func(g_free);

	/* Replies out of order, so that the places in flight are not in the order of the calls. */
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	for (int i = 0; i < 20; i++) {
		g_autofree char *name = g_strdup_printf("c%d", i);

		monitor_fixture_call(f, name, NULL, -1);
	}
	for (int i = QMP_MONITOR_IN_FLIGHT_MAX / 2; i-- > 0;) {
		g_autofree char *name = g_strdup_printf("c%d", i);

		scripted_qmp_reply(f->server, name, "{\"return\": {}}");
	}
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_count(f->server, "c11") == 1);
	scripted_qmp_hang_up(f->server);
	SCRIPTED_QMP_WAIT(f->loop, monitor_fixture_has_logged(f, "closed"));
	g_assert_cmpuint(f->log->len, ==, 21);
	for (int i = QMP_MONITOR_IN_FLIGHT_MAX / 2; i < 20; i++) {
		g_autofree char *start = g_strdup_printf("c%d ! lost", i);

		g_assert_true(g_str_has_prefix(f->log->pdata[i], start));
	}
}

static void test_hang_up_in_handshake(MonitorFixture *f, const void *data)
{
	monitor_fixture_call(f, "a", NULL, -1);
	scripted_qmp_event(f->server, "EARLY", NULL);
	scripted_qmp_greet(f->server);
	scripted_qmp_hang_up(f->server);
	EXPECT_LOG(f, "a ! lost: a: QEMU closed the monitor", "closed lost: QEMU closed the monitor");
}

/* The socket is closed with our command unread: everything QEMU wrote is read, then a reset comes. */
static void test_reset(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reading(f->server, false);
	monitor_fixture_call(f, "quit", NULL, -1);
	scripted_qmp_settle(f->loop);
	scripted_qmp_event(f->server, "SHUTDOWN", NULL);
	scripted_qmp_hang_up(f->server);
	EXPECT_LOG(f, "event SHUTDOWN", "quit ! lost: quit: QEMU closed the monitor (connection reset)",
		   "closed lost: QEMU closed the monitor (connection reset)");
}

/* We write before we read: the failed write must not hide QEMU's last words. */
static void test_write_fails(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	qmp_monitor_set_reading(f->monitor, false);
	scripted_qmp_event(f->server, "SHUTDOWN", NULL);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_is_done(f->server));
	f->server = scripted_qmp_free(f->server);
	monitor_fixture_call(f, "a", NULL, -1);
	qmp_monitor_set_reading(f->monitor, true);
	EXPECT_LOG(f, "event SHUTDOWN", "a ! lost: a: QEMU closed the monitor",
		   "closed lost: QEMU closed the monitor");
}

static void test_not_a_socket(MonitorFixture *f, const void *data)
{
	close(f->client_fd);
	f->client_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	monitor_fixture_connect(f, -1);
	monitor_fixture_call(f, "a", NULL, -1);
	SCRIPTED_QMP_WAIT(f->loop, f->log->len == 2);
	g_assert_true(monitor_fixture_has_logged(f, "a ! lost: a: cannot read from the monitor"));
	g_assert_true(monitor_fixture_has_logged(f, "closed lost: cannot read from the monitor"));
}

static void test_handshake_refused(MonitorFixture *f, const void *data)
{
	scripted_qmp_greet(f->server);
	scripted_qmp_expect(f->server, "qmp_capabilities", NULL,
			    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"done already\"}}");
	EXPECT_LOG(f, "closed lost: handshake failed: CommandNotFound: done already");
}

static void test_no_greeting(MonitorFixture *f, const void *data)
{
	monitor_fixture_call(f, "a", NULL, -1);
	EXPECT_LOG(f, "a ! lost: a: no greeting within 20 ms",
		   "closed timeout: no greeting within 20 ms");
}

static void test_no_capabilities(MonitorFixture *f, const void *data)
{
	/* QEMU is talkative, and yet does not answer. The bytes are there before the time runs. */
	scripted_qmp_greet(f->server);
	scripted_qmp_event(f->server, "EARLY", NULL);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_is_done(f->server));
	monitor_fixture_connect(f, SHORT_MS);
	EXPECT_LOG(f, "closed timeout: qmp_capabilities: no reply within 20 ms");
}

static void test_early_bound(MonitorFixture *f, const void *data)
{
	g_autofree char *padding = g_strnfill(QMP_MONITOR_EARLY_MAX / 8, 'x');
	g_autofree char *line = g_strdup_printf("{\"event\": \"E\", \"x\": \"%s\"}\n", padding);

	for (int i = 0; i < 7; i++)
		scripted_qmp_send(f->server, line);
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(f->log->len, ==, 0);
	scripted_qmp_send(f->server, line);
	EXPECT_LOG(f, "closed lost: more than 1048576 bytes of events before the end of the handshake");
}

static void test_time_out(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	monitor_fixture_call(f, "slow", NULL, 2 * SHORT_MS);
	monitor_fixture_call(f, "forever", NULL, -1);
	monitor_fixture_call(f, "quick", NULL, SHORT_MS);
	monitor_fixture_call(f, "now", NULL, 0);
	EXPECT_LOG(f, "now ! timeout: now: no reply within 0 ms",
		   "quick ! timeout: quick: no reply within 20 ms",
		   "slow ! timeout: slow: no reply within 40 ms");
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, 1);
	scripted_qmp_reply(f->server, "forever", "{\"return\": {}}");
	SCRIPTED_QMP_WAIT(f->loop, monitor_fixture_has_logged(f, "forever = {}"));
}

/* After a time-out QEMU still has the command: its place is taken until the late reply. */
static void test_late_replies(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	for (unsigned i = 0; i < QMP_MONITOR_IN_FLIGHT_MAX; i++)
		monitor_fixture_call(f, "hung", NULL, SHORT_MS);
	monitor_fixture_call(f, "queued", NULL, SHORT_MS);
	monitor_fixture_call(f, "patient", NULL, -1);
	SCRIPTED_QMP_WAIT(f->loop, f->log->len == QMP_MONITOR_IN_FLIGHT_MAX + 1);
	g_assert_true(monitor_fixture_has_logged(f, "queued ! timeout"));
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, 1);
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "patient"), ==, 0);

	/* Those that wait follow when half of the places are free. */
	monitor_fixture_clear_log(f);
	for (unsigned i = 1; i < QMP_MONITOR_IN_FLIGHT_MAX / 2; i++)
		scripted_qmp_reply(f->server, "hung", "{\"return\": \"late\"}");
	scripted_qmp_settle(f->loop);
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "patient"), ==, 0);
	scripted_qmp_reply(f->server, "hung", "{\"return\": \"late\"}");
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_count(f->server, "patient") == 1);
	scripted_qmp_reply(f->server, "hung",
			   "{\"error\": {\"class\": \"GenericError\", \"desc\": \"late\"}}");
	scripted_qmp_reply(f->server, "patient", "{\"return\": 1}");
	EXPECT_LOG(f, "patient = 1");

	/* What timed out while it waited was never sent; the late replies were known. */
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "queued"), ==, 0);
	g_assert_cmpuint(qmp_monitor_get_unknown_ids(f->monitor), ==, 0);
	g_assert_cmpuint(scripted_qmp_get_unanswered_max(f->server), ==, QMP_MONITOR_IN_FLIGHT_MAX);
}

static void test_calls_bound(MonitorFixture *f, const void *data)
{
	/* Not ready, so all of them wait; as many deadlines in falling order. */
	for (unsigned i = 0; i < QMP_MONITOR_CALLS_MAX; i++)
		monitor_fixture_call(f, "x", NULL, (int)(200000 - i));
	monitor_fixture_call(f, "y", NULL, -1);
	monitor_fixture_call(f, "y", NULL, -1);
	EXPECT_LOG(f, "y ! limit: y: 4096 commands are waiting for QEMU already",
		   "y ! limit: y: 4096 commands are waiting for QEMU already");
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, QMP_MONITOR_CALLS_MAX);

	monitor_fixture_clear_log(f);
	scripted_qmp_set_reply(f->server, "x", "{\"return\": {}}");
	scripted_qmp_set_reply(f->server, "y", "{\"return\": {}}");
	scripted_qmp_handshake(f->server);
	SCRIPTED_QMP_WAIT(f->loop, f->log->len == 1 + QMP_MONITOR_CALLS_MAX);
	monitor_fixture_clear_log(f);
	monitor_fixture_call(f, "y", NULL, -1);
	EXPECT_LOG(f, "y = {}");
	/* Replied to in time by a server that counts. */
	g_assert_cmpuint(scripted_qmp_get_count(f->server, "x"), ==, QMP_MONITOR_CALLS_MAX);
}

static void test_calls_bound_time_out(MonitorFixture *f, const void *data)
{
	for (unsigned i = 0; i < QMP_MONITOR_CALLS_MAX; i++)
		monitor_fixture_call(f, "x", NULL, SHORT_MS);
	SCRIPTED_QMP_WAIT(f->loop, f->log->len == QMP_MONITOR_CALLS_MAX);
	g_assert_cmpstr(f->log->pdata[QMP_MONITOR_CALLS_MAX - 1], ==,
			"x ! timeout: x: no reply within 20 ms");
	g_assert_cmpuint(qmp_monitor_get_pending(f->monitor), ==, 0);
}

static void test_bytes_bound(MonitorFixture *f, const void *data)
{
	g_autofree char *value = g_strnfill(QMP_MONITOR_BYTES_MAX / 2, 'x');
	g_autofree char *arguments = g_strdup_printf("{\"value\":\"%s\"}", value);

	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	monitor_fixture_call(f, "a", arguments, -1);
	monitor_fixture_call(f, "b", arguments, -1);
	EXPECT_LOG(f, "b ! limit: b: more than 16777216 bytes of commands for QEMU");

	/* It counts until the reply. */
	scripted_qmp_reply(f->server, "a", "{\"return\": {}}");
	SCRIPTED_QMP_WAIT(f->loop, monitor_fixture_has_logged(f, "a = {}"));
	monitor_fixture_call(f, "c", arguments, -1);
	scripted_qmp_reply(f->server, "c", "{\"return\": {}}");
	SCRIPTED_QMP_WAIT(f->loop, monitor_fixture_has_logged(f, "c = {}"));
}

static void test_free_in_ready(MonitorFixture *f, const void *data)
{
	f->free_at = "ready";
	monitor_fixture_call(f, "a", NULL, -1);
	scripted_qmp_event(f->server, "EARLY", NULL);
	scripted_qmp_set_reply(f->server, "a", "{\"return\": {}}");
	scripted_qmp_handshake(f->server);
	EXPECT_LOG(f, "ready scripted", "a ! lost: a: the monitor was closed");
	g_assert_null(f->monitor);
}

static void test_free_in_event(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	f->free_at = "event B";
	scripted_qmp_send(f->server, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n{\"event\": \"C\"}\n");
	EXPECT_LOG(f, "event A", "event B");
	SCRIPTED_QMP_WAIT(f->loop, !scripted_qmp_is_connected(f->server));
	EXPECT_LOG(f, "event A", "event B");
}

static void test_free_in_early_event(MonitorFixture *f, const void *data)
{
	f->free_at = "event A";
	scripted_qmp_event(f->server, "A", NULL);
	scripted_qmp_event(f->server, "B", NULL);
	scripted_qmp_handshake(f->server);
	EXPECT_LOG(f, "ready scripted", "event A");
	SCRIPTED_QMP_WAIT(f->loop, !scripted_qmp_is_connected(f->server));
	EXPECT_LOG(f, "ready scripted", "event A");
}

static void test_free_in_reply(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	f->free_at = "b =";
	scripted_qmp_set_reply(f->server, NULL, "{\"return\": {}}");
	for (const char *name = "a\0b\0c\0d\0"; *name; name += 2)
		monitor_fixture_call(f, name, NULL, -1);
	EXPECT_LOG(f, "a = {}", "b = {}", "c ! lost: c: the monitor was closed",
		   "d ! lost: d: the monitor was closed");
}

static void test_free_in_closed(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	f->free_at = "closed";
	scripted_qmp_hang_up(f->server);
	EXPECT_LOG(f, "closed lost: QEMU closed the monitor");
	g_assert_null(f->monitor);
}

/* The calls that end because QEMU has hung up: the first callback frees, the others still come. */
static void test_free_in_lost_reply(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	f->free_at = "a !";
	scripted_qmp_set_reply(f->server, NULL, NULL);
	monitor_fixture_call(f, "a", NULL, -1);
	monitor_fixture_call(f, "b", NULL, -1);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_unanswered(f->server) == 2);
	scripted_qmp_hang_up(f->server);
	EXPECT_LOG(f, "a ! lost: a: QEMU closed the monitor", "b ! lost: b: QEMU closed the monitor");
	scripted_qmp_settle(f->loop);
	EXPECT_LOG(f, "a ! lost: a: QEMU closed the monitor", "b ! lost: b: QEMU closed the monitor");
}

static void test_free_in_time_out(MonitorFixture *f, const void *data)
{
	f->free_at = "a !";
	monitor_fixture_call(f, "a", NULL, SHORT_MS);
	monitor_fixture_call(f, "b", NULL, 60000);
	EXPECT_LOG(f, "a ! timeout: a: no reply within 20 ms", "b ! lost: b: the monitor was closed");
}

static void test_free_in_limit(MonitorFixture *f, const void *data)
{
	f->free_at = "y !";
	for (unsigned i = 0; i < QMP_MONITOR_CALLS_MAX; i++)
		monitor_fixture_call(f, "x", NULL, -1);
	monitor_fixture_call(f, "y", NULL, -1);
	monitor_fixture_call(f, "y", NULL, -1);
	SCRIPTED_QMP_WAIT(f->loop, f->log->len == QMP_MONITOR_CALLS_MAX + 2);
	g_assert_null(f->monitor);
}

static void test_free_in_handshake_time_out(MonitorFixture *f, const void *data)
{
	f->free_at = "closed";
	EXPECT_LOG(f, "closed timeout: no greeting within 20 ms");
	g_assert_null(f->monitor);
}

static void test_free_nested(MonitorFixture *f, const void *data)
{
	/* Freed by a callback in a loop that a callback of the same monitor runs. */
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	f->call_at = "event A";
	f->call_ms = SHORT_MS;
	f->nest_at = "event A";
	f->nest_until = "again ! timeout";
	f->free_at = "again !";
	scripted_qmp_send(f->server, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n");
	EXPECT_LOG(f, "event A", "again ! timeout: again: no reply within 20 ms");
	g_assert_null(f->monitor);
	scripted_qmp_settle(f->loop);
	EXPECT_LOG(f, "event A", "again ! timeout: again: no reply within 20 ms");
}

static void test_free_pending(MonitorFixture *f, const void *data)
{
	monitor_fixture_make_ready(f);
	scripted_qmp_set_reply(f->server, NULL, NULL);
	monitor_fixture_call(f, "a", NULL, -1);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_get_unanswered(f->server) == 1);
	monitor_fixture_call(f, "b", NULL, -1);
	/* A callback that calls once more, and one that frees once more. */
	f->call_at = "a !";
	f->free_at = "b !";
	f->monitor = qmp_monitor_free(f->monitor);
	g_assert_cmpuint(f->log->len, ==, 3);
	EXPECT_LOG(f, "a ! lost: a: the monitor was closed", "b ! lost: b: the monitor was closed",
		   "again ! lost: again: the monitor is closed");
	g_assert_null(qmp_monitor_free(NULL));
}

static void test_call_when_lost(MonitorFixture *f, const void *data)
{
	/* A call made while the others end is not among them: it would go on for ever. */
	monitor_fixture_make_ready(f);
	f->call_at = "a !";
	scripted_qmp_expect(f->server, "a", NULL, NULL);
	scripted_qmp_hang_up(f->server);
	monitor_fixture_call(f, "a", NULL, -1);
	EXPECT_LOG(f, "a ! lost: a: QEMU closed the monitor", "closed lost: QEMU closed the monitor",
		   "again ! lost: again: the monitor is closed");
}

#define ADD_MS(name, function, ms)                                                                 \
	g_test_add("/qmp/monitor-trouble/" name, MonitorFixture, GINT_TO_POINTER(ms),              \
		   monitor_fixture_set_up, function, monitor_fixture_tear_down)
#define ADD(name, function) ADD_MS(name, function, 0)

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);

	ADD("garbage", test_garbage);
	ADD("garbage-bound", test_garbage_bound);
	ADD("garbage-only", test_garbage_only);
	ADD("second-greeting", test_second_greeting);
	ADD("nesting", test_nesting);
	ADD("too-long", test_too_long);
	ADD("hang-up", test_hang_up);
	ADD("hang-up-order", test_hang_up_order);
	ADD("hang-up-in-handshake", test_hang_up_in_handshake);
	ADD("reset", test_reset);
	ADD("write-fails", test_write_fails);
	ADD_MS("not-a-socket", test_not_a_socket, MONITOR_FIXTURE_LATER);
	ADD("handshake-refused", test_handshake_refused);
	ADD_MS("no-greeting", test_no_greeting, SHORT_MS);
	ADD_MS("no-capabilities", test_no_capabilities, MONITOR_FIXTURE_LATER);
	ADD("early-bound", test_early_bound);
	ADD("time-out", test_time_out);
	ADD("late-replies", test_late_replies);
	ADD("calls-bound", test_calls_bound);
	ADD("calls-bound-time-out", test_calls_bound_time_out);
	ADD("bytes-bound", test_bytes_bound);
	ADD("free-in-ready", test_free_in_ready);
	ADD("free-in-event", test_free_in_event);
	ADD("free-in-early-event", test_free_in_early_event);
	ADD("free-in-reply", test_free_in_reply);
	ADD("free-in-closed", test_free_in_closed);
	ADD("free-in-lost-reply", test_free_in_lost_reply);
	ADD("free-in-time-out", test_free_in_time_out);
	ADD("free-in-limit", test_free_in_limit);
	ADD_MS("free-in-handshake-time-out", test_free_in_handshake_time_out, SHORT_MS);
	ADD("free-nested", test_free_nested);
	ADD("free-pending", test_free_pending);
	ADD("call-when-lost", test_call_when_lost);

	return g_test_run();
}
