/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/sequence.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/*
 * A kill of the service is a sequence that is not closed: what it did to the mapped page is there for
 * the next one, as the kernel keeps it. A crash of the host is another boot id, with the file as it
 * was on the disk at some time before.
 */

#define BOOT_1 "11111111-1111-4111-8111-111111111111"
#define BOOT_2 "22222222-2222-4222-8222-222222222222"

/* The file, as the notes in event/sequence.c have it. */
#define FILE_SIZE       80u
#define OFFSET_BOOT_ID  16u
#define OFFSET_LAST     64u
#define OFFSET_RESERVED 72u

typedef struct Fixture {
	char *folder;
	char *path;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("sequence-XXXXXX", NULL);
	g_assert_nonnull(fixture->folder);
	fixture->path = g_build_filename(fixture->folder, "sequence", NULL);
}

static void tear_down(Fixture *fixture, const void *data)
{
	(void)g_unlink(fixture->path);
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->path);
	g_free(fixture->folder);
}

static Sequence *open_in(const Fixture *fixture, const char *boot_id)
{
	g_autoptr(GError) error = NULL;
	Sequence *sequence = sequence_open(fixture->folder, boot_id, &error);

	g_assert_no_error(error);
	g_assert_nonnull(sequence);
	return sequence;
}

static void assert_refused(const Fixture *fixture)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(sequence_open(fixture->folder, BOOT_1, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	/* Who is to repair it must know where it is. */
	g_assert_nonnull(strstr(error->message, fixture->path));
}

static char *read_file(const Fixture *fixture)
{
	char *bytes = NULL;
	size_t length = 0;

	g_assert_true(g_file_get_contents(fixture->path, &bytes, &length, NULL));
	g_assert_cmpuint(length, ==, FILE_SIZE);
	return bytes;
}

static void write_file(const Fixture *fixture, const char *bytes, size_t length)
{
	g_assert_true(g_file_set_contents(fixture->path, bytes, (gssize)length, NULL));
}

static uint64_t read_number(const Fixture *fixture, size_t offset)
{
	g_autofree char *bytes = read_file(fixture);
	uint64_t number;

	memcpy(&number, bytes + offset, sizeof(number));
	return number;
}

/* ---- counting ---- */

static void test_first(Fixture *fixture, const void *data)
{
	g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);
	struct stat st;

	g_assert_cmpuint(sequence_last(sequence), ==, 0);
	for (uint64_t i = 1; i <= 1000; i++) {
		g_assert_cmpuint(sequence_next(sequence), ==, i);
		g_assert_cmpuint(sequence_last(sequence), ==, i);
	}
	g_assert_cmpint(stat(fixture->path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	g_assert_cmpint(st.st_size, ==, FILE_SIZE);
}

static void test_goes_on(Fixture *fixture, const void *data)
{
	uint64_t expected = 0;

	for (unsigned round = 0; round < 5; round++) {
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);

		g_assert_cmpuint(sequence_last(sequence), ==, expected);
		for (unsigned i = 0; i < 10; i++)
			g_assert_cmpuint(sequence_next(sequence), ==, ++expected);
	}
}

/* Killed: nothing was closed, nothing was written out, and there is no hole. */
static void test_killed(Fixture *fixture, const void *data)
{
	g_autoptr(Sequence) killed = open_in(fixture, BOOT_1);
	g_autoptr(Sequence) next = NULL;

	for (unsigned i = 0; i < 12345; i++)
		(void)sequence_next(killed);
	next = open_in(fixture, BOOT_1);
	g_assert_cmpuint(sequence_last(next), ==, 12345);
	g_assert_cmpuint(sequence_next(next), ==, 12346);
}

/* The kernel's own boot id. */
static void test_real_boot(Fixture *fixture, const void *data)
{
	g_autoptr(Sequence) first = open_in(fixture, NULL);
	g_autoptr(Sequence) second = NULL;

	g_assert_cmpuint(sequence_next(first), ==, 1);
	second = open_in(fixture, NULL);
	g_assert_cmpuint(sequence_next(second), ==, 2);
}

/* ---- a crash of the host ---- */

static void test_other_boot(Fixture *fixture, const void *data)
{
	g_autofree char *on_disk = NULL;
	uint64_t given_out;

	{
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);

		/* The disk has what the reservation wrote and nothing of what came behind it. */
		on_disk = read_file(fixture);
		for (unsigned i = 0; i < 5000; i++)
			given_out = sequence_next(sequence);
	}
	write_file(fixture, on_disk, FILE_SIZE);
	{
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_2);

		g_assert_cmpuint(sequence_last(sequence), ==, SEQUENCE_RESERVE);
		g_assert_cmpuint(sequence_next(sequence), >, given_out);
		/* And the new one is reserved before anything is given out. */
		g_assert_cmpuint(read_number(fixture, OFFSET_RESERVED), >=,
				 2 * SEQUENCE_RESERVE);
	}
	{
		g_autoptr(Sequence) same_boot = open_in(fixture, BOOT_2);

		g_assert_cmpuint(sequence_next(same_boot), ==, SEQUENCE_RESERVE + 2);
	}
}

