/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/launcher.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

/* The real vmherald-launcher starts a shell, which says what it has become. */

#define DEADLINE_MS 30000
#define OTHER_UID   65534u
#define OTHER_GID   65533u

typedef struct Child {
	pid_t pid;
	int pidfd, gate, output;
} Child;

static const QemuUser other_user = { "other", OTHER_UID, OTHER_GID, { 65531, 65532 }, 2 };

static void spawn(Child *child, const QemuUser *user, const char *const *arguments)
{
	const QemuLauncher launcher = { g_getenv("VMHERALD_LAUNCHER"), user };
	QemuProgramFiles files = { .error = -1 };
	g_autoptr(GError) error = NULL;
	int ends[2];

	g_assert_cmpint(pipe(ends), ==, 0);
	files.output = ends[1];
	g_assert_true(qemu_launcher_spawn(&launcher, (char *const *)arguments, &files, &child->pid,
					  &child->pidfd, &child->gate, &error));
	g_assert_no_error(error);
	close(ends[1]);
	child->output = ends[0];
}

/* What it has written when it has ended; with its exit status. */
static char *end(Child *child, int *ret_status)
{
	struct pollfd poll_fd = { .fd = child->pidfd, .events = POLLIN };
	siginfo_t info = { 0 };
	char text[4096];
	ssize_t length;

	g_assert_cmpint(poll(&poll_fd, 1, DEADLINE_MS), ==, 1);
	g_assert_cmpint(waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED), ==, 0);
	g_assert_cmpint(info.si_code, ==, CLD_EXITED);
	length = read(child->output, text, sizeof(text));
	g_assert_cmpint(length, >=, 0);
	close(child->output);
	close(child->pidfd);
	*ret_status = info.si_status;
	return g_strndup(text, (size_t)length);
}

static char *run(const QemuUser *user, const char *script)
{
	const char *const arguments[] = { "/bin/sh", "-c", script, NULL };
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	Child child;
	int status;

	spawn(&child, user, arguments);
	g_assert_true(qemu_launcher_release(child.gate, arguments[0], &error));
	g_assert_no_error(error);
	text = end(&child, &status);
	g_assert_cmpint(status, ==, 0);
	return g_steal_pointer(&text);
}

static void test_waits(void)
{
	const char *const arguments[] = { "/bin/sh", "-c", "echo $$", NULL };
	g_autofree char *exe = NULL, *text = NULL, *number = NULL, *path = NULL;
	g_autoptr(GError) error = NULL;
	Child child;
	int status;

	spawn(&child, NULL, arguments);
	path = g_strdup_printf("/proc/%d/exe", (int)child.pid);
	exe = g_file_read_link(path, NULL);
	g_assert_nonnull(exe);
	g_assert_true(g_str_has_suffix(exe, "/vmherald-launcher"));
	g_assert_true(qemu_launcher_release(child.gate, arguments[0], &error));
	text = end(&child, &status);
	number = g_strdup_printf("%d\n", (int)child.pid);
	g_assert_cmpstr(text, ==, number);
}

static void test_not_released(void)
{
	const char *const arguments[] = { "/bin/sh", "-c", "echo started", NULL };
	g_autofree char *text = NULL;
	Child child;
	int status;

	spawn(&child, NULL, arguments);
	close(child.gate);
	text = end(&child, &status);
	g_assert_cmpstr(text, ==, "");
	g_assert_cmpint(status, ==, 127);
}

static void test_descriptors(void)
{
	/* The gate among them: it has been closed by exec. */
	g_autofree char *text = run(NULL, "for fd in 0 1 2 3 4 5 6 7; do [ -e /proc/self/fd/$fd ] && echo $fd; done; true");

	g_assert_cmpstr(text, ==, "0\n1\n2\n");
}

