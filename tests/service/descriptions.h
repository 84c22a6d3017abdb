/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* All signals of the descriptions in the folder VMHERALD_INTROSPECTION: "INTERFACE.MEMBER" to "TYPES NAME NAME ...". Free with
 * g_hash_table_unref(). */
GHashTable *descriptions_read_signals(void);
