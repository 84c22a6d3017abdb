/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus/names.h"

/*
 * The limit of what a service can send: a program that does nothing but call sd_bus_emit_signal(), with the interface, the
 * member and the arguments that the service has for RTC_CHANGE.
 *
 *     bare-emitter COUNT PATH...
 *
 * emits COUNT signals of each object, numbered for each, and writes {"cpu": SECONDS}. The objects take turns, with so many
 * signals as a monitor brings at a time. So that nothing grows without bound, it waits for the bus when some are queued.
 */

#define BURST      256
#define QUEUED_MAX 128u

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

static int emit_burst(sd_bus *bus, const char *path, int64_t first, int64_t end, uint64_t *sequence)
{
	int r = 0;

	for (int64_t number = first; r >= 0 && number < end; number++)
		r = emit(bus, path, number, ++*sequence);
	return r;
}

static int emit_all(sd_bus *bus, char **paths, int64_t count)
{
	uint64_t sequence = 0;
	int r = 0;

	for (int64_t number = 0; r >= 0 && number < count; number += BURST)
		for (char **path = paths; r >= 0 && *path; path++)
			r = emit_burst(bus, *path, number, MIN(number + BURST, count), &sequence);
	return r < 0 ? r : sd_bus_flush(bus);
}

int main(int argc, char **argv)
{
	struct timespec before, after;
	sd_bus *bus = NULL;
	int r;

	if (argc < 3)
		errx(2, "bare-emitter COUNT PATH...");
	r = sd_bus_open_user(&bus);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	if (r >= 0)
		r = emit_all(bus, argv + 2, strtoll(argv[1], NULL, 10));
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	printf("{\"cpu\": %.6f}\n", (double)(after.tv_sec - before.tv_sec) +
				    (double)(after.tv_nsec - before.tv_nsec) / 1e9);
	sd_bus_flush_close_unref(bus);
	return 0;
}
