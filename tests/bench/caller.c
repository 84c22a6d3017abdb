/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus/names.h"

/*
 * Makes a call again and again, each when the one before has been answered, and writes how long each took, in microseconds.
 *
 *     caller COUNT get PATH       Properties.Get of the state of the domain with that path
 *     caller COUNT libvirt PATH   the like of libvirt-dbus
 *     caller COUNT objects        GetManagedObjects
 */

static int64_t get_nanoseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int make_get(sd_bus *bus, const char *path, sd_bus_message **ret_call)
{
	int r = sd_bus_message_new_method_call(bus, ret_call, BUS_NAME, path, BUS_PROPERTIES, "Get");

	return r < 0 ? r : sd_bus_message_append(*ret_call, "ss", BUS_INTERFACE("Domain"), "State");
}

static int make_libvirt(sd_bus *bus, const char *path, sd_bus_message **ret_call)
{
	int r = sd_bus_message_new_method_call(bus, ret_call, "org.libvirt", path, "org.libvirt.Domain", "GetState");

	return r < 0 ? r : sd_bus_message_append(*ret_call, "u", 0);
}

static int make_objects(sd_bus *bus, const char *path, sd_bus_message **ret_call)
{
	return sd_bus_message_new_method_call(bus, ret_call, BUS_NAME, BUS_PATH, BUS_OBJECT_MANAGER,
					      "GetManagedObjects");
}

typedef struct Kind {
	const char *name;
	int (*make)(sd_bus *bus, const char *path, sd_bus_message **ret_call);
	bool has_path;
} Kind;

static const Kind kinds[] = {
	{ "get", make_get, true },
	{ "libvirt", make_libvirt, true },
	{ "objects", make_objects, false },
};

static const Kind *find_kind(int argc, char **argv)
{
	for (unsigned i = 0; argc > 2 && i < G_N_ELEMENTS(kinds); i++)
		if (g_str_equal(kinds[i].name, argv[2]) && argc == (kinds[i].has_path ? 4 : 3))
			return &kinds[i];
	errx(2, "caller COUNT get PATH | COUNT libvirt PATH | COUNT objects");
}

static int time_call(sd_bus *bus, const Kind *kind, const char *path, double *ret_microseconds)
{
	sd_bus_message *call = NULL, *reply = NULL;
	int64_t began = get_nanoseconds();
	int r = kind->make(bus, path, &call);

	if (r >= 0)
		r = sd_bus_call(bus, call, 0, NULL, &reply);
	if (r >= 0)
		*ret_microseconds = (double)(get_nanoseconds() - began) / 1e3;
	sd_bus_message_unref(reply);
	sd_bus_message_unref(call);
	return r;
}

int main(int argc, char **argv)
{
	const Kind *kind = find_kind(argc, argv);
	sd_bus *bus = NULL;
	double microseconds;
	int64_t count;
	int r;

	/* Line by line: who has no answer is ended, and what it had counts. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	count = g_ascii_strtoll(argv[1], NULL, 10);
	r = sd_bus_open_user(&bus);
	for (int64_t i = 0; r >= 0 && i < count; i++) {
		r = time_call(bus, kind, argv[3], &microseconds);
		if (r >= 0)
			printf("%.3f\n", microseconds);
	}
	if (r < 0)
		errx(1, "the call: %s", g_strerror(-r));
	sd_bus_flush_close_unref(bus);
	return 0;
}
