/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/call.h"

#include "bus/names.h"
#include "bus/variant.h"
#include "client/connection-internal.h"
#include "client/error-internal.h"

static int make_message(VmhConnection *connection, const Call *call, GVariant *arguments, sd_bus_message **ret_message)
{
	sd_bus_message *message = NULL;
	int r;

	r = sd_bus_message_new_method_call(connection->link.bus, &message, BUS_NAME, call->path ? call->path : BUS_PATH,
					   call->interface, call->member);
	if (r >= 0)
		r = sd_bus_message_set_auto_start(message, !call->no_start &&
						  !(connection->flags & VMH_CONNECTION_NO_AUTO_START));
	if (r >= 0)
		r = sd_bus_message_set_allow_interactive_authorization(
			message, !(connection->flags & VMH_CONNECTION_NO_ASK_PASSWORD));
	if (r >= 0 && arguments)
		r = bus_append_arguments(message, arguments, call->fds);
	if (r < 0) {
		sd_bus_message_unref(message);
		return r;
	}
	*ret_message = message;
	return 0;
}

static Pending *send_message(VmhConnection *connection, const Call *call, GVariant *arguments, VmhError **error)
{
	uint64_t timeout = call->timeout ? call->timeout : connection->call_timeout;
	sd_bus_message *message = NULL;
	Pending *pending;
	int r;

	if (!connection_check(connection, error) || !link_wait(connection, VMH_ERROR_DISCONNECTED, error))
		return NULL;
	r = make_message(connection, call, arguments, &message);
	if (r < 0) {
		error_set(error, VMH_ERROR_INVALID_ARGUMENT, "The arguments of %s.%s() cannot be sent: %s", call->interface,
			  call->member, g_strerror(-r));
		return NULL;
	}
	/* To sd-bus, 0 is its own default. */
	pending = pending_new(connection, message, timeout ? timeout : UINT64_MAX, NULL, NULL, error);
	sd_bus_message_unref(message);
	return pending;
}

Pending *call_send(VmhConnection *connection, const Call *call, VmhError **error)
{
	g_autoptr(GVariant) arguments = call->arguments ? g_variant_ref_sink(call->arguments) : NULL;
	bool was_up = connection->link.state == LINK_UP;
	VmhError *own = NULL;
	Pending *pending = send_message(connection, call, arguments, &own);

	if (pending)
		return pending;
	/* That the bus had gone may only have been seen by this; then nothing has been sent. */
	if (was_up && connection->link.state == LINK_DOWN && !connection->closed) {
		vmh_error_free(own);
		return send_message(connection, call, arguments, error);
	}
	if (error)
		*error = own;
	else
		vmh_error_free(own);
	return NULL;
}

GVariant *call_run(VmhConnection *connection, const Call *call, VmhError **error)
{
	GVariant *answer = NULL;
	Pending *pending;

	if (connection_is_foreign(connection)) {
		if (call->arguments)
			g_variant_unref(g_variant_ref_sink(call->arguments));
		(void)connection_check(connection, error);
		return NULL;
	}
	vmh_connection_ref(connection);
	connection_lock(connection);
	pending = call_send(connection, call, error);
	if (pending)
		answer = pending_wait(pending, error);
	if (answer && call->ret_fd)
		*call->ret_fd = pending_steal_fd(pending);
	pending_free(pending);
	connection_unlock(connection);
	vmh_connection_unref(connection);
	return answer;
}
