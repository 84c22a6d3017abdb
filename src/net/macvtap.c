/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/macvtap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netlink/addr.h>
#include <netlink/route/link/macvtap.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net/macvtap-device.h"

/* Why a link that may carry others does not carry this one. */
static void set_make_error(Netlink *netlink, const MacvtapRequest *request, const Link *lower, int result,
			   GError **error)
{
	g_autofree char *what = g_strdup_printf("a macvtap on %s cannot be made", request->source);
	Link master;

	if (result == -EEXIST)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "%s: there is a link with the name %s",
			    what, request->name);
	else if (result == -EBUSY && lower->master && link_get_by_index(netlink, lower->master, &master) == 0)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "%s: it belongs to %s, which gets all of its frames", what, master.name);
	else if (result == -EBUSY)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "%s: something else gets all of its frames already", what);
	else if (result == -EINVAL && lower->flags & IFF_LOOPBACK)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "%s: it is the loopback", what);
	else if (result == -EINVAL && strcmp(request->mode, "passthru") == 0)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "%s: mode passthru needs it for one link alone, and there is another on it", what);
	else if (result == -EINVAL)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "%s: the kernel refuses it, as it does while a link of mode passthru is on it", what);
	else if (result == -EOPNOTSUPP)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "%s: the kernel's module macvtap is to be loaded", what);
	else
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result, "%s", what);
}

static struct rtnl_link *describe(const MacvtapRequest *request, const Link *lower, uint32_t mode)
{
	struct rtnl_link *link = rtnl_link_macvtap_alloc();
	struct nl_addr *address = nl_addr_build(AF_LLC, request->mac.octets, MAC_LENGTH);

	rtnl_link_set_name(link, request->name);
	rtnl_link_set_link(link, (int) lower->index);
	rtnl_link_set_addr(link, address);
	rtnl_link_macvtap_set_mode(link, mode);
	nl_addr_put(address);
	return link;
}

static int add(Netlink *netlink, const MacvtapRequest *request, const Link *lower, uint32_t mode)
{
	struct rtnl_link *link = describe(request, lower, mode);
	struct nl_msg *message = NULL;
	int result = rtnl_link_build_add_request(link, NLM_F_CREATE | NLM_F_EXCL, &message);

	rtnl_link_put(link);
	return result < 0 ? -EINVAL : netlink_request(netlink, message, NULL, NULL);
}

/* What the kernel does not take with the request that makes a link. */
static bool complete(Netlink *netlink, const MacvtapRequest *request, const Link *link, GError **error)
{
	struct rtnl_link *changes;
	int result = 0;

	if (request->alias) {
		changes = rtnl_link_alloc();
		link_set_alias(changes, request->alias);
		result = link_change(netlink, link->index, changes);
		rtnl_link_put(changes);
	}
	/* It has the guest's address. A host that spoke on it would be a second one with the guest's own
	 * IPv6 address, and the guest finds that and gives its address up. And when QEMU has ended, what
	 * comes is for the host: a router among the guest's neighbours would give it a way into their
	 * network. */
	if (result == 0)
		result = link_silence_ipv6(netlink, link);
	if (result < 0) {
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result,
				  "the new macvtap %s cannot be set up", link->name);
		return false;
	}
	/* In mode passthru it has begun with the address of the link below: there they have one together.
	 * That link gets its own again from the kernel when the macvtap goes. */
	if (!mac_equal(&link->mac, &request->mac))
		result = link_set_mac(netlink, link->index, &request->mac);
	if (result < 0)
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result,
				  "a macvtap on %s cannot be made: %s does not take the guest's address",
				  request->source, request->source);
	return result == 0;
}

bool macvtap_make(Netlink *netlink, const MacvtapRequest *request, Link *ret_link, GError **error)
{
	int mode = rtnl_link_macvtap_str2mode(request->mode);
	Link lower, link;
	int result;

	if (mode < 0) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "a macvtap has no mode %s", request->mode);
		return false;
	}
	result = link_get_by_name(netlink, request->source, &lower);
	if (result < 0) {
		if (result == -ENODEV)
			g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
				    "a macvtap cannot be made: there is no link %s", request->source);
		else
			netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result, "the link %s",
					  request->source);
		return false;
	}
	result = add(netlink, request, &lower, (uint32_t) mode);
	if (result < 0) {
		set_make_error(netlink, request, &lower, result, error);
		return false;
	}
	result = link_get_by_name(netlink, request->name, &link);
	if (result < 0) {
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result, "the new macvtap %s",
				  request->name);
		return false;
	}
	if (!complete(netlink, request, &link, error)) {
		link_delete(netlink, link.index);
		return false;
	}
	link.mac = request->mac;
	*ret_link = link;
	return true;
}

/* The node is opened anew for each queue: /proc is the way from a descriptor of a file to the file. */
static int open_queue(const char *path, unsigned queues)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC), errno_value;

	if (fd < 0)
		return -errno;
	if (queues > 1)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	/* An ioctl: the device knows nothing of rtnetlink. The link is the device's, the name does not
	 * count. */
	if (ioctl(fd, TUNSETIFF, &request) == 0)
		return fd;
	errno_value = errno;
	close(fd);
	return -errno_value;
}

bool macvtap_open(const Link *link, unsigned queues, int *ret_descriptors, GError **error)
{
	g_autofree int *descriptors = g_new(int, queues);
	g_autofree char *path = NULL;
	int node = macvtap_device_find(link, error);
	unsigned n_open = 0;
	int result = 0;

	if (node < 0)
		return false;
	path = g_strdup_printf("/proc/self/fd/%d", node);
	while (n_open < queues) {
		result = open_queue(path, queues);
		if (result < 0)
			break;
		descriptors[n_open++] = result;
	}
	close(node);
	if (n_open == queues) {
		memcpy(ret_descriptors, descriptors, queues * sizeof(*descriptors));
		return true;
	}
	while (n_open > 0)
		close(descriptors[--n_open]);
	g_set_error(error, CORE_ERROR,
		    result == -EPERM || result == -EACCES ? CORE_ERROR_NOT_PERMITTED : CORE_ERROR_START_FAILED,
		    "the device of the macvtap %s cannot be opened: %s", link->name,
		    result == -EPERM || result == -EACCES
			    ? "the user or the unit that the service runs as may not open devices of macvtap"
			    : g_strerror(-result));
	return false;
}

typedef struct AddressUser {
	unsigned lower;
	unsigned except;
	Mac mac;
} AddressUser;

static bool uses_address(const Link *link, const void *userdata)
{
	const AddressUser *user = userdata;

	return (link->lower == user->lower || link->index == user->lower) && link->index != user->except &&
	       mac_equal(&link->mac, &user->mac);
}

char *macvtap_describe_user(Netlink *netlink, unsigned lower, const Mac *mac, unsigned except)
{
	AddressUser user = { .lower = lower, .except = except, .mac = *mac };
	g_autofree char *text = mac_to_string(mac);
	Link link;

	if (lower == 0 || link_find(netlink, uses_address, &user, &link) < 0)
		return g_strdup("");
	if (link.index == lower)
		return g_strdup_printf("%s is the address of %s, which it stands on", text, link.name);
	return g_strdup_printf("%s is the address of %s, which stands on the same link", text, link.name);
}
