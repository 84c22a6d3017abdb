/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/*
 * The QEMU binaries of this host: what is named qemu-system-* on PATH, asked for its version and its
 * machine types. One that does not answer in time, or not like QEMU, is left out.
 */

#define QEMU_EMULATORS_MAX            64u
#define QEMU_EMULATOR_MACHINES_MAX    1024u
#define QEMU_EMULATOR_OUTPUT_MAX      (256u * 1024)
#define QEMU_EMULATOR_TIMEOUT_SECONDS 5u

typedef struct QemuEmulator {
	char *name;          /* "qemu-system-x86_64" */
	char *path;          /* absolute */
	char *version;       /* "7.2.22" */
	GStrv machines;      /* names and aliases, as QEMU orders them */
} QemuEmulator;

QemuEmulator *qemu_emulator_free(QemuEmulator *emulator);

/* Sorted by name; of equal names the first on PATH. Never NULL. Starts each of them twice and waits for
 * it: worker thread. */
GPtrArray *qemu_emulators_find(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuEmulator, qemu_emulator_free)
