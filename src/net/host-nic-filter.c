/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/host-nic.h"

#include <errno.h>

#include "net/bridge-port.h"
#include "net/host-link.h"
#include "net/macvtap.h"
#include "net/multicast-list.h"
#include "net/refused.h"

/*
 * What a host's side of a NIC lets through: read, and changed by a plan.
 */

static void set_gone(const HostNic *nic, GError **error)
{
	g_clear_error(error);
	g_set_error(error, CORE_ERROR, CORE_ERROR_NO_SUCH_LINK,
		    "the link %s (index %u) is gone: it was deleted or renamed", nic->link, nic->index);
}

static bool find_link(Netlink *netlink, const HostNic *nic, Link *ret_link, GError **error)
{
	int result = host_link_find(netlink, nic, ret_link);

	if (result == -ENODEV)
		set_gone(nic, error);
	else if (result < 0)
		netlink_set_error(netlink, error, CORE_ERROR_IO, -result, "the link %s", nic->link);
	return result == 0;
}

static HostFilterKind get_kind(const Link *link)
{
	if (g_str_equal(link->kind, MACVTAP_KIND))
		return HOST_FILTER_MACVTAP;
	return link->bridge_port ? HOST_FILTER_BRIDGE_PORT : HOST_FILTER_NONE;
}

/* A table that is known in part only is worse than none: what is missing in it would be added as ours, and
 * taken out again. */
static void set_read_error(GError **error, int result, const char *words, const char *what, const char *link)
{
	if (result == -E2BIG)
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED, "%s of %s has more than %u entries", what,
			    link, HOST_FILTER_ENTRIES_MAX);
	else
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s of %s cannot be read: %s", what, link, words);
}

HostFilter *host_nic_read(const HostNic *nic, GError **error)
{
	g_autoptr(Netlink) netlink = netlink_open(error);
	g_autoptr(HostFilter) filter = NULL;
	Link link;
	int result;

	if (!netlink || !find_link(netlink, nic, &link, error))
		return NULL;
	filter = host_filter_new(get_kind(&link));
	filter->up = link.flags & IFF_UP;
	filter->mac = link.mac;
	filter->promiscuous = link.flags & IFF_PROMISC;
	filter->all_multicast = link.flags & IFF_ALLMULTI;
	filter->multicast = link.flags & IFF_MULTICAST;
	filter->passthru = link.passthru;
	filter->learning = link.learning;
	filter->unicast_flood = link.unicast_flood;

	result = multicast_list_read(link.index, HOST_FILTER_ENTRIES_MAX, filter->multicast_table);
	if (result < 0) {
		set_read_error(error, result, g_strerror(-result), "the multicast list", link.name);
		return NULL;
	}
	if (!link.bridge_port)
		return g_steal_pointer(&filter);
	result = bridge_port_read(netlink, &link, HOST_FILTER_ENTRIES_MAX, filter->forwarding);
	if (result < 0) {
		set_read_error(error, result, g_strerror(-result), "the forwarding table", link.name);
		return NULL;
	}
	return g_steal_pointer(&filter);
}

/* A plan that is being applied: the first thing that was refused is told, the rest is tried. */
typedef struct Application {
	const HostNic *nic;
	Netlink *netlink;
	Link link;
	bool gone;
	GError *first;
} Application;

/* True if nothing was refused, or what was is told already. */
static bool is_told(Application *application, int result)
{
	if (result == -ENODEV) {
		application->gone = true;
		set_gone(application->nic, &application->first);
	}
	return result == 0 || application->first;
}

static void apply_flags(Application *application, unsigned mask, unsigned flags)
{
	int result = mask ? link_set_flags(application->netlink, application->link.index, mask, flags) : 0;

	if (!is_told(application, result))
		netlink_set_error(application->netlink, &application->first, CORE_ERROR_IO, -result,
				  "the flags of %s cannot be changed", application->link.name);
}

