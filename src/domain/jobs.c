/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * Jobs of QEMU: what goes on in the background, mostly with drives.
 *
 * JOB_STATUS_CHANGE tells the steps of every job, but neither what kind of job it is nor why it failed; so
 * QEMU is asked (class prepare) when the kind is not known yet, and when a job has concluded. BLOCK_JOB_*
 * tell more, but of block jobs alone. Put together, in the order of a mirror that fails:
 *
 *   created     query-jobs: type
 *   running, paused, ready, standby, waiting, pending, aborting
 *               BLOCK_JOB_COMPLETED: length, offset, speed, error
 *   concluded   query-jobs: error; a job that dismisses itself is not there any more
 *   null        it is gone
 */

/* Of one domain. QEMU has no bound of its own. */
#define JOBS_MAX 1024u

static void job_free(void *data)
{
	DomainJob *job = data;

	g_free(job->id);
	g_free(job->type);
	g_free(job->status);
	g_free(job->error);
	g_free(job);
}

void jobs_init(Domain *domain)
{
	domain->jobs = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, job_free);
	domain->jobs_left_out = false;
}

void jobs_clear(Domain *domain)
{
	g_clear_pointer(&domain->jobs, g_hash_table_unref);
}

/* ---- the table ---- */

/* NULL: there are too many. */
static DomainJob *add_job(Domain *domain, const char *id)
{
	DomainJob *job;

	if (!domain_has_room(domain, domain->jobs, JOBS_MAX, "jobs", &domain->jobs_left_out))
		return NULL;
	job = g_new0(DomainJob, 1);
	job->id = g_strdup(id);
	job->type = g_strdup("");
	job->status = g_strdup("");
	g_hash_table_replace(domain->jobs, job->id, job);
	return job;
}

/* These return whether it is another than before. */

static bool set_text(char **place, const char *text)
{
	if (g_strcmp0(*place, text) == 0)
		return false;
	g_free(*place);
	*place = g_strdup(text);
	return true;
}

static bool set_number(uint64_t *place, int64_t number)
{
	bool changed = *place != (uint64_t)number;

	*place = (uint64_t)number;
	return changed;
}

/* An entry of query-jobs. Its status is left alone, and unless the job is at rest its offset: they are ahead of the
 * event that waits for this. */
static bool read_job(DomainJob *job, JsonObject *entry, bool is_at_rest)
{
	bool changed = false;
	const char *text;
	int64_t number;

	if (json_read_string(entry, "type", &text))
		changed |= set_text(&job->type, text);
	if (json_read_string(entry, "error", &text))
		changed |= set_text(&job->error, text);
	if (json_read_int(entry, "total-progress", &number)) {
		changed |= set_number(&job->length, number);
		job->has_progress = true;
	}
	if (is_at_rest && json_read_int(entry, "current-progress", &number))
		changed |= set_number(&job->offset, number);
	return changed;
}

/* What BLOCK_JOB_* say; they have it in their details. */
static void read_event(DomainJob *job, Event *event)
{
	const char *text;

	if (*event->job_event.type)
		(void)set_text(&job->type, event->job_event.type);
	if (!event->extra)
		return;
	job->has_progress |= g_variant_dict_lookup(event->extra, "len", "t", &job->length);
	(void)g_variant_dict_lookup(event->extra, "offset", "t", &job->offset);
	job->has_speed |= g_variant_dict_lookup(event->extra, "speed", "t", &job->speed);
	if (g_variant_dict_lookup(event->extra, "error", "&s", &text))
		(void)set_text(&job->error, text);
}

static void add_details(Event *event, const DomainJob *job)
{
	if (*job->type)
		event_add_detail(event, "type", g_variant_new_string(job->type));
	if (job->has_progress) {
		event_add_detail(event, "len", g_variant_new_uint64(job->length));
		event_add_detail(event, "offset", g_variant_new_uint64(job->offset));
	}
	if (job->has_speed)
		event_add_detail(event, "speed", g_variant_new_uint64(job->speed));
	if (job->error)
		event_add_detail(event, "error", g_variant_new_string(job->error));
}

