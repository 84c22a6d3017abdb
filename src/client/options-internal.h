/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <vmherald/error.h>
#include <vmherald/options.h>

/* Can all of them be sent? Else VMH_ERROR_INVALID_ARGUMENT. */
bool options_check(const VmhOptions *options, VmhError **error);
/* a{sv}, floating. NULL: an empty one. */
GVariant *options_to_gvariant(const VmhOptions *options);
/* What the handles in it stand for; NULL: there are none. Borrowed. */
const int *options_get_fds(const VmhOptions *options);
