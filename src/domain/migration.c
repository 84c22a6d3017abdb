/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/domain-internal.h"

void migration_call_events_on(Domain *domain, QmpReplyCallback callback, void *userdata)
{
	g_autoptr(JsonNode) arguments = json_from_string(
		"{\"capabilities\": [{\"capability\": \"events\", \"state\": true}]}", NULL);

	domain_call(domain, "migrate-set-capabilities", g_steal_pointer(&arguments),
		    DOMAIN_CALL_TIMEOUT_MS, callback, userdata);
}

static void on_events_on(JsonNode *result, const GError *error, void *userdata)
{
	Domain *domain = userdata;

	if (error)
		g_info("Domain '%s': migration events: %s", domain_get_name(domain), error->message);
	domain_unref(domain);
}

void migration_enable_events(Domain *domain)
{
	migration_call_events_on(domain, on_events_on, domain_ref(domain));
}

void migration_commit_changed(Domain *domain, Event *event)
{
	domain_publish(domain, event);
}

void migration_resync(Domain *domain, JsonNode *info)
{
}
