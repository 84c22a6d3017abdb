/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-object.h"

#include "bus/names.h"
#include "bus/object-path.h"

static const struct {
	const char *interface;
	const sd_bus_vtable *vtable;
} interfaces[] = {
	{ BUS_INTERFACE("Domain"), domain_interface_vtable },
	{ BUS_INTERFACE("Devices"), devices_interface_vtable },
	{ BUS_INTERFACE("Network"), network_interface_vtable },
	{ BUS_INTERFACE("Block"), block_interface_vtable },
	{ BUS_INTERFACE("Guest"), guest_interface_vtable },
	{ BUS_INTERFACE("Display"), display_interface_vtable },
	{ BUS_INTERFACE("Migration"), migration_interface_vtable },
	{ BUS_INTERFACE("Monitor"), monitor_interface_vtable },
};

/* Those that sd-bus has of each object. */
static const char *const standard_interfaces[] = {
	"org.freedesktop.DBus.Peer",
	"org.freedesktop.DBus.Introspectable",
	BUS_PROPERTIES,
};

/* What changes together in the core, and what that is on the bus. */
static const struct {
	DomainProperty property;
	const char *interface;
	const char *names[6];
} property_rows[] = {
	{ DOMAIN_PROPERTY_NAME, BUS_INTERFACE("Domain"), { "Name" } },
	{ DOMAIN_PROPERTY_TITLE, BUS_INTERFACE("Domain"), { "Title" } },
	{ DOMAIN_PROPERTY_STATE, BUS_INTERFACE("Domain"), { "State", "StateReason" } },
	{ DOMAIN_PROPERTY_INCARNATION, BUS_INTERFACE("Domain"), { "Incarnation" } },
	{ DOMAIN_PROPERTY_PERSISTENT, BUS_INTERFACE("Domain"), { "Persistent" } },
	{ DOMAIN_PROPERTY_AUTOSTART, BUS_INTERFACE("Domain"), { "Autostart" } },
	{ DOMAIN_PROPERTY_SAVED_STATE, BUS_INTERFACE("Domain"), { "HasSavedState" } },
	{ DOMAIN_PROPERTY_PROCESS, BUS_INTERFACE("Domain"), { "PID", "StartedAt" } },
	{ DOMAIN_PROPERTY_UNIT, BUS_INTERFACE("Domain"), { "Unit" } },
	{ DOMAIN_PROPERTY_HARDWARE, BUS_INTERFACE("Domain"),
	  { "Emulator", "Machine", "Accelerator", "CPUs", "Memory" } },
	{ DOMAIN_PROPERTY_DEVICES, BUS_INTERFACE("Devices"), { "Devices" } },
	{ DOMAIN_PROPERTY_TRAYS, BUS_INTERFACE("Devices"), { "Trays" } },
	{ DOMAIN_PROPERTY_FILTERS, BUS_INTERFACE("Network"), { "Filters" } },
	{ DOMAIN_PROPERTY_JOBS, BUS_INTERFACE("Block"), { "Jobs" } },
	{ DOMAIN_PROPERTY_IO_STATUS, BUS_INTERFACE("Block"), { "IOStatus" } },
	{ DOMAIN_PROPERTY_THRESHOLDS, BUS_INTERFACE("Block"), { "WriteThresholds" } },
	{ DOMAIN_PROPERTY_CHANNELS, BUS_INTERFACE("Guest"), { "Channels" } },
	{ DOMAIN_PROPERTY_BALLOON, BUS_INTERFACE("Guest"), { "Balloon" } },
	{ DOMAIN_PROPERTY_CLIENTS, BUS_INTERFACE("Display"), { "Clients" } },
	{ DOMAIN_PROPERTY_MIGRATION, BUS_INTERFACE("Migration"), { "Status" } },
	{ DOMAIN_PROPERTY_PROGRESS, BUS_INTERFACE("Migration"), { "Progress" } },
	{ DOMAIN_PROPERTY_QEMU_VERSION, BUS_INTERFACE("Monitor"), { "QemuVersion" } },
	{ DOMAIN_PROPERTY_CONNECTED, BUS_INTERFACE("Monitor"), { "Connected" } },
	{ DOMAIN_PROPERTY_IRREGULAR, BUS_INTERFACE("Monitor"), { "IrregularEvents" } },
};

