/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/history.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

/*
 * Whatever is remembered can be computed from its number, so that each entry which is there can be checked, whoever
 * wrote it. A kill of the service is a history that is not closed; one in the midst of a store is a child that is
 * killed while it does nothing else.
 */

#define BOOT_1   "11111111-1111-4111-8111-111111111111"
#define BOOT_2   "22222222-2222-4222-8222-222222222222"
#define LAYOUT   "s"
#define SMALL    HISTORY_BYTES_MIN
#define EVENTS   100000u
#define HEAD     4096u       /* of the file */
#define KILLS    40

typedef struct Fixture {
	char *folder, *path;
	unsigned longest;    /* bytes of arguments */
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("history-XXXXXX", NULL);
	g_assert_nonnull(fixture->folder);
	fixture->path = g_build_filename(fixture->folder, "history", NULL);
	fixture->longest = 200;
}

static void tear_down(Fixture *fixture, const void *data)
{
	(void)g_unlink(fixture->path);
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->path);
	g_free(fixture->folder);
}

static History *open_with(const Fixture *fixture, const char *boot_id, const char *layout,
			  uint64_t last, size_t bytes, unsigned events)
{
	g_autoptr(GError) error = NULL;
	History *history = history_open(fixture->folder, boot_id, layout, last, bytes, events, &error);

	g_assert_no_error(error);
	g_assert_nonnull(history);
	return history;
}

static History *open_small(const Fixture *fixture, uint64_t last)
{
	return open_with(fixture, BOOT_1, LAYOUT, last, SMALL, EVENTS);
}

static uint32_t mix(uint64_t sequence)
{
	return (uint32_t)(sequence * UINT64_C(0x9e3779b97f4a7c15) >> 33);
}

static size_t length_of(const Fixture *fixture, uint64_t sequence)
{
	return mix(sequence) % (fixture->longest + 1);
}

static void fill(uint8_t *arguments, size_t length, uint64_t sequence)
{
	for (size_t i = 0; i < length; i++)
		arguments[i] = (uint8_t)(mix(sequence) + i * 7);
}

static void append(const Fixture *fixture, History *history, uint64_t sequence)
{
	size_t length = length_of(fixture, sequence);
	g_autofree uint8_t *arguments = g_malloc(length + 1);
	const HistoryEntry entry = {
		.sequence = sequence,
		.previous = sequence / 2,
		.time = (int64_t)sequence * 3,
		.kind = (EventKind)(sequence % EVENT_KIND_MAX),
		.uuid = sequence % 2 == 0 ? BOOT_1 : BOOT_2,
		.arguments = arguments,
		.length = length,
	};

	fill(arguments, length, sequence);
	history_append(history, &entry);
}

static void append_range(const Fixture *fixture, History *history, uint64_t first, uint64_t last)
{
	for (uint64_t sequence = first; sequence <= last; sequence++)
		append(fixture, history, sequence);
}

static void check_entry(const Fixture *fixture, const History *history, uint64_t sequence)
{
	size_t length = length_of(fixture, sequence);
	g_autofree uint8_t *arguments = g_malloc(length + 1);
	HistoryEntry entry;

	g_assert_true(history_get(history, sequence, &entry));
	g_assert_cmpuint(entry.sequence, ==, sequence);
	g_assert_cmpuint(entry.previous, ==, sequence / 2);
	g_assert_cmpint(entry.time, ==, (int64_t)sequence * 3);
	g_assert_cmpuint(entry.kind, ==, sequence % EVENT_KIND_MAX);
	g_assert_cmpstr(entry.uuid, ==, sequence % 2 == 0 ? BOOT_1 : BOOT_2);
	g_assert_cmpuint((uintptr_t)entry.arguments % 8, ==, 0);
	fill(arguments, length, sequence);
	g_assert_cmpmem(entry.arguments, entry.length, arguments, length);
}

/* All from the oldest to the newest are right, and nothing else is there. */
static void check_all(const Fixture *fixture, const History *history)
{
	uint64_t oldest = history_get_oldest(history), newest = history_get_newest(history);
	HistoryEntry entry;

	g_assert_cmpuint(oldest == 0, ==, newest == 0);
	for (uint64_t sequence = oldest; newest != 0 && sequence <= newest; sequence++)
		check_entry(fixture, history, sequence);
	g_assert_false(history_get(history, oldest - 1, &entry));
	g_assert_false(history_get(history, newest + 1, &entry));
	g_assert_false(history_get(history, 0, &entry));
}

