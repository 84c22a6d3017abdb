/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "output.h"

#include <err.h>
#include <fcntl.h>
#include <glib.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_MAX (256u * 1024)

static GString *buffer;
static int fd = -1;

void output_open(const char *path)
{
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "%s", path);
	buffer = g_string_sized_new(BUFFER_MAX + 4096);
}

bool output_is_empty(void)
{
	return buffer->len == 0;
}

void output_flush(void)
{
	if (buffer->len > 0 && write(fd, buffer->str, buffer->len) != (ssize_t)buffer->len)
		err(1, "output");
	g_string_truncate(buffer, 0);
}

void output_event(uint64_t sequence, uint64_t time, const char *path, const char *interface, const char *member,
		  const char *arguments)
{
	g_string_append_printf(buffer, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %s %s.%s %s\n", sequence, time,
			       path, interface, member, arguments);
	if (buffer->len > BUFFER_MAX)
		output_flush();
}

void output_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_string_append_vprintf(buffer, format, arguments);
	va_end(arguments);
	g_string_append_c(buffer, '\n');
}
