/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk-fixture.h"

#include "driver-internal.h"

static QemuUser user = { .name = "root" };
static QemuLauncher launcher = { .user = &user };

void disk_fixture_set_up(DomainFixture *fixture, const void *data)
{
	Configuration *configuration;

	launcher.path = g_getenv("VMHERALD_LAUNCHER");
	fixture->launcher = &launcher;
	fixture_set_up(fixture, data);
	configuration = configuration_copy(driver_get_configuration(fixture->driver));
	g_strfreev(configuration->image_directories);
	configuration->image_directories = g_strdupv((char *[]){ (char *)fixture->folder, NULL });
	driver_change_configuration(fixture->driver, configuration);
}

char *disk_fixture_make_blockdev(const char *path)
{
	return g_strdup_printf("{\"driver\":\"raw\",\"node-name\":\"node1\",\"file\":{\"driver\":\"file\",\"filename\":\"%s\"}}",
			       path);
}
