/* SPDX-License-Identifier: LGPL-2.1-or-later */
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
 *  - why vCPUs stopped is not in the STOP (stop-cause.c).
 *
 * Reasons are libvirt's (src/qemu/qemu_process.c, the event handlers and processMonitorEOFEvent).
 */

/* ---- run state ---- */

static void commit_stop(Domain *domain, Event *event)
{
	g_autofree char *run_state = g_steal_pointer(&domain->hints.pause_run_state);

	if (domain->state == DOMAIN_STATE_SHUTTING_DOWN && policy_keeps_after_shutdown(domain)) {
		event->lifecycle.reason = LIFECYCLE_REASON_GUEST_SHUTDOWN;
		policy_tell_shutdown(domain, event);
		domain_publish_lifecycle(domain, event, DOMAIN_STATE_PAUSED);
		stop_guest_is_down(domain);
		return;
	}
	if (domain->state == DOMAIN_STATE_CRASHED)
		panic_dump_guest_stopped(domain);
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
	if (run_state)
		event_add_detail(event, "run-state", g_variant_new_string(run_state));
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
	event->lifecycle.reason = stop_cause_get_resumed(domain);
	domain->hints.pause_reason = LIFECYCLE_REASON_PAUSED;
	domain->hints.migrated = false;
	domain_publish_lifecycle(domain, event, DOMAIN_STATE_RUNNING);
}

void lifecycle_tell_api_error(Domain *domain)
{
	domain_publish_lifecycle(domain, event_new_lifecycle(0, LIFECYCLE_SUSPENDED,
							     LIFECYCLE_REASON_API_ERROR),
				 DOMAIN_STATE_PAUSED);
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
		drives_guest_resumed(domain);
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
		event_set_name(event, domain_get_name(domain));
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
	drives_guest_reset(domain);
	/* With -action shutdown=pause a reset is what brings the guest back: QEMU is paused then. */
	domain->hints.shutdown_seen = false;
	stop_note_reset(domain);
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

void lifecycle_commit_panicked(Domain *domain, Event *event)
{
	Event *crashed = event_new_lifecycle(event->time, LIFECYCLE_CRASHED,
					     LIFECYCLE_REASON_PANICKED);
	bool runs_on = g_str_equal(event->panicked.action, "run");
	bool paused = g_str_equal(event->panicked.action, "pause");
	bool dumps = paused && panic_dump_begin(domain);

	policy_tell_panic(domain, crashed, event->panicked.action);
	if (dumps)
		event_add_detail(crashed, "dumping", g_variant_new_boolean(TRUE));
	domain_publish(domain, event);
	if (runs_on) {
		crashed->lifecycle.state = domain->state;
		event_set_name(crashed, domain_get_name(domain));
		domain_publish(domain, crashed);
	} else {
		domain_publish_lifecycle(domain, crashed, DOMAIN_STATE_CRASHED);
	}
	/* With -action shutdown=pause QEMU pauses at a panic too, whatever -action panic says. */
	if (paused && !dumps)
		policy_after_panic(domain);
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
	if (hints->migrated)
		return LIFECYCLE_REASON_MIGRATED;
	if (hints->shutdown_seen || hints->watchdog_poweroff)
		return LIFECYCLE_REASON_SHUTDOWN;
	/* Nobody was listening, or only the monitor has ended, and nothing else tells. */
	if (domain->while_away || !domain->process)
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

	/* NULL: it was told by the service before this one. */
	if (hints->shutdown_seen && hints->shutdown_cause) {
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
	stop_add_details(domain, event);
	panic_dump_add_details(domain, event);
	return event;
}
