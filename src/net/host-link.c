/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/host-link.h"

#include <errno.h>
#include <string.h>

static const char *const kinds[HOST_NIC_TYPE_MAX] = {
	[HOST_NIC_TAP] = "tun",
	[HOST_NIC_BRIDGE] = "tun",
	[HOST_NIC_MACVTAP] = "macvtap",
};

int host_link_find(Netlink *netlink, const HostNic *nic, Link *ret_link)
{
	Link link;
	int result = link_get_by_name(netlink, nic->link, &link);

	if (result < 0)
		return result;
	/* The kernel looks for alternative names too; those are an administrator's. */
	if (!nic->foreign && strcmp(link.name, nic->link) != 0)
		return -ENODEV;
	if ((nic->index != 0 && link.index != nic->index) || strcmp(link.kind, kinds[nic->type]) != 0)
		return -ENODEV;
	*ret_link = link;
	return 0;
}
