/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/emulators.h"

#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>

/* Scripts that answer like QEMU, or badly, and the real one. */

#define GOOD "[ \"$1\" = --version ] && echo 'QEMU emulator version 9.1.2 (Some)' && exit; " \
	     "printf 'Supported machines are:\\nq35    Standard\\nnone\\n\\n'"

typedef struct Fixture {
	char *old_path;
	char *folders[2];
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	g_autofree char *path = NULL;
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(fixture->folders); i++)
		fixture->folders[i] = g_dir_make_tmp("emulators-XXXXXX", NULL);
	fixture->old_path = g_strdup(g_getenv("PATH"));
	path = g_strdup_printf("%s:/nonexistent:%s", fixture->folders[0], fixture->folders[1]);
	g_setenv("PATH", path, TRUE);
}

static void tear_down(Fixture *fixture, const void *data)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(fixture->folders); i++) {
		g_autoptr(GDir) directory = g_dir_open(fixture->folders[i], 0, NULL);
		const char *name;

		while ((name = g_dir_read_name(directory))) {
			g_autofree char *path = g_build_filename(fixture->folders[i], name, NULL);

			g_remove(path);
		}
		g_assert_cmpint(g_rmdir(fixture->folders[i]), ==, 0);
		g_free(fixture->folders[i]);
	}
	g_setenv("PATH", fixture->old_path, TRUE);
	g_free(fixture->old_path);
}

static void add_script(Fixture *fixture, unsigned folder, const char *name, const char *script)
{
	g_autofree char *path = g_build_filename(fixture->folders[folder], name, NULL);
	g_autofree char *text = g_strdup_printf("#!/bin/sh\nPATH=/usr/bin:/bin\n%s\n", script);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	g_assert_cmpint(g_chmod(path, 0700), ==, 0);
}

static void test_none(Fixture *fixture, const void *data)
{
	g_autoptr(GPtrArray) emulators = qemu_emulators_find();

	g_assert_cmpuint(emulators->len, ==, 0);
	g_assert_null(qemu_emulator_free(NULL));
}

static void test_found(Fixture *fixture, const void *data)
{
	g_autofree char *path = g_build_filename(fixture->folders[0], "qemu-system-b", NULL);
	g_autofree char *plain = g_build_filename(fixture->folders[0], "qemu-system-plain", NULL);
	g_autoptr(GPtrArray) emulators = NULL;
	const QemuEmulator *emulator;

	add_script(fixture, 0, "qemu-system-b", GOOD);
	add_script(fixture, 1, "qemu-system-b", "exit 1");
	add_script(fixture, 1, "qemu-system-a", GOOD);
	add_script(fixture, 1, "qemu-img", GOOD);
	g_assert_true(g_file_set_contents(plain, "not executable", -1, NULL));
	emulators = qemu_emulators_find();

	g_assert_cmpuint(emulators->len, ==, 2);
	emulator = g_ptr_array_index(emulators, 0);
	g_assert_cmpstr(emulator->name, ==, "qemu-system-a");
	emulator = g_ptr_array_index(emulators, 1);
	g_assert_cmpstr(emulator->name, ==, "qemu-system-b");
	g_assert_cmpstr(emulator->path, ==, path);
	g_assert_cmpstr(emulator->version, ==, "9.1.2");
	g_assert_cmpuint(g_strv_length(emulator->machines), ==, 2);
	g_assert_cmpstr(emulator->machines[0], ==, "q35");
	g_assert_cmpstr(emulator->machines[1], ==, "none");
}

