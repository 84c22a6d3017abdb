/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/qmp/scripted-qmp.h"

#include <errno.h>
#include <glib-unix.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qmp/framer.h"

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, "          \
	"\"package\": \"scripted\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define EMPTY_RETURN "{\"return\": {}}"

typedef enum StepKind {
	STEP_SEND,
	STEP_EXPECT,
	STEP_REPLY,
	STEP_HANG_UP,
} StepKind;

typedef struct Step {
	StepKind kind;
	GBytes *bytes;          /* send */
	char *command;          /* expect, reply */
	char *arguments;        /* expect; NULL: any */
	char *reply;            /* expect, reply; NULL: none */
	int64_t recorded_id;    /* of a recording: expect, reply; else 0 */
} Step;

typedef struct Responder {
	char *reply;
	ScriptedQmpResponder callback;
	void *userdata;
} Responder;

typedef struct Command {
	char *name;
	int64_t id;
	int64_t recorded_id;
} Command;

struct ScriptedQmp {
	Loop *loop;
	char *path;
	int listen_fd;
	int listen_handle;
	int fd;
	int handle;
	bool reading;
	bool serving;
	bool responding;                /* a reply is being made: no hang-up before it */

	QmpFramer *framer;
	GString *out;
	size_t out_done;
	GQueue steps;
	GHashTable *responders;         /* "" for what is not in the table */
	GHashTable *counts;
	unsigned count;
	GQueue unanswered;
	unsigned unanswered_max;
};

static void step_free(void *data)
{
	Step *step = data;

	g_clear_pointer(&step->bytes, g_bytes_unref);
	g_free(step->command);
	g_free(step->arguments);
	g_free(step->reply);
	g_free(step);
}

static void responder_free(void *data)
{
	Responder *responder = data;

	g_free(responder->reply);
	g_free(responder);
}

static void command_free(void *data)
{
	Command *command = data;

	g_free(command->name);
	g_free(command);
}

static JsonNode *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	JsonNode *node = json_from_string(text, &error);

	if (error)
		g_error("scripted QMP: %s: %s", text, error->message);
	return node;
}

static void update_handle(ScriptedQmp *server)
{
	LoopEvents events = 0;

	if (server->fd < 0)
		return;
	if (server->reading)
		events |= LOOP_READABLE;
	if (server->out->len > 0)
		events |= LOOP_WRITABLE;
	loop_update_handle(server->loop, server->handle, events);
}

static void clear_output(ScriptedQmp *server)
{
	g_string_truncate(server->out, 0);
	server->out_done = 0;
}

static void disconnect(ScriptedQmp *server)
{
	if (server->fd < 0)
		return;
	loop_remove_handle(server->loop, server->handle);
	close(server->fd);
	server->fd = -1;
	clear_output(server);
	g_queue_clear_full(&server->unanswered, command_free);
	g_clear_pointer(&server->framer, qmp_framer_free);
	if (server->listen_fd >= 0)
		loop_update_handle(server->loop, server->listen_handle, LOOP_READABLE);
}

/* Takes command over. reply NULL: it stays unanswered. */
static void answer(ScriptedQmp *server, Command *command, const char *reply)
{
	g_autoptr(JsonNode) root = NULL;
	g_autofree char *line = NULL;

	if (!reply) {
		g_queue_push_tail(&server->unanswered, command);
		server->unanswered_max = MAX(server->unanswered_max, server->unanswered.length);
		return;
	}
	root = parse(reply);
	json_object_set_int_member(json_node_get_object(root), "id", command->id);
	line = json_to_string(root, FALSE);
	g_string_append_printf(server->out, "%s\r\n", line);
	command_free(command);
}

static bool run_reply(ScriptedQmp *server, const Step *step)
{
	for (GList *l = server->unanswered.head; l; l = l->next) {
		Command *command = l->data;

		if (step->recorded_id ? step->recorded_id != command->recorded_id
				      : !g_str_equal(step->command, command->name))
			continue;
		g_queue_delete_link(&server->unanswered, l);
		answer(server, command, step->reply);
		return true;
	}
	return false;
}

