/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-signals.h"

#include <string.h>

#include "bus-fixture.h"
#include "bus/variant.h"
#include "descriptions.h"
#include "signal-body.h"

/* Each kind of event as a message: built, and its signature held against the description of the contract. */

#define PATH "/org/vmherald/Domains1/domain/_a"

static void test_descriptions(void)
{
	g_autoptr(GHashTable) signals = descriptions_read_signals();

	for (unsigned kind = 0; kind < EVENT_KIND_MAX; kind++) {
		const DomainSignal *signal = domain_signal_of((EventKind)kind);
		g_autofree char *name = g_strdup_printf("%s.%s", signal->interface, signal->member);
		g_autofree char *types = g_strconcat(signal->signature, SIGNAL_STAMP_SIGNATURE " ", NULL);
		const char *described = g_hash_table_lookup(signals, name);

		g_test_message("%s", name);
		g_assert_nonnull(described);
		g_assert_true(g_str_has_prefix(described, types));
		/* The stamp has the same two names everywhere, and the argument that a match rule can use is a
		 * string. */
		g_assert_true(g_str_has_suffix(described, " stamp details"));
		g_assert_cmpint(signal->signature[0], ==, 's');
		g_assert_true(g_hash_table_remove(signals, name));
	}
	/* Nothing is promised that nobody sends. */
	g_assert_cmpuint(g_hash_table_size(signals), ==, 0);
}

/* ---- messages ---- */

static RxFilter *make_filter(void)
{
	g_autoptr(JsonNode) node = json_from_string(
		"{\"name\":\"net0\",\"main-mac\":\"m\",\"promiscuous\":true,\"unicast\":\"none\","
		"\"multicast\":\"all\",\"vlan\":\"normal\",\"broadcast-allowed\":true,"
		"\"unicast-overflow\":true,\"unicast-table\":[\"a\",\"b\"],\"vlan-table\":[1,4095]}", NULL);
	RxFilter *filter = rx_filter_parse(node, NULL);

	g_assert_nonnull(filter);
	return filter;
}

#define FILTER_TEXT                                                                                \
	"[{'main-mac' <s 'm'>} {'promiscuous' <b true>} {'unicast' <s 'none'>} "                     \
	"{'multicast' <s 'all'>} {'vlan' <s 'normal'>} {'broadcast-allowed' <b false>} "             \
	"{'unicast-overflow' <b true>} {'multicast-overflow' <b false>} "                          \
	"{'unicast-table' <as ['a' 'b']>} {'multicast-table' <as []>} {'vlan-table' <au [1 4095]>}]"

