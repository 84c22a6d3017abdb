/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb "wait". It listens first and looks at the state then, so nothing can happen between
 * the two. It looks again whenever the service was away: what happened meanwhile had no signal.
 */
#include <errno.h>
#include <glib/gi18n.h>

#include "ctl/bus.h"
#include "ctl/input.h"
#include "ctl/names.h"
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
	SignalType *type;
	const char *domain;     /* name or uuid */
	char *path;             /* NULL: not known yet */
	int64_t deadline;       /* monotonic; -1: none */
	bool look;              /* at the state, when the queue is empty */
	bool done;
	bool gone;              /* the domain vanished before it could happen */
} Wait;

/* The states in which an event counts as having happened. Those left out must be seen. */
static const struct {
	const char *event;
	const char *states[4];
} satisfied[] = {
	{ "started", { "running", "paused", "pm-suspended" } },
	{ "suspended", { "paused" } },
	{ "resumed", { "running" } },
	{ "shutdown", { "shutting-down", "shut-off" } },
	{ "stopped", { "shut-off" } },
	{ "pm-suspended", { "pm-suspended" } },
	{ "crashed", { "crashed" } },
};

static const char *const *satisfied_states(const SignalType *type)
{
	for (unsigned i = 0; type->event && i < G_N_ELEMENTS(satisfied); i++) {
		if (g_str_equal(satisfied[i].event, type->event))
			return satisfied[i].states;
	}
	return NULL;
}

static bool waits_for(const Wait *wait, const char *event)
{
	return g_strcmp0(wait->type->event, event) == 0;
}

/* Microseconds, never 0: sd-bus takes that for its default. */
static uint64_t remaining(const Wait *wait)
{
	int64_t left = wait->deadline - g_get_monotonic_time();

	if (wait->deadline < 0)
		return UINT64_MAX;
	return (uint64_t) MAX(left, 1);
}

static bool is_over(const Wait *wait)
{
	return wait->deadline >= 0 && g_get_monotonic_time() >= wait->deadline;
}

/* An object may also lose one interface and stay. */
static bool removes_domain(const Signal *signal)
{
	JsonArray *interfaces;

	if (json_array_get_length(signal->arguments) < 2 ||
	    !JSON_NODE_HOLDS_ARRAY(json_array_get_element(signal->arguments, 1)))
		return false;
	interfaces = json_array_get_array_element(signal->arguments, 1);
	for (unsigned i = 0; i < json_array_get_length(interfaces); i++) {
		if (g_strcmp0(json_array_get_string_element(interfaces, i),
			      NAMES_INTERFACE("Domain")) == 0)
			return true;
	}
	return false;
}

static bool is_our_domain(const Wait *wait, const Signal *signal)
{
	if (!signal->domain_path)
		return false;
	return wait->path ? g_str_equal(wait->path, signal->domain_path)
			  : g_strcmp0(wait->domain, signal->name) == 0;
}

static void on_signal(const Signal *signal, void *userdata)
{
	Wait *wait = userdata;

	if (!is_our_domain(wait, signal))
		return;
	if (signal_type_matches(wait->type, signal)) {
		wait->done = true;
	} else if (signal_is(signal, NAMES_OBJECT_MANAGER, "InterfacesRemoved") &&
		   removes_domain(signal)) {
		/* What has vanished has stopped as well. */
		if (waits_for(wait, "undefined") || waits_for(wait, "stopped"))
			wait->done = true;
		else if (!waits_for(wait, "defined"))
			wait->gone = true;
	} else if (signal_is(signal, NAMES_OBJECT_MANAGER, "InterfacesAdded")) {
		wait->look = true;
	}
}

static void on_owner(bool present, void *userdata)
{
	Wait *wait = userdata;

	wait->look = wait->look || present;
}

/* One call with what is left of the time. CTL_OK with *ret_reply NULL: there is no such domain, or
 * the service just went away. */
