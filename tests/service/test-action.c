/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "action.h"

#include <errno.h>

#include "bus-fixture.h"

static int method(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	return sd_bus_reply_method_return(message, "");
}

static int set(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *value,
	       void *userdata, sd_bus_error *ret_error)
{
	return 0;
}

static const sd_bus_vtable good[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("Peek", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, ACTION_INSPECT),
	ACTION_METHOD("Open", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, ACTION_OPEN),
	ACTION_METHOD("Manage", SD_BUS_ARGS("s", what, "a{sv}", options), SD_BUS_RESULT("s", result), method,
		      ACTION_MANAGE),
	ACTION_WRITABLE_PROPERTY("Level", "s", NULL, set, 0, ACTION_CONTROL),
	SD_BUS_PROPERTY("Read", "s", NULL, 0, 0),
	SD_BUS_VTABLE_END,
};

/* One row each that has none. */
static const sd_bus_vtable bad_method[] = {
	SD_BUS_VTABLE_START(0),
	ACTION_METHOD("Peek", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, ACTION_INSPECT),
	SD_BUS_METHOD_WITH_ARGS("Bare", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, 0),
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable bad_property[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_WRITABLE_PROPERTY("Bare", "s", NULL, set, 0, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable bad_action[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("Bare", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method, ACTION_FLAGS(ACTION_MAX)),
	SD_BUS_VTABLE_END,
};
/* sd-bus itself would ask who calls, and wait for that. */
static const sd_bus_vtable bad_flags[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("Bare", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method,
				SD_BUS_VTABLE_CAPABILITY(ACTION_INSPECT)),
	SD_BUS_VTABLE_END,
};

static void assert_action(const Actions *actions, const char *member, Action action)
{
	Action found = ACTION_MAX;

	g_assert_true(actions_find(actions, "a.b", member, &found));
	g_assert_cmpint((int)found, ==, (int)action);
}

static void test_found(BusFixture *fixture, const void *data)
{
	g_autoptr(Actions) actions = actions_new();
	Action found;

	g_assert_cmpint(actions_add_object(actions, fixture->service, "/a", "a.b", good, NULL), >=, 0);
	assert_action(actions, "Peek", ACTION_INSPECT);
	assert_action(actions, "Open", ACTION_OPEN);
	assert_action(actions, "Manage", ACTION_MANAGE);
	assert_action(actions, "Level", ACTION_CONTROL);
	g_assert_false(actions_find(actions, "a.b", "Read", &found));
	g_assert_false(actions_find(actions, "a.c", "Peek", &found));
	g_assert_false(actions_find(actions, "a.b", "Nothing", &found));
}

static void test_refused(BusFixture *fixture, const void *data)
{
	const sd_bus_vtable *const tables[] = { bad_method, bad_property, bad_action, bad_flags };
	g_autoptr(Actions) actions = actions_new();
	Action found;

	for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
		g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*a.b.Bare has no action*");
		g_assert_cmpint(actions_add_object(actions, fixture->service, "/a", "a.b", tables[i], NULL), ==,
				-ENOKEY);
		g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*a.b.Bare has no action*");
		g_assert_cmpint(actions_add_fallback(actions, fixture->service, "/a", "a.b", tables[i], NULL, NULL),
				==, -ENOKEY);
		g_test_assert_expected_messages();
	}
	g_assert_false(actions_find(actions, "a.b", "Peek", &found));
}

static void test_ids(void)
{
	g_assert_null(action_get_id(ACTION_OPEN));
	for (int action = ACTION_OPEN + 1; action < ACTION_MAX; action++)
		g_assert_true(g_str_has_prefix(action_get_id(action), "org.vmherald.domains1."));
}

int main(int argc, char *argv[])
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/action/found", BusFixture, NULL, bus_set_up, test_found, bus_tear_down);
	g_test_add("/action/refused", BusFixture, NULL, bus_set_up, test_refused, bus_tear_down);
	g_test_add_func("/action/ids", test_ids);
	return g_test_run();
}
