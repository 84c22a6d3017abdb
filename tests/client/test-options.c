/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmherald/glib.h>

#include "client/options-internal.h"

/* Options as they are sent, and whose descriptors are whose. */

static void check_text(const VmhOptions *options, const char *expected)
{
	g_autoptr(GVariant) dict = g_variant_ref_sink(options_to_gvariant(options));
	g_autofree char *text = g_variant_print(dict, true);

	g_assert_cmpstr(g_variant_get_type_string(dict), ==, "a{sv}");
	g_assert_cmpstr(text, ==, expected);
}

static void test_none(void)
{
	g_autoptr(VmhOptions) options = vmh_options_new();

	check_text(NULL, "@a{sv} {}");
	check_text(options, "@a{sv} {}");
	g_assert_true(options_check(NULL, NULL));
	g_assert_true(options_check(options, NULL));
	g_assert_null(options_get_fds(NULL));
	g_assert_null(options_get_fds(options));
	vmh_options_free(NULL);
}

static void test_types(void)
{
	g_autoptr(VmhOptions) options = vmh_options_new();

	vmh_options_set_string(options, "affect", "live");
	vmh_options_set_bool(options, "paused", true);
	vmh_options_set_uint64(options, "timeout", G_MAXUINT64);
	vmh_options_set_uint32(options, "screen", G_MAXUINT32);
	check_text(options, "{'affect': <'live'>, 'paused': <true>, 'timeout': <uint64 18446744073709551615>,"
			    " 'screen': <uint32 4294967295>}");
	/* Anew, also with another type: at its place. */
	vmh_options_set_bool(options, "affect", false);
	vmh_options_set_string(options, "screen", "");
	check_text(options, "{'affect': <false>, 'paused': <true>, 'timeout': <uint64 18446744073709551615>,"
			    " 'screen': <''>}");
}

static void check_bad(const VmhOptions *options, const char *key)
{
	g_autoptr(VmhError) error = NULL;

	g_assert_false(options_check(options, &error));
	g_assert_cmpint(error->code, ==, VMH_ERROR_INVALID_ARGUMENT);
	g_assert_nonnull(strstr(error->message, key));
	g_assert_true(g_utf8_validate(error->message, -1, NULL));
}

/* The bus throws out who sends such a text, so it is not even tried. */
static void test_bad_texts(void)
{
	g_autoptr(VmhOptions) options = vmh_options_new();

	vmh_options_set_string(options, "blockdev", "\xff");
	check_bad(options, "blockdev");
	vmh_options_set_string(options, "blockdev", NULL);
	check_bad(options, "blockdev");
	vmh_options_set_string(options, "blockdev", "{}");
	g_assert_true(options_check(options, NULL));
	vmh_options_set_bool(options, "key\xc3", true);
	check_bad(options, "key");
}

static ino_t get_inode(int fd)
{
	struct stat status;

	g_assert_cmpint(fstat(fd, &status), ==, 0);
	return status.st_ino;
}

static int32_t get_handle(const VmhOptions *options, const char *key)
{
	g_autoptr(GVariant) dict = g_variant_ref_sink(options_to_gvariant(options));
	int32_t handle = -1;

	g_assert_true(g_variant_lookup(dict, key, "h", &handle));
	return handle;
}

/* The next descriptor that would be given out: the same before and after means that none is left open. */
static int get_next_fd(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);

	close(fd);
	return fd;
}

static void test_descriptors(void)
{
	int next = get_next_fd(), pipes[2];
	VmhOptions *options = vmh_options_new();
	ino_t inode;

	g_assert_cmpint(pipe(pipes), ==, 0);
	inode = get_inode(pipes[0]);
	g_assert_cmpint(vmh_options_set_fd(options, "monitor-fd", pipes[0]), ==, 0);
	/* It is a duplicate. */
	close(pipes[0]);
	close(pipes[1]);
	g_assert_cmpuint(get_inode(options_get_fds(options)[get_handle(options, "monitor-fd")]), ==, inode);
	/* In place of another one, which is closed. */
	for (unsigned i = 0; i < 100; i++)
		g_assert_cmpint(vmh_options_set_fd(options, "monitor-fd", 0), ==, 0);
	g_assert_cmpint(get_next_fd(), <=, next + 2);
	g_assert_cmpint(get_handle(options, "monitor-fd"), <, 2);
	vmh_options_set_bool(options, "monitor-fd", true);
	check_text(options, "{'monitor-fd': <true>}");
	vmh_options_free(options);
	g_assert_cmpint(get_next_fd(), ==, next);
}

static void test_numbered(void)
{
	int next = get_next_fd(), null = open("/dev/null", O_RDONLY | O_CLOEXEC), zero;
	VmhOptions *options = vmh_options_new();
	g_autoptr(GVariant) dict = NULL, list = NULL;

	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	g_assert_cmpint(vmh_options_add_numbered_fd(options, "descriptors", 10, zero), ==, 0);
	g_assert_cmpint(vmh_options_add_numbered_fd(options, "descriptors", 11, null), ==, 0);
	g_assert_cmpint(vmh_options_add_numbered_fd(options, "descriptors", 10, null), ==, 0);
	dict = g_variant_ref_sink(options_to_gvariant(options));
	list = g_variant_lookup_value(dict, "descriptors", G_VARIANT_TYPE("a{uh}"));
	g_assert_cmpuint(g_variant_n_children(list), ==, 2);
	for (size_t i = 0; i < 2; i++) {
		uint32_t number;
		int32_t handle;

		g_variant_get_child(list, i, "{uh}", &number, &handle);
		g_assert_cmpuint(number, ==, i == 0 ? 11 : 10);
		g_assert_cmpuint(get_inode(options_get_fds(options)[handle]), ==, get_inode(null));
	}
	close(null);
	close(zero);
	vmh_options_set_string(options, "descriptors", "none");
	g_assert_cmpint(get_next_fd(), ==, next);
	vmh_options_free(options);
	g_assert_cmpint(get_next_fd(), ==, next);
}

static void test_bad_descriptors(void)
{
	g_autoptr(VmhOptions) options = vmh_options_new();

	g_assert_cmpint(vmh_options_set_fd(options, "monitor-fd", -1), ==, -1);
	g_assert_cmpint(errno, ==, EBADF);
	g_assert_cmpint(vmh_options_add_numbered_fd(options, "descriptors", 10, -1), ==, -1);
	check_text(options, "@a{sv} {}");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/options/none", test_none);
	g_test_add_func("/client/options/types", test_types);
	g_test_add_func("/client/options/bad-texts", test_bad_texts);
	g_test_add_func("/client/options/descriptors", test_descriptors);
	g_test_add_func("/client/options/numbered", test_numbered);
	g_test_add_func("/client/options/bad-descriptors", test_bad_descriptors);
	return g_test_run();
}
