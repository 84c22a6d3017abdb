/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl/ctl.h"
#include "ctl/signal.h"

/*
 * Listening to the service. It takes match rules and nothing else: no call to the service is
 * needed for a signal to come, and the service may start, end and start again meanwhile.
 *
 * Domains are known on the bus by their uuid; their names are learned on the way, from
 * InterfacesAdded and, if wanted, from one ListDomains, which does not start the service. Until
 * its answer is here, signals are held back, so that already the first line shows a name.
 */

/* Signals held back at most; past this they are handed on with the names known so far. */
#define WATCH_HELD_MAX 4096u
/* Names of removed domains that are kept for their last signals. */
#define WATCH_GONE_MAX 256u
/* A service that does not answer ListDomains in this time is not waited for: microseconds. */
#define WATCH_NAMES_TIMEOUT (5u * G_USEC_PER_SEC)

typedef struct WatchHandler {
	/* signal is borrowed. Own events, PropertiesChanged and ObjectManager's signals. */
	void (*signal)(const Signal *signal, void *userdata);
	/* The service came or went. May be NULL. */
	void (*owner)(bool present, void *userdata);
	void *userdata;
} WatchHandler;

typedef struct WatchRules {
	const char *path;           /* one domain's; NULL: all objects */
	const GPtrArray *types;     /* SignalType; empty or NULL: all */
	bool properties;            /* PropertiesChanged too, where types are given */
	bool learn_names;           /* by ListDomains; else by listening only */
} WatchRules;

typedef struct Watch Watch;

/* When it returns, the rules are in place: what is emitted from now on will be seen. Connects.
 * ctl must outlive the watch. */
CtlExit watch_new(Ctl *ctl, const WatchRules *rules, const WatchHandler *handler, Watch **ret_watch);
Watch *watch_free(Watch *watch);

/* Handles what there is, or waits for more: at most timeout microseconds (UINT64_MAX: for ever).
 * Calls the handler, at most for one message. */
CtlExit watch_process(Watch *watch, uint64_t timeout);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watch, watch_free)
