/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "event/event.h"
#include "event/field.h"

/*
 * The events of QEMU, one row each, sorted by name: what kind of event each becomes, which member of
 * its data goes where, and how it is handled. decode.c does what the rows say.
 *
 * To add one: a row here, a row in service/domain-signals.c if the signal is new, an entry in
 * introspection/. What the domain does on top (state, properties) is in src/domain.
 *
 * Members and their types are those of QEMU's QAPI schema (7.2 to 10.2).
 */

typedef enum EventClass {
	/* Decode and pass on. Needs no blocking work. */
	EVENT_CLASS_STREAM,
	/* Work must be done before it may be shown; holds back the domain's later events. */
	EVENT_CLASS_PREPARE,
	/* Starts a job of its own and holds back nothing. */
	EVENT_CLASS_TRIGGER,
} EventClass;

typedef struct EventRow {
	const char *name;
	EventClass event_class;
	EventKind kind;
	/* Up to the first without a type; NULL: none. */
	const EventField *fields;
	/* What is not a copy of one member; after the fields. data may be NULL. Or NULL. */
	void (*complete)(JsonObject *data, Event *event);
} EventRow;

/* NULL if there is no row. Any thread. */
const EventRow *event_table_lookup(const char *name);

/* The rows, for tests. */
const EventRow *event_table_rows(size_t *ret_count);
