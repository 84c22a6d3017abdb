/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "client/error-internal.h"

static void check_bus_name(const char *name, VmhErrorCode code)
{
	const sd_bus_error bus_error = SD_BUS_ERROR_MAKE_CONST(name, "what was wrong");
	VmhError *error = NULL;

	error_set_bus(&error, &bus_error, -EIO);
	g_assert_cmpint(error->code, ==, code);
	g_assert_cmpstr(error->name, ==, name);
	g_assert_cmpstr(error->message, ==, "what was wrong");
	vmh_error_free(error);
}

static void test_names(void)
{
	check_bus_name("org.vmherald.Domains1.Error.NoSuchDomain", VMH_ERROR_NO_SUCH_DOMAIN);
	check_bus_name("org.vmherald.Domains1.Error.QemuError", VMH_ERROR_QEMU);
	check_bus_name("org.vmherald.Domains1.Error.Io", VMH_ERROR_IO);
	check_bus_name("org.vmherald.Domains1.Error.OfTomorrow", VMH_ERROR_FAILED);
	check_bus_name("org.freedesktop.DBus.Error.AccessDenied", VMH_ERROR_ACCESS_DENIED);
	check_bus_name("org.freedesktop.DBus.Error.Spawn.ChildExited", VMH_ERROR_UNREACHABLE);
	check_bus_name("org.freedesktop.DBus.Error.ServiceUnknown", VMH_ERROR_UNREACHABLE);
	check_bus_name("org.freedesktop.DBus.Error.NoReply", VMH_ERROR_NO_REPLY);
	check_bus_name("org.freedesktop.DBus.Error.UnknownObject", VMH_ERROR_NO_SUCH_DOMAIN);
	check_bus_name("com.example.Error", VMH_ERROR_FAILED);
}

static void check_errno(int number, VmhErrorCode code)
{
	VmhError *error = NULL;

	error_set_bus(&error, NULL, -number);
	g_assert_cmpint(error->code, ==, code);
	g_assert_cmpstr(error->name, ==, "");
	g_assert_cmpstr(error->message, ==, g_strerror(number));
	vmh_error_free(error);
}

static void test_errnos(void)
{
	check_errno(ECONNRESET, VMH_ERROR_DISCONNECTED);
	check_errno(ENOENT, VMH_ERROR_UNREACHABLE);
	check_errno(ETIMEDOUT, VMH_ERROR_NO_REPLY);
	check_errno(EACCES, VMH_ERROR_ACCESS_DENIED);
	check_errno(EMFILE, VMH_ERROR_FAILED);
}

static void test_not_wanted(void)
{
	error_set(NULL, VMH_ERROR_IO, "of %s", "nobody");
	error_set_bus(NULL, NULL, -EIO);
	vmh_error_free(NULL);
}

static void test_words(void)
{
	for (int code = 0; code <= VMH_ERROR_NO_REPLY; code++)
		g_assert_nonnull(vmh_error_code_to_string(code));
	g_assert_cmpstr(vmh_error_code_to_string(VMH_ERROR_NO_SUCH_DOMAIN), ==, "no-such-domain");
	g_assert_null(vmh_error_code_to_string(VMH_ERROR_NO_REPLY + 1));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/client/error/names", test_names);
	g_test_add_func("/client/error/errnos", test_errnos);
	g_test_add_func("/client/error/not-wanted", test_not_wanted);
	g_test_add_func("/client/error/words", test_words);
	return g_test_run();
}
