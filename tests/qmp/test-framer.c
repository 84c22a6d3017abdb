/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "qmp/framer.h"

/* Gives bytes to the framer in pieces of at most piece bytes, and what it makes of them to lines. */
static void feed(QmpFramer *framer, const char *bytes, size_t length, size_t piece,
		 GPtrArray *lines)
{
	while (length > 0) {
		g_autoptr(GError) error = NULL;
		const char *line;
		size_t room, line_length, n;
		char *at = qmp_framer_reserve(framer, &room);

		g_assert_cmpuint(room, >=, 1);
		n = MIN(MIN(room, piece), length);
		memcpy(at, bytes, n);
		g_assert_true(qmp_framer_commit(framer, n, &error));
		g_assert_no_error(error);
		bytes += n;
		length -= n;
		while (qmp_framer_next(framer, &line, &line_length))
			g_ptr_array_add(lines, g_strndup(line, line_length));
	}
}

static void assert_lines(GPtrArray *lines, const char *const *expected)
{
	g_assert_cmpuint(lines->len, ==, g_strv_length((char **)expected));
	for (guint i = 0; i < lines->len; i++)
		g_assert_cmpstr(lines->pdata[i], ==, expected[i]);
}

static void test_every_split(void)
{
	static const char bytes[] = "{\"QMP\": {}}\r\n{\"event\": \"\xc3\xa4\xf0\x9f\x98\x80\"}\n\r\n\n"
				    "\r\n{\"return\":\r1}\r\n{\"x\": \"\r\r\n";
	static const char *const lines[] = { "{\"QMP\": {}}", "{\"event\": \"\xc3\xa4\xf0\x9f\x98\x80\"}",
					     "{\"return\":\r1}", "{\"x\": \"\r", NULL };

	/* In two parts, at each position; then in pieces of each length. */
	for (size_t split = 0; split < sizeof(bytes); split++) {
		g_autoptr(QmpFramer) framer = qmp_framer_new();
		g_autoptr(GPtrArray) result = g_ptr_array_new_with_free_func(g_free);

		feed(framer, bytes, split, SIZE_MAX, result);
		g_assert_cmpint(qmp_framer_has_partial(framer), ==,
				split > 0 && bytes[split - 1] != '\n');
		feed(framer, bytes + split, sizeof(bytes) - 1 - split, SIZE_MAX, result);
		assert_lines(result, lines);
		g_assert_false(qmp_framer_has_partial(framer));
	}
	for (size_t piece = 1; piece < sizeof(bytes); piece++) {
		g_autoptr(QmpFramer) framer = qmp_framer_new();
		g_autoptr(GPtrArray) result = g_ptr_array_new_with_free_func(g_free);

		feed(framer, bytes, sizeof(bytes) - 1, piece, result);
		assert_lines(result, lines);
	}
}

static void test_undrained(void)
{
	g_autoptr(QmpFramer) framer = qmp_framer_new();
	const char *line;
	size_t room, length;

	/* Lines that were not taken survive the next reserve(). */
	memcpy(qmp_framer_reserve(framer, &room), "one\ntwo\nthr", 11);
	g_assert_true(qmp_framer_commit(framer, 11, NULL));
	g_assert_true(qmp_framer_next(framer, &line, &length));
	g_assert_cmpmem(line, length, "one", 3);
	memcpy(qmp_framer_reserve(framer, &room), "ee\nfour", 7);
	g_assert_true(qmp_framer_commit(framer, 7, NULL));
	g_assert_true(qmp_framer_has_partial(framer));
	g_assert_true(qmp_framer_next(framer, &line, &length));
	g_assert_cmpmem(line, length, "two", 3);
	g_assert_true(qmp_framer_next(framer, &line, &length));
	g_assert_cmpmem(line, length, "three", 5);
	g_assert_false(qmp_framer_next(framer, &line, &length));
	g_assert_true(qmp_framer_has_partial(framer));
}

static void assert_next(QmpFramer *framer, const char *expected)
{
	const char *line;
	size_t length;

	g_assert_true(qmp_framer_next(framer, &line, &length));
	g_assert_cmpmem(line, length, expected, strlen(expected));
}

static void append(QmpFramer *framer, const char *bytes)
{
	size_t room;

	memcpy(qmp_framer_reserve(framer, &room), bytes, strlen(bytes));
	g_assert_true(qmp_framer_commit(framer, strlen(bytes), NULL));
}

