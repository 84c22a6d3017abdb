/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/saved-state.h"

/*
 * What QEMU was started with, or would be. Of a process that runs the kernel is asked, so it is what was really
 * started, whoever did it and whatever has been defined since.
 */

typedef struct QueryJob {
	Domain *domain;
	uint64_t operation;
	uint64_t run;
	pid_t pid;                   /* 0: nothing runs */
	Definition *definition;
	LaunchPlan plan;
	char *saved;                 /* the folder of saved states */
	char *text;
	GError *error;
} QueryJob;

/* An option and its value on a line. */
static char *to_shell(char *const *arguments)
{
	GString *text = g_string_new(NULL);
	bool was_option = false;

	for (size_t i = 0; arguments[i]; i++) {
		g_autofree char *quoted = g_shell_quote(arguments[i]);
		bool is_plain = *arguments[i] && strspn(arguments[i], G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS
							"+,-./:=@_") == strlen(arguments[i]);
		bool is_option = *arguments[i] == '-';

		if (i > 0)
			g_string_append(text, !is_option && was_option ? " " : " \\\n    ");
		g_string_append(text, is_plain ? arguments[i] : quoted);
		was_option = is_option;
	}
	g_string_append_c(text, '\n');
	return g_string_free(text, FALSE);
}

static GStrv read_process(pid_t pid, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
	g_autofree char *contents = NULL;
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_autoptr(GError) read_error = NULL;
	size_t length = 0;

	if (!g_file_get_contents(path, &contents, &length, &read_error)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_IO, "%s", read_error->message);
		return NULL;
	}
	for (size_t start = 0; start < length; start += strlen(contents + start) + 1) {
		g_autofree char *argument = g_utf8_make_valid(contents + start, -1);

		g_strv_builder_add(builder, argument);
	}
	return g_strv_builder_end(builder);
}

/* A saved state is restored as the machine that it was. */
static bool read_saved_definition(QueryJob *job)
{
	StateHeader *header = NULL;
	bool changed;

	if (!job->plan.incoming)
		return true;
	header = restore_read_header(job->saved, &job->definition, &changed, &job->error);
	state_header_free(header);
	return header != NULL;
}

static StrandStep query_work(void *data)
{
	QueryJob *job = data;
	g_auto(GStrv) arguments = NULL;

	if (job->pid)
		arguments = read_process(job->pid, &job->error);
	else if (read_saved_definition(job))
		arguments = launch_make_command_line(job->definition, &job->plan, &job->error);
	if (arguments)
		job->text = to_shell(arguments);
	return STRAND_DONE;
}

static void query_done(void *data)
{
	QueryJob *job = data;
	Domain *domain = job->domain;
	Operation *operation = operation_find(domain, job->operation);

	if (!operation)
		return;
	/* The number may have been another's by the time it was looked at. */
	if (job->pid && (domain->run != job->run || domain->process_exited)) {
		g_clear_error(&job->error);
		g_set_error(&job->error, CORE_ERROR, CORE_ERROR_MONITOR_LOST, "Domain '%s' has stopped",
			    domain_get_name(domain));
	}
	operation_end(operation, job->error ? NULL : job->text, job->error);
}

static void query_free(void *data)
{
	QueryJob *job = data;

	launch_plan_clear(&job->plan);
	definition_unref(job->definition);
	g_clear_error(&job->error);
	g_free(job->saved);
	g_free(job->text);
	domain_unref(job->domain);
	g_free(job);
}

static const StrandItemClass query_class = { query_work, NULL, query_done, query_free };

void domain_get_command_line(Domain *domain, DomainDone done, void *userdata)
{
	Operation *operation = operation_begin(domain, DOMAIN_OPERATION_GET_COMMAND_LINE, done, userdata);
	QueryJob *job;

	if (!operation)
		return;
	job = g_new0(QueryJob, 1);
	job->domain = domain_ref(domain);
	job->operation = operation->id;
	job->run = domain->run;
	job->pid = domain_get_pid(domain);
	job->definition = definition_ref(domain_get_next_definition(domain));
	job->plan = start_make_plan(domain, domain->has_saved_state);
	job->saved = g_strdup(domain->host->directories->saved);
	strand_push(domain->work, &query_class, job);
}
