/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/directories.h"
#include "base/unix-socket.h"

static char *make_folder(unsigned depth)
{
	g_autofree char *root = g_dir_make_tmp("unix-socket-XXXXXX", NULL);
	g_autoptr(GString) path = g_string_new(root);

	for (unsigned i = 0; i < depth; i++)
		g_string_append(path, "/a-folder-with-a-long-name");
	g_assert_cmpint(g_mkdir_with_parents(path->str, 0700), ==, 0);
	return g_string_free(g_steal_pointer(&path), FALSE);
}

static void remove_folder(char *folder, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		*strrchr(folder, '/') = '\0';
	g_assert_true(directories_remove(folder, NULL));
}

/* What is said at one end is heard at the other, wherever the socket is. */
static void check_pair(unsigned depth)
{
	g_autofree char *folder = make_folder(depth);
	g_autofree char *path = g_build_filename(folder, "socket", NULL);
	int listener = unix_socket_listen(path, 1), ours, theirs;
	char byte = 0;

	g_assert_cmpint(listener, >=, 0);
	g_assert_cmpint(fcntl(listener, F_GETFD), ==, FD_CLOEXEC);
	g_assert_cmpint(fcntl(listener, F_GETFL) & O_NONBLOCK, ==, O_NONBLOCK);
	/* It is there already. */
	g_assert_cmpint(unix_socket_listen(path, 1), ==, -EADDRINUSE);
	ours = unix_socket_connect(path);
	g_assert_cmpint(ours, >=, 0);
	theirs = accept(listener, NULL, NULL);
	g_assert_cmpint(theirs, >=, 0);
	g_assert_cmpint(write(ours, "x", 1), ==, 1);
	g_assert_cmpint(read(theirs, &byte, 1), ==, 1);
	g_assert_cmpint(byte, ==, 'x');
	close(ours);
	close(theirs);
	close(listener);
	g_assert_cmpint(unix_socket_connect(path), ==, -ECONNREFUSED);
	remove_folder(folder, depth);
}

static void test_short(void)
{
	check_pair(0);
}

/* Longer than the 107 bytes that fit into an address. */
static void test_long(void)
{
	check_pair(8);
}

static void test_errors(void)
{
	g_autofree char *folder = make_folder(0);
	g_autofree char *missing = g_build_filename(folder, "missing", NULL);
	g_autofree char *no_folder = g_build_filename(folder, "missing", "socket", NULL);
	g_autofree char *name = g_strnfill(200, 'x');
	g_autofree char *long_name = g_build_filename(folder, name, NULL);

	g_assert_cmpint(unix_socket_connect(missing), ==, -ENOENT);
	g_assert_cmpint(unix_socket_connect(no_folder), ==, -ENOENT);
	g_assert_cmpint(unix_socket_listen(no_folder, 1), ==, -ENOENT);
	g_assert_cmpint(unix_socket_connect(long_name), ==, -ENAMETOOLONG);
	g_assert_cmpint(unix_socket_listen(long_name, 1), ==, -ENAMETOOLONG);
	remove_folder(folder, 0);
}

/* Who would have to wait is told so. */
static void test_full(void)
{
	g_autofree char *folder = make_folder(0);
	g_autofree char *path = g_build_filename(folder, "socket", NULL);
	g_autoptr(GArray) waiting = g_array_new(FALSE, FALSE, sizeof(int));
	int listener = unix_socket_listen(path, 0), fd;

	while ((fd = unix_socket_connect(path)) >= 0)
		g_array_append_val(waiting, fd);
	g_assert_cmpint(fd, ==, -EAGAIN);
	g_assert_cmpuint(waiting->len, >, 0);
	for (unsigned i = 0; i < waiting->len; i++)
		close(g_array_index(waiting, int, i));
	close(listener);
	remove_folder(folder, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/unix-socket/short", test_short);
	g_test_add_func("/unix-socket/long", test_long);
	g_test_add_func("/unix-socket/errors", test_errors);
	g_test_add_func("/unix-socket/full", test_full);
	return g_test_run();
}
