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

/* Why. The names are libvirt's details (virDomainEvent*DetailType) in lower case, plus adopted and released
 * (of a QEMU that somebody else has started), resync (found out when state was read afresh), unknown (it happened where nobody could see why), and those of QEMU's
 * run states that libvirt has no word for. */
typedef enum LifecycleReason {
	LIFECYCLE_REASON_UNKNOWN,
	LIFECYCLE_REASON_ADDED,          /* defined */
	LIFECYCLE_REASON_UPDATED,
	LIFECYCLE_REASON_RENAMED,
	LIFECYCLE_REASON_REMOVED,        /* undefined */
	LIFECYCLE_REASON_RELEASED,       /* its QEMU goes on */
	LIFECYCLE_REASON_BOOTED,         /* starting, started */
	LIFECYCLE_REASON_ADOPTED,
	LIFECYCLE_REASON_RESTORED,
	LIFECYCLE_REASON_WAKEUP,
	LIFECYCLE_REASON_RECREATED,      /* also stopped */
	LIFECYCLE_REASON_PAUSED,         /* suspended */
	LIFECYCLE_REASON_MIGRATED,       /* also resumed, stopped */
	LIFECYCLE_REASON_FROM_SNAPSHOT,  /* also resumed */
	LIFECYCLE_REASON_API_ERROR,
	LIFECYCLE_REASON_POSTCOPY,
	LIFECYCLE_REASON_POSTCOPY_FAILED,
	LIFECYCLE_REASON_INTERNAL_ERROR,
	LIFECYCLE_REASON_DEBUG,
	LIFECYCLE_REASON_COLO,
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

/* Why a guest in QEMU's RunState (query-status) does not run. False if that says nothing more than that
 * it does, or that somebody paused it. */
bool lifecycle_reason_from_run_state(const char *run_state, LifecycleReason *ret_reason);
