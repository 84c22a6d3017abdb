/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/*
 * The inputs that are kept, each given to the fuzzer once: in any build, with any compiler.
 *
 *    run-corpus FOLDER
 *
 * Of a folder's files those whose name is a SHA-1 were found by libFuzzer and may be replaced by
 * scripts/fuzz; the others are here because somebody put them here.
 */

#define FILES_MAX  150u
#define BYTES_MAX  (400u * 1024)

typedef struct Group {
	const char *folder;
	GPtrArray *names;
} Group;

static bool is_found(const char *name)
{
	return strlen(name) == 40 && strspn(name, "0123456789abcdef") == 40;
}

static char *read_file(const char *folder, const char *name, size_t *ret_size)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autoptr(GError) error = NULL;
	char *data = NULL;

	g_file_get_contents(path, &data, ret_size, &error);
	g_assert_no_error(error);
	return data;
}

static void test_group(const void *data)
{
	const Group *group = data;

	for (unsigned i = 0; i < group->names->len; i++) {
		const char *name = group->names->pdata[i];
		g_autofree char *text = NULL;
		g_autofree uint8_t *exact = NULL;
		size_t size;

		/* Said before, since the fuzzer ends the program if something does not hold. */
		g_test_message("%s", name);
		text = read_file(group->folder, name, &size);
		/* Not one byte more than there is, so that a sanitizer sees who reads beyond; and not
		 * GLib's, which has NULL for nothing. */
		exact = malloc(size);
		g_assert_nonnull(exact);
		memcpy(exact, text, size);
		g_assert_cmpint(LLVMFuzzerTestOneInput(exact, size), ==, 0);
	}
}

/* Small enough to be read by people and to be run each time. */
static void test_size(const void *data)
{
	const Group *groups = data;
	size_t bytes = 0;

	for (unsigned g = 0; g < 2; g++) {
		for (unsigned i = 0; i < groups[g].names->len; i++) {
			size_t size;

			g_free(read_file(groups[g].folder, groups[g].names->pdata[i], &size));
			bytes += size;
		}
	}
	g_test_message("%u files kept, %u found, %zu bytes", groups[0].names->len,
		       groups[1].names->len, bytes);
	g_assert_cmpuint(groups[0].names->len, >, 0);
	g_assert_cmpuint(groups[0].names->len + groups[1].names->len, <=, FILES_MAX);
	g_assert_cmpuint(bytes, <=, BYTES_MAX);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_folder(const char *folder, Group groups[2])
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
	const char *name;

	g_assert_no_error(error);
	for (unsigned i = 0; i < 2; i++) {
		groups[i].folder = folder;
		groups[i].names = g_ptr_array_new_with_free_func(g_free);
	}
	while ((name = g_dir_read_name(dir)))
		g_ptr_array_add(groups[is_found(name)].names, g_strdup(name));
	for (unsigned i = 0; i < 2; i++)
		g_ptr_array_sort(groups[i].names, compare_names);
}

int main(int argc, char *argv[])
{
	Group groups[2];
	int status;

	g_test_init(&argc, &argv, NULL);
	g_assert_cmpint(argc, ==, 2);
	LLVMFuzzerInitialize(&argc, &argv);
	read_folder(argv[1], groups);

	g_test_add_data_func("/fuzz/corpus/size", groups, test_size);
	g_test_add_data_func("/fuzz/corpus/kept", &groups[0], test_group);
	if (groups[1].names->len > 0)
		g_test_add_data_func("/fuzz/corpus/found", &groups[1], test_group);

	status = g_test_run();
	g_ptr_array_unref(groups[0].names);
	g_ptr_array_unref(groups[1].names);
	return status;
}
