/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <string.h>

#include "base/error.h"
#include "base/json-text.h"

/* Any text. What is taken as JSON must mean the same when it has been written and read again. */

#define NESTING 64u

static void check_bounds(const char *text, size_t size)
{
	g_assert_false(json_text_check(text, size, size - 1, NESTING, NULL));
	/* What is good in few levels is good in more. */
	if (json_text_check(text, size, size, NESTING / 2, NULL))
		g_assert_true(json_text_check(text, size, size, NESTING, NULL));
}

static void check_round_trip(JsonNode *node)
{
	g_autofree char *text = json_text_from_node(node);
	g_autoptr(GError) error = NULL;
	g_autoptr(JsonNode) again = json_text_parse(text, strlen(text), SIZE_MAX, NESTING, &error);
	g_autofree char *text_again = NULL;

	g_assert_no_error(error);
	g_assert_nonnull(again);
	g_assert_null(strchr(text, '\n'));
	g_assert_true(json_node_equal(node, again));
	text_again = json_text_from_node(again);
	g_assert_cmpstr(text_again, ==, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	g_autoptr(GError) check_error = NULL, error = NULL;
	bool good = json_text_check(text, size, size, NESTING, &check_error);
	g_autoptr(JsonNode) node = json_text_parse(text, size, size, NESTING, &error);

	if (size > 0)
		check_bounds(text, size);
	if (!good) {
		fuzz_assert_refusal(check_error, CORE_ERROR_INVALID_ARGUMENT);
		g_assert_null(node);
	}
	if (!node) {
		fuzz_assert_refusal(error, CORE_ERROR_INVALID_ARGUMENT);
		return 0;
	}
	g_assert_no_error(error);
	g_assert_true(json_node_is_immutable(node));
	check_round_trip(node);
	return 0;
}
