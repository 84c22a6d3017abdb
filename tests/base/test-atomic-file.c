/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic-file.h"
#include "base/error.h"

/*
 * What the disk would see: the calls that make a file durable come through here on their way to the
 * kernel, are written down in order, and can be made to fail.
 */
static GString *calls;
static const char *failing; /* the call that fails with EIO */
static const char *deadly;  /* the call at which the process ends */
static size_t write_max;    /* so many bytes a write(2) takes; 0: all */

static bool note(const char *call)
{
	if (!calls)
		return true;

	if (g_strcmp0(call, deadly) == 0)
		_exit(0);
	g_string_append_printf(calls, "%s ", call);
	if (g_strcmp0(call, failing) != 0)
		return true;
	errno = EIO;
	return false;
}

int fsync(int fd)
{
	struct stat status;
	int (*next)(int);

	*(void **)&next = dlsym(RTLD_NEXT, "fsync");
	g_assert_cmpint(fstat(fd, &status), ==, 0);
	return note(S_ISDIR(status.st_mode) ? "fsync-folder" : "fsync-file") ? next(fd) : -1;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	int (*next)(int, const char *, int, const char *);

	*(void **)&next = dlsym(RTLD_NEXT, "renameat");
	return note("rename") ? next(from_fd, from, to_fd, to) : -1;
}

int unlinkat(int fd, const char *name, int flags)
{
	int (*next)(int, const char *, int);

	*(void **)&next = dlsym(RTLD_NEXT, "unlinkat");
	return note("unlink") ? next(fd, name, flags) : -1;
}

int fchmod(int fd, mode_t mode)
{
	int (*next)(int, mode_t);

	*(void **)&next = dlsym(RTLD_NEXT, "fchmod");
	return note("chmod") ? next(fd, mode) : -1;
}

ssize_t write(int fd, const void *data, size_t length)
{
	ssize_t (*next)(int, const void *, size_t);

	*(void **)&next = dlsym(RTLD_NEXT, "write");
	if (!calls)
		return next(fd, data, length);
	if (!note("write"))
		return -1;
	return next(fd, data, write_max ? MIN(length, write_max) : length);
}

typedef struct Fixture {
	char *directory;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;

	fixture->directory = g_dir_make_tmp("atomic-file-XXXXXX", &error);
	g_assert_no_error(error);
	calls = g_string_new(NULL);
	failing = NULL;
	write_max = 0;
}

static unsigned count_files(Fixture *fixture)
{
	g_autoptr(GDir) dir = g_dir_open(fixture->directory, 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GDir) dir = g_dir_open(fixture->directory, 0, NULL);
	const char *name;

	g_string_free(g_steal_pointer(&calls), TRUE);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(fixture->directory, name, NULL);

		g_remove(path);
	}
	g_rmdir(fixture->directory);
	g_free(fixture->directory);
}

static bool write_text(Fixture *fixture, const char *name, const char *text, GError **error)
{
	return atomic_file_write(fixture->directory, name, text, strlen(text), 0640, error);
}

static void assert_content(Fixture *fixture, const char *name, const char *text)
{
	g_autoptr(GError) error = NULL;
	size_t length = 0;
	g_autofree char *contents = atomic_file_read(fixture->directory, name, 1 << 20, &length,
						     &error);

	g_assert_no_error(error);
	g_assert_cmpmem(contents, length, text, strlen(text));
	g_assert_cmpint(contents[length], ==, '\0');
}

static void test_write_and_replace(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(write_text(fixture, "a.json", "first", &error));
	g_assert_no_error(error);
	assert_content(fixture, "a.json", "first");
	/* The only order in which a crash can do no harm. */
	g_assert_cmpstr(calls->str, ==, "chmod write fsync-file rename fsync-folder ");

	g_assert_true(write_text(fixture, "a.json", "the second, longer", &error));
	assert_content(fixture, "a.json", "the second, longer");
	g_assert_true(write_text(fixture, "a.json", "", &error));
	assert_content(fixture, "a.json", "");
	g_assert_cmpuint(count_files(fixture), ==, 1);
}

/* Whole for who looks, and without a call that waits for the disk. */
static void test_volatile(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(write_text(fixture, "a", "old", NULL));
	g_string_truncate(calls, 0);
	g_assert_true(atomic_file_write_volatile(fixture->directory, "a", "new", 3, 0600, &error));
	g_assert_cmpstr(calls->str, ==, "chmod write rename ");
	assert_content(fixture, "a", "new");
	g_assert_cmpuint(count_files(fixture), ==, 1);
}

