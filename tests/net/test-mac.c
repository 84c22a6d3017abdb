/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "net/mac.h"

static void test_parse(void)
{
	static const char *const bad[] = {
		"", "52", "52:54:00:12:34:5", "52:54:00:12:34:567", "52:54:00:12:34:56:", "52-54-00-12-34-56",
		"525400123456", " 52:54:00:12:34:56", "52:54:00:12:34:56 ", "52:54:00:12:34:5g", "5:254:00:12:34:56",
		"52:54:00:12:34", "0x:54:00:12:34:56", "+5:54:00:12:34:56", "52:54:00:12:34:\xc3\xa9", "::::::::::::::::: ",
		":::::::::::::::::",
	};
	Mac mac = { { 1, 2, 3, 4, 5, 6 } };
	const Mac before = mac;
	g_autofree char *text = NULL;

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_false(mac_parse(bad[i], &mac));
		g_assert_true(mac_equal(&mac, &before));
	}
	g_assert_false(mac_parse(NULL, &mac));

	g_assert_true(mac_parse("52:54:00:Ab:cD:0f", &mac));
	g_assert_true(mac_equal(&mac, &(Mac){ { 0x52, 0x54, 0x00, 0xab, 0xcd, 0x0f } }));
	text = mac_to_string(&mac);
	g_assert_cmpstr(text, ==, "52:54:00:ab:cd:0f");
	g_assert_cmpuint(strlen(text), ==, MAC_TEXT_LENGTH);
}

static void test_kinds(void)
{
	static const struct {
		const char *text;
		bool group, broadcast, zero;
	} rows[] = {
		{ "52:54:00:12:34:56", false, false, false },
		{ "00:00:00:00:00:00", false, false, true },
		{ "00:00:00:00:00:01", false, false, false },
		{ "01:00:5e:00:00:01", true, false, false },
		{ "33:33:00:00:00:01", true, false, false },
		{ "ff:ff:ff:ff:ff:ff", true, true, false },
		{ "ff:ff:ff:ff:ff:fe", true, false, false },
		{ "fe:ff:ff:ff:ff:ff", false, false, false },
	};
	Mac mac;

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_assert_true(mac_parse(rows[i].text, &mac));
		g_assert_true(mac_is_group(&mac) == rows[i].group);
		g_assert_true(mac_is_broadcast(&mac) == rows[i].broadcast);
		g_assert_true(mac_is_zero(&mac) == rows[i].zero);
	}
}

static void check_texts(const MacSet *set, const char *wanted)
{
	g_auto(GStrv) texts = mac_set_to_strings(set);
	g_autofree char *line = g_strjoinv(" ", texts);

	g_assert_cmpstr(line, ==, wanted);
}

static void test_set_from_strings(void)
{
	static const char *const texts[] = { "52:54:00:00:00:02", "what", "52:54:00:00:00:01",
					     "52:54:00:00:00:02", "FE:00:00:00:00:00", "", "52:54:00:00:00:01",
					     NULL };
	g_autoptr(MacSet) set = mac_set_new_from_strings(texts);
	g_autoptr(MacSet) empty = mac_set_new_from_strings(NULL);
	g_autoptr(MacSet) copy = mac_set_copy(set);
	Mac mac;

	check_texts(set, "52:54:00:00:00:01 52:54:00:00:00:02 fe:00:00:00:00:00");
	g_assert_cmpuint(mac_set_get_size(empty), ==, 0);

	/* A copy goes its own way. */
	g_assert_true(mac_parse("52:54:00:00:00:02", &mac));
	mac_set_remove(copy, &mac);
	g_assert_false(mac_set_contains(copy, &mac));
	g_assert_true(mac_set_contains(set, &mac));
	g_assert_false(mac_set_equal(set, copy));
	mac_set_add(copy, &mac);
	g_assert_true(mac_set_equal(set, copy));
	/* Its own element, which moves while it is put in again. */
	mac_set_add(copy, mac_set_get(copy, 2));
	g_assert_true(mac_set_equal(set, copy));
}

