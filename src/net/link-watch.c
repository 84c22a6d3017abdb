/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net/link-watch.h"

#include <errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include "base/log.h"

/* A message about a link with many attributes; the rest of a longer one is not looked at. */
#define MESSAGE_MAX       16384u
/* So many in one turn; then the loop's other work comes first. */
#define MESSAGES_A_TURN   64u

struct LinkWatchEntry {
	LinkWatch *watch;
	unsigned index;
	LinkWatchCallback callback;
	void *userdata;
	bool is_due;
};

struct LinkWatch {
	Loop *loop;
	GPtrArray *entries;          /* LinkWatchEntry */
	struct nl_sock *socket;      /* NULL: not open */
	int handle;
};

static void close_socket(LinkWatch *watch)
{
	if (!watch->socket)
		return;
	loop_remove_handle(watch->loop, watch->handle);
	g_clear_pointer(&watch->socket, nl_socket_free);
}

/* WARNING: a callback may remove any entry; so each is looked for anew. */
static void call_due(LinkWatch *watch)
{
	for (unsigned i = 0; i < watch->entries->len;) {
		LinkWatchEntry *entry = g_ptr_array_index(watch->entries, i);

		if (!entry->is_due) {
			i++;
			continue;
		}
		entry->is_due = false;
		entry->callback(entry->userdata);
		i = 0;
	}
}

/* index 0: all. */
static void mark_due(LinkWatch *watch, unsigned index)
{
	for (unsigned i = 0; i < watch->entries->len; i++) {
		LinkWatchEntry *entry = g_ptr_array_index(watch->entries, i);

		entry->is_due |= index == 0 || entry->index == index;
	}
}

static void read_message(LinkWatch *watch, const void *buffer, size_t length)
{
	struct nlmsghdr *header = (struct nlmsghdr *)buffer;
	int left = (int)length;

	for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
		const struct ifinfomsg *link = nlmsg_data(header);

		/* That a port has left its bridge is told by the same message, of the family AF_BRIDGE. */
		if (header->nlmsg_type == RTM_DELLINK && nlmsg_datalen(header) >= (int)sizeof(*link) &&
		    link->ifi_family == AF_UNSPEC)
			mark_due(watch, (unsigned)link->ifi_index);
	}
}

static void on_readable(int handle, int fd, LoopEvents events, void *userdata)
{
	LinkWatch *watch = userdata;
	g_autofree char *buffer = g_malloc(MESSAGE_MAX);

	for (unsigned i = 0; i < MESSAGES_A_TURN; i++) {
		ssize_t length = recv(fd, buffer, MESSAGE_MAX, MSG_DONTWAIT);

		/* The kernel has told more than the socket takes, and left some out. */
		if (length < 0 && errno == ENOBUFS)
			mark_due(watch, 0);
		else if (length <= 0)
			break;
		else
			read_message(watch, buffer, (size_t)length);
	}
	call_due(watch);
}

static void open_socket(LinkWatch *watch)
{
	int result;

	watch->socket = nl_socket_alloc();
	result = watch->socket ? nl_connect(watch->socket, NETLINK_ROUTE) : -NLE_NOMEM;
	if (result >= 0)
		result = nl_socket_add_membership(watch->socket, RTNLGRP_LINK);
	if (result >= 0)
		watch->handle = loop_add_handle(watch->loop, nl_socket_get_fd(watch->socket), LOOP_READABLE,
						on_readable, watch, NULL);
	if (result >= 0 && watch->handle >= 0)
		return;
	log_text(LOG_WARNING, "Links that are deleted cannot be watched (rtnetlink): %s; that is noticed when a guest "
			      "changes its filter", result < 0 ? nl_geterror(result) : "no more descriptors");
	g_clear_pointer(&watch->socket, nl_socket_free);
}

LinkWatch *link_watch_new(Loop *loop)
{
	LinkWatch *watch = g_new0(LinkWatch, 1);

	watch->loop = loop;
	watch->entries = g_ptr_array_new();
	return watch;
}

LinkWatch *link_watch_free(LinkWatch *watch)
{
	if (!watch)
		return NULL;
	g_assert(watch->entries->len == 0);
	close_socket(watch);
	g_ptr_array_unref(watch->entries);
	g_free(watch);
	return NULL;
}

LinkWatchEntry *link_watch_add(LinkWatch *watch, unsigned index, LinkWatchCallback callback, void *userdata)
{
	LinkWatchEntry *entry = g_new0(LinkWatchEntry, 1);

	entry->watch = watch;
	entry->index = index;
	entry->callback = callback;
	entry->userdata = userdata;
	g_ptr_array_add(watch->entries, entry);
	if (!watch->socket)
		open_socket(watch);
	return entry;
}

LinkWatchEntry *link_watch_remove(LinkWatchEntry *entry)
{
	LinkWatch *watch;

	if (!entry)
		return NULL;
	watch = entry->watch;
	(void)g_ptr_array_remove(watch->entries, entry);
	g_free(entry);
	if (watch->entries->len == 0)
		close_socket(watch);
	return NULL;
}

bool link_watch_is_open(const LinkWatch *watch)
{
	return watch->socket != NULL;
}
