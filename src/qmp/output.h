/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * What is to be written to a monitor: commands, and the descriptors that go with some of them. Event thread.
 */

/* A descriptor, and the byte of the output that it has to go with. */
typedef struct QmpOutFd {
	size_t at;
	int fd;
} QmpOutFd;

typedef struct QmpOutput {
	GString *bytes;
	size_t done;                /* of bytes: so many are written */
	GArray *fds;                /* QmpOutFd, of what is not written yet, in order */
} QmpOutput;

void qmp_output_init(QmpOutput *output);
/* Descriptors that are left are closed. */
void qmp_output_clear(QmpOutput *output);
bool qmp_output_is_empty(const QmpOutput *output);
/* It is not written any more. */
void qmp_output_drop(QmpOutput *output);
/* Writes as much as the socket takes now. 0, or errno: the connection is of no use for writing. */
int qmp_output_write(QmpOutput *output, int fd);
