/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "domain/domain-internal.h"

Operation *operation_new(Domain *domain, DomainOperation kind, DomainDone done, void *userdata)
{
	Operation *operation = g_new0(Operation, 1);

	operation->domain = domain_ref(domain);
	operation->id = ++domain->last_operation_id;
	operation->kind = kind;
	operation->done = done;
	operation->userdata = userdata;
	g_ptr_array_add(domain->operations, operation);
	return operation;
}

static bool is_possible_while_saved(DomainOperation kind)
{
	return kind == DOMAIN_OPERATION_DESTROY || kind == DOMAIN_OPERATION_EXECUTE ||
	       kind == DOMAIN_OPERATION_GET_COMMAND_LINE || kind == DOMAIN_OPERATION_GET_INTERFACES;
}

static bool check_operation(const Domain *domain, DomainOperation kind, GError **error)
{
	if (domain->adopted && !adopt_check_operation(domain, kind, error))
		return false;
	/* To let go of a QEMU that runs is just what is wanted. */
	if (domain->adopted && kind == DOMAIN_OPERATION_UNDEFINE)
		return true;
	return domain_state_check_operation(domain->state, kind, domain_get_name(domain), error);
}

Operation *operation_begin(Domain *domain, DomainOperation kind, DomainDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;
	unsigned max = DOMAIN_PENDING_MAX;

	/* A hung QEMU that is full of calls must not be safe from being ended, or let go of. */
	if (kind == DOMAIN_OPERATION_DESTROY || kind == DOMAIN_OPERATION_UNDEFINE)
		max += DOMAIN_PENDING_RESERVE;
	if (domain->operations->len >= max)
		g_set_error(&error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "Domain '%s' has %u calls pending; wait until some have ended",
			    domain_get_name(domain), domain->operations->len);
	else if (domain->host->closing && kind == DOMAIN_OPERATION_START)
		g_set_error(&error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "The service is leaving and shuts down its guests; start domain '%s' when it "
			    "is back", domain_get_name(domain));
	else if (domain->renaming && kind == DOMAIN_OPERATION_START)
		g_set_error(&error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Domain '%s' is being renamed or removed; start it when that is done",
			    domain_get_name(domain));
	else if (domain->save && !is_possible_while_saved(kind))
		g_set_error(&error, CORE_ERROR, CORE_ERROR_WRONG_STATE,
			    "Domain '%s' is being saved; %s is possible when that is done",
			    domain_get_name(domain), domain_operation_to_string(kind));
	else
		(void)check_operation(domain, kind, &error);
	if (error) {
		if (done)
			done(domain, NULL, error, userdata);
		return NULL;
	}

	return operation_new(domain, kind, done, userdata);
}

Operation *operation_find_by_device(const Domain *domain, DomainOperation kind, const char *device)
{
	for (unsigned i = 0; i < domain->operations->len; i++) {
		Operation *operation = g_ptr_array_index(domain->operations, i);

		if (operation->kind == kind && g_strcmp0(operation->device, device) == 0)
			return operation;
	}
	return NULL;
}

Operation *operation_find(const Domain *domain, uint64_t id)
{
	for (unsigned i = 0; i < domain->operations->len; i++) {
		Operation *operation = g_ptr_array_index(domain->operations, i);

		if (operation->id == id)
			return operation;
	}
	return NULL;
}

void operation_end(Operation *operation, const char *result, const GError *error)
{
	Domain *domain = operation->domain;

	bool pending = g_ptr_array_remove_fast(domain->operations, operation);

	g_assert(pending);
	domain_clear_timer(domain, &operation->timer);
	if (domain->reboot == operation)
		domain->reboot = NULL;
	if (domain->readopt == operation)
		domain->readopt = NULL;
	if (operation->done)
		operation->done(domain, result, error, operation->userdata);
	g_free(operation->device);
	g_free(operation);
	domain_unref(domain);
}

void operation_send(Operation *operation, const char *command, JsonNode *arguments, int timeout_ms,
		    QmpReplyCallback callback, void *userdata)
{
	uint64_t call = domain_call(operation->domain, command, arguments, timeout_ms, callback,
				    userdata);

	/* WARNING: without a monitor the operation may have ended in there. */
	if (call != 0)
		operation->call = call;
}

