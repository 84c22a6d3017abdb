/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * Devices that come and go.
 *
 * QEMU has no event for a device that was added (device_add just succeeds), so DeviceAdded is ours. A
 * device that goes is told by DEVICE_DELETED, first for its children
 * (/machine/peripheral/ID/virtio-backend, without an id), then for itself: the children are told in
 * the details of their parent's DeviceRemoved.
 *
 * The backends that came in with a device go out when it has gone and before that is told (class
 * prepare), so that who hears DeviceRemoved can use their names again.
 *
 * WARNING: QEMU frees the id of a device some time before it tells that it has gone. An id found free by a
 * query may have been taken again by then, and the event that comes late is not about its new owner. So
 * whoever has the id is looked for before anything is taken from it.
 */

#define DEVICES_MAX          4096u
#define REMOVED_CHILDREN_MAX 64u

/* ---- the list ---- */

const char *devices_id_from_path(const char *qom_path)
{
	const char *id;

	if (!g_str_has_prefix(qom_path, DEVICES_PERIPHERAL))
		return NULL;
	id = qom_path + strlen(DEVICES_PERIPHERAL);
	return *id && !strchr(id, '/') ? id : NULL;
}

const char *devices_get_path(const Domain *domain, const char *id)
{
	const DomainDevice *device = g_hash_table_lookup(domain->devices, id);

	return device ? device->qom_path : "";
}

const char *devices_find_by_driver(const Domain *domain, const char *prefix)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, domain->devices);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const DomainDevice *device = value;

		if (g_str_has_prefix(device->driver, prefix))
			return device->id;
	}
	return "";
}

typedef struct PropertyQuery {
	Domain *domain;
	uint64_t run;
	char *id;
	DevicePropertyTaken taken;
} PropertyQuery;

static void on_property(JsonNode *result, const GError *error, void *userdata)
{
	PropertyQuery *query = userdata;
	Domain *domain = query->domain;

	if (domain->host && domain->run == query->run && result && JSON_NODE_HOLDS_VALUE(result) &&
	    json_node_get_value_type(result) == G_TYPE_STRING)
		query->taken(domain, query->id, json_node_get_string(result));
	domain_unref(domain);
	g_free(query->id);
	g_free(query);
}

static JsonNode *property_arguments(const DomainDevice *device, const char *property)
{
	JsonNode *arguments = call_arguments("path", device->qom_path);

	json_object_set_string_member(json_node_get_object(arguments), "property", property);
	return arguments;
}

void devices_ask_property(Domain *domain, const DomainDevice *device, const char *property,
			  DevicePropertyTaken taken)
{
	PropertyQuery *query = g_new0(PropertyQuery, 1);

	query->domain = domain_ref(domain);
	query->run = domain->run;
	query->id = g_strdup(device->id);
	query->taken = taken;
	resync_query(domain, "qom-get", property_arguments(device, property), on_property, query);
}

/* The path of the bus; its last part is its name. */
static void take_bus(Domain *domain, const char *id, const char *path)
{
	DomainDevice *device = g_hash_table_lookup(domain->devices, id);
	const char *slash = strrchr(path, '/');

	if (!device)
		return;
	g_free(device->bus);
	device->bus = g_strdup(slash ? slash + 1 : path);
	domain_changed(domain, DOMAIN_PROPERTY_DEVICES);
}

/* What else there is to know of it is asked later. */
static DomainDevice *device_new(const char *id, const char *driver)
{
	DomainDevice *device = g_new0(DomainDevice, 1);

	device->id = g_strdup(id);
	device->driver = g_strdup(driver);
	device->qom_path = g_strconcat(DEVICES_PERIPHERAL, id, NULL);
	device->bus = g_strdup("");
	return device;
}

static void add_device(Domain *domain, const char *id, const char *driver)
{
	DomainDevice *device;

	if (g_hash_table_size(domain->devices) >= DEVICES_MAX) {
		domain_log(domain, LOG_NOTICE, "more than %u devices; '%s' is left out of the list",
			   DEVICES_MAX, id);
		return;
	}
	/* What was told of an earlier one of that id has nothing to do with this one. */
	(void)g_hash_table_remove(domain->found_removed, id);
	device = device_new(id, driver);
	g_hash_table_replace(domain->devices, device->id, device);
	domain_changed(domain, DOMAIN_PROPERTY_DEVICES);

	channels_device_added(domain, device);
	memory_device_added(domain, device);
	balloon_device_changed(domain, driver, false);
	devices_ask_property(domain, device, "parent_bus", take_bus);
}

