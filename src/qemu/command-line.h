/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"
#include "qemu/fdsets.h"

/*
 * The command line of a definition. Pure: the same definition and context give the same
 * arguments, which the tests compare with golden files.
 *
 *   EMULATOR -name guest=NAME,debug-threads=on -uuid UUID -nodefaults -no-user-config -display none -S
 *   -sandbox ...                          (where the emulator knows it, or the definition says so)
 *   -add-fd ...                           (of files that it gets open)
 *   -machine ... -accel ... -cpu ... -smp ... -m ... -action ...
 *   -object JSON                          (the memory backend)
 *   -bios ..., or -blockdev JSON          (the firmware)
 *   (interfaces) -netdev JSON -device JSON
 *   (consoles) -chardev null,logfile=... -serial ... or -device JSON
 *   -object JSON, -blockdev JSON, -netdev JSON, -device JSON   (of the definition, unchanged)
 *   -chardev socket,id=vmherald-monitor,fd=N,server=on,wait=off
 *   -mon chardev=vmherald-monitor,mode=control -pidfile ...    (if there is to be one)
 *   -incoming defer                       (to be restored)
 *   ARGUMENTS
 *
 * QEMU reads -object in two passes and -blockdev before -device whatever their order here.
 */

typedef struct QemuCommandLineContext {
	const char *emulator;        /* absolute path */
	int monitor_fd;              /* number of the listening socket in the child */
	const char *pid_file;        /* QEMU writes its pid there; absolute path; NULL: nowhere */
	bool incoming;               /* it waits for the command that names a saved state */
	bool knows_sandbox;          /* -sandbox with all its options */
	/* Files, by absolute paths, or by names of sets. */
	const char *firmware_code;   /* NULL: none */
	const char *firmware_vars;   /* NULL: none */
	const char *const *console_logs;    /* of each console */
	const GPtrArray *blockdevs;  /* in place of those of the definition; NULL: those */
	const QemuFdsets *fdsets;    /* NULL: none */
} QemuCommandLineContext;

/* The name of the log of a console. */
char *qemu_console_log_name(const DefinitionConsole *console);
/* The paths of the logs of all consoles, in their order. */
GStrv qemu_console_log_paths(const Definition *definition, const char *directory);

/* NULL-terminated. Any thread. */
GStrv qemu_command_line_build(const Definition *definition, const QemuCommandLineContext *context);

/* The absolute path of the emulator of a definition: an absolute name as it is, a bare name looked up on
 * PATH, none: qemu-system-<this architecture>. CORE_ERROR_START_FAILED says what was looked for and where.
 * Looks at the file system: any thread that may block for a stat. */
char *qemu_emulator_find(const char *emulator, GError **error);
