/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/*
 * Calls to the service. They block, and for as long as it takes: the service answers when the
 * thing is done, which for a shutdown may be minutes. Ctrl-C ends the program.
 */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sd_bus_message, sd_bus_message_unref)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(sd_bus_error, sd_bus_error_free)

/* Connects, unless already connected. */
CtlExit bus_open(Ctl *ctl);

/* A call to the service; interface is the short name ("Manager") or a full one. Connects. */
CtlExit bus_method_new(Ctl *ctl, const char *path, const char *interface, const char *member,
		       sd_bus_message **ret_message);

/* Like bus_method_new(), on the domain that goes by this name or uuid. Asks for its path. */
CtlExit bus_domain_method_new(Ctl *ctl, const char *domain, const char *interface,
			      const char *member, sd_bus_message **ret_message);

/* Appends as sd_bus_message_append() does; a failure is reported. */
CtlExit bus_append(sd_bus_message *message, const char *types, ...);

/* One entry of an "a{sv} options" argument; it is left out unless one of its values is set. */
typedef struct BusOption {
	const char *key;
	const char *text;           /* s */
	bool flag;                  /* b */
	uint64_t *microseconds;     /* t; BUS_NO_DURATION: not set */
	const int *number;          /* u; negative: not set */
} BusOption;

#define BUS_NO_DURATION UINT64_MAX

/* Appends an "a{sv}" of those that are set. options ends with an entry without a key; NULL: none. */
CtlExit bus_append_options(sd_bus_message *message, const BusOption *options);

/* Sends, waits for the answer. Reports an error of the service. ret_reply may be NULL. */
CtlExit bus_call(Ctl *ctl, sd_bus_message *message, sd_bus_message **ret_reply);

/* Reads as sd_bus_message_read() does; an answer of the wrong shape is reported. */
CtlExit bus_read(sd_bus_message *message, const char *types, ...);

/* Manager.GetDomain. Free with g_free(). */
CtlExit bus_find_domain(Ctl *ctl, const char *domain, char **ret_path);

/* The exit code for an error of the bus or the service: unreachable or failed. r: negative errno. */
CtlExit bus_exit_code(const sd_bus_error *error, int r);

/* The service does not have that interface or property (yet). */
bool bus_is_unknown(const sd_bus_error *error);

/* Reports the error of a call (r: negative errno) and returns bus_exit_code(). */
CtlExit bus_report(const sd_bus_error *error, int r);
