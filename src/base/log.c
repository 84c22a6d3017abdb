/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stdarg.h>

/* A new row: `journalctl --new-id128`, and an entry in data/vmherald.catalog. An id never changes its meaning. */
static const struct {
	const char *message_id;
	int priority;
} ids[] = {
	[LOG_ID_NONE] = { NULL, LOG_INFO },
	[LOG_ID_DEFINED] = { "38742b0298534148a6ebdb8e076536eb", LOG_INFO },
	[LOG_ID_UNDEFINED] = { "b9c0169dd37a4d2ea353112348f4f5f5", LOG_INFO },
	[LOG_ID_STARTING] = { "d22edab7ab8548678b56738cbc351b27", LOG_INFO },
	[LOG_ID_STARTED] = { "77b55b22bbaa48bf920f205a93739318", LOG_NOTICE },
	[LOG_ID_SUSPENDED] = { "d1f3484bbf2a44159f0e5ab1b0e3c078", LOG_INFO },
	[LOG_ID_HELD] = { "9b58858d51364b1ea6ff70e4bc174ca0", LOG_WARNING },
	[LOG_ID_RESUMED] = { "f3c994f8c3624998895cfc599c6e9e13", LOG_INFO },
	[LOG_ID_SHUTDOWN] = { "e6dc39a155074770a6773d5c04614534", LOG_INFO },
	[LOG_ID_STOPPED] = { "375b70a15fed4f0e8b3a1d09ba79204f", LOG_NOTICE },
	[LOG_ID_FAILED] = { "9759e1067b1f47e28f1200bd8151356e", LOG_WARNING },
	[LOG_ID_PM_SUSPENDED] = { "0931540a3ad140fcae5eaf86abf7a76f", LOG_INFO },
	[LOG_ID_CRASHED] = { "e9b7fd68845d4c7d84c1c4b455547b13", LOG_WARNING },
	[LOG_ID_START_FAILED] = { "b050ce11e76a4e3d9b7788faf44fec3e", LOG_WARNING },
	[LOG_ID_RESTARTS_EXCEEDED] = { "99eabcd2b3f849b597126aadac1e8fa8", LOG_WARNING },
	[LOG_ID_MONITOR_LOST] = { "576e576ea6494cc6861b4730bf24fefa", LOG_WARNING },
	[LOG_ID_RESYNCHRONIZED] = { "d1e35c8d06e944ae828a6a88725b4d7b", LOG_NOTICE },
	[LOG_ID_EVENTS_LOST] = { "30be93b21a8b4c81bde259166955b6ca", LOG_WARNING },
	[LOG_ID_IO_ERROR] = { "dc69bf47f2c34a17b021171414a6ec01", LOG_WARNING },
	[LOG_ID_IMAGE_CORRUPTED] = { "e8a5dd98f65e4054859c231a69553eb3", LOG_ERR },
	[LOG_ID_QUORUM] = { "87ea4899b7d24bd1825d0280d49e89b9", LOG_WARNING },
	[LOG_ID_WATCHDOG] = { "f52ae163ccf24745841b758a449df58b", LOG_WARNING },
	[LOG_ID_MEMORY_FAILURE] = { "a6726f3752824ae5956d9f9258b190da", LOG_WARNING },
	[LOG_ID_REMOVAL_REFUSED] = { "934cc339fa794c9c8200e2252cdfb140", LOG_NOTICE },
	[LOG_ID_DEFINITION_PROBLEM] = { "892d9b3af31a4463b0c974847b5b4e19", LOG_WARNING },
	[LOG_ID_CONFIGURATION_PROBLEM] = { "c1b60ef6a5b84a6f9b6e1d1ff2bf4c57", LOG_ERR },
	[LOG_ID_RUN_LOST] = { "65050b93779f40138dbb4792a5ea59c8", LOG_WARNING },
	[LOG_ID_STATE_REFUSED] = { "8e3527bfe744424480e8ca4b0beb70a4", LOG_NOTICE },
	[LOG_ID_STORE_FAILED] = { "464c37591d7e4f6fb016dd909c18724f", LOG_ERR },
	[LOG_ID_LINK_LEFT] = { "e9457d982871486ebf728c3da1146129", LOG_WARNING },
	[LOG_ID_FILTER_FAILED] = { "1ff400386fe347efb20f4684c8edf100", LOG_WARNING },
	[LOG_ID_SCOPE_FAILED] = { "cca55789defc432b8f217670f20c854f", LOG_WARNING },
	[LOG_ID_SERVICE_READY] = { "f76e458af91d4399911b56404a190ed7", LOG_INFO },
	[LOG_ID_LEFT_OUT] = { "4c9f1bf70d9a411e87d599c3dca9dde0", LOG_WARNING },
};
G_STATIC_ASSERT(G_N_ELEMENTS(ids) == LOG_ID_MAX);

