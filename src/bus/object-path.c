/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/object-path.h"

#include <glib.h>
#include <string.h>

#include "bus/names.h"

#define PREFIX BUS_DOMAIN_PATH "/_"

char *bus_path_from_uuid(const char *uuid)
{
	char *path = g_strconcat(PREFIX, uuid, NULL);

	/* For each signal: g_strdelimit() takes longer than all the rest. */
	for (char *c = path + strlen(PREFIX); *c; c++)
		if (*c == '-')
			*c = '_';
	return path;
}

/* In a path a uuid has _ in place of -, and letters in lower case: there is one path for each domain. */
static bool is_uuid_of_path(const char *tail)
{
	for (unsigned i = 0; i < BUS_PATH_UUID_LENGTH; i++) {
		bool is_mark = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_mark ? tail[i] != '_' : !g_ascii_isxdigit(tail[i]) || g_ascii_isupper(tail[i]))
			return false;
	}
	return tail[BUS_PATH_UUID_LENGTH] == '\0';
}

bool bus_path_to_uuid(const char *path, char ret_uuid[BUS_PATH_UUID_LENGTH + 1])
{
	const char *tail;

	if (!g_str_has_prefix(path, PREFIX))
		return false;
	tail = path + strlen(PREFIX);
	if (!is_uuid_of_path(tail))
		return false;
	for (unsigned i = 0; i <= BUS_PATH_UUID_LENGTH; i++)
		ret_uuid[i] = tail[i] == '_' ? '-' : tail[i];
	return true;
}
