/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>

#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * Ending a run because somebody wants it to end.
 *
 *   domain_shutdown()    asks the guest ---- force_after_ms ----.
 *                                                               v
 *   domain_destroy()     -------------------------------------> TERM ---- grace_ms ----> KILL
 *
 * The times belong to the run and not to who has given the order: the earliest counts, and it goes on when the
 * caller has left. The operations only wait for the end, which run-end.c tells, with what was done to get there.
 */

/* What was adopted may be out of our reach. */
static void give_up(Domain *domain, const GError *error)
{
	domain->hints.stop_requested = false;
	stop_clear(domain);
	operations_end_kind(domain, DOMAIN_OPERATION_DESTROY, NULL, error);
	operations_end_kind(domain, DOMAIN_OPERATION_SHUTDOWN, NULL, error);
}

static void on_kill(int timer, void *userdata)
{
	g_autoptr(GError) error = NULL;
	Domain *domain = userdata;

	domain_clear_timer(domain, &domain->stop.kill.timer);
	if (domain->process_exited)
		return;
	domain_log(domain, LOG_INFO, "TERM was not enough; KILL");
	domain->stop.escalated = true;
	if (!domain->adopted)
		domain_kill(domain, SIGKILL);
	else if (!adopt_kill(domain, &error))
		give_up(domain, error);
}

/* The earlier one stays. */
static void arm(Domain *domain, StopTimer *timer, int interval_ms, LoopTimeoutCallback callback)
{
	int64_t at = g_get_monotonic_time() + interval_ms * G_GINT64_CONSTANT(1000);

	if (timer->timer && timer->at <= at)
		return;
	domain_set_timer(domain, &timer->timer, interval_ms, callback);
	timer->at = at;
}

static void destroy(Domain *domain, int grace_ms)
{
	domain_clear_timer(domain, &domain->stop.force.timer);
	domain->hints.stop_requested = true;
	arm(domain, &domain->stop.kill, grace_ms, on_kill);
	if (domain->start)
		start_fail(domain, g_error_new(CORE_ERROR, CORE_ERROR_START_FAILED,
					       "it was destroyed while it started"));
	else if (domain->adopted)
		adopt_terminate(domain);
	else
		domain_kill(domain, SIGTERM);
}

void domain_destroy(Domain *domain, int grace_ms, DomainDone done, void *userdata)
{
	if (!operation_begin(domain, DOMAIN_OPERATION_DESTROY, done, userdata))
		return;
	domain->stop.order = "destroy";
	destroy(domain, grace_ms);
}

/* ---- shutdown ---- */

static void on_timeout(int timer, void *userdata)
{
	Operation *operation = userdata;
	g_autoptr(GError) error = g_error_new(
		CORE_ERROR, CORE_ERROR_TIMEOUT,
		"The guest of domain '%s' has not shut down within %d s; it was asked and may still "
		"do so. The option \"timeout\" forces it", domain_get_name(operation->domain),
		operation->domain->host->deadlines.shutdown_ms / 1000);

	operation_end(operation, NULL, error);
}

static void on_force(int timer, void *userdata)
{
	Domain *domain = userdata;

	domain_clear_timer(domain, &domain->stop.force.timer);
	if (domain->process_exited)
		return;
	domain_log(domain, LOG_INFO, "The guest has not shut down in time; TERM");
	domain->stop.order = "shutdown";
	domain->stop.escalated = true;
	destroy(domain, DOMAIN_DESTROY_GRACE_MS);
}

/* Success is not the end of it: it only means that QEMU has taken the order. */
static void on_asked(JsonNode *result, const GError *error, void *userdata)
{
	OperationRef *ref = userdata;
	Operation *operation = operation_ref_get(ref);
	Domain *domain = ref->domain;

	if (!error && domain->host && domain->run == ref->run) {
		domain->stop.guest_asked = true;
		if (!domain->stop.order)
			domain->stop.order = "shutdown";
	}
	/* With a time to force it, that decides, however deaf QEMU is. */
	if (operation && error && !operation->forced)
		operation_end(operation, NULL, error);
	operation_ref_free(ref);
}

void domain_shutdown(Domain *domain, int force_after_ms, DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_SHUTDOWN, done, userdata);
	OperationRef *ref;

	if (!operation)
		return;
	operation->forced = force_after_ms >= 0;
	if (operation->forced)
		arm(domain, &domain->stop.force, force_after_ms, on_force);
	else
		operation_set_timer(operation, domain->host->deadlines.shutdown_ms, on_timeout);
	domain->hints.powerdown_requested = true;
	ref = operation_ref_new(operation);
	if (operation->forced)
		domain_call(domain, "system_powerdown", NULL, DOMAIN_CALL_TIMEOUT_MS, on_asked, ref);
	else
		operation_send(operation, "system_powerdown", NULL, DOMAIN_CALL_TIMEOUT_MS, on_asked,
			       ref);
}

void stop_guest_is_down(Domain *domain)
{
	domain_clear_timer(domain, &domain->stop.force.timer);
	operations_end_kind(domain, DOMAIN_OPERATION_SHUTDOWN, NULL, NULL);
}

/* ---- what was done ---- */

void stop_note_signal(Domain *domain, int signal)
{
	if (signal == SIGTERM)
		domain->stop.term_sent = true;
	else if (signal == SIGKILL)
		domain->stop.kill_sent = true;
}

void stop_note_reset(Domain *domain)
{
	/* It was asked to go, and has come again. */
	domain->stop.guest_asked = false;
	if (!domain->hints.stop_requested)
		domain->stop.order = NULL;
}

bool stop_is_wanted(const Domain *domain)
{
	return domain->stop.guest_asked || domain_has_operation(domain, DOMAIN_OPERATION_SHUTDOWN);
}

void stop_add_details(const Domain *domain, Event *stopped)
{
	const StopOrder *stop = &domain->stop;
	const char *signals[2];
	unsigned n = 0;

	if (stop->order) {
		event_add_detail(stopped, "order", g_variant_new_string(stop->order));
		event_add_detail(stopped, "guest-asked", g_variant_new_boolean(stop->guest_asked));
		event_add_detail(stopped, "escalated", g_variant_new_boolean(stop->escalated));
	}
	if (stop->term_sent)
		signals[n++] = "TERM";
	if (stop->kill_sent)
		signals[n++] = "KILL";
	if (n > 0)
		event_add_detail(stopped, "sent-signals", g_variant_new_strv(signals, (gssize)n));
}

void stop_clear(Domain *domain)
{
	domain_clear_timer(domain, &domain->stop.force.timer);
	domain_clear_timer(domain, &domain->stop.kill.timer);
	domain->stop = (StopOrder){ 0 };
}
