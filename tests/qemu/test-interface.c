/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/interface.h"

#include "qemu/fdsets.h"
#include "qemu/program.h"

#define NIC(n_queues, ...) { .id = (char *) "net0", .mac = (char *) "52:54:00:00:00:01", .queues = n_queues, \
			     .model = (char *) "virtio-net-pci", __VA_ARGS__ }

static void check(const DefinitionInterface *interface, const char *const *fds, const char *netdev,
		  const char *device)
{
	JsonNode *made_netdev = fds ? qemu_interface_make_netdev(interface, fds)
				    : qemu_interface_make_numbered_netdev(interface, QEMU_INTERFACE_FD_FIRST);
	g_autoptr(JsonNode) made_device = qemu_interface_make_device(interface);
	g_autofree char *netdev_text = made_netdev ? definition_entry_to_json(made_netdev) : NULL;
	g_autofree char *device_text = definition_entry_to_json(made_device);

	g_assert_cmpstr(netdev_text, ==, netdev);
	g_assert_cmpstr(device_text, ==, device);
	g_clear_pointer(&made_netdev, json_node_unref);
}

static void test_without_link(void)
{
	const DefinitionInterface none = NIC(1, .type = (char *) "none");
	const DefinitionInterface user = NIC(1, .type = (char *) "user", .bus = (char *) "pcie.0");

	g_assert_cmpuint(definition_interface_count_descriptors(&none), ==, 0);
	g_assert_cmpuint(definition_interface_count_descriptors(&user), ==, 0);
	check(&none, NULL, NULL,
	      "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\",\"mac\":\"52:54:00:00:00:01\"}");
	check(&user, NULL, "{\"type\":\"user\",\"id\":\"host-net0\"}",
	      "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\",\"netdev\":\"host-net0\","
	      "\"mac\":\"52:54:00:00:00:01\",\"bus\":\"pcie.0\"}");
}

static void test_one_queue(void)
{
	static const char *const types[] = { "tap", "bridge", "macvtap" };
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(types); i++) {
		const DefinitionInterface nic = NIC(1, .type = (char *) types[i]);

		g_assert_cmpuint(definition_interface_count_descriptors(&nic), ==, 1);
		check(&nic, NULL, "{\"type\":\"tap\",\"id\":\"host-net0\",\"fd\":\"256\"}",
		      "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\",\"netdev\":\"host-net0\","
		      "\"mac\":\"52:54:00:00:00:01\"}");
	}
}

static void test_queues(void)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	const DefinitionInterface plain = NIC(2, .type = (char *) "macvtap");
	const DefinitionInterface vhost = NIC(2, .type = (char *) "tap", .vhost = true);
	const char *device = "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\",\"netdev\":\"host-net0\","
			     "\"mac\":\"52:54:00:00:00:01\",\"mq\":true,\"vectors\":6}";

	g_assert_cmpuint(definition_interface_count_descriptors(&plain), ==, 2);
	g_assert_cmpuint(definition_interface_count_descriptors(&vhost), ==, 4);
	check(&plain, NULL, "{\"type\":\"tap\",\"id\":\"host-net0\",\"fds\":\"256:257\"}", device);
	check(&vhost, names, "{\"type\":\"tap\",\"id\":\"host-net0\",\"fds\":\"a:b\",\"vhost\":true,"
	      "\"vhostfds\":\"c:d\"}", device);
}

static void test_vhost(void)
{
	const DefinitionInterface vhost = NIC(1, .type = (char *) "tap", .vhost = true);

	check(&vhost, NULL, "{\"type\":\"tap\",\"id\":\"host-net0\",\"fd\":\"256\",\"vhost\":true,"
	      "\"vhostfd\":\"257\"}", "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\","
	      "\"netdev\":\"host-net0\",\"mac\":\"52:54:00:00:00:01\"}");
}

/* Those of the largest definition have numbers that a program can be given. */
static void test_numbers(void)
{
	g_assert_cmpint(QEMU_INTERFACE_FD_FIRST + (int) DEFINITION_NIC_DESCRIPTORS_MAX - 1, ==,
			QEMU_FDSETS_FD_FIRST - 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qemu/interface/without-link", test_without_link);
	g_test_add_func("/qemu/interface/one-queue", test_one_queue);
	g_test_add_func("/qemu/interface/queues", test_queues);
	g_test_add_func("/qemu/interface/vhost", test_vhost);
	g_test_add_func("/qemu/interface/numbers", test_numbers);
	return g_test_run();
}
