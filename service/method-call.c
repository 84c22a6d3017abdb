/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "method-call.h"

#include "bus-error.h"
#include "bus-path.h"

struct MethodCall {
	Service *service;
	sd_bus_message *message;
};

MethodCall *method_call_new(Service *service, sd_bus_message *message)
{
	MethodCall *call = g_new0(MethodCall, 1);

	call->service = service;
	call->message = sd_bus_message_ref(message);
	service->calls++;
	return call;
}

static void finish(MethodCall *call, int r)
{
	if (r < 0)
		g_message("%s: the answer could not be sent: %s",
			  sd_bus_message_get_member(call->message), g_strerror(-r));
	call->service->calls--;
	sd_bus_message_unref(call->message);
	g_free(call);
}

void method_call_done(Domain *domain, const char *result, const GError *error, void *userdata)
{
	MethodCall *call = userdata;

	if (error)
		finish(call, bus_reply_gerror(call->message, error));
	else if (result)
		finish(call, sd_bus_reply_method_return(call->message, "s", result));
	else
		finish(call, sd_bus_reply_method_return(call->message, NULL));
}

void method_call_done_empty(Domain *domain, const GError *error, void *userdata)
{
	method_call_done(domain, NULL, error, userdata);
}

void method_call_done_path(Domain *domain, const GError *error, void *userdata)
{
	MethodCall *call = userdata;
	g_autofree char *path = NULL;

	if (error) {
		finish(call, bus_reply_gerror(call->message, error));
		return;
	}
	path = bus_path_from_uuid(domain_get_uuid(domain));
	finish(call, sd_bus_reply_method_return(call->message, "o", path));
}

void method_call_reply(MethodCall *call, sd_bus_message *reply, int r)
{
	finish(call, r < 0 ? sd_bus_reply_method_errno(call->message, r, NULL)
			   : sd_bus_send(NULL, reply, NULL));
	sd_bus_message_unref(reply);
}

sd_bus_message *method_call_get_message(MethodCall *call)
{
	return call->message;
}
