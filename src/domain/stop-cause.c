/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * Why a guest stands still.
 *
 * QEMU's STOP does not say. What may explain it: an event before it (a disk error, a watchdog), an order
 * of ours, and, where neither does, QEMU's run state: an outgoing migration, an error inside of KVM,
 * a debugger. So an unexplained STOP is held back while QEMU is asked, and later events with it. No
 * guest can cause such stops by itself, so none can slow its events down by them. What QEMU says is what
 * is so by now: once it has gone on, and its RESUME has been read, that says nothing of the STOP before, and is not waited for.
 *
 * A migration is asked for by a client, with Execute(). Whether it has moved the guest or failed is
 * told by MIGRATION alone, so domain_execute() sees to it that QEMU emits that.
 */

/* ---- events that explain ---- */

/* time: QEMU's. */
static void note_cause(Domain *domain, LifecycleReason reason, int64_t time)
{
	if (domain->state == DOMAIN_STATE_RUNNING)
		domain->hints.pause_reason = reason;
	/* WATCHDOG is throttled to one a second, so the explanation may come behind its STOP; it
	 * still has the time at which it happened. */
	else if (domain->state == DOMAIN_STATE_PAUSED &&
		 domain->state_reason == LIFECYCLE_REASON_PAUSED && time <= domain->hints.paused_at)
		(void)domain_enter_state(domain, DOMAIN_STATE_PAUSED, reason);
}

/* While the guest runs on the other side, the network between the two may fail and come back. */
static const struct {
	const char *status;
	LifecycleReason before, after;
} postcopy_steps[] = {
	{ "postcopy-paused", LIFECYCLE_REASON_POSTCOPY, LIFECYCLE_REASON_POSTCOPY_FAILED },
	{ "postcopy-recover", LIFECYCLE_REASON_POSTCOPY_FAILED, LIFECYCLE_REASON_POSTCOPY },
};

static void note_migration(Domain *domain, const char *status, int64_t time)
{
	/* Those of a save and of a restore are told as such. */
	if (domain->save || domain->start || domain->state != DOMAIN_STATE_PAUSED)
		return;
	if (g_str_equal(status, "completed")) {
		domain->hints.migrated = true;
		/* It was paused before; now it must not go on here. */
		if (domain->state_reason == LIFECYCLE_REASON_PAUSED)
			(void)domain_enter_state(domain, DOMAIN_STATE_PAUSED, LIFECYCLE_REASON_MIGRATED);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(postcopy_steps); i++) {
		if (!g_str_equal(status, postcopy_steps[i].status) ||
		    domain->state_reason != postcopy_steps[i].before)
			continue;
		domain_publish_lifecycle(domain, event_new_lifecycle(time, LIFECYCLE_SUSPENDED,
								     postcopy_steps[i].after),
					 DOMAIN_STATE_PAUSED);
		return;
	}
}

void stop_cause_note_read(Domain *domain, const QmpMessage *event)
{
	if (g_str_equal(event->name, "RESUME"))
		domain->hints.resumes_ahead++;
}

void stop_cause_note_pushed(Domain *domain)
{
	if (domain->hints.asked && domain->hints.resumes_ahead > 0)
		prepare_give_up(domain->hints.asked);
}

void stop_cause_note_event(Domain *domain, const Event *event, int64_t time)
{
	switch (event->kind) {
	case EVENT_LIFECYCLE:
		if (event->lifecycle.event == LIFECYCLE_SUSPENDED)
			domain->hints.asked = NULL;
		if (event->lifecycle.event == LIFECYCLE_RESUMED && domain->hints.resumes_ahead > 0)
			domain->hints.resumes_ahead--;
		break;
	case EVENT_IO_ERROR:
		if (g_str_equal(event->io_error.action, "stop"))
			note_cause(domain, LIFECYCLE_REASON_IOERROR, time);
		break;
	case EVENT_WATCHDOG:
		if (g_str_equal(event->watchdog.action, "pause"))
			note_cause(domain, LIFECYCLE_REASON_WATCHDOG, time);
		break;
	case EVENT_MIGRATION_CHANGED:
		note_migration(domain, event->migration_changed.status, time);
		break;
	default:
		break;
	}
}