void operations_forget_calls(Domain *domain)
{
	for (unsigned i = 0; i < domain->operations->len; i++)
		((Operation *)g_ptr_array_index(domain->operations, i))->call = 0;
}

OperationRef *operation_ref_new_of_run(Domain *domain)
{
	OperationRef *ref = g_new0(OperationRef, 1);

	ref->domain = domain_ref(domain);
	ref->run = domain->run;
	return ref;
}

OperationRef *operation_ref_new(const Operation *operation)
{
	OperationRef *ref = operation_ref_new_of_run(operation->domain);

	ref->operation = operation->id;
	return ref;
}

Operation *operation_ref_get(const OperationRef *ref)
{
	return operation_find(ref->domain, ref->operation);
}

OperationRef *operation_ref_free(OperationRef *ref)
{
	domain_unref(ref->domain);
	g_free(ref);
	return NULL;
}

/* By their numbers: the end of one may be the end of others. */
static GArray *list_abandoned(const Domain *domain, DomainDone done, bool (*is_gone)(void *userdata))
{
	GArray *ids = g_array_new(FALSE, FALSE, sizeof(uint64_t));

	for (unsigned i = 0; i < domain->operations->len; i++) {
		const Operation *operation = g_ptr_array_index(domain->operations, i);

		if (operation->done == done && is_gone(operation->userdata))
			g_array_append_val(ids, operation->id);
	}
	return ids;
}

void domain_abandon(Domain *domain, DomainDone done, bool (*is_gone)(void *userdata))
{
	g_autoptr(GArray) ids = list_abandoned(domain, done, is_gone);

	for (unsigned i = 0; i < ids->len; i++) {
		Operation *operation = operation_find(domain, g_array_index(ids, uint64_t, i));

		if (!operation)
			continue;
		operation->abandoned = true;
		if (operation->call != 0 && domain->monitor)
			qmp_monitor_cancel(domain->monitor, operation->call);
		/* What was ordered is the run's (stop.c), so there is nothing left that waits. */
		if (operation->kind == DOMAIN_OPERATION_SHUTDOWN ||
		    operation->kind == DOMAIN_OPERATION_DESTROY)
			operation_end(operation, NULL, NULL);
	}
}

void operation_set_timer(Operation *operation, int interval_ms, LoopTimeoutCallback callback)
{
	Domain *domain = operation->domain;

	domain_clear_timer(domain, &operation->timer);
	operation->timeout_ms = interval_ms;
	if (interval_ms >= 0)
		operation->timer = loop_add_timeout(domain_loop(domain), interval_ms, callback,
						    operation, NULL);
}

GError *operation_make_timeout_error(const Operation *operation)
{
	const char *what = operation->device ? operation->device : "";

	return g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT,
			   "Domain '%s': QEMU has not answered %s%s%s%s within %d ms; what it does of it "
			   "later is told by the signals", domain_get_name(operation->domain),
			   domain_operation_to_string(operation->kind), *what ? " of '" : "", what,
			   *what ? "'" : "", operation->timeout_ms);
}

static void on_deadline(int timer, void *userdata)
{
	Operation *operation = userdata;
	g_autoptr(GError) error = operation_make_timeout_error(operation);

	operation_end(operation, NULL, error);
}

void operation_set_deadline(Operation *operation, int timeout_ms)
{
	operation_set_timer(operation, timeout_ms, on_deadline);
}

/* done() may begin and end other operations, so the list is read anew after each. */
static Operation *find(const Domain *domain, DomainOperation kind)
{
	for (unsigned i = 0; i < domain->operations->len; i++) {
		Operation *operation = g_ptr_array_index(domain->operations, i);

		if (kind == DOMAIN_OPERATION_MAX || operation->kind == kind)
			return operation;
	}
	return NULL;
}

bool domain_has_operation(const Domain *domain, DomainOperation kind)
{
	return find(domain, kind) != NULL;
}

void operations_end_kind(Domain *domain, DomainOperation kind, const char *result,
			 const GError *error)
{
	Operation *operation;

	while ((operation = find(domain, kind)))
		operation_end(operation, result, error);
}

void operations_end_all(Domain *domain, const GError *error)
{
	operations_end_kind(domain, DOMAIN_OPERATION_MAX, NULL, error);
}
