/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/host-nic.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/device.h"
#include "net/host-link.h"
#include "net/macvtap.h"
#include "net/tap.h"

#define VHOST_DEVICE "/dev/vhost-net"
/* As in a definition that does not say it. The kernel's own is vepa, which needs a switch that sends
 * frames back. */
#define MODE_DEFAULT "bridge"
/* What of a random number is in a name: six hexadecimal digits. */
#define NAME_BITS_MASK 0xffffffu

static const char *const type_names[HOST_NIC_TYPE_MAX] = {
	[HOST_NIC_TAP] = "tap",
	[HOST_NIC_BRIDGE] = "bridge",
	[HOST_NIC_MACVTAP] = "macvtap",
};

const char *host_nic_type_to_string(HostNicType type)
{
	g_assert(type < HOST_NIC_TYPE_MAX);
	return type_names[type];
}

bool host_nic_type_from_string(const char *text, HostNicType *ret_type)
{
	for (unsigned type = 0; type < HOST_NIC_TYPE_MAX; type++)
		if (strcmp(text, type_names[type]) == 0) {
			*ret_type = (HostNicType) type;
			return true;
		}
	return false;
}

void host_nic_descriptors_close(HostNicDescriptors *descriptors)
{
	for (unsigned i = 0; i < descriptors->n_queues; i++)
		close(descriptors->queues[i]);
	for (unsigned i = 0; i < descriptors->n_vhost; i++)
		close(descriptors->vhost[i]);
	descriptors->n_queues = descriptors->n_vhost = 0;
}

/* Random, not counted: a service that was killed between planning and writing the index down, and another
 * one on this host, must not mean each other's. */
static char *choose_name(HostNicType type)
{
	const char *prefix = type == HOST_NIC_MACVTAP ? "vhmt" : "vhtap";
	char *name = NULL;

	do {
		g_free(name);
		name = g_strdup_printf("%s%06x", prefix, g_random_int() & NAME_BITS_MASK);
	} while (if_nametoindex(name) != 0);
	return name;
}

HostNic *host_nic_plan(const HostNicRequest *request)
{
	HostNic *nic = g_new0(HostNic, 1);

	nic->type = request->type;
	nic->foreign = request->type == HOST_NIC_TAP && request->source;
	nic->link = nic->foreign ? g_strdup(request->source) : choose_name(request->type);
	return nic;
}

HostNic *host_nic_copy(const HostNic *nic)
{
	HostNic *copy = g_new0(HostNic, 1);

	*copy = *nic;
	copy->link = g_strdup(nic->link);
	return copy;
}

HostNic *host_nic_free(HostNic *nic)
{
	if (!nic)
		return NULL;
	g_free(nic->link);
	g_free(nic);
	return NULL;
}

static bool open_vhost(HostNicDescriptors *descriptors, unsigned queues, GError **error)
{
	while (descriptors->n_vhost < queues) {
		int fd = device_open(VHOST_DEVICE, "vhost_net", error);

		if (fd < 0)
			return false;
		descriptors->vhost[descriptors->n_vhost++] = fd;
	}
	return true;
}

static bool find_bridge(Netlink *netlink, const char *name, Link *ret_bridge, GError **error)
{
	int result = name ? link_get_by_name(netlink, name, ret_bridge) : -ENODEV;

	if (result == -ENODEV)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "there is no bridge %s", name ? name : "");
	else if (result < 0)
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result, "the bridge %s", name);
	else if (strcmp(ret_bridge->kind, "bridge") != 0)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "%s is not a bridge", name);
	else
		return true;
	return false;
}

/* In the order of the kernel's own needs: a port brings its MTU and address with it, and IPv6 is to be
 * quiet before the link comes up. The host speaks on the bridge, not on a port of it. */
static bool set_up_tap(Netlink *netlink, const Link *tap, const HostNicRequest *request, const Link *bridge,
		       GError **error)
{
	struct rtnl_link *first = rtnl_link_alloc(), *last = rtnl_link_alloc();
	struct nl_addr *address = NULL;
	Mac guest, mac;
	int result;

	if (mac_parse(request->mac, &guest)) {
		mac = tap_mac(&guest);
		address = nl_addr_build(AF_LLC, mac.octets, MAC_LENGTH);
		rtnl_link_set_addr(first, address);
		nl_addr_put(address);
	}
	if (request->alias)
		link_set_alias(first, request->alias);
	if (bridge) {
		rtnl_link_set_mtu(first, bridge->mtu);
		rtnl_link_set_master(last, (int) bridge->index);
	}
	rtnl_link_set_flags(last, IFF_UP);

	result = link_change(netlink, tap->index, first);
	if (result == 0 && bridge)
		result = link_silence_ipv6(netlink, tap);
	if (result == 0)
		result = link_change(netlink, tap->index, last);
	rtnl_link_put(first);
	rtnl_link_put(last);
	if (result == 0)
		return true;
	if (bridge)
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result,
				  "the tap %s cannot be made a port of the bridge %s", tap->name, bridge->name);
	else
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result,
				  "the tap %s cannot be brought up", tap->name);
	return false;
}

