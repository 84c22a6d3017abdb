/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/chains.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/error.h"

/* A kill of the service is a file that is not closed. */

#define BOOT_1 "11111111-1111-4111-8111-111111111111"
#define BOOT_2 "22222222-2222-4222-8222-222222222222"
#define LAYOUT "s"

typedef struct Fixture {
	char *folder, *path;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("chains-XXXXXX", NULL);
	g_assert_nonnull(fixture->folder);
	fixture->path = g_build_filename(fixture->folder, "chains", NULL);
}

static void tear_down(Fixture *fixture, const void *data)
{
	(void)g_unlink(fixture->path);
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->path);
	g_free(fixture->folder);
}

static Chains *open_with(const char *folder, const char *boot_id, const char *layout)
{
	g_autoptr(GError) error = NULL;
	Chains *chains = chains_open(folder, boot_id, layout, &error);

	g_assert_no_error(error);
	g_assert_nonnull(chains);
	return chains;
}

static char *make_uuid(unsigned number)
{
	return g_strdup_printf("%08x-0000-4000-8000-000000000000", number);
}

static void set_many(Chains *chains, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		g_autofree char *uuid = make_uuid(i);

		for (int kind = 0; kind < EVENT_KIND_MAX; kind++)
			chains_set(chains, uuid, (EventKind)kind, i * 1000u + (unsigned)kind + 1);
	}
}

static void check_many(const Chains *chains, unsigned first, unsigned n, bool are_there)
{
	for (unsigned i = first; i < first + n; i++) {
		g_autofree char *uuid = make_uuid(i);

		for (int kind = 0; kind < EVENT_KIND_MAX; kind++)
			g_assert_cmpuint(chains_get(chains, uuid, (EventKind)kind), ==,
					 are_there ? i * 1000u + (unsigned)kind + 1 : 0);
		g_assert_cmpuint(chains_get_newest(chains, uuid), ==,
				 are_there ? i * 1000u + EVENT_KIND_MAX : 0);
	}
}

static void test_survive(Fixture *fixture, const void *data)
{
	g_autoptr(Chains) chains = open_with(fixture->folder, BOOT_1, LAYOUT);

	g_assert_cmpuint(chains_get(chains, BOOT_2, EVENT_RESET), ==, 0);
	set_many(chains, 0, 500);
	check_many(chains, 0, 500, true);
	chains_set(chains, BOOT_2, EVENT_RESET, 7);
	chains_set(chains, BOOT_2, EVENT_WATCHDOG, 8);
	chains_set(chains, BOOT_2, EVENT_RESET, 9);
	g_assert_cmpuint(chains_get_newest(chains, BOOT_2), ==, 9);
	chains_set(chains, BOOT_2, EVENT_WATCHDOG, 10);
	chains = chains_close(chains);

	chains = open_with(fixture->folder, BOOT_1, LAYOUT);
	check_many(chains, 0, 500, true);
	check_many(chains, 500, 10, false);
	g_assert_cmpuint(chains_get(chains, BOOT_2, EVENT_RESET), ==, 9);
	g_assert_cmpuint(chains_get(chains, BOOT_2, EVENT_WATCHDOG), ==, 10);
	g_assert_cmpuint(chains_get_newest(chains, BOOT_2), ==, 10);
	g_assert_cmpuint(chains_get(chains, BOOT_2, EVENT_LIFECYCLE), ==, 0);
}

/* Places of domains that are no more are used again. */
static void test_forget(Fixture *fixture, const void *data)
{
	g_autoptr(Chains) chains = open_with(fixture->folder, BOOT_1, LAYOUT);
	GStatBuf before, after;

	chains_forget(chains, BOOT_2);
	set_many(chains, 0, 100);
	g_assert_cmpint(g_stat(fixture->path, &before), ==, 0);
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 100; i++) {
			g_autofree char *uuid = make_uuid(round * 100 + i);

			chains_forget(chains, uuid);
		}
		check_many(chains, round * 100, 100, false);
		set_many(chains, (round + 1) * 100, 100);
	}
	g_assert_cmpint(g_stat(fixture->path, &after), ==, 0);
	g_assert_cmpint(before.st_size, ==, after.st_size);
	chains = chains_close(chains);
	chains = open_with(fixture->folder, BOOT_1, LAYOUT);
	check_many(chains, 0, 5000, false);
	check_many(chains, 5000, 100, true);
}

