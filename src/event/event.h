/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "event/display-client.h"
#include "event/rx-filter.h"
#include "model/lifecycle.h"
#include "model/state.h"

/*
 * One thing that happened to a domain, typed. The same value goes the whole way: a decoder fills it
 * from QEMU's JSON on a worker, the domain checks and completes it on the event thread, the driver
 * stamps it, the service encodes it. One kind for each signal that clients can see.
 *
 * Built by one thread at a time; immutable from the stamp on. The count is atomic.
 */

typedef enum EventKind {
	EVENT_LIFECYCLE,
	EVENT_RESET,
	EVENT_POWERDOWN_REQUESTED,
	EVENT_GUEST_SHUTDOWN_REQUESTED,
	EVENT_WATCHDOG,
	EVENT_PANICKED,
	EVENT_DEVICE_ADDED,
	EVENT_DEVICE_REMOVED,
	EVENT_DEVICE_REMOVAL_FAILED,
	EVENT_TRAY_CHANGED,
	EVENT_ACPI_DEVICE_STATUS,
	EVENT_MEMORY_DEVICE_SIZE_CHANGED,
	EVENT_VFU_CLIENT_HANGUP,
	EVENT_FILTER_CHANGED,
	EVENT_MAC_CHANGED,
	EVENT_NETDEV_CONNECTED,
	EVENT_NETDEV_DISCONNECTED,
	EVENT_FAILOVER_NEGOTIATED,
	EVENT_FAILOVER_PRIMARY_UNPLUGGED,
	EVENT_RDMA_GID_STATUS_CHANGED,
	EVENT_IO_ERROR,
	EVENT_IMAGE_CORRUPTED,
	EVENT_WRITE_THRESHOLD,
	EVENT_JOB_CHANGED,
	EVENT_JOB_EVENT,
	EVENT_EXPORT_DELETED,
	EVENT_QUORUM_FAILURE,
	EVENT_QUORUM_REPORT_BAD,
	EVENT_PR_MANAGER_CHANGED,
	EVENT_CHANNEL_CHANGED,
	EVENT_BALLOON_CHANGED,
	EVENT_BALLOON_REPORT,
	EVENT_RTC_CHANGED,
	EVENT_MEMORY_FAILURE,
	EVENT_CPU_POLARIZATION_CHANGED,
	EVENT_GUEST_INFORMATION,
	EVENT_DISPLAY_CLIENT,
	EVENT_MIGRATION_CHANGED,
	EVENT_MIGRATION_PASS,
	EVENT_MIGRATION_DEVICE_CHANGED,
	EVENT_COLO_EXIT,
	EVENT_DUMP_COMPLETED,
	EVENT_MONITOR_EVENT,            /* an event the table has no row for */
	EVENT_MONITOR_LOST,
	EVENT_MONITOR_RESYNCHRONIZED,
	EVENT_EVENTS_LOST,
	EVENT_KIND_MAX,
} EventKind;

/* sequence counts the signals of the whole service; previous is the sequence of the last one with the same
 * domain and kind, 0 if none is known. 0 as sequence: not stamped yet. */
typedef struct EventStamp {
	uint64_t sequence;
	uint64_t previous;
	uint64_t domain_previous;       /* of the last one with the same domain, whatever its kind; 0: that is previous */
} EventStamp;

/* t: the detail by which clients are told domain_previous. */
#define EVENT_DETAIL_DOMAIN_PREVIOUS "domain-previous"
/* s: the detail that is a member of its own. */
#define EVENT_DETAIL_NAME "name"

