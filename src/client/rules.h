/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <vmherald/event.h>

/*
 * The match rules of a connection, each with the number of callbacks that need it. Pure.
 *
 * A rule is the same thing three times: text for AddMatch, an entry of the filter of GetEvents and CountEvents, and a question to ask of an event.
 */

/* The service takes so many entries in any-of; with more rules, the filter is the narrowest single one that has them all in it. */
#define RULES_FILTER_MAX 64u
/* A connection's. The bus has a bound, too (dbus-daemon: 512 on the system bus). */
#define RULES_MAX        4096u

typedef struct RuleMatch {
	const char *uuid;           /* NULL: all domains */
	VmhEventKind kind;          /* VMH_EVENT_ANY: all events */
	const char *interface;      /* the full name; NULL: all. Only with VMH_EVENT_ANY */
	const char *arg0;           /* NULL: all */
} RuleMatch;

typedef struct Rule {
	RuleMatch match;            /* strings are the rule's */
	char *text;                 /* for AddMatch and RemoveMatch */
	uint64_t since;             /* it wants events with a greater sequence */
	unsigned users;
} Rule;

typedef struct Rules Rules;

Rules *rules_new(void);
Rules *rules_free(Rules *rules);    /* NULL-safe */

/* The rule for this, with one user more; *ret_new: it was not there. NULL: RULES_MAX. Borrowed. */
Rule *rules_take(Rules *rules, const RuleMatch *match, uint64_t since, bool *ret_new);
/* One user less. True: that was the last, and the rule is gone; *ret_text is its text, to be freed with g_free(). */
bool rules_release(Rules *rules, Rule *rule, char **ret_text);

unsigned rules_get_length(const Rules *rules);
Rule *rules_get(const Rules *rules, unsigned index);

/* Is the event of that kind and domain; since is not asked here. Events without a sequence are matched by their kind alone. */
bool rule_match_wants(const RuleMatch *match, const VmhEvent *event);

/* Does any rule want it (since included)? *ret_predecessor: the sequence that has to be delivered before it, 0: none that is known of
 * (see client/stream.h). */
bool rules_want(const Rules *rules, const VmhEvent *event, uint64_t *ret_predecessor);

/* Is there a rule for all events, so that sequences are without a hole? */
bool rules_have_all(const Rules *rules);

/* a{sv} for CountEvents and GetEvents, floating; rules with kinds that have no sequence are left out. *ret_exact: false if there are too many rules, and so
 * it has more in it than they want: then a count says nothing, and what is fetched has to be sorted out. */
GVariant *rules_get_filter(const Rules *rules, bool *ret_exact);
