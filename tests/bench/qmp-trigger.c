/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/*
 * Makes real QEMUs emit STOP and RESUME, by monitors beside those of the service, and is the raw reader of what they emit: it
 * finds the ends of lines and the time stamp, and that is all.
 *
 *     qmp-trigger paced COUNT MICROSECONDS SOCKET...    so many events of each, so far apart
 *     qmp-trigger asking COUNT MICROSECONDS SOCKET...   the same; a STOP has been read when QEMU has said why (query-status)
 *     qmp-trigger storm SECONDS SOCKET...               as fast as they answer
 *     qmp-trigger questions COUNT SOCKET...             no events: so many questions to each, and how long it took until all
 *                                                       had been answered, connecting included, in nanoseconds
 *
 * Each event becomes a line when all is over: number of the socket, STOP or RESUME, QEMU's time stamp in microseconds, and when
 * it was read here, in nanoseconds of CLOCK_REALTIME. In the end each guest runs, as it did before.
 */

/* QEMU's queue of requests has 8 places (QMP_REQ_QUEUE_LEN_MAX). */
#define AHEAD_MAX     8u
#define SOCKETS_MAX   256u
#define READ_BYTES    65536u
#define STALL_SECONDS 60

typedef struct Record {
	bool stop;
	int64_t time, received;
} Record;

typedef struct Monitor {
	int fd;
	GString *input;
	unsigned ahead;             /* commands that have not been answered */
	bool stopped;               /* when all that it was sent has been done */
	GArray *records;            /* Record */
} Monitor;

static Monitor monitors[SOCKETS_MAX];
static unsigned n_monitors;
static bool asking;
static int64_t started;             /* connecting */

static int64_t get_time(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void send_command(Monitor *monitor, const char *command)
{
	char text[64];
	int length = g_snprintf(text, sizeof(text), "{\"execute\": \"%s\"}\n", command);

	if (send(monitor->fd, text, (size_t)length, MSG_NOSIGNAL) != length)
		err(1, "%s", command);
	monitor->ahead++;
}

static void toggle(Monitor *monitor)
{
	send_command(monitor, monitor->stopped ? "cont" : "stop");
	monitor->stopped = !monitor->stopped;
}

static void open_monitor(const char *path)
{
	Monitor *monitor = &monitors[n_monitors++];
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		errx(2, "%s: too long", path);
	strcpy(address.sun_path, path);
	monitor->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (monitor->fd < 0 || connect(monitor->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", path);
	monitor->input = g_string_new(NULL);
	monitor->records = g_array_new(FALSE, FALSE, sizeof(Record));
	send_command(monitor, "qmp_capabilities");
}

/* ---- reading ---- */

static int64_t read_number(const char *line, const char *key)
{
	const char *found = strstr(line, key);

	if (!found)
		errx(1, "an event without %s: %s", key, line);
	return g_ascii_strtoll(found + strlen(key), NULL, 10);
}

static void read_line(Monitor *monitor, const char *line, int64_t received)
{
	Record record = { .stop = strstr(line, "\"event\": \"STOP\"") != NULL, .received = received };

	if (g_str_has_prefix(line, "{\"return\"")) {
		monitor->ahead--;
		if (asking && strstr(line, "\"status\": "))
			g_array_index(monitor->records, Record, monitor->records->len - 1).received = received;
	} else if (g_str_has_prefix(line, "{\"error\"")) {
		errx(1, "%s", line);
	} else if (record.stop || strstr(line, "\"event\": \"RESUME\"")) {
		record.time = read_number(line, "\"seconds\": ") * 1000000 +
			      read_number(line, "\"microseconds\": ");
		g_array_append_val(monitor->records, record);
		if (asking && record.stop)
			send_command(monitor, "query-status");
	}
}

static void read_monitor(Monitor *monitor)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(monitor->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	int64_t received = get_time(CLOCK_REALTIME);
	char *begin, *end;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		errx(1, "QEMU has gone");
	g_string_append_len(monitor->input, bytes, n);
	for (begin = monitor->input->str; (end = strchr(begin, '\n')); begin = end + 1) {
		*end = '\0';
		read_line(monitor, begin, received);
	}
	g_string_erase(monitor->input, 0, begin - monitor->input->str);
}

/* Until the time has come, in nanoseconds of CLOCK_MONOTONIC, or something has been read. */
static void read_all(int64_t until)
{
	struct pollfd polled[SOCKETS_MAX];
	int64_t left = MAX(until - get_time(CLOCK_MONOTONIC), 0);
	struct timespec timeout = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };

	for (unsigned i = 0; i < n_monitors; i++)
		polled[i] = (struct pollfd){ .fd = monitors[i].fd, .events = POLLIN };
	if (ppoll(polled, n_monitors, &timeout, NULL) <= 0)
		return;
	for (unsigned i = 0; i < n_monitors; i++)
		if (polled[i].revents)
			read_monitor(&monitors[i]);
}

static unsigned get_ahead(void)
{
	unsigned ahead = 0;

	for (unsigned i = 0; i < n_monitors; i++)
		ahead += monitors[i].ahead;
	return ahead;
}

static void wait_answers(void)
{
	int64_t end = get_time(CLOCK_MONOTONIC) + STALL_SECONDS * INT64_C(1000000000);

	while (get_ahead() > 0) {
		if (get_time(CLOCK_MONOTONIC) > end)
			errx(1, "no answer for %d seconds", STALL_SECONDS);
		read_all(end);
	}
}

/* ---- what is done ---- */

static void pace(int64_t count, int64_t interval)
{
	int64_t due = get_time(CLOCK_MONOTONIC);

	for (int64_t n = 0; n < count; n++) {
		for (unsigned i = 0; i < n_monitors; i++)
			toggle(&monitors[i]);
		due += interval;
		while (get_time(CLOCK_MONOTONIC) < due)
			read_all(due);
	}
}

static void storm(int64_t duration)
{
	int64_t end = get_time(CLOCK_MONOTONIC) + duration;

	while (get_time(CLOCK_MONOTONIC) < end) {
		for (unsigned i = 0; i < n_monitors; i++)
			while (monitors[i].ahead < AHEAD_MAX)
				toggle(&monitors[i]);
		read_all(end);
	}
}

/* As many as it takes at once. */
static void send_questions(Monitor *monitor, unsigned count)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0; i < count; i++)
		g_string_append(text, "{\"execute\": \"query-status\"}\n");
	if (send(monitor->fd, text->str, text->len, MSG_NOSIGNAL) != (ssize_t)text->len)
		err(1, "query-status");
	monitor->ahead += count;
}

