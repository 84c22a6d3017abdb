/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmherald/macros.h>
#include <vmherald/value.h>

/*
 * What happened to a domain, typed. Each kind is a signal of the service; the reference page says what QEMU's event of it is, when
 * it comes, and what its details are. Arguments have the names they have there.
 *
 * Words of QEMU's (actions, job states) are strings, as QEMU says them. Where the service has words of its own, there are
 * enumerations; a word that this library does not know yet is the enumeration's UNKNOWN, and stands in the arguments.
 */

VMH_BEGIN_DECLS

/* The numbers do not change. */
typedef enum VmhEventKind {
	VMH_EVENT_ANY = -1,                  /* for registering only: all below */
	VMH_EVENT_UNKNOWN = 0,               /* a signal that this library does not know: interface, member, arguments */
	/* Domain */
	VMH_EVENT_LIFECYCLE = 1,
	VMH_EVENT_RESET = 2,
	VMH_EVENT_POWERDOWN_REQUESTED = 3,
	VMH_EVENT_GUEST_SHUTDOWN_REQUESTED = 4,
	VMH_EVENT_WATCHDOG = 5,
	VMH_EVENT_PANICKED = 6,
	/* Devices */
	VMH_EVENT_DEVICE_ADDED = 7,
	VMH_EVENT_DEVICE_REMOVED = 8,
	VMH_EVENT_DEVICE_REMOVAL_FAILED = 9,
	VMH_EVENT_TRAY_CHANGED = 10,
	VMH_EVENT_ACPI_DEVICE_STATUS = 11,
	VMH_EVENT_MEMORY_DEVICE_SIZE_CHANGED = 12,
	VMH_EVENT_VFU_CLIENT_HANGUP = 13,
	/* Network */
	VMH_EVENT_FILTER_CHANGED = 14,
	VMH_EVENT_MAC_CHANGED = 15,
	VMH_EVENT_NETDEV_CONNECTED = 16,
	VMH_EVENT_NETDEV_DISCONNECTED = 17,
	VMH_EVENT_FAILOVER_NEGOTIATED = 18,
	VMH_EVENT_FAILOVER_PRIMARY_UNPLUGGED = 19,
	VMH_EVENT_RDMA_GID_STATUS_CHANGED = 20,
	/* Block */
	VMH_EVENT_IO_ERROR = 21,
	VMH_EVENT_IMAGE_CORRUPTED = 22,
	VMH_EVENT_WRITE_THRESHOLD = 23,
	VMH_EVENT_JOB_CHANGED = 24,
	VMH_EVENT_JOB_EVENT = 25,
	VMH_EVENT_EXPORT_DELETED = 26,
	VMH_EVENT_QUORUM_FAILURE = 27,
	VMH_EVENT_QUORUM_REPORT_BAD = 28,
	VMH_EVENT_PR_MANAGER_CHANGED = 29,
	/* Guest */
	VMH_EVENT_CHANNEL_CHANGED = 30,
	VMH_EVENT_BALLOON_CHANGED = 31,
	VMH_EVENT_BALLOON_REPORT = 32,
	VMH_EVENT_RTC_CHANGED = 33,
	VMH_EVENT_MEMORY_FAILURE = 34,
	VMH_EVENT_CPU_POLARIZATION_CHANGED = 35,
	VMH_EVENT_GUEST_INFORMATION = 36,
	/* Display */
	VMH_EVENT_DISPLAY_CLIENT = 37,
	/* Migration */
	VMH_EVENT_MIGRATION_CHANGED = 38,
	VMH_EVENT_MIGRATION_PASS = 39,
	VMH_EVENT_MIGRATION_DEVICE_CHANGED = 40,
	VMH_EVENT_COLO_EXIT = 41,
	VMH_EVENT_DUMP_COMPLETED = 42,
	/* Monitor */
	VMH_EVENT_MONITOR_EVENT = 43,        /* an event of QEMU that the service does not know */
	VMH_EVENT_MONITOR_LOST = 44,
	VMH_EVENT_MONITOR_RESYNCHRONIZED = 45,
	VMH_EVENT_EVENTS_LOST = 46,
	VMH_EVENT_KIND_MAX,

	/*
	 * State on the bus. These are no events: they have no sequence, are not kept in the history, and so are delivered as
	 * they come, live. After VMH_STATUS_RECOVERED or a gap, what they told is to be read afresh. ANY does not include them.
	 */
	VMH_EVENT_PROPERTIES_CHANGED = 1000,
	VMH_EVENT_DOMAIN_ADDED = 1001,       /* InterfacesAdded */
	VMH_EVENT_DOMAIN_REMOVED = 1002,     /* InterfacesRemoved */
} VmhEventKind;

