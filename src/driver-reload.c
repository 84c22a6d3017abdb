/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver-job.h"

#include "base/log.h"
#include "domain/saved-state.h"

/*
 * Taking in the files of definitions, at the start and by Reload(). What is good is taken in, whatever else is
 * bad; what is bad is kept as state (driver_get_definition_problems()) until the next reading, so that also who was not
 * there can see it. Which files may have their way is decided in domain/reload-plan.c.
 */

static bool are_same_problems(const GPtrArray *a, const GPtrArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned i = 0; i < a->len; i++)
		if (!stored_problem_equal(g_ptr_array_index(a, i), g_ptr_array_index(b, i)))
			return false;
	return true;
}

static void set_problems(Driver *driver, const StoredDefinitions *stored)
{
	bool same = are_same_problems(driver->problems, stored->problems);

	for (unsigned i = 0; i < stored->problems->len; i++) {
		const StoredProblem *problem = g_ptr_array_index(stored->problems, i);
		g_autofree char *text = stored_problem_to_string(problem);

		log_problem(LOG_ID_DEFINITION_PROBLEM, problem->file, text);
	}
	g_ptr_array_unref(driver->problems);
	driver->problems = g_ptr_array_ref(stored->problems);
	if (!same)
		driver->observer.definition_problems_changed(driver->observer.userdata);
}

GPtrArray *driver_get_definition_problems(const Driver *driver)
{
	return driver->problems;
}

/* ---- at the start ---- */

static void add_at_start(Driver *driver, const Definition *definition, GHashTable *saved,
			 GHashTable *left)
{
	g_autoptr(Domain) domain = domain_new(&driver->host, definition_ref(definition), true);

	domain_set_has_saved_state(domain, g_hash_table_contains(saved, definition->uuid));
	domain_set_saved_left(domain, GPOINTER_TO_UINT(g_hash_table_lookup(left, definition->uuid)));
	driver_add_domain(driver, domain);
}

void driver_load_definitions(Driver *driver)
{
	g_autoptr(StoredDefinitions) stored = NULL;
	g_autoptr(GHashTable) left = saved_state_clean(driver->directories->saved);
	g_autoptr(GHashTable) saved = saved_state_list(driver->directories->saved);
	g_autoptr(ReloadPlan) plan = NULL;

	stored = definition_store_load(driver->definitions);
	plan = reload_plan_new(driver->registry, stored);
	definition_store_settle(driver->definitions, plan->accepted);
	reload_plan_release(plan);
	for (unsigned i = 0; i < plan->entries->len; i++) {
		const ReloadEntry *entry = g_ptr_array_index(plan->entries, i);

		add_at_start(driver, entry->stored->definition, saved, left);
	}
	set_problems(driver, stored);
}

/* ---- reload ---- */

/* It goes first: one that is bad must not leave half of a reload behind. */
static bool read_configuration(Job *job, GError **error)
{
	g_autoptr(GPtrArray) problems = configuration_problems_new();

	job->configuration = configuration_load(job->configuration_source, problems);
	if (job->configuration)
		return true;
	configuration_problems_log(problems);
	configuration_problems_to_error(problems, error);
	return false;
}

static bool compute_reload(Job *job, GError **error)
{
	if (job->configuration_source && !read_configuration(job, error))
		return false;
	job->stored = definition_store_load(job->definitions);
	job->saved_states = saved_state_list(job->saved);
	return true;
}

static bool check_reload(Job *job, GError **error)
{
	job->plan = reload_plan_new(job->driver->registry, job->stored);
	return true;
}

static bool store_reload(Job *job, GError **error)
{
	reload_plan_compare(job->plan);
	definition_store_settle(job->definitions, job->plan->accepted);
	return true;
}

static void take_in(Job *job, const ReloadEntry *entry)
{
	Definition *definition = entry->stored->definition;
	/* Transient ones may have stopped meanwhile. */
	Domain *domain = registry_find_by_uuid(job->driver->registry, definition->uuid);

	if (!domain)
		domain_unref(driver_add_defined(job->driver, definition, job->saved_states, job->owner));
	else if (!domain_is_persistent(domain) || !entry->is_same)
		driver_redefine(job->driver, domain, definition);
}

static void commit_reload(Job *job)
{
	ReloadPlan *plan = job->plan;

	if (job->configuration)
		driver_change_configuration(job->driver, g_steal_pointer(&job->configuration));
	for (unsigned i = 0; i < plan->removed->len; i++)
		driver_forget(job->driver, g_ptr_array_index(plan->removed, i));
	/* A new one may have the name that another has had so far. */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < plan->entries->len; i++) {
			const ReloadEntry *entry = g_ptr_array_index(plan->entries, i);

			if ((entry->domain == NULL) == (pass == 1))
				take_in(job, entry);
		}
	}
	set_problems(job->driver, job->stored);
	/* Nothing that was read has changed since, or it is noticed soon. */
	if (job->stored->complete)
		driver_set_changed_files(job->driver, g_ptr_array_new());
	driver_find_emulators(job->driver);
	driver_autostart(job->driver, true);
	job_answer(job, NULL, NULL);
}

static const JobClass reload_class = { compute_reload, check_reload, store_reload, commit_reload };

void driver_reload(Driver *driver, DriverDone done, void *userdata)
{
	job_push(job_new(driver, &reload_class, done, userdata));
}
