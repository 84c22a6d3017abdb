/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/sandbox.h"

#include <glib.h>
#include <string.h>

#include "base/error.h"

static const struct {
	const char *keys;            /* of the definition, behind its name */
	const char *refused;         /* the message until " (RequireSandbox="; NULL: it is good */
} rows[] = {
	{ "", NULL },
	{ ", \"sandbox\": true", NULL },
	{ ", \"sandbox\": \"" QEMU_SANDBOX_SAFE "\"", NULL },
	{ ", \"sandbox\": \"on,spawn=deny,resourcecontrol=deny,obsolete=deny,elevateprivileges=deny\"", NULL },
	{ ", \"arguments\": [\"-msg\", \"timestamp=on\"]", NULL },
	{ ", \"sandbox\": false", "sandbox: 'off' is not allowed" },
	{ ", \"sandbox\": \"on\"", "sandbox: 'on' is not allowed" },
	{ ", \"sandbox\": \"on,obsolete=deny,elevateprivileges=deny,spawn=allow,resourcecontrol=deny\"",
	  "sandbox: 'on,obsolete=deny,elevateprivileges=deny,spawn=allow,resourcecontrol=deny' is not allowed" },
	{ ", \"sandbox\": \"on,obsolete=deny,elevateprivileges=children,spawn=deny,resourcecontrol=deny\"",
	  "sandbox: 'on,obsolete=deny,elevateprivileges=children,spawn=deny,resourcecontrol=deny' is not allowed" },
	{ ", \"sandbox\": \"" QEMU_SANDBOX_SAFE ",spawn=allow\"", "sandbox: '" QEMU_SANDBOX_SAFE ",spawn=allow' is not allowed" },
	{ ", \"arguments\": [\"-sandbox\", \"off\"]", "arguments: -sandbox is not allowed" },
	{ ", \"arguments\": [\"--sandbox\", \"off\"]", "arguments: -sandbox is not allowed" },
	{ ", \"arguments\": [\"-readconfig\", \"/tmp/a\"]", "arguments: -readconfig is not allowed" },
	{ ", \"arguments\": [\"-runas\", \"root\"]", "arguments: -runas is not allowed" },
};

static Definition *parse(const char *keys)
{
	g_autofree char *json = g_strdup_printf("{\"name\": \"a\"%s}", keys);
	g_autoptr(GError) error = NULL;
	Definition *definition = definition_parse(json, strlen(json), &error);

	g_assert_no_error(error);
	return definition;
}

static void test_rows(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Definition) definition = parse(rows[i].keys);
		g_autoptr(GError) error = NULL;
		bool allowed = qemu_sandbox_check(definition, true, &error);

		g_test_message("%s", rows[i].keys);
		g_assert_true(allowed == !rows[i].refused);
		if (allowed)
			continue;
		g_assert_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED);
		g_assert_true(g_str_has_prefix(error->message, rows[i].refused));
		g_assert_true(g_str_has_suffix(error->message,
					       "(RequireSandbox= in the section [QEMU] of vmherald.conf)"));
	}
}

static void test_emulator_without(void)
{
	g_autoptr(Definition) definition = parse(", \"emulator\": \"/opt/qemu\"");
	g_autoptr(GError) error = NULL;

	g_assert_false(qemu_sandbox_check(definition, false, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED);
	g_assert_true(g_str_has_prefix(error->message, "emulator: '/opt/qemu' has no sandbox built in"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qemu/sandbox/rows", test_rows);
	g_test_add_func("/qemu/sandbox/emulator-without", test_emulator_without);
	return g_test_run();
}
