/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/output.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A large command must not cost its memory for the rest of the connection. */
#define KEEP_MAX (64u * 1024)

void qmp_output_init(QmpOutput *output)
{
	*output = (QmpOutput){ g_string_new(NULL), 0, g_array_new(FALSE, FALSE, sizeof(QmpOutFd)) };
}

static const QmpOutFd *get_fd(const QmpOutput *output, unsigned i)
{
	return i < output->fds->len ? &g_array_index(output->fds, QmpOutFd, i) : NULL;
}

/* The first n: sent, or not to be sent any more. */
static void drop_fds(QmpOutput *output, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)close(get_fd(output, i)->fd);
	g_array_remove_range(output->fds, 0, n);
}

void qmp_output_clear(QmpOutput *output)
{
	drop_fds(output, output->fds->len);
	g_array_unref(output->fds);
	g_string_free(output->bytes, TRUE);
}

bool qmp_output_is_empty(const QmpOutput *output)
{
	return output->bytes->len == output->done;
}

void qmp_output_drop(QmpOutput *output)
{
	drop_fds(output, output->fds->len);
	output->done = 0;
	g_string_truncate(output->bytes, 0);
	if (output->bytes->allocated_len <= KEEP_MAX)
		return;
	g_string_free(output->bytes, TRUE);
	output->bytes = g_string_new(NULL);
}

static bool is_next(const QmpOutput *output, const QmpOutFd *first)
{
	return first && first->at == output->done;
}

/* A descriptor goes with the first byte of its command, and no other command goes with it. */
static ssize_t send_some(const QmpOutput *output, int fd)
{
	const QmpOutFd *first = get_fd(output, 0);
	bool has_fd = is_next(output, first);
	const QmpOutFd *next = get_fd(output, has_fd ? 1 : 0);
	size_t end = next ? next->at : output->bytes->len;
	struct iovec bytes = { output->bytes->str + output->done, end - output->done };
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr alignment;
	} control = { { 0 } };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (has_fd) {
		struct cmsghdr *header;

		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &first->fd, sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

int qmp_output_write(QmpOutput *output, int fd)
{
	ssize_t n = send_some(output, fd);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : errno;
	if (is_next(output, get_fd(output, 0)))
		drop_fds(output, 1);
	output->done += (size_t)n;
	if (qmp_output_is_empty(output))
		qmp_output_drop(output);
	return 0;
}
