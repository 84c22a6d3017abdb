/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "domain/definition-store.h"
#include "domain/saved-state.h"
#include "driver-internal.h"

/*
 * Changes of definitions. Each is a job of four steps on one strand, so that they follow each other and the
 * event thread never waits for the disk or for the parsing of a long document:
 *
 *   compute   worker        parse, or read the files
 *   check     event thread  may it be? hold the name and uuid; take the snapshot to write
 *   store     worker        write or remove the file
 *   commit    event thread  the file is as it should be: now the domain, the signals, the answer
 *
 * A job that fails in one step goes straight to its answer, and nothing has changed.
 */

typedef struct Job Job;

typedef struct JobClass {
	bool (*compute)(Job *job, GError **error);
	bool (*check)(Job *job, GError **error);
	bool (*store)(Job *job, GError **error);
	/* Answers, then or later. */
	void (*commit)(Job *job);
} JobClass;

struct Job {
	const JobClass *job_class;
	Driver *driver;
	DriverDone done;
	DriverValidated validated;  /* instead of done */
	void *userdata;
	const char *directory;      /* the driver's, which outlives its workers */
	const char *saved;          /* likewise */
	bool stored_step;           /* compute and check are behind us */
	GError *error;

	char *text;
	Definition *definition;
	bool holding, renaming;
	Domain *domain;             /* a reference */
	char *old_name;
	bool paused, autostart;
	DefinitionEdit edit;
	void *edit_data;            /* the caller's, until it is answered */
	bool only_check;
	GPtrArray *loaded, *problems;
	GHashTable *saved_states;   /* uuids, as the worker found them */
};

static void job_answer(Job *job, Domain *domain, const GError *error)
{
	DriverDone done = g_steal_pointer(&job->done);
	DriverValidated validated = g_steal_pointer(&job->validated);

	if (done)
		done(domain, error, job->userdata);
	if (validated)
		validated(error ? NULL : job->problems, error, job->userdata);
}

static void job_let_go(Job *job)
{
	if (job->holding)
		registry_release(job->driver->registry, job->definition);
	if (job->renaming)
		domain_set_renaming(job->domain, false);
	job->holding = false;
	job->renaming = false;
}

static StrandStep job_work(void *data)
{
	Job *job = data;

	if (job->stored_step) {
		if (!job->error && job->job_class->store)
			(void)job->job_class->store(job, &job->error);
		return STRAND_DONE;
	}
	if (!job->error && job->job_class->compute)
		(void)job->job_class->compute(job, &job->error);
	return STRAND_WAIT;
}

static void job_wait(Strand *strand, void *data)
{
	Job *job = data;

	job->stored_step = true;
	if (!job->error && job->job_class->check)
		(void)job->job_class->check(job, &job->error);
	strand_resume(strand);
}

static void job_done(void *data)
{
	Job *job = data;

	job_let_go(job);
	if (job->error)
		job_answer(job, NULL, job->error);
	else
		job->job_class->commit(job);
}

static void job_free(void *data)
{
	Job *job = data;

	job->driver->jobs--;
	if (job->done || job->validated) {
		g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_IO,
						      "The service is leaving");

		job_answer(job, NULL, error);
	}
	job_let_go(job);
	g_clear_error(&job->error);
	g_clear_pointer(&job->definition, definition_unref);
	g_clear_pointer(&job->loaded, g_ptr_array_unref);
	g_clear_pointer(&job->problems, g_ptr_array_unref);
	g_clear_pointer(&job->saved_states, g_hash_table_unref);
	domain_unref(job->domain);
	g_free(job->text);
	g_free(job->old_name);
	g_free(job);
}

static const StrandItemClass job_item_class = { job_work, job_wait, job_done, job_free };

static Job *job_new(Driver *driver, const JobClass *job_class, DriverDone done, void *userdata)
{
	Job *job = g_new0(Job, 1);

	job->job_class = job_class;
	job->driver = driver;
	job->done = done;
	job->userdata = userdata;
	job->directory = driver->directories->definitions;
	job->saved = driver->directories->saved;
	driver->jobs++;
	return job;
}

