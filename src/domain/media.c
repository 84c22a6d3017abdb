/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/json-read.h"
#include "domain/disks.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * Changing a medium: one transaction of up to seven commands, in the order of steps. If one fails, what was
 * done before it is undone in reverse: the old medium is back, the tray closed, the new node gone.
 *
 * The node of a medium that was put in here belongs to the device like a backend that came with it
 * (backend.h): it goes when the next medium comes, or with the device, also after a restart of the service. A
 * node that somebody else has made stays.
 *
 * A guest can lock the tray. QEMU then asks it to eject, says that all is well, and leaves the tray closed; the
 * guest may open it later, which DEVICE_TRAY_MOVED tells, or never. So the tray is looked at when QEMU has
 * answered (it tells of the move before), and if it is closed, the change is refused and taken back: who asked
 * can ask again when the tray is open, or with force.
 */

typedef enum Step {
	STEP_LOOK,
	STEP_ADD,
	STEP_OPEN,
	STEP_REMOVE,
	STEP_INSERT,
	STEP_CLOSE,
	STEP_DELETE_OLD,
	STEP_MAX,
} Step;

typedef struct Change {
	Domain *domain;
	uint64_t operation;
	uint64_t run;
	char *id;
	JsonNode *blockdev;
	GivenDisk *disk;            /* while QEMU is told of it */
	char *node;                 /* of the new medium; NULL: none */
	char *old;                  /* node of the medium that was in; NULL: none */
	bool was_open;
	bool force;
	bool noted;                 /* as under way */
	Step step;
	unsigned done;              /* steps to be undone, a bit each */
	GError *error;
} Change;

static bool change_is_over(const Change *change)
{
	return !change->domain->host || change->domain->run != change->run;
}

static void change_step(Change *change);
static void change_undo(Change *change);

static void change_finish(Change *change);

static void on_forgotten(Domain *domain, const GError *error, void *userdata)
{
	Change *change = userdata;

	if (error && !change_is_over(change))
		domain_log(domain, LOG_NOTICE, "drive '%s': %s", change->id, error->message);
	change_finish(change);
}

static void change_finish(Change *change)
{
	Operation *operation = operation_find(change->domain, change->operation);

	/* Without a monitor nothing could be undone; that is done when it is there again. */
	if (change->noted && !change_is_over(change) && change->domain->monitor) {
		change->noted = false;
		leftover_forget(change->domain, change->id, on_forgotten, change);
		return;
	}
	if (operation)
		operation_end(operation, NULL, change->error);
	g_clear_pointer(&change->blockdev, json_node_unref);
	g_clear_error(&change->error);
	g_free(change->id);
	g_free(change->node);
	g_free(change->old);
	domain_unref(change->domain);
	g_free(change);
}

/* ---- what each step is ---- */

static JsonNode *make_node_arguments(const char *node)
{
	return call_arguments("node-name", node);
}

static JsonNode *make_insert_arguments(const Change *change, const char *node)
{
	JsonNode *arguments = call_arguments("id", change->id);

	json_object_set_string_member(json_node_get_object(arguments), "node-name", node);
	return arguments;
}

static const char *get_owned_node(const Change *change)
{
	const Backends *backends = g_hash_table_lookup(change->domain->backends, change->id);

	return backends ? backends->ids[BACKEND_BLOCKDEV] : NULL;
}

/* The command of the step and its arguments; NULL if there is nothing to do. */
static const char *make_command(Change *change, JsonNode **ret_arguments)
{
	JsonNode *arguments = NULL;

	switch (change->step) {
	case STEP_LOOK:
		return "query-block";
	case STEP_ADD:
		if (change->node)
			*ret_arguments = given_disk_get_arguments(change->disk);
		return change->node ? "blockdev-add" : NULL;
	case STEP_OPEN:
		arguments = call_arguments("id", change->id);
		json_object_set_boolean_member(json_node_get_object(arguments), "force",
					       change->force);
		*ret_arguments = arguments;
		return "blockdev-open-tray";
	case STEP_REMOVE:
		*ret_arguments = call_arguments("id", change->id);
		return "blockdev-remove-medium";
	case STEP_INSERT:
		if (change->node)
			*ret_arguments = make_insert_arguments(change, change->node);
		return change->node ? "blockdev-insert-medium" : NULL;
	case STEP_CLOSE:
		if (change->node)
			*ret_arguments = call_arguments("id", change->id);
		return change->node ? "blockdev-close-tray" : NULL;
	case STEP_DELETE_OLD:
		if (get_owned_node(change))
			*ret_arguments = make_node_arguments(get_owned_node(change));
		return get_owned_node(change) ? "blockdev-del" : NULL;
	default:
		g_assert_not_reached();
	}
}

