/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * The cleaned stream. QEMU's events tell what its run loop does; clients want to know what happened to
 * their machine. As libvirt does it:
 *
 *  - one `started` for each start, no `resumed` at boot (RESUME while starting is ours);
 *  - STOP after SHUTDOWN or after a panic is part of that, not a `suspended`;
 *  - SHUTDOWN may come twice (Proxmox guards against it too), STOP while paused means nothing;
 *  - during a reboot by shutdown and reset the guest's SHUTDOWN, STOP and RESUME are not told;
 *  - why vCPUs stopped is in the event before the STOP, not in the STOP.
 *
 * Reasons are libvirt's (src/qemu/qemu_process.c, the event handlers and processMonitorEOFEvent).
 */

/* Restarts by a policy: at most so many in that time, so that a guest that dies at once does not
 * keep the host busy for ever. */
#define RESTART_WINDOW_US (60 * G_TIME_SPAN_SECOND)

/* ---- what explains what comes next ---- */

static const struct {
	const char *event, *action;
	LifecycleReason reason;
} pause_causes[] = {
	{ "BLOCK_IO_ERROR", "stop", LIFECYCLE_REASON_IOERROR },
	{ "WATCHDOG", "pause", LIFECYCLE_REASON_WATCHDOG },
};

void lifecycle_note_cause(Domain *domain, const QmpMessage *message)
{
	const char *action;

	for (unsigned i = 0; i < G_N_ELEMENTS(pause_causes); i++) {
		if (!g_str_equal(message->name, pause_causes[i].event) ||
		    !json_read_string(json_node_as_object(message->body), "action", &action) ||
		    !g_str_equal(action, pause_causes[i].action))
			continue;
		if (domain->state == DOMAIN_STATE_RUNNING)
			domain->hints.pause_reason = pause_causes[i].reason;
		/* WATCHDOG is throttled to one a second, so the explanation may come behind its STOP; it
		 * still has the time at which it happened. */
		else if (domain->state == DOMAIN_STATE_PAUSED &&
			 domain->state_reason == LIFECYCLE_REASON_PAUSED &&
			 message->time <= domain->hints.paused_at)
			(void)domain_enter_state(domain, DOMAIN_STATE_PAUSED, pause_causes[i].reason);
	}
}

/* ---- run state ---- */

bool lifecycle_keeps_after_shutdown(const Domain *domain)
{
	return domain->definition->on_shutdown == DEFINITION_POLICY_PAUSE ||
	       domain->definition->on_shutdown == DEFINITION_POLICY_PRESERVE;
}

static void commit_stop(Domain *domain, Event *event)
{
	if (domain->state == DOMAIN_STATE_SHUTTING_DOWN && lifecycle_keeps_after_shutdown(domain)) {
		event->lifecycle.reason = LIFECYCLE_REASON_GUEST_SHUTDOWN;
		domain_publish_lifecycle(domain, event, DOMAIN_STATE_PAUSED);
		/* The guest is down and QEMU stays, as the definition wants it. */
		operations_end_kind(domain, DOMAIN_OPERATION_SHUTDOWN, NULL, NULL);
		return;
	}
	if (domain->state != DOMAIN_STATE_RUNNING) {
		event_unref(event);
		return;
	}
	if (domain->reboot && domain->hints.shutdown_seen) {
		event_unref(event);
		reboot_guest_is_down(domain);
		return;
	}
	event->lifecycle.reason = domain->hints.pause_reason;
	domain->hints.pause_reason = LIFECYCLE_REASON_PAUSED;
	domain->hints.paused_at = event->time;
	domain_publish_lifecycle(domain, event, DOMAIN_STATE_PAUSED);
}

static void commit_resume(Domain *domain, Event *event)
{
	/* At boot it is ours, and in a reboot the guest never seemed to stop. In any other state vCPUs run
	 * again, whoever let them. */
	if (domain->state == DOMAIN_STATE_STARTING || domain->state == DOMAIN_STATE_RUNNING) {
		event_unref(event);
		return;
	}
	domain->hints.pause_reason = LIFECYCLE_REASON_PAUSED;
	domain_publish_lifecycle(domain, event, DOMAIN_STATE_RUNNING);
}

