/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-error.h"

#include <gio/gio.h>

#include "base/error.h"
#include "bus-fixture.h"
#include "bus/names.h"

/* The contract's list, in the order of CoreError. */
static const char *const names[] = {
	"NoSuchDomain", "DomainExists", "InvalidDefinition", "InvalidConfiguration", "InvalidArgument",
	"WrongState", "MonitorTimeout", "MonitorLost", "QemuError", "StartFailed", "NoSuchDevice", "DeviceExists",
	"RemovalRefused", "Timeout", "LimitExceeded", "NotSupported", "HistoryLost",
	"NotPermitted", "NoSuchLink", "Io",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == CORE_ERROR_MAX);

static void test_table(void)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (int i = 0; i < CORE_ERROR_MAX; i++) {
		g_autofree char *expected = g_strconcat(BUS_ERROR(""), names[i], NULL);

		g_assert_cmpstr(bus_error_name(i), ==, expected);
		g_assert_true(g_hash_table_add(seen, (char *)bus_error_name(i)));
		g_assert_cmpint(sd_bus_interface_name_is_valid(bus_error_name(i)), >, 0);
	}
}

static void test_from_gerror(void)
{
	static const char text[] = "Domain 'a %s 100%' is\nnot there";

	for (int i = 0; i < CORE_ERROR_MAX; i++) {
		g_autoptr(GError) error = g_error_new_literal(CORE_ERROR, i, text);
		sd_bus_error bus_error = SD_BUS_ERROR_NULL;

		/* What a handler returns must be an error, whatever errno its name may stand for. */
		g_assert_cmpint(bus_error_from_gerror(&bus_error, error), <, 0);
		g_assert_cmpstr(bus_error.name, ==, bus_error_name(i));
		g_assert_cmpstr(bus_error.message, ==, text);
		sd_bus_error_free(&bus_error);
	}
}

/* What comes from a library below is about files. */
static void test_foreign(void)
{
	g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "no file");
	sd_bus_error bus_error = SD_BUS_ERROR_NULL;

	g_assert_cmpint(bus_error_from_gerror(&bus_error, error), <, 0);
	g_assert_cmpstr(bus_error.name, ==, BUS_ERROR("Io"));
	sd_bus_error_free(&bus_error);
}

/* The name of a file may be any bytes. */
static void test_not_utf8(void)
{
	g_autoptr(GError) error = g_error_new_literal(CORE_ERROR, CORE_ERROR_IO, "/a/\xff\xfe: gone");
	sd_bus_error bus_error = SD_BUS_ERROR_NULL;

	g_assert_cmpint(bus_error_from_gerror(&bus_error, error), <, 0);
	g_assert_true(g_utf8_validate(bus_error.message, -1, NULL));
	g_assert_true(g_str_has_suffix(bus_error.message, ": gone"));
	sd_bus_error_free(&bus_error);
}

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	sd_bus_message *reply = NULL;
	int r = bus_new_gerror(call, userdata, &reply);

	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	sd_bus_error_copy(userdata, sd_bus_message_get_error(reply));
	return 1;
}

static void test_reply(BusFixture *fixture, const void *data)
{
	g_autoptr(GError) error = g_error_new_literal(CORE_ERROR, CORE_ERROR_WRONG_STATE, "50% %n");
	gint64 deadline = g_get_monotonic_time() + BUS_DEADLINE_US;
	sd_bus_error received = SD_BUS_ERROR_NULL;
	sd_bus_slot *slot = NULL;

	g_assert_cmpint(sd_bus_add_object(fixture->service, NULL, "/a", on_call, error), >=, 0);
	g_assert_cmpint(sd_bus_call_method_async(fixture->client, &slot, NULL, "/a", "a.b", "C",
						 on_reply, &received, NULL), >=, 0);
	while (!received.name) {
		g_assert_cmpint(g_get_monotonic_time(), <, deadline);
		bus_run_client(fixture);
		(void)bus_run_service(fixture);
	}
	g_assert_cmpstr(received.name, ==, BUS_ERROR("WrongState"));
	g_assert_cmpstr(received.message, ==, "50% %n");
	sd_bus_error_free(&received);
	sd_bus_slot_unref(slot);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/service/bus-error/table", test_table);
	g_test_add_func("/service/bus-error/from-gerror", test_from_gerror);
	g_test_add_func("/service/bus-error/foreign", test_foreign);
	g_test_add_func("/service/bus-error/not-utf8", test_not_utf8);
	g_test_add("/service/bus-error/reply", BusFixture, NULL, bus_set_up, test_reply, bus_tear_down);
	return g_test_run();
}
