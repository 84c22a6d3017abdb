/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "domain/placement.h"

/*
 * Each QEMU in a transient scope of the service manager (systemd.scope(5)): a cgroup of its own with the limits that the
 * definition wants, seen by `systemctl status` and `systemd-cgls`, and ended with the host in its turn. On the system
 * bus the manager is PID 1 and the slice machine.slice; on a session bus it is the user's.
 *
 *   no systemd on the bus        told once; QEMU is started as it is, in the cgroup of the service
 *   it refuses, or says nothing  the start fails if the definition has limits, which would not be kept; else told, and
 *                                started as it is
 */

/* The target that scopes are ordered before, and the service after: so a host that goes down ends the service while
 * guests are still there to be shut down, and an ordinary restart of the service has no order with a start. */
#define SCOPE_GUESTS_TARGET "vmherald-guests.target"

/* What the service gives systemd for one scope; systemd-machined may take the rest of PLACEMENT_TIMEOUT_MS. */
#define SCOPE_TIMEOUT_MS 6000

/* How long an earlier scope of the same name, whose processes have just ended, may take to go. */
#define SCOPE_LINGER_MS 2000

typedef struct ScopeMaker ScopeMaker;

/* system: on the system bus. timeout_ms: for one scope, SCOPE_TIMEOUT_MS at most. */
ScopeMaker *scope_maker_new(bool system, unsigned timeout_ms);
/* NULL-safe, returns NULL. */
ScopeMaker *scope_maker_free(ScopeMaker *maker);
/* maker must outlive its use. */
Placement scope_maker_get_placement(ScopeMaker *maker);
