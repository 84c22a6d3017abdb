/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

static const char *const private_variables[] = {
	"FDSTORE", "INVOCATION_ID", "LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "MAINPID",
	"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
};

GStrv qemu_program_directories(void)
{
	const char *path = g_getenv("PATH");
	g_auto(GStrv) parts = g_strsplit(path && path[0] ? path : PATH_DEFAULT, ":", -1);
	g_autoptr(GStrvBuilder) directories = g_strv_builder_new();
	size_t i;

	/* A relative folder would depend on where the service happens to stand. */
	for (i = 0; parts[i]; i++)
		if (g_path_is_absolute(parts[i]))
			g_strv_builder_add(directories, parts[i]);
	return g_strv_builder_end(directories);
}

bool qemu_program_is_executable(const char *path)
{
	return g_file_test(path, G_FILE_TEST_IS_REGULAR) && access(path, X_OK) == 0;
}

static GStrv make_environment(void)
{
	GStrv environment = g_get_environ();
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(private_variables); i++)
		environment = g_environ_unsetenv(environment, private_variables[i]);
	return environment;
}

static int close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A copy with a number above last, which is above all that the child will have, so that no dup2() in the child can hit
 * a descriptor that is still needed, and none has equal numbers (which would leave CLOEXEC set). */
static int raise_fd(int fd, int last)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, last + 1);
}

static int open_null(int last)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int raised = null_fd < 0 ? -1 : raise_fd(null_fd, last);

	close_fd(null_fd);
	return raised;
}

/* Puts the files of the child in order: 0, 1, 2, what it inherits, and nothing else. */
static int add_files(posix_spawn_file_actions_t *actions, int null_fd, int output, int error_fd,
		     const QemuDescriptor *inherit, size_t n_inherit)
{
	int next = STDERR_FILENO + 1;
	int result = posix_spawn_file_actions_adddup2(actions, null_fd, STDIN_FILENO);
	size_t i;

	if (result == 0)
		result = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (result == 0)
		result = posix_spawn_file_actions_adddup2(actions, error_fd, STDERR_FILENO);
	for (i = 0; i < n_inherit; i++) {
		for (; result == 0 && next < inherit[i].as; next++)
			result = posix_spawn_file_actions_addclose(actions, next);
		if (result == 0)
			result = posix_spawn_file_actions_adddup2(actions, inherit[i].fd, inherit[i].as);
		next = inherit[i].as + 1;
	}
	if (result == 0)
		result = posix_spawn_file_actions_addclosefrom_np(actions, next);
	if (result == 0)
		result = posix_spawn_file_actions_addchdir_np(actions, "/");
	return result;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int result = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
					      POSIX_SPAWN_SETSIGDEF);

	sigemptyset(&none);
	sigfillset(&all);
	if (result == 0)
		result = posix_spawnattr_setsigmask(attributes, &none);
	if (result == 0)
		result = posix_spawnattr_setsigdefault(attributes, &all);
	return result;
}

/* Returns an errno value: also that of a failed exec, or of a step before it in the child. */
static int spawn(char *const *arguments, int null_fd, int output, int error_fd,
		 const QemuDescriptor *inherit, size_t n_inherit, pid_t *ret_pid)
{
	g_auto(GStrv) environment = make_environment();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int result;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	result = add_files(&actions, null_fd, output, error_fd, inherit, n_inherit);
	if (result == 0)
		result = set_attributes(&attributes);
	if (result == 0)
		result = posix_spawn(ret_pid, arguments[0], &actions, &attributes, arguments,
				     environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return result;
}

/* Copies of all, raised. False with errno set if one cannot be made; those made are in it nevertheless. */
static bool raise_inherited(const QemuProgramFiles *files, int last, QemuDescriptor *raised)
{
	size_t i;

	for (i = 0; i < files->n_inherit; i++)
		raised[i] = (QemuDescriptor) { -1, files->inherit[i].as };
	for (i = 0; i < files->n_inherit; i++) {
		raised[i].fd = raise_fd(files->inherit[i].fd, last);
		if (raised[i].fd < 0)
			return false;
	}
	return true;
}

bool qemu_program_spawn(char *const *arguments, const QemuProgramFiles *files, pid_t *ret_pid,
			int *ret_pidfd, GError **error)
{
	QemuDescriptor inherit[QEMU_PROGRAM_INHERIT_MAX + 1];
	int null_fd, output, error_fd, pidfd, result = 0, last = STDERR_FILENO;
	pid_t pid = -1;
	size_t i;

	g_assert(files->n_inherit <= QEMU_PROGRAM_INHERIT_MAX + 1);
	for (i = 0; i < files->n_inherit; i++) {
		g_assert(files->inherit[i].as > last && files->inherit[i].as <= QEMU_PROGRAM_FD_MAX + 1);
		last = files->inherit[i].as;
	}

	null_fd = open_null(last);
	output = raise_fd(files->output < 0 ? null_fd : files->output, last);
	error_fd = raise_fd(files->error < 0 ? null_fd : files->error, last);
	if (!raise_inherited(files, last, inherit) || null_fd < 0 || output < 0 || error_fd < 0)
		result = errno;
	else
		result = spawn(arguments, null_fd, output, error_fd, inherit, files->n_inherit, &pid);
	for (i = 0; i < files->n_inherit; i++)
		close_fd(inherit[i].fd);
	close_fd(error_fd);
	close_fd(output);
	close_fd(null_fd);

	if (result == 0) {
		/* The child is ours and not waited for yet, so the number is still its own. */
		pidfd = pidfd_open(pid, 0);
		if (pidfd >= 0) {
			*ret_pid = pid;
			*ret_pidfd = pidfd;
			return true;
		}
		result = errno;
		qemu_program_kill(pid, -1);
	}
	g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "cannot start %s: %s", arguments[0],
		    g_strerror(result));
	return false;
}

void qemu_program_kill(pid_t pid, int pidfd)
{
	siginfo_t info;
	int result;

	/* Until it is waited for, neither its number nor that of its group is given to another. */
	kill(-pid, SIGKILL);
	do
		result = pidfd >= 0 ? waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED) :
				      waitid(P_PID, (id_t) pid, &info, WEXITED);
	while (result < 0 && errno == EINTR);
}
