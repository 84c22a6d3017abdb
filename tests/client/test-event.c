/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <time.h>

#include "bus/object-path.h"
#include "bus/variant.h"
#include "client/event-internal.h"
#include "domain-signals.h"
#include "signal-body.h"
#include "tests/service/bus-fixture.h"

/*
 * Events of the service, encoded by the service's own code into a message, and decoded again by the library: each field of each
 * kind, with a value of its own. And what no service should ever send.
 */

#define UUID "5e7cd3a1-0c1f-4b52-9c6b-8d44a0f4c1d2"
#define TIME 1700000000000001

/* Where a field is on both sides, for kinds whose arguments are passed on as they are. */
typedef struct Field {
	EventKind kind;
	char type;
	size_t core, client;
} Field;

#define TWO(kind, type, core, client) { EVENT_##kind, type, offsetof(Event, core), offsetof(VmhEvent, client) }
#define S(kind, where) TWO(kind, 's', where, where)
#define B(kind, where) TWO(kind, 'b', where, where)
#define T(kind, where) TWO(kind, 't', where, where)
#define X(kind, where) TWO(kind, 'x', where, where)

static const Field fields[] = {
	S(RESET, reset.initiator),
	S(RESET, reset.cause),
	S(POWERDOWN_REQUESTED, powerdown_requested.source),
	S(GUEST_SHUTDOWN_REQUESTED, guest_shutdown_requested.source),
	S(WATCHDOG, watchdog.action),
	S(PANICKED, panicked.action),
	S(DEVICE_ADDED, device_added.id),
	S(DEVICE_ADDED, device_added.driver),
	S(DEVICE_ADDED, device_added.qom_path),
	S(DEVICE_REMOVED, device_removed.id),
	S(DEVICE_REMOVED, device_removed.qom_path),
	S(DEVICE_REMOVAL_FAILED, device_removal_failed.id),
	S(DEVICE_REMOVAL_FAILED, device_removal_failed.reason),
	S(DEVICE_REMOVAL_FAILED, device_removal_failed.qom_path),
	S(TRAY_CHANGED, tray_changed.id),
	S(TRAY_CHANGED, tray_changed.state),
	S(TRAY_CHANGED, tray_changed.device),
	S(ACPI_DEVICE_STATUS, acpi_device_status.device),
	S(ACPI_DEVICE_STATUS, acpi_device_status.slot),
	S(ACPI_DEVICE_STATUS, acpi_device_status.slot_type),
	X(ACPI_DEVICE_STATUS, acpi_device_status.source),
	X(ACPI_DEVICE_STATUS, acpi_device_status.status),
	S(MEMORY_DEVICE_SIZE_CHANGED, memory_device_size_changed.id),
	T(MEMORY_DEVICE_SIZE_CHANGED, memory_device_size_changed.size),
	S(MEMORY_DEVICE_SIZE_CHANGED, memory_device_size_changed.qom_path),
	S(VFU_CLIENT_HANGUP, vfu_client_hangup.id),
	S(VFU_CLIENT_HANGUP, vfu_client_hangup.device),
	S(VFU_CLIENT_HANGUP, vfu_client_hangup.qom_path),
	S(MAC_CHANGED, mac_changed.nic),
	S(MAC_CHANGED, mac_changed.old_mac),
	S(MAC_CHANGED, mac_changed.new_mac),
	S(NETDEV_CONNECTED, netdev_connected.netdev),
	S(NETDEV_CONNECTED, netdev_connected.kind),
	S(NETDEV_DISCONNECTED, netdev_disconnected.netdev),
	S(NETDEV_DISCONNECTED, netdev_disconnected.kind),
	S(FAILOVER_NEGOTIATED, failover_negotiated.device),
	S(FAILOVER_PRIMARY_UNPLUGGED, failover_primary_unplugged.device),
	S(RDMA_GID_STATUS_CHANGED, rdma_gid_status_changed.netdev),
	B(RDMA_GID_STATUS_CHANGED, rdma_gid_status_changed.status),
	S(IO_ERROR, io_error.device),
	S(IO_ERROR, io_error.operation),
	S(IO_ERROR, io_error.action),
	B(IO_ERROR, io_error.no_space),
	S(IO_ERROR, io_error.text),
	S(IMAGE_CORRUPTED, image_corrupted.device),
	B(IMAGE_CORRUPTED, image_corrupted.fatal),
	S(IMAGE_CORRUPTED, image_corrupted.text),
	S(WRITE_THRESHOLD, write_threshold.node),
	T(WRITE_THRESHOLD, write_threshold.threshold),
	T(WRITE_THRESHOLD, write_threshold.excess),
	S(JOB_CHANGED, job_changed.id),
	S(JOB_CHANGED, job_changed.status),
	S(JOB_EVENT, job_event.id),
	S(JOB_EVENT, job_event.event),
	S(JOB_EVENT, job_event.type),
	S(EXPORT_DELETED, export_deleted.id),
	S(QUORUM_FAILURE, quorum_failure.reference),
	X(QUORUM_FAILURE, quorum_failure.sector),
	X(QUORUM_FAILURE, quorum_failure.count),
	S(QUORUM_REPORT_BAD, quorum_report_bad.node),
	S(QUORUM_REPORT_BAD, quorum_report_bad.operation),
	X(QUORUM_REPORT_BAD, quorum_report_bad.sector),
	X(QUORUM_REPORT_BAD, quorum_report_bad.count),
	S(PR_MANAGER_CHANGED, pr_manager_changed.id),
	S(PR_MANAGER_CHANGED, pr_manager_changed.state),
	S(CHANNEL_CHANGED, channel_changed.id),
	S(CHANNEL_CHANGED, channel_changed.state),
	S(BALLOON_CHANGED, balloon_changed.device),
	T(BALLOON_CHANGED, balloon_changed.bytes),
	S(BALLOON_REPORT, balloon_report.device),
	T(BALLOON_REPORT, balloon_report.committed),
	T(BALLOON_REPORT, balloon_report.available),
	S(RTC_CHANGED, rtc_changed.qom_path),
	X(RTC_CHANGED, rtc_changed.offset),
	S(CPU_POLARIZATION_CHANGED, cpu_polarization_changed.polarization),
	S(GUEST_INFORMATION, guest_information.kind),
	S(DISPLAY_CLIENT, display_client.protocol),
	S(DISPLAY_CLIENT, display_client.phase),
	S(MIGRATION_CHANGED, migration_changed.status),
	S(MIGRATION_CHANGED, migration_changed.old),
	S(MIGRATION_PASS, migration_pass.direction),
	X(MIGRATION_PASS, migration_pass.pass),
	S(MIGRATION_DEVICE_CHANGED, migration_device_changed.device),
	S(MIGRATION_DEVICE_CHANGED, migration_device_changed.state),
	S(MIGRATION_DEVICE_CHANGED, migration_device_changed.qom_path),
	S(COLO_EXIT, colo_exit.mode),
	S(COLO_EXIT, colo_exit.reason),
	S(DUMP_COMPLETED, dump_completed.status),
	T(DUMP_COMPLETED, dump_completed.completed),
	T(DUMP_COMPLETED, dump_completed.total),
	S(DUMP_COMPLETED, dump_completed.error),
	S(MONITOR_EVENT, monitor_event.name),
	S(MONITOR_EVENT, monitor_event.data),
	S(MONITOR_LOST, monitor_lost.reason),
	TWO(MONITOR_RESYNCHRONIZED, 's', resynchronized.reason, monitor_resynchronized.reason),
	TWO(MONITOR_RESYNCHRONIZED, 't', resynchronized.last_before, monitor_resynchronized.last_before),
	S(EVENTS_LOST, events_lost.where),
	T(EVENTS_LOST, events_lost.count),
};

