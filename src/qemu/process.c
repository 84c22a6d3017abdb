/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "qemu/program.h"

#define STAT_MAX         4096u    /* bytes of /proc/PID/stat that are looked at */
#define STAT_START_FIELD 22u

struct QemuProcess {
	pid_t pid;
	int pidfd;
	int gate;                    /* -1: it has been let go */
	uint64_t start_time;
	Loop *loop;                  /* NULL: not watched */
	int handle;
	QemuExitCallback callback;
	void *userdata;
};

/* Field 22, counted from behind the name: a process chooses its own name (field 2, in parentheses),
 * and may put spaces and parentheses into it. */
static bool parse_start_time(const char *stat, uint64_t *ret_start_time)
{
	const char *field = strrchr(stat, ')');
	unsigned number;
	char *end = NULL;
	uint64_t value;

	for (number = 2; field && number < STAT_START_FIELD; number++)
		field = strchr(field + 1, ' ');
	if (!field || !g_ascii_isdigit(field[1]))
		return false;

	value = g_ascii_strtoull(field + 1, &end, 10);
	if (*end != ' ' && *end != '\n' && *end != '\0')
		return false;
	*ret_start_time = value;
	return true;
}

/* *ret_gone: there is no such process. */
static bool read_start_time(pid_t pid, uint64_t *ret_start_time, bool *ret_gone, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) pid);
	char text[STAT_MAX];
	ssize_t length;
	int fd, errno_value;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	errno_value = errno;
	if (fd >= 0)
		close(fd);

	if (length < 0) {
		*ret_gone = errno_value == ENOENT || errno_value == ESRCH;
		if (!*ret_gone)
			core_error_set_errno(error, errno_value, "cannot read %s", path);
		return false;
	}
	text[length] = '\0';
	if (!parse_start_time(text, ret_start_time)) {
		*ret_gone = false;
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s is not understood", path);
		return false;
	}
	return true;
}

static QemuProcess *process_new(pid_t pid, int pidfd, uint64_t start_time)
{
	QemuProcess *process = g_new0(QemuProcess, 1);

	process->pid = pid;
	process->pidfd = pidfd;
	process->start_time = start_time;
	process->gate = -1;
	process->handle = -1;
	return process;
}

static int open_log(const char *log_file, GError **error)
{
	int fd = open(log_file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
		      O_NOCTTY | O_NONBLOCK, 0600);

	/* A file that was there keeps its mode in open(). */
	if (fd >= 0 && fchmod(fd, 0600) == 0)
		return fd;

	core_error_set_errno(error, errno, "cannot open %s", log_file);
	if (fd >= 0)
		close(fd);
	return -1;
}

QemuProcess *qemu_process_spawn(char *const *arguments, const char *log_file,
				const QemuDescriptor *inherit, size_t n_inherit, const QemuLauncher *launcher,
				GError **error)
{
	QemuProcess *process;
	QemuProgramFiles files = { .output = -1, .inherit = inherit, .n_inherit = n_inherit };
	g_autoptr(GError) stat_error = NULL;
	uint64_t start_time = 0;
	bool spawned, gone = false;
	int pidfd = -1, gate = -1;
	pid_t pid = 0;

	files.error = open_log(log_file, error);
	if (files.error < 0)
		return NULL;
	spawned = qemu_launcher_spawn(launcher, arguments, &files, &pid, &pidfd, &gate, error);
	close(files.error);
	if (!spawned)
		return NULL;

	/* Our child cannot be gone before it is waited for, not even if it has ended. */
	if (!read_start_time(pid, &start_time, &gone, &stat_error)) {
		qemu_program_kill(pid, pidfd);
		close(pidfd);
		if (gate >= 0)
			close(gate);
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "cannot keep track of %s: %s",
			    arguments[0], stat_error ? stat_error->message : "no entry in /proc");
		return NULL;
	}
	process = process_new(pid, pidfd, start_time);
	process->gate = gate;
	return process;
}

