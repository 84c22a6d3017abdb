/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "qemu/process.h"

/*
 * The QEMU at the other end of a socket, which somebody else has started.
 *
 * The kernel tells who called connect(), or listen(), or socketpair() there (SO_PEERCRED). WARNING: that need not be
 * QEMU: a program may make the socket and hand it to QEMU, as libvirt does, and the kernel still names that
 * program. So a process counts only if it is a QEMU by its executable; otherwise none is known, for to
 * watch a wrong process is worse than to watch none.
 */

typedef struct QemuPeer {
	QemuProcess *process;        /* NULL: not known, and then nothing below is */
	char *emulator;              /* absolute path; NULL if it may not be looked at */
	int64_t started_at;          /* microseconds since 1970, to some 10 ms; 0 */
	GStrv arguments;             /* its command line; NULL if it may not be looked at */
} QemuPeer;

/* Reads /proc: worker thread. Never NULL. */
QemuPeer *qemu_peer_find(int fd);
QemuPeer *qemu_peer_free(QemuPeer *peer);

/* The number the kernel gives for the other end, 0 if it gives none. Whose it is has not been looked at. */
pid_t qemu_peer_get_pid(int fd);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuPeer, qemu_peer_free)
