/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/json-text.h"

#define NESTING 8
#define LENGTH  4096

/* From a copy of exactly this length, so that a look beyond the end is seen by the sanitizer. */
static JsonNode *parse(const char *text, size_t length, GError **error)
{
	g_autofree char *copy = g_memdup2(text, length);

	return json_text_parse(copy, length, LENGTH, NESTING, error);
}

static void assert_good(const char *text, const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(JsonNode) node = parse(text, strlen(text), &error);
	g_autofree char *result = NULL;

	g_assert_no_error(error);
	g_assert_true(json_node_is_immutable(node));
	result = json_text_from_node(node);
	g_assert_cmpstr(result, ==, expected);
}

static void assert_bad_length(const char *text, size_t length, const char *message)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(JsonNode) node = parse(text, length, &error);

	if (node)
		g_error("taken, but should not be: %s", text);
	g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT);
	if (!strstr(error->message, message))
		g_error("%s: '%s' is not in '%s'", text, message, error->message);
}

static void assert_bad(const char *text, const char *message)
{
	assert_bad_length(text, strlen(text), message);
}

static void test_good(void)
{
	assert_good("{}", "{}");
	assert_good(" \t\r\n[1, 2 ,3]\r\n", "[1,2,3]");
	assert_good("null", "null");
	assert_good("\"x\"", "\"x\"");
	assert_good("{\"a\": {\"b\": [true, false, null, -1.5, 0.5, 1e2]}}",
		    "{\"a\":{\"b\":[true,false,null,-1.5,0.5,100.0]}}");
	/* The last one counts. */
	assert_good("{\"a\": 1, \"a\": 2}", "{\"a\":2}");
}

static void test_strings(void)
{
	g_autoptr(JsonNode) node = NULL;
	const char *text = "\"\\u00e4\\ud83d\\ude00\\/\\\\\\\"\\b\\f\\n\\r\\t\xc3\xb6\"";

	node = parse(text, strlen(text), NULL);
	g_assert_cmpstr(json_node_get_string(node), ==,
			"\xc3\xa4\xf0\x9f\x98\x80/\\\"\b\f\n\r\t\xc3\xb6");

	/* Brackets and quotes in strings are letters. */
	assert_good("[\"[[[[[[[[[[[[{{{{{{{{{{\", \"]]}}\", \"\\\"[\", \"\\\\\"]",
		    "[\"[[[[[[[[[[[[{{{{{{{{{{\",\"]]}}\",\"\\\"[\",\"\\\\\"]");
	assert_good("{\"[\": \"}\"}", "{\"[\":\"}\"}");

	assert_bad("\"abc", "line 1, column 1: a string that does not end");
	assert_bad("\"abc\\", "does not end");
	assert_bad("\"abc\\\"", "does not end");
	assert_bad("\"a\nb\"", "line 1, column 3: control character 0x0a");
	assert_bad("\"a\\x41\"", "unknown escape");
	assert_bad("\"\\u12\"", "four hex digits");
	assert_bad("\"\\u12g4\"", "four hex digits");
	assert_bad("\"\\u", "four hex digits");
	assert_bad("\"a\\u0000b\"", "NUL");
	assert_bad("\"\\ud800\"", "surrogate");
	assert_bad("\"\\ud800", "surrogate");
	assert_bad("\"\\ud800\\ud800\"", "surrogate");
	assert_bad("\"\\ud800\\u0041\"", "surrogate");
	assert_bad("\"\\ud800xxxxxx\"", "surrogate");
	assert_bad("\"\\udc00\\ud800\"", "surrogate");
}

static void test_bytes(void)
{
	assert_bad_length("{}\0{}", 5, "line 1, column 3: a NUL byte");
	assert_bad_length("[\"\0\"]", 5, "a NUL byte");
	assert_bad("[1,\n\"\xff\"]", "line 2, column 2: invalid UTF-8");
	/* Cut off in the middle of a character. */
	assert_bad("\"\xc3", "invalid UTF-8");
}

