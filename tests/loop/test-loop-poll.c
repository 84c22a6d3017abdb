/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>

#include "loop-suite.h"
#include "loop/loop-core.h"
#include "loop/loop-poll.h"

static void test_free_null(void)
{
	g_assert_null(loop_free(NULL));
}

static void ignore_cb(int timeout, void *userdata)
{
}

/* At the end of their range ids start over, and leave out those that are in use. */
static void test_ids_start_over(void)
{
	g_autoptr(Loop) loop = loop_poll_new();
	int first = loop_add_timeout(loop, LOOP_DISABLED, ignore_cb, NULL, NULL);

	g_assert_cmpint(first, ==, 1);
	((LoopCore *)loop)->last_id = INT_MAX - 1;
	g_assert_cmpint(loop_add_timeout(loop, LOOP_DISABLED, ignore_cb, NULL, NULL), ==, INT_MAX);
	g_assert_cmpint(loop_add_timeout(loop, LOOP_DISABLED, ignore_cb, NULL, NULL), ==, 2);
	g_assert_true(loop_remove_timeout(loop, first));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	loop_suite_add("poll", loop_poll_new);
	g_test_add_func("/loop/free-null", test_free_null);
	g_test_add_func("/loop/ids-start-over", test_ids_start_over);
	return g_test_run();
}
