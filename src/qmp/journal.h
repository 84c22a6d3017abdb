/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What was read from a monitor and has not been dealt with yet, in memory that is shared with a small file: after a kill
 * of the service at any moment the next one finds each byte that QEMU wrote either here or still in the socket.
 *
 *    0 ....... start ................ end ............. seen ...... allocated
 *    | dealt with | read, to be dealt with | being read |
 *
 *    read       look at what the socket has (MSG_PEEK) and copy it behind the end; seen = end + n; take n bytes from the
 *               socket; end = seen. Killed in between, the next service looks whether the socket has these bytes still.
 *    deal with  note what is about to be done, and the number of the last event (qmp_journal_intend()); tell the events;
 *               start = end of the message. Killed in between, the events with later numbers say how far it came.
 *
 * WARNING: each step is one store, and a kill at any moment relies on their order. Bytes are written where they do not
 * count, and then made to count.
 *
 * A position is a count of bytes: where in the stream a message ends, from the beginning of the connection, or of what
 * was left of it. The file knows offsets alone.
 *
 * Bounded by QMP_JOURNAL_MAX. What is read above it is not here: until all of that is dealt with, the journal is not
 * whole, and says so in the file before the bytes are taken. Events alone do not come there, for the monitor of a domain with
 * too many of them is not read (domain/intake.c); one message of that length does.
 *
 * Event thread, but for open and free.
 */

#define QMP_JOURNAL_NAME   "journal"
#define QMP_JOURNAL_MAX    (4u * 1024 * 1024)
/* The file begins with one page. Beyond that it takes its place on the disk by so much, and gives it back when all is dealt
 * with. */
#define QMP_JOURNAL_CHUNK  (16u * 1024)
/* In that page there is room for notes of whoever opens it. */
#define QMP_JOURNAL_NOTES  256u

typedef struct QmpJournal QmpJournal;

/* Makes or opens DIRECTORY/journal. boot_id: NULL for that of this boot. One of another boot, or damaged, is begun anew, and
 * is not whole. CORE_ERROR_IO. Blocks on the disk: worker thread, or start-up. */
QmpJournal *qmp_journal_open(const char *directory, const char *boot_id, GError **error);
/* What is in it stays. NULL-safe, returns NULL. */
QmpJournal *qmp_journal_free(QmpJournal *journal);

/* QMP_JOURNAL_NOTES bytes, shared with the file, which the journal does not look at; zero in a new file. Good until it is
 * freed. */
void *qmp_journal_get_notes(QmpJournal *journal);

/* ---- of a connection ---- */

/* Begins anew with the connection fd, which has been read up to position; what was before it is not here. fd -1: with
 * none, and blank. */
void qmp_journal_begin(QmpJournal *journal, int fd, uint64_t position);

/* As recv(). */
ssize_t qmp_journal_receive(QmpJournal *journal, int fd, void *buffer, size_t room);

/* Its steps. The n bytes are about to be taken from the socket; false: there is no room for them. Then: so many were. */
bool qmp_journal_note(QmpJournal *journal, const void *bytes, size_t n);
void qmp_journal_take(QmpJournal *journal, size_t n);

/* The message that ends there is about to be dealt with. last: number of the last event; told: so many events of this message
 * had been told before. */
void qmp_journal_intend(QmpJournal *journal, uint64_t position, uint64_t last, unsigned told);
/* All that ends up to there has been dealt with. */
void qmp_journal_commit(QmpJournal *journal, uint64_t position);

/* What was read and has not been dealt with is in it, all of it. */
bool qmp_journal_is_whole(const QmpJournal *journal);

/* ---- what the service before has left; before anything else ---- */

/* It has been of no connection yet. */
bool qmp_journal_is_blank(const QmpJournal *journal);
/* Goes on with the connection fd (-1: there is none). True: what the socket gives is what follows. False: it is not, since
 * the journal is not whole or of another connection; then a message that had only begun is dropped. */
bool qmp_journal_resume(QmpJournal *journal, int fd);
/* What was not dealt with: ends at *ret_position. Borrowed until the next call here. */
const char *qmp_journal_get_left(const QmpJournal *journal, size_t *ret_length, uint64_t *ret_position);
/* What qmp_journal_intend() has noted, if it has not been committed. */
bool qmp_journal_get_intent(const QmpJournal *journal, uint64_t *ret_position, uint64_t *ret_last,
			    unsigned *ret_told);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpJournal, qmp_journal_free)
