/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/bridge-port.h"
#include "net/multicast-list.h"
#include "filter-fixture.h"

#define GROUP      "01:00:5e:7f:02:03"
#define GROUP_TWO  "33:33:00:00:12:34"

static const HostNicRequest on_lower = {
	.type = HOST_NIC_MACVTAP, .source = "lower0", .mode = "bridge", .mac = SANDBOX_MAC, .queues = 1,
};
static const HostNicRequest alone = { .type = HOST_NIC_TAP, .mac = SANDBOX_MAC, .queues = 1 };

static void test_read_macvtap(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);
	g_autofree char *held = sandbox_output("ip maddr show dev %s", nic->link);
	g_autoptr(HostFilter) filter = fixture_read_filter(nic);
	Mac mac = fixture_parse(SANDBOX_MAC);

	g_assert_cmpuint(filter->kind, ==, HOST_FILTER_MACVTAP);
	g_assert_true(filter->up);
	g_assert_true(mac_equal(&filter->mac, &mac));
	g_assert_false(filter->promiscuous);
	g_assert_false(filter->all_multicast);
	g_assert_true(filter->multicast);
	g_assert_false(filter->passthru);
	g_assert_false(filter->learning);
	g_assert_cmpuint(mac_set_get_size(filter->forwarding), ==, 0);
	/* The host's own protocols hold those, and nobody has asked for them. */
	g_assert_nonnull(strstr(held, "01:00:5e:00:00:01"));
	g_assert_nonnull(strstr(held, "33:33:00:00:00:01"));
	g_assert_cmpuint(mac_set_get_size(filter->multicast_table), ==, 0);

	sandbox_run("ip link set %s down", nic->link);
	host_filter_free(g_steal_pointer(&filter));
	filter = fixture_read_filter(nic);
	g_assert_false(filter->up);
	sandbox_unmake(nic, &descriptors);
}

static void test_read_passthru(void)
{
	HostNicRequest request = on_lower;
	HostNicDescriptors descriptors;
	g_autoptr(HostFilter) filter = NULL;
	HostNic *nic;

	request.mode = "passthru";
	nic = sandbox_make(&request, &descriptors);
	filter = fixture_read_filter(nic);
	g_assert_true(filter->passthru);
	sandbox_unmake(nic, &descriptors);
}

/* Each flag alone, both ways, and no other one changes by it. */
static void test_flags(void)
{
	static const size_t set_at[] = {
		offsetof(FilterPlan, set_promiscuous), offsetof(FilterPlan, set_all_multicast),
		offsetof(FilterPlan, set_multicast),
	};
	static const size_t value_at[] = {
		offsetof(FilterPlan, promiscuous), offsetof(FilterPlan, all_multicast), offsetof(FilterPlan, multicast),
	};
	static const unsigned flags[] = { IFF_PROMISC, IFF_ALLMULTI, IFF_MULTICAST };
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);

	sandbox_run("ip link set %s arp off", nic->link);
	for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
		unsigned before = sandbox_link(nic->link).flags;

		g_assert_true(before & IFF_NOARP);
		for (unsigned step = 0; step < 2; step++) {
			g_autoptr(FilterPlan) plan = fixture_plan_new();
			bool value = !(sandbox_link(nic->link).flags & flags[i]);
			unsigned now;

			*(bool *) ((char *) plan + set_at[i]) = true;
			*(bool *) ((char *) plan + value_at[i]) = value;
			fixture_apply(nic, plan);
			/* Once more makes no difference. */
			fixture_apply(nic, plan);
			now = sandbox_link(nic->link).flags;
			g_assert_cmphex(now, ==, value ? before | flags[i] : before & ~flags[i]);
			before = now;
		}
	}
	sandbox_unmake(nic, &descriptors);
}

/* Somebody who looks at the link with a packet socket makes it promiscuous, and that is not told. */
static void test_packet_socket(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);
	struct packet_mreq request = { .mr_ifindex = (int) nic->index, .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	g_autofree char *shown = NULL;
	g_autoptr(HostFilter) filter = NULL;

	g_assert_cmpint(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)), ==, 0);
	shown = sandbox_output("ip -d link show dev %s", nic->link);
	g_assert_nonnull(strstr(shown, "promiscuity 1"));
	filter = fixture_read_filter(nic);
	g_assert_false(filter->promiscuous);
	close(fd);
	sandbox_unmake(nic, &descriptors);
}

