/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/recovery.h"

#include "bus/names.h"
#include "bus/variant.h"
#include "client/connection-internal.h"
#include "client/event-internal.h"
#include "client/last-sequence.h"
#include "client/snapshot-internal.h"

/*
 * Questions go to the one who sends the signals, by its unique name: an answer of its successor would not come behind them.
 * They are asked by whoever comes by; deadlines are kept by the loop, without which there are no events.
 */

#define MANAGER BUS_INTERFACE("Manager")

/* A count that no service can have had: so it is fetched whether there is something. */
#define COUNT_UNKNOWN G_MAXUINT64

void recovery_init(VmhConnection *connection)
{
	Recovery *self = &connection->recovery;

	self->verify_due = self->retry_due = -1;
	self->retry = RECOVERY_RETRY_MIN;
}

static bool can_ask(const VmhConnection *connection)
{
	return !connection->closed && !(connection->flags & VMH_CONNECTION_PASSIVE) &&
	       connection->link.state == LINK_UP && connection->link.owner;
}

static void cancel(Recovery *self)
{
	self->question = pending_free(self->question);
	self->second = pending_free(self->second);
}

static void fail(VmhConnection *connection, const char *why)
{
	Recovery *self = &connection->recovery;

	g_debug("Cannot ask the service for events: %s", why);
	cancel(self);
	stream_failed(connection->stream);
	self->retry_due = g_get_monotonic_time() + self->retry;
	self->retry = MIN(self->retry * 2, RECOVERY_RETRY_MAX);
	attachment_wake(connection);
}

static void succeed(VmhConnection *connection)
{
	connection->recovery.retry = RECOVERY_RETRY_MIN;
	delivery_set_due(connection);
}

/* arguments: a floating one is taken; NULL: none. NULL: it could not be sent. */
static Pending *ask(VmhConnection *connection, const char *interface, const char *member, GVariant *arguments, PendingHandler handler)
{
	g_autoptr(GVariant) tuple = arguments ? g_variant_ref_sink(arguments) : NULL;
	sd_bus_message *message = NULL;
	Pending *pending = NULL;
	int r;

	r = sd_bus_message_new_method_call(connection->link.bus, &message, connection->link.owner, BUS_PATH, interface,
					   member);
	if (r >= 0)
		r = sd_bus_message_set_auto_start(message, false);
	if (r >= 0 && tuple)
		r = bus_append_arguments(message, tuple, NULL);
	if (r >= 0)
		pending = pending_new(connection, message, RECOVERY_ANSWER_TIMEOUT, handler, NULL, NULL);
	sd_bus_message_unref(message);
	return pending;
}

static Pending *ask_last_sequence(VmhConnection *connection, PendingHandler handler)
{
	return ask(connection, BUS_PROPERTIES, "Get", last_sequence_get_arguments(), handler);
}

/* ---- errors ---- */

/* InvalidArgument has two meanings: the service knows nothing of the filter, or of so great a number. */
static void on_numbering(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata)
{
	Recovery *self = &connection->recovery;
	uint64_t last;

	self->question = NULL;
	if (!last_sequence_read(answer, &last)) {
		fail(connection, error ? error->message : "LastSequence is no number");
	} else if (last >= self->after) {
		fail(connection, "it does not take the filter");
	} else {
		stream_renumbered(connection->stream);
		succeed(connection);
	}
}

static void on_error(VmhConnection *connection, const VmhError *error)
{
	Recovery *self = &connection->recovery;

	if (error && error->code == VMH_ERROR_INVALID_ARGUMENT)
		self->question = ask_last_sequence(connection, on_numbering);
	if (!self->question)
		fail(connection, error ? error->message : "the answer is malformed");
}

/* ---- counting ---- */

