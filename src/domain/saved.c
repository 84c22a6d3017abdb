/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "domain/saved-state.h"

/*
 * The saved state that a domain has while it is shut off, and what is left of one when it runs: a state whose
 * guest goes on, or can go on, is the past.
 *
 * A save that was cut off, by a lost monitor or by a kill of the service, has left a guest that stands still and
 * a QEMU that may be writing to a file that is gone. When QEMU answers again that is made up for: the domain is as
 * it was before the save. Only where the file was whole by then, the save is brought to its end.
 */

/* ---- dropping ---- */

typedef struct Drop {
	Domain *domain;
	char *directory, *uuid;
	DomainDone done;             /* NULL: nobody waits for it */
	void *userdata;
	GError *error;
} Drop;

static StrandStep drop_work(void *data)
{
	Drop *drop = data;

	(void)saved_state_remove(drop->directory, drop->uuid, &drop->error);
	return STRAND_DONE;
}

static void drop_done(void *data)
{
	Drop *drop = data;
	DomainDone done = g_steal_pointer(&drop->done);

	if (drop->error && drop->domain->host)
		domain_set_has_saved_state(drop->domain, true);
	if (done)
		done(drop->domain, NULL, drop->error, drop->userdata);
	else if (drop->error)
		domain_log(drop->domain, LOG_WARNING, "%s", drop->error->message);
}

static void drop_free(void *data)
{
	Drop *drop = data;

	if (drop->done) {
		g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_IO,
						      "The service is leaving");

		drop->done(drop->domain, NULL, error, drop->userdata);
	}
	g_clear_error(&drop->error);
	g_free(drop->directory);
	g_free(drop->uuid);
	domain_unref(drop->domain);
	g_free(drop);
}

static const StrandItemClass drop_class = { drop_work, NULL, drop_done, drop_free };

static void drop(Domain *domain, DomainDone done, void *userdata)
{
	Drop *job = g_new0(Drop, 1);

	job->domain = domain_ref(domain);
	job->directory = g_strdup(domain->host->directories->saved);
	job->uuid = g_strdup(domain->uuid);
	job->done = done;
	job->userdata = userdata;
	/* A start from here on is an ordinary one; it is behind this on the strand. */
	domain_set_has_saved_state(domain, false);
	strand_push(domain->work, &drop_class, job);
}

void saved_drop_used(Domain *domain)
{
	drop(domain, NULL, NULL);
}

void domain_drop_saved_state(Domain *domain, DomainDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;

	if (!domain->has_saved_state)
		g_set_error(&error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Domain '%s' has no saved state", domain_get_name(domain));
	else if (domain->start)
		g_set_error(&error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Domain '%s' is being restored from its saved state",
			    domain_get_name(domain));
	if (error)
		done(domain, NULL, error, userdata);
	else
		drop(domain, done, userdata);
}

bool domain_get_has_saved_state(const Domain *domain)
{
	return domain->has_saved_state;
}

void domain_set_has_saved_state(Domain *domain, bool has_saved_state)
{
	if (domain->has_saved_state == has_saved_state)
		return;
	domain->has_saved_state = has_saved_state;
	domain_changed(domain, DOMAIN_PROPERTY_SAVED_STATE);
}

/* ---- found again ---- */

void domain_set_saved_left(Domain *domain, unsigned left)
{
	domain->saved_left = left;
}

static void on_going_on(JsonNode *result, const GError *error, void *userdata)
{
	Domain *domain = userdata;

	if (error)
		domain_log(domain, LOG_NOTICE, "cont after a save that was cut off: %s", error->message);
	if (domain->host && g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
		lifecycle_tell_api_error(domain);
	domain_unref(domain);
}

void saved_resynced(Domain *domain, const char *run_state)
{
	unsigned left = domain->saved_left;

	domain->saved_left = 0;
	if (left & SAVED_LEFT_PARTIAL)
		domain_order(domain, "migrate_cancel", NULL);
	if ((left & SAVED_LEFT_RUNNING) && domain->state == DOMAIN_STATE_PAUSED)
		domain_call(domain, "cont", NULL, DOMAIN_CALL_TIMEOUT_MS, on_going_on,
			    domain_ref(domain));
	if (domain->save && domain->save->quitting)
		save_quit(domain);
	if (!domain->has_saved_state || domain->save)
		return;
	/* Nothing has happened in the guest since the file became whole: `quit` was all that was missing. */
	if (g_str_equal(run_state, "postmigrate"))
		save_quit(domain);
	else
		/* The guest is there and can go on; so a state that was saved of it can only be the past. */
		drop(domain, NULL, NULL);
}
