/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "bus/names.h"

/*
 * Makes a call again and again, and says how long each took until its answer was there, in nanoseconds:
 *
 *   asker NAME PATH INTERFACE MEMBER COUNT [INTERVAL-US]
 *
 * "ready" when it is connected; it begins at once. Then {"took": [...], "objects": N, "running": M}, the last two of the last answer, if
 * that was one to GetManagedObjects(). COUNT 0: until its standard input ends, or it is ended, and nothing is said.
 */

#define TIMEOUT_US (300 * UINT64_C(1000000))

static int64_t get_nanoseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void check(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
}

static sd_bus_message *call(sd_bus *bus, char *const *target)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *message = NULL, *answer = NULL;

	check(sd_bus_message_new_method_call(bus, &message, target[0], target[1], target[2], target[3]), "a call");
	if (sd_bus_call(bus, message, TIMEOUT_US, &error, &answer) < 0)
		errx(1, "%s: %s", target[3], error.message);
	sd_bus_message_unref(message);
	return answer;
}

/* ---- what was answered ---- */

static unsigned count_running(sd_bus_message *answer)
{
	unsigned running = 0;
	const char *name, *state;

	check(sd_bus_message_enter_container(answer, 'a', "{sv}"), "properties");
	while (sd_bus_message_enter_container(answer, 'e', "sv") > 0) {
		check(sd_bus_message_read(answer, "s", &name), "a name");
		if (strcmp(name, "State") == 0) {
			check(sd_bus_message_read(answer, "v", "s", &state), "a state");
			running += strcmp(state, "running") == 0;
		} else {
			check(sd_bus_message_skip(answer, "v"), "a value");
		}
		check(sd_bus_message_exit_container(answer), "a property");
	}
	check(sd_bus_message_exit_container(answer), "properties");
	return running;
}

static unsigned count_in_object(sd_bus_message *answer)
{
	unsigned running = 0;
	const char *interface;

	check(sd_bus_message_enter_container(answer, 'a', "{sa{sv}}"), "interfaces");
	while (sd_bus_message_enter_container(answer, 'e', "sa{sv}") > 0) {
		check(sd_bus_message_read(answer, "s", &interface), "an interface");
		if (strcmp(interface, BUS_INTERFACE("Domain")) == 0)
			running += count_running(answer);
		else
			check(sd_bus_message_skip(answer, "a{sv}"), "an interface");
		check(sd_bus_message_exit_container(answer), "an interface");
	}
	check(sd_bus_message_exit_container(answer), "interfaces");
	return running;
}

static void print_objects(sd_bus_message *answer)
{
	unsigned objects = 0, running = 0;

	if (!answer || !sd_bus_message_has_signature(answer, "a{oa{sa{sv}}}"))
		return;
	check(sd_bus_message_enter_container(answer, 'a', "{oa{sa{sv}}}"), "objects");
	while (sd_bus_message_enter_container(answer, 'e', "oa{sa{sv}}") > 0) {
		objects++;
		check(sd_bus_message_skip(answer, "o"), "a path");
		running += count_in_object(answer);
		check(sd_bus_message_exit_container(answer), "an object");
	}
	printf(", \"objects\": %u, \"running\": %u", objects, running);
}

/* ---- */

static void call_without_end(sd_bus *bus, char *const *target)
{
	struct timespec no_time = { 0 };
	fd_set set;

	do {
		sd_bus_message_unref(call(bus, target));
		FD_ZERO(&set);
		FD_SET(STDIN_FILENO, &set);
	} while (pselect(STDIN_FILENO + 1, &set, NULL, NULL, &no_time, NULL) == 0);
}

static void call_often(sd_bus *bus, char *const *target, unsigned long count, long interval_us)
{
	const struct timespec pause = { interval_us / 1000000, interval_us % 1000000 * 1000 };
	sd_bus_message *answer = NULL;

	printf("{\"took\": [");
	for (unsigned long i = 0; i < count; i++) {
		int64_t before;

		if (i > 0 && interval_us > 0)
			(void)nanosleep(&pause, NULL);
		sd_bus_message_unref(answer);
		before = get_nanoseconds();
		answer = call(bus, target);
		printf("%s%lld", i > 0 ? ", " : "", (long long)(get_nanoseconds() - before));
	}
	printf("]");
	print_objects(answer);
	puts("}");
	sd_bus_message_unref(answer);
}

int main(int argc, char **argv)
{
	unsigned long count;
	sd_bus *bus = NULL;

	if (argc < 6)
		errx(2, "asker NAME PATH INTERFACE MEMBER COUNT [INTERVAL-US]");
	count = strtoul(argv[5], NULL, 10);
	check(sd_bus_open_user(&bus), "the bus");
	puts("ready");
	(void)fflush(stdout);
	if (count == 0)
		call_without_end(bus, argv + 1);
	else
		call_often(bus, argv + 1, count, argc > 6 ? strtol(argv[6], NULL, 10) : 0);
	sd_bus_flush_close_unref(bus);
	return 0;
}
