/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <vmherald/glib.h>

/*
 * What every part of vmheraldctl shares: the run's settings and the exit codes.
 *
 * The program is one thread that does one verb and ends. It is made of libvmherald, as any other program can be: what is not in
 * include/vmherald is not known here. A function that can fail reports on stderr where it fails and returns an exit code; its
 * callers only pass the code on, so nothing is reported twice.
 */

/* Part of the interface for scripts: also in --help and in the manual page. */
typedef enum CtlExit {
	CTL_OK = 0,
	CTL_FAILED = 1,         /* the service said no, or output could not be written */
	CTL_USAGE = 2,          /* bad arguments; nothing was sent */
	CTL_TIMEOUT = 3,        /* "wait" gave up */
	CTL_UNREACHABLE = 4,    /* no bus, or no service on it */
} CtlExit;

typedef struct Verb Verb;

typedef struct Ctl {
	const Verb *verb;
	char *address;              /* of the bus, instead of the session's or the system's */
	bool system;
	bool no_ask_password;
	bool json;
	bool terminal;              /* stdout is one: tables get a head and are aligned */
	bool color;
	VmhConnection *connection;  /* opened by the first call; see call_connect() */
} Ctl;

/* Writes "vmheraldctl: TEXT" to stderr, made safe for a terminal: the text may be a guest's. */
void ctl_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
