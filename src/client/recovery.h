/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <vmherald/connection.h>

#include "client/pending.h"

/*
 * Asks the service what the stream wants to know, one question at a time, and never starts it for that.
 */

/* After something came it is verified so much later, whatever else comes meanwhile. */
#define RECOVERY_VERIFY_AFTER (1 * G_TIME_SPAN_SECOND)
/* The service answers these at once; from one that hangs there is nothing to be had. */
#define RECOVERY_ANSWER_TIMEOUT (10 * G_TIME_SPAN_SECOND)
/* Between tries. */
#define RECOVERY_RETRY_MIN (100 * G_TIME_SPAN_MILLISECOND)
#define RECOVERY_RETRY_MAX (5 * G_TIME_SPAN_SECOND)

typedef struct Recovery {
	Pending *question;          /* NULL: none is under way */
	Pending *second;            /* of a snapshot: the objects */
	uint64_t after;             /* of the question */
	gint64 verify_due;          /* -1: not set */
	gint64 retry_due;           /* -1: nothing failed */
	gint64 retry;               /* the next pause */
	bool cannot_count;          /* this service is too old for CountEvents() */
	bool restored;              /* a position was set, and nothing has been delivered since: all that is registered now begins there */
} Recovery;

void recovery_init(VmhConnection *connection);

/* Asks what is to be asked now. */
void recovery_step(VmhConnection *connection);

/* -1: nothing is to come due. As link_get_due(). */
gint64 recovery_get_due(const VmhConnection *connection);
void recovery_come_due(VmhConnection *connection);

/* The owner of the service's name is another, or none. */
void recovery_service_changed(VmhConnection *connection);
/* There is a rule more: what was asked without it is asked again. */
void recovery_rule_added(VmhConnection *connection);
/* A position was set. */
void recovery_restore(VmhConnection *connection);
/* Delivering begins. */
void recovery_begin(VmhConnection *connection);
/* Nothing is asked any more. */
void recovery_close(VmhConnection *connection);
