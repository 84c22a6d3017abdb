/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/interface.h"

/* Besides the queues: one for the configuration, one for the control queue. */
#define VECTORS_BESIDES_QUEUES 2u

/* QEMU has one option for one descriptor and another for several. */
static void set_fds(JsonObject *netdev, const char *one, const char *several, const char *const *fds,
		    unsigned n_fds)
{
	g_autoptr(GString) list = g_string_new(fds[0]);

	for (unsigned i = 1; i < n_fds; i++)
		g_string_append_printf(list, ":%s", fds[i]);
	json_object_set_string_member(netdev, n_fds == 1 ? one : several, list->str);
}

JsonNode *qemu_interface_make_netdev(const DefinitionInterface *interface, const char *const *fds)
{
	g_autofree char *id = definition_interface_get_netdev(interface);
	bool has_link = definition_interface_has_link(interface);
	g_autoptr(JsonObject) netdev = NULL;

	if (!id)
		return NULL;
	netdev = json_object_new();
	json_object_set_string_member(netdev, "type", has_link ? "tap" : interface->type);
	json_object_set_string_member(netdev, "id", id);
	if (has_link)
		set_fds(netdev, "fd", "fds", fds, interface->queues);
	if (has_link && interface->vhost) {
		json_object_set_boolean_member(netdev, "vhost", TRUE);
		set_fds(netdev, "vhostfd", "vhostfds", fds + interface->queues, interface->queues);
	}
	return json_node_init_object(json_node_alloc(), netdev);
}

JsonNode *qemu_interface_make_numbered_netdev(const DefinitionInterface *interface, int first)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_auto(GStrv) fds = NULL;

	for (unsigned i = 0; i < definition_interface_count_descriptors(interface); i++) {
		g_autofree char *number = g_strdup_printf("%d", first + (int)i);

		g_strv_builder_add(builder, number);
	}
	fds = g_strv_builder_end(builder);
	return qemu_interface_make_netdev(interface, (const char *const *)fds);
}

JsonNode *qemu_interface_make_device(const DefinitionInterface *interface)
{
	g_autofree char *netdev = definition_interface_get_netdev(interface);
	g_autoptr(JsonObject) device = json_object_new();

	json_object_set_string_member(device, "driver", interface->model);
	json_object_set_string_member(device, "id", interface->id);
	if (netdev)
		json_object_set_string_member(device, "netdev", netdev);
	json_object_set_string_member(device, "mac", interface->mac);
	if (interface->bus)
		json_object_set_string_member(device, "bus", interface->bus);
	if (interface->queues > 1) {
		json_object_set_boolean_member(device, "mq", TRUE);
		/* Only those on PCI have them. */
		if (g_str_has_prefix(interface->model, "virtio-net-pci"))
			json_object_set_int_member(device, "vectors",
						   2 * interface->queues + VECTORS_BESIDES_QUEUES);
	}
	return json_node_init_object(json_node_alloc(), device);
}
