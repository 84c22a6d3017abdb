/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/interface-name.h"

#include <glib.h>
#include <string.h>

#include "bus/names.h"

char *interface_get_full_name(const char *name)
{
	if (!name)
		return NULL;
	return strchr(name, '.') ? g_strdup(name) : g_strconcat(BUS_INTERFACE(""), name, NULL);
}