static void set_mac(const HostNic *nic, const char *mac)
{
	g_autoptr(FilterPlan) plan = fixture_plan_new();

	plan->set_mac = true;
	plan->mac = fixture_parse(mac);
	fixture_apply(nic, plan);
}

/* While it is up, and in all modes. */
static void test_mac(void)
{
	static const char *const modes[] = { "bridge", "vepa", "private", "passthru" };

	for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
		HostNicRequest request = on_lower;
		HostNicDescriptors descriptors;
		g_autoptr(HostFilter) filter = NULL;
		Mac mac = fixture_parse(OTHER_MAC), lower_mac;
		HostNic *nic;

		request.mode = modes[i];
		nic = sandbox_make(&request, &descriptors);
		lower_mac = sandbox_link("lower0").mac;
		set_mac(nic, OTHER_MAC);
		filter = fixture_read_filter(nic);
		g_assert_true(mac_equal(&filter->mac, &mac));
		g_assert_true(filter->up);
		g_assert_true(sandbox_frame_arrives("peer0", OTHER_MAC, &descriptors));
		if (filter->passthru)
			lower_mac = mac;
		else
			g_assert_false(sandbox_frame_arrives("peer0", SANDBOX_MAC, &descriptors));
		mac = sandbox_link("lower0").mac;
		g_assert_true(mac_equal(&mac, &lower_mac));
		sandbox_unmake(nic, &descriptors);
	}
}

/* Who uses it is told, and what else was planned is done. */
static void test_mac_in_use(void)
{
	HostNicRequest request = on_lower;
	HostNicDescriptors descriptors, others;
	HostNic *nic = sandbox_make(&on_lower, &descriptors), *other;
	g_autoptr(FilterPlan) plan = fixture_plan_new();
	g_autoptr(HostFilter) filter = NULL;
	g_autofree char *user = NULL;
	Mac mac = fixture_parse(SANDBOX_MAC);

	request.mac = OTHER_MAC;
	other = sandbox_make(&request, &others);
	plan->set_mac = true;
	plan->mac = fixture_parse(OTHER_MAC);
	plan->set_promiscuous = plan->promiscuous = true;
	fixture_put(plan->multicast_add, GROUP);
	user = g_strdup_printf("%s cannot be given its guest's address: " OTHER_MAC " is the address of %s",
			       nic->link, other->link);
	fixture_refuse(nic, plan, CORE_ERROR_IO, user);
	filter = fixture_read_filter(nic);
	g_assert_true(mac_equal(&filter->mac, &mac));
	g_assert_true(filter->promiscuous);
	g_assert_true(fixture_contains(filter->multicast_table, GROUP));

	plan->mac = sandbox_link("lower0").mac;
	fixture_refuse(nic, plan, CORE_ERROR_IO, "is the address of lower0, which it stands on");
	plan->mac = fixture_parse(GROUP);
	fixture_refuse(nic, plan, CORE_ERROR_IO, "cannot be given its guest's address " GROUP);
	/* It is free again. */
	sandbox_unmake(other, &others);
	set_mac(nic, OTHER_MAC);
	sandbox_unmake(nic, &descriptors);
}

static void change_groups(const HostNic *nic, const char *add, const char *remove)
{
	g_autoptr(FilterPlan) plan = fixture_plan_new();

	if (add)
		fixture_put(plan->multicast_add, add);
	if (remove)
		fixture_put(plan->multicast_remove, remove);
	fixture_apply(nic, plan);
}

/* A link knows its groups by eight bits of each, so some come through that share them with one that is
 * wanted. */
static char *find_filtered_group(const HostNicDescriptors *descriptors)
{
	for (unsigned i = 0; i < 100; i++) {
		g_autofree char *group = g_strdup_printf("01:00:5e:01:02:%02x", i);

		if (!sandbox_frame_arrives("peer0", group, descriptors))
			return g_steal_pointer(&group);
	}
	g_assert_not_reached();
}

