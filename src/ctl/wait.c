/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb "wait". It listens first and looks at the state then, so nothing can happen between
 * the two. It looks again whenever the service was away: not every state that holds then had an event.
 */
#include <glib/gi18n.h>

#include "ctl/call.h"
#include "ctl/event-type.h"
#include "ctl/input.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"

static char *timeout_text;

const GOptionEntry wait_options[] = {
	{ "timeout", 0, 0, G_OPTION_ARG_FILENAME, &timeout_text,
	  N_("Give up after that time"), N_("SECONDS") },
	{},
};

typedef struct Wait {
	Ctl *ctl;
	EventType *type;
	const char *name;       /* or uuid, as the user has given it */
	VmhDomain *domain;      /* NULL: not known yet */
	int64_t deadline;       /* monotonic; -1: none */
	bool look;              /* at the state, when what has come is done */
	bool done;
	bool gone;              /* the domain vanished before it could happen */
	CtlExit code;           /* of what a callback did */
} Wait;

/* The states in which an event counts as having happened. Those left out must be seen. */
static const struct {
	const char *event;
	VmhDomainState states[3];       /* the rest is OTHER */
} satisfied[] = {
	{ "started", { VMH_STATE_RUNNING, VMH_STATE_PAUSED, VMH_STATE_PM_SUSPENDED } },
	{ "suspended", { VMH_STATE_PAUSED } },
	{ "resumed", { VMH_STATE_RUNNING } },
	{ "shutdown", { VMH_STATE_SHUTTING_DOWN, VMH_STATE_SHUT_OFF } },
	{ "stopped", { VMH_STATE_SHUT_OFF } },
	{ "pm-suspended", { VMH_STATE_PM_SUSPENDED } },
	{ "crashed", { VMH_STATE_CRASHED } },
};

static const VmhDomainState *satisfied_states(const EventType *type)
{
	for (unsigned i = 0; type->event && i < G_N_ELEMENTS(satisfied); i++) {
		if (g_str_equal(satisfied[i].event, type->event))
			return satisfied[i].states;
	}
	return NULL;
}

static bool is_satisfied(const EventType *type, VmhDomainState state)
{
	const VmhDomainState *states = satisfied_states(type);

	for (unsigned i = 0; i < G_N_ELEMENTS(satisfied[0].states); i++) {
		if (state != VMH_STATE_OTHER && states[i] == state)
			return true;
	}
	return false;
}

static bool waits_for(const Wait *wait, const char *event)
{
	return g_strcmp0(wait->type->event, event) == 0;
}

static bool is_over(const Wait *wait)
{
	return wait->deadline >= 0 && g_get_monotonic_time() >= wait->deadline;
}

/* What is left is what the next call may take; 0 would be for ever. */
static void bound_call(const Wait *wait)
{
	int64_t left = wait->deadline - g_get_monotonic_time();

	vmh_connection_set_call_timeout(wait->ctl->connection, wait->deadline < 0 ? 0 : (uint64_t) MAX(left, 1));
}

/* A call has failed. CTL_OK: then there is no such domain, or the service just went away. */
static CtlExit heed_error(Wait *wait, const VmhError *error, bool first)
{
	if (is_over(wait))
		return CTL_TIMEOUT;
	if (error->code == VMH_ERROR_NO_SUCH_DOMAIN) {
		if (waits_for(wait, "undefined"))
			wait->done = true;
		else if (!waits_for(wait, "defined"))
			return call_report(error);
		return CTL_OK;
	}
	/* A service that was there may come back, and so may the bus, and then the state is looked at again. One that dies over our
	 * call was there. */
	if (error->code == VMH_ERROR_NO_REPLY || (!first && call_exit_code(error) == CTL_UNREACHABLE))
		return CTL_OK;
	return call_report(error);
}

static CtlExit look_for_domain(Wait *wait, bool first)
{
	g_autoptr(VmhError) error = NULL;
	VmhDomain *domain;

	bound_call(wait);
	domain = vmh_connection_get_domain(wait->ctl->connection, wait->name, &error);
	if (!domain)
		return heed_error(wait, error, first);
	vmh_domain_unref(wait->domain);
	wait->domain = domain;
	if (waits_for(wait, "defined"))
		wait->done = true;
	return CTL_OK;
}

