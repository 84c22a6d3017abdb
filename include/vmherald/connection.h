/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <vmherald/error.h>
#include <vmherald/event-loop.h>
#include <vmherald/event.h>
#include <vmherald/macros.h>
#include <vmherald/snapshot.h>

/*
 * A connection to the bus, and what is registered on it.
 */

VMH_BEGIN_DECLS

/* The service's name on the bus. The full name of an interface is this, a dot and the short name that the library has for it. */
#define VMH_BUS_NAME "org.vmherald.Domains1"

typedef struct VmhConnection VmhConnection;
typedef struct VmhDomain VmhDomain;

typedef enum VmhConnectionFlags {
	/* The library makes no call to the service by itself. Then events that the bus has lost cannot be fetched: they
	 * are told as a gap, without a snapshot, as soon as an event behind them shows it. */
	VMH_CONNECTION_PASSIVE = 1 << 0,
	/* No call starts the service: VMH_ERROR_UNREACHABLE if it is not there. For who only looks on. */
	VMH_CONNECTION_NO_AUTO_START = 1 << 1,
	/* No call makes polkit ask somebody for a password: VMH_ERROR_ACCESS_DENIED where it would have to. */
	VMH_CONNECTION_NO_ASK_PASSWORD = 1 << 2,
} VmhConnectionFlags;

/* bus: "session" or NULL, "system", or the address of a bus ("unix:path=..."). Neither starts the service nor needs it to be there.
 * If the bus goes away, the connection comes back by itself as soon as it can. The loop's thread, if a loop is registered.
 * VMH_ERROR_UNREACHABLE. Free with vmh_connection_close() and vmh_connection_unref(). Since 0.1. */
VMH_PUBLIC VmhConnection *vmh_connection_open(const char *bus, unsigned flags, VmhError **error);

/* No callback is called any more, also none that is due; all free functions are called (that of a callback from within which this is called as
 * soon as it has returned), and calls of other threads end with VMH_ERROR_DISCONNECTED. The loop's thread; callbacks included. NULL-safe.
 * Twice is as good as once. After a fork it does nothing in the child, where all calls fail with VMH_ERROR_DISCONNECTED. */
VMH_PUBLIC void vmh_connection_close(VmhConnection *connection);

VMH_PUBLIC VmhConnection *vmh_connection_ref(VmhConnection *connection);
/* The last one closes it as well, if that has not been done: then it must be on the loop's thread. Domains have one each, so
 * close it if one may have been kept. NULL-safe. */
VMH_PUBLIC void vmh_connection_unref(VmhConnection *connection);

/* ---- events ---- */

/* domain (NULL: the event is about none) and event are borrowed. */
typedef void (*VmhEventCallback)(VmhConnection *connection, VmhDomain *domain, const VmhEvent *event, void *userdata);

/* Calls callback for each event of that domain (NULL: of all, also of those that are not there yet) of that kind
 * (VMH_EVENT_ANY: of all), from now on. Takes a match rule on the bus, which callbacks with the same domain and kind share. The same
 * callback may be registered several times, and is called for each.
 *
 * Returns the callback's id, greater than 0, or -1: VMH_ERROR_NO_EVENT_LOOP, LIMIT_EXCEEDED (the bus's, of match rules),
 * DISCONNECTED, INVALID_ARGUMENT; then free_func is not called. free_func (or NULL) is called once, when the callback cannot be
 * called any more. Blocks for two answers. Any thread. */
VMH_PUBLIC int vmh_connection_register_any(VmhConnection *connection, VmhDomain *domain, VmhEventKind kind,
					   VmhEventCallback callback, void *userdata, VmhFreeFunc free_func,
					   VmhError **error);

/* More than a domain and a kind; what is NULL (kind: VMH_EVENT_ANY) matches everything. */
typedef struct VmhEventMatch {
	VmhDomain *domain;
	VmhEventKind kind;
	const char *interface;      /* "Block": all of that class; only with VMH_EVENT_ANY */
	const char *arg0;           /* the first argument: "stopped" */
} VmhEventMatch;

/* As vmh_connection_register_any(). match is copied. */
VMH_PUBLIC int vmh_connection_register_match(VmhConnection *connection, const VmhEventMatch *match,
					     VmhEventCallback callback, void *userdata, VmhFreeFunc free_func,
					     VmhError **error);

/* The callback is not called again: at once if this is the loop's thread, and else as soon as one that is under way has returned.
 * The last one of a match rule takes it from the bus. 0, or -1: VMH_ERROR_INVALID_ARGUMENT (there is no such id). Any thread,
 * callbacks included, its own too. */
VMH_PUBLIC int vmh_connection_deregister_any(VmhConnection *connection, int callback_id, VmhError **error);

/* Events from `from` to `to`, both included, that were of interest or may have been, are lost for good: the history of the service
 * does not reach back so far. What came of them is in snapshot (NULL: passive), and the events that follow are those after it. */
typedef void (*VmhGapCallback)(VmhConnection *connection, uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata);
/* Instead of the one before; NULL: none. The loop's thread. */
VMH_PUBLIC void vmh_connection_set_gap_callback(VmhConnection *connection, VmhGapCallback callback, void *userdata,
						VmhFreeFunc free_func);

typedef enum VmhStatus {
	VMH_STATUS_DISCONNECTED,     /* the bus is gone; it is tried again */
	VMH_STATUS_CONNECTED,        /* again: all rules are in force */
	VMH_STATUS_SERVICE_GONE,
	VMH_STATUS_SERVICE_THERE,    /* it came (again) */
	VMH_STATUS_RECOVERED,        /* the bus had lost events, and they were fetched; other signals may have been lost too */
} VmhStatus;
/* For programs that show whether somebody is there, or follow properties. Events need none of it. */
typedef void (*VmhStatusCallback)(VmhConnection *connection, VmhStatus status, void *userdata);
VMH_PUBLIC void vmh_connection_set_status_callback(VmhConnection *connection, VmhStatusCallback callback, void *userdata,
						   VmhFreeFunc free_func);
/* Is the service on the bus, as far as the connection has heard? Any thread. */
VMH_PUBLIC bool vmh_connection_is_service_there(VmhConnection *connection);

/* How long a call may take, in microseconds, from the next one on; 0 (as it is at first): for ever. What takes longer ends with
 * VMH_ERROR_NO_REPLY; the service goes on with it. Any thread. */
VMH_PUBLIC void vmh_connection_set_call_timeout(VmhConnection *connection, uint64_t timeout);

/* ---- going on after a restart of the program ---- */

/* Where the connection is in the stream: "1234", or "1234+1240-1250,1260" if some were delivered ahead of the others. The event
 * whose callback runs counts as delivered. "" if nothing is known yet. Free with free(). Any thread. */
VMH_PUBLIC char *vmh_connection_get_position(VmhConnection *connection);
/* Goes on from a position that was got before, also by another process; the sequence of an event is one, too. To be called before
 * the first registering: what the callbacks then get begins with the first event that is not in position, for all that are registered before
 * the loop's next turn. 0, or -1:
 * VMH_ERROR_INVALID_ARGUMENT. */
VMH_PUBLIC int vmh_connection_set_position(VmhConnection *connection, const char *position, VmhError **error);

/* ---- state ---- */

/* What there is, at one place in the stream: register first, then take the snapshot, then heed events with a sequence greater than
 * vmh_snapshot_get_sequence(). Starts the service if it is not there. Blocks. Any thread. Unref. */
VMH_PUBLIC VmhSnapshot *vmh_connection_get_snapshot(VmhConnection *connection, VmhError **error);

VMH_END_DECLS
