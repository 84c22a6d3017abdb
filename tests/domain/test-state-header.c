/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/state-header.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"

/* The head of a saved state: what comes back of it, and what is not taken for one. */

#define UUID  "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
#define OTHER "6ba7b811-9dad-41d1-80b4-00c04fd430c8"
#define STATE "what QEMU writes"

typedef struct Fixture {
	int fd;
	size_t header_length;
} Fixture;

static Definition *make_definition(const char *uuid)
{
	g_autofree char *text = g_strdup_printf("{\"name\":\"web\",\"uuid\":\"%s\",\"title\":\"a \\\"title\\\" "
						"\\u00e4\",\"devices\":[{\"driver\":\"x\",\"n\":[1]}]}", uuid);
	Definition *definition = definition_parse(text, strlen(text), NULL);

	g_assert_nonnull(definition);
	return definition;
}

static void set_up(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = make_definition(UUID);
	const StateHeader header = { definition, 7, (char *)"7.2.22", true, 1700000000000000 };
	g_autofree char *text = state_header_to_text(&header);
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	fixture->fd = g_file_open_tmp("state-header-XXXXXX", &name, NULL);
	g_assert_cmpint(fixture->fd, >=, 0);
	g_assert_cmpint(unlink(name), ==, 0);
	g_assert_true(state_header_write(fixture->fd, text, &error));
	g_assert_no_error(error);
	fixture->header_length = strlen(text);
	g_assert_cmpuint(fixture->header_length % 4096, ==, 0);
	g_assert_cmpint(write(fixture->fd, STATE, strlen(STATE)), ==, (ssize_t)strlen(STATE));
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_assert_cmpint(close(fixture->fd), ==, 0);
}

static void complete(const Fixture *fixture)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(state_header_complete(fixture->fd, &error));
	g_assert_no_error(error);
}

static void assert_refused(const Fixture *fixture, const char *uuid, const char *text)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(state_header_read(fixture->fd, uuid, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	if (!strstr(error->message, text))
		g_error("'%s' is not in: %s", text, error->message);
}

static void put(const Fixture *fixture, size_t offset, const char *text)
{
	g_assert_cmpint(pwrite(fixture->fd, text, strlen(text), (off_t)offset), ==,
			(ssize_t)strlen(text));
}

static void test_read(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = make_definition(UUID);
	g_autofree char *expected = definition_to_json(definition);
	g_autofree char *found = NULL;
	g_autoptr(StateHeader) header = NULL;
	g_autoptr(GError) error = NULL;
	char bytes[64] = { 0 };

	complete(fixture);
	header = state_header_read(fixture->fd, UUID, &error);
	g_assert_no_error(error);
	found = definition_to_json(header->definition);
	g_assert_cmpstr(found, ==, expected);
	g_assert_cmpuint(header->incarnation, ==, 7);
	g_assert_cmpstr(header->qemu_version, ==, "7.2.22");
	g_assert_true(header->was_running);
	g_assert_cmpint(header->saved_at, ==, 1700000000000000);
	/* It stands where QEMU's data begin. */
	g_assert_cmpint(read(fixture->fd, bytes, sizeof(bytes)), ==, (ssize_t)strlen(STATE));
	g_assert_cmpstr(bytes, ==, STATE);
}

static void test_not_whole(Fixture *fixture, const void *data)
{
	g_autoptr(GError) error = NULL;

	assert_refused(fixture, UUID, "is not whole");
	g_assert_true(state_header_was_running(fixture->fd));
	g_assert_cmpint(ftruncate(fixture->fd, (off_t)fixture->header_length), ==, 0);
	g_assert_false(state_header_complete(fixture->fd, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
}

static void test_damaged(Fixture *fixture, const void *data)
{
	static const struct {
		size_t offset;
		const char *bytes, *text;
	} rows[] = {
		{ 0, "x", "is not a state" },
		{ 15, "0002", "version 2" },
		{ 15, "000x", "damaged first line" },
		{ 20, "0000000001", "damaged first line" },
		{ 20, "9999999999", "damaged first line" },
		{ 20, "4294967296", "damaged first line" },
		{ 31, "00000000000000000017", "17 were saved" },
		{ 31, "99999999999999999999", "damaged first line" },
		{ 52, "g", "damaged header" },
		{ 200, "\x01", "damaged header" },
		{ 4095, " ", "damaged header" },
	};

	complete(fixture);
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		char before[64] = { 0 };
		size_t length = strlen(rows[i].bytes);

		g_assert_cmpint(pread(fixture->fd, before, length, (off_t)rows[i].offset), ==,
				(ssize_t)length);
		put(fixture, rows[i].offset, rows[i].bytes);
		g_test_message("%u", i);
		assert_refused(fixture, UUID, rows[i].text);
		put(fixture, rows[i].offset, before);
	}
	assert_refused(fixture, OTHER, "another domain, 'web' (" UUID ")");
	state_header_free(state_header_read(fixture->fd, UUID, NULL));
}

/* Cut off at any place, or with something behind it. */
static void test_length(Fixture *fixture, const void *data)
{
	size_t whole = fixture->header_length + strlen(STATE);
	const size_t lengths[] = { 0, 1, 50, 116, 117, 4000, fixture->header_length, whole - 1, whole + 1 };

	complete(fixture);
	for (unsigned i = G_N_ELEMENTS(lengths); i-- > 0;) {
		g_assert_cmpint(ftruncate(fixture->fd, (off_t)lengths[i]), ==, 0);
		assert_refused(fixture, UUID, lengths[i] >= fixture->header_length ? "16 were saved"
					      : lengths[i] < 117 ? "is not a state" : "middle");
	}
	g_assert_false(state_header_was_running(fixture->fd));
}

/* What could not be read again is not written. */
static void test_too_long(Fixture *fixture, const void *data)
{
	g_autofree char *text = g_strnfill(STATE_HEADER_MAX + 1, 'x');
	g_autoptr(GError) error = NULL;

	g_assert_false(state_header_write(fixture->fd, text, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
}

#define ADD(name, function)                                                                        \
	g_test_add("/state-header/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("read", test_read);
	ADD("not-whole", test_not_whole);
	ADD("damaged", test_damaged);
	ADD("length", test_length);
	ADD("too-long", test_too_long);
	return g_test_run();
}
