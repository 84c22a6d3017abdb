/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver-job.h"

#include <unistd.h>

#include "base/error.h"

void job_answer(Job *job, Domain *domain, const GError *error)
{
	DriverDone done = g_steal_pointer(&job->done);
	DriverValidated validated = g_steal_pointer(&job->validated);
	DriverIdentified identified = g_steal_pointer(&job->identified);

	if (done)
		done(domain, error, job->userdata);
	if (identified && error)
		identified(NULL, NULL, error, job->userdata);
	else if (identified)
		identified(job->definition->name,
			   job->definition->has_made_up_uuid ? NULL : job->definition->uuid, NULL,
			   job->userdata);
	if (validated)
		validated(error ? NULL : job->problems, error, job->userdata);
}

static void job_let_go(Job *job)
{
	if (job->holding)
		registry_release(job->driver->registry, job->definition);
	if (job->renaming)
		domain_set_renaming(job->domain, false);
	if (job->plan)
		reload_plan_release(job->plan);
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
	if (job->done || job->validated || job->identified) {
		g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_IO,
						      "The service is leaving");

		job_answer(job, NULL, error);
	}
	job_let_go(job);
	g_clear_error(&job->error);
	g_clear_pointer(&job->definition, definition_unref);
	g_clear_pointer(&job->configuration, configuration_free);
	g_clear_pointer(&job->plan, reload_plan_free);
	g_clear_pointer(&job->stored, stored_definitions_free);
	g_clear_pointer(&job->problems, g_ptr_array_unref);
	g_clear_pointer(&job->saved_states, g_hash_table_unref);
	domain_unref(job->domain);
	descriptors_free(job->descriptors);
	g_free(job->text);
	g_free(job->old_name);
	g_free(job);
}

static const StrandItemClass job_item_class = { job_work, job_wait, job_done, job_free };

Job *job_new(Driver *driver, const JobClass *job_class, DriverDone done, void *userdata)
{
	Job *job = g_new0(Job, 1);

	job->job_class = job_class;
	job->driver = driver;
	job->done = done;
	job->userdata = userdata;
	job->definitions = driver->definitions;
	job->saved = driver->directories->saved;
	job->nvram = driver->directories->nvram;
	job->owners = driver->directories->owners;
	job->owner = geteuid();
	job->configuration_source = driver->configuration_source;
	driver->jobs++;
	return job;
}

void job_push(Job *job)
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
