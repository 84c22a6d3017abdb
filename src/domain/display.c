/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"

void display_init(Domain *domain)
{
	domain->clients = g_ptr_array_new();
}

void display_clear(Domain *domain)
{
	g_clear_pointer(&domain->clients, g_ptr_array_unref);
}

void display_commit_client(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void display_resync_vnc(Domain *domain, JsonNode *list)
{
}

void display_resync_spice(Domain *domain, JsonNode *info)
{
}
