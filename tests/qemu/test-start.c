/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/loop-poll.h"
#include "qemu/command-line.h"
#include "qemu/log-file.h"
#include "qemu/process.h"

/*
 * The real QEMU takes our command lines: every golden definition that asks for TCG and for no
 * particular emulator is started in the way the service does it (a listening socket by descriptor),
 * must greet, answer for what it was told, and end with status 0.
 */

#define DEADLINE_MS 60000
#define REPLY_MAX   (1024u * 1024)
#define CHILD_FD    5

typedef struct Run {
	Loop *loop;
	char *folder, *log, *socket, *pid_file;
	int listener, monitor;
	GString *received;
	bool ended;
	QemuExit exit;
} Run;

static Run *run_new(void)
{
	Run *run = g_new0(Run, 1);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	run->loop = loop_poll_new();
	run->folder = g_dir_make_tmp("start-XXXXXX", NULL);
	run->log = g_build_filename(run->folder, "log", NULL);
	run->socket = g_build_filename(run->folder, "monitor", NULL);
	run->pid_file = g_build_filename(run->folder, "pid", NULL);
	run->received = g_string_new(NULL);

	run->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpuint(strlen(run->socket), <, sizeof(address.sun_path));
	strcpy(address.sun_path, run->socket);
	g_assert_cmpint(bind(run->listener, (struct sockaddr *) &address, sizeof(address)), ==, 0);
	g_assert_cmpint(listen(run->listener, 1), ==, 0);
	run->monitor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(connect(run->monitor, (struct sockaddr *) &address, sizeof(address)), ==, 0);
	return run;
}

static void remove_console_logs(const char *folder)
{
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(directory))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		if (g_str_has_prefix(name, "console-"))
			g_unlink(path);
	}
}

static void run_free(Run *run)
{
	close(run->listener);
	close(run->monitor);
	g_unlink(run->log);
	g_unlink(run->socket);
	g_unlink(run->pid_file);
	remove_console_logs(run->folder);
	g_assert_cmpint(g_rmdir(run->folder), ==, 0);
	loop_free(run->loop);
	g_string_free(run->received, TRUE);
	g_free(run->folder);
	g_free(run->log);
	g_free(run->socket);
	g_free(run->pid_file);
	g_free(run);
}

/* Reads until QEMU has said this. */
static void wait_for(Run *run, const char *text)
{
	while (!strstr(run->received->str, text)) {
		struct pollfd poll_fd = { .fd = run->monitor, .events = POLLIN };
		char buffer[4096];
		ssize_t length;

		g_assert_cmpint(poll(&poll_fd, 1, DEADLINE_MS), ==, 1);
		length = read(run->monitor, buffer, sizeof(buffer));
		if (length <= 0) {
			g_autofree char *tail = qemu_log_tail(run->log);

			g_error("the monitor closed before it said %s; stderr: %s", text, tail);
		}
		g_string_append_len(run->received, buffer, length);
		g_assert_cmpuint(run->received->len, <, REPLY_MAX);
	}
}

static void execute(Run *run, const char *command)
{
	g_autofree char *line = g_strdup_printf("{\"execute\":\"%s\",\"id\":\"%s\"}\n", command, command);
	g_autofree char *id = g_strdup_printf("\"id\": \"%s\"", command);

	g_string_truncate(run->received, 0);
	g_assert_cmpint(write(run->monitor, line, strlen(line)), ==, (ssize_t) strlen(line));
	wait_for(run, id);
}

static void on_ended(QemuProcess *process, const QemuExit *exit, void *userdata)
{
	Run *run = userdata;

	run->ended = true;
	run->exit = *exit;
}

static QemuProcess *start(Run *run, const Definition *definition)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *emulator = qemu_emulator_find("qemu-system-x86_64", &error);
	g_auto(GStrv) console_logs = qemu_console_log_paths(definition, run->folder);
	QemuCommandLineContext context = {
		.emulator = emulator,
		.monitor_fd = CHILD_FD,
		.pid_file = run->pid_file,
		.console_logs = (const char *const *)console_logs,
		.firmware_code = definition->firmware.code,
		.knows_sandbox = true,
	};
	const QemuDescriptor listener = { run->listener, CHILD_FD };
	g_auto(GStrv) arguments = NULL;
	QemuProcess *process;

	g_assert_no_error(error);
	arguments = qemu_command_line_build(definition, &context);
	process = qemu_process_spawn(arguments, run->log, &listener, 1, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(qemu_process_watch(process, run->loop, on_ended, run));
	return process;
}

