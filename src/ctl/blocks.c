/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs for the block layer of a domain: thresholds and jobs. */
#include <glib/gi18n.h>

#include "ctl/call.h"
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
	g_auto(Call) call = {};
	uint64_t bytes = 0;
	CtlExit code;

	code = input_size("threshold", arguments[2], &bytes);
	if (code == CTL_OK)
		code = call_begin(ctl, arguments[0], NULL, &call);
	if (code != CTL_OK)
		return code;
	return call_end(&call, vmh_domain_set_write_threshold(call.domain, arguments[1], bytes, &call.error));
}

CtlExit cancel_job_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = {
		{ "force", .flag = cancel_force },
		{ "timeout", .seconds = cancel_timeout },
		{},
	};
	g_auto(Call) call = {};
	CtlExit code = call_begin(ctl, arguments[0], options, &call);

	if (code != CTL_OK)
		return code;
	return call_end(&call, vmh_domain_cancel_job(call.domain, arguments[1], call.options, &call.error));
}
