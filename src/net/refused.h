/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/error.h"

/*
 * What the kernel refused, as an error that says what to do. Any thread.
 */

/* EPERM and EACCES give CORE_ERROR_NOT_PERMITTED and "WHAT: CAPABILITY is missing", where making a link is
 * what was refused (CORE_ERROR_START_FAILED) with what else can be done; everything else gives code and
 * "WHAT: REASON". words are the kernel's own about it; NULL or empty: strerror(). */
void refused_set_error(GError **error, CoreError code, int errno_value, const char *words,
		       const char *capability, const char *format, ...) G_GNUC_PRINTF(6, 7);
