/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/json-read.h"
#include "base/names.h"
#include "driver-internal.h"
#include "model/definition-edit.h"

/*
 * Devices that come and go while a domain runs, in its definition, or in both.
 *
 * What runs is the domain's (domain/attach.c, domain/detach.c), the definition is edited by a job on the strand of
 * all definitions (driver-definitions.c). For both:
 *
 *   check    the definition could be edited: nothing is done yet
 *   live     QEMU has the device, or has let it go; if it refuses, the definition is left alone
 *   config   the definition is edited once more, as it is by now, and its file written
 *
 * QEMU comes first since it is the one that refuses: a file that cannot be written is rare. Then an attached device
 * is taken out again. One that was detached does not come back, and the error says so. Killed between live and
 * config, the service finds the device in the list of devices and not in the definition, and both are true.
 */

static const char *const device_affect_names[] = {
	[DEVICE_AFFECT_LIVE] = "live",
	[DEVICE_AFFECT_CONFIG] = "config",
	[DEVICE_AFFECT_BOTH] = "both",
};
NAME_TABLE(device_affect, DeviceAffect, DEVICE_AFFECT_MAX)

/* One change under way. While a worker has an edit of it, nobody else touches it. */
typedef struct Change {
	Driver *driver;
	Domain *domain;                         /* a reference */
	DeviceAffect affect;
	DomainDone done;
	void *userdata;
	JsonNode *entries[DEFINITION_ENTRY_MAX];   /* attach: a device and what it stands on */
	DefinitionInterface *interface;         /* attach: one of these, and no entries */
	char *id;                               /* attach: NULL until it is known */
	int timeout_ms;
	GError *error;                          /* while an attached device is taken out again */
} Change;

static Change *change_new(Driver *driver, Domain *domain, DeviceAffect affect, DomainDone done,
			  void *userdata)
{
	Change *change = g_new0(Change, 1);

	change->driver = driver;
	change->domain = domain_ref(domain);
	change->affect = affect;
	change->done = done;
	change->userdata = userdata;
	return change;
}

static void change_finish(Change *change, const char *result, const GError *error)
{
	change->done(change->domain, error ? NULL : result, error, change->userdata);
	for (unsigned i = 0; i < DEFINITION_ENTRY_MAX; i++)
		g_clear_pointer(&change->entries[i], json_node_unref);
	definition_interface_free(change->interface);
	g_clear_error(&change->error);
	g_free(change->id);
	domain_unref(change->domain);
	g_free(change);
}

/* ---- attach ---- */

/* Worker. */
static Definition *edit_attach(const Definition *definition, void *data, GError **error)
{
	Change *change = data;

	if (change->interface)
		return definition_add_interface(definition, change->interface, error);
	return definition_add_entries(definition, change->entries, error);
}

static void set_id(Change *change, const char *id)
{
	JsonNode **device = &change->entries[DEFINITION_ENTRY_DEVICE];
	JsonNode *with_id;

	change->id = g_strdup(id);
	if (change->interface) {
		g_free(change->interface->id);
		change->interface->id = g_strdup(id);
		return;
	}
	with_id = definition_entry_with_id(*device, id);
	json_node_unref(*device);
	*device = with_id;
}

/* The same, for a device that may have no id yet: it gets one that the definition does not have. */
static Definition *edit_attach_named(const Definition *definition, void *data, GError **error)
{
	Change *change = data;
	g_autofree char *made = NULL;

	for (unsigned i = 0; !change->id && (!made || definition_has_device(definition, made)); i++) {
		g_free(made);
		made = g_strdup_printf("device%u", i);
	}
	if (made)
		set_id(change, made);
	return edit_attach(definition, change, error);
}

/* An interface gets one as one that has none in a document. */
static Definition *edit_attach_interface(const Definition *definition, void *data, GError **error)
{
	Change *change = data;
	Definition *edited = edit_attach(definition, change, error);

	if (edited && !change->id) {
		const DefinitionInterface *last =
			g_ptr_array_index(edited->interfaces, edited->interfaces->len - 1);

		set_id(change, last->id);
	}
	return edited;
}

static void on_taken_out(Domain *domain, const char *result, const GError *error, void *userdata)
{
	Change *change = userdata;
	g_autoptr(GError) both = NULL;

	if (!error || g_error_matches(error, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE))
		both = g_error_copy(change->error);
	else
		g_set_error(&both, CORE_ERROR, change->error->code,
			    "%s. Device '%s' stays plugged in until domain '%s' stops or lets it go: %s",
			    change->error->message, change->id, domain_get_name(domain),
			    error->message);
	change_finish(change, NULL, both);
}

static void on_attach_written(Domain *domain, const GError *error, void *userdata)
{
	Change *change = userdata;

	if (!error || change->affect == DEVICE_AFFECT_CONFIG) {
		change_finish(change, change->id, error);
		return;
	}
	change->error = g_error_copy(error);
	if (change->driver->leaving) {
		/* Nobody would be there to hear that it has gone; left alone, it is found again as it is. */
		on_taken_out(change->domain, NULL, error, change);
		return;
	}
	domain_detach_device(change->domain, change->id, DOMAIN_DETACH_TIMEOUT_MS, on_taken_out, change);
}

static void on_attached(Domain *domain, const char *id, const GError *error, void *userdata)
{
	Change *change = userdata;

	if (error) {
		change_finish(change, NULL, error);
		return;
	}
	if (!change->id)
		set_id(change, id);
	driver_edit_definition(change->driver, domain, false, edit_attach, change, on_attach_written,
			       change);
}