static void test_binary_and_short_writes(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *data = g_malloc(100000), *contents = NULL;
	size_t length = 0;

	for (unsigned i = 0; i < 100000; i++)
		data[i] = (char)(i * 31 % 256);
	write_max = 999;
	g_assert_true(atomic_file_write(fixture->directory, "b", data, 100000, 0600, &error));
	contents = atomic_file_read(fixture->directory, "b", 100000, &length, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(contents, length, data, 100000);
}

static void test_mode(Fixture *fixture, gconstpointer unused)
{
	const mode_t modes[] = { 0600, 0640, 0644, 0666 };
	g_autofree char *path = g_build_filename(fixture->directory, "m", NULL);
	mode_t umask_before = umask(077);

	for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
		struct stat status;

		g_assert_true(atomic_file_write(fixture->directory, "m", "x", 1, modes[i], NULL));
		g_assert_cmpint(stat(path, &status), ==, 0);
		g_assert_cmpuint(status.st_mode & 07777, ==, modes[i]);
	}
	umask(umask_before);
}

/* The link goes, what it points to stays as it is. */
static void test_write_replaces_link(Fixture *fixture, gconstpointer unused)
{
	g_autofree char *link = g_build_filename(fixture->directory, "link", NULL);

	g_assert_true(write_text(fixture, "target", "precious", NULL));
	g_assert_cmpint(symlink("target", link), ==, 0);
	g_assert_true(write_text(fixture, "link", "new", NULL));
	assert_content(fixture, "target", "precious");
	assert_content(fixture, "link", "new");
}

