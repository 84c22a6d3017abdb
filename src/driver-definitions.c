/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "domain/firmware.h"
#include "domain/owner-store.h"
#include "domain/saved-state.h"
#include "driver-job.h"

/* Changes of definitions that somebody asks for, each a job (driver-job.h). */

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
	job->is_new = !domain || !domain_is_persistent(domain);
	if (domain)
		job->owner = domain_get_owner(domain);
	if (!domain)
		return driver_check_owner(driver, job->owner, false, error);
	job->domain = domain_ref(domain);
	if (!domain_check_not_adopted(domain, "Let go of it (Undefine) or wait for its end, then define "
				      "one with this uuid", error))
		return false;
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
	/* Before it: a domain that is nobody's would count for nobody. */
	if (job->is_new && job->owner != geteuid() &&
	    !owner_store_write(job->owners, job->definition->uuid, job->owner, error))
		return false;
	return definition_store_write(job->definitions, job->definition, job->old_name, error);
}

void driver_redefine(Driver *driver, Domain *domain, Definition *definition)
{
	g_autofree char *old_name = g_strdup(domain_get_name(domain));
	bool renamed = !g_str_equal(old_name, definition->name);

	domain_redefine(domain, definition_ref(definition),
			renamed ? LIFECYCLE_REASON_RENAMED : LIFECYCLE_REASON_UPDATED);
	if (renamed && g_str_equal(domain_get_name(domain), definition->name))
		registry_rename(driver->registry, domain, old_name);
}

/* A state that was saved under that uuid is the domain's, also if the definition was away for a while. */
Domain *driver_add_defined(Driver *driver, Definition *definition, GHashTable *saved_states, uid_t owner)
{
	Domain *domain = domain_new(&driver->host, definition_ref(definition), true);

	domain_set_owner(domain, owner);
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
		driver_redefine(job->driver, domain, job->definition);
	} else {
		domain = driver_add_defined(job->driver, job->definition, job->saved_states, job->owner);
	}
	job_answer(job, domain, NULL);
}

static const JobClass define_class = { parse_text, check_define, store_definition, commit_define };

void driver_define(Driver *driver, uid_t owner, const char *text, DriverDone done, void *userdata)
{
	Job *job = job_new(driver, &define_class, done, userdata);

	job->owner = owner;
	take_text(job, text);
	job_push(job);
}

/* ---- create ---- */

static bool check_create(Job *job, GError **error)
{
	if (driver_is_shutting_down(job->driver)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "The service is leaving and shuts down its guests; create domain '%s' when "
			    "it is back", job->definition->name);
		return false;
	}
	if (!driver_check_owner(job->driver, job->owner, false, error) ||
	    !registry_hold(job->driver->registry, job->definition, NULL, error))
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
	domain_set_owner(domain, job->owner);
	driver_add_domain(job->driver, domain);
	domain_start_with(domain, job->paused, g_steal_pointer(&job->descriptors), on_created, answer);
}

static const JobClass create_class = { parse_text, check_create, NULL, commit_create };

void driver_create(Driver *driver, uid_t owner, const char *text, bool paused, Descriptors *descriptors,
		   DriverDone done, void *userdata)
{
	Job *job = job_new(driver, &create_class, done, userdata);

	job->owner = owner;
	take_text(job, text);
	job->paused = paused;
	job->descriptors = descriptors;
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
	g_autoptr(GError) saved_error = NULL, vars_error = NULL, owner_error = NULL;

	if (!definition_store_remove(job->definitions, job->old_name, error))
		return false;
	/* The definition is gone, and that is what was asked for. */
	if (!saved_state_remove(job->saved, domain_get_uuid(job->domain), &saved_error))
		log_problem(LOG_ID_STORE_FAILED, NULL, saved_error->message);
	if (!firmware_remove_vars(job->nvram, domain_get_uuid(job->domain), &vars_error))
		log_problem(LOG_ID_STORE_FAILED, NULL, vars_error->message);
	if (domain_get_owner(job->domain) != geteuid() &&
	    !owner_store_remove(job->owners, domain_get_uuid(job->domain), &owner_error))
		log_problem(LOG_ID_STORE_FAILED, NULL, owner_error->message);
	return true;
}

void driver_forget(Driver *driver, Domain *domain)
{
	domain_emit_undefined(domain, LIFECYCLE_REASON_REMOVED);
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
	driver_forget(job->driver, job->domain);
	job_answer(job, job->domain, NULL);
}

static const JobClass undefine_class = { NULL, check_undefine, store_removal, commit_undefine };

static void push_undefine(Driver *driver, Domain *domain, DriverDone done, void *userdata)
{
	Job *job = job_new(driver, &undefine_class, done, userdata);

	job->domain = domain_ref(domain);
	job_push(job);
}

typedef struct UndefineAnswer {
	Driver *driver;
	DriverDone done;
	void *userdata;
} UndefineAnswer;

static UndefineAnswer *undefine_answer_new(Driver *driver, DriverDone done, void *userdata)
{
	UndefineAnswer *answer = g_new0(UndefineAnswer, 1);

	answer->driver = driver;
	answer->done = done;
	answer->userdata = userdata;
	return answer;
}

static void on_released(Domain *domain, const char *result, const GError *error, void *userdata)
{
	UndefineAnswer *answer = userdata;

	answer->done(domain, error, answer->userdata);
	g_free(answer);
}

/* What was transient has gone with its QEMU. */
static void on_destroyed(Domain *domain, const char *result, const GError *error, void *userdata)
{
	UndefineAnswer *answer = userdata;

	if (!error && domain_is_persistent(domain))
		push_undefine(answer->driver, domain, answer->done, answer->userdata);
	else
		answer->done(domain, error, answer->userdata);
	g_free(answer);
}

void driver_undefine(Driver *driver, Domain *domain, bool destroy, DriverDone done, void *userdata)
{
	if (destroy && domain_state_is_active(domain_get_state(domain)))
		domain_destroy(domain, DOMAIN_DESTROY_GRACE_MS, on_destroyed,
			       undefine_answer_new(driver, done, userdata));
	else if (domain_is_adopted(domain))
		domain_release(domain, on_released, undefine_answer_new(driver, done, userdata));
	else
		push_undefine(driver, domain, done, userdata);
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

/* ---- validate ---- */

static bool compute_problems(Job *job, GError **error)
{
	if (!job->problems)
		job->problems = definition_validate(job->text, strlen(job->text));
	return true;
}

static void answer_it(Job *job)
{
	job_answer(job, NULL, NULL);
}

static const JobClass validate_class = { compute_problems, NULL, NULL, answer_it };

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

/* ---- identify ---- */

static bool parse_identity(Job *job, GError **error)
{
	job->definition = definition_parse(job->text, strlen(job->text), error);
	return job->definition != NULL;
}

static const JobClass identify_class = { parse_identity, NULL, NULL, answer_it };

void driver_identify(Driver *driver, const char *text, DriverIdentified done, void *userdata)
{
	Job *job = job_new(driver, &identify_class, NULL, userdata);

	job->identified = done;
	take_text(job, text);
	job_push(job);
}
