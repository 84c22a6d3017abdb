/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/definition-store.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/directories.h"
#include "base/error.h"

#define UUID_A "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define UUID_B "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"

typedef struct Fixture {
	char *folder;
	GPtrArray *problems;
	GPtrArray *loaded;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("definition-store-XXXXXX", NULL);
	g_assert_nonnull(fixture->folder);
}

static void tear_down(Fixture *fixture, const void *data)
{
	g_clear_pointer(&fixture->problems, g_ptr_array_unref);
	g_clear_pointer(&fixture->loaded, g_ptr_array_unref);
	g_assert_true(directories_remove(fixture->folder, NULL));
	g_free(fixture->folder);
}

static char *path_of(const Fixture *fixture, const char *file)
{
	return g_build_filename(fixture->folder, file, NULL);
}

static void put(const Fixture *fixture, const char *file, const char *text, gssize length)
{
	g_autofree char *path = path_of(fixture, file);

	g_assert_true(g_file_set_contents(path, text, length, NULL));
}

static bool exists(const Fixture *fixture, const char *file)
{
	g_autofree char *path = path_of(fixture, file);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static Definition *make(const char *text)
{
	Definition *definition = definition_parse(text, strlen(text), NULL);

	g_assert_nonnull(definition);
	return definition;
}

static void write_definition(const Fixture *fixture, const Definition *definition,
			     const char *old_name)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(definition_store_write(fixture->folder, definition, old_name, &error));
	g_assert_no_error(error);
}

static void load(Fixture *fixture, unsigned n_loaded, unsigned n_problems)
{
	g_clear_pointer(&fixture->problems, g_ptr_array_unref);
	g_clear_pointer(&fixture->loaded, g_ptr_array_unref);
	fixture->problems = g_ptr_array_new_with_free_func(g_free);
	fixture->loaded = definition_store_load(fixture->folder, fixture->problems);
	for (unsigned i = 0; i < fixture->problems->len; i++)
		g_test_message("%s", (char *)g_ptr_array_index(fixture->problems, i));
	g_assert_cmpuint(fixture->loaded->len, ==, n_loaded);
	g_assert_cmpuint(fixture->problems->len, ==, n_problems);
}

static const StoredDefinition *get(const Fixture *fixture, unsigned i)
{
	g_assert_cmpuint(i, <, fixture->loaded->len);
	return g_ptr_array_index(fixture->loaded, i);
}

static bool has_problem(const Fixture *fixture, const char *file)
{
	g_autofree char *path = path_of(fixture, file);

	for (unsigned i = 0; i < fixture->problems->len; i++)
		if (g_str_has_prefix(g_ptr_array_index(fixture->problems, i), path))
			return true;
	return false;
}

/* ---- write, rename, remove ---- */

static void test_write(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = make("{\"name\":\"web\",\"uuid\":\"" UUID_A "\","
						"\"memory\":\"2G\",\"arguments\":[\"-x\"]}");
	g_autofree char *path = path_of(fixture, "web.json");
	g_autofree char *json = definition_to_json(definition), *back = NULL;
	struct stat st;

	write_definition(fixture, definition, NULL);
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_true(S_ISREG(st.st_mode));
	load(fixture, 1, 0);
	g_assert_cmpstr(get(fixture, 0)->file, ==, "web.json");
	back = definition_to_json(get(fixture, 0)->definition);
	g_assert_cmpstr(back, ==, json);
}

static void test_rewrite(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) old = make("{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}");
	g_autoptr(Definition) new = make("{\"name\":\"web\",\"uuid\":\"" UUID_A "\",\"cpus\":3}");

	write_definition(fixture, old, NULL);
	write_definition(fixture, new, "web");
	load(fixture, 1, 0);
	g_assert_cmpuint(get(fixture, 0)->definition->cpus, ==, 3);
}

static void test_rename(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) old = make("{\"name\":\"old\",\"uuid\":\"" UUID_A "\"}");
	g_autoptr(Definition) new = make("{\"name\":\"new\",\"uuid\":\"" UUID_A "\",\"cpus\":3}");

	write_definition(fixture, old, NULL);
	write_definition(fixture, new, "old");
	g_assert_false(exists(fixture, "old.json"));
	load(fixture, 1, 0);
	g_assert_cmpstr(get(fixture, 0)->file, ==, "new.json");
	g_assert_cmpstr(get(fixture, 0)->definition->name, ==, "new");
	g_assert_cmpuint(get(fixture, 0)->definition->cpus, ==, 3);

	/* Somebody has taken the old file away: there is nothing to rename. */
	write_definition(fixture, old, "never-was");
	g_assert_true(exists(fixture, "old.json"));
}

static void test_remove(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = make("{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}");
	g_autoptr(GError) error = NULL;

	write_definition(fixture, definition, NULL);
	g_assert_true(definition_store_remove(fixture->folder, "web", &error));
	g_assert_no_error(error);
	load(fixture, 0, 0);
	/* What is not there is removed. */
	g_assert_true(definition_store_remove(fixture->folder, "web", &error));
	g_assert_no_error(error);
}

