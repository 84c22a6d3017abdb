/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus/names.h"
#include "bus/object-path.h"

/*
 * The limit of what a service can send: a program that does nothing but call sd_bus_emit_signal(), with the interface, the
 * member and the arguments that the service has for RTC_CHANGE.
 *
 *     bare-emitter COUNT PATHS
 *
 * emits COUNT signals for each of PATHS paths in turns, numbered for each path, and writes {"cpu": SECONDS}. So that nothing
 * grows without bound, it waits for the bus when so many of them are queued; that is rare, for the daemon reads much at once.
 */

#define QUEUED_MAX 1024u

/* Not above the threshold: the queue is written until it is empty. */
static int let_flow(sd_bus *bus)
{
	uint64_t queued;
	int r = sd_bus_get_n_queued_write(bus, &queued);

	return r < 0 || queued < QUEUED_MAX ? r : sd_bus_flush(bus);
}

static int emit(sd_bus *bus, const char *path, int64_t number, uint64_t sequence)
{
	int r = sd_bus_emit_signal(bus, path, BUS_INTERFACE("Guest"), "RtcChanged", "sx(ttt)a{sv}", "/rtc", number,
				   sequence, sequence - 1, (uint64_t)g_get_real_time(), 0);

	return r < 0 ? r : let_flow(bus);
}

static int emit_all(sd_bus *bus, char **paths, int64_t count)
{
	uint64_t sequence = 0;
	int r = 0;

	for (int64_t number = 0; r >= 0 && number < count; number++)
		for (char **path = paths; r >= 0 && *path; path++)
			r = emit(bus, *path, number, ++sequence);
	return r < 0 ? r : sd_bus_flush(bus);
}

static char **make_paths(unsigned n)
{
	char **paths = g_new0(char *, n + 1);

	for (unsigned i = 0; i < n; i++) {
		g_autofree char *uuid = g_uuid_string_random();

		paths[i] = bus_path_from_uuid(uuid);
	}
	return paths;
}

int main(int argc, char **argv)
{
	g_auto(GStrv) paths = NULL;
	struct timespec before, after;
	sd_bus *bus = NULL;
	int r;

	if (argc != 3)
		errx(2, "bare-emitter COUNT PATHS");
	paths = make_paths((unsigned)strtoul(argv[2], NULL, 10));
	r = sd_bus_open_user(&bus);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	if (r >= 0)
		r = emit_all(bus, paths, strtoll(argv[1], NULL, 10));
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	printf("{\"cpu\": %.6f}\n", (double)(after.tv_sec - before.tv_sec) +
				    (double)(after.tv_nsec - before.tv_nsec) / 1e9);
	sd_bus_flush_close_unref(bus);
	return 0;
}
