/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/directories.h"
#include "base/log.h"
#include "domain/configuration-files.h"
#include "journal.h"
#include "log-writer.h"
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

#define EXIT_USAGE 2
/* As sysexits.h has it; the units do not start it again then. */
#define EXIT_CONFIGURATION 78

/* What can be said on the command line and in vmherald.conf, where the command line is stronger. */
typedef struct Option {
	const char *name;            /* as it is told */
	const char *key;             /* in [Service] */
	char *value;
} Option;

/* On the system bus and off it the ranges are the same. */
static bool check_options(const Option *options, size_t n_options)
{
	g_autoptr(Configuration) configuration = configuration_new(true);
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; i < n_options; i++) {
		const ConfigurationKey *key = configuration_find_key("Service", options[i].key);

		if (options[i].value &&
		    !configuration_set(configuration, key, true, options[i].value, &error)) {
			(void)fprintf(stderr, "vmherald: %s: %s\n", options[i].name, error->message);
			return false;
		}
	}
	return true;
}

static ConfigurationSource *make_source(bool system, const Option *options, size_t n_options, const char *level)
{
	g_autofree char *directory = directories_get_configuration(system);
	ConfigurationSource *source = configuration_source_new(system, directory);

	for (size_t i = 0; i < n_options; i++)
		if (options[i].value)
			configuration_source_override(source, options[i].name, "Service", options[i].key,
						      options[i].value);
	if (level)
		configuration_source_override(source, "log level", "Service", "LogLevel", level);
	return source;
}

/* ---- the log ---- */

/* Of the option, or else of the environment, which systemd's own services know too. Bad options are the
 * caller's, and end it; a bad environment may be that of the whole session, and is told. */
typedef struct LogChoice {
	const char *level_name;      /* as it was said; NULL: nobody said anything */
	const char *target_name;
	const char *level;           /* the word for it; NULL: it is none */
	LogTarget target;
	bool target_is_good;
} LogChoice;

static bool choose_log(const char *level_option, const char *target_option, LogChoice *ret_choice)
{
	LogChoice choice = { .level_name = level_option ?: g_getenv("SYSTEMD_LOG_LEVEL"),
			     .target_name = target_option ?: g_getenv("SYSTEMD_LOG_TARGET") };
	int level;

	if (choice.level_name && log_level_from_string(choice.level_name, &level))
		choice.level = log_level_to_string(level);
	choice.target_is_good = choice.target_name && log_target_from_string(choice.target_name, &choice.target);
	if ((level_option && !choice.level) || (target_option && !choice.target_is_good))
		return false;
	*ret_choice = choice;
	return true;
}

static void set_up_log(LogWriter *writer, const LogChoice *choice, const Configuration *configuration)
{
	if (configuration)
		log_writer_set_level(writer, configuration->log_level);
	if (choice->target_is_good)
		log_writer_set_target(writer, choice->target);
	log_writer_install(writer);
	if (choice->level_name && !choice->level)
		log_text(LOG_WARNING, "SYSTEMD_LOG_LEVEL: '%s' is no level; ignoring", choice->level_name);
	if (choice->target_name && !choice->target_is_good)
		log_text(LOG_WARNING, "SYSTEMD_LOG_TARGET: '%s' is no target that is known here; "
				      "ignoring", choice->target_name);
}

/* ---- run ---- */

/* Takes source over. */
static int run(bool system, ConfigurationSource *source, const LogChoice *choice, const char *journal_socket)
{
	g_autoptr(GPtrArray) problems = configuration_problems_new();
	Configuration *configuration = configuration_load(source, problems);
	LogWriter *writer = log_writer_new(&(LogWriterOptions){
		.fd = STDERR_FILENO,
		.journal_socket = journal_socket ?: JOURNAL_SOCKET_PATH,
		.journal_stream = g_getenv("JOURNAL_STREAM"),
		.limits = LOG_WRITER_LIMITS,
	});
	int status = EXIT_CONFIGURATION;

	set_up_log(writer, choice, configuration);
	if (configuration) {
		status = service_run(&(ServiceOptions){
			.system = system,
			.configuration = configuration,
			.configuration_source = source,
			.log = writer,
		});
	} else {
		/* Not with what is right in it, or with the defaults: that might confine guests less than what is written there. */
		configuration_problems_log(problems);
		configuration_source_free(source);
	}
	/* Threads of libraries may still log: it stays. */
	log_writer_flush(writer);
	return status;
}