/* A boot that cannot be told from another counts as another. */
static void test_no_boot_id(Fixture *fixture, const void *data)
{
	uint64_t last = 0;

	for (unsigned round = 0; round < 3; round++) {
		g_autoptr(Sequence) sequence = open_in(fixture, "");
		uint64_t next = sequence_next(sequence);

		g_assert_cmpuint(next, >, last);
		if (round > 0)
			g_assert_cmpuint(next, >=, last + SEQUENCE_RESERVE - 1);
		last = next;
	}
}

/* ---- the reservation ---- */

static void test_reserve(Fixture *fixture, const void *data)
{
	g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);
	g_autoptr(GError) error = NULL;

	g_assert_false(sequence_wants_reserve(sequence));
	while (sequence_last(sequence) < SEQUENCE_RESERVE / 2) {
		g_assert_false(sequence_wants_reserve(sequence));
		(void)sequence_next(sequence);
	}
	(void)sequence_next(sequence);
	g_assert_true(sequence_wants_reserve(sequence));
	g_assert_true(sequence_reserve(sequence, &error));
	g_assert_no_error(error);
	g_assert_false(sequence_wants_reserve(sequence));
	g_assert_cmpuint(read_number(fixture, OFFSET_RESERVED), ==,
			 SEQUENCE_RESERVE / 2 + 1 + SEQUENCE_RESERVE);
}

/* The disk is slow or full, and the numbers run past what was reserved: that is no damage, and the one who
 * reserves is still wanted. */
static void test_overrun(Fixture *fixture, const void *data)
{
	g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);
	g_autoptr(Sequence) next = NULL, next_boot = NULL;
	uint64_t last;

	while (sequence_last(sequence) < SEQUENCE_RESERVE + 100)
		(void)sequence_next(sequence);
	g_assert_true(sequence_wants_reserve(sequence));
	last = sequence_last(sequence);
	next = open_in(fixture, BOOT_1);
	g_assert_cmpuint(sequence_next(next), ==, last + 1);
	g_assert_false(sequence_wants_reserve(next));
	next_boot = open_in(fixture, BOOT_2);
	g_assert_cmpuint(sequence_next(next_boot), >, last + 1);
}

/* ---- files that are none ---- */

static void test_damaged(Fixture *fixture, const void *data)
{
	static const size_t sizes[] = { 1, 16, FILE_SIZE - 1, FILE_SIZE + 1, 4096 };
	g_autofree char *good = NULL;
	char bytes[4096];
	uint64_t huge = G_MAXUINT64;

	{
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);

		(void)sequence_next(sequence);
	}
	good = read_file(fixture);

	/* Cut off, or too long. */
	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes, good, MIN(sizes[i], FILE_SIZE));
		write_file(fixture, bytes, sizes[i]);
		assert_refused(fixture);
	}
	/* Another magic. */
	memcpy(bytes, good, FILE_SIZE);
	bytes[0] = 'V';
	write_file(fixture, bytes, FILE_SIZE);
	assert_refused(fixture);
	/* Somebody else's file. */
	memset(bytes, 'x', FILE_SIZE);
	write_file(fixture, bytes, FILE_SIZE);
	assert_refused(fixture);
	/* A boot id that does not end. */
	memcpy(bytes, good, FILE_SIZE);
	memset(bytes + OFFSET_BOOT_ID, 'a', OFFSET_LAST - OFFSET_BOOT_ID);
	write_file(fixture, bytes, FILE_SIZE);
	assert_refused(fixture);
	/* Numbers that cannot have been reached. */
	memcpy(bytes, good, FILE_SIZE);
	memcpy(bytes + OFFSET_RESERVED, &huge, sizeof(huge));
	write_file(fixture, bytes, FILE_SIZE);
	assert_refused(fixture);
	memcpy(bytes, good, FILE_SIZE);
	memcpy(bytes + OFFSET_LAST, &huge, sizeof(huge));
	write_file(fixture, bytes, FILE_SIZE);
	assert_refused(fixture);

	/* Nothing of it was changed by looking. */
	g_assert_cmpuint(read_number(fixture, OFFSET_LAST), ==, huge);
	write_file(fixture, good, FILE_SIZE);
	{
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);

		g_assert_cmpuint(sequence_next(sequence), ==, 2);
	}
}

