/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/log-file.h"
#include "qemu/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "loop/loop-poll.h"

/* A shell stands for QEMU; what it says on stderr comes back by the log. */

#define DEADLINE_MS 30000

typedef struct Fixture {
	Loop *loop;
	char *folder;
	char *log;
	unsigned n_exits;
	QemuExit exit;
	bool free_in_callback;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->loop = loop_poll_new();
	fixture->folder = g_dir_make_tmp("process-XXXXXX", NULL);
	fixture->log = g_build_filename(fixture->folder, "log", NULL);
}

static void tear_down(Fixture *fixture, const void *data)
{
	loop_free(fixture->loop);
	g_unlink(fixture->log);
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->log);
	g_free(fixture->folder);
}

static QemuProcess *spawn_with(Fixture *fixture, const char *script, int inherit_fd, int child_fd)
{
	const char *const arguments[] = { "/bin/sh", "-c", script, NULL };
	g_autoptr(GError) error = NULL;
	const QemuDescriptor inherit = { inherit_fd, child_fd };
	QemuProcess *process = qemu_process_spawn((char *const *) arguments, fixture->log, &inherit,
						  inherit_fd < 0 ? 0 : 1, NULL, &error);

	g_assert_no_error(error);
	g_assert_nonnull(process);
	return process;
}

static QemuProcess *spawn(Fixture *fixture, const char *script)
{
	return spawn_with(fixture, script, -1, 3);
}

static void on_exit_seen(QemuProcess *process, const QemuExit *exit, void *userdata)
{
	Fixture *fixture = userdata;

	fixture->n_exits++;
	fixture->exit = *exit;
	if (fixture->free_in_callback)
		qemu_process_free(process);
}

static void wait_for_exit(Fixture *fixture, QemuProcess *process)
{
	gint64 deadline = g_get_monotonic_time() + DEADLINE_MS * 1000;

	fixture->n_exits = 0;
	g_assert_true(qemu_process_watch(process, fixture->loop, on_exit_seen, fixture));
	while (fixture->n_exits == 0) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		loop_run_once(fixture->loop, 1000);
	}
}

/* Runs the script to its end; what it wrote to stderr. */
static char *run_with(Fixture *fixture, const char *script, int inherit_fd, int child_fd)
{
	g_autoptr(QemuProcess) process = spawn_with(fixture, script, inherit_fd, child_fd);
	char *text = NULL;

	wait_for_exit(fixture, process);
	g_assert_true(g_file_get_contents(fixture->log, &text, NULL, NULL));
	return text;
}

static char *run(Fixture *fixture, const char *script)
{
	return run_with(fixture, script, -1, 3);
}

static void wait_for_pid(pid_t pid)
{
	int pidfd = pidfd_open(pid, 0);
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	g_assert_cmpint(pidfd, >=, 0);
	g_assert_cmpint(poll(&poll_fd, 1, DEADLINE_MS), ==, 1);
	close(pidfd);
}

static void test_exit_status(Fixture *fixture, const void *data)
{
	g_autofree char *zero = run(fixture, "exit 0");
	g_autofree char *seven = NULL;

	g_assert_true(fixture->exit.known);
	g_assert_cmpint(fixture->exit.status, ==, 0);
	g_assert_cmpint(fixture->exit.signal, ==, 0);
	seven = run(fixture, "exit 7");
	g_assert_true(fixture->exit.known);
	g_assert_cmpint(fixture->exit.status, ==, 7);
	g_assert_cmpint(fixture->exit.signal, ==, 0);
}

static void test_exit_signal(Fixture *fixture, const void *data)
{
	g_autofree char *text = run(fixture, "kill -SEGV $$");

	g_assert_true(fixture->exit.known);
	g_assert_cmpint(fixture->exit.status, ==, -1);
	g_assert_cmpint(fixture->exit.signal, ==, SIGSEGV);
}

static void test_stderr(Fixture *fixture, const void *data)
{
	g_autofree char *text = NULL, *tail = NULL;
	GStatBuf info;

	/* What was there is gone, and a mode that was too wide too. */
	g_assert_true(g_file_set_contents(fixture->log, "old and long\n", -1, NULL));
	g_assert_cmpint(g_chmod(fixture->log, 0666), ==, 0);
	text = run(fixture, "echo unseen; echo one >&2; printf two >&2; read x || echo ' three' >&2");
	tail = qemu_log_tail(fixture->log);
	g_assert_cmpstr(text, ==, "one\ntwo three\n");
	g_assert_cmpstr(tail, ==, "one\ntwo three");
	g_assert_cmpint(g_stat(fixture->log, &info), ==, 0);
	g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
}

