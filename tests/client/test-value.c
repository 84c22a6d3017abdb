/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>
#include <string.h>

#include "client/value-internal.h"

/* Values of all types: what is got of them, and their JSON, which is that of json-glib. */

static VmhValue *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	GVariant *variant = g_variant_parse(NULL, text, NULL, NULL, &error);

	g_assert_no_error(error);
	g_variant_get_data(variant);
	return value_from_gvariant(value_unbox(variant));
}

/* ---- basic types ---- */

#define UINT64_NONE 1234567u

static const struct {
	const char *text, *type, *string;
	bool fits_unsigned, fits_signed;
	uint64_t number;
} basics[] = {
	{ "'a\xc3\xa4'", "s", "a\xc3\xa4" },
	{ "''", "s", "" },
	{ "objectpath '/a'", "o", "/a" },
	{ "signature 'a{sv}'", "g", "a{sv}" },
	{ "byte 255", "y", NULL, true, true, 255 },
	{ "int16 -1", "n", NULL, false, true, (uint64_t)-1 },
	{ "uint16 65535", "q", NULL, true, true, 65535 },
	{ "-2147483648", "i", NULL, false, true, (uint64_t)INT32_MIN },
	{ "2147483647", "i", NULL, true, true, INT32_MAX },
	{ "uint32 4294967295", "u", NULL, true, true, UINT32_MAX },
	{ "int64 -9223372036854775808", "x", NULL, false, true, (uint64_t)INT64_MIN },
	{ "uint64 9223372036854775807", "t", NULL, true, true, INT64_MAX },
	{ "uint64 9223372036854775808", "t", NULL, true, false, (uint64_t)INT64_MAX + 1 },
	{ "uint64 18446744073709551615", "t", NULL, true, false, UINT64_MAX },
	{ "1.5", "d", NULL },
	{ "handle 7", "h", NULL },
	{ "true", "b", NULL },
	{ "<uint64 3>", "t", NULL, true, true, 3 },
	{ "<<<'deep'>>>", "s", "deep" },
	{ "['a']", "as", NULL },
	{ "{'a': 1}", "a{si}", NULL },
	{ "('a',)", "(s)", NULL },
};

static void test_basics(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(basics); i++) {
		g_autoptr(VmhValue) value = parse(basics[i].text);
		uint64_t number = UINT64_NONE;
		int64_t integer = UINT64_NONE;
		bool flag = false;

		g_test_message("%s", basics[i].text);
		g_assert_cmpstr(vmh_value_get_type(value), ==, basics[i].type);
		g_assert_cmpstr(vmh_value_get_string(value), ==, basics[i].string);
		g_assert_cmpint(vmh_value_get_uint64(value, &number), ==, basics[i].fits_unsigned);
		g_assert_cmpuint(number, ==, basics[i].fits_unsigned ? basics[i].number : UINT64_NONE);
		g_assert_cmpint(vmh_value_get_int64(value, &integer), ==, basics[i].fits_signed);
		g_assert_cmpint(integer, ==, basics[i].fits_signed ? (int64_t)basics[i].number : UINT64_NONE);
		g_assert_cmpint(vmh_value_get_bool(value, &flag), ==, strcmp(basics[i].type, "b") == 0);
		g_assert_cmpint(flag, ==, strcmp(basics[i].type, "b") == 0);
		if (!strpbrk(basics[i].type, "a("))
			g_assert_cmpuint(vmh_value_get_length(value), ==, 0);
		g_assert_null(vmh_value_get_key(value, 1));
		g_assert_null(vmh_value_get_child(value, 1));
	}
}

/* ---- containers ---- */

static void test_lists(void)
{
	g_autoptr(VmhValue) list = parse("[<'a'>, <<uint64 2>>, <['b']>]");
	g_autoptr(VmhValue) tuple = parse("('a', <true>)");
	g_autoptr(VmhValue) first = vmh_value_get_child(list, 0), second = vmh_value_get_child(list, 1);
	g_autoptr(VmhValue) third = vmh_value_get_child(list, 2), flag = vmh_value_get_child(tuple, 1);
	uint64_t number = 0;
	bool yes = false;

	g_assert_cmpuint(vmh_value_get_length(list), ==, 3);
	g_assert_cmpstr(vmh_value_get_string(first), ==, "a");
	g_assert_true(vmh_value_get_uint64(second, &number));
	g_assert_cmpuint(number, ==, 2);
	g_assert_cmpstr(vmh_value_get_type(third), ==, "as");
	g_assert_null(vmh_value_get_child(list, 3));
	g_assert_null(vmh_value_get_key(list, 0));
	g_assert_null(vmh_value_lookup(list, "a"));
	g_assert_cmpuint(vmh_value_get_length(tuple), ==, 2);
	g_assert_true(vmh_value_get_bool(flag, &yes));
	g_assert_true(yes);
}

