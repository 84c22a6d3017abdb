/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/run-file.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/directories.h"
#include "base/error.h"

#define UUID "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

typedef struct Fixture {
	char *folder;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("run-file-XXXXXX", NULL);
	g_assert_nonnull(fixture->folder);
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_assert_true(directories_remove(fixture->folder, NULL));
	g_free(fixture->folder);
}

static void put(const Fixture *fixture, const char *name, const char *text, gssize length)
{
	g_autofree char *path = g_build_filename(fixture->folder, name, NULL);

	g_assert_true(g_file_set_contents(path, text, length, NULL));
}

static Definition *make_definition(void)
{
	static const char text[] =
		"{\"name\":\"web\",\"uuid\":\"" UUID "\",\"title\":\"a \\\"title\\\"\","
		"\"devices\":[{\"driver\":\"x\",\"n\":[1,{\"a\":null}]}],\"autostart\":true}";
	Definition *definition = definition_parse(text, strlen(text), NULL);

	g_assert_nonnull(definition);
	return definition;
}

static void add_backends(GHashTable *table, const char *id, const char *object, const char *blockdev,
			 const char *netdev)
{
	Backends *backends = g_new0(Backends, 1);

	backends->ids[BACKEND_OBJECT] = g_strdup(object);
	backends->ids[BACKEND_BLOCKDEV] = g_strdup(blockdev);
	backends->ids[BACKEND_NETDEV] = g_strdup(netdev);
	g_hash_table_insert(table, g_strdup(id), backends);
}

static RunFile *make_run(void)
{
	RunFile *run = g_new0(RunFile, 1);

	run->definition = make_definition();
	run->incarnation = 42;
	run->pid = 4711;
	run->start_time = UINT64_C(1234567890123);
	run->started = true;
	run->started_at = INT64_C(1700000000123456);
	run->emulator = g_strdup("/usr/bin/qemu-system-x86_64");
	run->unit = g_strdup("vmherald-a\\x20b.scope");
	run->backends = backends_table_new();
	add_backends(run->backends, "disk1", NULL, "node1", NULL);
	add_backends(run->backends, "net1", "obj1", NULL, "host1");
	add_backends(run->backends, "od/d \"id\"", "o", "b", "n");
	return run;
}

static void check_backends(GHashTable *table, const char *id, const char *object,
			   const char *blockdev, const char *netdev)
{
	const Backends *backends = g_hash_table_lookup(table, id);

	g_assert_nonnull(backends);
	g_assert_cmpstr(backends->ids[BACKEND_OBJECT], ==, object);
	g_assert_cmpstr(backends->ids[BACKEND_BLOCKDEV], ==, blockdev);
	g_assert_cmpstr(backends->ids[BACKEND_NETDEV], ==, netdev);
}

static void write_run(const Fixture *fixture, const RunFile *run)
{
	g_autofree char *json = run_file_to_json(run);
	g_autoptr(GError) error = NULL;

	g_assert_true(run_file_write(fixture->folder, json, &error));
	g_assert_no_error(error);
}

static RunFile *read_run(const Fixture *fixture)
{
	g_autoptr(GError) error = NULL;
	RunFile *run = run_file_read(fixture->folder, &error);

	g_assert_no_error(error);
	g_assert_nonnull(run);
	return run;
}

/* ---- there and back ---- */

static void test_round_trip(Fixture *fixture, const void *data)
{
	g_autoptr(RunFile) run = make_run();
	g_autoptr(RunFile) back = NULL;
	g_autofree char *definition = definition_to_json(run->definition);
	g_autofree char *definition_back = NULL;

	write_run(fixture, run);
	back = read_run(fixture);
	definition_back = definition_to_json(back->definition);
	g_assert_cmpstr(definition_back, ==, definition);
	g_assert_cmpuint(back->incarnation, ==, 42);
	g_assert_cmpint(back->pid, ==, 4711);
	g_assert_cmpuint(back->start_time, ==, UINT64_C(1234567890123));
	g_assert_true(back->started);
	g_assert_cmpint(back->started_at, ==, INT64_C(1700000000123456));
	g_assert_cmpstr(back->emulator, ==, "/usr/bin/qemu-system-x86_64");
	g_assert_cmpstr(back->unit, ==, "vmherald-a\\x20b.scope");
	g_assert_cmpuint(g_hash_table_size(back->backends), ==, 3);
	check_backends(back->backends, "disk1", NULL, "node1", NULL);
	check_backends(back->backends, "net1", "obj1", NULL, "host1");
	check_backends(back->backends, "od/d \"id\"", "o", "b", "n");
}

