/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/emulators.h"

#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>

/* Scripts that answer like QEMU, or badly, and the real one. */

#define VERSION "[ \"$1\" = --version ] && echo 'QEMU emulator version 9.1.2 (Some)' && exit; "
#define ACCELERATORS "[ \"$1\" = -accel ] && printf 'Accelerators supported in QEMU binary:\\ntcg\\nkvm\\n' && exit; "
#define MACHINES "printf 'Supported machines are:\\nq35    Standard\\nnone   Nothing (default)\\n\\n'"
#define MACHINES_LENGTH ((unsigned) strlen("Supported machines are:\nq35    Standard\nnone   Nothing (default)\n\n"))
#define GOOD VERSION ACCELERATORS MACHINES
/* And notes each question beside itself. */
#define COUNTED "echo \"$1\" >>\"$0.asked\"; " GOOD

typedef struct Fixture {
	char *old_path;
	char *folders[2];
	char *state;
	QemuEmulators *known;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	g_autofree char *path = NULL;
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(fixture->folders); i++)
		fixture->folders[i] = g_dir_make_tmp("emulators-XXXXXX", NULL);
	fixture->state = g_dir_make_tmp("emulators-XXXXXX", NULL);
	fixture->known = qemu_emulators_new(fixture->state);
	fixture->old_path = g_strdup(g_getenv("PATH"));
	path = g_strdup_printf("%s:/nonexistent:%s", fixture->folders[0], fixture->folders[1]);
	g_setenv("PATH", path, TRUE);
}

static void remove_folder(char *folder)
{
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(directory))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);

		g_remove(path);
	}
	g_assert_cmpint(g_rmdir(folder), ==, 0);
	g_free(folder);
}

static void tear_down(Fixture *fixture, const void *data)
{
	size_t i;

	qemu_emulators_free(fixture->known);
	remove_folder(fixture->state);
	for (i = 0; i < G_N_ELEMENTS(fixture->folders); i++)
		remove_folder(fixture->folders[i]);
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
	g_autoptr(GPtrArray) emulators = qemu_emulators_find(fixture->known);

	g_assert_cmpuint(emulators->len, ==, 0);
	g_assert_null(qemu_emulator_unref(NULL));
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
	emulators = qemu_emulators_find(fixture->known);

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
	g_assert_cmpstr(emulator->default_machine, ==, "none");
	g_assert_cmpuint(g_strv_length(emulator->accelerators), ==, 2);
	g_assert_cmpstr(emulator->accelerators[0], ==, "tcg");
	g_assert_cmpstr(emulator->accelerators[1], ==, "kvm");
	g_assert_true(emulator->knows_sandbox);
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
	emulators = qemu_emulators_find(fixture->known);
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
		GOOD "; head -c %u /dev/zero | tr '\\0' x", QEMU_EMULATOR_OUTPUT_MAX - MACHINES_LENGTH);
	g_autofree char *more = g_strdup_printf(
		GOOD "; head -c %u /dev/zero | tr '\\0' x", QEMU_EMULATOR_OUTPUT_MAX - MACHINES_LENGTH + 1);
	g_autofree char *machines = g_strdup_printf(
		VERSION "seq 0 %u", QEMU_EMULATOR_MACHINES_MAX + 50);
	g_autoptr(GPtrArray) emulators = NULL;
	const QemuEmulator *emulator;

	add_script(fixture, 0, "qemu-system-a-most", most);
	add_script(fixture, 0, "qemu-system-b-more", more);
	add_script(fixture, 0, "qemu-system-c-machines", machines);
	emulators = qemu_emulators_find(fixture->known);

	g_assert_cmpuint(emulators->len, ==, 2);
	emulator = g_ptr_array_index(emulators, 0);
	g_assert_cmpstr(emulator->name, ==, "qemu-system-a-most");
	emulator = g_ptr_array_index(emulators, 1);
	g_assert_cmpstr(emulator->name, ==, "qemu-system-c-machines");
	g_assert_cmpuint(g_strv_length(emulator->machines), ==, QEMU_EMULATOR_MACHINES_MAX);
	g_assert_cmpstr(emulator->machines[QEMU_EMULATOR_MACHINES_MAX - 1], ==, "1024");
	g_assert_cmpuint(g_strv_length(emulator->accelerators), ==, QEMU_EMULATOR_ACCELERATORS_MAX);
	g_assert_cmpstr(emulator->default_machine, ==, "");
}

