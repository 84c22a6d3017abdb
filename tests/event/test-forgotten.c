/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/forgotten.h"

#define A   "aaaaaaaa-0000-4000-8000-000000000000"
#define B   "bbbbbbbb-0000-4000-8000-000000000000"
#define C   "cccccccc-0000-4000-8000-000000000000"
#define ALL UINT64_MAX
#define BIT(kind) (UINT64_C(1) << (kind))

static void test_kinds(void)
{
	g_autoptr(Forgotten) forgotten = forgotten_new(0);

	g_assert_cmpuint(forgotten_get_last(forgotten, NULL, ALL), ==, 0);
	forgotten_add(forgotten, A, EVENT_RESET, 1);
	forgotten_add(forgotten, B, EVENT_RESET, 2);
	forgotten_add(forgotten, B, EVENT_LIFECYCLE, 3);
	forgotten_add(forgotten, A, EVENT_JOB_EVENT, 7);
	g_assert_cmpuint(forgotten_get_last(forgotten, NULL, ALL), ==, 7);
	g_assert_cmpuint(forgotten_get_last(forgotten, NULL, BIT(EVENT_RESET)), ==, 2);
	g_assert_cmpuint(forgotten_get_last(forgotten, NULL, BIT(EVENT_RESET) | BIT(EVENT_LIFECYCLE)), ==, 3);
	g_assert_cmpuint(forgotten_get_last(forgotten, NULL, BIT(EVENT_PANICKED)), ==, 0);
	g_assert_cmpuint(forgotten_get_last(forgotten, NULL, 0), ==, 0);
	g_assert_cmpuint(forgotten_get_last(forgotten, A, ALL), ==, 7);
	g_assert_cmpuint(forgotten_get_last(forgotten, A, BIT(EVENT_RESET)), ==, 1);
	g_assert_cmpuint(forgotten_get_last(forgotten, A, BIT(EVENT_LIFECYCLE)), ==, 0);
	g_assert_cmpuint(forgotten_get_last(forgotten, B, ALL), ==, 3);
	g_assert_cmpuint(forgotten_get_last(forgotten, C, ALL), ==, 0);
}

/* What was before the start may have been anything. */
static void test_unknown(void)
{
	g_autoptr(Forgotten) forgotten = forgotten_new(5);

	forgotten_add(forgotten, A, EVENT_RESET, 6);
	g_assert_cmpuint(forgotten_get_last(forgotten, NULL, BIT(EVENT_PANICKED)), ==, 5);
	g_assert_cmpuint(forgotten_get_last(forgotten, B, BIT(EVENT_RESET)), ==, 5);
	g_assert_cmpuint(forgotten_get_last(forgotten, A, BIT(EVENT_RESET)), ==, 6);
	/* But none of what there is not. */
	g_assert_cmpuint(forgotten_get_last(forgotten, A, 0), ==, 0);
}

/* Of more domains than are kept apart, too much is taken for forgotten, and never too little. */
static void test_many_domains(void)
{
	g_autoptr(Forgotten) forgotten = forgotten_new(0);
	uint64_t sequence = 0;

	for (unsigned i = 0; i < FORGOTTEN_DOMAINS_MAX; i++) {
		g_autofree char *uuid = g_strdup_printf("%08x-0000-4000-8000-000000000000", i);

		forgotten_add(forgotten, uuid, i == 0 ? EVENT_LIFECYCLE : EVENT_RESET, ++sequence);
	}
	g_assert_cmpuint(forgotten_get_last(forgotten, "00000005-0000-4000-8000-000000000000", ALL), ==, 6);
	g_assert_cmpuint(forgotten_get_last(forgotten, C, ALL), ==, 0);
	forgotten_add(forgotten, A, EVENT_PANICKED, ++sequence);
	g_assert_cmpuint(forgotten_get_last(forgotten, "00000005-0000-4000-8000-000000000000", ALL), ==, sequence - 1);
	g_assert_cmpuint(forgotten_get_last(forgotten, C, BIT(EVENT_LIFECYCLE)), ==, 1);
	g_assert_cmpuint(forgotten_get_last(forgotten, C, BIT(EVENT_JOB_EVENT)), ==, 0);
	g_assert_cmpuint(forgotten_get_last(forgotten, A, BIT(EVENT_PANICKED)), ==, sequence);
	forgotten_add(forgotten, B, EVENT_PANICKED, ++sequence);
	g_assert_cmpuint(forgotten_get_last(forgotten, C, BIT(EVENT_PANICKED)), ==, sequence - 2);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/forgotten/kinds", test_kinds);
	g_test_add_func("/event/forgotten/unknown", test_unknown);
	g_test_add_func("/event/forgotten/many-domains", test_many_domains);
	return g_test_run();
}