static HostNic *make_link(HostNicType type, const char *name, unsigned index, bool foreign)
{
	HostNic *nic = g_new0(HostNic, 1);

	nic->type = type;
	nic->link = g_strdup(name);
	nic->index = index;
	nic->foreign = foreign;
	return nic;
}

static void check_link(GHashTable *table, const char *id, HostNicType type, const char *name, unsigned index,
		       bool foreign)
{
	const HostNic *nic = g_hash_table_lookup(table, id);

	g_assert_nonnull(nic);
	g_assert_cmpint(nic->type, ==, type);
	g_assert_cmpstr(nic->link, ==, name);
	g_assert_cmpuint(nic->index, ==, index);
	g_assert_true(nic->foreign == foreign);
}

static void test_links(Fixture *fixture, const void *data)
{
	g_autoptr(RunFile) run = make_run();
	g_autoptr(RunFile) back = NULL;
	g_autoptr(GHashTable) links = NULL;
	UnderWay *entry = g_new0(UnderWay, 1);
	const UnderWay *entry_back;

	run->host_nics = host_nics_new();
	g_hash_table_insert(run->host_nics, g_strdup("net0"), make_link(HOST_NIC_MACVTAP, "m0", 0, false));
	g_hash_table_insert(run->host_nics, g_strdup("net1"), make_link(HOST_NIC_TAP, "t1", 77, true));
	run->under_way = under_way_table_new();
	entry->link = make_link(HOST_NIC_BRIDGE, "b2", 5, false);
	entry->n_fds = 3;
	g_hash_table_insert(run->under_way, g_strdup("net2"), entry);
	write_run(fixture, run);
	back = read_run(fixture);
	g_assert_cmpuint(g_hash_table_size(back->host_nics), ==, 2);
	check_link(back->host_nics, "net0", HOST_NIC_MACVTAP, "m0", 0, false);
	check_link(back->host_nics, "net1", HOST_NIC_TAP, "t1", 77, true);
	entry_back = g_hash_table_lookup(back->under_way, "net2");
	g_assert_cmpstr(entry_back->link->link, ==, "b2");
	g_assert_cmpuint(entry_back->n_fds, ==, 3);
	/* All of them. */
	links = run_file_read_links(fixture->folder);
	g_assert_cmpuint(g_hash_table_size(links), ==, 3);
	check_link(links, "net2/under-way", HOST_NIC_BRIDGE, "b2", 5, false);
}

/* From a file that is no run file any more; and what is none of ours is left out. */
static void test_links_alone(Fixture *fixture, const void *data)
{
	static const char *const nothing[] = { "", "[]", "{", "{\"host-nics\":7}", "{\"under-way\":{\"a\":{\"link\":[]}}}" };

	for (unsigned i = 0; i < G_N_ELEMENTS(nothing); i++) {
		g_autoptr(GHashTable) links = NULL;

		put(fixture, RUN_FILE_NAME, nothing[i], -1);
		links = run_file_read_links(fixture->folder);
		g_assert_cmpuint(g_hash_table_size(links), ==, 0);
	}
	{
		g_autoptr(GHashTable) links = NULL;

		put(fixture, RUN_FILE_NAME, "{\"host-nics\":{\"a\":{\"type\":\"tap\",\"link\":\"t\",\"index\":1},"
		    "\"b\":{\"type\":\"other\",\"link\":\"t\",\"index\":1},\"c\":{\"type\":\"tap\",\"index\":1},"
		    "\"d\":{\"type\":\"tap\",\"link\":\"t\",\"index\":-1},\"e\":{\"type\":\"tap\",\"link\":\"t\","
		    "\"index\":4294967296},\"f\":null}}", -1);
		links = run_file_read_links(fixture->folder);
		g_assert_cmpuint(g_hash_table_size(links), ==, 1);
		check_link(links, "a", HOST_NIC_TAP, "t", 1, false);
	}
}

