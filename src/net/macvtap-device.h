/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/link.h"

/*
 * The character device of a macvtap.
 *
 * Its usual name, /dev/tap<index of the link>, is one for the whole host, while each network namespace counts
 * its links from 1: the file that has the name may be the device of somebody else's link, or there is none.
 * The numbers are what is right; they are in sysfs, where each mount shows one network namespace.
 */

/* The node, as an O_PATH descriptor, which is the caller's; -1 on failure. CORE_ERROR_START_FAILED,
 * CORE_ERROR_NOT_PERMITTED. Blocks: workers. */
int macvtap_device_find(const Link *link, GError **error);
