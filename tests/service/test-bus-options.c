/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-options.h"

#include <string.h>
#include <unistd.h>

#include "bus-fixture.h"
#include "bus/names.h"

typedef struct Options {
	bool paused;
	const char *path;
	int timeout;
	uint32_t head;
	int fd;
} Options;

/* The message must live as long as the string that was read from it. */
static int read_options(sd_bus_message *message, Options *options, sd_bus_error *error)
{
	const BusOption known[] = {
		{ "paused", BUS_OPTION_BOOLEAN, &options->paused },
		{ "path", BUS_OPTION_STRING, &options->path },
		{ "timeout", BUS_OPTION_DURATION, &options->timeout },
		{ "head", BUS_OPTION_NUMBER, &options->head },
		{ "socket", BUS_OPTION_DESCRIPTOR, &options->fd },
	};

	bus_seal(message);
	return bus_read_options(message, known, G_N_ELEMENTS(known), error);
}

static void test_all(BusFixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	Options options = { .timeout = -1 };

	g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 4, "timeout", "t", UINT64_C(1500000),
					      "head", "u", UINT32_MAX, "paused", "b", 1, "path", "s", "/a"), >=, 0);
	g_assert_cmpint(read_options(message, &options, &error), >=, 0);
	g_assert_false(sd_bus_error_is_set(&error));
	g_assert_true(options.paused);
	g_assert_cmpstr(options.path, ==, "/a");
	g_assert_cmpint(options.timeout, ==, 1500);
	g_assert_cmpuint(options.head, ==, UINT32_MAX);
	/* The whole array was read. */
	g_assert_cmpint(sd_bus_message_at_end(message, true), >, 0);
}

static void test_none(BusFixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	Options options = { true, "before", 7 };

	g_assert_cmpint(sd_bus_message_append(message, "a{sv}s", 0, "next"), >=, 0);
	g_assert_cmpint(read_options(message, &options, &error), >=, 0);
	g_assert_true(options.paused);
	g_assert_cmpstr(options.path, ==, "before");
	g_assert_cmpint(options.timeout, ==, 7);
	/* What stands behind it is next. */
	g_assert_cmpint(sd_bus_message_read(message, "s", &options.path), >, 0);
	g_assert_cmpstr(options.path, ==, "next");
}

static void test_false_and_twice(BusFixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	Options options = { .paused = true };

	g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 2, "paused", "b", 1, "paused", "b", 0),
			>=, 0);
	g_assert_cmpint(read_options(message, &options, &error), >=, 0);
	g_assert_false(options.paused);
}

/* The message has a copy of its own, which goes with it. */
static void test_descriptor(BusFixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	Options options = { .fd = -1 };
	int fds[2];

	g_assert_cmpint(pipe(fds), ==, 0);
	g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "socket", "h", fds[1]), >=, 0);
	g_assert_cmpint(read_options(message, &options, &error), >=, 0);
	g_assert_cmpint(options.fd, >=, 0);
	close(fds[1]);
	g_assert_cmpint(write(options.fd, "x", 1), ==, 1);
	close(fds[0]);
}

/* ---- durations ---- */

static void test_rounding(BusFixture *fixture, const void *data)
{
	static const struct {
		uint64_t microseconds;
		int milliseconds;
	} rows[] = {
		{ 0, 0 }, { 1, 1 }, { 999, 1 }, { 1000, 1 }, { 1001, 2 }, { 1999, 2 }, { 2000, 2 },
		{ UINT64_C(2147483646999), G_MAXINT }, { UINT64_C(2147483647000), G_MAXINT },
		{ UINT64_C(2147483647001), G_MAXINT }, { UINT64_C(1) << 63, G_MAXINT },
		{ UINT64_MAX, G_MAXINT },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(sd_bus_message) message = bus_new_message(fixture);
		sd_bus_error error = SD_BUS_ERROR_NULL;
		Options options = { .timeout = -1 };

		g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 1, "timeout", "t",
						      rows[i].microseconds), >=, 0);
		g_assert_cmpint(read_options(message, &options, &error), >=, 0);
		g_assert_cmpint(options.timeout, ==, rows[i].milliseconds);
	}
}

/* ---- refused ---- */

static void assert_refused(int r, sd_bus_error *error, const char *const *texts)
{
	g_assert_cmpint(r, <, 0);
	g_assert_cmpstr(error->name, ==, BUS_ERROR("InvalidArgument"));
	for (; *texts; texts++)
		if (!strstr(error->message, *texts))
			g_error("'%s' is not in: %s", *texts, error->message);
	sd_bus_error_free(error);
}

