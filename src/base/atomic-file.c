/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/atomic-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/*
 * rename(2) is atomic for who looks, but not for a crash: only after the fsync of the file may the
 * name point to it, and only after the fsync of the folder is the name sure to stay. The temporary
 * name begins with a dot and is random: readers of the folder pass over it should a crash leave it
 * there, and two writers never share one.
 */

#define TEMPORARY_FORMAT ".%08x%08x.tmp"
#define TEMPORARY_DIGITS 16

/* First buffer for a file that does not tell its size. */
#define READ_BUFFER_MIN 4096

static void close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define auto_close __attribute__((cleanup(close_descriptor))) int

static bool name_check(const char *directory, const char *name, GError **error)
{
	if (*name && !strchr(name, '/') && !g_str_equal(name, ".") && !g_str_equal(name, ".."))
		return true;

	core_error_set_errno(error, EINVAL, "bad file name \"%s\" in %s", name, directory);
	return false;
}

static int open_directory(const char *directory, GError **error)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		core_error_set_errno(error, errno, "cannot open folder %s", directory);
	return fd;
}

static bool sync_directory(int directory_fd, const char *directory, GError **error)
{
	if (fsync(directory_fd) >= 0)
		return true;

	core_error_set_errno(error, errno, "cannot sync folder %s", directory);
	return false;
}

static bool write_all(int fd, const char *contents, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, contents, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		contents += n;
		length -= (size_t)n;
	}
	return true;
}

/* Whole (and on the disk) under a name of its own, or an errno and nothing there. */
static int write_temporary(int directory_fd, const char *temporary, const char *contents,
			   size_t length, mode_t mode, bool durable)
{
	auto_close fd = openat(directory_fd, temporary,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int errno_value = 0;

	if (fd < 0)
		return errno;

	/* fchmod, for the umask has no say in what the caller asked for. A network file system may
	 * report a failed write only at the close. */
	if (fchmod(fd, mode) < 0 || !write_all(fd, contents, length) ||
	    (durable && fsync(fd) < 0) || close(g_steal_fd(&fd)) < 0) {
		errno_value = errno;
		unlinkat(directory_fd, temporary, 0);
	}
	return errno_value;
}

static bool write_file(const char *directory, const char *name, const char *contents, size_t length,
		       mode_t mode, bool durable, GError **error)
{
	g_autofree char *temporary = NULL;
	auto_close directory_fd = -1;
	int errno_value;

	if (!name_check(directory, name, error))
		return false;
	directory_fd = open_directory(directory, error);
	if (directory_fd < 0)
		return false;

	temporary = g_strdup_printf(TEMPORARY_FORMAT, g_random_int(), g_random_int());
	errno_value = write_temporary(directory_fd, temporary, contents, length, mode, durable);
	if (errno_value == 0 && renameat(directory_fd, temporary, directory_fd, name) < 0) {
		errno_value = errno;
		unlinkat(directory_fd, temporary, 0);
	}
	if (errno_value != 0) {
		core_error_set_errno(error, errno_value, "cannot write %s/%s", directory, name);
		return false;
	}

	return !durable || sync_directory(directory_fd, directory, error);
}

bool atomic_file_write(const char *directory, const char *name, const char *contents, size_t length,
		       mode_t mode, GError **error)
{
	return write_file(directory, name, contents, length, mode, true, error);
}

bool atomic_file_write_volatile(const char *directory, const char *name, const char *contents, size_t length,
				mode_t mode, GError **error)
{
	return write_file(directory, name, contents, length, mode, false, error);
}

bool atomic_file_remove(const char *directory, const char *name, GError **error)
{
	auto_close directory_fd = -1;

	if (!name_check(directory, name, error))
		return false;

	/* No folder, no file. */
	if (access(directory, F_OK) < 0 && errno == ENOENT)
		return true;
	directory_fd = open_directory(directory, error);
	if (directory_fd < 0)
		return false;

	if (unlinkat(directory_fd, name, 0) < 0 && errno != ENOENT) {
		core_error_set_errno(error, errno, "cannot remove %s/%s", directory, name);
		return false;
	}

	/* Also if it was gone: an earlier removal may not have got as far as the disk. */
	return sync_directory(directory_fd, directory, error);
}

static bool is_temporary(const char *name)
{
	size_t digits = *name == '.' ? strspn(name + 1, "0123456789abcdef") : 0;

	return digits == TEMPORARY_DIGITS && g_str_equal(name + 1 + digits, ".tmp");
}

void atomic_file_clean(const char *directory)
{
	auto_close directory_fd = open_directory(directory, NULL);
	g_autoptr(GDir) dir = directory_fd >= 0 ? g_dir_open(directory, 0, NULL) : NULL;
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if (is_temporary(name))
			(void)unlinkat(directory_fd, name, 0);
}

static void set_too_long(const char *directory, const char *name, size_t length_max,
			 GError **error)
{
	g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
		    "%s/%s is longer than the %zu bytes allowed", directory, name, length_max);
}

static int open_regular(const char *directory, const char *name, struct stat *ret_status,
			GError **error)
{
	auto_close directory_fd = open_directory(directory, error);
	auto_close fd = -1;
	struct stat status;

	if (directory_fd < 0)
		return -1;

	/* NONBLOCK: a FIFO that somebody put there must not hold us before we see what it is. */
	fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO,
			    "%s/%s is a symbolic link, which is not followed", directory, name);
		return -1;
	}
	if (fd < 0 || fstat(fd, &status) < 0) {
		core_error_set_errno(error, errno, "cannot open %s/%s", directory, name);
		return -1;
	}
	if (!S_ISREG(status.st_mode)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s/%s is not a regular file",
			    directory, name);
		return -1;
	}

	*ret_status = status;
	return g_steal_fd(&fd);
}

char *atomic_file_read(const char *directory, const char *name, size_t length_max,
		       size_t *ret_length, GError **error)
{
	g_autofree char *contents = NULL;
	auto_close fd = -1;
	struct stat status;
	size_t size, length = 0;

	/* The buffer has room for one byte beyond the limit, and for the NUL. */
	g_assert(length_max < G_MAXSSIZE - 2);

	if (!name_check(directory, name, error))
		return NULL;
	fd = open_regular(directory, name, &status, error);
	if (fd < 0)
		return NULL;
	if ((guint64)status.st_size > length_max) {
		set_too_long(directory, name, length_max, error);
		return NULL;
	}

	/* The size is only a start: the file may grow while we read, and in /proc it is 0. */
	for (size = MAX((size_t)status.st_size + 1, READ_BUFFER_MIN);;) {
		char *larger;
		ssize_t n;

		size = MIN(size, length_max + 1);
		larger = g_try_realloc(contents, size + 1);
		if (!larger) {
			core_error_set_errno(error, ENOMEM, "cannot read %s/%s", directory, name);
			return NULL;
		}
		contents = larger;

		do
			n = read(fd, contents + length, size - length);
		while (n < 0 && errno == EINTR);
		if (n < 0) {
			core_error_set_errno(error, errno, "cannot read %s/%s", directory, name);
			return NULL;
		}
		if (n == 0)
			break;

		length += (size_t)n;
		if (length > length_max) {
			set_too_long(directory, name, length_max, error);
			return NULL;
		}
		if (length == size)
			size *= 2;
	}

	contents[length] = '\0';
	if (ret_length)
		*ret_length = length;
	return g_steal_pointer(&contents);
}
