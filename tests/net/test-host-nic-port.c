/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/capability.h>
#include <string.h>

#include "filter-fixture.h"
#include "net/bridge-port.h"

static const HostNicRequest on_bridge = {
	.type = HOST_NIC_BRIDGE, .source = "bridge0", .mac = SANDBOX_MAC, .queues = 1,
};

/* A guest on bridge0, whose other port is peer1; the host is behind neither. */
static HostNic *make_port(HostNicDescriptors *descriptors)
{
	sandbox_run("ip link set bridge0 up");
	sandbox_run("ip link set peer1 master bridge0");
	return sandbox_make(&on_bridge, descriptors);
}

static void unmake_port(HostNic *nic, HostNicDescriptors *descriptors)
{
	sandbox_unmake(nic, descriptors);
	sandbox_run("ip link set peer1 nomaster");
	sandbox_run("ip link set bridge0 down");
}

static void test_read_port(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = make_port(&descriptors);
	g_autoptr(HostFilter) filter = fixture_read_filter(nic);

	g_assert_cmpuint(filter->kind, ==, HOST_FILTER_BRIDGE_PORT);
	g_assert_true(filter->learning);
	g_assert_true(filter->unicast_flood);
	/* The port's own address is in the table, and none of those. */
	g_assert_cmpuint(mac_set_get_size(filter->forwarding), ==, 0);
	sandbox_run("bridge link set dev %s learning off", nic->link);
	host_filter_free(g_steal_pointer(&filter));
	filter = fixture_read_filter(nic);
	g_assert_false(filter->learning);
	g_assert_true(filter->unicast_flood);
	sandbox_run("bridge link set dev %s learning on flood off", nic->link);
	host_filter_free(g_steal_pointer(&filter));
	filter = fixture_read_filter(nic);
	g_assert_true(filter->learning);
	g_assert_false(filter->unicast_flood);

	/* Learned for it, which is not told: it goes by itself. */
	sandbox_run("bridge fdb add 52:54:00:00:00:77 dev %s master dynamic", nic->link);
	host_filter_free(g_steal_pointer(&filter));
	filter = fixture_read_filter(nic);
	g_assert_cmpuint(mac_set_get_size(filter->forwarding), ==, 0);
	unmake_port(nic, &descriptors);
}

static void test_forwarding(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = make_port(&descriptors);
	g_autoptr(HostFilterOwn) own = host_filter_own_new();
	g_autoptr(RxFilter) guest = fixture_guest_filter(OTHER_MAC, "normal", false, "");
	g_autoptr(RxFilter) changed = fixture_guest_filter("52:54:00:00:00:42", "normal", false, "");
	g_autoptr(HostFilterOwn) first = NULL;
	g_autoptr(HostFilterOwn) second = NULL;
	g_autoptr(HostFilter) filter = NULL;
	g_autofree char *shown = NULL;

	sandbox_run("bridge link set dev %s learning off flood off", nic->link);
	sandbox_run("bridge fdb add 52:54:00:00:00:55 dev %s master static", nic->link);
	g_assert_false(sandbox_frame_arrives("lower1", OTHER_MAC, &descriptors));
	first = fixture_follow(nic, guest, own);
	g_assert_true(sandbox_frame_arrives("lower1", OTHER_MAC, &descriptors));
	shown = sandbox_output("bridge fdb show br bridge0 brport %s", nic->link);
	g_assert_nonnull(strstr(shown, OTHER_MAC " master bridge0 static"));

	second = fixture_follow(nic, changed, first);
	g_assert_false(sandbox_frame_arrives("lower1", OTHER_MAC, &descriptors));
	g_assert_true(sandbox_frame_arrives("lower1", "52:54:00:00:00:42", &descriptors));
	filter = fixture_read_filter(nic);
	g_assert_cmpuint(mac_set_get_size(filter->forwarding), ==, 2);
	g_assert_true(fixture_contains(filter->forwarding, "52:54:00:00:00:42"));
	g_assert_true(fixture_contains(filter->forwarding, "52:54:00:00:00:55"));
	unmake_port(nic, &descriptors);
}

static FilterPlan *forwarding_plan(const char *add, const char *remove)
{
	FilterPlan *plan = fixture_plan_new();

	if (add)
		fixture_put(plan->forwarding_add, add);
	if (remove)
		fixture_put(plan->forwarding_remove, remove);
	return plan;
}

/* What is the host's own or was set by somebody stays what it is; what was only learned gives way. */
static void test_forwarding_taken(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = make_port(&descriptors);
	Link bridge = sandbox_link("bridge0");
	g_autofree char *bridge_mac = mac_to_string(&bridge.mac);
	g_autoptr(FilterPlan) others = forwarding_plan("52:54:00:00:00:61", NULL);
	g_autoptr(FilterPlan) hosts = forwarding_plan(bridge_mac, NULL);
	g_autoptr(FilterPlan) taps = forwarding_plan("fe:54:00:12:34:56", NULL);
	g_autoptr(FilterPlan) learned = forwarding_plan("52:54:00:00:00:62", "52:54:00:00:00:63");
	g_autoptr(HostFilter) filter = NULL;
	g_autofree char *shown = NULL;

	sandbox_run("bridge fdb add 52:54:00:00:00:61 dev peer1 master static");
	sandbox_run("bridge fdb add 52:54:00:00:00:62 dev peer1 master dynamic");
	fixture_refuse(nic, others, CORE_ERROR_IO, "it is an entry of peer1");
	shown = sandbox_output("bridge fdb show br bridge0 brport peer1");
	g_assert_nonnull(strstr(shown, "52:54:00:00:00:61 master bridge0 static"));
	fixture_refuse(nic, hosts, CORE_ERROR_IO, "which the host or an administrator has set");
	/* The address of the tap itself, which a guest may take for its own. */
	fixture_refuse(nic, taps, CORE_ERROR_IO, "which the host or an administrator has set");
	g_free(shown);
	shown = sandbox_output("bridge fdb show br bridge0 brport %s", nic->link);
	g_assert_nonnull(strstr(shown, "fe:54:00:12:34:56 master bridge0 permanent"));
	fixture_apply(nic, learned);
	/* It is there already, and what is to go is not. */
	fixture_apply(nic, learned);
	filter = fixture_read_filter(nic);
	g_assert_cmpuint(mac_set_get_size(filter->forwarding), ==, 1);
	g_assert_true(fixture_contains(filter->forwarding, "52:54:00:00:00:62"));
	unmake_port(nic, &descriptors);
}