/* ---- filling and comparing ---- */

static void fill_field(Event *event, const Field *field, unsigned number)
{
	void *place = (char *)event + field->core;
	g_autofree char *text = g_strdup_printf("text %u \xc3\xa4", number);

	switch (field->type) {
	case 's':
		*(const char **)place = event_string(event, text);
		return;
	case 'b':
		*(bool *)place = true;
		return;
	case 't':
		*(uint64_t *)place = G_MAXUINT64 - number;
		return;
	case 'x':
		*(int64_t *)place = G_MININT64 + (int64_t)number;
		return;
	default:
		g_assert_not_reached();
	}
}

static void compare_field(const VmhEvent *event, const Field *field, unsigned number)
{
	const void *place = (const char *)event + field->client;
	g_autofree char *text = g_strdup_printf("text %u \xc3\xa4", number);

	switch (field->type) {
	case 's':
		g_assert_cmpstr(*(const char *const *)place, ==, text);
		return;
	case 'b':
		g_assert_true(*(const bool *)place);
		return;
	case 't':
		g_assert_cmpuint(*(const uint64_t *)place, ==, G_MAXUINT64 - number);
		return;
	case 'x':
		g_assert_cmpint(*(const int64_t *)place, ==, G_MININT64 + (int64_t)number);
		return;
	default:
		g_assert_not_reached();
	}
}

