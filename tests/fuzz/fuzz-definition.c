/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/json-text.h"
#include "model/definition.h"
#include "qemu/command-line.h"

/* A document as a client sends it, or as somebody edited it on the disk. What is accepted is kept in
 * a file, so written and read again it must be the same; and it has a command line. */

static void check_problems(const GPtrArray *problems, bool good, const char *text, size_t size)
{
	unsigned n_lines = 1;

	for (size_t i = 0; i < size; i++)
		n_lines += text[i] == '\n';
	g_assert_cmpint(problems->len == 0, ==, good);
	g_assert_cmpuint(problems->len, <=, DEFINITION_PROBLEMS_MAX + 1);
	for (unsigned i = 0; i < problems->len; i++) {
		const DefinitionProblem *problem = problems->pdata[i];

		fuzz_assert_line(problem->path);
		fuzz_assert_line(problem->message);
		g_assert_cmpstr(problem->message, !=, "");
		g_assert_cmpuint(problem->place.line, <=, n_lines);
		g_assert_cmpuint(problem->place.column, <=, size + 2);
		g_assert_cmpint(problem->place.line == 0, ==, problem->place.column == 0);
	}
}

static void check_round_trip(const Definition *definition)
{
	g_autofree char *text = definition_to_json(definition);
	g_autoptr(GError) error = NULL;
	g_autoptr(Definition) again = definition_parse(text, strlen(text), &error);
	g_autofree char *text_again = NULL;

	g_assert_no_error(error);
	g_assert_nonnull(again);
	text_again = definition_to_json(again);
	g_assert_cmpstr(text_again, ==, text);
}

static void check_autostart(const Definition *definition)
{
	g_autofree char *text = definition_to_json(definition);
	g_autoptr(Definition) other = definition_with_autostart(definition, !definition->autostart);
	g_autoptr(Definition) back = definition_with_autostart(other, definition->autostart);
	g_autofree char *text_back = definition_to_json(back);

	check_round_trip(other);
	g_assert_cmpstr(text_back, ==, text);
}

/* Options whose argument we write as JSON. */
static bool takes_json(const char *option)
{
	static const char *const options[] = { "-blockdev", "-netdev", "-object", "-device", NULL };

	return g_strv_contains(options, option);
}

static void check_command_line(const Definition *definition)
{
	g_auto(GStrv) console_logs = qemu_console_log_paths(definition, "/logs");
	const QemuCommandLineContext context = {
		.emulator = "/usr/bin/qemu", .monitor_fd = 3, .pid_file = "/run/pid",
		.firmware_code = definition->firmware.code, .console_logs = (const char *const *)console_logs,
	};
	g_auto(GStrv) arguments = qemu_command_line_build(definition, &context);
	g_auto(GStrv) again = qemu_command_line_build(definition, &context);
	unsigned length = g_strv_length(arguments), own = g_strv_length(definition->arguments);

	g_assert_cmpstrv(arguments, again);
	g_assert_cmpstr(arguments[0], ==, context.emulator);
	for (unsigned i = 0; i < length; i++)
		fuzz_assert_text(arguments[i]);
	/* Those of the definition are the last, unchanged; before them, what is said to be JSON is. */
	g_assert_cmpuint(length, >, own);
	g_assert_cmpstrv(arguments + length - own, definition->arguments);
	for (unsigned i = 0; i + 1 < length - own; i++) {
		if (takes_json(arguments[i]))
			g_assert_true(json_text_check(arguments[i + 1], strlen(arguments[i + 1]),
						      SIZE_MAX, DEFINITION_NESTING_MAX, NULL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) problems = definition_validate(text, size);
	g_autoptr(Definition) definition = definition_parse(text, size, &error);

	check_problems(problems, definition, text, size);
	if (!definition) {
		fuzz_assert_refusal(error, CORE_ERROR_INVALID_DEFINITION);
		return 0;
	}
	g_assert_no_error(error);
	g_assert_true(definition_name_is_valid(definition->name));
	g_assert_true(definition_uuid_is_valid(definition->uuid));
	check_round_trip(definition);
	check_command_line(definition);
	check_autostart(definition);
	return 0;
}
