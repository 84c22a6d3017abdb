/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/object-path.h"

#include <glib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "bus/names.h"

#define UUID "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
#define TAIL "6ba7b810_9dad_11d1_80b4_00c04fd430c8"
#define PATH "/org/vmherald/Domains1/domain/_" TAIL

static void test_both_ways(void)
{
	g_autofree char *path = bus_path_from_uuid(UUID);
	char uuid[BUS_PATH_UUID_LENGTH + 1];

	g_assert_cmpstr(path, ==, PATH);
	g_assert_cmpint(sd_bus_object_path_is_valid(path), >, 0);
	g_assert_true(bus_path_to_uuid(path, uuid));
	g_assert_cmpstr(uuid, ==, UUID);
}

/* Whatever a caller writes there: no domain, and no byte written. */
static void test_hostile(void)
{
	static const char *const paths[] = {
		"", "/", BUS_PATH, BUS_DOMAIN_PATH, BUS_DOMAIN_PATH "/", BUS_DOMAIN_PATH "/_",
		PATH "_", PATH "0", PATH "/a", "/a" PATH, "x" PATH,
		BUS_DOMAIN_PATH "/" TAIL,
		BUS_DOMAIN_PATH "/__" TAIL,
		BUS_DOMAIN_PATH "/_6ba7b810_9dad_11d1_80b4_00c04fd430c",
		BUS_DOMAIN_PATH "/_6ba7b8109_dad_11d1_80b4_00c04fd430c8",
		BUS_DOMAIN_PATH "/_6ba7b8109dad11d180b400c04fd430c8",
		BUS_DOMAIN_PATH "/_6BA7B810_9DAD_11D1_80B4_00C04FD430C8",
		BUS_DOMAIN_PATH "/_6ba7b810_9dad_11d1_80b4_00c04fd430cG",
		BUS_DOMAIN_PATH "/_6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		BUS_DOMAIN_PATH "/_6ba7b810_9dad_11d1_80b4-00c04fd430c8",
		BUS_DOMAIN_PATH "/_____________________________________",
		BUS_DOMAIN_PATH "/_6ba7b810_9dad_11d1_80b4_00c04fd43\xc3\xa4",
		BUS_DOMAIN_PATH "/_6ba7b810_9dad_11d1_80b4_00c04fd430c\n",
		BUS_DOMAIN_PATH "/_ 6ba7b810_9dad_11d1_80b4_00c04fd430c",
		"/org/vmherald/domains1/domain/_" TAIL,
	};
	g_autofree char *longest = g_strnfill(1024 * 1024, '/');

	for (unsigned i = 0; i <= G_N_ELEMENTS(paths); i++) {
		char uuid[BUS_PATH_UUID_LENGTH + 1] = "untouched";

		g_assert_false(bus_path_to_uuid(i < G_N_ELEMENTS(paths) ? paths[i] : longest, uuid));
		g_assert_cmpstr(uuid, ==, "untouched");
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/service/bus-path/both-ways", test_both_ways);
	g_test_add_func("/service/bus-path/hostile", test_hostile);
	return g_test_run();
}