static void on_attach_checked(Domain *domain, const GError *error, void *userdata)
{
	Change *change = userdata;
	JsonNode *backends[BACKEND_MAX] = { NULL };

	if (error) {
		change_finish(change, NULL, error);
		return;
	}
	if (change->interface) {
		domain_attach_interface(domain, change->interface, change->timeout_ms, on_attached, change);
		return;
	}
	for (unsigned i = 0; i < BACKEND_MAX; i++)
		if (change->entries[backend_rows[i].entry])
			backends[i] = json_node_ref(change->entries[backend_rows[i].entry]);
	domain_attach_device(domain, json_node_ref(change->entries[DEFINITION_ENTRY_DEVICE]), backends,
			     change->timeout_ms, on_attached, change);
}

void driver_attach_device(Driver *driver, Domain *domain, JsonNode *device,
			  JsonNode *backends[BACKEND_MAX], int timeout_ms, DeviceAffect affect,
			  DomainDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;
	Change *change;
	const char *id;

	if (affect == DEVICE_AFFECT_LIVE) {
		domain_attach_device(domain, device, backends, timeout_ms, done, userdata);
		return;
	}
	change = change_new(driver, domain, affect, done, userdata);
	change->timeout_ms = timeout_ms;
	change->entries[DEFINITION_ENTRY_DEVICE] = device;
	for (unsigned i = 0; i < BACKEND_MAX; i++)
		change->entries[backend_rows[i].entry] = backends[i];
	if (!domain_check_device(device, backends, &error)) {
		change_finish(change, NULL, error);
		return;
	}
	if (json_read_string(json_node_get_object(device), "id", &id))
		change->id = g_strdup(id);
	if (affect == DEVICE_AFFECT_CONFIG)
		driver_edit_definition(driver, domain, false, edit_attach_named, change,
				       on_attach_written, change);
	else
		driver_edit_definition(driver, domain, true, edit_attach, change, on_attach_checked,
				       change);
}

void driver_attach_interface(Driver *driver, Domain *domain, const DefinitionInterface *interface,
			     int timeout_ms, DeviceAffect affect, DomainDone done, void *userdata)
{
	Change *change;

	if (affect == DEVICE_AFFECT_LIVE) {
		domain_attach_interface(domain, interface, timeout_ms, done, userdata);
		return;
	}
	change = change_new(driver, domain, affect, done, userdata);
	change->timeout_ms = timeout_ms;
	change->interface = definition_interface_copy(interface);
	change->id = g_strdup(interface->id);
	if (affect == DEVICE_AFFECT_CONFIG)
		driver_edit_definition(driver, domain, false, edit_attach_interface, change,
				       on_attach_written, change);
	else
		driver_edit_definition(driver, domain, true, edit_attach, change, on_attach_checked,
				       change);
}

/* ---- detach ---- */

/* Worker. */
static Definition *edit_detach(const Definition *definition, void *data, GError **error)
{
	const Change *change = data;

	return definition_remove_device(definition, change->id, error);
}

static void on_detach_written(Domain *domain, const GError *error, void *userdata)
{
	Change *change = userdata;
	g_autoptr(GError) half = NULL;

	if (error && change->affect == DEVICE_AFFECT_BOTH)
		g_set_error(&half, CORE_ERROR, error->code,
			    "Device '%s' was detached, but comes back at the next start of domain '%s', since "
			    "its definition could not be changed: %s. Try again with affect 'config'",
			    change->id, domain_get_name(change->domain), error->message);
	change_finish(change, NULL, half ? half : error);
}

static void on_detached(Domain *domain, const char *result, const GError *error, void *userdata)
{
	Change *change = userdata;
	g_autoptr(GError) half = NULL;

	if (!error) {
		driver_edit_definition(change->driver, domain, false, edit_detach, change,
				       on_detach_written, change);
		return;
	}
	if (g_error_matches(error, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE))
		g_set_error(&half, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE,
			    "%s; it is in its definition alone, where affect 'config' removes it",
			    error->message);
	change_finish(change, NULL, half ? half : error);
}

static void on_detach_checked(Domain *domain, const GError *error, void *userdata)
{
	Change *change = userdata;
	g_autoptr(GError) half = NULL;

	if (!error) {
		domain_detach_device(domain, change->id, change->timeout_ms, on_detached, change);
		return;
	}
	if (g_error_matches(error, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE) &&
	    g_hash_table_contains(domain_get_devices(change->domain), change->id))
		g_set_error(&half, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE,
			    "%s; it is plugged in alone, where affect 'live' detaches it", error->message);
	change_finish(change, NULL, half ? half : error);
}

void driver_detach_device(Driver *driver, Domain *domain, const char *id, int timeout_ms,
			  DeviceAffect affect, DomainDone done, void *userdata)
{
	Change *change;

	if (affect == DEVICE_AFFECT_LIVE) {
		domain_detach_device(domain, id, timeout_ms, done, userdata);
		return;
	}
	change = change_new(driver, domain, affect, done, userdata);
	change->id = g_strdup(id);
	change->timeout_ms = timeout_ms;
	if (affect == DEVICE_AFFECT_CONFIG)
		driver_edit_definition(driver, domain, false, edit_detach, change, on_detach_written,
				       change);
	else
		driver_edit_definition(driver, domain, true, edit_detach, change, on_detach_checked,
				       change);
}
