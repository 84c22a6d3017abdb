/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/filter-plan.h"

/*
 * The rules are those of libvirt 9 (syncNicRxFilter... in its QEMU driver), and they differ from them in this:
 *
 * - Only groups that we have put there are taken out; libvirt takes out all that the guest does not want, also what an
 *   administrator has added for a reason of his own.
 * - The groups of a guest that wants none (mode "none") are taken out too: it would go on paying for them.
 * - IFF_MULTICAST comes back with the mode "all" as well as with "normal": from "none" it may be either.
 * - VLAN 0 alone makes nothing promiscuous. It is the tag that has a priority and no VLAN; Linux guests ask for it on
 *   every NIC as soon as they know of VLANs, and the link below takes it by itself for the same reason.
 * - An address that no NIC can have is not put on the link. What a guest's driver writes is the guest's word.
 *
 * What is left alone, as libvirt does:
 *
 * - vlan "all". The driver has not negotiated a filter for VLANs: so is every NIC whose driver has not come yet, and
 *   each one after a reset. It says nothing of VLANs that are wanted, and to make the link below promiscuous for it,
 *   for all guests at each boot, would be dear.
 * - broadcast-allowed. The kernel has no switch for it; QEMU drops what the guest does not want.
 * - unicast "none". Likewise.
 *
 * Promiscuous means that the guest gets what passes; that a switch sends it what is for others is nothing it can ask
 * for. So that is followed when IFF_PROMISC is set. Addresses of its own beside the MAC (the unicast table, its
 * overflow, unicast "all") are something else: it waits for frames to them. A macvtap gets those in the mode passthru
 * only, where the link below is promiscuous already; in the others the kernel looks its guests up by the one MAC that
 * each link has. That is said, not hidden.
 */

typedef struct Want {
	const RxFilter *guest;
	const HostFilter *host;
	bool has_mac;           /* one that a NIC can have */
	Mac mac;
	MacSet *unicast;        /* beside the MAC */
} Want;

static bool is_of_a_nic(const Mac *mac)
{
	return !mac_is_group(mac) && !mac_is_zero(mac);
}

/* A guest may put anything into either table; what does not belong there never matches a frame. */
static MacSet *read_table(GStrv texts, bool groups)
{
	g_autoptr(MacSet) all = mac_set_new_from_strings((const char *const *)texts);
	MacSet *set = mac_set_new();

	for (unsigned i = 0; i < mac_set_get_size(all); i++) {
		const Mac *mac = mac_set_get(all, i);

		/* Broadcasts come through in any case. */
		if (groups ? mac_is_group(mac) && !mac_is_broadcast(mac) : is_of_a_nic(mac))
			mac_set_add(set, mac);
	}
	return set;
}

/* table: what the host has; ours: what of it is ours, and is replaced by what of it will be. */
static void plan_table(const MacSet *wanted, const MacSet *table, MacSet **ours, MacSet **add,
		       MacSet **remove)
{
	g_autoptr(MacSet) present = mac_set_intersection(*ours, table);
	MacSet *missing = mac_set_difference(wanted, table);
	MacSet *unwanted = mac_set_difference(present, wanted);
	g_autoptr(MacSet) kept = mac_set_difference(present, unwanted);

	mac_set_free(*ours);
	mac_set_free(*add);
	mac_set_free(*remove);
	/* WARNING: what is wanted and somebody else's is not in it: he takes it out himself. */
	*ours = mac_set_union(kept, missing);
	*add = missing;
	*remove = unwanted;
}

static bool has_vlans(const RxFilter *guest)
{
	for (size_t i = 0; i < guest->n_vlans; i++)
		if (guest->vlan_table[i] != 0)
			return true;
	return false;
}

static void set_flag(bool wanted, bool present, bool *ret_set, bool *ret_value)
{
	*ret_set = wanted != present;
	*ret_value = wanted;
}

static bool wants_more_addresses(const Want *want)
{
	return mac_set_get_size(want->unicast) > 0 || want->guest->unicast_overflow ||
	       g_str_equal(want->guest->unicast, "all");
}