typedef struct Event {
	int ref_count;
	EventKind kind;
	int64_t time;                   /* microseconds since 1970: QEMU's stamp where it gave one */
	EventStamp stamp;
	struct EventText *texts;        /* the strings of the payload */
	const char *name;               /* the detail "name", apart since most transitions have it alone; NULL: none */
	GVariantDict *extra;            /* the other details while the event is being built, or NULL */
	bool irregular;                 /* QEMU's data was not what it promises; the details say how */
	bool incomplete;                /* and so a part of the payload is empty */
	GVariant *details;              /* a{sv}, made from extra when the event is stamped */

	union {
		struct {
			LifecycleEvent event;
			LifecycleReason reason;
			DomainState state;
		} lifecycle;
		struct {
			const char *initiator;   /* guest, host */
			const char *cause;       /* QEMU's ShutdownCause */
		} reset;
		struct {
			const char *source;
		} powerdown_requested, guest_shutdown_requested;
		struct {
			const char *action;
		} watchdog, panicked;
		struct {
			const char *id, *driver, *qom_path;
		} device_added;
		struct {
			const char *id, *qom_path;   /* id "" if QEMU named none */
		} device_removed;
		struct {
			const char *id, *reason, *qom_path;
		} device_removal_failed;
		struct {
			const char *id, *state;  /* open, closed */
			const char *device;
		} tray_changed;
		struct {
			const char *device, *slot, *slot_type;
			int64_t source, status;
		} acpi_device_status;
		struct {
			const char *id;
			uint64_t size;           /* bytes */
			const char *qom_path;
		} memory_device_size_changed;
		struct {
			const char *id, *device, *qom_path;
		} vfu_client_hangup;
		struct {
			const char *nic;         /* "" if QEMU named none */
			RxFilter *filter;        /* NULL until it has been queried */
		} filter_changed;
		struct {
			const char *nic, *old_mac, *new_mac;
		} mac_changed;
		struct {
			const char *netdev, *kind;   /* stream, vhost-user */
		} netdev_connected, netdev_disconnected;
		struct {
			const char *device;
		} failover_negotiated, failover_primary_unplugged;
		struct {
			const char *netdev;
			bool status;
		} rdma_gid_status_changed;
		struct {
			const char *device, *operation, *action, *text;
			bool no_space;
		} io_error;
		struct {
			const char *device, *text;
			bool fatal;
		} image_corrupted;
		struct {
			const char *node;
			uint64_t threshold, excess;
		} write_threshold;
		struct {
			const char *id, *status;     /* QEMU's JobStatus */
		} job_changed;
		struct {
			const char *id, *event, *type;   /* type: QEMU's JobType, "" if not known */
		} job_event;
		struct {
			const char *id;
		} export_deleted;
		struct {
			const char *reference;
			int64_t sector, count;
		} quorum_failure;
		struct {
			const char *node, *operation;
			int64_t sector, count;
		} quorum_report_bad;
		struct {
			const char *id, *state;      /* connected, disconnected */
		} pr_manager_changed;
		struct {
			const char *id, *state;      /* open, closed */
		} channel_changed;
		struct {
			const char *device;          /* "" if there is no such device, or it has no id */
			uint64_t bytes;
		} balloon_changed;
		struct {
			const char *device;
			uint64_t committed, available;
		} balloon_report;
		struct {
			const char *qom_path;
			int64_t offset;              /* seconds */
		} rtc_changed;
		struct {
			const char *recipient, *action;
			bool action_required, recursive;
		} memory_failure;
		struct {
			const char *polarization;
		} cpu_polarization_changed;
		struct {
			const char *kind;
		} guest_information;
		DisplayClient display_client;
		struct {
			const char *status, *old;    /* QEMU's MigrationStatus */
		} migration_changed;
		struct {
			const char *direction;
			int64_t pass;
		} migration_pass;
		struct {
			const char *device, *state, *qom_path;
		} migration_device_changed;
		struct {
			const char *mode, *reason;
		} colo_exit;
		struct {
			const char *status, *error;  /* error "" if there was none */
			uint64_t completed, total;
		} dump_completed;
		struct {
			const char *name, *data;
		} monitor_event;
		struct {
			const char *reason;
		} monitor_lost;
		struct {
			const char *reason;
			uint64_t last_before;
		} resynchronized;
		struct {
			const char *where;
			uint64_t count;
		} events_lost;
	};
} Event;

/* time 0: now. Any thread. */
Event *event_new(EventKind kind, int64_t time);
Event *event_new_lifecycle(int64_t time, LifecycleEvent event, LifecycleReason reason);
Event *event_ref(Event *event);
Event *event_unref(Event *event);

/* A copy of string that lives as long as the event, for its payload. NULL counts as "". */
const char *event_string(Event *event, const char *string);
const char *event_string_n(Event *event, const char *string, size_t length);

/* Adds to the details; value may be floating. Key: lower case with dashes. Not after the stamp. */
void event_add_detail(Event *event, const char *key, GVariant *value);
/* The same for "name". */
void event_set_name(Event *event, const char *name);
/* Marks what was not sent by QEMU but found when state was read afresh. */
void event_add_resync(Event *event);

/* Fixes stamp and details. From here on the event does not change. */
void event_seal(Event *event, EventStamp stamp);

/* Microseconds since 1970. */
int64_t event_now(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Event, event_unref)
