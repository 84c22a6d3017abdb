/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/snapshot-internal.h"

#include <string.h>

#include "bus/names.h"
#include "bus/object-path.h"
#include "client/interface-name.h"
#include "client/value-internal.h"

#define DOMAIN_INTERFACE BUS_INTERFACE("Domain")

/* All strings are places in objects, or the snapshot's. */
struct VmhSnapshot {
	int references;
	uint64_t sequence;
	GVariant *objects;           /* in one piece */
	GArray *infos;               /* of VmhDomainInfo, by name */
	GHashTable *by_name;         /* to the index + 1 */
	GHashTable *by_id;           /* uuid and path */
	GStringChunk *uuids;
};

/* The properties of the interface Domain, and where each goes. */
static const struct {
	const char *name;
	char type;
	size_t place;
} properties[] = {
	{ "Name", 's', offsetof(VmhDomainInfo, name) },
	{ "Title", 's', offsetof(VmhDomainInfo, title) },
	{ "StateReason", 's', offsetof(VmhDomainInfo, state_reason) },
	{ "Emulator", 's', offsetof(VmhDomainInfo, emulator) },
	{ "Machine", 's', offsetof(VmhDomainInfo, machine) },
	{ "Incarnation", 't', offsetof(VmhDomainInfo, incarnation) },
	{ "StartedAt", 't', offsetof(VmhDomainInfo, started_at) },
	{ "Memory", 't', offsetof(VmhDomainInfo, memory) },
	{ "PID", 'u', offsetof(VmhDomainInfo, pid) },
	{ "CPUs", 'u', offsetof(VmhDomainInfo, cpus) },
	{ "Persistent", 'b', offsetof(VmhDomainInfo, persistent) },
	{ "Adopted", 'b', offsetof(VmhDomainInfo, adopted) },
	{ "Autostart", 'b', offsetof(VmhDomainInfo, autostart) },
	{ "HasSavedState", 'b', offsetof(VmhDomainInfo, has_saved_state) },
};

static void read_property(const VmhValue *dict, unsigned index, VmhDomainInfo *info)
{
	g_autoptr(VmhValue) value = vmh_value_lookup(dict, properties[index].name);
	void *place = (char *)info + properties[index].place;
	uint64_t number = 0;

	switch (properties[index].type) {
	case 's':
		*(const char **)place = vmh_value_get_string(value) ?: "";
		break;
	case 'b':
		vmh_value_get_bool(value, place);
		break;
	case 't':
		vmh_value_get_uint64(value, place);
		break;
	case 'u':
		vmh_value_get_uint64(value, &number);
		*(uint32_t *)place = number <= UINT32_MAX ? (uint32_t)number : 0;
		break;
	default:
		g_assert_not_reached();
	}
}

static void add_domain(VmhSnapshot *snapshot, const char *path, GVariant *dict)
{
	const VmhValue *value = value_from_gvariant(dict);
	VmhDomainInfo info = { .path = path };
	char uuid[BUS_PATH_UUID_LENGTH + 1];

	if (!bus_path_to_uuid(path, uuid))
		return;
	info.uuid = g_string_chunk_insert(snapshot->uuids, uuid);
	info.state = vmh_domain_state_from_string(vmh_value_lookup_string(value, "State"));
	for (unsigned i = 0; i < G_N_ELEMENTS(properties); i++)
		read_property(value, i, &info);
	g_array_append_val(snapshot->infos, info);
}

static void read_objects(VmhSnapshot *snapshot)
{
	for (size_t i = 0; i < g_variant_n_children(snapshot->objects); i++) {
		g_autoptr(GVariant) interfaces = NULL, dict = NULL;
		const char *path;

		g_variant_get_child(snapshot->objects, i, "{&o@a{sa{sv}}}", &path, &interfaces);
		dict = g_variant_lookup_value(interfaces, DOMAIN_INTERFACE, G_VARIANT_TYPE_VARDICT);
		if (dict)
			add_domain(snapshot, path, dict);
	}
}

