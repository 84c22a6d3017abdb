/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"
#include "qemu/command-line.h"
#include "qemu/image-file.h"

/*
 * The files of a start: consoles' logs, firmware, disks. A QEMU that is what we are opens them by their paths. For one that has a user of
 * its own we open them, and it gets descriptors: so our folders need not let it in, and nobody finds another domain's files there.
 */
typedef struct LaunchFiles {
	QemuFdsets *fdsets;          /* NULL: it opens them by itself */
	/* Names for the command line: paths, or of sets. NULL, where there is none. */
	char *firmware_code;
	char *firmware_vars;
	GStrv console_logs;
	GPtrArray *disks;            /* QemuDisk; NULL: as the definition has them */
	GPtrArray *blockdevs;        /* what is in them */
	unsigned disk_sets, n_disk_sets;   /* the first of their sets, and how many */
} LaunchFiles;

void launch_files_clear(LaunchFiles *files);

/* By their paths. Opens nothing. */
void launch_files_name(const Definition *definition, const char *nvram, const char *logs, LaunchFiles *ret_files);

/* mark: a path that is to be found in the command line of that QEMU. firmware_prepare_for() is part of it. CORE_ERROR_NOT_PERMITTED,
 * CORE_ERROR_LIMIT_EXCEEDED, CORE_ERROR_START_FAILED, CORE_ERROR_IO: the message begins with the key of the definition. Blocks: worker thread. */
bool launch_files_open(const Definition *definition, const QemuImageAccess *access, const char *nvram, const char *logs,
		       const char *mark, LaunchFiles *ret_files, GError **error);

/* What the command line is to have of them. */
void launch_files_set_context(const LaunchFiles *files, QemuCommandLineContext *context);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LaunchFiles, launch_files_clear)