/* Calls function for each field of the kind with the number that its value is made of. How many there are. */
#define FOR_EACH_FIELD(wanted, call)                                                               \
	unsigned n = 0;                                                                            \
	for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {                                      \
		const Field *field = &fields[i];                                                   \
		if (field->kind == (wanted)) {                                                     \
			call;                                                                      \
			n++;                                                                       \
		}                                                                                  \
	}                                                                                          \
	return n

static unsigned fill_fields(Event *event)
{
	FOR_EACH_FIELD(event->kind, fill_field(event, field, i));
}

static unsigned compare_fields(EventKind kind, const VmhEvent *event)
{
	FOR_EACH_FIELD(kind, compare_field(event, field, i));
}

/* ---- kinds that are encoded otherwise ---- */

static void fill_lifecycle(Event *event)
{
	event->lifecycle.event = LIFECYCLE_SUSPENDED;
	event->lifecycle.reason = LIFECYCLE_REASON_IOERROR;
	event->lifecycle.state = DOMAIN_STATE_PAUSED;
}

static void compare_lifecycle(const VmhEvent *event)
{
	g_assert_cmpint(event->lifecycle.event, ==, VMH_LIFECYCLE_SUSPENDED);
	g_assert_cmpint(event->lifecycle.reason, ==, VMH_REASON_IOERROR);
	g_assert_cmpint(event->lifecycle.state, ==, VMH_STATE_PAUSED);
}

static void fill_filter_changed(Event *event)
{
	g_autoptr(JsonNode) node = json_from_string(
		"{\"name\":\"net0\",\"main-mac\":\"m\",\"promiscuous\":true,\"unicast\":\"none\","
		"\"multicast\":\"all\",\"vlan\":\"normal\",\"broadcast-allowed\":false,"
		"\"unicast-overflow\":false,\"multicast-overflow\":true,\"unicast-table\":[\"a\",\"b\"],"
		"\"multicast-table\":[\"c\"],\"vlan-table\":[1,4095]}", NULL);

	event->filter_changed.nic = "net0";
	event->filter_changed.filter = rx_filter_parse(node, NULL);
	g_assert_nonnull(event->filter_changed.filter);
}

static void compare_filter_changed(const VmhEvent *event)
{
	const VmhRxFilter *filter = &event->filter_changed.filter;

	g_assert_cmpstr(event->filter_changed.nic, ==, "net0");
	g_assert_cmpstr(filter->main_mac, ==, "m");
	g_assert_true(filter->promiscuous);
	g_assert_cmpstr(filter->unicast, ==, "none");
	g_assert_cmpstr(filter->multicast, ==, "all");
	g_assert_cmpstr(filter->vlan, ==, "normal");
	g_assert_true(filter->broadcast_allowed);     /* QEMU means the contrary: event/rx-filter.h */
	g_assert_false(filter->unicast_overflow);
	g_assert_true(filter->multicast_overflow);
	g_assert_cmpstr(filter->unicast_table[0], ==, "a");
	g_assert_cmpstr(filter->unicast_table[1], ==, "b");
	g_assert_null(filter->unicast_table[2]);
	g_assert_cmpstr(filter->multicast_table[0], ==, "c");
	g_assert_null(filter->multicast_table[1]);
	g_assert_cmpuint(filter->n_vlans, ==, 2);
	g_assert_cmpuint(filter->vlan_table[0], ==, 1);
	g_assert_cmpuint(filter->vlan_table[1], ==, 4095);
}

