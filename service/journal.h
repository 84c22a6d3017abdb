/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram for each record. Not
 * sd_journal_sendv(), which waits for a journal that is busy, and the event thread waits for nobody. Any thread.
 */

#define JOURNAL_SOCKET_PATH  "/run/systemd/journal/socket"
/* Above it a value is cut, and then fields are left out; a datagram has to fit into a socket's buffer. */
#define JOURNAL_VALUE_MAX    16384u
#define JOURNAL_RECORD_MAX   (128u * 1024)

/* Appends one field. Nothing happens if the journal does not take such a name, or there is no room; a value that has
 * to be cut ends in "...". length -1: value ends in NUL. */
void journal_append(GByteArray *record, const char *name, const char *value, gssize length);

/* A socket for journal_send(), or -1 with errno. */
int journal_open(void);
/* 0, or a negative errno: -EAGAIN if the journal does not keep up, -ENOENT or -ECONNREFUSED if there is none. */
int journal_send(int fd, const char *socket_path, const GByteArray *record);

/* Is that descriptor the one that the service manager has connected to the journal ($JOURNAL_STREAM)? */
bool journal_is_stream(int fd, const char *journal_stream);
