/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/route/link/inet6.h>
#include <string.h>
#include <unistd.h>

/* The kernel takes one byte less than its IFALIASZ (256), and libnl sends the 0 that ends it, too. */
#define ALIAS_MAX 254u

static void read_port(Link *link, struct nlattr *data)
{
	struct nlattr *values[IFLA_BRPORT_MAX + 1] = { NULL };

	if (nla_parse_nested(values, IFLA_BRPORT_MAX, data, NULL) < 0)
		return;
	link->bridge_port = true;
	link->learning = values[IFLA_BRPORT_LEARNING] && nla_get_u8(values[IFLA_BRPORT_LEARNING]);
	link->unicast_flood = values[IFLA_BRPORT_UNICAST_FLOOD] && nla_get_u8(values[IFLA_BRPORT_UNICAST_FLOOD]);
}

static void read_macvlan(Link *link, struct nlattr *data)
{
	struct nlattr *values[IFLA_MACVLAN_MAX + 1] = { NULL };

	if (nla_parse_nested(values, IFLA_MACVLAN_MAX, data, NULL) < 0 || !values[IFLA_MACVLAN_MODE])
		return;
	link->passthru = nla_get_u32(values[IFLA_MACVLAN_MODE]) == MACVLAN_MODE_PASSTHRU;
}

static void read_kind(Link *link, struct nlattr *information)
{
	struct nlattr *values[IFLA_INFO_MAX + 1] = { NULL };
	struct nlattr *slave;

	if (nla_parse_nested(values, IFLA_INFO_MAX, information, NULL) < 0)
		return;
	if (values[IFLA_INFO_KIND])
		nla_strlcpy(link->kind, values[IFLA_INFO_KIND], sizeof(link->kind));
	if (strcmp(link->kind, "macvtap") == 0 && values[IFLA_INFO_DATA])
		read_macvlan(link, values[IFLA_INFO_DATA]);
	slave = values[IFLA_INFO_SLAVE_KIND];
	if (slave && nla_strcmp(slave, "bridge") == 0 && values[IFLA_INFO_SLAVE_DATA])
		read_port(link, values[IFLA_INFO_SLAVE_DATA]);
}

static bool read_link(struct nlmsghdr *header, Link *ret_link)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = { .type = NLA_STRING, .maxlen = IFNAMSIZ },
		[IFLA_MTU] = { .type = NLA_U32 },
		[IFLA_LINK] = { .type = NLA_U32 },
		[IFLA_MASTER] = { .type = NLA_U32 },
		[IFLA_LINKINFO] = { .type = NLA_NESTED },
	};
	struct nlattr *values[IFLA_MAX + 1] = { NULL };
	struct ifinfomsg *information = nlmsg_data(header);
	Link link = { 0 };

	/* libnl does not write to the policy, it only does not say so. */
	if (header->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse(header, sizeof(*information), values, IFLA_MAX, (struct nla_policy *) policy) < 0)
		return false;
	link.index = (unsigned) information->ifi_index;
	link.flags = information->ifi_flags;
	if (values[IFLA_IFNAME])
		nla_strlcpy(link.name, values[IFLA_IFNAME], sizeof(link.name));
	if (values[IFLA_ADDRESS] && nla_len(values[IFLA_ADDRESS]) == (int) MAC_LENGTH)
		memcpy(link.mac.octets, nla_data(values[IFLA_ADDRESS]), MAC_LENGTH);
	link.mtu = values[IFLA_MTU] ? nla_get_u32(values[IFLA_MTU]) : 0;
	link.master = values[IFLA_MASTER] ? nla_get_u32(values[IFLA_MASTER]) : 0;
	/* With this attribute the link below is in another network namespace, and its index is one of
	 * there. */
	if (values[IFLA_LINK] && !values[IFLA_LINK_NETNSID])
		link.lower = nla_get_u32(values[IFLA_LINK]);
	if (values[IFLA_LINKINFO])
		read_kind(&link, values[IFLA_LINKINFO]);
	*ret_link = link;
	return true;
}

static void on_link(struct nlmsghdr *header, void *userdata)
{
	Link *link = userdata;

	read_link(header, link);
}

static int get(Netlink *netlink, int index, const char *name, Link *ret_link)
{
	struct nl_msg *message = NULL;
	Link link = { 0 };
	int result;

	if (rtnl_link_build_get_request(index, name, &message) < 0)
		return -EINVAL;
	result = netlink_request(netlink, message, on_link, &link);
	if (result < 0)
		return result;
	if (link.index == 0)
		return -EIO;
	*ret_link = link;
	return 0;
}