static const char *make_undo(Change *change, Step step, JsonNode **ret_arguments)
{
	switch (step) {
	case STEP_ADD:
		*ret_arguments = make_node_arguments(change->node);
		return "blockdev-del";
	case STEP_OPEN:
		if (!change->was_open)
			*ret_arguments = call_arguments("id", change->id);
		return change->was_open ? NULL : "blockdev-close-tray";
	case STEP_REMOVE:
		if (change->old)
			*ret_arguments = make_insert_arguments(change, change->old);
		return change->old ? "blockdev-insert-medium" : NULL;
	case STEP_INSERT:
		*ret_arguments = call_arguments("id", change->id);
		return "blockdev-remove-medium";
	case STEP_CLOSE:
		/* Not answered in time, and perhaps done; what comes next needs it open. */
		*ret_arguments = call_arguments("id", change->id);
		json_object_set_boolean_member(json_node_get_object(*ret_arguments), "force", true);
		return "blockdev-open-tray";
	default:
		return NULL;
	}
}

/* ---- undo ---- */

static void on_undone(JsonNode *result, const GError *error, void *userdata)
{
	Change *change = userdata;

	if (error)
		domain_log(change->domain, LOG_NOTICE, "undoing a change of the medium of '%s': %s",
			   change->id, error->message);
	change_undo(change);
}

static void change_undo(Change *change)
{
	while (change->done != 0 && !change_is_over(change)) {
		Step step = (Step)g_bit_nth_msf(change->done, -1);
		JsonNode *arguments = NULL;
		const char *command = make_undo(change, step, &arguments);

		change->done &= ~(1u << step);
		if (!command)
			continue;
		domain_call(change->domain, command, arguments, DOMAIN_CALL_TIMEOUT_MS, on_undone,
			    change);
		return;
	}
	if (!change_is_over(change))
		drives_changed(change->domain);
	change_finish(change);
}

/* Takes error over. */
static void change_fail(Change *change, GError *error)
{
	change->error = error;
	/* A step that was not answered may still be done; what takes it back comes behind it. */
	if (g_error_matches(error, CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT))
		change->done |= 1u << change->step;
	change_undo(change);
}

/* ---- the steps ---- */

static void on_ledger_written(Domain *domain, const GError *error, void *userdata)
{
	Change *change = userdata;

	/* The medium is in; what is at stake is only whether its node goes with it after a restart. */
	if (error)
		domain_log(domain, LOG_NOTICE, "medium of '%s': %s", change->id, error->message);
	change_finish(change);
}

static void change_commit(Change *change)
{
	Domain *domain = change->domain;
	Operation *operation = operation_find(domain, change->operation);
	Backends *backends = g_hash_table_lookup(domain->backends, change->id);

	if (operation)
		operation_set_timer(operation, -1, NULL);
	drives_changed(domain);
	/* It went just now: so does the medium. */
	if (!g_hash_table_contains(domain->devices, change->id)) {
		change->done &= 1u << STEP_ADD;
		change_fail(change, g_error_new(CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE,
						"Device '%s' of domain '%s' was removed meanwhile",
						change->id, domain_get_name(domain)));
		return;
	}
	if (!backends && !change->node) {
		change_finish(change);
		return;
	}
	if (!backends) {
		backends = g_new0(Backends, 1);
		g_hash_table_replace(domain->backends, g_strdup(change->id), backends);
	}
	g_free(backends->ids[BACKEND_BLOCKDEV]);
	backends->ids[BACKEND_BLOCKDEV] = g_strdup(change->node);
	/* One write for both. */
	change->noted = false;
	(void)g_hash_table_remove(domain->under_way, change->id);
	domain_write_run_file(domain, true, on_ledger_written, change);
}

static GError *make_locked_error(const Change *change)
{
	return g_error_new(CORE_ERROR, CORE_ERROR_REMOVAL_REFUSED,
			   "The guest of domain '%s' has locked the tray of '%s'; it was asked to eject. "
			   "Try again when the tray is open, or with the option \"force\"",
			   domain_get_name(change->domain), change->id);
}

static bool is_closed(const Change *change)
{
	return g_strcmp0(g_hash_table_lookup(change->domain->trays, change->id), "closed") == 0;
}

static void take_look(Change *change, JsonNode *list)
{
	Domain *domain = change->domain;

	drives_resync(domain, list);
	change->old = g_strdup(drives_get_node(domain, change->id));
	change->was_open = g_strcmp0(g_hash_table_lookup(domain->trays, change->id), "open") == 0;
}

static void on_noted(Domain *domain, const GError *error, void *userdata)
{
	Change *change = userdata;

	if (change_is_over(change)) {
		change_fail(change, g_error_copy(error));
		return;
	}
	/* What is at stake is only whether a kill of the service in the middle of it leaves something behind. */
	if (error)
		domain_log(domain, LOG_NOTICE, "medium of '%s': %s", change->id, error->message);
	change_step(change);
}

