/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/refused.h"

#include <errno.h>

void refused_set_error(GError **error, CoreError code, int errno_value, const char *words,
		       const char *capability, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list arguments;

	va_start(arguments, format);
	what = g_strdup_vprintf(format, arguments);
	va_end(arguments);

	if (errno_value == EPERM || errno_value == EACCES)
		g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED, "%s: %s is missing%s", what, capability,
			    code == CORE_ERROR_START_FAILED
				    ? " (run the service with it, or use an interface of type user)" : "");
	else
		g_set_error(error, CORE_ERROR, code, "%s: %s", what,
			    words && *words ? words : g_strerror(errno_value));
}