static void fill_memory_failure(Event *event)
{
	event->memory_failure.recipient = "guest";
	event->memory_failure.action = "inject";
	event->memory_failure.recursive = true;
}

static void compare_memory_failure(const VmhEvent *event)
{
	g_assert_cmpstr(event->memory_failure.recipient, ==, "guest");
	g_assert_cmpstr(event->memory_failure.action, ==, "inject");
	g_assert_false(event->memory_failure.action_required);
	g_assert_true(event->memory_failure.recursive);
}

static const struct {
	EventKind kind;
	void (*fill)(Event *event);
	void (*compare)(const VmhEvent *event);
} encoded[] = {
	{ EVENT_LIFECYCLE, fill_lifecycle, compare_lifecycle },
	{ EVENT_FILTER_CHANGED, fill_filter_changed, compare_filter_changed },
	{ EVENT_MEMORY_FAILURE, fill_memory_failure, compare_memory_failure },
};

/* ---- each kind ---- */

static Event *make_core_event(EventKind kind)
{
	Event *event = event_new(kind, TIME);
	unsigned n = fill_fields(event);

	for (unsigned i = 0; i < G_N_ELEMENTS(encoded); i++)
		if (encoded[i].kind == kind) {
			encoded[i].fill(event);
			n = (unsigned)strlen(domain_signal_of(kind)->signature);
		}
	/* Whoever adds a kind, or an argument, adds it here. */
	g_assert_cmpuint(n, ==, strlen(domain_signal_of(kind)->signature));
	event_add_detail(event, "k", g_variant_new_boolean(true));
	event_add_detail(event, EVENT_DETAIL_DOMAIN_PREVIOUS, g_variant_new_uint64(77));
	event_seal(event, (EventStamp){ .sequence = kind + 100u, .previous = 55 });
	return event;
}

static void compare_events(EventKind kind, const VmhEvent *event, const char *path)
{
	const DomainSignal *signal = domain_signal_of(kind);
	g_autofree char *type = g_strconcat("(", signal->signature, ")", NULL);
	bool flag = false;

	g_assert_nonnull(event);
	/* The numbers of the library are the core's, from 1. */
	g_assert_cmpint(event->kind, ==, (int)kind + 1);
	g_assert_cmpstr(event->path, ==, path);
	g_assert_cmpstr(event->interface, ==, signal->interface);
	g_assert_cmpstr(event->member, ==, signal->member);
	g_assert_cmpstr(event->uuid, ==, UUID);
	g_assert_cmpuint(event->sequence, ==, kind + 100u);
	g_assert_cmpuint(event->previous, ==, 55);
	g_assert_cmpuint(event->time, ==, TIME);
	g_assert_cmpuint(event_get_domain_previous(event), ==, 77);
	g_assert_cmpstr(vmh_value_get_type(event->arguments), ==, type);
	g_assert_cmpstr(vmh_value_get_type(event->details), ==, "a{sv}");
	g_assert_true(vmh_value_lookup_bool(event->details, "k", &flag));
	g_assert_true(flag);
	if (compare_fields(kind, event) > 0)
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS(encoded); i++)
		if (encoded[i].kind == kind)
			encoded[i].compare(event);
}

static void check_arg0(const VmhEvent *event)
{
	g_autoptr(VmhValue) first = vmh_value_get_child(event->arguments, 0);

	g_assert_nonnull(first);
	g_assert_cmpstr(event_get_arg0(event), ==, vmh_value_get_string(first));
}

