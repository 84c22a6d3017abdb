/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FRAME_TYPE      0x88b5     /* for experiments of one's own */
#define VNET_HEADER     10u        /* struct virtio_net_hdr, as long as nobody asks for a longer one */
#define ARRIVES_WITHIN  10000      /* ms; only a failure waits for it */

typedef struct Frame {
	Mac destination, source;
	uint16_t type;
	uint8_t rest[2];
	uint32_t number;
	uint8_t padding[40];
} Frame;

G_STATIC_ASSERT(sizeof(Frame) == 60);

static const struct {
	const char *name;
	unsigned major, minor;
} devices[] = {
	{ "null", 1, 3 },
	{ "net/tun", 10, 200 },
};

static bool make_devices(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/dev", "tmpfs", 0, NULL) < 0 ||
	    mkdir("/dev/net", 0755) < 0)
		return false;
	for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++) {
		g_autofree char *path = g_strconcat("/dev/", devices[i].name, NULL);

		if (mknod(path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) < 0 ||
		    chmod(path, 0666) < 0)
			return false;
	}
	return true;
}

int sandbox_main(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || !make_devices()) {
		printf("1..0 # SKIP no network and mount namespace can be made here: %s\n", g_strerror(errno));
		return 0;
	}
	/* In a container, the namespace may be one's own and its links not. */
	if (!sandbox_try("ip link set lo up")) {
		printf("1..0 # SKIP no links can be made here: CAP_NET_ADMIN is missing\n");
		return 0;
	}
	sandbox_run("ip link add bridge0 type bridge");
	for (unsigned i = 0; i < 2; i++) {
		sandbox_run("ip link add lower%u type veth peer name peer%u", i, i);
		sandbox_run("ip link set lower%u up", i);
		sandbox_run("ip link set peer%u up", i);
	}
	return g_test_run();
}

static char *run(const char *line)
{
	g_autofree char *output = NULL;
	g_autofree char *errors = NULL;
	g_autoptr(GError) error = NULL;
	int status = 0;

	g_spawn_command_line_sync(line, &output, &errors, &status, &error);
	g_assert_no_error(error);
	if (status != 0)
		g_error("%s: %s%s", line, output, errors);
	return g_steal_pointer(&output);
}

void sandbox_run(const char *format, ...)
{
	g_autofree char *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	line = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_free(run(line));
}

char *sandbox_output(const char *format, ...)
{
	g_autofree char *line = NULL;
	va_list arguments;

	va_start(arguments, format);
	line = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	return run(line);
}

static int find(const char *name, Link *ret_link)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Netlink) netlink = netlink_open(&error);

	g_assert_no_error(error);
	return link_get_by_name(netlink, name, ret_link);
}

bool sandbox_try(const char *format, ...)
{
	g_autofree char *line = NULL;
	g_autofree char *errors = NULL;
	g_autoptr(GError) error = NULL;
	int status = 0;
	va_list arguments;

	va_start(arguments, format);
	line = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_spawn_command_line_sync(line, NULL, &errors, &status, &error);
	g_assert_no_error(error);
	if (status != 0)
		g_test_message("%s: %s", line, errors);
	return status == 0;
}

Link sandbox_link(const char *name)
{
	Link link = { 0 };

	g_assert_cmpint(find(name, &link), ==, 0);
	return link;
}

bool sandbox_has_link(const char *name)
{
	Link link;
	int result = find(name, &link);

	g_assert_true(result == 0 || result == -ENODEV);
	return result == 0;
}

static bool count(const Link *link, const void *userdata)
{
	(**(unsigned *const *) userdata)++;
	return false;
}

unsigned sandbox_count_links(void)
{
	g_autoptr(Netlink) netlink = netlink_open(NULL);
	unsigned n_links = 0, *counter = &n_links;
	Link link;

	g_assert_cmpint(link_find(netlink, count, &counter, &link), ==, -ENODEV);
	return n_links;
}

unsigned sandbox_count_descriptors(void)
{
	g_autoptr(GDir) folder = g_dir_open("/proc/self/fd", 0, NULL);
	unsigned n_descriptors = 0;

	while (g_dir_read_name(folder))
		n_descriptors++;
	return n_descriptors;
}

static void change_capabilities(uint64_t remove)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	g_assert_cmpint(syscall(SYS_capget, &header, data), ==, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(data); i++)
		data[i].effective = data[i].permitted & ~(uint32_t) (remove >> (32 * i));
	g_assert_cmpint(syscall(SYS_capset, &header, data), ==, 0);
}

void sandbox_drop_capability(unsigned capability)
{
	change_capabilities(1ull << capability);
}

void sandbox_restore_capabilities(void)
{
	change_capabilities(0);
}