/* A bridge that keeps VLANs apart has one entry for each. */
static void test_forwarding_vlans(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic;
	g_autoptr(FilterPlan) add = forwarding_plan(OTHER_MAC, NULL);
	g_autoptr(FilterPlan) remove = forwarding_plan(NULL, OTHER_MAC);
	g_autoptr(FilterPlan) taken = forwarding_plan("52:54:00:00:00:71", NULL);
	g_autoptr(HostFilter) filter = NULL;
	g_autofree char *shown = NULL;
	g_autofree char *left = NULL;

	if (!sandbox_try("ip link set bridge0 type bridge vlan_filtering 1")) {
		g_test_skip("the kernel's bridge knows no VLANs (CONFIG_BRIDGE_VLAN_FILTERING)");
		return;
	}
	nic = make_port(&descriptors);
	sandbox_run("bridge vlan add vid 5 dev %s", nic->link);
	fixture_apply(nic, add);
	shown = sandbox_output("bridge fdb show br bridge0 brport %s", nic->link);
	g_assert_nonnull(strstr(shown, OTHER_MAC " vlan 5 master bridge0 static"));
	g_assert_nonnull(strstr(shown, OTHER_MAC " vlan 1 master bridge0 static"));
	filter = fixture_read_filter(nic);
	g_assert_cmpuint(mac_set_get_size(filter->forwarding), ==, 1);
	fixture_apply(nic, remove);
	left = sandbox_output("bridge fdb show br bridge0 brport %s", nic->link);
	g_assert_null(strstr(left, OTHER_MAC));
	/* In one VLAN alone it is somebody else's. */
	sandbox_run("bridge vlan add vid 5 dev peer1");
	sandbox_run("bridge fdb add 52:54:00:00:00:71 dev peer1 master static vlan 5");
	fixture_refuse(nic, taken, CORE_ERROR_IO, "it is an entry of peer1");
	/* And it has not come into the other ones. */
	g_free(left);
	left = sandbox_output("bridge fdb show br bridge0 brport %s", nic->link);
	g_assert_null(strstr(left, "52:54:00:00:00:71"));
	unmake_port(nic, &descriptors);
	sandbox_run("ip link set bridge0 type bridge vlan_filtering 0");
}

static void test_forwarding_limit(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = make_port(&descriptors);
	g_autoptr(Netlink) netlink = netlink_open(NULL);
	Link port = sandbox_link(nic->link), holder;
	g_autoptr(HostFilter) filter = NULL;
	g_autoptr(GError) error = NULL;
	Mac mac = { { 0x52, 0x54, 0x00, 0x10, 0, 0 } };

	for (unsigned i = 0; i <= HOST_FILTER_ENTRIES_MAX; i++) {
		mac.octets[4] = (uint8_t) (i >> 8);
		mac.octets[5] = (uint8_t) i;
		if (i == HOST_FILTER_ENTRIES_MAX) {
			filter = fixture_read_filter(nic);
			g_assert_cmpuint(mac_set_get_size(filter->forwarding), ==, HOST_FILTER_ENTRIES_MAX);
		}
		g_assert_cmpint(bridge_port_add(netlink, &port, &mac, &holder), ==, 0);
	}
	g_assert_null(host_nic_read(nic, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_test_message("%s", error->message);
	unmake_port(nic, &descriptors);
}

static void test_no_port_any_more(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = make_port(&descriptors);
	g_autoptr(FilterPlan) plan = forwarding_plan(OTHER_MAC, NULL);
	g_autoptr(HostFilter) filter = NULL;

	sandbox_run("ip link set %s nomaster", nic->link);
	filter = fixture_read_filter(nic);
	g_assert_cmpuint(filter->kind, ==, HOST_FILTER_NONE);
	fixture_refuse(nic, plan, CORE_ERROR_IO, nic->link);
	unmake_port(nic, &descriptors);
}

static void test_port_denied(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = make_port(&descriptors);
	g_autoptr(FilterPlan) plan = forwarding_plan(OTHER_MAC, NULL);

	sandbox_drop_capability(CAP_NET_ADMIN);
	fixture_refuse(nic, plan, CORE_ERROR_NOT_PERMITTED, "CAP_NET_ADMIN is missing");
	sandbox_restore_capabilities();
	unmake_port(nic, &descriptors);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host-nic-port/read", test_read_port);
	g_test_add_func("/host-nic-port/forwarding", test_forwarding);
	g_test_add_func("/host-nic-port/forwarding-taken", test_forwarding_taken);
	g_test_add_func("/host-nic-port/forwarding-vlans", test_forwarding_vlans);
	g_test_add_func("/host-nic-port/forwarding-limit", test_forwarding_limit);
	g_test_add_func("/host-nic-port/taken-off", test_no_port_any_more);
	g_test_add_func("/host-nic-port/denied", test_port_denied);
	return sandbox_main();
}