static GLogWriterFunc installed_writer;
static void *installed_userdata;
static LogFilter installed_filter;
static void *filter_userdata;

const char *log_id_to_string(LogId id)
{
	g_assert((unsigned)id < LOG_ID_MAX);
	return ids[id].message_id;
}

int log_id_get_priority(LogId id)
{
	g_assert((unsigned)id < LOG_ID_MAX);
	return ids[id].priority;
}

void log_set_writer(GLogWriterFunc writer, void *userdata)
{
	installed_writer = writer;
	installed_userdata = userdata;
}

void log_set_filter(LogFilter filter, void *userdata)
{
	installed_filter = filter;
	filter_userdata = userdata;
}

bool log_wants(LogId id, const LogSubject *subject)
{
	return installed_writer &&
	       (!installed_filter || installed_filter(id, subject->uuid, filter_userdata));
}

const char *const log_level_names[] = {
	[LOG_EMERG] = "emerg",
	[LOG_ALERT] = "alert",
	[LOG_CRIT] = "crit",
	[LOG_ERR] = "err",
	[LOG_WARNING] = "warning",
	[LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
	[LOG_DEBUG + 1] = NULL,
};

/* GLib has no level for errors that are not the end of the process. */
static GLogLevelFlags get_level(int priority)
{
	if (priority <= LOG_WARNING)
		return G_LOG_LEVEL_WARNING;
	if (priority == LOG_NOTICE)
		return G_LOG_LEVEL_MESSAGE;
	return priority == LOG_INFO ? G_LOG_LEVEL_INFO : G_LOG_LEVEL_DEBUG;
}

typedef struct Fields {
	GLogField array[LOG_FIELDS_MAX + 10];
	size_t n;
} Fields;

static void add(Fields *fields, const char *name, const char *value)
{
	if (value && fields->n < G_N_ELEMENTS(fields->array))
		fields->array[fields->n++] = (GLogField){ name, value, -1 };
}

void log_write(const LogPlace *place, LogId id, int priority, const LogSubject *subject,
	       const LogField *fields, const char *format, ...)
{
	g_autofree char *text = NULL, *message = NULL;
	char priority_text[2] = { 0 }, incarnation[32];
	Fields all = { .n = 0 };
	GLogLevelFlags level;
	va_list args;

	if (id != LOG_ID_NONE)
		priority = log_id_get_priority(id);
	g_assert(priority >= LOG_EMERG && priority <= LOG_DEBUG);
	level = get_level(priority);
	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	message = subject ? g_strdup_printf("Domain '%s': %s", subject->name, text)
			  : g_steal_pointer(&text);
	if (!installed_writer) {
		/* GLib's warnings are faults of the program, and end a test. What has befallen a domain is none. */
		if (id != LOG_ID_NONE && subject && level == G_LOG_LEVEL_WARNING)
			level = G_LOG_LEVEL_MESSAGE;
		g_log(G_LOG_DOMAIN, level, "%s", message);
		return;
	}

	priority_text[0] = (char)('0' + priority);
	add(&all, LOG_FIELD_MESSAGE, message);
	add(&all, LOG_FIELD_PRIORITY, priority_text);
	add(&all, LOG_FIELD_MESSAGE_ID, log_id_to_string(id));
	if (subject) {
		(void)g_snprintf(incarnation, sizeof(incarnation), "%" G_GUINT64_FORMAT,
				 subject->incarnation);
		add(&all, LOG_FIELD_DOMAIN, subject->name);
		add(&all, LOG_FIELD_UUID, subject->uuid);
		add(&all, LOG_FIELD_INCARNATION, incarnation);
	}
	add(&all, LOG_FIELD_CODE_FILE, place->file);
	add(&all, LOG_FIELD_CODE_LINE, place->line);
	add(&all, LOG_FIELD_CODE_FUNC, place->function);
	for (size_t i = 0; fields && i < LOG_FIELDS_MAX && fields[i].name; i++)
		add(&all, fields[i].name, fields[i].value);
	(void)installed_writer(level, all.array, all.n, installed_userdata);
}