static CtlExit look(Wait *wait, bool first)
{
	g_autoptr(VmhError) error = NULL;
	VmhDomainState state;
	CtlExit code;

	wait->look = false;
	code = look_for_domain(wait, first);
	if (code != CTL_OK || wait->done || !wait->domain || !satisfied_states(wait->type))
		return code;
	bound_call(wait);
	state = vmh_domain_get_state(wait->domain, &error);
	wait->done = is_satisfied(wait->type, state);
	return error ? heed_error(wait, error, first) : CTL_OK;
}

/* An object may also lose one interface and stay. */
static bool removes_domain(const VmhEvent *event)
{
	g_autoptr(VmhValue) interfaces = NULL;

	if (event->kind != VMH_EVENT_DOMAIN_REMOVED)
		return false;
	interfaces = vmh_value_get_child(event->arguments, 1);
	for (size_t i = 0; i < vmh_value_get_length(interfaces); i++) {
		g_autoptr(VmhValue) interface = vmh_value_get_child(interfaces, i);

		if (g_strcmp0(vmh_value_get_string(interface), VMH_BUS_NAME ".Domain") == 0)
			return true;
	}
	return false;
}

static bool is_our_domain(Wait *wait, const VmhEvent *event)
{
	/* It came before the service could be asked. */
	if (!wait->domain && event->details && wait->code == CTL_OK)
		wait->code = look_for_domain(wait, false);
	return wait->domain && g_strcmp0(vmh_domain_get_uuid(wait->domain), event->uuid) == 0;
}

static void on_event(const VmhEvent *event, void *userdata)
{
	Wait *wait = userdata;

	if (event->kind == VMH_EVENT_DOMAIN_ADDED)
		wait->look = true;
	if (wait->done || !is_our_domain(wait, event))
		return;
	if (event_type_matches(wait->type, event)) {
		wait->done = true;
	} else if (removes_domain(event)) {
		/* What has vanished has stopped as well. */
		if (waits_for(wait, "undefined") || waits_for(wait, "stopped"))
			wait->done = true;
		else if (!waits_for(wait, "defined"))
			wait->gone = true;
	}
}

static void on_gap(uint64_t from, uint64_t to, VmhSnapshot *snapshot, void *userdata)
{
	Wait *wait = userdata;

	wait->look = true;
}

static void on_status(VmhStatus status, void *userdata)
{
	Wait *wait = userdata;

	if (status != VMH_STATUS_SERVICE_GONE && status != VMH_STATUS_DISCONNECTED)
		wait->look = true;
}

static CtlExit wait_loop(Wait *wait, Watch *watch)
{
	CtlExit code;

	code = look(wait, true);
	while (code == CTL_OK && !wait->done) {
		if (wait->gone) {
			ctl_error(_("The domain '%s' is gone"), wait->name);
			return CTL_FAILED;
		}
		if (is_over(wait))
			return CTL_TIMEOUT;
		code = wait->look ? look(wait, false) : watch_process(watch, wait->deadline);
		if (code == CTL_OK)
			code = wait->code;
	}
	return code;
}

static CtlExit wait_for(Wait *wait)
{
	g_autoptr(GPtrArray) types = event_type_list_new();
	/* Where a uuid is given, what happens to others need not come. */
	g_autoptr(VmhDomain) domain = vmh_domain_new(wait->ctl->connection, wait->name, NULL);
	const WatchHandler handler = { .event = on_event, .gap = on_gap, .status = on_status, .userdata = wait };
	const WatchRules rules = { .domain = domain, .types = types };
	g_autoptr(Watch) watch = NULL;
	CtlExit code;

	g_ptr_array_add(types, wait->type);
	bound_call(wait);
	code = watch_new(wait->ctl, &rules, &handler, &watch);
	return code == CTL_OK ? wait_loop(wait, watch) : code;
}

CtlExit wait_run(Ctl *ctl, char **arguments)
{
	Wait wait = { .ctl = ctl, .name = arguments[0], .deadline = -1 };
	uint64_t timeout = UINT64_MAX;
	CtlExit code;

	code = input_seconds("--timeout", timeout_text, &timeout);
	if (code == CTL_OK)
		code = event_type_parse(arguments[1], &wait.type);
	if (code == CTL_OK && timeout != UINT64_MAX)
		wait.deadline = g_get_monotonic_time() + (int64_t) timeout;
	if (code == CTL_OK)
		code = watch_connect(ctl, 0);
	if (code == CTL_OK)
		code = wait_for(&wait);
	if (code == CTL_TIMEOUT)
		ctl_error(_("'%s' did not happen to '%s' in time"), arguments[1], arguments[0]);
	vmh_domain_unref(wait.domain);
	return code;
}
