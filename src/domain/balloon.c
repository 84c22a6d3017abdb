/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"

void balloon_commit_changed(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void balloon_commit_report(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void balloon_resync(Domain *domain, JsonNode *info)
{
}
