/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "method-call.h"

#include <errno.h>

#include "access.h"
#include "base/log.h"
#include "bus-error.h"
#include "bus/object-path.h"

struct MethodCall {
	Service *service;
	sd_bus_message *message;    /* NULL: dropped, the caller has left */
	GList link;                 /* among those of its caller, until then */
};

MethodCall *method_call_new(Service *service, sd_bus_message *message)
{
	MethodCall *call = g_new0(MethodCall, 1);

	call->service = service;
	call->message = sd_bus_message_ref(message);
	call->link.data = call;
	callers_add(service->callers, message, &call->link);
	service->calls++;
	return call;
}

/* What is to be sent, or NULL. reply is taken over; r < 0: it could not be made. */
static sd_bus_message *end(MethodCall *call, sd_bus_message *reply, int r)
{
	bool wanted = call->message && sd_bus_message_get_expect_reply(call->message) > 0;

	if (r < 0)
		reply = sd_bus_message_unref(reply);
	if (call->message && r < 0) {
		log_text(LOG_NOTICE, "%s: the answer could not be made: %s",
			 sd_bus_message_get_member(call->message), g_strerror(-r));
		(void)sd_bus_message_new_method_errno(call->message, &reply, r, NULL);
	}
	if (call->message) {
		callers_remove(call->service->callers, call->message, &call->link);
		sd_bus_message_unref(call->message);
	}
	call->service->calls--;
	g_free(call);
	return wanted ? reply : sd_bus_message_unref(reply);
}

static void finish(MethodCall *call, Domain *domain, sd_bus_message *reply, int r)
{
	Emitter *emitter = call->service->emitter;

	reply = end(call, reply, r);
	if (reply)
		emitter_reply(emitter, domain, reply);
}

static void finish_error(MethodCall *call, Domain *domain, const GError *error)
{
	sd_bus_message *reply = NULL;
	int r = call->message ? bus_new_gerror(call->message, error, &reply) : 0;

	finish(call, domain, reply, r);
}

void method_call_done(Domain *domain, const char *result, const GError *error, void *userdata)
{
	MethodCall *call = userdata;
	sd_bus_message *reply = NULL;
	int r;

	if (error) {
		finish_error(call, domain, error);
		return;
	}
	r = method_call_new_reply(call, &reply);
	if (r >= 0 && result)
		r = sd_bus_message_append(reply, "s", result);
	finish(call, domain, reply, r);
}

void method_call_done_empty(Domain *domain, const GError *error, void *userdata)
{
	method_call_done(domain, NULL, error, userdata);
}

void method_call_done_path(Domain *domain, const GError *error, void *userdata)
{
	MethodCall *call = userdata;
	g_autofree char *path = NULL;
	sd_bus_message *reply = NULL;
	int r;

	if (error) {
		finish_error(call, domain, error);
		return;
	}
	path = bus_path_from_uuid(domain_get_uuid(domain));
	r = method_call_new_reply(call, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "o", path);
	finish(call, domain, reply, r);
}

int method_call_new_reply(MethodCall *call, sd_bus_message **ret_reply)
{
	return call->message ? sd_bus_message_new_method_return(call->message, ret_reply)
			     : -ECONNRESET;
}

void method_call_reply(MethodCall *call, Domain *domain, sd_bus_message *reply, int r)
{
	finish(call, domain, reply, r);
}

void method_call_reply_now(MethodCall *call, sd_bus_message *reply, int r)
{
	sd_bus *bus = call->service->bus;

	reply = end(call, reply, r);
	if (!reply)
		return;
	r = sd_bus_send(bus, reply, NULL);
	if (r < 0)
		log_text(LOG_NOTICE, "An answer could not be sent: %s", g_strerror(-r));
	sd_bus_message_unref(reply);
}

bool method_call_is_dropped(const MethodCall *call)
{
	return !call->message;
}

/* ---- callers that leave ---- */

static bool is_dropped(void *userdata)
{
	return method_call_is_dropped(userdata);
}

/* Drops those of the connection of that unique name. */
static void drop_calls(Service *service, const char *name)
{
	GQueue taken = callers_take(service->callers, name);
	g_autoptr(GPtrArray) domains = NULL;
	GList *link;

	if (taken.length == 0)
		return;
	log_text(LOG_INFO, "%s has left the bus; its %u calls are dropped", name, taken.length);
	while ((link = g_queue_pop_head_link(&taken))) {
		MethodCall *call = link->data;

		call->message = sd_bus_message_unref(call->message);
	}
	domains = driver_list_domains(service->driver);
	for (unsigned i = 0; i < domains->len; i++)
		domain_abandon(g_ptr_array_index(domains, i), method_call_done, is_dropped);
}

static void forget(Service *service, const char *name)
{
	access_forget(service->access, name);
	credentials_forget(service->credentials, name);
	drop_calls(service, name);
}

static int on_name_lost(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	const char *name;

	if (sd_bus_message_read(signal, "s", &name) > 0)
		forget(userdata, name);
	return 0;
}

int method_calls_watch(Service *service)
{
	/* Of who has gone, and of nothing else. */
	return sd_bus_add_match_async(service->bus, NULL,
				      "type='signal',sender='org.freedesktop.DBus',"
				      "path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
				      "member='NameOwnerChanged',arg2=''",
				      on_name_lost, NULL, service);
}
