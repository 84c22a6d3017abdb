/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/qmp/monitor-fixture.h"

#include "base/error.h"
#include "base/json-text.h"
#include "loop/loop-poll.h"

typedef struct Call {
	MonitorFixture *fixture;
	char *command;
} Call;

static bool at(const char *start, const char *line)
{
	return start && g_str_has_prefix(line, start);
}

static const char *code_name(const GError *error)
{
	g_assert_true(error->domain == CORE_ERROR);
	switch (error->code) {
	case CORE_ERROR_MONITOR_TIMEOUT:
		return "timeout";
	case CORE_ERROR_MONITOR_LOST:
		return "lost";
	case CORE_ERROR_QEMU_ERROR:
		return "qemu-error";
	case CORE_ERROR_NO_SUCH_DEVICE:
		return "no-such-device";
	case CORE_ERROR_LIMIT_EXCEEDED:
		return "limit";
	default:
		g_error("unexpected code %d: %s", error->code, error->message);
	}
}

/* Takes line over. */
static void note(MonitorFixture *fixture, char *line)
{
	g_test_message("%s", line);
	g_ptr_array_add(fixture->log, line);
	if (at(fixture->stop_at, line))
		qmp_monitor_set_reading(fixture->monitor, false);
	if (at(fixture->call_at, line) && fixture->monitor)
		fixture->called = monitor_fixture_call(fixture, "again", NULL, fixture->call_ms ?: -1);
	if (at(fixture->cancel_at, line) && fixture->monitor)
		qmp_monitor_cancel(fixture->monitor, fixture->called);
	if (at(fixture->nest_at, line)) {
		fixture->nest_at = NULL;
		SCRIPTED_QMP_WAIT(fixture->loop,
				  monitor_fixture_has_logged(fixture, fixture->nest_until));
	}
	if (at(fixture->free_at, line))
		fixture->monitor = qmp_monitor_free(fixture->monitor);
}

static void on_ready(QmpMonitor *monitor, JsonNode *greeting, void *userdata)
{
	JsonObject *version = json_object_get_object_member(json_node_get_object(greeting), "version");

	note(userdata, g_strdup_printf("ready %s", json_object_get_string_member(version, "package")));
}

static void on_event(QmpMonitor *monitor, QmpMessage *event, void *userdata)
{
	g_autoptr(QmpMessage) owned = event;
	g_autoptr(QmpMessage) whole = event->plain ? qmp_message_parse_plain(event) : NULL;
	JsonNode *body = whole ? whole->body : event->body;
	g_autofree char *data = body ? json_text_from_node(body) : NULL;

	note(userdata, g_strdup_printf("event %s%s%s", event->name, data ? " " : "", data ?: ""));
}

static void on_closed(QmpMonitor *monitor, const GError *error, void *userdata)
{
	note(userdata, g_strdup_printf("closed %s: %s", code_name(error), error->message));
}

static void on_cut(QmpMonitor *monitor, void *userdata)
{
	note(userdata, g_strdup("cut"));
}

static void on_taking(QmpMonitor *monitor, void *userdata)
{
	((MonitorFixture *)userdata)->untold = true;
}

static void on_taken(QmpMonitor *monitor, void *userdata)
{
	((MonitorFixture *)userdata)->untold = !qmp_monitor_is_drained(monitor);
}

static const QmpMonitorHandler handler = {
	.ready = on_ready,
	.event = on_event,
	.closed = on_closed,
	.taking = on_taking,
	.taken = on_taken,
	.cut = on_cut,
};

static void on_reply(JsonNode *result, const GError *error, void *userdata)
{
	Call *call = userdata;
	g_autofree char *command = call->command;
	MonitorFixture *fixture = call->fixture;
	g_autofree char *text = NULL;

	g_assert_true(!result != !error);
	g_free(call);
	if (error) {
		note(fixture, g_strdup_printf("%s ! %s: %s", command, code_name(error),
					      error->message));
		return;
	}
	text = json_text_from_node(result);
	note(fixture, g_strdup_printf("%s = %s", command, text));
}

void monitor_fixture_set_up(MonitorFixture *fixture, const void *handshake_ms)
{
	fixture->loop = loop_poll_new();
	fixture->log = g_ptr_array_new_with_free_func(g_free);
	fixture->server = scripted_qmp_new(fixture->loop, &fixture->client_fd);
	if (GPOINTER_TO_INT(handshake_ms) != MONITOR_FIXTURE_LATER)
		monitor_fixture_connect(fixture, GPOINTER_TO_INT(handshake_ms) ?: -1);
}

void monitor_fixture_connect(MonitorFixture *fixture, int handshake_ms)
{
	fixture->monitor = qmp_monitor_new(fixture->loop, fixture->client_fd, handshake_ms, &handler,
					   fixture);
}

void monitor_fixture_take_over(MonitorFixture *fixture)
{
	fixture->monitor = qmp_monitor_take_over(fixture->loop, fixture->client_fd, fixture->journal,
						 &fixture->joined, &handler, fixture);
}

void monitor_fixture_tear_down(MonitorFixture *fixture, const void *handshake_ms)
{
	fixture->free_at = NULL;
	fixture->call_at = NULL;
	fixture->monitor = qmp_monitor_free(fixture->monitor);
	fixture->server = scripted_qmp_free(fixture->server);
	/* The other end sees the hang-up; nothing of it comes to a monitor that is gone. */
	scripted_qmp_settle(fixture->loop);
	fixture->loop = loop_free(fixture->loop);
	g_ptr_array_unref(fixture->log);
}

void monitor_fixture_make_ready(MonitorFixture *fixture)
{
	scripted_qmp_handshake(fixture->server);
	EXPECT_LOG(fixture, "ready scripted");
	g_assert_true(qmp_monitor_is_ready(fixture->monitor));
	monitor_fixture_clear_log(fixture);
}

uint64_t monitor_fixture_call(MonitorFixture *fixture, const char *command, const char *arguments,
			      int timeout_ms)
{
	uint64_t number;
	unsigned before = fixture->log->len;
	Call *call = g_new0(Call, 1);

	call->fixture = fixture;
	call->command = g_strdup(command);
	number = qmp_monitor_execute(fixture->monitor, command,
				     arguments ? json_from_string(arguments, NULL) : NULL, timeout_ms,
				     on_reply, call);
	g_assert_cmpuint(fixture->log->len, ==, before);
	return number;
}

void monitor_fixture_expect_log(MonitorFixture *fixture, const char *const *lines)
{
	unsigned n = g_strv_length((char **)lines);

	SCRIPTED_QMP_WAIT(fixture->loop, fixture->log->len >= n);
	for (unsigned i = 0; i < n; i++)
		g_assert_cmpstr(fixture->log->pdata[i], ==, lines[i]);
	g_assert_cmpuint(fixture->log->len, ==, n);
}

void monitor_fixture_clear_log(MonitorFixture *fixture)
{
	g_ptr_array_set_size(fixture->log, 0);
}

bool monitor_fixture_has_logged(const MonitorFixture *fixture, const char *start)
{
	for (unsigned i = 0; i < fixture->log->len; i++) {
		if (g_str_has_prefix(fixture->log->pdata[i], start))
			return true;
	}
	return false;
}
