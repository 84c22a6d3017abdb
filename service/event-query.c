/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event-query.h"

#include "bus/names.h"
#include "bus-options.h"
#include "bus/object-path.h"
#include "bus/variant.h"
#include "domain-signals.h"

typedef struct EventFilter {
	const char *domain, *interface, *member, *arg0;   /* NULL: any */
	char uuid[BUS_PATH_UUID_LENGTH + 1];              /* of domain */
} EventFilter;

typedef struct EventQuery {
	const History *history;      /* NULL: there is none */
	EventFilter filter;
	uint64_t after, last;        /* what was asked for; how far it got */
	uint64_t newest;             /* that there is */
	unsigned limit;              /* events */
	unsigned found;
	size_t bytes;
	bool complete;
	GVariantBuilder events;      /* a(tttossv) */
} EventQuery;

static bool is_wanted(const EventQuery *query, const HistoryEntry *entry)
{
	const DomainSignal *signal = domain_signal_of(entry->kind);
	const EventFilter *filter = &query->filter;

	return (!filter->domain || g_str_equal(filter->uuid, entry->uuid)) &&
	       (!filter->interface || g_str_equal(filter->interface, signal->interface)) &&
	       (!filter->member || g_str_equal(filter->member, signal->member));
}

/* NULL if it was too long for the history, or is not what it was. */
static GVariant *get_body(const HistoryEntry *entry)
{
	g_autofree char *type = domain_signal_get_body_type(entry->kind);
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

static bool has_arg0(GVariant *body, const char *arg0)
{
	g_autoptr(GVariant) first = g_variant_get_child_value(body, 0);

	return g_str_equal(g_variant_get_string(first, NULL), arg0);
}

/* Floating. */
static GVariant *make_event(const HistoryEntry *entry, GVariant *body)
{
	const DomainSignal *signal = domain_signal_of(entry->kind);
	g_autofree char *path = bus_path_from_uuid(entry->uuid);

	return g_variant_new("(tttossv)", entry->sequence, entry->previous, (uint64_t)entry->time, path,
			     signal->interface, signal->member, body);
}

static void add_if_wanted(EventQuery *query, const HistoryEntry *entry)
{
	g_autoptr(GVariant) body = NULL;

	if (!is_wanted(query, entry))
		return;
	body = get_body(entry);
	if (!body)
		query->complete = false;
	if (!body || (query->filter.arg0 && !has_arg0(body, query->filter.arg0)))
		return;
	query->found++;
	query->bytes += entry->length;
	g_variant_builder_add_value(&query->events, make_event(entry, body));
}

static void look_through(EventQuery *query)
{
	uint64_t oldest = query->history ? history_get_oldest(query->history) : 0;
	unsigned examined = 0;
	HistoryEntry entry;

	query->complete = query->after >= query->newest || (oldest != 0 && oldest <= query->after + 1);
	/* What is not there is not asked for again. */
	query->last = oldest == 0 ? query->newest : MAX(query->after, oldest - 1);
	while (query->found < query->limit && query->bytes < EVENT_QUERY_BYTES_MAX &&
	       examined++ < EVENT_QUERY_EXAMINED_MAX && query->last < query->newest &&
	       history_get(query->history, query->last + 1, &entry)) {
		add_if_wanted(query, &entry);
		query->last++;
	}
}

static int make_reply(sd_bus_message *call, EventQuery *query, sd_bus_message **ret_reply)
{
	g_autoptr(GVariant) events = NULL;
	sd_bus_message *reply = NULL;
	int r;

	g_variant_builder_init(&query->events, G_VARIANT_TYPE("a(tttossv)"));
	look_through(query);
	events = g_variant_ref_sink(g_variant_builder_end(&query->events));
	r = sd_bus_message_new_method_return(call, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "bt", (int)query->complete, query->last);
	if (r >= 0)
		r = bus_append_gvariant(reply, events);
	if (r < 0) {
		sd_bus_message_unref(reply);
		return r;
	}
	*ret_reply = reply;
	return 0;
}

static int read_query(sd_bus_message *message, EventQuery *query, sd_bus_error *ret_error)
{
	EventFilter *filter = &query->filter;
	const BusOption options[] = {
		{ "domain", BUS_OPTION_PATH, &filter->domain },
		{ "interface", BUS_OPTION_STRING, &filter->interface },
		{ "member", BUS_OPTION_STRING, &filter->member },
		{ "arg0", BUS_OPTION_STRING, &filter->arg0 },
	};
	int r = sd_bus_message_read(message, "t", &query->after);

	if (r >= 0)
		r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);
	if (r >= 0)
		r = sd_bus_message_read(message, "u", &query->limit);
	if (r < 0)
		return r;
	if (filter->domain && !bus_path_to_uuid(filter->domain, filter->uuid))
		return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
					 "filter: domain: '%s' is not the path of a domain",
					 filter->domain);
	if (query->after > query->newest)
		return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
					 "after: %" G_GUINT64_FORMAT " has not been given out yet, the last "
					 "sequence is %" G_GUINT64_FORMAT, query->after, query->newest);
	query->limit = query->limit == 0 ? EVENT_QUERY_LIMIT_DEFAULT
					 : MIN(query->limit, EVENT_QUERY_LIMIT_MAX);
	return 0;
}

int event_query_method(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	Service *service = userdata;
	EventQuery query = {
		.history = driver_get_history(service->driver),
		.newest = driver_get_last_sequence(service->driver),
	};
	sd_bus_message *reply;
	int r = read_query(message, &query, ret_error);

	if (r >= 0)
		r = make_reply(message, &query, &reply);
	if (r < 0)
		return r;
	/* Behind the signals that wait: who has the answer has them, or they are in it. */
	emitter_reply(service->emitter, NULL, reply);
	return 1;
}
