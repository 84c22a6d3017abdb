/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * The status of a migration, of whoever asked for it: saving and restoring are one too. QEMU tells of it
 * with the capability `events` alone, which is switched on at each connect; where it does not have it,
 * nothing is told, and the status is what it was when the monitor was connected.
 */

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
		domain_log(domain, LOG_INFO, "migration events: %s", error->message);
	domain_unref(domain);
}

void migration_enable_events(Domain *domain)
{
	migration_call_events_on(domain, on_events_on, domain_ref(domain));
}

static const char *get_status(const Domain *domain)
{
	return domain->migration_status ? domain->migration_status : "none";
}

static void set_status(Domain *domain, const char *status)
{
	g_free(domain->migration_status);
	domain->migration_status = g_str_equal(status, "none") ? NULL : g_strdup(status);
	domain_changed(domain, DOMAIN_PROPERTY_MIGRATION);
}

/* What a guest brings along that was loaded here (at a client's own migrate-incoming), no event tells. */
static void read_loaded(Domain *domain)
{
	domain_refresh(domain, STATE_QUERY_MEMORY_DEVICES);
	domain_refresh(domain, STATE_QUERY_DRIVES);
	domain_refresh(domain, STATE_QUERY_CHARDEVS);
	domain_refresh(domain, STATE_QUERY_BALLOON);
}

void migration_commit_changed(Domain *domain, Event *event)
{
	const char *status = event->migration_changed.status;

	save_note_status(domain, status);
	event->migration_changed.old = event_string(event, get_status(domain));
	if (*status && !g_str_equal(status, get_status(domain)))
		set_status(domain, status);
	if (g_str_equal(status, "completed"))
		read_loaded(domain);
	domain_publish(domain, event);
}

void migration_resync(Domain *domain, JsonNode *info)
{
	JsonObject *object = json_node_as_object(info);
	g_autofree char *old = g_strdup(get_status(domain));
	const char *status = "none";
	Event *event;

	/* Where there has been none, there is no status. */
	(void)json_read_string(object, "status", &status);
	if ((info && !object) || g_str_equal(status, old))
		return;
	set_status(domain, status);
	if (!resync_tells(domain))
		return;
	event = event_new(EVENT_MIGRATION_CHANGED, 0);
	event->migration_changed.status = event_string(event, status);
	event->migration_changed.old = event_string(event, old);
	event_add_resync(event);
	domain_publish(domain, event);
}
