/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/directories.h"
#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "domain/filter-follow.h"
#include "domain/saved-state.h"
#include "qemu/log-file.h"

/*
 * From the exit of QEMU to `stopped`.
 *
 * The process says that it is over, the monitor says why: only when the process has exited and
 * everything QEMU wrote has been committed is the reason known. Then a worker reads QEMU's last
 * lines, removes the links of its NICs and the folder, and only then is anything told: who hears `stopped` finds nothing of
 * the run left.
 */

typedef struct EndJob {
	Domain *domain;
	char *directory;            /* NULL: the launch failed and has cleaned up by itself */
	GHashTable *links;          /* of the host, that were made for it */
	char *name;
	char *logs, *log_tail;
	char *saved, *uuid;         /* for the files of a saved state */
	bool discard;               /* of a save that did not come to its end */
	bool unuse;                 /* loaded, but its guest has not gone on */
	bool remove;                /* loaded, and perhaps it has */
} EndJob;

static void settle_saved_state(const EndJob *job)
{
	g_autoptr(GError) error = NULL;
	bool ok = true;

	if (job->discard)
		ok = saved_state_discard(job->saved, job->uuid, true, &error);
	else if (job->unuse)
		ok = saved_state_unuse(job->saved, job->uuid, &error);
	else if (job->remove)
		ok = saved_state_remove(job->saved, job->uuid, &error);
	if (!ok)
		log_problem(LOG_ID_STORE_FAILED, NULL, error->message);
}

static void end_filters(const EndJob *job)
{
	GHashTableIter iter;
	void *link;

	g_hash_table_iter_init(&iter, job->links);
	while (g_hash_table_iter_next(&iter, NULL, &link))
		filter_follow_end(job->directory, link, job->name);
}

static StrandStep end_work(void *data)
{
	EndJob *job = data;
	g_autofree char *log_file = NULL;
	g_autoptr(GError) error = NULL;

	settle_saved_state(job);
	if (!job->directory) {
		job->log_tail = g_strdup("");
		return STRAND_DONE;
	}
	log_file = g_build_filename(job->logs, RUN_LOG_FILE_NAME, NULL);
	job->log_tail = qemu_log_tail(log_file);
	/* Nobody looks at them any more until the next start. */
	qemu_log_limit_all(job->logs);
	/* WARNING: before the folder, for it is what the next service knows of them by. */
	end_filters(job);
	host_nics_remove(job->links, job->name);
	if (!directories_remove(job->directory, &error))
		log_problem(LOG_ID_STORE_FAILED, NULL, error->message);
	return STRAND_DONE;
}

/* Operations that wanted the domain to stop have got what they wanted. */
static void answer_operations(Domain *domain, LifecycleReason reason)
{
	g_autoptr(GError) error = NULL;

	if (reason == LIFECYCLE_REASON_SAVED)
		operations_end_kind(domain, DOMAIN_OPERATION_SAVE, NULL, NULL);
	operations_end_kind(domain, DOMAIN_OPERATION_DESTROY, NULL, NULL);
	operations_end_kind(domain, DOMAIN_OPERATION_SHUTDOWN, NULL, NULL);
	operations_end_kind(domain, DOMAIN_OPERATION_UNDEFINE, NULL, NULL);
	g_set_error(&error, CORE_ERROR, CORE_ERROR_MONITOR_LOST, "Domain '%s' has stopped",
		    domain_get_name(domain));
	if (domain->readopt)
		operation_end(domain->readopt, NULL, NULL);
	operations_end_all(domain, error);
}

static GError *make_start_error(Domain *domain, const GError *cause, const char *log_tail)
{
	const char *name = domain_get_name(domain);
	g_autofree char *versions = restore_describe_versions(domain);
	/* Another caller, or another unit of the service, would be permitted. */
	int code = g_error_matches(cause, CORE_ERROR, CORE_ERROR_NOT_PERMITTED)
			   ? CORE_ERROR_NOT_PERMITTED : CORE_ERROR_START_FAILED;

	if (domain->start->restoring && !domain->start->let_go)
		return g_error_new(CORE_ERROR, code,
				   "Domain '%s' could not be restored from its saved state, which is "
				   "kept: put right what is wrong, or start afresh after DropSavedState(): "
				   "%s%s%s%s", name, cause->message, versions,
				   *log_tail ? ". QEMU said: " : "", log_tail);
	if (*log_tail)
		return g_error_new(CORE_ERROR, code,
				   "Domain '%s' could not be started: %s. QEMU said: %s", name,
				   cause->message, log_tail);
	return g_error_new(CORE_ERROR, code,
			   "Domain '%s' could not be started: %s", name, cause->message);
}