static void test_kinds(BusFixture *fixture, const void *data)
{
	g_autofree char *path = bus_path_from_uuid(UUID);

	for (unsigned kind = 0; kind < EVENT_KIND_MAX; kind++) {
		g_autoptr(Event) event = make_core_event((EventKind)kind);
		const DomainSignal *signal = domain_signal_of((EventKind)kind);
		g_autoptr(GVariant) body = g_variant_ref_sink(signal_body_new(event));
		g_autoptr(sd_bus_message) message = NULL;
		g_autoptr(VmhEvent) live = NULL, fetched = NULL;
		g_autoptr(GVariant) arguments = NULL;

		g_test_message("%s", signal->member);
		g_assert_cmpint(domain_signal_new(fixture->service, path, event, &message), ==, 0);
		bus_seal(message);
		g_assert_cmpint(bus_read_gvariant(message, &arguments, NULL), ==, 0);
		live = event_new_from_signal(path, signal->interface, signal->member, arguments);
		compare_events((EventKind)kind, live, path);
		check_arg0(live);
		/* And as it is in the history. */
		fetched = event_new_from_signal(path, signal->interface, signal->member, body);
		compare_events((EventKind)kind, fetched, path);
	}
}

/* A field that is false is false, too, and not what was there before. */
static void test_false(void)
{
	g_autoptr(VmhEvent) event = event_new_from_signal("/a", "org.vmherald.Domains1.Block", "IOError",
		g_variant_new_parsed("('d', 'read', 'stop', false, 'x', (uint64 1, uint64 0, uint64 0),"
				     " @a{sv} {})"));

	g_assert_cmpint(event->kind, ==, VMH_EVENT_IO_ERROR);
	g_assert_false(event->io_error.no_space);
	g_assert_cmpuint(event_get_domain_previous(event), ==, 0);
	g_assert_cmpstr(event->uuid, ==, "");
}

/* Without the detail it is the one of the same member: they are the same then. */
static void test_domain_previous(void)
{
	g_autoptr(VmhEvent) event = event_new_from_signal("/a", "org.vmherald.Domains1.Domain", "Reset",
		g_variant_new_parsed("('guest', 'x', (uint64 9, uint64 8, uint64 0),"
				     " {'domain-previous': <'no number'>})"));

	g_assert_cmpuint(event_get_domain_previous(event), ==, 8);
}

/* ---- the arguments ---- */

/* A word of a newer service. */
static void test_new_words(void)
{
	g_autoptr(VmhEvent) event = event_new_from_signal("/a", "org.vmherald.Domains1.Domain", "Lifecycle",
		g_variant_new_parsed("('forked', 'bored', 'twofold', (uint64 9, uint64 8, uint64 0),"
				     " @a{sv} {})"));
	g_autoptr(VmhValue) word = vmh_value_get_child(event->arguments, 1);

	g_assert_cmpint(event->kind, ==, VMH_EVENT_LIFECYCLE);
	g_assert_cmpint(event->lifecycle.event, ==, VMH_LIFECYCLE_UNKNOWN);
	g_assert_cmpint(event->lifecycle.reason, ==, VMH_REASON_UNKNOWN);
	g_assert_cmpint(event->lifecycle.state, ==, VMH_STATE_OTHER);
	g_assert_cmpstr(vmh_value_get_string(word), ==, "bored");
}

/* ---- what tells of state ---- */