static void test_groups(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);
	g_autoptr(HostFilter) filter = NULL;
	g_autofree char *group = NULL;

	change_groups(nic, GROUP_TWO, NULL);
	g_assert_true(sandbox_frame_arrives("peer0", GROUP_TWO, &descriptors));
	group = find_filtered_group(&descriptors);
	change_groups(nic, group, NULL);
	g_assert_true(sandbox_frame_arrives("peer0", group, &descriptors));
	/* Again, and one that is not there: both are content. */
	change_groups(nic, group, GROUP);
	filter = fixture_read_filter(nic);
	g_assert_cmpuint(mac_set_get_size(filter->multicast_table), ==, 2);
	g_assert_true(fixture_contains(filter->multicast_table, group));
	g_assert_true(fixture_contains(filter->multicast_table, GROUP_TWO));
	host_filter_free(g_steal_pointer(&filter));

	change_groups(nic, NULL, group);
	filter = fixture_read_filter(nic);
	g_assert_cmpuint(mac_set_get_size(filter->multicast_table), ==, 1);
	g_assert_true(sandbox_frame_arrives("peer0", GROUP_TWO, &descriptors));
	/* The kernel stops to let frames through with the next change: see multicast-list.h. */
	change_groups(nic, NULL, GROUP_TWO);
	g_assert_false(sandbox_frame_arrives("peer0", group, &descriptors));
	sandbox_unmake(nic, &descriptors);
}

/* One that the host's protocols hold may be asked for besides, and stays theirs when that is taken back. */
static void test_held_group(void)
{
	static const char held_by_ip[] = "01:00:5e:00:00:01";
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);
	g_autoptr(HostFilter) filter = NULL;
	g_autofree char *shown = NULL;

	change_groups(nic, NULL, held_by_ip);
	change_groups(nic, held_by_ip, NULL);
	filter = fixture_read_filter(nic);
	g_assert_true(fixture_contains(filter->multicast_table, held_by_ip));
	host_filter_free(g_steal_pointer(&filter));
	change_groups(nic, NULL, held_by_ip);
	filter = fixture_read_filter(nic);
	g_assert_cmpuint(mac_set_get_size(filter->multicast_table), ==, 0);
	shown = sandbox_output("ip maddr show dev %s", nic->link);
	g_assert_nonnull(strstr(shown, held_by_ip));
	sandbox_unmake(nic, &descriptors);
}

static void test_round_trip(void)
{
	static const struct {
		const char *mac, *multicast;
		bool promiscuous;
		const char *groups;
	} steps[] = {
		{ SANDBOX_MAC, "normal", false, "\"" GROUP "\", \"33:33:ff:12:34:56\"" },
		{ OTHER_MAC, "normal", false, "\"" GROUP "\", \"" GROUP_TWO "\"" },
		{ OTHER_MAC, "all", true, "" },
		{ SANDBOX_MAC, "none", false, "" },
		{ SANDBOX_MAC, "normal", true, "\"" GROUP_TWO "\", \"01:00:5e:00:00:99\"" },
		{ SANDBOX_MAC, "normal", false, "" },
	};
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);
	g_autoptr(HostFilterOwn) own = host_filter_own_new();
	g_autoptr(HostFilter) filter = NULL;

	/* Somebody else's, also where the guest wants it and then no more. */
	sandbox_run("ip maddr add 01:00:5e:00:00:99 dev %s", nic->link);
	for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autoptr(RxFilter) guest = fixture_guest_filter(steps[i].mac, steps[i].multicast, steps[i].promiscuous,
							 steps[i].groups);
		HostFilterOwn *next = fixture_follow(nic, guest, own);

		host_filter_own_free(own);
		own = next;
		host_filter_free(filter);
		filter = fixture_read_filter(nic);
		g_assert_true(fixture_contains(filter->multicast_table, "01:00:5e:00:00:99"));
	}
	g_assert_cmpuint(mac_set_get_size(filter->multicast_table), ==, 1);
	g_assert_cmpuint(mac_set_get_size(own->multicast_table), ==, 0);
	sandbox_unmake(nic, &descriptors);
}