static void test_unknown(BusFixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	Options options = { 0 };

	g_assert_cmpint(sd_bus_message_append(message, "a{sv}", 2, "paused", "b", 1, "Timeout", "t",
					      UINT64_C(1)), >=, 0);
	/* It says what is wrong and what there is. */
	assert_refused(read_options(message, &options, &error), &error,
		       (const char *const[]){ "'Timeout'", "paused, path, timeout, head", NULL });
}

static void test_wrong_type(BusFixture *fixture, const void *data)
{
	static const struct {
		const char *name, *type;
	} rows[] = {
		{ "paused", "s" }, { "paused", "t" }, { "path", "b" }, { "path", "o" },
		{ "timeout", "u" }, { "timeout", "x" }, { "timeout", "d" }, { "timeout", "s" },
		{ "head", "x" }, { "head", "s" }, { "head", "b" }, { "paused", "v" }, { "path", "as" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(sd_bus_message) message = bus_new_message(fixture);
		sd_bus_error error = SD_BUS_ERROR_NULL;
		g_autofree char *quoted = g_strdup_printf("'%s'", rows[i].name);
		g_autofree char *type = g_strdup_printf("not '%s'", rows[i].type);
		Options options = { .timeout = -1 };
		int r;

		g_assert_cmpint(sd_bus_message_open_container(message, 'a', "{sv}"), >=, 0);
		switch (rows[i].type[0]) {
		case 's':
		case 'o':
			r = sd_bus_message_append(message, "{sv}", rows[i].name, rows[i].type, "/a");
			break;
		case 't':
		case 'x':
			r = sd_bus_message_append(message, "{sv}", rows[i].name, rows[i].type,
						  UINT64_C(1));
			break;
		case 'd':
			r = sd_bus_message_append(message, "{sv}", rows[i].name, "d", 1.0);
			break;
		case 'v':
			r = sd_bus_message_append(message, "{sv}", rows[i].name, "v", "b", 1);
			break;
		case 'a':
			r = sd_bus_message_append(message, "{sv}", rows[i].name, "as", 1, "/a");
			break;
		default:
			r = sd_bus_message_append(message, "{sv}", rows[i].name, rows[i].type, 1);
		}
		g_assert_cmpint(r, >=, 0);
		g_assert_cmpint(sd_bus_message_close_container(message), >=, 0);
		assert_refused(read_options(message, &options, &error), &error,
			       (const char *const[]){ quoted, type, NULL });
		/* Nothing of it was taken. */
		g_assert_false(options.paused);
		g_assert_null(options.path);
		g_assert_cmpint(options.timeout, ==, -1);
	}
}

static void test_no_options(BusFixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) empty = bus_new_message(fixture);
	g_autoptr(sd_bus_message) one = bus_new_message(fixture);
	sd_bus_error error = SD_BUS_ERROR_NULL;

	g_assert_cmpint(sd_bus_message_append(empty, "a{sv}", 0), >=, 0);
	bus_seal(empty);
	g_assert_cmpint(bus_read_no_options(empty, &error), >=, 0);
	g_assert_cmpint(sd_bus_message_append(one, "a{sv}", 1, "a", "s", "b"), >=, 0);
	bus_seal(one);
	assert_refused(bus_read_no_options(one, &error), &error,
		       (const char *const[]){ "'a'", "none", NULL });
}

/* Other arguments than the signature says: an error, and no crash. */
static void test_no_array(BusFixture *fixture, const void *data)
{
	g_autoptr(sd_bus_message) message = bus_new_message(fixture);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	Options options = { 0 };

	g_assert_cmpint(sd_bus_message_append(message, "s", "a"), >=, 0);
	g_assert_cmpint(read_options(message, &options, &error), <, 0);
	sd_bus_error_free(&error);
}

#define ADD(name, function)                                                                        \
	g_test_add("/service/bus-options/" name, BusFixture, NULL, bus_set_up, function, bus_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("all", test_all);
	ADD("none", test_none);
	ADD("descriptor", test_descriptor);
	ADD("false-and-twice", test_false_and_twice);
	ADD("rounding", test_rounding);
	ADD("unknown", test_unknown);
	ADD("wrong-type", test_wrong_type);
	ADD("no-options", test_no_options);
	ADD("no-array", test_no_array);
	return g_test_run();
}