static void plan_macvtap(FilterPlan *plan, const Want *want)
{
	const RxFilter *guest = want->guest;
	const HostFilter *host = want->host;
	bool none = g_str_equal(guest->multicast, "none");
	bool all = g_str_equal(guest->multicast, "all") || (!none && guest->multicast_overflow);
	g_autoptr(MacSet) groups = none ? mac_set_new() : read_table(guest->multicast_table, true);

	if (want->has_mac && !mac_equal(&want->mac, &host->mac)) {
		plan->set_mac = true;
		plan->mac = want->mac;
	}
	/* The link below drops tags that it was not told of, and a macvtap cannot tell it of some. */
	set_flag(guest->promiscuous || has_vlans(guest), host->promiscuous, &plan->set_promiscuous,
		 &plan->promiscuous);
	set_flag(all, host->all_multicast, &plan->set_all_multicast, &plan->all_multicast);
	set_flag(!none, host->multicast, &plan->set_multicast, &plan->multicast);
	plan_table(groups, host->multicast_table, &plan->own->multicast_table, &plan->multicast_add,
		   &plan->multicast_remove);
	if (!plan->refused && wants_more_addresses(want) && !host->passthru)
		plan->refused = g_strdup("the guest wants frames to other addresses than its MAC, which a "
					 "macvtap gets in the mode passthru only");
}

static void plan_bridge_port(FilterPlan *plan, const Want *want)
{
	const HostFilter *host = want->host;
	bool found_by_itself = host->learning && host->unicast_flood;
	g_autoptr(MacSet) addresses = found_by_itself ? mac_set_new() : mac_set_copy(want->unicast);

	if (!found_by_itself && want->has_mac)
		mac_set_add(addresses, &want->mac);
	plan_table(addresses, host->forwarding, &plan->own->forwarding, &plan->forwarding_add,
		   &plan->forwarding_remove);
	if (!plan->refused && !host->unicast_flood &&
	    (want->guest->unicast_overflow || g_str_equal(want->guest->unicast, "all")))
		plan->refused = g_strdup("the guest wants frames to addresses that it does not name, and flooding "
					 "is off at its port of the bridge");
}

FilterPlan *filter_plan_new(const RxFilter *guest, const HostFilter *host, const HostFilterOwn *own)
{
	FilterPlan *plan = g_new0(FilterPlan, 1);
	Want want = { .guest = guest, .host = host };

	plan->multicast_add = mac_set_new();
	plan->multicast_remove = mac_set_new();
	plan->forwarding_add = mac_set_new();
	plan->forwarding_remove = mac_set_new();
	plan->own = own ? host_filter_own_copy(own) : host_filter_own_new();
	if (host->kind == HOST_FILTER_NONE)
		return plan;

	want.unicast = read_table(guest->unicast_table, false);
	if (!mac_parse(guest->main_mac, &want.mac))
		plan->refused = g_strdup("the guest's MAC is none");
	else if (is_of_a_nic(&want.mac))
		want.has_mac = true;
	else
		plan->refused = g_strdup_printf("the guest's MAC %s is none that a NIC can have",
						guest->main_mac);
	if (want.has_mac)
		mac_set_remove(want.unicast, &want.mac);
	if (host->kind == HOST_FILTER_MACVTAP)
		plan_macvtap(plan, &want);
	else
		plan_bridge_port(plan, &want);
	mac_set_free(want.unicast);
	return plan;
}

FilterPlan *filter_plan_free(FilterPlan *plan)
{
	if (!plan)
		return NULL;
	mac_set_free(plan->multicast_add);
	mac_set_free(plan->multicast_remove);
	mac_set_free(plan->forwarding_add);
	mac_set_free(plan->forwarding_remove);
	host_filter_own_free(plan->own);
	g_free(plan->refused);
	g_free(plan);
	return NULL;
}

bool filter_plan_is_empty(const FilterPlan *plan)
{
	return !plan->set_mac && !plan->set_promiscuous && !plan->set_all_multicast && !plan->set_multicast &&
	       mac_set_get_size(plan->multicast_add) == 0 && mac_set_get_size(plan->multicast_remove) == 0 &&
	       mac_set_get_size(plan->forwarding_add) == 0 && mac_set_get_size(plan->forwarding_remove) == 0;
}
