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
	DefinitionStore *store;
	StoredDefinitions *stored;
} Fixture;

static void set_up(Fixture *fixture, const void *data)
{
	fixture->folder = g_dir_make_tmp("definition-store-XXXXXX", NULL);
	g_assert_nonnull(fixture->folder);
	fixture->store = definition_store_new(fixture->folder);
	g_assert_cmpstr(definition_store_get_directory(fixture->store), ==, fixture->folder);
}

static void tear_down(Fixture *fixture, const void *data)
{
	fixture->stored = stored_definitions_free(fixture->stored);
	fixture->store = definition_store_free(fixture->store);
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

	g_assert_true(definition_store_write(fixture->store, definition, old_name, &error));
	g_assert_no_error(error);
}

/* Another service: it knows nothing of what this one has read and written. */
static void begin_anew(Fixture *fixture)
{
	fixture->store = definition_store_free(fixture->store);
	fixture->store = definition_store_new(fixture->folder);
}

static void load(Fixture *fixture, unsigned n_loaded, unsigned n_problems)
{
	fixture->stored = stored_definitions_free(fixture->stored);
	fixture->stored = definition_store_load(fixture->store);
	for (unsigned i = 0; i < fixture->stored->problems->len; i++) {
		g_autofree char *text =
			stored_problem_to_string(g_ptr_array_index(fixture->stored->problems, i));

		g_test_message("%s", text);
	}
	g_assert_cmpuint(fixture->stored->definitions->len, ==, n_loaded);
	g_assert_cmpuint(fixture->stored->problems->len, ==, n_problems);
}

static StoredDefinition *get(const Fixture *fixture, unsigned i)
{
	g_assert_cmpuint(i, <, fixture->stored->definitions->len);
	return g_ptr_array_index(fixture->stored->definitions, i);
}

/* All that was loaded is in force. */
static void settle(Fixture *fixture)
{
	definition_store_settle(fixture->store, fixture->stored->definitions);
}

static bool has_problem(const Fixture *fixture, const char *file)
{
	g_autofree char *path = path_of(fixture, file);

	for (unsigned i = 0; i < fixture->stored->problems->len; i++) {
		const StoredProblem *problem = g_ptr_array_index(fixture->stored->problems, i);

		if (g_str_has_prefix(problem->file, path))
			return true;
	}
	return false;
}

static void assert_refused(Fixture *fixture, const char *text, const char *old_name,
			   const char *file)
{
	g_autoptr(Definition) definition = make(text);
	g_autoptr(GError) error = NULL;

	g_assert_false(definition_store_write(fixture->store, definition, old_name, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS);
	g_assert_nonnull(strstr(error->message, file));
}

static void assert_text(const Fixture *fixture, const char *file, const char *expected)
{
	g_autofree char *path = path_of(fixture, file);
	g_autofree char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, expected);
}

/* names: with spaces between them. */
static void assert_changed(Fixture *fixture, const char *names)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) changed = definition_store_find_changed(fixture->store, &error);
	g_autofree char *joined = NULL;

	g_assert_no_error(error);
	g_ptr_array_add(changed, NULL);
	joined = g_strjoinv(" ", (char **)changed->pdata);
	g_assert_cmpstr(joined, ==, names);
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

/* Killed between the rename and the write: the file has its new name, and says the old one. */
static void test_rename_cut_off(Fixture *fixture, const void *data)
{
	put(fixture, "new.json", "{\"name\":\"old\",\"uuid\":\"" UUID_A "\",\"cpus\":2}", -1);
	load(fixture, 1, 0);
	g_assert_cmpstr(get(fixture, 0)->definition->name, ==, "old");
	settle(fixture);
	g_assert_true(exists(fixture, "old.json"));
	g_assert_false(exists(fixture, "new.json"));
}

/* Nothing is written over that nobody has read. */
static void test_foreign(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) mine = make("{\"name\":\"mine\",\"uuid\":\"" UUID_A "\"}");

	write_definition(fixture, mine, NULL);
	put(fixture, "web.json", "by hand", -1);
	assert_refused(fixture, "{\"name\":\"web\",\"uuid\":\"" UUID_B "\"}", NULL, "web.json");
	assert_refused(fixture, "{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}", "mine", "web.json");
	assert_text(fixture, "web.json", "by hand");
	g_assert_true(exists(fixture, "mine.json"));
	/* Nor what was read and is bad, */
	load(fixture, 1, 1);
	settle(fixture);
	assert_refused(fixture, "{\"name\":\"web\",\"uuid\":\"" UUID_B "\"}", NULL, "web.json");
	/* nor what is good and was not taken in. */
	put(fixture, "web.json", "{\"name\":\"web\",\"uuid\":\"" UUID_B "\"}", -1);
	load(fixture, 2, 0);
	assert_refused(fixture, "{\"name\":\"web\",\"uuid\":\"" UUID_B "\"}", NULL, "web.json");
	settle(fixture);
	write_definition(fixture, mine, "mine");
}

