/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/unix-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

G_STATIC_ASSERT(sizeof(((struct sockaddr_un *)NULL)->sun_path) == 108);

/* Returns the folder, which must stay open until the address has been used, or a negative errno. */
static int make_address(const char *path, struct sockaddr_un *ret_address)
{
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *name = g_path_get_basename(path);
	int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), length;

	if (folder_fd < 0)
		return -errno;
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof(ret_address->sun_path)) {
		strcpy(ret_address->sun_path, path);
		return folder_fd;
	}
	length = snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%s",
			  folder_fd, name);
	if (length < (int)sizeof(ret_address->sun_path))
		return folder_fd;
	(void)close(folder_fd);
	return -ENAMETOOLONG;
}

static int use(const char *path, bool (*act)(int fd, const struct sockaddr_un *address, int backlog),
	       int backlog)
{
	struct sockaddr_un address;
	int folder_fd = make_address(path, &address);
	int fd, r = 0;

	if (folder_fd < 0)
		return folder_fd;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !act(fd, &address, backlog))
		r = -errno;
	if (r < 0 && fd >= 0)
		(void)close(fd);
	(void)close(folder_fd);
	return r < 0 ? r : fd;
}

static bool act_connect(int fd, const struct sockaddr_un *address, int backlog)
{
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

int unix_socket_connect(const char *path)
{
	return use(path, act_connect, 0);
}

static bool act_listen(int fd, const struct sockaddr_un *address, int backlog)
{
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
	       listen(fd, backlog) == 0;
}

int unix_socket_listen(const char *path, int backlog)
{
	return use(path, act_listen, backlog);
}
