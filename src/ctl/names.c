/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/names.h"

#include <string.h>

#define UUID_LENGTH 36u

bool names_is_among(const char *words, const char *text)
{
	g_auto(GStrv) list = g_strsplit(words, "|", -1);

	return g_strv_contains((const char *const *) list, text);
}

bool names_is_uuid(const char *text)
{
	if (strlen(text) != UUID_LENGTH)
		return false;
	for (unsigned i = 0; i < UUID_LENGTH; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !g_ascii_isxdigit(text[i]))
			return false;
	}
	return true;
}

char *names_path_from_uuid(const char *uuid)
{
	g_autofree char *lower = NULL;

	if (!names_is_uuid(uuid))
		return NULL;
	lower = g_ascii_strdown(uuid, -1);
	return g_strconcat(NAMES_DOMAIN_PREFIX, g_strdelimit(lower, "-", '_'), NULL);
}

char *names_uuid_from_path(const char *path)
{
	g_autofree char *uuid = NULL;

	if (!g_str_has_prefix(path, NAMES_DOMAIN_PREFIX))
		return NULL;
	uuid = g_strdelimit(g_strdup(path + strlen(NAMES_DOMAIN_PREFIX)), "_", '-');
	return names_is_uuid(uuid) ? g_steal_pointer(&uuid) : NULL;
}

const char *names_short_interface(const char *interface)
{
	static const char *const prefixes[] = { NAMES_SERVICE ".", "org.freedesktop.DBus." };

	for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		if (g_str_has_prefix(interface, prefixes[i]))
			return interface + strlen(prefixes[i]);
	}
	return interface;
}