static void ask(unsigned count)
{
	unsigned asked[SOCKETS_MAX] = { 0 }, left = count * n_monitors;
	int64_t end = get_time(CLOCK_MONOTONIC) + STALL_SECONDS * INT64_C(1000000000);

	while (left > 0) {
		for (unsigned i = 0; i < n_monitors; i++) {
			unsigned n = MIN(count - asked[i], AHEAD_MAX);

			if (monitors[i].ahead > 0 || n == 0)
				continue;
			send_questions(&monitors[i], n);
			asked[i] += n;
			left -= n;
		}
		read_all(end);
	}
	wait_answers();
}

/* When the guests run again. */
static void print_events(void)
{
	for (unsigned i = 0; i < n_monitors; i++)
		if (monitors[i].stopped)
			toggle(&monitors[i]);
	wait_answers();
	for (unsigned i = 0; i < n_monitors; i++) {
		GArray *records = monitors[i].records;

		for (unsigned n = 0; n < records->len; n++) {
			const Record *record = &g_array_index(records, Record, n);

			printf("%u %s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", i,
			       record->stop ? "STOP" : "RESUME", record->time, record->received);
		}
	}
}

static void run_paced(char **arguments)
{
	pace(g_ascii_strtoll(arguments[0], NULL, 10), g_ascii_strtoll(arguments[1], NULL, 10) * 1000);
	print_events();
}

static void run_asking(char **arguments)
{
	asking = true;
	run_paced(arguments);
}

static void run_storm(char **arguments)
{
	storm((int64_t)(g_ascii_strtod(arguments[0], NULL) * 1e9));
	print_events();
}

static void run_questions(char **arguments)
{
	ask((unsigned)g_ascii_strtoull(arguments[0], NULL, 10));
	printf("%" G_GINT64_FORMAT "\n", get_time(CLOCK_MONOTONIC) - started);
}

static const struct {
	const char *name;
	int arguments;                  /* before the sockets */
	void (*run)(char **arguments);
} ways[] = {
	{ "paced", 2, run_paced },
	{ "asking", 2, run_asking },
	{ "storm", 1, run_storm },
	{ "questions", 1, run_questions },
};

int main(int argc, char **argv)
{
	size_t way = 0;
	int first;

	while (argc > 1 && way < G_N_ELEMENTS(ways) && !g_str_equal(argv[1], ways[way].name))
		way++;
	first = 2 + (argc > 1 && way < G_N_ELEMENTS(ways) ? ways[way].arguments : argc);
	if (argc <= first || argc - first > (int)SOCKETS_MAX)
		errx(2, "qmp-trigger paced|asking COUNT MICROSECONDS SOCKET... | storm SECONDS SOCKET... | "
			"questions COUNT SOCKET...");
	started = get_time(CLOCK_MONOTONIC);
	for (int i = first; i < argc; i++)
		open_monitor(argv[i]);
	wait_answers();
	ways[way].run(argv + 2);
	for (unsigned i = 0; i < n_monitors; i++) {
		(void)close(monitors[i].fd);
		g_string_free(monitors[i].input, TRUE);
		g_array_unref(monitors[i].records);
	}
	return 0;
}
