/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs for QEMUs that somebody else has started, and for letting go of a domain. */
#include <glib/gi18n.h>

#include "ctl/call.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

static char *adopt_timeout;
static gboolean undefine_destroy;

const GOptionEntry adopt_options[] = {
	{ "timeout", 0, 0, G_OPTION_ARG_FILENAME, &adopt_timeout,
	  N_("How long QEMU may take to answer"), N_("SECONDS") },
	{},
};

const GOptionEntry undefine_options[] = {
	{ "destroy", 0, 0, G_OPTION_ARG_NONE, &undefine_destroy,
	  N_("Stop what runs, also a QEMU that was adopted"), NULL },
	{},
};

CtlExit adopt_run(Ctl *ctl, char **arguments)
{
	const char *name = arguments[1] ? arguments[0] : "";
	/* The service has a working directory of its own. */
	g_autofree char *path = g_canonicalize_filename(arguments[1] ? arguments[1] : arguments[0], NULL);
	const CallOption options[] = { { "timeout", .seconds = adopt_timeout }, {} };
	g_auto(Call) call = {};
	CtlExit code = call_begin(ctl, NULL, options, &call);

	if (code != CTL_OK)
		return code;
	call.domain = vmh_connection_adopt_domain(ctl->connection, name, path, call.options, &call.error);
	if (call.domain)
		output_domain(ctl, call.domain);
	return call_end(&call, call.domain);
}

CtlExit undefine_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = { { "destroy", .flag = undefine_destroy }, {} };

	return call_domain(ctl, arguments[0], vmh_domain_undefine, options);
}
