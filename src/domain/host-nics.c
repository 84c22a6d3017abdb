/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/host-nics.h"

#include <unistd.h>

#include "base/json-read.h"
#include "base/log.h"
#include "qemu/interface.h"

GHashTable *host_nics_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)host_nic_free);
}

GHashTable *host_nics_copy(GHashTable *nics)
{
	GHashTable *copy = host_nics_new();
	GHashTableIter iter;
	void *id, *nic;

	g_hash_table_iter_init(&iter, nics);
	while (g_hash_table_iter_next(&iter, &id, &nic))
		g_hash_table_insert(copy, g_strdup(id), host_nic_copy(nic));
	return copy;
}

/* Borrowed from interface and from alias. False if it stands on no link. */
static bool get_request(const DefinitionInterface *interface, const char *alias, HostNicRequest *ret_request)
{
	HostNicRequest request = {
		.source = interface->source,
		.mode = interface->mode,
		.mac = interface->mac,
		.queues = interface->queues,
		.vhost = interface->vhost,
		.alias = alias,
	};

	if (!host_nic_type_from_string(interface->type, &request.type))
		return false;
	*ret_request = request;
	return true;
}

HostNic *host_nics_plan_one(const DefinitionInterface *interface)
{
	HostNicRequest request;

	return get_request(interface, NULL, &request) ? host_nic_plan(&request) : NULL;
}

GHashTable *host_nics_plan(const Definition *definition)
{
	GHashTable *nics = host_nics_new();

	for (unsigned i = 0; i < definition->interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(definition->interfaces, i);
		HostNic *nic = host_nics_plan_one(interface);

		if (nic)
			g_hash_table_insert(nics, g_strdup(interface->id), nic);
	}
	return nics;
}

/* ---- made and removed ---- */

static void close_entry(void *data)
{
	(void)close(((QemuDescriptor *)data)->fd);
}

GArray *host_nics_descriptors_new(void)
{
	GArray *descriptors = g_array_new(FALSE, FALSE, sizeof(QemuDescriptor));

	g_array_set_clear_func(descriptors, close_entry);
	return descriptors;
}

static void add_descriptors(GArray *descriptors, const int *fds, unsigned n_fds, int first)
{
	for (unsigned i = 0; i < n_fds; i++) {
		const QemuDescriptor entry = { fds[i], first + (int)i };

		g_array_append_val(descriptors, entry);
	}
}

bool host_nics_make_one(HostNic *nic, const DefinitionInterface *interface, const char *domain, int first,
			GArray *descriptors, GError **error)
{
	/* What `ip link` shows: whose link it is. */
	g_autofree char *alias = g_strdup_printf("vmherald: %s %s", domain, interface->id);
	HostNicDescriptors made = { 0 };
	HostNicRequest request;

	if (!get_request(interface, alias, &request))
		return true;
	if (!host_nic_make(nic, &request, &made, error)) {
		g_prefix_error(error, "interface '%s': ", interface->id);
		return false;
	}
	add_descriptors(descriptors, made.queues, made.n_queues, first);
	add_descriptors(descriptors, made.vhost, made.n_vhost, first + (int)made.n_queues);
	return true;
}

/* Of those before it, when one could not be made. Foreign ones stay, as ever. */
static void take_back(GHashTable *nics, const Definition *definition, unsigned n_made)
{
	g_autoptr(GHashTable) made = host_nics_new();

	for (unsigned i = 0; i < n_made; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(definition->interfaces, i);
		const HostNic *nic = g_hash_table_lookup(nics, interface->id);

		if (nic)
			g_hash_table_insert(made, g_strdup(interface->id), host_nic_copy(nic));
	}
	host_nics_remove(made, definition->name);
}

bool host_nics_make(GHashTable *nics, const Definition *definition, GArray *descriptors, GError **error)
{
	int next_fd = QEMU_INTERFACE_FD_FIRST;

	for (unsigned i = 0; i < definition->interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(definition->interfaces, i);
		HostNic *nic = g_hash_table_lookup(nics, interface->id);

		if (nic && !host_nics_make_one(nic, interface, definition->name, next_fd, descriptors, error)) {
			take_back(nics, definition, i);
			return false;
		}
		next_fd += (int)definition_interface_count_descriptors(interface);
	}
	return true;
}

void host_nics_remove(GHashTable *nics, const char *domain)
{
	GHashTableIter iter;
	void *id, *value;

	g_hash_table_iter_init(&iter, nics);
	while (g_hash_table_iter_next(&iter, &id, &value)) {
		const HostNic *nic = value;
		g_autoptr(GError) error = NULL;

		if (nic->foreign || host_nic_remove(nic, &error))
			continue;
		log_event(LOG_ID_LINK_LEFT,
			  ((const LogField[]){ { LOG_FIELD_DOMAIN, domain },
					       { LOG_FIELD_LINK, nic->link },
					       { LOG_FIELD_ERROR, error->message }, { NULL } }),
			  "%s: interface '%s': %s", domain, (const char *)id, error->message);
	}
}

/* ---- in the run file ---- */

void host_nic_write(JsonBuilder *builder, const char *member, const HostNic *nic)
{
	json_builder_set_member_name(builder, member);
	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "type");
	json_builder_add_string_value(builder, host_nic_type_to_string(nic->type));
	json_builder_set_member_name(builder, "link");
	json_builder_add_string_value(builder, nic->link);
	json_builder_set_member_name(builder, "index");
	json_builder_add_int_value(builder, nic->index);
	json_builder_set_member_name(builder, "foreign");
	json_builder_add_boolean_value(builder, nic->foreign);
	json_builder_end_object(builder);
}

HostNic *host_nic_read_json(JsonObject *object)
{
	const char *type, *link;
	HostNicType known;
	int64_t index;
	HostNic *nic;

	if (!json_read_string(object, "type", &type) || !host_nic_type_from_string(type, &known) ||
	    !json_read_string(object, "link", &link) || !json_read_int(object, "index", &index) ||
	    index < 0 || index > G_MAXINT32)
		return NULL;
	nic = g_new0(HostNic, 1);
	nic->type = known;
	nic->link = g_strdup(link);
	nic->index = (unsigned)index;
	(void)json_read_bool(object, "foreign", &nic->foreign);
	return nic;
}

void host_nics_write(JsonBuilder *builder, const char *member, GHashTable *nics)
{
	GHashTableIter iter;
	void *id, *nic;

	json_builder_set_member_name(builder, member);
	json_builder_begin_object(builder);
	g_hash_table_iter_init(&iter, nics);
	while (g_hash_table_iter_next(&iter, &id, &nic))
		host_nic_write(builder, id, nic);
	json_builder_end_object(builder);
}

GHashTable *host_nics_read(JsonObject *object)
{
	GHashTable *nics = host_nics_new();
	JsonObjectIter iter;
	const char *id;
	JsonNode *node;

	if (!object)
		return nics;
	json_object_iter_init(&iter, object);
	while (json_object_iter_next(&iter, &id, &node)) {
		HostNic *nic = host_nic_read_json(json_node_as_object(node));

		if (nic)
			g_hash_table_insert(nics, g_strdup(id), nic);
	}
	return nics;
}
