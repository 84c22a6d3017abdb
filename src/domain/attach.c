/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * Plugging a device in: one transaction of up to four commands. Its backends go in first, in the order of
 * backend_rows; if a step fails, what went in before it is taken out again in reverse.
 */

/* One transaction: backends in, device in; or everything out again, in reverse. */
typedef struct Attach {
	Domain *domain;
	uint64_t operation;
	uint64_t run;
	char *id, *driver;
	JsonNode *device;
	JsonNode *backends[BACKEND_MAX];
	bool noted;                     /* as under way */
	bool begun;                     /* the first command is on its way */
	unsigned step;                  /* the backend (or, at BACKEND_MAX, the device) that is next */
	Backends *added;
	GError *error;
} Attach;

static void attach_step(Attach *attach);
static void attach_undo(Attach *attach);

static bool attach_is_over(const Attach *attach)
{
	return !attach->domain->host || attach->domain->run != attach->run ||
	       !attach->domain->monitor;
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
	attach_finish(attach);
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
	live_definition_add(domain, entries, on_ledger_written, attach);
}

static void on_step(JsonNode *result, const GError *error, void *userdata)
{
	Attach *attach = userdata;
	g_autoptr(GError) too_late = NULL;

	/* Its time is over, and the caller has been told so; this came later, and may be taken back. */
	if (!error && !operation_find(attach->domain, attach->operation)) {
		too_late = g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT, "Too late");
		error = too_late;
	}
	if (error || attach_is_over(attach)) {
		attach->error = error ? g_error_copy(error)
				      : g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
						    "The domain stopped while device '%s' was "
						    "attached", attach->id);
		/* A step that was refused has left nothing to take back; one that was not answered may still be
		 * done, and what takes it back comes behind it. */
		if (!g_error_matches(error, CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT)) {
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

static void attach_step(Attach *attach)
{
	const BackendRow *row;
	JsonNode *arguments;

	while (attach->step < BACKEND_MAX && !attach->backends[attach->step])
		attach->step++;
	if (attach->step == BACKEND_MAX) {
		call_step(attach, "device_add", json_node_ref(attach->device));
		return;
	}
	row = &backend_rows[attach->step];
	arguments = json_node_ref(attach->backends[attach->step]);
	attach->added->ids[attach->step] = g_strdup(json_object_get_string_member(
		json_node_get_object(arguments), row->id_member));
	call_step(attach, row->add, arguments);
}

static void on_noted(Domain *domain, const GError *error, void *userdata)
{
	Attach *attach = userdata;
	Operation *operation = operation_find(domain, attach->operation);

	/* What is at stake is only whether a kill of the service in the middle of it leaves something behind. */
	if (error && !attach_is_over(attach))
		domain_log(domain, LOG_NOTICE, "device '%s': %s", attach->id, error->message);
	if (operation && !operation->abandoned) {
		attach_step(attach);
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

static bool check_attach(Domain *domain, JsonNode *device, JsonNode **backends, GError **error)
{
	const char *id;

	if (!domain_check_device(device, backends, error))
		return false;
	if (!json_read_string(json_node_get_object(device), "id", &id) || !id_is_taken(domain, id))
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_DEVICE_EXISTS,
		    "Domain '%s' already has a device with the id '%s'", domain_get_name(domain), id);
	return false;
}

/* The node came from a parser and is sealed, so one without an id is replaced. */
static char *take_id(Domain *domain, JsonNode **device)
{
	JsonNode *copy;
	const char *id;
	char *made = NULL;

	if (json_read_string(json_node_get_object(*device), "id", &id))
		return g_strdup(id);
	/* Nor one that the next start will use: with both of them it could be detached from both. */
	for (unsigned i = 0; !made || id_is_taken(domain, made) ||
			     definition_has_device(domain_get_next_definition(domain), made); i++) {
		g_free(made);
		made = g_strdup_printf("device%u", i);
	}
	copy = definition_entry_with_id(*device, made);
	json_node_unref(*device);
	*device = copy;
	return made;
}

void domain_attach_device(Domain *domain, JsonNode *device, JsonNode *backends[BACKEND_MAX],
			  int timeout_ms, DomainDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_ATTACH_DEVICE, done,
					       userdata);
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

	attach = g_new0(Attach, 1);
	attach->operation = operation->id;
	attach->domain = domain_ref(domain);
	attach->run = domain->run;
	attach->driver = g_strdup(json_object_get_string_member(json_node_get_object(device),
								"driver"));
	attach->id = take_id(domain, &device);
	operation->device = g_strdup(attach->id);
	operation_set_deadline(operation, timeout_ms);
	attach->device = device;
	memcpy(attach->backends, backends, sizeof(attach->backends));
	attach->added = g_new0(Backends, 1);
	attach_note(attach);
}
