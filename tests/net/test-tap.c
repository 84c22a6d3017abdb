/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sandbox.h"

#define NOBODY 65534

static const HostNicRequest alone = {
	.type = HOST_NIC_TAP, .mac = SANDBOX_MAC, .queues = 1, .alias = "vmherald: a-guest net0",
};
static const HostNicRequest bridged = {
	.type = HOST_NIC_BRIDGE, .source = "bridge0", .mac = SANDBOX_MAC, .queues = 1,
	.alias = "vmherald: a-guest net0",
};

static HostNicRequest with_queues(HostNicRequest request, unsigned queues)
{
	request.queues = queues;
	return request;
}

static HostNicRequest with_source(HostNicRequest request, const char *source)
{
	request.source = source;
	return request;
}

static void check_queues(const HostNic *nic, const HostNicDescriptors *descriptors, bool multiqueue)
{
	int expected = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multiqueue ? IFF_MULTI_QUEUE : 0);

	for (unsigned i = 0; i < descriptors->n_queues; i++) {
		int flags = 0;
		g_autofree char *name = sandbox_queue_name(descriptors->queues[i], &flags);

		g_assert_cmpstr(name, ==, nic->link);
		/* Beside what was asked for, TUNGETIFF tells whether it stays. */
		g_assert_cmphex((unsigned) (flags & ~IFF_PERSIST), ==, (unsigned) expected);
		g_assert_cmpint(fcntl(descriptors->queues[i], F_GETFD), ==, FD_CLOEXEC);
		g_assert_true(fcntl(descriptors->queues[i], F_GETFL) & O_NONBLOCK);
	}
}

static void check_link(const HostNic *nic)
{
	g_autofree char *shown = sandbox_output("ip -d link show dev %s", nic->link);
	Link link = sandbox_link(nic->link);
	g_autofree char *mac = mac_to_string(&link.mac);

	g_assert_cmpuint(link.index, ==, nic->index);
	g_assert_cmpstr(link.kind, ==, "tun");
	g_assert_true(link.flags & IFF_UP);
	g_assert_cmpstr(mac, ==, "fe:54:00:12:34:56");
	g_assert_nonnull(strstr(shown, "tun type tap"));
	g_assert_nonnull(strstr(shown, "persist off"));
	g_assert_nonnull(strstr(shown, "alias vmherald: a-guest net0"));
}

static void test_alone(void)
{
	for (unsigned queues = 1; queues <= HOST_NIC_QUEUES_MAX; queues += 5) {
		HostNicRequest request = with_queues(alone, queues);
		HostNicDescriptors descriptors;
		HostNic *nic = sandbox_make(&request, &descriptors);

		g_assert_true(g_str_has_prefix(nic->link, "vhtap"));
		g_assert_false(nic->foreign);
		check_link(nic);
		check_queues(nic, &descriptors, queues > 1);
		/* What the host sends on it comes out of it, wherever to. */
		g_assert_true(sandbox_frame_arrives(nic->link, "52:54:00:00:00:99", &descriptors));
		sandbox_unmake(nic, &descriptors);
	}
}

/* It goes with its last descriptor; to remove it then is no error. */
static void test_not_persistent(void)
{
	HostNicRequest request = with_queues(alone, 2);
	HostNicDescriptors descriptors;
	g_autoptr(HostNic) nic = sandbox_make(&request, &descriptors);
	g_autoptr(GError) error = NULL;

	host_nic_descriptors_close(&descriptors);
	g_assert_false(sandbox_has_link(nic->link));
	g_assert_true(host_nic_remove(nic, &error));
	g_assert_no_error(error);
}

