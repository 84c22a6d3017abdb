/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "event/decode.h"
#include "event/table.h"

/*
 * A fuzzer finds no name of twenty letters by chance. So each row of the table needs an input of
 * the corpus from where its decoder is reached, and its name in the dictionary.
 */

/* Marks the rows that the events of a file are decoded by. */
static void mark_rows(const char *path, GHashTable *seen)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i]; i++) {
		g_autoptr(QmpMessage) message = qmp_message_parse(lines[i], strlen(lines[i]), NULL);
		const EventRow *row;
		g_autoptr(Event) event = NULL;

		if (!message || message->kind != QMP_MESSAGE_EVENT)
			continue;
		row = event_table_lookup(message->name);
		event = event_decode(message);
		/* Malformed ones do not count: there must be one that the decoder takes. */
		if (row && event->kind == row->kind)
			g_hash_table_add(seen, (void *)row);
	}
}

static void test_corpus(const void *data)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	g_autofree char *folder = g_build_filename(data, "corpus", "event", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const EventRow *rows;
	const char *name;
	size_t count;

	g_assert_nonnull(dir);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		mark_rows(path, seen);
	}
	rows = event_table_rows(&count);
	g_assert_cmpuint(count, >, 0);
	for (size_t i = 0; i < count; i++) {
		g_test_message("%s", rows[i].name);
		g_assert_true(g_hash_table_contains(seen, &rows[i]));
	}
}

static void test_dictionary(const void *data)
{
	g_autofree char *path = g_build_filename(data, "event.dict", NULL);
	g_autofree char *text = NULL;
	const EventRow *rows;
	size_t count;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	rows = event_table_rows(&count);
	for (size_t i = 0; i < count; i++) {
		g_autofree char *entry = g_strdup_printf("\n\"\\\"%s\\\"\"\n", rows[i].name);

		g_test_message("%s", rows[i].name);
		g_assert_nonnull(strstr(text, entry));
	}
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
	g_assert_cmpint(argc, ==, 2);

	g_test_add_data_func("/fuzz/event-seeds/corpus", argv[1], test_corpus);
	g_test_add_data_func("/fuzz/event-seeds/dictionary", argv[1], test_dictionary);

	return g_test_run();
}
