/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event-query.h"

#include "bus/names.h"
#include "bus/object-path.h"
#include "bus/variant.h"
#include "domain-signals.h"
#include "event-filter.h"
#include "signal-body.h"

typedef struct EventQuery {
	const History *history;      /* NULL: there is none */
	EventFilter *filter;
	uint64_t after, last;        /* what was asked for; how far it got */
	uint64_t newest;             /* that there is */
	unsigned limit;              /* events */
	unsigned found;
	size_t bytes;
	bool complete;
	GVariantBuilder *events;     /* a(tttossv); NULL: they are counted */
} EventQuery;

/* NULL if it was too long for the history, or is not what it was. */
static GVariant *get_body(const HistoryEntry *entry)
{
	g_autofree char *type = signal_body_get_type(entry->kind);
	g_autoptr(GVariant) body = NULL;
	void *copy;

	if (!entry->arguments)
		return NULL;
	/* The file may have been damaged; what is in it is copied, since the ring goes on. */
	copy = g_memdup2(entry->arguments, entry->length);
	body = g_variant_ref_sink(g_variant_new_from_data(G_VARIANT_TYPE(type), copy, entry->length, FALSE,
							  g_free, copy));
	return g_variant_is_normal_form(body) ? g_steal_pointer(&body) : NULL;
}

/* Floating. */
static GVariant *make_event(const HistoryEntry *entry, GVariant *body)
{
	const DomainSignal *signal = domain_signal_of(entry->kind);
	g_autofree char *path = bus_path_from_uuid(entry->uuid);

	return g_variant_new("(tttossv)", entry->sequence, entry->previous, (uint64_t)entry->time, path,
			     signal->interface, signal->member, body);
}

static void tell(EventQuery *query, const HistoryEntry *entry)
{
	g_autoptr(GVariant) body = get_body(entry);

	if (!body) {
		query->complete = false;
		return;
	}
	query->found++;
	query->bytes += entry->length;
	g_variant_builder_add_value(query->events, make_event(entry, body));
}

static void count(EventQuery *query, const HistoryEntry *entry)
{
	if (entry->arguments)
		query->found++;
	else
		query->complete = false;
}

static void look_through(EventQuery *query)
{
	uint64_t oldest = query->history ? history_get_oldest(query->history) : 0;
	unsigned examined_max = query->events ? EVENT_QUERY_EXAMINED_MAX
					      : EVENT_COUNT_EFFORT_MAX / event_filter_get_effort(query->filter);
	unsigned examined = 0;
	HistoryEntry entry;

	query->complete = query->after >= query->newest ||
			  (oldest != 0 && !event_filter_has_forgotten(query->filter, query->history, query->after));
	/* What is not there is not asked for again. */
	query->last = oldest == 0 ? query->newest : MAX(query->after, oldest - 1);
	while (query->found < query->limit && query->bytes < EVENT_QUERY_BYTES_MAX &&
	       examined++ < examined_max && query->last < query->newest &&
	       history_get(query->history, query->last + 1, &entry)) {
		if (event_filter_wants(query->filter, &entry))
			(query->events ? tell : count)(query, &entry);
		query->last++;
	}
}

/* Of so many messages that have not been written no more can be answers: the oldest ones are. */
static void forget_written(Service *service)
{
	uint64_t unwritten = emitter_count_unwritten(service->emitter);

	while (service->queries.length > unwritten) {
		uid_t uid = GPOINTER_TO_UINT(g_queue_pop_head(&service->queries));

		user_limits_give(service->user_limits, uid, USER_LIMIT_QUERIES, 1);
	}
}

/* An answer may have megabytes, and the bus need not take it. */
static int check_user(Service *service, sd_bus_message *call, sd_bus_error *ret_error)
{
	uid_t uid;
	int r;

	if (!credentials_get(service->credentials, sd_bus_message_get_sender(call), &uid, NULL) ||
	    !service->user_limits || !user_limits_limits(service->user_limits, uid, USER_LIMIT_QUERIES))
		return 0;
	forget_written(service);
	r = user_limits_take(service->user_limits, uid, USER_LIMIT_QUERIES, 1, ret_error);
	if (r >= 0)
		g_queue_push_tail(&service->queries, GUINT_TO_POINTER(uid));
	return r;
}

/* after and filter, of both methods. */
static int read_query(sd_bus_message *call, Service *service, EventQuery *query, sd_bus_error *ret_error)
{
	int r = check_user(service, call, ret_error);

	if (r >= 0)
		r = sd_bus_message_read(call, "t", &query->after);
	query->history = driver_get_history(service->driver);
	query->newest = driver_get_last_sequence(service->driver);
	if (r >= 0)
		r = event_filter_read(call, &query->filter, ret_error);
	if (r < 0)
		return r;
	if (query->after > query->newest)
		return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
					 "after: %" G_GUINT64_FORMAT " has not been given out yet, the last "
					 "sequence is %" G_GUINT64_FORMAT, query->after, query->newest);
	return r;
}

/* Behind the signals that wait: who has the answer has them, or they are in it. events: NULL where they are
 * counted. */
static int reply(sd_bus_message *call, Service *service, const EventQuery *query, GVariant *events)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(call, &reply);

	if (r >= 0)
		r = sd_bus_message_append(reply, "bt", (int)query->complete, query->last);
	if (r >= 0)
		r = events ? bus_append_gvariant(reply, events)
			   : sd_bus_message_append(reply, "t", (uint64_t)query->found);
	if (r < 0) {
		sd_bus_message_unref(reply);
		return r;
	}
	emitter_reply(service->emitter, NULL, reply);
	return 1;
}

int event_query_method(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	g_autoptr(GVariant) events = NULL;
	GVariantBuilder builder;
	EventQuery query = { .events = &builder };
	int r = read_query(message, service, &query, ret_error);

	if (r >= 0)
		r = sd_bus_message_read(message, "u", &query.limit);
	if (r >= 0) {
		query.limit = query.limit == 0 ? EVENT_QUERY_LIMIT_DEFAULT
					       : MIN(query.limit, EVENT_QUERY_LIMIT_MAX);
		g_variant_builder_init(&builder, G_VARIANT_TYPE("a(tttossv)"));
		look_through(&query);
		events = g_variant_ref_sink(g_variant_builder_end(&builder));
		r = reply(message, service, &query, events);
	}
	event_filter_free(query.filter);
	return r;
}

int event_query_count_method(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	EventQuery query = { .limit = G_MAXUINT };
	int r = read_query(message, userdata, &query, ret_error);

	if (r >= 0) {
		look_through(&query);
		r = reply(message, userdata, &query, NULL);
	}
	event_filter_free(query.filter);
	return r;
}
