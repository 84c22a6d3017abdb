/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "ctl/ctl.h"

/*
 * A signal of the service as a value, and the patterns that choose signals.
 *
 * Every event ends in a stamp and details; PropertiesChanged and the like do not. The signature
 * tells which it is, so signals of a newer service are understood too.
 */

typedef struct Signal {
	char *path;             /* of the object that sent it */
	char *interface;        /* full name */
	char *member;
	char *domain_path;      /* of the domain it is about; NULL: of none */
	char *name;             /* of that domain; NULL: not known */
	JsonArray *arguments;   /* without stamp and details */
	JsonNode *details;      /* an object; NULL: not an event */
	uint64_t sequence;
	uint64_t previous;
	uint64_t time;          /* of the event; for others, of arrival */
} Signal;

/* NULL if the message is malformed. */
Signal *signal_new(sd_bus_message *message);
Signal *signal_free(Signal *signal);

/* The n-th argument if it is a string, else NULL. Borrowed. */
const char *signal_argument(const Signal *signal, unsigned index);

bool signal_is(const Signal *signal, const char *interface, const char *member);

/* One line. */
void signal_print(const Ctl *ctl, const Signal *signal);

/* What the user calls a TYPE; NULL parts match everything. */
typedef struct SignalType {
	char *interface;        /* short name */
	char *member;
	char *event;            /* of Domain.Lifecycle */
} SignalType;

/* "Member", "Interface.Member", "Interface.*" or a lifecycle event. A bad one is reported. The
 * parts hold nothing but letters, digits, _ and -, so they may go into a match rule as they are. */
CtlExit signal_type_parse(const char *text, SignalType **ret_type);
SignalType *signal_type_free(SignalType *type);

/* An empty list that owns its SignalTypes. Free with g_ptr_array_unref(). */
GPtrArray *signal_type_list_new(void);

bool signal_type_matches(const SignalType *type, const Signal *signal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Signal, signal_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignalType, signal_type_free)
