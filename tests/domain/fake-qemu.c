/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake-machine.h"
#include "fake-qemu-files.h"

/*
 * A program in the part of QEMU: it understands of a command line what the service needs (the listening
 * descriptor of the monitor or -qmp unix:PATH, -pidfile, -device, -name, -uuid), speaks QMP, and keeps no guest. How it misbehaves is
 * said by settings, KEY=VALUE with semicolons between them behind "-fake", or later by the command
 * x-set:
 *
 *   start=fail          says something on stderr and exits with status 1
 *   greeting=none       accepts and is silent; =garbage: talks nonsense
 *   status=RUN-STATE    that of the beginning
 *   hang=COMMAND        takes COMMAND (or "all") and never answers
 *   close=COMMAND       closes the monitor instead of an answer to COMMAND, once
 *   fail:COMMAND=TEXT   refuses COMMAND with TEXT, "not found" as DeviceNotFound
 *   tray=locked         the guest has locked the tray
 *   before:COMMAND=LINE writes LINE before the answer to COMMAND, once; each:COMMAND: always
 *   term=ignore         SIGTERM does nothing; =exit: exit(0) without an event
 *   powerdown=obey      the guest shuts down when it is asked to
 *   device-del=WHEN     DEVICE_DELETED before or after the reply, or never
 *   migration=STATUS    what query-migrate says; "" if it was never asked to migrate
 *   migrate=complete    migrate writes "state" to the descriptor that getfd gave it, and is done; otherwise the
 *                       test emits what becomes of it. migrate-incoming takes nothing else than that
 *   dump=STATUS         what query-dump says; dump-guest-memory makes it active
 *   filters=JSON        what query-rx-filter returns, of all NICs; without those that have gone (x-set only)
 *   reply:COMMAND=JSON  answers COMMAND with that; "" takes it back
 *   qom:PATH=JSON       what qom-get returns of a property: its object's path, "/", its name
 *
 * screendump writes the beginning of a PNG, or what picture=TEXT says; with picture-size=large more than is taken.
 * dump-guest-memory writes "dump" to the descriptor that getfd gave it; its end has to be emitted.
 *
 * Commands of its own: x-set {KEY: VALUE}, x-emit {"events": [...], "after": BOOLEAN} (the reply comes
 * before them, or after), x-flood {"count", "first"}, x-forget {"device"} (from the list, without an event),
 * x-lines {"lines": [...]} (raw), x-log (what was commanded so far), x-close (the monitor, and goes on
 * running), x-exit {"status"}.
 *
 * It ends by _exit(): nothing of a sanitizer's or of atexit() shall change its status.
 */

#define PERIPHERAL "/machine/peripheral/"
#define VERSION "{\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}"

static GHashTable *settings;
static GPtrArray *commands;      /* "COMMAND ID" */
static GString *input, *output;
static int listener = -1, connection = -1;
static int received = -1;        /* the last descriptor that came with a command */
static const char *status = "prelaunch";
static const char *guest_name = "", *guest_uuid = "00000000-0000-0000-0000-000000000000";
static bool pause_at_shutdown;

static bool is_set(const char *key, const char *value)
{
	return g_strcmp0(g_hash_table_lookup(settings, key), value) == 0;
}

/* ---- output ---- */

static void drop_connection(void)
{
	if (connection >= 0)
		(void)close(connection);
	connection = -1;
	g_string_truncate(input, 0);
	g_string_truncate(output, 0);
}