static void fill(Event *event)
{
	switch (event->kind) {
	case EVENT_LIFECYCLE:
		event->lifecycle.event = LIFECYCLE_PM_SUSPENDED;
		event->lifecycle.reason = LIFECYCLE_REASON_MEMORY;
		event->lifecycle.state = DOMAIN_STATE_PM_SUSPENDED;
		return;
	case EVENT_RESET:
		event->reset.initiator = "guest";
		event->reset.cause = event_string(event, "guest-reset");
		return;
	case EVENT_POWERDOWN_REQUESTED:
		event->powerdown_requested.source = "api";
		return;
	case EVENT_WATCHDOG:
		event->watchdog.action = "pause";
		return;
	case EVENT_PANICKED:
		event->panicked.action = "run";
		return;
	case EVENT_DEVICE_ADDED:
		event->device_added.id = "d";
		event->device_added.driver = "v";
		event->device_added.qom_path = "/p";
		return;
	case EVENT_DEVICE_REMOVED:
		event->device_removed.id = "";
		event->device_removed.qom_path = "/p";
		return;
	case EVENT_DEVICE_REMOVAL_FAILED:
		event->device_removal_failed.id = "d";
		event->device_removal_failed.reason = "timeout";
		event->device_removal_failed.qom_path = "/p";
		return;
	case EVENT_FILTER_CHANGED:
		event->filter_changed.nic = "net0";
		event->filter_changed.filter = make_filter();
		return;
	case EVENT_MAC_CHANGED:
		event->mac_changed.nic = "net0";
		event->mac_changed.old_mac = "o";
		event->mac_changed.new_mac = "n";
		return;
	case EVENT_GUEST_SHUTDOWN_REQUESTED:
		event->guest_shutdown_requested.source = "pvpanic";
		return;
	case EVENT_TRAY_CHANGED:
		event->tray_changed.id = "cd0";
		event->tray_changed.state = "open";
		event->tray_changed.device = "c";
		return;
	case EVENT_ACPI_DEVICE_STATUS:
		event->acpi_device_status.device = "d";
		event->acpi_device_status.slot = "1";
		event->acpi_device_status.slot_type = "DIMM";
		event->acpi_device_status.source = 259;
		event->acpi_device_status.status = G_MININT64;
		return;
	case EVENT_MEMORY_DEVICE_SIZE_CHANGED:
		event->memory_device_size_changed.id = "m";
		event->memory_device_size_changed.size = G_MAXUINT64;
		event->memory_device_size_changed.qom_path = "/m";
		return;
	case EVENT_VFU_CLIENT_HANGUP:
		event->vfu_client_hangup.id = "v";
		event->vfu_client_hangup.device = "d";
		event->vfu_client_hangup.qom_path = "/v";
		return;
	case EVENT_NETDEV_CONNECTED:
		event->netdev_connected.netdev = "n";
		event->netdev_connected.kind = "stream";
		return;
	case EVENT_NETDEV_DISCONNECTED:
		event->netdev_disconnected.netdev = "n";
		event->netdev_disconnected.kind = "vhost-user";
		return;
	case EVENT_FAILOVER_NEGOTIATED:
		event->failover_negotiated.device = "s";
		return;
	case EVENT_FAILOVER_PRIMARY_UNPLUGGED:
		event->failover_primary_unplugged.device = "p";
		return;
	case EVENT_RDMA_GID_STATUS_CHANGED:
		event->rdma_gid_status_changed.netdev = "n";
		event->rdma_gid_status_changed.status = true;
		return;
	case EVENT_IO_ERROR:
		event->io_error.device = "vd0";
		event->io_error.operation = "write";
		event->io_error.action = "stop";
		event->io_error.no_space = true;
		event->io_error.text = "full";
		return;
	case EVENT_IMAGE_CORRUPTED:
		event->image_corrupted.device = "vd0";
		event->image_corrupted.fatal = true;
		event->image_corrupted.text = "bad";
		return;
	case EVENT_WRITE_THRESHOLD:
		event->write_threshold.node = "n";
		event->write_threshold.threshold = G_MAXUINT64;
		event->write_threshold.excess = 7;
		return;
	case EVENT_JOB_CHANGED:
		event->job_changed.id = "j";
		event->job_changed.status = "ready";
		return;
	case EVENT_JOB_EVENT:
		event->job_event.id = "j";
		event->job_event.event = "completed";
		event->job_event.type = "mirror";
		return;
	case EVENT_EXPORT_DELETED:
		event->export_deleted.id = "e";
		return;
	case EVENT_QUORUM_FAILURE:
		event->quorum_failure.reference = "q";
		event->quorum_failure.sector = -1;
		event->quorum_failure.count = 2;
		return;
	case EVENT_QUORUM_REPORT_BAD:
		event->quorum_report_bad.node = "q";
		event->quorum_report_bad.operation = "flush";
		event->quorum_report_bad.sector = 1;
		event->quorum_report_bad.count = -2;
		return;
	case EVENT_PR_MANAGER_CHANGED:
		event->pr_manager_changed.id = "p";
		event->pr_manager_changed.state = "connected";
		return;
	case EVENT_CHANNEL_CHANGED:
		event->channel_changed.id = "port0";
		event->channel_changed.state = "open";
		return;
	case EVENT_BALLOON_CHANGED:
		event->balloon_changed.device = "";
		event->balloon_changed.bytes = 4096;
		return;
	case EVENT_BALLOON_REPORT:
		event->balloon_report.device = "h";
		event->balloon_report.committed = 1;
		event->balloon_report.available = 2;
		return;
	case EVENT_RTC_CHANGED:
		event->rtc_changed.qom_path = "/rtc";
		event->rtc_changed.offset = -3600;
		return;
	case EVENT_MEMORY_FAILURE:
		event->memory_failure.recipient = "guest";
		event->memory_failure.action = "inject";
		event->memory_failure.action_required = true;
		event->memory_failure.recursive = true;
		return;
	case EVENT_CPU_POLARIZATION_CHANGED:
		event->cpu_polarization_changed.polarization = "vertical";
		return;
	case EVENT_GUEST_INFORMATION:
		event->guest_information.kind = "k";
		return;
	case EVENT_DISPLAY_CLIENT:
		event->display_client.protocol = "vnc";
		event->display_client.phase = "connected";
		return;
	case EVENT_MIGRATION_CHANGED:
		event->migration_changed.status = "active";
		event->migration_changed.old = "setup";
		return;
	case EVENT_MIGRATION_PASS:
		event->migration_pass.direction = "outgoing";
		event->migration_pass.pass = 3;
		return;
	case EVENT_MIGRATION_DEVICE_CHANGED:
		event->migration_device_changed.device = "v";
		event->migration_device_changed.state = "stop";
		event->migration_device_changed.qom_path = "/v";
		return;
	case EVENT_COLO_EXIT:
		event->colo_exit.mode = "primary";
		event->colo_exit.reason = "error";
		return;
	case EVENT_DUMP_COMPLETED:
		event->dump_completed.status = "failed";
		event->dump_completed.completed = 1;
		event->dump_completed.total = 2;
		event->dump_completed.error = "full";
		return;
	case EVENT_MONITOR_EVENT:
		event->monitor_event.name = "LATER";
		event->monitor_event.data = "{\"a\":\"\xc3\xa4\"}";
		return;
	case EVENT_MONITOR_LOST:
		event->monitor_lost.reason = "closed";
		return;
	case EVENT_MONITOR_RESYNCHRONIZED:
		event->resynchronized.reason = "monitor-lost";
		event->resynchronized.last_before = G_MAXUINT64;
		return;
	case EVENT_EVENTS_LOST:
		event->events_lost.where = "history";
		event->events_lost.count = 3;
		return;
	case EVENT_KIND_MAX:
		break;
	}
	g_assert_not_reached();
}

