/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus/names.h"

/*
 * What an event costs whoever does nothing but the unavoidable with it: json-glib reads the line, and sd-bus sends the
 * signal. It is the limit for what the service needs, in seconds and, below callgrind, in instructions.
 *
 *     work-cost COUNT [parse | emit]
 *
 * does both COUNT times in turns, or one of them alone, and writes {"cpu": SECONDS}, those of the whole process. The lines
 * are those of storm-qemu, the signals those that the service makes of them.
 */

#define LINE_MAX_BYTES 256
#define QUEUED_MAX     64u
#define PATH           BUS_PATH "/domain/0a1b2c3d_4e5f_4a6b_8c7d_9e0f1a2b3c4d"

typedef struct Work {
	JsonParser *parser;
	sd_bus *bus;
	bool parses, emits;
} Work;

/* The parser is kept; the tree is a new one each time, and the one before is freed. */
static void parse(JsonParser *parser, int64_t number)
{
	g_autoptr(GError) error = NULL;
	char line[LINE_MAX_BYTES];
	int length = g_snprintf(line, sizeof(line),
				"{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": %d}, \"event\": \"RTC_CHANGE\", "
				"\"data\": {\"offset\": %" G_GINT64_FORMAT ", \"qom-path\": \"/rtc\"}}",
				(int)(number % 1000000), number);

	if (!json_parser_load_from_data(parser, line, length, &error))
		errx(1, "%s", error->message);
}

/* With few that wait: in the service they do not heap up either, as long as the bus is quick enough. */
static int emit(sd_bus *bus, int64_t number)
{
	uint64_t sequence = (uint64_t)number + 1, queued;
	int r = sd_bus_emit_signal(bus, PATH, BUS_INTERFACE("Guest"), "RtcChanged", "sx(ttt)a{sv}", "/rtc", number,
				   sequence, sequence - 1, (uint64_t)g_get_real_time(), 0);

	if (r >= 0)
		r = sd_bus_get_n_queued_write(bus, &queued);
	return r < 0 || queued < QUEUED_MAX ? r : sd_bus_flush(bus);
}

static int work_on(const Work *work, int64_t count)
{
	int r = 0;

	for (int64_t number = 0; r >= 0 && number < count; number++) {
		if (work->parses)
			parse(work->parser, number);
		if (work->emits)
			r = emit(work->bus, number);
	}
	return r < 0 ? r : sd_bus_flush(work->bus);
}

static double get_cpu_seconds(void)
{
	struct timespec used;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	Work work = { .parses = argc < 3 || strcmp(argv[2], "parse") == 0,
		      .emits = argc < 3 || strcmp(argv[2], "emit") == 0 };
	double before;
	int r;

	if (argc < 2 || argc > 3 || !(work.parses || work.emits))
		errx(2, "work-cost COUNT [parse | emit]");
	work.parser = json_parser_new();
	r = sd_bus_open_user(&work.bus);
	before = get_cpu_seconds();
	if (r >= 0)
		r = work_on(&work, strtoll(argv[1], NULL, 10));
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	printf("{\"cpu\": %.6f}\n", get_cpu_seconds() - before);
	sd_bus_flush_close_unref(work.bus);
	g_object_unref(work.parser);
	return 0;
}