static void flush(void)
{
	while (connection >= 0 && output->len > 0) {
		ssize_t n = send(connection, output->str, output->len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			drop_connection();
		else
			g_string_erase(output, 0, n);
	}
}

/* What it said last is read, however slow the reader is. */
static _Noreturn void leave(int exit_status)
{
	if (connection >= 0)
		(void)fcntl(connection, F_SETFL, 0);
	flush();
	_exit(exit_status);
}

static void write_line(const char *text)
{
	if (connection >= 0)
		g_string_append_printf(output, "%s\r\n", text);
}

static void emit(const char *name, const char *data)
{
	gint64 now = g_get_real_time();
	g_autofree char *line = g_strdup_printf(
		"{\"timestamp\": {\"seconds\": %" G_GINT64_FORMAT ", \"microseconds\": %" G_GINT64_FORMAT
		"}, \"event\": \"%s\"%s%s}", now / G_USEC_PER_SEC, now % G_USEC_PER_SEC, name,
		data ? ", \"data\": " : "", data ? data : "");

	write_line(line);
}

static void reply(gint64 id, const char *result)
{
	g_autofree char *line = g_strdup_printf("{\"return\": %s, \"id\": %" G_GINT64_FORMAT "}",
						result, id);

	write_line(line);
}

static void refuse(gint64 id, const char *class, const char *text)
{
	g_autofree char *line = g_strdup_printf("{\"id\": %" G_GINT64_FORMAT ", \"error\": {\"class\": "
						"\"%s\", \"desc\": \"%s\"}}", id, class, text);

	write_line(line);
}

/* ---- the machine ---- */

/* As a real one does: first the part, which has no id, then the device. */
static void emit_deleted(const char *id)
{
	g_autofree char *child = g_strdup_printf("{\"path\": \"/machine/peripheral/%s/virtio-backend\"}",
						 id);
	g_autofree char *own = g_strdup_printf("{\"device\": \"%s\", \"path\": "
					       "\"/machine/peripheral/%s\"}", id, id);

	if (!remove_device(id))
		return;
	emit("DEVICE_DELETED", child);
	emit("DEVICE_DELETED", own);
}

static void list_devices(gint64 id)
{
	g_autofree char *text = devices_list();

	reply(id, text);
}

static void guest_shuts_down(void)
{
	emit("SHUTDOWN", "{\"guest\": true, \"reason\": \"guest-shutdown\"}");
	if (!pause_at_shutdown)
		leave(0);
	emit("STOP", NULL);
	status = "shutdown";
}

/* ---- commands: as QEMU, events before the reply that they are caused by ---- */

static void run_state(gint64 id, JsonObject *arguments)
{
	g_autofree char *text = g_strdup_printf("{\"status\": \"%s\", \"singlestep\": false, "
						"\"running\": %s}", status,
						g_str_equal(status, "running") ? "true" : "false");

	reply(id, text);
}

static void query_name(gint64 id, JsonObject *arguments)
{
	g_autofree char *text = *guest_name ? g_strdup_printf("{\"name\": \"%s\"}", guest_name) : g_strdup("{}");

	reply(id, text);
}

static void query_uuid(gint64 id, JsonObject *arguments)
{
	g_autofree char *text = g_strdup_printf("{\"UUID\": \"%s\"}", guest_uuid);

	reply(id, text);
}

static void cont(gint64 id, JsonObject *arguments)
{
	if (!g_str_equal(status, "running"))
		emit("RESUME", NULL);
	status = "running";
	reply(id, "{}");
}

static void stop(gint64 id, JsonObject *arguments)
{
	if (g_str_equal(status, "running"))
		emit("STOP", NULL);
	status = "paused";
	reply(id, "{}");
}

static void system_reset(gint64 id, JsonObject *arguments)
{
	emit("RESET", "{\"guest\": false, \"reason\": \"host-qmp-system-reset\"}");
	if (g_str_equal(status, "shutdown"))
		status = "prelaunch";
	reply(id, "{}");
}

static void system_powerdown(gint64 id, JsonObject *arguments)
{
	emit("POWERDOWN", NULL);
	reply(id, "{}");
	if (is_set("powerdown", "obey"))
		guest_shuts_down();
}

static void system_wakeup(gint64 id, JsonObject *arguments)
{
	emit("WAKEUP", NULL);
	status = "running";
	reply(id, "{}");
}

static void set_action(gint64 id, JsonObject *arguments)
{
	pause_at_shutdown = g_str_equal(get_string(arguments, "shutdown"), "pause");
	reply(id, "{}");
}

static _Noreturn void quit(gint64 id, JsonObject *arguments)
{
	emit("SHUTDOWN", "{\"guest\": false, \"reason\": \"host-qmp-quit\"}");
	reply(id, "{}");
	leave(0);
}

static void accept_it(gint64 id, JsonObject *arguments)
{
	reply(id, "{}");
}

static void query_version(gint64 id, JsonObject *arguments)
{
	reply(id, VERSION);
}

static void answer_setting(gint64 id, const char *key, const char *unset)
{
	const char *value = g_hash_table_lookup(settings, key);
	g_autofree char *text = g_strdup_printf("{\"status\": \"%s\"}", value ? value : unset);

	reply(id, value || *unset ? text : "{}");
}

static void query_migrate(gint64 id, JsonObject *arguments)
{
	answer_setting(id, "migration", "");
}

static void query_dump(gint64 id, JsonObject *arguments)
{
	answer_setting(id, "dump", "none");
}

static void getfd(gint64 id, JsonObject *arguments)
{
	/* The number is the answer to add-fd; getfd's is not read. */
	g_autofree char *result = g_strdup_printf("{\"fd\": %d}", received);

	if (received < 0)
		refuse(id, "GenericError", "no file descriptor supplied");
	else
		reply(id, result);
}

static void dump_guest_memory(gint64 id, JsonObject *arguments)
{
	if (!g_str_equal(get_string(arguments, "protocol"), "fd:vmherald-dump") ||
	    !json_object_get_boolean_member(arguments, "detach") ||
	    write(received, "dump", 4) != 4) {
		refuse(id, "GenericError", "cannot be written");
		return;
	}
	/* As a short one ends: before its own reply. */
	if (is_set("dump", "at-once")) {
		g_hash_table_replace(settings, g_strdup("dump"), g_strdup("completed"));
		emit("DUMP_COMPLETED", "{\"result\": {\"status\": \"completed\", \"completed\": 4, "
				       "\"total\": 4}}");
	} else {
		g_hash_table_replace(settings, g_strdup("dump"), g_strdup("active"));
	}
	reply(id, "{}");
}

/* As a short one ends: before its own reply. What is not told here, the test emits. */
static void migrate(gint64 id, JsonObject *arguments)
{
	if (is_set("migrate", "complete")) {
		fake_write_state(received);
		status = "postmigrate";
		g_hash_table_replace(settings, g_strdup("migration"), g_strdup("completed"));
		emit("MIGRATION", "{\"status\": \"active\"}");
		emit("MIGRATION", "{\"status\": \"completed\"}");
	}
	reply(id, "{}");
}

static void migrate_incoming(gint64 id, JsonObject *arguments)
{
	fake_read_state(received);
	status = "paused";
	emit("MIGRATION", "{\"status\": \"completed\"}");
	reply(id, "{}");
}

static void device_add(gint64 id, JsonObject *arguments)
{
	add_device(arguments);
	reply(id, "{}");
}

static void device_del(gint64 id, JsonObject *arguments)
{
	const char *device = get_string(arguments, "id");

	if (is_set("device-del", "before"))
		emit_deleted(device);
	reply(id, "{}");
	if (is_set("device-del", "after"))
		emit_deleted(device);
}

static void qom_list(gint64 id, JsonObject *arguments)
{
	list_devices(id);
}

/* Of a device that is not there there is no property. */
static void qom_get(gint64 id, JsonObject *arguments)
{
	const char *path = get_string(arguments, "path");
	g_autofree char *key = g_strdup_printf("qom:%s/%s", path, get_string(arguments, "property"));
	const char *value = g_hash_table_lookup(settings, key);

	if (g_str_has_prefix(path, PERIPHERAL) && !strchr(path + strlen(PERIPHERAL), '/') &&
	    !find_device(path + strlen(PERIPHERAL), NULL))
		refuse(id, "DeviceNotFound", "Device not found");
	else
		reply(id, value ? value : "\"/machine/q35/pcihost/pcie.0\"");
}

static void emit_tray(JsonObject *arguments, bool open)
{
	g_autofree char *data = g_strdup_printf("{\"device\": \"\", \"id\": \"%s\", \"tray-open\": %s}",
						get_string(arguments, "id"), open ? "true" : "false");

	emit("DEVICE_TRAY_MOVED", data);
}

/* As a real one: a guest that has locked it is only asked. */
static void open_tray(gint64 id, JsonObject *arguments)
{
	if (!is_set("tray", "locked") ||
	    json_object_get_boolean_member_with_default(arguments, "force", FALSE))
		emit_tray(arguments, true);
	reply(id, "{}");
}

static void close_tray(gint64 id, JsonObject *arguments)
{
	emit_tray(arguments, false);
	reply(id, "{}");
}

static void query_rx_filter(gint64 id, JsonObject *arguments)
{
	const char *filters = g_hash_table_lookup(settings, "filters");
	g_autoptr(JsonNode) all = json_from_string(filters ? filters : "[]", NULL);
	g_autoptr(JsonNode) answer = json_node_new(JSON_NODE_ARRAY);
	JsonArray *array = json_node_get_array(all), *wanted = json_array_new();
	g_autofree char *text = NULL;

	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		JsonNode *filter = json_array_get_element(array, i);

		const char *name = get_string(JSON_NODE_HOLDS_OBJECT(filter) ? json_node_get_object(filter) : NULL,
					      "name");

		if (!has_gone(name) && (!arguments || g_str_equal(name, get_string(arguments, "name"))))
			json_array_add_element(wanted, json_node_copy(filter));
	}
	json_node_take_array(answer, wanted);
	text = json_to_string(answer, FALSE);
	reply(id, text);
}

