/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Where files live. On the session bus the XDG directories of the user, each with "vmherald" below
 * it; on the system bus the directories the unit names (CONFIGURATION_DIRECTORY, STATE_DIRECTORY,
 * RUNTIME_DIRECTORY, LOGS_DIRECTORY; systemd.exec(5)), or the usual places where there is no unit.
 *
 *   DEFINITIONS/NAME.json          one definition each (domain/definition-store)
 *   STATE/sequence                 the last number given to a signal (event/sequence)
 *   STATE/emulators.json           what each QEMU binary can do (qemu/emulators)
 *   STATE/nvram/UUID.vars          variables of the firmware of a persistent domain
 *   STATE/owners/UUID              the user who has defined a persistent domain (domain/owner-store)
 *   STATE/lock, RUNTIME/lock       held by the one service that uses these directories
 *   STATE/saved/                   0700, the saved states of domains (domain/saved-state)
 *   RUNTIME/history                the last events (event/history)
 *   RUNTIME/chains                 the last number of each kind of event and domain (event/chains)
 *   RUNTIME/autostarted            the boot id for which autostart has been done
 *   RUNTIME/domains/UUID/          0700, exists while QEMU runs:
 *       monitor                    socket that QEMU listens on
 *       run.json                   pid, incarnation, definition (domain/run-file)
 *       filter-LINK.json           what of a link's tables is ours (domain/filter-ledger)
 *       qemu.pid                   written by QEMU itself
 *   LOGS/UUID/                     0700, of its last runs too (qemu/log-file):
 *       qemu.log                   QEMU's stderr
 *       console-ID.log             what the guest writes to a console
 */
typedef struct Directories {
	char *definitions;
	char *state;
	char *saved;
	char *nvram;
	char *owners;
	char *logs;
	char *runtime;
	char *domains;
} Directories;

/* Where vmherald.conf is (domain/configuration-files.h), and the definitions are below; it need not be there. */
char *directories_get_configuration(bool system);

/* Finds and makes them (0700). CORE_ERROR_IO names the one that failed. Blocks: start-up. */
Directories *directories_new(bool system, GError **error);
Directories *directories_free(Directories *directories);

/* Takes the lock of a directory; waits up to timeout_ms for a service that is just leaving. Returns a descriptor to keep
 * open, or -1 with CORE_ERROR_IO. Blocks: start-up. */
int directories_lock(const char *directory, int timeout_ms, GError **error);

/* Removes a folder and the files in it; folders in it are removed likewise, links are not followed. What is not
 * there is no error. Blocks: worker. */
bool directories_remove(const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Directories, directories_free)
