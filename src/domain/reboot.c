/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * A guest is asked to shut down, not to reboot: that is all ACPI has. QEMU is told to pause instead
 * of exiting when it has (set-action, QEMU 6.0), then reset and let go again. What QEMU tells meanwhile
 * is not passed on, except the RESET.
 *
 *   set-action shutdown=pause,reboot=reset; system_powerdown
 *   SHUTDOWN (guest), STOP          commit_stop() calls reboot_guest_is_down()
 *   system_reset, RESET             lifecycle_commit_reset() calls reboot_was_reset()
 *   cont, set-action as defined
 *
 * Once the guest is down there is no way back, so what is left is done even if the monitor is lost
 * in between, and the caller with it: when QEMU is found again (reboot_resynced()).
 */

/* What is left of a reboot that QEMU refuses half-way: the guest is down and stands still, and that was
 * not told so far. */
static void tell_refused_reboot(const Operation *operation, const GError *error)
{
	if (operation->guest_is_down && operation->domain->host &&
	    g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
		lifecycle_tell_api_error(operation->domain);
}

/* What QEMU shall do at a shutdown and a reboot, as the definition has it. */
static void restore_action(Domain *domain);

/* QEMU has not taken what it was told. */
static void fail(Operation *operation, const GError *error)
{
	Domain *domain = operation->domain;

	if (domain->host && operation->guest_is_down &&
	    !g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
		domain->hints.reboot_cut_off = true;
	else if (domain->host)
		restore_action(domain);
	tell_refused_reboot(operation, error);
	operation_end(operation, NULL, error);
}

/* Success is not the end of it: it only means that QEMU has taken the order. */
static void on_ordered(JsonNode *result, const GError *error, void *userdata)
{
	OperationRef *ref = userdata;
	Operation *operation = operation_ref_get(ref);

	if (operation && error)
		fail(operation, error);
	operation_ref_free(ref);
}

/* While a reboot is under way a reset is a reset, whatever the definition says of reboots of the guest. */
static void call_set_action(Domain *domain, bool rebooting, QmpReplyCallback callback, void *userdata)
{
	const Definition *definition = domain->definition;
	JsonObject *object = json_object_new();

	domain->hints.reboot_overruled = false;
	json_object_set_string_member(object, "shutdown",
				      rebooting || policy_keeps_after_shutdown(domain)
					      ? "pause" : "poweroff");
	json_object_set_string_member(object, "reboot",
				      rebooting || definition->on_reboot != DEFINITION_POLICY_STOP
					      ? "reset" : "shutdown");
	domain_call(domain, "set-action", json_node_init_object(json_node_alloc(), object),
		    DOMAIN_CALL_TIMEOUT_MS, callback, userdata);
	json_object_unref(object);
}

static void on_action_restored(JsonNode *result, const GError *error, void *userdata)
{
	Domain *domain = userdata;

	if (error)
		domain_log(domain, LOG_INFO, "set-action: %s", error->message);
	domain_unref(domain);
}

static void restore_action(Domain *domain)
{
	call_set_action(domain, false, on_action_restored, domain_ref(domain));
}

static void on_going_again(JsonNode *result, const GError *error, void *userdata)
{
	OperationRef *ref = userdata;
	Operation *operation = operation_ref_get(ref);

	if (operation && error) {
		fail(operation, error);
	} else if (operation) {
		restore_action(ref->domain);
		operation_end(operation, NULL, NULL);
	}
	operation_ref_free(ref);
}

/* The reply to system_reset only says that it was asked for; RESET says that it was done. */
static void reset_and_go(Operation *operation)
{
	operation->resetting = true;
	domain_call(operation->domain, "system_reset", NULL, DOMAIN_CALL_TIMEOUT_MS, on_ordered,
		    operation_ref_new(operation));
}

/* Nobody waits for it. */
static void on_going_alone(JsonNode *result, const GError *error, void *userdata)
{
	OperationRef *ref = userdata;
	Domain *domain = ref->domain;

	if (domain->host && domain->run == ref->run) {
		if (!error || g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR)) {
			domain->hints.reboot_cut_off = false;
			restore_action(domain);
		}
		if (g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
			lifecycle_tell_api_error(domain);
	}
	operation_ref_free(ref);
}

void reboot_was_reset(Domain *domain)
{
	Operation *reboot = domain->reboot;

	if (reboot && reboot->resetting) {
		reboot->resetting = false;
		domain_call(domain, "cont", NULL, DOMAIN_CALL_TIMEOUT_MS, on_going_again,
			    operation_ref_new(reboot));
	} else if (domain->hints.reboot_cut_off) {
		domain_call(domain, "cont", NULL, DOMAIN_CALL_TIMEOUT_MS, on_going_alone,
			    operation_ref_new_of_run(domain));
	}
}

bool reboot_is_half_way(const Domain *domain, const char *run_state)
{
	/* A reset leaves QEMU in prelaunch, whatever it was in before. */
	return (domain->hints.reboot_cut_off || domain->reboot) &&
	       (g_str_equal(run_state, "shutdown") || g_str_equal(run_state, "prelaunch"));
}

void reboot_resynced(Domain *domain, const char *run_state)
{
	if (!reboot_is_half_way(domain, run_state)) {
		bool cut_off = domain->hints.reboot_cut_off;

		domain->hints.reboot_cut_off = false;
		/* One that was under way has left QEMU set to pause. If nobody has it any more: but what a QEMU that
		 * was adopted does by itself is set back only if it was us. */
		if (!domain->reboot && (!domain->adopted || cut_off))
			restore_action(domain);
		return;
	}
	if (g_str_equal(run_state, "prelaunch")) {
		domain->hints.reboot_cut_off = true;
		reboot_was_reset(domain);
	} else if (domain->reboot) {
		reboot_guest_is_down(domain);
	} else {
		domain_order(domain, "system_reset", NULL);
	}
}

void reboot_guest_is_down(Domain *domain)
{
	domain_clear_timer(domain, &domain->reboot->timer);
	domain->reboot->guest_is_down = true;
	reset_and_go(domain->reboot);
}

static void on_reboot_timeout(int timer, void *userdata)
{
	Operation *operation = userdata;
	Domain *domain = operation->domain;
	g_autoptr(GError) error = g_error_new(
		CORE_ERROR, CORE_ERROR_TIMEOUT,
		"The guest of domain '%s' has not shut down within %d s. The option \"timeout\" "
		"resets it then", domain_get_name(domain),
		domain->host->deadlines.shutdown_ms / 1000);

	restore_action(domain);
	operation_end(operation, NULL, error);
}

static void on_reboot_force(int timer, void *userdata)
{
	Operation *operation = userdata;

	domain_clear_timer(operation->domain, &operation->timer);
	reset_and_go(operation);
}

static void ask_powerdown(Operation *operation)
{
	operation->domain->hints.powerdown_requested = true;
	domain_call(operation->domain, "system_powerdown", NULL, DOMAIN_CALL_TIMEOUT_MS, on_ordered,
		    operation_ref_new(operation));
}

static void on_reboot_action(JsonNode *result, const GError *error, void *userdata)
{
	OperationRef *ref = userdata;
	Operation *operation = operation_ref_get(ref);

	/* One that was not answered in time may still be done; what takes it back comes behind it. */
	if (operation && error)
		fail(operation, error);
	else if (operation)
		ask_powerdown(operation);
	operation_ref_free(ref);
}

void domain_reboot(Domain *domain, int force_after_ms, DomainDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_REBOOT, done, userdata);

	if (!operation)
		return;
	if (domain->reboot) {
		g_set_error(&error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Domain '%s' is being rebooted already", domain_get_name(domain));
		operation_end(operation, NULL, error);
		return;
	}
	domain->reboot = operation;
	domain->hints.shutdown_seen = false;
	if (force_after_ms >= 0)
		operation_set_timer(operation, force_after_ms, on_reboot_force);
	else
		operation_set_timer(operation, domain->host->deadlines.shutdown_ms,
				    on_reboot_timeout);
	call_set_action(domain, true, on_reboot_action, operation_ref_new(operation));
}
