/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/lifecycle.h"
#include "model/state.h"
#include "qmp/journal.h"

/*
 * What was told last of a run, in memory that it shares with a file, as notes in the journal of what was read
 * (qmp/journal.h; RUNTIME/domains/UUID/journal), which is opened with it: a store to memory is all it costs, and after a kill of the service the page is still the kernel's. So the next
 * service knows
 *
 *  - which state the listeners were told last, and compares that with the one it finds;
 *  - whether anything of what QEMU said is lost, or may be (RunSettled). Where nothing is, and the connection is the
 *    same, nothing is missing;
 *  - whether the guest has changed a filter that QEMU had not been asked for.
 *
 * It is no record for a crash of the host, which ends QEMU too.
 */

typedef struct RunPicture RunPicture;

/* What of that which was read from QEMU has been told. */
typedef enum RunSettled {
	RUN_UNSETTLED,               /* perhaps not all, and nobody has what is missing */
	RUN_SETTLED,                 /* all */
	RUN_JOURNALED,               /* what has not is in the journal, as long as that is whole */
} RunSettled;

/* Makes or opens the journal in DIRECTORY, and what is noted there. One that is new is unsettled and has no state. NULL with
 * CORE_ERROR_IO: then there is no picture, and nothing depends on it. Blocks on the disk: worker thread, or start-up. */
RunPicture *run_picture_open(const char *directory, GError **error);
/* The file stays. NULL-safe. */
RunPicture *run_picture_free(RunPicture *picture);

/* All below: event thread, no system call; NULL-safe, as a picture that is unsettled and has no state. */
void run_picture_set_settled(RunPicture *picture, RunSettled settled);
RunSettled run_picture_get_settled(const RunPicture *picture);
/* The guest has asked for a filter of a NIC to be looked at, and that has not been told yet. */
void run_picture_set_filters_due(RunPicture *picture, bool due);
bool run_picture_get_filters_due(const RunPicture *picture);
void run_picture_set_state(RunPicture *picture, DomainState state, LifecycleReason reason);
/* False if none was told, or one that this service does not know. */
bool run_picture_get_state(const RunPicture *picture, DomainState *ret_state,
			   LifecycleReason *ret_reason);
/* Borrowed; NULL if picture is. */
QmpJournal *run_picture_get_journal(const RunPicture *picture);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunPicture, run_picture_free)
