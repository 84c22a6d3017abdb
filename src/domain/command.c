/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json-read.h"
#include "base/json-text.h"
#include "domain/domain-internal.h"

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