static void test_integers(void)
{
	g_autoptr(JsonNode) largest = parse("18446744073709551615", 20, NULL);
	g_autoptr(JsonNode) smallest = parse("-9223372036854775808", 20, NULL);

	g_assert_cmpuint((uint64_t)json_node_get_int(largest), ==, UINT64_MAX);
	g_assert_cmpint(json_node_get_int(smallest), ==, INT64_MIN);
	assert_good("9223372036854775807", "9223372036854775807");
	assert_good("-0", "0");

	assert_bad("[\n\n18446744073709551616]", "line 3, column 1: the number");
	assert_bad("-9223372036854775809", "out of range");
	assert_bad("99999999999999999999999999999", "out of range");
	assert_bad("1e400", "out of range");
	assert_bad("-1e400", "out of range");
}

static void test_number_length(void)
{
	g_autoptr(GString) number = g_string_new("0.");

	while (number->len < 127)
		g_string_append_c(number, '1');
	g_assert_true(json_text_check(number->str, number->len, LENGTH, NESTING, NULL));
	g_string_append_c(number, '1');
	assert_bad(number->str, "more than 127 digits");
}

static void test_not_json(void)
{
	static const char *const words[] = {
		"01", "-", "+1", "1.", ".5", "1e", "1e+", "--1", "0x10", "1-2", "1a", "NaN", "nan",
		"Infinity", "-Infinity", "True", "nul", "nulls", "undefined", "'x'", "/* x */ 1",
		"// x\n1", "# x\n1", "var x = 1", "var x = 1;", "let", "1;", "=", "_", "\\", "\v1",
		"\xc2\xa0" "1", "\xef\xbb\xbf{}", "{a: 1}", "{'a': 1}", "{\"a\": 'b'}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		assert_bad(words[i], "line 1, column");
}

static void test_structure(void)
{
	assert_bad("", "empty");
	assert_bad(" \n\n", "line 3, column 1: empty");
	assert_bad("{} {}", "line 1, column 4: text after the value");
	assert_bad("{}\n1", "line 2, column 1: text after the value");
	assert_bad("1 2", "text after the value");
	assert_bad("{},", "unexpected ','");
	assert_bad(",", "unexpected ','");
	assert_bad("}", "unexpected '}'");
	assert_bad("{}}", "unexpected '}'");
	assert_bad("[[1]", "ends inside");
	assert_bad("{\"a\":", "ends inside");

	/* Found by the parser behind the check. */
	assert_bad("[}", "Parse error");
	assert_bad("[1 2]", "Parse error");
	assert_bad("[1,]", "Parse error");
	assert_bad("{\"a\" 1}", "Parse error");
	assert_bad("{1: 2}", "Parse error");
	assert_bad("{\"a\": 1,}", "Parse error");
}

/* What the parser complains about is quoted by it: decoded, and cut off after so many bytes. */
static void test_error_text(void)
{
	/* Shorter and longer than what is quoted, so that the cut goes through each byte of a
	 * character. */
	for (unsigned length = 0; length < 100; length++) {
		g_autofree char *letters = g_strnfill(length, 'a');
		g_autofree char *text = g_strdup_printf("{\"%s\xf0\x9f\x98\x80\" {}}", letters);
		g_autoptr(GError) error = NULL;

		g_assert_null(parse(text, strlen(text), &error));
		g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT);
		g_assert_true(g_utf8_validate(error->message, -1, NULL));
	}
	/* It goes to logs and terminals. */
	assert_bad("{\"a\\nb\\u001b[31m\\u0085c\" {}}", "\"a?b?[31m?c\"");
	assert_bad("{\"\xc3\xa4\" {}}", "\"\xc3\xa4\"");
}

static void test_length(void)
{
	g_autofree char *text = g_malloc(LENGTH + 1);
	g_autoptr(GError) error = NULL;

	memset(text, ' ', LENGTH + 1);
	text[0] = '1';
	g_assert_true(json_text_check(text, LENGTH, LENGTH, NESTING, &error));
	g_assert_no_error(error);
	assert_bad_length(text, LENGTH + 1, "4097 bytes long, and 4096 are allowed");
}