static void note(Change *change)
{
	UnderWay *entry = g_new0(UnderWay, 1);

	entry->medium = true;
	entry->backends.ids[BACKEND_BLOCKDEV] = g_strdup(change->node);
	entry->old = g_strdup(change->old);
	entry->was_open = change->was_open;
	change->noted = true;
	leftover_note(change->domain, change->id, entry, on_noted, change);
}

static void on_step(JsonNode *result, const GError *error, void *userdata)
{
	Change *change = userdata;
	Step step = change->step;

	g_clear_pointer(&change->disk, given_disk_free);
	if (!error && change_is_over(change)) {
		change_fail(change, g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
						"The domain stopped while the medium of '%s' was "
						"changed", change->id));
		return;
	}
	/* Its time is over, and the caller has been told so. */
	if (!error && step < STEP_DELETE_OLD && !operation_find(change->domain, change->operation)) {
		change_fail(change, g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT, "Too late"));
		return;
	}
	/* The change is made by then; a node that is still in use stays. */
	if (error && step == STEP_DELETE_OLD) {
		domain_log(change->domain, LOG_NOTICE, "the old medium of '%s': %s", change->id,
			   error->message);
	} else if (error) {
		change_fail(change, g_error_copy(error));
		return;
	}
	if (step == STEP_LOOK)
		take_look(change, result);
	if (step == STEP_OPEN && is_closed(change)) {
		change_fail(change, make_locked_error(change));
		return;
	}
	change->done |= 1u << step;
	change->step++;
	if (step == STEP_LOOK)
		note(change);
	else
		change_step(change);
}

static void on_disk_given(Domain *domain, GivenDisk *given, const GError *error, void *userdata)
{
	Change *change = userdata;

	if (error) {
		/* Nothing has come of it; what QEMU may have got by a call that was not answered, it closes by itself. */
		change->error = g_error_copy(error);
		change_undo(change);
		return;
	}
	change->disk = given;
	change_step(change);
}

/* The step needs what has not been opened yet. */
static bool wants_disk(const Change *change)
{
	return change->step == STEP_ADD && change->node && !change->disk;
}

static void change_step(Change *change)
{
	if (wants_disk(change)) {
		disks_give(change->domain, change->blockdev, "blockdev", on_disk_given, change);
		return;
	}
	for (; change->step < STEP_MAX; change->step++) {
		JsonNode *arguments = NULL;
		const char *command = make_command(change, &arguments);

		if (!command)
			continue;
		/* Looking changes nothing, so it may be left away; what comes after it is brought to its end. */
		if (change->step == STEP_LOOK)
			operation_send(operation_find(change->domain, change->operation), command,
				       arguments, DOMAIN_CALL_TIMEOUT_MS, on_step, change);
		else
			domain_call(change->domain, command, arguments, DOMAIN_CALL_TIMEOUT_MS,
				    on_step, change);
		return;
	}
	change_commit(change);
}

/* ---- the operation ---- */

static GError *check_change(Domain *domain, const char *id, JsonNode *blockdev, const char **ret_node)
{
	if (blockdev && !json_read_string(json_node_as_object(blockdev), "node-name", ret_node))
		return g_error_new(CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
				   "blockdev: must be a JSON object with the string \"node-name\"");
	if (!g_hash_table_contains(domain->devices, id))
		return g_error_new(CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE,
				   "Domain '%s' has no device with the id '%s'",
				   domain_get_name(domain), id);
	if (operation_find_by_device(domain, DOMAIN_OPERATION_CHANGE_MEDIA, id))
		return g_error_new(CORE_ERROR, CORE_ERROR_WRONG_STATE,
				   "The medium of device '%s' of domain '%s' is being changed already",
				   id, domain_get_name(domain));
	return NULL;
}

void domain_change_media(Domain *domain, const char *id, JsonNode *blockdev, bool force, int timeout_ms,
			 DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_CHANGE_MEDIA, done, userdata);
	g_autoptr(JsonNode) owned = blockdev;
	g_autoptr(GError) error = NULL;
	const char *node = NULL;
	Change *change;

	if (!operation)
		return;
	error = check_change(domain, id, blockdev, &node);
	if (error) {
		operation_end(operation, NULL, error);
		return;
	}
	operation->device = g_strdup(id);
	operation_set_deadline(operation, timeout_ms);
	change = g_new0(Change, 1);
	change->domain = domain_ref(domain);
	change->operation = operation->id;
	change->run = domain->run;
	change->id = g_strdup(id);
	change->node = g_strdup(node);
	change->blockdev = g_steal_pointer(&owned);
	change->force = force;
	change_step(change);
}