static void test_properties_changed(void)
{
	g_autofree char *path = bus_path_from_uuid(UUID);
	g_autoptr(VmhEvent) event = event_new_from_signal(path, "org.freedesktop.DBus.Properties",
		"PropertiesChanged",
		g_variant_new_parsed("('org.vmherald.Domains1.Domain', {'State': <'paused'>}, ['A', 'B'])"));

	g_assert_cmpint(event->kind, ==, VMH_EVENT_PROPERTIES_CHANGED);
	g_assert_cmpstr(event->uuid, ==, UUID);
	g_assert_cmpuint(event->sequence, ==, 0);
	g_assert_null(event->details);
	g_assert_cmpuint(vmh_value_get_length(event->arguments), ==, 3);
	g_assert_cmpstr(event_get_arg0(event), ==, "org.vmherald.Domains1.Domain");
	g_assert_cmpstr(event->properties_changed.interface, ==, "org.vmherald.Domains1.Domain");
	g_assert_cmpstr(vmh_value_lookup_string(event->properties_changed.changed, "State"), ==, "paused");
	g_assert_cmpstr(event->properties_changed.invalidated[0], ==, "A");
	g_assert_cmpstr(event->properties_changed.invalidated[1], ==, "B");
	g_assert_null(event->properties_changed.invalidated[2]);
}

#define MANAGER "/org/vmherald/Domains1"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

static void test_added(void)
{
	g_autofree char *path = bus_path_from_uuid(UUID);
	g_autoptr(VmhEvent) event = event_new_from_signal(MANAGER, OBJECT_MANAGER, "InterfacesAdded",
		g_variant_new_parsed("(%o, {'org.vmherald.Domains1.Domain': {'Name': <'a'>}})", path));
	g_autoptr(VmhValue) properties =
		vmh_value_lookup(event->domain_added.interfaces, "org.vmherald.Domains1.Domain");

	g_assert_cmpint(event->kind, ==, VMH_EVENT_DOMAIN_ADDED);
	g_assert_cmpstr(event->path, ==, MANAGER);
	g_assert_cmpstr(event->uuid, ==, UUID);
	g_assert_cmpstr(vmh_value_lookup_string(properties, "Name"), ==, "a");
	g_assert_null(event_get_arg0(event));
}

static void test_removed(void)
{
	g_autofree char *path = bus_path_from_uuid(UUID);
	g_autoptr(VmhEvent) event = event_new_from_signal(MANAGER, OBJECT_MANAGER, "InterfacesRemoved",
		g_variant_new_parsed("(%o, ['a', 'b'])", path));

	g_assert_cmpint(event->kind, ==, VMH_EVENT_DOMAIN_REMOVED);
	g_assert_cmpstr(event->uuid, ==, UUID);
	g_assert_cmpuint(vmh_value_get_length(event->arguments), ==, 2);
}

/* ---- what is not known, and what is bad ---- */

#define BLOCK  "org.vmherald.Domains1.Block"
#define STAMP  "(uint64 3, uint64 2, uint64 1), {'k': <uint64 1>}"

static const struct {
	const char *interface, *member, *arguments, *type;
} unknown[] = {
	{ BLOCK, "OfTomorrow", "('a', " STAMP ")", "(s)" },
	{ "org.vmherald.Domains1.OfTomorrow", "Reset", "('a', 'b', " STAMP ")", "(ss)" },
	{ BLOCK, "OfTomorrow", "(" STAMP ")", "()" },
	/* An argument more, one less, and another type. */
	{ BLOCK, "ExportDeleted", "('a', 'b', " STAMP ")", "(ss)" },
	{ BLOCK, "ExportDeleted", "(" STAMP ")", "()" },
	{ BLOCK, "ExportDeleted", "(1, " STAMP ")", "(i)" },
	{ BLOCK, "ExportDeleted", "('a', (uint64 1, uint64 2, uint64 3), " STAMP ")", "(s(ttt))" },
	/* The first two are arguments like any other. */
	{ BLOCK, "ExportDeleted", "('a', " STAMP ", " STAMP ")", "(s(ttt)a{sv})" },
};