static void test_session(Fixture *fixture, const void *data)
{
	g_autoptr(QemuProcess) process = spawn(fixture, "pwd >&2; kill -STOP $$");
	pid_t pid = qemu_process_get_pid(process);
	g_autofree char *text = NULL;

	g_assert_cmpint(getsid(pid), ==, pid);
	g_assert_cmpint(getpgid(pid), ==, pid);
	g_assert_true(qemu_process_signal(process, SIGKILL, NULL));
	wait_for_exit(fixture, process);
	g_assert_cmpint(fixture->exit.signal, ==, SIGKILL);
	text = run(fixture, "pwd >&2");
	g_assert_cmpstr(text, ==, "/\n");
}

/* Numbers of the descriptors that are still open once the pattern has been expanded. */
#define LIST_FDS "exec >&2; for f in /proc/$$/fd/*; do [ -e \"$f\" ] && echo \"${f##*/}\"; done; true"

static void test_no_leaks(Fixture *fixture, const void *data)
{
	static const int numbers[] = { 20, 21, 63, 254, 255, 256, 257, 300, 700 };
	int leaked = open("/dev/zero", O_RDONLY);
	g_autofree char *none = NULL, *one = NULL, *highest = NULL;
	size_t i;

	g_assert_cmpint(leaked, >, STDERR_FILENO);
	for (i = 0; i < G_N_ELEMENTS(numbers); i++)
		g_assert_cmpint(dup2(leaked, numbers[i]), ==, numbers[i]);

	none = run(fixture, LIST_FDS);
	g_assert_cmpstr(none, ==, "0\n1\n2\n");
	one = run_with(fixture, LIST_FDS, leaked, 22);
	g_assert_cmpstr(one, ==, "0\n1\n2\n22\n");
	highest = run_with(fixture, LIST_FDS, leaked, 255);
	g_assert_cmpstr(highest, ==, "0\n1\n2\n255\n");

	for (i = 0; i < G_N_ELEMENTS(numbers); i++)
		close(numbers[i]);
	close(leaked);
}

static void check_inherited(Fixture *fixture, int inherit_fd, int child_fd)
{
	g_autofree char *script = g_strdup_printf("cat <&%d >&2", child_fd);
	g_autofree char *text = NULL;
	int sockets[2], saved = fcntl(inherit_fd, F_DUPFD_CLOEXEC, 400);

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
	g_assert_cmpint(write(sockets[1], "hello", 5), ==, 5);
	close(sockets[1]);
	if (sockets[0] != inherit_fd) {
		g_assert_cmpint(dup3(sockets[0], inherit_fd, O_CLOEXEC), ==, inherit_fd);
		close(sockets[0]);
	}

	text = run_with(fixture, script, inherit_fd, child_fd);
	g_assert_cmpstr(text, ==, "hello");

	if (saved >= 0) {
		dup2(saved, inherit_fd);
		close(saved);
	} else {
		close(inherit_fd);
	}
}

/* Whatever numbers meet: those of the child's files, of the log, of each other. */
static void test_inherited(Fixture *fixture, const void *data)
{
	static const int inherit[] = { 0, 30, 31, 40, 256, 257 };
	int child_fd;
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(inherit); i++)
		for (child_fd = 3; child_fd < 9; child_fd++)
			check_inherited(fixture, inherit[i], child_fd);

	for (child_fd = 3; child_fd < 9; child_fd++) {
		int low = open("/dev/null", O_RDONLY | O_CLOEXEC);

		/* The lowest free number: what a file opened next would get. */
		close(low);
		check_inherited(fixture, low, low);
		check_inherited(fixture, low, child_fd);
	}
}

static void test_signals_reset(Fixture *fixture, const void *data)
{
	static const char script[] = "grep -E '^Sig(Blk|Ign):' /proc/self/status >&2";
	/* The C library keeps these two to itself, and leaves them as they are. */
	const uint64_t internal = UINT64_C(1) << (32 - 1) | UINT64_C(1) << (33 - 1);
	g_autofree char *text = NULL;
	const char *ignored;
	sigset_t blocked, old;

	sigfillset(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &old);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	text = run(fixture, script);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	g_assert_true(g_str_has_prefix(text, "SigBlk:\t0000000000000000\nSigIgn:\t"));
	ignored = strstr(text, "SigIgn:\t") + strlen("SigIgn:\t");
	g_assert_cmphex(g_ascii_strtoull(ignored, NULL, 16) & ~internal, ==, 0);
}