HostNic *sandbox_make(const HostNicRequest *request, HostNicDescriptors *ret_descriptors)
{
	g_autoptr(HostNic) nic = host_nic_plan(request);
	g_autoptr(GError) error = NULL;
	bool made = host_nic_make(nic, request, ret_descriptors, &error);

	g_assert_no_error(error);
	g_assert_true(made);
	g_assert_cmpuint(nic->index, !=, 0);
	g_assert_cmpuint(ret_descriptors->n_queues, ==, request->queues);
	return g_steal_pointer(&nic);
}

void sandbox_refuse(const HostNicRequest *request, CoreError code, const char *part)
{
	g_autoptr(HostNic) nic = host_nic_plan(request);
	HostNicDescriptors descriptors = { .n_queues = 77 };
	unsigned n_links = sandbox_count_links(), n_descriptors = sandbox_count_descriptors();
	g_autoptr(GError) error = NULL;

	g_assert_false(host_nic_make(nic, request, &descriptors, &error));
	g_test_message("%s", error->message);
	g_assert_error(error, CORE_ERROR, (int) code);
	g_assert_nonnull(strstr(error->message, part));
	g_assert_cmpuint(descriptors.n_queues, ==, 77);
	g_assert_cmpuint(nic->index, ==, 0);
	g_assert_cmpuint(sandbox_count_links(), ==, n_links);
	g_assert_cmpuint(sandbox_count_descriptors(), ==, n_descriptors);
}

void sandbox_unmake(HostNic *nic, HostNicDescriptors *descriptors)
{
	g_autoptr(GError) error = NULL;

	host_nic_remove(nic, &error);
	g_assert_no_error(error);
	host_nic_descriptors_close(descriptors);
	g_assert_true(nic->foreign || !sandbox_has_link(nic->link));
	host_nic_free(nic);
}

char *sandbox_queue_name(int queue, int *ret_flags)
{
	struct ifreq request = { 0 };

	g_assert_cmpint(ioctl(queue, TUNGETIFF, &request), ==, 0);
	*ret_flags = (unsigned short) request.ifr_flags;
	return g_strdup(request.ifr_name);
}

static void send_frame(const char *from, const Mac *destination, uint32_t number)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_ifindex = (int) if_nametoindex(from), .sll_halen = MAC_LENGTH,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	Frame frame = { .type = htons(FRAME_TYPE), .number = number };
	Link link = sandbox_link(from);

	frame.destination = *destination;
	frame.source = link.mac;
	memcpy(address.sll_addr, destination->octets, MAC_LENGTH);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(sendto(fd, &frame, sizeof(frame), 0, (struct sockaddr *) &address, sizeof(address)), ==,
			(int) sizeof(frame));
	close(fd);
}

/* Reads all that is there; true if the frame with that number was among it. *ret_other is set for another
 * one. */
static bool drain(int queue, uint32_t number, uint32_t other, bool *ret_other)
{
	uint8_t data[2048];
	bool found = false;
	ssize_t length;
	Frame frame;

	while ((length = read(queue, data, sizeof(data))) > 0) {
		if (length < (ssize_t) (VNET_HEADER + sizeof(frame)))
			continue;
		memcpy(&frame, data + VNET_HEADER, sizeof(frame));
		if (frame.type != htons(FRAME_TYPE))
			continue;
		found = found || frame.number == number;
		*ret_other = *ret_other || frame.number == other;
	}
	return found;
}

bool sandbox_frame_arrives(const char *from, const char *destination, const HostNicDescriptors *descriptors)
{
	static const Mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	static uint32_t number;
	struct pollfd polls[HOST_NIC_QUEUES_MAX];
	bool found = false, all = false;
	Mac mac;

	/* What is sent to everybody comes after it, so when that has come it is known that the other has
	 * not. */
	number += 2;
	g_assert_true(mac_parse(destination, &mac));
	send_frame(from, &mac, number);
	send_frame(from, &broadcast, number + 1);
	for (unsigned i = 0; i < descriptors->n_queues; i++)
		polls[i] = (struct pollfd) { .fd = descriptors->queues[i], .events = POLLIN };
	while (!all) {
		if (poll(polls, descriptors->n_queues, ARRIVES_WITHIN) <= 0)
			g_error("nothing of what %s sends arrives", from);
		for (unsigned i = 0; i < descriptors->n_queues; i++)
			found = drain(descriptors->queues[i], number, number + 1, &all) || found;
	}
	/* The queues were read one after the other. */
	for (unsigned i = 0; i < descriptors->n_queues; i++)
		found = drain(descriptors->queues[i], number, number + 1, &all) || found;
	return found;
}
