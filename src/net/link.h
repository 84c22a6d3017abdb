/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <net/if.h>
#include <netlink/route/link.h>
#include <stdbool.h>

#include "net/mac.h"
#include "net/netlink.h"

/*
 * A link of the host as the kernel describes it, and the requests that look it up, change it and delete it.
 * Results are 0 or -errno; netlink_set_error() has the kernel's words. Threads: those of netlink.h.
 */

#define LINK_KIND_MAX 31u    /* bytes of "macvtap"; longer ones, which the kernel does not have, are cut off */

typedef struct Link {
	unsigned index;
	char name[IFNAMSIZ];
	char kind[LINK_KIND_MAX + 1];    /* "tun", "macvtap", "bridge"; empty: a device */
	Mac mac;
	/* IFF_...; of IFF_PROMISC and IFF_ALLMULTI only what was set by somebody, not what a packet socket
	 * has asked for. */
	unsigned flags;
	unsigned mtu;
	unsigned lower;                  /* index of the link it stands on; 0: none, or unknown here */
	bool passthru;                   /* a macvtap of that mode */
	unsigned master;                 /* index; 0: none */
	bool bridge_port;                /* master is a bridge */
	bool learning;                   /* BR_LEARNING */
	bool unicast_flood;              /* BR_FLOOD */
} Link;

/* -ENODEV: there is no such link. */
int link_get_by_index(Netlink *netlink, unsigned index, Link *ret_link);
int link_get_by_name(Netlink *netlink, const char *name, Link *ret_link);

/* The first one for which match is true; -ENODEV: none. Looks at all links of the host. */
typedef bool (*LinkMatch)(const Link *link, const void *userdata);
int link_find(Netlink *netlink, LinkMatch match, const void *userdata, Link *ret_link);

/* What is set in changes, and nothing else. */
int link_change(Netlink *netlink, unsigned index, struct rtnl_link *changes);
int link_set_mac(Netlink *netlink, unsigned index, const Mac *mac);
/* Of the IFF_... in mask. */
int link_set_flags(Netlink *netlink, unsigned index, unsigned mask, unsigned flags);
/* So that the host itself neither speaks nor listens to IPv6 on that link, before it comes up. A host
 * without IPv6 does not, and that is no error. */
int link_silence_ipv6(Netlink *netlink, const Link *link);

int link_delete(Netlink *netlink, unsigned index);

/* `ip link` shows it. What is longer than 254 bytes is cut off, between characters. */
void link_set_alias(struct rtnl_link *changes, const char *alias);
