/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/disks.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "qemu/interface.h"

/*
 * Plugging a device in: one transaction of up to four commands. Its backends go in first, in the order of
 * backend_rows; if a step fails, what went in before it is taken out again in reverse.
 *
 * An interface is a netdev and a device. One that stands on a link of the host has more steps before them:
 *
 *   note      the name of the link is in the run file
 *   make      the link (worker); its index is in the run file
 *   getfd     QEMU gets each of its descriptors, by a name that the netdev takes it by
 */

/* One transaction: backends in, device in; or everything out again, in reverse. */
typedef struct Attach {
	Domain *domain;
	uint64_t operation;
	uint64_t run;
	char *id, *driver;
	JsonNode *device;
	JsonNode *backends[BACKEND_MAX];
	DefinitionInterface *interface; /* it is one of these; or NULL */
	HostNic *link;                  /* which it stands on; NULL: none, or it is not ours to remove any more */
	GArray *descriptors;            /* of the link; or NULL */
	GStrv names;                    /* of the descriptors */
	unsigned n_given;               /* that QEMU has got by them */
	bool noted;                     /* as under way */
	bool begun;                     /* the first command is on its way */
	unsigned step;                  /* the backend (or, at BACKEND_MAX, the device) that is next */
	Backends *added;
	GivenDisk *disk;                /* while QEMU is told of it */
	GError *error;
} Attach;

static void attach_step(Attach *attach);
static void attach_undo(Attach *attach);

/* WARNING: also if the monitor was lost and is there again. Then what was noted is being cleaned up (leftover.c), and
 * nothing of it may be touched here any more. */
static bool attach_is_over(const Attach *attach)
{
	return !attach->domain->host || attach->domain->run != attach->run ||
	       !attach->domain->monitor ||
	       (attach->noted && !leftover_is_noted(attach->domain, attach->id));
}

static void attach_finish(Attach *attach);

static void on_forgotten(Domain *domain, const GError *error, void *userdata)
{
	Attach *attach = userdata;

	if (error && !attach_is_over(attach))
		domain_log(domain, LOG_NOTICE, "device '%s': %s", attach->id, error->message);
	attach_finish(attach);
}

static void attach_finish(Attach *attach)
{
	Operation *operation = operation_find(attach->domain, attach->operation);

	/* Without a monitor nothing could be taken back; that is done when it is there again. */
	if (attach->noted && !attach_is_over(attach)) {
		attach->noted = false;
		leftover_forget(attach->domain, attach->id, on_forgotten, attach);
		return;
	}
	if (operation)
		operation_end(operation, attach->error ? NULL : attach->id, attach->error);
	for (unsigned i = 0; i < BACKEND_MAX; i++)
		g_clear_pointer(&attach->backends[i], json_node_unref);
	g_clear_pointer(&attach->device, json_node_unref);
	definition_interface_free(attach->interface);
	host_nic_free(attach->link);
	g_clear_pointer(&attach->descriptors, g_array_unref);
	g_strfreev(attach->names);
	backends_free(attach->added);
	g_clear_error(&attach->error);
	g_free(attach->id);
	g_free(attach->driver);
	domain_unref(attach->domain);
	g_free(attach);
}

static void on_undone(JsonNode *result, const GError *error, void *userdata)
{
	Attach *attach = userdata;

	if (error)
		domain_log(attach->domain, LOG_NOTICE, "taking back a part of device '%s': %s",
			   attach->id, error->message);
	attach_undo(attach);
}

/* A name that the netdev has taken its descriptor by is none any more. */
static void on_descriptor_closed(JsonNode *result, const GError *error, void *userdata)
{
	attach_undo(userdata);
}

static void on_link_removed(Domain *domain, void *userdata)
{
	attach_finish(userdata);
}

static void attach_undo_link(Attach *attach)
{
	if (attach_is_over(attach)) {
		attach_finish(attach);
	} else if (attach->n_given > 0) {
		domain_call(attach->domain, "closefd",
			    call_arguments("fdname", attach->names[--attach->n_given]),
			    BACKEND_TIMEOUT_MS, on_descriptor_closed, attach);
	} else if (attach->link) {
		g_autoptr(HostNic) link = g_steal_pointer(&attach->link);

		g_clear_pointer(&attach->descriptors, g_array_unref);
		nic_links_remove_one(attach->domain, attach->id, link, on_link_removed, attach);
	} else {
		attach_finish(attach);
	}
}

static void attach_undo(Attach *attach)
{
	while (attach->step > 0) {
		unsigned kind = --attach->step;
		g_autofree char *id = g_steal_pointer(&attach->added->ids[kind]);

		if (!id || attach_is_over(attach))
			continue;
		domain_call(attach->domain, backend_rows[kind].remove,
			    call_arguments(backend_rows[kind].remove_member, id),
			    BACKEND_TIMEOUT_MS, on_undone, attach);
		return;
	}
	attach_undo_link(attach);
}

