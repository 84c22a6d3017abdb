/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/interface.h"

#include <string.h>

/* Besides the queues: one for the configuration, one for the control queue. */
#define VECTORS_BESIDES_QUEUES 2u

static bool is_on_link(const DefinitionInterface *interface)
{
	return strcmp(interface->type, "tap") == 0 || strcmp(interface->type, "bridge") == 0 ||
	       strcmp(interface->type, "macvtap") == 0;
}

unsigned qemu_interface_count_fds(const DefinitionInterface *interface)
{
	if (!is_on_link(interface))
		return 0;
	return interface->vhost ? 2 * interface->queues : interface->queues;
}

char *qemu_interface_netdev_id(const DefinitionInterface *interface)
{
	return g_strconcat("host-", interface->id, NULL);
}

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
	g_autofree char *id = qemu_interface_netdev_id(interface);
	JsonObject *netdev;

	if (strcmp(interface->type, "none") == 0)
		return NULL;
	netdev = json_object_new();
	json_object_set_string_member(netdev, "type", is_on_link(interface) ? "tap" : interface->type);
	json_object_set_string_member(netdev, "id", id);
	if (is_on_link(interface))
		set_fds(netdev, "fd", "fds", fds, interface->queues);
	if (is_on_link(interface) && interface->vhost) {
		json_object_set_boolean_member(netdev, "vhost", TRUE);
		set_fds(netdev, "vhostfd", "vhostfds", fds + interface->queues, interface->queues);
	}
	return json_node_init_object(json_node_alloc(), netdev);
}

JsonNode *qemu_interface_make_numbered_netdev(const DefinitionInterface *interface, int first)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_auto(GStrv) fds = NULL;

	for (unsigned i = 0; i < qemu_interface_count_fds(interface); i++) {
		g_autofree char *number = g_strdup_printf("%d", first + (int)i);

		g_strv_builder_add(builder, number);
	}
	fds = g_strv_builder_end(builder);
	return qemu_interface_make_netdev(interface, (const char *const *)fds);
}

JsonNode *qemu_interface_make_device(const DefinitionInterface *interface)
{
	JsonObject *device = json_object_new();

	json_object_set_string_member(device, "driver", interface->model);
	json_object_set_string_member(device, "id", interface->id);
	if (strcmp(interface->type, "none") != 0) {
		g_autofree char *netdev = qemu_interface_netdev_id(interface);

		json_object_set_string_member(device, "netdev", netdev);
	}
	json_object_set_string_member(device, "mac", interface->mac);
	if (interface->bus)
		json_object_set_string_member(device, "bus", interface->bus);
	if (interface->queues > 1) {
		json_object_set_boolean_member(device, "mq", TRUE);
		json_object_set_int_member(device, "vectors",
					   2 * interface->queues + VECTORS_BESIDES_QUEUES);
	}
	return json_node_init_object(json_node_alloc(), device);
}
