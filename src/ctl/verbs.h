/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/*
 * The table of verbs. Dispatch, --help and the shell's completion all read this one table, so a
 * verb is added by one row and one function.
 */

typedef CtlExit VerbFunction(Ctl *ctl, char **arguments);

struct Verb {
	const char *name;
	const char *arguments;          /* N_(); its first word says what completion offers */
	const char *summary;            /* N_(): one line */
	const char *description;        /* N_(): more, for the verb's own help; or NULL */
	const GOptionEntry *options;    /* or NULL */
	unsigned arguments_min;
	unsigned arguments_max;
	bool (*call)(VmhDomain *domain, VmhError **error);      /* for the verbs that are nothing but a call */
	VerbFunction *run;              /* arguments: NULL-terminated, their number checked */
};

/* NULL if there is no such verb. */
const Verb *verbs_find(const char *name);

/* All verbs with their summaries, for --help. Free with g_free(). */
char *verbs_summary(void);

/* What "--complete WHAT" prints, one word a line: "verbs", "options:VERB" or "arguments:VERB".
 * False if it is none of these. */
bool verbs_complete(const char *what, const GOptionEntry *global_options);

/* For completion: prints the names of all domains, one a line. Starts no service, reports nothing. */
void list_names(Ctl *ctl);

/* Lists of options; each is defined beside the functions that read it. Texts are of the kind
 * G_OPTION_ARG_FILENAME, which GLib leaves as they are: it would convert the kind STRING from the
 * locale's character set, and fail for any but ASCII where no locale is set. */
extern const GOptionEntry list_options[];
extern const GOptionEntry definition_options[];
extern const GOptionEntry adopt_options[];
extern const GOptionEntry undefine_options[];
extern const GOptionEntry create_options[];
extern const GOptionEntry start_options[];
extern const GOptionEntry shutdown_options[];
extern const GOptionEntry destroy_options[];
extern const GOptionEntry save_options[];
extern const GOptionEntry screenshot_options[];
extern const GOptionEntry attach_options[];
extern const GOptionEntry detach_options[];
extern const GOptionEntry change_media_options[];
extern const GOptionEntry cancel_job_options[];
extern const GOptionEntry qmp_options[];
extern const GOptionEntry events_options[];
extern const GOptionEntry wait_options[];

VerbFunction list_run, show_run, definition_run, autostart_run;
VerbFunction define_run, validate_run, create_run, reload_run;
VerbFunction adopt_run, undefine_run;
VerbFunction start_run, shutdown_run, reboot_run, destroy_run, save_run, plain_run;
VerbFunction attach_run, detach_run, change_media_run, balloon_run, qmp_run;
VerbFunction nics_run;
VerbFunction threshold_run, cancel_job_run;
VerbFunction screenshot_run;
VerbFunction events_run;
VerbFunction wait_run;
