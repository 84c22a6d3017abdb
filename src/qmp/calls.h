/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "qmp/monitor.h"
#include "qmp/output.h"

/*
 * The calls of one monitor, without its socket and its clock.
 *
 *    add() --> waiting --send()--> in flight --take_reply()--> the caller ends it
 *      |          |                   |
 *      |          '----- expire() ----'   (cancel() while waiting; a place in flight stays taken, by a call that is gone)
 *      |                   |
 *      '--- a bound --> ended --run_ended()--> callback
 *
 * A call that fails is put on the list "ended" and its callback runs from there, so nothing here is
 * in a half-changed state when a callback calls back in. Event thread only.
 */

typedef struct QmpCalls QmpCalls;
typedef struct QmpCall QmpCall;

QmpCalls *qmp_calls_new(void);
/* Ids from here on are above id. */
void qmp_calls_skip_ids(QmpCalls *calls, uint64_t id);
/* Calls that have not ended are freed without their callback. */
QmpCalls *qmp_calls_free(QmpCalls *calls);

/* As qmp_monitor_execute(); now in microseconds of the monotonic clock. fd goes with the command (-1: none), and is
 * taken over. Returns the call's number; if a bound is reached it is on the list "ended" at once. */
uint64_t qmp_calls_add(QmpCalls *calls, int64_t now, const char *command, JsonNode *arguments, int fd,
		       int timeout_ms, QmpReplyCallback callback, void *userdata);

/* The number for a command that is sent outside of this list (qmp_capabilities). */
uint64_t qmp_calls_new_id(QmpCalls *calls);

/* Appends waiting calls to out as long as there are places in flight, and their descriptors to fds (QmpOutFd),
 * whose owner they have then. */
void qmp_calls_send(QmpCalls *calls, GString *out, GArray *fds);

/* The reply with this id has come: gives its place in flight free. False if the id is unknown;
 * *ret_call is NULL if the call had timed out. The caller ends the call. */
bool qmp_calls_take_reply(QmpCalls *calls, uint64_t id, QmpCall **ret_call);

/* Calls the callback with result or error, and frees call. The monitor may be gone afterwards. */
void qmp_calls_end(QmpCalls *calls, QmpCall *call, JsonNode *result, const GError *error);

/* Puts on the list "ended": what has no reply at its deadline; everything. The error of the latter
 * is "COMMAND: REASON". */
void qmp_calls_expire(QmpCalls *calls, int64_t now);
void qmp_calls_fail_all(QmpCalls *calls, CoreError code, const char *reason);

/* Puts the call of that number on the list "ended" if it has not been sent. False if it has, or has ended. */
bool qmp_calls_cancel(QmpCalls *calls, uint64_t id);

/* Runs the callbacks of the calls that are on the list "ended" now, or, if until_empty, also of
 * those that the callbacks put there. */
void qmp_calls_run_ended(QmpCalls *calls, bool until_empty);
bool qmp_calls_has_ended(const QmpCalls *calls);

/* The earliest deadline, INT64_MAX if there is none. */
int64_t qmp_calls_get_deadline(const QmpCalls *calls);
/* Calls whose callback has not been called. */
unsigned qmp_calls_get_pending(const QmpCalls *calls);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpCalls, qmp_calls_free)
