/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log-writer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/names.h"
#include "journal.h"

static const char *const log_target_names[] = {
	[LOG_TARGET_AUTO] = "auto",
	[LOG_TARGET_JOURNAL] = "journal",
	[LOG_TARGET_CONSOLE] = "console",
	[LOG_TARGET_NULL] = "null",
};
NAME_TABLE(log_target, LogTarget, LOG_TARGET_MAX)

struct LogWriter {
	LogWriterOptions options;
	char *journal_socket;
	int journal_fd;
	bool is_stream;              /* stderr is connected to the journal */

	GMutex lock;                 /* of what is below */
	int level;
	LogTarget target;            /* never auto */
	LogLimit *limit;
	uint64_t untold;             /* left out by the limit, or by a journal that is busy */
	int64_t second;              /* since 1970, of which the text is */
	char second_text[32];
};

/* What the writer itself needs of a record. */
typedef struct Record {
	GLogLevelFlags level;
	int priority;
	const GLogField *fields;
	size_t n_fields;
} Record;

const char *log_level_to_string(int level)
{
	g_assert(level >= LOG_EMERG && level <= LOG_DEBUG);
	return log_level_names[level];
}

bool log_level_from_string(const char *string, int *ret_level)
{
	for (int level = LOG_EMERG; level <= LOG_DEBUG; level++) {
		const char number[] = { (char)('0' + level), '\0' };

		if (g_str_equal(string, log_level_names[level]) || g_str_equal(string, number)) {
			*ret_level = level;
			return true;
		}
	}
	return false;
}

static LogTarget resolve(const LogWriter *writer, LogTarget target)
{
	if (target != LOG_TARGET_AUTO)
		return target;
	return writer->is_stream ? LOG_TARGET_JOURNAL : LOG_TARGET_CONSOLE;
}

LogWriter *log_writer_new(const LogWriterOptions *options)
{
	LogWriter *writer = g_new0(LogWriter, 1);

	writer->options = *options;
	writer->journal_socket = g_strdup(options->journal_socket);
	writer->journal_fd = journal_open();
	writer->is_stream = journal_is_stream(options->fd, options->journal_stream);
	writer->options.journal_stream = NULL;
	g_mutex_init(&writer->lock);
	writer->level = LOG_INFO;
	writer->target = resolve(writer, LOG_TARGET_AUTO);
	writer->limit = log_limit_new(&options->limits);
	return writer;
}

LogWriter *log_writer_free(LogWriter *writer)
{
	if (!writer)
		return NULL;
	log_writer_flush(writer);
	log_limit_free(writer->limit);
	g_mutex_clear(&writer->lock);
	if (writer->journal_fd >= 0)
		(void)close(writer->journal_fd);
	g_free(writer->journal_socket);
	g_free(writer);
	return NULL;
}

void log_writer_install(LogWriter *writer)
{
	g_log_set_writer_func(log_writer_write, writer, NULL);
	log_set_writer(log_writer_write, writer);
	log_set_filter(log_writer_wants, writer);
}

/* ---- lines ---- */

/* GLib's levels that mean a fault of ours stand out. */
static const char *get_word(const Record *record)
{
	if (record->level & G_LOG_LEVEL_ERROR)
		return "ERROR **: ";
	if (record->level & G_LOG_LEVEL_CRITICAL)
		return "CRITICAL: ";
	if (record->priority <= LOG_ERR)
		return "error: ";
	return record->priority == LOG_WARNING ? "warning: " : "";
}

/* A text may hold what a guest says. On a terminal it must not be a command, nor look like another line. */
static void append_clean(GString *line, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '\n')
			g_string_append(line, "\n    ");
		/* The same controls once more, as UTF-8. */
		else if (byte == 0xc2 && i + 1 < length && ((unsigned char)text[i + 1] & 0xe0) == 0x80)
			g_string_append_printf(line, "\\x%02x", (unsigned char)text[++i]);
		else if (byte == '\t' || (byte >= ' ' && byte != 0x7f))
			g_string_append_c(line, text[i]);
		else
			g_string_append_printf(line, "\\x%02x", byte);
	}
}

