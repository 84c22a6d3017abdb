/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "domain/saved-state.h"

/*
 * From Save() to `stopped` with reason saved:
 *
 *   create (worker)        the file with its header, under a name that says that it is not whole
 *   events on, stop        a guest that stands still is written once
 *   getfd, migrate         QEMU writes to our descriptor, in its own time
 *   MIGRATION completed    save_note_status()
 *   commit (worker)        header, fsync, rename: from here on there is a saved state
 *   quit                   run-end.c tells `stopped` and answers
 *
 * By descriptor and not by "exec:": when QEMU says completed, all is written; a command behind a pipe
 * may still be at it, and a QEMU in a sandbox may not start one.
 *
 * Whatever fails before `quit` goes through save_fail(): the files are removed, a guest that ran goes
 * on, and nothing has changed.
 */

/* The name by which QEMU knows our descriptor between the two commands. */
#define DESCRIPTOR_NAME "vmherald-state"

/* ---- shared with restore.c ---- */

void save_call_getfd(Domain *domain, int fd, QmpReplyCallback callback, void *userdata)
{
	domain_call_getfd(domain, DESCRIPTOR_NAME, fd, callback, userdata);
}

JsonNode *save_make_uri(void)
{
	return call_arguments("uri", "fd:" DESCRIPTOR_NAME);
}

/* ---- a save and its steps ---- */

Save *save_free(Save *save)
{
	if (!save)
		return NULL;
	if (save->fd >= 0)
		(void)close(save->fd);
	g_clear_error(&save->error);
	g_free(save->path);
	g_free(save->header);
	g_free(save);
	return NULL;
}

/* A step under way, on a worker or in QEMU; the save may have failed or the run ended meanwhile. */
typedef struct SaveStep {
	Domain *domain;
	uint64_t operation;
	char *directory, *uuid, *path, *header;
	int fd;
	bool committed;
	GError *error;
} SaveStep;

static SaveStep *step_new(Domain *domain)
{
	SaveStep *step = g_new0(SaveStep, 1);

	step->domain = domain_ref(domain);
	step->operation = domain->save->operation;
	step->fd = -1;
	return step;
}

static void step_free(void *data)
{
	SaveStep *step = data;

	if (step->fd >= 0)
		(void)close(step->fd);
	g_clear_error(&step->error);
	g_free(step->directory);
	g_free(step->uuid);
	g_free(step->path);
	g_free(step->header);
	domain_unref(step->domain);
	g_free(step);
}

/* NULL if it is over. */
static Save *step_get_save(const SaveStep *step)
{
	Save *save = step->domain->host ? step->domain->save : NULL;

	return save && save->operation == step->operation ? save : NULL;
}

/* NULL if it is over or on its way back. */
static Save *step_get_going(const SaveStep *step)
{
	Save *save = step_get_save(step);

	return save && !save->error ? save : NULL;
}

static void push_work(Domain *domain, const StrandItemClass *item_class)
{
	SaveStep *step = step_new(domain);

	step->directory = g_strdup(domain->host->directories->saved);
	step->uuid = g_strdup(domain->uuid);
	step->path = g_strdup(domain->save->path);
	step->header = g_steal_pointer(&domain->save->header);
	step->committed = domain->save->committed;
	/* A copy: the worker may be on it when the save is over. */
	step->fd = domain->save->fd >= 0 ? fcntl(domain->save->fd, F_DUPFD_CLOEXEC, 0)
					   : -1;
	strand_push(domain->work, item_class, step);
}

/* ---- back ---- */

static void finish_failed(Domain *domain)
{
	g_autoptr(GError) error = g_steal_pointer(&domain->save->error);
	Operation *operation = operation_find(domain, domain->save->operation);

	domain->save = save_free(domain->save);
	if (operation)
		operation_end(operation, NULL, error);
}

static void on_going_on(JsonNode *result, const GError *error, void *userdata)
{
	SaveStep *step = userdata;

	if (error)
		domain_log(step->domain, LOG_INFO, "cont after a save that failed: %s",
			   error->message);
	if (step_get_save(step)) {
		if (g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
			lifecycle_tell_api_error(step->domain);
		finish_failed(step->domain);
	}
	step_free(step);
}

static StrandStep discard_work(void *data)
{
	SaveStep *step = data;

	(void)saved_state_discard(step->directory, step->uuid, step->committed, &step->error);
	return STRAND_DONE;
}

static void discard_done(void *data)
{
	SaveStep *step = data;
	Domain *domain = step->domain;

	if (step->error)
		domain_log(domain, LOG_WARNING, "%s", step->error->message);
	if (!step_get_save(step))
		return;
	/* It may have panicked before it was stopped: then on-panic says what becomes of it. */
	if (domain->save->stopped && domain->state != DOMAIN_STATE_CRASHED)
		domain_call(domain, "cont", NULL, DOMAIN_CALL_TIMEOUT_MS, on_going_on,
			    step_new(domain));
	else
		finish_failed(domain);
}

static const StrandItemClass discard_class = { discard_work, NULL, discard_done, step_free };

/* Takes error over. Nothing happens if it has failed before or cannot be undone any more. */
static void save_fail(Domain *domain, GError *error)
{
	if (domain->save->error || domain->save->quitting) {
		g_error_free(error);
		return;
	}
	domain->save->error = error;
	/* QEMU may go on writing to the file that is removed now, and its guest stands still. A loss comes by here
	 * first when it cuts off a command. */
	if (g_error_matches(error, CORE_ERROR, CORE_ERROR_MONITOR_LOST))
		domain->saved_left = SAVED_LEFT_PARTIAL |
				     (domain->save->stopped ? SAVED_LEFT_RUNNING : 0);
	/* Before the file is gone, and before the guest goes on; where it is over already, it does nothing. */
	if (domain->save->writing)
		domain_order(domain, "migrate_cancel", NULL);
	push_work(domain, &discard_class);
}

void save_monitor_lost(Domain *domain)
{
	if (!domain->save || domain->save->quitting)
		return;
	save_fail(domain, g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
				      "The monitor of domain '%s' was lost while it was saved",
				      domain_get_name(domain)));
}

