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
	uint64_t since;             /* it wants events with a greater sequence; to be changed by rules_set_since() alone */
	unsigned users;
	unsigned born;              /* the generation it came (or its since went back) with */
	unsigned index;             /* its place among the rules */
	GSequenceIter *by_since;    /* and among those for events; see rules.c */
	GList by_birth;
} Rule;

typedef struct Rules Rules;

Rules *rules_new(void);
Rules *rules_free(Rules *rules);    /* NULL-safe */

/* The rule for this, with one user more; *ret_new: it was not there. NULL: RULES_MAX. Borrowed. */
Rule *rules_take(Rules *rules, const RuleMatch *match, uint64_t since, bool *ret_new);
/* One user less. True: that was the last, and the rule is gone; *ret_text is its text, to be freed with g_free(). */
bool rules_release(Rules *rules, Rule *rule, char **ret_text);
void rules_set_since(Rules *rules, Rule *rule, uint64_t since);
/* The service has begun to number anew: what is of the old numbers is gone, and each rule wants all of the new ones. */
void rules_renumber(Rules *rules);

unsigned rules_get_length(const Rules *rules);
Rule *rules_get(const Rules *rules, unsigned index);

/*
 * WARNING: sd-bus reads the text of a rule in its own way, in which a backslash counts within apostrophes, and D-Bus's is another.
 * So the text is for the bus's AddMatch() itself, not for sd_bus_add_match().
 */

/* Is the event of that kind, domain and arg0; since is not asked here. Those without a sequence are only wanted by who names their kind. */
bool rule_match_wants(const RuleMatch *match, const VmhEvent *event);

/* The most rules that one event fits: with or without its domain, its arg0, and its kind, its interface or neither. */
#define RULES_FITTING_MAX 12u
/* All that it fits, in no order; since is not asked. Their number. However many rules there are, it takes the same time. */
unsigned rules_find_fitting(const Rules *rules, const VmhEvent *event, Rule *ret_rules[RULES_FITTING_MAX]);

/* What rules know of the one before an event, from the coarsest on. */
typedef enum RuleBreadth {
	RULE_ALL,                   /* sequence - 1 */
	RULE_DOMAIN,                /* all of a domain: domain-previous */
	RULE_MEMBER,                /* kind or interface: previous */
	RULE_BREADTHS,              /* with arg0: nothing */
} RuleBreadth;

/* Does any rule want it (since included)? ret_predecessors: what has to be delivered before it, as far as rules that want it know; 0: none.
 * One is not enough: what the coarsest rule knows goes back to that rule's since, and a finer one may want what was before. */
bool rules_want(const Rules *rules, const VmhEvent *event, uint64_t ret_predecessors[RULE_BREADTHS]);

/* Is there a rule for all events, so that sequences are without a hole? */
bool rules_have_all(const Rules *rules);
/* Is there one for events at all, which have a sequence? */
bool rules_have_events(const Rules *rules);
/* The lowest since of those rules for events that were born after generation (0: of all); UINT64_MAX: there are none. Only
 * those that were born since are looked at, and of all the lowest one. */
uint64_t rules_get_since(const Rules *rules, unsigned generation);

/* Goes up, beginning with 1, with each rule that comes or goes and each since that changes. */
unsigned rules_get_generation(const Rules *rules);
/* The generation of the last rule that went. */
unsigned rules_get_last_loss(const Rules *rules);

/* Does the filter let through what the rules want, and no more? If not, a count says nothing, and what is fetched has to be sorted out. */
bool rules_are_exact(const Rules *rules);
/* a{sv} for CountEvents and GetEvents, floating; rules with kinds that have no sequence are left out, and there must be others.
 * *ret_exact (or NULL): rules_are_exact(). */
GVariant *rules_get_filter(const Rules *rules, bool *ret_exact);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rules, rules_free)
