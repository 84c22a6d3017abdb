/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition.h"

#include <string.h>

#include "base/error.h"

/* The keys about what QEMU is started with: memory-backend, firmware, consoles, sandbox. */

static Definition *parse(const char *members)
{
	g_autofree char *text = g_strdup_printf("{\"name\": \"a\", %s}", members);
	g_autoptr(GError) error = NULL;
	Definition *definition = definition_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	g_assert_nonnull(definition);
	return definition;
}

/* Written and read again it is the same; so is a copy. */
static Definition *parse_twice(const char *members)
{
	g_autoptr(Definition) first = parse(members);
	g_autoptr(Definition) copy = definition_with_autostart(first, false);
	g_autofree char *written = definition_to_json(first), *of_copy = definition_to_json(copy);
	Definition *second = definition_parse(written, strlen(written), NULL);
	g_autofree char *rewritten = NULL;

	g_assert_nonnull(second);
	rewritten = definition_to_json(second);
	g_assert_cmpstr(written, ==, rewritten);
	g_assert_cmpstr(written, ==, of_copy);
	return second;
}

static void test_memory_backend(void)
{
	g_autoptr(Definition) none = parse("\"memory\": \"1G\"");
	g_autoptr(Definition) definition = parse_twice(
		"\"memory-backend\": {\"qom-type\": \"memory-backend-memfd\", \"share\": true, "
		"\"hugetlb\": true, \"host-nodes\": [0, 1]}");
	g_autofree char *line = definition_entry_to_json(definition->memory_backend);

	g_assert_null(none->memory_backend);
	g_assert_cmpstr(line, ==, "{\"qom-type\":\"memory-backend-memfd\",\"share\":true,\"hugetlb\":true,"
				  "\"host-nodes\":[0,1]}");
}

static void test_firmware(void)
{
	g_autoptr(Definition) none = parse("\"memory\": \"1G\"");
	g_autoptr(Definition) name = parse_twice("\"firmware\": \"bios-256k.bin\"");
	g_autoptr(Definition) path = parse_twice("\"firmware\": \"/a/b,c.bin\"");
	g_autoptr(Definition) code = parse_twice("\"firmware\": {\"code\": \"/a/code\"}");
	g_autoptr(Definition) all = parse_twice(
		"\"firmware\": {\"vars-template\": \"/a/t\", \"vars\": \"/a/v\", \"code\": \"/a/c\"}");

	g_assert_null(none->firmware.image);
	g_assert_null(none->firmware.code);
	g_assert_cmpstr(name->firmware.image, ==, "bios-256k.bin");
	g_assert_cmpstr(path->firmware.image, ==, "/a/b,c.bin");
	g_assert_cmpstr(code->firmware.code, ==, "/a/code");
	g_assert_null(code->firmware.vars);
	g_assert_null(code->firmware.vars_template);
	g_assert_null(all->firmware.image);
	g_assert_cmpstr(all->firmware.code, ==, "/a/c");
	g_assert_cmpstr(all->firmware.vars, ==, "/a/v");
	g_assert_cmpstr(all->firmware.vars_template, ==, "/a/t");
}

static void test_consoles(void)
{
	g_autoptr(Definition) definition = parse_twice(
		"\"consoles\": [{\"id\": \"a\"}, {\"type\": \"virtio\", \"id\": \"b.1-c_d\"}], "
		/* Of a serial port the id names no device. */
		"\"devices\": [{\"driver\": \"x\", \"id\": \"a\"}]");
	const DefinitionConsole *console;

	g_assert_cmpuint(definition->consoles->len, ==, 2);
	console = g_ptr_array_index(definition->consoles, 0);
	g_assert_cmpstr(console->id, ==, "a");
	g_assert_cmpstr(console->type, ==, "serial");
	console = g_ptr_array_index(definition->consoles, 1);
	g_assert_cmpstr(console->id, ==, "b.1-c_d");
	g_assert_cmpstr(console->type, ==, "virtio");
}

static void check_sandbox(const char *value, const char *expected, const char *written_as)
{
	g_autofree char *members = g_strdup_printf("\"sandbox\": %s", value);
	g_autoptr(Definition) definition = parse_twice(members);
	g_autofree char *written = definition_to_json(definition);
	g_autofree char *line = g_strdup_printf("\"sandbox\": %s", written_as ? written_as : "");

	g_assert_cmpstr(definition->sandbox, ==, expected);
	g_assert_true((strstr(written, line) != NULL) == (written_as != NULL));
}

