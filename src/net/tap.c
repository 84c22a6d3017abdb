/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/tap.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net/device.h"
#include "net/refused.h"

#define TUN_DEVICE  "/dev/net/tun"
#define TAP_FLAGS   (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
/* First octet of a tap's own address: locally administered, and higher than what vendors have. The second
 * is for guests that have the first. */
#define TAP_OCTET        0xfe
#define TAP_OCTET_OTHER  0xfa

static void close_all(int *descriptors, unsigned n_descriptors)
{
	for (unsigned i = 0; i < n_descriptors; i++)
		close(descriptors[i]);
}

/* An ioctl, because rtnetlink makes no taps ("tun/tap creation via rtnetlink is not supported"). 0 or
 * -errno. */
static int attach(int fd, const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = (short) flags };

	g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
	return ioctl(fd, TUNSETIFF, &request) == 0 ? 0 : -errno;
}

static int make_queue(const char *name, unsigned queue, unsigned queues, GError **error)
{
	int fd = device_open(TUN_DEVICE, "tun", error);
	int flags = TAP_FLAGS | (queues > 1 ? IFF_MULTI_QUEUE : 0);
	int result;

	if (fd < 0)
		return -1;
	/* WARNING: without IFF_TUN_EXCL a tap of somebody else's that has the name is opened. */
	result = attach(fd, name, flags | (queue == 0 ? IFF_TUN_EXCL : 0));
	if (result == 0)
		return fd;
	close(fd);
	if (queue == 0 && (result == -EBUSY || result == -EINVAL))
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "the tap %s cannot be made: there is a link with that name", name);
	else
		refused_set_error(error, CORE_ERROR_START_FAILED, -result, NULL, "CAP_NET_ADMIN",
				  "a tap cannot be made");
	return -1;
}

bool tap_make(Netlink *netlink, const char *name, unsigned queues, int *ret_descriptors, Link *ret_link,
	      GError **error)
{
	g_autofree int *descriptors = g_new(int, queues);
	unsigned n_open = 0;
	int result;

	while (n_open < queues) {
		descriptors[n_open] = make_queue(name, n_open, queues, error);
		if (descriptors[n_open] < 0)
			break;
		n_open++;
	}
	if (n_open == queues) {
		result = link_get_by_name(netlink, name, ret_link);
		if (result == 0) {
			memcpy(ret_descriptors, descriptors, queues * sizeof(*descriptors));
			return true;
		}
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result, "the new tap %s", name);
	}
	close_all(descriptors, n_open);
	return false;
}

/* One with several queues can be opened in no other way, not even for one queue, and the other way round. */
static int open_queue(const char *name, unsigned queues, GError **error)
{
	int fd = device_open(TUN_DEVICE, "tun", error);
	int result;

	if (fd < 0)
		return -1;
	result = attach(fd, name, TAP_FLAGS | (queues > 1 ? IFF_MULTI_QUEUE : 0));
	if (result == -EINVAL && queues == 1)
		result = attach(fd, name, TAP_FLAGS | IFF_MULTI_QUEUE);
	if (result == 0)
		return fd;
	close(fd);
	if (result == -EBUSY)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "the tap %s is in use: another program has opened it", name);
	else if (result == -EINVAL && queues > 1)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "the tap %s takes no %u queues: it was made without multi_queue", name, queues);
	else if (result == -E2BIG)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED,
			    "the tap %s has no queue left", name);
	else if (result == -EPERM || result == -EACCES)
		g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
			    "the tap %s was made for another user, and CAP_NET_ADMIN is missing", name);
	else
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "the tap %s cannot be opened: %s", name,
			    g_strerror(-result));
	return -1;
}

/* ret_link is set if it is true. */
static bool find(Netlink *netlink, const char *name, Link *ret_link, GError **error)
{
	int result = link_get_by_name(netlink, name, ret_link);

	if (result == -ENODEV)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "there is no tap %s", name);
	else if (result < 0)
		netlink_set_error(netlink, error, CORE_ERROR_START_FAILED, -result, "the tap %s", name);
	else if (strcmp(ret_link->kind, "tun") != 0)
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "%s is not a tap", name);
	else
		return true;
	return false;
}

bool tap_open(Netlink *netlink, const char *name, unsigned queues, int *ret_descriptors, Link *ret_link,
	      GError **error)
{
	g_autofree int *descriptors = g_new(int, queues);
	unsigned n_open = 0;
	Link before, after;

	if (!find(netlink, name, &before, error))
		return false;
	while (n_open < queues) {
		descriptors[n_open] = open_queue(before.name, queues, error);
		if (descriptors[n_open] < 0)
			break;
		n_open++;
	}
	if (n_open == queues && find(netlink, before.name, &after, error)) {
		/* Had it been deleted meanwhile, a service that may would have made a new one by opening
		 * it. */
		if (after.index == before.index) {
			memcpy(ret_descriptors, descriptors, queues * sizeof(*descriptors));
			*ret_link = after;
			return true;
		}
		g_set_error(error, CORE_ERROR, CORE_ERROR_START_FAILED, "the tap %s was deleted", name);
	}
	close_all(descriptors, n_open);
	return false;
}

Mac tap_mac(const Mac *guest)
{
	Mac mac = *guest;

	/* Never the guest's own: a bridge keeps the frames that are for an address of its ports, as for
	 * the host itself, and a host with a tap that stands alone would talk to a neighbour who has its
	 * own address. And high: a bridge without an address that was given to it takes the lowest one of
	 * its ports, so one that comes and goes with a guest must not be that. */
	mac.octets[0] = guest->octets[0] == TAP_OCTET ? TAP_OCTET_OTHER : TAP_OCTET;
	return mac;
}
