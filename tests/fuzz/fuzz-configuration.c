/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "model/configuration.h"

/* vmherald.conf, as somebody edited it. What is accepted can be written, and read again it is the same; whatever is wrong is told on one
 * line, of a line that there is. */

static void check_problems(const GPtrArray *problems, const uint8_t *data, size_t size)
{
	unsigned n_lines = 1;

	for (size_t i = 0; i < size; i++)
		n_lines += data[i] == '\n';
	g_assert_cmpuint(problems->len, <=, CONFIGURATION_PROBLEMS_MAX + 1);
	for (unsigned i = 0; i < problems->len; i++) {
		const ConfigurationProblem *problem = problems->pdata[i];
		g_autofree char *line = configuration_problem_to_string(problem);

		fuzz_assert_line(line);
		fuzz_assert_line(problem->message);
		g_assert_cmpstr(problem->message, !=, "");
		g_assert_cmpuint(problem->line, <=, n_lines);
	}
}

static void check_round_trip(const Configuration *configuration)
{
	g_autoptr(Configuration) again = configuration_new(false);
	g_autoptr(GPtrArray) problems = configuration_problems_new();
	g_autoptr(GString) text = g_string_new(NULL);

	for (size_t i = 0; i < configuration_keys_length; i++) {
		const ConfigurationKey *key = &configuration_keys[i];
		g_autofree char *value = configuration_key_get_text(key, configuration);

		fuzz_assert_line(value);
		g_string_append_printf(text, "[%s]\n%s=%s\n", key->section, key->name, value);
	}
	g_assert_true(configuration_read(again, false, "again", text->str, text->len, problems));
	for (size_t i = 0; i < configuration_keys_length; i++) {
		const ConfigurationKey *key = &configuration_keys[i];
		g_autofree char *value = configuration_key_get_text(key, configuration);

		/* An empty text is the default. */
		if (*value)
			g_assert_true(configuration_key_equal(key, configuration, again));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(Configuration) configuration = configuration_new(true);
	g_autoptr(GPtrArray) problems = configuration_problems_new();
	bool good = configuration_read(configuration, true, "/etc/vmherald.conf", (const char *)data, size, problems);

	g_assert_cmpint(good, ==, problems->len == 0);
	check_problems(problems, data, size);
	if (good)
		check_round_trip(configuration);
	return 0;
}