static void on_ledger_written(Domain *domain, const GError *error, void *userdata)
{
	Attach *attach = userdata;

	/* The device is in; what is at stake is only whether its backends go with it after a restart. */
	if (error)
		domain_log(domain, LOG_NOTICE, "device '%s': %s", attach->id, error->message);
	attach_finish(attach);
}

static void attach_commit(Attach *attach)
{
	Domain *domain = attach->domain;
	Operation *operation = operation_find(domain, attach->operation);
	JsonNode *entries[DEFINITION_ENTRY_MAX] = { [DEFINITION_ENTRY_DEVICE] = attach->device };
	bool has_backends = false;

	/* QEMU has done its part. */
	operation_set_timer(operation, -1, NULL);
	devices_keep_old_backends(domain, attach->id);
	if (attach->link)
		g_hash_table_replace(domain->host_nics, g_strdup(attach->id),
				     g_steal_pointer(&attach->link));
	devices_tell_added(domain, attach->id, attach->driver);
	for (unsigned i = 0; i < BACKEND_MAX; i++) {
		has_backends |= attach->added->ids[i] != NULL;
		entries[backend_rows[i].entry] = attach->backends[i];
	}
	/* One write for all of it. */
	attach->noted = false;
	(void)g_hash_table_remove(domain->under_way, attach->id);
	if (has_backends)
		g_hash_table_replace(domain->backends, g_strdup(attach->id),
				     g_steal_pointer(&attach->added));
	if (attach->interface)
		live_definition_add_interface(domain, attach->interface, on_ledger_written, attach);
	else
		live_definition_add(domain, entries, on_ledger_written, attach);
}

/* Why it cannot go on; NULL if it can. */
static GError *attach_check(const Attach *attach, const GError *error)
{
	/* Its time is over, and the caller has been told so; this came later, and may be taken back. */
	if (!error && !operation_find(attach->domain, attach->operation))
		return g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT, "Too late");
	if (error)
		return g_error_copy(error);
	if (attach_is_over(attach))
		return g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
				   "The domain stopped while device '%s' was attached", attach->id);
	return NULL;
}

static void on_step(JsonNode *result, const GError *error, void *userdata)
{
	Attach *attach = userdata;

	g_clear_pointer(&attach->disk, given_disk_free);
	attach->error = attach_check(attach, error);
	if (attach->error) {
		/* A step that was refused has left nothing to take back; one that was not answered may still be
		 * done, and what takes it back comes behind it. */
		if (!g_error_matches(attach->error, CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT)) {
			if (attach->step < BACKEND_MAX)
				g_clear_pointer(&attach->added->ids[attach->step], g_free);
		} else if (attach->step < BACKEND_MAX) {
			attach->step++;
		} else if (!attach_is_over(attach)) {
			domain_call(attach->domain, "device_del", call_arguments("id", attach->id),
				    BACKEND_TIMEOUT_MS, on_undone, attach);
			return;
		}
		attach_undo(attach);
		return;
	}
	if (attach->step == BACKEND_MAX) {
		attach_commit(attach);
		return;
	}
	attach->step++;
	attach_step(attach);
}

static void call_step(Attach *attach, const char *command, JsonNode *arguments)
{
	Operation *operation = operation_find(attach->domain, attach->operation);

	/* Nobody may wait for it any more; what has begun is brought to its end. */
	if (!attach->begun && operation) {
		attach->begun = true;
		operation_send(operation, command, arguments, DOMAIN_CALL_TIMEOUT_MS, on_step, attach);
	} else {
		domain_call(attach->domain, command, arguments, DOMAIN_CALL_TIMEOUT_MS, on_step,
			    attach);
	}
}

/* Takes arguments over. */
static void add_backend(Attach *attach, JsonNode *arguments)
{
	const BackendRow *row = &backend_rows[attach->step];

	attach->added->ids[attach->step] = g_strdup(json_object_get_string_member(
		json_node_get_object(arguments), row->id_member));
	call_step(attach, row->add, arguments);
}

static void on_disk_given(Domain *domain, GivenDisk *given, const GError *error, void *userdata)
{
	Attach *attach = userdata;

	attach->disk = given;
	attach->error = attach_check(attach, error);
	if (!attach->error) {
		add_backend(attach, given_disk_get_arguments(given));
		return;
	}
	g_clear_pointer(&attach->disk, given_disk_free);
	attach_undo(attach);
}

