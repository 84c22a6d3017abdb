/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "user-limits.h"

#include <inttypes.h>
#include <stddef.h>

#include "bus/names.h"

/* There is an entry for who has something, and for nobody else. */
typedef struct User {
	uint64_t has[USER_LIMIT_MAX];
} User;

struct UserLimits {
	ConfigurationLimits values;
	GHashTable *users;          /* uid -> User */
};

static const struct {
	const char *key, *what;     /* USER has N WHAT */
	size_t offset;              /* in ConfigurationLimits */
} rows[] = {
	[USER_LIMIT_CALLS] = { "CallsMax", "calls pending on this service; wait until some have been answered",
			       offsetof(ConfigurationLimits, calls) },
	[USER_LIMIT_CALL_BYTES] = { "CallBytesMax", "bytes in the arguments of calls that are pending on this "
				    "service; wait until some have been answered",
				    offsetof(ConfigurationLimits, call_bytes) },
	[USER_LIMIT_AUTHORIZATIONS] = { "AuthorizationsMax", "calls that wait for an authorization; answer what "
					"polkit asks, or wait", offsetof(ConfigurationLimits, authorizations) },
	[USER_LIMIT_QUERIES] = { "QueriesMax", "queries of the history whose answers wait; read those first",
				 offsetof(ConfigurationLimits, queries) },
};
G_STATIC_ASSERT(G_N_ELEMENTS(rows) == USER_LIMIT_MAX);

UserLimits *user_limits_new(void)
{
	UserLimits *limits = g_new0(UserLimits, 1);

	limits->values = (ConfigurationLimits){
		.domains = CONFIGURATION_INFINITY,
		.adopted = CONFIGURATION_INFINITY,
		.calls = CONFIGURATION_INFINITY,
		.call_bytes = CONFIGURATION_INFINITY,
		.authorizations = CONFIGURATION_INFINITY,
		.queries = CONFIGURATION_INFINITY,
	};
	limits->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	return limits;
}

UserLimits *user_limits_free(UserLimits *limits)
{
	if (!limits)
		return NULL;
	g_hash_table_unref(limits->users);
	g_free(limits);
	return NULL;
}

void user_limits_set(UserLimits *limits, const ConfigurationLimits *values)
{
	limits->values = *values;
}

static uint64_t max_of(const UserLimits *limits, uid_t uid, UserLimit limit)
{
	return uid == 0 ? CONFIGURATION_INFINITY
			: *(const uint64_t *)((const char *)&limits->values + rows[limit].offset);
}

bool user_limits_limits(const UserLimits *limits, uid_t uid, UserLimit limit)
{
	return max_of(limits, uid, limit) != CONFIGURATION_INFINITY;
}

uint64_t user_limits_get(const UserLimits *limits, uid_t uid, UserLimit limit)
{
	const User *user = g_hash_table_lookup(limits->users, GUINT_TO_POINTER(uid));

	return user ? user->has[limit] : 0;
}

int user_limits_check(const UserLimits *limits, uid_t uid, UserLimit limit, uint64_t reserve, sd_bus_error *ret_error)
{
	uint64_t max = max_of(limits, uid, limit), has = user_limits_get(limits, uid, limit);

	if (max == CONFIGURATION_INFINITY || has < max + reserve)
		return 0;
	return sd_bus_error_setf(ret_error, BUS_ERROR("LimitExceeded"),
				 "User %u has %" PRIu64 " %s. The limit of a user is %" PRIu64 ", [Limits] %s= in "
				 "vmherald.conf", (unsigned)uid, has, rows[limit].what, max, rows[limit].key);
}

void user_limits_add(UserLimits *limits, uid_t uid, UserLimit limit, uint64_t amount)
{
	User *user = g_hash_table_lookup(limits->users, GUINT_TO_POINTER(uid));

	if (amount == 0)
		return;
	if (!user) {
		user = g_new0(User, 1);
		g_hash_table_insert(limits->users, GUINT_TO_POINTER(uid), user);
	}
	user->has[limit] += amount;
}

int user_limits_take(UserLimits *limits, uid_t uid, UserLimit limit, uint64_t amount, sd_bus_error *ret_error)
{
	int r = user_limits_check(limits, uid, limit, 0, ret_error);

	if (r >= 0)
		user_limits_add(limits, uid, limit, amount);
	return r;
}

void user_limits_give(UserLimits *limits, uid_t uid, UserLimit limit, uint64_t amount)
{
	User *user = g_hash_table_lookup(limits->users, GUINT_TO_POINTER(uid));

	if (amount == 0)
		return;
	g_assert(user && user->has[limit] >= amount);
	user->has[limit] -= amount;
	for (unsigned i = 0; i < USER_LIMIT_MAX; i++)
		if (user->has[i] > 0)
			return;
	(void)g_hash_table_remove(limits->users, GUINT_TO_POINTER(uid));
}

unsigned user_limits_count_users(const UserLimits *limits)
{
	return g_hash_table_size(limits->users);
}
