/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/link.h"

/*
 * A tap: a link whose other end is a descriptor. It is there as long as one of its descriptors is open,
 * unless it was made to stay (`ip tuntap add`), as those are that an administrator makes for somebody else.
 *
 * Descriptors are non-blocking, close-on-exec and the caller's; on failure none remains. Each frame has a
 * virtio-net header before it (IFF_VNET_HDR), which is what QEMU and vhost expect. Blocks: workers.
 */

/* Makes the tap and opens it once for each queue. It is down. A link that has the name already is an error
 * and stays as it is. CORE_ERROR_START_FAILED, CORE_ERROR_NOT_PERMITTED. */
bool tap_make(Netlink *netlink, const char *name, unsigned queues, int *ret_descriptors, Link *ret_link,
	      GError **error);

/* Opens one that is there, and changes nothing about it. The user needs no capability if it was made for
 * him. */
bool tap_open(Netlink *netlink, const char *name, unsigned queues, int *ret_descriptors, Link *ret_link,
	      GError **error);

/* The address of a tap itself, for a guest with that one. */
Mac tap_mac(const Mac *guest);
