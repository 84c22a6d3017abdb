/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/mac.h"

/*
 * The groups whose frames a link takes, as somebody has put them there: "global use", of which there is one
 * for each group, however often it was asked for. What the host's own protocols hold is counted apart from
 * that: it goes when they do, and cannot be taken out here.
 *
 * By ioctl and from /proc: rtnetlink has no message that changes the list of a link, and none that reads it
 * with that mark. 0 or -errno. Of any thread, which has to be in the network namespace of the link; blocks.
 */

/* Adds what is there to set. -E2BIG: there are more than n_max. A link that is gone has none. */
int multicast_list_read(unsigned index, unsigned n_max, MacSet *set);
/* Both are content if it is so already. -ENODEV: no link has the name.
 *
 * A macvtap goes on taking the frames of the group that was removed last until its list or its flags
 * change once more: the kernel's driver works out what it takes before the entry is gone
 * (macvlan_set_mac_lists(): the filter first, then what the link below holds for it). That costs a frame
 * that QEMU drops, so nothing is done about it here. */
int multicast_list_add(const char *link, const Mac *mac);
int multicast_list_remove(const char *link, const Mac *mac);
