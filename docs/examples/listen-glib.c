/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells what happens to all domains, one line an event, until SIGINT or SIGTERM, from a GMainLoop: so in any GTK program.
 *
 *    cc listen-glib.c $(pkg-config --cflags --libs vmherald-glib) -o listen
 */
#include <glib-unix.h>
#include <vmherald/glib.h>

static void on_event(VmhConnection *connection, VmhDomain *domain, const VmhEvent *event, void *userdata)
{
	const char *kind = vmh_event_kind_to_string(event->kind);

	g_print("%" G_GUINT64_FORMAT " %s %s", event->sequence, event->uuid, kind ? kind : event->member);
	if (event->kind == VMH_EVENT_LIFECYCLE)
		g_print(" %s %s", vmh_lifecycle_event_to_string(event->lifecycle.event),
			vmh_lifecycle_reason_to_string(event->lifecycle.reason));
	g_print("\n");
}

static void on_gap(VmhConnection *connection, uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata)
{
	g_printerr("events %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " are lost; now there are %zu domains\n", from, to,
		   vmh_snapshot_get_length(snapshot));
}

static gboolean on_signal(void *loop)
{
	g_main_loop_quit(loop);
	return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	g_autoptr(VmhConnection) connection = NULL;
	g_autoptr(VmhError) error = NULL;

	vmh_event_register_glib(NULL);
	connection = vmh_connection_open(argc > 1 ? argv[1] : "session", 0, &error);
	if (connection)
		vmh_connection_set_gap_callback(connection, on_gap, NULL, NULL);
	if (!connection ||
	    vmh_connection_register_any(connection, NULL, VMH_EVENT_ANY, on_event, NULL, NULL, &error) < 0) {
		g_printerr("listen: %s\n", error->message);
		return 1;
	}

	g_unix_signal_add(SIGINT, on_signal, loop);
	g_unix_signal_add(SIGTERM, on_signal, loop);
	g_main_loop_run(loop);
	return 0;
}