static void test_empty(Fixture *fixture, const void *data)
{
	g_autoptr(History) history = open_small(fixture, 7);
	struct stat status;

	check_all(fixture, history);
	g_assert_cmpuint(history_get_newest(history), ==, 0);
	g_assert_cmpint(g_stat(fixture->path, &status), ==, 0);
	g_assert_cmpuint(status.st_mode & 0777, ==, 0600);
}

/* Through many laps, the newest are there, and as many as fit. */
static void test_laps(Fixture *fixture, const void *data)
{
	g_autoptr(History) history = open_small(fixture, 0);
	size_t kept = 0;

	for (uint64_t sequence = 1; sequence <= 20000; sequence++) {
		append(fixture, history, sequence);
		g_assert_cmpuint(history_get_newest(history), ==, sequence);
		if (sequence % 997 == 0)
			check_all(fixture, history);
	}
	for (uint64_t sequence = history_get_oldest(history); sequence <= 20000; sequence++)
		kept += length_of(fixture, sequence);
	g_assert_cmpuint(kept, >, SMALL / 3);
	g_assert_cmpuint(kept, <=, SMALL);
}

/* Lengths about which a ring may stumble: all the same, dividing it or not, the longest, none. */
static void test_lengths(Fixture *fixture, const void *data)
{
	static const unsigned longest[] = { 0, 1, 8, 4000, 16000, SMALL / 4 - 80 };

	for (unsigned i = 0; i < G_N_ELEMENTS(longest); i++) {
		g_autoptr(History) history = open_small(fixture, 0);

		fixture->longest = longest[i];
		append_range(fixture, history, 1, 3000);
		check_all(fixture, history);
		g_assert_cmpuint(history_get_newest(history), ==, 3000);
		g_assert_cmpint(g_unlink(fixture->path), ==, 0);
	}
}

static void test_survives(Fixture *fixture, const void *data)
{
	uint64_t sequence = 0, oldest = 0;

	for (unsigned i = 0; i < 60; i++) {
		g_autoptr(History) history = open_small(fixture, sequence);

		g_assert_cmpuint(history_get_oldest(history), ==, oldest);
		g_assert_cmpuint(history_get_newest(history), ==, sequence);
		check_all(fixture, history);
		append_range(fixture, history, sequence + 1, sequence + 1 + mix(i) % 300);
		sequence = history_get_newest(history);
		oldest = history_get_oldest(history);
	}
}

static unsigned count_bound(const History *history)
{
	return (unsigned)(history_get_newest(history) - history_get_oldest(history) + 1);
}

static void test_bound_of_events(Fixture *fixture, const void *data)
{
	g_autoptr(History) history = open_with(fixture, BOOT_1, LAYOUT, 0, SMALL, 50);

	append_range(fixture, history, 1, 50);
	g_assert_cmpuint(count_bound(history), ==, 50);
	append_range(fixture, history, 51, 1000);
	g_assert_cmpuint(count_bound(history), ==, 50);
	check_all(fixture, history);
	history = history_close(history);

	history = open_with(fixture, BOOT_1, LAYOUT, 1000, SMALL, 20);
	g_assert_cmpuint(count_bound(history), ==, 20);
	g_assert_cmpuint(history_get_newest(history), ==, 1000);
	append_range(fixture, history, 1001, 1100);
	check_all(fixture, history);
}

/* The file never is larger than it may be, and only as large as it must be. */
static void test_bound_of_bytes(Fixture *fixture, const void *data)
{
	g_autoptr(History) history = open_with(fixture, BOOT_1, LAYOUT, 0, 1u << 20, EVENTS);
	struct stat status;

	g_assert_cmpint(g_stat(fixture->path, &status), ==, 0);
	g_assert_cmpuint(status.st_size, <=, HEAD + HISTORY_GROWTH);
	append_range(fixture, history, 1, 20000);
	g_assert_cmpint(g_stat(fixture->path, &status), ==, 0);
	g_assert_cmpuint(status.st_size, ==, HEAD + (1u << 20));
	check_all(fixture, history);
}

/* With another bound than before. */
static void test_other_bounds(Fixture *fixture, const void *data)
{
	g_autoptr(History) history = open_small(fixture, 0);

	append_range(fixture, history, 1, 5000);
	history = history_close(history);
	history = open_with(fixture, BOOT_1, LAYOUT, 5000, 1u << 20, EVENTS);
	g_assert_cmpuint(history_get_newest(history), ==, 5000);
	append_range(fixture, history, 5001, 20000);
	check_all(fixture, history);
	history = history_close(history);

	history = open_small(fixture, 20000);
	g_assert_cmpuint(history_get_newest(history), ==, 0);
	append_range(fixture, history, 20001, 20100);
	check_all(fixture, history);
}

