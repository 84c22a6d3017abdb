/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmheraldctl: the command line of the service.
 *
 * The command line is read in two passes, because which options are allowed depends on the verb:
 * the first takes the global options up to the verb, the second the rest, where global options and
 * the verb's own may be mixed.
 */
#include <errno.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/agent.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

#define TEXT_DOMAIN "vmherald"

static struct {
	gboolean session;
	gboolean system;
	char *address;
	gboolean no_ask_password;
	gboolean json;
	gboolean no_color;
	gboolean version;
	gboolean help;
	char *complete;
} global;

static const GOptionEntry global_options[] = {
	{ "session", 0, 0, G_OPTION_ARG_NONE, &global.session,
	  N_("Use the session bus (default)"), NULL },
	{ "system", 0, 0, G_OPTION_ARG_NONE, &global.system, N_("Use the system bus"), NULL },
	{ "address", 0, 0, G_OPTION_ARG_FILENAME, &global.address,
	  N_("Use the bus at this address"), N_("ADDRESS") },
	{ "no-ask-password", 0, 0, G_OPTION_ARG_NONE, &global.no_ask_password,
	  N_("Do not ask for passwords"), NULL },
	{ "json", 0, 0, G_OPTION_ARG_NONE, &global.json, N_("Print JSON"), NULL },
	{ "no-color", 0, 0, G_OPTION_ARG_NONE, &global.no_color, N_("Print no colours"), NULL },
	{ "version", 0, 0, G_OPTION_ARG_NONE, &global.version, N_("Print the version"), NULL },
	{ "help", 'h', 0, G_OPTION_ARG_NONE, &global.help, N_("Print help, also for a verb"), NULL },
	{ "complete", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &global.complete, NULL, NULL },
	{},
};

void ctl_error(const char *format, ...)
{
	g_autofree char *text = NULL;
	g_autofree char *safe = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	safe = output_safe_lines(text);
	/* What was printed so far comes first, also where both go to the same file. */
	fflush(stdout);
	fprintf(stderr, "vmheraldctl: %s\n", safe);
}

static CtlExit usage_error(const Verb *verb, const char *text)
{
	ctl_error("%s", text);
	if (verb)
		fprintf(stderr, _("Try 'vmheraldctl %s --help'.\n"), verb->name);
	else
		fprintf(stderr, _("Try 'vmheraldctl --help'.\n"));
	return CTL_USAGE;
}

static GOptionContext *context_new(const Verb *verb)
{
	g_autofree char *parameters = NULL;
	g_autofree char *summary = NULL;
	GOptionContext *context;
	GOptionGroup *group;

	if (verb) {
		const char *arguments = *verb->arguments ? _(verb->arguments) : "";

		parameters = g_strdup_printf("%s %s", verb->name, arguments);
		summary = verb->description
				  ? g_strdup_printf("%s.\n\n%s", _(verb->summary), _(verb->description))
				  : g_strdup_printf("%s.", _(verb->summary));
	} else {
		parameters = g_strdup(_("VERB [ARGUMENT…]"));
		summary = g_strdup(_("Control virtual machines hosted by vmherald."));
	}
	g_strchomp(parameters);
	context = g_option_context_new(parameters);
	g_option_context_set_summary(context, summary);
	g_option_context_set_help_enabled(context, false);
	if (verb && verb->options) {
		g_option_context_add_main_entries(context, verb->options, TEXT_DOMAIN);
		group = g_option_group_new("global", _("Global options:"), "", NULL, NULL);
		g_option_group_add_entries(group, global_options);
		g_option_group_set_translation_domain(group, TEXT_DOMAIN);
		g_option_context_add_group(context, group);
	} else {
		g_option_context_add_main_entries(context, global_options, TEXT_DOMAIN);
	}
	return context;
}

static CtlExit print_help(const Verb *verb)
{
	g_autoptr(GOptionContext) context = context_new(verb);
	g_autofree char *help = NULL;

	if (!verb) {
		g_autofree char *summary = verbs_summary();
		g_autofree char *description = g_strconcat(summary, "\n\n",
			_("DOMAIN is a name or a uuid. FILE may be - for the standard input.\n"
			  "\n"
			  "Exit status:\n"
			  "  0  done\n"
			  "  1  failed; the service's reason is on the standard error\n"
			  "  2  bad arguments\n"
			  "  3  time-out of the verb wait\n"
			  "  4  the bus or the service cannot be reached"), NULL);

		g_option_context_set_description(context, description);
	}
	help = g_option_context_get_help(context, false, NULL);
	fputs(help, stdout);
	return CTL_OK;
}

