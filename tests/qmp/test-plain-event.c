/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "qmp/message.h"

/* What is read without a tree, and what is not. That what is read is what json-glib reads is tried by tests/fuzz/fuzz-message. */

#define STAMP "\"timestamp\": {\"seconds\": 5, \"microseconds\": 7}"
#define WITH_DATA(data) "{\"event\": \"X\", \"data\": " data "}"

static QmpPlainEvent *read_line(const char *line)
{
	return qmp_plain_event_read(line, strlen(line));
}

static void test_line(void)
{
	g_autofree QmpPlainEvent *event = read_line(
		"{" STAMP ", \"event\": \"NAME\", \"data\": {\"id\": \"a b\", \"on\": true, \"off\":false, "
		"\"n\": -12, \"zero\":0, \"info\": {\"id\": \"\", \"big\": 999999999999999999}}}");
	const QmpPlainMember *member;

	g_assert_nonnull(event);
	g_assert_cmpmem(event->name.at, event->name.length, "NAME", 4);
	g_assert_cmpint(event->seconds, ==, 5);
	g_assert_cmpint(event->microseconds, ==, 7);
	g_assert_cmpuint(event->n_members, ==, 8);
	member = qmp_plain_event_find(event, "id");
	g_assert_cmpint(member->type, ==, QMP_PLAIN_TEXT);
	g_assert_cmpmem(member->text.at, member->text.length, "a b", 3);
	g_assert_true(qmp_plain_event_find(event, "on")->flag);
	g_assert_false(qmp_plain_event_find(event, "off")->flag);
	g_assert_cmpint(qmp_plain_event_find(event, "n")->number, ==, -12);
	g_assert_cmpint(qmp_plain_event_find(event, "zero")->number, ==, 0);
	g_assert_cmpint(qmp_plain_event_find(event, "info")->type, ==, QMP_PLAIN_OBJECT);
	g_assert_cmpuint(qmp_plain_event_find(event, "info.id")->text.length, ==, 0);
	g_assert_cmpint(qmp_plain_event_find(event, "info.big")->number, ==, 999999999999999999);
	g_assert_null(qmp_plain_event_find(event, "big"));
	g_assert_null(qmp_plain_event_find(event, "info.n"));
	g_assert_null(qmp_plain_event_find(event, "id.info"));
	g_assert_null(qmp_plain_event_find(event, "inf"));
}

/* In any order; stamp and data may be missing. */
static void test_parts(void)
{
	static const char *const lines[] = {
		"{\"event\":\"X\"}",
		"{\"event\": \"X\", " STAMP "}",
		" { \"data\" : { } , \"event\" : \"X\" } ",
		WITH_DATA("{\"a\": {}}"),
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree QmpPlainEvent *event = read_line(lines[i]);

		g_assert_nonnull(event);
		g_assert_cmpmem(event->name.at, event->name.length, "X", 1);
		g_assert_cmpstr(event->line, ==, lines[i]);
	}
}

