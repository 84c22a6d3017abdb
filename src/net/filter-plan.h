/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/rx-filter.h"
#include "net/host-filter.h"

/*
 * What has to be done so that the host lets through what the guest wants. Pure: three states in, a list of changes
 * out. Applied, the plan gives the wanted state; made once more after that, it is empty.
 *
 * A macvtap gets from the link below it what it asks for, as a NIC does from its cable, so the guest's filter is put
 * on it: MAC, groups, modes.
 *
 * A port of a bridge needs nothing of that. The bridge learns a new address from the first frame that the guest sends
 * by it, and until then floods what is sent there, to all ports. Groups: what is not IP is flooded, and for IPv4 and
 * IPv6 a bridge that snoops listens to the guest's own IGMP and MLD reports, which come through the port; an entry made
 * by us would outlive the membership and keep the stream flowing. What a guest sees without having asked, its QEMU drops.
 * Only where the administrator has switched learning or flooding off at the port the bridge cannot find the guest's
 * addresses: they are put into its forwarding table, as static entries, and taken out again.
 *
 * A tap without a bridge lets through all that is sent to it.
 */

typedef struct FilterPlan {
	bool set_mac;
	Mac mac;
	bool set_promiscuous, promiscuous;
	bool set_all_multicast, all_multicast;
	bool set_multicast, multicast;
	MacSet *multicast_add, *multicast_remove;      /* never NULL */
	MacSet *forwarding_add, *forwarding_remove;    /* likewise */
	/* What is ours when the plan has been applied. */
	HostFilterOwn *own;
	/* What the guest wants and no change to the host can give it, and why; NULL: nothing. For people. It is in no way
	 * part of what is to be done: a plan may be empty and the guest's wish refused. */
	char *refused;
} FilterPlan;

/* own may be NULL: nothing is. */
FilterPlan *filter_plan_new(const RxFilter *guest, const HostFilter *host, const HostFilterOwn *own);
/* NULL-safe, returns NULL. */
FilterPlan *filter_plan_free(FilterPlan *plan);
/* Nothing is to be done. The host is in line with the guest if nothing is refused either. */
bool filter_plan_is_empty(const FilterPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FilterPlan, filter_plan_free)
