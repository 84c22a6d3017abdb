/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "domain/state-header.h"

/*
 * The files of saved states, and what is left of them when the service is killed at any moment.
 *
 *   STATE/saved/UUID.state            a whole state: the next start restores it
 *   STATE/saved/UUID.state.partial    one that is being written: worth nothing
 *   STATE/saved/UUID.state.used       one that was loaded and whose guest has gone on since
 *
 * A state may be kept elsewhere (Save() with a path). Then the entry is a symbolic link to it, and the
 * partial one a link to PATH.UUID.partial. Renaming the entry is always the step that counts.
 *
 * WARNING: a state whose guest has gone on must never be loaded again, its disks have moved on too.
 * That is why it is renamed before the guest goes on, and not removed afterwards.
 *
 * All of it blocks: worker thread, or start-up. CORE_ERROR_IO names the file.
 */

/* A descriptor for QEMU to write to, behind header (domain/state-header.h); the file is new, 0600. path: absolute or
 * NULL; an error if it exists. */
int saved_state_create(const char *directory, const char *uuid, const char *path, const char *header,
		       GError **error);
/* What was written to fd is whole: brings it to the disk and to its name. */
bool saved_state_commit(const char *directory, const char *uuid, const char *path, int fd,
			GError **error);
/* A save that failed: removes the partial file, and the whole one if it had come so far. */
bool saved_state_discard(const char *directory, const char *uuid, bool committed, GError **error);

/* A descriptor for QEMU to read from. A file that is another's, or not whole, is an error, which names it. */
int saved_state_open(const char *directory, const char *uuid, StateHeader **ret_header, GError **error);
/* Its guest is about to go on; and, if it did not after all, back (no error if it had not come so far). */
bool saved_state_use(const char *directory, const char *uuid, GError **error);
bool saved_state_unuse(const char *directory, const char *uuid, GError **error);
/* Whole or used, and the file that it is a link to. What is not there is no error. */
bool saved_state_remove(const char *directory, const char *uuid, GError **error);

/* The uuids that have a whole state. */
GHashTable *saved_state_list(const char *directory);
/* What a service that was killed has left of a domain. */
typedef enum SavedLeft {
	SAVED_LEFT_PARTIAL = 1 << 0,   /* a save was cut off: QEMU may still be writing to a file that is gone */
	SAVED_LEFT_RUNNING = 1 << 1,   /* and its guest was stopped for that save alone */
	SAVED_LEFT_USED    = 1 << 2,   /* a start was cut off when its guest was about to go on */
} SavedLeft;

/* At the start of the service: removes what is partial or used. Returns uuid -> SavedLeft. */
GHashTable *saved_state_clean(const char *directory);
