/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "event/event.h"
#include "qmp/message.h"

/*
 * The events of QEMU that we know, one row each, sorted by name.
 *
 * To add one: a row and a decoder here, a row in service/domain-signals.c if the signal is new, an
 * entry in introspection/. What the domain does on top (state, properties) is in src/domain.
 */

typedef enum EventClass {
	/* Decode and pass on. Needs no blocking work. */
	EVENT_CLASS_STREAM,
	/* Work must be done before it may be shown; holds back the domain's later events. */
	EVENT_CLASS_PREPARE,
	/* Starts a job of its own and holds back nothing. */
	EVENT_CLASS_TRIGGER,
} EventClass;

/* Fills the payload of event, whose kind is the row's, from data (QEMU's "data", may be NULL). False if what
 * QEMU promises is not there: then the event goes out as EVENT_MONITOR_EVENT with its JSON, so that
 * nothing is lost. Pure; worker thread. */
typedef bool (*EventDecoder)(JsonObject *data, Event *event);

typedef struct EventRow {
	const char *name;
	EventClass event_class;
	EventKind kind;
	EventDecoder decode;
} EventRow;

/* NULL if there is no row. Any thread. */
const EventRow *event_table_lookup(const char *name);

/* The rows, for tests. */
const EventRow *event_table_rows(size_t *ret_count);

/* A bus cuts off who sends more than it takes (32 MiB by default on the system bus). Above this, the data of an
 * event without a row is left out, and the details say how much it was. */
#define EVENT_DATA_MAX (4u * 1024 * 1024)

/* A QMP event as an Event; without a row, or if the decoder refuses, as EVENT_MONITOR_EVENT. Never NULL.
 * Any thread. */
Event *event_decode(const QmpMessage *message);
