/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/lifecycle.h"

#include "base/names.h"

static const char *const lifecycle_event_names[] = {
	[LIFECYCLE_DEFINED] = "defined",
	[LIFECYCLE_UNDEFINED] = "undefined",
	[LIFECYCLE_STARTING] = "starting",
	[LIFECYCLE_STARTED] = "started",
	[LIFECYCLE_SUSPENDED] = "suspended",
	[LIFECYCLE_RESUMED] = "resumed",
	[LIFECYCLE_SHUTDOWN] = "shutdown",
	[LIFECYCLE_STOPPED] = "stopped",
	[LIFECYCLE_PM_SUSPENDED] = "pm-suspended",
	[LIFECYCLE_CRASHED] = "crashed",
};
NAME_TABLE(lifecycle_event, LifecycleEvent, LIFECYCLE_EVENT_MAX)

static const char *const lifecycle_reason_names[] = {
	[LIFECYCLE_REASON_UNKNOWN] = "unknown",
	[LIFECYCLE_REASON_ADDED] = "added",
	[LIFECYCLE_REASON_UPDATED] = "updated",
	[LIFECYCLE_REASON_RENAMED] = "renamed",
	[LIFECYCLE_REASON_REMOVED] = "removed",
	[LIFECYCLE_REASON_RELEASED] = "released",
	[LIFECYCLE_REASON_BOOTED] = "booted",
	[LIFECYCLE_REASON_ADOPTED] = "adopted",
	[LIFECYCLE_REASON_RESTORED] = "restored",
	[LIFECYCLE_REASON_WAKEUP] = "wakeup",
	[LIFECYCLE_REASON_RECREATED] = "recreated",
	[LIFECYCLE_REASON_PAUSED] = "paused",
	[LIFECYCLE_REASON_MIGRATED] = "migrated",
	[LIFECYCLE_REASON_FROM_SNAPSHOT] = "from-snapshot",
	[LIFECYCLE_REASON_API_ERROR] = "api-error",
	[LIFECYCLE_REASON_POSTCOPY] = "postcopy",
	[LIFECYCLE_REASON_POSTCOPY_FAILED] = "postcopy-failed",
	[LIFECYCLE_REASON_INTERNAL_ERROR] = "internal-error",
	[LIFECYCLE_REASON_DEBUG] = "debug",
	[LIFECYCLE_REASON_COLO] = "colo",
	[LIFECYCLE_REASON_IOERROR] = "ioerror",
	[LIFECYCLE_REASON_WATCHDOG] = "watchdog",
	[LIFECYCLE_REASON_GUEST_SHUTDOWN] = "guest-shutdown",
	[LIFECYCLE_REASON_UNPAUSED] = "unpaused",
	[LIFECYCLE_REASON_GUEST] = "guest",
	[LIFECYCLE_REASON_HOST] = "host",
	[LIFECYCLE_REASON_SHUTDOWN] = "shutdown",
	[LIFECYCLE_REASON_DESTROYED] = "destroyed",
	[LIFECYCLE_REASON_SAVED] = "saved",
	[LIFECYCLE_REASON_CRASHED] = "crashed",
	[LIFECYCLE_REASON_FAILED] = "failed",
	[LIFECYCLE_REASON_MEMORY] = "memory",
	[LIFECYCLE_REASON_DISK] = "disk",
	[LIFECYCLE_REASON_PANICKED] = "panicked",
	[LIFECYCLE_REASON_CRASHLOADED] = "crashloaded",
	[LIFECYCLE_REASON_RESYNC] = "resync",
	[LIFECYCLE_REASON_MONITOR_LOST] = "monitor-lost",
};
NAME_TABLE(lifecycle_reason, LifecycleReason, LIFECYCLE_REASON_MAX)

/* QEMU's RunState, qapi/run-state.json. save-vm is not among them: a dump stops the guest with it, too. */
static const struct {
	const char *run_state;
	LifecycleReason reason;
} run_states[] = {
	{ "colo", LIFECYCLE_REASON_COLO },
	{ "debug", LIFECYCLE_REASON_DEBUG },
	{ "finish-migrate", LIFECYCLE_REASON_MIGRATED },
	{ "guest-panicked", LIFECYCLE_REASON_PANICKED },
	{ "internal-error", LIFECYCLE_REASON_INTERNAL_ERROR },
	{ "io-error", LIFECYCLE_REASON_IOERROR },
	{ "postmigrate", LIFECYCLE_REASON_MIGRATED },
	{ "restore-vm", LIFECYCLE_REASON_FROM_SNAPSHOT },
	{ "suspended", LIFECYCLE_REASON_MEMORY },
	{ "watchdog", LIFECYCLE_REASON_WATCHDOG },
};

bool lifecycle_reason_from_run_state(const char *run_state, LifecycleReason *ret_reason)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(run_states); i++) {
		if (g_strcmp0(run_states[i].run_state, run_state) == 0) {
			*ret_reason = run_states[i].reason;
			return true;
		}
	}
	return false;
}
