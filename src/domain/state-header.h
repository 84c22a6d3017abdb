/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"

/*
 * What stands before QEMU's data in the file of a saved state: whose state it is, what ran, and how long it is.
 * So a file that is another's, or not whole, is refused before a QEMU is started, with a text that says why; and
 * the state is loaded into the machine that it was saved of, whatever the definition says by then.
 *
 * The first line is text of a fixed length:
 *
 *   vmherald-state VERSION HEADER-LENGTH STATE-LENGTH SHA-256
 *
 * Lengths are bytes in decimal digits; the state has length 0 until it is whole. The checksum is that of what
 * follows, a JSON object, up to the length of the header. Behind it QEMU's data begin. They have no checksum:
 * that would be a second reading of the whole memory.
 *
 * Everything here blocks on the disk: worker thread, or start-up. Errors are CORE_ERROR_IO.
 */

/* A definition as a string in JSON, and a little. */
#define STATE_HEADER_MAX (12u * 1024 * 1024)

typedef struct StateHeader {
	Definition *definition;      /* what ran: its uuid says whose state it is */
	uint64_t incarnation;
	char *qemu_version;          /* "7.2.22" */
	bool was_running;            /* before it was saved */
	int64_t saved_at;            /* microseconds since 1970 */
} StateHeader;

/* The whole header, of a state that is not whole yet. Event thread, too. */
char *state_header_to_text(const StateHeader *header);
/* Writes it where fd stands, which is the beginning. */
bool state_header_write(int fd, const char *text, GError **error);
/* QEMU's data are there: their length is written into the header. fd can be read and written; its offset stays. */
bool state_header_complete(int fd, GError **error);

/* Reads and checks it, and leaves fd where QEMU's data begin. The state is whole and that of a domain of
 * this uuid; errors do not name the file. */
StateHeader *state_header_read(int fd, const char *uuid, GError **error);
/* Of a file that need not be whole; false if it cannot be told. */
bool state_header_was_running(int fd);

StateHeader *state_header_free(StateHeader *header);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StateHeader, state_header_free)
