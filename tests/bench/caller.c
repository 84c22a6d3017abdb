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
 *     caller COUNT get PATH    Properties.Get of the state of the domain with that path
 *     caller COUNT objects     GetManagedObjects
 */

static int64_t get_nanoseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int make_call(sd_bus *bus, const char *path, sd_bus_message **ret_call)
{
	int r;

	if (!path)
		return sd_bus_message_new_method_call(bus, ret_call, BUS_NAME, BUS_PATH,
						      BUS_OBJECT_MANAGER,
						      "GetManagedObjects");
	r = sd_bus_message_new_method_call(bus, ret_call, BUS_NAME, path, BUS_PROPERTIES,
					   "Get");
	return r < 0 ? r : sd_bus_message_append(*ret_call, "ss", BUS_INTERFACE("Domain"), "State");
}

static int time_call(sd_bus *bus, const char *path, double *ret_microseconds)
{
	sd_bus_message *call = NULL, *reply = NULL;
	int64_t began = get_nanoseconds();
	int r = make_call(bus, path, &call);

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
	bool get = argc == 4 && g_str_equal(argv[2], "get");
	sd_bus *bus = NULL;
	double microseconds;
	int64_t count;
	int r;

	if (!get && (argc != 3 || !g_str_equal(argv[2], "objects")))
		errx(2, "caller COUNT get PATH | COUNT objects");
	count = g_ascii_strtoll(argv[1], NULL, 10);
	r = sd_bus_open_user(&bus);
	for (int64_t i = 0; r >= 0 && i < count; i++) {
		r = time_call(bus, get ? argv[3] : NULL, &microseconds);
		if (r >= 0)
			printf("%.3f\n", microseconds);
	}
	if (r < 0)
		errx(1, "the call: %s", g_strerror(-r));
	sd_bus_flush_close_unref(bus);
	return 0;
}
