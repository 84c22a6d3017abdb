/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/mac.h"

/*
 * What a link of the host lets through to the guest behind it: the other half of event/rx-filter.h.
 *
 * A macvtap gets from the link below it what is sent to its own MAC, and of what is sent to groups that
 * which is in its multicast list. A port of a bridge gets what the bridge has learned or been told of, and floods.
 */

/* Of each table: twice what a guest may have (RX_FILTER_ENTRIES_MAX), so that ours leave room for those of others. */
#define HOST_FILTER_ENTRIES_MAX 8192u

typedef enum HostFilterKind {
	HOST_FILTER_NONE,        /* all that comes goes to the guest: a tap without a bridge */
	HOST_FILTER_MACVTAP,
	HOST_FILTER_BRIDGE_PORT,
} HostFilterKind;

typedef struct HostFilter {
	HostFilterKind kind;
	bool up;
	Mac mac;                 /* of the link */
	bool promiscuous;        /* IFF_PROMISC, as somebody has set it: not that of a packet socket */
	bool all_multicast;      /* IFF_ALLMULTI, likewise */
	bool multicast;          /* IFF_MULTICAST */
	bool passthru;           /* a macvtap of that mode: all that the link below gets, and it is promiscuous */
	/* Of the multicast list what was put there by somebody (dev_mcast's "global use"). What the host's own
	 * protocols hold is not in it: it goes when they do, and nobody but them can take it out. */
	MacSet *multicast_table;
	bool learning;           /* a port of a bridge: BR_LEARNING */
	bool unicast_flood;      /* likewise: BR_FLOOD */
	MacSet *forwarding;      /* likewise: static entries of the bridge's forwarding table for this port */
} HostFilter;

/* Nothing set, the tables empty. */
HostFilter *host_filter_new(HostFilterKind kind);
/* NULL-safe, returns NULL. */
HostFilter *host_filter_free(HostFilter *filter);

/* What of the host's tables was put there by us; everything else is somebody else's and stays. */
typedef struct HostFilterOwn {
	MacSet *multicast_table;
	MacSet *forwarding;
} HostFilterOwn;

HostFilterOwn *host_filter_own_new(void);
HostFilterOwn *host_filter_own_copy(const HostFilterOwn *own);
HostFilterOwn *host_filter_own_free(HostFilterOwn *own);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostFilter, host_filter_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostFilterOwn, host_filter_own_free)
