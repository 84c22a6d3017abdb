/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/position.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

static CtlExit report_errno(const char *file)
{
	ctl_error("%s: %s", file, g_strerror(errno));
	return CTL_FAILED;
}

CtlExit position_read(Position *position, const char *file)
{
	g_autoptr(GError) error = NULL;

	*position = (Position) { .file = file, .due = -1 };
	if (!file)
		return CTL_OK;
	if (!g_file_get_contents(file, &position->written, NULL, &error) &&
	    !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		ctl_error("%s", error->message);
		return CTL_FAILED;
	}
	if (position->written && !*g_strchomp(position->written))
		g_clear_pointer(&position->written, g_free);
	return CTL_OK;
}

void position_clear(Position *position)
{
	g_free(position->written);
	g_free(position->next);
}

void position_note(Position *position, VmhConnection *connection, bool soon)
{
	g_autofree char *now = NULL;

	if (!position->file)
		return;
	now = vmh_connection_get_position(connection);
	/* Nothing is known before the first event, if no call is made. */
	if (!*now || g_strcmp0(now, position->written) == 0)
		return;
	g_free(position->next);
	position->next = g_steal_pointer(&now);
	if (soon)
		position->due = 0;
	else if (position->due < 0)
		position->due = g_get_monotonic_time() + POSITION_INTERVAL;
}

int64_t position_get_due(const Position *position)
{
	return position->next ? position->due : -1;
}

/* Not with fsync(): after a crash of the host the history that it is about has gone as well. */
static bool replace_file(const char *file, const char *text)
{
	g_autofree char *new = g_strconcat(file, ".new", NULL);
	FILE *stream = fopen(new, "we");
	bool ok = stream && fprintf(stream, "%s\n", text) > 0;

	ok = (!stream || fclose(stream) == 0) && ok;
	return ok && g_rename(new, file) == 0;
}

CtlExit position_write(Position *position)
{
	if (!position->next || g_get_monotonic_time() < position->due)
		return CTL_OK;
	/* What is not out yet, or cannot be, has not been shown. */
	if (fflush(stdout) != 0 || ferror(stdout))
		return CTL_FAILED;
	if (!replace_file(position->file, position->next))
		return report_errno(position->file);
	g_free(position->written);
	position->written = g_steal_pointer(&position->next);
	position->due = -1;
	return CTL_OK;
}
