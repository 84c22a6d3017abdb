/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/variant.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bus-fixture.h"

/* GVariant text and what arrives: types and values are those that went in. */
static const struct {
	const char *type, *value, *text;
} rows[] = {
	{ "b", "true", "true" },
	{ "b", "false", "false" },
	{ "y", "255", "255" },
	{ "n", "-32768", "-32768" },
	{ "q", "65535", "65535" },
	{ "i", "-2147483648", "-2147483648" },
	{ "u", "4294967295", "4294967295" },
	{ "x", "-9223372036854775808", "-9223372036854775808" },
	{ "t", "18446744073709551615", "18446744073709551615" },
	{ "d", "-0.25", "-0.25" },
	{ "s", "'text'", "'text'" },
	{ "s", "''", "''" },
	{ "s", "'\\u00e4 \\n \"'", "'\xc3\xa4 \n \"'" },
	{ "o", "'/a/b'", "'/a/b'" },
	{ "g", "'a{sv}'", "'a{sv}'" },
	{ "v", "<uint32 7>", "<u 7>" },
	{ "v", "<<'in'>>", "<v <s 'in'>>" },
	{ "as", "[]", "[]" },
	{ "as", "['a','b']", "['a' 'b']" },
	{ "ay", "[1,2]", "[1 2]" },
	{ "aas", "[['a'],[]]", "[['a'] []]" },
	{ "a{sv}", "{}", "[]" },
	{ "a{sv}", "{'a': <true>}", "[{'a' <b true>}]" },
	{ "a{us}", "{7: 'seven'}", "[{7 'seven'}]" },
	{ "(s)", "('a',)", "('a')" },
	{ "(sa{sv}(ttt))", "('a', {'k': <[1, 2]>}, (1, 2, 3))", "('a' [{'k' <ai [1 2]>}] (1 2 3))" },
	{ "a(sv)", "[('a', <(1, 'b')>)]", "[('a' <(is) (1 'b')>)]" },
	{ "a{sa{sa{sv}}}", "{'a': {'b': {'c': <'d'>}}}", "[{'a' [{'b' [{'c' <s 'd'>}]}]}]" },
};

static void test_values(BusFixture *fixture, const void *data)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GVariant) value = g_variant_parse(G_VARIANT_TYPE(rows[i].type), rows[i].value,
							    NULL, NULL, &error);
		g_autoptr(sd_bus_message) message = bus_new_message(fixture);
		g_autofree char *text = NULL;

		g_assert_no_error(error);
		g_assert_cmpint(bus_append_gvariant(message, value), >=, 0);
		bus_seal(message);
		g_assert_cmpstr(sd_bus_message_get_signature(message, true), ==, rows[i].type);
		text = bus_describe(message);
		g_assert_cmpstr(text, ==, rows[i].text);
	}
}

/* They are the bytes that GVariant makes of it itself, and what it believes. */
static void check_bytes(GVariant *got, GVariant *expected)
{
	size_t size = g_variant_get_size(expected);
	g_autoptr(GVariant) checked = NULL;

	g_assert_cmpmem(g_variant_get_data(got), g_variant_get_size(got), g_variant_get_data(expected), size);
	checked = g_variant_ref_sink(g_variant_new_from_data(g_variant_get_type(got), g_variant_get_data(got), size, FALSE,
							     NULL, NULL));
	g_assert_true(g_variant_is_normal_form(checked));
}

/* What went in comes out of the message, whatever is behind and before it. */
static void test_read(BusFixture *fixture, const void *data)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GVariant) value = g_variant_parse(G_VARIANT_TYPE(rows[i].type), rows[i].value,
							    NULL, NULL, NULL);
		g_autoptr(GVariant) tuple =
			g_variant_ref_sink(g_variant_new("(y@*s)", 7, value, "end"));
		g_autoptr(sd_bus_message) message = bus_new_message(fixture);
		g_autoptr(GVariant) got = NULL;

		g_assert_cmpint(bus_append_arguments(message, tuple, NULL), >=, 0);
		bus_seal(message);
		/* Somebody has read in it already. */
		g_assert_cmpint(sd_bus_message_skip(message, "y"), >=, 0);
		g_assert_cmpint(bus_read_gvariant(message, &got, NULL), ==, 0);
		check_bytes(got, tuple);
		g_assert_cmpstr(g_variant_get_type_string(got), ==, g_variant_get_type_string(tuple));
		g_assert_false(g_variant_is_floating(got));
	}
}

