/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/display-client.h"

#include <glib.h>
#include <string.h>

char *display_client_format_address(const char *host, const char *service)
{
	if (!*host || !*service)
		return g_strdup(*host ? host : service);
	return g_strdup_printf(strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, service);
}
