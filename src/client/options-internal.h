/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <vmherald/options.h>

/* a{sv}, floating. NULL: an empty one. */
GVariant *options_to_gvariant(const VmhOptions *options);
/* What the handles in it stand for, in their order; NULL: there are none. Borrowed. */
const int *options_get_fds(const VmhOptions *options);
