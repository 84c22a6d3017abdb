/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "tests/qmp/monitor-fixture.h"

/* A connection that somebody else has had: in the middle of its stream, with the handshake done. */

#define EVENT(name) "{\"event\": \"" name "\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 2}}\r\n"

static void send_text(MonitorFixture *f, const char *text)
{
	scripted_qmp_send_bytes(f->server, text, strlen(text));
}

/* No greeting, no handshake; what was waiting comes first. */
static void test_ready_at_once(MonitorFixture *f, const void *data)
{
	send_text(f, EVENT("ONE") EVENT("TWO"));
	monitor_fixture_take_over(f);
	g_assert_true(qmp_monitor_is_ready(f->monitor));
	scripted_qmp_expect(f->server, "query-version", NULL, "{\"return\": {}}");
	monitor_fixture_call(f, "query-version", NULL, -1);
	EXPECT_LOG(f, "event ONE", "event TWO", "query-version = {}");
	g_assert_false(f->untold);
	g_assert_cmpuint(qmp_monitor_get_received(f->monitor), ==, 3);
}

/* Each place of a message to begin in: the rest of it is nothing, whatever it looks like, and what comes behind
 * it is whole. */
static void test_rest_of_a_message(MonitorFixture *f, const void *data)
{
	static const char *const messages[] = {
		EVENT("CUT"),
		"{\"return\": {\"a\": {\"b\": {}}, \"c\": \"{\\\"event\\\": \\\"X\\\"}\"}, \"id\": 7}\r\n",
		"{\"event\": \"X\", \"data\": {\"s\": \"{} {\\\"event\\\": \\\"Y\\\"}\"}}\r\n",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(messages); i++) {
		/* Up to the last byte of the object; of a line end alone there is nothing to see. */
		for (size_t at = 1; at < strlen(messages[i]) - 2; at++) {
			MonitorFixture one = { 0 };

			monitor_fixture_set_up(&one, GINT_TO_POINTER(MONITOR_FIXTURE_LATER));
			send_text(&one, messages[i] + at);
			send_text(&one, EVENT("WHOLE"));
			monitor_fixture_take_over(&one);
			EXPECT_LOG(&one, "cut", "event WHOLE");
			g_assert_cmpuint(qmp_monitor_get_garbage(one.monitor), ==, 0);
			monitor_fixture_tear_down(&one, NULL);
		}
	}
	/* Not at the beginning it is garbage. */
	monitor_fixture_take_over(f);
	send_text(f, EVENT("WHOLE") "\": {}}\r\n");
	EXPECT_LOG(f, "event WHOLE");
	SCRIPTED_QMP_WAIT(f->loop, qmp_monitor_get_garbage(f->monitor) == 1);
	g_assert_false(monitor_fixture_has_logged(f, "cut"));
}

/* An answer to somebody else's command is nobody's, though ids begin anew with each connection. */
static void test_answer_of_another(MonitorFixture *f, const void *data)
{
	for (unsigned id = 0; id < 200; id++) {
		g_autofree char *reply = g_strdup_printf("{\"return\": {\"stale\": true}, \"id\": %u}\r\n",
							 id);

		send_text(f, reply);
	}
	monitor_fixture_take_over(f);
	scripted_qmp_expect(f->server, "stop", NULL, "{\"return\": {}}");
	monitor_fixture_call(f, "stop", NULL, -1);
	EXPECT_LOG(f, "stop = {}");
	g_assert_cmpuint(qmp_monitor_get_unknown_ids(f->monitor), ==, 200);
}

static void test_hung_up(MonitorFixture *f, const void *data)
{
	scripted_qmp_event(f->server, "LAST", NULL);
	scripted_qmp_hang_up(f->server);
	SCRIPTED_QMP_WAIT(f->loop, scripted_qmp_is_done(f->server));
	monitor_fixture_take_over(f);
	monitor_fixture_call(f, "query-version", NULL, -1);
	SCRIPTED_QMP_WAIT(f->loop, monitor_fixture_has_logged(f, "closed"));
	g_assert_cmpstr(g_ptr_array_index(f->log, 0), ==, "event LAST");
}

/* From the read to the last line end something is held here and nowhere else. */
static void test_untold(MonitorFixture *f, const void *data)
{
	monitor_fixture_take_over(f);
	send_text(f, EVENT("ONE") "{\"event\"");
	EXPECT_LOG(f, "event ONE");
	scripted_qmp_settle(f->loop);
	g_assert_true(f->untold);
	send_text(f, ": \"TWO\"}\r\n");
	EXPECT_LOG(f, "event ONE", "event TWO");
	scripted_qmp_settle(f->loop);
	g_assert_false(f->untold);
}

#define ADD(path, function)                                                                        \
	g_test_add(path, MonitorFixture, GINT_TO_POINTER(MONITOR_FIXTURE_LATER),                  \
		   monitor_fixture_set_up, function, monitor_fixture_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("/qmp/take-over/ready-at-once", test_ready_at_once);
	ADD("/qmp/take-over/rest-of-a-message", test_rest_of_a_message);
	ADD("/qmp/take-over/answer-of-another", test_answer_of_another);
	ADD("/qmp/take-over/hung-up", test_hung_up);
	ADD("/qmp/take-over/untold", test_untold);
	return g_test_run();
}