static const char *const texts[EVENT_KIND_MAX] = {
	[EVENT_LIFECYCLE] = "'pm-suspended' 'memory' 'pm-suspended'",
	[EVENT_RESET] = "'guest' 'guest-reset'",
	[EVENT_POWERDOWN_REQUESTED] = "'api'",
	[EVENT_WATCHDOG] = "'pause'",
	[EVENT_PANICKED] = "'run'",
	[EVENT_DEVICE_ADDED] = "'d' 'v' '/p'",
	[EVENT_DEVICE_REMOVED] = "'' '/p'",
	[EVENT_DEVICE_REMOVAL_FAILED] = "'d' 'timeout' '/p'",
	[EVENT_FILTER_CHANGED] = "'net0' " FILTER_TEXT,
	[EVENT_MAC_CHANGED] = "'net0' 'o' 'n'",
	[EVENT_GUEST_SHUTDOWN_REQUESTED] = "'pvpanic'",
	[EVENT_TRAY_CHANGED] = "'cd0' 'open' 'c'",
	[EVENT_ACPI_DEVICE_STATUS] = "'d' '1' 'DIMM' 259 -9223372036854775808",
	[EVENT_MEMORY_DEVICE_SIZE_CHANGED] = "'m' 18446744073709551615 '/m'",
	[EVENT_VFU_CLIENT_HANGUP] = "'v' 'd' '/v'",
	[EVENT_NETDEV_CONNECTED] = "'n' 'stream'",
	[EVENT_NETDEV_DISCONNECTED] = "'n' 'vhost-user'",
	[EVENT_FAILOVER_NEGOTIATED] = "'s'",
	[EVENT_FAILOVER_PRIMARY_UNPLUGGED] = "'p'",
	[EVENT_RDMA_GID_STATUS_CHANGED] = "'n' true",
	[EVENT_IO_ERROR] = "'vd0' 'write' 'stop' true 'full'",
	[EVENT_IMAGE_CORRUPTED] = "'vd0' true 'bad'",
	[EVENT_WRITE_THRESHOLD] = "'n' 18446744073709551615 7",
	[EVENT_JOB_CHANGED] = "'j' 'ready'",
	[EVENT_JOB_EVENT] = "'j' 'completed' 'mirror'",
	[EVENT_EXPORT_DELETED] = "'e'",
	[EVENT_QUORUM_FAILURE] = "'q' -1 2",
	[EVENT_QUORUM_REPORT_BAD] = "'q' 'flush' 1 -2",
	[EVENT_PR_MANAGER_CHANGED] = "'p' 'connected'",
	[EVENT_CHANNEL_CHANGED] = "'port0' 'open'",
	[EVENT_BALLOON_CHANGED] = "'' 4096",
	[EVENT_BALLOON_REPORT] = "'h' 1 2",
	[EVENT_RTC_CHANGED] = "'/rtc' -3600",
	[EVENT_MEMORY_FAILURE] = "'guest' 'inject' ['action-required' 'recursive']",
	[EVENT_CPU_POLARIZATION_CHANGED] = "'vertical'",
	[EVENT_GUEST_INFORMATION] = "'k'",
	[EVENT_DISPLAY_CLIENT] = "'vnc' 'connected'",
	[EVENT_MIGRATION_CHANGED] = "'active' 'setup'",
	[EVENT_MIGRATION_PASS] = "'outgoing' 3",
	[EVENT_MIGRATION_DEVICE_CHANGED] = "'v' 'stop' '/v'",
	[EVENT_COLO_EXIT] = "'primary' 'error'",
	[EVENT_DUMP_COMPLETED] = "'failed' 1 2 'full'",
	[EVENT_MONITOR_EVENT] = "'LATER' '{\"a\":\"\xc3\xa4\"}'",
	[EVENT_MONITOR_LOST] = "'closed'",
	[EVENT_MONITOR_RESYNCHRONIZED] = "'monitor-lost' 18446744073709551615",
	[EVENT_EVENTS_LOST] = "'history' 3",
};

