/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <glib/gstdio.h>

#include "base/log.h"
#include "journal.h"

/* A writer with a journal of the test's own, and a file in the part of stderr. */
typedef struct Fixture {
	char *folder, *socket_path;
	int journal, lines;
	LogWriter *writer;
} Fixture;

static char *stream_of(int fd)
{
	struct stat status;

	g_assert_cmpint(fstat(fd, &status), ==, 0);
	return g_strdup_printf("%llu:%llu", (unsigned long long)status.st_dev,
			       (unsigned long long)status.st_ino);
}

static void listen_as_journal(Fixture *fixture)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	g_assert_cmpint((int)g_strlcpy(address.sun_path, fixture->socket_path,
				       sizeof(address.sun_path)), <, (int)sizeof(address.sun_path));
	fixture->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	g_assert_cmpint(bind(fixture->journal, (struct sockaddr *)&address, sizeof(address)), ==, 0);
}

static void make_writer(Fixture *fixture, const char *journal_stream, LogLimits limits)
{
	fixture->writer = log_writer_free(fixture->writer);
	fixture->writer = log_writer_new(&(LogWriterOptions){
		.fd = fixture->lines,
		.journal_socket = fixture->socket_path,
		.journal_stream = journal_stream,
		.limits = limits,
	});
	log_set_writer(log_writer_write, fixture->writer);
	log_set_filter(log_writer_wants, fixture->writer);
}

static void set_up(Fixture *fixture, const void *data)
{
	g_autofree char *path = NULL, *stream = NULL;

	fixture->folder = g_dir_make_tmp("vmherald-test-XXXXXX", NULL);
	fixture->socket_path = g_build_filename(fixture->folder, "socket", NULL);
	path = g_build_filename(fixture->folder, "lines", NULL);
	listen_as_journal(fixture);
	fixture->lines = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	g_assert_cmpint(fixture->lines, >=, 0);
	g_assert_cmpint(unlink(path), ==, 0);
	stream = stream_of(fixture->lines);
	make_writer(fixture, stream, LOG_WRITER_LIMITS);
}

static void tear_down(Fixture *fixture, const void *data)
{
	log_set_writer(NULL, NULL);
	log_set_filter(NULL, NULL);
	log_writer_free(fixture->writer);
	(void)close(fixture->lines);
	if (fixture->journal >= 0)
		(void)close(fixture->journal);
	(void)g_unlink(fixture->socket_path);
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->socket_path);
	g_free(fixture->folder);
}

/* What was written to the part of stderr, from its beginning; and that is forgotten. */
static char *take_lines(Fixture *fixture)
{
	off_t length = lseek(fixture->lines, 0, SEEK_END);
	char *text = g_malloc0((size_t)length + 1);

	g_assert_cmpint(pread(fixture->lines, text, (size_t)length, 0), ==, length);
	g_assert_cmpint(ftruncate(fixture->lines, 0), ==, 0);
	return text;
}

/* The next datagram, read as the protocol says, or NULL. Names are upper case; a name twice fails. */
static GHashTable *take_record(Fixture *fixture)
{
	static char buffer[JOURNAL_RECORD_MAX + 1];
	ssize_t length = recv(fixture->journal, buffer, sizeof(buffer), 0);
	GHashTable *record;
	const char *at = buffer, *end;

	if (length < 0) {
		g_assert_cmpint(errno, ==, EAGAIN);
		return NULL;
	}
	g_assert_cmpint(length, <=, JOURNAL_RECORD_MAX);
	end = buffer + length;
	record = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *equals = memchr(at, '=', (size_t)(line_end - at));
		g_autofree char *name = g_strndup(at, (size_t)((equals ?: line_end) - at));
		uint64_t size;

		g_assert_nonnull(line_end);
		if (equals) {
			at = equals + 1;
			size = (uint64_t)(line_end - at);
		} else {
			g_assert_cmpint(end - line_end, >, 9);
			memcpy(&size, line_end + 1, sizeof(size));
			size = GUINT64_FROM_LE(size);
			at = line_end + 1 + sizeof(size);
			g_assert_cmpuint(size, <, (uint64_t)(end - at));
			g_assert_cmpint(at[size], ==, '\n');
		}
		g_assert_true(g_hash_table_insert(record, g_strdup(name), g_strndup(at, size)));
		at += size + 1;
	}
	return record;
}

