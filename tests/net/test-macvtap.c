/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sandbox.h"

static const HostNicRequest plain = {
	.type = HOST_NIC_MACVTAP, .source = "lower0", .mode = "bridge", .mac = SANDBOX_MAC, .queues = 1,
	.alias = "vmherald: a-guest net0",
};

/* What is to be true of each one that was made. */
static void check(const HostNic *nic, const HostNicRequest *request, const HostNicDescriptors *descriptors)
{
	g_autofree char *shown = sandbox_output("ip -d link show dev %s", nic->link);
	g_autofree char *addresses = sandbox_output("ip -6 addr show dev %s", nic->link);
	g_autofree char *disabled = sandbox_output("cat /proc/sys/net/ipv6/conf/%s/disable_ipv6", nic->link);
	g_autofree char *mode = g_strdup_printf("macvtap mode %s", request->mode);
	Link link = sandbox_link(nic->link);
	int usual = (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR) | (request->queues > 1 ? IFF_MULTI_QUEUE : 0);

	g_assert_cmpuint(link.index, ==, nic->index);
	g_assert_cmpstr(link.kind, ==, "macvtap");
	g_assert_cmpuint(link.lower, ==, sandbox_link(request->source).index);
	g_assert_true(link.flags & IFF_UP);
	g_assert_nonnull(strstr(shown, mode));
	g_assert_nonnull(strstr(shown, "link/ether " SANDBOX_MAC));
	g_assert_nonnull(strstr(shown, "addrgenmode none"));
	g_assert_cmpstr(disabled, ==, "1\n");
	g_assert_nonnull(strstr(shown, request->alias));
	g_assert_cmpstr(addresses, ==, "");
	for (unsigned i = 0; i < descriptors->n_queues; i++) {
		int flags = 0;
		g_autofree char *name = sandbox_queue_name(descriptors->queues[i], &flags);

		g_assert_cmpstr(name, ==, nic->link);
		g_assert_cmphex((unsigned) flags, ==, (unsigned) usual);
		g_assert_cmpint(fcntl(descriptors->queues[i], F_GETFD), ==, FD_CLOEXEC);
		g_assert_true(fcntl(descriptors->queues[i], F_GETFL) & O_NONBLOCK);
	}
}

static void test_modes(void)
{
	static const char *const modes[] = { "bridge", "vepa", "private", "passthru" };

	for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
		for (unsigned queues = 1; queues <= HOST_NIC_QUEUES_MAX; queues += 3) {
			HostNicRequest request = plain;
			HostNicDescriptors descriptors;
			HostNic *nic;

			request.mode = modes[i];
			request.queues = queues;
			nic = sandbox_make(&request, &descriptors);
			g_assert_true(g_str_has_prefix(nic->link, "vhmt"));
			check(nic, &request, &descriptors);
			g_assert_cmpuint(descriptors.n_vhost, ==, 0);
			g_assert_true(sandbox_frame_arrives("peer0", SANDBOX_MAC, &descriptors));
			/* Passthru takes all that comes. */
			g_assert_true(sandbox_frame_arrives("peer0", "52:54:00:00:00:99", &descriptors) ==
				      (strcmp(modes[i], "passthru") == 0));
			sandbox_unmake(nic, &descriptors);
		}
	}
}

/* The mode that a definition need not say. */
static void test_no_mode(void)
{
	HostNicRequest request = plain, expected = plain;
	HostNicDescriptors descriptors;
	HostNic *nic;

	request.mode = NULL;
	expected.mode = "bridge";
	nic = sandbox_make(&request, &descriptors);
	check(nic, &expected, &descriptors);
	sandbox_unmake(nic, &descriptors);
}

static void check_usable(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&plain, &descriptors);

	check(nic, &plain, &descriptors);
	g_assert_true(sandbox_frame_arrives("peer0", SANDBOX_MAC, &descriptors));
	sandbox_unmake(nic, &descriptors);
}

/* Once with a /sys of this network namespace; all other cases have one of another. */
static void test_sysfs(void)
{
	g_assert_false(g_file_test("/sys/class/net/lower0", G_FILE_TEST_EXISTS));
	g_assert_cmpint(mount("sysfs", "/sys", "sysfs", 0, NULL), ==, 0);
	g_assert_true(g_file_test("/sys/class/net/lower0", G_FILE_TEST_EXISTS));
	/* Without what a new mount needs. */
	sandbox_drop_capability(CAP_MKNOD);
	sandbox_refuse(&plain, CORE_ERROR_NOT_PERMITTED, "CAP_MKNOD");
	sandbox_restore_capabilities();
	check_usable();
	g_assert_cmpint(umount2("/sys", MNT_DETACH), ==, 0);
	sandbox_drop_capability(CAP_SYS_ADMIN);
	sandbox_refuse(&plain, CORE_ERROR_NOT_PERMITTED, "CAP_SYS_ADMIN");
	sandbox_restore_capabilities();
	check_usable();
}