typedef enum VmhLifecycleEvent {
	VMH_LIFECYCLE_UNKNOWN,
	VMH_LIFECYCLE_DEFINED,
	VMH_LIFECYCLE_UNDEFINED,
	VMH_LIFECYCLE_STARTING,
	VMH_LIFECYCLE_STARTED,
	VMH_LIFECYCLE_SUSPENDED,
	VMH_LIFECYCLE_RESUMED,
	VMH_LIFECYCLE_SHUTDOWN,
	VMH_LIFECYCLE_STOPPED,
	VMH_LIFECYCLE_PM_SUSPENDED,
	VMH_LIFECYCLE_CRASHED,
} VmhLifecycleEvent;

/* libvirt's details (virDomainEvent...DetailType), and a few of the service's own; see the reference page. */
typedef enum VmhLifecycleReason {
	VMH_REASON_UNKNOWN,
	VMH_REASON_ADDED,
	VMH_REASON_UPDATED,
	VMH_REASON_RENAMED,
	VMH_REASON_REMOVED,
	VMH_REASON_RELEASED,
	VMH_REASON_BOOTED,
	VMH_REASON_ADOPTED,
	VMH_REASON_RESTORED,
	VMH_REASON_WAKEUP,
	VMH_REASON_RECREATED,
	VMH_REASON_PAUSED,
	VMH_REASON_MIGRATED,
	VMH_REASON_FROM_SNAPSHOT,
	VMH_REASON_API_ERROR,
	VMH_REASON_POSTCOPY,
	VMH_REASON_POSTCOPY_FAILED,
	VMH_REASON_INTERNAL_ERROR,
	VMH_REASON_DEBUG,
	VMH_REASON_COLO,
	VMH_REASON_IOERROR,
	VMH_REASON_WATCHDOG,
	VMH_REASON_GUEST_SHUTDOWN,
	VMH_REASON_UNPAUSED,
	VMH_REASON_GUEST,
	VMH_REASON_HOST,
	VMH_REASON_SHUTDOWN,
	VMH_REASON_DESTROYED,
	VMH_REASON_SAVED,
	VMH_REASON_CRASHED,
	VMH_REASON_FAILED,
	VMH_REASON_MEMORY,
	VMH_REASON_DISK,
	VMH_REASON_PANICKED,
	VMH_REASON_CRASHLOADED,
	VMH_REASON_RESYNC,
	VMH_REASON_MONITOR_LOST,
} VmhLifecycleReason;

typedef enum VmhDomainState {
	VMH_STATE_OTHER,                     /* one that this library does not know */
	VMH_STATE_SHUT_OFF,
	VMH_STATE_STARTING,
	VMH_STATE_RUNNING,
	VMH_STATE_PAUSED,
	VMH_STATE_PM_SUSPENDED,
	VMH_STATE_SHUTTING_DOWN,
	VMH_STATE_CRASHED,
	VMH_STATE_UNKNOWN,                   /* the service cannot reach QEMU's monitor */
} VmhDomainState;

/* Lists of strings end with NULL. */
typedef struct VmhRxFilter {
	const char *main_mac;
	bool promiscuous;
	const char *unicast, *multicast, *vlan;    /* normal, none, all */
	bool broadcast_allowed, unicast_overflow, multicast_overflow;
	const char *const *unicast_table, *const *multicast_table;
	const uint32_t *vlan_table;
	size_t n_vlans;
} VmhRxFilter;

