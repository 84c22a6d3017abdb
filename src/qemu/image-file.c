/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/image-file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

static int open_at(int directory, const char *path, uint64_t flags, uint64_t resolve)
{
	/* Non-blocking, for a FIFO that nobody writes to; no terminal becomes ours. */
	const struct open_how how = { .flags = flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, .resolve = resolve };

	return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

/* What of path is below the directory; NULL: it is elsewhere. By its words: what they lead to is openat2()'s affair. */
static const char *get_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	while (length > 1 && directory[length - 1] == '/')
		length--;
	if (strncmp(path, directory, length) != 0 || path[length] != '/')
		return NULL;
	path += length;
	return path + strspn(path, "/");
}

/* WARNING: with our rights. Neither "..", nor a link that somebody has planted, nor one of /proc leads anywhere else, even if it
 * is exchanged while we look. */
static int open_below(const char *directory, const char *below, uint64_t flags)
{
	int directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (directory_fd < 0)
		return -1;
	fd = open_at(directory_fd, below, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	(void)close(directory_fd);
	return fd;
}

/* Links are followed, as that user would; but none of /proc, which would lead to what we have open. */
static int open_as_user(const QemuUser *user, const char *path, uint64_t flags)
{
	int fd, errno_value;

	if (!qemu_user_enter(user))
		return -1;
	fd = open_at(AT_FDCWD, path, flags, RESOLVE_NO_MAGICLINKS);
	errno_value = errno;
	qemu_user_leave(user);
	errno = errno_value;
	return fd;
}

static const char *find_directory(const QemuImageAccess *access, const char *path, const char **ret_below)
{
	for (size_t i = 0; access->directories && access->directories[i]; i++) {
		*ret_below = get_below(path, access->directories[i]);
		if (*ret_below)
			return access->directories[i];
	}
	return NULL;
}

static void fail(const QemuImageAccess *access, const char *path, const char *directory, bool writable, int errno_value,
		 GError **error)
{
	const char *hint = access->directories && access->directories[0] ? access->directories[0] : NULL;

	if (directory && (errno_value == ELOOP || errno_value == EXDEV))
		g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
			    "%s: leads out of the directory for images %s, or by a symbolic link: name the file itself",
			    path, directory);
	else if (directory || errno_value != EACCES || !access->user)
		g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED, "%s: cannot be opened%s: %s", path,
			    writable ? " for writing" : "", g_strerror(errno_value));
	else
		g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
			    "%s: user %s may not %s it; let it, or put the file below %s", path, access->user->name,
			    writable ? "read and write" : "read",
			    hint ? hint : "a directory of ImageDirectories= in vmherald.conf");
}

/* Told before it is QEMU's: a FIFO, a socket or a device of characters is no disk. */
static bool check_type(int fd, const char *path, GError **error)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (fstat(fd, &st) < 0 || flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) {
		core_error_set_errno(error, errno, "%s", path);
		return false;
	}
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
		    "%s: is neither a regular file nor a block device", path);
	return false;
}

int qemu_image_open(const QemuImageAccess *access, const char *path, bool writable, GError **error)
{
	uint64_t flags = writable ? O_RDWR : O_RDONLY;
	const char *below = NULL, *directory;
	int fd;

	if (!g_path_is_absolute(path)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED, "%s: must be an absolute path", path);
		return -1;
	}
	directory = find_directory(access, path, &below);
	fd = directory ? open_below(directory, below, flags) : open_as_user(access->user, path, flags);
	if (fd < 0) {
		fail(access, path, directory, writable, errno, error);
		return -1;
	}
	if (check_type(fd, path, error))
		return fd;
	(void)close(fd);
	return -1;
}