/* /dev/tapN is another's, which must not be opened. */
static void test_wrong_file(void)
{
	HostNicDescriptors descriptors;
	HostNic *nic = sandbox_make(&plain, &descriptors);
	g_autofree char *next = g_strdup_printf("/dev/tap%u", nic->index + 1);
	g_autofree char *null_now = NULL;

	g_assert_cmpint(mknod(next, S_IFCHR | 0666, makedev(1, 3)), ==, 0);
	sandbox_unmake(nic, &descriptors);
	nic = sandbox_make(&plain, &descriptors);
	null_now = g_strdup_printf("/dev/tap%u", nic->index);
	g_assert_cmpstr(null_now, ==, next);
	check(nic, &plain, &descriptors);
	g_assert_true(sandbox_frame_arrives("peer0", SANDBOX_MAC, &descriptors));
	sandbox_unmake(nic, &descriptors);
	g_assert_cmpint(unlink(next), ==, 0);
}

/* /dev/tapN is the right one, as it is on a host with one network namespace: nothing has to be made then. Whether it is
 * may depend on other namespaces, so several numbers are tried. */
static void test_right_file(void)
{
	bool made = false;

	g_assert_cmpint(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL), ==, 0);
	sandbox_drop_capability(CAP_MKNOD);
	for (unsigned i = 0; i < 50 && !made; i++) {
		g_autoptr(HostNic) nic = host_nic_plan(&plain);
		g_autoptr(GError) error = NULL;
		HostNicDescriptors descriptors;

		made = host_nic_make(nic, &plain, &descriptors, &error);
		if (made) {
			check(nic, &plain, &descriptors);
			g_assert_true(sandbox_frame_arrives("peer0", SANDBOX_MAC, &descriptors));
			sandbox_unmake(g_steal_pointer(&nic), &descriptors);
		} else {
			g_assert_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED);
		}
	}
	sandbox_restore_capabilities();
	g_assert_true(made);
	g_assert_cmpint(umount2("/dev", MNT_DETACH), ==, 0);
}

/* The host has no IPv6 on links that are too small for it, so there is nothing to silence. */
static void test_without_ipv6(void)
{
	HostNicDescriptors descriptors;
	g_autofree char *shown = NULL;
	HostNic *nic;

	sandbox_run("ip link set lower0 mtu 1000");
	nic = sandbox_make(&plain, &descriptors);
	shown = sandbox_output("ip -d link show dev %s", nic->link);
	g_assert_null(strstr(shown, "addrgenmode"));
	g_assert_true(sandbox_link(nic->link).flags & IFF_UP);
	sandbox_unmake(nic, &descriptors);
	sandbox_run("ip link set lower0 mtu 1500");
}

/* A unit may be kept from the switches in /proc. */
static void test_read_only_switches(void)
{
	HostNicDescriptors descriptors;
	g_autofree char *shown = NULL;
	HostNic *nic;

	g_assert_cmpint(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), ==, 0);
	g_assert_cmpint(mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
	nic = sandbox_make(&plain, &descriptors);
	shown = sandbox_output("ip -d link show dev %s", nic->link);
	g_assert_nonnull(strstr(shown, "addrgenmode none"));
	sandbox_unmake(nic, &descriptors);
	g_assert_cmpint(umount2("/proc/sys", MNT_DETACH), ==, 0);
}

/* An alias is what a guest's name makes it: bounded, and cut between characters. */
static void test_alias(void)
{
	g_autoptr(GString) alias = g_string_new("x");
	HostNicRequest request = plain;
	HostNicDescriptors descriptors;
	g_autofree char *shown = NULL;
	HostNic *nic;

	for (unsigned i = 0; i < 200; i++)
		g_string_append(alias, "\u00e9");
	request.alias = alias->str;
	nic = sandbox_make(&request, &descriptors);
	shown = sandbox_output("ip link show dev %s", nic->link);
	g_assert_true(g_utf8_validate(shown, -1, NULL));
	g_string_truncate(alias, 253);
	g_assert_nonnull(strstr(shown, alias->str));
	g_string_append(alias, "\u00e9");
	g_assert_null(strstr(shown, alias->str));
	sandbox_unmake(nic, &descriptors);

	request.alias = NULL;
	nic = sandbox_make(&request, &descriptors);
	sandbox_unmake(nic, &descriptors);
}