static void attach_step(Attach *attach)
{

	while (attach->step < BACKEND_MAX && !attach->backends[attach->step])
		attach->step++;
	if (attach->step == BACKEND_MAX) {
		call_step(attach, "device_add", json_node_ref(attach->device));
		return;
	}
	if (attach->step == BACKEND_BLOCKDEV)
		disks_give(attach->domain, attach->backends[attach->step], backend_rows[attach->step].name,
			   on_disk_given, attach);
	else
		add_backend(attach, json_node_ref(attach->backends[attach->step]));
}

/* ---- a link of the host ---- */

static void give_descriptors(Attach *attach);

static void on_given(JsonNode *result, const GError *error, void *userdata)
{
	Attach *attach = userdata;

	/* What was not answered may have come in. */
	if (!error || g_error_matches(error, CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT))
		attach->n_given++;
	attach->error = attach_check(attach, error);
	if (attach->error)
		attach_undo(attach);
	else
		give_descriptors(attach);
}

static void give_descriptors(Attach *attach)
{
	if (attach->n_given == attach->descriptors->len) {
		attach_step(attach);
		return;
	}
	domain_call_getfd(attach->domain, attach->names[attach->n_given],
			  g_array_index(attach->descriptors, QemuDescriptor, attach->n_given).fd, on_given,
			  attach);
}

static void on_link_noted(Domain *domain, const GError *error, void *userdata)
{
	Attach *attach = userdata;

	/* Its name is there, and enough to find it by. */
	if (error && !attach_is_over(attach))
		domain_log(domain, LOG_NOTICE, "device '%s': %s", attach->id, error->message);
	attach->error = attach_check(attach, NULL);
	if (attach->error)
		attach_undo(attach);
	else
		give_descriptors(attach);
}

static void on_link_made(Domain *domain, const HostNic *link, GArray *descriptors, const GError *error,
			 void *userdata)
{
	Attach *attach = userdata;

	if (error)
		/* Nothing remains of it. */
		g_clear_pointer(&attach->link, host_nic_free);
	else
		attach->link->index = link->index;
	attach->descriptors = descriptors ? g_array_ref(descriptors) : NULL;
	attach->error = attach_check(attach, error);
	if (attach->error) {
		attach_undo(attach);
		return;
	}
	/* From here on, what was begun is brought to its end. */
	attach->begun = true;
	leftover_set_link_index(domain, attach->id, link->index);
	domain_write_run_file(domain, true, on_link_noted, attach);
}

static void attach_begin(Attach *attach)
{
	if (attach->link)
		nic_links_make(attach->domain, attach->interface, attach->link, on_link_made, attach);
	else
		attach_step(attach);
}

static void on_noted(Domain *domain, const GError *error, void *userdata)
{
	Attach *attach = userdata;
	Operation *operation = operation_find(domain, attach->operation);

	/* What is at stake is only whether a kill of the service in the middle of it leaves something behind. */
	if (error && !attach_is_over(attach))
		domain_log(domain, LOG_NOTICE, "device '%s': %s", attach->id, error->message);
	if (operation && !operation->abandoned && !attach_is_over(attach)) {
		attach_begin(attach);
		return;
	}
	/* Nothing has begun. */
	attach->error = g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
				    "Device '%s' of domain '%s': not sent, since nobody waits for it",
				    attach->id, domain_get_name(domain));
	attach_finish(attach);
}

static void attach_note(Attach *attach)
{
	UnderWay *entry = g_new0(UnderWay, 1);
	const char *name;

	for (unsigned i = 0; i < BACKEND_MAX; i++) {
		if (!attach->backends[i] ||
		    !json_read_string(json_node_as_object(attach->backends[i]),
				      backend_rows[i].id_member, &name))
			continue;
		entry->backends.ids[i] = g_strdup(name);
		attach->noted = true;
	}
	if (attach->link) {
		entry->link = host_nic_copy(attach->link);
		entry->n_fds = g_strv_length(attach->names);
	}
	if (attach->noted) {
		leftover_note(attach->domain, attach->id, entry, on_noted, attach);
		return;
	}
	/* A device alone is one command: it is in, or it is not. */
	under_way_free(entry);
	attach_step(attach);
}

/* Also by one that is on its way in: QEMU does not list it yet. */
static bool id_is_taken(const Domain *domain, const char *id)
{
	return g_hash_table_contains(domain->devices, id) ||
	       operation_find_by_device(domain, DOMAIN_OPERATION_ATTACH_DEVICE, id);
}

