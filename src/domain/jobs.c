/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"

void jobs_init(Domain *domain)
{
	domain->jobs = g_hash_table_new(g_str_hash, g_str_equal);
}

void jobs_clear(Domain *domain)
{
	g_clear_pointer(&domain->jobs, g_hash_table_unref);
}

bool jobs_prepare_changed(Domain *domain, const Event *event, Strand *strand)
{
	return true;
}

void jobs_commit_changed(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void jobs_commit_event(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void jobs_resync(Domain *domain, JsonNode *list)
{
}
