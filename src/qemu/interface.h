/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model/definition.h"

/*
 * What QEMU gets of an interface whose host's side is ours: a netdev and a device, on its command line or by its
 * monitor. A netdev on a link of the host (tap, bridge, macvtap) does not open it: it is given descriptors, which
 * it knows by their numbers on the command line, and by names that getfd gave them while it runs.
 *
 * They come in this order: one for each queue, then, with vhost, one of /dev/vhost-net for each queue.
 */

/* Numbers on the command line: those of all interfaces one after the other, behind what callers pass
 * (domain/descriptors.h). There are at most DEFINITION_NIC_DESCRIPTORS_MAX. */
#define QEMU_INTERFACE_FD_FIRST 256

/* The arguments of -netdev, and of netdev_add; NULL if it has none. fds: as many as
 * definition_interface_count_descriptors() says, numbers or names, each without a colon. */
JsonNode *qemu_interface_make_netdev(const DefinitionInterface *interface, const char *const *fds);
/* The same, where they are numbered from first on. */
JsonNode *qemu_interface_make_numbered_netdev(const DefinitionInterface *interface, int first);
/* The arguments of -device, and of device_add. */
JsonNode *qemu_interface_make_device(const DefinitionInterface *interface);
