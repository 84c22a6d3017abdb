/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * The definition of what runs follows the devices that come and go, so that a state that is saved of it can be
 * loaded again: it needs the same devices. It is kept in the run file, which every edit writes anew. The definition
 * that the next start uses is another one from then on, and stays what it was.
 *
 * What a client adds past the service, by commands on the monitor, is not known here.
 *
 *   work   worker        at once: the edit before this one is committed when its turn comes
 *   wait   event thread  takes the definition as it is by then
 *   work   worker        edits it: a long document takes its time
 *   done   event thread  what runs has the new one; the run file is written
 */

typedef struct LiveEdit {
	Domain *domain;
	uint64_t run;
	char *id;                                  /* of a device that has gone; NULL: one has come */
	JsonNode *entries[DEFINITION_ENTRY_MAX];
	DefinitionInterface *interface;            /* what has come is one; or NULL */
	bool taken;
	Definition *definition;
	GError *error;
	RunFileWritten done;
	void *userdata;
} LiveEdit;

static StrandStep edit_work(void *data)
{
	LiveEdit *edit = data;
	g_autoptr(Definition) old = g_steal_pointer(&edit->definition);

	if (!edit->taken)
		return STRAND_WAIT;
	if (old && edit->id)
		edit->definition = definition_remove_device(old, edit->id, &edit->error);
	else if (old && edit->interface)
		edit->definition = definition_add_interface(old, edit->interface, &edit->error);
	else if (old)
		edit->definition = definition_add_entries(old, edit->entries, &edit->error);
	return STRAND_DONE;
}

static bool is_over(const LiveEdit *edit)
{
	return !edit->domain->host || edit->domain->run != edit->run || edit->domain->ending;
}

static void edit_wait(Strand *strand, void *data)
{
	LiveEdit *edit = data;

	edit->taken = true;
	if (!is_over(edit))
		edit->definition = definition_ref(edit->domain->definition);
	strand_resume(strand);
}

static void edit_done(void *data)
{
	LiveEdit *edit = data;
	Domain *domain = edit->domain;
	RunFileWritten done = g_steal_pointer(&edit->done);

	/* What came past the service goes in silence. */
	if (is_over(edit) || g_error_matches(edit->error, CORE_ERROR, CORE_ERROR_NO_SUCH_DEVICE)) {
		done(domain, NULL, edit->userdata);
		return;
	}
	if (edit->error)
		domain_log(domain, LOG_NOTICE, "the definition of what runs has not followed its devices; a "
			   "state that is saved now could not be restored: %s", edit->error->message);
	if (edit->definition) {
		/* A transient domain has no other. */
		if (domain->persistent && !domain->next_definition)
			domain->next_definition = definition_ref(domain->definition);
		definition_unref(domain->definition);
		domain->definition = g_steal_pointer(&edit->definition);
	}
	/* It is only known now whether this guest is trusted. */
	if (edit->interface)
		filter_watch_query_all(domain->filter_watch);
	domain_write_run_file(domain, true, done, edit->userdata);
}

static void edit_free(void *data)
{
	LiveEdit *edit = data;

	if (edit->done) {
		g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_LOST,
						      "The service is leaving");

		edit->done(edit->domain, error, edit->userdata);
	}
	for (unsigned i = 0; i < DEFINITION_ENTRY_MAX; i++)
		g_clear_pointer(&edit->entries[i], json_node_unref);
	definition_interface_free(edit->interface);
	g_clear_pointer(&edit->definition, definition_unref);
	g_clear_error(&edit->error);
	g_free(edit->id);
	domain_unref(edit->domain);
	g_free(edit);
}

static const StrandItemClass edit_class = { edit_work, edit_wait, edit_done, edit_free };

static LiveEdit *edit_new(Domain *domain, RunFileWritten done, void *userdata)
{
	LiveEdit *edit = g_new0(LiveEdit, 1);

	edit->domain = domain_ref(domain);
	edit->run = domain->run;
	edit->done = done;
	edit->userdata = userdata;
	return edit;
}

void live_definition_add(Domain *domain, JsonNode *const entries[DEFINITION_ENTRY_MAX],
			 RunFileWritten done, void *userdata)
{
	LiveEdit *edit = edit_new(domain, done, userdata);

	for (unsigned i = 0; i < DEFINITION_ENTRY_MAX; i++)
		edit->entries[i] = entries[i] ? json_node_ref(entries[i]) : NULL;
	strand_push(domain->work, &edit_class, edit);
}

void live_definition_add_interface(Domain *domain, const DefinitionInterface *interface,
				   RunFileWritten done, void *userdata)
{
	LiveEdit *edit = edit_new(domain, done, userdata);

	edit->interface = definition_interface_copy(interface);
	strand_push(domain->work, &edit_class, edit);
}

static void end_operation(Domain *domain, uint64_t id)
{
	Operation *operation = id != 0 ? operation_find(domain, id) : NULL;

	if (operation)
		operation_end(operation, NULL, NULL);
}

/* userdata: the id of an operation, 0 for none. */
static void on_removal_written(Domain *domain, const GError *error, void *userdata)
{
	g_autofree uint64_t *operation = userdata;

	if (error)
		domain_log(domain, LOG_INFO, "%s", error->message);
	end_operation(domain, *operation);
}

void live_definition_remove(Domain *domain, const char *id, uint64_t operation)
{
	LiveEdit *edit;

	/* A start writes the run file in its own time. */
	if (domain->start || !*id) {
		end_operation(domain, operation);
		return;
	}
	edit = edit_new(domain, on_removal_written, g_memdup2(&operation, sizeof(operation)));
	edit->id = g_strdup(id);
	strand_push(domain->work, &edit_class, edit);
}
