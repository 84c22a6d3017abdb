/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "journal.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CUT "..."
#define NAME_LENGTH_MAX 64u

/* Those with an underscore in front are the journal's own. */
static bool is_name(const char *name)
{
	return *name >= 'A' && *name <= 'Z' && strlen(name) <= NAME_LENGTH_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name);
}

static void append_bytes(GByteArray *record, const void *bytes, size_t length)
{
	g_byte_array_append(record, bytes, (unsigned)length);
}

/* Not in the middle of a character. */
static size_t cut(const char *value, size_t length)
{
	length = JOURNAL_VALUE_MAX - strlen(CUT);
	while (length > 0 && ((unsigned char)value[length] & 0xc0) == 0x80)
		length--;
	return length;
}

void journal_append(GByteArray *record, const char *name, const char *value, gssize length)
{
	size_t size = length < 0 ? strlen(value) : (size_t)length;
	size_t kept = size > JOURNAL_VALUE_MAX ? cut(value, size) : size;
	size_t total = size > kept ? kept + strlen(CUT) : kept;

	if (!is_name(name) || record->len + strlen(name) + total + 16 > JOURNAL_RECORD_MAX)
		return;
	append_bytes(record, name, strlen(name));
	if (memchr(value, '\n', kept)) {
		uint64_t little_endian = GUINT64_TO_LE((uint64_t)total);

		append_bytes(record, "\n", 1);
		append_bytes(record, &little_endian, sizeof(little_endian));
	} else {
		append_bytes(record, "=", 1);
	}
	append_bytes(record, value, kept);
	append_bytes(record, CUT, total - kept);
	append_bytes(record, "\n", 1);
}

int journal_open(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

int journal_send(int fd, const char *socket_path, const GByteArray *record)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	ssize_t sent;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	/* Addressed each time, so that a journal that was started again is found. */
	sent = sendto(fd, record->data, record->len, MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)&address, sizeof(address));
	return sent < 0 ? -errno : 0;
}

bool journal_is_stream(int fd, const char *journal_stream)
{
	unsigned long long device, inode;
	struct stat status;
	int end = 0;

	if (!journal_stream ||
	    sscanf(journal_stream, "%llu:%llu%n", &device, &inode, &end) != 2 ||
	    journal_stream[end] != '\0' || fstat(fd, &status) < 0)
		return false;
	return device == (unsigned long long)status.st_dev &&
	       inode == (unsigned long long)status.st_ino;
}