static CtlExit ask(Wait *wait, sd_bus_message *message, bool first, sd_bus_message **ret_reply)
{
	g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_call(wait->ctl->bus, message, remaining(wait), &error, ret_reply);
	if (r >= 0)
		return CTL_OK;
	if (is_over(wait))
		return CTL_TIMEOUT;
	if (sd_bus_error_has_name(&error, NAMES_NO_SUCH_DOMAIN)) {
		if (waits_for(wait, "undefined"))
			wait->done = true;
		else if (!waits_for(wait, "defined"))
			return bus_report(&error, r);
		return CTL_OK;
	}
	/* A service that was there may come back, and then the state is looked at again. One that
	 * dies over our call was there. */
	if ((!first || sd_bus_error_has_name(&error, SD_BUS_ERROR_NO_REPLY)) &&
	    bus_exit_code(&error, r) == CTL_UNREACHABLE && sd_bus_is_open(wait->ctl->bus) > 0)
		return CTL_OK;
	return bus_report(&error, r);
}

static CtlExit look_for_domain(Wait *wait, bool first)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *path = NULL;
	CtlExit code;

	code = bus_method_new(wait->ctl, NAMES_MANAGER_PATH, "Manager", "GetDomain", &message);
	if (code == CTL_OK)
		code = bus_append(message, "s", wait->domain);
	if (code == CTL_OK)
		code = ask(wait, message, first, &reply);
	if (code != CTL_OK || !reply)
		return code;
	code = bus_read(reply, "o", &path);
	if (code != CTL_OK)
		return code;
	g_free(wait->path);
	wait->path = g_strdup(path);
	if (waits_for(wait, "defined"))
		wait->done = true;
	return CTL_OK;
}

static CtlExit look_at_state(Wait *wait, const char *const *states, bool first)
{
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	const char *state = NULL;
	CtlExit code;

	code = bus_method_new(wait->ctl, wait->path, NAMES_PROPERTIES, "Get", &message);
	if (code == CTL_OK)
		code = bus_append(message, "ss", NAMES_INTERFACE("Domain"), "State");
	if (code == CTL_OK)
		code = ask(wait, message, first, &reply);
	if (code != CTL_OK || !reply)
		return code;
	code = bus_read(reply, "v", "s", &state);
	for (; code == CTL_OK && *states; states++) {
		if (g_str_equal(*states, state))
			wait->done = true;
	}
	return code;
}

static CtlExit look(Wait *wait, bool first)
{
	const char *const *states = satisfied_states(wait->type);
	CtlExit code;

	wait->look = false;
	code = look_for_domain(wait, first);
	if (code == CTL_OK && !wait->done && wait->path && states)
		code = look_at_state(wait, states, first);
	return code;
}

static CtlExit wait_loop(Wait *wait, Watch *watch)
{
	CtlExit code;

	code = look(wait, true);
	while (code == CTL_OK && !wait->done) {
		if (wait->gone) {
			ctl_error(_("The domain '%s' is gone"), wait->domain);
			return CTL_FAILED;
		}
		if (is_over(wait))
			return CTL_TIMEOUT;
		code = wait->look ? look(wait, false) : watch_process(watch, remaining(wait));
	}
	return code;
}

CtlExit wait_run(Ctl *ctl, char **arguments)
{
	g_autofree char *path = names_path_from_uuid(arguments[0]);
	g_autoptr(GPtrArray) types = signal_type_list_new();
	g_autoptr(Watch) watch = NULL;
	Wait wait = { .ctl = ctl, .domain = arguments[0], .deadline = -1 };
	const WatchHandler handler = { .signal = on_signal, .owner = on_owner, .userdata = &wait };
	const WatchRules rules = { .path = path, .types = types };
	uint64_t timeout = BUS_NO_DURATION;
	CtlExit code;

	code = input_seconds("--timeout", timeout_text, &timeout);
	if (code == CTL_OK)
		code = signal_type_parse(arguments[1], &wait.type);
	if (code != CTL_OK)
		return code;
	g_ptr_array_add(types, wait.type);
	if (timeout != BUS_NO_DURATION)
		wait.deadline = g_get_monotonic_time() + (int64_t) timeout;
	code = watch_new(ctl, &rules, &handler, &watch);
	if (code == CTL_OK)
		code = wait_loop(&wait, watch);
	if (code == CTL_TIMEOUT)
		ctl_error(_("'%s' did not happen to '%s' in time"), arguments[1], arguments[0]);
	g_free(wait.path);
	return code;
}