#define assert_field(record, name, expected)                                                       \
	g_assert_cmpstr(g_hash_table_lookup(record, name), ==, expected)

static const LogSubject subject = { "web", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", 3 };

/* ---- the journal ---- */

static void test_record(Fixture *fixture, const void *data)
{
	const LogField fields[] = {
		{ LOG_FIELD_EVENT, "stopped" },
		{ LOG_FIELD_REASON, "first\nsecond=third\n\nfifth" },
		{ LOG_FIELD_STATE, "" },
		{ "not a name", "x" },
		{ "_HOSTNAME", "forged" },
		{ NULL },
	};
	g_autoptr(GHashTable) record = NULL;
	g_autofree char *lines = NULL;

	g_assert_cmpint(log_writer_get_target(fixture->writer), ==, LOG_TARGET_JOURNAL);
	log_write(LOG_PLACE, LOG_ID_STOPPED, LOG_INFO, &subject, fields, "stopped\nas it should");
	record = take_record(fixture);
	g_assert_nonnull(record);
	assert_field(record, "MESSAGE", "Domain 'web': stopped\nas it should");
	assert_field(record, "SYSLOG_IDENTIFIER", "vmherald");
	assert_field(record, "PRIORITY", "5");
	assert_field(record, "MESSAGE_ID", log_id_to_string(LOG_ID_STOPPED));
	assert_field(record, "VMHERALD_DOMAIN", "web");
	assert_field(record, "VMHERALD_UUID", subject.uuid);
	assert_field(record, "VMHERALD_INCARNATION", "3");
	assert_field(record, "VMHERALD_EVENT", "stopped");
	assert_field(record, "VMHERALD_REASON", "first\nsecond=third\n\nfifth");
	assert_field(record, "VMHERALD_STATE", "");
	assert_field(record, "CODE_FUNC", __func__);
	g_assert_cmpuint(g_hash_table_size(record), ==, 13);
	g_assert_null(take_record(fixture));
	lines = take_lines(fixture);
	g_assert_cmpstr(lines, ==, "");
}

/* Of a library, by GLib's macros. */
static void test_foreign(Fixture *fixture, const void *data)
{
	const GLogField fields[] = {
		{ "MESSAGE", "cut here", 3 }, { "PRIORITY", "4", -1 }, { "GLIB_DOMAIN", "GLib-GIO", -1 },
		{ "GLIB_OLD_LOG_API", "1", -1 },
	};
	g_autoptr(GHashTable) record = NULL;

	g_assert_cmpint(log_writer_write(G_LOG_LEVEL_WARNING, fields, G_N_ELEMENTS(fields),
					 fixture->writer), ==, G_LOG_WRITER_HANDLED);
	record = take_record(fixture);
	assert_field(record, "MESSAGE", "cut");
	assert_field(record, "PRIORITY", "4");
	assert_field(record, "GLIB_DOMAIN", "GLib-GIO");
	g_assert_false(g_hash_table_contains(record, "GLIB_OLD_LOG_API"));
}

/* Whatever somebody makes grow: the record stays one datagram, and says first what it is. */
static void test_bounds(Fixture *fixture, const void *data)
{
	/* Characters of two bytes: a cut in the middle of one would make the record no text. */
	g_autofree char *large = g_malloc0(2 * JOURNAL_VALUE_MAX + 1);
	LogField fields[LOG_FIELDS_MAX + 1] = { { NULL } };
	char names[LOG_FIELDS_MAX][16];
	g_autoptr(GHashTable) record = NULL;
	const char *kept;

	for (size_t i = 0; i < JOURNAL_VALUE_MAX; i++)
		memcpy(large + 2 * i, "\xc3\xa4", 2);
	for (size_t i = 0; i < LOG_FIELDS_MAX; i++) {
		(void)g_snprintf(names[i], sizeof(names[i]), "FIELD_%zu", i);
		fields[i] = (LogField){ names[i], large };
	}
	log_write(LOG_PLACE, LOG_ID_STOPPED, LOG_INFO, &subject, fields, "stopped");
	record = take_record(fixture);
	assert_field(record, "VMHERALD_DOMAIN", "web");
	kept = g_hash_table_lookup(record, "FIELD_0");
	g_assert_cmpuint(strlen(kept), <=, JOURNAL_VALUE_MAX);
	g_assert_cmpuint(strlen(kept), >, JOURNAL_VALUE_MAX - 5);
	g_assert_true(g_utf8_validate(kept, -1, NULL));
	g_assert_true(g_str_has_suffix(kept, "\xc3\xa4..."));
	g_assert_false(g_hash_table_contains(record, names[LOG_FIELDS_MAX - 1]));
}

/* A busy journal is not waited for, and what it did not take is counted. */
static void test_busy_journal(Fixture *fixture, const void *data)
{
	g_autoptr(GHashTable) first = NULL;
	unsigned before = 0, lost = 0;
	g_autofree char *lines = NULL;
	GHashTable *record;

	for (unsigned i = 0; i < LOG_WRITER_OF_KEY - 10; i++)
		log_write(LOG_PLACE, LOG_ID_STARTED, LOG_INFO, &subject, NULL, "%u", i);
	while ((record = take_record(fixture))) {
		before++;
		g_hash_table_unref(record);
	}
	/* More than the kernel queues for a socket. */
	g_assert_cmpuint(before, <, LOG_WRITER_OF_KEY - 10);
	log_write(LOG_PLACE, LOG_ID_STARTED, LOG_INFO, &subject, NULL, "after");
	first = take_record(fixture);
	assert_field(first, "MESSAGE_ID", log_id_to_string(LOG_ID_LEFT_OUT));
	lost = (unsigned)g_ascii_strtoull(g_hash_table_lookup(first, "VMHERALD_LEFT_OUT"), NULL, 10);
	g_assert_cmpuint(before + lost, ==, LOG_WRITER_OF_KEY - 10);
	record = take_record(fixture);
	assert_field(record, "MESSAGE", "Domain 'web': after");
	g_hash_table_unref(record);
	lines = take_lines(fixture);
	g_assert_cmpstr(lines, ==, "");
}

/* Gone, and back. */
static void test_journal_restarts(Fixture *fixture, const void *data)
{
	g_autofree char *lines = NULL;
	g_autoptr(GHashTable) record = NULL;

	(void)close(fixture->journal);
	g_assert_cmpint(g_unlink(fixture->socket_path), ==, 0);
	log_write(LOG_PLACE, LOG_ID_FAILED, LOG_INFO, &subject, NULL, "without it");
	lines = take_lines(fixture);
	/* Through the stream, where it gets its level. */
	g_assert_cmpstr(lines, ==, "<4>warning: Domain 'web': without it\n");
	listen_as_journal(fixture);
	log_write(LOG_PLACE, LOG_ID_FAILED, LOG_INFO, &subject, NULL, "with it");
	record = take_record(fixture);
	assert_field(record, "MESSAGE", "Domain 'web': with it");
}

/* ---- lines ---- */

static void assert_line(Fixture *fixture, const char *pattern)
{
	g_autofree char *lines = take_lines(fixture);

	if (!g_regex_match_simple(pattern, lines, G_REGEX_DOLLAR_ENDONLY, 0)) {
		g_test_message("'%s' is not like '%s'", lines, pattern);
		g_test_fail();
	}
}

#define HEAD "^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3} vmherald: "

static void test_lines(Fixture *fixture, const void *data)
{
	const GLogField critical[] = { { "MESSAGE", "a fault", -1 }, { "PRIORITY", "4", -1 } };

	make_writer(fixture, NULL, LOG_WRITER_LIMITS);
	g_assert_cmpint(log_writer_get_target(fixture->writer), ==, LOG_TARGET_CONSOLE);
	log_write(LOG_PLACE, LOG_ID_STARTED, LOG_INFO, &subject, NULL, "started");
	assert_line(fixture, HEAD "Domain 'web': started\n$");
	log_text(LOG_WARNING, "look");
	assert_line(fixture, HEAD "warning: look\n$");
	log_text(LOG_ERR, "look");
	assert_line(fixture, HEAD "error: look\n$");
	(void)log_writer_write(G_LOG_LEVEL_CRITICAL, critical, G_N_ELEMENTS(critical), fixture->writer);
	assert_line(fixture, HEAD "CRITICAL: a fault\n$");
	/* No escape sequence, and no line that looks like one of ours. */
	log_text(LOG_INFO, "a\x1b[2J\rb\tc\nvmherald: forged\x7f \xc2\x9b\xc3\xa4");
	assert_line(fixture, HEAD "a\\\\x1b\\[2J\\\\x0db\tc\n    vmherald: forged\\\\x7f \\\\x9b\xc3\xa4\n$");
	g_assert_null(take_record(fixture));
}

static void test_stream(Fixture *fixture, const void *data)
{
	static const char *const others[] = { NULL, "", "1:2", "x", "1:", ":1", "0:0" };
	g_autofree char *stream = stream_of(fixture->lines);
	g_autofree char *longer = g_strconcat(stream, "0", NULL);
	g_autofree char *with_tail = g_strconcat(stream, " ", NULL);

	g_assert_true(journal_is_stream(fixture->lines, stream));
	g_assert_false(journal_is_stream(fixture->journal, stream));
	g_assert_false(journal_is_stream(fixture->lines, longer));
	g_assert_false(journal_is_stream(fixture->lines, with_tail));
	for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
		g_assert_false(journal_is_stream(fixture->lines, others[i]));
}

/* ---- level and target ---- */

static void test_level(Fixture *fixture, const void *data)
{
	for (int level = LOG_EMERG; level <= LOG_DEBUG; level++) {
		int read = -1;

		g_assert_true(log_level_from_string(log_level_to_string(level), &read));
		g_assert_cmpint(read, ==, level);
		log_writer_set_level(fixture->writer, level);
		g_assert_cmpint(log_writer_get_level(fixture->writer), ==, level);
		for (int priority = LOG_ERR; priority <= LOG_DEBUG; priority++) {
			GHashTable *record;

			log_text(priority, "look");
			record = take_record(fixture);
			g_assert_true((record != NULL) == (priority <= level));
			g_clear_pointer(&record, g_hash_table_unref);
		}
	}
}

static void test_names(void)
{
	static const char *const bad[] = { "", "Debug", "debug ", "8", "-1", "warn", "07" };
	LogTarget target = LOG_TARGET_NULL;
	int level = 42;

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_false(log_level_from_string(bad[i], &level));
		g_assert_false(log_target_from_string(bad[i], &target));
	}
	g_assert_cmpint(level, ==, 42);
	g_assert_cmpint(target, ==, LOG_TARGET_NULL);
	g_assert_true(log_level_from_string("7", &level));
	g_assert_cmpint(level, ==, LOG_DEBUG);
}

