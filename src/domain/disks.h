/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "domain/domain.h"

/*
 * The files of a block device that is plugged in, or that is a medium to be put in: opened for a QEMU that has a user of its own
 * (qemu/disks.h). Event thread.
 */

/* What QEMU is told of a block device that is plugged in, and the sets of descriptors it has got for it. */
typedef struct GivenDisk GivenDisk;
/* given: the caller's; NULL if there was an error. */
typedef void (*DiskGiven)(Domain *domain, GivenDisk *given, const GError *error, void *userdata);
/* Opens the files of a block device for QEMU, if it has a user of its own. done is always called, perhaps before this returns; the domain
 * may have stopped, or be closed, by then. place: where it stands, for errors; static. */
void disks_give(Domain *domain, JsonNode *entry, const char *place, DiskGiven done, void *userdata);
/* The arguments of blockdev-add; a reference. */
JsonNode *given_disk_get_arguments(const GivenDisk *given);
/* blockdev-add has been answered, or is not to come. NULL-safe. */
void given_disk_free(GivenDisk *given);
/* QEMU closes a set when nothing uses it any more. */
void disks_forget(Domain *domain, int64_t fdset);