/* Who waits for the job to be over is answered. */
static void end_cancels(Domain *domain, const char *id)
{
	Operation *operation;

	while ((operation = operation_find_by_device(domain, DOMAIN_OPERATION_CANCEL_JOB, id)))
		operation_end(operation, NULL, NULL);
}

/* job may be NULL: it was left out of the table. It is not to be used afterwards: at `null` it goes. */
static void tell_changed(Domain *domain, Event *event, DomainJob *job)
{
	g_autofree char *id = g_strdup(event->job_changed.id);
	bool is_gone = g_str_equal(event->job_changed.status, "null");
	bool is_over = is_gone || (job && !job->dismissed &&
				   g_str_equal(event->job_changed.status, "concluded"));

	if (job) {
		(void)set_text(&job->status, event->job_changed.status);
		add_details(event, job);
		domain_changed(domain, DOMAIN_PROPERTY_JOBS);
	}
	if (is_gone)
		(void)g_hash_table_remove(domain->jobs, id);
	domain_publish(domain, event);
	if (is_over)
		end_cancels(domain, id);
}

/* ---- events ---- */

static JsonObject *find_entry(JsonNode *list, const char *id)
{
	JsonArray *array = json_node_as_array(list);
	unsigned length = array ? json_array_get_length(array) : 0;

	for (unsigned i = 0; i < length; i++) {
		JsonObject *entry = json_node_as_object(json_array_get_element(array, i));
		const char *found;

		if (json_read_string(entry, "id", &found) && g_str_equal(found, id))
			return entry;
	}
	return NULL;
}

static void on_jobs(Domain *domain, Prepare *prepare, const char *id, JsonNode *result,
		    const GError *error)
{
	JsonObject *entry = find_entry(result, id);
	DomainJob *job = g_hash_table_lookup(domain->jobs, id);
	const char *status = "";

	if (error)
		domain_log(domain, LOG_NOTICE, "job '%s': query-jobs: %s", id, error->message);
	if (!job && entry)
		job = add_job(domain, id);
	(void)json_read_string(entry, "status", &status);
	if (job && entry)
		(void)read_job(job, entry, g_str_equal(status, "concluded"));
	if (job)
		job->dismissed = !error && !entry;
}

bool jobs_prepare_changed(Domain *domain, const Event *event, Strand *strand)
{
	const char *id = event->job_changed.id, *status = event->job_changed.status;
	const DomainJob *job = g_hash_table_lookup(domain->jobs, id);
	bool ask = *id && *status && !g_str_equal(status, "null") &&
		   (!job || !*job->type || g_str_equal(status, "concluded"));
	Prepare *prepare = ask ? prepare_begin(domain, strand, id) : NULL;

	if (!prepare)
		return true;
	prepare_ask(prepare, "query-jobs", NULL, on_jobs);
	prepare_end(prepare);
	return false;
}

void jobs_commit_changed(Domain *domain, Event *event)
{
	const char *id = event->job_changed.id, *status = event->job_changed.status;
	DomainJob *job = g_hash_table_lookup(domain->jobs, id);

	/* What is irregular changes nothing. */
	if (!*id || !*status) {
		domain_publish(domain, event);
		return;
	}
	if (!job && !g_str_equal(status, "null"))
		job = add_job(domain, id);
	/* It may have put another node into a drive. */
	if (g_str_equal(status, "concluded"))
		drives_changed(domain);
	tell_changed(domain, event, job);
}

void jobs_commit_event(Domain *domain, Event *event)
{
	DomainJob *job = g_hash_table_lookup(domain->jobs, event->job_event.id);

	if (job) {
		read_event(job, event);
		if (!*event->job_event.type)
			event->job_event.type = event_string(event, job->type);
		domain_changed(domain, DOMAIN_PROPERTY_JOBS);
	}
	domain_publish(domain, event);
}

/* ---- read afresh ---- */

static void find_changed(Domain *domain, DomainJob *job, const char *status)
{
	Event *event;

	domain_changed(domain, DOMAIN_PROPERTY_JOBS);
	if (!resync_tells(domain)) {
		(void)set_text(&job->status, status);
		if (g_str_equal(status, "concluded") || g_str_equal(status, "null"))
			end_cancels(domain, job->id);
		return;
	}
	event = event_new(EVENT_JOB_CHANGED, 0);
	event->job_changed.id = event_string(event, job->id);
	event->job_changed.status = event_string(event, status);
	event_add_resync(event);
	tell_changed(domain, event, job);
}

