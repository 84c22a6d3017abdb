/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/call.h"

#include <glib/gi18n.h>
#include <unistd.h>

#include "ctl/agent.h"
#include "ctl/input.h"

/* As sd-bus looks for it. */
static bool is_session_known(void)
{
	return g_getenv("DBUS_SESSION_BUS_ADDRESS") || g_getenv("XDG_RUNTIME_DIR");
}

CtlExit call_connect(Ctl *ctl, unsigned flags)
{
	const char *bus = ctl->address ? ctl->address : ctl->system ? "system" : "session";
	g_autoptr(VmhError) error = NULL;

	if (ctl->connection)
		return CTL_OK;
	if (ctl->no_ask_password)
		flags |= VMH_CONNECTION_NO_ASK_PASSWORD;
	/* The connection has threads of its own; so the agent comes before it. */
	else if (ctl->system && geteuid() != 0 && isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
		agent_start();
	ctl->connection = vmh_connection_open(bus, flags, &error);
	if (ctl->connection)
		return CTL_OK;
	if (!ctl->address && !ctl->system && !is_session_known())
		ctl_error(_("There is no session bus here (DBUS_SESSION_BUS_ADDRESS is not set)"));
	else
		ctl_error("%s", error->message);
	return CTL_UNREACHABLE;
}

CtlExit call_exit_code(const VmhError *error)
{
	switch (error->code) {
	case VMH_ERROR_UNREACHABLE:
	case VMH_ERROR_NO_REPLY:
	case VMH_ERROR_DISCONNECTED:
		return CTL_UNREACHABLE;
	default:
		return CTL_FAILED;
	}
}

CtlExit call_report(const VmhError *error)
{
	ctl_error("%s", error->message);
	return call_exit_code(error);
}

bool call_is_unknown(const VmhError *error)
{
	return error->code == VMH_ERROR_UNKNOWN_MEMBER || error->code == VMH_ERROR_INVALID_ARGUMENT;
}

static CtlExit set_option(VmhOptions *options, const CallOption *option)
{
	g_autofree char *what = g_strconcat("--", option->key, NULL);
	uint64_t microseconds = 0;
	CtlExit code = CTL_OK;

	if (option->text)
		vmh_options_set_string(options, option->key, option->text);
	else if (option->flag)
		vmh_options_set_bool(options, option->key, true);
	else if (option->number && *option->number >= 0)
		vmh_options_set_uint32(options, option->key, (uint32_t) *option->number);
	else if (option->seconds) {
		code = input_seconds(what, option->seconds, &microseconds);
		vmh_options_set_uint64(options, option->key, microseconds);
	}
	return code;
}

CtlExit call_begin(Ctl *ctl, const char *domain, const CallOption *options, Call *call)
{
	CtlExit code = CTL_OK;

	call->options = vmh_options_new();
	for (; code == CTL_OK && options && options->key; options++)
		code = set_option(call->options, options);
	if (code == CTL_OK)
		code = call_connect(ctl, 0);
	if (code != CTL_OK || !domain)
		return code;
	call->domain = vmh_connection_get_domain(ctl->connection, domain, &call->error);
	return call_end(call, call->domain);
}

CtlExit call_end(const Call *call, bool done)
{
	return done ? CTL_OK : call_report(call->error);
}

void call_clear(Call *call)
{
	vmh_domain_unref(call->domain);
	vmh_options_free(call->options);
	vmh_error_free(call->error);
}

CtlExit call_domain(Ctl *ctl, const char *domain, CallFunction *function, const CallOption *options)
{
	g_auto(Call) call = {};
	CtlExit code = call_begin(ctl, domain, options, &call);

	return code == CTL_OK ? call_end(&call, function(call.domain, call.options, &call.error)) : code;
}