static void test_left_to_others(void)
{
	static const char *const lines[] = {
		"", "{", "{}", "[]", "null", "{\"event\"}", "{\"event\":}", "{\"event\":1}", "{\"event\":\"\"}",
		"{\"event\":\"X\"", "{\"event\":\"X\",}", "{\"event\":\"X\"} x", "{\"event\":\"X\"}{}",
		"{\"event\":\"X}", "{\"event\":\"X\",\"event\":\"Y\"}", "{\"event\":\"X\",\"id\":1}",
		"{\"return\":{}}", "{\"event\":\"X\",\"data\":[]}", "{\"event\":\"X\",\"data\":null}",
		"{\"event\":\"X\"\t}", "{\"event\":\"\\u0058\"}", "{\"event\":\"\xc3\xa4\"}", "{\"event\":\"\x7f\"}",
		"{\"event\":\"X\",\"timestamp\":{}}", "{\"event\":\"X\",\"timestamp\":{\"seconds\":1}}",
		"{\"event\":\"X\",\"timestamp\":{\"seconds\":-1,\"microseconds\":-1}}",
		"{\"event\":\"X\",\"timestamp\":{\"seconds\":1,\"microseconds\":1,\"more\":1}}",
		WITH_DATA("{\"a\": null}"), WITH_DATA("{\"a\": []}"), WITH_DATA("{\"a\": 1.0}"),
		WITH_DATA("{\"a\": 1e3}"), WITH_DATA("{\"a\": 01}"), WITH_DATA("{\"a\": -0}"), WITH_DATA("{\"a\": -}"),
		WITH_DATA("{\"a\": 1000000000000000000}"), WITH_DATA("{\"a\": 99999999999999999999999}"), WITH_DATA("{\"a\": +1}"), WITH_DATA("{\"a\": truth}"),
		WITH_DATA("{\"a\": True}"), WITH_DATA("{\"a\": 1, \"a\": 2}"), WITH_DATA("{\"a.b\": 1}"),
		WITH_DATA("{\"a\": 1 \"b\": 2}"), WITH_DATA("{a: 1}"), WITH_DATA("{\"a\": 1,}"),
		WITH_DATA("{\"a\": {\"b\": {}}}"), WITH_DATA("{\"a\": {\"b\": 1, \"b\": 1}}"),
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
		g_assert_null(read_line(lines[i]));
	g_assert_null(qmp_plain_event_read("{\"event\":\"X\"}\0", 14));
	g_assert_null(qmp_plain_event_read("{\"event\":\"X\0\"}", 15));
}

static char *make_line(unsigned n_members, size_t text_length)
{
	GString *line = g_string_new("{\"event\":\"X\",\"data\":{");
	g_autofree char *text = g_strnfill(text_length, 'x');

	for (unsigned i = 0; i < n_members; i++)
		g_string_append_printf(line, "%s\"m%u\":\"%s\"", i > 0 ? "," : "", i, i == 0 ? text : "");
	g_string_append(line, "}}");
	return g_string_free(line, FALSE);
}

static void test_bounds(void)
{
	g_autofree char *members = make_line(QMP_PLAIN_MEMBERS_MAX, 0);
	g_autofree char *more_members = make_line(QMP_PLAIN_MEMBERS_MAX + 1, 0);
	g_autofree char *empty = make_line(1, 0);
	g_autofree char *longest = make_line(1, QMP_PLAIN_LENGTH_MAX - strlen(empty));
	g_autofree char *longer = make_line(1, QMP_PLAIN_LENGTH_MAX - strlen(empty) + 1);
	g_autofree QmpPlainEvent *first = read_line(members), *second = read_line(longest);

	g_assert_nonnull(first);
	g_assert_nonnull(second);
	g_assert_null(read_line(more_members));
	g_assert_null(read_line(longer));
}

/* As a message, with and without its tree. */
static void test_message(void)
{
	static const char line[] = "{" STAMP ", \"event\": \"NAME\", \"data\": {\"id\": \"a\"}}";
	g_autoptr(QmpMessage) message = qmp_message_read(line, strlen(line), NULL);
	g_autoptr(QmpMessage) whole = NULL;
	g_autofree char *name = g_strnfill(QMP_NAME_MAX + 1, 'X');
	g_autofree char *too_long = g_strdup_printf("{\"event\":\"%s\"}", name);

	g_assert_cmpint(message->kind, ==, QMP_MESSAGE_EVENT);
	g_assert_cmpstr(message->name, ==, "NAME");
	g_assert_cmpint(message->time, ==, 5000007);
	g_assert_nonnull(message->plain);
	g_assert_null(message->root);
	message->position = 9;
	whole = qmp_message_parse_plain(message);
	g_assert_cmpstr(whole->name, ==, "NAME");
	g_assert_cmpint(whole->time, ==, 5000007);
	g_assert_cmpuint(whole->position, ==, 9);
	g_assert_cmpstr(json_object_get_string_member(json_node_get_object(whole->body), "id"), ==, "a");
	g_assert_null(qmp_message_read(too_long, strlen(too_long), NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qmp/plain-event/line", test_line);
	g_test_add_func("/qmp/plain-event/parts", test_parts);
	g_test_add_func("/qmp/plain-event/left-to-others", test_left_to_others);
	g_test_add_func("/qmp/plain-event/bounds", test_bounds);
	g_test_add_func("/qmp/plain-event/message", test_message);
	return g_test_run();
}
