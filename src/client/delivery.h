/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <vmherald/connection.h>

/*
 * From the stream to the callbacks: the loop's thread alone, a bounded number in a turn of the loop, one at a time.
 */

/* So many callbacks are called in one turn of the loop. */
#define DELIVERY_TURN_MAX   64u
/* What was told of the bus and the service, and has not been delivered; of more, the oldest are left out. */
#define DELIVERY_STATUS_MAX 64u

typedef struct Delivery {
	bool due;                   /* there may be something in the stream */
	bool running;               /* a turn is on the stack */
	GQueue statuses;            /* Notice */
	uint64_t delivered;         /* items of the stream, ever */
} Delivery;

void delivery_clear(VmhConnection *connection);

/* Something was put into the stream. */
void delivery_set_due(VmhConnection *connection);
void delivery_push_status(VmhConnection *connection, VmhStatus status);

/* Is a turn of any use? False if one is on the stack. */
bool delivery_is_due(const VmhConnection *connection);

/* A turn. Leaves the lock around each callback. */
void delivery_run(VmhConnection *connection);

/* Calls the free functions of dead callbacks; leaves the lock around each. The loop's thread. */
void delivery_bury(VmhConnection *connection);
