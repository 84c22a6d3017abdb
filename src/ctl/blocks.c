/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs for the block layer of a domain: thresholds and jobs. */
#include <glib/gi18n.h>

#include "ctl/bus.h"
#include "ctl/input.h"
#include "ctl/verbs.h"

static gboolean cancel_force;
static char *cancel_timeout;

const GOptionEntry cancel_job_options[] = {
	{ "force", 0, 0, G_OPTION_ARG_NONE, &cancel_force,
	  N_("Give up at once, also where a mirror could be ended cleanly"), NULL },
	{ "timeout", 0, 0, G_OPTION_ARG_FILENAME, &cancel_timeout,
	  N_("How long the job may take to end"), N_("SECONDS") },
	{},
};

CtlExit threshold_run(Ctl *ctl, char **arguments)
{
	g_autoptr(sd_bus_message) message = NULL;
	uint64_t bytes = 0;
	CtlExit code;

	code = input_size("threshold", arguments[2], &bytes);
	if (code == CTL_OK)
		code = bus_domain_method_new(ctl, arguments[0], "Block", "SetWriteThreshold", &message);
	if (code == CTL_OK)
		code = bus_append(message, "st", arguments[1], bytes);
	return code == CTL_OK ? bus_call(ctl, message, NULL) : code;
}

CtlExit cancel_job_run(Ctl *ctl, char **arguments)
{
	uint64_t timeout = BUS_NO_DURATION;
	const BusOption options[] = {
		{ "force", .flag = cancel_force },
		{ "timeout", .microseconds = &timeout },
		{},
	};
	g_autoptr(sd_bus_message) message = NULL;
	CtlExit code;

	code = input_seconds("--timeout", cancel_timeout, &timeout);
	if (code == CTL_OK)
		code = bus_domain_method_new(ctl, arguments[0], "Block", "CancelJob", &message);
	if (code == CTL_OK)
		code = bus_append(message, "s", arguments[1]);
	if (code == CTL_OK)
		code = bus_append_options(message, options);
	return code == CTL_OK ? bus_call(ctl, message, NULL) : code;
}