static void test_remove(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = make("{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}");
	g_autoptr(GError) error = NULL;

	write_definition(fixture, definition, NULL);
	g_assert_true(definition_store_remove(fixture->store, "web", &error));
	g_assert_no_error(error);
	load(fixture, 0, 0);
	/* What is not there is removed. */
	g_assert_true(definition_store_remove(fixture->store, "web", &error));
	g_assert_no_error(error);
}

static void test_not_writable(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) definition = make("{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}");
	g_autofree char *missing = path_of(fixture, "missing");
	g_autoptr(DefinitionStore) store = definition_store_new(missing);
	g_autoptr(GError) error = NULL;

	g_assert_false(definition_store_write(store, definition, NULL, &error));
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
	g_autoptr(DefinitionStore) store = definition_store_new(missing);
	g_autoptr(StoredDefinitions) stored = definition_store_load(store);
	const StoredProblem *problem;

	g_assert_cmpuint(stored->definitions->len, ==, 0);
	g_assert_cmpuint(stored->problems->len, ==, 1);
	problem = g_ptr_array_index(stored->problems, 0);
	g_assert_cmpstr(problem->file, ==, missing);
	/* Nobody is without a file because of that. */
	g_assert_false(stored->complete);
}

/* What cannot be read may be anybody's whose name or uuid it has. */
static void test_load_doubt(Fixture *fixture, const void *data)
{
	static const char upper[] = "{\"uuid\": \"BBBBBBBB-bbbb-4bbb-8bbb-bbbbbbbbbbbb\", \"x\": 1";
	g_autoptr(GString) many = g_string_new("[");

	put(fixture, "good.json", "{\"name\":\"good\",\"uuid\":\"" UUID_A "\"}", -1);
	put(fixture, "bad.json", upper, -1);
	load(fixture, 1, 1);
	g_assert_true(fixture->stored->complete);
	g_assert_cmpuint(g_hash_table_size(fixture->stored->doubtful), ==, 2);
	g_assert_true(g_hash_table_contains(fixture->stored->doubtful, "bad"));
	g_assert_true(g_hash_table_contains(fixture->stored->doubtful, UUID_B));
	/* So many that it may be anybody's at all. */
	for (unsigned i = 0; i < 17; i++)
		g_string_append_printf(many, "\"aaaaaaaa-aaaa-4aaa-8aaa-%012u\",", i);
	put(fixture, "bad.json", many->str, -1);
	load(fixture, 1, 1);
	g_assert_false(fixture->stored->complete);
}

/* Every problem of a file, at its place. */
static void test_load_places(Fixture *fixture, const void *data)
{
	static const char *const expected[] = {
		"a.json:3:3: cpus: ", "a.json:4:3: colour: ", "a.json:5:18: interfaces[0].mac: ",
		"b.json:2:10: is not valid JSON: ", "c.json:1:1: name: is required",
	};

	put(fixture, "a.json", "{\n  \"name\": \"a\",\n  \"cpus\": 0,\n  \"colour\": 1,\n"
	    "  \"interfaces\":[{\"mac\": \"x\"}]\n}\n", -1);
	put(fixture, "b.json", "{\"name\": \"b\",\n \"cpus\": two}", -1);
	put(fixture, "c.json", "{}", -1);
	load(fixture, 0, G_N_ELEMENTS(expected));
	for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++) {
		g_autofree char *text =
			stored_problem_to_string(g_ptr_array_index(fixture->stored->problems, i));
		g_autofree char *prefix = path_of(fixture, expected[i]);

		if (!g_str_has_prefix(text, prefix))
			g_error("%s does not begin with %s", text, prefix);
	}
}

