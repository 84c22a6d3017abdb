/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells what happens to all domains, one line an event, until SIGINT or SIGTERM, from an sd_event.
 *
 *    cc listen-sd-event.c $(pkg-config --cflags --libs vmherald libsystemd) -o listen
 */
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-event.h>
#include <vmherald/vmherald.h>

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

int main(int argc, char **argv)
{
	VmhConnection *connection;
	VmhError *error = NULL;
	sd_event *event = NULL;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	/* A signal without a handler ends the loop. */
	if (sd_event_default(&event) < 0 || sd_event_add_signal(event, NULL, SIGINT, NULL, NULL) < 0 ||
	    sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL) < 0 || vmh_event_register_sd_event(event) < 0)
		return 1;

	connection = vmh_connection_open(argc > 1 ? argv[1] : "session", 0, &error);
	if (connection)
		vmh_connection_set_gap_callback(connection, on_gap, NULL, NULL);
	if (!connection ||
	    vmh_connection_register_any(connection, NULL, VMH_EVENT_ANY, on_event, NULL, NULL, &error) < 0) {
		fprintf(stderr, "listen: %s\n", error->message);
		vmh_error_free(error);
		return 1;
	}
	sd_event_loop(event);

	vmh_connection_close(connection);
	vmh_connection_unref(connection);
	sd_event_unref(event);
	return 0;
}
