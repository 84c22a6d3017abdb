/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "event/table.h"

static void test_sorted(void)
{
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	/* All that QEMU 7.2 to 10.2 can send. */
	g_assert_cmpuint(count, ==, 59);
	for (size_t i = 0; i < count; i++) {
		g_assert_cmpuint(rows[i].kind, <, EVENT_KIND_MAX);
		g_assert_cmpuint(strspn(rows[i].name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), ==,
				 strlen(rows[i].name));
		/* Strictly: no name twice. */
		if (i > 0)
			g_assert_cmpstr(rows[i - 1].name, <, rows[i].name);
	}
}

static void test_lookup(void)
{
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	for (size_t i = 0; i < count; i++) {
		g_autofree char *shorter = g_strndup(rows[i].name, strlen(rows[i].name) - 1);
		g_autofree char *longer = g_strconcat(rows[i].name, "X", NULL);
		g_autofree char *spaced = g_strconcat(rows[i].name, " ", NULL);
		g_autofree char *lower = g_ascii_strdown(rows[i].name, -1);

		g_assert_true(event_table_lookup(rows[i].name) == &rows[i]);
		g_assert_null(event_table_lookup(shorter));
		g_assert_null(event_table_lookup(longer));
		g_assert_null(event_table_lookup(spaced));
		g_assert_null(event_table_lookup(lower));
	}
	g_assert_null(event_table_lookup(""));
	g_assert_null(event_table_lookup("A"));
	g_assert_null(event_table_lookup("ZZZ"));
	g_assert_null(event_table_lookup("\xff"));
}

/* Each has its class for a reason: DEVICE_DELETED waits for its backends, a job for its error, STOP for its
 * cause; the filter asks on its own. */
static void test_classes(void)
{
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	for (size_t i = 0; i < count; i++) {
		EventClass expected = EVENT_CLASS_STREAM;

		if (g_str_equal(rows[i].name, "DEVICE_DELETED") ||
		    g_str_equal(rows[i].name, "JOB_STATUS_CHANGE") || g_str_equal(rows[i].name, "STOP"))
			expected = EVENT_CLASS_PREPARE;
		else if (g_str_equal(rows[i].name, "NIC_RX_FILTER_CHANGED"))
			expected = EVENT_CLASS_TRIGGER;
		g_assert_cmpint(rows[i].event_class, ==, expected);
	}
}

/* Of the fields: each place is written by one of them, none is written twice. */
static void test_fields(void)
{
	size_t count;
	const EventRow *rows = event_table_rows(&count);

	for (size_t i = 0; i < count; i++) {
		g_autoptr(GHashTable) places = g_hash_table_new(NULL, NULL);

		for (const EventField *field = rows[i].fields; field && field->type != FIELD_NONE; field++) {
			g_test_message("%s: %s", rows[i].name, field->member);
			g_assert_true(field->member || field->type == FIELD_CONSTANT);
			if (field->type == FIELD_TAKEN)
				continue;
			g_assert_true((field->offset > 0) != (field->detail != NULL));
			if (field->offset > 0)
				g_assert_true(g_hash_table_add(places, GSIZE_TO_POINTER(field->offset)));
			if (field->type == FIELD_WORD || field->type == FIELD_SWITCH)
				g_assert_cmpuint(g_strv_length((char **)field->values), >=, 2);
		}
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/table/sorted", test_sorted);
	g_test_add_func("/event/table/lookup", test_lookup);
	g_test_add_func("/event/table/classes", test_classes);
	g_test_add_func("/event/table/fields", test_fields);
	return g_test_run();
}
