/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "base/error.h"

#define FATAL (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL)

/* What the product says about bad input is right to be said, and not a million times. */
static void on_log(const char *domain, GLogLevelFlags level, const char *text, void *userdata)
{
	fuzz_assert_text(text);
	if (level & (FATAL | G_LOG_LEVEL_WARNING))
		g_log_default_handler(domain, level, text, userdata);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	g_log_set_default_handler(on_log, NULL);
	g_log_set_always_fatal(FATAL);
	return 0;
}

void fuzz_assert_text(const char *text)
{
	g_assert_nonnull(text);
	g_assert_true(g_utf8_validate(text, -1, NULL));
}

void fuzz_assert_line(const char *text)
{
	fuzz_assert_text(text);
	for (const char *p = text; *p; p = g_utf8_next_char(p))
		g_assert_false(g_unichar_iscntrl(g_utf8_get_char(p)));
}

void fuzz_assert_error(const GError *error)
{
	g_assert_nonnull(error);
	g_assert_true(error->domain == CORE_ERROR);
	g_assert_cmpint(error->code, >=, 0);
	g_assert_cmpint(error->code, <, CORE_ERROR_MAX);
	fuzz_assert_text(error->message);
	g_assert_cmpstr(error->message, !=, "");
}

void fuzz_assert_refusal(const GError *error, int code)
{
	fuzz_assert_error(error);
	g_assert_cmpint(error->code, ==, code);
	fuzz_assert_line(error->message);
}
