/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "qemu/program.h"

/*
 * Files that QEMU gets open, under names which it opens like paths: /dev/fdset/N (QEMU's -add-fd). So it reads and writes what it
 * could not reach itself, as it was opened: what was opened to be read is only read. There is one descriptor in each set (qemu/disks.h
 * says why).
 */

/* Numbers in QEMU: behind those of the interfaces (qemu/interface.h). */
#define QEMU_FDSETS_FD_FIRST 384
#define QEMU_FDSETS_FDS_MAX  256u
/* Of the sets: out of the way of those in definitions, and in domain/screenshot.c. */
#define QEMU_FDSETS_ID_FIRST 0x766d6900

typedef struct QemuFdsets QemuFdsets;

QemuFdsets *qemu_fdsets_new(void);
/* Closes them. NULL-safe, returns NULL. */
QemuFdsets *qemu_fdsets_free(QemuFdsets *fdsets);

/* Makes a set of a descriptor, which it takes over, also on failure. opaque: a text for the command line, or NULL. The name of the
 * set. CORE_ERROR_LIMIT_EXCEEDED: there are QEMU_FDSETS_FDS_MAX. */
char *qemu_fdsets_add(QemuFdsets *fdsets, int fd, const char *opaque, GError **error);

/* That of the set which is added next; they rise by one. */
unsigned qemu_fdsets_get_next_id(const QemuFdsets *fdsets);

/* By rising numbers; borrowed. fdsets may be NULL. */
const QemuDescriptor *qemu_fdsets_get(const QemuFdsets *fdsets, size_t *ret_n);

/* The options, of allocated strings. fdsets may be NULL. */
void qemu_fdsets_add_options(const QemuFdsets *fdsets, GPtrArray *line);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuFdsets, qemu_fdsets_free)