static void check_gone(const HostNic *nic)
{
	g_autoptr(FilterPlan) plan = fixture_plan_new();
	g_autoptr(GError) error = NULL;

	fixture_put(plan->multicast_add, GROUP);
	fixture_refuse(nic, plan, CORE_ERROR_NO_SUCH_LINK, nic->link);
	g_assert_null(host_nic_read(nic, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_NO_SUCH_LINK);
}

static void test_gone(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors), *other;
	g_autoptr(HostNic) never = host_nic_plan(&on_lower);
	HostNicDescriptors others;

	check_gone(never);
	sandbox_run("ip link delete %s", nic->link);
	check_gone(nic);
	/* Its name has been given to another one, even of the same kind. */
	other = sandbox_make(&on_lower, &others);
	sandbox_run("ip link set %s down", other->link);
	sandbox_run("ip link set %s name %s", other->link, nic->link);
	g_assert_true(sandbox_has_link(nic->link));
	check_gone(nic);
	host_nic_descriptors_close(&others);
	host_nic_free(other);
	sandbox_run("ip link delete %s", nic->link);
	sandbox_unmake(nic, &descriptors);
}

/* What a deletion in the midst of it looks like to each of the steps. */
static void test_gone_meanwhile(void)
{
	g_autoptr(Netlink) netlink = netlink_open(NULL);
	Link port = { .index = 777001, .master = sandbox_link("bridge0").index };
	Link holder;
	g_autoptr(MacSet) set = mac_set_new();
	Mac mac = fixture_parse(GROUP);

	g_assert_cmpint(link_set_mac(netlink, 777001, &mac), ==, -ENODEV);
	g_assert_cmpint(link_set_flags(netlink, 777001, IFF_PROMISC, IFF_PROMISC), ==, -ENODEV);
	g_assert_cmpint(link_delete(netlink, 777001), ==, -ENODEV);
	g_assert_cmpint(multicast_list_add("vhmt-gone", &mac), ==, -ENODEV);
	g_assert_cmpint(multicast_list_remove("vhmt-gone", &mac), ==, -ENODEV);
	g_assert_cmpint(multicast_list_read(777001, 1, set), ==, 0);
	mac = fixture_parse(OTHER_MAC);
	g_assert_cmpint(bridge_port_add(netlink, &port, &mac, &holder), ==, -ENODEV);
	g_assert_cmpint(bridge_port_remove(netlink, &port, &mac), ==, -ENODEV);
	g_assert_cmpint(link_get_by_index(netlink, 0, &port), ==, -ENODEV);
}

/* Four threads follow guests while their links are deleted under them: in line, or told that it is gone. */
static void *follow_while_deleted(void *userdata)
{
	const HostNic *nic = userdata;

	for (;;) {
		g_autoptr(GError) error = NULL;
		g_autoptr(FilterPlan) plan = fixture_plan_new();

		for (unsigned i = 0; i < 64; i++) {
			Mac mac = { { 0x01, 0x00, 0x5e, 0x01, 0x00, (uint8_t) i } };

			mac_set_add(plan->multicast_add, &mac);
		}
		plan->set_mac = plan->set_promiscuous = plan->promiscuous = true;
		plan->mac = fixture_parse(SANDBOX_MAC);
		plan->mac.octets[5] = (uint8_t) nic->index;
		if (!host_nic_apply(nic, plan, &error)) {
			g_assert_error(error, CORE_ERROR, CORE_ERROR_NO_SUCH_LINK);
			return NULL;
		}
	}
}

static void test_deleted_under_us(void)
{
	HostNicDescriptors descriptors[4];
	GThread *threads[4];
	HostNic *nics[4];

	for (unsigned i = 0; i < G_N_ELEMENTS(nics); i++) {
		g_autofree char *mac = g_strdup_printf("52:54:00:00:01:%02x", i);
		HostNicRequest request = on_lower;

		request.mac = mac;
		nics[i] = sandbox_make(&request, &descriptors[i]);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(nics); i++)
		threads[i] = g_thread_new("follow", follow_while_deleted, nics[i]);
	for (unsigned i = 0; i < G_N_ELEMENTS(nics); i++) {
		sandbox_run("ip link delete %s", nics[i]->link);
		g_thread_join(threads[i]);
		sandbox_unmake(nics[i], &descriptors[i]);
	}
}

