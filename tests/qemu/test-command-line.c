/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/command-line.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"

/*
 * Command lines are compared with golden files: data/command-lines/NAME.json is the definition,
 * NAME.args the command line, one argument a line. After a change that is meant,
 *
 *    RENEW_GOLDEN=1 meson test qemu-command-line
 *
 * writes the .args anew; review the difference before you commit it. test-start.c shows that QEMU
 * takes those that it can take on any host.
 */

static const char folder_of_default[] = "/usr/bin";

static char *golden_path(const char *name, const char *suffix)
{
	g_autofree char *file = g_strconcat(name, suffix, NULL);

	return g_test_build_filename(G_TEST_DIST, "data", "command-lines", file, NULL);
}

static char *load(const char *path)
{
	g_autoptr(GError) error = NULL;
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	return text;
}

static Definition *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	Definition *definition = definition_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	return definition;
}

static char *fixed_emulator(const Definition *definition)
{
	const char *name = definition->emulator ? definition->emulator : "qemu-system-x86_64";

	return name[0] == '/' ? g_strdup(name) : g_build_filename(folder_of_default, name, NULL);
}

/* As the domain has it. */
static const char *firmware_vars(const Definition *definition)
{
	if (definition->firmware.vars || !definition->firmware.vars_template)
		return definition->firmware.vars;
	return "/var/lib/vmherald/nvram/0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11.vars";
}

static void check_golden(const char *name)
{
	g_autofree char *json_path = golden_path(name, ".json");
	g_autofree char *args_path = golden_path(name, ".args");
	g_autofree char *json = load(json_path);
	g_autoptr(Definition) definition = parse(json);
	g_autofree char *emulator = fixed_emulator(definition);
	g_auto(GStrv) console_logs = qemu_console_log_paths(definition, "/var/log/vmherald/a,b");
	QemuCommandLineContext context = {
		.emulator = emulator,
		.monitor_fd = 3,
		.pid_file = "/run/vmherald/guest/qemu.pid",
		.console_logs = (const char *const *)console_logs,
		.firmware_code = definition->firmware.code,
		.firmware_vars = firmware_vars(definition),
		.knows_sandbox = !g_str_has_suffix(emulator, "-sparc"),
	};
	g_auto(GStrv) arguments = qemu_command_line_build(definition, &context);
	g_autofree char *joined = g_strjoinv("\n", arguments);
	g_autofree char *line = g_strconcat(joined, "\n", NULL);
	g_autofree char *expected = NULL;

	if (g_getenv("RENEW_GOLDEN")) {
		g_assert_true(g_file_set_contents(args_path, line, -1, NULL));
		return;
	}
	g_test_message("%s", name);
	expected = load(args_path);
	g_assert_cmpstr(line, ==, expected);
}

static void test_golden(void)
{
	g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "data", "command-lines", NULL);
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	unsigned n_files = 0;
	const char *file;

	g_assert_nonnull(directory);
	while ((file = g_dir_read_name(directory))) {
		g_autofree char *name = NULL;

		if (!g_str_has_suffix(file, ".json"))
			continue;
		name = g_strndup(file, strlen(file) - strlen(".json"));
		check_golden(name);
		n_files++;
	}
	g_assert_cmpuint(n_files, >=, 10);
}

static void make_executable(const char *path)
{
	g_assert_true(g_file_set_contents(path, "#!/bin/sh\n", -1, NULL));
	g_assert_cmpint(g_chmod(path, 0755), ==, 0);
}

static void test_find(void)
{
	g_autofree char *old_path = g_strdup(g_getenv("PATH"));
	g_autofree char *folder = g_dir_make_tmp("emulators-XXXXXX", NULL);
	g_autofree char *first = g_build_filename(folder, "first", NULL);
	g_autofree char *second = g_build_filename(folder, "second", NULL);
	g_autofree char *in_first = g_build_filename(first, "qemu-system-a", NULL);
	g_autofree char *in_second = g_build_filename(second, "qemu-system-a", NULL);
	g_autofree char *path = g_strdup_printf(".:%s::%s", first, second);
	g_autofree char *found = NULL, *again = NULL, *text = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(g_mkdir(first, 0700), ==, 0);
	g_assert_cmpint(g_mkdir(second, 0700), ==, 0);
	make_executable(in_second);
	g_setenv("PATH", path, TRUE);

	/* What cannot be executed does not count, nor do folders. */
	g_assert_true(g_file_set_contents(in_first, "", -1, NULL));
	found = qemu_emulator_find("qemu-system-a", &error);
	g_assert_no_error(error);
	g_assert_cmpstr(found, ==, in_second);
	g_clear_pointer(&found, g_free);
	g_assert_cmpint(g_remove(in_first), ==, 0);
	g_assert_cmpint(g_mkdir(in_first, 0700), ==, 0);
	found = qemu_emulator_find("qemu-system-a", &error);
	g_assert_cmpstr(found, ==, in_second);
	g_assert_cmpint(g_rmdir(in_first), ==, 0);
	make_executable(in_first);
	again = qemu_emulator_find("qemu-system-a", &error);
	g_assert_cmpstr(again, ==, in_first);
	g_clear_pointer(&again, g_free);
	again = qemu_emulator_find(in_second, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(again, ==, in_second);

	g_assert_null(qemu_emulator_find("qemu-system-b", &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	text = g_strdup_printf("the emulator qemu-system-b was not found in %s:%s", first, second);
	g_assert_cmpstr(error->message, ==, text);
	g_clear_error(&error);
	g_assert_null(qemu_emulator_find("../second/qemu-system-a", &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	g_clear_error(&error);
	g_assert_null(qemu_emulator_find(second, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	g_clear_error(&error);
	g_assert_null(qemu_emulator_find(NULL, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_START_FAILED);
	g_assert_nonnull(strstr(error->message, "qemu-system-"));

	g_setenv("PATH", old_path, TRUE);
	g_remove(in_first);
	g_remove(in_second);
	g_rmdir(first);
	g_rmdir(second);
	g_rmdir(folder);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qemu/command-line/golden", test_golden);
	g_test_add_func("/qemu/command-line/find", test_find);
	return g_test_run();
}
