/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "receipts.h"

/*
 * Notes when it received each event about the life of a domain, as a client of libvirt: by its own event loop, as its own
 * examples do it. receipts.h says what it is told, and what it writes; where is the name of the domain.
 *
 *     libvirt-subscriber URI
 */

/* So often it looks whether the time is over. */
#define LOOK_MS 50

static int on_event(virConnectPtr connection, virDomainPtr domain, int type, int detail, void *userdata)
{
	g_autofree char *event = g_strdup_printf("%d", type);

	receipts_add(userdata, virDomainGetName(domain), event, 0);
	return 0;
}

static void on_input(int watch, int fd, int events, void *userdata)
{
	receipts_read_due(userdata);
	(void)virEventRemoveHandle(watch);
}

static void on_time(int timer, void *userdata)
{
}

static void check(bool good, const char *what)
{
	const char *error;

	if (good)
		return;
	error = virGetLastErrorMessage();
	errx(1, "%s: %s", what, error);
}

int main(int argc, char **argv)
{
	Receipts receipts;
	virConnectPtr connection;

	if (argc != 2)
		errx(2, "libvirt-subscriber URI");
	receipts_init(&receipts);
	check(virEventRegisterDefaultImpl() == 0, "the event loop");
	connection = virConnectOpen(argv[1]);
	check(connection != NULL, argv[1]);
	check(virConnectDomainEventRegisterAny(connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
					       VIR_DOMAIN_EVENT_CALLBACK(on_event), &receipts, NULL) >= 0,
	      "listening");
	check(virEventAddHandle(STDIN_FILENO, VIR_EVENT_HANDLE_READABLE, on_input, &receipts, NULL) >= 0,
	      "standard input");
	check(virEventAddTimeout(LOOK_MS, on_time, NULL, NULL) >= 0, "the clock");
	receipts_print_ready();
	while (!receipts_are_complete(&receipts))
		check(virEventRunDefaultImpl() == 0, "the event loop");
	receipts_print(&receipts);
	receipts_clear(&receipts);
	/* The connection goes with the program: closing it would wait for a libvirtd that is far behind. */
	return 0;
}
