/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"

/*
 * Calls to the service. They block, and for as long as it takes: the service answers when the
 * thing is done, which for a shutdown may be minutes. Ctrl-C ends the program.
 */

/* Connects, unless already connected. flags: VmhConnectionFlags. */
CtlExit call_connect(Ctl *ctl, unsigned flags);

/* Reports the error of a call, and says which exit code it is. */
CtlExit call_report(const VmhError *error);
CtlExit call_exit_code(const VmhError *error);

/* The service does not have that interface or property (yet). */
bool call_is_unknown(const VmhError *error);

/* One option of a call, which has the name of the option on the command line; it is left out unless one of its values is set. */
typedef struct CallOption {
	const char *key;
	const char *text;
	const char *seconds;        /* as the user gives them */
	bool flag;
	const int *number;          /* negative: not set */
} CallOption;

/* A call that is being made: what it needs, and the error that it may end with. */
typedef struct Call {
	VmhDomain *domain;
	VmhOptions *options;
	VmhError *error;
} Call;

/* Everything before the call itself: reads the options (which end with one without a key; NULL: none), connects, and looks up
 * the domain that goes by this name or uuid (NULL: the call is to the service as a whole). */
CtlExit call_begin(Ctl *ctl, const char *domain, const CallOption *options, Call *call);
/* Reports call->error, unless it is done. */
CtlExit call_end(const Call *call, bool done);
void call_clear(Call *call);

typedef bool CallFunction(VmhDomain *domain, const VmhOptions *options, VmhError **error);

/* All of it, for calls that have options and nothing else. */
CtlExit call_domain(Ctl *ctl, const char *domain, CallFunction *function, const CallOption *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Call, call_clear)
