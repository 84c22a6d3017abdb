/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "user-limits.h"

#include <string.h>
#include <unistd.h>

#include "bus-fixture.h"
#include "bus/names.h"
#include "caller.h"
#include "message-weight.h"

#define ALICE 1000u
#define BOB   1001u

static UserLimits *new_limits(void)
{
	UserLimits *limits = user_limits_new();

	user_limits_set(limits, &(ConfigurationLimits){
		.domains = 1, .adopted = 1, .calls = 3, .call_bytes = 1000, .authorizations = 2, .queries = 1,
	});
	return limits;
}

static void assert_refused(const UserLimits *limits, uid_t uid, UserLimit limit, const char *text)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;

	g_assert_cmpint(user_limits_check(limits, uid, limit, 0, &error), <, 0);
	g_assert_cmpstr(error.name, ==, BUS_ERROR("LimitExceeded"));
	if (!strstr(error.message, text))
		g_error("'%s' is not in '%s'", text, error.message);
	sd_bus_error_free(&error);
}

static void test_limit(void)
{
	g_autoptr(UserLimits) limits = new_limits();

	for (unsigned i = 0; i < 3; i++)
		g_assert_cmpint(user_limits_take(limits, ALICE, USER_LIMIT_CALLS, 1, NULL), ==, 0);
	assert_refused(limits, ALICE, USER_LIMIT_CALLS,
		       "User 1000 has 3 calls pending on this service; wait until some have been answered. The limit of a "
		       "user is 3, [Limits] CallsMax= in vmherald.conf");
	g_assert_cmpint(user_limits_check(limits, ALICE, USER_LIMIT_CALLS, 1, NULL), ==, 0);
	/* Neither of anything else, nor of anybody else. */
	g_assert_cmpint(user_limits_check(limits, ALICE, USER_LIMIT_QUERIES, 0, NULL), ==, 0);
	g_assert_cmpint(user_limits_check(limits, BOB, USER_LIMIT_CALLS, 0, NULL), ==, 0);
	user_limits_give(limits, ALICE, USER_LIMIT_CALLS, 1);
	g_assert_cmpint(user_limits_check(limits, ALICE, USER_LIMIT_CALLS, 0, NULL), ==, 0);
}

static void test_keys(void)
{
	static const char *const keys[] = { "CallsMax=", "CallBytesMax=", "AuthorizationsMax=", "QueriesMax=" };
	g_autoptr(UserLimits) limits = new_limits();

	for (unsigned i = 0; i < USER_LIMIT_MAX; i++) {
		user_limits_add(limits, ALICE, i, 1000);
		assert_refused(limits, ALICE, i, keys[i]);
		assert_refused(limits, ALICE, i, "User 1000 has 1000 ");
	}
}

static void test_root(void)
{
	g_autoptr(UserLimits) limits = new_limits();

	for (unsigned i = 0; i < 100; i++)
		g_assert_cmpint(user_limits_take(limits, 0, USER_LIMIT_CALLS, 1, NULL), ==, 0);
	g_assert_cmpuint(user_limits_get(limits, 0, USER_LIMIT_CALLS), ==, 100);
	g_assert_false(user_limits_limits(limits, 0, USER_LIMIT_CALLS));
	g_assert_true(user_limits_limits(limits, ALICE, USER_LIMIT_CALLS));
}

/* Of users who have come and gone nothing is left. */
static void test_forgotten(void)
{
	g_autoptr(UserLimits) limits = user_limits_new();

	for (uid_t uid = 0; uid < 1000; uid++)
		user_limits_add(limits, uid, USER_LIMIT_CALL_BYTES, uid);
	g_assert_cmpuint(user_limits_count_users(limits), ==, 999);
	for (uid_t uid = 0; uid < 1000; uid++)
		user_limits_give(limits, uid, USER_LIMIT_CALL_BYTES, uid);
	g_assert_cmpuint(user_limits_count_users(limits), ==, 0);
	g_assert_null(user_limits_free(NULL));
}

/* ---- with messages ---- */

static sd_bus_message *new_message(BusFixture *fixture, const char *text)
{
	sd_bus_message *message = NULL;

	g_assert_cmpint(sd_bus_message_new_method_call(fixture->client, &message, NULL, "/a", BUS_INTERFACE("Domain"), "B"), >=, 0);
	g_assert_cmpint(sd_bus_message_append(message, "sa{sv}(uay)", text, 1, "key", "s", text, 7u, 3, 1, 2, 3), >=, 0);
	g_assert_cmpint(sd_bus_message_seal(message, 1, 0), >=, 0);
	return message;
}

static void test_weight(BusFixture *fixture, const void *data)
{
	g_autofree char *text = g_strnfill(5000, 'x');
	sd_bus_message *message = new_message(fixture, text);
	const char *again;

	g_assert_cmpuint(message_weight(message), >=, 10000);
	g_assert_cmpuint(message_weight(message), <=, 10200);
	/* It can be read again. */
	g_assert_cmpint(sd_bus_message_read(message, "s", &again), >, 0);
	g_assert_cmpstr(again, ==, text);
	sd_bus_message_unref(message);
}

/* What is counted when a call comes is given back when it ends, or its caller leaves. */
static void test_callers(BusFixture *fixture, const void *data)
{
	uid_t uid = getuid();
	g_autoptr(UserLimits) limits = new_limits();
	g_autoptr(Callers) callers = callers_new();
	g_autofree char *text = g_strnfill(600, 'x');
	GList links[2] = { { NULL } };
	sd_bus_message *message = new_message(fixture, text);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	GQueue taken;

	callers_use_limits(callers, limits, NULL);
	for (unsigned round = 0; round < 2; round++) {
		g_assert_cmpint(callers_check(callers, message, NULL), ==, 0);
		callers_add(callers, message, &links[0]);
		g_assert_cmpuint(user_limits_get(limits, uid, USER_LIMIT_CALLS), ==, 1);
		if (uid != 0) {
			g_assert_cmpuint(user_limits_get(limits, uid, USER_LIMIT_CALL_BYTES), >=, 1200);
			g_assert_cmpint(callers_check(callers, message, &error), <, 0);
			g_assert_nonnull(strstr(error.message, "CallBytesMax="));
			sd_bus_error_free(&error);
		}
		/* Reading is short, and goes on. */
		g_assert_cmpint(callers_check_later(callers, message, NULL), ==, 0);
		callers_add(callers, message, &links[1]);
		callers_remove(callers, message, &links[0]);
		taken = callers_take(callers, "");
		g_assert_cmpuint(taken.length, ==, 1);
		g_assert_cmpuint(user_limits_count_users(limits), ==, 0);
	}
	sd_bus_message_unref(message);
}

int main(int argc, char **argv)
{
	/* root is not limited, and the last of these are about who runs them. */
	if (getuid() == 0)
		g_assert_cmpint(setresuid(65534, 65534, 65534), ==, 0);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/service/user-limits/limit", test_limit);
	g_test_add_func("/service/user-limits/keys", test_keys);
	g_test_add_func("/service/user-limits/root", test_root);
	g_test_add_func("/service/user-limits/forgotten", test_forgotten);
	g_test_add("/service/user-limits/weight", BusFixture, NULL, bus_set_up, test_weight, bus_tear_down);
	g_test_add("/service/user-limits/callers", BusFixture, NULL, bus_set_up, test_callers, bus_tear_down);
	return g_test_run();
}