/* Each is left out, and does not keep the good one from being found. */
static void test_bad(Fixture *fixture, const void *data)
{
	g_autoptr(GPtrArray) emulators = NULL;
	gint64 before = g_get_monotonic_time(), seconds;

	add_script(fixture, 0, "qemu-system-fails", "echo 'QEMU emulator version 1'; exit 1");
	add_script(fixture, 0, "qemu-system-killed", "echo 'QEMU emulator version 1'; kill -9 $$");
	add_script(fixture, 0, "qemu-system-other", "echo hello");
	add_script(fixture, 0, "qemu-system-silent", "exit 0");
	add_script(fixture, 0, "qemu-system-endless", "exec cat /dev/zero");
	/* It closes its output, and stays; its child keeps nothing but its life. */
	add_script(fixture, 0, "qemu-system-hangs", "sleep 1000 >/dev/null & exec sleep 1000 >/dev/null");
	add_script(fixture, 0, "qemu-system-good", GOOD);
	emulators = qemu_emulators_find();
	seconds = (g_get_monotonic_time() - before) / G_USEC_PER_SEC;

	g_assert_cmpuint(emulators->len, ==, 1);
	g_assert_cmpstr(((const QemuEmulator *) g_ptr_array_index(emulators, 0))->name, ==,
			"qemu-system-good");
	/* Only the one that hangs takes its time, and only once. */
	g_assert_cmpint(seconds, >=, QEMU_EMULATOR_TIMEOUT_SECONDS);
	g_assert_cmpint(seconds, <, 4 * QEMU_EMULATOR_TIMEOUT_SECONDS);
}

static void test_output_bound(Fixture *fixture, const void *data)
{
	g_autofree char *most = g_strdup_printf(
		GOOD "; head -c %u /dev/zero | tr '\\0' x", QEMU_EMULATOR_OUTPUT_MAX - 46);
	g_autofree char *more = g_strdup_printf(
		GOOD "; head -c %u /dev/zero | tr '\\0' x", QEMU_EMULATOR_OUTPUT_MAX - 45);
	g_autofree char *machines = g_strdup_printf(
		"[ \"$1\" = --version ] && echo 'QEMU emulator version 1' && exit; "
		"seq 0 %u", QEMU_EMULATOR_MACHINES_MAX + 50);
	g_autoptr(GPtrArray) emulators = NULL;
	const QemuEmulator *emulator;

	add_script(fixture, 0, "qemu-system-a-most", most);
	add_script(fixture, 0, "qemu-system-b-more", more);
	add_script(fixture, 0, "qemu-system-c-machines", machines);
	emulators = qemu_emulators_find();

	g_assert_cmpuint(emulators->len, ==, 2);
	emulator = g_ptr_array_index(emulators, 0);
	g_assert_cmpstr(emulator->name, ==, "qemu-system-a-most");
	emulator = g_ptr_array_index(emulators, 1);
	g_assert_cmpstr(emulator->name, ==, "qemu-system-c-machines");
	g_assert_cmpuint(g_strv_length(emulator->machines), ==, QEMU_EMULATOR_MACHINES_MAX);
	g_assert_cmpstr(emulator->machines[QEMU_EMULATOR_MACHINES_MAX - 1], ==, "1024");
}

static void test_number_bound(Fixture *fixture, const void *data)
{
	g_autoptr(GPtrArray) emulators = NULL;
	unsigned i;

	for (i = 0; i < QEMU_EMULATORS_MAX + 3; i++) {
		g_autofree char *name = g_strdup_printf("qemu-system-%u", i);

		add_script(fixture, i % 2, name, GOOD);
	}
	emulators = qemu_emulators_find();
	g_assert_cmpuint(emulators->len, ==, QEMU_EMULATORS_MAX);
}

static void test_real(void)
{
	g_autoptr(GPtrArray) emulators = qemu_emulators_find();
	const QemuEmulator *found = NULL;
	unsigned i;

	for (i = 0; i < emulators->len; i++) {
		const QemuEmulator *emulator = g_ptr_array_index(emulators, i);

		if (strcmp(emulator->name, "qemu-system-x86_64") == 0)
			found = emulator;
	}
	g_assert_nonnull(found);
	g_assert_true(g_path_is_absolute(found->path));
	g_assert_true(g_ascii_isdigit(found->version[0]));
	g_assert_true(g_strv_contains((const char *const *) found->machines, "q35"));
	g_assert_true(g_strv_contains((const char *const *) found->machines, "none"));
}

#define ADD(name, function) \
	g_test_add("/qemu/emulators/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("none", test_none);
	ADD("found", test_found);
	ADD("bad", test_bad);
	ADD("output-bound", test_output_bound);
	ADD("number-bound", test_number_bound);
	g_test_add_func("/qemu/emulators/real", test_real);
	return g_test_run();
}