bool domain_check_device(JsonNode *device, JsonNode *const backends[BACKEND_MAX], GError **error)
{
	JsonObject *object = json_node_as_object(device);
	const char *driver, *id;

	if (!json_read_string(object, "driver", &driver)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "device: must be a JSON object with the string \"driver\"");
		return false;
	}
	if (!json_read_string(object, "id", &id) && json_object_has_member(object, "id")) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "device: \"id\" must be a string; without it one is made up");
		return false;
	}
	for (unsigned i = 0; i < BACKEND_MAX; i++) {
		if (!backends[i] || json_read_string(json_node_as_object(backends[i]),
						     backend_rows[i].id_member, &id))
			continue;
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "%s: must be a JSON object with the string \"%s\"",
			    backend_rows[i].name, backend_rows[i].id_member);
		return false;
	}
	return true;
}

static GError *make_exists_error(const Domain *domain, const char *id)
{
	return g_error_new(CORE_ERROR, CORE_ERROR_DEVICE_EXISTS,
			   "Domain '%s' already has a device with the id '%s'", domain_get_name(domain), id);
}

static bool check_attach(Domain *domain, JsonNode *device, JsonNode **backends, GError **error)
{
	const char *id;

	if (!domain_check_device(device, backends, error))
		return false;
	if (!json_read_string(json_node_get_object(device), "id", &id) || !id_is_taken(domain, id))
		return true;
	g_propagate_error(error, make_exists_error(domain, id));
	return false;
}

/* Nor one that the next start will use: with both of them it could be detached from both. */
static char *make_id(const Domain *domain, const char *prefix)
{
	char *made = NULL;

	for (unsigned i = 0; !made || id_is_taken(domain, made) ||
			     definition_has_device(domain_get_next_definition(domain), made); i++) {
		g_free(made);
		made = g_strdup_printf("%s%u", prefix, i);
	}
	return made;
}

/* The node came from a parser and is sealed, so one without an id is replaced. */
static char *take_id(Domain *domain, JsonNode **device)
{
	JsonNode *copy;
	const char *id;
	char *made;

	if (json_read_string(json_node_get_object(*device), "id", &id))
		return g_strdup(id);
	made = make_id(domain, "device");
	copy = definition_entry_with_id(*device, made);
	json_node_unref(*device);
	*device = copy;
	return made;
}

/* Takes device over. */
static Attach *attach_new(Operation *operation, const char *id, JsonNode *device, int timeout_ms)
{
	Attach *attach = g_new0(Attach, 1);

	attach->operation = operation->id;
	attach->domain = domain_ref(operation->domain);
	attach->run = operation->domain->run;
	attach->driver = g_strdup(json_object_get_string_member(json_node_get_object(device), "driver"));
	attach->id = g_strdup(id);
	operation->device = g_strdup(id);
	operation_set_deadline(operation, timeout_ms);
	attach->device = device;
	attach->added = g_new0(Backends, 1);
	return attach;
}

void domain_attach_device(Domain *domain, JsonNode *device, JsonNode *backends[BACKEND_MAX],
			  int timeout_ms, DomainDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_ATTACH_DEVICE, done,
					       userdata);
	g_autofree char *id = NULL;
	Attach *attach;

	if (operation && !check_attach(domain, device, backends, &error)) {
		operation_end(operation, NULL, error);
		operation = NULL;
	}
	if (!operation) {
		json_node_unref(device);
		for (unsigned i = 0; i < BACKEND_MAX; i++)
			g_clear_pointer(&backends[i], json_node_unref);
		return;
	}

	id = take_id(domain, &device);
	attach = attach_new(operation, id, device, timeout_ms);
	memcpy(attach->backends, backends, sizeof(attach->backends));
	attach_note(attach);
}

void domain_attach_interface(Domain *domain, const DefinitionInterface *interface, int timeout_ms,
			     DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_ATTACH_DEVICE, done, userdata);
	g_autoptr(DefinitionInterface) copy = NULL;
	g_autoptr(GError) full = NULL;
	Attach *attach;

	if (!operation)
		return;
	if (interface->id && id_is_taken(domain, interface->id)) {
		g_autoptr(GError) error = make_exists_error(domain, interface->id);

		operation_end(operation, NULL, error);
		return;
	}
	if (!definition_check_descriptors(domain->definition, interface, &full)) {
		operation_end(operation, NULL, full);
		return;
	}
	copy = definition_interface_copy(interface);
	if (!copy->id)
		copy->id = make_id(domain, "net");
	attach = attach_new(operation, copy->id, qemu_interface_make_device(copy), timeout_ms);
	attach->names = nic_links_make_names(copy->id, definition_interface_count_descriptors(copy));
	attach->backends[BACKEND_NETDEV] =
		qemu_interface_make_netdev(copy, (const char *const *)attach->names);
	attach->link = host_nics_plan_one(copy);
	attach->interface = g_steal_pointer(&copy);
	attach_note(attach);
}
