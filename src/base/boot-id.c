/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/boot-id.h"

#include <glib.h>

char *boot_id_read(void)
{
	g_autofree char *text = NULL;

	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
		return g_strdup("");
	return g_strdup(g_strstrip(text));
}