static void test_dictionaries(void)
{
	g_autoptr(VmhValue) dict = parse("{'s': <'a'>, 'b': <true>, 't': <uint64 5>, 'x': <int64 -5>, 'v': <<'in'>>,"
					 " 's': <'later'>}");
	uint64_t number = 0;
	int64_t integer = 0;
	bool flag = false;

	g_assert_cmpuint(vmh_value_get_length(dict), ==, 6);
	g_assert_cmpstr(vmh_value_get_key(dict, 1), ==, "b");
	g_assert_null(vmh_value_get_key(dict, 6));
	g_assert_cmpstr(vmh_value_lookup_string(dict, "s"), ==, "a");
	g_assert_cmpstr(vmh_value_lookup_string(dict, "v"), ==, "in");
	g_assert_null(vmh_value_lookup_string(dict, "b"));
	g_assert_null(vmh_value_lookup_string(dict, "S"));
	g_assert_true(vmh_value_lookup_bool(dict, "b", &flag));
	g_assert_true(flag);
	g_assert_false(vmh_value_lookup_bool(dict, "s", &flag));
	g_assert_true(vmh_value_lookup_uint64(dict, "t", &number));
	g_assert_cmpuint(number, ==, 5);
	g_assert_false(vmh_value_lookup_uint64(dict, "x", &number));
	g_assert_cmpuint(number, ==, 5);
	g_assert_true(vmh_value_lookup_int64(dict, "x", &integer));
	g_assert_cmpint(integer, ==, -5);
	g_assert_false(vmh_value_lookup_int64(dict, "none", &integer));
	g_assert_null(vmh_value_lookup(dict, NULL));
}

/* Paths are keys as well as strings; numbers are not. */
static void test_keys(void)
{
	g_autoptr(VmhValue) paths = parse("{objectpath '/a': 'A', '/b': 'B'}");
	g_autoptr(VmhValue) numbers = parse("{uint32 7: 'seven'}");
	g_autoptr(VmhValue) seven = vmh_value_get_child(numbers, 0);

	g_assert_cmpstr(vmh_value_get_key(paths, 1), ==, "/b");
	g_assert_cmpstr(vmh_value_lookup_string(paths, "/b"), ==, "B");
	g_assert_null(vmh_value_get_key(numbers, 0));
	g_assert_null(vmh_value_lookup(numbers, "7"));
	g_assert_cmpstr(vmh_value_get_string(seven), ==, "seven");
}

static void test_null(void)
{
	uint64_t number;
	int64_t integer;
	bool flag;

	g_assert_null(vmh_value_get_string(NULL));
	g_assert_false(vmh_value_get_bool(NULL, &flag));
	g_assert_false(vmh_value_get_uint64(NULL, &number));
	g_assert_false(vmh_value_get_int64(NULL, &integer));
	g_assert_cmpuint(vmh_value_get_length(NULL), ==, 0);
	g_assert_null(vmh_value_lookup(NULL, "a"));
	g_assert_null(vmh_value_lookup_string(NULL, "a"));
	g_assert_false(vmh_value_lookup_bool(NULL, "a", &flag));
	g_assert_false(vmh_value_lookup_uint64(NULL, "a", &number));
	g_assert_false(vmh_value_lookup_int64(NULL, "a", &integer));
	vmh_value_unref(NULL);
}

/* A string is the value's that it was got from, a child needs nobody. */
static void test_lifetimes(void)
{
	VmhValue *dict = parse("{'a': <('b', {'c': <'d'>})>}");
	const char *key = vmh_value_get_key(dict, 0);
	VmhValue *tuple = vmh_value_lookup(dict, "a");
	VmhValue *inner = vmh_value_get_child(tuple, 1);
	const char *string = vmh_value_lookup_string(inner, "c");

	g_assert_cmpstr(key, ==, "a");
	vmh_value_unref(dict);
	vmh_value_unref(tuple);
	g_assert_cmpstr(string, ==, "d");
	vmh_value_unref(inner);
}

