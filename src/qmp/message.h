/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "qmp/plain-event.h"

/*
 * One message from QEMU, told apart by its keys: "QMP" is the greeting, "return" a reply, "error"
 * a failed command, "event" an event. Key order means nothing and unknown keys are ignored (QMP
 * specification). Immutable once it is handed on: may be given to a worker.
 */

/* Of the name of an event; a longer one is none. Of the text of an error as it is passed on; the rest is cut. */
#define QMP_NAME_MAX       256u
#define QMP_ERROR_TEXT_MAX (64u * 1024)

typedef enum QmpMessageKind {
	QMP_MESSAGE_GREETING,
	QMP_MESSAGE_REPLY,
	QMP_MESSAGE_ERROR,
	QMP_MESSAGE_EVENT,
} QmpMessageKind;

typedef struct QmpMessage {
	QmpMessageKind kind;
	bool has_id;
	uint64_t id;            /* replies and errors: the number we sent, if has_id */
	const char *name;       /* events: its name; errors: the class; else NULL */
	const char *text;       /* errors: the description, passed on as it is, never parsed */
	int64_t time;           /* events: microseconds since 1970 by QEMU's clock; 0 if it sent none
				 * (QEMU sends -1 where the host clock cannot be read) */
	JsonNode *body;         /* greeting: value of "QMP"; reply: value of "return"; event: value of
				 * "data" if it is an object, else NULL. Sealed */
	JsonNode *root;         /* owns the strings above */
	QmpPlainEvent *plain;   /* events: instead of body and root, and name is the message's own; or NULL */
	uint64_t position;      /* where it ends in the stream (qmp/journal.h), once a monitor has handed it on; else 0 */
} QmpMessage;

/* Parses one line as the framer gave it. CORE_ERROR_INVALID_ARGUMENT says what is wrong with it.
 * Any thread. */
QmpMessage *qmp_message_parse(const char *line, size_t length, GError **error);
/* The same, but that a plain event is left without a tree. */
QmpMessage *qmp_message_read(const char *line, size_t length, GError **error);
/* The message of a plain event once more, with its tree. */
QmpMessage *qmp_message_parse_plain(const QmpMessage *message);
QmpMessage *qmp_message_free(QmpMessage *message);

/* Sets error from a QMP_MESSAGE_ERROR: DeviceNotFound becomes CORE_ERROR_NO_SUCH_DEVICE, all other
 * classes CORE_ERROR_QEMU_ERROR; the text is "CLASS: DESCRIPTION". */
void qmp_message_set_error(const QmpMessage *message, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpMessage, qmp_message_free)