static void test_not_writable(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = make("{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}");
	g_autofree char *missing = path_of(fixture, "missing");
	g_autoptr(GError) error = NULL;

	g_assert_false(definition_store_write(missing, definition, NULL, &error));
	g_assert_nonnull(error);
	g_assert_nonnull(strstr(error->message, missing));
	g_assert_false(exists(fixture, "missing"));
}

/* ---- load ---- */

static void test_load_order(Fixture *fixture, const void *data)
{
	put(fixture, "b.json", "{\"name\":\"b\",\"uuid\":\"" UUID_B "\"}", -1);
	put(fixture, "a.json", "{\"name\":\"a\",\"uuid\":\"" UUID_A "\"}", -1);
	load(fixture, 2, 0);
	g_assert_cmpstr(get(fixture, 0)->definition->name, ==, "a");
	g_assert_cmpstr(get(fixture, 1)->definition->name, ==, "b");
}

/* One bad file is one line that names it, and all others are read. */
static void test_load_bad(Fixture *fixture, const void *data)
{
	static const struct {
		const char *file, *text;
	} bad[] = {
		{ "array.json", "[]" },
		{ "cut-off.json", "{\"name\":\"a\"" },
		{ "empty.json", "" },
		{ "invalid-utf8.json", "{\"name\":\"a\",\"title\":\"\xff\"}" },
		{ "name.json", "{\"name\":\"../a\"}" },
		{ "no-json.json", "#!/bin/sh" },
		{ "no-name.json", "{}" },
		{ "unknown-key.json", "{\"name\":\"a\",\"colour\":\"red\"}" },
		{ "uuid.json", "{\"name\":\"a\",\"uuid\":\"1\"}" },
	};
	g_autofree char *folder = path_of(fixture, "folder.json");

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		put(fixture, bad[i].file, bad[i].text, -1);
	g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
	put(fixture, "good.json", "{\"name\":\"good\",\"uuid\":\"" UUID_A "\"}", -1);
	/* Not ours: neither read nor complained about. */
	put(fixture, ".hidden.json", "{", -1);
	put(fixture, "notes.txt", "{", -1);
	put(fixture, "good.json.bak", "{", -1);

	load(fixture, 1, G_N_ELEMENTS(bad) + 1);
	g_assert_cmpstr(get(fixture, 0)->definition->name, ==, "good");
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_true(has_problem(fixture, bad[i].file));
		/* Left as it is, for the one who is to repair it. */
		g_assert_true(exists(fixture, bad[i].file));
	}
	g_assert_true(has_problem(fixture, "folder.json"));
}

static void test_load_no_folder(Fixture *fixture, const void *data)
{
	g_autofree char *missing = path_of(fixture, "missing");
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) loaded = definition_store_load(missing, problems);

	g_assert_cmpuint(loaded->len, ==, 0);
	g_assert_cmpuint(problems->len, ==, 1);
	g_assert_nonnull(strstr(g_ptr_array_index(problems, 0), missing));
}

/* Both are told: which one counts is for the caller, who knows what was there before. */
static void test_load_same_uuid(Fixture *fixture, const void *data)
{
	put(fixture, "a.json", "{\"name\":\"a\",\"uuid\":\"" UUID_A "\"}", -1);
	put(fixture, "b.json", "{\"name\":\"b\",\"uuid\":\"" UUID_A "\"}", -1);
	load(fixture, 2, 0);
	g_assert_cmpstr(get(fixture, 0)->definition->uuid, ==, UUID_A);
	g_assert_cmpstr(get(fixture, 1)->definition->uuid, ==, UUID_A);
}

/* ---- what is made up is kept ---- */

static void test_made_up_uuid(Fixture *fixture, const void *data)
{
	g_autofree char *uuid = NULL;

	put(fixture, "web.json", "{\"name\":\"web\",\"cpus\":2}", -1);
	load(fixture, 1, 0);
	uuid = g_strdup(get(fixture, 0)->definition->uuid);
	load(fixture, 1, 0);
	g_assert_cmpstr(get(fixture, 0)->definition->uuid, ==, uuid);
	g_assert_cmpuint(get(fixture, 0)->definition->cpus, ==, 2);
}

static void test_made_up_mac(Fixture *fixture, const void *data)
{
	g_autofree char *mac = NULL;
	const DefinitionInterface *interface;

	put(fixture, "web.json", "{\"name\":\"web\",\"uuid\":\"" UUID_A "\",\"interfaces\":["
	    "{\"id\":\"net0\",\"type\":\"user\",\"mac\":\"52:54:00:12:34:56\"},"
	    "{\"id\":\"net1\",\"type\":\"user\"}]}", -1);
	load(fixture, 1, 0);
	interface = g_ptr_array_index(get(fixture, 0)->definition->interfaces, 1);
	mac = g_strdup(interface->mac);
	load(fixture, 1, 0);
	interface = g_ptr_array_index(get(fixture, 0)->definition->interfaces, 1);
	g_assert_cmpstr(interface->mac, ==, mac);
	interface = g_ptr_array_index(get(fixture, 0)->definition->interfaces, 0);
	g_assert_cmpstr(interface->mac, ==, "52:54:00:12:34:56");
}