static int compare_names(const void *a, const void *b)
{
	const VmhDomainInfo *first = a, *second = b;
	int order = strcmp(first->name, second->name);

	return order != 0 ? order : strcmp(first->uuid, second->uuid);
}

static void make_index(VmhSnapshot *snapshot)
{
	for (unsigned i = 0; i < snapshot->infos->len; i++) {
		VmhDomainInfo *info = &g_array_index(snapshot->infos, VmhDomainInfo, i);

		g_hash_table_insert(snapshot->by_name, (void *)info->name, GUINT_TO_POINTER(i + 1));
		g_hash_table_insert(snapshot->by_id, (void *)info->uuid, GUINT_TO_POINTER(i + 1));
		g_hash_table_insert(snapshot->by_id, (void *)info->path, GUINT_TO_POINTER(i + 1));
	}
}

VmhSnapshot *snapshot_new(GVariant *objects, uint64_t sequence)
{
	VmhSnapshot *snapshot = g_new0(VmhSnapshot, 1);

	snapshot->references = 1;
	snapshot->sequence = sequence;
	snapshot->objects = g_variant_ref_sink(objects);
	snapshot->infos = g_array_new(false, true, sizeof(VmhDomainInfo));
	snapshot->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	snapshot->by_id = g_hash_table_new(g_str_hash, g_str_equal);
	snapshot->uuids = g_string_chunk_new(BUS_PATH_UUID_LENGTH + 1);
	g_variant_get_data(objects);
	read_objects(snapshot);
	g_array_sort(snapshot->infos, compare_names);
	make_index(snapshot);
	return snapshot;
}

VmhSnapshot *vmh_snapshot_ref(VmhSnapshot *snapshot)
{
	g_atomic_int_inc(&snapshot->references);
	return snapshot;
}

void vmh_snapshot_unref(VmhSnapshot *snapshot)
{
	if (!snapshot || !g_atomic_int_dec_and_test(&snapshot->references))
		return;
	g_hash_table_unref(snapshot->by_name);
	g_hash_table_unref(snapshot->by_id);
	g_array_unref(snapshot->infos);
	g_string_chunk_free(snapshot->uuids);
	g_variant_unref(snapshot->objects);
	g_free(snapshot);
}

uint64_t vmh_snapshot_get_sequence(const VmhSnapshot *snapshot)
{
	return snapshot->sequence;
}

size_t vmh_snapshot_get_length(const VmhSnapshot *snapshot)
{
	return snapshot->infos->len;
}

const VmhDomainInfo *vmh_snapshot_get_info(const VmhSnapshot *snapshot, size_t index)
{
	return index < snapshot->infos->len ? &g_array_index(snapshot->infos, VmhDomainInfo, index) : NULL;
}

static unsigned find(GHashTable *index, const char *key)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(index, key));
}

const VmhDomainInfo *vmh_snapshot_find(const VmhSnapshot *snapshot, const char *name_uuid_or_path)
{
	g_autofree char *lower = NULL;
	unsigned found;

	if (!name_uuid_or_path)
		return NULL;
	/* As the service looks: a name before a uuid, which may be in any case. */
	lower = g_ascii_strdown(name_uuid_or_path, -1);
	found = find(snapshot->by_name, name_uuid_or_path) ?: find(snapshot->by_id, name_uuid_or_path)
		?: find(snapshot->by_id, lower);
	return found > 0 ? vmh_snapshot_get_info(snapshot, found - 1) : NULL;
}

VmhValue *vmh_snapshot_get_properties(const VmhSnapshot *snapshot, size_t index, const char *interface)
{
	const VmhDomainInfo *info = vmh_snapshot_get_info(snapshot, index);
	g_autofree char *name = interface_get_full_name(interface);
	g_autoptr(VmhValue) interfaces = NULL;

	if (!info || !name)
		return NULL;
	interfaces = vmh_value_lookup(value_from_gvariant(snapshot->objects), info->path);
	return vmh_value_lookup(interfaces, name);
}
