/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/directories.h"
#include "base/error.h"
#include "domain/run-file.h"

#define UUID "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

static Definition *make(const char *const *arguments, bool keeps_shut_down)
{
	g_autoptr(GError) error = NULL;
	Definition *definition = adopted_make_definition("a", UUID, "/usr/bin/qemu", "pc", arguments,
							 keeps_shut_down, &error);

	g_assert_no_error(error);
	return definition;
}

static void assert_policies(const Definition *definition, DefinitionPolicy on_shutdown,
			    DefinitionPolicy on_reboot, DefinitionPolicy on_panic)
{
	g_assert_cmpint(definition->on_shutdown, ==, on_shutdown);
	g_assert_cmpint(definition->on_reboot, ==, on_reboot);
	g_assert_cmpint(definition->on_panic, ==, on_panic);
}

/* What QEMU was told by its command line is what is expected of it. */
static void test_policies(void)
{
	static const struct {
		const char *arguments[6];
		bool keeps_shut_down;
		DefinitionPolicy on_shutdown, on_reboot, on_panic;
	} rows[] = {
		{ { "qemu", NULL }, false, DEFINITION_POLICY_STOP, DEFINITION_POLICY_RESTART,
		  DEFINITION_POLICY_STOP },
		{ { "qemu", NULL }, true, DEFINITION_POLICY_PAUSE, DEFINITION_POLICY_RESTART,
		  DEFINITION_POLICY_STOP },
		{ { "qemu", "-no-shutdown", "--no-reboot", NULL }, false, DEFINITION_POLICY_PAUSE,
		  DEFINITION_POLICY_STOP, DEFINITION_POLICY_STOP },
		{ { "qemu", "-action", "panic=pause,shutdown=pause,reboot=shutdown", NULL }, false,
		  DEFINITION_POLICY_PAUSE, DEFINITION_POLICY_STOP, DEFINITION_POLICY_PAUSE },
		{ { "qemu", "-no-shutdown", "-action", "shutdown=poweroff", NULL }, false,
		  DEFINITION_POLICY_STOP, DEFINITION_POLICY_RESTART, DEFINITION_POLICY_STOP },
		/* Cut off, and values that belong to something else. */
		{ { "qemu", "-name", "shutdown=pause", "-action", NULL }, false, DEFINITION_POLICY_STOP,
		  DEFINITION_POLICY_RESTART, DEFINITION_POLICY_STOP },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Definition) definition = make(rows[i].arguments, rows[i].keeps_shut_down);

		assert_policies(definition, rows[i].on_shutdown, rows[i].on_reboot, rows[i].on_panic);
	}
}

static void test_definition(void)
{
	g_autoptr(Definition) definition = make(NULL, false);
	g_autoptr(Definition) least = NULL;
	g_autoptr(GError) error = NULL, bad_error = NULL;

	g_assert_cmpstr(definition->name, ==, "a");
	g_assert_cmpstr(definition->uuid, ==, UUID);
	g_assert_cmpstr(definition->emulator, ==, "/usr/bin/qemu");
	g_assert_cmpstr(json_object_get_string_member(definition->machine, "type"), ==, "pc");
	least = adopted_make_definition("a", UUID, NULL, NULL, NULL, false, &error);
	g_assert_no_error(error);
	g_assert_null(least->emulator);
	g_assert_null(least->machine);
	g_assert_null(adopted_make_definition("a", UUID, NULL, "", NULL, false, &bad_error));
	g_assert_error(bad_error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION);
}

static RunFile *make_run(Adopted *adopted)
{
	RunFile *run = g_new0(RunFile, 1);

	run->definition = make(NULL, false);
	run->adopted = adopted;
	return run;
}

/* Through the file, as the next service gets it. */
static RunFile *pass(const RunFile *run, const char *from, const char *to, GError **error)
{
	g_autofree char *folder = g_dir_make_tmp("adopted-XXXXXX", NULL);
	g_autofree char *json = run_file_to_json(run);
	g_autoptr(GString) text = g_string_new(json);
	RunFile *back;

	if (from)
		g_assert_cmpuint(g_string_replace(text, from, to, 0), ==, 1);
	g_assert_true(run_file_write(folder, text->str, NULL));
	back = run_file_read(folder, error);
	g_assert_true(directories_remove(folder, NULL));
	return back;
}

static void test_round_trip(void)
{
	for (AdoptedBy by = 0; by < ADOPTED_BY_MAX; by++) {
		const char *path = by == ADOPTED_BY_PATH ? "/run/\"q\"" : NULL;
		g_autoptr(RunFile) run = make_run(adopted_new(by, path, 3, UINT64_C(1) << 40));
		g_autoptr(GError) error = NULL;
		g_autoptr(RunFile) back = pass(run, NULL, NULL, &error);

		g_assert_no_error(error);
		g_assert_nonnull(back->adopted);
		g_assert_cmpint(back->adopted->by, ==, by);
		g_assert_cmpstr(back->adopted->monitor, ==, path);
		g_assert_cmpuint(back->adopted->cpus, ==, 3);
		g_assert_cmpuint(back->adopted->memory, ==, UINT64_C(1) << 40);
	}
}

static void test_ours(void)
{
	g_autoptr(RunFile) run = make_run(NULL);
	g_autoptr(RunFile) back = pass(run, NULL, NULL, NULL);

	g_assert_null(back->adopted);
}

/* Never taken for one of ours, which would be ended where it must not be. */
static void test_damaged(void)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "\"by\":\"path\"", "\"by\":\"magic\"" },
		{ "\"by\":\"path\"", "\"by\":\"descriptor\"" },
		{ "\"monitor\":\"/q\"", "\"monitor\":7" },
		{ "\"adopted\":{", "\"adopted\":7,\"was\":{" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(RunFile) run = make_run(adopted_new(ADOPTED_BY_PATH, "/q", 1, 1));
		g_autoptr(GError) error = NULL;

		g_assert_null(pass(run, rows[i].from, rows[i].to, &error));
		g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
		g_assert_nonnull(strstr(error->message, "adopted"));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/adopted/policies", test_policies);
	g_test_add_func("/adopted/definition", test_definition);
	g_test_add_func("/adopted/round-trip", test_round_trip);
	g_test_add_func("/adopted/ours", test_ours);
	g_test_add_func("/adopted/damaged", test_damaged);
	return g_test_run();
}