static void commit_shutdown(Domain *domain, Event *event)
{
	const char *cause = "";
	gboolean guest = FALSE;

	(void)g_variant_dict_lookup(event->extra, "cause", "&s", &cause);
	(void)g_variant_dict_lookup(event->extra, "guest", "b", &guest);
	g_free(domain->hints.shutdown_cause);
	domain->hints.shutdown_cause = g_strdup(cause);
	domain->hints.shutdown_by_guest = guest;
	domain->hints.shutdown_seen = true;
	if (domain->reboot && guest) {
		event_unref(event);
		return;
	}
	/* The guest that was saved has not shut down: it stands still, and will go on. */
	if (domain->state == DOMAIN_STATE_SHUTTING_DOWN || domain->state == DOMAIN_STATE_STARTING ||
	    (domain->save && domain->save->quitting)) {
		event_unref(event);
		return;
	}
	domain_publish_lifecycle(domain, event, DOMAIN_STATE_SHUTTING_DOWN);
}

void lifecycle_commit(Domain *domain, Event *event)
{
	switch (event->lifecycle.event) {
	case LIFECYCLE_SUSPENDED:
		commit_stop(domain, event);
		break;
	case LIFECYCLE_RESUMED:
		commit_resume(domain, event);
		break;
	case LIFECYCLE_SHUTDOWN:
		commit_shutdown(domain, event);
		break;
	case LIFECYCLE_PM_SUSPENDED:
		domain_publish_lifecycle(domain, event, DOMAIN_STATE_PM_SUSPENDED);
		break;
	case LIFECYCLE_STARTED:      /* WAKEUP */
		domain_publish_lifecycle(domain, event, DOMAIN_STATE_RUNNING);
		break;
	case LIFECYCLE_CRASHED:      /* the crash kernel was loaded; the guest runs on */
		event->lifecycle.state = domain->state;
		event_add_detail(event, "name", g_variant_new_string(domain_get_name(domain)));
		domain_publish(domain, event);
		break;
	default:
		/* No decoder makes the others. */
		g_assert_not_reached();
	}
}

/* A reset of a guest that sleeps, has panicked or is down changes QEMU's run state without an event. */
static void on_reset_status(JsonNode *result, const GError *error, void *userdata)
{
	Domain *domain = userdata;
	const char *run_state;

	if (domain->host && json_read_string(json_node_as_object(result), "status", &run_state)) {
		DomainState state = domain_state_from_run_state(run_state);

		if (state != domain->state && state == DOMAIN_STATE_PAUSED)
			domain_publish_lifecycle(domain, event_new_lifecycle(0, LIFECYCLE_SUSPENDED,
									     LIFECYCLE_REASON_RESYNC),
						 state);
		else if (state != domain->state && state == DOMAIN_STATE_RUNNING)
			domain_publish_lifecycle(domain, event_new_lifecycle(0, LIFECYCLE_RESUMED,
									     LIFECYCLE_REASON_RESYNC),
						 state);
	}
	domain_unref(domain);
}

void lifecycle_commit_reset(Domain *domain, Event *event)
{
	domain_publish(domain, event);
	/* A reset puts the MAC and the filters back without an event. */
	filter_watch_query_all(domain->filter_watch);
	/* With -action shutdown=pause a reset is what brings the guest back: QEMU is paused then. */
	domain->hints.shutdown_seen = false;
	reboot_was_reset(domain);
	if (domain->state == DOMAIN_STATE_PM_SUSPENDED || domain->state == DOMAIN_STATE_CRASHED ||
	    domain->state == DOMAIN_STATE_SHUTTING_DOWN)
		domain_call(domain, "query-status", NULL, DOMAIN_CALL_TIMEOUT_MS, on_reset_status,
			    domain_ref(domain));
}

void lifecycle_commit_watchdog(Domain *domain, Event *event)
{
	domain->hints.watchdog_poweroff = g_str_equal(event->watchdog.action, "poweroff");
	domain->hints.watchdog_shutdown = g_str_equal(event->watchdog.action, "shutdown");
	domain_publish(domain, event);
}

static bool keeps_after_panic(const Domain *domain)
{
	return domain->definition->on_panic == DEFINITION_POLICY_PAUSE ||
	       domain->definition->on_panic == DEFINITION_POLICY_PRESERVE;
}

void lifecycle_commit_panicked(Domain *domain, Event *event)
{
	Event *crashed = event_new_lifecycle(event->time, LIFECYCLE_CRASHED,
					     LIFECYCLE_REASON_PANICKED);
	bool runs_on = g_str_equal(event->panicked.action, "run");
	bool paused = g_str_equal(event->panicked.action, "pause");

	event_add_detail(crashed, "action", g_variant_new_string(event->panicked.action));
	domain_publish(domain, event);
	if (runs_on) {
		crashed->lifecycle.state = domain->state;
		event_add_detail(crashed, "name", g_variant_new_string(domain_get_name(domain)));
		domain_publish(domain, crashed);
	} else {
		domain_publish_lifecycle(domain, crashed, DOMAIN_STATE_CRASHED);
	}
	/* With -action shutdown=pause QEMU pauses at a panic too, whatever -action panic says. */
	if (paused && !keeps_after_panic(domain)) {
		domain->hints.panic_ended = true;
		domain_order(domain, "quit", NULL);
	}
}

