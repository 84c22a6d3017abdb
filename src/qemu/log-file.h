/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * What QEMU and its consoles write: NAME.log, before it NAME.log.1, and so on to QEMU_LOG_OLD_MAX.
 *
 * QEMU writes the file itself, so nothing is lost when the service is away, and nobody keeps the guest
 * waiting. It never looks at the size; the service does, and when a file has grown too long its last part is copied
 * and the file is emptied. That works because QEMU appends (O_APPEND): what it writes next stands at the
 * new end. What it writes between the last look and the emptying is lost.
 *
 * All of it blocks on the disk: worker thread. CORE_ERROR_IO names the file.
 */

#define QEMU_LOG_SIZE_MAX   (1024u * 1024)
#define QEMU_LOG_OLD_MAX    3u
#define QEMU_STDERR_TAIL_MAX 4096u

/* A new run: what the file holds becomes the first of the old ones, if it holds anything. */
bool qemu_log_begin(const char *log_file, GError **error);

/* Copies and empties the file if it is longer than QEMU_LOG_SIZE_MAX. A file that is not there is short. */
bool qemu_log_limit(const char *log_file, GError **error);
/* The same for each *.log of a folder; failures are logged. */
void qemu_log_limit_all(const char *directory);

/* The last lines of a log file, at most QEMU_STDERR_TAIL_MAX bytes, made valid UTF-8, trimmed; "" if there are
 * none. If the file was emptied since qemu_log_begin() and is shorter, those before are in it. */
char *qemu_log_tail(const char *log_file);
