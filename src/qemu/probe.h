/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "qemu/launcher.h"

/*
 * What one QEMU binary says of itself: its version, its machine types, its accelerators, and whether it
 * takes the options of -sandbox.
 *
 * It is asked by options after which it ends by itself. A QEMU with a monitor, which could answer the same
 * by QMP, would stay for ever if the service were killed while it asks.
 */

#define QEMU_EMULATOR_MACHINES_MAX     1024u
#define QEMU_EMULATOR_ACCELERATORS_MAX 32u
#define QEMU_EMULATOR_OUTPUT_MAX       (256u * 1024)
#define QEMU_EMULATOR_TIMEOUT_SECONDS  5u

/* Immutable; its reference count is atomic. */
typedef struct QemuEmulator {
	int ref_count;
	char *name;              /* "qemu-system-x86_64" */
	char *path;              /* absolute */
	char *version;           /* "7.2.22" */
	GStrv machines;          /* names and aliases, as QEMU orders them */
	char *default_machine;   /* "" if it has none */
	GStrv accelerators;      /* those that are built in, as QEMU orders them */
	bool knows_sandbox;
} QemuEmulator;

QemuEmulator *qemu_emulator_ref(QemuEmulator *emulator);
QemuEmulator *qemu_emulator_unref(QemuEmulator *emulator);

/* NULL if it does not answer in time, or not like QEMU. Starts it three or four times and waits for it: worker
 * thread. path: absolute. launcher: NULL for none. */
QemuEmulator *qemu_probe(const char *path, const QemuLauncher *launcher);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuEmulator, qemu_emulator_unref)
