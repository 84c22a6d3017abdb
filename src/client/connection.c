/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <vmherald/connection.h>

#include <errno.h>
#include <unistd.h>

#include "bus/names.h"
#include "client/call.h"
#include "client/connection-internal.h"
#include "client/error-internal.h"
#include "client/event-loop.h"
#include "client/last-sequence.h"
#include "client/snapshot-internal.h"

bool connection_is_foreign(const VmhConnection *connection)
{
	return connection->pid != getpid();
}

bool connection_check(VmhConnection *connection, VmhError **error)
{
	if (connection_is_foreign(connection)) {
		error_set(error, VMH_ERROR_DISCONNECTED,
			  "The connection is of the process that forked this one: open one of your own");
		return false;
	}
	if (connection->closed) {
		error_set(error, VMH_ERROR_DISCONNECTED, "The connection is closed");
		return false;
	}
	return true;
}

void connection_advance(VmhConnection *connection)
{
	if (connection->closed)
		return;
	recovery_step(connection);
	if (delivery_is_due(connection))
		attachment_wake(connection);
}

/* ---- life ---- */

static void connection_free(VmhConnection *connection)
{
	attachment_clear(connection);
	pendings_clear(connection);
	delivery_clear(connection);
	callbacks_clear(&connection->callbacks);
	stream_free(connection->stream);
	rules_free(connection->rules);
	pthread_mutex_destroy(&connection->registering);
	pthread_mutex_destroy(&connection->lock);
	g_free(connection->bus_name);
	g_free(connection);
}

static VmhConnection *connection_new(const char *bus, unsigned flags)
{
	VmhConnection *connection = g_new0(VmhConnection, 1);

	connection->refs = 1;
	connection->bus_name = g_strdup(bus ? bus : "session");
	connection->flags = flags;
	connection->pid = getpid();
	connection->loop = event_loop_get();
	pthread_mutex_init(&connection->lock, NULL);
	pthread_mutex_init(&connection->registering, NULL);
	connection->rules = rules_new();
	connection->stream = stream_new(connection->rules, flags & VMH_CONNECTION_PASSIVE);
	callbacks_init(&connection->callbacks);
	recovery_init(connection);
	link_init(connection);
	connection->pendings.wake_fd = connection->attachment.wake_fd = -1;
	return connection;
}

VmhConnection *vmh_connection_open(const char *bus, unsigned flags, VmhError **error)
{
	const unsigned known = VMH_CONNECTION_PASSIVE | VMH_CONNECTION_NO_AUTO_START |
			       VMH_CONNECTION_NO_ASK_PASSWORD;
	VmhConnection *connection;
	bool up;

	if (!event_loop_check_thread(__func__)) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "A connection is opened on the event loop's thread");
		return NULL;
	}
	if (flags & ~known) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "There are no such flags for a connection: %#x", flags & ~known);
		return NULL;
	}
	connection = connection_new(bus, flags);
	if (!pendings_open(connection) || !attachment_open(connection)) {
		error_set(error, VMH_ERROR_FAILED, "Cannot prepare a connection: %s", g_strerror(errno));
		vmh_connection_unref(connection);
		return NULL;
	}
	connection_lock(connection);
	up = link_wait(connection, VMH_ERROR_UNREACHABLE, error);
	connection_unlock(connection);
	if (up)
		return connection;
	vmh_connection_unref(connection);
	return NULL;
}

void vmh_connection_close(VmhConnection *connection)
{
	if (!connection || connection_is_foreign(connection) || !event_loop_check_thread(__func__))
		return;
	vmh_connection_ref(connection);
	connection_lock(connection);
	if (!connection->closed) {
		connection->closed = true;
		recovery_close(connection);
		pendings_abort(connection, "The connection is closed");
		link_close(connection);
		callbacks_remove_all(&connection->callbacks);
		connection_unlock(connection);
		attachment_close(connection);
		connection_lock(connection);
	}
	/* That of a callback that is on the stack now is called when it has returned. */
	delivery_bury(connection);
	connection_unlock(connection);
	vmh_connection_unref(connection);
}

VmhConnection *vmh_connection_ref(VmhConnection *connection)
{
	g_return_val_if_fail(connection, NULL);

	g_atomic_int_inc(&connection->refs);
	return connection;
}

void vmh_connection_unref(VmhConnection *connection)
{
	if (!connection)
		return;
	/* WARNING: closing takes references of its own, and is done with one that is left. What could not be closed (another thread's,
	 * another process's) is still in the hands of the loop, and is not freed. */
	if (g_atomic_int_get(&connection->refs) == 1 && !connection->closed) {
		vmh_connection_close(connection);
		if (!connection->closed)
			return;
	}
	if (g_atomic_int_dec_and_test(&connection->refs))
		connection_free(connection);
}

/* ---- small things ---- */

