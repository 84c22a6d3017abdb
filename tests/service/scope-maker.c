/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "bus-error.h"
#include "scope.h"

/*
 * scope-maker session|system TIMEOUT-MS PID DEFINITION...
 *
 * Places that process for each definition, one after the other, and writes a line for each: "unit NAME", "nowhere", or
 * "error NAME MESSAGE". Records go to the standard error.
 */

static bool place(const Placement *placement, const char *text, pid_t pid)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Definition) definition = definition_parse(text, strlen(text), &error);
	g_autofree char *unit = NULL;

	if (!definition) {
		(void)fprintf(stderr, "%s\n", error->message);
		return false;
	}
	if (!placement->place(definition, pid, &unit, &error, placement->userdata))
		(void)printf("error %s %s\n", bus_error_name(error->code), error->message);
	else if (unit)
		(void)printf("unit %s\n", unit);
	else
		(void)printf("nowhere\n");
	return true;
}

int main(int argc, char *argv[])
{
	ScopeMaker *maker;
	Placement placement;
	bool good = argc >= 5;

	if (!good) {
		(void)fprintf(stderr, "usage: scope-maker session|system TIMEOUT-MS PID DEFINITION...\n");
		return EXIT_FAILURE;
	}
	/* GLib writes what is only informative to the standard output. */
	g_log_writer_default_set_use_stderr(TRUE);
	maker = scope_maker_new(g_str_equal(argv[1], "system"), (unsigned)atoi(argv[2]));
	placement = scope_maker_get_placement(maker);
	for (int i = 4; good && i < argc; i++)
		good = place(&placement, argv[i], (pid_t)atoi(argv[3]));
	scope_maker_free(maker);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