static void on_removal_written(Domain *domain, const GError *error, void *userdata)
{
	if (error)
		domain_log(domain, LOG_INFO, "%s", error->message);
}

static void tell_removed(Domain *domain, Event *event);

GHashTable *devices_list_told(const Domain *domain)
{
	GHashTable *devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GHashTableIter iter;
	void *id, *value;

	/* Not compared yet, so still what listeners know. */
	if (domain->told_devices) {
		g_hash_table_unref(devices);
		return g_hash_table_ref(domain->told_devices);
	}
	g_hash_table_iter_init(&iter, domain->devices);
	while (g_hash_table_iter_next(&iter, &id, &value))
		g_hash_table_insert(devices, g_strdup(id),
				    g_strdup(((const DomainDevice *)value)->driver));
	return devices;
}

/* The next service shall know what listeners were told. */
static void note_told(Domain *domain)
{
	if (!domain->start)
		domain_write_run_file(domain, true, on_removal_written, NULL);
}

/* DEVICE_DELETED may still come, if it is just going: it is not told twice. */
static void find_removed(Domain *domain, const char *id)
{
	g_autofree char *path = g_strconcat(DEVICES_PERIPHERAL, id, NULL);
	Event *event = event_new(EVENT_DEVICE_REMOVED, 0);

	event->device_removed.id = event_string(event, id);
	event->device_removed.qom_path = event_string(event, path);
	event_add_resync(event);
	g_hash_table_add(domain->found_removed, g_strdup(id));
	tell_removed(domain, event);
}

/* Backends whose device is gone from the list without a DEVICE_DELETED. */
typedef struct Orphan {
	Domain *domain;
	uint64_t run;
	char *id;
	unsigned pending;
	bool in_use;
	bool told;                  /* as a device, by the service before this one */
} Orphan;

/* Also where there was none: what it stood on has gone, and the run file says so. */
static void on_left_link_removed(Domain *domain, void *userdata)
{
	if (domain->host && !domain->ending)
		domain_write_run_file(domain, true, on_removal_written, NULL);
}

static void orphan_step(Orphan *orphan)
{
	Domain *domain = orphan->domain;

	if (--orphan->pending > 0)
		return;
	if (!orphan->in_use && domain->host && domain->run == orphan->run &&
	    g_hash_table_remove(domain->backends, orphan->id)) {
		nic_links_remove(domain, orphan->id, on_left_link_removed, NULL);
		if (orphan->told || g_hash_table_contains(domain->devices, orphan->id))
			find_removed(domain, orphan->id);
	}
	domain_unref(domain);
	g_free(orphan->id);
	g_free(orphan);
}

static void on_orphan_removed(JsonNode *result, const GError *error, void *userdata)
{
	Orphan *orphan = userdata;

	if (error)
		domain_log(orphan->domain, LOG_INFO, "a backend of device '%s', which is gone: %s",
			   orphan->id, error->message);
	/* It may have been taken out already, and nobody has come to write that down. */
	orphan->in_use |= error && !g_error_matches(error, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE);
	orphan_step(orphan);
}

static void remove_orphan(Domain *domain, const char *id, const Backends *backends)
{
	Orphan *orphan = g_new0(Orphan, 1);

	orphan->domain = domain_ref(domain);
	orphan->run = domain->run;
	orphan->id = g_strdup(id);
	orphan->pending = 1;
	orphan->told = domain->told_devices && g_hash_table_contains(domain->told_devices, id);
	for (unsigned i = BACKEND_MAX; i-- > 0;) {
		if (!backends->ids[i])
			continue;
		orphan->pending++;
		resync_query(domain, backend_rows[i].remove,
			     call_arguments(backend_rows[i].remove_member, backends->ids[i]),
			     on_orphan_removed, orphan);
	}
	orphan_step(orphan);
}

/* A device may have gone while nobody listened; then its backends are taken out now. Or it is just going:
 * QEMU takes it from the list before it lets go of them and tells. Then they stay known until it does. */
