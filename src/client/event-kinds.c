/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event-kinds.h"

#include <string.h>

#include "bus/names.h"
#include "client/event-decode.h"
#include "client/event-internal.h"

/* The place of an argument; the comparison makes the compiler complain if the field's type is another one than the
 * signature promises. */
#define PLACE(where, type) \
	(offsetof(VmhEvent, where) + 0 * sizeof(&((VmhEvent *)NULL)->where == (type *)NULL))
#define S(where) PLACE(where, const char *)
#define B(where) PLACE(where, bool)
#define T(where) PLACE(where, uint64_t)
#define X(where) PLACE(where, int64_t)

#define ROW(kind, interface, member, signature, ...)                                               \
	[VMH_EVENT_##kind] = { VMH_EVENT_##kind, BUS_INTERFACE(interface), member,                 \
			       interface "." member, signature, { __VA_ARGS__ }, NULL }
#define DECODED(kind, interface, member, signature, decode)                                        \
	[VMH_EVENT_##kind] = { VMH_EVENT_##kind, BUS_INTERFACE(interface), member,                 \
			       interface "." member, signature, { 0 }, decode }

/* By kind; there is none for UNKNOWN. */
static const EventKindRow events[] = {
	DECODED(LIFECYCLE, "Domain", "Lifecycle", "sss", decode_lifecycle),
	ROW(RESET, "Domain", "Reset", "ss", S(reset.initiator), S(reset.cause)),
	ROW(POWERDOWN_REQUESTED, "Domain", "PowerdownRequested", "s",
	    S(powerdown_requested.source)),
	ROW(GUEST_SHUTDOWN_REQUESTED, "Domain", "GuestShutdownRequested", "s",
	    S(guest_shutdown_requested.source)),
	ROW(WATCHDOG, "Domain", "Watchdog", "s", S(watchdog.action)),
	ROW(PANICKED, "Domain", "Panicked", "s", S(panicked.action)),
	ROW(DEVICE_ADDED, "Devices", "DeviceAdded", "sss",
	    S(device_added.id), S(device_added.driver), S(device_added.qom_path)),
	ROW(DEVICE_REMOVED, "Devices", "DeviceRemoved", "ss",
	    S(device_removed.id), S(device_removed.qom_path)),
	ROW(DEVICE_REMOVAL_FAILED, "Devices", "DeviceRemovalFailed", "sss",
	    S(device_removal_failed.id), S(device_removal_failed.reason),
	    S(device_removal_failed.qom_path)),
	ROW(TRAY_CHANGED, "Devices", "TrayChanged", "sss",
	    S(tray_changed.id), S(tray_changed.state), S(tray_changed.device)),
	ROW(ACPI_DEVICE_STATUS, "Devices", "AcpiDeviceStatus", "sssxx",
	    S(acpi_device_status.device), S(acpi_device_status.slot),
	    S(acpi_device_status.slot_type), X(acpi_device_status.source),
	    X(acpi_device_status.status)),
	ROW(MEMORY_DEVICE_SIZE_CHANGED, "Devices", "MemoryDeviceSizeChanged", "sts",
	    S(memory_device_size_changed.id), T(memory_device_size_changed.size),
	    S(memory_device_size_changed.qom_path)),
	ROW(VFU_CLIENT_HANGUP, "Devices", "VfuClientHangup", "sss",
	    S(vfu_client_hangup.id), S(vfu_client_hangup.device),
	    S(vfu_client_hangup.qom_path)),
	DECODED(FILTER_CHANGED, "Network", "FilterChanged", "sa{sv}", decode_filter_changed),
	ROW(MAC_CHANGED, "Network", "MacChanged", "sss",
	    S(mac_changed.nic), S(mac_changed.old_mac), S(mac_changed.new_mac)),
	ROW(NETDEV_CONNECTED, "Network", "NetdevConnected", "ss",
	    S(netdev_connected.netdev), S(netdev_connected.kind)),
	ROW(NETDEV_DISCONNECTED, "Network", "NetdevDisconnected", "ss",
	    S(netdev_disconnected.netdev), S(netdev_disconnected.kind)),
	ROW(FAILOVER_NEGOTIATED, "Network", "FailoverNegotiated", "s",
	    S(failover_negotiated.device)),
	ROW(FAILOVER_PRIMARY_UNPLUGGED, "Network", "FailoverPrimaryUnplugged", "s",
	    S(failover_primary_unplugged.device)),
	ROW(RDMA_GID_STATUS_CHANGED, "Network", "RdmaGidStatusChanged", "sb",
	    S(rdma_gid_status_changed.netdev), B(rdma_gid_status_changed.status)),
	ROW(IO_ERROR, "Block", "IOError", "sssbs",
	    S(io_error.device), S(io_error.operation), S(io_error.action),
	    B(io_error.no_space), S(io_error.text)),
	ROW(IMAGE_CORRUPTED, "Block", "ImageCorrupted", "sbs",
	    S(image_corrupted.device), B(image_corrupted.fatal), S(image_corrupted.text)),
	ROW(WRITE_THRESHOLD, "Block", "WriteThreshold", "stt",
	    S(write_threshold.node), T(write_threshold.threshold), T(write_threshold.excess)),
	ROW(JOB_CHANGED, "Block", "JobChanged", "ss", S(job_changed.id), S(job_changed.status)),
	ROW(JOB_EVENT, "Block", "JobEvent", "sss",
	    S(job_event.id), S(job_event.event), S(job_event.type)),
	ROW(EXPORT_DELETED, "Block", "ExportDeleted", "s", S(export_deleted.id)),
	ROW(QUORUM_FAILURE, "Block", "QuorumFailure", "sxx",
	    S(quorum_failure.reference), X(quorum_failure.sector), X(quorum_failure.count)),
	ROW(QUORUM_REPORT_BAD, "Block", "QuorumReportBad", "ssxx",
	    S(quorum_report_bad.node), S(quorum_report_bad.operation),
	    X(quorum_report_bad.sector), X(quorum_report_bad.count)),
	ROW(PR_MANAGER_CHANGED, "Block", "PRManagerChanged", "ss",
	    S(pr_manager_changed.id), S(pr_manager_changed.state)),
	ROW(CHANNEL_CHANGED, "Guest", "ChannelChanged", "ss",
	    S(channel_changed.id), S(channel_changed.state)),
	ROW(BALLOON_CHANGED, "Guest", "BalloonChanged", "st",
	    S(balloon_changed.device), T(balloon_changed.bytes)),
	ROW(BALLOON_REPORT, "Guest", "BalloonReport", "stt",
	    S(balloon_report.device), T(balloon_report.committed),
	    T(balloon_report.available)),
	ROW(RTC_CHANGED, "Guest", "RtcChanged", "sx",
	    S(rtc_changed.qom_path), X(rtc_changed.offset)),
	DECODED(MEMORY_FAILURE, "Guest", "MemoryFailure", "ssas", decode_memory_failure),
	ROW(CPU_POLARIZATION_CHANGED, "Guest", "CpuPolarizationChanged", "s",
	    S(cpu_polarization_changed.polarization)),
	ROW(GUEST_INFORMATION, "Guest", "Information", "s", S(guest_information.kind)),
	ROW(DISPLAY_CLIENT, "Display", "Client", "ss",
	    S(display_client.protocol), S(display_client.phase)),
	ROW(MIGRATION_CHANGED, "Migration", "Changed", "ss",
	    S(migration_changed.status), S(migration_changed.old)),
	ROW(MIGRATION_PASS, "Migration", "Pass", "sx",
	    S(migration_pass.direction), X(migration_pass.pass)),
	ROW(MIGRATION_DEVICE_CHANGED, "Migration", "DeviceChanged", "sss",
	    S(migration_device_changed.device), S(migration_device_changed.state),
	    S(migration_device_changed.qom_path)),
	ROW(COLO_EXIT, "Migration", "ColoExit", "ss", S(colo_exit.mode), S(colo_exit.reason)),
	ROW(DUMP_COMPLETED, "Migration", "DumpCompleted", "stts",
	    S(dump_completed.status), T(dump_completed.completed), T(dump_completed.total),
	    S(dump_completed.error)),
	ROW(MONITOR_EVENT, "Monitor", "Event", "ss",
	    S(monitor_event.name), S(monitor_event.data)),
	ROW(MONITOR_LOST, "Monitor", "Lost", "s", S(monitor_lost.reason)),
	ROW(MONITOR_RESYNCHRONIZED, "Monitor", "Resynchronized", "st",
	    S(monitor_resynchronized.reason), T(monitor_resynchronized.last_before)),
	ROW(EVENTS_LOST, "Monitor", "EventsLost", "st",
	    S(events_lost.where), T(events_lost.count)),
};
G_STATIC_ASSERT(G_N_ELEMENTS(events) == VMH_EVENT_KIND_MAX);

