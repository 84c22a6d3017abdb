/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-qemu-files.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STATE   "state"
#define PICTURE "\x89PNG\r\n\x1a\n and more"

void fake_write_state(int fd)
{
	if (write(fd, STATE, strlen(STATE)) != (ssize_t)strlen(STATE))
		_exit(3);
}

void fake_read_state(int fd)
{
	char bytes[16];

	if (read(fd, bytes, sizeof(bytes)) != (ssize_t)strlen(STATE) ||
	    memcmp(bytes, STATE, strlen(STATE)) != 0) {
		g_printerr("fake-qemu: load of migration failed\n");
		_exit(1);
	}
}

bool fake_write_picture(const char *path, const char *content, bool large)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	size_t length = strlen(content ? content : PICTURE);
	bool ok = fd >= 0 && write(fd, content ? content : PICTURE, length) == (ssize_t)length &&
		  (!large || ftruncate(fd, (64 << 20) + 1) == 0);

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

void fake_read_settings(GHashTable *settings, const char *text)
{
	g_auto(GStrv) parts = g_strsplit(text, ";", -1);

	for (unsigned i = 0; parts[i]; i++) {
		g_auto(GStrv) pair = g_strsplit(parts[i], "=", 2);

		if (pair[0] && pair[1])
			g_hash_table_replace(settings, g_strdup(pair[0]), g_strdup(pair[1]));
	}
}
