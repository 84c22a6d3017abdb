/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop/loop.h"
#include "qemu/launcher.h"

/*
 * One QEMU process: spawned by us or found again after a restart of the service.
 *
 * A process is known by its pidfd, never by its number alone; what is kept in a file is the number
 * together with the start time the kernel gives it (field 22 of /proc/PID/stat) and the boot id,
 * so that a number used again is not mistaken for it. Exit is judged by the pidfd: it becomes
 * readable at once, while reaping of a process that is not our child may take its time.
 */

typedef struct QemuProcess QemuProcess;

typedef struct QemuExit {
	bool known;      /* false: not our child, so the kernel does not tell us how it ended */
	int status;      /* exit status, or -1 if it was ended by a signal */
	int signal;      /* 0 if it was not ended by a signal */
} QemuExit;

typedef void (*QemuExitCallback)(QemuProcess *process, const QemuExit *exit, void *userdata);

/* Starts arguments[0] (absolute path) in a session of its own: stdin and stdout are /dev/null, stderr goes to
 * log_file (created 0600, truncated), default signal dispositions, no signals blocked; of our
 * descriptors it gets those of inherit alone (QemuProgramFiles). Blocks until exec has succeeded or
 * failed: worker thread. CORE_ERROR_START_FAILED names the program, CORE_ERROR_IO the log
 * file. With a launcher (NULL: none) it is started so far that it waits, until qemu_process_release(). */
QemuProcess *qemu_process_spawn(char *const *arguments, const char *log_file,
				const QemuDescriptor *inherit, size_t n_inherit, const QemuLauncher *launcher,
				GError **error);

/* Lets a process go that waits, as the program of that name; one that was not started by a launcher goes already. Blocks until exec
 * has succeeded or failed: worker thread. CORE_ERROR_START_FAILED names the program, and the process is then to be killed. */
bool qemu_process_release(QemuProcess *process, const char *program, GError **error);

/* Finds a process again; start_time 0: whatever has that number now. NULL with no error set if it is gone (or the number is another's now); NULL
 * with CORE_ERROR_IO if that cannot be told. */
QemuProcess *qemu_process_adopt(pid_t pid, uint64_t start_time, GError **error);

/* Event thread. callback is called once, when the process has ended (and was reaped, if it is our child);
 * it may free the process. Unwatching or freeing drops it. False if the loop cannot watch it. */
bool qemu_process_watch(QemuProcess *process, Loop *loop, QemuExitCallback callback, void *userdata);

/* Event thread. No more call. Harmless if it is not watched. */
void qemu_process_unwatch(QemuProcess *process);

/* By the pidfd, so never to a stranger. True also if the process has ended already. */
bool qemu_process_signal(QemuProcess *process, int signal, GError **error);

/* KILL, and wait until it is gone: for a child that nobody watches. Blocks. */
void qemu_process_kill(QemuProcess *process);

pid_t qemu_process_get_pid(const QemuProcess *process);
uint64_t qemu_process_get_start_time(const QemuProcess *process);

/* Leaves the process running. A child that is still running stays a zombie when it ends until we end:
 * call it for such only at shut-down. NULL-safe, returns NULL. Event thread, or the thread that spawned if
 * it was never watched. One that still waits to be released does nothing any more, and ends. */
QemuProcess *qemu_process_free(QemuProcess *process);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuProcess, qemu_process_free)
