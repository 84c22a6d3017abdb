/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/bridge-port.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/route/neighbour.h>
#include <string.h>

/* One entry of a bridge's table, as the kernel shows it. */
typedef struct Entry {
	unsigned link;
	Mac mac;
	unsigned state;    /* NUD_... */
} Entry;

/* False: not of a bridge's table, but of a link's own list of addresses. */
static bool read_entry(struct nlmsghdr *header, Entry *ret_entry)
{
	struct nlattr *values[NDA_MAX + 1] = { NULL };
	struct ndmsg *message = nlmsg_data(header);

	if (header->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_parse(header, sizeof(*message), values, NDA_MAX, NULL) < 0 || message->ndm_family != AF_BRIDGE ||
	    message->ndm_flags & NTF_SELF || !values[NDA_MASTER] || !values[NDA_LLADDR] ||
	    nla_len(values[NDA_LLADDR]) != (int) MAC_LENGTH)
		return false;
	*ret_entry = (Entry) { .link = (unsigned) message->ndm_ifindex, .state = message->ndm_state };
	memcpy(ret_entry->mac.octets, nla_data(values[NDA_LLADDR]), MAC_LENGTH);
	return true;
}

/* Of the port, or, if that is 0, of all ports of the bridge. */
static int dump(Netlink *netlink, unsigned bridge, unsigned port, NetlinkReply reply, void *userdata)
{
	/* Of the two headers that the kernel takes here this is the one that all versions do. */
	struct ifinfomsg information = { .ifi_family = AF_BRIDGE, .ifi_index = (int) port };
	struct nl_msg *message = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_DUMP);

	if (nlmsg_append(message, &information, sizeof(information), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(message, IFLA_MASTER, bridge) < 0) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	return netlink_request(netlink, message, reply, userdata);
}

typedef struct Reading {
	unsigned port;
	unsigned n_max;
	MacSet *set;
	bool too_many;
} Reading;

static void on_port_entry(struct nlmsghdr *header, void *userdata)
{
	Reading *reading = userdata;
	Entry entry;

	if (!read_entry(header, &entry) || entry.link != reading->port || !(entry.state & NUD_NOARP) ||
	    mac_set_contains(reading->set, &entry.mac))
		return;
	if (mac_set_get_size(reading->set) >= reading->n_max)
		reading->too_many = true;
	else
		mac_set_add(reading->set, &entry.mac);
}

int bridge_port_read(Netlink *netlink, const Link *port, unsigned n_max, MacSet *set)
{
	Reading reading = { .port = port->index, .n_max = n_max, .set = set };
	int result = dump(netlink, port->master, port->index, on_port_entry, &reading);

	return result == 0 && reading.too_many ? -E2BIG : result;
}

typedef struct Search {
	unsigned port;
	Mac mac;
	unsigned holder;    /* 0: none */
} Search;

static void on_other_entry(struct nlmsghdr *header, void *userdata)
{
	Search *search = userdata;
	Entry entry;

	if (read_entry(header, &entry) && mac_equal(&entry.mac, &search->mac) &&
	    (entry.state & NUD_PERMANENT || (entry.state & NUD_NOARP && entry.link != search->port)))
		search->holder = entry.link;
}

static struct rtnl_neigh *describe(const Link *port, const Mac *mac)
{
	struct rtnl_neigh *entry = rtnl_neigh_alloc();
	struct nl_addr *address = nl_addr_build(AF_LLC, mac->octets, MAC_LENGTH);

	rtnl_neigh_set_family(entry, AF_BRIDGE);
	rtnl_neigh_set_ifindex(entry, (int) port->index);
	rtnl_neigh_set_lladdr(entry, address);
	rtnl_neigh_set_state(entry, NUD_NOARP);
	rtnl_neigh_set_flags(entry, NTF_MASTER);
	nl_addr_put(address);
	return entry;
}

static int add(Netlink *netlink, const Link *port, const Mac *mac, int flags)
{
	struct rtnl_neigh *entry = describe(port, mac);
	struct nl_msg *message = NULL;
	int result = rtnl_neigh_build_add_request(entry, NLM_F_CREATE | flags, &message);

	rtnl_neigh_put(entry);
	return result < 0 ? -EINVAL : netlink_request(netlink, message, NULL, NULL);
}

int bridge_port_add(Netlink *netlink, const Link *port, const Mac *mac, Link *ret_holder)
{
	Search search = { .port = port->index, .mac = *mac };
	/* WARNING: without NLM_F_EXCL the kernel takes an entry over, whosever it is. With a guest's
	 * choice of address that would be a way to get frames of the host's, or of a machine that the
	 * administrator has tied to its port. */
	int result = add(netlink, port, mac, NLM_F_EXCL);

	if (result != -EEXIST)
		return result;
	result = dump(netlink, port->master, 0, on_other_entry, &search);
	if (result < 0)
		return result;
	if (search.holder == 0)
		return add(netlink, port, mac, 0);
	/* With VLANs it may be in some of them by now. WARNING: not where it is the port's own address,
	 * which would be lost. */
	if (search.holder != port->index)
		bridge_port_remove(netlink, port, mac);
	if (link_get_by_index(netlink, search.holder, ret_holder) < 0)
		*ret_holder = (Link) { .index = search.holder, .name = "another port" };
	return -EEXIST;
}

int bridge_port_remove(Netlink *netlink, const Link *port, const Mac *mac)
{
	struct rtnl_neigh *entry = describe(port, mac);
	struct nl_msg *message = NULL;
	int result = rtnl_neigh_build_delete_request(entry, 0, &message);

	rtnl_neigh_put(entry);
	if (result < 0)
		return -EINVAL;
	result = netlink_request(netlink, message, NULL, NULL);
	return result == -ENOENT ? 0 : result;
}