static void remove_orphans(Domain *domain, GHashTable *listed)
{
	g_autofree void **keys = g_hash_table_get_keys_as_array(domain->backends, NULL);
	/* Copied, for the table may shrink meanwhile. */
	g_auto(GStrv) ids = g_strdupv((char **)keys);

	for (unsigned i = 0; ids[i]; i++) {
		const Backends *backends = g_hash_table_lookup(domain->backends, ids[i]);

		if (backends && !g_hash_table_contains(listed, ids[i]))
			remove_orphan(domain, ids[i], backends);
	}
}

/* What qom-list says of /machine/peripheral, entries like {"name": "net0", "type": "child<virtio-net-pci>"}:
 * id -> driver. */
static GHashTable *read_list(JsonNode *list)
{
	JsonArray *array = json_node_as_array(list);
	unsigned length = array ? json_array_get_length(array) : 0;
	GHashTable *drivers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	for (unsigned i = 0; i < length; i++) {
		JsonObject *entry = json_node_as_object(json_array_get_element(array, i));
		const char *name, *type;

		if (json_read_string(entry, "name", &name) &&
		    json_read_string(entry, "type", &type) && g_str_has_prefix(type, "child<"))
			g_hash_table_replace(drivers, g_strdup(name),
					     g_strndup(type + strlen("child<"),
						       strcspn(type + strlen("child<"), ">")));
	}
	return drivers;
}

static Event *make_added(Domain *domain, const char *id, const char *driver)
{
	g_autofree char *path = g_strconcat(DEVICES_PERIPHERAL, id, NULL);
	Event *event = event_new(EVENT_DEVICE_ADDED, 0);

	add_device(domain, id, driver);
	event->device_added.id = event_string(event, id);
	event->device_added.driver = event_string(event, driver);
	event->device_added.qom_path = event_string(event, path);
	if (domain->told_devices)
		g_hash_table_insert(domain->told_devices, g_strdup(id), g_strdup(driver));
	note_told(domain);
	return event;
}

static void find_added(Domain *domain, const char *id, const char *driver)
{
	Event *event;

	bool is_news = domain->told_devices && domain->resync && !g_hash_table_contains(domain->told_devices, id);

	if (!resync_tells(domain) && !is_news) {
		add_device(domain, id, driver);
		return;
	}
	event = make_added(domain, id, driver);
	event_add_resync(event);
	domain_publish(domain, event);
}

/* Those that the service before this one has told, and that are gone: listed once more, to be found removed. One with
 * backends may be just going (remove_orphans()). */
static void recall_gone(Domain *domain, GHashTable *listed)
{
	GHashTableIter iter;
	void *id, *driver;

	g_hash_table_iter_init(&iter, domain->told_devices);
	while (g_hash_table_iter_next(&iter, &id, &driver)) {
		DomainDevice *device;

		if (g_hash_table_contains(listed, id) || g_hash_table_contains(domain->devices, id) ||
		    g_hash_table_contains(domain->backends, id) ||
		    g_hash_table_size(domain->devices) >= DEVICES_MAX)
			continue;
		device = device_new(id, driver);
		g_hash_table_replace(domain->devices, device->id, device);
	}
}

void devices_resync(Domain *domain, JsonNode *list)
{
	g_autoptr(GHashTable) drivers = read_list(list);
	g_autofree void **keys = NULL;
	g_auto(GStrv) known = NULL;
	GHashTableIter iter;
	void *id, *driver;

	if (domain->told_devices && domain->resync)
		recall_gone(domain, drivers);
	/* Copied, for the table may shrink meanwhile. */
	keys = g_hash_table_get_keys_as_array(domain->devices, NULL);
	known = g_strdupv((char **)keys);
	for (unsigned i = 0; known[i]; i++)
		if (!g_hash_table_contains(drivers, known[i]) &&
		    !g_hash_table_contains(domain->backends, known[i]))
			find_removed(domain, known[i]);
	g_hash_table_iter_init(&iter, drivers);
	while (g_hash_table_iter_next(&iter, &id, &driver))
		if (!g_hash_table_contains(domain->devices, id))
			find_added(domain, id, driver);
	remove_orphans(domain, drivers);
	if (domain->resync)
		g_clear_pointer(&domain->told_devices, g_hash_table_unref);
}

