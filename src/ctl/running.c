/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that start, stop and otherwise drive a domain. */
#include <glib/gi18n.h>

#include "ctl/call.h"
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

/* The verbs that are one call without anything. */
CtlExit plain_run(Ctl *ctl, char **arguments)
{
	g_auto(Call) call = {};
	CtlExit code = call_begin(ctl, arguments[0], NULL, &call);

	return code == CTL_OK ? call_end(&call, ctl->verb->call(call.domain, &call.error)) : code;
}

CtlExit start_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = { { "paused", .flag = paused }, {} };

	return call_domain(ctl, arguments[0], vmh_domain_start, options);
}

CtlExit shutdown_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = { { "timeout", .seconds = shutdown_timeout }, {} };

	return call_domain(ctl, arguments[0], vmh_domain_shutdown, options);
}

CtlExit reboot_run(Ctl *ctl, char **arguments)
{
	return call_domain(ctl, arguments[0], vmh_domain_reboot, NULL);
}

CtlExit destroy_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = { { "grace", .seconds = destroy_grace }, {} };

	return call_domain(ctl, arguments[0], vmh_domain_destroy, options);
}

CtlExit save_run(Ctl *ctl, char **arguments)
{
	/* The service has a working directory of its own. */
	g_autofree char *path = save_path ? g_canonicalize_filename(save_path, NULL) : NULL;
	const CallOption options[] = {
		{ "path", .text = path },
		{ "timeout", .seconds = save_timeout },
		{},
	};

	return call_domain(ctl, arguments[0], vmh_domain_save, options);
}
