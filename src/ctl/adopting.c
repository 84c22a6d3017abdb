/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs for QEMUs that somebody else has started, and for letting go of a domain. */
#include <glib/gi18n.h>

#include "ctl/bus.h"
#include "ctl/input.h"
#include "ctl/names.h"
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
	g_autoptr(sd_bus_message) message = NULL;
	g_autoptr(sd_bus_message) reply = NULL;
	uint64_t timeout = BUS_NO_DURATION;
	const BusOption options[] = { { "timeout", .microseconds = &timeout }, {} };
	const char *domain = NULL;
	CtlExit code;

	code = input_seconds("--timeout", adopt_timeout, &timeout);
	if (code == CTL_OK)
		code = bus_method_new(ctl, NAMES_MANAGER_PATH, "Manager", "AdoptDomain", &message);
	if (code == CTL_OK)
		code = bus_append(message, "ss", name, path);
	if (code == CTL_OK)
		code = bus_append_options(message, options);
	if (code == CTL_OK)
		code = bus_call(ctl, message, &reply);
	if (code == CTL_OK)
		code = bus_read(reply, "o", &domain);
	if (code == CTL_OK)
		output_domain(ctl, domain);
	return code;
}

CtlExit undefine_run(Ctl *ctl, char **arguments)
{
	const BusOption options[] = { { "destroy", .flag = undefine_destroy }, {} };
	g_autoptr(sd_bus_message) message = NULL;
	CtlExit code;

	code = bus_domain_method_new(ctl, arguments[0], "Domain", "Undefine", &message);
	if (code == CTL_OK)
		code = bus_append_options(message, options);
	return code == CTL_OK ? bus_call(ctl, message, NULL) : code;
}