static int show_configuration(const Configuration *configuration)
{
	const char *section = "";

	for (size_t i = 0; i < configuration_keys_length; i++) {
		const ConfigurationKey *key = &configuration_keys[i];
		g_autofree char *text = configuration_key_get_text(key, configuration);

		if (!g_str_equal(section, key->section))
			(void)printf("%s[%s]\n", i > 0 ? "\n" : "", key->section);
		(void)printf("%s=%s\n", key->name, text);
		section = key->section;
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int check_configuration(const ConfigurationSource *source)
{
	g_autoptr(GPtrArray) problems = configuration_problems_new();
	g_autoptr(Configuration) configuration = configuration_load(source, problems);

	for (unsigned i = 0; i < problems->len; i++) {
		g_autofree char *line = configuration_problem_to_string(problems->pdata[i]);

		(void)fprintf(stderr, "%s\n", line);
	}
	return configuration ? show_configuration(configuration) : EXIT_CONFIGURATION;
}

int main(int argc, char *argv[])
{
	gboolean session = FALSE, system = FALSE, check = FALSE, version = FALSE;
	Option options[] = {
		{ "--idle-timeout", "IdleTimeout", NULL },
		{ "--on-exit", "OnExit", NULL },
		{ "--shutdown-timeout", "ShutdownTimeout", NULL },
		{ "--history-size", "HistorySize", NULL },
		{ "--history-events", "HistoryEvents", NULL },
	};
	g_autofree char *log_level = NULL, *log_target = NULL, *journal_socket = NULL;
	const GOptionEntry entries[] = {
		{ "session", 0, 0, G_OPTION_ARG_NONE, &session, "Serve the session bus (the default)",
		  NULL },
		{ "system", 0, 0, G_OPTION_ARG_NONE, &system, "Serve the system bus", NULL },
		{ "idle-timeout", 0, 0, G_OPTION_ARG_STRING, &options[0].value,
		  "Leave when nothing has run and nobody has called for so long; 0: never", "TIME" },
		{ "on-exit", 0, 0, G_OPTION_ARG_STRING, &options[1].value,
		  "What becomes of the guests when the service is told to end: leave them running (the "
		  "default), or shutdown", "ACTION" },
		{ "shutdown-timeout", 0, 0, G_OPTION_ARG_STRING, &options[2].value,
		  "How long they may take for it; what runs then is destroyed", "TIME" },
		{ "history-size", 0, 0, G_OPTION_ARG_STRING, &options[3].value,
		  "How much of what was told is kept for who has missed it", "BYTES" },
		{ "history-events", 0, 0, G_OPTION_ARG_STRING, &options[4].value, "And how many events", "N" },
		{ "log-level", 0, 0, G_OPTION_ARG_STRING, &log_level,
		  "What is logged: err, warning, notice, info (the default), debug", "LEVEL" },
		{ "log-target", 0, 0, G_OPTION_ARG_STRING, &log_target,
		  "Where: auto (the default), journal, console, null", "TARGET" },
		{ "check-config", 0, 0, G_OPTION_ARG_NONE, &check,
		  "Read vmherald.conf, tell what is wrong there or else what is in force, and leave", NULL },
		{ "journal-socket", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &journal_socket, NULL,
		  NULL },
		{ "version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version", NULL },
		{ NULL },
	};
	g_autoptr(GOptionContext) context =
		g_option_context_new("- tells what happens to QEMU virtual machines");
	g_autoptr(GError) error = NULL;
	ConfigurationSource *source;
	LogChoice choice;
	int status;

	(void)setlocale(LC_ALL, "");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		(void)fprintf(stderr, "vmherald: %s\n", error->message);
		return EXIT_USAGE;
	}
	if (argc > 1 || (session && system)) {
		(void)fprintf(stderr, "vmherald: %s\n",
			      argc > 1 ? "there are no arguments, only options; see --help"
				       : "--session and --system exclude each other");
		return EXIT_USAGE;
	}
	if (version) {
		(void)printf("vmherald %s\n", PROJECT_VERSION);
		return EXIT_SUCCESS;
	}
	if (!choose_log(log_level, log_target, &choice)) {
		(void)fprintf(stderr, "vmherald: --log-level is one of emerg, alert, crit, err, warning, "
				      "notice, info, debug; --log-target one of auto, journal, console, "
				      "null\n");
		return EXIT_USAGE;
	}
	status = check_options(options, G_N_ELEMENTS(options)) ? EXIT_SUCCESS : EXIT_USAGE;
	source = make_source(system, options, G_N_ELEMENTS(options), choice.level);
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		g_free(options[i].value);
	if (status != EXIT_SUCCESS || check) {
		status = status != EXIT_SUCCESS ? status : check_configuration(source);
		configuration_source_free(source);
		return status;
	}
	block_signals();
	return run(system, source, &choice, journal_socket);
}
