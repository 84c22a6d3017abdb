/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "qemu/probe.h"

/*
 * The QEMU binaries of this host, and what each has said of itself.
 *
 * A binary is asked once. Its answer is kept in DIRECTORY/emulators.json with what the file was then (device,
 * inode, size, times), and asked for again when the file is another. A file that is damaged or not ours is made anew.
 * One that does not answer like QEMU is remembered too, but not beyond this run of the service.
 *
 * Any thread that may block. What is not known yet is asked outside of the lock, so a binary that
 * hangs delays nobody who wants to know of another.
 */

#define QEMU_EMULATORS_MAX       64u    /* on PATH that are listed; and, of all, that are remembered */
#define QEMU_EMULATORS_FILE      "emulators.json"
#define QEMU_EMULATORS_FILE_MAX  (8u * 1024 * 1024)

typedef struct QemuEmulators QemuEmulators;

/* Reads nothing yet. */
QemuEmulators *qemu_emulators_new(const char *directory);
/* What it asks is started by that launcher (which stays the caller's), as its user. Before any other call. */
void qemu_emulators_use_launcher(QemuEmulators *emulators, const QemuLauncher *launcher);
/* Nobody uses it any more. NULL-safe, returns NULL. */
QemuEmulators *qemu_emulators_free(QemuEmulators *emulators);

/* NULL if it does not answer like QEMU. path: absolute. */
QemuEmulator *qemu_emulators_get(QemuEmulators *emulators, const char *path);

/* What is named qemu-system-* on PATH and answers like QEMU, sorted by name; of equal names the first on
 * PATH. Never NULL. */
GPtrArray *qemu_emulators_find(QemuEmulators *emulators);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuEmulators, qemu_emulators_free)