void devices_tell_added(Domain *domain, const char *id, const char *driver)
{
	domain_publish(domain, make_added(domain, id, driver));
	/* If it is a NIC, this is what its first change is compared with. */
	filter_watch_query_all(domain->filter_watch);
	/* If it is a drive. */
	domain_refresh(domain, STATE_QUERY_DRIVES);
}

/* A client's own device_add succeeded (Monitor.Execute). One without an id is not in the list, but it may be a
 * drive. */
void devices_added_by_command(Domain *domain, JsonObject *arguments)
{
	const char *id, *driver;

	if (!json_read_string(arguments, "id", &id)) {
		drives_changed(domain);
		return;
	}
	if (json_read_string(arguments, "driver", &driver) &&
	    !g_hash_table_contains(domain->devices, id))
		devices_tell_added(domain, id, driver);
}

/* ---- DEVICE_DELETED ---- */

static void on_backend_removed(Domain *domain, Prepare *prepare, const char *id, JsonNode *result,
			       const GError *error)
{
	if (error)
		domain_log(domain, LOG_NOTICE, "a backend of device '%s', which is removed, stays: "
			   "%s", id, error->message);
}

static void on_link_removed(Domain *domain, void *userdata)
{
	prepare_end(userdata);
}

/* Then nothing holds the link any more that it stood on. */
static void on_netdev_removed(Domain *domain, Prepare *prepare, const char *id, JsonNode *result,
			      const GError *error)
{
	on_backend_removed(domain, prepare, id, result, error);
	nic_links_remove(domain, id, on_link_removed, prepare_hold(prepare));
}

static void take_backends_out(Domain *domain, Prepare *prepare, const char *id)
{
	const Backends *backends = g_hash_table_lookup(domain->backends, id);

	for (unsigned i = BACKEND_MAX; backends && i-- > 0;)
		if (backends->ids[i])
			prepare_ask(prepare, backend_rows[i].remove,
				    call_arguments(backend_rows[i].remove_member, backends->ids[i]),
				    i == BACKEND_NETDEV ? on_netdev_removed : on_backend_removed);
}

static void on_looked_for(Domain *domain, Prepare *prepare, const char *id, JsonNode *result,
			  const GError *error)
{
	if (error)
		take_backends_out(domain, prepare, id);
	else
		g_hash_table_add(domain->found_removed, g_strdup(id));
}

bool devices_prepare_removed(Domain *domain, const Event *event, Strand *strand)
{
	const char *id = event->device_removed.id;
	const DomainDevice *device = g_hash_table_lookup(domain->devices, id);
	Prepare *prepare;

	if (!*id || (!device && !g_hash_table_contains(domain->backends, id)))
		return true;
	prepare = prepare_begin(domain, strand, id);
	if (!prepare)
		return true;
	if (device)
		prepare_ask(prepare, "qom-get", property_arguments(device, "type"), on_looked_for);
	else
		take_backends_out(domain, prepare, id);
	prepare_end(prepare);
	return false;
}

/* True if path lies below a device with an id: /machine/peripheral/ID/... Whether it is in our list does not
 * matter: a list read afresh no longer has a device that is just going. */
static bool is_child_of_device(const char *path)
{
	return g_str_has_prefix(path, DEVICES_PERIPHERAL) &&
	       strchr(path + strlen(DEVICES_PERIPHERAL), '/');
}

static void add_children(Domain *domain, Event *event)
{
	g_autofree char *prefix = g_strconcat(event->device_removed.qom_path, "/", NULL);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_auto(GStrv) children = NULL;

	for (unsigned i = 0; i < domain->removed_children->len;) {
		const char *child = g_ptr_array_index(domain->removed_children, i);

		if (!g_str_has_prefix(child, prefix)) {
			i++;
			continue;
		}
		g_strv_builder_add(builder, child);
		g_ptr_array_remove_index(domain->removed_children, i);
	}
	children = g_strv_builder_end(builder);
	if (*children)
		event_add_detail(event, "children",
				 g_variant_new_strv((const char *const *)children, -1));
}