int link_get_by_index(Netlink *netlink, unsigned index, Link *ret_link)
{
	/* libnl takes 0 for "by its name". */
	if (index == 0 || index > G_MAXINT)
		return -ENODEV;
	return get(netlink, (int) index, NULL, ret_link);
}

int link_get_by_name(Netlink *netlink, const char *name, Link *ret_link)
{
	/* What cannot be a name is refused as a bad request, and it is only that no link has it. */
	if (*name == '\0' || strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	return get(netlink, 0, name, ret_link);
}

typedef struct LinkSearch {
	LinkMatch match;
	const void *userdata;
	Link found;
} LinkSearch;

static void on_each_link(struct nlmsghdr *header, void *userdata)
{
	LinkSearch *search = userdata;
	Link link;

	if (search->found.index == 0 && read_link(header, &link) && search->match(&link, search->userdata))
		search->found = link;
}

int link_find(Netlink *netlink, LinkMatch match, const void *userdata, Link *ret_link)
{
	LinkSearch search = { .match = match, .userdata = userdata };
	struct ifinfomsg information = { .ifi_family = AF_UNSPEC };
	struct nl_msg *message = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
	int result;

	if (nlmsg_append(message, &information, sizeof(information), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	result = netlink_request(netlink, message, on_each_link, &search);
	if (result < 0)
		return result;
	if (search.found.index == 0)
		return -ENODEV;
	*ret_link = search.found;
	return 0;
}

int link_change(Netlink *netlink, unsigned index, struct rtnl_link *changes)
{
	struct rtnl_link *which = rtnl_link_alloc();
	struct nl_msg *message = NULL;
	int result;

	rtnl_link_set_ifindex(which, (int) index);
	result = rtnl_link_build_change_request(which, changes, 0, &message);
	rtnl_link_put(which);
	return result < 0 ? -EINVAL : netlink_request(netlink, message, NULL, NULL);
}

int link_set_mac(Netlink *netlink, unsigned index, const Mac *mac)
{
	struct rtnl_link *changes = rtnl_link_alloc();
	struct nl_addr *address = nl_addr_build(AF_LLC, mac->octets, MAC_LENGTH);
	int result;

	rtnl_link_set_addr(changes, address);
	nl_addr_put(address);
	result = link_change(netlink, index, changes);
	rtnl_link_put(changes);
	return result;
}

int link_set_flags(Netlink *netlink, unsigned index, unsigned mask, unsigned flags)
{
	struct rtnl_link *changes = rtnl_link_alloc();
	int result;

	/* Both make the kernel's ifi_change. WARNING: without it, it takes all flags from the message. */
	rtnl_link_set_flags(changes, mask & flags);
	rtnl_link_unset_flags(changes, mask & ~flags);
	result = link_change(netlink, index, changes);
	rtnl_link_put(changes);
	return result;
}

/* No address is made when it comes up; but what a router announces would still give it one. This switch,
 * which rtnetlink does not have, is for that, and where the service may not write there (a unit can be
 * kept from it) the first is what there is. The path is that of the network namespace of whoever opens it. */
static void disable_ipv6(const char *link)
{
	g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", link);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		g_debug("%s: %s", path, g_strerror(errno));
	close(fd);
}

int link_silence_ipv6(Netlink *netlink, const Link *link)
{
	struct rtnl_link *changes = rtnl_link_alloc();
	int result;

	rtnl_link_inet6_set_addr_gen_mode(changes, IN6_ADDR_GEN_MODE_NONE);
	result = link_change(netlink, link->index, changes);
	rtnl_link_put(changes);
	disable_ipv6(link->name);
	return result == -EAFNOSUPPORT || result == -EOPNOTSUPP ? 0 : result;
}

int link_delete(Netlink *netlink, unsigned index)
{
	struct rtnl_link *which = rtnl_link_alloc();
	struct nl_msg *message = NULL;
	int result;

	rtnl_link_set_ifindex(which, (int) index);
	result = rtnl_link_build_delete_request(which, &message);
	rtnl_link_put(which);
	return result < 0 ? -EINVAL : netlink_request(netlink, message, NULL, NULL);
}

void link_set_alias(struct rtnl_link *changes, const char *alias)
{
	g_autofree char *cut = g_strndup(alias, ALIAS_MAX);
	const char *end = NULL;

	if (strlen(alias) > ALIAS_MAX && !g_utf8_validate(cut, -1, &end))
		cut[end - cut] = '\0';
	rtnl_link_set_ifalias(changes, cut);
}
