/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/*
 * A file that remembers a position in the stream of events, so that the next run goes on from there.
 *
 * It is never ahead of what has been written to stdout: a line that was out when the program was killed, and whose position was
 * not, comes again, and none is left out.
 */

/* While nothing is shown the position goes on as well: it is written so often, in microseconds. */
#define POSITION_INTERVAL (1 * G_USEC_PER_SEC)

typedef struct Position {
	const char *file;       /* NULL: there is none, and nothing is done */
	char *written;          /* what is in the file */
	char *next;             /* what is to be there; NULL: nothing new */
	int64_t due;            /* when to write it (monotonic) */
} Position;

/* Reads the file. Where there is none, or it is empty, position->written is NULL. Free with position_clear(). */
CtlExit position_read(Position *position, const char *file);
void position_clear(Position *position);

/* That is where the connection is now. soon: what was shown is in it. */
void position_note(Position *position, VmhConnection *connection, bool soon);
/* Writes it, if it is due. A failure is reported. */
CtlExit position_write(Position *position);
/* When position_write() has something to do (monotonic); -1: not until something is noted. */
int64_t position_get_due(const Position *position);