static const GLogField *find(const Record *record, const char *name)
{
	for (size_t i = 0; i < record->n_fields; i++)
		if (g_str_equal(record->fields[i].key, name))
			return &record->fields[i];
	return NULL;
}

/* Of a field that ends in NUL, as ours and GLib's do. */
static const char *find_text(const Record *record, const char *name)
{
	const GLogField *field = find(record, name);

	return field && field->length < 0 ? field->value : NULL;
}

static void write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		/* There is nowhere left to tell it. */
		if (written <= 0)
			return;
		bytes += written;
		length -= (size_t)written;
	}
}

/* Kept for a second, since GLib looks each time whether the host has another time zone by now. */
static const char *format_second(LogWriter *writer, int64_t second)
{
	if (second != writer->second) {
		g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(second);
		g_autofree char *text = g_date_time_format(time, "%F %T");

		g_strlcpy(writer->second_text, text, sizeof(writer->second_text));
		writer->second = second;
	}
	return writer->second_text;
}

static void write_line(LogWriter *writer, const Record *record)
{
	const GLogField *message = find(record, LOG_FIELD_MESSAGE);
	g_autoptr(GString) line = g_string_new(NULL);

	if (writer->is_stream) {
		/* The journal reads the level from the line (sd-daemon(3)), and knows who and when. */
		g_string_append_printf(line, "<%d>", record->priority);
	} else {
		int64_t now = g_get_real_time();

		g_string_append_printf(line, "%s.%03d " LOG_WRITER_IDENTIFIER ": ",
				       format_second(writer, now / G_USEC_PER_SEC),
				       (int)(now % G_USEC_PER_SEC / 1000));
	}
	g_string_append(line, get_word(record));
	if (message)
		append_clean(line, message->value, message->length < 0 ? strlen(message->value)
								       : (size_t)message->length);
	g_string_append_c(line, '\n');
	write_all(writer->options.fd, line->str, line->len);
}

/* ---- the journal ---- */

static int send_record(LogWriter *writer, const Record *record)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();

	journal_append(bytes, "SYSLOG_IDENTIFIER", LOG_WRITER_IDENTIFIER, -1);
	for (size_t i = 0; i < record->n_fields; i++)
		if (!g_str_equal(record->fields[i].key, "GLIB_OLD_LOG_API"))
			journal_append(bytes, record->fields[i].key, record->fields[i].value,
				       record->fields[i].length);
	return writer->journal_fd < 0 ? -EBADF
				      : journal_send(writer->journal_fd, writer->journal_socket, bytes);
}

/* False if the journal does not keep up: it is not waited for. Without one, a line is better than nothing. */
static bool emit(LogWriter *writer, const Record *record)
{
	int r;

	if (writer->target == LOG_TARGET_NULL)
		return true;
	r = writer->target == LOG_TARGET_JOURNAL ? send_record(writer, record) : -ENOENT;
	if (r < 0 && r != -EAGAIN)
		write_line(writer, record);
	return r != -EAGAIN;
}

/* ---- what is left out ---- */

static bool tell(LogWriter *writer, const char *count, const char *message)
{
	const char priority[] = { (char)('0' + log_id_get_priority(LOG_ID_LEFT_OUT)), '\0' };
	const GLogField fields[] = {
		{ LOG_FIELD_MESSAGE, message, -1 },
		{ LOG_FIELD_PRIORITY, priority, -1 },
		{ LOG_FIELD_MESSAGE_ID, log_id_to_string(LOG_ID_LEFT_OUT), -1 },
		{ LOG_FIELD_LEFT_OUT, count, -1 },
	};
	const Record record = { G_LOG_LEVEL_WARNING, log_id_get_priority(LOG_ID_LEFT_OUT), fields,
				G_N_ELEMENTS(fields) };

	return emit(writer, &record);
}

static void tell_left_out(LogWriter *writer, bool all)
{
	g_autofree char *count = NULL, *message = NULL;

	writer->untold += log_limit_take_left_out(writer->limit, all);
	if (writer->untold == 0)
		return;
	count = g_strdup_printf("%" G_GUINT64_FORMAT, writer->untold);
	message = g_strdup_printf("%s records were left out before this one: there were too many", count);
	if (tell(writer, count, message))
		writer->untold = 0;
}