static char *nested(unsigned depth)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0; i < depth; i++)
		g_string_append(text, i % 2 ? "[" : "{\"a\":");
	g_string_append_c(text, '1');
	for (unsigned i = depth; i-- > 0;)
		g_string_append_c(text, i % 2 ? ']' : '}');
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void test_nesting(void)
{
	g_autofree char *at = nested(NESTING);
	g_autofree char *over = nested(NESTING + 1);
	g_autofree char *wide = NULL;
	g_autoptr(GString) many = g_string_new("[");

	assert_good(at, at);
	assert_bad(over, "nested deeper than 8");
	/* Not closed: refused at the bracket over the bound, not at the end. */
	assert_bad("[[[[[[[[[[[[[[[[", "column 9: nested deeper than 8");

	/* Brackets that close do not count. */
	for (int i = 0; i < 100; i++)
		g_string_append(many, "[[],{}],");
	g_string_append(many, "1]");
	assert_good(many->str, many->str);

	/* The bound may be nought: no containers at all. */
	g_assert_true(json_text_check("1", 1, 1, 0, NULL));
	g_assert_false(json_text_check("[]", 2, 2, 0, NULL));

	/* A deep one as QEMU may send it. */
	wide = nested(1024);
	g_assert_true(json_text_check(wide, strlen(wide), SIZE_MAX, 1024, NULL));
	g_assert_false(json_text_check(wide, strlen(wide), SIZE_MAX, 1023, NULL));
}

static void test_values(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) text = g_string_sized_new(3 * JSON_TEXT_VALUES_MAX);

	/* The array and all but one. */
	g_string_append(text, "[1");
	for (unsigned i = 2; i < JSON_TEXT_VALUES_MAX; i++)
		g_string_append(text, ",1");
	g_string_append_c(text, ']');
	g_assert_true(json_text_check(text->str, text->len, SIZE_MAX, NESTING, &error));
	g_assert_no_error(error);

	g_string_truncate(text, text->len - 1);
	g_string_append(text, ",1]");
	g_assert_false(json_text_check(text->str, text->len, SIZE_MAX, NESTING, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT);
	g_assert_nonnull(strstr(error->message, "more than 1048576 values"));
}

static void test_write(void)
{
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_VALUE);
	g_autofree char *text = NULL;

	assert_good("{\"z\": {}, \"a\": [], \"\": [[], [{}]]}", "{\"z\":{},\"a\":[],\"\":[[],[{}]]}");
	assert_good("[\"\\u0001\\u007f\\b\\f\\n\\r\\t\\\"\\\\/\\u00e4\"]",
		    "[\"\\u0001\\u007f\\b\\f\\n\\r\\t\\\"\\\\/\xc3\xa4\"]");
	/* A number with an exponent gets no ".0" behind it. */
	assert_good("[1e57, 1E-7, -2.0, 0.5]", "[1e+57,9.9999999999999995e-08,-2.0,0.5]");

	json_node_set_double(node, INFINITY);
	text = json_text_from_node(node);
	g_assert_cmpstr(text, ==, "null");
}

static void test_one_line(void)
{
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_VALUE);
	g_autofree char *text = NULL;

	json_node_set_string(node, "a\r\nb\xe2\x80\xa8\"\x01");
	text = json_text_from_node(node);
	g_assert_null(strpbrk(text, "\r\n"));
	g_assert_true(json_text_check(text, strlen(text), LENGTH, NESTING, NULL));
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);

	g_test_add_func("/base/json-text/good", test_good);
	g_test_add_func("/base/json-text/strings", test_strings);
	g_test_add_func("/base/json-text/bytes", test_bytes);
	g_test_add_func("/base/json-text/integers", test_integers);
	g_test_add_func("/base/json-text/number-length", test_number_length);
	g_test_add_func("/base/json-text/not-json", test_not_json);
	g_test_add_func("/base/json-text/structure", test_structure);
	g_test_add_func("/base/json-text/error-text", test_error_text);
	g_test_add_func("/base/json-text/length", test_length);
	g_test_add_func("/base/json-text/nesting", test_nesting);
	g_test_add_func("/base/json-text/values", test_values);
	g_test_add_func("/base/json-text/write", test_write);
	g_test_add_func("/base/json-text/one-line", test_one_line);

	return g_test_run();
}
