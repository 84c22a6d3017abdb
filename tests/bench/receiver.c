/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "bus/names.h"

/*
 * Notes when it received each Domain.Lifecycle, from whomever: one match rule, on sd-bus.
 *
 *     receiver
 *
 * It writes the line "ready" when the rule is in force. Then it is told on its standard input, at any time, how many signals
 * are due: when it has so many, or none has come for STALL_MS, it writes a line for each: path, event, stamp, and when it
 * was received, in nanoseconds of CLOCK_REALTIME. Those that were there before must be due too.
 */

#define RULE         "type='signal',interface='" BUS_INTERFACE("Domain") "',member='Lifecycle'"
#define STALL_MS     60000
#define NUMBER_BYTES 32

typedef struct Record {
	const char *path, *event;   /* interned */
	uint64_t time;
	int64_t received;
} Record;

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	GArray *records = userdata;
	const char *event, *reason, *state;
	uint64_t sequence, previous;
	struct timespec now;
	Record record;
	int r = sd_bus_message_read(message, "sss(ttt)", &event, &reason, &state, &sequence, &previous,
				    &record.time);

	if (r >= 0)
		r = sd_bus_message_skip(message, "a{sv}");
	if (r < 0)
		errx(1, "a signal cannot be read: %s", g_strerror(-r));
	(void)clock_gettime(CLOCK_REALTIME, &now);
	record.received = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	record.path = g_intern_string(sd_bus_message_get_path(message));
	record.event = g_intern_string(event);
	g_array_append_val(records, record);
	return 0;
}

static unsigned read_due(void)
{
	char text[NUMBER_BYTES + 1] = "";

	if (read(STDIN_FILENO, text, NUMBER_BYTES) <= 0)
		errx(1, "how many are due?");
	return (unsigned)strtoul(text, NULL, 10);
}

/* Until something may be read from the bus, or it is told how many are due. */
static int wait_for(sd_bus *bus, unsigned *due)
{
	struct pollfd polled[] = {
		{ .fd = sd_bus_get_fd(bus), .events = (short)sd_bus_get_events(bus) },
		{ .fd = *due == G_MAXUINT ? STDIN_FILENO : -1, .events = POLLIN },
	};
	int r = poll(polled, G_N_ELEMENTS(polled), *due == G_MAXUINT ? -1 : STALL_MS);

	if (r > 0 && polled[1].revents)
		*due = read_due();
	return r;
}

static int receive(sd_bus *bus, const GArray *records)
{
	unsigned due = G_MAXUINT;
	int r = 1;

	while (r > 0 && records->len < due) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = wait_for(bus, &due);
	}
	return r;
}

int main(int argc, char **argv)
{
	GArray *records = g_array_new(FALSE, FALSE, sizeof(Record));
	sd_bus *bus = NULL;
	int r = sd_bus_open_user(&bus);

	if (r >= 0)
		r = sd_bus_add_match(bus, NULL, RULE, on_signal, records);
	if (r >= 0) {
		puts("ready");
		(void)fflush(stdout);
		r = receive(bus, records);
	}
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	for (unsigned i = 0; i < records->len; i++) {
		const Record *record = &g_array_index(records, Record, i);

		printf("%s %s %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT "\n", record->path, record->event,
		       record->time, record->received);
	}
	sd_bus_unref(bus);
	g_array_unref(records);
	return 0;
}