/* Answered at once if there are too many. */
static void job_push(Job *job)
{
	if (job->driver->jobs > DRIVER_JOBS_MAX) {
		g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
						      "%u changes of definitions are pending; wait "
						      "until some have ended", DRIVER_JOBS_MAX);

		job_answer(job, NULL, error);
		job_free(job);
		return;
	}
	strand_push(job->driver->store, &job_item_class, job);
}

/* Measured before it is copied: so many jobs may be waiting. */
static void take_text(Job *job, const char *text)
{
	size_t length = strlen(text);

	if (length > DEFINITION_LENGTH_MAX)
		/* Says that it is too long, and looks no further. */
		job->definition = definition_parse(text, length, &job->error);
	else
		job->text = g_strdup(text);
}

static bool parse_text(Job *job, GError **error)
{
	job->saved_states = saved_state_list(job->saved);
	job->definition = definition_parse(job->text, strlen(job->text), error);
	return job->definition != NULL;
}

/* ---- define ---- */

static bool check_define(Job *job, GError **error)
{
	Driver *driver = job->driver;
	Domain *domain = registry_find_by_uuid(driver->registry, job->definition->uuid);

	if (!registry_hold(driver->registry, job->definition, domain, error))
		return false;
	job->holding = true;
	if (!domain)
		return true;
	job->domain = domain_ref(domain);
	job->old_name = g_strdup(domain_get_name(domain));
	if (domain_state_is_active(domain_get_state(domain)) &&
	    !g_str_equal(job->old_name, job->definition->name)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Domain '%s' runs and cannot be renamed to '%s' now; shut it down first",
			    job->old_name, job->definition->name);
		return false;
	}
	/* Between here and the commit it must not begin to run under its old name. */
	job->renaming = !g_str_equal(job->old_name, job->definition->name);
	if (job->renaming)
		domain_set_renaming(domain, true);
	return true;
}

static bool store_definition(Job *job, GError **error)
{
	return definition_store_write(job->directory, job->definition, job->old_name, error);
}

static void redefine(Driver *driver, Domain *domain, Definition *definition)
{
	g_autofree char *old_name = g_strdup(domain_get_name(domain));
	bool renamed = !g_str_equal(old_name, definition->name);

	domain_redefine(domain, definition_ref(definition),
			renamed ? LIFECYCLE_REASON_RENAMED : LIFECYCLE_REASON_UPDATED);
	if (renamed && g_str_equal(domain_get_name(domain), definition->name))
		registry_rename(driver->registry, domain, old_name);
}

/* A state that was saved under that uuid is the domain's, also if the definition was away for a while. */
static Domain *add_defined(Driver *driver, Definition *definition, GHashTable *saved_states)
{
	Domain *domain = domain_new(&driver->host, definition_ref(definition), true);

	domain_set_has_saved_state(domain, g_hash_table_contains(saved_states, definition->uuid));
	driver_add_domain(driver, domain);
	domain_emit_defined(domain, LIFECYCLE_REASON_ADDED);
	return domain;
}

static void commit_define(Job *job)
{
	/* It may have been a transient one that has stopped meanwhile. */
	Domain *known = registry_find_by_uuid(job->driver->registry, job->definition->uuid);
	g_autoptr(Domain) domain = NULL;

	if (known) {
		domain = domain_ref(known);
		redefine(job->driver, domain, job->definition);
	} else {
		domain = add_defined(job->driver, job->definition, job->saved_states);
	}
	job_answer(job, domain, NULL);
}

static const JobClass define_class = { parse_text, check_define, store_definition, commit_define };

void driver_define(Driver *driver, const char *text, DriverDone done, void *userdata)
{
	Job *job = job_new(driver, &define_class, done, userdata);

	take_text(job, text);
	job_push(job);
}

/* ---- create ---- */

static bool check_create(Job *job, GError **error)
{
	if (!registry_hold(job->driver->registry, job->definition, NULL, error))
		return false;
	job->holding = true;
	return true;
}

typedef struct CreateAnswer {
	Driver *driver;
	DriverDone done;
	void *userdata;
} CreateAnswer;

static void on_created(Domain *domain, const char *result, const GError *error, void *userdata)
{
	CreateAnswer *answer = userdata;

	answer->done(error ? NULL : domain, error, answer->userdata);
	g_free(answer);
}

