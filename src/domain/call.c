/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"

/*
 * Commands to QEMU whose replies take their place in the strand, among the events: what a callback
 * finds is the state as it was when QEMU answered.
 */

JsonNode *call_arguments(const char *member, const char *value)
{
	JsonObject *object = json_object_new();
	JsonNode *node = json_node_init_object(json_node_alloc(), object);

	json_object_unref(object);
	json_object_set_string_member(object, member, value);
	return node;
}

typedef struct Call {
	Domain *domain;
	Strand *events;
	QmpReplyCallback callback;
	void *userdata;
	JsonNode *result;
	GError *error;
	bool called;
} Call;

static void call_finish(Call *call)
{
	if (call->called)
		return;
	call->called = true;
	call->callback(call->result, call->error, call->userdata);
}

static void call_done(void *data)
{
	call_finish(data);
}

/* Also reached without done(), when the strand was closed: the run is over, the caller is still told. */
static void call_free(void *data)
{
	Call *call = data;

	if (!call->called && !call->error) {
		g_clear_pointer(&call->result, json_node_unref);
		g_set_error(&call->error, CORE_ERROR, CORE_ERROR_MONITOR_LOST,
			    "Domain '%s' has stopped", domain_get_name(call->domain));
	}
	call_finish(call);
	handover_update_settled(call->domain);
	g_clear_pointer(&call->result, json_node_unref);
	g_clear_error(&call->error);
	strand_unref(call->events);
	domain_unref(call->domain);
	g_free(call);
}

static const StrandItemClass call_class = { NULL, NULL, call_done, call_free };

static void on_reply(JsonNode *result, const GError *error, void *userdata)
{
	Call *call = userdata;

	call->result = result ? json_node_ref(result) : NULL;
	call->error = error ? g_error_copy(error) : NULL;
	strand_push(call->events, &call_class, call);
}

uint64_t domain_call(Domain *domain, const char *command, JsonNode *arguments, int timeout_ms,
		     QmpReplyCallback callback, void *userdata)
{
	g_autoptr(GError) error = NULL;
	Call *call = g_new0(Call, 1);

	call->domain = domain_ref(domain);
	call->events = strand_ref(domain->events);
	call->callback = callback;
	call->userdata = userdata;
	if (domain->monitor)
		return qmp_monitor_execute(domain->monitor, command, arguments, timeout_ms, on_reply,
					   call);
	g_clear_pointer(&arguments, json_node_unref);
	g_set_error(&error, CORE_ERROR, CORE_ERROR_MONITOR_LOST,
		    "%s: the monitor of domain '%s' cannot be reached", command,
		    domain_get_name(domain));
	on_reply(NULL, error, call);
	return 0;
}

void domain_call_getfd(Domain *domain, const char *name, int fd, QmpReplyCallback callback,
		       void *userdata)
{
	if (domain->monitor)
		qmp_monitor_send_descriptor(domain->monitor, fd);
	domain_call(domain, "getfd", call_arguments("fdname", name), DOMAIN_CALL_TIMEOUT_MS, callback,
		    userdata);
}

void domain_call_add_fd(Domain *domain, JsonNode *arguments, int fd, int timeout_ms,
			QmpReplyCallback callback, void *userdata)
{
	if (domain->monitor)
		qmp_monitor_send_descriptor(domain->monitor, fd);
	domain_call(domain, "add-fd", arguments, timeout_ms, callback, userdata);
}

static void on_order(JsonNode *result, const GError *error, void *userdata)
{
	Domain *domain = userdata;

	if (error)
		domain_log(domain, LOG_INFO, "%s", error->message);
	domain_unref(domain);
}

void domain_order(Domain *domain, const char *command, JsonNode *arguments)
{
	domain_call(domain, command, arguments, DOMAIN_CALL_TIMEOUT_MS, on_order,
		    domain_ref(domain));
}
