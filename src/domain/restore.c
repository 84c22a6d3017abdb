/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <unistd.h>

#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "domain/saved-state.h"

/*
 * The part of a start that only a domain with a saved state has. First the header of the state is looked at:
 * a file that is another's, or not whole, is refused before there is a QEMU. The machine is the one that was
 * saved, for no other could take its state; a definition that was changed meanwhile holds from the start after
 * this one.
 *
 * QEMU is started with "-incoming defer"; start.c comes here when its monitor is connected, and goes on when
 * the state is in:
 *
 *   open (worker)          a descriptor of the saved state
 *   events on, getfd, migrate-incoming
 *   MIGRATION completed    start_loaded()
 *
 * and once more before the guest goes on:
 *
 *   use (worker)           the state is renamed: it must never be loaded again
 *
 * A QEMU that does not take the state writes why to its stderr and exits by itself, which fails the start as
 * any other exit does. The state is kept.
 */

typedef struct RestoreStep {
	Domain *domain;
	uint64_t run;
	char *directory, *uuid;
	int fd;
	GError *error;
} RestoreStep;

static RestoreStep *step_new(Domain *domain)
{
	RestoreStep *step = g_new0(RestoreStep, 1);

	step->domain = domain_ref(domain);
	step->run = domain->run;
	step->directory = g_strdup(domain->host->directories->saved);
	step->uuid = g_strdup(domain->uuid);
	step->fd = -1;
	return step;
}

static void step_free(void *data)
{
	RestoreStep *step = data;

	if (step->fd >= 0)
		(void)close(step->fd);
	g_clear_error(&step->error);
	g_free(step->directory);
	g_free(step->uuid);
	domain_unref(step->domain);
	g_free(step);
}

/* ---- what was saved ---- */

/* It may have been renamed since; and whether it starts with the service is not a part of the machine. */
static Definition *as_it_is_now(const Definition *saved, const Definition *now)
{
	Definition *copy = definition_with_autostart(saved, now->autostart);

	g_free(copy->name);
	copy->name = g_strdup(now->name);
	return copy;
}

StateHeader *restore_read_header(const char *directory, Definition **definition, bool *ret_changed,
				 GError **error)
{
	g_autoptr(StateHeader) header = NULL;
	g_autofree char *now = definition_to_json(*definition);
	g_autofree char *then = NULL;
	int fd = saved_state_open(directory, (*definition)->uuid, &header, error);
	Definition *saved;

	if (fd < 0)
		return NULL;
	(void)close(fd);
	saved = as_it_is_now(header->definition, *definition);
	then = definition_to_json(saved);
	definition_unref(*definition);
	*definition = saved;
	*ret_changed = !g_str_equal(now, then);
	return g_steal_pointer(&header);
}

void restore_take_header(Domain *domain, const StateHeader *header, Definition *definition, bool changed)
{
	domain->start->saved_version = g_strdup(header->qemu_version);
	domain->start->definition_changed = changed;
	if (!changed)
		return;
	domain_log(domain, LOG_NOTICE, "restored with the definition that it was saved with; the one that it "
		   "has now holds from the next start on");
	if (domain->next_definition)
		definition_unref(domain->definition);
	else
		domain->next_definition = domain->definition;
	domain->definition = definition_ref(definition);
	domain_changed(domain, DOMAIN_PROPERTY_TITLE | DOMAIN_PROPERTY_HARDWARE);
}

char *restore_describe_versions(const Domain *domain)
{
	const char *saved = domain->start->saved_version;

	if (!saved || !domain->qemu_version || g_str_equal(saved, domain->qemu_version))
		return g_strdup("");
	return g_strdup_printf(". It was saved by QEMU %s, and this is QEMU %s", saved,
			       domain->qemu_version);
}

/* ---- steps ---- */

static bool step_is_starting(const RestoreStep *step)
{
	const Domain *domain = step->domain;

	return domain->host && domain->run == step->run && domain->start && !domain->start->error;
}

/* False if the start is over or has failed now. */
static bool check_step(const RestoreStep *step, const GError *error)
{
	if (!step_is_starting(step))
		return false;
	if (error)
		start_fail(step->domain, g_error_copy(error));
	return !error;
}

/* ---- loading ---- */

static void on_loading(JsonNode *result, const GError *error, void *userdata)
{
	(void)check_step(userdata, error);
	step_free(userdata);
}

static void on_descriptor(JsonNode *result, const GError *error, void *userdata)
{
	RestoreStep *step = userdata;
	Domain *domain = step->domain;

	if (!check_step(step, error)) {
		step_free(step);
		return;
	}
	domain->start->loading = true;
	/* How long it takes is up to the disk and the size of the memory; Destroy() ends it. */
	domain_clear_timer(domain, &domain->start->timer);
	domain_call(domain, "migrate-incoming", save_make_uri(), DOMAIN_CALL_TIMEOUT_MS, on_loading,
		    step);
}

static void on_capability(JsonNode *result, const GError *error, void *userdata)
{
	RestoreStep *step = userdata;

	if (check_step(step, error))
		save_call_getfd(step->domain, step->fd, on_descriptor, step);
	else
		step_free(step);
}

void restore_note_status(Domain *domain, const char *status)
{
	if (!domain->start->loading || domain->start->error)
		return;
	if (g_str_equal(status, "completed")) {
		domain->start->loading = false;
		start_set_deadline(domain);
		start_loaded(domain);
	} else if (g_str_equal(status, "failed")) {
		/* It is about to write why, and to exit. */
		domain->start->loading = false;
		start_set_deadline(domain);
	}
}

static StrandStep open_work(void *data)
{
	RestoreStep *step = data;

	g_autoptr(StateHeader) header = NULL;

	step->fd = saved_state_open(step->directory, step->uuid, &header, &step->error);
	return STRAND_DONE;
}

static void open_done(void *data)
{
	RestoreStep *step = data;
	RestoreStep *next;

	if (!check_step(step, step->error))
		return;
	next = step_new(step->domain);
	next->fd = step->fd;
	step->fd = -1;
	migration_call_events_on(step->domain, on_capability, next);
}

static const StrandItemClass open_class = { open_work, NULL, open_done, step_free };

void restore_begin(Domain *domain)
{
	strand_push(domain->work, &open_class, step_new(domain));
}

/* ---- using it up ---- */

static StrandStep use_work(void *data)
{
	RestoreStep *step = data;

	(void)saved_state_use(step->directory, step->uuid, &step->error);
	return STRAND_DONE;
}

static void use_done(void *data)
{
	RestoreStep *step = data;

	if (check_step(step, step->error))
		start_release(step->domain);
}

static const StrandItemClass use_class = { use_work, NULL, use_done, step_free };

void restore_use(Domain *domain)
{
	strand_push(domain->work, &use_class, step_new(domain));
}