static void run_steps(ScriptedQmp *server)
{
	Step *step;

	while (server->fd >= 0 && (step = g_queue_peek_head(&server->steps))) {
		if (step->kind == STEP_EXPECT ||
		    (step->kind == STEP_REPLY && !run_reply(server, step)) ||
		    (step->kind == STEP_HANG_UP && (server->out->len > 0 || server->responding)))
			break;
		if (step->kind == STEP_SEND)
			g_string_append_len(server->out, g_bytes_get_data(step->bytes, NULL),
					    (gssize)g_bytes_get_size(step->bytes));
		if (step->kind == STEP_HANG_UP)
			disconnect(server);
		g_queue_pop_head(&server->steps);
		step_free(step);
	}
	update_handle(server);
}

static void check_arguments(const Step *step, const char *arguments)
{
	g_autoptr(JsonNode) expected = NULL;
	g_autoptr(JsonNode) actual = NULL;

	if (!step->arguments)
		return;
	expected = parse(step->arguments);
	actual = parse(arguments ?: "{}");
	if (!json_node_equal(expected, actual))
		g_error("scripted QMP: '%s' with %s, expected %s", step->command, arguments,
			step->arguments);
}

/* Takes command over. */
static void respond(ScriptedQmp *server, Command *command, const char *arguments)
{
	Responder *responder = g_hash_table_lookup(server->responders, command->name) ?:
			       g_hash_table_lookup(server->responders, "");
	g_autofree char *reply = NULL;

	if (!responder)
		g_error("scripted QMP: unexpected command '%s'", command->name);
	server->responding = true;
	if (responder->callback)
		reply = responder->callback(server, command->name, arguments, responder->userdata);
	else
		reply = g_strdup(responder->reply);
	answer(server, command, reply);
	server->responding = false;
}

static void handle_command(ScriptedQmp *server, const char *line, size_t length)
{
	/* What comes before a byte that is in no JSON text is thrown away (qmp-spec, 2.6). */
	const char *reset = memrchr(line, '\xff', length);
	g_autofree char *text = g_strndup(reset ? reset + 1 : line,
					  length - (reset ? (size_t)(reset + 1 - line) : 0));
	g_autoptr(JsonNode) root = parse(text);
	g_autofree char *arguments = NULL;
	JsonObject *object = json_node_get_object(root);
	Step *step = g_queue_peek_head(&server->steps);
	Command *command = g_new0(Command, 1);

	command->name = g_strdup(json_object_get_string_member(object, "execute"));
	command->id = json_object_get_int_member(object, "id");
	if (json_object_has_member(object, "arguments"))
		arguments = json_to_string(json_object_get_member(object, "arguments"), FALSE);
	server->count++;
	g_hash_table_insert(server->counts, g_strdup(command->name), GUINT_TO_POINTER(
		GPOINTER_TO_UINT(g_hash_table_lookup(server->counts, command->name)) + 1));

	if (!step || step->kind != STEP_EXPECT || !g_str_equal(step->command, command->name)) {
		respond(server, command, arguments);
		run_steps(server);
		return;
	}
	check_arguments(step, arguments);
	command->recorded_id = step->recorded_id;
	answer(server, command, step->reply);
	g_queue_pop_head(&server->steps);
	step_free(step);
	run_steps(server);
}

static void read_commands(ScriptedQmp *server)
{
	g_autoptr(GError) error = NULL;
	const char *line;
	size_t room, length;
	char *at = qmp_framer_reserve(server->framer, &room);
	ssize_t n = recv(server->fd, at, room, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		disconnect(server);
		return;
	}
	if (!qmp_framer_commit(server->framer, (size_t)n, &error))
		g_error("scripted QMP: %s", error->message);
	while (server->fd >= 0 && qmp_framer_next(server->framer, &line, &length))
		handle_command(server, line, length);
}

static void write_some(ScriptedQmp *server)
{
	ssize_t n = send(server->fd, server->out->str + server->out_done,
			 server->out->len - server->out_done, MSG_NOSIGNAL);

	if (n > 0)
		server->out_done += (size_t)n;
	if (server->out_done == server->out->len) {
		clear_output(server);
		run_steps(server);
	}
	update_handle(server);
}