/* GOption leaves a "--" in place that guards arguments which look like options. */
static void remove_guard(char **arguments)
{
	for (; *arguments; arguments++) {
		if (!g_str_equal(*arguments, "--"))
			continue;
		g_free(*arguments);
		for (; *arguments; arguments++)
			arguments[0] = arguments[1];
		return;
	}
}

static CtlExit parse(const Verb *verb, char ***arguments)
{
	g_autoptr(GOptionContext) context = context_new(verb);
	g_autoptr(GError) error = NULL;

	g_option_context_set_strict_posix(context, !verb);
	if (!g_option_context_parse_strv(context, arguments, &error))
		return usage_error(verb, error->message);
	if (verb)
		remove_guard(*arguments);
	return CTL_OK;
}

static CtlExit check_arguments(const Verb *verb, char **arguments)
{
	g_autofree char *text = NULL;
	unsigned count = g_strv_length(arguments);

	if (count < verb->arguments_min)
		text = g_strdup_printf(_("%s: too few arguments"), verb->name);
	else if (count > verb->arguments_max)
		text = g_strdup_printf(_("%s: too many arguments"), verb->name);
	return text ? usage_error(verb, text) : CTL_OK;
}

static CtlExit run(Ctl *ctl, char ***arguments)
{
	g_autofree char *text = NULL;
	CtlExit code;

	/* The bus carries nothing but UTF-8, and would cut us off for anything else. */
	for (unsigned i = 0; (*arguments)[i]; i++) {
		if (!g_utf8_validate((*arguments)[i], -1, NULL))
			return usage_error(NULL, _("An argument is not valid UTF-8"));
	}
	code = parse(NULL, arguments);
	if (code != CTL_OK)
		return code;
	if ((*arguments)[1] && !global.help && !global.version && !global.complete) {
		ctl->verb = verbs_find((*arguments)[1]);
		if (!ctl->verb) {
			text = g_strdup_printf(_("There is no verb '%s'"), (*arguments)[1]);
			return usage_error(NULL, text);
		}
		/* The verb takes the place of the program's name. */
		g_free((*arguments)[0]);
		for (char **p = *arguments; *p; p++)
			p[0] = p[1];
		code = parse(ctl->verb, arguments);
		if (code != CTL_OK)
			return code;
	} else if ((*arguments)[1] && global.help) {
		ctl->verb = verbs_find((*arguments)[1]);
	}
	if (global.help)
		return print_help(ctl->verb);
	if (global.version) {
		puts("vmheraldctl " VMHERALD_VERSION);
		return CTL_OK;
	}
	if (global.complete && !g_str_equal(global.complete, "domains"))
		return verbs_complete(global.complete, global_options) ? CTL_OK : CTL_USAGE;
	if (!ctl->verb && !global.complete)
		return usage_error(NULL, _("A verb is missing"));
	if ((int) global.session + (int) global.system + (global.address ? 1 : 0) > 1)
		return usage_error(NULL, _("Only one of --session, --system and --address can be used"));
	ctl->system = global.system;
	ctl->address = global.address;
	ctl->no_ask_password = global.no_ask_password;
	ctl->json = global.json;
	if (global.complete) {
		list_names(ctl);
		return CTL_OK;
	}
	code = check_arguments(ctl->verb, *arguments + 1);
	if (code != CTL_OK)
		return code;
	ctl->terminal = isatty(STDOUT_FILENO);
	ctl->color = ctl->terminal && !global.no_color && !g_getenv("NO_COLOR") &&
		     g_strcmp0(g_getenv("TERM"), "dumb") != 0;
	return ctl->verb->run(ctl, *arguments + 1);
}

int main(int argc, char **argv)
{
	g_auto(GStrv) arguments = g_strdupv(argv);
	Ctl ctl = {};
	CtlExit code;

	setlocale(LC_ALL, "");
	bindtextdomain(TEXT_DOMAIN, VMHERALD_LOCALE_DIR);
	bind_textdomain_codeset(TEXT_DOMAIN, "UTF-8");
	textdomain(TEXT_DOMAIN);
	g_set_prgname("vmheraldctl");
	/* Events are for pipes too: a line is out when it is printed. */
	setvbuf(stdout, NULL, _IOLBF, 0);

	code = run(&ctl, &arguments);
	vmh_connection_close(ctl.connection);
	vmh_connection_unref(ctl.connection);
	agent_stop();
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "vmheraldctl: %s\n", _("Cannot write the output"));
		code = code == CTL_OK ? CTL_FAILED : code;
	}
	return (int) code;
}
