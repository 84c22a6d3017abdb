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
	[LIFECYCLE_REASON_BOOTED] = "booted",
	[LIFECYCLE_REASON_RESTORED] = "restored",
	[LIFECYCLE_REASON_WAKEUP] = "wakeup",
	[LIFECYCLE_REASON_PAUSED] = "paused",
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
