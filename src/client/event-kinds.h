/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <vmherald/event.h>

/*
 * The signals that the library knows: one row for each kind. The signatures are those of introspection/, which tests hold
 * against this, and so against what the service sends.
 */

/* What all events end in. */
#define EVENT_STAMP_SIGNATURE "(ttt)a{sv}"

#define EVENT_ARGUMENTS_MAX 5

/* What a decoder has to allocate; it is the event's then. */
typedef struct EventAllocations {
	GVariant *value;
	void *lists[2];              /* of g_malloc() */
} EventAllocations;

typedef struct EventKindRow {
	VmhEventKind kind;
	const char *interface;       /* the full name */
	const char *member;
	const char *name;            /* the short one of the interface, and the member */
	const char *signature;       /* without stamp and details */
	/* Where in the event each argument goes, in the order of the signature, which is of s, b, t and x then. */
	size_t arguments[EVENT_ARGUMENTS_MAX];
	/* For what is not just copied: arguments has the row's type. */
	void (*decode)(VmhEvent *event, GVariant *arguments, EventAllocations *allocations);
} EventKindRow;

/* NULL: there is no such kind (UNKNOWN, ANY). */
const EventKindRow *event_kind_get_row(VmhEventKind kind);
/* NULL: there is no such signal. */
const EventKindRow *event_kind_find_row(const char *interface, const char *member);

/* Has it a stamp, so that it is an event? */
bool event_kind_is_stamped(const EventKindRow *row);