/* Its place among the signals is as good as that of a count. */
static void on_last_sequence(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata)
{
	uint64_t last;

	connection->recovery.question = NULL;
	if (!last_sequence_read(answer, &last)) {
		on_error(connection, error);
		return;
	}
	stream_counted(connection->stream, true, last, COUNT_UNKNOWN);
	succeed(connection);
}

static void on_count(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata)
{
	Recovery *self = &connection->recovery;
	uint64_t last, count;
	gboolean complete;

	self->question = NULL;
	if (error && error->code == VMH_ERROR_UNKNOWN_MEMBER) {
		self->cannot_count = true;
		self->question = ask_last_sequence(connection, on_last_sequence);
		if (!self->question)
			fail(connection, error->message);
		return;
	}
	if (!answer || !g_variant_is_of_type(answer, G_VARIANT_TYPE("(btt)"))) {
		on_error(connection, error);
		return;
	}
	g_variant_get(answer, "(btt)", &complete, &last, &count);
	stream_counted(connection->stream, complete, last, count);
	succeed(connection);
}

static Pending *ask_count(VmhConnection *connection)
{
	bool exact;

	if (connection->recovery.cannot_count)
		return ask_last_sequence(connection, on_last_sequence);
	return ask(connection, MANAGER, "CountEvents",
		   g_variant_new("(t@a{sv})", connection->recovery.after, rules_get_filter(connection->rules, &exact)),
		   on_count);
}

/* ---- fetching ---- */

static VmhEvent *read_event(GVariant *entry)
{
	g_autoptr(GVariant) value = g_variant_get_child_value(entry, 6);
	g_autoptr(GVariant) arguments = g_variant_get_variant(value);
	const char *path, *interface, *member;

	if (!g_variant_is_of_type(arguments, G_VARIANT_TYPE_TUPLE))
		return NULL;
	g_variant_get_child(entry, 3, "&o", &path);
	g_variant_get_child(entry, 4, "&s", &interface);
	g_variant_get_child(entry, 5, "&s", &member);
	return event_new_from_signal(path, interface, member, arguments);
}

static void unref_event(void *event)
{
	vmh_event_unref(event);
}

static void on_events(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata)
{
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func(unref_event);
	g_autoptr(GVariant) entries = NULL;
	gboolean complete;
	uint64_t last;

	connection->recovery.question = NULL;
	if (!answer || !g_variant_is_of_type(answer, G_VARIANT_TYPE("(bta(tttossv))"))) {
		on_error(connection, error);
		return;
	}
	g_variant_get(answer, "(bt@a(tttossv))", &complete, &last, &entries);
	for (size_t i = 0; i < g_variant_n_children(entries); i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(entries, i);
		VmhEvent *event = read_event(entry);

		if (event)
			g_ptr_array_add(events, event);
	}
	stream_fetched(connection->stream, complete, last, events);
	succeed(connection);
}

static Pending *ask_events(VmhConnection *connection)
{
	bool exact;

	return ask(connection, MANAGER, "GetEvents",
		   g_variant_new("(t@a{sv}u)", connection->recovery.after, rules_get_filter(connection->rules, &exact),
				 STREAM_FETCH_MAX),
		   on_events);
}

/* ---- snapshot ---- */

static void on_begun(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata)
{
	Recovery *self = &connection->recovery;

	self->question = NULL;
	if (!last_sequence_read(answer, &self->after)) {
		fail(connection, error ? error->message : "LastSequence is no number");
		return;
	}
	stream_snapshot_begun(connection->stream, self->after);
	/* Until the objects are here too. */
	self->question = g_steal_pointer(&self->second);
	delivery_set_due(connection);
}

