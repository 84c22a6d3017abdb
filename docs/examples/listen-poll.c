/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells what happens to all domains, one line an event, until SIGINT or SIGTERM. The event loop is the library's own, and has
 * a descriptor of the program's in it as well.
 *
 *    cc listen-poll.c $(pkg-config --cflags --libs vmherald) -o listen
 */
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <vmherald/vmherald.h>

static bool stopped;

static void on_event(VmhConnection *connection, VmhDomain *domain, const VmhEvent *event, void *userdata)
{
	const char *kind = vmh_event_kind_to_string(event->kind);

	(void)connection, (void)domain, (void)userdata;
	printf("%llu %s %s", (unsigned long long)event->sequence, event->uuid, kind ? kind : event->member);
	if (event->kind == VMH_EVENT_LIFECYCLE)
		printf(" %s %s", vmh_lifecycle_event_to_string(event->lifecycle.event),
		       vmh_lifecycle_reason_to_string(event->lifecycle.reason));
	putchar('\n');
	fflush(stdout);
}

static void on_gap(VmhConnection *connection, uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata)
{
	(void)connection, (void)userdata;
	fprintf(stderr, "events %llu to %llu are lost; now there are %zu domains\n", (unsigned long long)from,
		(unsigned long long)to, vmh_snapshot_get_length(snapshot));
}

static void on_signal(int watch, int fd, int events, void *userdata)
{
	(void)watch, (void)fd, (void)events, (void)userdata;
	stopped = true;
}

static int fail(VmhError *error)
{
	fprintf(stderr, "listen: %s\n", error->message);
	vmh_error_free(error);
	return 1;
}

int main(int argc, char **argv)
{
	const char *bus = argc > 1 ? argv[1] : "session";
	VmhError *error = NULL;
	VmhConnection *connection;
	sigset_t signals;

	vmh_event_register_default_impl();
	connection = vmh_connection_open(bus, 0, &error);
	if (!connection)
		return fail(error);
	vmh_connection_set_gap_callback(connection, on_gap, NULL, NULL);
	if (vmh_connection_register_any(connection, NULL, VMH_EVENT_ANY, on_event, NULL, NULL, &error) < 0)
		return fail(error);

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	vmh_event_add_handle(signalfd(-1, &signals, SFD_CLOEXEC), VMH_HANDLE_READABLE, on_signal, NULL, NULL);
	while (!stopped && vmh_event_run_default_impl() == 0)
		;

	vmh_connection_close(connection);
	vmh_connection_unref(connection);
	return 0;
}
