/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event-filter.h"

#include <string.h>

#include "bus/names.h"
#include "bus-options.h"
#include "bus/object-path.h"
#include "domain-signals.h"

/* All that it says has to hold. */
typedef struct Term {
	uint64_t kinds;                        /* a bit for each that is wanted */
	uint64_t after;
	char uuid[BUS_PATH_UUID_LENGTH + 1];   /* "": any */
	const char *arg0;                      /* NULL: any */
	size_t arg0_size;                      /* with its end */
} Term;
G_STATIC_ASSERT(EVENT_KIND_MAX <= 64);

struct EventFilter {
	Term all;
	unsigned n_any_of;                     /* 0: not given */
	uint64_t any_kinds;                    /* of all of them */
	Term any_of[EVENT_FILTER_ANY_OF_MAX];
};

/* ---- reading ---- */

/* A name that no signal has finds none, and is no mistake: it may be that of a later version. */
static uint64_t find_kinds(const char *interface, const char *member)
{
	uint64_t kinds = 0;

	for (int kind = 0; kind < EVENT_KIND_MAX; kind++) {
		const DomainSignal *signal = domain_signal_of((EventKind)kind);

		if ((!interface || g_str_equal(interface, signal->interface)) &&
		    (!member || g_str_equal(member, signal->member)))
			kinds |= UINT64_C(1) << kind;
	}
	return kinds;
}

/* further: what is known besides. */
static int read_term(sd_bus_message *message, BusOption further, Term *term, sd_bus_error *ret_error)
{
	const char *domain = NULL, *interface = NULL, *member = NULL;
	const BusOption options[] = {
		{ "domain", BUS_OPTION_PATH, &domain },
		{ "interface", BUS_OPTION_STRING, &interface },
		{ "member", BUS_OPTION_STRING, &member },
		{ "arg0", BUS_OPTION_STRING, &term->arg0 },
		further,
	};
	int r = bus_read_options(message, options, G_N_ELEMENTS(options), ret_error);

	if (r < 0)
		return r;
	if (domain && !bus_path_to_uuid(domain, term->uuid))
		return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"),
					 "options: domain: '%s' is not the path of a domain", domain);
	term->kinds = find_kinds(interface, member);
	if (term->arg0)
		term->arg0_size = strlen(term->arg0) + 1;
	return r;
}

static int read_one_of(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	EventFilter *filter = userdata;
	Term *term = &filter->any_of[filter->n_any_of];
	int r;

	if (filter->n_any_of == EVENT_FILTER_ANY_OF_MAX)
		return sd_bus_error_setf(ret_error, BUS_ERROR("InvalidArgument"), "more than %u are too many",
					 EVENT_FILTER_ANY_OF_MAX);
	r = read_term(message, (BusOption){ "after", BUS_OPTION_SEQUENCE, &term->after }, term, ret_error);
	if (r < 0)
		return r;
	filter->any_kinds |= term->kinds;
	filter->n_any_of++;
	return r;
}

int event_filter_read(sd_bus_message *message, EventFilter **ret_filter, sd_bus_error *ret_error)
{
	g_autoptr(EventFilter) filter = g_new0(EventFilter, 1);
	BusOptionList any_of = { read_one_of, filter };
	int r = read_term(message, (BusOption){ "any-of", BUS_OPTION_LIST, &any_of }, &filter->all, ret_error);

	if (r < 0)
		return r;
	*ret_filter = g_steal_pointer(&filter);
	return r;
}

EventFilter *event_filter_free(EventFilter *filter)
{
	g_free(filter);
	return NULL;
}

/* ---- using ---- */

/* Arguments are in the form of GVariant, where a string that comes first is at the beginning, with its end. */
static bool has_arg0(const HistoryEntry *entry, const Term *term)
{
	return entry->length >= term->arg0_size && memcmp(entry->arguments, term->arg0, term->arg0_size) == 0;
}

static bool holds(const Term *term, const HistoryEntry *entry, uint64_t kind)
{
	return (term->kinds & kind) && entry->sequence > term->after &&
	       (!*term->uuid || g_str_equal(term->uuid, entry->uuid)) &&
	       (!term->arg0 || !entry->arguments || has_arg0(entry, term));
}

bool event_filter_wants(const EventFilter *filter, const HistoryEntry *entry)
{
	uint64_t kind = UINT64_C(1) << entry->kind;

	if (!holds(&filter->all, entry, kind))
		return false;
	if (filter->n_any_of == 0)
		return true;
	if (filter->any_kinds & kind)
		for (unsigned i = 0; i < filter->n_any_of; i++)
			if (holds(&filter->any_of[i], entry, kind))
				return true;
	return false;
}

/* Of those for which both hold. */
static uint64_t get_last_forgotten(const Term *all, const Term *term, const History *history)
{
	const char *uuid = *term->uuid ? term->uuid : all->uuid;

	if (*all->uuid && !g_str_equal(all->uuid, uuid))
		return 0;
	return history_get_last_forgotten(history, *uuid ? uuid : NULL, all->kinds & term->kinds);
}

bool event_filter_has_forgotten(const EventFilter *filter, const History *history, uint64_t after)
{
	if (filter->n_any_of == 0)
		return get_last_forgotten(&filter->all, &filter->all, history) > after;
	for (unsigned i = 0; i < filter->n_any_of; i++) {
		const Term *term = &filter->any_of[i];

		if (get_last_forgotten(&filter->all, term, history) > MAX(after, term->after))
			return true;
	}
	return false;
}

unsigned event_filter_get_effort(const EventFilter *filter)
{
	return 1 + filter->n_any_of / 8;
}
