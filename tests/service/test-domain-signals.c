/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-signals.h"

#include <string.h>

#include "bus-fixture.h"

/* Each kind of event as a message: built, and its signature held against the description of the contract. */

#define PATH "/org/vmherald/Domains1/domain/_a"

/* ---- the descriptions ---- */

typedef struct Description {
	char *interface, *member;
	GString *types, *names;
	GHashTable *signals;         /* "INTERFACE.MEMBER" -> "TYPES NAMES" */
} Description;

static const char *get_attribute(const char *name, const char **names, const char **values)
{
	for (unsigned i = 0; names[i]; i++)
		if (g_str_equal(names[i], name))
			return values[i];
	return "";
}

static void on_begin(GMarkupParseContext *context, const char *element, const char **names,
		     const char **values, void *userdata, GError **error)
{
	Description *description = userdata;

	if (g_str_equal(element, "interface")) {
		g_free(description->interface);
		description->interface = g_strdup(get_attribute("name", names, values));
	} else if (g_str_equal(element, "signal")) {
		description->member = g_strdup(get_attribute("name", names, values));
		g_string_truncate(description->types, 0);
		g_string_truncate(description->names, 0);
	} else if (g_str_equal(element, "arg") && description->member) {
		g_string_append(description->types, get_attribute("type", names, values));
		g_string_append_printf(description->names, " %s",
				       get_attribute("name", names, values));
	}
}

static void on_end(GMarkupParseContext *context, const char *element, void *userdata, GError **error)
{
	Description *description = userdata;

	if (!g_str_equal(element, "signal"))
		return;
	g_hash_table_insert(description->signals,
			    g_strconcat(description->interface, ".", description->member, NULL),
			    g_strconcat(description->types->str, description->names->str, NULL));
	g_clear_pointer(&description->member, g_free);
}

static GHashTable *read_descriptions(void)
{
	static const GMarkupParser parser = { .start_element = on_begin, .end_element = on_end };
	static const char *const interfaces[] = { "Domain", "Devices", "Network", "Monitor" };
	Description description = {
		.types = g_string_new(NULL),
		.names = g_string_new(NULL),
		.signals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(interfaces); i++) {
		g_autofree char *file = g_strdup_printf("org.vmherald.Domains1.%s.xml", interfaces[i]);
		g_autofree char *path = g_build_filename(g_getenv("VMHERALD_INTROSPECTION"), file, NULL);
		g_autoptr(GMarkupParseContext) context =
			g_markup_parse_context_new(&parser, 0, &description, NULL);
		g_autoptr(GError) error = NULL;
		g_autofree char *text = NULL;

		g_assert_true(g_file_get_contents(path, &text, NULL, &error));
		g_assert_no_error(error);
		g_assert_true(g_markup_parse_context_parse(context, text, -1, &error));
		g_assert_no_error(error);
	}
	g_free(description.interface);
	g_string_free(description.types, TRUE);
	g_string_free(description.names, TRUE);
	return description.signals;
}

static void test_descriptions(void)
{
	g_autoptr(GHashTable) signals = read_descriptions();

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
		g_assert_cmpint(domain_signal_append_filter(message, filter), >=, 0);
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
	g_test_add("/service/domain-signals/no-details", BusFixture, NULL, bus_set_up, test_no_details,
		   bus_tear_down);
	g_test_add("/service/domain-signals/filter-sizes", BusFixture, NULL, bus_set_up,
		   test_filter_sizes, bus_tear_down);
	return g_test_run();
}