static void check_read(BusFixture *fixture, GVariant *tuple)
{
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	g_autoptr(GVariant) got = NULL;

	g_assert_cmpint(bus_append_arguments(message, tuple, NULL), >=, 0);
	bus_seal(message);
	g_assert_cmpint(bus_read_gvariant(message, &got, NULL), ==, 0);
	g_assert_cmpstr(g_variant_get_type_string(got), ==, g_variant_get_type_string(tuple));
	check_bytes(got, tuple);
}

static GVariant *make_string(GRand *dice)
{
	g_autofree char *text = g_strnfill((size_t)g_rand_int_range(dice, 0, 6), 'x');

	return g_variant_new_string(text);
}

static GVariant *make_any(GRand *dice, int depth);

/* Of strings, and of structs of a fixed size. */
static GVariant *make_array(GRand *dice)
{
	bool are_fixed = g_rand_boolean(dice);
	GVariantBuilder builder;

	g_variant_builder_init(&builder, are_fixed ? G_VARIANT_TYPE("a(yut)") : G_VARIANT_TYPE("as"));
	for (int i = g_rand_int_range(dice, 0, 4); i > 0; i--)
		if (are_fixed)
			g_variant_builder_add(&builder, "(yut)", i, i, G_GUINT64_CONSTANT(7));
		else
			g_variant_builder_add_value(&builder, make_string(dice));
	return g_variant_builder_end(&builder);
}

static GVariant *make_dict(GRand *dice, int depth)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
	for (int i = g_rand_int_range(dice, 0, 4); i > 0; i--) {
		g_autoptr(GVariant) key = g_variant_ref_sink(make_string(dice));

		g_variant_builder_add(&builder, "{sv}", g_variant_get_string(key, NULL), make_any(dice, depth));
	}
	return g_variant_builder_end(&builder);
}

static GVariant *make_tuple(GRand *dice, int depth)
{
	GVariant *children[4];
	size_t n = (size_t)g_rand_int_range(dice, 1, G_N_ELEMENTS(children) + 1);

	for (size_t i = 0; i < n; i++)
		children[i] = make_any(dice, depth);
	return g_variant_new_tuple(children, n);
}

static GVariant *make_any(GRand *dice, int depth)
{
	switch (g_rand_int_range(dice, 0, depth > 0 ? 10 : 7)) {
	case 0:
		return g_variant_new_byte(255);
	case 1:
		return g_variant_new_boolean(TRUE);
	case 2:
		return g_variant_new_uint16(2);
	case 3:
		return g_variant_new_uint32(4);
	case 4:
		return g_variant_new_double(8.5);
	case 5:
		return make_string(dice);
	case 6:
		return make_array(dice);
	case 7:
		return make_dict(dice, depth - 1);
	case 8:
		return make_tuple(dice, depth - 1);
	default:
		return g_variant_new_variant(make_any(dice, depth - 1));
	}
}

static void test_read_anything(BusFixture *fixture, const void *data)
{
	g_autoptr(GRand) dice = g_rand_new_with_seed(8);

	for (unsigned i = 0; i < 3000; i++) {
		g_autoptr(GVariant) tuple = g_variant_ref_sink(make_tuple(dice, 4));

		g_test_message("%s", g_variant_get_type_string(tuple));
		check_read(fixture, tuple);
	}
}

/* Where parts end is said in numbers that get wider with the whole. */
static void test_read_sizes(BusFixture *fixture, const void *data)
{
	static const size_t sizes[] = { 0, 250, 251, 252, 253, 254, 255, 256, 65527, 65528, 65529, 65530, 65531, 65532, 65533, 65534,
					65535, 65536, 70000 };

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *text = g_strnfill(sizes[i], 'x');
		const char *const texts[] = { text, "end", NULL };
		g_autoptr(GVariant) parts = g_variant_ref_sink(g_variant_new("(ss)", text, "end"));
		g_autoptr(GVariant) list = g_variant_ref_sink(g_variant_new("(^as)", texts));

		check_read(fixture, parts);
		check_read(fixture, list);
	}
}