/* The bus's own signals, which tell of state: from PROPERTIES_CHANGED on, by kind. */
static const EventKindRow states[] = {
	{ VMH_EVENT_PROPERTIES_CHANGED, BUS_PROPERTIES, "PropertiesChanged",
	  "Properties.PropertiesChanged", "sa{sv}as", { 0 }, decode_properties_changed },
	{ VMH_EVENT_DOMAIN_ADDED, BUS_OBJECT_MANAGER, "InterfacesAdded",
	  "ObjectManager.InterfacesAdded", "oa{sa{sv}}", { 0 }, decode_domain_added },
	{ VMH_EVENT_DOMAIN_REMOVED, BUS_OBJECT_MANAGER, "InterfacesRemoved",
	  "ObjectManager.InterfacesRemoved", "oas", { 0 }, NULL },
};

const EventKindRow *event_kind_get_row(VmhEventKind kind)
{
	if (kind > VMH_EVENT_UNKNOWN && kind < VMH_EVENT_KIND_MAX)
		return &events[kind];
	for (unsigned i = 0; i < G_N_ELEMENTS(states); i++)
		if (states[i].kind == kind)
			return &states[i];
	return NULL;
}

static bool is_signal(const EventKindRow *row, const char *interface, const char *member)
{
	return row->member[0] == member[0] && strcmp(row->member, member) == 0 && strcmp(row->interface, interface) == 0;
}