static void test_no_set_is_an_empty_one(void)
{
	g_autoptr(MacSet) empty = mac_set_new();
	g_autoptr(MacSet) one = mac_set_new();
	g_autoptr(MacSet) sum = NULL;
	g_autoptr(MacSet) rest = NULL;
	g_autoptr(MacSet) common = NULL;
	g_autoptr(MacSet) copy = mac_set_copy(NULL);
	g_auto(GStrv) texts = mac_set_to_strings(NULL);
	Mac mac = { { 2 } };

	mac_set_add(one, &mac);
	sum = mac_set_union(NULL, one);
	rest = mac_set_difference(one, NULL);
	common = mac_set_intersection(one, NULL);
	g_assert_cmpuint(mac_set_get_size(NULL), ==, 0);
	g_assert_false(mac_set_contains(NULL, &mac));
	g_assert_true(mac_set_equal(NULL, empty));
	g_assert_true(mac_set_equal(NULL, NULL));
	g_assert_false(mac_set_equal(one, NULL));
	g_assert_true(mac_set_equal(copy, empty));
	g_assert_null(texts[0]);
	g_assert_true(mac_set_equal(sum, one));
	g_assert_true(mac_set_equal(rest, one));
	g_assert_true(mac_set_equal(common, empty));
	g_assert_null(mac_set_free(NULL));
}

/* ---- against sets of bits ---- */

#define UNIVERSE 12u

static Mac number(unsigned i)
{
	/* In another order than that of the numbers, and in more than one octet. */
	return (Mac){ { (uint8_t)(0x52 + (i * 7) % UNIVERSE), (uint8_t)i, 0, (uint8_t)(i * 31), 0, 1 } };
}

static MacSet *from_bits(unsigned bits)
{
	MacSet *set = mac_set_new();

	for (unsigned i = 0; i < UNIVERSE; i++) {
		Mac mac = number(i);

		if (bits & 1u << i)
			mac_set_add(set, &mac);
	}
	return set;
}

static void check_bits(const MacSet *set, unsigned bits)
{
	g_assert_cmpuint(mac_set_get_size(set), ==, (unsigned)__builtin_popcount(bits));
	for (unsigned i = 0; i < UNIVERSE; i++) {
		Mac mac = number(i);

		g_assert_true(mac_set_contains(set, &mac) == ((bits >> i & 1) != 0));
	}
	for (unsigned i = 1; i < mac_set_get_size(set); i++)
		g_assert_cmpint(memcmp(mac_set_get(set, i - 1), mac_set_get(set, i), sizeof(Mac)), <, 0);
}

static void test_algebra(void)
{
	for (unsigned round = 0; round < 20000; round++) {
		unsigned a = (unsigned)g_test_rand_int_range(0, 1 << UNIVERSE);
		unsigned b = (unsigned)g_test_rand_int_range(0, 1 << UNIVERSE);
		unsigned i = (unsigned)g_test_rand_int_range(0, UNIVERSE);
		g_autoptr(MacSet) set_a = from_bits(a);
		g_autoptr(MacSet) set_b = from_bits(b);
		g_autoptr(MacSet) both = mac_set_intersection(set_a, set_b);
		g_autoptr(MacSet) either = mac_set_union(set_a, set_b);
		g_autoptr(MacSet) rest = mac_set_difference(set_a, set_b);
		g_auto(GStrv) texts = mac_set_to_strings(set_a);
		g_autoptr(MacSet) again = mac_set_new_from_strings((const char *const *)texts);
		Mac mac = number(i);

		check_bits(both, a & b);
		check_bits(either, a | b);
		check_bits(rest, a & ~b);
		g_assert_true(mac_set_equal(again, set_a));
		g_assert_true(mac_set_equal(set_a, set_b) == (a == b));
		mac_set_add(set_a, &mac);
		check_bits(set_a, a | 1u << i);
		mac_set_remove(set_b, &mac);
		check_bits(set_b, b & ~(1u << i));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/mac/parse", test_parse);
	g_test_add_func("/mac/kinds", test_kinds);
	g_test_add_func("/mac/set-from-strings", test_set_from_strings);
	g_test_add_func("/mac/no-set-is-an-empty-one", test_no_set_is_an_empty_one);
	g_test_add_func("/mac/algebra", test_algebra);
	return g_test_run();
}