/* ---- the end ---- */

static void on_quit(JsonNode *result, const GError *error, void *userdata)
{
	SaveStep *step = userdata;
	Save *save = step_get_going(step);

	/* A lost connection is what `quit` looks like. */
	if (save && g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR)) {
		save->quitting = false;
		save_fail(step->domain, g_error_copy(error));
	}
	step_free(step);
}

void save_quit(Domain *domain)
{
	if (!domain->save) {
		domain->save = g_new0(Save, 1);
		domain->save->fd = -1;
		domain->save->committed = true;
	}
	domain->save->quitting = true;
	domain_call(domain, "quit", NULL, DOMAIN_CALL_TIMEOUT_MS, on_quit, step_new(domain));
}

static StrandStep commit_work(void *data)
{
	SaveStep *step = data;

	(void)saved_state_commit(step->directory, step->uuid, step->path, step->fd, &step->error);
	return STRAND_DONE;
}

static void commit_done(void *data)
{
	SaveStep *step = data;
	Domain *domain = step->domain;
	Save *save = step_get_save(step);

	if (!save)
		return;
	save->committed = true;
	if (save->error)
		/* It failed meanwhile, and the clean-up was ordered before there was a whole file. */
		push_work(domain, &discard_class);
	else if (step->error)
		save_fail(domain, g_steal_pointer(&step->error));
	else if (domain->state != DOMAIN_STATE_PAUSED)
		/* Its disks move on: what was saved is the past. */
		save_fail(domain, g_error_new(CORE_ERROR, CORE_ERROR_WRONG_STATE,
					      "Domain '%s' did not stay paused while it was saved",
					      domain_get_name(domain)));
	else
		save_quit(domain);
}

static const StrandItemClass commit_class = { commit_work, NULL, commit_done, step_free };

/* ---- QEMU writes ---- */

static void on_migrate_status(JsonNode *result, const GError *error, void *userdata)
{
	SaveStep *step = userdata;
	const char *text = "QEMU does not say why";

	(void)json_read_string(json_node_as_object(result), "error-desc", &text);
	if (step_get_going(step))
		save_fail(step->domain, g_error_new(CORE_ERROR, CORE_ERROR_QEMU_ERROR,
						    "Domain '%s' could not be saved: %s",
						    domain_get_name(step->domain), text));
	step_free(step);
}

static void note_saving(Domain *domain, const char *status)
{
	Save *save = domain->save;

	if (!save->writing || save->error)
		return;
	if (g_str_equal(status, "completed")) {
		save->writing = false;
		push_work(domain, &commit_class);
	} else if (g_str_equal(status, "failed")) {
		save->writing = false;
		domain_call(domain, "query-migrate", NULL, DOMAIN_CALL_TIMEOUT_MS, on_migrate_status,
			    step_new(domain));
	} else if (g_str_equal(status, "cancelled")) {
		save->writing = false;
		save_fail(domain, g_error_new(CORE_ERROR, CORE_ERROR_QEMU_ERROR,
					      "Domain '%s' could not be saved: the migration was "
					      "cancelled", domain_get_name(domain)));
	}
}

void save_note_status(Domain *domain, const char *status)
{
	if (domain->save)
		note_saving(domain, status);
	else if (domain->start)
		restore_note_status(domain, status);
}

/* Success or failure of a command; on failure the whole save has failed. */
static bool check_step(const SaveStep *step, const GError *error)
{
	if (!step_get_going(step))
		return false;
	if (error)
		save_fail(step->domain, g_error_copy(error));
	return !error;
}

static void on_migrating(JsonNode *result, const GError *error, void *userdata)
{
	SaveStep *step = userdata;

	/* Refused: it has not begun. */
	if (step_get_going(step) && g_error_matches(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR))
		step->domain->save->writing = false;
	(void)check_step(step, error);
	step_free(step);
}