static void test_unknown(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(unknown); i++) {
		g_autoptr(GVariant) arguments = g_variant_parse(NULL, unknown[i].arguments, NULL, NULL, NULL);
		g_autoptr(VmhEvent) event = event_new_from_signal("/a", unknown[i].interface,
								  unknown[i].member, arguments);

		g_assert_nonnull(event);
		g_assert_cmpstr(vmh_value_get_type(event->arguments), ==, unknown[i].type);
		g_assert_cmpint(event->kind, ==, VMH_EVENT_UNKNOWN);
		g_assert_cmpstr(event->interface, ==, unknown[i].interface);
		g_assert_cmpstr(event->member, ==, unknown[i].member);
		g_assert_cmpuint(event->sequence, ==, 3);
		g_assert_cmpuint(event->previous, ==, 2);
		g_assert_cmpuint(event->time, ==, 1);
	}
}

static const struct {
	const char *interface, *member, *arguments;
} bad[] = {
	{ BLOCK, "ExportDeleted", "()" },
	{ BLOCK, "ExportDeleted", "('a',)" },
	{ BLOCK, "ExportDeleted", "'a'" },
	{ BLOCK, "ExportDeleted", "('a', @a{sv} {})" },
	{ BLOCK, "ExportDeleted", "('a', (uint64 3, uint64 2, uint64 1))" },
	{ BLOCK, "ExportDeleted", "('a', (uint64 3, uint64 2, 1), @a{sv} {})" },
	{ BLOCK, "ExportDeleted", "('a', [(uint64 3, uint64 2, uint64 1)], @a{sv} {})" },
	{ BLOCK, "ExportDeleted", "([(uint64 3, uint64 2, uint64 1)], @a{sv} {})" },
	{ BLOCK, "ExportDeleted", "('a', ('b', " STAMP "))" },
	{ BLOCK, "ExportDeleted", "('a', (uint64 0, uint64 2, uint64 1), @a{sv} {})" },
	{ "com.example.Block", "ExportDeleted", "('a', " STAMP ")" },
	{ "org.vmherald.Domains1", "ExportDeleted", "('a', " STAMP ")" },
	{ "org.freedesktop.DBus.Properties", "PropertiesChanged", "('a', @a{sv} {})" },
	{ "org.freedesktop.DBus.Properties", "PropertiesChanged", "('a', @a{sv} {}, @as [], 1)" },
	{ "org.freedesktop.DBus.Properties", "Other", "('a', @a{sv} {}, @as [])" },
	{ OBJECT_MANAGER, "InterfacesAdded", "(objectpath '/a', @a{sa{sv}} {})" },
	{ OBJECT_MANAGER, "InterfacesAdded", "('/a', @a{sa{sv}} {})" },
	{ OBJECT_MANAGER, "InterfacesRemoved", "(objectpath '/', @as [])" },
};

static void test_bad(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GVariant) arguments = g_variant_parse(NULL, bad[i].arguments, NULL, NULL, &error);

		g_assert_no_error(error);
		g_test_message("%s", bad[i].arguments);
		g_assert_null(event_new_from_signal("/a", bad[i].interface, bad[i].member, arguments));
	}
}

/* A filter of which everything is missing or of another type is an empty one. */
static void test_bad_filter(void)
{
	static const char *const filters[] = {
		"@a{sv} {}",
		"{'main-mac': <1>, 'promiscuous': <'yes'>, 'unicast-table': <'a'>, 'multicast-table': <[1]>,"
		" 'vlan-table': <['a']>, 'vlan': <[true]>, 'unicast': <<'none'>>}",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(filters); i++) {
		g_autofree char *text = g_strdup_printf("('net0', %s, " STAMP ")", filters[i]);
		g_autoptr(GVariant) arguments =
			g_variant_parse(G_VARIANT_TYPE("(sa{sv}(ttt)a{sv})"), text, NULL, NULL, NULL);
		g_autoptr(VmhEvent) event = event_new_from_signal("/a", "org.vmherald.Domains1.Network",
								  "FilterChanged", arguments);
		const VmhRxFilter *filter = &event->filter_changed.filter;

		g_assert_cmpint(event->kind, ==, VMH_EVENT_FILTER_CHANGED);
		g_assert_cmpstr(filter->main_mac, ==, "");
		g_assert_cmpstr(filter->unicast, ==, "");
		g_assert_cmpstr(filter->vlan, ==, "");
		g_assert_false(filter->promiscuous);
		g_assert_null(filter->unicast_table[0]);
		g_assert_null(filter->multicast_table[0]);
		g_assert_cmpuint(filter->n_vlans, ==, 0);
	}
}