static void test_mac(void)
{
	static const char *const macs[][2] = {
		{ "52:54:00:12:34:56", "fe:54:00:12:34:56" },
		{ "fe:54:00:12:34:56", "fa:54:00:12:34:56" },
		{ "00:00:00:00:00:01", "fe:00:00:00:00:01" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(macs); i++) {
		HostNicRequest request = alone;
		HostNicDescriptors descriptors;
		g_autofree char *text = NULL;
		HostNic *nic;
		Link link;

		request.mac = macs[i][0];
		nic = sandbox_make(&request, &descriptors);
		link = sandbox_link(nic->link);
		text = mac_to_string(&link.mac);
		g_assert_cmpstr(text, ==, macs[i][1]);
		sandbox_unmake(nic, &descriptors);
	}
}

static void test_bridge(void)
{
	Mac before;

	/* The bridge has the lowest address of its ports. That of a NIC of the host is lower than that of a tap; the one the kernel
	 * has rolled for peer1 need not be. */
	sandbox_run("ip link set peer1 address 02:00:00:00:00:01");
	sandbox_run("ip link set peer1 master bridge0");
	sandbox_run("ip link set peer1 mtu 1400");
	sandbox_run("ip link set bridge0 up");
	g_assert_cmpuint(sandbox_link("bridge0").mtu, ==, 1400);
	before = sandbox_link("bridge0").mac;
	for (unsigned queues = 1; queues <= 4; queues += 3) {
		HostNicRequest request = with_queues(bridged, queues);
		HostNicDescriptors descriptors;
		HostNic *nic = sandbox_make(&request, &descriptors);
		Link link = sandbox_link(nic->link), bridge = sandbox_link("bridge0");
		g_autofree char *shown = sandbox_output("ip -d link show dev %s", nic->link);
		g_autofree char *addresses = sandbox_output("ip -6 addr show dev %s", nic->link);

		check_link(nic);
		check_queues(nic, &descriptors, queues > 1);
		g_assert_cmpuint(link.master, ==, bridge.index);
		g_assert_true(link.bridge_port);
		g_assert_cmpuint(link.mtu, ==, 1400);
		g_assert_nonnull(strstr(shown, "addrgenmode none"));
		g_assert_cmpstr(addresses, ==, "");
		/* Nothing about the bridge itself has changed by its new port. */
		g_assert_true(mac_equal(&bridge.mac, &before));
		g_assert_cmpuint(bridge.mtu, ==, 1400);
		g_assert_true(sandbox_frame_arrives("lower1", SANDBOX_MAC, &descriptors));
		sandbox_unmake(nic, &descriptors);
	}
	sandbox_run("ip link set peer1 nomaster");
	sandbox_run("ip link set peer1 mtu 1500");
}

static void test_bridge_refused(void)
{
	HostNicRequest request;

	request = with_source(bridged, "nothing0");
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "there is no bridge nothing0");
	request = with_source(bridged, NULL);
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "there is no bridge");
	request = with_source(bridged, "lower0");
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "lower0 is not a bridge");
	sandbox_drop_capability(CAP_NET_ADMIN);
	sandbox_refuse(&bridged, CORE_ERROR_NOT_PERMITTED,
		       "a tap cannot be made: CAP_NET_ADMIN is missing (run the service with it");
	sandbox_refuse(&alone, CORE_ERROR_NOT_PERMITTED, "interface of type user");
	sandbox_restore_capabilities();
}

/* Somebody else's tap is opened, and that is all. */
static void check_foreign(const char *tap, unsigned queues, bool multiqueue)
{
	HostNicRequest request = with_source(with_queues(alone, queues), tap);
	g_autofree char *before = sandbox_output("ip -d link show dev %s", tap);
	g_autofree char *after = NULL;
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&request, &descriptors);
	g_autoptr(HostNic) copy = host_nic_copy(nic);
	g_autoptr(GError) error = NULL;

	g_assert_true(nic->foreign);
	g_assert_true(copy->foreign);
	g_assert_cmpstr(copy->link, ==, tap);
	g_assert_cmpuint(copy->index, ==, nic->index);
	g_assert_cmpuint(nic->index, ==, sandbox_link(tap).index);
	check_queues(nic, &descriptors, multiqueue);
	sandbox_unmake(nic, &descriptors);
	g_assert_true(host_nic_remove(copy, &error));
	after = sandbox_output("ip -d link show dev %s", tap);
	/* A tap is without carrier while nobody has it open: so it was before. */
	if (!multiqueue || queues == 1)
		g_assert_cmpstr(before, ==, after);
}

static void test_foreign(void)
{
	sandbox_run("ip tuntap add dev theirs0 mode tap vnet_hdr");
	sandbox_run("ip tuntap add dev theirs1 mode tap multi_queue vnet_hdr");
	check_foreign("theirs0", 1, false);
	check_foreign("theirs1", 1, true);
	check_foreign("theirs1", 4, true);
	sandbox_run("ip tuntap del dev theirs0 mode tap");
	sandbox_run("ip tuntap del dev theirs1 mode tap multi_queue");
}

/* Without any capability, for the user that it was made for, and for no other one. */
static void test_foreign_user(void)
{
	HostNicRequest request = with_source(alone, "theirs0");

	sandbox_run("ip tuntap add dev theirs0 mode tap vnet_hdr user %d", NOBODY);
	sandbox_run("ip tuntap add dev theirs1 mode tap vnet_hdr user %d", NOBODY - 1);
	g_assert_cmpint(seteuid(NOBODY), ==, 0);
	check_foreign("theirs0", 1, false);
	request.source = "theirs1";
	sandbox_refuse(&request, CORE_ERROR_NOT_PERMITTED, "theirs1 was made for another user");
	sandbox_refuse(&alone, CORE_ERROR_NOT_PERMITTED, "CAP_NET_ADMIN is missing");
	g_assert_cmpint(seteuid(0), ==, 0);
	sandbox_run("ip tuntap del dev theirs0 mode tap");
	sandbox_run("ip tuntap del dev theirs1 mode tap");
}