static void x_set(gint64 id, JsonObject *arguments)
{
	JsonObjectIter iter;
	const char *key;
	JsonNode *value;

	json_object_iter_init(&iter, arguments);
	while (json_object_iter_next(&iter, &key, &value))
		g_hash_table_replace(settings, g_strdup(key), g_strdup(json_node_get_string(value)));
	status = g_hash_table_contains(settings, "status")
			 ? g_strdup(g_hash_table_lookup(settings, "status")) : status;
	g_hash_table_remove(settings, "status");
	reply(id, "{}");
}

/* A device that is told as removed has gone; one that came in its place is not told of so (x-lines). */
static void note_emitted(JsonObject *event)
{
	JsonObject *data = json_object_has_member(event, "data")
				   ? json_object_get_object_member(event, "data") : NULL;

	if (g_str_equal(get_string(event, "event"), "DEVICE_DELETED"))
		(void)remove_device(get_string(data, "device"));
}

static void x_emit(gint64 id, JsonObject *arguments)
{
	JsonArray *events = json_object_get_array_member(arguments, "events");
	bool after = json_object_get_boolean_member_with_default(arguments, "after", FALSE);

	if (after)
		reply(id, "{}");
	for (unsigned i = 0; i < json_array_get_length(events); i++) {
		JsonNode *event = json_array_get_element(events, i);
		g_autofree char *text = NULL;

		/* A word is an event without data. */
		if (JSON_NODE_HOLDS_VALUE(event)) {
			emit(json_node_get_string(event), NULL);
			continue;
		}
		note_emitted(json_node_get_object(event));
		text = json_to_string(event, FALSE);
		write_line(text);
	}
	if (!after)
		reply(id, "{}");
}