static void test_environment(Fixture *fixture, const void *data)
{
	g_autofree char *text = NULL;

	g_setenv("NOTIFY_SOCKET", "/run/notify", TRUE);
	g_setenv("LISTEN_FDS", "1", TRUE);
	g_setenv("KEPT", "yes", TRUE);
	text = run(fixture, "echo \"<$NOTIFY_SOCKET><$LISTEN_FDS><$KEPT>\" >&2");
	g_unsetenv("NOTIFY_SOCKET");
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("KEPT");
	g_assert_cmpstr(text, ==, "<><><yes>\n");
}

static void check_refused(Fixture *fixture, const char *program, const char *argument,
			  int errno_value)
{
	const char *const arguments[] = { program, argument, NULL };
	g_autofree char *text = g_strdup_printf("cannot start %s: %s", program,
						g_strerror(errno_value));
	g_autoptr(GError) error = NULL;

	g_assert_null(qemu_process_spawn((char *const *) arguments, fixture->log, NULL, 0, NULL, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	g_assert_cmpstr(error->message, ==, text);
	/* Nothing is left behind. */
	g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
}

static void test_exec_fails(Fixture *fixture, const void *data)
{
	g_autofree char *program = g_build_filename(fixture->folder, "program", NULL);
	g_autofree char *huge = g_strnfill(200000, 'a');

	check_refused(fixture, program, NULL, ENOENT);
	g_assert_true(g_file_set_contents(program, "no program", -1, NULL));
	g_assert_cmpint(g_chmod(program, 0600), ==, 0);
	check_refused(fixture, program, NULL, EACCES);
	g_assert_cmpint(g_chmod(program, 0700), ==, 0);
	check_refused(fixture, program, NULL, ENOEXEC);
	check_refused(fixture, fixture->folder, NULL, EACCES);
	check_refused(fixture, "/bin/sh", huge, E2BIG);
	g_unlink(program);
}

static void test_log_fails(Fixture *fixture, const void *data)
{
	const char *const arguments[] = { "/bin/sh", "-c", "true", NULL };
	g_autofree char *missing = g_build_filename(fixture->folder, "missing", "log", NULL);
	g_autofree char *link = g_build_filename(fixture->folder, "link", NULL);
	g_autoptr(GError) error = NULL;

	g_assert_null(qemu_process_spawn((char *const *) arguments, missing, NULL, 0, NULL, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(error->message, missing));
	g_clear_error(&error);

	g_assert_cmpint(symlink("/dev/null", link), ==, 0);
	g_assert_null(qemu_process_spawn((char *const *) arguments, link, NULL, 0, NULL, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_unlink(link);
}

static void test_reaped_and_freed_in_callback(Fixture *fixture, const void *data)
{
	QemuProcess *process = spawn(fixture, "exit 3");
	pid_t pid = qemu_process_get_pid(process);

	fixture->free_in_callback = true;
	wait_for_exit(fixture, process);
	g_assert_cmpint(fixture->exit.status, ==, 3);
	g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
}

static void test_free_drops_watch(Fixture *fixture, const void *data)
{
	QemuProcess *process = spawn(fixture, "read x <&3; exit 0");
	pid_t pid = qemu_process_get_pid(process);

	g_assert_true(qemu_process_watch(process, fixture->loop, on_exit_seen, fixture));
	qemu_process_unwatch(process);
	qemu_process_unwatch(process);
	g_assert_true(qemu_process_watch(process, fixture->loop, on_exit_seen, fixture));
	wait_for_pid(pid);

	/* It has ended, the loop would tell; freeing reaps it, and the watch is gone. */
	g_assert_null(qemu_process_free(process));
	while (loop_run_once(fixture->loop, 0))
		;
	g_assert_cmpuint(fixture->n_exits, ==, 0);
	g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, -1);
	g_assert_cmpint(errno, ==, ECHILD);
	g_assert_null(qemu_process_free(NULL));
}

static void test_free_leaves_running(Fixture *fixture, const void *data)
{
	QemuProcess *process = spawn(fixture, "kill -STOP $$");
	pid_t pid = qemu_process_get_pid(process);

	qemu_process_free(process);
	g_assert_cmpint(kill(pid, 0), ==, 0);
	g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
	g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

static void test_signal_after_exit(Fixture *fixture, const void *data)
{
	g_autoptr(QemuProcess) process = spawn(fixture, "true");
	g_autoptr(GError) error = NULL;

	wait_for_pid(qemu_process_get_pid(process));
	g_assert_false(qemu_process_signal(process, 12345, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_clear_error(&error);
	g_assert_true(qemu_process_signal(process, SIGTERM, &error));
	wait_for_exit(fixture, process);
	g_assert_cmpint(fixture->exit.status, ==, 0);
	g_assert_true(qemu_process_signal(process, SIGKILL, &error));
	g_assert_no_error(error);
}

static QemuProcess *adopt(pid_t pid, uint64_t start_time)
{
	g_autoptr(GError) error = NULL;
	QemuProcess *process = qemu_process_adopt(pid, start_time, &error);

	g_assert_no_error(error);
	return process;
}

static void test_adopt(Fixture *fixture, const void *data)
{
	g_autoptr(QemuProcess) process = spawn(fixture, "exec sleep 1000");
	pid_t pid = qemu_process_get_pid(process);
	uint64_t start_time = qemu_process_get_start_time(process);
	g_autoptr(QemuProcess) adopted = adopt(pid, start_time);
	g_autoptr(QemuProcess) any = NULL;

	g_assert_nonnull(adopted);
	g_assert_cmpint(qemu_process_get_pid(adopted), ==, pid);
	g_assert_cmpuint(qemu_process_get_start_time(adopted), ==, start_time);
	g_assert_null(adopt(pid, start_time + 1));
	any = adopt(pid, 0);
	g_assert_cmpuint(qemu_process_get_start_time(any), ==, start_time);
	g_assert_null(adopt(0, start_time));
	g_assert_null(adopt(-1, start_time));

	g_assert_true(qemu_process_signal(adopted, SIGKILL, NULL));
	wait_for_pid(pid);
	/* It is a zombie now: still in /proc, but it has ended. */
	g_assert_null(adopt(pid, start_time));
	wait_for_exit(fixture, process);
	g_assert_null(adopt(pid, start_time));
}

/* The number of a thread is not that of a process. */
static void *adopt_own_thread(void *userdata)
{
	g_assert_null(adopt(gettid(), 1));
	return NULL;
}

static void test_adopt_thread(Fixture *fixture, const void *data)
{
	g_thread_join(g_thread_new("adopted", adopt_own_thread, NULL));
}

/* The start time as "ps" would find it, of a process with a harmless name. */
static uint64_t read_start_time(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) pid);
	g_autofree char *text = NULL;
	g_auto(GStrv) fields = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	fields = g_strsplit(text, " ", -1);
	return g_ascii_strtoull(fields[21], NULL, 10);
}

/* After a restart of the service the guests are nobody's children. */
static void test_adopt_stranger(Fixture *fixture, const void *data)
{
	g_autofree char *text = run(fixture, "sleep 1000 2>/dev/null & echo $! >&2");
	pid_t pid = (pid_t) g_ascii_strtoll(text, NULL, 10);
	g_autoptr(QemuProcess) adopted = adopt(pid, read_start_time(pid));

	g_assert_nonnull(adopted);
	g_assert_cmpuint(fixture->n_exits, ==, 1);
	g_assert_true(qemu_process_signal(adopted, SIGKILL, NULL));
	wait_for_exit(fixture, adopted);
	g_assert_cmpuint(fixture->n_exits, ==, 1);
	g_assert_false(fixture->exit.known);
	g_assert_cmpint(fixture->exit.status, ==, -1);
	g_assert_cmpint(fixture->exit.signal, ==, 0);
}

/* The name of a process stands before its start time, and is its own choice. */
static void test_start_time_of_odd_name(Fixture *fixture, const void *data)
{
	g_autofree char *program = g_build_filename(fixture->folder, "a) S 1 (b) 2", NULL);
	const char *const arguments[] = { program, "1000", NULL };
	g_autoptr(QemuProcess) process = NULL, adopted = NULL, before = NULL, after = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(symlink("/bin/sleep", program), ==, 0);
	before = spawn(fixture, "kill -STOP $$");
	process = qemu_process_spawn((char *const *) arguments, fixture->log, NULL, 0, NULL, &error);
	g_assert_no_error(error);
	after = spawn(fixture, "kill -STOP $$");
	g_unlink(program);

	g_assert_cmpuint(qemu_process_get_start_time(before), ==,
			 read_start_time(qemu_process_get_pid(before)));
	g_assert_cmpuint(qemu_process_get_start_time(before), <=,
			 qemu_process_get_start_time(process));
	g_assert_cmpuint(qemu_process_get_start_time(process), <=,
			 qemu_process_get_start_time(after));
	adopted = adopt(qemu_process_get_pid(process), qemu_process_get_start_time(process));
	g_assert_nonnull(adopted);

	qemu_process_signal(before, SIGKILL, NULL);
	qemu_process_signal(process, SIGKILL, NULL);
	qemu_process_signal(after, SIGKILL, NULL);
	wait_for_exit(fixture, before);
	wait_for_exit(fixture, process);
	wait_for_exit(fixture, after);
}

static void check_tail(Fixture *fixture, const char *contents, size_t length, const char *expected)
{
	g_autofree char *tail = NULL;

	g_assert_true(g_file_set_contents(fixture->log, contents, (gssize) length, NULL));
	tail = qemu_log_tail(fixture->log);
	g_assert_cmpstr(tail, ==, expected);
}

static void test_log_tail(Fixture *fixture, const void *data)
{
	g_autofree char *missing = qemu_log_tail("/nonexistent/log");
	g_autofree char *folder = qemu_log_tail(fixture->folder);

	g_assert_cmpstr(missing, ==, "");
	g_assert_cmpstr(folder, ==, "");
	check_tail(fixture, "", 0, "");
	check_tail(fixture, "\n \n", 3, "");
	check_tail(fixture, "  one\r\ntwo\n\n", 12, "one \ntwo");
	check_tail(fixture, "a\x1b[31mb\tc", 9, "a [31mb\tc");
	check_tail(fixture, "a\0b\xff\n\xc3\xa4", 7, "a\xef\xbf\xbd" "b\xef\xbf\xbd\n\xc3\xa4");
}

static void test_log_tail_bound(Fixture *fixture, const void *data)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *exact = g_strnfill(QEMU_STDERR_TAIL_MAX, 'x');
	g_autofree char *bad = g_strnfill(QEMU_STDERR_TAIL_MAX * 2, '\xff');
	g_autofree char *tail = NULL, *long_line = NULL, *bad_tail = NULL;
	unsigned i;

	check_tail(fixture, exact, strlen(exact), exact);

	/* Whole lines, as many of the last as fit. */
	for (i = 0; i < 1000; i++)
		g_string_append_printf(text, "line %05u\n", i);
	g_assert_true(g_file_set_contents(fixture->log, text->str, -1, NULL));
	tail = qemu_log_tail(fixture->log);
	g_assert_cmpuint(strlen(tail), <=, QEMU_STDERR_TAIL_MAX);
	g_assert_cmpuint(strlen(tail), >, QEMU_STDERR_TAIL_MAX - 20);
	g_assert_true(g_str_has_prefix(tail, "line 00"));
	g_assert_true(g_str_has_suffix(tail, "\nline 00999"));

	/* One line that is longer than all: its end. */
	g_assert_true(g_file_set_contents(fixture->log, bad, -1, NULL));
	bad_tail = qemu_log_tail(fixture->log);
	g_assert_cmpuint(strlen(bad_tail), <=, QEMU_STDERR_TAIL_MAX);
	g_assert_cmpuint(strlen(bad_tail), >, QEMU_STDERR_TAIL_MAX - 3);
	g_assert_true(g_utf8_validate(bad_tail, -1, NULL));
}

#define ADD(name, function) \
	g_test_add("/qemu/process/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("exit-status", test_exit_status);
	ADD("exit-signal", test_exit_signal);
	ADD("stderr", test_stderr);
	ADD("session", test_session);
	ADD("no-leaks", test_no_leaks);
	ADD("inherited", test_inherited);
	ADD("signals-reset", test_signals_reset);
	ADD("environment", test_environment);
	ADD("exec-fails", test_exec_fails);
	ADD("log-fails", test_log_fails);
	ADD("reaped-and-freed-in-callback", test_reaped_and_freed_in_callback);
	ADD("free-drops-watch", test_free_drops_watch);
	ADD("free-leaves-running", test_free_leaves_running);
	ADD("signal-after-exit", test_signal_after_exit);
	ADD("adopt", test_adopt);
	ADD("adopt-thread", test_adopt_thread);
	ADD("adopt-stranger", test_adopt_stranger);
	ADD("start-time-of-odd-name", test_start_time_of_odd_name);
	ADD("log-tail", test_log_tail);
	ADD("log-tail-bound", test_log_tail_bound);
	return g_test_run();
}