/* sd-bus wants a pointer that lives while the call is dispatched; the domain itself does not know its service. One is
 * enough: everything happens on one thread, and a handler copies what it keeps. */
static DomainObject found;

static int find_domain(sd_bus *bus, const char *path, const char *interface, void *userdata,
		       void **ret_found, sd_bus_error *ret_error)
{
	Service *service = userdata;
	char uuid[BUS_PATH_UUID_LENGTH + 1];
	Domain *domain;

	if (!bus_path_to_uuid(path, uuid))
		return 0;
	domain = driver_find_domain_by_uuid(service->driver, uuid);
	if (!domain)
		return 0;
	found = (DomainObject){ service, domain };
	*ret_found = &found;
	return 1;
}

static int enumerate_domains(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
			     sd_bus_error *ret_error)
{
	Service *service = userdata;
	g_autoptr(GPtrArray) domains = driver_list_domains(service->driver);
	/* Freed by sd-bus, with free(). */
	char **nodes = calloc(domains->len + 1, sizeof(*nodes));

	g_assert(nodes);
	for (unsigned i = 0; i < domains->len; i++) {
		g_autofree char *path =
			bus_path_from_uuid(domain_get_uuid(g_ptr_array_index(domains, i)));

		nodes[i] = strdup(path);
		g_assert(nodes[i]);
	}
	*ret_nodes = nodes;
	return 0;
}

static bool is_property(const sd_bus_vtable *row)
{
	return row->type == _SD_BUS_VTABLE_PROPERTY || row->type == _SD_BUS_VTABLE_WRITABLE_PROPERTY;
}

/* Of the table of an interface. */
#define ROWS_MAX 64

/* Asked of each transition, so names are compared once: which properties of the core an interface shows, and which each
 * row of its table. */
static struct {
	DomainProperty all;
	DomainProperty of_row[ROWS_MAX];
} shown[G_N_ELEMENTS(interfaces)];

static DomainProperty find_property(const char *interface, const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(property_rows); i++)
		for (size_t k = 0; property_rows[i].names[k]; k++)
			if (g_str_equal(property_rows[i].interface, interface) &&
			    g_str_equal(property_rows[i].names[k], name))
				return property_rows[i].property;
	return 0;
}

static void find_shown(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++) {
		const sd_bus_vtable *vtable = interfaces[i].vtable;

		for (size_t j = 0; vtable[j].type != _SD_BUS_VTABLE_END; j++) {
			if (!is_property(&vtable[j]))
				continue;
			g_assert(j < ROWS_MAX);
			shown[i].of_row[j] = find_property(interfaces[i].interface,
							   vtable[j].x.property.member);
			shown[i].all |= shown[i].of_row[j];
		}
	}
}

int domain_object_register(Service *service)
{
	int r = sd_bus_add_node_enumerator(service->bus, NULL, BUS_DOMAIN_PATH, enumerate_domains,
					   service);

	find_shown();
	for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(interfaces); i++)
		r = actions_add_fallback(service->actions, service->bus, BUS_DOMAIN_PATH,
					 interfaces[i].interface, interfaces[i].vtable, find_domain,
					 service);
	return r;
}

/* What sd-bus does for each of GetManagedObjects() and PropertiesChanged, without looking for the domain and for the tables
 * of its path at each step. */
static int append_property(sd_bus_message *message, const char *path, const char *interface,
			   const sd_bus_vtable *row, DomainObject *object)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_message_open_container(message, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append_basic(message, 's', row->x.property.member);
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'v', row->x.property.signature);
	if (r >= 0)
		r = row->x.property.get(object->service->bus, path, interface, row->x.property.member,
					message, object, &error);
	sd_bus_error_free(&error);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(message);
	return r;
}

static bool is_told(const sd_bus_vtable *row)
{
	return is_property(row) &&
	       !(row->flags & (SD_BUS_VTABLE_HIDDEN | SD_BUS_VTABLE_PROPERTY_EXPLICIT));
}

