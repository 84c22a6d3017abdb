/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service.h"

/*
 * Whether a caller on the system bus may do what he calls for. Each method has its action (action.h), and polkit is asked about
 * it (authority.h), with the domain's name and uuid and the method as details, so that a rule can be about one domain. Root is
 * not asked about, nor is the user the service runs as; on the session bus nobody is.
 *
 * The call is held meanwhile, and other calls go on, those of the same caller too. After a yes the message is dispatched once more,
 * and all that was found out about it is found out again: if it means another domain by now, another question is asked.
 *
 * Reading is what most do, again and again: a yes to ACTION_INSPECT that needed nobody's password holds for the same connection,
 * domain and method for a while. All else is asked each time.
 *
 * Of who leaves the bus nothing stays here. Event thread only. NULL is the access of the session bus.
 */

/* Calls of all users that are held; further ones are refused with LimitExceeded, as are those of a user beyond his own limit
 * (USER_LIMIT_AUTHORIZATIONS). */
#define ACCESS_HELD_MAX 512u
/* How long a yes holds for who only reads, and how many of them a connection may have. */
#define ACCESS_GRANT_US  (30 * G_TIME_SPAN_SECOND)
#define ACCESS_GRANTS_MAX 256u

/* service must outlive it, and has its bus, its credentials, its actions and its limits of users. */
Access *access_new(Service *service);
/* Before the driver and the bus: who waits is told that the service leaves. NULL-safe, returns NULL. */
Access *access_free(Access *access);

/* For a filter of the bus, before a method call is dispatched: 0 if it may go on; 1: it is held, or has been answered; a negative
 * errno and ret_error if it may not. */
int access_filter(Access *access, sd_bus_message *message, sd_bus_error *ret_error);

/* The connection of that name has ended. */
void access_forget(Access *access, const char *name);

/* Calls that are held. */
unsigned access_count_held(const Access *access);
