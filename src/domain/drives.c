/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"

void drives_init(Domain *domain)
{
	domain->trays = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	domain->io_status = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	domain->thresholds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void drives_clear(Domain *domain)
{
	g_clear_pointer(&domain->trays, g_hash_table_unref);
	g_clear_pointer(&domain->io_status, g_hash_table_unref);
	g_clear_pointer(&domain->thresholds, g_hash_table_unref);
}

void drives_commit_tray(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void drives_commit_io_error(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void drives_commit_threshold(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void drives_resync(Domain *domain, JsonNode *list)
{
}

void drives_resync_nodes(Domain *domain, JsonNode *list)
{
}

void drives_threshold_by_command(Domain *domain, JsonObject *arguments)
{
}