/* The caller is told too; but a start by a policy has none, and the administrator is another one. */
static void log_start_error(Domain *domain, const GError *error, const char *log_tail)
{
	const LogField fields[] = {
		{ LOG_FIELD_ERROR, error->message },
		{ LOG_FIELD_DETAIL "STDERR", *log_tail ? log_tail : NULL },
		{ NULL },
	};

	/* Destroyed before it was up: that is what somebody wanted. */
	if (!domain->hints.stop_requested)
		domain_log_event(domain, LOG_ID_START_FAILED, fields, "could not be started: %s%s%s",
				 domain->start->error->message, *log_tail ? "\n" : "", log_tail);
}

static void end_done(void *data)
{
	EndJob *job = data;
	Domain *domain = job->domain;
	g_autoptr(GError) start_error = NULL;
	Operation *start_operation = NULL;
	Event *stopped;
	DomainProperty ended;
	LifecycleReason reason;
	const char *policy;

	if (!domain->host)
		return;
	stopped = lifecycle_make_stopped(domain);
	reason = stopped->lifecycle.reason;
	policy = policy_decide_end(domain, stopped);
	if (reason == LIFECYCLE_REASON_FAILED && *job->log_tail)
		event_add_detail(stopped, "stderr", g_variant_new_string(job->log_tail));
	if (domain->start) {
		start_operation = domain->start->operation;
		start_error = make_start_error(domain, domain->start->error, job->log_tail);
		log_start_error(domain, start_error, job->log_tail);
		domain->start = start_free(domain->start, domain);
	}
	if (reason == LIFECYCLE_REASON_SAVED)
		domain_set_has_saved_state(domain, true);
	else if (job->discard || job->remove)
		domain_set_has_saved_state(domain, false);
	ended = domain_get_run_properties(domain);
	domain_reset_run(domain);
	domain_changed(domain, ended);
	domain_take_next_definition(domain);
	domain_publish_lifecycle(domain, stopped, DOMAIN_STATE_SHUT_OFF);

	/* A transient domain that will not come back leaves before anybody is answered: who is answered
	 * finds no object. */
	if (!domain->persistent && !policy)
		domain->host->gone(domain, domain->host->userdata);
	if (start_operation)
		operation_end(start_operation, NULL, start_error);
	answer_operations(domain, reason);
	if (policy && domain->host && domain->state == DOMAIN_STATE_SHUT_OFF)
		start_by_policy(domain, policy);
}

static void end_free(void *data)
{
	EndJob *job = data;

	domain_unref(job->domain);
	g_clear_pointer(&job->links, g_hash_table_unref);
	g_free(job->name);
	g_free(job->directory);
	g_free(job->logs);
	g_free(job->log_tail);
	g_free(job->saved);
	g_free(job->uuid);
	g_free(job);
}

static const StrandItemClass end_class = { end_work, NULL, end_done, end_free };

void run_end_check(Domain *domain)
{
	EndJob *job;

	if (!domain->process_exited || !domain->monitor_gone || domain->ending)
		return;
	if (domain->start && domain->start->spawning)
		return;
	if (panic_dump_is_working(domain) || nic_sync_is_working(domain))
		return;
	domain->ending = true;
	domain_clear_timer(domain, &domain->grace_timer);
	domain_clear_timer(domain, &domain->reconnect_timer);
	domain_drop_monitor(domain);
	if (domain->start && !domain->start->error)
		domain->start->error = g_error_new(CORE_ERROR, CORE_ERROR_START_FAILED,
						   "QEMU ended before it was ready");
	panic_dump_cut_off(domain);
	job = g_new0(EndJob, 1);
	job->domain = domain_ref(domain);
	/* Decided here, once: Destroy() may still be called while the worker cleans up. */
	domain->hints.saved = domain->save && domain->save->quitting && !domain->hints.stop_requested;
	job->saved = g_strdup(domain->host->directories->saved);
	job->uuid = g_strdup(domain->uuid);
	job->discard = domain->save && !domain->hints.saved;
	job->unuse = domain->start && domain->start->restoring && !domain->start->let_go;
	job->remove = domain->start && domain->start->restoring && domain->start->let_go;
	job->links = host_nics_copy(domain->host_nics);
	under_way_table_add_links(domain->under_way, job->links);
	job->name = g_strdup(domain_get_name(domain));
	job->logs = domain_get_log_directory(domain);
	job->directory = domain->has_directory ? g_strdup(domain->directory) : NULL;
	strand_push(domain->work, &end_class, job);
}
