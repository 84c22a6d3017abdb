/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "bus/names.h"

/*
 * Who listens, with one match rule, as any program on sd-bus does: it reads each signal with its types.
 *
 *     subscriber COUNT [--rule RULE] [--latency] [--stall SECONDS]
 *
 * It writes the line "ready" when the rule is in force, and when COUNT signals have come, or none for so long, a line of
 * JSON:
 *
 *     received          signals
 *     disordered        those that had not the number behind that of the one before on the same path
 *     paths             how many
 *     first, last       of the first and the last: when it was received, in nanoseconds of CLOCK_MONOTONIC
 *     first-real, last-real    the same by CLOCK_REALTIME, in microseconds, and so comparable with an event's stamp
 *     cpu               seconds that it used in between
 *     latency           with --latency, of each signal: microseconds from its stamp until it was read
 *
 * Signals are Guest.RtcChanged if nothing is said; with a rule of another kind, arguments have no numbers. COUNT 0 is for
 * whoever is just there: it ends when it is terminated.
 */

#define RULE          "type='signal',interface='" BUS_INTERFACE("Guest") "',member='RtcChanged'"
#define STALL_SECONDS 60u

typedef struct Subscriber {
	uint64_t wanted;
	bool latency;
	uint64_t stall;             /* seconds */

	uint64_t received, disordered;
	GHashTable *next;           /* path -> the number that is due, int64_t */
	int64_t *newest;            /* that of the path before */
	char *newest_path;
	struct timespec first, first_real;
	double cpu_before;
	GArray *latencies;          /* int64_t */
} Subscriber;

static double get_cpu_seconds(void)
{
	struct timespec used;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static int64_t *find_next(Subscriber *subscriber, const char *path)
{
	if (g_strcmp0(path, subscriber->newest_path) == 0)
		return subscriber->newest;
	g_free(subscriber->newest_path);
	subscriber->newest_path = g_strdup(path);
	subscriber->newest = g_hash_table_lookup(subscriber->next, path);
	if (!subscriber->newest) {
		subscriber->newest = g_new0(int64_t, 1);
		g_hash_table_insert(subscriber->next, g_strdup(path), subscriber->newest);
		*subscriber->newest = -1;
	}
	return subscriber->newest;
}

static void note_number(Subscriber *subscriber, const char *path, int64_t number)
{
	int64_t *next = find_next(subscriber, path);

	if (*next >= 0 && *next != number)
		subscriber->disordered++;
	*next = number + 1;
}

static int read_signal(Subscriber *subscriber, sd_bus_message *message)
{
	const char *qom_path;
	int64_t offset;
	uint64_t sequence, previous, time;
	int r = sd_bus_message_read(message, "sx(ttt)", &qom_path, &offset, &sequence, &previous, &time);

	if (r >= 0)
		r = sd_bus_message_skip(message, "a{sv}");
	if (r < 0)
		return r;
	note_number(subscriber, sd_bus_message_get_path(message), offset);
	if (subscriber->latency) {
		int64_t latency = g_get_real_time() - (int64_t)time;

		g_array_append_val(subscriber->latencies, latency);
	}
	return 0;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	Subscriber *subscriber = userdata;
	int r = 0;

	if (subscriber->received++ == 0) {
		(void)clock_gettime(CLOCK_MONOTONIC, &subscriber->first);
		(void)clock_gettime(CLOCK_REALTIME, &subscriber->first_real);
		subscriber->cpu_before = get_cpu_seconds();
	}
	if (sd_bus_message_has_signature(message, "sx(ttt)a{sv}"))
		r = read_signal(subscriber, message);
	if (r < 0)
		errx(1, "a signal cannot be read: %s", g_strerror(-r));
	return 0;
}

static void print_latencies(const GArray *latencies)
{
	printf(", \"latency\": [");
	for (unsigned i = 0; i < latencies->len; i++)
		printf("%s%" G_GINT64_FORMAT, i > 0 ? ", " : "", g_array_index(latencies, int64_t, i));
	printf("]");
}

static void print(const Subscriber *subscriber)
{
	struct timespec last, last_real;

	(void)clock_gettime(CLOCK_MONOTONIC, &last);
	(void)clock_gettime(CLOCK_REALTIME, &last_real);
	printf("{\"received\": %" G_GUINT64_FORMAT ", \"disordered\": %" G_GUINT64_FORMAT ", \"paths\": %u, "
	       "\"first\": %ld%09ld, \"last\": %ld%09ld, \"first-real\": %ld%06ld, \"last-real\": %ld%06ld, \"cpu\": %.6f",
	       subscriber->received, subscriber->disordered, g_hash_table_size(subscriber->next),
	       subscriber->first.tv_sec, subscriber->first.tv_nsec, last.tv_sec, last.tv_nsec,
	       subscriber->first_real.tv_sec, subscriber->first_real.tv_nsec / 1000,
	       last_real.tv_sec, last_real.tv_nsec / 1000, get_cpu_seconds() - subscriber->cpu_before);
	if (subscriber->latency)
		print_latencies(subscriber->latencies);
	puts("}");
}

/* 0: no signal has come for too long. */
static int listen_on(sd_bus *bus, Subscriber *subscriber)
{
	int r = 1;

	while (r > 0 && (subscriber->wanted == 0 || subscriber->received < subscriber->wanted)) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, subscriber->wanted > 0 ? subscriber->stall * G_USEC_PER_SEC : UINT64_MAX);
	}
	return r;
}

int main(int argc, char **argv)
{
	Subscriber subscriber = {
		.stall = STALL_SECONDS,
		.next = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.latencies = g_array_new(FALSE, FALSE, sizeof(int64_t)),
	};
	const char *rule = RULE;
	sd_bus *bus = NULL;
	int r;

	if (argc < 2)
		errx(2, "subscriber COUNT [--rule RULE] [--latency] [--stall SECONDS]");
	subscriber.wanted = strtoull(argv[1], NULL, 10);
	for (int i = 2; i < argc; i++) {
		if (g_str_equal(argv[i], "--latency"))
			subscriber.latency = true;
		else if (g_str_equal(argv[i], "--rule") && i + 1 < argc)
			rule = argv[++i];
		else if (g_str_equal(argv[i], "--stall") && i + 1 < argc)
			subscriber.stall = strtoull(argv[++i], NULL, 10);
		else
			errx(2, "%s?", argv[i]);
	}
	r = sd_bus_open_user(&bus);
	if (r >= 0)
		r = sd_bus_add_match(bus, NULL, rule, on_signal, &subscriber);
	if (r >= 0) {
		puts("ready");
		(void)fflush(stdout);
		r = listen_on(bus, &subscriber);
	}
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	print(&subscriber);
	sd_bus_unref(bus);
	g_array_unref(subscriber.latencies);
	g_hash_table_unref(subscriber.next);
	g_free(subscriber.newest_path);
	return 0;
}