static void wait_for_end(Run *run)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;

	while (!run->ended) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		loop_run_once(run->loop, 1000);
	}
}

static void check_answers(Run *run, const Definition *definition, const QemuProcess *process)
{
	g_autofree char *name = g_strdup_printf("\"name\": \"%s\"", definition->name);
	g_autofree char *pid_text = NULL;
	/* QEMU rounds memory up to what its machine needs; none has none. */
	bool has_memory = strcmp(definition->name, "none") != 0;
	uint64_t rounded = (definition->memory + 8191) / 8192 * 8192;
	g_autofree char *memory = g_strdup_printf("\"base-memory\": %" G_GUINT64_FORMAT, rounded);
	unsigned i;

	execute(run, "query-name");
	g_assert_nonnull(strstr(run->received->str, name));
	execute(run, "query-uuid");
	g_assert_nonnull(strstr(run->received->str, definition->uuid));
	execute(run, "query-status");
	g_assert_nonnull(strstr(run->received->str, "\"prelaunch\""));
	execute(run, "query-memory-size-summary");
	if (has_memory)
		g_assert_nonnull(strstr(run->received->str, memory));
	execute(run, "query-rx-filter");
	for (i = 0; i < definition->interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(definition->interfaces, i);

		if (g_str_has_prefix(interface->model, "virtio-net"))
			g_assert_nonnull(strstr(run->received->str, interface->mac));
	}

	g_assert_true(g_file_get_contents(run->pid_file, &pid_text, NULL, NULL));
	g_assert_cmpint(g_ascii_strtoll(pid_text, NULL, 10), ==, qemu_process_get_pid(process));
}

static void check_start(const Definition *definition)
{
	Run *run = run_new();
	g_autoptr(QemuProcess) process = start(run, definition);

	wait_for(run, "{\"QMP\": ");
	execute(run, "qmp_capabilities");
	check_answers(run, definition, process);
	execute(run, "quit");
	wait_for_end(run);
	g_assert_true(run->exit.known);
	g_assert_cmpint(run->exit.status, ==, 0);
	run_free(run);
}

static Definition *load(const char *folder, const char *file)
{
	g_autofree char *path = g_build_filename(folder, file, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	Definition *definition;
	size_t length = 0;

	g_assert_true(g_file_get_contents(path, &text, &length, NULL));
	definition = definition_parse(text, length, &error);
	g_assert_no_error(error);
	return definition;
}

static void test_golden(void)
{
	g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "data", "command-lines", NULL);
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	unsigned n_started = 0;
	const char *file;

	g_assert_nonnull(directory);
	while ((file = g_dir_read_name(directory))) {
		g_autoptr(Definition) definition = NULL;

		if (!g_str_has_suffix(file, ".json"))
			continue;
		definition = load(folder, file);
		if (definition->emulator || !g_str_has_prefix(definition->accel[0], "tcg"))
			continue;
		g_test_message("%s", file);
		check_start(definition);
		n_started++;
	}
	g_assert_cmpuint(n_started, >=, 4);
}

/* What QEMU has against a definition can be read afterwards. */
static void test_refused(void)
{
	static const char text[] = "{\"name\":\"a\",\"machine\":\"none\",\"accel\":\"tcg\","
				   "\"devices\":[{\"driver\":\"no-such-device\"}]}";
	g_autoptr(Definition) definition = definition_parse(text, strlen(text), NULL);
	g_autoptr(QemuProcess) process = NULL;
	g_autofree char *tail = NULL;
	Run *run = run_new();

	g_assert_nonnull(definition);
	process = start(run, definition);
	wait_for_end(run);
	g_assert_true(run->exit.known);
	g_assert_cmpint(run->exit.status, ==, 1);
	tail = qemu_log_tail(run->log);
	g_assert_nonnull(strstr(tail, "no-such-device"));
	run_free(run);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qemu/start/golden", test_golden);
	g_test_add_func("/qemu/start/refused", test_refused);
	return g_test_run();
}
