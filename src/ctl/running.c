/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that start, stop and otherwise drive a domain. */
#include <glib/gi18n.h>

#include "ctl/bus.h"
#include "ctl/input.h"
#include "ctl/verbs.h"

static gboolean paused;
static char *shutdown_timeout;
static char *destroy_grace;
static char *save_path;
static char *save_timeout;

const GOptionEntry start_options[] = {
	{ "paused", 0, 0, G_OPTION_ARG_NONE, &paused, N_("Leave the guest paused"), NULL },
	{},
};

const GOptionEntry shutdown_options[] = {
	{ "timeout", 0, 0, G_OPTION_ARG_FILENAME, &shutdown_timeout,
	  N_("Stop it by force after that time"), N_("SECONDS") },
	{},
};

const GOptionEntry destroy_options[] = {
	{ "grace", 0, 0, G_OPTION_ARG_FILENAME, &destroy_grace,
	  N_("How long QEMU may take to end by itself"), N_("SECONDS") },
	{},
};

const GOptionEntry save_options[] = {
	{ "path", 0, 0, G_OPTION_ARG_FILENAME, &save_path,
	  N_("Write to this file, which must not exist"), N_("FILE") },
	{ "timeout", 0, 0, G_OPTION_ARG_FILENAME, &save_timeout,
	  N_("Give up after that time, and let the guest go on"), N_("SECONDS") },
	{},
};

static CtlExit call_with_options(Ctl *ctl, const char *domain, const char *method,
				 const BusOption *options)
{
	g_autoptr(sd_bus_message) message = NULL;
	CtlExit code;

	code = bus_domain_method_new(ctl, domain, "Domain", method, &message);
	if (code == CTL_OK)
		code = bus_append_options(message, options);
	return code == CTL_OK ? bus_call(ctl, message, NULL) : code;
}

CtlExit method_run(Ctl *ctl, char **arguments)
{
	g_autoptr(sd_bus_message) message = NULL;
	CtlExit code;

	code = bus_domain_method_new(ctl, arguments[0], "Domain", ctl->verb->method, &message);
	return code == CTL_OK ? bus_call(ctl, message, NULL) : code;
}

CtlExit method_with_options_run(Ctl *ctl, char **arguments)
{
	return call_with_options(ctl, arguments[0], ctl->verb->method, NULL);
}

CtlExit start_run(Ctl *ctl, char **arguments)
{
	const BusOption options[] = { { "paused", .flag = paused }, {} };

	return call_with_options(ctl, arguments[0], "Start", options);
}

CtlExit shutdown_run(Ctl *ctl, char **arguments)
{
	uint64_t timeout = BUS_NO_DURATION;
	const BusOption options[] = { { "timeout", .microseconds = &timeout }, {} };
	CtlExit code;

	code = input_seconds("--timeout", shutdown_timeout, &timeout);
	return code == CTL_OK ? call_with_options(ctl, arguments[0], "Shutdown", options) : code;
}

CtlExit destroy_run(Ctl *ctl, char **arguments)
{
	uint64_t grace = BUS_NO_DURATION;
	const BusOption options[] = { { "grace", .microseconds = &grace }, {} };
	CtlExit code;

	code = input_seconds("--grace", destroy_grace, &grace);
	return code == CTL_OK ? call_with_options(ctl, arguments[0], "Destroy", options) : code;
}

CtlExit save_run(Ctl *ctl, char **arguments)
{
	/* The service has a working directory of its own. */
	g_autofree char *path = save_path ? g_canonicalize_filename(save_path, NULL) : NULL;
	uint64_t timeout = BUS_NO_DURATION;
	const BusOption options[] = {
		{ "path", .text = path },
		{ "timeout", .microseconds = &timeout },
		{},
	};
	CtlExit code;

	code = input_seconds("--timeout", save_timeout, &timeout);
	return code == CTL_OK ? call_with_options(ctl, arguments[0], "Save", options) : code;
}
