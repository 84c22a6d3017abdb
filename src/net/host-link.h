/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/host-nic.h"
#include "net/link.h"

/*
 * The link of a host's side of a NIC, looked up again: is it still that one?
 */

/* Name, index (where it is known) and kind have to be what was made: a name may have been given to another
 * link since, and an index is one of this network namespace, which may not be the one of an earlier
 * service. The name of one whose index is not known is random, so it is ours if it is of our kind.
 * -ENODEV: gone, or another one. Threads: those of netlink.h. */
int host_link_find(Netlink *netlink, const HostNic *nic, Link *ret_link);
