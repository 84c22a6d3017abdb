/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>
#include <vmherald/event.h>

/* The words of the bus for the enumerations, by value. NULL: a value that is no word of the service. */
static const char *const lifecycle_events[] = {
	[VMH_LIFECYCLE_UNKNOWN] = NULL,
	[VMH_LIFECYCLE_DEFINED] = "defined",
	[VMH_LIFECYCLE_UNDEFINED] = "undefined",
	[VMH_LIFECYCLE_STARTING] = "starting",
	[VMH_LIFECYCLE_STARTED] = "started",
	[VMH_LIFECYCLE_SUSPENDED] = "suspended",
	[VMH_LIFECYCLE_RESUMED] = "resumed",
	[VMH_LIFECYCLE_SHUTDOWN] = "shutdown",
	[VMH_LIFECYCLE_STOPPED] = "stopped",
	[VMH_LIFECYCLE_PM_SUSPENDED] = "pm-suspended",
	[VMH_LIFECYCLE_CRASHED] = "crashed",
};

static const char *const lifecycle_reasons[] = {
	[VMH_REASON_UNKNOWN] = "unknown",
	[VMH_REASON_ADDED] = "added",
	[VMH_REASON_UPDATED] = "updated",
	[VMH_REASON_RENAMED] = "renamed",
	[VMH_REASON_REMOVED] = "removed",
	[VMH_REASON_RELEASED] = "released",
	[VMH_REASON_BOOTED] = "booted",
	[VMH_REASON_ADOPTED] = "adopted",
	[VMH_REASON_RESTORED] = "restored",
	[VMH_REASON_WAKEUP] = "wakeup",
	[VMH_REASON_RECREATED] = "recreated",
	[VMH_REASON_PAUSED] = "paused",
	[VMH_REASON_MIGRATED] = "migrated",
	[VMH_REASON_FROM_SNAPSHOT] = "from-snapshot",
	[VMH_REASON_API_ERROR] = "api-error",
	[VMH_REASON_POSTCOPY] = "postcopy",
	[VMH_REASON_POSTCOPY_FAILED] = "postcopy-failed",
	[VMH_REASON_INTERNAL_ERROR] = "internal-error",
	[VMH_REASON_DEBUG] = "debug",
	[VMH_REASON_COLO] = "colo",
	[VMH_REASON_IOERROR] = "ioerror",
	[VMH_REASON_WATCHDOG] = "watchdog",
	[VMH_REASON_GUEST_SHUTDOWN] = "guest-shutdown",
	[VMH_REASON_UNPAUSED] = "unpaused",
	[VMH_REASON_GUEST] = "guest",
	[VMH_REASON_HOST] = "host",
	[VMH_REASON_SHUTDOWN] = "shutdown",
	[VMH_REASON_DESTROYED] = "destroyed",
	[VMH_REASON_SAVED] = "saved",
	[VMH_REASON_CRASHED] = "crashed",
	[VMH_REASON_FAILED] = "failed",
	[VMH_REASON_MEMORY] = "memory",
	[VMH_REASON_DISK] = "disk",
	[VMH_REASON_PANICKED] = "panicked",
	[VMH_REASON_CRASHLOADED] = "crashloaded",
	[VMH_REASON_RESYNC] = "resync",
	[VMH_REASON_MONITOR_LOST] = "monitor-lost",
};

static const char *const domain_states[] = {
	[VMH_STATE_OTHER] = NULL,
	[VMH_STATE_SHUT_OFF] = "shut-off",
	[VMH_STATE_STARTING] = "starting",
	[VMH_STATE_RUNNING] = "running",
	[VMH_STATE_PAUSED] = "paused",
	[VMH_STATE_PM_SUSPENDED] = "pm-suspended",
	[VMH_STATE_SHUTTING_DOWN] = "shutting-down",
	[VMH_STATE_CRASHED] = "crashed",
	[VMH_STATE_UNKNOWN] = "unknown",
};

static const char *get_word(const char *const *words, size_t length, unsigned value)
{
	return value < length ? words[value] : NULL;
}

/* 0, which is the value for all that is not known. */
static unsigned find_word(const char *const *words, size_t length, const char *word)
{
	for (unsigned i = 0; word && i < length; i++)
		if (words[i] && strcmp(words[i], word) == 0)
			return i;
	return 0;
}

#define WORDS(prefix, Type, table)                                                                 \
	const char *prefix##_to_string(Type value)                                                 \
	{                                                                                          \
		return get_word(table, G_N_ELEMENTS(table), value);                                \
	}                                                                                          \
	Type prefix##_from_string(const char *string)                                              \
	{                                                                                          \
		return find_word(table, G_N_ELEMENTS(table), string);                              \
	}

WORDS(vmh_lifecycle_event, VmhLifecycleEvent, lifecycle_events)
WORDS(vmh_lifecycle_reason, VmhLifecycleReason, lifecycle_reasons)
WORDS(vmh_domain_state, VmhDomainState, domain_states)