static bool is_even(const char *uuid, void *userdata)
{
	return g_ascii_strtoull(uuid, NULL, 16) % 2 == 0;
}

static void test_forget_others(Fixture *fixture, const void *data)
{
	g_autoptr(Chains) chains = open_with(fixture->folder, BOOT_1, LAYOUT);

	set_many(chains, 0, 100);
	chains_forget_others(chains, is_even, NULL);
	chains = chains_close(chains);
	chains = open_with(fixture->folder, BOOT_1, LAYOUT);
	for (unsigned i = 0; i < 100; i++)
		check_many(chains, i, 1, i % 2 == 0);
}

static void test_other(Fixture *fixture, const void *data)
{
	g_autoptr(Chains) chains = open_with(fixture->folder, BOOT_1, LAYOUT);

	set_many(chains, 0, 100);
	chains = chains_close(chains);
	chains = open_with(fixture->folder, BOOT_2, LAYOUT);
	check_many(chains, 0, 100, false);
	set_many(chains, 0, 100);
	chains = chains_close(chains);
	chains = open_with(fixture->folder, BOOT_2, "ss");
	check_many(chains, 0, 100, false);
}

static void test_bound(Fixture *fixture, const void *data)
{
	g_autoptr(Chains) chains = open_with(fixture->folder, BOOT_1, LAYOUT);

	set_many(chains, 0, CHAINS_KEPT_MAX + 50);
	check_many(chains, 0, CHAINS_KEPT_MAX + 50, true);
	chains = chains_close(chains);
	chains = open_with(fixture->folder, BOOT_1, LAYOUT);
	check_many(chains, 0, CHAINS_KEPT_MAX, true);
	check_many(chains, CHAINS_KEPT_MAX, 50, false);
}

static void test_disk_full(Fixture *fixture, const void *data)
{
	struct rlimit unlimited, limit;
	g_autoptr(Chains) chains = NULL;

	g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &unlimited), ==, 0);
	limit = unlimited;
	limit.rlim_cur = 64 * 1024;
	(void)signal(SIGXFSZ, SIG_IGN);
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
	chains = open_with(fixture->folder, BOOT_1, LAYOUT);
	set_many(chains, 0, 1000);
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &unlimited), ==, 0);
	check_many(chains, 0, 1000, true);
	for (unsigned i = 0; i < 1000; i++) {
		g_autofree char *uuid = make_uuid(i);

		chains_forget(chains, uuid);
	}
}

/* Whatever is in it. */
static void test_damaged(Fixture *fixture, const void *data)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);

	for (unsigned i = 0; i < 100; i++) {
		g_autoptr(Chains) chains = open_with(fixture->folder, BOOT_1, LAYOUT);
		g_autofree char *contents = NULL;
		size_t length;

		set_many(chains, 0, 20);
		chains = chains_close(chains);
		g_assert_true(g_file_get_contents(fixture->path, &contents, &length, NULL));
		for (unsigned k = 0; k < 50; k++)
			contents[g_rand_int_range(rand, 0, (int)length)] = (char)g_rand_int(rand);
		if (i % 3 == 0)
			length = (size_t)g_rand_int_range(rand, 0, (int)length);
		g_assert_true(g_file_set_contents(fixture->path, contents, (gssize)length, NULL));
		chains = open_with(fixture->folder, BOOT_1, LAYOUT);
		set_many(chains, 0, 200);
		check_many(chains, 0, 200, true);
	}
}

static void test_memory_alone(Fixture *fixture, const void *data)
{
	g_autoptr(Chains) chains = open_with(NULL, BOOT_1, LAYOUT);
	g_autoptr(GError) error = NULL;

	set_many(chains, 0, 100);
	check_many(chains, 0, 100, true);
	g_assert_null(chains_open("/nonexistent", BOOT_1, LAYOUT, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(Fixture *fixture, const void *data);
	} tests[] = {
		{ "survive", test_survive },
		{ "forget", test_forget },
		{ "forget-others", test_forget_others },
		{ "other", test_other },
		{ "bound", test_bound },
		{ "disk-full", test_disk_full },
		{ "damaged", test_damaged },
		{ "memory-alone", test_memory_alone },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/chains/", tests[i].name, NULL);

		g_test_add(path, Fixture, NULL, set_up, tests[i].run, tear_down);
	}
	return g_test_run();
}
