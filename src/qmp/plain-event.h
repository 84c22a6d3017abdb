/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * An event as QEMU writes nearly all of them, read in one pass and without a tree:
 *
 *    {"timestamp": {"seconds": N, "microseconds": N}, "event": "NAME", "data": {...}}
 *
 * with members that are booleans, integers, texts of printable ASCII without escapes, and objects of such. What this
 * reader takes, json-glib would read as the same. What is in any way different, or longer, it leaves to json-glib
 * (qmp/message.h): a key that comes twice, another key, an array, null, a number with a point. It judges nothing.
 *
 * Why: with json-glib more than half of what an event cost the service was its tree.
 */

#define QMP_PLAIN_LENGTH_MAX  4096u     /* bytes of the line */
#define QMP_PLAIN_MEMBERS_MAX 16u       /* of data, those of objects in it included */

typedef enum QmpPlainType {
	QMP_PLAIN_OBJECT,
	QMP_PLAIN_BOOLEAN,
	QMP_PLAIN_INTEGER,
	QMP_PLAIN_TEXT,
} QmpPlainType;

/* A piece of the line; not terminated by NUL. */
typedef struct QmpPlainText {
	const char *at;
	unsigned length;
} QmpPlainText;

typedef struct QmpPlainMember {
	QmpPlainText key;
	int parent;                     /* index of the object that it is in; -1: data itself */
	QmpPlainType type;
	bool flag;
	int64_t number;
	QmpPlainText text;
} QmpPlainMember;

typedef struct QmpPlainEvent {
	QmpPlainText name;              /* not empty */
	int64_t seconds, microseconds;  /* not negative; 0 if there was no stamp */
	unsigned n_members;
	QmpPlainMember members[QMP_PLAIN_MEMBERS_MAX];
	unsigned length;
	char line[];                    /* a copy of the line, for who needs its tree after all; ends in NUL */
} QmpPlainEvent;

/* NULL if the line is not as plain as that. Free with g_free(). Any thread. */
QmpPlainEvent *qmp_plain_event_read(const char *line, size_t length);

/* The member of data by its path ("id", "info.slot"), or NULL. */
const QmpPlainMember *qmp_plain_event_find(const QmpPlainEvent *event, const char *path);
