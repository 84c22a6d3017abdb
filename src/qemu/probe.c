/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qemu/program.h"

/* Waits for data, an end, or the deadline (monotonic, microseconds); false at the deadline. */
static bool wait_until(int fd, gint64 deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	for (;;) {
		gint64 left = deadline - g_get_monotonic_time();
		int result;

		if (left <= 0)
			return false;
		/* Rounded up, so as not to spin through the last millisecond. */
		result = poll(&poll_fd, 1, (int) (left / 1000 + 1));
		if (result > 0)
			return true;
	}
}

/* What the program writes, until it closes its output; NULL if that is too late or too much. */
static char *read_output(int fd, gint64 deadline)
{
	g_autoptr(GByteArray) output = g_byte_array_new();
	char buffer[4096];
	ssize_t length;

	for (;;) {
		if (!wait_until(fd, deadline))
			return NULL;
		length = TEMP_FAILURE_RETRY(read(fd, buffer, sizeof(buffer)));
		if (length <= 0)
			break;
		if (output->len + (size_t) length > QEMU_EMULATOR_OUTPUT_MAX)
			return NULL;
		g_byte_array_append(output, (const guint8 *) buffer, (guint) length);
	}
	return output->len == 0 ? g_strdup("") :
				  g_utf8_make_valid((const char *) output->data, output->len);
}

/* The output of a program that ends well and in time, else NULL. */
static char *run(char *const *arguments, const QemuLauncher *launcher)
{
	QemuProgramFiles files = { .error = -1, .n_inherit = 0 };
	gint64 deadline = g_get_monotonic_time() + QEMU_EMULATOR_TIMEOUT_SECONDS * G_USEC_PER_SEC;
	g_autofree char *output = NULL;
	siginfo_t info = { 0 };
	int ends[2], gate, pidfd = -1;
	pid_t pid = 0;
	bool spawned;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;

	files.output = ends[1];
	spawned = qemu_launcher_spawn(launcher, arguments, &files, &pid, &pidfd, &gate, NULL);
	if (spawned)
		/* If it cannot, there is no output. */
		(void)qemu_launcher_release(gate, arguments[0], NULL);
	close(ends[1]);
	if (spawned)
		output = read_output(ends[0], deadline);
	close(ends[0]);
	if (!spawned)
		return NULL;

	if (!output || !wait_until(pidfd, deadline) ||
	    waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED | WNOWAIT) < 0 ||
	    info.si_code != CLD_EXITED || info.si_status != 0)
		g_clear_pointer(&output, g_free);

	/* Also takes what it may have left behind in its group. */
	qemu_program_kill(pid, pidfd);
	close(pidfd);
	return g_steal_pointer(&output);
}

/* "QEMU emulator version 7.2.22 (Debian ...)" */
static char *parse_version(const char *output)
{
	static const char prefix[] = "QEMU emulator version ";
	const char *version;
	size_t length;

	if (!g_str_has_prefix(output, prefix))
		return NULL;

	version = output + strlen(prefix);
	length = strcspn(version, " \t\r\n");
	return length > 0 ? g_strndup(version, length) : NULL;
}

/* A headline, then a line for each: a name, and perhaps blanks and a description. */
static GStrv parse_names(const char *output, size_t max)
{
	g_auto(GStrv) lines = g_strsplit(output, "\n", (int) max + 2);
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	size_t i;

	for (i = 1; lines[0] && lines[i] && i <= max; i++) {
		size_t length = strcspn(lines[i], " \t\r");

		if (length > 0) {
			g_autofree char *name = g_strndup(lines[i], length);

			g_strv_builder_add(names, name);
		}
	}
	return g_strv_builder_end(names);
}

/* The name of the line that ends in "(default)"; "" if there is none. */
static char *parse_default_machine(const char *output)
{
	const char *mark = strstr(output, "(default)\n"), *line = mark;

	while (line && line > output && line[-1] != '\n')
		line--;
	return line ? g_strndup(line, strcspn(line, " \t")) : g_strdup("");
}

static char *ask(const char *path, const QemuLauncher *launcher, const char *option, const char *value)
{
	const char *const arguments[] = { path, option, value, NULL };

	return run((char *const *) arguments, launcher);
}

/* With all options that are the default of a definition: an emulator that takes them says so by ending
 * well. (An old one, or one built without it, refuses.) */
static char *ask_machines(const char *path, const QemuLauncher *launcher, bool *ret_knows_sandbox)
{
	const char *const arguments[] = {
		path, "-sandbox",
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		"-machine", "help", NULL,
	};
	char *output = run((char *const *) arguments, launcher);

	*ret_knows_sandbox = output != NULL;
	return output ? output : ask(path, launcher, "-machine", "help");
}

QemuEmulator *qemu_probe(const char *path, const QemuLauncher *launcher)
{
	g_autofree char *version_output = ask(path, launcher, "--version", NULL);
	g_autofree char *version = version_output ? parse_version(version_output) : NULL;
	g_autofree char *machine_output = NULL, *accel_output = NULL;
	bool knows_sandbox = false;
	QemuEmulator *emulator;

	if (version)
		accel_output = ask(path, launcher, "-accel", "help");
	if (accel_output)
		machine_output = ask_machines(path, launcher, &knows_sandbox);
	if (!machine_output) {
		g_debug("%s did not answer like QEMU", path);
		return NULL;
	}

	emulator = g_new0(QemuEmulator, 1);
	emulator->ref_count = 1;
	emulator->name = g_path_get_basename(path);
	emulator->path = g_strdup(path);
	emulator->version = g_steal_pointer(&version);
	emulator->machines = parse_names(machine_output, QEMU_EMULATOR_MACHINES_MAX);
	emulator->default_machine = parse_default_machine(machine_output);
	emulator->accelerators = parse_names(accel_output, QEMU_EMULATOR_ACCELERATORS_MAX);
	emulator->knows_sandbox = knows_sandbox;
	return emulator;
}

QemuEmulator *qemu_emulator_ref(QemuEmulator *emulator)
{
	g_atomic_int_inc(&emulator->ref_count);
	return emulator;
}

QemuEmulator *qemu_emulator_unref(QemuEmulator *emulator)
{
	if (!emulator || !g_atomic_int_dec_and_test(&emulator->ref_count))
		return NULL;

	g_free(emulator->name);
	g_free(emulator->path);
	g_free(emulator->version);
	g_strfreev(emulator->machines);
	g_free(emulator->default_machine);
	g_strfreev(emulator->accelerators);
	g_free(emulator);
	return NULL;
}
