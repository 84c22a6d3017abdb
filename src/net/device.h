/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/error.h"

/*
 * Character devices of the kernel's that make a link or speed it up.
 */

/* For reading and writing, non-blocking, close-on-exec; the caller's. -1 on failure:
 * CORE_ERROR_START_FAILED names the module that is to be loaded if the device is not there,
 * CORE_ERROR_NOT_PERMITTED. Blocks. */
int device_open(const char *path, const char *module, GError **error);