static void on_objects(VmhConnection *connection, GVariant *answer, const VmhError *error, void *userdata)
{
	Recovery *self = &connection->recovery;
	g_autoptr(GVariant) objects = NULL;
	uint64_t newest;

	self->question = NULL;
	if (!answer || !g_variant_is_of_type(answer, G_VARIANT_TYPE("(a{oa{sa{sv}}})"))) {
		fail(connection, error ? error->message : "the answer is malformed");
		return;
	}
	/* What came between the two answers is in the objects already. */
	newest = stream_get_newest(connection->stream);
	objects = g_variant_get_child_value(answer, 0);
	stream_snapshot_taken(connection->stream, snapshot_new(objects, MAX(newest, self->after)));
	succeed(connection);
}

/* WARNING: the bus may prove to be lost with the second, and then the first is not there any more either. */
static void ask_snapshot(VmhConnection *connection)
{
	Recovery *self = &connection->recovery;

	self->question = ask_last_sequence(connection, on_begun);
	if (self->question)
		self->second = ask(connection, BUS_OBJECT_MANAGER, "GetManagedObjects", NULL, on_objects);
	if (!self->second)
		self->question = pending_free(self->question);
}

/* ---- when ---- */

void recovery_step(VmhConnection *connection)
{
	Recovery *self = &connection->recovery;
	StreamWant want;

	/* What is asked, is asked for all that is registered at the beginning. */
	if (!can_ask(connection) || self->question || self->retry_due >= 0 || self->restored)
		return;
	want = stream_get_want(connection->stream, &self->after);
	switch (want) {
	case STREAM_WANT_NOTHING:
		break;
	case STREAM_WANT_COUNT:
		self->question = ask_count(connection);
		break;
	case STREAM_WANT_FETCH:
		self->question = ask_events(connection);
		break;
	case STREAM_WANT_SNAPSHOT:
		ask_snapshot(connection);
		break;
	}
	if (want != STREAM_WANT_NOTHING && !self->question) {
		fail(connection, "it cannot be sent");
	} else if (self->verify_due < 0 && !self->question && stream_is_unverified(connection->stream)) {
		self->verify_due = g_get_monotonic_time() + RECOVERY_VERIFY_AFTER;
		attachment_wake(connection);
	}
}

gint64 recovery_get_due(const VmhConnection *connection)
{
	const Recovery *self = &connection->recovery;

	if (!can_ask(connection))
		return -1;
	/* While there is a pause nothing else is asked. */
	return self->retry_due >= 0 ? self->retry_due : self->verify_due;
}

void recovery_come_due(VmhConnection *connection)
{
	Recovery *self = &connection->recovery;
	gint64 due = recovery_get_due(connection);

	if (due < 0 || g_get_monotonic_time() < due)
		return;
	self->retry_due = self->verify_due = -1;
	stream_verify(connection->stream);
}

static void restart(VmhConnection *connection)
{
	Recovery *self = &connection->recovery;

	if (self->question) {
		cancel(self);
		stream_failed(connection->stream);
	}
	self->retry_due = self->verify_due = -1;
	self->retry = RECOVERY_RETRY_MIN;
	if (can_ask(connection))
		stream_verify(connection->stream);
}

void recovery_service_changed(VmhConnection *connection)
{
	connection->recovery.cannot_count = false;
	restart(connection);
}

void recovery_rule_added(VmhConnection *connection)
{
	Recovery *self = &connection->recovery;

	/* It may have been answered before the rule was in force, and so says nothing of what the rule wants. */
	if (self->question)
		restart(connection);
	else if (self->verify_due < 0)
		self->verify_due = g_get_monotonic_time() + RECOVERY_VERIFY_AFTER;
	attachment_wake(connection);
}

void recovery_restore(VmhConnection *connection)
{
	connection->recovery.restored = true;
	restart(connection);
}

void recovery_begin(VmhConnection *connection)
{
	Recovery *self = &connection->recovery;

	if (!self->restored || rules_get_length(connection->rules) == 0)
		return;
	self->restored = false;
	restart(connection);
	recovery_step(connection);
}

void recovery_close(VmhConnection *connection)
{
	cancel(&connection->recovery);
	connection->recovery.retry_due = connection->recovery.verify_due = -1;
}