/* Whatever fails: an error that names the file, the old content, and nothing else in the folder. */
static void test_failures_leave_nothing(Fixture *fixture, gconstpointer unused)
{
	const char *const failures[] = { "chmod", "write", "fsync-file", "rename" };

	g_assert_true(write_text(fixture, "a", "old", NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(failures); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *path = g_build_filename(fixture->directory, "a", NULL);

		failing = failures[i];
		g_assert_false(write_text(fixture, "a", "new", &error));
		g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
		g_assert_nonnull(strstr(error->message, path));
		failing = NULL;
		assert_content(fixture, "a", "old");
		g_assert_cmpuint(count_files(fixture), ==, 1);
	}
}

static void test_folder_sync_fails(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL, remove_error = NULL;

	failing = "fsync-folder";
	g_assert_false(write_text(fixture, "a", "x", &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(error->message, fixture->directory));

	g_assert_false(atomic_file_remove(fixture->directory, "a", &remove_error));
	g_assert_error(remove_error, CORE_ERROR, CORE_ERROR_IO);
}

static void test_target_is_folder(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL, read_error = NULL, remove_error = NULL;
	g_autofree char *path = g_build_filename(fixture->directory, "d", NULL);

	g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
	g_assert_false(write_text(fixture, "d", "x", &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_cmpuint(count_files(fixture), ==, 1);
	g_assert_null(atomic_file_read(fixture->directory, "d", 100, NULL, &read_error));
	g_assert_error(read_error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_false(atomic_file_remove(fixture->directory, "d", &remove_error));
	g_assert_error(remove_error, CORE_ERROR, CORE_ERROR_IO);
}

static void test_missing_folder(Fixture *fixture, gconstpointer unused)
{
	g_autofree char *missing = g_build_filename(fixture->directory, "no-such-folder", NULL);
	g_autoptr(GError) write_error = NULL, read_error = NULL, remove_error = NULL;

	g_assert_false(atomic_file_write(missing, "a", "x", 1, 0600, &write_error));
	g_assert_error(write_error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(write_error->message, missing));

	g_assert_null(atomic_file_read(missing, "a", 100, NULL, &read_error));
	g_assert_error(read_error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(read_error->message, missing));

	g_assert_true(atomic_file_remove(missing, "a", &remove_error));
	g_assert_no_error(remove_error);
}

static void test_bad_names(Fixture *fixture, gconstpointer unused)
{
	g_autofree char *long_name = g_strnfill(300, 'n');
	const char *const names[] = { "", ".", "..", "a/b", "../a", "/etc/passwd", long_name };

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) write_error = NULL, read_error = NULL, remove_error = NULL;

		g_assert_false(write_text(fixture, names[i], "x", &write_error));
		g_assert_error(write_error, CORE_ERROR, CORE_ERROR_IO);
		g_assert_null(atomic_file_read(fixture->directory, names[i], 100, NULL,
					       &read_error));
		g_assert_error(read_error, CORE_ERROR, CORE_ERROR_IO);
		g_assert_false(atomic_file_remove(fixture->directory, names[i], &remove_error));
		g_assert_error(remove_error, CORE_ERROR, CORE_ERROR_IO);
	}
	g_assert_cmpuint(count_files(fixture), ==, 0);
}

static void test_read_limit(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL, proc_error = NULL;
	g_autofree char *contents = NULL, *path = g_build_filename(fixture->directory, "a", NULL);
	size_t length = 77;

	g_assert_true(write_text(fixture, "a", "0123456789", NULL));
	contents = atomic_file_read(fixture->directory, "a", 10, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(contents, ==, "0123456789");

	g_assert_null(atomic_file_read(fixture->directory, "a", 9, &length, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_assert_nonnull(strstr(error->message, path));
	/* Untouched on failure. */
	g_assert_cmpuint(length, ==, 77);

	/* A file that does not tell its size is cut off as well. */
	g_assert_null(atomic_file_read("/proc/self", "status", 20, NULL, &proc_error));
	g_assert_error(proc_error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
}

/* Larger than the first buffer, which a size of 0 makes small. */
static void test_read_without_size(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;
	size_t length = 0;
	g_autofree char *contents = atomic_file_read("/proc/self", "smaps", 16 << 20, &length,
						     &error);

	g_assert_no_error(error);
	g_assert_cmpuint(length, >, 4096);
	g_assert_cmpuint(strlen(contents), ==, length);
}

static void test_read_refuses(Fixture *fixture, gconstpointer unused)
{
	const char *const names[] = { "link", "dangling", "fifo", "missing" };
	g_autofree char *link = g_build_filename(fixture->directory, "link", NULL);
	g_autofree char *dangling = g_build_filename(fixture->directory, "dangling", NULL);
	g_autofree char *fifo = g_build_filename(fixture->directory, "fifo", NULL);

	g_assert_true(write_text(fixture, "target", "secret", NULL));
	g_assert_cmpint(symlink("target", link), ==, 0);
	g_assert_cmpint(symlink("nowhere", dangling), ==, 0);
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *path = g_build_filename(fixture->directory, names[i], NULL);

		g_assert_null(atomic_file_read(fixture->directory, names[i], 100, NULL, &error));
		g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
		g_assert_nonnull(strstr(error->message, path));
	}
}

static void test_remove(Fixture *fixture, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(write_text(fixture, "a", "x", NULL));
	g_string_truncate(calls, 0);
	g_assert_true(atomic_file_remove(fixture->directory, "a", &error));
	g_assert_no_error(error);
	g_assert_cmpstr(calls->str, ==, "unlink fsync-folder ");
	g_assert_cmpuint(count_files(fixture), ==, 0);

	/* Not there is no error, but it shall be durable that it is not. */
	g_string_truncate(calls, 0);
	g_assert_true(atomic_file_remove(fixture->directory, "a", &error));
	g_assert_no_error(error);
	g_assert_cmpstr(calls->str, ==, "unlink fsync-folder ");
}

/* Killed while it writes, at any moment. */
static void write_and_die(Fixture *fixture, const char *call)
{
	pid_t pid = fork();
	int status;

	g_assert_cmpint(pid, >=, 0);
	if (pid == 0) {
		/* Else all of them would make up the same name. */
		g_random_set_seed((guint32)getpid());
		deadly = call;
		(void)write_text(fixture, "a", "new", NULL);
		_exit(1);
	}
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmpint(status, ==, 0);
}

static void test_clean(Fixture *fixture, gconstpointer unused)
{
	const char *const moments[] = { "chmod", "write", "fsync-file", "rename" };
	/* Not ours, however like it they look. */
	const char *const others[] = { ".hidden", ".0123456789abcdef.tmp.json", "0123456789abcdef.tmp",
				       ".0123456789abcdef0.tmp", ".0123456789ABCDEF.tmp", ".tmp" };

	g_assert_true(write_text(fixture, "a", "old", NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
		g_assert_true(write_text(fixture, others[i], "x", NULL));
	for (unsigned i = 0; i < G_N_ELEMENTS(moments); i++)
		write_and_die(fixture, moments[i]);
	g_assert_cmpuint(count_files(fixture), ==,
			 1 + G_N_ELEMENTS(others) + G_N_ELEMENTS(moments));

	atomic_file_clean(fixture->directory);
	g_assert_cmpuint(count_files(fixture), ==, 1 + G_N_ELEMENTS(others));
	assert_content(fixture, "a", "old");
	atomic_file_clean("/no-such-folder");
}

static void add(const char *path, void (*test)(Fixture *, gconstpointer))
{
	g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/atomic-file/write-and-replace", test_write_and_replace);
	add("/atomic-file/volatile", test_volatile);
	add("/atomic-file/binary-and-short-writes", test_binary_and_short_writes);
	add("/atomic-file/mode", test_mode);
	add("/atomic-file/write-replaces-link", test_write_replaces_link);
	add("/atomic-file/failures-leave-nothing", test_failures_leave_nothing);
	add("/atomic-file/folder-sync-fails", test_folder_sync_fails);
	add("/atomic-file/target-is-folder", test_target_is_folder);
	add("/atomic-file/missing-folder", test_missing_folder);
	add("/atomic-file/bad-names", test_bad_names);
	add("/atomic-file/read-limit", test_read_limit);
	add("/atomic-file/read-without-size", test_read_without_size);
	add("/atomic-file/read-refuses", test_read_refuses);
	add("/atomic-file/remove", test_remove);
	add("/atomic-file/clean", test_clean);
	return g_test_run();
}
