/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/*
 * Records for the administrator. A record is a text and fields: whom it speaks of, and which known event
 * it is (MESSAGE_ID, explained in data/vmherald.catalog). So a journal can be asked for all that happened to one
 * domain, and nothing has to be read out of texts. Where records go is not known here: the host installs a
 * writer (service/log-writer.c); without one they are ordinary messages of GLib's.
 *
 * Priorities are syslog's:
 *
 *   LOG_ERR      something of ours is broken, or data are: it will not get well by itself
 *   LOG_WARNING  a guest or the host is in trouble; the service goes on
 *   LOG_NOTICE   what an administrator wants to see in an ordinary week
 *   LOG_INFO     the rest of a domain's life
 *   LOG_DEBUG    for those who look for a fault
 *
 * A caller's mistake is answered to the caller, and is no record. Any thread.
 */

/* Names of the priorities, by their numbers; NULL at the end. */
extern const char *const log_level_names[LOG_DEBUG + 2];

/* Names of fields. Values are UTF-8. */
#define LOG_FIELD_MESSAGE     "MESSAGE"
#define LOG_FIELD_MESSAGE_ID  "MESSAGE_ID"
#define LOG_FIELD_PRIORITY    "PRIORITY"
#define LOG_FIELD_CODE_FILE   "CODE_FILE"
#define LOG_FIELD_CODE_LINE   "CODE_LINE"
#define LOG_FIELD_CODE_FUNC   "CODE_FUNC"
#define LOG_FIELD_DOMAIN      "VMHERALD_DOMAIN"
#define LOG_FIELD_UUID        "VMHERALD_UUID"
#define LOG_FIELD_INCARNATION "VMHERALD_INCARNATION"
#define LOG_FIELD_EVENT       "VMHERALD_EVENT"
#define LOG_FIELD_REASON      "VMHERALD_REASON"
#define LOG_FIELD_STATE       "VMHERALD_STATE"
#define LOG_FIELD_SEQUENCE    "VMHERALD_SEQUENCE"
#define LOG_FIELD_FILE        "VMHERALD_FILE"
#define LOG_FIELD_ERROR       "VMHERALD_ERROR"
#define LOG_FIELD_LEFT_OUT    "VMHERALD_LEFT_OUT"
#define LOG_FIELD_LINK        "VMHERALD_LINK"
/* And the key of a detail of the signal, in upper case: VMHERALD_DETAIL_EXIT_STATUS. */
#define LOG_FIELD_DETAIL      "VMHERALD_DETAIL_"

/* What a record tells, if it is something known. Each has a row in log.c, and an entry in the catalogue. */
typedef enum LogId {
	LOG_ID_NONE,
	LOG_ID_DEFINED,
	LOG_ID_UNDEFINED,
	LOG_ID_STARTING,
	LOG_ID_STARTED,
	LOG_ID_SUSPENDED,
	LOG_ID_HELD,                 /* suspended by an error */
	LOG_ID_RESUMED,
	LOG_ID_SHUTDOWN,
	LOG_ID_STOPPED,
	LOG_ID_FAILED,               /* stopped by an error */
	LOG_ID_PM_SUSPENDED,
	LOG_ID_CRASHED,
	LOG_ID_START_FAILED,
	LOG_ID_RESTARTS_EXCEEDED,
	LOG_ID_MONITOR_LOST,
	LOG_ID_RESYNCHRONIZED,
	LOG_ID_EVENTS_LOST,
	LOG_ID_IO_ERROR,
	LOG_ID_IMAGE_CORRUPTED,
	LOG_ID_QUORUM,
	LOG_ID_WATCHDOG,
	LOG_ID_MEMORY_FAILURE,
	LOG_ID_REMOVAL_REFUSED,
	LOG_ID_DEFINITION_PROBLEM,
	LOG_ID_CONFIGURATION_PROBLEM,
	LOG_ID_RUN_LOST,
	LOG_ID_STATE_REFUSED,
	LOG_ID_STORE_FAILED,
	LOG_ID_LINK_LEFT,            /* of the host, made for a guest that has gone */
	LOG_ID_FILTER_FAILED,        /* a link of the host does not follow its guest */
	LOG_ID_SCOPE_FAILED,         /* a QEMU has no cgroup of its own */
	LOG_ID_SERVICE_READY,
	LOG_ID_LEFT_OUT,
	LOG_ID_MAX,
} LogId;

/* 128 bits as 32 lower case hexadecimal digits; NULL for LOG_ID_NONE. */
const char *log_id_to_string(LogId id);
int log_id_get_priority(LogId id);

/* Whom a record speaks of. */
typedef struct LogSubject {
	const char *name;
	const char *uuid;
	uint64_t incarnation;
} LogSubject;

typedef struct LogField {
	const char *name, *value;
} LogField;

/* Fields of one record beyond those that are always there; what is above is left out. */
#define LOG_FIELDS_MAX 48u

typedef struct LogPlace {
	const char *file, *line, *function;
} LogPlace;
#define LOG_PLACE (&(const LogPlace){ __FILE__, G_STRINGIFY(__LINE__), __func__ })

/* subject: NULL if it is about no domain; its name goes before the text. fields: ends in one without a name; may be
 * NULL. With an id, the priority is that of its row. */
void log_write(const LogPlace *place, LogId id, int priority, const LogSubject *subject,
	       const LogField *fields, const char *format, ...) G_GNUC_PRINTF(6, 7);

/* A record about no domain: known, or just a text. */
#define log_event(id, fields, ...) log_write(LOG_PLACE, id, LOG_INFO, NULL, fields, __VA_ARGS__)
#define log_text(priority, ...)    log_write(LOG_PLACE, LOG_ID_NONE, priority, NULL, NULL, __VA_ARGS__)

/* Something of the host's is wrong: message says what, file (or NULL) is what it is about. */
#define log_problem(id, file, message)                                                             \
	log_write(LOG_PLACE, id, LOG_INFO, NULL,                                                   \
		  ((const LogField[]){ { LOG_FIELD_ERROR, message }, { LOG_FIELD_FILE, file }, { NULL } }), \
		  "%s", message)

/* Takes records with all their fields instead of g_log(), which gets the text alone (and so does
 * g_test_expect_message()). Before there are other threads. */
void log_set_writer(GLogWriterFunc writer, void *userdata);

/* Whether the writer will write a record of id about that domain. If not, it has been counted as left out, as it would have been
 * when it was written; any thread. NULL: it takes them all. Before there are other threads. */
typedef bool (*LogFilter)(LogId id, const char *uuid, void *userdata);
void log_set_filter(LogFilter filter, void *userdata);

/* Before a record is made of what is told by events anyhow, which may be many: false if nobody would see it. */
bool log_wants(LogId id, const LogSubject *subject);
