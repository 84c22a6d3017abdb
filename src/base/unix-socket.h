/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Stream sockets with a path. The kernel takes 107 bytes of it; where it is longer the folder is opened and the socket
 * is named by way of that descriptor, so only its last part must be short (-ENAMETOOLONG). All are non-blocking and close-on-exec. Any thread; the folder may be on a
 * disk that is slow.
 */

/* Returns the connected socket or a negative errno. A listener whose backlog is full (somebody else waits there) is
 * -EAGAIN, not a wait without end. */
int unix_socket_connect(const char *path);

/* Returns the listening socket or a negative errno. The file must not be there yet; it gets the mode that the umask
 * leaves, so who may connect is decided by its folder. */
int unix_socket_listen(const char *path, int backlog);
