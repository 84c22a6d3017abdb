/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/sandbox.h"

#include <string.h>

#include "base/error.h"

#define HINT "(RequireSandbox= in the section [QEMU] of vmherald.conf)"

static bool allows_no_more(const char *sandbox)
{
	static const char *const parts[] = {
		"obsolete=deny", "elevateprivileges=deny", "spawn=deny", "resourcecontrol=deny",
	};
	g_auto(GStrv) given = g_strsplit(sandbox, ",", -1);

	/* Of an option that is there twice, QEMU takes the last: each is there once, or this is not understood. */
	if (!given[0] || (strcmp(given[0], "on") != 0 && strcmp(given[0], "enable=on") != 0) ||
	    g_strv_length(given) != 1 + G_N_ELEMENTS(parts))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		if (!g_strv_contains((const char *const *)given, parts[i]))
			return false;
	return true;
}

bool qemu_sandbox_check(const Definition *definition, bool emulator_knows, GError **error)
{
	/* What is, or reads from a file, another -sandbox; and what makes QEMU another user. */
	static const char *const arguments[] = {
		"sandbox", "readconfig", "runas", "run-with",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(arguments); i++)
		if (definition_has_argument(definition, arguments[i])) {
			g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
				    "arguments: -%s is not allowed where QEMU must be confined " HINT, arguments[i]);
			return false;
		}
	if (definition->sandbox && !allows_no_more(definition->sandbox)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
			    "sandbox: '%s' is not allowed where QEMU must be confined: leave it out, which is "
			    QEMU_SANDBOX_SAFE " " HINT, definition->sandbox);
		return false;
	}
	if (emulator_knows)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
		    "emulator: '%s' has no sandbox built in, and QEMU must be confined " HINT,
		    definition->emulator ? definition->emulator : "the default one");
	return false;
}
