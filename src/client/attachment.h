/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <vmherald/connection.h>

#include "client/bus-link.h"

/*
 * What a connection has on the event loop: a handle for the bus, one to be woken by, a timeout for what comes due, and one for
 * delivering. Their numbers are the loop's thread's; the flag and the descriptor are everybody's.
 */

typedef struct Attachment {
	/* Loop's thread */
	LinkFd *fd;                 /* of the bus, as it is watched */
	int fd_handle, wake_handle; /* 0: none */
	int fd_events;
	int timer, delivery_timer;  /* 0: none */
	gint64 due;                 /* for which timer was set; -1: disabled */
	bool delivering;            /* delivery_timer is enabled */
	/* Constant */
	int wake_fd;                /* -1: there is no loop */
	/* The lock */
	bool woken;                 /* wake_fd has been written to, and not been read */
	bool looking;               /* a handler has the lock, and looks after everything before it leaves it */
} Attachment;

/* The loop's thread, without the lock. False: errno. */
bool attachment_open(VmhConnection *connection);
/* The loop's thread, without the lock. No handler is called any more. */
void attachment_close(VmhConnection *connection);
/* When nothing can wake any more. */
void attachment_clear(VmhConnection *connection);

/* The loop shall look after the connection: it reads and writes, sets its timeouts and delivers. */
void attachment_wake(VmhConnection *connection);
