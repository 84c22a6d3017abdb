/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

G_DEFINE_QUARK(vmherald-core-error-quark, core_error)

void core_error_set_errno(GError **error, int errno_value, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list arguments;

	va_start(arguments, format);
	what = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s: %s", what, g_strerror(errno_value));
}
