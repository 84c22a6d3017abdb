/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <vmherald/connection.h>

/*
 * Calls that wait for their answers.
 *
 * A thread that waits for one reads the bus itself (it has the buck), unless another does; then it sleeps until its own answer has
 * been read by that one, or the buck is passed to it. As in libvirt's RPC client, and so without a thread of the library's.
 */

/* error: NULL, or answer is. Both are borrowed. */
typedef void (*PendingHandler)(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata);

typedef struct Pending Pending;

typedef struct Pendings {
	GQueue all;                 /* Pending, those without an answer */
	GQueue sleepers;            /* Pending, whose threads sleep; the first gets the buck */
	Pending *pumper;            /* whose thread has the buck; NULL: nobody's */
	bool polling;               /* that waits for the bus, and has not been woken */
	int wake_fd;                /* wakes it */
} Pendings;

/* False: errno. */
bool pendings_open(VmhConnection *connection);
/* All end with VMH_ERROR_DISCONNECTED. */
void pendings_abort(VmhConnection *connection, const char *message);
void pendings_clear(VmhConnection *connection);

/* Who has the buck looks again at what is to be waited for. */
void pendings_wake(VmhConnection *connection);

/* Sends message. timeout: microseconds, UINT64_MAX: none. handler (NULL: it is waited for) is called when the answer is read, with the lock;
 * then the Pending is gone. Free with pending_free(), which is to cancel it, if handler has not been called. NULL and *error. */
Pending *pending_new(VmhConnection *connection, sd_bus_message *message, uint64_t timeout, PendingHandler handler, void *userdata,
		     VmhError **error);
/* NULL-safe. */
Pending *pending_free(Pending *pending);

/* Leaves the lock while it waits. The arguments of the answer, a new reference; NULL and *error. */
GVariant *pending_wait(Pending *pending, VmhError **error);
/* After that: the first descriptor of the answer, now the caller's, or -1. */
int pending_steal_fd(Pending *pending);
/* And the highest sequence of an event that came before the answer. */
uint64_t pending_get_newest(const Pending *pending);
