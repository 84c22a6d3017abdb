/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * The states of a domain, which may follow which, and what may be asked of a domain in each.
 * Pure tables; src/domain makes the transitions.
 *
 *                      .--------------------------------------------.
 *                      v                                            |
 *   shut-off -> starting -> running <-> paused <-> crashed          |
 *                  |         |  ^  \______/ |        |              |
 *                  |         v  |           v        v              |
 *                  |     pm-suspended -> shutting-down -> shut-off -'
 *                  v
 *               shut-off          unknown: the monitor cannot be reached; from and to any of the
 *                                 states of a running QEMU, and to shut-off
 */

typedef enum DomainState {
	DOMAIN_STATE_SHUT_OFF,
	DOMAIN_STATE_STARTING,
	DOMAIN_STATE_RUNNING,
	DOMAIN_STATE_PAUSED,
	DOMAIN_STATE_PM_SUSPENDED,
	DOMAIN_STATE_SHUTTING_DOWN,
	DOMAIN_STATE_CRASHED,      /* the guest panicked and QEMU is still there */
	DOMAIN_STATE_UNKNOWN,      /* QEMU is there, its monitor is not */
	DOMAIN_STATE_MAX,
} DomainState;

typedef enum DomainOperation {
	DOMAIN_OPERATION_START,
	DOMAIN_OPERATION_ADOPT,
	DOMAIN_OPERATION_SHUTDOWN,
	DOMAIN_OPERATION_REBOOT,
	DOMAIN_OPERATION_RESET,
	DOMAIN_OPERATION_DESTROY,
	DOMAIN_OPERATION_SUSPEND,
	DOMAIN_OPERATION_RESUME,
	DOMAIN_OPERATION_WAKEUP,
	DOMAIN_OPERATION_INJECT_NMI,
	DOMAIN_OPERATION_SCREENSHOT,
	DOMAIN_OPERATION_SAVE,
	DOMAIN_OPERATION_UNDEFINE,
	DOMAIN_OPERATION_ATTACH_DEVICE,
	DOMAIN_OPERATION_DETACH_DEVICE,
	DOMAIN_OPERATION_CHANGE_MEDIA,
	DOMAIN_OPERATION_SET_WRITE_THRESHOLD,
	DOMAIN_OPERATION_CANCEL_JOB,
	DOMAIN_OPERATION_SET_BALLOON,
	DOMAIN_OPERATION_EXECUTE,
	DOMAIN_OPERATION_GET_COMMAND_LINE,
	DOMAIN_OPERATION_GET_INTERFACES,
	DOMAIN_OPERATION_MAX,
} DomainOperation;

const char *domain_state_to_string(DomainState state);
bool domain_state_from_string(const char *string, DomainState *ret_state);
const char *domain_operation_to_string(DomainOperation operation);
bool domain_operation_from_string(const char *string, DomainOperation *ret_operation);

/* A QEMU process belongs to the state. */
bool domain_state_is_active(DomainState state);

/* A state may always follow itself. */
bool domain_state_may_follow(DomainState from, DomainState to);

/* CORE_ERROR_WRONG_STATE names the domain, its state, and what the operation needs. */
bool domain_state_check_operation(DomainState state, DomainOperation operation, const char *name,
				  GError **error);

/* QEMU's RunState (query-status) as a state. An unknown one counts as paused, since QEMU runs vCPUs in
 * "running" alone. */
DomainState domain_state_from_run_state(const char *run_state);
