/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <poll.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "bus/names.h"
#include "receipts.h"

/*
 * Notes when it received each signal about the life of a domain, from whomever: one match rule, on sd-bus. receipts.h says what
 * it is told, and what it writes.
 *
 *     receiver                 Domain.Lifecycle
 *     receiver libvirt-dbus    what libvirt-dbus has for it
 */

static int on_lifecycle(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *event, *reason, *state;
	uint64_t sequence, previous, time;
	int r = sd_bus_message_read(message, "sss(ttt)", &event, &reason, &state, &sequence, &previous,
				    &time);

	if (r >= 0)
		r = sd_bus_message_skip(message, "a{sv}");
	if (r < 0)
		errx(1, "a signal cannot be read: %s", g_strerror(-r));
	receipts_add(userdata, sd_bus_message_get_path(message), event, time);
	return 0;
}

/* The number of the event is that of libvirt, virDomainEventType. */
static int on_domain_event(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	g_autofree char *event = NULL;
	const char *path;
	int32_t type, detail;
	int r = sd_bus_message_read(message, "oii", &path, &type, &detail);

	if (r < 0)
		errx(1, "a signal cannot be read: %s", g_strerror(-r));
	event = g_strdup_printf("%d", type);
	receipts_add(userdata, path, event, 0);
	return 0;
}

static const struct {
	const char *name, *rule;
	sd_bus_message_handler_t on_signal;
} speakers[] = {
	{ "vmherald", "type='signal',interface='" BUS_INTERFACE("Domain") "',member='Lifecycle'", on_lifecycle },
	{ "libvirt-dbus", "type='signal',interface='org.libvirt.Connect',member='DomainEvent'", on_domain_event },
};

/* Until something may be read from the bus, or it is told what is due, or the time is over. */
static int wait_for(sd_bus *bus, Receipts *receipts)
{
	struct pollfd polled[] = {
		{ .fd = sd_bus_get_fd(bus), .events = (short)sd_bus_get_events(bus) },
		{ .fd = receipts_are_told(receipts) ? -1 : STDIN_FILENO, .events = POLLIN },
	};
	int r = poll(polled, G_N_ELEMENTS(polled), receipts_get_timeout(receipts));

	if (r > 0 && polled[1].revents)
		receipts_read_due(receipts);
	return r;
}

static int receive(sd_bus *bus, Receipts *receipts)
{
	int r = 0;

	while (r >= 0 && !receipts_are_complete(receipts)) {
		r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = wait_for(bus, receipts);
	}
	return r;
}

static unsigned find_speaker(const char *name)
{
	unsigned i = 0;

	while (i < G_N_ELEMENTS(speakers) && !g_str_equal(speakers[i].name, name))
		i++;
	if (i == G_N_ELEMENTS(speakers))
		errx(2, "receiver [libvirt-dbus]");
	return i;
}

int main(int argc, char **argv)
{
	unsigned speaker = find_speaker(argc > 1 ? argv[1] : "vmherald");
	Receipts receipts;
	sd_bus *bus = NULL;
	int r = sd_bus_open_user(&bus);

	receipts_init(&receipts);
	if (r >= 0)
		r = sd_bus_add_match(bus, NULL, speakers[speaker].rule, speakers[speaker].on_signal, &receipts);
	if (r >= 0) {
		receipts_print_ready();
		r = receive(bus, &receipts);
	}
	if (r < 0)
		errx(1, "the bus: %s", g_strerror(-r));
	receipts_print(&receipts);
	sd_bus_unref(bus);
	receipts_clear(&receipts);
	return 0;
}
