/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"

void channels_init(Domain *domain)
{
	domain->channels = g_hash_table_new(g_str_hash, g_str_equal);
}

void channels_clear(Domain *domain)
{
	g_clear_pointer(&domain->channels, g_hash_table_unref);
}

void channels_commit_changed(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void channels_device_added(Domain *domain, const DomainDevice *device)
{
}

void channels_device_removed(Domain *domain, const char *id)
{
}

void channels_resync(Domain *domain, JsonNode *list)
{
}
