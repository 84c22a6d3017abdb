/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "service.h"

/* Taken by sd-event through a descriptor; blocked before any thread exists, so that none gets them. */
static void block_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char *argv[])
{
	gboolean session = FALSE, system = FALSE, version = FALSE;
	int idle_timeout = SERVICE_IDLE_TIMEOUT_DEFAULT;
	const GOptionEntry entries[] = {
		{ "session", 0, 0, G_OPTION_ARG_NONE, &session, "Serve the session bus (the default)",
		  NULL },
		{ "system", 0, 0, G_OPTION_ARG_NONE, &system, "Serve the system bus", NULL },
		{ "idle-timeout", 0, 0, G_OPTION_ARG_INT, &idle_timeout,
		  "Leave when nothing has run and nobody has called for so long; 0: never",
		  "SECONDS" },
		{ "version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version", NULL },
		{ NULL },
	};
	g_autoptr(GOptionContext) context =
		g_option_context_new("- tells what happens to QEMU virtual machines");
	g_autoptr(GError) error = NULL;

	(void)setlocale(LC_ALL, "");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		(void)fprintf(stderr, "vmherald: %s\n", error->message);
		return 2;
	}
	if (argc > 1 || (session && system) || idle_timeout < 0) {
		(void)fprintf(stderr, "vmherald: %s\n",
			      argc > 1 ? "there are no arguments, only options; see --help"
			      : idle_timeout < 0 ? "--idle-timeout: must not be negative"
						 : "--session and --system exclude each other");
		return 2;
	}
	if (version) {
		(void)printf("vmherald %s\n", PROJECT_VERSION);
		return EXIT_SUCCESS;
	}
	block_signals();
	return service_run(&(ServiceOptions){ .system = system, .idle_timeout = (unsigned)idle_timeout });
}