static void commit_create(Job *job)
{
	g_autoptr(Domain) domain = domain_new(&job->driver->host, definition_ref(job->definition),
					      false);
	CreateAnswer *answer = g_new0(CreateAnswer, 1);

	answer->done = g_steal_pointer(&job->done);
	answer->userdata = job->userdata;
	driver_add_domain(job->driver, domain);
	domain_start(domain, job->paused, on_created, answer);
}

static const JobClass create_class = { parse_text, check_create, NULL, commit_create };

void driver_create(Driver *driver, const char *text, bool paused, DriverDone done, void *userdata)
{
	Job *job = job_new(driver, &create_class, done, userdata);

	take_text(job, text);
	job->paused = paused;
	job_push(job);
}

/* ---- undefine ---- */

/* A job before this one may have undefined it. */
static bool check_still_there(Job *job, GError **error)
{
	if (registry_find_by_uuid(job->driver->registry, domain_get_uuid(job->domain)) ==
	    job->domain)
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_NO_SUCH_DOMAIN,
		    "There is no domain '%s' any more", domain_get_name(job->domain));
	return false;
}

static bool check_undefine(Job *job, GError **error)
{
	if (!check_still_there(job, error) ||
	    !domain_state_check_operation(domain_get_state(job->domain), DOMAIN_OPERATION_UNDEFINE,
					  domain_get_name(job->domain), error))
		return false;
	job->old_name = g_strdup(domain_get_name(job->domain));
	return true;
}

static bool store_removal(Job *job, GError **error)
{
	g_autoptr(GError) saved_error = NULL;

	if (!definition_store_remove(job->directory, job->old_name, error))
		return false;
	/* The definition is gone, and that is what was asked for. */
	if (!saved_state_remove(job->saved, domain_get_uuid(job->domain), &saved_error))
		g_warning("%s", saved_error->message);
	return true;
}

static void undefine(Driver *driver, Domain *domain)
{
	domain_emit_undefined(domain);
	/* Started in the meantime: it goes when it stops. */
	if (domain_state_is_active(domain_get_state(domain))) {
		domain_set_transient(domain);
		domain_set_has_saved_state(domain, false);
	} else {
		driver_remove_domain(driver, domain);
	}
}

static void commit_undefine(Job *job)
{
	undefine(job->driver, job->domain);
	job_answer(job, job->domain, NULL);
}

static const JobClass undefine_class = { NULL, check_undefine, store_removal, commit_undefine };

void driver_undefine(Driver *driver, Domain *domain, DriverDone done, void *userdata)
{
	Job *job = job_new(driver, &undefine_class, done, userdata);

	job->domain = domain_ref(domain);
	job_push(job);
}

/* ---- autostart flag ---- */

static bool check_autostart(Job *job, GError **error)
{
	if (!check_still_there(job, error) || !domain_check_persistent(job->domain, error))
		return false;
	job->definition = definition_with_autostart(domain_get_next_definition(job->domain),
						    job->autostart);
	return true;
}

static void commit_autostart(Job *job)
{
	domain_set_autostart(job->domain, job->autostart);
	job_answer(job, job->domain, NULL);
}

static const JobClass autostart_class = { NULL, check_autostart, store_definition, commit_autostart };

void driver_set_autostart(Driver *driver, Domain *domain, bool autostart, DriverDone done,
			  void *userdata)
{
	Job *job = job_new(driver, &autostart_class, done, userdata);

	job->domain = domain_ref(domain);
	job->autostart = autostart;
	job_push(job);
}

/* ---- edits ---- */

static bool check_edit(Job *job, GError **error)
{
	if (!check_still_there(job, error) || !domain_check_persistent(job->domain, error))
		return false;
	job->definition = definition_ref(domain_get_next_definition(job->domain));
	return true;
}

static bool store_edit(Job *job, GError **error)
{
	g_autoptr(Definition) old = g_steal_pointer(&job->definition);

	job->definition = job->edit(old, job->edit_data, error);
	if (!job->definition)
		return false;
	return job->only_check || store_definition(job, error);
}

static void commit_edit(Job *job)
{
	if (!job->only_check)
		domain_redefine(job->domain, definition_ref(job->definition),
				LIFECYCLE_REASON_UPDATED);
	job_answer(job, job->domain, NULL);
}