static void test_foreign_refused(void)
{
	HostNicRequest request = with_source(alone, "theirs0");
	HostNicDescriptors descriptors;
	HostNic *nic;

	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "there is no tap theirs0");
	request.source = "lower0";
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "lower0 is not a tap");
	/* One without frames. */
	sandbox_run("ip tuntap add dev theirs0 mode tun");
	request.source = "theirs0";
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "theirs0");
	sandbox_run("ip tuntap del dev theirs0 mode tun");

	sandbox_run("ip tuntap add dev theirs0 mode tap vnet_hdr");
	request.queues = 2;
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "made without multi_queue");
	request.queues = 1;
	nic = sandbox_make(&request, &descriptors);
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "theirs0 is in use");
	sandbox_unmake(nic, &descriptors);
	sandbox_run("ip tuntap del dev theirs0 mode tap");
}

/* A tap of somebody else's that has the name is not opened and stays. */
static void test_name_taken(void)
{
	for (unsigned i = 0; i < 2; i++) {
		g_autoptr(HostNic) nic = host_nic_plan(&alone);
		g_autofree char *command = i == 0 ? g_strdup_printf("ip tuntap add dev %s mode tap", nic->link)
						  : g_strdup_printf("ip link add %s type bridge", nic->link);
		HostNicDescriptors descriptors;
		g_autoptr(GError) error = NULL;

		sandbox_run("%s", command);
		g_assert_false(host_nic_make(nic, &alone, &descriptors, &error));
		g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
		g_assert_nonnull(strstr(error->message, nic->link));
		g_assert_nonnull(strstr(error->message, "there is a link with that name"));
		g_assert_true(sandbox_has_link(nic->link));
		sandbox_run("ip link delete %s", nic->link);
	}
}

static void test_vhost(void)
{
	HostNicRequest request = with_queues(alone, 3);
	HostNicDescriptors descriptors;
	struct stat status;
	HostNic *nic;

	request.vhost = true;
	sandbox_refuse(&request, CORE_ERROR_START_FAILED,
		       "/dev/vhost-net is not there: the kernel's module vhost_net is to be loaded");
	/* A device that can be opened as often as one likes stands for it: what QEMU does with it is its
	 * own. */
	g_assert_cmpint(mknod("/dev/vhost-net", S_IFCHR | 0600, makedev(1, 3)), ==, 0);
	nic = sandbox_make(&request, &descriptors);
	g_assert_cmpuint(descriptors.n_vhost, ==, 3);
	for (unsigned i = 0; i < 3; i++) {
		g_assert_cmpint(fstat(descriptors.vhost[i], &status), ==, 0);
		g_assert_cmpuint(status.st_rdev, ==, makedev(1, 3));
		g_assert_cmpint(fcntl(descriptors.vhost[i], F_GETFD), ==, FD_CLOEXEC);
	}
	sandbox_unmake(nic, &descriptors);
	/* They are closed too if the link cannot be made. */
	request = with_source(request, "nothing0");
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "nothing0");
	request = with_source(request, NULL);
	g_assert_cmpint(seteuid(NOBODY), ==, 0);
	sandbox_refuse(&request, CORE_ERROR_NOT_PERMITTED, "/dev/vhost-net may not be opened");
	g_assert_cmpint(seteuid(0), ==, 0);
	g_assert_cmpint(unlink("/dev/vhost-net"), ==, 0);
	/* A node without a driver behind it: the module is what is missing. */
	g_assert_cmpint(mknod("/dev/vhost-net", S_IFCHR | 0600, makedev(60, 0)), ==, 0);
	sandbox_refuse(&request, CORE_ERROR_START_FAILED, "module vhost_net");
	g_assert_cmpint(unlink("/dev/vhost-net"), ==, 0);
}

static void test_no_tun(void)
{
	g_assert_cmpint(rename("/dev/net/tun", "/dev/net/off"), ==, 0);
	sandbox_refuse(&alone, CORE_ERROR_START_FAILED, "/dev/net/tun is not there: the kernel's module tun");
	g_assert_cmpint(rename("/dev/net/off", "/dev/net/tun"), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tap/alone", test_alone);
	g_test_add_func("/tap/not-persistent", test_not_persistent);
	g_test_add_func("/tap/mac", test_mac);
	g_test_add_func("/tap/bridge", test_bridge);
	g_test_add_func("/tap/bridge-refused", test_bridge_refused);
	g_test_add_func("/tap/foreign", test_foreign);
	g_test_add_func("/tap/foreign-user", test_foreign_user);
	g_test_add_func("/tap/foreign-refused", test_foreign_refused);
	g_test_add_func("/tap/name-taken", test_name_taken);
	g_test_add_func("/tap/vhost", test_vhost);
	g_test_add_func("/tap/no-tun", test_no_tun);
	return sandbox_main();
}
