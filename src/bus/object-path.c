/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/object-path.h"

#include <glib.h>
#include <string.h>

#include "bus/names.h"

#define PREFIX BUS_DOMAIN_PATH "/_"

char *bus_path_from_uuid(const char *uuid)
{
	char *path = g_strconcat(PREFIX, uuid, NULL);

	g_strdelimit(path + strlen(PREFIX), "-", '_');
	return path;
}

bool bus_path_to_uuid(const char *path, char ret_uuid[BUS_PATH_UUID_LENGTH + 1])
{
	char uuid[BUS_PATH_UUID_LENGTH + 1];
	const char *tail;

	if (!g_str_has_prefix(path, PREFIX))
		return false;
	tail = path + strlen(PREFIX);
	if (strlen(tail) != BUS_PATH_UUID_LENGTH || strchr(tail, '-'))
		return false;
	strcpy(uuid, tail);
	g_strdelimit(uuid, "_", '-');
	/* The paths are in lower case, and there is one for each domain. */
	for (const char *c = uuid; *c; c++)
		if (g_ascii_isupper(*c))
			return false;
	if (!g_uuid_string_is_valid(uuid))
		return false;
	strcpy(ret_uuid, uuid);
	return true;
}
