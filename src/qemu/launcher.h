/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "qemu/program.h"
#include "qemu/user.h"

/*
 * Starting a program in two steps: first there is a process that waits, and can be put where it belongs; then it is let go, and
 * becomes the program, as another user if there is one. What waits is vmherald-launcher (src/launcher), which ends without having
 * done anything if we do.
 */

typedef struct QemuLauncher {
	const char *path;          /* of vmherald-launcher, absolute */
	const QemuUser *user;      /* NULL: ours */
} QemuLauncher;

/* qemu_program_spawn(), but the program waits. *ret_gate is the caller's, and ends the child when it is closed without
 * qemu_launcher_release(). Without a launcher (NULL) it goes at once, and *ret_gate is -1. Any thread. */
bool qemu_launcher_spawn(const QemuLauncher *launcher, char *const *arguments, const QemuProgramFiles *files,
			 pid_t *ret_pid, int *ret_pidfd, int *ret_gate, GError **error);

/* Lets it go, and closes the gate; -1: it goes already. Blocks until exec has succeeded or failed; any thread. CORE_ERROR_START_FAILED names the program;
 * the child is to be waited for, whatever has become of it. */
bool qemu_launcher_release(int gate, const char *program, GError **error);