static void find_entries(Domain *domain, JsonArray *array)
{
	for (unsigned i = 0; i < json_array_get_length(array); i++) {
		JsonObject *entry = json_node_as_object(json_array_get_element(array, i));
		const char *id, *status;
		DomainJob *job;

		if (!json_read_string(entry, "id", &id) || !json_read_string(entry, "status", &status) ||
		    !*id || g_str_equal(status, "null"))
			continue;
		job = g_hash_table_lookup(domain->jobs, id);
		if (!job)
			job = add_job(domain, id);
		if (!job)
			continue;
		if (read_job(job, entry, true))
			domain_changed(domain, DOMAIN_PROPERTY_JOBS);
		if (!g_str_equal(job->status, status))
			find_changed(domain, job, status);
	}
}

/* Those that have ended are told first: a name may have been used again. */
void jobs_resync(Domain *domain, JsonNode *list)
{
	JsonArray *array = json_node_as_array(list);
	g_autofree void **keys = g_hash_table_get_keys_as_array(domain->jobs, NULL);
	/* Copied, for the table may shrink meanwhile. */
	g_auto(GStrv) known = g_strdupv((char **)keys);

	if (!array)
		return;
	for (unsigned i = 0; known[i]; i++) {
		if (find_entry(list, known[i]))
			continue;
		find_changed(domain, g_hash_table_lookup(domain->jobs, known[i]), "null");
		(void)g_hash_table_remove(domain->jobs, known[i]);
	}
	find_entries(domain, array);
}

/* ---- cancel ---- */

typedef struct Cancel {
	Domain *domain;
	uint64_t operation;
} Cancel;

/* Success only means that the job has been told to end; its events say when it has. */
static void on_cancelled(JsonNode *result, const GError *error, void *userdata)
{
	Cancel *cancel = userdata;
	Operation *operation = operation_find(cancel->domain, cancel->operation);

	if (operation)
		operation->answered = true;
	if (operation && error)
		operation_end(operation, NULL, error);
	domain_unref(cancel->domain);
	g_free(cancel);
}

static void on_cancel_timeout(int timer, void *userdata)
{
	Operation *operation = userdata;
	g_autoptr(GError) error = operation->answered
		? g_error_new(CORE_ERROR, CORE_ERROR_TIMEOUT,
			      "Job '%s' of domain '%s' is not over yet; it was told to end and may still "
			      "do so", operation->device, domain_get_name(operation->domain))
		: operation_make_timeout_error(operation);

	operation_end(operation, NULL, error);
}

/* block-job-cancel knows force, which job-cancel always is, and block jobs alone. */
static bool is_block_job(const char *type)
{
	static const char *const types[] = { "commit", "stream", "mirror", "backup", NULL };

	return g_strv_contains(types, type);
}

void domain_cancel_job(Domain *domain, const char *id, bool force, int timeout_ms, DomainDone done,
		       void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_CANCEL_JOB, done, userdata);
	const DomainJob *job;
	JsonNode *arguments;
	Cancel *cancel;
	bool is_block;

	if (!operation)
		return;
	job = g_hash_table_lookup(domain->jobs, id);
	is_block = job && is_block_job(job->type);
	/* While some are left out of the table, QEMU knows better. */
	if (!job && !domain->jobs_left_out) {
		g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE,
						      "Domain '%s' has no job with the id '%s'",
						      domain_get_name(domain), id);

		operation_end(operation, NULL, error);
		return;
	}
	operation->device = g_strdup(id);
	operation_set_timer(operation, timeout_ms, on_cancel_timeout);
	cancel = g_new0(Cancel, 1);
	cancel->domain = domain_ref(domain);
	cancel->operation = operation->id;
	arguments = call_arguments(is_block ? "device" : "id", id);
	if (is_block)
		json_object_set_boolean_member(json_node_get_object(arguments), "force", force);
	operation_send(operation, is_block ? "block-job-cancel" : "job-cancel", arguments,
		       DOMAIN_CALL_TIMEOUT_MS, on_cancelled, cancel);
}
