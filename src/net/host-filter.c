/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/host-filter.h"

HostFilter *host_filter_new(HostFilterKind kind)
{
	HostFilter *filter = g_new0(HostFilter, 1);

	filter->kind = kind;
	filter->multicast_table = mac_set_new();
	filter->forwarding = mac_set_new();
	return filter;
}

HostFilter *host_filter_free(HostFilter *filter)
{
	if (!filter)
		return NULL;
	mac_set_free(filter->multicast_table);
	mac_set_free(filter->forwarding);
	g_free(filter);
	return NULL;
}

HostFilterOwn *host_filter_own_new(void)
{
	HostFilterOwn *own = g_new0(HostFilterOwn, 1);

	own->multicast_table = mac_set_new();
	own->forwarding = mac_set_new();
	return own;
}

HostFilterOwn *host_filter_own_copy(const HostFilterOwn *own)
{
	HostFilterOwn *copy = g_new0(HostFilterOwn, 1);

	copy->multicast_table = mac_set_copy(own->multicast_table);
	copy->forwarding = mac_set_copy(own->forwarding);
	return copy;
}

HostFilterOwn *host_filter_own_free(HostFilterOwn *own)
{
	if (!own)
		return NULL;
	mac_set_free(own->multicast_table);
	mac_set_free(own->forwarding);
	g_free(own);
	return NULL;
}
