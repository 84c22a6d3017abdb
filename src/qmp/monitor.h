/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "loop/loop.h"
#include "qmp/journal.h"
#include "qmp/message.h"

/*
 * The client side of one QMP connection: handshake, pending calls, events.
 *
 * Never blocks: bytes are read when there are some (one read a turn, so that one talkative QEMU
 * does not starve the others) and written when there is room. QEMU takes at most 8 commands in
 * flight (QMP specification); the rest wait here, up to QMP_MONITOR_CALLS_MAX and
 * QMP_MONITOR_BYTES_MAX. Above either a call ends with CORE_ERROR_LIMIT_EXCEEDED.
 *
 * A call that times out has ended for its caller, but QEMU still owes the reply: its place in
 * flight stays taken until the reply comes and is dropped. So a hung QEMU gets no more than 8
 * commands, and when it goes on, ids and replies still match.
 *
 * Order: within one connection, events and replies are handed on in the order QEMU wrote them.
 *
 * Event thread only. Callbacks may call any function here, qmp_monitor_free() included.
 */

#define QMP_MONITOR_IN_FLIGHT_MAX   8u
#define QMP_MONITOR_CALLS_MAX       4096u
/* Commands without a reply, all together in bytes. QEMU reads some 300 KB a second. */
#define QMP_MONITOR_BYTES_MAX       (16u * 1024 * 1024)
#define QMP_MONITOR_HANDSHAKE_MS    30000
/* Messages that are no QMP at all, in a row, after which the connection is given up. */
#define QMP_MONITOR_GARBAGE_MAX     64u
/* Events before the handshake is done, all together in bytes. */
#define QMP_MONITOR_EARLY_MAX       (1024u * 1024)

typedef struct QmpMonitor QmpMonitor;

typedef struct QmpMonitorHandler {
	/* The handshake is done; version is the value of "QMP" in the greeting (borrowed). */
	void (*ready)(QmpMonitor *monitor, JsonNode *greeting, void *userdata);
	/* Takes event over. Never called before ready(): QEMU may send an event between our
	 * qmp_capabilities and its reply; it is kept and handed on right after ready(). */
	void (*event)(QmpMonitor *monitor, QmpMessage *event, void *userdata);
	/* Exactly once, unless freed before: the connection is over. Everything read before was handed
	 * on, all pending calls have ended with CORE_ERROR_MONITOR_LOST. The error says why:
	 * end of file, reset, garbage, bound reached, handshake failed (CORE_ERROR_MONITOR_LOST)
	 * or not answered in time (CORE_ERROR_MONITOR_TIMEOUT). */
	void (*closed)(QmpMonitor *monitor, const GError *error, void *userdata);
	/* A message was skipped because it is no QMP or beyond a bound: what it said is lost. May be NULL. */
	void (*garbage)(QmpMonitor *monitor, const char *reason, void *userdata);
	/* Bytes are about to be taken from the socket, and there is no journal: from here on only this process has them. May
	 * be NULL. */
	void (*taking)(QmpMonitor *monitor, void *userdata);
	/* What was taken has been handed on, as far as it was whole. May be NULL. */
	void (*taken)(QmpMonitor *monitor, void *userdata);
	/* Of a connection that was taken over: it began in the middle of a message, whose first part somebody
	 * else has read. It is skipped. May be NULL. */
	void (*cut)(QmpMonitor *monitor, void *userdata);
} QmpMonitorHandler;

/* The end of a call. Exactly one of result (borrowed; value of "return") and error is set. */
typedef void (*QmpReplyCallback)(JsonNode *result, const GError *error, void *userdata);

/* Takes over fd, a connected stream socket (made non-blocking here). handler is static.
 * handshake_ms: how long the greeting and the reply to qmp_capabilities may take together, -1 for
 * QMP_MONITOR_HANDSHAKE_MS. Never fails: if fd is not usable, closed() says so. loop must outlive
 * the monitor. */
QmpMonitor *qmp_monitor_new(Loop *loop, int fd, int handshake_ms, const QmpMonitorHandler *handler,
			    void *userdata);

