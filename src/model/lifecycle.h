/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* What happens in the life of a domain. The names are libvirt's event types
 * (virDomainEventType) in lower case, plus starting. */
typedef enum LifecycleEvent {
	LIFECYCLE_DEFINED,
	LIFECYCLE_UNDEFINED,
	LIFECYCLE_STARTING,
	LIFECYCLE_STARTED,
	LIFECYCLE_SUSPENDED,
	LIFECYCLE_RESUMED,
	LIFECYCLE_SHUTDOWN,
	LIFECYCLE_STOPPED,
	LIFECYCLE_PM_SUSPENDED,
	LIFECYCLE_CRASHED,
	LIFECYCLE_EVENT_MAX,
} LifecycleEvent;

/* Why. The names are libvirt's details (virDomainEvent*DetailType) in lower case, plus resync (found
 * out when state was read afresh) and unknown (it happened where nobody could see why). */
typedef enum LifecycleReason {
	LIFECYCLE_REASON_UNKNOWN,
	LIFECYCLE_REASON_ADDED,          /* defined */
	LIFECYCLE_REASON_UPDATED,
	LIFECYCLE_REASON_RENAMED,
	LIFECYCLE_REASON_REMOVED,        /* undefined */
	LIFECYCLE_REASON_BOOTED,         /* starting, started */
	LIFECYCLE_REASON_RESTORED,
	LIFECYCLE_REASON_WAKEUP,
	LIFECYCLE_REASON_PAUSED,         /* suspended */
	LIFECYCLE_REASON_IOERROR,
	LIFECYCLE_REASON_WATCHDOG,
	LIFECYCLE_REASON_GUEST_SHUTDOWN,
	LIFECYCLE_REASON_UNPAUSED,       /* resumed */
	LIFECYCLE_REASON_GUEST,          /* shutdown */
	LIFECYCLE_REASON_HOST,
	LIFECYCLE_REASON_SHUTDOWN,       /* stopped */
	LIFECYCLE_REASON_DESTROYED,
	LIFECYCLE_REASON_SAVED,
	LIFECYCLE_REASON_CRASHED,
	LIFECYCLE_REASON_FAILED,
	LIFECYCLE_REASON_MEMORY,         /* pm-suspended */
	LIFECYCLE_REASON_DISK,
	LIFECYCLE_REASON_PANICKED,       /* crashed */
	LIFECYCLE_REASON_CRASHLOADED,
	LIFECYCLE_REASON_RESYNC,
	LIFECYCLE_REASON_MONITOR_LOST,   /* StateReason of state unknown */
	LIFECYCLE_REASON_MAX,
} LifecycleReason;

const char *lifecycle_event_to_string(LifecycleEvent event);
bool lifecycle_event_from_string(const char *string, LifecycleEvent *ret_event);
const char *lifecycle_reason_to_string(LifecycleReason reason);
bool lifecycle_reason_from_string(const char *string, LifecycleReason *ret_reason);