/* A tap that does not become what it was to be goes with its descriptors. */
static bool make_tap(Netlink *netlink, const HostNic *nic, const HostNicRequest *request,
		     HostNicDescriptors *descriptors, Link *ret_link, GError **error)
{
	bool on_bridge = nic->type == HOST_NIC_BRIDGE;
	Link bridge, tap;

	if (nic->foreign) {
		if (!tap_open(netlink, nic->link, request->queues, descriptors->queues, ret_link, error))
			return false;
		descriptors->n_queues = request->queues;
		return true;
	}
	if (on_bridge && !find_bridge(netlink, request->source, &bridge, error))
		return false;
	if (!tap_make(netlink, nic->link, request->queues, descriptors->queues, &tap, error))
		return false;
	descriptors->n_queues = request->queues;
	if (!set_up_tap(netlink, &tap, request, on_bridge ? &bridge : NULL, error))
		return false;
	*ret_link = tap;
	return true;
}

static bool bring_up_macvtap(Netlink *netlink, const Link *link, const HostNicRequest *request, GError **error)
{
	int result = link_set_flags(netlink, link->index, IFF_UP, IFF_UP);
	g_autofree char *user = NULL;

	if (result == 0)
		return true;
	if (result == -EBUSY || result == -EADDRINUSE)
		user = macvtap_describe_user(netlink, link->lower, &link->mac, link->index);
	if (user && *user)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "a macvtap on %s cannot be brought up: %s", request->source, user);
	else
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result,
				  "a macvtap on %s cannot be brought up", request->source);
	return false;
}

static bool make_macvtap(Netlink *netlink, const HostNic *nic, const HostNicRequest *request,
			 HostNicDescriptors *descriptors, Link *ret_link, GError **error)
{
	MacvtapRequest wanted = {
		.name = nic->link,
		.source = request->source ? request->source : "",
		.mode = request->mode ? request->mode : MODE_DEFAULT,
		.alias = request->alias,
	};
	Link link;

	if (!mac_parse(request->mac, &wanted.mac)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "%s is no MAC address", request->mac);
		return false;
	}
	if (!macvtap_make(netlink, &wanted, &link, error))
		return false;
	if (macvtap_open(&link, request->queues, descriptors->queues, error)) {
		descriptors->n_queues = request->queues;
		if (bring_up_macvtap(netlink, &link, request, error)) {
			*ret_link = link;
			return true;
		}
	}
	link_delete(netlink, link.index);
	return false;
}

bool host_nic_make(HostNic *nic, const HostNicRequest *request, HostNicDescriptors *ret_descriptors,
		   GError **error)
{
	g_autoptr(Netlink) netlink = netlink_open(error);
	HostNicDescriptors descriptors = { 0 };
	Link link = { 0 };
	bool made;

	g_assert(nic->type == request->type);
	g_assert(request->queues >= 1 && request->queues <= HOST_NIC_QUEUES_MAX);
	if (!netlink)
		return false;

	/* First what needs no undoing. */
	made = !request->vhost || open_vhost(&descriptors, request->queues, error);
	made = made && (nic->type == HOST_NIC_MACVTAP ? make_macvtap : make_tap)(netlink, nic, request,
										   &descriptors, &link, error);
	if (!made) {
		host_nic_descriptors_close(&descriptors);
		return false;
	}
	nic->index = link.index;
	*ret_descriptors = descriptors;
	return true;
}

bool host_nic_remove(const HostNic *nic, GError **error)
{
	g_autoptr(Netlink) netlink = NULL;
	Link link;
	int result;

	if (nic->foreign)
		return true;
	netlink = netlink_open(error);
	if (!netlink)
		return false;
	result = host_link_find(netlink, nic, &link);
	/* By its index, which nobody else gets in this namespace: the name may be another's by now. */
	if (result == 0)
		result = link_delete(netlink, link.index);
	if (result == 0 || result == -ENODEV)
		return true;
	netlink_set_error(netlink, error, CORE_ERROR_IO, -result, "the link %s cannot be removed", nic->link);
	return false;
}