/* Immutable, and made by the library alone: more may come behind what is here. */
typedef struct VmhEvent {
	VmhEventKind kind;
	const char *path, *interface, *member;     /* the signal */
	const char *uuid;                          /* of the domain; "": it is about none */
	uint64_t sequence;                         /* of the whole service, one more with each signal; 0: not an event */
	uint64_t previous;                         /* of the last with the same path and member; 0: none known */
	uint64_t time;
	const VmhValue *arguments;                 /* a struct, without the stamp and the details */
	const VmhValue *details;                   /* a dictionary; NULL: not an event */

	union {
		struct {
			VmhLifecycleEvent event;
			VmhLifecycleReason reason;
			VmhDomainState state;
		} lifecycle;
		struct { const char *initiator, *cause; } reset;
		struct { const char *source; } powerdown_requested, guest_shutdown_requested;
		struct { const char *action; } watchdog, panicked;
		struct { const char *id, *driver, *qom_path; } device_added;
		struct { const char *id, *qom_path; } device_removed;
		struct { const char *id, *reason, *qom_path; } device_removal_failed;
		struct { const char *id, *state, *device; } tray_changed;
		struct { const char *device, *slot, *slot_type; int64_t source, status; } acpi_device_status;
		struct { const char *id; uint64_t size; const char *qom_path; } memory_device_size_changed;
		struct { const char *id, *device, *qom_path; } vfu_client_hangup;
		struct { const char *nic; VmhRxFilter filter; } filter_changed;
		struct { const char *nic, *old_mac, *new_mac; } mac_changed;
		struct { const char *netdev, *kind; } netdev_connected, netdev_disconnected;
		struct { const char *device; } failover_negotiated, failover_primary_unplugged;
		struct { const char *netdev; bool status; } rdma_gid_status_changed;
		struct { const char *device, *operation, *action; bool no_space; const char *text; } io_error;
		struct { const char *device; bool fatal; const char *text; } image_corrupted;
		struct { const char *node; uint64_t threshold, excess; } write_threshold;
		struct { const char *id, *status; } job_changed;
		struct { const char *id, *event, *type; } job_event;
		struct { const char *id; } export_deleted;
		struct { const char *reference; int64_t sector, count; } quorum_failure;
		struct { const char *node, *operation; int64_t sector, count; } quorum_report_bad;
		struct { const char *id, *state; } pr_manager_changed;
		struct { const char *id, *state; } channel_changed;
		struct { const char *device; uint64_t bytes; } balloon_changed;
		struct { const char *device; uint64_t committed, available; } balloon_report;
		struct { const char *qom_path; int64_t offset; } rtc_changed;        /* seconds */
		struct {
			const char *recipient, *action;
			bool action_required, recursive;
		} memory_failure;
		struct { const char *polarization; } cpu_polarization_changed;
		struct { const char *kind; } guest_information;
		struct { const char *protocol, *phase; } display_client;
		struct { const char *status, *old; } migration_changed;
		struct { const char *direction; int64_t pass; } migration_pass;
		struct { const char *device, *state, *qom_path; } migration_device_changed;
		struct { const char *mode, *reason; } colo_exit;
		struct { const char *status; uint64_t completed, total; const char *error; } dump_completed;
		struct { const char *name, *data; } monitor_event;                   /* data: JSON */
		struct { const char *reason; } monitor_lost;
		struct { const char *reason; uint64_t last_before; } monitor_resynchronized;
		struct { const char *where; uint64_t count; } events_lost;
		/* changed: a{sv}; invalidated: names, ends with NULL. */
		struct { const char *interface; const VmhValue *changed; const char *const *invalidated; } properties_changed;
		/* interfaces: a{sa{sv}}, all properties of all of them. */
		struct { const VmhValue *interfaces; } domain_added;
	};
} VmhEvent;

/* For longer than the callback. Any thread. */
VMH_PUBLIC VmhEvent *vmh_event_ref(const VmhEvent *event);
/* NULL-safe. */
VMH_PUBLIC void vmh_event_unref(VmhEvent *event);

/* "Domain.Lifecycle" and so on, the short name of the interface and the member; NULL: there is no such kind. */
VMH_PUBLIC const char *vmh_event_kind_to_string(VmhEventKind kind);
/* The reverse; also the member alone where only one interface has it. VMH_EVENT_UNKNOWN: there is none. */
VMH_PUBLIC VmhEventKind vmh_event_kind_from_string(const char *string);

/* The words of the bus ("pm-suspended"), and back: NULL, or the enumeration's UNKNOWN (OTHER), where there is none. */
VMH_PUBLIC const char *vmh_lifecycle_event_to_string(VmhLifecycleEvent event);
VMH_PUBLIC VmhLifecycleEvent vmh_lifecycle_event_from_string(const char *string);
VMH_PUBLIC const char *vmh_lifecycle_reason_to_string(VmhLifecycleReason reason);
VMH_PUBLIC VmhLifecycleReason vmh_lifecycle_reason_from_string(const char *string);
VMH_PUBLIC const char *vmh_domain_state_to_string(VmhDomainState state);
VMH_PUBLIC VmhDomainState vmh_domain_state_from_string(const char *string);

VMH_END_DECLS
