/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus/names.h"
#include "bus/object-path.h"

/*
 * The sending end of a bare hop over the bus: what the service emits for STOP and RESUME, from a program that does nothing
 * else, and with the time at which it began to emit it in the stamp.
 *
 *     bus-hop COUNT MICROSECONDS    so many signals, so far apart
 */

#define UUID "00000000-0000-0000-0000-000000000000"

static int64_t get_microseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void wait_until(const struct timespec *due)
{
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL) == EINTR)
		;
}

static int emit_all(sd_bus *bus, const char *path, uint64_t count, long interval)
{
	struct timespec due;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &due);
	for (uint64_t n = 1; r >= 0 && n <= count; n++) {
		bool stop = n % 2 == 1;

		due.tv_nsec += interval;
		due.tv_sec += due.tv_nsec / 1000000000;
		due.tv_nsec %= 1000000000;
		wait_until(&due);
		r = sd_bus_emit_signal(bus, path, BUS_INTERFACE("Domain"), "Lifecycle", "sss(ttt)a{sv}",
				       stop ? "suspended" : "resumed", stop ? "paused" : "unpaused",
				       stop ? "paused" : "running", n, n - 1, (uint64_t)get_microseconds(), 0);
		if (r >= 0)
			r = sd_bus_flush(bus);
	}
	return r;
}

int main(int argc, char **argv)
{
	g_autofree char *path = bus_path_from_uuid(UUID);
	sd_bus *bus = NULL;
	int r;

	if (argc != 3)
		errx(2, "bus-hop COUNT MICROSECONDS");
	r = sd_bus_open_user(&bus);
	if (r >= 0)
		r = emit_all(bus, path, g_ascii_strtoull(argv[1], NULL, 10),
			     (long)g_ascii_strtoll(argv[2], NULL, 10) * 1000);
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	sd_bus_flush_close_unref(bus);
	return 0;
}
