/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "played-bus.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/names.h"

#define RULES_OF_SERVICE "sender='" BUS_NAME "'"

struct PlayedBus {
	char *folder, *config, *address;
	pid_t pid;
	GDBusConnection *observer;    /* NULL: not asked yet */
};

static const char config_format[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig>\n"
	"  <type>session</type>\n"
	"  <listen>unix:path=%s/bus</listen>\n"
	"  <auth>EXTERNAL</auth>\n"
	"  <policy context=\"default\">\n"
	"    <allow send_destination=\"*\" eavesdrop=\"true\"/>\n"
	"    <allow eavesdrop=\"true\"/>\n"
	"    <allow own=\"*\"/>\n"
	"  </policy>\n"
	"  %s\n"
	"</busconfig>\n";

static void die_with_parent(void *unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void played_bus_start(PlayedBus *bus)
{
	const char *const argv[] = { "dbus-daemon", "--nofork", "--nopidfile", "--print-address=1", "--config-file",
				     bus->config, NULL };
	g_autoptr(GError) error = NULL;
	char line[512];
	int out;

	g_assert_cmpint(bus->pid, ==, 0);
	g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL,
				 die_with_parent, NULL, &bus->pid, NULL, &out, NULL, &error);
	g_assert_no_error(error);
	/* It prints its address when it listens. */
	g_assert_cmpint(read(out, line, sizeof line), >, 0);
	close(out);
}

static void drop_observer(PlayedBus *bus)
{
	if (bus->observer)
		g_dbus_connection_close_sync(bus->observer, NULL, NULL);
	g_clear_object(&bus->observer);
}

void played_bus_kill(PlayedBus *bus)
{
	g_assert_cmpint(bus->pid, >, 0);
	drop_observer(bus);
	kill(bus->pid, SIGKILL);
	while (waitpid(bus->pid, NULL, 0) < 0)
		g_assert_cmpint(errno, ==, EINTR);
	bus->pid = 0;
}

void played_bus_stop(PlayedBus *bus)
{
	g_assert_cmpint(kill(bus->pid, SIGSTOP), ==, 0);
}

void played_bus_continue(PlayedBus *bus)
{
	g_assert_cmpint(kill(bus->pid, SIGCONT), ==, 0);
}

PlayedBus *played_bus_new(const char *limits)
{
	PlayedBus *bus = g_new0(PlayedBus, 1);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	bus->folder = g_dir_make_tmp("vmherald-client-XXXXXX", &error);
	g_assert_no_error(error);
	bus->config = g_build_filename(bus->folder, "bus.conf", NULL);
	bus->address = g_strdup_printf("unix:path=%s/bus", bus->folder);
	text = g_strdup_printf(config_format, bus->folder, limits ? limits : "");
	g_file_set_contents(bus->config, text, -1, &error);
	g_assert_no_error(error);
	played_bus_start(bus);
	return bus;
}

PlayedBus *played_bus_free(PlayedBus *bus)
{
	g_autofree char *socket = g_build_filename(bus->folder, "bus", NULL);

	if (bus->pid > 0)
		played_bus_kill(bus);
	g_unlink(socket);
	g_unlink(bus->config);
	g_assert_cmpint(g_rmdir(bus->folder), ==, 0);
	g_free(bus->folder);
	g_free(bus->config);
	g_free(bus->address);
	g_free(bus);
	return NULL;
}

const char *played_bus_get_address(const PlayedBus *bus)
{
	return bus->address;
}

GDBusConnection *played_bus_connect(PlayedBus *bus)
{
	const GDBusConnectionFlags flags = G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
					   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION;
	g_autoptr(GError) error = NULL;
	GDBusConnection *connection = g_dbus_connection_new_for_address_sync(bus->address, flags, NULL, NULL, &error);

	g_assert_no_error(error);
	return connection;
}

unsigned played_bus_count_rules(PlayedBus *bus)
{
	g_autoptr(GVariant) answer = NULL, all = NULL;
	g_autoptr(GError) error = NULL;
	unsigned count = 0;

	if (!bus->observer)
		bus->observer = played_bus_connect(bus);
	answer = g_dbus_connection_call_sync(bus->observer, "org.freedesktop.DBus", "/org/freedesktop/DBus",
					     "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules", NULL,
					     G_VARIANT_TYPE("(a{sas})"), 0, -1, NULL, &error);
	g_assert_no_error(error);
	all = g_variant_get_child_value(answer, 0);
	for (size_t i = 0; i < g_variant_n_children(all); i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(all, i);
		g_autoptr(GVariant) rules = g_variant_get_child_value(entry, 1);

		for (size_t j = 0; j < g_variant_n_children(rules); j++) {
			const char *rule;

			g_variant_get_child(rules, j, "&s", &rule);
			count += strstr(rule, RULES_OF_SERVICE) != NULL;
		}
	}
	return count;
}