/* What one has not handed out stays his, whoever reads next. */
static void test_in_turns(void)
{
	g_autoptr(QmpFramer) first = qmp_framer_new();
	g_autoptr(QmpFramer) second = qmp_framer_new();
	QmpFramer *third = qmp_framer_new();
	const char *line;
	size_t length;

	append(first, "one\ntwo\nthr");
	append(second, "eins\nzw");
	append(third, "un\nde");
	assert_next(first, "one");
	append(second, "ei\ndrei\n");
	/* Gone with bytes in it, and with nobody's. */
	qmp_framer_free(third);
	assert_next(second, "eins");
	append(first, "ee\n");
	assert_next(first, "two");
	assert_next(second, "zwei");
	assert_next(first, "three");
	g_assert_false(qmp_framer_next(first, &line, &length));
	assert_next(second, "drei");
	g_assert_true(qmp_framer_is_empty(second));
	g_assert_cmpuint(qmp_framer_get_received(first), ==, strlen("one\ntwo\nthree\n"));
	g_assert_cmpuint(qmp_framer_get_handed_out(second), ==, strlen("eins\nzwei\ndrei\n"));
}

/* A line that grows beyond the common room, and others that read in between. */
static void test_long_in_turns(void)
{
	static const size_t lengths[] = { 1, 65535, 65536, 65537, 131072, 1000000 };

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autoptr(QmpFramer) framer = qmp_framer_new();
		g_autoptr(QmpFramer) other = qmp_framer_new();
		g_autofree char *text = g_strnfill(lengths[i], 'x');

		for (size_t done = 0; done < lengths[i]; done += 5000) {
			g_autofree char *piece = g_strndup(text + done, 5000);

			append(framer, piece);
			append(other, "ping\npo");
			assert_next(other, "ping");
			append(other, "ng\n");
			assert_next(other, "pong");
		}
		append(framer, "\nnext\n");
		assert_next(framer, text);
		append(other, "end\n");
		assert_next(framer, "next");
		assert_next(other, "end");
	}
}

static void test_many_lines(void)
{
	g_autoptr(QmpFramer) framer = qmp_framer_new();
	g_autoptr(GPtrArray) result = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GString) bytes = g_string_new(NULL);

	for (int i = 0; i < 20000; i++)
		g_string_append_printf(bytes, "{\"n\": %d}\r\n", i);
	feed(framer, bytes->str, bytes->len, 1000, result);
	g_assert_cmpuint(result->len, ==, 20000);
	g_assert_cmpstr(result->pdata[0], ==, "{\"n\": 0}");
	g_assert_cmpstr(result->pdata[19999], ==, "{\"n\": 19999}");
}

/* Fills the framer up with a line of length bytes that has not ended. */
static void begin_long_line(QmpFramer *framer, size_t length)
{
	while (length > 0) {
		size_t room;
		char *at = qmp_framer_reserve(framer, &room);
		size_t n = MIN(room, length);

		memset(at, 'x', n);
		g_assert_true(qmp_framer_commit(framer, n, NULL));
		length -= n;
	}
}

static void test_longest(void)
{
	g_autoptr(QmpFramer) framer = qmp_framer_new();
	const char *line;
	size_t length;

	begin_long_line(framer, QMP_MESSAGE_MAX);
	append(framer, "\r");
	g_assert_false(qmp_framer_next(framer, &line, &length));
	append(framer, "\nnext\n");
	g_assert_true(qmp_framer_next(framer, &line, &length));
	g_assert_cmpuint(length, ==, QMP_MESSAGE_MAX);
	g_assert_true(qmp_framer_next(framer, &line, &length));
	g_assert_cmpmem(line, length, "next", 4);

	/* And the big buffer is not kept. */
	append(framer, "again\n");
	g_assert_true(qmp_framer_next(framer, &line, &length));
	g_assert_cmpmem(line, length, "again", 5);
}

static void assert_too_long(const char *bytes)
{
	g_autoptr(QmpFramer) framer = qmp_framer_new();
	g_autoptr(GError) error = NULL;
	const char *line;
	size_t room, length;

	begin_long_line(framer, QMP_MESSAGE_MAX);
	memcpy(qmp_framer_reserve(framer, &room), bytes, strlen(bytes));
	g_assert_false(qmp_framer_commit(framer, strlen(bytes), &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_assert_false(qmp_framer_next(framer, &line, &length));
	g_assert_false(qmp_framer_has_partial(framer));
}

static void test_too_long(void)
{
	assert_too_long("x");
	assert_too_long("x\n{}\n");
	assert_too_long("x\r\n");
	assert_too_long("\rx");
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);

	g_test_add_func("/qmp/framer/every-split", test_every_split);
	g_test_add_func("/qmp/framer/undrained", test_undrained);
	g_test_add_func("/qmp/framer/in-turns", test_in_turns);
	g_test_add_func("/qmp/framer/long-in-turns", test_long_in_turns);
	g_test_add_func("/qmp/framer/many-lines", test_many_lines);
	g_test_add_func("/qmp/framer/longest", test_longest);
	g_test_add_func("/qmp/framer/too-long", test_too_long);

	return g_test_run();
}