static void test_messages(BusFixture *fixture, const void *data)
{
	for (unsigned kind = 0; kind < EVENT_KIND_MAX; kind++) {
		const DomainSignal *signal = domain_signal_of((EventKind)kind);
		g_autoptr(Event) event = event_new((EventKind)kind, 1700000000000001);
		g_autofree char *signature = g_strconcat(signal->signature, SIGNAL_STAMP_SIGNATURE, NULL);
		g_autofree char *expected = g_strdup_printf("%s (%u 4 1700000000000001) [{'k' <b true>}]",
							    texts[kind], kind + 10);
		g_autoptr(sd_bus_message) message = NULL;
		g_autofree char *text = NULL;

		fill(event);
		event_add_detail(event, "k", g_variant_new_boolean(TRUE));
		event_seal(event, (EventStamp){ .sequence = kind + 10, .previous = 4 });
		g_assert_cmpint(domain_signal_new(fixture->service, PATH, event, &message), >=, 0);
		bus_seal(message);
		g_assert_cmpstr(sd_bus_message_get_path(message), ==, PATH);
		g_assert_cmpstr(sd_bus_message_get_interface(message), ==, signal->interface);
		g_assert_cmpstr(sd_bus_message_get_member(message), ==, signal->member);
		g_assert_cmpstr(sd_bus_message_get_signature(message, true), ==, signature);
		text = bus_describe(message);
		g_assert_cmpstr(text, ==, expected);
	}
}

static Event *make_sealed(EventKind kind, bool with_details, const char *name, uint64_t domain_previous)
{
	Event *event = event_new(kind, 1700000000000001);

	fill(event);
	if (with_details)
		event_add_detail(event, "k", g_variant_new_boolean(TRUE));
	if (name)
		event_set_name(event, name);
	event_seal(event, (EventStamp){ kind + 10, 4, domain_previous });
	return event;
}

/* What the history keeps is what the message has. */
static void test_bodies(BusFixture *fixture, const void *data)
{
	for (unsigned i = 0; i < 8 * EVENT_KIND_MAX; i++) {
		EventKind kind = (EventKind)(i / 8);
		g_autoptr(Event) event = make_sealed(kind, i & 1, i & 4 ? "n" : NULL, i & 2 ? 9 : 0);
		g_autofree char *type = signal_body_get_type(kind);
		g_autofree char *expected = NULL, *text = NULL;
		g_autoptr(sd_bus_message) message = NULL, copy = NULL;
		g_autoptr(GVariant) body = NULL;

		g_assert_cmpint(domain_signal_new(fixture->service, PATH, event, &message), >=, 0);
		bus_seal(message);
		expected = bus_describe(message);

		body = g_variant_ref_sink(signal_body_new(event));
		g_assert_cmpstr(g_variant_get_type_string(body), ==, type);
		copy = bus_new_message(fixture);
		for (size_t j = 0; j < g_variant_n_children(body); j++) {
			g_autoptr(GVariant) child = g_variant_get_child_value(body, j);

			g_assert_cmpint(bus_append_gvariant(copy, child), >=, 0);
		}
		bus_seal(copy);
		text = bus_describe(copy);
		g_assert_cmpstr(text, ==, expected);
	}
}

