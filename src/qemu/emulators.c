/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/emulators.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qemu/program.h"

#define EMULATOR_PREFIX "qemu-system-"

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
static char *run(const char *path, const char *option, const char *value)
{
	const char *const arguments[] = { path, option, value, NULL };
	QemuProgramFiles files = { .error = -1, .inherit = -1 };
	gint64 deadline = g_get_monotonic_time() + QEMU_EMULATOR_TIMEOUT_SECONDS * G_USEC_PER_SEC;
	g_autofree char *output = NULL;
	siginfo_t info = { 0 };
	int ends[2], pidfd = -1;
	pid_t pid = 0;
	bool spawned;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;

	files.output = ends[1];
	spawned = qemu_program_spawn((char *const *) arguments, &files, &pid, &pidfd, NULL);
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

/* A headline, then a line for each: name, blanks, description. */
static GStrv parse_machines(const char *output)
{
	g_auto(GStrv) lines = g_strsplit(output, "\n", QEMU_EMULATOR_MACHINES_MAX + 2);
	g_autoptr(GStrvBuilder) machines = g_strv_builder_new();
	size_t i;

	for (i = 1; lines[0] && lines[i] && i <= QEMU_EMULATOR_MACHINES_MAX; i++) {
		size_t length = strcspn(lines[i], " \t\r");

		if (length > 0) {
			g_autofree char *name = g_strndup(lines[i], length);

			g_strv_builder_add(machines, name);
		}
	}
	return g_strv_builder_end(machines);
}

QemuEmulator *qemu_emulator_free(QemuEmulator *emulator)
{
	if (!emulator)
		return NULL;

	g_free(emulator->name);
	g_free(emulator->path);
	g_free(emulator->version);
	g_strfreev(emulator->machines);
	g_free(emulator);
	return NULL;
}

static void free_emulator(void *emulator)
{
	qemu_emulator_free(emulator);
}

static QemuEmulator *ask_emulator(const char *name, const char *path)
{
	g_autofree char *version_output = run(path, "--version", NULL);
	g_autofree char *version = version_output ? parse_version(version_output) : NULL;
	g_autofree char *machine_output = version ? run(path, "-machine", "help") : NULL;
	QemuEmulator *emulator;

	if (!machine_output) {
		g_debug("%s did not answer like QEMU, left out", path);
		return NULL;
	}

	emulator = g_new0(QemuEmulator, 1);
	emulator->name = g_strdup(name);
	emulator->path = g_strdup(path);
	emulator->version = g_steal_pointer(&version);
	emulator->machines = parse_machines(machine_output);
	return emulator;
}

/* Name -> path of those that are there, at most QEMU_EMULATORS_MAX. */
static GHashTable *list_programs(void)
{
	GHashTable *programs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) directories = qemu_program_directories();
	size_t i;

	for (i = 0; directories[i]; i++) {
		g_autoptr(GDir) directory = g_dir_open(directories[i], 0, NULL);
		const char *name;

		while (directory && (name = g_dir_read_name(directory))) {
			g_autofree char *path = NULL;

			if (!g_str_has_prefix(name, EMULATOR_PREFIX) ||
			    !g_utf8_validate(name, -1, NULL) ||
			    g_hash_table_contains(programs, name))
				continue;
			path = g_build_filename(directories[i], name, NULL);
			if (!qemu_program_is_executable(path))
				continue;
			if (g_hash_table_size(programs) >= QEMU_EMULATORS_MAX) {
				g_message("more than %u emulators on PATH, %s and others left out",
					  QEMU_EMULATORS_MAX, path);
				return programs;
			}
			g_hash_table_insert(programs, g_strdup(name), g_steal_pointer(&path));
		}
	}
	return programs;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

GPtrArray *qemu_emulators_find(void)
{
	GPtrArray *emulators = g_ptr_array_new_with_free_func(free_emulator);
	g_autoptr(GHashTable) programs = list_programs();
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(programs), compare_names);
	const GList *item;

	for (item = names; item; item = item->next) {
		QemuEmulator *emulator = ask_emulator(item->data,
						      g_hash_table_lookup(programs, item->data));

		if (emulator)
			g_ptr_array_add(emulators, emulator);
	}
	return emulators;
}