bool qemu_process_release(QemuProcess *process, const char *program, GError **error)
{
	int gate = process->gate;

	process->gate = -1;
	return qemu_launcher_release(gate, program, error);
}

static bool has_ended(int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

QemuProcess *qemu_process_adopt(pid_t pid, uint64_t start_time, GError **error)
{
	uint64_t found = 0;
	bool gone = false;
	int pidfd;

	if (pid <= 0)
		return NULL;

	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		/* EINVAL, ENOENT: the number is that of another process's thread now. */
		if (errno != ESRCH && errno != EINVAL && errno != ENOENT)
			core_error_set_errno(error, errno, "cannot open process %d", (int) pid);
		return NULL;
	}

	/* First the pidfd, then the start time, then once more the pidfd: if that process has not
	 * ended by now, then what was read in between was about it, and not about a successor. */
	if (read_start_time(pid, &found, &gone, error) && (start_time == 0 || found == start_time) && !has_ended(pidfd))
		return process_new(pid, pidfd, found);
	close(pidfd);
	return NULL;
}

/* True if the process has ended, and it is reaped if it was our child. */
static bool read_exit(QemuProcess *process, QemuExit *ret_exit)
{
	siginfo_t info = { 0 };
	int result;

	do
		result = waitid(P_PIDFD, (id_t) process->pidfd, &info, WEXITED | WNOHANG);
	while (result < 0 && errno == EINTR);

	if (result < 0) {
		*ret_exit = (QemuExit) { .status = -1 };
		return has_ended(process->pidfd);
	}
	if (info.si_pid == 0)
		return false;

	*ret_exit = (QemuExit) {
		.known = true,
		.status = info.si_code == CLD_EXITED ? info.si_status : -1,
		.signal = info.si_code == CLD_EXITED ? 0 : info.si_status,
	};
	return true;
}

static void on_pidfd(int handle, int fd, LoopEvents events, void *userdata)
{
	QemuProcess *process = userdata;
	QemuExit exit;

	if (!read_exit(process, &exit))
		return;

	/* The last thing we do with the process: the callback may free it. */
	loop_remove_handle(process->loop, process->handle);
	process->loop = NULL;
	process->handle = -1;
	process->callback(process, &exit, process->userdata);
}

bool qemu_process_watch(QemuProcess *process, Loop *loop, QemuExitCallback callback, void *userdata)
{
	int handle;

	g_assert(callback);
	g_assert(!process->loop);

	handle = loop_add_handle(loop, process->pidfd, LOOP_READABLE, on_pidfd, process, NULL);
	if (handle < 0)
		return false;

	process->loop = loop;
	process->handle = handle;
	process->callback = callback;
	process->userdata = userdata;
	return true;
}

void qemu_process_unwatch(QemuProcess *process)
{
	if (!process->loop)
		return;

	loop_remove_handle(process->loop, process->handle);
	process->loop = NULL;
	process->handle = -1;
}

bool qemu_process_signal(QemuProcess *process, int signal, GError **error)
{
	if (pidfd_send_signal(process->pidfd, signal, NULL, 0) == 0 || errno == ESRCH)
		return true;

	core_error_set_errno(error, errno, "cannot send signal %d to process %d", signal,
			     (int) process->pid);
	return false;
}

void qemu_process_kill(QemuProcess *process)
{
	qemu_program_kill(process->pid, process->pidfd);
}

pid_t qemu_process_get_pid(const QemuProcess *process)
{
	return process->pid;
}

uint64_t qemu_process_get_start_time(const QemuProcess *process)
{
	return process->start_time;
}

QemuProcess *qemu_process_free(QemuProcess *process)
{
	QemuExit exit;

	if (!process)
		return NULL;

	qemu_process_unwatch(process);
	/* Nobody else will wait for it if it has ended already. */
	read_exit(process, &exit);
	if (process->gate >= 0)
		close(process->gate);
	close(process->pidfd);
	g_free(process);
	return NULL;
}