static void test_target(Fixture *fixture, const void *data)
{
	g_autoptr(GHashTable) record = NULL;

	log_writer_set_target(fixture->writer, LOG_TARGET_CONSOLE);
	log_text(LOG_NOTICE, "on the console");
	assert_line(fixture, "^<5>on the console\n$");
	log_writer_set_target(fixture->writer, LOG_TARGET_NULL);
	log_text(LOG_NOTICE, "nowhere");
	assert_line(fixture, "^$");
	g_assert_null(take_record(fixture));
	log_writer_set_target(fixture->writer, LOG_TARGET_AUTO);
	g_assert_cmpint(log_writer_get_target(fixture->writer), ==, LOG_TARGET_JOURNAL);
	log_text(LOG_NOTICE, "in the journal");
	record = take_record(fixture);
	assert_field(record, "MESSAGE", "in the journal");
}

/* ---- too much ---- */

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static void test_flood(Fixture *fixture, const void *data)
{
	const LogSubject other = { "db", "7ba7b810-9dad-11d1-80b4-00c04fd430c8", 1 };
	g_autofree char *lines = NULL, *rest = NULL;

	make_writer(fixture, NULL, LOG_WRITER_LIMITS);
	for (unsigned i = 0; i < 20000; i++)
		log_write(LOG_PLACE, LOG_ID_IO_ERROR, LOG_INFO, &subject, NULL, "disk error");
	/* Others are heard: another kind, and the same of another domain. */
	log_write(LOG_PLACE, LOG_ID_STOPPED, LOG_INFO, &subject, NULL, "stopped");
	log_write(LOG_PLACE, LOG_ID_IO_ERROR, LOG_INFO, &other, NULL, "disk error");
	lines = take_lines(fixture);
	g_assert_cmpuint(count(lines, "'web': disk error\n"), ==, LOG_WRITER_OF_KEY);
	g_assert_cmpuint(count(lines, "too many records like the one before"), ==, 1);
	g_assert_cmpuint(count(lines, "'web': stopped\n"), ==, 1);
	g_assert_cmpuint(count(lines, "'db': disk error\n"), ==, 1);
	log_writer_flush(fixture->writer);
	rest = take_lines(fixture);
	g_assert_cmpuint(count(rest, " 19900 records were left out"), ==, 1);
}