static const JobClass edit_class = { NULL, check_edit, store_edit, commit_edit };

void driver_edit_definition(Driver *driver, Domain *domain, bool only_check, DefinitionEdit edit,
			    void *edit_data, DriverDone done, void *userdata)
{
	Job *job = job_new(driver, &edit_class, done, userdata);

	job->domain = domain_ref(domain);
	job->only_check = only_check;
	job->edit = edit;
	job->edit_data = edit_data;
	job_push(job);
}

/* ---- reload ---- */

static bool compute_reload(Job *job, GError **error)
{
	job->problems = g_ptr_array_new_with_free_func(g_free);
	job->loaded = definition_store_load(job->directory, job->problems);
	job->saved_states = saved_state_list(job->saved);
	return true;
}

static bool is_same(const Definition *a, const Definition *b)
{
	g_autofree char *text_a = definition_to_json(a);
	g_autofree char *text_b = definition_to_json(b);

	return g_str_equal(text_a, text_b);
}

static void take_in(Driver *driver, Definition *definition, GHashTable *saved_states)
{
	Domain *domain = registry_find_by_uuid(driver->registry, definition->uuid);
	g_autoptr(GError) error = NULL;

	if (domain && domain_is_persistent(domain) &&
	    is_same(domain_get_next_definition(domain), definition))
		return;
	if (!registry_hold(driver->registry, definition, domain, &error)) {
		g_warning("Reload: %s", error->message);
		return;
	}
	registry_release(driver->registry, definition);
	if (!domain)
		domain_unref(add_defined(driver, definition, saved_states));
	else if (domain_state_is_active(domain_get_state(domain)) &&
		 !g_str_equal(domain_get_name(domain), definition->name))
		g_warning("Reload: domain '%s' runs and is not renamed to '%s' now",
			  domain_get_name(domain), definition->name);
	else
		redefine(driver, domain, definition);
}

static void commit_reload(Job *job)
{
	g_autoptr(GPtrArray) domains = registry_list(job->driver->registry);
	g_autoptr(GHashTable) files = g_hash_table_new(g_str_hash, g_str_equal);

	for (unsigned i = 0; i < job->problems->len; i++)
		g_warning("Reload: %s", (const char *)g_ptr_array_index(job->problems, i));
	for (unsigned i = 0; i < job->loaded->len; i++) {
		StoredDefinition *stored = g_ptr_array_index(job->loaded, i);

		/* Of two files with one uuid the first counts, as at the start. */
		if (g_hash_table_add(files, stored->definition->uuid))
			take_in(job->driver, stored->definition, job->saved_states);
		else
			g_warning("Reload: %s/%s: there is another file with the uuid %s",
				  job->directory, stored->file, stored->definition->uuid);
	}
	for (unsigned i = 0; i < domains->len; i++) {
		Domain *domain = g_ptr_array_index(domains, i);

		/* With a file that cannot be read, nobody knows whose it is: then nothing is taken away. */
		if (domain_is_persistent(domain) && job->problems->len == 0 &&
		    !g_hash_table_contains(files, domain_get_uuid(domain)))
			undefine(job->driver, domain);
	}
	driver_autostart(job->driver, true);
	job_answer(job, NULL, NULL);
}

static const JobClass reload_class = { compute_reload, NULL, NULL, commit_reload };

void driver_reload(Driver *driver, DriverDone done, void *userdata)
{
	job_push(job_new(driver, &reload_class, done, userdata));
}

/* ---- validate ---- */

static bool compute_problems(Job *job, GError **error)
{
	if (!job->problems)
		job->problems = definition_validate(job->text, strlen(job->text));
	return true;
}

static void commit_problems(Job *job)
{
	job_answer(job, NULL, NULL);
}

static const JobClass validate_class = { compute_problems, NULL, NULL, commit_problems };

void driver_validate(Driver *driver, const char *text, DriverValidated done, void *userdata)
{
	Job *job = job_new(driver, &validate_class, NULL, userdata);

	job->validated = done;
	if (strlen(text) > DEFINITION_LENGTH_MAX)
		/* That is the problem, found without a look. */
		job->problems = definition_validate(text, strlen(text));
	else
		job->text = g_strdup(text);
	job_push(job);
}