/* ---- JSON ---- */

static const struct {
	const char *text, *json;
} rows[] = {
	{ "'a'", "\"a\"" },
	{ "'\xc3\xa4 \\u20ac'", "\"\xc3\xa4 \xe2\x82\xac\"" },
	{ "objectpath '/a'", "\"/a\"" },
	{ "signature 'as'", "\"as\"" },
	{ "true", "true" },
	{ "false", "false" },
	{ "byte 255", "255" },
	{ "int16 -32768", "-32768" },
	{ "uint16 65535", "65535" },
	{ "-7", "-7" },
	{ "uint32 4294967295", "4294967295" },
	{ "int64 -9223372036854775808", "-9223372036854775808" },
	{ "uint64 9223372036854775807", "9223372036854775807" },
	{ "uint64 9223372036854775808", "\"9223372036854775808\"" },
	{ "uint64 18446744073709551615", "\"18446744073709551615\"" },
	{ "handle 3", "null" },
	{ "<<'in'>>", "\"in\"" },
	{ "@as []", "[]" },
	{ "@a{sv} {}", "{}" },
	{ "(1, 'a', [<true>, <['x', 'y']>])", "[1,\"a\",[true,[\"x\",\"y\"]]]" },
	{ "{'a': <{'b': <uint64 1>}>, 'c': <('d',)>}", "{\"a\":{\"b\":1},\"c\":[\"d\"]}" },
	{ "{uint32 7: 'seven'}", "{\"7\":\"seven\"}" },
	{ "{true: 'yes'}", "{\"true\":\"yes\"}" },
	{ "{uint64 18446744073709551615: 1}", "{\"18446744073709551615\":1}" },
	{ "{objectpath '/a': 1}", "{\"/a\":1}" },
	{ "0.0", "0.0" },
	/* Here json-glib appends .0, which is no JSON. */
	{ "1e17", "1e+17" },
	{ "1e-7", "9.9999999999999995e-08" },
	{ "inf", "null" },
	{ "-inf", "null" },
	{ "nan", "null" },
};

static void test_json(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(VmhValue) value = parse(rows[i].text);
		g_autofree char *json = vmh_value_to_json(value);
		g_autoptr(JsonNode) node = json_from_string(json, NULL);

		g_assert_cmpstr(json, ==, rows[i].json);
		g_assert_nonnull(node);
	}
}

/* Every character, and numbers of all sizes, as json-glib writes them. */
static void test_json_glib(void)
{
	static const double numbers[] = { 0, 1, -1, 0.1, -0.25, 1e15, 123456789.123 };

	for (unsigned c = 1; c < 0x500; c++) {
		g_autoptr(JsonNode) node = json_node_new(JSON_NODE_VALUE);
		char text[8] = { 'a' };
		g_autoptr(GVariant) variant = NULL;
		g_autofree char *expected = NULL, *json = NULL;

		/* This one json-glib leaves bare, which is no JSON. */
		if (c == 0x1f)
			continue;
		text[1 + g_unichar_to_utf8(c, text + 1)] = 'b';
		variant = g_variant_ref_sink(g_variant_new_string(text));
		json_node_set_string(node, text);
		expected = json_to_string(node, false);
		json = vmh_value_to_json(value_from_gvariant(variant));
		g_assert_cmpstr(json, ==, expected);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
		g_autoptr(JsonNode) node = json_node_new(JSON_NODE_VALUE);
		g_autoptr(GVariant) variant = g_variant_ref_sink(g_variant_new_double(numbers[i]));
		g_autofree char *expected = NULL, *json = vmh_value_to_json(value_from_gvariant(variant));

		json_node_set_double(node, numbers[i]);
		expected = json_to_string(node, false);
		g_assert_cmpstr(json, ==, expected);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/value/basics", test_basics);
	g_test_add_func("/client/value/lists", test_lists);
	g_test_add_func("/client/value/dictionaries", test_dictionaries);
	g_test_add_func("/client/value/keys", test_keys);
	g_test_add_func("/client/value/null", test_null);
	g_test_add_func("/client/value/lifetimes", test_lifetimes);
	g_test_add_func("/client/value/json", test_json);
	g_test_add_func("/client/value/json-glib", test_json_glib);
	return g_test_run();
}
