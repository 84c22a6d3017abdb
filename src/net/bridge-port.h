/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/link.h"

/*
 * What a bridge has been told to send to one of its ports: the static entries of its forwarding table. Those
 * that it has learned by itself, and the addresses of the ports themselves, are none of them.
 *
 * A bridge that keeps VLANs apart has an entry for each VLAN of the port; here they are one: in all of them,
 * or taken out of all. 0 or -errno; threads: those of netlink.h.
 */

/* Adds what is there to set. -E2BIG: there are more than n_max (an address of several VLANs is counted
 * once). */
int bridge_port_read(Netlink *netlink, const Link *port, unsigned n_max, MacSet *set);
/* What was learned for another port is overruled. -EEXIST: an address of the host's own, or somebody has
 * put it there for another port: that one stays, and *ret_holder is it. -EOPNOTSUPP: the link is no port
 * any more. */
int bridge_port_add(Netlink *netlink, const Link *port, const Mac *mac, Link *ret_holder);
/* Content if it is not there. */
int bridge_port_remove(Netlink *netlink, const Link *port, const Mac *mac);
