/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * What the definition wants to happen when the guest shuts down, reboots or panics, or QEMU dies.
 *
 * QEMU carries out what it can by itself (-action, qemu/command-line.c); here is the rest, and what is
 * told of both: a signal at which a policy decided says which (policy) and what it wants (action).
 * No policy decides where somebody did: after Destroy(), Shutdown(), a `quit`, a signal.
 */

/* Restarts by a policy: at most so many in that time, so that a guest that dies at once does not
 * keep the host busy for ever. */
#define RESTART_WINDOW_US (60 * G_TIME_SPAN_SECOND)

typedef struct Decision {
	const char *policy;              /* NULL: none has decided */
	DefinitionPolicy action;
} Decision;

static void add_decision(Event *event, const char *policy, DefinitionPolicy action)
{
	event_add_detail(event, "policy", g_variant_new_string(policy));
	event_add_detail(event, "action",
			 g_variant_new_string(definition_policy_to_string(action)));
}

static bool keeps(DefinitionPolicy policy)
{
	return policy == DEFINITION_POLICY_PAUSE || policy == DEFINITION_POLICY_PRESERVE;
}

/* ---- the guest is still there ---- */

bool policy_keeps_after_shutdown(const Domain *domain)
{
	return keeps(domain->definition->on_shutdown);
}

bool policy_keeps_after_panic(const Domain *domain)
{
	return keeps(domain->definition->on_panic);
}

void policy_tell_shutdown(Domain *domain, Event *suspended)
{
	/* No definition wants anything of a QEMU that was adopted. */
	if (domain->adopted)
		return;
	add_decision(suspended, "on-shutdown", domain->definition->on_shutdown);
}

void policy_tell_panic(Domain *domain, Event *crashed, const char *qemu_action)
{
	DefinitionPolicy action = domain->definition->on_panic;

	/* Else it was overruled, by arguments or by set-action. */
	if (!domain->adopted &&
	    (g_str_equal(qemu_action, "pause") ||
	     (g_str_equal(qemu_action, "poweroff") && !keeps(action))))
		add_decision(crashed, "on-panic", action);
	else
		event_add_detail(crashed, "action", g_variant_new_string(qemu_action));
}

void policy_after_panic(Domain *domain)
{
	Event *crashed;

	if (!policy_keeps_after_panic(domain) && !domain->adopted) {
		domain->hints.panic_ended = true;
		domain_order(domain, "quit", NULL);
		return;
	}
	if (!domain->dump)
		return;
	crashed = event_new_lifecycle(0, LIFECYCLE_CRASHED, LIFECYCLE_REASON_PANICKED);
	add_decision(crashed, "on-panic", domain->definition->on_panic);
	panic_dump_add_details(domain, crashed);
	domain_publish_lifecycle(domain, crashed, DOMAIN_STATE_CRASHED);
}

/* ---- it is not ---- */

void policy_note_set_action(Domain *domain, JsonObject *arguments)
{
	const char *reboot;

	if (json_read_string(arguments, "reboot", &reboot))
		domain->hints.reboot_overruled = g_str_equal(reboot, "shutdown");
}

/* A client wants QEMU to end at a reset, whatever on-reboot says. */
static bool reboot_is_overruled(const Domain *domain)
{
	const char *const *arguments = (const char *const *)domain->definition->arguments;

	if (domain->hints.reboot_overruled || g_strv_contains(arguments, "-no-reboot") ||
	    g_strv_contains(arguments, "--no-reboot"))
		return true;
	for (unsigned i = 0; arguments[i] && arguments[i + 1]; i++)
		if ((g_str_equal(arguments[i], "-action") || g_str_equal(arguments[i], "--action")) &&
		    strstr(arguments[i + 1], "reboot=shutdown"))
			return true;
	return false;
}

static bool was_reset(const Domain *domain)
{
	return g_strcmp0(domain->hints.shutdown_cause, "guest-reset") == 0 ||
	       g_strcmp0(domain->hints.shutdown_cause, "host-qmp-system-reset") == 0;
}