/* A device that is going: no longer in the list, and not told yet. */
static void x_forget(gint64 id, JsonObject *arguments)
{
	(void)remove_device(get_string(arguments, "device"));
	reply(id, "{}");
}

static void x_flood(gint64 id, JsonObject *arguments)
{
	gint64 first = json_object_get_int_member(arguments, "first");
	gint64 count = json_object_get_int_member(arguments, "count");

	for (gint64 i = first; i < first + count; i++)
		g_string_append_printf(output, "{\"event\": \"X_TEST\", \"data\": {\"n\": "
				       "%" G_GINT64_FORMAT "}}\r\n", i);
	reply(id, "{}");
}

static void x_lines(gint64 id, JsonObject *arguments)
{
	JsonArray *lines = json_object_get_array_member(arguments, "lines");

	for (unsigned i = 0; i < json_array_get_length(lines); i++)
		write_line(json_array_get_string_element(lines, i));
	reply(id, "{}");
}

static void x_log(gint64 id, JsonObject *arguments)
{
	g_autoptr(GString) text = g_string_new("[");

	for (unsigned i = 0; i < commands->len; i++)
		g_string_append_printf(text, "%s\"%s\"", i > 0 ? ", " : "",
				       (char *)g_ptr_array_index(commands, i));
	g_string_append_c(text, ']');
	reply(id, text->str);
}

static void x_close(gint64 id, JsonObject *arguments)
{
	reply(id, "{}");
	flush();
	drop_connection();
}

static void screendump(gint64 id, JsonObject *arguments)
{
	if (fake_write_picture(get_string(arguments, "filename"),
			       g_hash_table_lookup(settings, "picture"),
			       is_set("picture-size", "large")))
		reply(id, "{}");
	else
		refuse(id, "GenericError", "cannot be written");
}

static _Noreturn void x_exit(gint64 id, JsonObject *arguments)
{
	leave((int)json_object_get_int_member(arguments, "status"));
}