static void refuse(const char *source, const char *mode, const char *mac, CoreError code, const char *part)
{
	HostNicRequest request = plain;

	request.source = source;
	request.mode = mode;
	request.mac = mac;
	sandbox_refuse(&request, code, part);
}

static void test_refused(void)
{
	HostNicRequest passthru = plain;
	HostNicDescriptors descriptors, others;
	g_autofree char *lower_mac = NULL;
	g_autofree char *user = NULL;
	HostNic *nic, *other;
	Link lower = sandbox_link("lower0"), now;

	refuse("nothing0", "bridge", SANDBOX_MAC, CORE_ERROR_START_FAILED, "there is no link nothing0");
	refuse("a-name-that-no-link-can-have", "bridge", SANDBOX_MAC, CORE_ERROR_START_FAILED, "there is no link");
	refuse("", "bridge", SANDBOX_MAC, CORE_ERROR_START_FAILED, "there is no link");
	refuse(NULL, "bridge", SANDBOX_MAC, CORE_ERROR_START_FAILED, "there is no link");
	refuse("lo", "bridge", SANDBOX_MAC, CORE_ERROR_START_FAILED, "lo cannot be made");
	refuse("lower0", "mirror", SANDBOX_MAC, CORE_ERROR_START_FAILED, "mode mirror");
	refuse("lower0", "bridge", "52:54", CORE_ERROR_START_FAILED, "52:54 is no MAC");
	/* A group's address is nobody's own. */
	refuse("lower0", "bridge", "01:00:5e:00:00:01", CORE_ERROR_START_FAILED, "lower0 cannot be made");
	lower_mac = mac_to_string(&lower.mac);
	refuse("lower0", "bridge", lower_mac, CORE_ERROR_START_FAILED, "the address of lower0");

	nic = sandbox_make(&plain, &descriptors);
	user = g_strdup_printf(SANDBOX_MAC " is the address of %s", nic->link);
	refuse("lower0", "vepa", SANDBOX_MAC, CORE_ERROR_START_FAILED, user);
	refuse("lower0", "passthru", "52:54:00:00:00:02", CORE_ERROR_START_FAILED, "for one link alone");
	sandbox_unmake(nic, &descriptors);

	passthru.mode = "passthru";
	nic = sandbox_make(&passthru, &descriptors);
	refuse("lower0", "bridge", "52:54:00:00:00:02", CORE_ERROR_START_FAILED, "passthru");
	/* The same address elsewhere is another matter. */
	passthru.source = "lower1";
	other = sandbox_make(&passthru, &others);
	sandbox_unmake(other, &others);
	sandbox_unmake(nic, &descriptors);
	/* It had the guest's address, and has its own again. */
	now = sandbox_link("lower0");
	g_assert_true(mac_equal(&now.mac, &lower.mac));

	sandbox_run("ip link set lower0 master bridge0");
	refuse("lower0", "bridge", SANDBOX_MAC, CORE_ERROR_START_FAILED, "belongs to bridge0");
	sandbox_run("ip link set lower0 nomaster");

	sandbox_drop_capability(CAP_NET_ADMIN);
	sandbox_refuse(&plain, CORE_ERROR_NOT_PERMITTED,
		       "a macvtap on lower0 cannot be made: CAP_NET_ADMIN is missing (run the service with it");
	sandbox_restore_capabilities();
}

/* The name was written down, so another one is no way out. */
static void test_name_taken(void)
{
	g_autoptr(HostNic) nic = host_nic_plan(&plain);
	g_autoptr(GError) error = NULL;
	HostNicDescriptors descriptors;

	sandbox_run("ip link add %s type veth peer name other0", nic->link);
	g_assert_false(host_nic_make(nic, &plain, &descriptors, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	g_assert_nonnull(strstr(error->message, nic->link));
	g_assert_cmpstr(sandbox_link(nic->link).kind, ==, "veth");
	sandbox_run("ip link delete %s", nic->link);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/macvtap/modes", test_modes);
	g_test_add_func("/macvtap/no-mode", test_no_mode);
	g_test_add_func("/macvtap/sysfs", test_sysfs);
	g_test_add_func("/macvtap/wrong-file", test_wrong_file);
	g_test_add_func("/macvtap/right-file", test_right_file);
	g_test_add_func("/macvtap/without-ipv6", test_without_ipv6);
	g_test_add_func("/macvtap/read-only-switches", test_read_only_switches);
	g_test_add_func("/macvtap/alias", test_alias);
	g_test_add_func("/macvtap/refused", test_refused);
	g_test_add_func("/macvtap/name-taken", test_name_taken);
	return sandbox_main();
}
