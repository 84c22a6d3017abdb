/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/*
 * The conditions a caller of the core can be told about. One enum, one table: service/bus-error.c
 * gives each its name on the bus, and a compile-time check there counts the rows.
 *
 * Failures come in three kinds and each has one channel:
 *  - a condition of the outside world (QEMU refused, a definition is bad, a file cannot be
 *    written): GError with a code below. The text names what was wrong, where, and what to do.
 *  - "not there" in a look-up: NULL, no error.
 *  - a bug of our own: g_assert(). Never used on input.
 */
typedef enum CoreError {
	CORE_ERROR_NO_SUCH_DOMAIN,
	CORE_ERROR_DOMAIN_EXISTS,
	CORE_ERROR_INVALID_DEFINITION,
	CORE_ERROR_INVALID_CONFIGURATION,
	CORE_ERROR_INVALID_ARGUMENT,
	CORE_ERROR_WRONG_STATE,
	CORE_ERROR_MONITOR_TIMEOUT,
	CORE_ERROR_MONITOR_LOST,
	CORE_ERROR_QEMU_ERROR,
	CORE_ERROR_START_FAILED,
	CORE_ERROR_NO_SUCH_DEVICE,
	CORE_ERROR_DEVICE_EXISTS,
	CORE_ERROR_REMOVAL_REFUSED,
	CORE_ERROR_TIMEOUT,
	CORE_ERROR_LIMIT_EXCEEDED,
	CORE_ERROR_NOT_SUPPORTED,
	CORE_ERROR_HISTORY_LOST,
	CORE_ERROR_NOT_PERMITTED,     /* the host does not let the service do that */
	CORE_ERROR_NO_SUCH_LINK,
	CORE_ERROR_IO,
	CORE_ERROR_MAX,
} CoreError;

#define CORE_ERROR core_error_quark()
GQuark core_error_quark(void);

/* Sets a CORE_ERROR_IO for a failed system call: "WHAT: strerror(errno_value)". Any thread. */
void core_error_set_errno(GError **error, int errno_value, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
