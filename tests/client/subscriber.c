/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmherald/vmherald.h>

#include "output.h"

/*
 * Who listens by the library, and writes what it delivers: for tests that know what that has to be.
 *
 *     subscriber OUTPUT [--position POSITION] [--pause-at N] REGISTRATION...
 *
 * A registration is "all", or "domain=UUID", "kind=NAME", "interface=NAME", "arg0=TEXT" with commas in between. In the N-th
 * callback it sleeps until it is told by a line on standard input to go on. The lines:
 *
 *     ready                       all is registered
 *     SEQUENCE TIME PATH INTERFACE.MEMBER ARGUMENTS
 *     gap FROM TO SEQUENCE DOMAINS        the last two of the snapshot
 *     status NUMBER               VmhStatus
 *     paused
 *     position POSITION           all events before this line are in it, and no others
 *     end                         standard input was closed
 */

#define FLUSH_MS 20

static unsigned long called, pause_at;
static bool ended;
static char *last_position;

/* Not from a callback of an event, so that the position is that of the lines before it. */
static void on_timer(int timer, void *userdata)
{
	char *position = vmh_connection_get_position(userdata);

	if (output_is_empty() && last_position && strcmp(position, last_position) == 0) {
		free(position);
		return;
	}
	output_line("position %s", position);
	output_flush();
	free(last_position);
	last_position = position;
}

static void sleep_until_told(void)
{
	char line[64];

	output_line("paused");
	output_flush();
	if (!fgets(line, sizeof(line), stdin))
		ended = true;
}

static void on_event(VmhConnection *connection, VmhDomain *domain, const VmhEvent *event, void *userdata)
{
	char *arguments = vmh_value_to_json(event->arguments);

	output_event(event->sequence, event->time, event->path, event->interface, event->member, arguments);
	free(arguments);
	if (++called == pause_at)
		sleep_until_told();
}

static void on_gap(VmhConnection *connection, uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata)
{
	output_line("gap %llu %llu %llu %zu", (unsigned long long)from, (unsigned long long)to,
		    snapshot ? (unsigned long long)vmh_snapshot_get_sequence(snapshot) : 0,
		    snapshot ? vmh_snapshot_get_length(snapshot) : 0);
}

static void on_status(VmhConnection *connection, VmhStatus status, void *userdata)
{
	output_line("status %d", (int)status);
}

static void on_input(int watch, int fd, int events, void *userdata)
{
	char byte;

	if (read(fd, &byte, 1) <= 0)
		ended = true;
}

static void fail(const char *what, const VmhError *error)
{
	errx(1, "%s: %s", what, error->message);
}

static void take_value(VmhEventMatch *match, VmhConnection *connection, char *text)
{
	char *value = strchr(text, '=');
	VmhError *error = NULL;

	if (!value)
		errx(2, "%s: KEY=VALUE is wanted", text);
	*value++ = '\0';
	if (strcmp(text, "domain") == 0)
		match->domain = vmh_domain_new(connection, value, &error);
	else if (strcmp(text, "kind") == 0)
		match->kind = vmh_event_kind_from_string(value);
	else if (strcmp(text, "interface") == 0)
		match->interface = value;
	else if (strcmp(text, "arg0") == 0)
		match->arg0 = value;
	else
		errx(2, "%s: not known", text);
	if (error)
		fail(value, error);
	if (match->kind == VMH_EVENT_UNKNOWN)
		errx(2, "%s: no such kind", value);
}

static void add_registration(VmhConnection *connection, char *text)
{
	VmhEventMatch match = { .kind = VMH_EVENT_ANY };
	VmhError *error = NULL;
	char *part, *rest = NULL;

	if (strcmp(text, "all") != 0)
		for (part = strtok_r(text, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
			take_value(&match, connection, part);
	if (vmh_connection_register_match(connection, &match, on_event, NULL, NULL, &error) < 0)
		fail("register", error);
	vmh_domain_unref(match.domain);
}

int main(int argc, char **argv)
{
	VmhConnection *connection;
	VmhError *error = NULL;
	int i = 2;

	if (argc < 3)
		errx(2, "subscriber OUTPUT [--position POSITION] [--pause-at N] REGISTRATION...");
	output_open(argv[1]);
	(void)vmh_event_register_default_impl();
	connection = vmh_connection_open(NULL, 0, &error);
	if (!connection)
		fail("open", error);
	(void)vmh_event_add_timeout(FLUSH_MS, on_timer, connection, NULL);
	(void)vmh_event_add_handle(STDIN_FILENO, VMH_HANDLE_READABLE, on_input, NULL, NULL);
	vmh_connection_set_gap_callback(connection, on_gap, NULL, NULL);
	vmh_connection_set_status_callback(connection, on_status, NULL, NULL);
	for (; i < argc; i++) {
		if (strcmp(argv[i], "--position") == 0 && i + 1 < argc) {
			if (vmh_connection_set_position(connection, argv[++i], &error) < 0)
				fail(argv[i], error);
		} else if (strcmp(argv[i], "--pause-at") == 0 && i + 1 < argc) {
			pause_at = strtoul(argv[++i], NULL, 10);
		} else {
			add_registration(connection, argv[i]);
		}
	}
	output_line("ready");
	while (!ended && vmh_event_run_default_impl() == 0)
		;
	output_line("end");
	output_flush();
	vmh_connection_close(connection);
	vmh_connection_unref(connection);
	return 0;
}