static void replace_callback(VmhConnection *connection, Callback **slot, void (*function)(void), void *userdata,
			     VmhFreeFunc free_func)
{
	Callback *callback = function ? callback_new(function, userdata, free_func) : NULL;

	if (connection_is_foreign(connection)) {
		g_free(callback);
		return;
	}
	connection_lock(connection);
	if (connection->closed) {
		connection_unlock(connection);
		g_free(callback);
		if (callback && free_func)
			free_func(userdata);
		return;
	}
	callbacks_replace(&connection->callbacks, slot, callback);
	attachment_wake(connection);
	connection_unlock(connection);
}

void vmh_connection_set_gap_callback(VmhConnection *connection, VmhGapCallback callback, void *userdata, VmhFreeFunc free_func)
{
	g_return_if_fail(connection);

	replace_callback(connection, &connection->callbacks.gap, (void (*)(void))callback, userdata, free_func);
}

void vmh_connection_set_status_callback(VmhConnection *connection, VmhStatusCallback callback, void *userdata,
					VmhFreeFunc free_func)
{
	g_return_if_fail(connection);

	replace_callback(connection, &connection->callbacks.status, (void (*)(void))callback, userdata, free_func);
}

bool vmh_connection_is_service_there(VmhConnection *connection)
{
	bool there;

	g_return_val_if_fail(connection, false);
	if (connection_is_foreign(connection))
		return false;
	connection_lock(connection);
	/* Otherwise nobody does, before the next call. */
	if (!connection->loop)
		link_process(connection, G_MAXUINT);
	there = connection->link.owner != NULL;
	connection_unlock(connection);
	return there;
}

void vmh_connection_set_call_timeout(VmhConnection *connection, uint64_t timeout)
{
	g_return_if_fail(connection);

	if (connection_is_foreign(connection))
		return;
	connection_lock(connection);
	connection->call_timeout = timeout;
	connection_unlock(connection);
}

/* ---- position ---- */

char *vmh_connection_get_position(VmhConnection *connection)
{
	char *position;

	g_return_val_if_fail(connection, NULL);
	if (connection_is_foreign(connection))
		return g_strdup("");
	connection_lock(connection);
	position = stream_has_position(connection->stream) ? stream_get_position(connection->stream) : g_strdup("");
	connection_unlock(connection);
	return position;
}

int vmh_connection_set_position(VmhConnection *connection, const char *position, VmhError **error)
{
	bool set = false;

	g_return_val_if_fail(connection && position, -1);
	if (connection_is_foreign(connection) && !connection_check(connection, error))
		return -1;
	connection_lock(connection);
	if (connection->callbacks.last_id > 0)
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "A position is set before the first callback is registered");
	else if (!stream_set_position(connection->stream, position))
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "\"%s\" is not a position: it is a number of an event, or what "
			  "vmh_connection_get_position() gave", position);
	else
		set = true;
	if (set)
		recovery_restore(connection);
	connection_unlock(connection);
	return set ? 0 : -1;
}

/* ---- snapshot ---- */

static VmhSnapshot *make_snapshot(GVariant *sequence, GVariant *objects, uint64_t newest)
{
	g_autoptr(GVariant) all = NULL;
	uint64_t last;

	if (!last_sequence_read(sequence, &last) || !g_variant_is_of_type(objects, G_VARIANT_TYPE("(a{oa{sa{sv}}})")))
		return NULL;
	all = g_variant_get_child_value(objects, 0);
	return snapshot_new(all, MAX(last, newest));
}

static VmhSnapshot *get_snapshot(VmhConnection *connection, VmhError **error)
{
	g_autoptr(GVariant) sequence = NULL, objects = NULL;
	const Call first = {
		.interface = BUS_PROPERTIES,
		.member = "Get",
		.arguments = last_sequence_get_arguments(),
	};
	const Call second = { .interface = BUS_OBJECT_MANAGER, .member = "GetManagedObjects" };
	Pending *pending, *next;
	VmhSnapshot *snapshot = NULL;
	uint64_t newest = 0;

	pending = call_send(connection, &first, error);
	next = pending ? call_send(connection, &second, error) : NULL;
	if (next)
		sequence = pending_wait(pending, error);
	if (sequence)
		objects = pending_wait(next, error);
	if (objects) {
		/* What came between the two answers is in the objects already. */
		newest = pending_get_newest(next);
		snapshot = make_snapshot(sequence, objects, newest);
		if (!snapshot)
			error_set(error, VMH_ERROR_FAILED, "The service answers with something else than its domains");
	}
	pending_free(pending);
	pending_free(next);
	return snapshot;
}

VmhSnapshot *vmh_connection_get_snapshot(VmhConnection *connection, VmhError **error)
{
	VmhSnapshot *snapshot;

	g_return_val_if_fail(connection, NULL);
	if (connection_is_foreign(connection) && !connection_check(connection, error))
		return NULL;
	vmh_connection_ref(connection);
	connection_lock(connection);
	snapshot = get_snapshot(connection, error);
	connection_unlock(connection);
	vmh_connection_unref(connection);
	return snapshot;
}
