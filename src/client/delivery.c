/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/delivery.h"

#include <vmherald/domain.h>

#include "client/connection-internal.h"

/*
 * WARNING: a callback may do anything: make calls, register and deregister, run the loop, close the connection and drop its last
 * reference. So nothing is remembered over it but what has been looked at anew afterwards: an event's callbacks are found by their ids,
 * one after the other.
 */

/* A status, and how many items of the stream may be delivered before it at most. It comes when the stream has nothing more, as it came
 * after what is in there; but that may be held back by a hole, or go on and on. */
typedef struct Notice {
	VmhStatus status;
	uint64_t latest;
} Notice;

void delivery_clear(VmhConnection *connection)
{
	g_queue_clear_full(&connection->delivery.statuses, g_free);
}

void delivery_set_due(VmhConnection *connection)
{
	connection->delivery.due = true;
}

void delivery_push_status(VmhConnection *connection, VmhStatus status)
{
	Delivery *self = &connection->delivery;
	Notice *notice;

	if (!connection->loop)
		return;
	notice = g_new(Notice, 1);
	notice->status = status;
	notice->latest = self->delivered + STREAM_LIVE_MAX;
	g_queue_push_tail(&self->statuses, notice);
	if (self->statuses.length > DELIVERY_STATUS_MAX)
		g_free(g_queue_pop_head(&self->statuses));
}

bool delivery_is_due(const VmhConnection *connection)
{
	const Delivery *self = &connection->delivery;

	return !self->running && !connection->closed &&
	       (self->due || self->statuses.length > 0 || connection->callbacks.dead.length > 0);
}

/* ---- calls, each without the lock ---- */

static void call_event(VmhConnection *connection, Callback *callback, VmhDomain *domain, const VmhEvent *event)
{
	VmhEventCallback function = (VmhEventCallback)callback->function;

	callbacks_begin(&connection->callbacks, callback);
	connection_unlock(connection);
	function(connection, domain, event, callback->userdata);
	connection_lock(connection);
	callbacks_end(&connection->callbacks);
}

static void call_status(VmhConnection *connection, VmhStatus status)
{
	Callback *callback = connection->callbacks.status;
	VmhStatusCallback function;

	if (!callback)
		return;
	function = (VmhStatusCallback)callback->function;
	callbacks_begin(&connection->callbacks, callback);
	connection_unlock(connection);
	function(connection, status, callback->userdata);
	connection_lock(connection);
	callbacks_end(&connection->callbacks);
}

static void call_gap(VmhConnection *connection, const StreamItem *item)
{
	Callback *callback = connection->callbacks.gap;
	VmhGapCallback function;

	if (!callback)
		return;
	function = (VmhGapCallback)callback->function;
	callbacks_begin(&connection->callbacks, callback);
	connection_unlock(connection);
	function(connection, item->from, item->to, item->snapshot, callback->userdata);
	connection_lock(connection);
	callbacks_end(&connection->callbacks);
}

void delivery_bury(VmhConnection *connection)
{
	Callback *callback;

	while ((callback = callbacks_pop_dead(&connection->callbacks))) {
		connection_unlock(connection);
		if (callback->free_func)
			callback->free_func(callback->userdata);
		connection_lock(connection);
		g_free(callback);
	}
}

/* ---- a turn ---- */

/* The address of the domain that the event is about, NULL if it is about none. *domain: the one of the event before, which is often the same. */
static VmhDomain *find_domain(VmhConnection *connection, const VmhEvent *event, VmhDomain **domain)
{
	if (!*event->uuid)
		return NULL;
	if (!*domain || !g_str_equal(vmh_domain_get_uuid(*domain), event->uuid)) {
		vmh_domain_unref(*domain);
		*domain = vmh_domain_new(connection, event->uuid, NULL);
	}
	return *domain;
}

static unsigned deliver_event(VmhConnection *connection, const VmhEvent *event, VmhDomain **domain)
{
	Callback *callback;
	unsigned calls = 0;
	int id = 0;

	while (!connection->closed &&
	       (callback = callbacks_find_next(&connection->callbacks, connection->rules, id, event))) {
		id = callback->id;
		call_event(connection, callback, find_domain(connection, event, domain), event);
		calls++;
	}
	return calls;
}

/* The number of callbacks that were called, but at least 1; 0: there is nothing. */
static unsigned deliver_item(VmhConnection *connection, VmhDomain **domain)
{
	StreamItem item = stream_pop(connection->stream);
	unsigned calls = 1;

	if (item.type == STREAM_ITEM_NONE)
		return 0;
	connection->delivery.delivered++;
	switch (item.type) {
	case STREAM_ITEM_EVENT:
		calls = deliver_event(connection, item.event, domain);
		vmh_event_unref(item.event);
		break;
	case STREAM_ITEM_GAP:
		/* That is where a numbering begins: the numbers from which callbacks want it are of the one before. */
		if (item.from <= 1)
			callbacks_renumber(&connection->callbacks);
		call_gap(connection, &item);
		vmh_snapshot_unref(item.snapshot);
		break;
	case STREAM_ITEM_RECOVERED:
		call_status(connection, VMH_STATUS_RECOVERED);
		break;
	default:
		g_assert_not_reached();
	}
	return MAX(calls, 1);
}

static unsigned deliver_notice(VmhConnection *connection)
{
	g_autofree Notice *notice = g_queue_pop_head(&connection->delivery.statuses);

	if (!notice)
		return 0;
	call_status(connection, notice->status);
	return 1;
}

static unsigned deliver_one(VmhConnection *connection, VmhDomain **domain)
{
	Delivery *self = &connection->delivery;
	const Notice *notice = g_queue_peek_head(&self->statuses);
	unsigned calls = 0;

	if (notice && self->delivered >= notice->latest)
		return deliver_notice(connection);
	if (self->due) {
		/* Before, and not after: what comes during a callback makes it due again. */
		self->due = false;
		calls = deliver_item(connection, domain);
		self->due |= calls > 0;
	}
	return calls > 0 ? calls : deliver_notice(connection);
}

void delivery_run(VmhConnection *connection)
{
	Delivery *self = &connection->delivery;
	VmhDomain *domain = NULL;
	unsigned calls = 0, more;

	if (self->running)
		return;
	self->running = true;
	recovery_begin(connection);
	while (!connection->closed && calls < DELIVERY_TURN_MAX && (more = deliver_one(connection, &domain)) > 0)
		calls += more;
	delivery_bury(connection);
	self->running = false;
	vmh_domain_unref(domain);
}