/* Takes over fd from another process that has done the handshake, read some of what QEMU wrote, and perhaps
 * left in the middle of a command: the service before this one. QEMU greets nobody twice, so the monitor is ready at
 * once, and ready() is not called. The first call resets QEMU's parser, and its ids are none that the other has
 * used, so an answer that was meant for it is taken for nobody's. Whether QEMU is there is told by the
 * first answer.
 * journal (or NULL): that of qmp_monitor_set_journal(), with what the other has read of this connection and not dealt
 * with, which is handed on first. *ret_joined: what the socket gives is what follows. */
QmpMonitor *qmp_monitor_take_over(Loop *loop, int fd, QmpJournal *journal, bool *ret_joined,
				  const QmpMonitorHandler *handler, void *userdata);

/* From here on what is read goes by the journal, which outlives the monitor. It begins anew: what was read before is not in
 * it. */
void qmp_monitor_set_journal(QmpMonitor *monitor, QmpJournal *journal);

/* From here on another handler is called. The calls that are pending stay with their callbacks. */
void qmp_monitor_set_handler(QmpMonitor *monitor, const QmpMonitorHandler *handler, void *userdata);

/* Closes the connection. Pending calls end with CORE_ERROR_MONITOR_LOST before this returns, also
 * those that their callbacks make; closed() is not called. NULL-safe, returns NULL. */
QmpMonitor *qmp_monitor_free(QmpMonitor *monitor);

/* Sends command with arguments (taken over; NULL for none). callback (may be NULL) is called
 * exactly once and never before this returns. timeout_ms counts from here, waiting for a place in
 * flight included; -1 for none. Calls made before ready() wait for it. Those made by a callback are sent when all
 * is handed on that was read together with what it is about, and not before it returns: do not run the loop inside it
 * until the reply comes. After closed() every call ends with CORE_ERROR_MONITOR_LOST. Returns a number for
 * qmp_monitor_cancel(). */
uint64_t qmp_monitor_execute(QmpMonitor *monitor, const char *command, JsonNode *arguments,
			     int timeout_ms, QmpReplyCallback callback, void *userdata);

/* What qmp_monitor_execute() has queued is written to the socket now, as far as it takes it, and not in the next turn of the
 * loop, in which all commands of this one go together: for whoever holds something back until the answer. */
void qmp_monitor_flush(QmpMonitor *monitor);

/* A command that has not been sent is not sent any more: its call ends with CORE_ERROR_MONITOR_LOST, not before
 * this returns. One that has been sent goes on as it was; so nothing is known of what QEMU does with it. */
void qmp_monitor_cancel(QmpMonitor *monitor, uint64_t call);

/* The command that is executed next (getfd, add-fd) carries a copy of fd (SCM_RIGHTS), however long it waits to be
 * sent, and whatever is sent before it: QEMU keeps the descriptor that came last until a command takes it, and reads
 * no further before a command is done. fd stays the caller's. */
void qmp_monitor_send_descriptor(QmpMonitor *monitor, int fd);

/* Stops and restarts reading (flow control): what is not read stays with QEMU. Time-outs go on.
 * While it is off no event, no reply and no closed() is handed on, not even what was read already,
 * so replies may be late too: turn it on again before you judge by a time-out. */
void qmp_monitor_set_reading(QmpMonitor *monitor, bool reading);

bool qmp_monitor_is_ready(const QmpMonitor *monitor);
/* The socket, for a copy of it; -1 when it is closed. */
int qmp_monitor_get_fd(const QmpMonitor *monitor);
/* Messages handed on since the connection began, or was taken over; not those of a journal. */
uint64_t qmp_monitor_get_received(const QmpMonitor *monitor);
/* The position (qmp/journal.h) up to which all messages have been handed on. */
uint64_t qmp_monitor_get_handed_on(const QmpMonitor *monitor);
/* All that was read has been handed on: no line waits, and none has begun. */
bool qmp_monitor_is_drained(const QmpMonitor *monitor);
/* Calls not yet ended. */
unsigned qmp_monitor_get_pending(const QmpMonitor *monitor);
/* Since the connection began: messages dropped because they were no QMP, and replies with an id
 * we do not know. */
uint64_t qmp_monitor_get_garbage(const QmpMonitor *monitor);
uint64_t qmp_monitor_get_unknown_ids(const QmpMonitor *monitor);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpMonitor, qmp_monitor_free)
