/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "client/position.h"

/* ---- the set ---- */

#define NUMBERS 200u

static void check_set(const SequenceSet *set, const bool has[NUMBERS])
{
	uint64_t count = 0, last = 0;
	unsigned ranges = 0;

	for (unsigned i = 1; i < NUMBERS; i++) {
		count += has[i];
		ranges += has[i] && !has[i - 1];
		last = has[i] ? i : last;
		g_assert_cmpint(sequence_set_has(set, i), ==, has[i]);
		g_assert_cmpuint(sequence_set_count_until(set, i), ==, count);
	}
	g_assert_cmpuint(sequence_set_get_length(set), ==, ranges);
	g_assert_cmpuint(sequence_set_get_last(set), ==, last);
}

/* Against a plain table, in any order. */
static void test_set(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);

	for (unsigned run = 0; run < 200; run++) {
		g_autoptr(SequenceSet) set = sequence_set_new();
		bool has[NUMBERS] = { false };

		for (unsigned step = 0; step < 300; step++) {
			unsigned number = g_rand_int_range(rand, 1, NUMBERS);

			if (g_rand_int_range(rand, 0, 40) > 0) {
				sequence_set_add(set, number);
				has[number] = true;
			} else {
				number /= 4;
				sequence_set_remove_until(set, number);
				memset(has, 0, number + 1);
			}
			check_set(set, has);
		}
	}
}

static void test_set_ends(void)
{
	g_autoptr(SequenceSet) set = sequence_set_new();

	sequence_set_remove_until(set, 5);
	g_assert_cmpuint(sequence_set_get_last(set), ==, 0);
	g_assert_true(sequence_set_append(set, (SequenceRange){ 5, 7 }));
	g_assert_false(sequence_set_append(set, (SequenceRange){ 8, 9 }));
	g_assert_false(sequence_set_append(set, (SequenceRange){ 6, 9 }));
	g_assert_false(sequence_set_append(set, (SequenceRange){ 1, 2 }));
	g_assert_false(sequence_set_append(set, (SequenceRange){ 10, 9 }));
	g_assert_true(sequence_set_append(set, (SequenceRange){ 9, UINT64_MAX - 1 }));
	g_assert_cmpuint(sequence_set_count_until(set, UINT64_MAX), ==, 3 + UINT64_MAX - 9);
	sequence_set_remove_until(set, UINT64_MAX);
	g_assert_cmpuint(sequence_set_get_length(set), ==, 0);
}

/* ---- the text ---- */

static void check_good(const char *string)
{
	g_autoptr(SequenceSet) ahead = sequence_set_new();
	g_autofree char *again = NULL;
	uint64_t sequence;

	g_assert_true(position_parse(string, &sequence, ahead));
	again = position_to_string(sequence, ahead);
	g_assert_cmpstr(again, ==, string);
}

static void check_bad(const char *string)
{
	g_autoptr(SequenceSet) ahead = sequence_set_new();
	uint64_t sequence = 77;

	g_assert_false(position_parse(string, &sequence, ahead));
	g_assert_cmpuint(sequence, ==, 77);
}

static void test_good(void)
{
	check_good("0");
	check_good("1234");
	check_good("1234+1240-1250,1260");
	check_good("5+6");
	check_good("5+7,9-10,12");
	check_good("18446744073709551614");
	check_good("1+18446744073709551613-18446744073709551614");
}

static void test_bad(void)
{
	static const char *const strings[] = {
		"", " ", "a", "-1", "+1", " 1", "1 ", "1\n", "01", "00", "0x1", "1.0", "1e3",
		"18446744073709551615", "18446744073709551616", "99999999999999999999999",
		"5+", "5,6", "5-6", "5+7,", "5+7+9", "5++7", "5+7,,9", "5+7-", "5+-7", "5+7-7", "5+8-7", "5+7-9-11",
		"5+5", "5+4", "5+1-9", "5+9,7", "5+7,8", "5+7-9,9", "5+7-9,10", "5+7,7", "5+07", "5+7-09", "5+7 ,9",
		"5+7-18446744073709551615", "5+99999999999999999999999",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(strings); i++)
		check_bad(strings[i]);
}

/* As long as it may be: what is written is read. */
static void test_bounds(void)
{
	g_autoptr(SequenceSet) ahead = sequence_set_new();
	g_autofree char *string = NULL, *spaces = NULL;
	uint64_t first = UINT64_MAX - 4 * POSITION_RANGES_MAX;
	g_autofree char *more = NULL;

	for (unsigned i = 0; i < POSITION_RANGES_MAX; i++)
		g_assert_true(sequence_set_append(ahead, (SequenceRange){ first + 3 * i, first + 3 * i + 1 }));
	string = position_to_string(first - 2, ahead);
	g_assert_cmpuint(strlen(string), ==, POSITION_LENGTH_MAX);
	check_good(string);
	more = g_strconcat(string, ",1", NULL);
	check_bad(more);
	/* Too many ranges, though they are short. */
	sequence_set_clear(ahead);
	for (unsigned i = 0; i <= POSITION_RANGES_MAX; i++)
		sequence_set_add(ahead, 3 + 2 * i);
	g_free(string);
	string = position_to_string(1, ahead);
	g_assert_cmpuint(strlen(string), <, POSITION_LENGTH_MAX);
	check_bad(string);
	spaces = g_strnfill(100 * 1000 * 1000, '1');
	check_bad(spaces);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/position/set", test_set);
	g_test_add_func("/client/position/set-ends", test_set_ends);
	g_test_add_func("/client/position/good", test_good);
	g_test_add_func("/client/position/bad", test_bad);
	g_test_add_func("/client/position/bounds", test_bounds);
	return g_test_run();
}