static void tell_last(LogWriter *writer)
{
	g_autofree char *message =
		g_strdup_printf("There are too many records like the one before; they are left out "
				"and counted for up to %d seconds",
				(int)(writer->options.limits.interval_us / G_TIME_SPAN_SECOND));

	(void)tell(writer, "0", message);
}

/* One kind of record about one domain, or one file. What has no id is known by its place in the source. NULL: by
 * GLib's old macros, which say nothing of that. */
static char *make_key(const Record *record)
{
	const char *id = find_text(record, LOG_FIELD_MESSAGE_ID);
	const char *file = find_text(record, LOG_FIELD_CODE_FILE);
	const char *line = find_text(record, LOG_FIELD_CODE_LINE);
	const char *about = find_text(record, LOG_FIELD_UUID) ?: find_text(record, LOG_FIELD_FILE);

	if (id)
		return g_strjoin(" ", id, about, NULL);
	return file && line ? g_strjoin(" ", file, line, about, NULL) : NULL;
}

bool log_writer_wants(LogId id, const char *uuid, void *userdata)
{
	LogWriter *writer = userdata;
	g_autofree char *key = g_strjoin(" ", log_id_to_string(id), uuid, NULL);
	bool wants;

	g_mutex_lock(&writer->lock);
	wants = log_id_get_priority(id) <= writer->level &&
		!log_limit_leaves_out(writer->limit, key, g_get_monotonic_time());
	g_mutex_unlock(&writer->lock);
	return wants;
}

static void write_limited(LogWriter *writer, const Record *record)
{
	g_autofree char *key = make_key(record);
	LogVerdict verdict = log_limit_ask(writer->limit, key, g_get_monotonic_time());

	if (verdict == LOG_VERDICT_LEAVE_OUT)
		return;
	tell_left_out(writer, false);
	if (!emit(writer, record))
		writer->untold++;
	if (verdict == LOG_VERDICT_WRITE_LAST)
		tell_last(writer);
}

static int get_priority(GLogLevelFlags level, const Record *record)
{
	const char *text = find_text(record, LOG_FIELD_PRIORITY);
	int priority;

	if (text && log_level_from_string(text, &priority))
		return priority;
	if (level & G_LOG_LEVEL_ERROR)
		return LOG_ERR;
	if (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
		return LOG_WARNING;
	if (level & G_LOG_LEVEL_MESSAGE)
		return LOG_NOTICE;
	return level & G_LOG_LEVEL_INFO ? LOG_INFO : LOG_DEBUG;
}

GLogWriterOutput log_writer_write(GLogLevelFlags level, const GLogField *fields, size_t n_fields,
				  void *userdata)
{
	LogWriter *writer = userdata;
	Record record = { level, LOG_DEBUG, fields, n_fields };

	record.priority = get_priority(level, &record);
	g_mutex_lock(&writer->lock);
	if (record.priority <= writer->level)
		write_limited(writer, &record);
	g_mutex_unlock(&writer->lock);
	return G_LOG_WRITER_HANDLED;
}

void log_writer_flush(LogWriter *writer)
{
	g_mutex_lock(&writer->lock);
	tell_left_out(writer, true);
	g_mutex_unlock(&writer->lock);
}

/* ---- what can be changed ---- */

int log_writer_get_level(LogWriter *writer)
{
	int level;

	g_mutex_lock(&writer->lock);
	level = writer->level;
	g_mutex_unlock(&writer->lock);
	return level;
}

void log_writer_set_level(LogWriter *writer, int level)
{
	g_assert(level >= LOG_EMERG && level <= LOG_DEBUG);
	g_mutex_lock(&writer->lock);
	writer->level = level;
	g_mutex_unlock(&writer->lock);
}

LogTarget log_writer_get_target(LogWriter *writer)
{
	LogTarget target;

	g_mutex_lock(&writer->lock);
	target = writer->target;
	g_mutex_unlock(&writer->lock);
	return target;
}

void log_writer_set_target(LogWriter *writer, LogTarget target)
{
	g_assert((unsigned)target < LOG_TARGET_MAX);
	g_mutex_lock(&writer->lock);
	writer->target = resolve(writer, target);
	g_mutex_unlock(&writer->lock);
}