void lifecycle_commit_powerdown(Domain *domain, Event *event)
{
	if (domain->hints.watchdog_shutdown)
		event->powerdown_requested.source = "watchdog";
	else if (domain->hints.powerdown_requested)
		event->powerdown_requested.source = "api";
	domain->hints.watchdog_shutdown = false;
	domain->hints.powerdown_requested = false;
	domain_publish(domain, event);
}

/* ---- the end ---- */

static LifecycleReason get_stop_reason(const Domain *domain)
{
	const RunHints *hints = &domain->hints;

	if (hints->saved)
		return LIFECYCLE_REASON_SAVED;
	if (hints->stop_requested)
		return LIFECYCLE_REASON_DESTROYED;
	if (domain->start || hints->start_cut_off)
		return LIFECYCLE_REASON_FAILED;
	if (hints->panic_ended || g_strcmp0(hints->shutdown_cause, "guest-panic") == 0)
		return LIFECYCLE_REASON_CRASHED;
	if (hints->shutdown_seen || hints->watchdog_poweroff)
		return LIFECYCLE_REASON_SHUTDOWN;
	/* Nobody was listening, and nothing else tells. */
	if (domain->while_away)
		return LIFECYCLE_REASON_UNKNOWN;
	if (domain->state == DOMAIN_STATE_UNKNOWN &&
	    (!domain->exit.known || (domain->exit.signal == 0 && domain->exit.status == 0)))
		return LIFECYCLE_REASON_UNKNOWN;
	return LIFECYCLE_REASON_FAILED;
}

Event *lifecycle_make_stopped(Domain *domain)
{
	const RunHints *hints = &domain->hints;
	Event *event = event_new_lifecycle(0, LIFECYCLE_STOPPED, get_stop_reason(domain));

	if (hints->shutdown_seen) {
		event_add_detail(event, "cause", g_variant_new_string(hints->shutdown_cause));
		event_add_detail(event, "guest", g_variant_new_boolean(hints->shutdown_by_guest));
	} else if (hints->watchdog_poweroff) {
		/* exit() from within the watchdog: QEMU sends no SHUTDOWN. */
		event_add_detail(event, "cause", g_variant_new_string("watchdog"));
		event_add_detail(event, "guest", g_variant_new_boolean(FALSE));
	}
	if (domain->exit.known && domain->exit.signal != 0) {
		const char *name = sigabbrev_np(domain->exit.signal);

		event_add_detail(event, "signal", g_variant_new_string(name ? name : "unknown"));
	} else if (domain->exit.known) {
		event_add_detail(event, "exit-status", g_variant_new_int32(domain->exit.status));
	}
	if (domain->while_away)
		event_add_detail(event, "while-away", g_variant_new_boolean(TRUE));
	return event;
}

static DefinitionPolicy get_policy(const Domain *domain, const Event *stopped)
{
	switch (stopped->lifecycle.reason) {
	case LIFECYCLE_REASON_SHUTDOWN:
		/* -action reboot=shutdown: on-reboot has said what is to be. */
		if (g_strcmp0(domain->hints.shutdown_cause, "guest-reset") == 0)
			return DEFINITION_POLICY_STOP;
		/* Who ends QEMU itself does not speak of the guest. */
		return domain->hints.shutdown_by_guest ? domain->definition->on_shutdown
						       : DEFINITION_POLICY_STOP;
	case LIFECYCLE_REASON_CRASHED:
		return domain->definition->on_panic;
	case LIFECYCLE_REASON_FAILED:
		return domain->definition->on_crash;
	default:
		return DEFINITION_POLICY_STOP;
	}
}

bool lifecycle_wants_restart(Domain *domain, const Event *stopped)
{
	int64_t now = g_get_monotonic_time();

	if (domain->while_away || get_policy(domain, stopped) != DEFINITION_POLICY_RESTART ||
	    domain_has_operation(domain, DOMAIN_OPERATION_SHUTDOWN))
		return false;
	if (domain->restarts[0] != 0 && now - domain->restarts[0] < RESTART_WINDOW_US) {
		g_warning("Domain '%s' ended %zu times within a minute; it is not started again",
			  domain_get_name(domain), G_N_ELEMENTS(domain->restarts) + 1);
		return false;
	}
	memmove(&domain->restarts[0], &domain->restarts[1],
		sizeof(domain->restarts) - sizeof(domain->restarts[0]));
	domain->restarts[G_N_ELEMENTS(domain->restarts) - 1] = now;
	return true;
}