static void on_client(int handle, int fd, LoopEvents events, void *userdata)
{
	ScriptedQmp *server = userdata;

	if ((events & LOOP_WRITABLE) && server->out->len > 0)
		write_some(server);
	if (server->fd < 0)
		return;
	if ((events & LOOP_READABLE) && server->reading)
		read_commands(server);
	else if (events & (LOOP_HANGUP | LOOP_ERROR))
		disconnect(server);
}

/* Takes fd over. */
static void connect_client(ScriptedQmp *server, int fd)
{
	g_assert_true(g_unix_set_fd_nonblocking(fd, TRUE, NULL));
	server->fd = fd;
	server->framer = qmp_framer_new();
	server->handle = loop_add_handle(server->loop, fd, 0, on_client, server, NULL);
	g_assert_cmpint(server->handle, >, 0);
	if (server->serving)
		g_string_append(server->out, GREETING);
	run_steps(server);
}

static void on_listen(int handle, int fd, LoopEvents events, void *userdata)
{
	ScriptedQmp *server = userdata;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	g_assert_cmpint(client, >=, 0);
	loop_update_handle(server->loop, handle, 0);
	connect_client(server, client);
}

static ScriptedQmp *server_new(Loop *loop)
{
	ScriptedQmp *server = g_new0(ScriptedQmp, 1);

	server->loop = loop;
	server->listen_fd = -1;
	server->fd = -1;
	server->reading = true;
	server->out = g_string_new(NULL);
	g_queue_init(&server->steps);
	g_queue_init(&server->unanswered);
	server->responders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, responder_free);
	server->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return server;
}

ScriptedQmp *scripted_qmp_new(Loop *loop, int *ret_client_fd)
{
	ScriptedQmp *server = server_new(loop);
	int pair[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
	connect_client(server, pair[0]);
	*ret_client_fd = pair[1];
	return server;
}

ScriptedQmp *scripted_qmp_new_listening(Loop *loop, const char *path)
{
	ScriptedQmp *server = server_new(loop);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	g_assert_cmpuint(strlen(path), <, sizeof(address.sun_path));
	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	server->path = g_strdup(path);
	server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	g_assert_cmpint(server->listen_fd, >=, 0);
	g_assert_cmpint(bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
	g_assert_cmpint(listen(server->listen_fd, 8), ==, 0);
	server->listen_handle = loop_add_handle(loop, server->listen_fd, LOOP_READABLE, on_listen,
						server, NULL);
	g_assert_cmpint(server->listen_handle, >, 0);
	return server;
}

ScriptedQmp *scripted_qmp_free(ScriptedQmp *server)
{
	if (!server)
		return NULL;
	disconnect(server);
	if (server->listen_fd >= 0) {
		loop_remove_handle(server->loop, server->listen_handle);
		close(server->listen_fd);
		unlink(server->path);
	}
	g_queue_clear_full(&server->steps, step_free);
	g_string_free(server->out, TRUE);
	g_hash_table_unref(server->responders);
	g_hash_table_unref(server->counts);
	g_free(server->path);
	g_free(server);
	return NULL;
}

static Step *add_step(ScriptedQmp *server, StepKind kind)
{
	Step *step = g_new0(Step, 1);

	step->kind = kind;
	g_queue_push_tail(&server->steps, step);
	return step;
}

void scripted_qmp_send_bytes(ScriptedQmp *server, const char *bytes, size_t length)
{
	add_step(server, STEP_SEND)->bytes = g_bytes_new(bytes, length);
	run_steps(server);
}

void scripted_qmp_send(ScriptedQmp *server, const char *text)
{
	scripted_qmp_send_bytes(server, text, strlen(text));
}

void scripted_qmp_greet(ScriptedQmp *server)
{
	scripted_qmp_send(server, GREETING);
}

void scripted_qmp_handshake(ScriptedQmp *server)
{
	scripted_qmp_greet(server);
	scripted_qmp_expect(server, "qmp_capabilities", "{}", EMPTY_RETURN);
}

void scripted_qmp_event(ScriptedQmp *server, const char *name, const char *data)
{
	g_autofree char *line = NULL;
	gint64 now = g_get_real_time();

	line = g_strdup_printf("{\"timestamp\": {\"seconds\": %" G_GINT64_FORMAT
			       ", \"microseconds\": %" G_GINT64_FORMAT "}, \"event\": \"%s\"%s%s}\r\n",
			       now / G_USEC_PER_SEC, now % G_USEC_PER_SEC, name,
			       data ? ", \"data\": " : "", data ?: "");
	scripted_qmp_send(server, line);
}

void scripted_qmp_expect(ScriptedQmp *server, const char *command, const char *arguments,
			 const char *reply)
{
	Step *step = add_step(server, STEP_EXPECT);

	step->command = g_strdup(command);
	step->arguments = g_strdup(arguments);
	step->reply = g_strdup(reply);
}

void scripted_qmp_reply(ScriptedQmp *server, const char *command, const char *reply)
{
	Step *step = add_step(server, STEP_REPLY);

	step->command = g_strdup(command);
	step->reply = g_strdup(reply);
	run_steps(server);
}

void scripted_qmp_hang_up(ScriptedQmp *server)
{
	add_step(server, STEP_HANG_UP);
	run_steps(server);
}

static void replay_line(ScriptedQmp *server, JsonObject *line)
{
	const char *direction = json_object_get_string_member_with_default(line, "dir", "");
	g_autofree char *text = NULL;
	JsonObject *message;
	Step *step;

	if (!json_object_has_member(line, "msg"))
		return;
	message = json_object_get_object_member(line, "msg");
	text = json_to_string(json_object_get_member(line, "msg"), FALSE);

	if (g_str_equal(direction, ">")) {
		step = add_step(server, STEP_EXPECT);
		step->command = g_strdup(json_object_get_string_member(message, "execute"));
		step->arguments = json_object_has_member(message, "arguments") ?
			json_to_string(json_object_get_member(message, "arguments"), FALSE) :
			g_strdup("{}");
	} else if (json_object_has_member(message, "id")) {
		step = add_step(server, STEP_REPLY);
		step->reply = g_steal_pointer(&text);
	} else {
		step = add_step(server, STEP_SEND);
		step->bytes = g_bytes_new_take(g_strconcat(text, "\r\n", NULL), strlen(text) + 2);
	}
	step->recorded_id = json_object_get_int_member_with_default(message, "id", 0);
}

void scripted_qmp_replay(ScriptedQmp *server, const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(path, &text, NULL, &error))
		g_error("scripted QMP: %s", error->message);
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_autoptr(JsonNode) root = **line ? parse(*line) : NULL;

		if (root)
			replay_line(server, json_node_get_object(root));
	}
	run_steps(server);
}