/* ---- references ---- */

static void *use_event(void *userdata)
{
	VmhEvent *event = userdata;

	for (unsigned i = 0; i < 10000; i++) {
		g_autoptr(VmhEvent) mine = vmh_event_ref(event);
		g_autoptr(VmhValue) arguments = vmh_value_ref(mine->arguments);
		g_autoptr(VmhValue) first = vmh_value_get_child(arguments, 0);

		g_assert_cmpstr(vmh_value_get_string(first), ==, "guest");
		g_assert_cmpstr(mine->reset.initiator, ==, "guest");
	}
	vmh_event_unref(event);
	return NULL;
}

/* What is taken out of it outlives it; it may be used and given up by any thread. */
static void test_references(void)
{
	VmhEvent *event = event_new_from_signal("/a", "org.vmherald.Domains1.Domain", "Reset",
		g_variant_new_parsed("('guest', 'x', " STAMP ")"));
	g_autoptr(VmhValue) arguments = vmh_value_ref(event->arguments);
	g_autoptr(VmhValue) details = vmh_value_ref(event->details);
	g_autoptr(VmhValue) first = NULL;
	GThread *threads[4];

	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("user", use_event, vmh_event_ref(event));
	vmh_event_unref(event);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	first = vmh_value_get_child(arguments, 0);
	g_assert_cmpstr(vmh_value_get_string(first), ==, "guest");
	g_assert_cmpuint(vmh_value_get_length(details), ==, 1);
	vmh_event_unref(NULL);
}

/* ---- how long it takes ---- */

#define ROUNDS 20000u

/* Of this thread: others may want the processor, too. In microseconds. */
static double get_cpu_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double measure(BusFixture *fixture, EventKind kind)
{
	g_autofree char *path = bus_path_from_uuid(UUID);
	g_autoptr(Event) event = make_core_event(kind);
	const DomainSignal *signal = domain_signal_of(kind);
	g_autoptr(sd_bus_message) message = NULL;
	double begin;

	g_assert_cmpint(domain_signal_new(fixture->service, path, event, &message), ==, 0);
	bus_seal(message);
	begin = get_cpu_time();
	for (unsigned i = 0; i < ROUNDS; i++) {
		g_autoptr(GVariant) arguments = NULL;
		g_autoptr(VmhEvent) decoded = NULL;

		g_assert_cmpint(bus_read_gvariant(message, &arguments, NULL), ==, 0);
		decoded = event_new_from_signal(path, signal->interface, signal->member, arguments);
		g_assert_nonnull(decoded);
	}
	return (get_cpu_time() - begin) / ROUNDS;
}

static void test_measure(BusFixture *fixture, const void *data)
{
	double lifecycle = measure(fixture, EVENT_LIFECYCLE), filter = measure(fixture, EVENT_FILTER_CHANGED);

	g_print("# measured: the library reads a Lifecycle from its message in %.1f us, a FilterChanged in %.1f us\n",
		lifecycle, filter);
}

#define ADD(name, function)                                                                        \
	g_test_add("/client/event/" name, BusFixture, NULL, bus_set_up, function, bus_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("kinds", test_kinds);
	g_test_add_func("/client/event/false", test_false);
	g_test_add_func("/client/event/domain-previous", test_domain_previous);
	g_test_add_func("/client/event/new-words", test_new_words);
	g_test_add_func("/client/event/properties-changed", test_properties_changed);
	g_test_add_func("/client/event/added", test_added);
	g_test_add_func("/client/event/removed", test_removed);
	g_test_add_func("/client/event/unknown", test_unknown);
	g_test_add_func("/client/event/bad", test_bad);
	g_test_add_func("/client/event/bad-filter", test_bad_filter);
	g_test_add_func("/client/event/references", test_references);
	ADD("measure", test_measure);
	return g_test_run();
}
