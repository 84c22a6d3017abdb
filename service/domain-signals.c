/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-signals.h"

#include "bus/names.h"
#include "bus/variant.h"

/* Enumerations of our own are numbers in the core. */
static const char *get_lifecycle_event(const Event *event)
{
	return lifecycle_event_to_string(event->lifecycle.event);
}

static const char *get_lifecycle_reason(const Event *event)
{
	return lifecycle_reason_to_string(event->lifecycle.reason);
}

static const char *get_lifecycle_state(const Event *event)
{
	return domain_state_to_string(event->lifecycle.state);
}

static void add_nic_host(GVariantBuilder *builder, const DomainNicHost *host)
{
	g_variant_builder_add(builder, "{sv}", "host-interface", g_variant_new_string(host->link));
	g_variant_builder_add(builder, "{sv}", "host-synced", g_variant_new_boolean(host->synced));
	if (host->error)
		g_variant_builder_add(builder, "{sv}", "host-error", g_variant_new_string(host->error));
}

static GVariant *encode_filter(const RxFilter *filter, const DomainNicHost *host)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
	g_variant_builder_add(&builder, "{sv}", "main-mac", g_variant_new_string(filter->main_mac));
	g_variant_builder_add(&builder, "{sv}", "promiscuous",
			      g_variant_new_boolean(filter->promiscuous));
	g_variant_builder_add(&builder, "{sv}", "unicast", g_variant_new_string(filter->unicast));
	g_variant_builder_add(&builder, "{sv}", "multicast", g_variant_new_string(filter->multicast));
	g_variant_builder_add(&builder, "{sv}", "vlan", g_variant_new_string(filter->vlan));
	g_variant_builder_add(&builder, "{sv}", "broadcast-allowed",
			      g_variant_new_boolean(filter->broadcast_allowed));
	g_variant_builder_add(&builder, "{sv}", "unicast-overflow",
			      g_variant_new_boolean(filter->unicast_overflow));
	g_variant_builder_add(&builder, "{sv}", "multicast-overflow",
			      g_variant_new_boolean(filter->multicast_overflow));
	g_variant_builder_add(&builder, "{sv}", "unicast-table",
			      g_variant_new_strv((const char *const *)filter->unicast_table, -1));
	g_variant_builder_add(&builder, "{sv}", "multicast-table",
			      g_variant_new_strv((const char *const *)filter->multicast_table, -1));
	g_variant_builder_add(&builder, "{sv}", "vlan-table",
			      g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, filter->vlan_table,
							filter->n_vlans, sizeof(*filter->vlan_table)));
	if (host)
		add_nic_host(&builder, host);
	return g_variant_builder_end(&builder);
}

int domain_signal_append_filter(sd_bus_message *m, const RxFilter *filter, const DomainNicHost *host)
{
	g_autoptr(GVariant) dict = g_variant_ref_sink(encode_filter(filter, host));

	return bus_append_dict(m, dict);
}

static GVariant *encode_filter_changed(const Event *event)
{
	return g_variant_new("(s@a{sv})", event->filter_changed.nic,
			     encode_filter(event->filter_changed.filter, NULL));
}

/* On the bus a list of those that are set. */
static GVariant *encode_memory_failure(const Event *event)
{
	const char *flags[3] = { NULL };
	size_t n = 0;

	if (event->memory_failure.action_required)
		flags[n++] = "action-required";
	if (event->memory_failure.recursive)
		flags[n++] = "recursive";
	return g_variant_new("(ss^as)", event->memory_failure.recipient, event->memory_failure.action,
			     flags);
}

#define DOMAIN    BUS_INTERFACE("Domain")
#define DEVICES   BUS_INTERFACE("Devices")
#define NETWORK   BUS_INTERFACE("Network")
#define BLOCK     BUS_INTERFACE("Block")
#define GUEST     BUS_INTERFACE("Guest")
#define DISPLAY   BUS_INTERFACE("Display")
#define MIGRATION BUS_INTERFACE("Migration")
#define MONITOR   BUS_INTERFACE("Monitor")

/* The place of an argument; the comparison makes the compiler complain if the type of the payload is another one
 * than the signature promises. */
#define AT(where, type) \
	(offsetof(Event, where) + 0 * sizeof(&((Event *)NULL)->where == (type *)NULL))