/* A file that needs nothing is not touched: an administrator's order and comments stay. */
static void test_not_rewritten(Fixture *fixture, const void *data)
{
	static const char text[] = "{\"cpus\":2,\n\n \"uuid\":\"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA\","
				   "\"interfaces\":[{\"id\":\"n\",\"mac\":\"52:54:00:AB:CD:EF\"}],"
				   "  \"name\":\"web\"}";
	g_autofree char *path = path_of(fixture, "web.json");
	g_autofree char *after = NULL;

	put(fixture, "web.json", text, -1);
	load(fixture, 1, 0);
	g_assert_true(g_file_get_contents(path, &after, NULL, NULL));
	g_assert_cmpstr(after, ==, text);
}

/* ---- a file under another name ---- */

/* Otherwise a later write would leave two files with the same uuid, and the old one might win. */
static void test_other_file_name(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) changed = make("{\"name\":\"web\",\"uuid\":\"" UUID_A "\",\"cpus\":7}");

	put(fixture, "01-by-hand.json", "{\"name\":\"web\",\"uuid\":\"" UUID_A "\",\"cpus\":2}", -1);
	load(fixture, 1, 0);
	g_assert_cmpuint(get(fixture, 0)->definition->cpus, ==, 2);
	write_definition(fixture, changed, "web");
	load(fixture, 1, 0);
	g_assert_cmpuint(get(fixture, 0)->definition->cpus, ==, 7);
	g_assert_true(definition_store_remove(fixture->folder, "web", NULL));
	load(fixture, 0, 0);
}

/* Its proper name is taken: nothing is overwritten, and both are told. */
static void test_proper_name_taken(Fixture *fixture, const void *data)
{
	put(fixture, "a.json", "{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}", -1);
	put(fixture, "web.json", "{\"name\":\"web\",\"uuid\":\"" UUID_B "\"}", -1);
	load(fixture, 2, 0);
	g_assert_cmpstr(get(fixture, 0)->definition->uuid, ==, UUID_A);
	g_assert_cmpstr(get(fixture, 1)->definition->uuid, ==, UUID_B);
	g_assert_true(exists(fixture, "a.json"));
	g_assert_true(exists(fixture, "web.json"));
}

/* ---- the bound ---- */

static void test_many(Fixture *fixture, const void *data)
{
	for (unsigned i = 0; i < DEFINITION_STORE_FILES_MAX + 1; i++) {
		g_autofree char *file = g_strdup_printf("d%u.json", i);
		g_autofree char *path = path_of(fixture, file);
		FILE *stream = fopen(path, "we");

		/* Not put(): that waits for the disk, each time. */
		g_assert_nonnull(stream);
		g_assert_cmpint(fprintf(stream, "{\"name\":\"d%u\",\"uuid\":"
					"\"aaaaaaaa-aaaa-4aaa-8aaa-%012u\"}", i, i), >, 0);
		g_assert_cmpint(fclose(stream), ==, 0);
	}
	load(fixture, DEFINITION_STORE_FILES_MAX, 1);
	g_assert_true(has_problem(fixture, ""));
}

static void test_too_long(Fixture *fixture, const void *data)
{
	g_autofree char *text = g_malloc(DEFINITION_LENGTH_MAX + 1);

	memset(text, ' ', DEFINITION_LENGTH_MAX + 1);
	memcpy(text, "{\"name\":\"a\"}", strlen("{\"name\":\"a\"}"));
	put(fixture, "a.json", text, DEFINITION_LENGTH_MAX + 1);
	load(fixture, 0, 1);
	g_assert_true(has_problem(fixture, "a.json"));
}

#define ADD(name, function)                                                                        \
	g_test_add("/domain/definition-store/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("write", test_write);
	ADD("rewrite", test_rewrite);
	ADD("rename", test_rename);
	ADD("remove", test_remove);
	ADD("not-writable", test_not_writable);
	ADD("load-order", test_load_order);
	ADD("load-bad", test_load_bad);
	ADD("load-no-folder", test_load_no_folder);
	ADD("load-same-uuid", test_load_same_uuid);
	ADD("made-up-uuid", test_made_up_uuid);
	ADD("made-up-mac", test_made_up_mac);
	ADD("not-rewritten", test_not_rewritten);
	ADD("other-file-name", test_other_file_name);
	ADD("proper-name-taken", test_proper_name_taken);
	ADD("many", test_many);
	ADD("too-long", test_too_long);
	return g_test_run();
}