/* vtable may be NULL: an interface without properties. */
static int append_interface(sd_bus_message *message, const char *path, const char *interface,
			    const sd_bus_vtable *vtable, DomainObject *object)
{
	int r = sd_bus_message_open_container(message, 'e', "sa{sv}");

	if (r >= 0)
		r = sd_bus_message_append_basic(message, 's', interface);
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'a', "{sv}");
	for (const sd_bus_vtable *row = vtable; r >= 0 && row && row->type != _SD_BUS_VTABLE_END; row++)
		if (is_told(row))
			r = append_property(message, path, interface, row, object);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(message);
	return r;
}

int domain_object_append(Service *service, Domain *domain, sd_bus_message *message)
{
	DomainObject object = { service, domain };
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));
	int r = sd_bus_message_open_container(message, 'e', "oa{sa{sv}}");

	if (r >= 0)
		r = sd_bus_message_append_basic(message, 'o', path);
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'a', "{sa{sv}}");
	for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(standard_interfaces); i++)
		r = append_interface(message, path, standard_interfaces[i], NULL, &object);
	for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(interfaces); i++)
		r = append_interface(message, path, interfaces[i].interface, interfaces[i].vtable, &object);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = sd_bus_message_close_container(message);
	return r;
}

int domain_object_emit_added(sd_bus *bus, Domain *domain)
{
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));

	return sd_bus_emit_object_added(bus, path);
}

/* By hand, since the domain can no longer be found when this is told. */
int domain_object_emit_removed(sd_bus *bus, Domain *domain)
{
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));
	const char *names[G_N_ELEMENTS(standard_interfaces) + G_N_ELEMENTS(interfaces) + 1] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(standard_interfaces); i++)
		names[n++] = standard_interfaces[i];
	for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++)
		names[n++] = interfaces[i].interface;
	return sd_bus_emit_interfaces_removed_strv(bus, path, (char **)names);
}

/* ---- PropertiesChanged ---- */

/* Those whose value is told, or those of which only that it is another. */
static int append_changed(sd_bus_message *message, const char *path, size_t interface,
			  DomainObject *object, DomainProperty properties, uint64_t flag)
{
	const char *name = interfaces[interface].interface;
	const sd_bus_vtable *vtable = interfaces[interface].vtable;
	int r = sd_bus_message_open_container(
		message, 'a', flag == SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE ? "{sv}" : "s");

	for (size_t j = 0; r >= 0 && vtable[j].type != _SD_BUS_VTABLE_END; j++) {
		if (!is_property(&vtable[j]) || !(vtable[j].flags & flag) ||
		    !(shown[interface].of_row[j] & properties))
			continue;
		if (flag == SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
			r = append_property(message, path, name, &vtable[j], object);
		else
			r = sd_bus_message_append_basic(message, 's', vtable[j].x.property.member);
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int new_changed(DomainObject *object, const char *path, size_t interface,
		       DomainProperty properties, sd_bus_message **ret_message)
{
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_signal(object->service->bus, &message, path, BUS_PROPERTIES,
					  "PropertiesChanged");

	if (r >= 0)
		r = sd_bus_message_append_basic(message, 's', interfaces[interface].interface);
	if (r >= 0)
		r = append_changed(message, path, interface, object, properties,
				   SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE);
	if (r >= 0)
		r = append_changed(message, path, interface, object, properties,
				   SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION);
	if (r < 0)
		sd_bus_message_unref(message);
	else
		*ret_message = message;
	return r;
}

int domain_object_new_changed(Service *service, Domain *domain, DomainProperty properties,
			      sd_bus_message **ret_message)
{
	DomainObject object = { service, domain };
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));

	for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++)
		if (shown[i].all & properties)
			return new_changed(&object, path, i, properties, ret_message);
	g_assert_not_reached();
}

int domain_object_emit_changed(Service *service, Domain *domain, DomainProperty properties)
{
	DomainObject object = { service, domain };
	g_autofree char *path = bus_path_from_uuid(domain_get_uuid(domain));
	int r = 0;

	for (size_t i = 0; r >= 0 && i < G_N_ELEMENTS(interfaces); i++) {
		sd_bus_message *message = NULL;

		if (!(shown[i].all & properties))
			continue;
		r = new_changed(&object, path, i, properties, &message);
		if (r >= 0)
			r = sd_bus_send(service->bus, message, NULL);
		sd_bus_message_unref(message);
	}
	return r;
}