static void test_read_nothing(BusFixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	g_autoptr(GVariant) got = NULL;

	bus_seal(message);
	g_assert_cmpint(bus_read_gvariant(message, &got, NULL), ==, 0);
	g_assert_cmpstr(g_variant_get_type_string(got), ==, "()");
}

/* A hundred thousand numbers take no more than their bytes: each of its own would be a hundred times as much. */
static void test_read_numbers(BusFixture *fixture, const void *data)
{
	static const char *const types[] = { "y", "n", "q", "i", "u", "x", "t", "d" };

	for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
		size_t size = i < 1 ? 1 : i < 3 ? 2 : i < 5 ? 4 : 8;
		g_autofree char *bytes = g_malloc0(100000 * size);
		g_autoptr(GVariant) tuple = g_variant_ref_sink(g_variant_new("(@*)",
			g_variant_new_fixed_array(G_VARIANT_TYPE(types[i]), bytes, 100000, size)));
		g_autoptr(sd_bus_message) message = bus_new_message(fixture);
		g_autoptr(GVariant) got = NULL;

		g_assert_cmpint(bus_append_arguments(message, tuple, NULL), >=, 0);
		bus_seal(message);
		g_assert_cmpint(bus_read_gvariant(message, &got, NULL), ==, 0);
		g_assert_true(g_variant_equal(got, tuple));
	}
}

static ssize_t get_byte(int fd, char *byte)
{
	return read(fd, byte, 1);
}

/* A descriptor is another one to the same file on the other side, and is the reader's. */
static void test_handles(BusFixture *fixture, const void *data)
{
	g_autoptr(GVariant) tuple = g_variant_ref_sink(g_variant_new_parsed("({'b': <handle 1>}, handle 0)"));
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	g_autoptr(GVariant) got = NULL, dict = NULL;
	g_autoptr(GArray) fds = bus_fds_new();
	int pipes[2], handle, first, second;
	char byte = 0;

	g_assert_cmpint(pipe(pipes), ==, 0);
	g_assert_cmpint(bus_append_arguments(message, tuple, pipes), >=, 0);
	bus_seal(message);
	g_assert_cmpint(bus_read_gvariant(message, &got, fds), ==, 0);
	g_assert_cmpint(fds->len, ==, 2);
	dict = g_variant_get_child_value(got, 0);
	g_assert_true(g_variant_lookup(dict, "b", "h", &handle));
	second = bus_fds_steal(fds, (unsigned)handle);
	g_variant_get_child(got, 1, "h", &handle);
	first = bus_fds_steal(fds, (unsigned)handle);
	g_assert_cmpint(first, >, 2);
	g_assert_cmpint(second, >, 2);
	g_assert_cmpint(write(second, "x", 1), ==, 1);
	g_assert_cmpint(get_byte(first, &byte), ==, 1);
	g_assert_cmpint(byte, ==, 'x');
	g_assert_cmpint(bus_fds_steal(fds, (unsigned)handle), ==, -1);
	g_assert_cmpint(bus_fds_steal(fds, 2), ==, -1);
	close(first);
	close(second);
	close(pipes[0]);
	close(pipes[1]);
}

/* Who does not want descriptors gets none, and none is left open. */
static void test_handles_not_wanted(BusFixture *fixture, const void *data)
{
	g_autoptr(GVariant) tuple = g_variant_ref_sink(g_variant_new_parsed("(handle 0,)"));
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	g_autoptr(GVariant) got = NULL;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), handle = 0, next;

	g_assert_cmpint(bus_append_arguments(message, tuple, &fd), >=, 0);
	bus_seal(message);
	next = dup(fd);
	close(next);
	g_assert_cmpint(bus_read_gvariant(message, &got, NULL), ==, 0);
	g_variant_get(got, "(h)", &handle);
	g_assert_cmpint(handle, ==, -1);
	handle = dup(fd);
	g_assert_cmpint(handle, ==, next);
	close(handle);
	close(fd);
}