static void test_denied(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);
	g_autoptr(HostFilter) filter = NULL;
	Mac mac = fixture_parse(SANDBOX_MAC);

	sandbox_drop_capability(CAP_NET_ADMIN);
	for (unsigned i = 0; i < 3; i++) {
		g_autoptr(FilterPlan) plan = fixture_plan_new();

		plan->set_mac = i == 0;
		plan->mac = fixture_parse(OTHER_MAC);
		plan->set_all_multicast = plan->all_multicast = i == 1;
		if (i == 2)
			fixture_put(plan->multicast_add, GROUP);
		fixture_refuse(nic, plan, CORE_ERROR_NOT_PERMITTED, "CAP_NET_ADMIN is missing");
	}
	/* Whoever may not change it may read it. */
	filter = fixture_read_filter(nic);
	sandbox_restore_capabilities();
	g_assert_true(mac_equal(&filter->mac, &mac));
	g_assert_false(filter->all_multicast);
	g_assert_cmpuint(mac_set_get_size(filter->multicast_table), ==, 0);
	sandbox_unmake(nic, &descriptors);
}

static void test_groups_limit(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);
	g_autoptr(HostFilter) filter = NULL;
	g_autoptr(GError) error = NULL;
	Mac mac = { { 0x01, 0x00, 0x5e, 0x10, 0, 0 } };

	for (unsigned i = 0; i <= HOST_FILTER_ENTRIES_MAX; i++) {
		mac.octets[4] = (uint8_t) (i >> 8);
		mac.octets[5] = (uint8_t) i;
		if (i == HOST_FILTER_ENTRIES_MAX) {
			filter = fixture_read_filter(nic);
			g_assert_cmpuint(mac_set_get_size(filter->multicast_table), ==, HOST_FILTER_ENTRIES_MAX);
		}
		g_assert_cmpint(multicast_list_add(nic->link, &mac), ==, 0);
	}
	g_assert_null(host_nic_read(nic, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_test_message("%s", error->message);
	sandbox_unmake(nic, &descriptors);
}

static void test_alone(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&alone, &descriptors);
	g_autoptr(HostFilter) filter = fixture_read_filter(nic);
	Mac mac = fixture_parse("fe:54:00:12:34:56");

	g_assert_cmpuint(filter->kind, ==, HOST_FILTER_NONE);
	g_assert_true(filter->up);
	g_assert_true(mac_equal(&filter->mac, &mac));
	sandbox_unmake(nic, &descriptors);
}

static void test_leaves_nothing(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&on_lower, &descriptors);
	unsigned n_descriptors = sandbox_count_descriptors();

	for (unsigned i = 0; i < 200; i++) {
		g_autoptr(HostFilter) filter = fixture_read_filter(nic);

		g_assert_true(filter->up);
		change_groups(nic, i % 2 ? GROUP : NULL, i % 2 ? NULL : GROUP);
		set_mac(nic, i % 2 ? OTHER_MAC : SANDBOX_MAC);
	}
	g_assert_cmpuint(sandbox_count_descriptors(), ==, n_descriptors);
	sandbox_unmake(nic, &descriptors);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host-nic-filter/read-macvtap", test_read_macvtap);
	g_test_add_func("/host-nic-filter/read-passthru", test_read_passthru);
	g_test_add_func("/host-nic-filter/flags", test_flags);
	g_test_add_func("/host-nic-filter/packet-socket", test_packet_socket);
	g_test_add_func("/host-nic-filter/mac", test_mac);
	g_test_add_func("/host-nic-filter/mac-in-use", test_mac_in_use);
	g_test_add_func("/host-nic-filter/groups", test_groups);
	g_test_add_func("/host-nic-filter/held-group", test_held_group);
	g_test_add_func("/host-nic-filter/round-trip", test_round_trip);
	g_test_add_func("/host-nic-filter/gone", test_gone);
	g_test_add_func("/host-nic-filter/gone-meanwhile", test_gone_meanwhile);
	g_test_add_func("/host-nic-filter/deleted-under-us", test_deleted_under_us);
	g_test_add_func("/host-nic-filter/denied", test_denied);
	g_test_add_func("/host-nic-filter/groups-limit", test_groups_limit);
	g_test_add_func("/host-nic-filter/alone", test_alone);
	g_test_add_func("/host-nic-filter/leaves-nothing", test_leaves_nothing);
	return sandbox_main();
}