static const struct {
	const char *name;
	void (*run)(gint64 id, JsonObject *arguments);
} rows[] = {
	{ "add-fd", getfd },
	{ "block-job-cancel", accept_it },
	{ "block-set-write-threshold", accept_it },
	{ "blockdev-add", accept_it },
	{ "blockdev-close-tray", close_tray },
	{ "blockdev-del", accept_it },
	{ "blockdev-insert-medium", accept_it },
	{ "blockdev-open-tray", open_tray },
	{ "blockdev-remove-medium", accept_it },
	{ "closefd", accept_it },
	{ "cont", cont },
	{ "device_add", device_add },
	{ "device_del", device_del },
	{ "dump-guest-memory", dump_guest_memory },
	{ "getfd", getfd },
	{ "inject-nmi", accept_it },
	{ "job-cancel", accept_it },
	{ "migrate", migrate },
	{ "migrate-incoming", migrate_incoming },
	{ "migrate-set-capabilities", accept_it },
	{ "migrate_cancel", accept_it },
	{ "netdev_add", accept_it },
	{ "netdev_del", accept_it },
	{ "object-add", accept_it },
	{ "object-del", accept_it },
	{ "qmp_capabilities", accept_it },
	{ "qom-get", qom_get },
	{ "qom-list", qom_list },
	{ "query-dump", query_dump },
	{ "query-migrate", query_migrate },
	{ "query-name", query_name },
	{ "query-rx-filter", query_rx_filter },
	{ "query-status", run_state },
	{ "query-version", query_version },
	{ "query-uuid", query_uuid },
	{ "quit", quit },
	{ "screendump", screendump },
	{ "set-action", set_action },
	{ "stop", stop },
	{ "system_powerdown", system_powerdown },
	{ "system_reset", system_reset },
	{ "system_wakeup", system_wakeup },
	{ "x-close", x_close },
	{ "x-emit", x_emit },
	{ "x-exit", x_exit },
	{ "x-flood", x_flood },
	{ "x-forget", x_forget },
	{ "x-lines", x_lines },
	{ "x-log", x_log },
	{ "x-set", x_set },
};

/* Not what every start asks. */
static void note_command(const char *name, JsonObject *arguments)
{
	const char *id = get_string(arguments, "id");

	if (!*id)
		id = get_string(arguments, "node-name");
	if (!*id)
		id = get_string(arguments, "device");
	if (!*id)
		id = get_string(arguments, "shutdown");
	if (!g_str_has_prefix(name, "x-") &&
	    (!g_str_has_prefix(name, "q") || g_str_equal(name, "query-dump")) &&
	    !g_str_equal(name, "migrate-set-capabilities"))
		g_ptr_array_add(commands, g_strdup_printf("%s%s%s", name, *id ? " " : "", id));
}

static void write_before(const char *command)
{
	g_autofree char *once = g_strconcat("before:", command, NULL);
	g_autofree char *always = g_strconcat("each:", command, NULL);
	const char *line = g_hash_table_lookup(settings, once);

	if (line)
		write_line(line);
	g_hash_table_remove(settings, once);
	line = g_hash_table_lookup(settings, always);
	if (line && *line)
		write_line(line);
}

/* As the real one's parser: a byte that is in no JSON text ends what has come of a command. */
static const char *skip_reset(const char *line)
{
	const char *reset = strrchr(line, '\xff');

	if (!reset)
		return line;
	write_line("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}");
	return reset + 1;
}

static void handle(const char *bytes)
{
	const char *line = skip_reset(bytes);
	g_autoptr(JsonNode) node = json_from_string(line, NULL);
	JsonObject *command = json_node_get_object(node);
	const char *name = get_string(command, "execute");
	JsonObject *arguments = json_object_has_member(command, "arguments")
					? json_object_get_object_member(command, "arguments") : NULL;
	gint64 id = json_object_get_int_member(command, "id");
	g_autofree char *fail_key = g_strconcat("fail:", name, NULL);
	g_autofree char *reply_key = g_strconcat("reply:", name, NULL);
	const char *failure = g_hash_table_lookup(settings, fail_key);
	const char *answer = g_hash_table_lookup(settings, reply_key);

	note_command(name, arguments);
	if (is_set("hang", "all") || is_set("hang", name))
		return;
	if (is_set("close", name)) {
		g_hash_table_remove(settings, "close");
		drop_connection();
		return;
	}
	write_before(name);
	if (failure && *failure) {
		refuse(id, g_str_equal(failure, "not found") ? "DeviceNotFound" : "GenericError", failure);
		return;
	}
	if (answer && *answer) {
		reply(id, answer);
		return;
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (g_str_equal(rows[i].name, name)) {
			rows[i].run(id, arguments);
			return;
		}
	}
	refuse(id, "CommandNotFound", "no such command");
}

