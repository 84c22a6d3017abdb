/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's id of this boot (/proc/sys/kernel/random/boot_id), by which files that are not removed at a
 * boot can tell that there was one. "" if it cannot be read. Free with g_free(). Any thread. */
char *boot_id_read(void);