/* Who waits for it to go is answered. */
static void tell_removed(Domain *domain, Event *event)
{
	/* A copy: the event is given away before it is used for the last time. */
	g_autofree char *id = g_strdup(event->device_removed.id);
	const DomainDevice *device = g_hash_table_lookup(domain->devices, id);
	Operation *detach = *id ? detach_find(domain, id) : NULL;

	if (g_hash_table_contains(domain_get_filters(domain), id))
		domain_changed(domain, DOMAIN_PROPERTY_FILTERS);
	/* Also one whose first filter is still being worked on. */
	if (*id)
		filter_watch_forget(domain->filter_watch, id);
	nic_sync_forget(domain, id);
	channels_device_removed(domain, id);
	drives_device_removed(domain, id);
	if (device)
		balloon_device_changed(domain, device->driver, true);
	if (domain->told_devices)
		(void)g_hash_table_remove(domain->told_devices, id);
	if (g_hash_table_remove(domain->devices, id))
		domain_changed(domain, DOMAIN_PROPERTY_DEVICES);
	note_told(domain);
	add_children(domain, event);
	domain_publish(domain, event);
	/* It has gone, so its time is not up; answered when the run file says so too. */
	if (detach)
		domain_clear_timer(domain, &detach->timer);
	live_definition_remove(domain, id, detach ? detach->id : 0);
}

/* An emulated CPU is never freed by QEMU 7.2, so all that is told of its end is that of its interrupt
 * controller, which is a part of it. Whether it has gone, the list knows. */
static void look_for_cpu(Domain *domain, const char *child)
{
	const char *rest = child + strlen(DEVICES_PERIPHERAL);
	g_autofree char *id = g_strndup(rest, strcspn(rest, "/"));
	const DomainDevice *device = g_hash_table_lookup(domain->devices, id);

	if (device && g_str_has_suffix(device->driver, "-cpu"))
		domain_refresh(domain, STATE_QUERY_DEVICES);
}

/* With a slash, which no id has: no device takes this place in the table, and remove_orphans() looks after it. */
void devices_keep_old_backends(Domain *domain, const char *id)
{
	char *known;
	Backends *backends;
	char *place = NULL;

	if (!g_hash_table_steal_extended(domain->backends, id, (void **)&known, (void **)&backends))
		return;
	for (unsigned i = 0; !place || g_hash_table_contains(domain->backends, place); i++) {
		g_free(place);
		place = g_strdup_printf("%s/%u", id, i);
	}
	g_free(known);
	nic_links_rename(domain, id, place);
	g_hash_table_insert(domain->backends, place, backends);
}

/* A device whose id is another's by now has gone; if it left backends behind, they can go, too. */
static void remove_old_backends(Domain *domain)
{
	GHashTableIter iter;
	void *id;

	g_hash_table_iter_init(&iter, domain->backends);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		if (!strchr(id, '/'))
			continue;
		domain_refresh(domain, STATE_QUERY_DEVICES);
		return;
	}
}

void devices_commit_removed(Domain *domain, Event *event)
{
	const char *id = event->device_removed.id;

	if (!*id && is_child_of_device(event->device_removed.qom_path))
		look_for_cpu(domain, event->device_removed.qom_path);
	if (!*id && is_child_of_device(event->device_removed.qom_path) &&
	    domain->removed_children->len < REMOVED_CHILDREN_MAX) {
		g_ptr_array_add(domain->removed_children,
				g_strdup(event->device_removed.qom_path));
		event_unref(event);
		return;
	}
	if (g_hash_table_remove(domain->found_removed, id)) {
		/* Told before, and nothing is known of it any more; what is known by that id is another. */
		add_children(domain, event);
		event_unref(event);
		remove_old_backends(domain);
		return;
	}
	/* What is told after the fact: QEMU was not asked to take them out, the reading of the state does that. */
	if (!handover_asks_nothing(domain) && g_hash_table_remove(domain->backends, id)) {
		/* It is gone already, unless QEMU could not be asked. */
		nic_links_remove(domain, id, on_left_link_removed, NULL);
		drives_changed(domain);
	} else if (!*id) {
		/* It may have been a drive, which goes by a name that the event does not say. */
		drives_changed(domain);
	}
	tell_removed(domain, event);
}