#define S(where) { AT(where, const char *), NULL }
#define B(where) { AT(where, bool), NULL }
#define T(where) { AT(where, uint64_t), NULL }
#define X(where) { AT(where, int64_t), NULL }

static const DomainSignal signals[] = {
	[EVENT_LIFECYCLE] = { DOMAIN, "Lifecycle", "sss",
	  { { 0, get_lifecycle_event }, { 0, get_lifecycle_reason }, { 0, get_lifecycle_state } }, NULL },
	[EVENT_RESET] = { DOMAIN, "Reset", "ss", { S(reset.initiator), S(reset.cause) }, NULL },
	[EVENT_POWERDOWN_REQUESTED] = { DOMAIN, "PowerdownRequested", "s",
	  { S(powerdown_requested.source) }, NULL },
	[EVENT_GUEST_SHUTDOWN_REQUESTED] = { DOMAIN, "GuestShutdownRequested", "s",
	  { S(guest_shutdown_requested.source) }, NULL },
	[EVENT_WATCHDOG] = { DOMAIN, "Watchdog", "s", { S(watchdog.action) }, NULL },
	[EVENT_PANICKED] = { DOMAIN, "Panicked", "s", { S(panicked.action) }, NULL },
	[EVENT_DEVICE_ADDED] = { DEVICES, "DeviceAdded", "sss",
	  { S(device_added.id), S(device_added.driver), S(device_added.qom_path) }, NULL },
	[EVENT_DEVICE_REMOVED] = { DEVICES, "DeviceRemoved", "ss",
	  { S(device_removed.id), S(device_removed.qom_path) }, NULL },
	[EVENT_DEVICE_REMOVAL_FAILED] = { DEVICES, "DeviceRemovalFailed", "sss",
	  { S(device_removal_failed.id), S(device_removal_failed.reason),
	    S(device_removal_failed.qom_path) }, NULL },
	[EVENT_TRAY_CHANGED] = { DEVICES, "TrayChanged", "sss",
	  { S(tray_changed.id), S(tray_changed.state), S(tray_changed.device) }, NULL },
	[EVENT_ACPI_DEVICE_STATUS] = { DEVICES, "AcpiDeviceStatus", "sssxx",
	  { S(acpi_device_status.device), S(acpi_device_status.slot),
	    S(acpi_device_status.slot_type), X(acpi_device_status.source),
	    X(acpi_device_status.status) }, NULL },
	[EVENT_MEMORY_DEVICE_SIZE_CHANGED] = { DEVICES, "MemoryDeviceSizeChanged", "sts",
	  { S(memory_device_size_changed.id), T(memory_device_size_changed.size),
	    S(memory_device_size_changed.qom_path) }, NULL },
	[EVENT_VFU_CLIENT_HANGUP] = { DEVICES, "VfuClientHangup", "sss",
	  { S(vfu_client_hangup.id), S(vfu_client_hangup.device),
	    S(vfu_client_hangup.qom_path) }, NULL },
	[EVENT_FILTER_CHANGED] = { NETWORK, "FilterChanged", "sa{sv}",
	  { { 0 } }, encode_filter_changed },
	[EVENT_MAC_CHANGED] = { NETWORK, "MacChanged", "sss",
	  { S(mac_changed.nic), S(mac_changed.old_mac), S(mac_changed.new_mac) }, NULL },
	[EVENT_NETDEV_CONNECTED] = { NETWORK, "NetdevConnected", "ss",
	  { S(netdev_connected.netdev), S(netdev_connected.kind) }, NULL },
	[EVENT_NETDEV_DISCONNECTED] = { NETWORK, "NetdevDisconnected", "ss",
	  { S(netdev_disconnected.netdev), S(netdev_disconnected.kind) }, NULL },
	[EVENT_FAILOVER_NEGOTIATED] = { NETWORK, "FailoverNegotiated", "s",
	  { S(failover_negotiated.device) }, NULL },
	[EVENT_FAILOVER_PRIMARY_UNPLUGGED] = { NETWORK, "FailoverPrimaryUnplugged", "s",
	  { S(failover_primary_unplugged.device) }, NULL },
	[EVENT_RDMA_GID_STATUS_CHANGED] = { NETWORK, "RdmaGidStatusChanged", "sb",
	  { S(rdma_gid_status_changed.netdev), B(rdma_gid_status_changed.status) }, NULL },
	[EVENT_IO_ERROR] = { BLOCK, "IOError", "sssbs",
	  { S(io_error.device), S(io_error.operation), S(io_error.action),
	    B(io_error.no_space), S(io_error.text) }, NULL },
	[EVENT_IMAGE_CORRUPTED] = { BLOCK, "ImageCorrupted", "sbs",
	  { S(image_corrupted.device), B(image_corrupted.fatal), S(image_corrupted.text) },
	    NULL },
	[EVENT_WRITE_THRESHOLD] = { BLOCK, "WriteThreshold", "stt",
	  { S(write_threshold.node), T(write_threshold.threshold), T(write_threshold.excess)
	    }, NULL },
	[EVENT_JOB_CHANGED] = { BLOCK, "JobChanged", "ss",
	  { S(job_changed.id), S(job_changed.status) }, NULL },
	[EVENT_JOB_EVENT] = { BLOCK, "JobEvent", "sss",
	  { S(job_event.id), S(job_event.event), S(job_event.type) }, NULL },
	[EVENT_EXPORT_DELETED] = { BLOCK, "ExportDeleted", "s", { S(export_deleted.id) }, NULL },
	[EVENT_QUORUM_FAILURE] = { BLOCK, "QuorumFailure", "sxx",
	  { S(quorum_failure.reference), X(quorum_failure.sector), X(quorum_failure.count) },
	    NULL },
	[EVENT_QUORUM_REPORT_BAD] = { BLOCK, "QuorumReportBad", "ssxx",
	  { S(quorum_report_bad.node), S(quorum_report_bad.operation),
	    X(quorum_report_bad.sector), X(quorum_report_bad.count) }, NULL },
	[EVENT_PR_MANAGER_CHANGED] = { BLOCK, "PRManagerChanged", "ss",
	  { S(pr_manager_changed.id), S(pr_manager_changed.state) }, NULL },
	[EVENT_CHANNEL_CHANGED] = { GUEST, "ChannelChanged", "ss",
	  { S(channel_changed.id), S(channel_changed.state) }, NULL },
	[EVENT_BALLOON_CHANGED] = { GUEST, "BalloonChanged", "st",
	  { S(balloon_changed.device), T(balloon_changed.bytes) }, NULL },
	[EVENT_BALLOON_REPORT] = { GUEST, "BalloonReport", "stt",
	  { S(balloon_report.device), T(balloon_report.committed), T(balloon_report.available)
	    }, NULL },
	[EVENT_RTC_CHANGED] = { GUEST, "RtcChanged", "sx",
	  { S(rtc_changed.qom_path), X(rtc_changed.offset) }, NULL },
	[EVENT_MEMORY_FAILURE] = { GUEST, "MemoryFailure", "ssas", { { 0 } }, encode_memory_failure },
	[EVENT_CPU_POLARIZATION_CHANGED] = { GUEST, "CpuPolarizationChanged", "s",
	  { S(cpu_polarization_changed.polarization) }, NULL },
	[EVENT_GUEST_INFORMATION] = { GUEST, "Information", "s",
	  { S(guest_information.kind) }, NULL },
	[EVENT_DISPLAY_CLIENT] = { DISPLAY, "Client", "ss",
	  { S(display_client.protocol), S(display_client.phase) }, NULL },
	[EVENT_MIGRATION_CHANGED] = { MIGRATION, "Changed", "ss",
	  { S(migration_changed.status), S(migration_changed.old) }, NULL },
	[EVENT_MIGRATION_PASS] = { MIGRATION, "Pass", "sx",
	  { S(migration_pass.direction), X(migration_pass.pass) }, NULL },
	[EVENT_MIGRATION_DEVICE_CHANGED] = { MIGRATION, "DeviceChanged", "sss",
	  { S(migration_device_changed.device), S(migration_device_changed.state),
	    S(migration_device_changed.qom_path) }, NULL },
	[EVENT_COLO_EXIT] = { MIGRATION, "ColoExit", "ss",
	  { S(colo_exit.mode), S(colo_exit.reason) }, NULL },
	[EVENT_DUMP_COMPLETED] = { MIGRATION, "DumpCompleted", "stts",
	  { S(dump_completed.status), T(dump_completed.completed), T(dump_completed.total),
	    S(dump_completed.error) }, NULL },
	[EVENT_MONITOR_EVENT] = { MONITOR, "Event", "ss",
	  { S(monitor_event.name), S(monitor_event.data) }, NULL },
	[EVENT_MONITOR_LOST] = { MONITOR, "Lost", "s", { S(monitor_lost.reason) }, NULL },
	[EVENT_MONITOR_RESYNCHRONIZED] = { MONITOR, "Resynchronized", "st",
	  { S(resynchronized.reason), T(resynchronized.last_before) }, NULL },
	[EVENT_EVENTS_LOST] = { MONITOR, "EventsLost", "st",
	  { S(events_lost.where), T(events_lost.count) }, NULL },
};
G_STATIC_ASSERT(G_N_ELEMENTS(signals) == EVENT_KIND_MAX);