static Responder *add_responder(ScriptedQmp *server, const char *command)
{
	Responder *responder = g_new0(Responder, 1);

	g_hash_table_replace(server->responders, g_strdup(command ?: ""), responder);
	return responder;
}

void scripted_qmp_set_reply(ScriptedQmp *server, const char *command, const char *reply)
{
	add_responder(server, command)->reply = g_strdup(reply);
}

void scripted_qmp_set_responder(ScriptedQmp *server, const char *command,
				ScriptedQmpResponder responder, void *userdata)
{
	Responder *row = add_responder(server, command);

	row->callback = responder;
	row->userdata = userdata;
}

void scripted_qmp_serve(ScriptedQmp *server)
{
	server->serving = true;
	scripted_qmp_set_reply(server, "qmp_capabilities", EMPTY_RETURN);
	if (server->fd >= 0)
		g_string_prepend(server->out, GREETING);
	update_handle(server);
}

void scripted_qmp_set_reading(ScriptedQmp *server, bool reading)
{
	server->reading = reading;
	update_handle(server);
}

bool scripted_qmp_is_done(const ScriptedQmp *server)
{
	return server->steps.length == 0 && server->out->len == 0;
}

bool scripted_qmp_is_connected(const ScriptedQmp *server)
{
	return server->fd >= 0;
}

unsigned scripted_qmp_get_count(const ScriptedQmp *server, const char *command)
{
	if (!command)
		return server->count;
	return GPOINTER_TO_UINT(g_hash_table_lookup(server->counts, command));
}

unsigned scripted_qmp_get_unanswered(const ScriptedQmp *server)
{
	return server->unanswered.length;
}

unsigned scripted_qmp_get_unanswered_max(const ScriptedQmp *server)
{
	return server->unanswered_max;
}

void scripted_qmp_settle(Loop *loop)
{
	while (loop_run_once(loop, 0))
		;
}