/* What need not be made is counted as what was made in vain, and in the same intervals. */
static void test_flood_unmade(Fixture *fixture, const void *data)
{
	g_autofree char *lines = NULL;
	unsigned made = 0;

	make_writer(fixture, NULL, LOG_WRITER_LIMITS);
	log_write(LOG_PLACE, LOG_ID_RESUMED, LOG_INFO, &subject, NULL, "resumed");
	for (unsigned i = 0; i < 999; i++) {
		if (!log_wants(LOG_ID_RESUMED, &subject))
			continue;
		made++;
		log_write(LOG_PLACE, LOG_ID_RESUMED, LOG_INFO, &subject, NULL, "resumed");
	}
	g_assert_cmpuint(made, ==, LOG_WRITER_OF_KEY - 1);
	g_assert_true(log_wants(LOG_ID_SUSPENDED, &subject));
	/* What is below the level is not left out by the limit. */
	log_writer_set_level(fixture->writer, LOG_NOTICE);
	g_assert_false(log_wants(LOG_ID_SUSPENDED, &subject));
	g_assert_true(log_wants(LOG_ID_STOPPED, &subject));
	log_writer_flush(fixture->writer);
	lines = take_lines(fixture);
	g_assert_cmpuint(count(lines, "'web': resumed\n"), ==, LOG_WRITER_OF_KEY);
	g_assert_cmpuint(count(lines, " 900 records were left out"), ==, 1);
}