/* ---- asking ---- */

/* Says more of a stop that was a migration. */
static void on_migration_status(Domain *domain, Prepare *prepare, const char *id, JsonNode *result,
				const GError *error)
{
	RunHints *hints = &domain->hints;
	const char *status;

	if (!json_read_string(json_node_as_object(result), "status", &status))
		return;
	if (g_str_equal(status, "postcopy-paused"))
		hints->pause_reason = LIFECYCLE_REASON_POSTCOPY_FAILED;
	else if (g_str_has_prefix(status, "postcopy-"))
		hints->pause_reason = LIFECYCLE_REASON_POSTCOPY;
	hints->migrated = g_str_equal(status, "completed");
}

static void on_run_state(Domain *domain, Prepare *prepare, const char *id, JsonNode *result,
			 const GError *error)
{
	const char *run_state;

	if (!json_read_string(json_node_as_object(result), "status", &run_state) ||
	    /* It runs again, or it is on its way down: what follows tells. */
	    domain_state_from_run_state(run_state) != DOMAIN_STATE_PAUSED ||
	    g_str_equal(run_state, "paused"))
		return;
	g_free(domain->hints.pause_run_state);
	domain->hints.pause_run_state = g_strdup(run_state);
	(void)lifecycle_reason_from_run_state(run_state, &domain->hints.pause_reason);
	if (domain->hints.pause_reason == LIFECYCLE_REASON_MIGRATED && domain->monitor)
		prepare_ask(prepare, "query-migrate", NULL, on_migration_status);
}

static bool is_ordered(const Domain *domain)
{
	for (unsigned i = 0; i < domain->operations->len; i++)
		if (((const Operation *)g_ptr_array_index(domain->operations, i))->stops)
			return true;
	return false;
}

bool stop_cause_prepare(Domain *domain, const Event *event, Strand *strand)
{
	Prepare *prepare;

	if (domain->state != DOMAIN_STATE_RUNNING || domain->reboot ||
	    domain->hints.pause_reason != LIFECYCLE_REASON_PAUSED || is_ordered(domain) ||
	    domain->hints.resumes_ahead > 0 || (domain->save && domain->save->stopped))
		return true;
	prepare = prepare_begin(domain, strand, NULL);
	if (!prepare)
		return true;
	domain->hints.asked = prepare;
	prepare_ask(prepare, "query-status", NULL, on_run_state);
	prepare_end(prepare);
	return false;
}

/* ---- found, and going on ---- */

LifecycleReason stop_cause_get_found(Domain *domain, const char *run_state)
{
	LifecycleReason reason = LIFECYCLE_REASON_RESYNC;

	if (g_str_equal(run_state, "shutdown") && policy_keeps_after_shutdown(domain))
		return LIFECYCLE_REASON_GUEST_SHUTDOWN;
	if (!lifecycle_reason_from_run_state(run_state, &reason) || reason != LIFECYCLE_REASON_MIGRATED)
		return reason;
	/* That was a save of ours, which is given up now: the guest has not moved. */
	if (domain->save || domain->saved_left || domain->has_saved_state)
		return LIFECYCLE_REASON_PAUSED;
	domain->hints.migrated = g_str_equal(run_state, "postmigrate");
	return reason;
}

LifecycleReason stop_cause_get_resumed(const Domain *domain)
{
	/* Somebody let it go on, and when the guest has moved nobody else does. */
	if (domain->hints.migrated)
		return LIFECYCLE_REASON_UNPAUSED;
	for (unsigned i = 0; i < domain->operations->len; i++)
		if (((const Operation *)g_ptr_array_index(domain->operations, i))->resumes)
			return LIFECYCLE_REASON_UNPAUSED;
	/* QEMU itself, since the migration or the loading is over and the guest is still here. */
	if (domain->state_reason == LIFECYCLE_REASON_MIGRATED ||
	    domain->state_reason == LIFECYCLE_REASON_FROM_SNAPSHOT)
		return domain->state_reason;
	return LIFECYCLE_REASON_UNPAUSED;
}
