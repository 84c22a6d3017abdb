/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <vmherald/connection.h>

#include "client/attachment.h"
#include "client/bus-link.h"
#include "client/callbacks.h"
#include "client/delivery.h"
#include "client/pending.h"
#include "client/recovery.h"
#include "client/rules.h"
#include "client/stream.h"
#include "loop/loop.h"

/*
 * A connection, for its parts.
 *
 * There is one lock, and no thread of the connection's own. What happens, happens on whoever comes by:
 *
 *    loop's thread     reads the bus when there is something to read (attachment.c), delivers (delivery.c)
 *    any thread        calls; while it waits for the answer, it reads the bus itself, or whoever does already wakes it (pending.c)
 *
 * Whoever reads the bus pushes events into the stream and goes on; that there is something to deliver is told to the loop by
 * a descriptor. So a callback is called by the loop alone.
 *
 *    bus-link     the sd_bus: connected, lost, connected again; match rules; who is the service
 *    pending      calls that wait for their answers
 *    recovery     asks the service what the stream wants to know
 *    callbacks    what is registered
 *    delivery     from the stream to the callbacks
 *    attachment   what the connection has on the loop
 *
 * Functions of these files want the lock held, unless they say otherwise.
 */

struct VmhConnection {
	/* Constant */
	char *bus_name;             /* "session", "system" or an address */
	unsigned flags;
	pid_t pid;                  /* sd-bus does not go over a fork */
	Loop *loop;                 /* NULL: there is none */

	int refs;                   /* atomic */

	/* Loop's thread */
	Attachment attachment;

	/* WARNING: sd-bus and its messages count their references without atomics, also of messages that nobody else has. They are
	 * touched with the lock alone. It is one of pthread's, and not GLib's, so that a sanitizer for threads can see it. */
	pthread_mutex_t lock;
	/* One registration at a time, outside the lock: it waits for answers between its steps. */
	pthread_mutex_t registering;
	bool closed;
	uint64_t call_timeout;      /* 0: none */
	BusLink link;
	Pendings pendings;
	Rules *rules;
	Stream *stream;
	Recovery recovery;
	Callbacks callbacks;
	Delivery delivery;
};

static inline void connection_lock(VmhConnection *connection)
{
	pthread_mutex_lock(&connection->lock);
}

static inline void connection_unlock(VmhConnection *connection)
{
	pthread_mutex_unlock(&connection->lock);
}

/* False, and *error, if it is closed, or was opened by another process. */
bool connection_check(VmhConnection *connection, VmhError **error);

/* This process forked the one that opened it: nothing of it may be touched. Without the lock, too. */
bool connection_is_foreign(const VmhConnection *connection);

/* After anything was read from the bus, has come due or was changed: asks and delivers what has become possible. */
void connection_advance(VmhConnection *connection);