static int append_argument(sd_bus_message *m, char type, const DomainSignalArgument *argument,
			   const Event *event)
{
	const void *place = domain_signal_get_place(argument, event);
	int flag;

	switch (type) {
	case 's':
		return sd_bus_message_append_basic(m, 's', domain_signal_get_text(argument, event));
	case 'b':
		flag = *(const bool *)place;
		return sd_bus_message_append_basic(m, 'b', &flag);
	default:
		return sd_bus_message_append_basic(m, type, place);
	}
}

static int append_encoded(sd_bus_message *m, const DomainSignal *signal, const Event *event)
{
	g_autoptr(GVariant) arguments = g_variant_ref_sink(signal->encode(event));
	int r = 0;

	for (size_t i = 0; r >= 0 && i < g_variant_n_children(arguments); i++) {
		g_autoptr(GVariant) argument = g_variant_get_child_value(arguments, i);

		r = bus_append_gvariant(m, argument);
	}
	return r;
}

static int append_arguments(sd_bus_message *m, const DomainSignal *signal, const Event *event)
{
	int r = 0;

	if (signal->encode)
		return append_encoded(m, signal, event);
	for (unsigned i = 0; r >= 0 && signal->signature[i]; i++)
		r = append_argument(m, signal->signature[i], &signal->arguments[i], event);
	return r;
}

