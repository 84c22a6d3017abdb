/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/json-read.h"
#include "base/json-text.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * What is asked of a running QEMU. Each operation answers when it is done: with the reply of QEMU
 * where that is the end of it, with the end of the run where that is what was wanted.
 */

/* ---- one command each ---- */

static const char *const commands[DOMAIN_OPERATION_MAX] = {
	[DOMAIN_OPERATION_RESET] = "system_reset",
	[DOMAIN_OPERATION_SUSPEND] = "stop",
	[DOMAIN_OPERATION_RESUME] = "cont",
	[DOMAIN_OPERATION_WAKEUP] = "system_wakeup",
	[DOMAIN_OPERATION_INJECT_NMI] = "inject-nmi",
};

/* A call whose operation may have been answered before it, by the end of the run or by a time-out. */
typedef struct Command {
	Domain *domain;
	uint64_t operation;
	uint64_t run;
	JsonNode *arguments;
	CommandEffect effect;      /* or NULL */
} Command;

static Command *command_new(Operation *operation)
{
	Command *command = g_new0(Command, 1);

	command->domain = domain_ref(operation->domain);
	command->operation = operation->id;
	command->run = operation->domain->run;
	return command;
}

/* NULL if it has been answered meanwhile. */
static Operation *command_get_operation(const Command *command)
{
	return operation_find(command->domain, command->operation);
}

static void command_free(Command *command)
{
	g_clear_pointer(&command->arguments, json_node_unref);
	domain_unref(command->domain);
	g_free(command);
}

/* Before the answer: who is answered finds what was done. */
static void command_apply(const Command *command)
{
	if (command->effect && command->domain->host && command->domain->run == command->run)
		command->effect(command->domain, json_node_as_object(command->arguments));
}

static void on_command(JsonNode *result, const GError *error, void *userdata)
{
	Command *command = userdata;
	Operation *operation;

	if (!error)
		command_apply(command);
	operation = command_get_operation(command);
	if (operation)
		operation_end(operation, NULL, error);
	command_free(command);
}

void operation_call(Operation *operation, const char *name, JsonNode *arguments, CommandEffect effect)
{
	Command *command = command_new(operation);

	command->arguments = arguments ? json_node_ref(arguments) : NULL;
	command->effect = effect;
	operation_send(operation, name, arguments, DOMAIN_CALL_TIMEOUT_MS, on_command, command);
}

void domain_command(Domain *domain, DomainOperation kind, DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, kind, done, userdata);

	g_assert(commands[kind]);
	if (!operation)
		return;
	operation->resumes = kind == DOMAIN_OPERATION_RESUME;
	operation->stops = kind == DOMAIN_OPERATION_SUSPEND;
	operation_call(operation, commands[kind], NULL, NULL);
}

/* ---- any command ---- */

/* What no event tells. */
static const struct {
	const char *command;
	CommandEffect effect;
} effects[] = {
	{ "block-set-write-threshold", drives_threshold_by_command },
	{ "blockdev-change-medium", drives_changed_by_command },
	{ "blockdev-del", drives_changed_by_command },
	{ "blockdev-insert-medium", drives_changed_by_command },
	{ "blockdev-remove-medium", drives_changed_by_command },
	{ "blockdev-snapshot", drives_changed_by_command },
	{ "blockdev-snapshot-sync", drives_changed_by_command },
	{ "device_add", devices_added_by_command },
	{ "eject", drives_changed_by_command },
	{ "set-action", policy_note_set_action },
	{ "transaction", drives_changed_by_command },
};

static CommandEffect find_effect(const char *command)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(effects); i++)
		if (g_str_equal(effects[i].command, command))
			return effects[i].effect;
	return NULL;
}

static void on_executed(JsonNode *result, const GError *error, void *userdata)
{
	Command *command = userdata;
	Operation *operation;
	g_autoptr(GError) too_long = NULL;
	g_autofree char *text = result ? json_text_from_node(result) : NULL;

	if (result)
		command_apply(command);
	if (text && strlen(text) > DOMAIN_RESULT_MAX) {
		g_set_error(&too_long, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "The result has %zu bytes; at most %u are passed on", strlen(text),
			    DOMAIN_RESULT_MAX);
		error = too_long;
		g_clear_pointer(&text, g_free);
	}
	operation = command_get_operation(command);
	if (operation)
		operation_end(operation, text, error);
	command_free(command);
}

void domain_execute(Domain *domain, const char *name, JsonNode *arguments, int timeout_ms,
		    DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_EXECUTE, done, userdata);
	Command *command;

	if (!operation) {
		g_clear_pointer(&arguments, json_node_unref);
		return;
	}
	command = command_new(operation);
	command->effect = find_effect(name);
	command->arguments = arguments ? json_node_ref(arguments) : NULL;
	operation->resumes = g_str_equal(name, "cont") || g_str_equal(name, "human-monitor-command");
	operation->stops = g_str_equal(name, "stop");
	operation_send(operation, name, arguments, timeout_ms, on_executed, command);
}

/* ---- destroy ---- */

static void on_destroy_grace(int timer, void *userdata)
{
	Operation *operation = userdata;
	Domain *domain = operation->domain;

	domain_clear_timer(domain, &operation->timer);
	domain_log(domain, LOG_INFO, "TERM was not enough; KILL");
	domain_kill(domain, SIGKILL);
}