static void test_number_bound(Fixture *fixture, const void *data)
{
	g_autoptr(GPtrArray) emulators = NULL;
	unsigned i;

	for (i = 0; i < QEMU_EMULATORS_MAX + 3; i++) {
		g_autofree char *name = g_strdup_printf("qemu-system-%u", i);

		add_script(fixture, i % 2, name, GOOD);
	}
	emulators = qemu_emulators_find(fixture->known);
	g_assert_cmpuint(emulators->len, ==, QEMU_EMULATORS_MAX);
}

/* ---- what is remembered ---- */

/* How often it was asked for its version. */
static unsigned times_asked(Fixture *fixture, const char *name)
{
	g_autofree char *file = g_strconcat(name, ".asked", NULL);
	g_autofree char *path = g_build_filename(fixture->folders[0], file, NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) parts = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	parts = g_strsplit(text, "--version", -1);
	return g_strv_length(parts) - 1;
}

/* The next service on the same folder. */
static void renew(Fixture *fixture)
{
	qemu_emulators_free(fixture->known);
	fixture->known = qemu_emulators_new(fixture->state);
}

static QemuEmulator *get(Fixture *fixture, const char *name)
{
	g_autofree char *path = g_build_filename(fixture->folders[0], name, NULL);

	return qemu_emulators_get(fixture->known, path);
}

static void check_found(Fixture *fixture, const char *name, const char *version)
{
	g_autoptr(QemuEmulator) emulator = get(fixture, name);

	g_assert_nonnull(emulator);
	g_assert_cmpstr(emulator->name, ==, name);
	g_assert_cmpstr(emulator->version, ==, version);
	g_assert_cmpstr(emulator->machines[1], ==, "none");
	g_assert_cmpstr(emulator->default_machine, ==, "none");
	g_assert_cmpstr(emulator->accelerators[1], ==, "kvm");
	g_assert_true(emulator->knows_sandbox);
}

static void test_asked_once(Fixture *fixture, const void *data)
{
	unsigned i;

	add_script(fixture, 0, "qemu-system-a", COUNTED);
	add_script(fixture, 0, "qemu-system-b", COUNTED);
	for (i = 0; i < 3; i++) {
		g_autoptr(GPtrArray) emulators = qemu_emulators_find(fixture->known);

		g_assert_cmpuint(emulators->len, ==, 2);
		check_found(fixture, "qemu-system-a", "9.1.2");
		renew(fixture);
	}
	check_found(fixture, "qemu-system-b", "9.1.2");
	g_assert_cmpuint(times_asked(fixture, "qemu-system-a"), ==, 1);
	g_assert_cmpuint(times_asked(fixture, "qemu-system-b"), ==, 1);
}

static void test_changed(Fixture *fixture, const void *data)
{
	add_script(fixture, 0, "qemu-system-a", COUNTED);
	add_script(fixture, 0, "qemu-system-b", COUNTED);
	check_found(fixture, "qemu-system-a", "9.1.2");
	check_found(fixture, "qemu-system-b", "9.1.2");
	/* Of the same length. */
	add_script(fixture, 0, "qemu-system-a",
		   "echo \"$1\" >>\"$0.asked\"; "
		   "[ \"$1\" = --version ] && echo 'QEMU emulator version 9.1.3 (Some)' && exit; "
		   ACCELERATORS MACHINES);
	check_found(fixture, "qemu-system-a", "9.1.3");
	renew(fixture);
	check_found(fixture, "qemu-system-a", "9.1.3");
	check_found(fixture, "qemu-system-b", "9.1.2");
	g_assert_cmpuint(times_asked(fixture, "qemu-system-a"), ==, 2);
	g_assert_cmpuint(times_asked(fixture, "qemu-system-b"), ==, 1);
	add_script(fixture, 0, "qemu-system-b", "exit 1");
	g_assert_null(get(fixture, "qemu-system-b"));
	g_assert_null(get(fixture, "qemu-system-gone"));
}

/* One that does not answer is asked once as well, but the next service tries again. */
static void test_bad_remembered(Fixture *fixture, const void *data)
{
	add_script(fixture, 0, "qemu-system-a", "echo \"$1\" >>\"$0.asked\"; exit 1");
	g_assert_null(get(fixture, "qemu-system-a"));
	g_assert_null(get(fixture, "qemu-system-a"));
	g_assert_cmpuint(times_asked(fixture, "qemu-system-a"), ==, 1);
	renew(fixture);
	g_assert_null(get(fixture, "qemu-system-a"));
	g_assert_cmpuint(times_asked(fixture, "qemu-system-a"), ==, 2);
}

