/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stdbool.h>
#include <string.h>

/* What the writer was given, field by field. */
typedef struct Captured {
	unsigned n;
	GLogLevelFlags level;
	GHashTable *fields;
} Captured;

static GLogWriterOutput capture(GLogLevelFlags level, const GLogField *fields, size_t n_fields,
				void *userdata)
{
	Captured *captured = userdata;

	captured->n++;
	captured->level = level;
	g_hash_table_remove_all(captured->fields);
	for (size_t i = 0; i < n_fields; i++) {
		g_assert_cmpint(fields[i].length, ==, -1);
		g_assert_true(g_hash_table_insert(captured->fields, g_strdup(fields[i].key),
						  g_strdup(fields[i].value)));
	}
	return G_LOG_WRITER_HANDLED;
}

#define assert_field(captured, name, expected)                                                     \
	g_assert_cmpstr(g_hash_table_lookup((captured)->fields, name), ==, expected)

static void set_up(Captured *captured, const void *data)
{
	captured->fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	log_set_writer(capture, captured);
}

static void tear_down(Captured *captured, const void *data)
{
	log_set_writer(NULL, NULL);
	g_hash_table_unref(captured->fields);
}

static void test_fields(Captured *captured, const void *data)
{
	const LogSubject subject = { "web", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", 7 };
	const LogField fields[] = {
		{ LOG_FIELD_EVENT, "started" }, { LOG_FIELD_REASON, NULL }, { LOG_FIELD_STATE, "" }, { NULL },
	};

	log_write(LOG_PLACE, LOG_ID_STARTED, LOG_DEBUG, &subject, fields, "started (%s)", "booted");
	g_assert_cmpuint(captured->n, ==, 1);
	g_assert_cmphex(captured->level, ==, G_LOG_LEVEL_MESSAGE);
	assert_field(captured, "MESSAGE", "Domain 'web': started (booted)");
	assert_field(captured, "MESSAGE_ID", log_id_to_string(LOG_ID_STARTED));
	/* That of the row, not the one given. */
	assert_field(captured, "PRIORITY", "5");
	assert_field(captured, "VMHERALD_DOMAIN", "web");
	assert_field(captured, "VMHERALD_UUID", subject.uuid);
	assert_field(captured, "VMHERALD_INCARNATION", "7");
	assert_field(captured, "VMHERALD_EVENT", "started");
	assert_field(captured, "VMHERALD_STATE", "");
	assert_field(captured, "CODE_FUNC", __func__);
	g_assert_false(g_hash_table_contains(captured->fields, "VMHERALD_REASON"));
	g_assert_nonnull(strstr(g_hash_table_lookup(captured->fields, "CODE_FILE"), "test-log.c"));
}

static void test_text(Captured *captured, const void *data)
{
	static const struct {
		int priority;
		GLogLevelFlags level;
	} rows[] = {
		{ LOG_ERR, G_LOG_LEVEL_WARNING }, { LOG_WARNING, G_LOG_LEVEL_WARNING },
		{ LOG_NOTICE, G_LOG_LEVEL_MESSAGE }, { LOG_INFO, G_LOG_LEVEL_INFO },
		{ LOG_DEBUG, G_LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *priority = g_strdup_printf("%d", rows[i].priority);

		log_text(rows[i].priority, "%d%%", 100);
		g_assert_cmphex(captured->level, ==, rows[i].level);
		assert_field(captured, "MESSAGE", "100%");
		assert_field(captured, "PRIORITY", priority);
		g_assert_false(g_hash_table_contains(captured->fields, "MESSAGE_ID"));
		g_assert_false(g_hash_table_contains(captured->fields, "VMHERALD_DOMAIN"));
	}
}

static void test_problem(Captured *captured, const void *data)
{
	log_problem(LOG_ID_DEFINITION_PROBLEM, "/a/b.json", "/a/b.json: line 3: 100% wrong");
	assert_field(captured, "MESSAGE", "/a/b.json: line 3: 100% wrong");
	assert_field(captured, "MESSAGE_ID", log_id_to_string(LOG_ID_DEFINITION_PROBLEM));
	assert_field(captured, "VMHERALD_ERROR", "/a/b.json: line 3: 100% wrong");
	assert_field(captured, "VMHERALD_FILE", "/a/b.json");
}

/* However many fields there are, those that say what it is come first. */
static void test_too_many_fields(Captured *captured, const void *data)
{
	const LogSubject subject = { "web", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", 7 };
	LogField fields[LOG_FIELDS_MAX + 2] = { { NULL } };
	char names[LOG_FIELDS_MAX + 1][16];

	for (size_t i = 0; i <= LOG_FIELDS_MAX; i++) {
		(void)g_snprintf(names[i], sizeof(names[i]), "FIELD_%zu", i);
		fields[i] = (LogField){ names[i], "x" };
	}
	log_write(LOG_PLACE, LOG_ID_STOPPED, LOG_INFO, &subject, fields, "stopped");
	assert_field(captured, "MESSAGE", "Domain 'web': stopped");
	assert_field(captured, names[LOG_FIELDS_MAX - 1], "x");
	assert_field(captured, names[LOG_FIELDS_MAX], NULL);
}

static bool wants_started(LogId id, const char *uuid, void *userdata)
{
	g_assert_cmpstr(uuid, ==, userdata);
	return id == LOG_ID_STARTED;
}

/* Who records is asked before; without a filter he takes everything. */
static void test_wants(Captured *captured, const void *data)
{
	const LogSubject subject = { "web", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", 7 };

	g_assert_true(log_wants(LOG_ID_STARTED, &subject));
	log_set_filter(wants_started, (char *)subject.uuid);
	g_assert_true(log_wants(LOG_ID_STARTED, &subject));
	g_assert_false(log_wants(LOG_ID_STOPPED, &subject));
	log_set_filter(NULL, NULL);
	g_assert_true(log_wants(LOG_ID_STOPPED, &subject));
}

/* Without a writer: the text, as any other message of GLib's. */
static void test_without_writer(void)
{
	const LogSubject subject = { "web", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", 7 };

	g_assert_false(log_wants(LOG_ID_FAILED, &subject));
	/* What has befallen a domain is no fault of the program. */
	g_test_expect_message("vmherald", G_LOG_LEVEL_MESSAGE, "Domain 'web': 100%");
	log_write(LOG_PLACE, LOG_ID_FAILED, LOG_INFO, &subject, NULL, "%s", "100%");
	g_test_expect_message("vmherald", G_LOG_LEVEL_WARNING, "Domain 'web': 100%");
	log_write(LOG_PLACE, LOG_ID_NONE, LOG_WARNING, &subject, NULL, "%s", "100%");
	g_test_expect_message("vmherald", G_LOG_LEVEL_WARNING, "a file");
	log_problem(LOG_ID_STORE_FAILED, NULL, "a file");
	g_test_assert_expected_messages();
}

static bool is_id(const char *id)
{
	return id && strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32 &&
	       strspn(id, "0") < 32;
}

static void test_ids(void)
{
	g_assert_null(log_id_to_string(LOG_ID_NONE));
	for (int id = LOG_ID_NONE + 1; id < LOG_ID_MAX; id++) {
		g_assert_true(is_id(log_id_to_string((LogId)id)));
		g_assert_cmpint(log_id_get_priority((LogId)id), >=, LOG_ERR);
		g_assert_cmpint(log_id_get_priority((LogId)id), <=, LOG_INFO);
		for (int other = LOG_ID_NONE + 1; other < id; other++)
			g_assert_cmpstr(log_id_to_string((LogId)id), !=,
					log_id_to_string((LogId)other));
	}
}

/* Each id is explained once, and nothing is explained that is not there. */
static void test_catalogue(void)
{
	const char *path = g_getenv("VMHERALD_CATALOG");
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	unsigned entries = 0;

	g_assert_nonnull(path);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (int id = LOG_ID_NONE + 1; id < LOG_ID_MAX; id++) {
		g_autofree char *head = g_strconcat("-- ", log_id_to_string((LogId)id), NULL);
		unsigned found = 0;

		for (unsigned i = 0; lines[i]; i++)
			found += g_str_equal(lines[i], head);
		if (found != 1)
			g_test_message("%s stands %u times in %s", head, found, path);
		g_assert_cmpuint(found, ==, 1);
	}
	for (unsigned i = 0; lines[i]; i++)
		entries += g_str_has_prefix(lines[i], "-- ");
	g_assert_cmpuint(entries, ==, LOG_ID_MAX - 1);
}

#define ADD(path, function) g_test_add(path, Captured, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("/base/log/fields", test_fields);
	ADD("/base/log/text", test_text);
	ADD("/base/log/problem", test_problem);
	ADD("/base/log/too-many-fields", test_too_many_fields);
	ADD("/base/log/wants", test_wants);
	g_test_add_func("/base/log/without-writer", test_without_writer);
	g_test_add_func("/base/log/ids", test_ids);
	g_test_add_func("/base/log/catalogue", test_catalogue);
	return g_test_run();
}