static void apply_mac(Application *application, const Mac *mac)
{
	const Link *link = &application->link;
	int result = link_set_mac(application->netlink, link->index, mac);
	g_autofree char *text = mac_to_string(mac);
	g_autofree char *user = NULL;

	if (is_told(application, result))
		return;
	/* Which of the two it is depends on the kernel's version and on whether the link is up. */
	if (result == -EADDRINUSE || result == -EBUSY)
		user = macvtap_describe_user(application->netlink, link->lower, mac, link->index);
	if (user && *user)
		g_set_error(&application->first, CORE_ERROR, CORE_ERROR_IO, "%s cannot be given its guest's address: %s",
			    link->name, user);
	else
		netlink_set_error(application->netlink, &application->first, CORE_ERROR_IO, -result,
				  "%s cannot be given its guest's address %s", link->name, text);
}

static void apply_groups(Application *application, const MacSet *set, bool add)
{
	for (unsigned i = 0; i < mac_set_get_size(set) && !application->gone; i++) {
		const Mac *mac = mac_set_get(set, i);
		g_autofree char *text = mac_to_string(mac);
		int result = (add ? multicast_list_add : multicast_list_remove)(application->link.name, mac);

		if (!is_told(application, result))
			refused_set_error(&application->first, CORE_ERROR_IO, -result, NULL, "CAP_NET_ADMIN",
					  "the group %s cannot be %s %s", text,
					  add ? "added to the list of" : "taken from the list of",
					  application->link.name);
	}
}

static int change_forwarding(Application *application, const Mac *mac, bool add, Link *ret_holder)
{
	return add ? bridge_port_add(application->netlink, &application->link, mac, ret_holder)
		   : bridge_port_remove(application->netlink, &application->link, mac);
}

static void apply_forwarding(Application *application, const MacSet *set, bool add)
{
	for (unsigned i = 0; i < mac_set_get_size(set) && !application->gone; i++) {
		const Mac *mac = mac_set_get(set, i);
		g_autofree char *text = mac_to_string(mac);
		Link holder = { 0 };
		int result = change_forwarding(application, mac, add, &holder);

		if (is_told(application, result))
			continue;
		if (result == -EEXIST)
			g_set_error(&application->first, CORE_ERROR, CORE_ERROR_IO,
				    "the bridge cannot be told that %s is behind %s: it is an entry of %s, which the "
				    "host or an administrator has set", text, application->link.name, holder.name);
		else
			netlink_set_error(application->netlink, &application->first, CORE_ERROR_IO, -result,
					  "the bridge cannot be told that %s is%s behind %s", text,
					  add ? "" : " no longer", application->link.name);
	}
}

bool host_nic_apply(const HostNic *nic, const FilterPlan *plan, GError **error)
{
	g_autoptr(Netlink) netlink = netlink_open(error);
	Application application = { .nic = nic, .netlink = netlink };
	const struct {
		bool set, value;
		unsigned flag;
	} flags[] = {
		{ plan->set_promiscuous, plan->promiscuous, IFF_PROMISC },
		{ plan->set_all_multicast, plan->all_multicast, IFF_ALLMULTI },
		{ plan->set_multicast, plan->multicast, IFF_MULTICAST },
	};
	unsigned on = 0, off = 0;

	if (!netlink || !find_link(netlink, nic, &application.link, error))
		return false;
	for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
		if (flags[i].set)
			*(flags[i].value ? &on : &off) |= flags[i].flag;

	/* What is new comes before what is old goes, so that nothing is lost in between. */
	apply_flags(&application, on, on);
	apply_groups(&application, plan->multicast_add, true);
	apply_forwarding(&application, plan->forwarding_add, true);
	if (plan->set_mac && !application.gone)
		apply_mac(&application, &plan->mac);
	apply_forwarding(&application, plan->forwarding_remove, false);
	apply_groups(&application, plan->multicast_remove, false);
	if (!application.gone)
		apply_flags(&application, off, 0);

	if (!application.first)
		return true;
	g_propagate_error(error, application.first);
	return false;
}
