/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "event/event.h"

/*
 * One member of an event's data, and where it goes: into the payload, or into the details.
 *
 * QEMU's versions differ, and a broken one may say anything, so nothing is refused. A member of the
 * payload that is missing or has the wrong type leaves its place empty ("", 0, false); a word that is
 * not among those known is passed on; what no field names goes to the details under its own name. Each
 * departure is told in the detail "irregular" and marks the event.
 */

typedef enum FieldType {
	FIELD_NONE,
	FIELD_TEXT,         /* string */
	FIELD_WORD,         /* string, one of the values */
	FIELD_FLAG,         /* boolean */
	FIELD_SWITCH,       /* boolean, as the first (true) or the second (false) of the values */
	FIELD_INT,          /* signed */
	FIELD_SIZE,         /* unsigned */
	FIELD_CONSTANT,     /* no member: always the first value */
	FIELD_TAKEN,        /* any type; the row's complete() looks at it */
} FieldType;

typedef struct EventField {
	const char *member;             /* "result.status": a member of a member */
	FieldType type;
	bool optional;
	size_t offset;                  /* in Event; 0: it is a detail */
	const char *detail;             /* its key, if it is one */
	const char *const *values;      /* up to NULL */
} EventField;

/* Strings in details longer than this, and members beyond so many, are left out (told as irregular). */
#define EVENT_TEXT_MAX    (256u * 1024)
#define EVENT_DETAILS_MAX 64u
/* And of what no field names so many bytes in all: an event has to fit into a message on the bus. */
#define EVENT_REST_MAX    (4u * 1024 * 1024)

/* Fills event from data (NULL: none). fields may be NULL. Any thread. */
void event_read_fields(Event *event, const EventField *fields, JsonObject *data);

/* Marks event, and adds text to its detail "irregular". At most IRREGULARITIES_MAX are kept. */
#define EVENT_IRREGULARITIES_MAX 16u
void event_add_irregularity(Event *event, const char *member, const char *what);
