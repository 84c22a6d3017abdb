/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "net/link.h"

/*
 * A macvtap: a link of its own address on top of another one, whose frames come out of a character device.
 * Unlike a tap it stays until it is deleted. Blocks: workers.
 */

#define MACVTAP_KIND "macvtap"

/* What is to be made. Borrowed. */
typedef struct MacvtapRequest {
	const char *name;
	const char *source;    /* the link below */
	const char *mode;      /* "bridge", "vepa", "private", "passthru" */
	const char *alias;
	Mac mac;
} MacvtapRequest;

/* Makes the link; it is down, and the host will not speak IPv6 on it. On failure nothing remains.
 * CORE_ERROR_START_FAILED, CORE_ERROR_NOT_PERMITTED. */
bool macvtap_make(Netlink *netlink, const MacvtapRequest *request, Link *ret_link, GError **error);

/* One descriptor for each queue: non-blocking, close-on-exec, with a virtio-net header before each frame, the
 * caller's. On failure none. Errors as above. */
bool macvtap_open(const Link *link, unsigned queues, int *ret_descriptors, GError **error);

/* Who on the same lower link has that address, so that it was refused; "" if nobody is seen. Free with
 * g_free(). */
char *macvtap_describe_user(Netlink *netlink, unsigned lower, const Mac *mac, unsigned except);