/* A name of a file may be any bytes, and what is told of it goes to a bus. */
static void test_load_not_utf8(Fixture *fixture, const void *data)
{
	const StoredProblem *problem;

	put(fixture, "\xff.json", "{", -1);
	load(fixture, 0, 1);
	problem = g_ptr_array_index(fixture->stored->problems, 0);
	g_assert_true(g_utf8_validate(problem->file, -1, NULL));
	put(fixture, "\xfe.json", "{", -1);
	assert_changed(fixture, "\xef\xbf\xbd.json");
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
	/* Not before it is known that it may have the name. */
	g_assert_true(exists(fixture, "01-by-hand.json"));
	settle(fixture);
	g_assert_false(exists(fixture, "01-by-hand.json"));
	assert_changed(fixture, "");
	write_definition(fixture, changed, "web");
	load(fixture, 1, 0);
	g_assert_cmpuint(get(fixture, 0)->definition->cpus, ==, 7);
	g_assert_true(definition_store_remove(fixture->store, "web", NULL));
	load(fixture, 0, 0);
}

/* Its proper name is taken: nothing is overwritten. */
static void test_proper_name_taken(Fixture *fixture, const void *data)
{
	put(fixture, "a.json", "{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}", -1);
	put(fixture, "web.json", "not readable", -1);
	load(fixture, 1, 1);
	settle(fixture);
	g_assert_cmpstr(get(fixture, 0)->file, ==, "a.json");
	assert_text(fixture, "web.json", "not readable");
	assert_refused(fixture, "{\"name\":\"web\",\"uuid\":\"" UUID_A "\"}", "web", "web.json");
}

/* Three files that each have the next one's name; at no time is one missing. */
static void test_exchanged_names(Fixture *fixture, const void *data)
{
	static const char *const uuids[] = {
		UUID_A, UUID_B, "cccccccc-cccc-4ccc-8ccc-cccccccccccc",
	};
	g_autoptr(Definition) changed = make("{\"name\":\"b\",\"uuid\":\"" UUID_A "\",\"cpus\":7}");

	for (unsigned i = 0; i < G_N_ELEMENTS(uuids); i++) {
		g_autofree char *file = g_strdup_printf("%c.json", (int)('a' + i));
		g_autofree char *text = g_strdup_printf("{\"name\":\"%c\",\"uuid\":\"%s\"}",
							(int)('a' + (i + 1) % 3), uuids[i]);

		put(fixture, file, text, -1);
	}
	load(fixture, 3, 0);
	settle(fixture);
	assert_changed(fixture, "");
	for (unsigned i = 0; i < G_N_ELEMENTS(uuids); i++) {
		g_autofree char *file = g_strdup_printf("%c.json", (int)('a' + (i + 1) % 3));

		g_assert_cmpstr(get(fixture, i)->file, ==, file);
		g_assert_cmpstr(get(fixture, i)->definition->uuid, ==, uuids[i]);
	}
	/* The next write goes to the right one. */
	write_definition(fixture, changed, "b");
	begin_anew(fixture);
	load(fixture, 3, 0);
	g_assert_cmpstr(get(fixture, 1)->definition->uuid, ==, UUID_A);
	g_assert_cmpuint(get(fixture, 1)->definition->cpus, ==, 7);
	g_assert_cmpstr(get(fixture, 0)->definition->uuid, ==, uuids[2]);
	g_assert_cmpstr(get(fixture, 2)->definition->uuid, ==, UUID_B);
}

/* ---- changed by somebody else ---- */

static void test_changed(Fixture *fixture, const void *data)
{
	g_autoptr(Definition) mine = make("{\"name\":\"mine\",\"uuid\":\"" UUID_A "\"}");
	g_autoptr(Definition) renamed = make("{\"name\":\"other\",\"uuid\":\"" UUID_A "\"}");
	static const char text[] = "{\"name\":\"web\",\"uuid\":\"" UUID_B "\"}";
	g_autofree char *path = path_of(fixture, "web.json");

	/* Our own writes do not count, nor those at a load. */
	put(fixture, "web.json", text, -1);
	put(fixture, "new.json", "{\"name\":\"new\"}", -1);
	load(fixture, 2, 0);
	settle(fixture);
	assert_changed(fixture, "");
	write_definition(fixture, mine, NULL);
	write_definition(fixture, mine, "mine");
	assert_changed(fixture, "");
	write_definition(fixture, renamed, "mine");
	g_assert_true(definition_store_remove(fixture->store, "new", NULL));
	assert_changed(fixture, "");
	/* The same text, by another hand and in another file, is no change. */
	put(fixture, "web.json", text, -1);
	assert_changed(fixture, "");
	g_assert_cmpint(g_chmod(path, 0640), ==, 0);
	assert_changed(fixture, "");

	put(fixture, "web.json", "{\"name\":\"web\",\"uuid\":\"" UUID_B "\",\"cpus\":2}", -1);
	assert_changed(fixture, "web.json");
	put(fixture, "brand-new.json", "{", -1);
	put(fixture, "notes.txt", "", -1);
	put(fixture, ".other.json.swp", "", -1);
	assert_changed(fixture, "brand-new.json web.json");
	/* And back. */
	put(fixture, "web.json", text, -1);
	assert_changed(fixture, "brand-new.json");
	g_assert_cmpint(g_unlink(path), ==, 0);
	assert_changed(fixture, "brand-new.json web.json");
	/* What has been read is known, good or bad. */
	load(fixture, 1, 1);
	assert_changed(fixture, "");
	put(fixture, "brand-new.json", "{ ", -1);
	assert_changed(fixture, "brand-new.json");
}

