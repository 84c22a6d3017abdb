/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "model/definition.h"

/*
 * A guest among the machines of systemd-machined, for `machinectl list`. machined finds the scope of the leader by itself,
 * and forgets the machine when that ends. It runs only while it has machines or is asked, so it is activated: where it
 * is installed, guests are listed. Without it, and whatever it says, a guest is started all the same.
 */

/* What it may take. */
#define MACHINE_TIMEOUT_US      (UINT64_C(2) * 1000 * 1000)
#define MACHINE_LOOK_TIMEOUT_US (UINT64_C(1) * 1000 * 1000)

/* Whether a machine of that domain's name is still listed. When machined sees that a leader has ended it stops the machine's
 * scope by its name, and that may be late: a scope of the same name would be stopped with the QEMU that is in it by then. True also if
 * machined does not say; it is not started for that. Blocks for MACHINE_LOOK_TIMEOUT_US at most. bus: the system bus. */
bool machine_is_listed(sd_bus *bus, const Definition *definition);

/* Blocks for MACHINE_TIMEOUT_US at most. bus: the system bus. leader: in a scope of its own. */
void machine_register(sd_bus *bus, const Definition *definition, pid_t leader);
