/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Replaces DIRECTORY/NAME with contents so that after a crash at any point either the old or the
 * new file is there, whole: temporary file in the same folder, fsync, rename, fsync of the folder.
 * Blocks on the disk: worker thread, or start-up. CORE_ERROR_IO names the file. */
bool atomic_file_write(const char *directory, const char *name, const char *contents, size_t length,
		       mode_t mode, GError **error);

/* The same for who looks, and after a kill of the writer, but not after a crash of the host: for what such a crash
 * takes with it anyway. It does not wait for the disk. */
bool atomic_file_write_volatile(const char *directory, const char *name, const char *contents, size_t length,
				mode_t mode, GError **error);

/* Removes DIRECTORY/NAME durably; a file that is not there is no error. Blocks as above. */
bool atomic_file_remove(const char *directory, const char *name, GError **error);

/* Removes what writes that were cut off by a kill have left in directory. Nobody else may be writing there. What cannot
 * be removed stays: it is in nobody's way. Blocks as above. */
void atomic_file_clean(const char *directory);

/* Reads DIRECTORY/NAME whole, at most length_max bytes (CORE_ERROR_LIMIT_EXCEEDED above it).
 * Regular files only, symbolic links are not followed. The result ends in a NUL that is not
 * counted in *ret_length. Blocks as above. */
char *atomic_file_read(const char *directory, const char *name, size_t length_max,
		       size_t *ret_length, GError **error);
