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

static void print(void)
{
	for (unsigned i = 0; i < n_monitors; i++) {
		GArray *records = monitors[i].records;

		for (unsigned n = 0; n < records->len; n++) {
			const Record *record = &g_array_index(records, Record, n);

			printf("%u %s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", i,
			       record->stop ? "STOP" : "RESUME", record->time, record->received);
		}
	}
}

int main(int argc, char **argv)
{
	bool paced = argc > 1 && (g_str_equal(argv[1], "paced") || g_str_equal(argv[1], "asking"));
	int first = paced ? 4 : 3;

	asking = paced && g_str_equal(argv[1], "asking");
	if (argc <= first || argc - first > (int)SOCKETS_MAX || (!paced && !g_str_equal(argv[1], "storm")))
		errx(2, "qmp-trigger paced|asking COUNT MICROSECONDS SOCKET... | storm SECONDS SOCKET...");
	for (int i = first; i < argc; i++)
		open_monitor(argv[i]);
	wait_answers();
	if (paced)
		pace(g_ascii_strtoll(argv[2], NULL, 10), g_ascii_strtoll(argv[3], NULL, 10) * 1000);
	else
		storm((int64_t)(g_ascii_strtod(argv[2], NULL) * 1e9));
	for (unsigned i = 0; i < n_monitors; i++)
		if (monitors[i].stopped)
			toggle(&monitors[i]);
	wait_answers();
	print();
	for (unsigned i = 0; i < n_monitors; i++) {
		(void)close(monitors[i].fd);
		g_string_free(monitors[i].input, TRUE);
		g_array_unref(monitors[i].records);
	}
	return 0;
}
