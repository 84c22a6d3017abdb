/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "qemu/user.h"

/*
 * The file of a disk, opened for a QEMU that has another user than we: it gets the descriptor.
 *
 * Below a directory for images it is opened with our rights, so nothing there needs to belong to QEMU; symbolic links are not followed there,
 * and nothing above is reached. Everywhere else it is opened with the rights of QEMU's user, so that who writes a definition
 * reaches nothing that a QEMU could not reach by itself.
 */
typedef struct QemuImageAccess {
	const QemuUser *user;                   /* NULL: we open everything */
	const char *const *directories;         /* absolute, NULL-terminated */
} QemuImageAccess;

/* A regular file or a block device; what else has that name is not waited for. Close-on-exec. CORE_ERROR_NOT_PERMITTED: the message
 * names the file, what is missing, and what to do. Blocks: worker thread. */
int qemu_image_open(const QemuImageAccess *access, const char *path, bool writable, GError **error);
