/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/json-text.h"
#include "loop/loop-poll.h"
#include "qmp/monitor.h"
#include "tests/qmp/scripted-qmp.h"

/*
 * Recordings of a real QEMU, played by the scripted one: the monitor must give its commands in the
 * recorded order and hear every recorded message, each one whole and in order.
 */

typedef struct Replay {
	QmpMonitor *monitor;
	GPtrArray *commands;    /* JsonNode, what QEMU was sent, but for qmp_capabilities */
	GPtrArray *expected;    /* what QEMU sent, as text */
	GPtrArray *heard;
	unsigned n_commands;
	unsigned n_unanswered;  /* in the recording */
	bool closed;
} Replay;

static void hear(Replay *replay, const char *kind, const char *name, JsonNode *body)
{
	g_autofree char *text = body ? json_text_from_node(body) : g_strdup("-");

	g_ptr_array_add(replay->heard, g_strdup_printf("%s %s %s", kind, name, text));
}

static void on_reply(JsonNode *result, const GError *error, void *userdata);

/* One command at a time, as it was recorded. */
static void next_command(Replay *replay)
{
	JsonObject *command;

	if (replay->n_commands == replay->commands->len)
		return;
	command = json_node_get_object(replay->commands->pdata[replay->n_commands++]);
	qmp_monitor_execute(replay->monitor, json_object_get_string_member(command, "execute"),
			    json_object_dup_member(command, "arguments"), -1, on_reply, replay);
}

static void on_reply(JsonNode *result, const GError *error, void *userdata)
{
	hear(userdata, result ? "reply" : "error", "-", result);
	next_command(userdata);
}

static void on_ready(QmpMonitor *monitor, JsonNode *greeting, void *userdata)
{
	hear(userdata, "greeting", "-", greeting);
	next_command(userdata);
}

static void on_event(QmpMonitor *monitor, QmpMessage *event, void *userdata)
{
	g_autoptr(QmpMessage) whole = event->plain ? qmp_message_parse_plain(event) : NULL;

	g_assert_cmpint(event->time, >, 0);
	hear(userdata, "event", event->name, whole ? whole->body : event->body);
	qmp_message_free(event);
}

static void on_closed(QmpMonitor *monitor, const GError *error, void *userdata)
{
	((Replay *)userdata)->closed = true;
}

static void free_node(void *data)
{
	json_node_unref(data);
}

static void expect(Replay *replay, const char *kind, const char *name, JsonNode *body)
{
	g_autofree char *text = body ? json_text_from_node(body) : g_strdup("-");

	g_ptr_array_add(replay->expected, g_strdup_printf("%s %s %s", kind, name, text));
}

static void read_line(Replay *replay, JsonObject *line)
{
	JsonObject *message = json_object_has_member(line, "msg") ?
		json_object_get_object_member(line, "msg") : NULL;

	if (!message)
		return;
	if (json_object_has_member(message, "execute"))
		replay->n_unanswered++;
	else if (json_object_has_member(message, "id"))
		replay->n_unanswered--;

	if (json_object_has_member(message, "execute")) {
		if (!g_str_equal(json_object_get_string_member(message, "execute"),
				 "qmp_capabilities"))
			g_ptr_array_add(replay->commands, json_object_dup_member(line, "msg"));
	} else if (json_object_has_member(message, "QMP")) {
		expect(replay, "greeting", "-", json_object_get_member(message, "QMP"));
	} else if (json_object_has_member(message, "event")) {
		expect(replay, "event", json_object_get_string_member(message, "event"),
		       json_object_get_member(message, "data"));
	} else if (json_object_has_member(message, "return")) {
		expect(replay, "reply", "-", json_object_get_member(message, "return"));
	} else {
		expect(replay, "error", "-", NULL);
	}
}

static void read_recording(Replay *replay, const char *path)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_autoptr(JsonNode) root = **line ? json_from_string(*line, NULL) : NULL;

		if (root)
			read_line(replay, json_node_get_object(root));
	}
	/* The reply to qmp_capabilities is the monitor's own. */
	g_assert_cmpstr(replay->expected->pdata[1], ==, "reply - {}");
	g_ptr_array_remove_index(replay->expected, 1);
	/* A command that QEMU did not live to answer ends with an error. */
	for (unsigned i = 0; i < replay->n_unanswered; i++)
		expect(replay, "error", "-", NULL);
}

static void test_replay(const void *name)
{
	static const QmpMonitorHandler handler = {
		.ready = on_ready,
		.event = on_event,
		.closed = on_closed,
	};
	g_autofree char *path = g_build_filename(TEST_DATA, "recordings", name, NULL);
	g_autoptr(Loop) loop = loop_poll_new();
	g_autoptr(ScriptedQmp) server = NULL;
	Replay replay = {
		.commands = g_ptr_array_new_with_free_func(free_node),
		.expected = g_ptr_array_new_with_free_func(g_free),
		.heard = g_ptr_array_new_with_free_func(g_free),
	};
	int fd;

	read_recording(&replay, path);
	server = scripted_qmp_new(loop, &fd);
	replay.monitor = qmp_monitor_new(loop, fd, -1, &handler, &replay);
	scripted_qmp_replay(server, path);
	scripted_qmp_hang_up(server);
	SCRIPTED_QMP_WAIT(loop, replay.closed);

	for (unsigned i = 0; i < MIN(replay.heard->len, replay.expected->len); i++)
		g_assert_cmpstr(replay.heard->pdata[i], ==, replay.expected->pdata[i]);
	g_assert_cmpuint(replay.heard->len, ==, replay.expected->len);
	g_assert_true(scripted_qmp_is_done(server));
	g_assert_cmpuint(qmp_monitor_get_garbage(replay.monitor), ==, 0);
	g_assert_cmpuint(qmp_monitor_get_unknown_ids(replay.monitor), ==, 0);

	qmp_monitor_free(replay.monitor);
	g_ptr_array_unref(replay.commands);
	g_ptr_array_unref(replay.expected);
	g_ptr_array_unref(replay.heard);
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);

	g_test_add_data_func("/qmp/monitor-replay/stop-resume", "event-stop_resume.jsonl", test_replay);
	g_test_add_data_func("/qmp/monitor-replay/shutdown-quit", "event-shutdown_quit.jsonl",
			     test_replay);
	g_test_add_data_func("/qmp/monitor-replay/rx-filter", "rxfilter-qtest-q35.jsonl", test_replay);

	return g_test_run();
}