static void test_sandbox(void)
{
	check_sandbox("true", NULL, NULL);
	check_sandbox("false", "off", "false");
	check_sandbox("\"off\"", "off", "false");
	check_sandbox("\"on\"", "on", "\"on\"");
	check_sandbox("\"on,spawn=allow,obsolete=deny\"", "on,spawn=allow,obsolete=deny",
		      "\"on,spawn=allow,obsolete=deny\"");
}

#define SANDBOX_RULE "must be as QEMU's option -sandbox takes it, such as \"on,spawn=deny\", not "

static const struct {
	const char *members, *path, *message;
} rows[] = {
	{ "\"memory-backend\": \"memfd\"", "memory-backend", "must be an object, not a string" },
	{ "\"memory-backend\": {}", "memory-backend.qom-type", "is required" },
	{ "\"memory-backend\": {\"qom-type\": 1}", "memory-backend.qom-type",
	  "must be a string, not a number" },
	{ "\"memory-backend\": {\"qom-type\": \"iothread\"}", "memory-backend.qom-type",
	  "must be a memory backend such as \"memory-backend-memfd\", not \"iothread\"" },
	{ "\"memory-backend\": {\"qom-type\": \"memory-backend-ram\", \"id\": \"x\"}", "memory-backend.id",
	  "is not allowed here: the service gives it one" },
	{ "\"memory-backend\": {\"qom-type\": \"memory-backend-ram\", \"size\": 1}", "memory-backend.size",
	  "is not allowed here: use the key \"memory\"" },
	{ "\"memory-backend\": {\"qom-type\": \"memory-backend-ram\"}, "
	  "\"machine\": {\"type\": \"pc\", \"memory-backend\": \"m\"}", "memory-backend",
	  "is given twice: the machine has the option \"memory-backend\"" },

	{ "\"firmware\": 1", "firmware", "must be a string or an object" },
	{ "\"firmware\": []", "firmware", "must be a string or an object" },
	{ "\"firmware\": \"\"", "firmware", "must not be empty" },
	{ "\"firmware\": \"./bios\"", "firmware",
	  "must be an absolute path, or a name without slashes that QEMU looks up in its own folders" },
	{ "\"firmware\": \"a\\nb\"", "firmware", "must not contain control characters" },
	{ "\"firmware\": {}", "firmware.code", "is required" },
	{ "\"firmware\": {\"vars\": \"/v\"}", "firmware.code", "is required" },
	{ "\"firmware\": {\"code\": \"c\"}", "firmware.code", "must be the absolute path of a file" },
	{ "\"firmware\": {\"code\": \"/c\", \"vars\": \"v\"}", "firmware.vars",
	  "must be the absolute path of a file" },
	{ "\"firmware\": {\"code\": \"/c\", \"vars-template\": 1}", "firmware.vars-template",
	  "must be a string, not a number" },
	{ "\"firmware\": {\"code\": \"/c\", \"var\": \"/v\"}", "firmware.var",
	  "is not a known key; did you mean \"vars\"?" },
	{ "\"firmware\": {\"code\": \"/c\"}, \"machine\": {\"type\": \"q35\", \"pflash0\": \"x\"}", "firmware",
	  "is given twice: the machine has the option \"pflash0\"" },
	{ "\"firmware\": {\"code\": \"/c\", \"vars\": \"/v\"}, "
	  "\"machine\": {\"type\": \"q35\", \"pflash1\": \"x\"}", "firmware",
	  "is given twice: the machine has the option \"pflash1\"" },
	{ "\"firmware\": \"b\", \"arguments\": [\"--bios\", \"x\"]", "firmware",
	  "is given twice: the arguments have -bios" },

	{ "\"consoles\": {}", "consoles", "must be a list, not an object" },
	{ "\"consoles\": [1]", "consoles[0]", "must be an object, not a number" },
	{ "\"consoles\": [{}]", "consoles[0].id", "is required" },
	{ "\"consoles\": [{\"id\": \"../x\"}]", "consoles[0].id",
	  "must be a letter and then letters, digits or any of - . _, at most 128 bytes; not \"../x\"" },
	{ "\"consoles\": [{\"id\": \"a\", \"type\": \"usb\"}]", "consoles[0].type",
	  "must be \"serial\" or \"virtio\", not \"usb\"" },
	{ "\"consoles\": [{\"id\": \"a\", \"log\": true}]", "consoles[0].log",
	  "is not a known key; known are id, type" },
	{ "\"consoles\": [{\"id\": \"a\"}, {\"id\": \"a\", \"type\": \"virtio\"}]", "consoles[1].id", "*" },
	{ "\"consoles\": [{\"id\": \"a\", \"type\": \"virtio\"}], \"devices\": "
	  "[{\"driver\": \"x\", \"id\": \"a\"}]", "devices[0].id", "*" },
	{ "\"consoles\": [{\"id\": \"a\", \"type\": \"virtio\"}], \"devices\": "
	  "[{\"driver\": \"x\", \"id\": \"vmherald-consoles\"}]", "consoles",
	  "need the id \"vmherald-consoles\" for a device of their own" },

	{ "\"sandbox\": 1", "sandbox", "must be true, false or a string" },
	{ "\"sandbox\": null", "sandbox", "must be true, false or a string" },
	{ "\"sandbox\": \"\"", "sandbox", SANDBOX_RULE "\"\"" },
	{ "\"sandbox\": \"only\"", "sandbox", SANDBOX_RULE "\"only\"" },
	{ "\"sandbox\": \"on,a b\"", "sandbox", SANDBOX_RULE "\"on,a b\"" },
	{ "\"sandbox\": \"on\", \"arguments\": [\"-sandbox\", \"off\"]", "sandbox",
	  "is given twice: the arguments have -sandbox" },
};

