/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <vmherald/connection.h>
#include <vmherald/options.h>

/*
 * A method of the service with its arguments as the typed functions have them: looked at before anything is sent, and the answer
 * before anything is given out.
 */

typedef struct Member {
	const char *path;            /* NULL: the manager's */
	const char *interface;       /* the full name */
	const char *member;
	const char *answer;          /* the type of the answer, a tuple; NULL: "()" */
	bool no_start;               /* as in client/call.h, as well as the next */
	int *ret_fd;
} Member;

/*
 * Calls it and waits. arguments has a letter for each that follows:
 *    s   const char *, neither NULL nor anything but UTF-8: VMH_ERROR_INVALID_ARGUMENT
 *    t   uint64_t
 *    b   int
 *    O   const VmhOptions *, may be NULL
 * The answer, of the type that it should have; NULL and *error.
 */
GVariant *member_run(VmhConnection *connection, const Member *member, VmhError **error, const char *arguments, ...);
GVariant *member_run_va(VmhConnection *connection, const Member *member, VmhError **error, const char *arguments,
			va_list values);

/* Properties, over the bus's own interface for them. interface: the short name or the full one. Both can be NULL: INVALID_ARGUMENT. */
VmhValue *member_get_properties(VmhConnection *connection, const char *path, const char *interface, VmhError **error);
VmhValue *member_get_property(VmhConnection *connection, const char *path, const char *interface,
			      const char *property, bool no_start, VmhError **error);
