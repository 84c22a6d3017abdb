/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

#include "credentials.h"
#include "user-limits.h"

/*
 * Who has calls pending: a connection to the bus, by its unique name.
 *
 * Each may have so many, over all domains and the manager, and the bound of a domain (DOMAIN_PENDING_MAX) is
 * above it: so nobody fills a domain alone, and whoever is at his own bound keeps nobody from anything.
 *
 * And each user has a limit for all his connections together (user-limits.h), in calls and in what their arguments take: a call is kept
 * as it came until it is answered.
 *
 * Who leaves the bus has his calls dropped: they are forgotten here, and the core is told that nobody waits for
 * them any more (domain_abandon()). One match rule for all: the bus tells us of each connection that ends, and
 * for one without calls that is a look into a table.
 */

#define CALLER_CALLS_MAX     1024u
/* So many calls of Destroy() are taken above it: what hangs must not be safe from who has asked it too much. */
#define CALLER_CALLS_RESERVE 16u

typedef struct Callers Callers;

Callers *callers_new(void);
/* NULL-safe, returns NULL. The calls that are left are those of their owners. */
Callers *callers_free(Callers *callers);

/* Users are limited from now on; both outlive the callers. credentials: NULL on the session bus. */
void callers_use_limits(Callers *callers, UserLimits *limits, const Credentials *credentials);

/* For a filter of the bus, before a method call is dispatched: 0, or a negative errno and LimitExceeded in
 * ret_error if it is a call of ours and its sender has too many. */
int callers_check(Callers *callers, sd_bus_message *message, sd_bus_error *ret_error);

/* The same for a call of another interface that is not answered at once. Whoever is at his bound can read all the same, but
 * not without end. */
int callers_check_later(Callers *callers, sd_bus_message *message, sd_bus_error *ret_error);
/* link is part of the call, and stays the caller's until one of the two below. */
void callers_add(Callers *callers, sd_bus_message *message, GList *link);
void callers_remove(Callers *callers, sd_bus_message *message, GList *link);
/* The links of all calls of the connection of that name, taken off; an empty queue if it has none. */
GQueue callers_take(Callers *callers, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Callers, callers_free)