const EventKindRow *event_kind_find_row(const char *interface, const char *member)
{
	/* Members differ within their first letters: this is quicker than a table that has to be hashed into. */
	for (unsigned i = VMH_EVENT_UNKNOWN + 1; i < G_N_ELEMENTS(events); i++)
		if (is_signal(&events[i], interface, member))
			return &events[i];
	for (unsigned i = 0; i < G_N_ELEMENTS(states); i++)
		if (is_signal(&states[i], interface, member))
			return &states[i];
	return NULL;
}

bool event_kind_is_stamped(const EventKindRow *row)
{
	return row->kind < VMH_EVENT_KIND_MAX;
}

const char *event_kind_get_interface(VmhEventKind kind)
{
	const EventKindRow *row = event_kind_get_row(kind);

	return row ? row->interface : NULL;
}

const char *event_kind_get_member(VmhEventKind kind)
{
	const EventKindRow *row = event_kind_get_row(kind);

	return row ? row->member : NULL;
}

const char *vmh_event_kind_to_string(VmhEventKind kind)
{
	const EventKindRow *row = event_kind_get_row(kind);

	return row ? row->name : NULL;
}

static void try_row(const EventKindRow *row, const char *string, VmhEventKind *kind, unsigned *n_members)
{
	if (strcmp(row->member, string) == 0) {
		*kind = row->kind;
		(*n_members)++;
	}
}

VmhEventKind vmh_event_kind_from_string(const char *string)
{
	VmhEventKind kind = VMH_EVENT_UNKNOWN;
	unsigned n_members = 0;

	if (!string)
		return VMH_EVENT_UNKNOWN;
	for (unsigned i = VMH_EVENT_UNKNOWN + 1; i < G_N_ELEMENTS(events); i++) {
		if (strcmp(events[i].name, string) == 0)
			return events[i].kind;
		try_row(&events[i], string, &kind, &n_members);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(states); i++) {
		if (strcmp(states[i].name, string) == 0)
			return states[i].kind;
		try_row(&states[i], string, &kind, &n_members);
	}
	return n_members == 1 ? kind : VMH_EVENT_UNKNOWN;
}
