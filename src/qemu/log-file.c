/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/log-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define COPY_SIZE (64u * 1024)
/* The first line of a file that was emptied. */
#define CONTINUED "[the lines before these are in the file with .1]\n"

static char *old_name(const char *log_file, unsigned number)
{
	return number == 0 ? g_strdup(log_file) : g_strdup_printf("%s.%u", log_file, number);
}

static bool rename_file(const char *from, const char *to, GError **error)
{
	if (rename(from, to) == 0 || errno == ENOENT)
		return true;
	core_error_set_errno(error, errno, "%s: cannot be renamed to %s", from, to);
	return false;
}

/* Makes room for a new .1; the oldest is overwritten. from: 0 if the file itself moves too. */
static bool shift(const char *log_file, unsigned from, GError **error)
{
	unsigned number;

	for (number = QEMU_LOG_OLD_MAX; number > from; number--) {
		g_autofree char *older = old_name(log_file, number);
		g_autofree char *newer = old_name(log_file, number - 1);

		if (!rename_file(newer, older, error))
			return false;
	}
	return true;
}

bool qemu_log_begin(const char *log_file, GError **error)
{
	struct stat info;

	/* An empty one would push out one that says something. */
	if (lstat(log_file, &info) == 0 && info.st_size == 0)
		return true;
	return shift(log_file, 0, error);
}

/* From the position of from to its end; false with errno set. */
static bool copy(int from, int to)
{
	g_autofree char *buffer = g_malloc(COPY_SIZE);
	ssize_t length;

	while ((length = TEMP_FAILURE_RETRY(read(from, buffer, COPY_SIZE))) > 0) {
		ssize_t done = 0, written;

		for (; done < length; done += written) {
			written = TEMP_FAILURE_RETRY(write(to, buffer + done, (size_t) (length - done)));
			if (written < 0)
				return false;
		}
		/* Where it grows as fast as it is copied, this has an end too. */
		if (lseek(to, 0, SEEK_CUR) >= (off_t) (2 * QEMU_LOG_SIZE_MAX))
			break;
	}
	return length >= 0;
}

/* The last QEMU_LOG_SIZE_MAX bytes, and what comes meanwhile. */
static bool copy_end(int fd, off_t size, const char *copy_name, GError **error)
{
	int to = open(copy_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = to >= 0 && lseek(fd, size - (off_t) QEMU_LOG_SIZE_MAX, SEEK_SET) >= 0 &&
		  copy(fd, to);

	if (!ok)
		core_error_set_errno(error, errno, "%s: cannot be written", copy_name);
	if (to >= 0)
		close(to);
	return ok;
}

static bool empty(int fd, off_t size, const char *log_file, GError **error)
{
	g_autofree char *copy_name = g_strconcat(log_file, ".copy", NULL);
	g_autofree char *first = old_name(log_file, 1);
	g_autoptr(GError) copy_error = NULL;
	/* Where there is no room for a copy, there is even less for what comes next. */
	bool copied = copy_end(fd, size, copy_name, &copy_error);

	if (ftruncate(fd, 0) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be emptied", log_file);
		return false;
	}
	if (!copied) {
		unlink(copy_name);
		g_propagate_error(error, g_steal_pointer(&copy_error));
		return false;
	}
	if (write(fd, CONTINUED, strlen(CONTINUED)) < 0)
		g_debug("%s: %s", log_file, g_strerror(errno));
	return shift(log_file, 1, error) && rename_file(copy_name, first, error);
}

bool qemu_log_limit(const char *log_file, GError **error)
{
	int fd = open(log_file, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat info = { 0 };
	bool ok = true;

	if (fd < 0) {
		if (errno == ENOENT)
			return true;
		core_error_set_errno(error, errno, "%s: cannot be opened", log_file);
		return false;
	}
	/* A file that has another name too is not ours alone. */
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1 &&
	    info.st_size > (off_t) QEMU_LOG_SIZE_MAX)
		ok = empty(fd, info.st_size, log_file, error);
	close(fd);
	return ok;
}

void qemu_log_limit_all(const char *directory)
{
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(directory, name, NULL);
		g_autoptr(GError) error = NULL;

		if (g_str_has_suffix(name, ".log") && !qemu_log_limit(path, &error))
			g_message("%s", error->message);
	}
}

/* ---- the last lines ---- */

/* Control characters could do things to the terminal of who reads them. */
static void clean_text(char *text)
{
	char *p;

	for (p = text; *p; p++)
		if (g_ascii_iscntrl(*p) && *p != '\n' && *p != '\t')
			*p = ' ';
	g_strstrip(text);
}

/* The last bytes of a file, at most max; fewer only if it has no more. */
static size_t read_end(const char *path, char *buffer, size_t max, bool *ret_is_cut)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat info;
	ssize_t length = -1;
	off_t start = 0;

	if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
		start = MAX(info.st_size - (off_t) max, 0);
		length = pread(fd, buffer, max, start);
	}
	if (fd >= 0)
		close(fd);
	*ret_is_cut = start > 0;
	return length > 0 ? (size_t) length : 0;
}

char *qemu_log_tail(const char *log_file)
{
	char end[QEMU_STDERR_TAIL_MAX], before[QEMU_STDERR_TAIL_MAX];
	g_autofree char *first = old_name(log_file, 1), *text = NULL;
	g_autoptr(GString) bytes = NULL;
	bool is_cut = false;
	size_t length = read_end(log_file, end, sizeof(end), &is_cut);
	const char *tail, *start = end;

	bytes = g_string_new(NULL);
	if (!is_cut && length >= strlen(CONTINUED) && memcmp(end, CONTINUED, strlen(CONTINUED)) == 0) {
		start = end + strlen(CONTINUED);
		length -= strlen(CONTINUED);
		g_string_append_len(bytes, before,
				    (gssize) read_end(first, before, sizeof(before) - length, &is_cut));
	}
	g_string_append_len(bytes, start, (gssize) length);
	if (bytes->len == 0)
		return g_strdup("");

	text = g_utf8_make_valid(bytes->str, (gssize) bytes->len);
	clean_text(text);
	tail = text;
	/* Each byte that is not UTF-8 has become three. */
	if (strlen(tail) > QEMU_STDERR_TAIL_MAX) {
		tail += strlen(tail) - QEMU_STDERR_TAIL_MAX;
		while (((unsigned char) *tail & 0xc0) == 0x80)
			tail++;
	}
	/* What was cut begins within a line; show whole ones, if there is one. */
	if ((is_cut || tail > text) && strchr(tail, '\n'))
		tail = strchr(tail, '\n') + 1;
	return g_strdup(tail);
}
