/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "loop/loop.h"

/*
 * Notices that something has been written to a file in a folder of logs, by inotify(7): a thousand QEMUs that say nothing cost
 * nothing. Each folder is noticed once, and then not again until it is armed again: one that is written to all
 * the time wakes nobody up more often than somebody looks.
 *
 *    qemu_log_watch_arm()     worker: before it looks, so that what is written from then on is noticed
 *    qemu_log_watch_note()    event thread: whose folder that is
 *    written()                event thread: look at it, some time, and arm it again
 */

typedef struct QemuLogWatch QemuLogWatch;

/* key: that of qemu_log_watch_note(). NULL: nobody knows of which, so it may be any. */
typedef void (*QemuLogWritten)(const char *key, void *userdata);

/* NULL: the system has no more of them. loop must outlive it. */
QemuLogWatch *qemu_log_watch_new(Loop *loop, QemuLogWritten written, void *userdata);
/* No worker may be on it. NULL-safe, returns NULL. */
QemuLogWatch *qemu_log_watch_free(QemuLogWatch *watch);

/* The number of the folder; -1: it cannot be watched (or watch is NULL). Blocks on the disk: worker. */
int qemu_log_watch_arm(QemuLogWatch *watch, const char *directory);
/* If it has been written to since it was armed, written() is called in here. */
void qemu_log_watch_note(QemuLogWatch *watch, int number, const char *key);
/* All that was armed has been noted. */
void qemu_log_watch_noted(QemuLogWatch *watch);
/* It is not of interest any more. NULL-safe. */
void qemu_log_watch_forget(QemuLogWatch *watch, const char *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuLogWatch, qemu_log_watch_free)