/* A start that was killed at its first steps: the file is empty, or all zero. */
static void test_killed_while_making(Fixture *fixture, const void *data)
{
	static const char zeroes[FILE_SIZE];

	write_file(fixture, "", 0);
	{
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);

		g_assert_cmpuint(sequence_next(sequence), ==, 1);
	}
	write_file(fixture, zeroes, sizeof(zeroes));
	{
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);

		g_assert_cmpuint(sequence_next(sequence), ==, 1);
	}
}

/* ---- no file can be had ---- */

static void test_not_a_file(Fixture *fixture, const void *data)
{
	g_autofree char *elsewhere = g_build_filename(fixture->folder, "elsewhere", NULL);

	g_assert_cmpint(g_mkdir(fixture->path, 0700), ==, 0);
	assert_refused(fixture);
	g_assert_cmpint(g_rmdir(fixture->path), ==, 0);

	/* A link is not followed. */
	g_assert_cmpint(symlink(elsewhere, fixture->path), ==, 0);
	assert_refused(fixture);
	g_assert_false(g_file_test(elsewhere, G_FILE_TEST_EXISTS));
}

static void test_no_directory(Fixture *fixture, const void *data)
{
	g_autofree char *missing = g_build_filename(fixture->folder, "missing", NULL);
	g_autoptr(GError) error = NULL;

	g_assert_null(sequence_open(missing, BOOT_1, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(error->message, missing));
}

static void test_permission(Fixture *fixture, const void *data)
{
	if (geteuid() == 0) {
		/* For root there is none that is refused. */
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);

		g_assert_cmpuint(sequence_next(sequence), ==, 1);
		return;
	}
	g_assert_cmpint(chmod(fixture->folder, 0500), ==, 0);
	assert_refused(fixture);
	g_assert_cmpint(chmod(fixture->folder, 0700), ==, 0);
}

/* No room for the file: said at the start, not by a fault at the first number; and nothing is left. */
static void test_no_room(Fixture *fixture, const void *data)
{
	struct rlimit old, none;
	void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);

	g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
	none = (struct rlimit){ .rlim_cur = FILE_SIZE / 2, .rlim_max = old.rlim_max };
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &none), ==, 0);
	assert_refused(fixture);
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
	(void)signal(SIGXFSZ, old_handler);

	g_assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
	{
		g_autoptr(Sequence) sequence = open_in(fixture, BOOT_1);

		g_assert_cmpuint(sequence_next(sequence), ==, 1);
	}
}

#define ADD(name, function)                                                                        \
	g_test_add("/event/sequence/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("first", test_first);
	ADD("goes-on", test_goes_on);
	ADD("killed", test_killed);
	ADD("real-boot", test_real_boot);
	ADD("other-boot", test_other_boot);
	ADD("no-boot-id", test_no_boot_id);
	ADD("reserve", test_reserve);
	ADD("overrun", test_overrun);
	ADD("damaged", test_damaged);
	ADD("killed-while-making", test_killed_while_making);
	ADD("not-a-file", test_not_a_file);
	ADD("no-directory", test_no_directory);
	ADD("permission", test_permission);
	ADD("no-room", test_no_room);
	return g_test_run();
}