/* ---- the loop ---- */

static void greet(void)
{
	if (is_set("greeting", "none"))
		return;
	for (unsigned i = 0; is_set("greeting", "garbage") && i < 100; i++)
		write_line("Escape character is '^]'.");
	write_line("{\"QMP\": {\"version\": " VERSION ", \"capabilities\": [\"oob\"]}}");
}

static void on_readable(void)
{
	char bytes[65536];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
	char *end;

	if (n > 0 && CMSG_FIRSTHDR(&message)) {
		if (received >= 0)
			(void)close(received);
		memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(received));
	}
	if (n <= 0) {
		drop_connection();
		return;
	}
	g_string_append_len(input, bytes, n);
	while (connection >= 0 && (end = strchr(input->str, '\n'))) {
		g_autofree char *line = g_strndup(input->str, (size_t)(end - input->str));

		g_string_erase(input, 0, end + 1 - input->str);
		handle(line);
	}
}

static void on_term(void)
{
	if (is_set("term", "ignore"))
		return;
	if (is_set("term", "exit"))
		leave(0);
	emit("SHUTDOWN", "{\"guest\": false, \"reason\": \"host-signal\"}");
	leave(0);
}

/* Ends with the test, also with one that failed. */
static _Noreturn void run(int signals)
{
	int parent = pidfd_open(getppid(), 0);

	/* The real one may accept one connection twice, and would wait for ever in the second. */
	if (!(fcntl(listener, F_GETFL) & O_NONBLOCK)) {
		fprintf(stderr, "the listening socket blocks\n");
		_exit(1);
	}
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = connection < 0 ? listener : -1, .events = POLLIN },
			{ .fd = connection, .events = output->len > 0 ? POLLIN | POLLOUT : POLLIN },
			{ .fd = parent, .events = POLLIN },
		};
		struct signalfd_siginfo info;

		(void)poll(fds, G_N_ELEMENTS(fds), -1);
		if (fds[0].revents && read(signals, &info, sizeof(info)) == sizeof(info))
			on_term();
		if (fds[3].revents)
			_exit(0);
		if (fds[1].revents) {
			connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (connection >= 0)
				greet();
		}
		if (fds[2].revents & (POLLIN | POLLHUP | POLLERR))
			on_readable();
		flush();
	}
}

/* ---- the command line ---- */

static void read_option(const char *option, const char *value)
{
	g_autoptr(JsonNode) node = NULL;

	if (g_str_equal(option, "-fake")) {
		fake_read_settings(settings, value);
	} else if (g_str_equal(option, "-chardev") && strstr(value, "id=vmherald-monitor")) {
		listener = atoi(strstr(value, "fd=") + strlen("fd="));
	} else if (g_str_equal(option, "-pidfile")) {
		g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());

		(void)g_file_set_contents(value, text, -1, NULL);
	} else if (g_str_equal(option, "-device")) {
		node = json_from_string(value, NULL);
		add_device(json_node_get_object(node));
	} else if (g_str_equal(option, "-qmp")) {
		listener = listen_at(value);
	} else if (g_str_equal(option, "-name")) {
		/* The service's own form is "guest=NAME,...". */
		guest_name = strchr(value, '=') ? "" : value;
	} else if (g_str_equal(option, "-uuid")) {
		guest_uuid = value;
	} else if (g_str_equal(option, "-action")) {
		pause_at_shutdown = strstr(value, "shutdown=pause") != NULL;
	}
}

int main(int argc, char **argv)
{
	sigset_t set;
	int signals;

	settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	commands = g_ptr_array_new();
	devices_init();
	input = g_string_new(NULL);
	output = g_string_new(NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);

	for (int i = 1; i < argc; i++)
		if (i + 1 < argc)
			read_option(argv[i], argv[i + 1]);
		else if (g_str_equal(argv[i], "-no-shutdown"))
			pause_at_shutdown = true;
	if (g_hash_table_contains(settings, "status"))
		status = g_hash_table_lookup(settings, "status");
	if (is_set("start", "fail")) {
		g_printerr("fake-qemu: first line\nfake-qemu: -device nope: no such thing\n");
		_exit(1);
	}
	if (listener < 0)
		_exit(2);
	run(signals);
}
