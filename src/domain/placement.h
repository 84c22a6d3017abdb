/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "model/definition.h"

/*
 * Where a QEMU's process belongs on this host: a group of its own, with the limits that its definition wants
 * (resources). What makes such groups is outside of the driver, as systemd is with its scopes.
 *
 * WARNING: the process is placed before it is anything but a child that waits. What it has used before, and what it
 * has started, would count elsewhere.
 */

/* What a placement may take together, whatever it has to wait for. Less than DOMAIN_START_TIMEOUT_MS. */
#define PLACEMENT_TIMEOUT_MS 10000

/* The maker of groups, provided by whoever hosts the driver. */
typedef struct Placement {
	/* Worker thread, several at once; may block for PLACEMENT_TIMEOUT_MS. pid: a child of ours that is not waited for
	 * meanwhile. *ret_unit: the name of its group, free with g_free(); NULL: it stays with us, and whoever has to know
	 * was told. CORE_ERROR_START_FAILED or CORE_ERROR_NOT_PERMITTED: it must not go on. */
	bool (*place)(const Definition *definition, pid_t pid, char **ret_unit, GError **error,
		      void *userdata);
	void *userdata;
} Placement;