static void check_written(const Event *event)
{
	g_autoptr(GVariant) body = g_variant_ref_sink(signal_body_new(event));
	g_autoptr(GByteArray) out = g_byte_array_new();

	signal_body_write(event, out);
	g_assert_cmpmem(out->data, out->len, g_variant_get_data(body), g_variant_get_size(body));
}

static void test_written(void)
{
	for (unsigned i = 0; i < 8 * EVENT_KIND_MAX; i++) {
		g_autoptr(Event) event = make_sealed((EventKind)(i / 8), i & 1, i & 4 ? "n" : NULL,
						     i & 2 ? 1000000007 : 0);

		check_written(event);
	}
}

/* Where the length of all makes the ends a size longer, and around that. */
static void test_written_lengths(void)
{
	static const size_t lengths[] = { 0, 1, 7, 100, 65000, 70000 };

	for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
		for (size_t n = lengths[i]; n < lengths[i] + 600; n++) {
			g_autoptr(Event) event = event_new(EVENT_DEVICE_ADDED, 5);
			g_autofree char *text = g_strnfill(n, 'x');

			event->device_added.id = text;
			event->device_added.driver = "d";
			event->device_added.qom_path = n % 2 ? text : "";
			if (n % 5 < 2)
				event_set_name(event, n % 5 ? text : "n");
			event_seal(event, (EventStamp){ 7, 3, n % 3 == 0 ? 5 : 0 });
			check_written(event);
		}
	}
}

static void test_layout(void)
{
	g_autofree char *layout = domain_signals_get_layout();

	g_assert_nonnull(strstr(layout, " org.vmherald.Domains1.Devices.DeviceRemoved:ss "));
	g_assert_nonnull(strstr(layout, " org.vmherald.Domains1.Monitor.EventsLost:st"));
}

static void test_no_details(BusFixture *fixture, const void *data)
{
	g_autoptr(Event) event = event_new(EVENT_WATCHDOG, 5);
	g_autoptr(sd_bus_message) message = NULL;
	g_autofree char *text = NULL;

	fill(event);
	event_seal(event, (EventStamp){ .sequence = 1 });
	g_assert_cmpint(domain_signal_new(fixture->service, PATH, event, &message), >=, 0);
	bus_seal(message);
	text = bus_describe(message);
	g_assert_cmpstr(text, ==, "'pause' (1 0 5) []");
}

/* A filter with nothing in its tables, and one that is as large as it can be. */
static void test_filter_sizes(BusFixture *fixture, const void *data)
{
	static const unsigned sizes[] = { 0, 1, RX_FILTER_ENTRIES_MAX };

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autoptr(GString) json = g_string_new("{\"name\":\"n\",\"main-mac\":\"m\",\"vlan-table\":[");
		g_autoptr(sd_bus_message) message = bus_new_message(fixture);
		g_autoptr(JsonNode) node = NULL;
		g_autoptr(RxFilter) filter = NULL;

		for (unsigned j = 0; j < sizes[i]; j++)
			g_string_append_printf(json, "%s%u", j > 0 ? "," : "", j);
		g_string_append(json, "]}");
		node = json_from_string(json->str, NULL);
		filter = rx_filter_parse(node, NULL);
		g_assert_cmpuint(filter->n_vlans, ==, sizes[i]);
		g_assert_cmpint(domain_signal_append_filter(message, filter, NULL), >=, 0);
		bus_seal(message);
		g_assert_cmpstr(sd_bus_message_get_signature(message, true), ==, "a{sv}");
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/service/domain-signals/descriptions", test_descriptions);
	g_test_add("/service/domain-signals/messages", BusFixture, NULL, bus_set_up, test_messages,
		   bus_tear_down);
	g_test_add("/service/domain-signals/bodies", BusFixture, NULL, bus_set_up, test_bodies,
		   bus_tear_down);
	g_test_add_func("/service/domain-signals/written", test_written);
	g_test_add_func("/service/domain-signals/written-lengths", test_written_lengths);
	g_test_add_func("/service/domain-signals/layout", test_layout);
	g_test_add("/service/domain-signals/no-details", BusFixture, NULL, bus_set_up, test_no_details,
		   bus_tear_down);
	g_test_add("/service/domain-signals/filter-sizes", BusFixture, NULL, bus_set_up,
		   test_filter_sizes, bus_tear_down);
	return g_test_run();
}