static void test_changed_no_folder(Fixture *fixture, const void *data)
{
	put(fixture, "web.json", "{\"name\":\"web\",\"uuid\":\"" UUID_B "\"}", -1);
	load(fixture, 1, 0);
	g_assert_true(directories_remove(fixture->folder, NULL));
	assert_changed(fixture, "web.json");
	g_assert_cmpint(g_mkdir(fixture->folder, 0700), ==, 0);
	assert_changed(fixture, "web.json");
	put(fixture, "web.json", "{\"name\":\"web\",\"uuid\":\"" UUID_B "\"}", -1);
	assert_changed(fixture, "");
}

/* ---- the bound ---- */

static void assert_n_changed(Fixture *fixture, unsigned expected)
{
	g_autoptr(GPtrArray) changed = definition_store_find_changed(fixture->store, NULL);

	g_assert_nonnull(changed);
	g_assert_cmpuint(changed->len, ==, expected);
}

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
	assert_n_changed(fixture, DEFINITION_STORE_CHANGED_MAX);
	load(fixture, DEFINITION_STORE_FILES_MAX, 1);
	g_assert_true(has_problem(fixture, ""));
	/* Of the one that was not read nobody knows. */
	g_assert_false(fixture->stored->complete);
}

/* One file does not hide the others. */
static void test_many_problems_of_file(Fixture *fixture, const void *data)
{
	g_autoptr(GString) text = g_string_new("{");
	const StoredProblem *last;

	for (unsigned i = 0; i < 100; i++)
		g_string_append_printf(text, "\"key%u\": 1,", i);
	g_string_append(text, "\"name\": \"a\"}");
	put(fixture, "a.json", text->str, -1);
	load(fixture, 0, STORED_PROBLEMS_OF_FILE_MAX + 1);
	last = g_ptr_array_index(fixture->stored->problems, STORED_PROBLEMS_OF_FILE_MAX);
	g_assert_cmpstr(last->message, ==, "has more problems");
}

static void test_many_problems(Fixture *fixture, const void *data)
{
	const StoredProblem *last;

	for (unsigned i = 0; i < STORED_PROBLEMS_MAX + 7; i++) {
		g_autofree char *file = g_strdup_printf("d%u.json", i);

		put(fixture, file, "", -1);
	}
	load(fixture, 0, STORED_PROBLEMS_MAX);
	stored_definitions_end_problems(fixture->stored);
	g_assert_cmpuint(fixture->stored->problems->len, ==, STORED_PROBLEMS_MAX + 1);
	last = g_ptr_array_index(fixture->stored->problems, STORED_PROBLEMS_MAX);
	g_assert_nonnull(strstr(last->message, "7 more problems"));
	g_assert_cmpstr(last->file, ==, fixture->folder);
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
	ADD("rename-cut-off", test_rename_cut_off);
	ADD("foreign", test_foreign);
	ADD("remove", test_remove);
	ADD("not-writable", test_not_writable);
	ADD("load-order", test_load_order);
	ADD("load-bad", test_load_bad);
	ADD("load-no-folder", test_load_no_folder);
	ADD("load-doubt", test_load_doubt);
	ADD("load-places", test_load_places);
	ADD("load-not-utf8", test_load_not_utf8);
	ADD("load-same-uuid", test_load_same_uuid);
	ADD("made-up-uuid", test_made_up_uuid);
	ADD("made-up-mac", test_made_up_mac);
	ADD("not-rewritten", test_not_rewritten);
	ADD("other-file-name", test_other_file_name);
	ADD("proper-name-taken", test_proper_name_taken);
	ADD("exchanged-names", test_exchanged_names);
	ADD("changed", test_changed);
	ADD("changed-no-folder", test_changed_no_folder);
	ADD("many", test_many);
	ADD("many-problems-of-file", test_many_problems_of_file);
	ADD("many-problems", test_many_problems);
	ADD("too-long", test_too_long);
	return g_test_run();
}
