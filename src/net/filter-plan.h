/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/rx-filter.h"
#include "net/host-filter.h"

/*
 * What has to be done so that the host lets through what the guest wants. Pure: three states in, a list of changes
 * out. Applied, the plan gives the wanted state; made once more after that, it is empty.
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
} FilterPlan;

/* own may be NULL: nothing is. */
FilterPlan *filter_plan_new(const RxFilter *guest, const HostFilter *host, const HostFilterOwn *own);
/* NULL-safe, returns NULL. */
FilterPlan *filter_plan_free(FilterPlan *plan);
/* The host is in line with the guest. */
bool filter_plan_is_empty(const FilterPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FilterPlan, filter_plan_free)
