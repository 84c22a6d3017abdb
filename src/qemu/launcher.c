/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/launcher.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "qemu/launcher-protocol.h"

static char *user_to_string(const QemuUser *user)
{
	g_autoptr(GString) text = g_string_new(NULL);
	size_t i;

	if (!user)
		return g_strdup("-");
	g_string_printf(text, "%u:%u", user->uid, user->gid);
	for (i = 0; i < user->n_groups; i++)
		g_string_append_printf(text, ":%u", user->groups[i]);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool spawn_waiting(const QemuLauncher *launcher, char *const *arguments, const QemuProgramFiles *files,
			  pid_t *ret_pid, int *ret_pidfd, int *ret_gate, GError **error)
{
	QemuDescriptor inherit[QEMU_PROGRAM_INHERIT_MAX + 1];
	QemuProgramFiles with_gate = *files;
	g_autoptr(GPtrArray) line = g_ptr_array_new();
	g_autofree char *user = user_to_string(launcher->user);
	char number[16];
	int ends[2], last = STDERR_FILENO;
	bool spawned;
	size_t i;

	g_assert(files->n_inherit <= QEMU_PROGRAM_INHERIT_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		core_error_set_errno(error, errno, "cannot start %s", arguments[0]);
		return false;
	}
	for (i = 0; i < files->n_inherit; i++) {
		inherit[i] = files->inherit[i];
		last = inherit[i].as;
	}
	inherit[i] = (QemuDescriptor) { ends[1], last + 1 };
	with_gate.inherit = inherit;
	with_gate.n_inherit = files->n_inherit + 1;
	(void)g_snprintf(number, sizeof(number), "%d", last + 1);
	g_ptr_array_add(line, (char *)launcher->path);
	g_ptr_array_add(line, number);
	g_ptr_array_add(line, user);
	for (i = 0; arguments[i]; i++)
		g_ptr_array_add(line, arguments[i]);
	g_ptr_array_add(line, NULL);

	spawned = qemu_program_spawn((char *const *)line->pdata, &with_gate, ret_pid, ret_pidfd, error);
	(void)close(ends[1]);
	if (!spawned) {
		g_prefix_error(error, "%s: ", arguments[0]);
		(void)close(ends[0]);
		return false;
	}
	*ret_gate = ends[0];
	return true;
}

bool qemu_launcher_spawn(const QemuLauncher *launcher, char *const *arguments, const QemuProgramFiles *files,
			 pid_t *ret_pid, int *ret_pidfd, int *ret_gate, GError **error)
{
	if (launcher)
		return spawn_waiting(launcher, arguments, files, ret_pid, ret_pidfd, ret_gate, error);
	*ret_gate = -1;
	return qemu_program_spawn(arguments, files, ret_pid, ret_pidfd, error);
}

bool qemu_launcher_release(int gate, const char *program, GError **error)
{
	LauncherFailure failure;
	ssize_t length;

	if (gate < 0)
		return true;
	/* It is gone: whoever waits for it is told so. */
	(void)send(gate, "", 1, MSG_NOSIGNAL);
	do
		length = recv(gate, &failure, sizeof(failure), 0);
	while (length < 0 && errno == EINTR);
	(void)close(gate);
	if (length != (ssize_t)sizeof(failure))
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "cannot start %s: %s%s", program,
		    failure.step == LAUNCHER_STEP_USER ? "becoming its user: " : "",
		    g_strerror(failure.errno_value));
	return false;
}