static void on_descriptor(JsonNode *result, const GError *error, void *userdata)
{
	SaveStep *step = userdata;
	Domain *domain = step->domain;

	if (check_step(step, error)) {
		/* WARNING: the event may come before the reply. */
		domain->save->writing = true;
		domain_call(domain, "migrate", save_make_uri(), DOMAIN_CALL_TIMEOUT_MS, on_migrating,
			    step_new(domain));
	}
	step_free(step);
}

static void on_stopped(JsonNode *result, const GError *error, void *userdata)
{
	SaveStep *step = userdata;

	if (check_step(step, error))
		save_call_getfd(step->domain, step->domain->save->fd, on_descriptor,
				step_new(step->domain));
	step_free(step);
}

static void on_capability(JsonNode *result, const GError *error, void *userdata)
{
	SaveStep *step = userdata;
	Domain *domain = step->domain;

	if (!check_step(step, error)) {
		step_free(step);
	} else if (domain->state == DOMAIN_STATE_RUNNING) {
		domain->save->stopped = true;
		domain_call(domain, "stop", NULL, DOMAIN_CALL_TIMEOUT_MS, on_stopped, step);
	} else {
		on_stopped(NULL, NULL, step);
	}
}

/* ---- the beginning ---- */

static StrandStep create_work(void *data)
{
	SaveStep *step = data;

	step->fd = saved_state_create(step->directory, step->uuid, step->path, step->header,
				      &step->error);
	return STRAND_DONE;
}

static void create_done(void *data)
{
	SaveStep *step = data;
	Domain *domain = step->domain;

	if (!step_get_going(step))
		return;
	if (step->error) {
		save_fail(domain, g_steal_pointer(&step->error));
		return;
	}
	domain->save->fd = step->fd;
	step->fd = -1;
	migration_call_events_on(domain, on_capability, step_new(domain));
}

static const StrandItemClass create_class = { create_work, NULL, create_done, step_free };

/* What is under way would be cut in half. */
static bool check_alone(const Domain *domain, GError **error)
{
	for (unsigned i = 0; i < domain->operations->len; i++) {
		const Operation *other = g_ptr_array_index(domain->operations, i);

		if (other->kind == DOMAIN_OPERATION_EXECUTE || other->kind == DOMAIN_OPERATION_SAVE ||
		    other->kind == DOMAIN_OPERATION_GET_COMMAND_LINE ||
		    other->kind == DOMAIN_OPERATION_GET_INTERFACES ||
		    other->kind == DOMAIN_OPERATION_MAX)
			continue;
		g_set_error(error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Domain '%s': %s is under way; save it when that is done",
			    domain_get_name(domain), domain_operation_to_string(other->kind));
		return false;
	}
	return true;
}

/* WARNING: it is made with our rights, and removed with them. Where QEMU is somebody else, who may save a domain is not who may make
 * files all over the host: nothing leads out of a directory for images, when the file is in that itself. */
static bool check_path(const Domain *domain, const char *path, GError **error)
{
	char *const *directories = domain->host->configuration->image_directories;
	g_autofree char *folder = g_path_get_dirname(path);

	if (!g_path_is_absolute(path)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "path: '%s' is not absolute", path);
		return false;
	}
	if (!domain->host->launcher.user || g_strv_contains((const char *const *)directories, folder))
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_NOT_PERMITTED,
		    "path: '%s' is not in a directory for images itself, such as %s (ImageDirectories= in the section [QEMU] of "
		    "vmherald.conf); or leave it out", path, directories[0] ? directories[0] : "/var/lib/vmherald/images");
	return false;
}

static bool check_save(const Domain *domain, const char *path, GError **error)
{
	if (path && !check_path(domain, path, error))
		return false;
	if (!domain->persistent) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Domain '%s' is transient: it vanishes when it stops, and nobody could "
			    "restore it; define it first", domain_get_name(domain));
		return false;
	}
	return check_alone(domain, error);
}

static char *make_header(const Domain *domain)
{
	const StateHeader header = {
		.definition = domain->definition,
		.incarnation = domain->incarnation,
		.qemu_version = domain->qemu_version,
		.was_running = domain->state == DOMAIN_STATE_RUNNING,
		.saved_at = event_now(),
	};

	return state_header_to_text(&header);
}

static void on_save_timeout(int timer, void *userdata)
{
	Operation *operation = userdata;
	Domain *domain = operation->domain;

	domain_clear_timer(domain, &operation->timer);
	save_fail(domain, g_error_new(CORE_ERROR, CORE_ERROR_TIMEOUT,
				      "Domain '%s' was not saved in the time given; it is as it was before",
				      domain_get_name(domain)));
}

void domain_save(Domain *domain, const char *path, int timeout_ms, DomainDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_SAVE, done, userdata);

	if (!operation)
		return;
	if (!check_save(domain, path, &error)) {
		operation_end(operation, NULL, error);
		return;
	}
	domain->save = g_new0(Save, 1);
	domain->save->operation = operation->id;
	domain->save->path = g_strdup(path);
	domain->save->header = make_header(domain);
	domain->save->fd = -1;
	operation_set_timer(operation, timeout_ms, on_save_timeout);
	push_work(domain, &create_class);
}