/* There is nothing that they stand for. */
static void test_handles_missing(BusFixture *fixture, const void *data)
{
	g_autoptr(GVariant) tuple = g_variant_ref_sink(g_variant_new_parsed("(handle 0,)"));
	g_autoptr(GVariant) negative = g_variant_ref_sink(g_variant_new_parsed("(handle -1,)"));
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	int fd = 0;

	g_assert_cmpint(bus_append_arguments(message, tuple, NULL), ==, -EBADF);
	g_assert_cmpint(bus_append_gvariant(message, tuple), ==, -EBADF);
	g_assert_cmpint(bus_append_arguments(message, negative, &fd), ==, -EBADF);
}

/* Behind each other in one message, and from a value in another byte order. */
static void test_in_a_row(BusFixture *fixture, const void *data)
{
	g_autoptr(GVariant) number = g_variant_ref_sink(g_variant_new_uint64(1));
	g_autoptr(GVariant) swapped = g_variant_byteswap(number);
	g_autoptr(GVariant) text_value = g_variant_ref_sink(g_variant_new_string("a"));
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	g_autofree char *text = NULL;

	g_assert_cmpint(bus_append_gvariant(message, text_value), >=, 0);
	g_assert_cmpint(bus_append_dict(message, NULL), >=, 0);
	g_assert_cmpint(bus_append_gvariant(message, number), >=, 0);
	g_assert_cmpint(bus_append_gvariant(message, swapped), >=, 0);
	bus_seal(message);
	g_assert_cmpstr(sd_bus_message_get_signature(message, true), ==, "sa{sv}tt");
	text = bus_describe(message);
	g_assert_cmpstr(text, ==, "'a' [] 1 72057594037927936");
}

static void test_dict(BusFixture *fixture, const void *data)
{
	g_autoptr(GVariantDict) dict = g_variant_dict_new(NULL);
	g_autoptr(GVariant) value = NULL;
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	g_autofree char *text = NULL;

	g_variant_dict_insert(dict, "exit-status", "i", 3);
	value = g_variant_ref_sink(g_variant_dict_end(dict));
	g_assert_cmpint(bus_append_dict(message, value), >=, 0);
	bus_seal(message);
	text = bus_describe(message);
	g_assert_cmpstr(text, ==, "[{'exit-status' <i 3>}]");
}

static void test_strings(BusFixture *fixture, const void *data)
{
	g_autoptr(GHashTable) table = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	g_autofree char *text = NULL;

	g_assert_cmpint(bus_append_strings(message, table), >=, 0);
	g_hash_table_insert(table, (char *)"cd0", (char *)"open");
	g_assert_cmpint(bus_append_strings(message, table), >=, 0);
	bus_seal(message);
	g_assert_cmpstr(sd_bus_message_get_signature(message, true), ==, "a{ss}a{ss}");
	text = bus_describe(message);
	g_assert_cmpstr(text, ==, "[] [{'cd0' 'open'}]");
}

/* It arrives at the other end of a connection as it was built. */
static void test_sent(BusFixture *fixture, const void *data)
{
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;
	g_autoptr(GVariant) value = g_variant_parse(G_VARIANT_TYPE("(sa{sv})"),
						    "('a', {'k': <uint64 5>})", NULL, NULL, NULL);
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	g_autofree char *text = NULL;

	g_assert_cmpint(bus_append_gvariant(message, value), >=, 0);
	g_assert_cmpint(sd_bus_send(fixture->service, message, NULL), >=, 0);
	while (g_queue_is_empty(&fixture->received)) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		(void)bus_run_service(fixture);
		bus_run_client(fixture);
	}
	text = bus_describe(g_queue_peek_head(&fixture->received));
	g_assert_cmpstr(text, ==, "('a' [{'k' <t 5>}])");
}

#define ADD(name, function)                                                                        \
	g_test_add("/service/bus-variant/" name, BusFixture, NULL, bus_set_up, function, bus_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("values", test_values);
	ADD("read", test_read);
	ADD("read-anything", test_read_anything);
	ADD("read-sizes", test_read_sizes);
	ADD("read-nothing", test_read_nothing);
	ADD("read-numbers", test_read_numbers);
	ADD("handles", test_handles);
	ADD("handles-not-wanted", test_handles_not_wanted);
	ADD("handles-missing", test_handles_missing);
	ADD("in-a-row", test_in_a_row);
	ADD("dict", test_dict);
	ADD("strings", test_strings);
	ADD("sent", test_sent);
	return g_test_run();
}
