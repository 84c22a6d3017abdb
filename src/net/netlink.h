/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <netlink/msg.h>

#include "base/error.h"

/*
 * A socket for rtnetlink, and a request on it with its answer.
 *
 * libnl makes the messages. What comes back is read here: libnl keeps only a few of the kernel's errors apart
 * (an address in use is "exists" to it), and leaves out the words that the kernel has for them (extended
 * acknowledgements).
 *
 * Of the thread that has opened it, and in the network namespace that this thread was in then. Blocks:
 * workers.
 */

typedef struct Netlink Netlink;

Netlink *netlink_open(GError **error);
/* NULL-safe, returns NULL. */
Netlink *netlink_close(Netlink *netlink);

/* One message of an answer, valid for the time of the call. */
typedef void (*NetlinkReply)(struct nlmsghdr *header, void *userdata);

/* Takes the message. reply may be NULL. 0, or -errno of the kernel's. */
int netlink_request(Netlink *netlink, struct nl_msg *message, NetlinkReply reply, void *userdata);

/* refused_set_error() for the last request, with the kernel's words. */
void netlink_set_error(const Netlink *netlink, GError **error, CoreError code, int errno_value,
		       const char *format, ...) G_GNUC_PRINTF(5, 6);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Netlink, netlink_close)
