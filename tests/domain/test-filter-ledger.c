/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "domain/filter-ledger.h"

typedef struct Fixture {
	char *folder;
	HostNic link;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("vmherald-test-XXXXXX", NULL);
	fixture->link = (HostNic){ .type = HOST_NIC_MACVTAP, .link = (char *)"vhmt123456", .index = 7 };
}

static void tear_down(Fixture *fixture, const void *data)
{
	filter_ledger_remove(fixture->folder, &fixture->link);
	g_assert_cmpint(g_rmdir(fixture->folder), ==, 0);
	g_free(fixture->folder);
}

static void add_many(MacSet *set, uint8_t first, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		Mac mac = { { first, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i } };

		mac_set_add(set, &mac);
	}
}

static void expect(const Fixture *fixture, const HostFilterOwn *own)
{
	g_autoptr(HostFilterOwn) back = filter_ledger_read(fixture->folder, &fixture->link);

	g_assert_true(mac_set_equal(back->multicast_table, own ? own->multicast_table : NULL));
	g_assert_true(mac_set_equal(back->forwarding, own ? own->forwarding : NULL));
}

static void write_own(const Fixture *fixture, const HostFilterOwn *own)
{
	g_autoptr(GError) error = NULL;

	filter_ledger_write(fixture->folder, &fixture->link, own, &error);
	g_assert_no_error(error);
}

static void write_text(const Fixture *fixture, const char *text)
{
	g_autofree char *path = g_build_filename(fixture->folder, "filter-vhmt123456.json", NULL);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void test_round_trip(Fixture *fixture, const void *data)
{
	g_autoptr(HostFilterOwn) own = host_filter_own_new();

	expect(fixture, NULL);
	write_own(fixture, own);
	expect(fixture, own);
	add_many(own->multicast_table, 0x01, 3);
	write_own(fixture, own);
	expect(fixture, own);
	add_many(own->forwarding, 0x52, 300);
	write_own(fixture, own);
	expect(fixture, own);
	filter_ledger_remove(fixture->folder, &fixture->link);
	expect(fixture, NULL);
	filter_ledger_remove(fixture->folder, &fixture->link);
}

/* Of two links that have had the same name. */
static void test_other_link(Fixture *fixture, const void *data)
{
	g_autoptr(HostFilterOwn) own = host_filter_own_new();

	add_many(own->multicast_table, 0x01, 3);
	write_own(fixture, own);
	fixture->link.index = 8;
	expect(fixture, NULL);
	fixture->link.index = 7;
	expect(fixture, own);
}

/* All that a guest may ask for fits, before and after a change; more than that is none of ours. */
static void test_bound(Fixture *fixture, const void *data)
{
	g_autoptr(HostFilterOwn) own = host_filter_own_new();

	add_many(own->multicast_table, 0x01, FILTER_LEDGER_ENTRIES_MAX);
	add_many(own->forwarding, 0x52, FILTER_LEDGER_ENTRIES_MAX);
	write_own(fixture, own);
	expect(fixture, own);
	add_many(own->multicast_table, 0x03, 1);
	write_own(fixture, own);
	g_test_expect_message("vmherald", G_LOG_LEVEL_MESSAGE, "*filter-vhmt123456.json cannot be used: *");
	expect(fixture, NULL);
	g_test_assert_expected_messages();
}

static void test_damaged(Fixture *fixture, const void *data)
{
	static const char *const texts[] = {
		"", "{", "[]", "7", "{}", "{\"index\":7}", "{\"index\":7,\"multicast\":[]}",
		"{\"index\":\"7\",\"multicast\":[],\"forwarding\":[]}",
		"{\"index\":7,\"multicast\":{},\"forwarding\":[]}",
		"{\"index\":7,\"multicast\":[\"01:00:5e:00:00:01\",7],\"forwarding\":[]}",
		"{\"index\":7,\"multicast\":[\"01:00:5e:00:00:01\",\"x\"],\"forwarding\":[]}",
		"{\"index\":7,\"multicast\":[\"01:00:5e:00:00:01\",[]],\"forwarding\":[]}",
		"{\"index\":7,\"multicast\":[\"01:00:5e:00:00:01\"],\"forwarding\":[]",
		"{\"index\":7,\"multicast\":[\"01:00:5e:00:00:01\"],\"forwarding\":[]}\xff",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		write_text(fixture, texts[i]);
		g_test_expect_message("vmherald", G_LOG_LEVEL_MESSAGE, "*filter-vhmt123456.json cannot be used: *");
		expect(fixture, NULL);
		g_test_assert_expected_messages();
	}
	write_text(fixture, "{\"index\":7,\"multicast\":[],\"forwarding\":[],\"newer\":1}");
	expect(fixture, NULL);
}

static void test_cannot_write(Fixture *fixture, const void *data)
{
	g_autoptr(HostFilterOwn) own = host_filter_own_new();
	g_autofree char *missing = g_build_filename(fixture->folder, "missing", NULL);
	g_autoptr(GError) error = NULL;

	g_assert_false(filter_ledger_write(missing, &fixture->link, own, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_IO);
	g_assert_nonnull(strstr(error->message, missing));
}

#define ADD(name, function) \
	g_test_add("/domain/filter-ledger/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("round-trip", test_round_trip);
	ADD("other-link", test_other_link);
	ADD("bound", test_bound);
	ADD("damaged", test_damaged);
	ADD("cannot-write", test_cannot_write);
	return g_test_run();
}
