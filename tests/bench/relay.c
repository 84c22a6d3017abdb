/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "bus/names.h"

/*
 * What could be done at the least with STOP and RESUME: their lines are found, not parsed, and for each go out the two signals that
 * the service has for it. Nothing is remembered, ordered or asked.
 *
 *     relay (PATH SOCKET)...     of the monitor at SOCKET, for the object PATH
 *
 * It writes the line "ready" when all monitors are in command mode, and ends when its standard input does.
 */

#define MONITORS_MAX 64
#define READ_BYTES   65536

typedef struct Relay {
	const char *path;
	int fd;
	GString *input;
	bool ready;                 /* qmp_capabilities has been answered */
	uint64_t events;
} Relay;

static Relay relays[MONITORS_MAX];
static unsigned n_relays;

static void open_monitor(const char *path, const char *socket_path)
{
	static const char command[] = "{\"execute\": \"qmp_capabilities\"}\n";
	Relay *relay = &relays[n_relays++];
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (g_strlcpy(address.sun_path, socket_path, sizeof(address.sun_path)) >= sizeof(address.sun_path))
		errx(2, "%s: too long", socket_path);
	relay->path = path;
	relay->input = g_string_new(NULL);
	relay->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (relay->fd < 0 || connect(relay->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(relay->fd, command, sizeof(command) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(command) - 1)
		err(1, "%s", socket_path);
}

static uint64_t read_number(const char *line, const char *key)
{
	const char *found = strstr(line, key);

	if (!found)
		errx(1, "an event without %s: %s", key, line);
	return g_ascii_strtoull(found + strlen(key), NULL, 10);
}

static void emit(sd_bus *bus, Relay *relay, bool stop, uint64_t time)
{
	const char *state = stop ? "paused" : "running", *reason = stop ? "paused" : "unpaused";
	int r = sd_bus_emit_signal(bus, relay->path, BUS_PROPERTIES, "PropertiesChanged", "sa{sv}as",
				   BUS_INTERFACE("Domain"), 2, "State", "s", state, "StateReason", "s", reason, 0);

	if (r >= 0)
		r = sd_bus_emit_signal(bus, relay->path, BUS_INTERFACE("Domain"), "Lifecycle", "sss(ttt)a{sv}",
				       stop ? "suspended" : "resumed", reason, state, relay->events + 1,
				       relay->events, time, 1, "name", "s", "bare");
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	relay->events++;
}

static void read_line(sd_bus *bus, Relay *relay, const char *line)
{
	bool stop = strstr(line, "\"event\": \"STOP\"") != NULL;

	if (g_str_has_prefix(line, "{\"return\""))
		relay->ready = true;
	else if (stop || strstr(line, "\"event\": \"RESUME\""))
		emit(bus, relay, stop, read_number(line, "\"seconds\": ") * G_USEC_PER_SEC +
					       read_number(line, "\"microseconds\": "));
}

static void read_monitor(sd_bus *bus, Relay *relay)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(relay->fd, bytes, sizeof(bytes), 0);
	char *begin, *end;

	if (n <= 0)
		errx(1, "QEMU has gone");
	g_string_append_len(relay->input, bytes, n);
	for (begin = relay->input->str; (end = strchr(begin, '\n')); begin = end + 1) {
		*end = '\0';
		read_line(bus, relay, begin);
	}
	g_string_erase(relay->input, 0, begin - relay->input->str);
}

/* False at the end of standard input. */
static bool turn(sd_bus *bus)
{
	struct pollfd polled[MONITORS_MAX + 1] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	int r;

	for (unsigned i = 0; i < n_relays; i++)
		polled[i + 1] = (struct pollfd){ .fd = relays[i].fd, .events = POLLIN };
	if (poll(polled, n_relays + 1, -1) < 0)
		err(1, "poll");
	for (unsigned i = 0; i < n_relays; i++)
		if (polled[i + 1].revents)
			read_monitor(bus, &relays[i]);
	/* What the bus has not taken yet; it is waited for. */
	r = sd_bus_flush(bus);
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	return !polled[0].revents;
}

static bool is_ready(void)
{
	for (unsigned i = 0; i < n_relays; i++)
		if (!relays[i].ready)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	sd_bus *bus = NULL;
	bool told = false;
	int r;

	if (argc < 3 || argc % 2 == 0 || argc / 2 > MONITORS_MAX)
		errx(2, "relay (PATH SOCKET)...");
	r = sd_bus_open_user(&bus);
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	for (int i = 1; i < argc; i += 2)
		open_monitor(argv[i], argv[i + 1]);
	while (turn(bus)) {
		if (told || !is_ready())
			continue;
		puts("ready");
		(void)fflush(stdout);
		told = true;
	}
	sd_bus_flush_close_unref(bus);
	for (unsigned i = 0; i < n_relays; i++) {
		(void)close(relays[i].fd);
		g_string_free(relays[i].input, TRUE);
	}
	return 0;
}