static void check_refused(const QemuUser *user, const char *program, const char *expected)
{
	const char *const arguments[] = { program, NULL };
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	Child child;
	int status;

	spawn(&child, user, arguments);
	g_assert_false(qemu_launcher_release(child.gate, program, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	g_assert_cmpstr(error->message, ==, expected);
	text = end(&child, &status);
	g_assert_cmpint(status, ==, 127);
}

static void test_exec_fails(void)
{
	check_refused(NULL, "/nowhere/qemu", "cannot start /nowhere/qemu: No such file or directory");
	check_refused(NULL, "/", "cannot start /: Permission denied");
}

static void test_no_launcher(void)
{
	const QemuLauncher launcher = { "/nowhere/launcher", NULL };
	const char *const arguments[] = { "/bin/true", NULL };
	const QemuProgramFiles files = { .output = -1, .error = -1 };
	g_autoptr(GError) error = NULL;
	int pidfd, gate;
	pid_t pid;

	g_assert_false(qemu_launcher_spawn(&launcher, (char *const *)arguments, &files, &pid, &pidfd, &gate,
					   &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	g_assert_cmpstr(error->message, ==,
			"/bin/true: cannot start /nowhere/launcher: No such file or directory");
}

static void test_by_hand(void)
{
	char *arguments[] = { (char *)g_getenv("VMHERALD_LAUNCHER"), NULL };
	g_autofree char *said = NULL;
	g_autoptr(GError) error = NULL;
	int status = 0;

	g_assert_true(g_spawn_sync(NULL, arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &said, &status,
				   &error));
	g_assert_cmpint(WEXITSTATUS(status), ==, 127);
	g_assert_cmpstr(said, ==, "vmherald-launcher is run by vmherald, and by nobody else\n");
}

/* ---- another user: root's part ---- */

static void test_user(void)
{
	g_autofree char *text = NULL;

	text = run(&other_user, "while read -r name values; do case $name in Uid:|Gid:|Groups:|CapEff:|CapPrm:|"
				"CapBnd:|CapAmb:|NoNewPrivs:) echo $name $values;; esac; done < /proc/$$/status");
	g_assert_cmpstr(text, ==, "Uid: 65534 65534 65534 65534\n"
				  "Gid: 65533 65533 65533 65533\n"
				  "Groups: 65531 65532\n"
				  "CapPrm: 0000000000000000\n"
				  "CapEff: 0000000000000000\n"
				  "CapBnd: 0000000000000000\n"
				  "CapAmb: 0000000000000000\n"
				  "NoNewPrivs: 1\n");
}

static void test_user_exec_fails(void)
{
	/* What root may execute, and that user may not. */
	g_autofree char *folder = g_dir_make_tmp("launcher-XXXXXX", NULL);
	g_autofree char *program = g_build_filename(folder, "program", NULL);
	g_autofree char *expected = g_strdup_printf("cannot start %s: Permission denied", program);

	g_assert_cmpint(symlink("/bin/true", program), ==, 0);
	check_refused(&other_user, program, expected);
	g_assert_cmpint(unlink(program), ==, 0);
	g_assert_cmpint(rmdir(folder), ==, 0);
}

static void test_user_not_allowed(void)
{
	check_refused(&other_user, "/bin/true", "cannot start /bin/true: becoming its user: Operation not permitted");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qemu/launcher/waits", test_waits);
	g_test_add_func("/qemu/launcher/not-released", test_not_released);
	g_test_add_func("/qemu/launcher/descriptors", test_descriptors);
	g_test_add_func("/qemu/launcher/exec-fails", test_exec_fails);
	g_test_add_func("/qemu/launcher/no-launcher", test_no_launcher);
	g_test_add_func("/qemu/launcher/by-hand", test_by_hand);
	if (geteuid() == 0) {
		g_test_add_func("/qemu/launcher/user", test_user);
		g_test_add_func("/qemu/launcher/user-exec-fails", test_user_exec_fails);
	} else {
		g_test_add_func("/qemu/launcher/user-not-allowed", test_user_not_allowed);
	}
	return g_test_run();
}
