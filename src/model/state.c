/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/state.h"

#include "base/error.h"
#include "base/names.h"

static const char *const domain_state_names[] = {
	[DOMAIN_STATE_SHUT_OFF] = "shut-off",
	[DOMAIN_STATE_STARTING] = "starting",
	[DOMAIN_STATE_RUNNING] = "running",
	[DOMAIN_STATE_PAUSED] = "paused",
	[DOMAIN_STATE_PM_SUSPENDED] = "pm-suspended",
	[DOMAIN_STATE_SHUTTING_DOWN] = "shutting-down",
	[DOMAIN_STATE_CRASHED] = "crashed",
	[DOMAIN_STATE_UNKNOWN] = "unknown",
};
NAME_TABLE(domain_state, DomainState, DOMAIN_STATE_MAX)

static const char *const domain_operation_names[] = {
	[DOMAIN_OPERATION_START] = "start",
	[DOMAIN_OPERATION_ADOPT] = "adopt",
	[DOMAIN_OPERATION_SHUTDOWN] = "shutdown",
	[DOMAIN_OPERATION_REBOOT] = "reboot",
	[DOMAIN_OPERATION_RESET] = "reset",
	[DOMAIN_OPERATION_DESTROY] = "destroy",
	[DOMAIN_OPERATION_SUSPEND] = "suspend",
	[DOMAIN_OPERATION_RESUME] = "resume",
	[DOMAIN_OPERATION_WAKEUP] = "wakeup",
	[DOMAIN_OPERATION_INJECT_NMI] = "inject-nmi",
	[DOMAIN_OPERATION_SAVE] = "save",
	[DOMAIN_OPERATION_SCREENSHOT] = "screenshot",
	[DOMAIN_OPERATION_UNDEFINE] = "undefine",
	[DOMAIN_OPERATION_ATTACH_DEVICE] = "attach-device",
	[DOMAIN_OPERATION_DETACH_DEVICE] = "detach-device",
	[DOMAIN_OPERATION_CHANGE_MEDIA] = "change-media",
	[DOMAIN_OPERATION_SET_WRITE_THRESHOLD] = "set-write-threshold",
	[DOMAIN_OPERATION_CANCEL_JOB] = "cancel-job",
	[DOMAIN_OPERATION_SET_BALLOON] = "set-balloon",
	[DOMAIN_OPERATION_EXECUTE] = "execute",
	[DOMAIN_OPERATION_GET_COMMAND_LINE] = "get-command-line",
	[DOMAIN_OPERATION_GET_INTERFACES] = "get-interfaces",
};
NAME_TABLE(domain_operation, DomainOperation, DOMAIN_OPERATION_MAX)

#define BIT(state) (1u << DOMAIN_STATE_##state)
#define BITS_QEMU                                                                                  \
	(BIT(RUNNING) | BIT(PAUSED) | BIT(PM_SUSPENDED) | BIT(SHUTTING_DOWN) | BIT(CRASHED) |     \
	 BIT(UNKNOWN))
#define BITS_ANSWERING (BITS_QEMU & ~BIT(UNKNOWN))

/* From each state: the states that may follow. */
static const unsigned transitions[DOMAIN_STATE_MAX] = {
	[DOMAIN_STATE_SHUT_OFF] = BIT(STARTING) | BIT(UNKNOWN),   /* unknown: QEMU found again */
	[DOMAIN_STATE_STARTING] = BITS_QEMU | BIT(SHUT_OFF),
	[DOMAIN_STATE_RUNNING] = BITS_QEMU | BIT(SHUT_OFF),
	[DOMAIN_STATE_PAUSED] = BITS_QEMU | BIT(SHUT_OFF),
	[DOMAIN_STATE_PM_SUSPENDED] = BITS_QEMU | BIT(SHUT_OFF),
	/* With -action shutdown=pause a reset brings the guest back. */
	[DOMAIN_STATE_SHUTTING_DOWN] = BIT(PAUSED) | BIT(RUNNING) | BIT(UNKNOWN) | BIT(SHUT_OFF),
	[DOMAIN_STATE_CRASHED] = BIT(RUNNING) | BIT(PAUSED) | BIT(SHUTTING_DOWN) | BIT(UNKNOWN) |
				 BIT(SHUT_OFF),
	[DOMAIN_STATE_UNKNOWN] = BITS_QEMU | BIT(SHUT_OFF),
};

