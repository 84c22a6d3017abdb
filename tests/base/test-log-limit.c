/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log-limit.h"

#define SECOND G_TIME_SPAN_SECOND

static LogLimit *new_limit(unsigned of_key, unsigned of_all)
{
	return log_limit_new(&(LogLimits){ of_key, of_all, 10 * SECOND });
}

static void test_of_key(void)
{
	g_autoptr(LogLimit) limit = new_limit(3, 1000);
	int64_t now = 1000 * SECOND;

	for (int interval = 0; interval < 3; interval++, now += 10 * SECOND) {
		g_assert_cmpint(log_limit_ask(limit, "a", now), ==, LOG_VERDICT_WRITE);
		g_assert_cmpuint(log_limit_take_left_out(limit, false), ==, interval ? 500 : 0);
		g_assert_cmpint(log_limit_ask(limit, "a", now + 1), ==, LOG_VERDICT_WRITE);
		g_assert_cmpint(log_limit_ask(limit, "a", now + 2), ==, LOG_VERDICT_WRITE_LAST);
		for (int i = 0; i < 500; i++)
			g_assert_cmpint(log_limit_ask(limit, "a", now + 10 * SECOND - 1), ==,
					LOG_VERDICT_LEAVE_OUT);
		/* Another one's flood is not felt. */
		g_assert_cmpint(log_limit_ask(limit, "b", now + 3), ==, LOG_VERDICT_WRITE);
		/* Not before the interval is over. */
		g_assert_cmpuint(log_limit_take_left_out(limit, false), ==, 0);
	}
	g_assert_cmpuint(log_limit_take_left_out(limit, true), ==, 500);
	g_assert_cmpuint(log_limit_take_left_out(limit, true), ==, 0);
}

/* Asked before, it is counted once, whether it is left out there or behind. */
static void test_leaves_out(void)
{
	g_autoptr(LogLimit) limit = new_limit(2, 3);

	for (int i = 0; i < 5; i++)
		g_assert_false(log_limit_leaves_out(limit, "a", SECOND * 100));
	g_assert_cmpint(log_limit_ask(limit, "a", SECOND * 100), ==, LOG_VERDICT_WRITE);
	g_assert_false(log_limit_leaves_out(limit, "a", SECOND * 100));
	g_assert_cmpint(log_limit_ask(limit, "a", SECOND * 100), ==, LOG_VERDICT_WRITE_LAST);
	for (int i = 0; i < 5; i++)
		g_assert_true(log_limit_leaves_out(limit, "a", SECOND * 101));
	/* Of all. */
	g_assert_false(log_limit_leaves_out(limit, "b", SECOND * 101));
	g_assert_cmpint(log_limit_ask(limit, "b", SECOND * 101), ==, LOG_VERDICT_WRITE_LAST);
	g_assert_true(log_limit_leaves_out(limit, "c", SECOND * 101));
	g_assert_cmpint(log_limit_ask(limit, "c", SECOND * 101), ==, LOG_VERDICT_LEAVE_OUT);
	/* The interval is over. */
	g_assert_false(log_limit_leaves_out(limit, "a", SECOND * 110));
	g_assert_cmpuint(log_limit_take_left_out(limit, true), ==, 7);
}

/* Told even if that key never comes again. */
static void test_left_out_of_another(void)
{
	g_autoptr(LogLimit) limit = new_limit(1, 1000);

	g_assert_cmpint(log_limit_ask(limit, "a", SECOND * 100), ==, LOG_VERDICT_WRITE_LAST);
	g_assert_cmpint(log_limit_ask(limit, "a", SECOND * 101), ==, LOG_VERDICT_LEAVE_OUT);
	g_assert_cmpint(log_limit_ask(limit, "b", SECOND * 120), ==, LOG_VERDICT_WRITE_LAST);
	g_assert_cmpuint(log_limit_take_left_out(limit, false), ==, 1);
}

static void test_of_all(void)
{
	g_autoptr(LogLimit) limit = new_limit(3, 10);
	unsigned written = 0, left_out = 0;

	for (int i = 0; i < 1000; i++) {
		g_autofree char *key = g_strdup_printf("%d", i);

		if (log_limit_ask(limit, key, SECOND * 100) == LOG_VERDICT_LEAVE_OUT)
			left_out++;
		else
			written++;
	}
	g_assert_cmpuint(written, ==, 10);
	g_assert_cmpuint(left_out, ==, 990);
	g_assert_cmpint(log_limit_ask(limit, "0", SECOND * 110), ==, LOG_VERDICT_WRITE);
	g_assert_cmpuint(log_limit_take_left_out(limit, false), ==, 990);
}

/* Like no other: bounded with all the rest. */
static void test_without_key(void)
{
	g_autoptr(LogLimit) limit = new_limit(2, 10);

	for (int i = 0; i < 9; i++)
		g_assert_cmpint(log_limit_ask(limit, NULL, SECOND * 100), ==, LOG_VERDICT_WRITE);
	g_assert_cmpint(log_limit_ask(limit, NULL, SECOND * 100), ==, LOG_VERDICT_WRITE_LAST);
	for (int i = 0; i < 7; i++)
		g_assert_cmpint(log_limit_ask(limit, NULL, SECOND * 100), ==, LOG_VERDICT_LEAVE_OUT);
	g_assert_cmpint(log_limit_ask(limit, "a", SECOND * 100), ==, LOG_VERDICT_LEAVE_OUT);
	g_assert_cmpuint(log_limit_take_left_out(limit, true), ==, 8);
	g_assert_cmpint(log_limit_ask(limit, NULL, SECOND * 110), ==, LOG_VERDICT_WRITE);
}

/* Keys come from clients: those for which there is no room share one, and then have room again. */
static void test_keys(void)
{
	g_autoptr(LogLimit) limit = new_limit(2, G_MAXUINT);
	unsigned written = 0;

	for (unsigned i = 0; i < LOG_LIMIT_KEYS_MAX + 100; i++) {
		g_autofree char *key = g_strdup_printf("%u", i);

		written += log_limit_ask(limit, key, SECOND * 100) != LOG_VERDICT_LEAVE_OUT;
	}
	g_assert_cmpuint(written, ==, LOG_LIMIT_KEYS_MAX + 2);
	g_assert_cmpint(log_limit_ask(limit, "0", SECOND * 100), ==, LOG_VERDICT_WRITE_LAST);
	g_assert_cmpint(log_limit_ask(limit, "new", SECOND * 110), ==, LOG_VERDICT_WRITE);
	g_assert_cmpuint(log_limit_take_left_out(limit, true), ==, 98);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/base/log-limit/of-key", test_of_key);
	g_test_add_func("/base/log-limit/leaves-out", test_leaves_out);
	g_test_add_func("/base/log-limit/left-out-of-another", test_left_out_of_another);
	g_test_add_func("/base/log-limit/of-all", test_of_all);
	g_test_add_func("/base/log-limit/without-key", test_without_key);
	g_test_add_func("/base/log-limit/keys", test_keys);
	return g_test_run();
}
