/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "model/configuration.h"

/*
 * What each user has of what others need too, over all his connections to the bus: calls that are not answered, the bytes of
 * their arguments, calls that wait for polkit, queries of the history whose answer waits. So whoever opens many connections
 * has no more by it. Domains are counted where they are (driver-owners.c).
 *
 * The limits are those of [Limits] in vmherald.conf, and the error says which. The bounds of a connection (caller.h) and of the
 * service as a whole hold besides. root is counted and not limited: an administrator must be able to mend what users have
 * done. Whoever is at a limit can still read properties and objects, and Destroy().
 *
 * Event thread only.
 */

typedef enum UserLimit {
	USER_LIMIT_CALLS,
	USER_LIMIT_CALL_BYTES,
	USER_LIMIT_AUTHORIZATIONS,
	USER_LIMIT_QUERIES,
	USER_LIMIT_MAX,
} UserLimit;

typedef struct UserLimits UserLimits;

/* Nobody is limited, until user_limits_set(). */
UserLimits *user_limits_new(void);
UserLimits *user_limits_free(UserLimits *limits);
/* From now on; what somebody has above it stays. */
void user_limits_set(UserLimits *limits, const ConfigurationLimits *values);

/* Whether there is a limit for him at all. */
bool user_limits_limits(const UserLimits *limits, uid_t uid, UserLimit limit);

/* 0 if he may have one more (reserve: so many beyond the limit), or a negative errno and LimitExceeded in ret_error, which names the
 * limit, its value and its key. Of bytes: he may have one more call, however long that is. */
int user_limits_check(const UserLimits *limits, uid_t uid, UserLimit limit, uint64_t reserve, sd_bus_error *ret_error);
/* The same, and he has amount more, if he may. */
int user_limits_take(UserLimits *limits, uid_t uid, UserLimit limit, uint64_t amount, sd_bus_error *ret_error);
/* What is counted although it may be above the limit, since it was let pass before. */
void user_limits_add(UserLimits *limits, uid_t uid, UserLimit limit, uint64_t amount);
void user_limits_give(UserLimits *limits, uid_t uid, UserLimit limit, uint64_t amount);

uint64_t user_limits_get(const UserLimits *limits, uid_t uid, UserLimit limit);
/* Those who have anything. */
unsigned user_limits_count_users(const UserLimits *limits);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UserLimits, user_limits_free)
