/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * Memory devices (dimm, nvdimm, virtio-mem, virtio-pmem): how much of each is plugged in. Only that of
 * virtio-mem changes, when its guest takes or gives back what was asked of it.
 */

static bool is_memory_driver(const char *driver)
{
	static const char *const prefixes[] = { "pc-dimm", "nvdimm", "virtio-mem", "virtio-pmem" };

	for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(driver, prefixes[i]))
			return true;
	return false;
}

void memory_device_added(Domain *domain, const DomainDevice *device)
{
	if (is_memory_driver(device->driver))
		domain_refresh(domain, STATE_QUERY_MEMORY_DEVICES);
}

/* True if that is something new of a device whose size was known. */
static bool set_size(Domain *domain, DomainDevice *device, uint64_t size)
{
	bool was_known = device->is_memory;

	if (was_known && device->size == size)
		return false;
	device->is_memory = true;
	device->size = size;
	domain_changed(domain, DOMAIN_PROPERTY_DEVICES);
	return was_known;
}

void memory_commit_size(Domain *domain, Event *event)
{
	const char *id = devices_id_from_path(event->memory_device_size_changed.qom_path);
	DomainDevice *device;

	if (!*event->memory_device_size_changed.id && id)
		event->memory_device_size_changed.id = event_string(event, id);
	device = g_hash_table_lookup(domain->devices, event->memory_device_size_changed.id);
	if (device)
		(void)set_size(domain, device, event->memory_device_size_changed.size);
	domain_publish(domain, event);
}

static void find_size(Domain *domain, DomainDevice *device, uint64_t size)
{
	Event *event;

	if (!set_size(domain, device, size) || !resync_tells(domain))
		return;
	event = event_new(EVENT_MEMORY_DEVICE_SIZE_CHANGED, 0);
	event->memory_device_size_changed.id = event_string(event, device->id);
	event->memory_device_size_changed.size = size;
	event->memory_device_size_changed.qom_path = event_string(event, device->qom_path);
	event_add_resync(event);
	domain_publish(domain, event);
}

/* Entries like {"type": "virtio-mem", "data": {"id": "vmem0", "size": 134217728, "requested-size": ...}}. */
void memory_resync(Domain *domain, JsonNode *list)
{
	JsonArray *array = json_node_as_array(list);
	unsigned length = array ? json_array_get_length(array) : 0;

	for (unsigned i = 0; i < length; i++) {
		JsonObject *entry = json_node_as_object(json_array_get_element(array, i));
		JsonObject *data = json_read_object(entry, "data");
		DomainDevice *device = NULL;
		const char *id;
		int64_t size;

		if (json_read_string(data, "id", &id))
			device = g_hash_table_lookup(domain->devices, id);
		if (device && json_read_int(data, "size", &size) && size >= 0)
			find_size(domain, device, (uint64_t)size);
	}
}
