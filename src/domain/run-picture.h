/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/lifecycle.h"
#include "model/state.h"

/*
 * What was told last of a run, in memory that it shares with a small file (RUNTIME/domains/UUID/picture): a store
 * to memory is all it costs, and after a kill of the service the page is still the kernel's. So the next
 * service knows
 *
 *  - which state the listeners were told last, and compares that with the one it finds;
 *  - whether anything of what QEMU said had been read and not been told (unsettled). Where nothing had, and
 *    the connection is the same, nothing is lost.
 *
 * It is no record for a crash of the host, which ends QEMU too.
 */

#define RUN_PICTURE_NAME "picture"

typedef struct RunPicture RunPicture;

/* Makes or opens DIRECTORY/picture. One that is new is unsettled and has no state. NULL with CORE_ERROR_IO: then
 * there is no picture, and nothing depends on it. Blocks on the disk: worker thread, or start-up. */
RunPicture *run_picture_open(const char *directory, GError **error);
/* The file stays. NULL-safe. */
RunPicture *run_picture_free(RunPicture *picture);

/* All below: event thread, no system call; NULL-safe, as a picture that is unsettled and has no state. */
void run_picture_set_unsettled(RunPicture *picture, bool unsettled);
bool run_picture_is_unsettled(const RunPicture *picture);
void run_picture_set_state(RunPicture *picture, DomainState state, LifecycleReason reason);
/* False if none was told, or one that this service does not know. */
bool run_picture_get_state(const RunPicture *picture, DomainState *ret_state,
			   LifecycleReason *ret_reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunPicture, run_picture_free)
