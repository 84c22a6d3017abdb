/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service's interfaces have short names in the library ("Block"). The full one of it; what has a dot in it is one already, of whomever.
 * NULL: NULL. Free with g_free(). */
char *interface_get_full_name(const char *name);