static void check_problem(const char *members, const char *path, const char *message)
{
	g_autofree char *text = g_strdup_printf("{\"name\": \"a\", %s}", members);
	g_autoptr(GPtrArray) problems = definition_validate(text, strlen(text));
	g_autoptr(GError) error = NULL;
	const DefinitionProblem *problem;

	g_test_message("%.100s", members);
	g_assert_null(definition_parse(text, strlen(text), &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION);
	g_assert_cmpuint(problems->len, ==, 1);
	problem = g_ptr_array_index(problems, 0);
	g_assert_cmpstr(problem->path, ==, path);
	if (strcmp(message, "*") != 0)
		g_assert_cmpstr(problem->message, ==, message);
}

static void test_problems(void)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(rows); i++)
		check_problem(rows[i].members, rows[i].path, rows[i].message);
}

static void test_bounds(void)
{
	g_autoptr(GString) consoles = g_string_new(NULL);
	g_autofree char *long_word = g_strnfill(DEFINITION_WORD_MAX, 'x');
	g_autofree char *backend = g_strdup_printf(
		"\"memory-backend\": {\"qom-type\": \"memory-backend-file\", \"mem-path\": \"/%s\"}", long_word);
	g_autofree char *sandbox = g_strdup_printf("\"sandbox\": \"on,%s\"", long_word);
	g_autoptr(Definition) most = NULL;
	g_autofree char *members = NULL, *more = NULL;
	unsigned i;

	for (i = 0; i < DEFINITION_CONSOLES_MAX; i++)
		g_string_append_printf(consoles, "%s{\"id\": \"c%u\"}", i > 0 ? ", " : "", i);
	members = g_strdup_printf("\"consoles\": [%s]", consoles->str);
	most = parse(members);
	g_assert_cmpuint(most->consoles->len, ==, DEFINITION_CONSOLES_MAX);
	more = g_strdup_printf("\"consoles\": [%s, {\"id\": \"more\"}]", consoles->str);
	check_problem(more, "consoles", "has 17 entries, at most 16 are allowed");
	check_problem(backend, "memory-backend", "*");
	check_problem(sandbox, "sandbox", "*");
}

static void test_has_argument(void)
{
	g_autoptr(Definition) definition = parse(
		"\"arguments\": [\"-one\", \"two\", \"--three\", \"---four\", \"\", \"-\", \"-fiver\"]");

	g_assert_true(definition_has_argument(definition, "one"));
	g_assert_false(definition_has_argument(definition, "two"));
	g_assert_true(definition_has_argument(definition, "three"));
	g_assert_false(definition_has_argument(definition, "four"));
	g_assert_false(definition_has_argument(definition, "five"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/definition-start/memory-backend", test_memory_backend);
	g_test_add_func("/model/definition-start/firmware", test_firmware);
	g_test_add_func("/model/definition-start/consoles", test_consoles);
	g_test_add_func("/model/definition-start/sandbox", test_sandbox);
	g_test_add_func("/model/definition-start/problems", test_problems);
	g_test_add_func("/model/definition-start/bounds", test_bounds);
	g_test_add_func("/model/definition-start/has-argument", test_has_argument);
	return g_test_run();
}
