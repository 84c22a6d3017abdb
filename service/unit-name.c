/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit-name.h"

#include <stdbool.h>
#include <string.h>

#define UNIT_PREFIX "vmherald-"
#define UNIT_SUFFIX ".scope"
/* Of the uuid; with a name it is enough to tell two apart. */
#define UUID_DIGITS 8
/* HOST_NAME_MAX, which is that of machine names. */
#define MACHINE_NAME_MAX 64u

static void append_escaped(GString *unit, const char *name)
{
	for (const char *c = name; *c; c++) {
		if (g_ascii_isalnum(*c) || strchr("._-", *c))
			g_string_append_c(unit, *c);
		else
			g_string_append_printf(unit, "\\x%02x", (unsigned char)*c);
	}
}

char *unit_name_of_domain(const char *name)
{
	GString *unit = g_string_new(UNIT_PREFIX);

	append_escaped(unit, name);
	g_string_append(unit, UNIT_SUFFIX);
	return g_string_free(unit, FALSE);
}

char *unit_name_of_process(const char *name, long pid)
{
	GString *unit = g_string_new(UNIT_PREFIX);

	append_escaped(unit, name);
	g_string_append_printf(unit, ":%ld" UNIT_SUFFIX, pid);
	return g_string_free(unit, FALSE);
}

/* Labels of letters, digits and dashes, with dots between them; no label begins or ends in a dash. */
static void append_labels(GString *machine, const char *name)
{
	for (const char *c = name; *c; c++) {
		bool begins = machine->len == 0 || machine->str[machine->len - 1] == '.';

		if (g_ascii_isalnum(*c))
			g_string_append_c(machine, *c);
		else if (*c != '.' && !begins)
			g_string_append_c(machine, '-');
		else if (*c == '.' && !begins) {
			while (machine->str[machine->len - 1] == '-')
				g_string_truncate(machine, machine->len - 1);
			g_string_append_c(machine, '.');
		}
	}
}

static void cut_end(GString *machine, size_t length)
{
	g_string_truncate(machine, MIN(machine->len, length));
	while (machine->len > 0 && !g_ascii_isalnum(machine->str[machine->len - 1]))
		g_string_truncate(machine, machine->len - 1);
}

char *machine_name_of_domain(const char *name)
{
	GString *machine = g_string_new(NULL);

	append_labels(machine, name);
	cut_end(machine, MACHINE_NAME_MAX);
	if (machine->len == 0)
		g_string_append(machine, "vm");
	return g_string_free(machine, FALSE);
}

char *machine_name_of_uuid(const char *name, const char *uuid)
{
	g_autofree char *first = machine_name_of_domain(name);
	GString *machine = g_string_new(first);

	cut_end(machine, MACHINE_NAME_MAX - 1 - UUID_DIGITS);
	g_string_append_printf(machine, "-%.*s", UUID_DIGITS, uuid);
	return g_string_free(machine, FALSE);
}