/* The states in which each operation makes sense. */
static const unsigned operations[DOMAIN_OPERATION_MAX] = {
	[DOMAIN_OPERATION_START] = BIT(SHUT_OFF),
	[DOMAIN_OPERATION_ADOPT] = BIT(SHUT_OFF),
	[DOMAIN_OPERATION_SHUTDOWN] = BIT(RUNNING) | BIT(PM_SUSPENDED),
	[DOMAIN_OPERATION_REBOOT] = BIT(RUNNING),
	[DOMAIN_OPERATION_RESET] = BITS_ANSWERING,
	[DOMAIN_OPERATION_DESTROY] = BITS_QEMU | BIT(STARTING),
	[DOMAIN_OPERATION_SUSPEND] = BIT(RUNNING),
	[DOMAIN_OPERATION_RESUME] = BIT(PAUSED) | BIT(CRASHED),
	[DOMAIN_OPERATION_WAKEUP] = BIT(PM_SUSPENDED),
	[DOMAIN_OPERATION_INJECT_NMI] = BIT(RUNNING),
	[DOMAIN_OPERATION_SCREENSHOT] = BITS_ANSWERING,
	[DOMAIN_OPERATION_SAVE] = BIT(RUNNING) | BIT(PAUSED),
	[DOMAIN_OPERATION_UNDEFINE] = BIT(SHUT_OFF),
	[DOMAIN_OPERATION_ATTACH_DEVICE] = BITS_ANSWERING & ~BIT(SHUTTING_DOWN),
	[DOMAIN_OPERATION_DETACH_DEVICE] = BITS_ANSWERING & ~BIT(SHUTTING_DOWN),
	[DOMAIN_OPERATION_CHANGE_MEDIA] = BITS_ANSWERING & ~BIT(SHUTTING_DOWN),
	[DOMAIN_OPERATION_SET_WRITE_THRESHOLD] = BITS_ANSWERING,
	[DOMAIN_OPERATION_CANCEL_JOB] = BITS_ANSWERING,
	[DOMAIN_OPERATION_SET_BALLOON] = BITS_ANSWERING & ~BIT(SHUTTING_DOWN),
	[DOMAIN_OPERATION_EXECUTE] = BITS_ANSWERING,
	[DOMAIN_OPERATION_GET_INTERFACES] = BITS_QEMU,
	[DOMAIN_OPERATION_GET_COMMAND_LINE] = BITS_QEMU | BIT(STARTING) | BIT(SHUT_OFF),
};

bool domain_state_is_active(DomainState state)
{
	return state != DOMAIN_STATE_SHUT_OFF;
}

bool domain_state_may_follow(DomainState from, DomainState to)
{
	g_assert(from < DOMAIN_STATE_MAX && to < DOMAIN_STATE_MAX);
	return from == to || (transitions[from] & (1u << to)) != 0;
}

bool domain_state_check_operation(DomainState state, DomainOperation operation, const char *name,
				  GError **error)
{
	g_autoptr(GString) wanted = NULL;

	g_assert(state < DOMAIN_STATE_MAX && operation < DOMAIN_OPERATION_MAX);
	if (operations[operation] & (1u << state))
		return true;

	wanted = g_string_new(NULL);
	for (unsigned i = 0; i < DOMAIN_STATE_MAX; i++)
		if (operations[operation] & (1u << i))
			g_string_append_printf(wanted, "%s%s", wanted->len > 0 ? ", " : "",
					       domain_state_names[i]);
	g_set_error(error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
		    "Domain '%s' is %s; %s needs it to be one of: %s", name,
		    domain_state_names[state], domain_operation_names[operation], wanted->str);
	return false;
}

/* QEMU's RunState, qapi/run-state.json. What is not listed is a form of not running. */
static const struct {
	const char *run_state;
	DomainState state;
} run_states[] = {
	{ "running", DOMAIN_STATE_RUNNING },
	{ "suspended", DOMAIN_STATE_PM_SUSPENDED },
	{ "shutdown", DOMAIN_STATE_SHUTTING_DOWN },
	{ "guest-panicked", DOMAIN_STATE_CRASHED },
};

DomainState domain_state_from_run_state(const char *run_state)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(run_states); i++)
		if (g_strcmp0(run_states[i].run_state, run_state) == 0)
			return run_states[i].state;
	return DOMAIN_STATE_PAUSED;
}
