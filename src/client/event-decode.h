/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/event-kinds.h"

/* The arguments of a signal, of the type that the row has, into the typed event. The strings are places in arguments, which has
 * to be in one piece and to live as long as the event. */
void event_decode(VmhEvent *event, const EventKindRow *row, GVariant *arguments,
		  EventAllocations *allocations);

/* For the table. */
void decode_lifecycle(VmhEvent *event, GVariant *arguments, EventAllocations *allocations);
void decode_filter_changed(VmhEvent *event, GVariant *arguments, EventAllocations *allocations);
void decode_memory_failure(VmhEvent *event, GVariant *arguments, EventAllocations *allocations);
void decode_properties_changed(VmhEvent *event, GVariant *arguments, EventAllocations *allocations);
void decode_domain_added(VmhEvent *event, GVariant *arguments, EventAllocations *allocations);
