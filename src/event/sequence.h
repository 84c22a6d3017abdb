/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The number that never goes back.
 *
 * Every signal of the service carries the next number. It is kept in a small file that is mapped
 * shared: taking a number is a store to memory, and after a kill of the service the page is still
 * the kernel's, so the next start goes on with exactly the next number and a subscriber sees no hole.
 *
 * A crash of the host may lose the page. So the file on disk also holds a reservation, a number that
 * was fsynced ahead of use: after a boot (another boot id) the count goes on from there. Nothing was
 * running across that gap, and a number given out is never given out again.
 */

#define SEQUENCE_RESERVE (UINT64_C(1) << 20)

typedef struct Sequence Sequence;

/* Opens or makes DIRECTORY/sequence. Blocks on the disk: start-up. boot_id tells boots apart (read from the kernel if
 * NULL; tests pass their own). A damaged file is a CORE_ERROR_IO that says which; it is never guessed. */
Sequence *sequence_open(const char *directory, const char *boot_id, GError **error);
Sequence *sequence_close(Sequence *sequence);

/* The next number. No system call. Event thread. */
uint64_t sequence_next(Sequence *sequence);
/* The last number given out, over all starts; 0: none yet. */
uint64_t sequence_last(const Sequence *sequence);

/* True when less than half of the reservation is left: call sequence_reserve() on a worker soon. */
bool sequence_wants_reserve(const Sequence *sequence);
/* Extends the reservation durably. Blocks on the disk. One call at a time; the event thread may go on
 * taking numbers meanwhile. */
bool sequence_reserve(Sequence *sequence, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sequence, sequence_close)