static void test_too_long(Fixture *fixture, const void *data)
{
	g_autoptr(History) history = open_small(fixture, 0);
	g_autofree char *arguments = g_malloc0(SMALL);
	const HistoryEntry entry = {
		.sequence = 2, .kind = EVENT_LIFECYCLE, .uuid = BOOT_1,
		.arguments = arguments, .length = SMALL,
	};
	HistoryEntry found;

	append(fixture, history, 1);
	history_append(history, &entry);
	append(fixture, history, 3);
	check_entry(fixture, history, 1);
	check_entry(fixture, history, 3);
	g_assert_true(history_get(history, 2, &found));
	g_assert_null(found.arguments);
	history = history_close(history);
	history = open_small(fixture, 3);
	g_assert_true(history_get(history, 2, &found));
	g_assert_null(found.arguments);
}

/* Numbers that were given out and are not in it: then what is older must not be served as if they were. */
static void test_hole(Fixture *fixture, const void *data)
{
	g_autoptr(History) history = open_small(fixture, 0);

	append_range(fixture, history, 1, 10);
	append(fixture, history, 12);
	g_assert_cmpuint(history_get_oldest(history), ==, 12);
	check_all(fixture, history);
	history = history_close(history);

	/* A kill between entry and number. */
	history = open_small(fixture, 11);
	g_assert_cmpuint(history_get_newest(history), ==, 12);
	history = history_close(history);

	history = open_small(fixture, 100);
	g_assert_cmpuint(history_get_newest(history), ==, 0);
	append_range(fixture, history, 101, 110);
	check_all(fixture, history);
}

/* What has gone, known by its number; unknown: up to there it is not known what it was. */
static void check_forgotten(const History *history, uint64_t unknown)
{
	uint64_t oldest = history_get_oldest(history);

	g_assert_cmpuint(history_get_last_forgotten(history, NULL, UINT64_MAX), ==, oldest - 1);
	for (unsigned kind = 0; kind < EVENT_KIND_MAX; kind++) {
		uint64_t last[2] = { unknown, unknown };

		for (uint64_t sequence = unknown + 1; sequence < oldest; sequence++)
			if (sequence % EVENT_KIND_MAX == kind)
				last[sequence % 2] = sequence;
		g_assert_cmpuint(history_get_last_forgotten(history, NULL, UINT64_C(1) << kind), ==, MAX(last[0], last[1]));
		g_assert_cmpuint(history_get_last_forgotten(history, BOOT_1, UINT64_C(1) << kind), ==, last[0]);
		g_assert_cmpuint(history_get_last_forgotten(history, BOOT_2, UINT64_C(1) << kind), ==, last[1]);
	}
}

static void test_forgotten(Fixture *fixture, const void *data)
{
	g_autoptr(History) history = open_with(fixture, BOOT_1, LAYOUT, 0, SMALL, 50);
	uint64_t before;

	append_range(fixture, history, 1, 50);
	check_forgotten(history, 0);
	for (uint64_t sequence = 51; sequence < 300; sequence++) {
		append(fixture, history, sequence);
		check_forgotten(history, 0);
	}
	history = history_close(history);
	history = open_with(fixture, BOOT_1, LAYOUT, 299, SMALL, 20);
	before = history_get_oldest(history) - 1;
	check_forgotten(history, before);
	append_range(fixture, history, 300, 600);
	check_forgotten(history, before);
	append(fixture, history, 602);
	check_forgotten(history, 601);
	history = history_close(history);
	history = open_with(fixture, BOOT_1, LAYOUT, 1000, SMALL, 20);
	g_assert_cmpuint(history_get_last_forgotten(history, BOOT_1, 1), ==, 1000);
}

static void assert_begun_anew(const Fixture *fixture, const char *boot_id, const char *layout)
{
	g_autoptr(History) history = open_with(fixture, boot_id, layout, 3000, SMALL, EVENTS);

	g_assert_cmpuint(history_get_newest(history), ==, 0);
	append_range(fixture, history, 3001, 6000);
	check_all(fixture, history);
	g_assert_cmpuint(history_get_newest(history), ==, 6000);
}

static void make_old(const Fixture *fixture)
{
	g_autoptr(History) history = NULL;

	(void)g_unlink(fixture->path);
	history = open_small(fixture, 0);
	append_range(fixture, history, 1, 3000);
}

static void test_other_boot(Fixture *fixture, const void *data)
{
	make_old(fixture);
	assert_begun_anew(fixture, BOOT_2, LAYOUT);
	make_old(fixture);
	assert_begun_anew(fixture, BOOT_1, "another layout");
}

