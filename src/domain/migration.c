/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * The status of a migration, of whoever asked for it: saving and restoring are one too. QEMU tells of it
 * with the capability `events` alone, which is switched on at each connect; where it does not have it,
 * nothing is told, and the status is what it was when the monitor was connected.
 *
 * How far it has come, no event tells. While one is under way QEMU is asked, and once more when it has ended; a
 * QEMU that does not answer is not asked again. The destination of a migration has nothing to tell.
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

/* ---- how far ---- */

void migration_clear(Domain *domain)
{
	g_clear_pointer(&domain->migration_status, g_free);
	domain_clear_timer(domain, &domain->progress_timer);
	domain->has_progress = false;
	domain->asking_progress = false;
	domain->ask_progress_again = false;
}

static bool is_under_way(const Domain *domain)
{
	static const char *const ended[] = { "none", "cancelled", "completed", "failed" };

	for (unsigned i = 0; i < G_N_ELEMENTS(ended); i++)
		if (g_str_equal(get_status(domain), ended[i]))
			return false;
	return true;
}

static bool read_bytes(JsonObject *ram, const char *member, uint64_t *ret_bytes)
{
	int64_t bytes;

	if (!json_read_int(ram, member, &bytes))
		return false;
	*ret_bytes = (uint64_t)bytes;
	return true;
}

static void take_progress(Domain *domain, JsonNode *info)
{
	JsonObject *ram = json_read_object(json_node_as_object(info), "ram");
	MigrationProgress progress = { 0 };

	if (!read_bytes(ram, "transferred", &progress.transferred) ||
	    !read_bytes(ram, "remaining", &progress.remaining) ||
	    !read_bytes(ram, "total", &progress.total))
		return;
	if (domain->has_progress && memcmp(&progress, &domain->progress, sizeof(progress)) == 0)
		return;
	domain->progress = progress;
	domain->has_progress = true;
	domain_changed(domain, DOMAIN_PROPERTY_PROGRESS);
}

typedef struct ProgressQuery {
	Domain *domain;
	uint64_t run;
} ProgressQuery;

static void ask_progress(Domain *domain);

static void on_poll(int timer, void *userdata)
{
	Domain *domain = userdata;

	domain_clear_timer(domain, &domain->progress_timer);
	ask_progress(domain);
}

static void on_progress(JsonNode *result, const GError *error, void *userdata)
{
	ProgressQuery *query = userdata;
	Domain *domain = query->domain;

	if (domain->host && domain->run == query->run) {
		domain->asking_progress = false;
		if (result)
			take_progress(domain, result);
		if (result && domain->ask_progress_again)
			ask_progress(domain);
		else if (result && is_under_way(domain))
			domain_set_timer(domain, &domain->progress_timer, MIGRATION_POLL_MS, on_poll);
	}
	domain_unref(domain);
	g_free(query);
}

static void ask_progress(Domain *domain)
{
	ProgressQuery *query;

	domain->ask_progress_again = domain->asking_progress;
	if (domain->asking_progress)
		return;
	domain->asking_progress = true;
	domain_clear_timer(domain, &domain->progress_timer);
	query = g_new0(ProgressQuery, 1);
	query->domain = domain_ref(domain);
	query->run = domain->run;
	domain_call(domain, "query-migrate", NULL, DOMAIN_CALL_TIMEOUT_MS, on_progress, query);
}

/* ---- the status ---- */

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
	/* A start loads a state: nothing goes out. */
	if (!domain->start)
		ask_progress(domain);
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
	take_progress(domain, info);
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