static Decision decide_shutdown(const Domain *domain)
{
	const Definition *definition = domain->definition;

	/* With on-reboot=restart QEMU resets the guest by itself, unless it cannot: the registers of a guest
	 * whose memory is encrypted are out of its reach. */
	if (was_reset(domain))
		return (Decision){ reboot_is_overruled(domain) && definition->on_reboot !=
					   DEFINITION_POLICY_STOP ? NULL : "on-reboot",
				   definition->on_reboot };
	/* Who ends QEMU itself does not speak of the guest. */
	return (Decision){ domain->hints.shutdown_by_guest ? "on-shutdown" : NULL,
			   definition->on_shutdown };
}

static Decision decide(const Domain *domain, LifecycleReason reason)
{
	const Definition *definition = domain->definition;

	switch (reason) {
	case LIFECYCLE_REASON_SHUTDOWN:
		return decide_shutdown(domain);
	case LIFECYCLE_REASON_CRASHED:
		return (Decision){ "on-panic", definition->on_panic };
	case LIFECYCLE_REASON_FAILED:
		return (Decision){ "on-crash", definition->on_crash };
	default:
		return (Decision){ NULL };
	}
}

/* Notes the restart; false if there were too many. */
static bool take_restart(Domain *domain)
{
	int64_t now = g_get_monotonic_time();

	if (domain->restarts[0] != 0 && now - domain->restarts[0] < RESTART_WINDOW_US) {
		domain_log_event(domain, LOG_ID_RESTARTS_EXCEEDED, NULL,
				 "ended %zu times within a minute; it is not started again",
				 G_N_ELEMENTS(domain->restarts) + 1);
		return false;
	}
	memmove(&domain->restarts[0], &domain->restarts[1],
		sizeof(domain->restarts) - sizeof(domain->restarts[0]));
	domain->restarts[G_N_ELEMENTS(domain->restarts) - 1] = now;
	return true;
}

const char *policy_decide_end(Domain *domain, Event *stopped)
{
	Decision decision = decide(domain, stopped->lifecycle.reason);
	bool restart = decision.action == DEFINITION_POLICY_RESTART;
	bool refused;

	if (domain->hints.service_exit) {
		event_add_detail(stopped, "policy", g_variant_new_string("on-exit"));
		event_add_detail(stopped, "action", g_variant_new_string(domain->hints.service_exit));
		return NULL;
	}
	/* A run that nobody saw the end of, one that has not begun, and one that somebody wanted to end.
	 * QEMU stays with preserve and pause, so if it did not, they were overruled. */
	if (!decision.policy || domain->adopted || domain->while_away || domain->start || keeps(decision.action) ||
	    domain_has_operation(domain, DOMAIN_OPERATION_SHUTDOWN))
		return NULL;
	/* It was asked to shut down, and did so in its own time. */
	if (stop_is_wanted(domain) && stopped->lifecycle.reason == LIFECYCLE_REASON_SHUTDOWN &&
	    !was_reset(domain))
		return NULL;
	restart = restart && !domain->host->closing;
	refused = restart && !take_restart(domain);
	if (refused)
		event_add_detail(stopped, "restart-refused", g_variant_new_boolean(TRUE));
	restart = restart && !refused;
	add_decision(stopped, decision.policy,
		     restart ? DEFINITION_POLICY_RESTART : DEFINITION_POLICY_STOP);
	/* A reboot, by another QEMU. */
	if (restart && stopped->lifecycle.reason == LIFECYCLE_REASON_SHUTDOWN && was_reset(domain))
		stopped->lifecycle.reason = LIFECYCLE_REASON_RECREATED;
	return restart ? decision.policy : NULL;
}

void domain_end_with_service(Domain *domain, bool force, DomainDone done, void *userdata)
{
	domain->hints.service_exit = force ? "destroy" : "shutdown";
	if (force)
		domain_destroy(domain, DOMAIN_DESTROY_GRACE_MS, done, userdata);
	else
		domain_shutdown(domain, -1, done, userdata);
}
