/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Bytes in, complete lines out. QMP sends one JSON object a line (CR LF); a read may end anywhere,
 * also in the middle of a UTF-8 sequence, and may hold many lines.
 *
 * reserve() hands out room to read into, commit() says how much came, next() hands out the lines in it without
 * copying. That room is the same for all framers, and who has nothing left has no memory: so reserve() and
 * commit() must follow each other. Event thread, of which there is one.
 */

#define QMP_MESSAGE_MAX  (64u * 1024 * 1024)
#define QMP_NESTING_MAX  1024u

typedef struct QmpFramer QmpFramer;

QmpFramer *qmp_framer_new(void);
QmpFramer *qmp_framer_free(QmpFramer *framer);

/* Room for at least one byte, usually 64 KiB. Lines handed out before are no longer valid, those of other framers
 * neither. */
char *qmp_framer_reserve(QmpFramer *framer, size_t *ret_room);

/* Takes over the first length bytes of the room. False with CORE_ERROR_LIMIT_EXCEEDED if the
 * line begun is longer than QMP_MESSAGE_MAX; the framer then holds nothing and is of no more use. */
bool qmp_framer_commit(QmpFramer *framer, size_t length, GError **error);

/* The next complete line without its line end, empty ones left out; valid until the next reserve() of any
 * framer, or the next call of this. */
bool qmp_framer_next(QmpFramer *framer, const char **ret_line, size_t *ret_length);

/* True if a line has begun and not ended: at EOF, something was cut off. */
bool qmp_framer_has_partial(const QmpFramer *framer);

/* Bytes since the framer was made: of the lines that were handed out, with their ends; and all that came in. */
uint64_t qmp_framer_get_handed_out(const QmpFramer *framer);
uint64_t qmp_framer_get_received(const QmpFramer *framer);

/* True if all that came in has been handed out. */
bool qmp_framer_is_empty(const QmpFramer *framer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpFramer, qmp_framer_free)