/* Without a format: that would be read anew for each event. */
static int append_stamp(sd_bus_message *m, const Event *event)
{
	const uint64_t time = (uint64_t)event->time;
	int r = sd_bus_message_open_container(m, 'r', "ttt");

	if (r >= 0)
		r = sd_bus_message_append_basic(m, 't', &event->stamp.sequence);
	if (r >= 0)
		r = sd_bus_message_append_basic(m, 't', &event->stamp.previous);
	if (r >= 0)
		r = sd_bus_message_append_basic(m, 't', &time);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_detail(sd_bus_message *m, const char *key, const char *type, const void *value)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append_basic(m, 's', key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', type);
	if (r >= 0)
		r = sd_bus_message_append_basic(m, type[0], value);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int append_details(sd_bus_message *m, const Event *event)
{
	size_t n = event->details ? g_variant_n_children(event->details) : 0;
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0 && event->stamp.domain_previous != 0)
		r = append_detail(m, EVENT_DETAIL_DOMAIN_PREVIOUS, "t", &event->stamp.domain_previous);
	if (r >= 0 && event->name)
		r = append_detail(m, EVENT_DETAIL_NAME, "s", event->name);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(event->details, i);

		r = bus_append_gvariant(m, entry);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

const DomainSignal *domain_signal_of(EventKind kind)
{
	g_assert((unsigned)kind < EVENT_KIND_MAX && signals[kind].member);
	return &signals[kind];
}

int domain_signal_new(sd_bus *bus, const char *path, const Event *event, sd_bus_message **ret_message)
{
	const DomainSignal *signal = domain_signal_of(event->kind);
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_signal(bus, &message, path, signal->interface, signal->member);

	if (r >= 0)
		r = append_arguments(message, signal, event);
	if (r >= 0)
		r = append_stamp(message, event);
	if (r >= 0)
		r = append_details(message, event);
	if (r < 0) {
		sd_bus_message_unref(message);
		return r;
	}
	*ret_message = message;
	return 0;
}

char *domain_signals_get_layout(void)
{
	GString *layout = g_string_new(SIGNAL_STAMP_SIGNATURE);

	for (int kind = 0; kind < EVENT_KIND_MAX; kind++)
		g_string_append_printf(layout, " %s.%s:%s", signals[kind].interface,
				       signals[kind].member, signals[kind].signature);
	return g_string_free(layout, FALSE);
}
