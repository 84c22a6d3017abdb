/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "unit-name.h"

#define UUID "12345678-9abc-4def-8123-456789abcdef"
#define SIXTY_FOUR "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789ab"

static void test_units(void)
{
	static const struct {
		const char *name, *unit, *process;
	} rows[] = {
		{ "web1", "vmherald-web1.scope", "vmherald-web1:4711.scope" },
		{ "web-1.example_org", "vmherald-web-1.example_org.scope",
		  "vmherald-web-1.example_org:4711.scope" },
		{ "a+b", "vmherald-a\\x2bb.scope", "vmherald-a\\x2bb:4711.scope" },
		{ "a.scope", "vmherald-a.scope.scope", "vmherald-a.scope:4711.scope" },
		/* What no definition may have, and must not do harm. */
		{ "../x y@\xc3\xa4", "vmherald-..\\x2fx\\x20y\\x40\\xc3\\xa4.scope",
		  "vmherald-..\\x2fx\\x20y\\x40\\xc3\\xa4:4711.scope" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *unit = unit_name_of_domain(rows[i].name);
		g_autofree char *process = unit_name_of_process(rows[i].name, 4711);

		g_assert_cmpstr(unit, ==, rows[i].unit);
		g_assert_cmpstr(process, ==, rows[i].process);
	}
}

static void test_machines(void)
{
	static const struct {
		const char *name, *machine, *other;
	} rows[] = {
		{ "web1", "web1", "web1-12345678" },
		{ "Web-1.example.org", "Web-1.example.org", "Web-1.example.org-12345678" },
		{ "web_1+2", "web-1-2", "web-1-2-12345678" },
		{ "a..b", "a.b", "a.b-12345678" },
		{ "a-.-b", "a.b", "a.b-12345678" },
		{ "a.", "a", "a-12345678" },
		{ "a-_+", "a", "a-12345678" },
		{ "_", "vm", "vm-12345678" },
		{ "_a", "a", "a-12345678" },
		{ SIXTY_FOUR, SIXTY_FOUR,
		  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz012-12345678" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *machine = machine_name_of_domain(rows[i].name);
		g_autofree char *other = machine_name_of_uuid(rows[i].name, UUID);

		g_assert_cmpstr(machine, ==, rows[i].machine);
		g_assert_cmpstr(other, ==, rows[i].other);
		g_assert_cmpuint(strlen(other), <=, 64);
	}
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/service/unit-name/units", test_units);
	g_test_add_func("/service/unit-name/machines", test_machines);
	return g_test_run();
}
