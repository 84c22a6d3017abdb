/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "event/history.h"

/*
 * Which of the events that were told somebody wants: the a{sv} of Manager.GetEvents() and CountEvents().
 *
 * Names are turned into what the entries of the history have (kind, uuid) when they are read, and not for each of many
 * thousand entries.
 */

#define EVENT_FILTER_ANY_OF_MAX 64u

typedef struct EventFilter EventFilter;

/* At an a{sv} of message, which has to outlive the filter: strings are borrowed. What is not known, or is no path of a
 * domain, is InvalidArgument. */
int event_filter_read(sd_bus_message *message, EventFilter **ret_filter, sd_bus_error *ret_error);
EventFilter *event_filter_free(EventFilter *filter);

/* Where the arguments of entry are not there any more, what the filter says of them counts as true. */
bool event_filter_wants(const EventFilter *filter, const HistoryEntry *entry);
/* Has the history had some behind `after` that may have been wanted, and does not have them any more? */
bool event_filter_has_forgotten(const EventFilter *filter, const History *history, uint64_t after);
/* How much one entry costs, as a multiple of what it costs with a simple filter. */
unsigned event_filter_get_effort(const EventFilter *filter);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventFilter, event_filter_free)
