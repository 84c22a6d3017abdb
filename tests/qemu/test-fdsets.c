/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/fdsets.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "base/error.h"

static int open_null(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void test_options(void)
{
	g_autoptr(QemuFdsets) fdsets = qemu_fdsets_new();
	g_autoptr(GPtrArray) line = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *first = qemu_fdsets_add(fdsets, open_null(), "/run/a,b/qemu.pid", NULL);
	g_autofree char *second = qemu_fdsets_add(fdsets, open_null(), NULL, NULL);
	g_autofree char *third = qemu_fdsets_add(fdsets, open_null(), NULL, NULL);
	g_autofree char *joined = NULL;
	const QemuDescriptor *descriptors;
	size_t n;

	g_assert_cmpstr(first, ==, "/dev/fdset/1986881792");
	g_assert_cmpstr(second, ==, "/dev/fdset/1986881793");
	g_assert_cmpstr(third, ==, "/dev/fdset/1986881794");
	g_assert_cmpuint(qemu_fdsets_get_next_id(fdsets), ==, 1986881795);
	descriptors = qemu_fdsets_get(fdsets, &n);
	g_assert_cmpuint(n, ==, 3);
	for (size_t i = 0; i < n; i++)
		g_assert_cmpint(descriptors[i].as, ==, QEMU_FDSETS_FD_FIRST + (int)i);
	qemu_fdsets_add_options(fdsets, line);
	g_ptr_array_add(line, NULL);
	joined = g_strjoinv(" ", (char **)line->pdata);
	g_assert_cmpstr(joined, ==, "-add-fd fd=384,set=1986881792,opaque=/run/a,,b/qemu.pid "
				    "-add-fd fd=385,set=1986881793 -add-fd fd=386,set=1986881794");
}

static void test_none(void)
{
	g_autoptr(GPtrArray) line = g_ptr_array_new();
	size_t n = 1;

	g_assert_null(qemu_fdsets_get(NULL, &n));
	g_assert_cmpuint(n, ==, 0);
	qemu_fdsets_add_options(NULL, line);
	g_assert_cmpuint(line->len, ==, 0);
}

/* Closed with the list, and when there is no room. */
static void test_bound(void)
{
	QemuFdsets *fdsets = qemu_fdsets_new();
	g_autoptr(GError) error = NULL;
	int first = open_null(), one_more;

	for (unsigned i = 0; i < QEMU_FDSETS_FDS_MAX; i++) {
		g_autofree char *name = qemu_fdsets_add(fdsets, i == 0 ? first : open_null(), NULL, NULL);

		g_assert_nonnull(name);
	}
	one_more = open_null();
	g_assert_null(qemu_fdsets_add(fdsets, one_more, NULL, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_assert_cmpint(fcntl(one_more, F_GETFD), ==, -1);
	g_assert_cmpint(fcntl(first, F_GETFD), ==, FD_CLOEXEC);
	qemu_fdsets_free(fdsets);
	g_assert_cmpint(fcntl(first, F_GETFD), ==, -1);
	g_assert_cmpint(errno, ==, EBADF);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/qemu/fdsets/options", test_options);
	g_test_add_func("/qemu/fdsets/none", test_none);
	g_test_add_func("/qemu/fdsets/bound", test_bound);
	return g_test_run();
}
