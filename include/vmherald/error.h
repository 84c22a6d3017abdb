/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <vmherald/macros.h>

VMH_BEGIN_DECLS

/* The service's errors by their names on the bus (org.vmherald.Domains1.Error.NAME), the bus's own, and the library's. */
typedef enum VmhErrorCode {
	VMH_ERROR_FAILED,               /* anything else; name says which */
	VMH_ERROR_NO_SUCH_DOMAIN,       /* also: it has gone meanwhile */
	VMH_ERROR_DOMAIN_EXISTS,
	VMH_ERROR_INVALID_DEFINITION,
	VMH_ERROR_INVALID_ARGUMENT,     /* also found by the library: nothing was sent */
	VMH_ERROR_WRONG_STATE,
	VMH_ERROR_MONITOR_TIMEOUT,
	VMH_ERROR_MONITOR_LOST,
	VMH_ERROR_QEMU,                 /* QemuError */
	VMH_ERROR_START_FAILED,
	VMH_ERROR_NO_SUCH_DEVICE,
	VMH_ERROR_DEVICE_EXISTS,
	VMH_ERROR_REMOVAL_REFUSED,
	VMH_ERROR_TIMEOUT,              /* the service's: the guest did not do it in time */
	VMH_ERROR_LIMIT_EXCEEDED,
	VMH_ERROR_NOT_SUPPORTED,
	VMH_ERROR_HISTORY_LOST,
	VMH_ERROR_IO,
	VMH_ERROR_ACCESS_DENIED,        /* the bus's, or polkit's */
	VMH_ERROR_UNKNOWN_MEMBER,       /* the service does not have that (yet) */
	VMH_ERROR_UNREACHABLE,          /* there is no bus, or no service on it */
	VMH_ERROR_DISCONNECTED,         /* the connection is closed, or not there at the moment */
	VMH_ERROR_NO_EVENT_LOOP,        /* callbacks need one: vmherald/event-loop.h */
	VMH_ERROR_NO_REPLY,             /* the service went away before it answered, or took too long: what was asked for may be done */
} VmhErrorCode;

typedef struct VmhError {
	VmhErrorCode code;
	char *name;                     /* on the bus; "" if it was the library's */
	char *message;                  /* for people: what was wrong, where, and what to do */
} VmhError;

/* NULL-safe. Any thread. Since 0.1. */
VMH_PUBLIC void vmh_error_free(VmhError *error);
/* "no-such-domain" and so on; NULL: there is no such code. Since 0.1. */
VMH_PUBLIC const char *vmh_error_code_to_string(VmhErrorCode code);

VMH_END_DECLS
