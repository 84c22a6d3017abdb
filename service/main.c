/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
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

/* Of the option, or else of the environment, which systemd's own services know too. Bad options are the
 * caller's, and end it; a bad environment may be that of the whole session, and is told. */
static bool set_up_log(LogWriter *writer, const char *level_option, const char *target_option)
{
	const char *level_name = level_option ?: g_getenv("SYSTEMD_LOG_LEVEL");
	const char *target_name = target_option ?: g_getenv("SYSTEMD_LOG_TARGET");
	LogTarget target;
	int level;

	if (level_name && log_level_from_string(level_name, &level))
		log_writer_set_level(writer, level);
	else if (level_option)
		return false;
	if (target_name && log_target_from_string(target_name, &target))
		log_writer_set_target(writer, target);
	else if (target_option)
		return false;
	log_writer_install(writer);
	if (level_name && !log_level_from_string(level_name, &level))
		log_text(LOG_WARNING, "SYSTEMD_LOG_LEVEL: '%s' is no level; ignoring", level_name);
	if (target_name && !log_target_from_string(target_name, &target))
		log_text(LOG_WARNING, "SYSTEMD_LOG_TARGET: '%s' is no target that is known here; "
				      "ignoring", target_name);
	return true;
}

static int run(ServiceOptions *options, const char *level, const char *target, const char *journal_socket)
{
	LogWriter *writer = log_writer_new(&(LogWriterOptions){
		.fd = STDERR_FILENO,
		.journal_socket = journal_socket ?: JOURNAL_SOCKET_PATH,
		.journal_stream = g_getenv("JOURNAL_STREAM"),
		.limits = LOG_WRITER_LIMITS,
	});
	int status;

	if (!set_up_log(writer, level, target)) {
		(void)fprintf(stderr, "vmherald: --log-level is one of emerg, alert, crit, err, warning, "
				      "notice, info, debug; --log-target one of auto, journal, console, "
				      "null\n");
		log_writer_free(writer);
		return 2;
	}
	options->log = writer;
	status = service_run(options);
	/* Threads of libraries may still log: it stays. */
	log_writer_flush(writer);
	return status;
}

static bool exit_action_is_known(const char *action)
{
	return !action || g_str_equal(action, "leave") || g_str_equal(action, "shutdown");
}

int main(int argc, char *argv[])
{
	gboolean session = FALSE, system = FALSE, version = FALSE;
	int idle_timeout = SERVICE_IDLE_TIMEOUT_DEFAULT;
	int shutdown_timeout = SERVICE_SHUTDOWN_TIMEOUT_DEFAULT;
	int history_events = HISTORY_EVENTS_DEFAULT;
	int64_t history_bytes = HISTORY_BYTES_DEFAULT;
	g_autofree char *on_exit_action = NULL;
	const char *bad;
	g_autofree char *log_level = NULL, *log_target = NULL, *journal_socket = NULL;
	ServiceOptions options;
	const GOptionEntry entries[] = {
		{ "session", 0, 0, G_OPTION_ARG_NONE, &session, "Serve the session bus (the default)",
		  NULL },
		{ "system", 0, 0, G_OPTION_ARG_NONE, &system, "Serve the system bus", NULL },
		{ "idle-timeout", 0, 0, G_OPTION_ARG_INT, &idle_timeout,
		  "Leave when nothing has run and nobody has called for so long; 0: never",
		  "SECONDS" },
		{ "on-exit", 0, 0, G_OPTION_ARG_STRING, &on_exit_action,
		  "What becomes of the guests when the service is told to end: leave them running (the "
		  "default), or shutdown", "ACTION" },
		{ "shutdown-timeout", 0, 0, G_OPTION_ARG_INT, &shutdown_timeout,
		  "How long they may take for it; what runs then is destroyed", "SECONDS" },
		{ "history-size", 0, 0, G_OPTION_ARG_INT64, &history_bytes,
		  "How much of what was told is kept for who has missed it", "BYTES" },
		{ "history-events", 0, 0, G_OPTION_ARG_INT, &history_events, "And how many events", "N" },
		{ "log-level", 0, 0, G_OPTION_ARG_STRING, &log_level,
		  "What is logged: err, warning, notice, info (the default), debug", "LEVEL" },
		{ "log-target", 0, 0, G_OPTION_ARG_STRING, &log_target,
		  "Where: auto (the default), journal, console, null", "TARGET" },
		{ "journal-socket", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &journal_socket, NULL,
		  NULL },
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
	bad = argc > 1 ? "there are no arguments, only options; see --help"
	      : session && system ? "--session and --system exclude each other"
	      : idle_timeout < 0 ? "--idle-timeout: must not be negative"
	      : !exit_action_is_known(on_exit_action) ? "--on-exit: is leave or shutdown"
	      : shutdown_timeout < 0 || shutdown_timeout > SERVICE_SHUTDOWN_TIMEOUT_MAX
		      ? "--shutdown-timeout: must be from 0 seconds to a day"
	      : history_bytes < HISTORY_BYTES_MIN || history_bytes > HISTORY_BYTES_MAX
		      ? "--history-size: must be from 65536 to 1073741824 bytes"
	      : history_events < (int)HISTORY_EVENTS_MIN || history_events > (int)HISTORY_EVENTS_MAX
		      ? "--history-events: must be from 16 to 16777216" : NULL;
	if (bad) {
		(void)fprintf(stderr, "vmherald: %s\n", bad);
		return 2;
	}
	if (version) {
		(void)printf("vmherald %s\n", PROJECT_VERSION);
		return EXIT_SUCCESS;
	}
	block_signals();
	options = (ServiceOptions){
		.system = system,
		.idle_timeout = (unsigned)idle_timeout,
		.shut_down_guests = g_strcmp0(on_exit_action, "shutdown") == 0,
		.shutdown_timeout = (unsigned)shutdown_timeout,
		.history_bytes = (size_t)history_bytes,
		.history_events = (unsigned)history_events,
	};
	return run(&options, log_level, log_target, journal_socket);
}