static void test_no_sandbox(Fixture *fixture, const void *data)
{
	g_autoptr(QemuEmulator) emulator = NULL, again = NULL;

	add_script(fixture, 0, "qemu-system-a", "[ \"$1\" = -sandbox ] && exit 1; " GOOD);
	emulator = get(fixture, "qemu-system-a");
	g_assert_nonnull(emulator);
	g_assert_false(emulator->knows_sandbox);
	g_assert_cmpuint(g_strv_length(emulator->machines), ==, 2);
	renew(fixture);
	again = get(fixture, "qemu-system-a");
	g_assert_false(again->knows_sandbox);
}

/* Whatever is in the file, it is never worse than no file, and a whole one takes its place. */
static void test_bad_file(Fixture *fixture, const void *data)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "{\"version\":1}", "{\"version\":1,\"emulators\":{}}",
		"{\"version\":1,\"emulators\":[1,null,{},{\"path\":\"/x\"}]}",
		"{\"version\":2,\"emulators\":[]}", "\xff\xfe",
	};
	g_autofree char *file = g_build_filename(fixture->state, QEMU_EMULATORS_FILE, NULL);
	g_autofree char *whole = NULL, *huge = g_strnfill(QEMU_EMULATORS_FILE_MAX + 1, ' ');
	unsigned asked = 1;
	size_t i, length;

	add_script(fixture, 0, "qemu-system-a", COUNTED);
	check_found(fixture, "qemu-system-a", "9.1.2");
	g_assert_true(g_file_get_contents(file, &whole, &length, NULL));
	for (i = 0; i <= G_N_ELEMENTS(texts); i++) {
		g_assert_true(g_file_set_contents(file, i < G_N_ELEMENTS(texts) ? texts[i] : huge, -1,
						  NULL));
		renew(fixture);
		check_found(fixture, "qemu-system-a", "9.1.2");
		g_assert_cmpuint(times_asked(fixture, "qemu-system-a"), ==, ++asked);
		renew(fixture);
		check_found(fixture, "qemu-system-a", "9.1.2");
		g_assert_cmpuint(times_asked(fixture, "qemu-system-a"), ==, asked);
	}
	/* Cut off anywhere. */
	for (i = 0; i < length; i += 23) {
		g_assert_true(g_file_set_contents(file, whole, (gssize) i, NULL));
		renew(fixture);
		check_found(fixture, "qemu-system-a", "9.1.2");
	}
	/* No place to write it to is no reason to fail. */
	g_assert_cmpint(g_remove(file), ==, 0);
	g_assert_cmpint(g_mkdir(file, 0700), ==, 0);
	renew(fixture);
	check_found(fixture, "qemu-system-a", "9.1.2");
	g_assert_cmpint(g_rmdir(file), ==, 0);
}

static void test_memory_bound(Fixture *fixture, const void *data)
{
	g_autofree char *file = g_build_filename(fixture->state, QEMU_EMULATORS_FILE, NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) parts = NULL;
	unsigned i;

	for (i = 0; i < QEMU_EMULATORS_MAX + 2; i++) {
		g_autofree char *name = g_strdup_printf("other-%u", i);

		add_script(fixture, 0, name, COUNTED);
		check_found(fixture, name, "9.1.2");
		/* In use, so it stays. */
		check_found(fixture, "other-0", "9.1.2");
	}
	g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
	parts = g_strsplit(text, "\"path\"", -1);
	g_assert_cmpuint(g_strv_length(parts) - 1, ==, QEMU_EMULATORS_MAX);
	check_found(fixture, "other-1", "9.1.2");
	g_assert_cmpuint(times_asked(fixture, "other-0"), ==, 1);
	g_assert_cmpuint(times_asked(fixture, "other-1"), ==, 2);
}

static void test_real(void)
{
	g_autofree char *state = g_dir_make_tmp("emulators-XXXXXX", NULL);
	g_autoptr(QemuEmulators) known = qemu_emulators_new(state);
	g_autoptr(GPtrArray) emulators = qemu_emulators_find(known);
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
	g_assert_true(g_strv_contains((const char *const *) found->machines, found->default_machine));
	g_assert_true(g_strv_contains((const char *const *) found->accelerators, "tcg"));
	g_assert_true(found->knows_sandbox);
	remove_folder(g_steal_pointer(&state));
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
	ADD("asked-once", test_asked_once);
	ADD("changed", test_changed);
	ADD("bad-remembered", test_bad_remembered);
	ADD("no-sandbox", test_no_sandbox);
	ADD("bad-file", test_bad_file);
	ADD("memory-bound", test_memory_bound);
	g_test_add_func("/qemu/emulators/real", test_real);
	return g_test_run();
}
