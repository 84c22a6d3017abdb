/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <vmherald/connection.h>

#include "client/pending.h"

/*
 * A call that waits for its answer.
 *
 * Nobody but who has the connection's lock touches sd-bus, whose counts are not atomic; so arguments and answer are GVariants.
 *
 * Whoever waits for an answer can also wait for polkit to ask the user: calls allow interactive authorization, unless the
 * connection has VMH_CONNECTION_NO_ASK_PASSWORD. With
 * VMH_CONNECTION_NO_AUTO_START every call is as one with no_start.
 */

typedef struct Call {
	const char *path;            /* NULL: the manager's */
	const char *interface;       /* the full name */
	const char *member;
	GVariant *arguments;         /* a tuple; NULL: none. A floating one is taken */
	const int *fds;              /* what the handles (h) in arguments stand for; borrowed, duplicated by sd-bus */
	bool no_start;               /* do not start the service: VMH_ERROR_UNREACHABLE */
	uint64_t timeout;            /* microseconds; 0: the connection's */
	int *ret_fd;                 /* the first descriptor of the answer, the caller's to close; NULL: not wanted */
} Call;

/* Sends it, and does not wait for its answer. With the lock, which it leaves if it has to get the bus back first. NULL and *error. */
Pending *call_send(VmhConnection *connection, const Call *call, VmhError **error);

/* The arguments of the answer, a tuple; NULL and *error. Any thread that does not have the lock. */
GVariant *call_run(VmhConnection *connection, const Call *call, VmhError **error);