/* Whatever is in the file, nothing wrong is read from it, and it can be used. */
static void test_damaged(Fixture *fixture, const void *data)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);

	for (unsigned i = 0; i < 300; i++) {
		g_autofree char *contents = NULL;
		g_autoptr(History) history = NULL;
		size_t length;

		make_old(fixture);
		g_assert_true(g_file_get_contents(fixture->path, &contents, &length, NULL));
		for (unsigned k = 0; k < 8; k++)
			contents[g_rand_int_range(rand, 0, i % 2 ? 200 : (int)length)] =
				(char)g_rand_int(rand);
		if (i % 5 == 0)
			length = (size_t)g_rand_int_range(rand, 0, (int)length);
		g_assert_true(g_file_set_contents(fixture->path, contents, (gssize)length, NULL));
		history = open_small(fixture, 3000);
		g_assert_true(history_get_newest(history) == 0 || history_get_newest(history) >= 3000);
		append_range(fixture, history, 3002, 6000);
		check_all(fixture, history);
	}
}

/* The child does nothing but append, and is killed in the midst of it. */
static void test_killed(Fixture *fixture, const void *data)
{
	uint64_t *last = mmap(NULL, sizeof(*last), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned between = 0;

	g_assert_true(last != MAP_FAILED);
	for (unsigned i = 0; i < KILLS; i++) {
		g_autoptr(History) history = NULL;
		uint64_t before = *last;
		pid_t child = fork();

		g_assert_cmpint(child, >=, 0);
		if (child == 0) {
			history = open_small(fixture, *last);
			if (history_get_newest(history) == *last + 1)
				++*last;
			for (;;) {
				append(fixture, history, *last + 1);
				__atomic_store_n(last, *last + 1, __ATOMIC_SEQ_CST);
			}
		}
		while (__atomic_load_n(last, __ATOMIC_SEQ_CST) < before + 2000 + mix(i) % 500)
			(void)sched_yield();
		g_assert_cmpint(kill(child, SIGKILL), ==, 0);
		g_assert_cmpint(waitpid(child, NULL, 0), ==, child);

		history = open_small(fixture, *last);
		g_assert_cmpuint(history_get_newest(history), >=, *last);
		g_assert_cmpuint(history_get_newest(history), <=, *last + 1);
		between += history_get_newest(history) > *last;
		g_assert_cmpuint(count_bound(history), >, 100);
		check_all(fixture, history);
	}
	g_test_message("%u of %d kills fell between entry and number", between, KILLS);
	g_assert_cmpint(munmap(last, sizeof(*last)), ==, 0);
}

/* The disk has no more: the ring turns around where it is. */
static void test_disk_full(Fixture *fixture, const void *data)
{
	struct rlimit unlimited, limit;
	g_autoptr(History) history = NULL;
	struct stat status;

	g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &unlimited), ==, 0);
	limit = unlimited;
	limit.rlim_cur = HEAD + HISTORY_GROWTH;
	(void)signal(SIGXFSZ, SIG_IGN);
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
	history = open_with(fixture, BOOT_1, LAYOUT, 0, 1u << 20, EVENTS);
	append_range(fixture, history, 1, 20000);
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &unlimited), ==, 0);
	g_assert_cmpint(g_stat(fixture->path, &status), ==, 0);
	g_assert_cmpuint(status.st_size, ==, HEAD + HISTORY_GROWTH);
	g_assert_cmpuint(history_get_newest(history), ==, 20000);
	check_all(fixture, history);
}

static void test_no_place(Fixture *fixture, const void *data)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(history_open("/nonexistent", BOOT_1, LAYOUT, 0, SMALL, EVENTS, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(error->message, "/nonexistent/history"));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(Fixture *fixture, const void *data);
	} tests[] = {
		{ "empty", test_empty },
		{ "laps", test_laps },
		{ "lengths", test_lengths },
		{ "survives", test_survives },
		{ "bound-of-events", test_bound_of_events },
		{ "bound-of-bytes", test_bound_of_bytes },
		{ "other-bounds", test_other_bounds },
		{ "too-long", test_too_long },
		{ "hole", test_hole },
		{ "forgotten", test_forgotten },
		{ "other-boot", test_other_boot },
		{ "damaged", test_damaged },
		{ "killed", test_killed },
		{ "disk-full", test_disk_full },
		{ "no-place", test_no_place },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/history/", tests[i].name, NULL);

		g_test_add(path, Fixture, NULL, set_up, tests[i].run, tear_down);
	}
	return g_test_run();
}