/* The signal that ends QEMU; `stopped` and the answer come from run-end.c. */
static void begin_destroy(Domain *domain)
{
	domain->hints.stop_requested = true;
	if (domain->start)
		start_fail(domain, g_error_new(CORE_ERROR, CORE_ERROR_START_FAILED,
					       "it was destroyed while it started"));
	else
		domain_kill(domain, SIGTERM);
}

void domain_destroy(Domain *domain, int grace_ms, DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_DESTROY, done, userdata);

	if (!operation)
		return;
	operation_set_timer(operation, grace_ms, on_destroy_grace);
	begin_destroy(domain);
}

/* ---- shutdown ---- */

static void on_shutdown_timeout(int timer, void *userdata)
{
	Operation *operation = userdata;
	g_autoptr(GError) error = g_error_new(
		CORE_ERROR, CORE_ERROR_TIMEOUT,
		"The guest of domain '%s' has not shut down within %d s; it was asked and may still "
		"do so. The option \"timeout\" forces it", domain_get_name(operation->domain),
		operation->domain->host->deadlines.shutdown_ms / 1000);

	operation_end(operation, NULL, error);
}

static void on_shutdown_force(int timer, void *userdata)
{
	Operation *operation = userdata;

	begin_destroy(operation->domain);
	operation_set_timer(operation, DOMAIN_DESTROY_GRACE_MS, on_destroy_grace);
}

/* What is left of a reboot that QEMU refuses half-way: the guest is down and stands still, and that was
 * not told so far. */
static void tell_refused_reboot(const Operation *operation, const GError *error)
{
	if (operation->guest_is_down && operation->domain->host &&
	    g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
		lifecycle_tell_api_error(operation->domain);
}

/* Success is not the end of it: it only means that QEMU has taken the order. */
static void on_ordered(JsonNode *result, const GError *error, void *userdata)
{
	Command *command = userdata;
	Operation *operation = command_get_operation(command);

	/* With a time to force it, that decides, however deaf QEMU is. */
	if (operation && error && !operation->forced) {
		if (operation->kind == DOMAIN_OPERATION_REBOOT && command->domain->host)
			command_restore_action(command->domain);
		tell_refused_reboot(operation, error);
		operation_end(operation, NULL, error);
	}
	command_free(command);
}

static void ask_powerdown(Operation *operation)
{
	operation->domain->hints.powerdown_requested = true;
	domain_call(operation->domain, "system_powerdown", NULL, DOMAIN_CALL_TIMEOUT_MS,
		    on_ordered, command_new(operation));
}

void domain_shutdown(Domain *domain, int force_after_ms, DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_SHUTDOWN, done, userdata);

	if (!operation)
		return;
	operation->forced = force_after_ms >= 0;
	if (operation->forced)
		operation_set_timer(operation, force_after_ms, on_shutdown_force);
	else
		operation_set_timer(operation, domain->host->deadlines.shutdown_ms,
				    on_shutdown_timeout);
	ask_powerdown(operation);
}

/* ---- reboot ----
 *
 * A guest is asked to shut down, not to reboot: that is all ACPI has. QEMU is told to pause instead
 * of exiting when it has (set-action, QEMU 6.0), then reset and let go again. What QEMU tells meanwhile
 * is not passed on, except the RESET.
 *
 *   set-action shutdown=pause,reboot=reset; system_powerdown
 *   SHUTDOWN (guest), STOP          commit_stop() calls reboot_guest_is_down()
 *   system_reset, RESET             lifecycle_commit_reset() calls reboot_was_reset()
 *   cont, set-action as defined
 */

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

void command_restore_action(Domain *domain)
{
	call_set_action(domain, false, on_action_restored, domain_ref(domain));
}

static void on_going_again(JsonNode *result, const GError *error, void *userdata)
{
	Command *command = userdata;
	Operation *operation = command_get_operation(command);

	if (command->domain->host)
		command_restore_action(command->domain);
	if (operation && error)
		tell_refused_reboot(operation, error);
	on_command(result, error, command);
}

/* The reply to system_reset only says that it was asked for; RESET says that it was done. */
static void reset_and_go(Operation *operation)
{
	operation->resetting = true;
	domain_call(operation->domain, "system_reset", NULL, DOMAIN_CALL_TIMEOUT_MS, on_ordered,
		    command_new(operation));
}

void reboot_was_reset(Domain *domain)
{
	if (!domain->reboot || !domain->reboot->resetting)
		return;
	domain->reboot->resetting = false;
	domain_call(domain, "cont", NULL, DOMAIN_CALL_TIMEOUT_MS, on_going_again,
		    command_new(domain->reboot));
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

	command_restore_action(domain);
	operation_end(operation, NULL, error);
}

static void on_reboot_force(int timer, void *userdata)
{
	Operation *operation = userdata;

	domain_clear_timer(operation->domain, &operation->timer);
	reset_and_go(operation);
}

static void on_reboot_action(JsonNode *result, const GError *error, void *userdata)
{
	Command *command = userdata;
	Operation *operation = command_get_operation(command);

	if (operation && error)
		operation_end(operation, NULL, error);
	else if (operation)
		ask_powerdown(operation);
	command_free(command);
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
	call_set_action(domain, true, on_reboot_action, command_new(operation));
}