/* A client that makes ever new domains: each of them is another key. */
static void test_flood_of_many(Fixture *fixture, const void *data)
{
	g_autofree char *lines = NULL;

	make_writer(fixture, NULL, LOG_WRITER_LIMITS);
	for (unsigned i = 0; i < 2 * LOG_WRITER_OF_ALL; i++) {
		g_autofree char *uuid = g_strdup_printf("%u", i);

		log_write(LOG_PLACE, LOG_ID_STARTED, LOG_INFO, &(LogSubject){ "web", uuid, 1 }, NULL,
			  "started");
	}
	log_writer_flush(fixture->writer);
	lines = take_lines(fixture);
	g_assert_cmpuint(count(lines, ": started\n"), ==, LOG_WRITER_OF_ALL);
	g_assert_cmpuint(count(lines, " 4000 records were left out"), ==, 1);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("/service/log-writer/record", test_record);
	ADD("/service/log-writer/foreign", test_foreign);
	ADD("/service/log-writer/bounds", test_bounds);
	ADD("/service/log-writer/busy-journal", test_busy_journal);
	ADD("/service/log-writer/journal-restarts", test_journal_restarts);
	ADD("/service/log-writer/lines", test_lines);
	ADD("/service/log-writer/stream", test_stream);
	ADD("/service/log-writer/level", test_level);
	g_test_add_func("/service/log-writer/names", test_names);
	ADD("/service/log-writer/target", test_target);
	ADD("/service/log-writer/flood", test_flood);
	ADD("/service/log-writer/flood-unmade", test_flood_unmade);
	ADD("/service/log-writer/flood-of-many", test_flood_of_many);
	return g_test_run();
}