/* As it is written before QEMU is started: no pid, no emulator, no backends. */
static void test_least(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = make_definition();
	const RunFile run = { .definition = definition, .incarnation = 1 };
	g_autoptr(RunFile) back = NULL;

	write_run(fixture, &run);
	back = read_run(fixture);
	g_assert_false(back->started);
	g_assert_cmpint(back->pid, ==, 0);
	g_assert_cmpuint(back->start_time, ==, 0);
	g_assert_cmpstr(back->emulator, ==, "");
	g_assert_cmpuint(g_hash_table_size(back->backends), ==, 0);
	g_assert_null(run_file_free(NULL));
}

/* ---- the pid QEMU has written itself ---- */

static void test_pid_file(Fixture *fixture, const void *data)
{
	static const struct {
		const char *text;
		int pid;
	} rows[] = {
		{ "4712\n", 4712 }, { "4712", 4712 }, { "2147483647\n", G_MAXINT32 },
		{ "", 0 }, { "\n", 0 }, { "0\n", 0 }, { "1\n", 0 }, { "-5\n", 0 },
		{ "2147483648\n", 0 }, { "99999999999999999999\n", 0 }, { "pid\n", 0 },
	};
	g_autoptr(Definition) definition = make_definition();
	const RunFile run = { .definition = definition, .incarnation = 1 };

	write_run(fixture, &run);
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(RunFile) back = NULL;

		put(fixture, RUN_PID_FILE_NAME, rows[i].text, -1);
		back = read_run(fixture);
		g_assert_cmpint(back->pid, ==, rows[i].pid);
	}
}

/* What we wrote ourselves is better. */
static void test_pid_of_ours(Fixture *fixture, const void *data)
{
	g_autoptr(RunFile) run = make_run();
	g_autoptr(RunFile) back = NULL;

	write_run(fixture, run);
	put(fixture, RUN_PID_FILE_NAME, "9999\n", -1);
	back = read_run(fixture);
	g_assert_cmpint(back->pid, ==, 4711);
}

/* ---- files that are none ---- */

/* The one who is to look at it must know where it is. */
static void assert_refused(const Fixture *fixture)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(run_file_read(fixture->folder, &error));
	g_assert_nonnull(error);
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, fixture->folder));
}

static void test_damaged(Fixture *fixture, const void *data)
{
	static const char *const texts[] = {
		"", "{", "null", "[]", "7", "{}", "\"text\"",
		"{\"version\":1}",
		"{\"version\":1,\"incarnation\":1,\"pid\":5}",
		"{\"version\":1,\"incarnation\":1,\"definition\":\"{\\\"name\\\":\\\"a\\\"}\"}",
		"{\"version\":1,\"incarnation\":1,\"pid\":5,\"definition\":7}",
		"{\"version\":1,\"incarnation\":1,\"pid\":5,\"definition\":\"\"}",
		"{\"version\":1,\"incarnation\":1,\"pid\":5,\"definition\":\"{}\"}",
		"{\"version\":1,\"incarnation\":\"1\",\"pid\":5,\"definition\":\"{\\\"name\\\":\\\"a\\\"}\"}",
		"{\"version\":1,\"incarnation\":1,\"pid\":\"5\",\"definition\":\"{\\\"name\\\":\\\"a\\\"}\"}",
	};

	/* None at all: a start that was killed at its very first step. */
	assert_refused(fixture);
	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		put(fixture, RUN_FILE_NAME, texts[i], -1);
		assert_refused(fixture);
	}
	put(fixture, RUN_FILE_NAME, "\0\0\0", 3);
	assert_refused(fixture);
	put(fixture, RUN_FILE_NAME, "{\"version\":1,\"a\":\"\xff\"}", -1);
	assert_refused(fixture);
}

