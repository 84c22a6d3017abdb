/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/log-limit.h"
#include "base/log.h"

/*
 * Where the records of this process go: with all their fields to the journal, or as lines to stderr. One writer
 * for all of them, those that GLib's g_warning() and its kin make included; so what is too much is left out here,
 * and counted (base/log-limit.h). The level and the target can be changed while it runs (log-control.h).
 *
 *   auto      the journal if stderr is connected to it ($JOURNAL_STREAM), else the console
 *   journal   the journal's socket; lines to stderr if there is none
 *   console   lines to stderr
 *   null      nowhere
 *
 * Any thread, except where it says so.
 */

typedef enum LogTarget {
	LOG_TARGET_AUTO,
	LOG_TARGET_JOURNAL,
	LOG_TARGET_CONSOLE,
	LOG_TARGET_NULL,
	LOG_TARGET_MAX,
} LogTarget;

const char *log_target_to_string(LogTarget target);
bool log_target_from_string(const char *string, LogTarget *ret_target);

/* The names of syslog: emerg, alert, crit, err, warning, notice, info, debug; also read as a number. */
const char *log_level_to_string(int level);
bool log_level_from_string(const char *string, int *ret_level);

typedef struct LogWriterOptions {
	int fd;                      /* of the lines; not closed */
	const char *journal_socket;
	const char *journal_stream;  /* $JOURNAL_STREAM, or NULL */
	LogLimits limits;
} LogWriterOptions;

/* So many records of one kind about one domain, and of all, in an interval: what a person may want to read. */
#define LOG_WRITER_OF_KEY      100u
#define LOG_WRITER_OF_ALL      4000u
#define LOG_WRITER_INTERVAL_US (30 * G_TIME_SPAN_SECOND)
#define LOG_WRITER_LIMITS      ((LogLimits){ LOG_WRITER_OF_KEY, LOG_WRITER_OF_ALL, LOG_WRITER_INTERVAL_US })

#define LOG_WRITER_IDENTIFIER  "vmherald"

typedef struct LogWriter LogWriter;

/* options is copied. Level info, target auto. */
LogWriter *log_writer_new(const LogWriterOptions *options);
/* Tells what was left out and not told yet. Not if it was installed. */
LogWriter *log_writer_free(LogWriter *writer);

/* All records of the process go there from now on. Once, before there are other threads. */
void log_writer_install(LogWriter *writer);
/* What was left out is told now: the process ends. */
void log_writer_flush(LogWriter *writer);

/* A GLogWriterFunc; userdata is the writer. */
GLogWriterOutput log_writer_write(GLogLevelFlags level, const GLogField *fields, size_t n_fields,
				  void *userdata);

/* A LogFilter; userdata is the writer. */
bool log_writer_wants(LogId id, const char *uuid, void *userdata);

int log_writer_get_level(LogWriter *writer);
void log_writer_set_level(LogWriter *writer, int level);
/* Never LOG_TARGET_AUTO: what that has come to. */
LogTarget log_writer_get_target(LogWriter *writer);
void log_writer_set_target(LogWriter *writer, LogTarget target);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(LogWriter, log_writer_free)
