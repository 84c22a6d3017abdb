/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Programs on this host: where they are looked for, and how one is started so that it inherits
 * what it is given and nothing else. A program is spawned, not forked: no code of ours runs in the
 * child, which matters in a process with threads.
 */

#define QEMU_PROGRAM_FD_MAX      639
/* Besides the gate of a launcher (qemu/launcher). */
#define QEMU_PROGRAM_INHERIT_MAX 449u

/* One of our descriptors and the number it has in the program. */
typedef struct QemuDescriptor {
	int fd;
	int as;            /* 3 to QEMU_PROGRAM_FD_MAX; of a gate one more */
} QemuDescriptor;

typedef struct QemuProgramFiles {
	int output;        /* its stdout; -1: /dev/null */
	int error;         /* its stderr; -1: /dev/null */
	const QemuDescriptor *inherit;    /* what else it gets, by rising numbers */
	size_t n_inherit;                 /* at most QEMU_PROGRAM_INHERIT_MAX */
} QemuProgramFiles;

/* Starts arguments[0] (absolute path) in a session of its own, working directory "/", stdin /dev/null,
 * default signal dispositions, none blocked; of the environment it does not get what the service
 * manager gave to us alone. The files stay the caller's. Blocks until exec has succeeded or failed;
 * any thread. It must be waited for; *ret_pidfd is the caller's. CORE_ERROR_START_FAILED names
 * the program. */
bool qemu_program_spawn(char *const *arguments, const QemuProgramFiles *files, pid_t *ret_pid,
			int *ret_pidfd, GError **error);

/* Ends a child that was spawned, with all of its session's first process group, and waits for it. */
void qemu_program_kill(pid_t pid, int pidfd);

/* The folders of PATH, absolute ones only, in order. Any thread. */
GStrv qemu_program_directories(void);

/* A regular file that we may execute. Blocks for a stat; any thread. */
bool qemu_program_is_executable(const char *path);