static void test_cut_off(Fixture *fixture, const void *data)
{
	g_autoptr(RunFile) run = make_run();
	g_autofree char *json = run_file_to_json(run);

	for (size_t length = 0; length < strlen(json); length++) {
		put(fixture, RUN_FILE_NAME, json, (gssize)length);
		assert_refused(fixture);
	}
}

static void test_other_version(Fixture *fixture, const void *data)
{
	static const char *const versions[] = { "0", "2", "-1", "\"1\"", "1.5", "null", "true" };

	for (unsigned i = 0; i < G_N_ELEMENTS(versions); i++) {
		g_autofree char *text = g_strdup_printf(
			"{\"version\":%s,\"incarnation\":1,\"pid\":5,"
			"\"definition\":\"{\\\"name\\\":\\\"a\\\"}\"}", versions[i]);

		put(fixture, RUN_FILE_NAME, text, -1);
		assert_refused(fixture);
	}
	put(fixture, RUN_FILE_NAME,
	    "{\"version\":1,\"incarnation\":1,\"pid\":5,\"definition\":\"{\\\"name\\\":\\\"a\\\"}\"}", -1);
	run_file_free(read_run(fixture));
}

/* Odd values where none was written by us: as if they were not there. */
static void test_odd_values(Fixture *fixture, const void *data)
{
	g_autoptr(RunFile) back = NULL;

	put(fixture, RUN_FILE_NAME,
	    "{\"version\":1,\"incarnation\":1,\"pid\":99999999999,\"started\":\"yes\","
	    "\"start-time\":\"x\",\"started-at\":null,\"emulator\":7,"
	    "\"backends\":{\"a\":7,\"b\":{\"object\":1,\"netdev\":\"n\"},\"c\":[]},"
	    "\"definition\":\"{\\\"name\\\":\\\"a\\\"}\",\"later\":{}}", -1);
	back = read_run(fixture);
	g_assert_cmpint(back->pid, ==, 0);
	g_assert_false(back->started);
	g_assert_cmpuint(back->start_time, ==, 0);
	g_assert_cmpstr(back->emulator, ==, "");
	check_backends(back->backends, "b", NULL, NULL, "n");
}

/* ---- the list ---- */

static void test_list(Fixture *fixture, const void *data)
{
	static const char *const names[] = { UUID, "not-a-uuid", "6ba7b810", ".hidden" };
	g_autofree char *missing = g_build_filename(fixture->folder, "missing", NULL);
	g_autofree char *expected = g_build_filename(fixture->folder, UUID, NULL);
	g_autoptr(GPtrArray) none = NULL, one = NULL;

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(fixture->folder, names[i], NULL);

		g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
	}
	none = run_file_list(missing);
	g_assert_cmpuint(none->len, ==, 0);
	one = run_file_list(fixture->folder);
	g_assert_cmpuint(one->len, ==, 1);
	g_assert_cmpstr(g_ptr_array_index(one, 0), ==, expected);
}

static void test_not_writable(Fixture *fixture, const void *data)
{
	g_autofree char *missing = g_build_filename(fixture->folder, "missing", NULL);
	g_autoptr(GError) error = NULL;

	g_assert_false(run_file_write(missing, "{}", &error));
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, missing));
}

#define ADD(name, function)                                                                        \
	g_test_add("/domain/run-file/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("round-trip", test_round_trip);
	ADD("links", test_links);
	ADD("links-alone", test_links_alone);
	ADD("least", test_least);
	ADD("pid-file", test_pid_file);
	ADD("pid-of-ours", test_pid_of_ours);
	ADD("damaged", test_damaged);
	ADD("cut-off", test_cut_off);
	ADD("other-version", test_other_version);
	ADD("odd-values", test_odd_values);
	ADD("list", test_list);
	ADD("not-writable", test_not_writable);
	return g_test_run();
}
