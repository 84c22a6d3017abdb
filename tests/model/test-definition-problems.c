/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition.h"

#include <string.h>

#include "base/error.h"
#include "base/json-text.h"

/* Documents that are bad: each problem with its place and its text, and every bound. */

typedef struct Row {
	const char *members;     /* after "name", of the document */
	const char *path;
	const char *message;
} Row;

#define NAME_RULE  "must be 1 to 64 letters, digits or any of . _ + -, starting with neither . nor -; not "
#define UUID_RULE  "must be a UUID such as \"0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11\", not "
#define SIZE_RULE  "must be a whole number of bytes, or a string with a unit K, M, G or T such as \"512M\""
#define SIZE_RANGE "must be from 1 to 70368744177664 bytes"
#define CONTROL    "must not contain control characters"
#define ID_RULE    "must be a letter and then letters, digits or any of - . _, at most 128 bytes; not "
#define ACCEL_RULE "must be an accelerator such as \"kvm\" or \"tcg,thread=multi\", not "
static const Row rows[] = {
	{ "\"name\": 5", "name", "must be a string, not a number" },
	{ "\"name\": null", "name", "must be a string, not null" },
	{ "\"name\": \"\"", "name", NAME_RULE "\"\"" },
	{ "\"name\": \"a/b\"", "name", NAME_RULE "\"a/b\"" },
	{ "\"name\": \"../../etc\"", "name", NAME_RULE "\"../../etc\"" },
	{ "\"name\": \"..\"", "name", NAME_RULE "\"..\"" },
	{ "\"name\": \"-x\"", "name", NAME_RULE "\"-x\"" },
	{ "\"name\": \"a\\nb\\u001b\"", "name", NAME_RULE "\"a?b?\"" },
	{ "\"name\": \"ä\"", "name", NAME_RULE "\"ä\"" },

	{ "\"uuid\": true", "uuid", "must be a string, not true or false" },
	{ "\"uuid\": \"x\"", "uuid", UUID_RULE "\"x\"" },
	{ "\"title\": \"a\\tb\"", "title", CONTROL },
	{ "\"title\": \"a\\u0085b\"", "title", CONTROL },
	{ "\"title\": []", "title", "must be a string, not a list" },
	{ "\"emulator\": \"\"", "emulator", "must not be empty" },
	{ "\"emulator\": \"a\\nb\"", "emulator", CONTROL },
	{ "\"emulator\": \"./qemu\"", "emulator",
	  "must be an absolute path, or a name without slashes that is looked up on PATH" },

	{ "\"machine\": 1", "machine", "must be a string or an object" },
	{ "\"machine\": []", "machine", "must be a string or an object" },
	{ "\"machine\": \"\"", "machine", "must not be empty" },
	{ "\"machine\": {}", "machine.type", "is required" },
	{ "\"machine\": {\"type\": 1}", "machine.type", "must be a string, not a number" },
	{ "\"machine\": {\"type\": \"\"}", "machine.type", "must not be empty" },
	{ "\"machine\": {\"type\": \"a\", \"b\": null}", "machine.b",
	  "must be a string, a number, or true or false" },
	{ "\"machine\": {\"type\": \"a\", \"b\": [1]}", "machine.b",
	  "must be a string, a number, or true or false" },
	{ "\"machine\": {\"type\": \"a\", \"b,c=d\": 1}", "machine.b,c=d",
	  "must have a name of letters, digits, - . _ that starts with a letter" },
	{ "\"machine\": {\"type\": \"a\", \"\": 1}", "machine.",
	  "must have a name of letters, digits, - . _ that starts with a letter" },
	{ "\"machine\": {\"type\": \"a\", \"accel\": \"kvm\"}", "machine.accel",
	  "is not an option here: use the key \"accel\" of the document" },

	{ "\"accel\": []", "accel", "must not be an empty list" },
	{ "\"accel\": {}", "accel", "must be a string or a list of strings" },
	{ "\"accel\": \"\"", "accel", "must not be empty" },
	{ "\"accel\": \"KVM\"", "accel", ACCEL_RULE "\"KVM\"" },
	{ "\"accel\": \"tcg,\"", "accel", ACCEL_RULE "\"tcg,\"" },
	{ "\"accel\": [\"tcg\", \"kvm:tcg\"]", "accel[1]", ACCEL_RULE "\"kvm:tcg\"" },
	{ "\"accel\": [\"tcg\", 1]", "accel[1]", "must be a string, not a number" },

	{ "\"cpu\": \"\"", "cpu", "must not be empty" },
	{ "\"cpu\": \"a\\u007f\"", "cpu", CONTROL },
	{ "\"cpus\": 0", "cpus", "must be from 1 to 1024, not 0" },
	{ "\"cpus\": -1", "cpus", "must be from 1 to 1024, not -1" },
	{ "\"cpus\": 1025", "cpus", "must be from 1 to 1024, not 1025" },
	{ "\"cpus\": 4294967297", "cpus", "must be from 1 to 1024, not 4294967297" },
	{ "\"cpus\": 1e3", "cpus", "must be a whole number" },
	{ "\"cpus\": 1.5", "cpus", "must be a whole number" },
	{ "\"cpus\": \"2\"", "cpus", "must be a whole number" },
	{ "\"cpus\": null", "cpus", "must be a whole number" },

	{ "\"memory\": 0", "memory", SIZE_RANGE },
	{ "\"memory\": -5", "memory", SIZE_RANGE },
	{ "\"memory\": 70368744177665", "memory", SIZE_RANGE },
	{ "\"memory\": \"65T\"", "memory", SIZE_RANGE },
	{ "\"memory\": \"0M\"", "memory", SIZE_RANGE },
	{ "\"memory\": \"18446744073709551615K\"", "memory", SIZE_RANGE },
	{ "\"memory\": \"99999999999999999999999T\"", "memory", SIZE_RANGE },
	{ "\"memory\": 1.5", "memory", SIZE_RULE },
	{ "\"memory\": \"1.5G\"", "memory", SIZE_RULE },
	{ "\"memory\": \"512\"", "memory", SIZE_RULE },
	{ "\"memory\": \"512m\"", "memory", SIZE_RULE },
	{ "\"memory\": \"512MB\"", "memory", SIZE_RULE },
	{ "\"memory\": \"512Mi\"", "memory", SIZE_RULE },
	{ "\"memory\": \"-1M\"", "memory", SIZE_RULE },
	{ "\"memory\": \" 1M\"", "memory", SIZE_RULE },
	{ "\"memory\": \"M\"", "memory", SIZE_RULE },
	{ "\"memory\": \"\"", "memory", SIZE_RULE },
	{ "\"memory\": {}", "memory", SIZE_RULE },

	{ "\"interfaces\": {}", "interfaces", "must be a list, not an object" },
	{ "\"interfaces\": [{}, 5]", "interfaces[1]", "must be an object, not a number" },
	{ "\"interfaces\": [{\"id\": \"a\"}, {\"id\": \"a\"}]", "interfaces[1].id",
	  "the device \"a\" is there already, at interfaces[0].id" },
	{ "\"interfaces\": [{\"id\": \"a\"}], \"devices\": [{\"driver\": \"x\", \"id\": \"a\"}]",
	  "devices[0].id", "the device \"a\" is there already, at interfaces[0].id" },
	{ "\"interfaces\": [{\"id\": \"a\"}], \"netdevs\": [{\"type\": \"user\", \"id\": \"host-a\"}]",
	  "netdevs[0].id", "the netdev \"host-a\" is there already, at interfaces[0].id" },

	{ "\"blockdevs\": 1", "blockdevs", "must be a list, not a number" },
	{ "\"blockdevs\": [{\"driver\": \"raw\"}]", "blockdevs[0].node-name", "is required" },
	{ "\"blockdevs\": [{\"node-name\": \"a\"}]", "blockdevs[0].driver", "is required" },
	{ "\"blockdevs\": [{\"driver\": 1, \"node-name\": \"a\"}]", "blockdevs[0].driver",
	  "must be a string, not a number" },
	{ "\"blockdevs\": [{\"driver\": \"a\", \"node-name\": \"n\"}, "
	  "{\"driver\": \"a\", \"node-name\": \"n\"}]", "blockdevs[1].node-name",
	  "the node-name \"n\" is there already, at blockdevs[0].node-name" },
	{ "\"netdevs\": [{\"id\": \"a\"}]", "netdevs[0].type", "is required" },
	{ "\"netdevs\": [{\"type\": \"user\"}]", "netdevs[0].id", "is required" },
	{ "\"objects\": [{\"id\": \"a\"}]", "objects[0].qom-type", "is required" },
	{ "\"objects\": [{\"qom-type\": \"a\"}]", "objects[0].id", "is required" },
	{ "\"objects\": [{\"qom-type\": \"a\", \"id\": \"\"}]", "objects[0].id", "must not be empty" },
	{ "\"devices\": [{\"driver\": \"a\"}, {\"driver\": \"a\"}, {\"driver\": \"a\"}, \"a\"]",
	  "devices[3]", "must be an object, not a string" },
	{ "\"devices\": [{\"driver\": \"a\", \"id\": 5}]", "devices[0].id",
	  "must be a string, not a number" },
	{ "\"devices\": [{\"id\": \"a\"}]", "devices[0].driver", "is required" },

	{ "\"arguments\": \"-S\"", "arguments", "must be a list, not a string" },
	{ "\"arguments\": [\"-S\", 1]", "arguments[1]", "must be a string, not a number" },
	{ "\"arguments\": [\"-daemonize\"]", "arguments[0]", "-daemonize is not allowed here: "
	  "the process would no longer be the one that was started" },
	{ "\"arguments\": [\"x\", \"--daemonize\"]", "arguments[1]", "-daemonize is not allowed here: "
	  "the process would no longer be the one that was started" },
	{ "\"arguments\": [\"-pidfile\"]", "arguments[0]",
	  "-pidfile is not allowed here: the service has QEMU write one of its own" },
	{ "\"arguments\": [\"-uuid\"]", "arguments[0]",
	  "-uuid is not allowed here: use the key \"uuid\"" },
	{ "\"arguments\": [\"-name\"]", "arguments[0]",
	  "-name is not allowed here: use the key \"name\"" },
	{ "\"arguments\": [\"-chroot\"]", "arguments[0]",
	  "-chroot is not allowed here: QEMU would no longer find the paths it is given" },
	{ "\"arguments\": [\"-preconfig\"]", "arguments[0]",
	  "-preconfig is not allowed here: QEMU would wait for commands that are never sent" },
	{ "\"arguments\": [\"-incoming\"]", "arguments[0]", "-incoming is not allowed here: "
	  "the guest is started and restored by methods, not by the command line" },

	{ "\"autostart\": 1", "autostart", "must be true or false" },
	{ "\"autostart\": \"true\"", "autostart", "must be true or false" },
	{ "\"on-shutdown\": \"explode\"", "on-shutdown",
	  "must be one of stop, restart, preserve, pause; not \"explode\"" },
	{ "\"on-reboot\": \"pause\"", "on-reboot", "must be one of stop, restart; not \"pause\"" },
	{ "\"on-panic\": 1", "on-panic", "must be a string, not a number" },
	{ "\"on-crash\": \"preserve\"", "on-crash", "must be one of stop, restart; not \"preserve\"" },
	{ "\"on-watchdog\": \"restart\"", "on-watchdog", "must be one of reset, shutdown, poweroff, pause, "
	  "none, inject-nmi, debug; not \"restart\"" },
	{ "\"on-watchdog\": null", "on-watchdog", "must be a string, not null" },
	{ "\"panic-dump\": \"core\"", "panic-dump", "must be the absolute path of a file" },
	{ "\"panic-dump\": \"/var/crash/\"", "panic-dump", "must be the absolute path of a file" },
	{ "\"panic-dump\": \"\"", "panic-dump", "must not be empty" },
	{ "\"panic-dump\": \"/a\\nb\"", "panic-dump", "must not contain control characters" },
	{ "\"panic-dump\": true", "panic-dump", "must be a string, not true or false" },
	{ "\"resources\": []", "resources", "must be an object, not a list" },
	{ "\"resources\": {\"cpu-weight\": 0}", "resources.cpu-weight", "must be from 1 to 10000, not 0" },
	{ "\"resources\": {\"cpu-weight\": 10001}", "resources.cpu-weight",
	  "must be from 1 to 10000, not 10001" },
	{ "\"resources\": {\"memory-max\": \"0K\"}", "resources.memory-max", SIZE_RANGE },
	{ "\"resources\": {\"tasks-max\": 0}", "resources.tasks-max", "must be from 1 to 4194304, not 0" },
	{ "\"resources\": {\"tasks-max\": 4194305}", "resources.tasks-max",
	  "must be from 1 to 4194304, not 4194305" },
	{ "\"resources\": {\"io\": 1}", "resources.io",
	  "is not a known key; known are memory-max, cpu-weight, tasks-max" },

	{ "\"memmory\": 1", "memmory", "is not a known key; did you mean \"memory\"?" },
	{ "\"disks\": 1", "disks", "is not a known key; known are name, uuid, title, emulator, machine, "
	  "accel, cpu, cpus, memory, memory-backend, firmware, interfaces, consoles, blockdevs, netdevs, "
	  "objects, devices, arguments, sandbox, autostart, on-shutdown, on-reboot, on-panic, on-crash, on-watchdog, panic-dump, "
	  "resources" },
	{ "\"device\\u001bs\": 1", "device?s", "is not a known key; did you mean \"devices\"?" },
	{ "\"devices\": [{\"driver\": \"a\", \"x\": 9223372036854775808}]", "",
	  "has an integer in line 2 that does not fit into 64 bits with a sign" },
	{ "\"title\": \"\\\"1\",\n\"cpus\": 18446744073709551615", "",
	  "has an integer in line 3 that does not fit into 64 bits with a sign" },
	{ "\"cpus\": 18446744073709551616", "", "is not valid JSON: *" },
	{ "\"devices\": [{\"driver\": \"a\", \"x\": -9223372036854775809}]", "",
	  "is not valid JSON: *" },
	{ "\"cpus\": 1e999", "", "is not valid JSON: *" },
	{ "\"cpus\": 010", "", "is not valid JSON: *" },
	{ "\"cpus\": 0x10", "", "is not valid JSON: *" },
	{ "\"cpus\": }", "", "is not valid JSON: *" },
	{ "\"title\": \"\xff\"", "", "is not valid JSON: *" },
	{ "\"title\": \"\\ud800\"", "", "is not valid JSON: *" },
	{ "\"title\": \"a\\u0000b\"", "", "is not valid JSON: *" },
};

static bool message_matches(const char *message, const char *expected)
{
	size_t length = strlen(expected);

	if (g_str_has_suffix(expected, "*"))
		return strncmp(message, expected, length - 1) == 0;
	return strcmp(message, expected) == 0;
}

static void check_problem(const char *text, size_t length, const char *path, const char *message)
{
	g_autoptr(GPtrArray) problems = definition_validate(text, length);
	g_autoptr(GError) error = NULL;
	const DefinitionProblem *problem;

	g_assert_null(definition_parse(text, length, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION);
	g_assert_cmpuint(problems->len, ==, 1);
	problem = g_ptr_array_index(problems, 0);
	g_assert_cmpstr(problem->path, ==, path);
	if (!message_matches(problem->message, message))
		g_assert_cmpstr(problem->message, ==, message);
	g_assert_nonnull(strstr(error->message, problem->message));
	g_assert_true(g_utf8_validate(error->message, -1, NULL));
}

static void test_rows(void)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(rows); i++) {
		bool named = g_str_has_prefix(rows[i].members, "\"name\"");
		g_autofree char *text = g_strdup_printf("{%s\n%s}", named ? "" : "\"name\": \"a\",",
							rows[i].members);

		g_test_message("row %zu, %s", i, rows[i].path);
		check_problem(text, strlen(text), rows[i].path, rows[i].message);
	}
}

static void test_document(void)
{
	static const Row documents[] = {
		{ "", "", "is not valid JSON: *" },
		{ "   \n", "", "is not valid JSON: *" },
		{ "{", "", "is not valid JSON: *" },
		{ "{\"name\":\"a\"", "", "is not valid JSON: *" },
		{ "[]", "", "must be an object, not a list" },
		{ "null", "", "must be an object, not null" },
		{ "\"name\"", "", "must be an object, not a string" },
		{ "{}", "name", "is required" },
		{ "{\"title\": \"a\"}", "name", "is required" },
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(documents); i++)
		check_problem(documents[i].members, strlen(documents[i].members), documents[i].path,
			      documents[i].message);
	check_problem("{\"name\":\"a\"\0}", 13, "", "is not valid JSON: *");
}

/* All are collected, in the order of the document; the error tells the first and how many more. */
static void test_order(void)
{
	static const char text[] = "{\"cpus\": 0, \"interfaces\": [{\"mac\": 1, \"x\": 2}], \"memory\": 0}";
	static const char *const paths[] = {
		"cpus", "interfaces[0].mac", "interfaces[0].x", "memory", "name",
	};
	g_autoptr(GPtrArray) problems = definition_validate(text, strlen(text));
	g_autoptr(GError) error = NULL;
	size_t i;

	g_assert_cmpuint(problems->len, ==, G_N_ELEMENTS(paths));
	for (i = 0; i < G_N_ELEMENTS(paths); i++) {
		const DefinitionProblem *problem = g_ptr_array_index(problems, i);

		g_assert_cmpstr(problem->path, ==, paths[i]);
	}

	g_assert_null(definition_parse(text, strlen(text), &error));
	g_assert_cmpstr(error->message, ==,
			"cpus: must be from 1 to 1024, not 0 (and 4 more problems)");
	g_clear_error(&error);
	g_assert_null(definition_parse("{\"cpus\":0}", 10, &error));
	g_assert_cmpstr(error->message, ==,
			"cpus: must be from 1 to 1024, not 0 (and 1 more problem)");
	g_clear_error(&error);
	g_assert_null(definition_parse("[]", 2, &error));
	g_assert_cmpstr(error->message, ==, "the document must be an object, not a list");
	g_assert_null(definition_parse("[]", 2, NULL));
}

static void append_repeated(GString *text, const char *part, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		g_string_append_printf(text, "%s%s", i > 0 ? "," : "", part);
}

static void test_too_many_problems(void)
{
	unsigned n_problems[] = { DEFINITION_PROBLEMS_MAX, DEFINITION_PROBLEMS_MAX + 1, 1000 };
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(n_problems); i++) {
		g_autoptr(GString) text = g_string_new("{\"name\":\"a\",\"interfaces\":[");
		g_autoptr(GPtrArray) problems = NULL;
		g_autofree char *more = g_strdup_printf("has %u more problem%s",
							n_problems[i] - DEFINITION_PROBLEMS_MAX,
							i == 1 ? "" : "s");
		const DefinitionProblem *last;

		append_repeated(text, "5", n_problems[i]);
		g_string_append(text, "]}");
		problems = definition_validate(text->str, text->len);
		last = g_ptr_array_index(problems, problems->len - 1);
		g_assert_cmpuint(problems->len, ==, DEFINITION_PROBLEMS_MAX + (i > 0));
		g_assert_cmpstr(last->path, ==, i > 0 ? "" : "interfaces[63]");
		if (i > 0)
			g_assert_cmpstr(last->message, ==, more);
	}
}

static bool is_good(const char *text)
{
	g_autoptr(GPtrArray) problems = definition_validate(text, strlen(text));

	return problems->len == 0;
}

static void test_list_bound(void)
{
	static const struct {
		const char *key, *entry;
	} lists[] = {
		{ "accel", "\"tcg\"" }, { "interfaces", "{}" }, { "devices", "{\"driver\":\"a\"}" },
		{ "arguments", "\"a\"" },
	};
	unsigned i;

	for (i = 0; i < G_N_ELEMENTS(lists); i++) {
		g_autoptr(GString) most = g_string_new(NULL), more = g_string_new(NULL);

		g_string_append_printf(most, "{\"name\":\"a\",\"%s\":[", lists[i].key);
		g_string_append(more, most->str);
		append_repeated(most, lists[i].entry, DEFINITION_LIST_MAX);
		append_repeated(more, lists[i].entry, DEFINITION_LIST_MAX + 1);
		g_string_append(most, "]}");
		g_string_append(more, "]}");
		g_assert_true(is_good(most->str));
		check_problem(more->str, more->len, lists[i].key,
			      "has 1025 entries, at most 1024 are allowed");
	}
}

/* The longest text is good, one byte more is a problem. */
static void test_length_bounds(void)
{
	static const struct {
		const char *before, *after;
		unsigned max;
		const char *path, *message;
	} texts[] = {
		{ "{\"name\":\"a\",\"title\":\"", "\"}", DEFINITION_TITLE_MAX, "title",
		  "is 1025 bytes long, at most 1024 are allowed" },
		{ "{\"name\":\"a\",\"cpu\":\"", "\"}", DEFINITION_WORD_MAX, "cpu",
		  "is 4097 bytes long, at most 4096 are allowed" },
		{ "{\"name\":\"a\",\"emulator\":\"", "\"}", DEFINITION_WORD_MAX, "emulator",
		  "is 4097 bytes long, at most 4096 are allowed" },
		{ "{\"name\":\"", "\"}", DEFINITION_NAME_MAX, "name",
		  NAME_RULE "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"" },
		{ "{\"name\":\"a\",\"interfaces\":[{\"id\":\"", "\"}]}", DEFINITION_ID_MAX,
		  "interfaces[0].id",
		  ID_RULE "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"" },
		{ "{\"name\":\"a\",\"machine\":{\"type\":\"", "\"}}", DEFINITION_WORD_MAX - 11,
		  "machine", "is 4097 bytes long as one line of JSON, at most 4096 are allowed" },
		{ "{\"name\":\"a\",\"arguments\":[\"", "\"]}", DEFINITION_ARGUMENT_MAX,
		  "arguments[0]", "is 131072 bytes long, at most 131071 fit into an argument" },
		{ "{\"name\":\"a\",\"devices\":[{\"driver\":\"", "\"}]}", DEFINITION_ARGUMENT_MAX - 13,
		  "devices[0]",
		  "is 131072 bytes long as one line of JSON, at most 131071 fit into an argument" },
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *most = g_strnfill(texts[i].max, 'a');
		g_autofree char *good = g_strconcat(texts[i].before, most, texts[i].after, NULL);
		g_autofree char *bad = g_strconcat(texts[i].before, most, "a", texts[i].after, NULL);

		g_test_message("%s", texts[i].path);
		g_assert_true(is_good(good));
		check_problem(bad, strlen(bad), texts[i].path, texts[i].message);
	}
}

static void test_document_length(void)
{
	size_t huge = 100u * 1024 * 1024;
	g_autofree char *text = g_malloc(huge);
	g_autoptr(GPtrArray) problems = NULL;
	g_autoptr(Definition) definition = NULL;
	g_autoptr(GError) error = NULL;
	const DefinitionProblem *problem;

	memset(text, ' ', huge);
	memcpy(text, "{\"name\":\"a\"}", 12);
	definition = definition_parse(text, DEFINITION_LENGTH_MAX, &error);
	g_assert_no_error(error);
	g_assert_nonnull(definition);

	g_assert_null(definition_parse(text, DEFINITION_LENGTH_MAX + 1, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_clear_error(&error);
	g_assert_null(definition_parse(text, huge, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_assert_cmpstr(error->message, ==,
			"the definition is 104857600 bytes long, at most 4194304 are allowed");
	problems = definition_validate(text, huge);
	g_assert_cmpuint(problems->len, ==, 1);
	problem = g_ptr_array_index(problems, 0);
	g_assert_cmpstr(problem->path, ==, "");
	g_assert_cmpstr(problem->message, ==, "is 104857600 bytes long, at most 4194304 are allowed");
}

/* What could be read, but not once more after it is written, is refused at once. */
static void test_written_length(void)
{
	g_autoptr(GString) text = g_string_new("{\"name\":\"a\",\"devices\":[");
	unsigned i;

	/* 1e9 is written as 1000000000.0 */
	for (i = 0; i < 80; i++) {
		g_string_append(text, i > 0 ? ",{\"driver\":\"a\",\"x\":[" : "{\"driver\":\"a\",\"x\":[");
		append_repeated(text, "1e9", 9000);
		g_string_append(text, "]}");
	}
	g_string_append(text, "]}");
	g_assert_cmpuint(text->len, <, DEFINITION_LENGTH_MAX);
	check_problem(text->str, text->len, "", "could not be read again once it is written out: *");
}

static char *make_values(unsigned n_values)
{
	GString *text = g_string_new("{\"name\":\"a\",\"devices\":[");
	unsigned n = 5, n_numbers;

	/* Five are there without an entry, and five more in each entry without its numbers. */
	for (; n < n_values; n += 5 + n_numbers) {
		n_numbers = MIN(n_values - n - 5, 60000);
		g_string_append(text, n > 5 ? ",{\"driver\":\"a\",\"x\":[" : "{\"driver\":\"a\",\"x\":[");
		append_repeated(text, "1", n_numbers);
		g_string_append(text, "]}");
	}
	g_string_append(text, "]}");
	return g_string_free(text, FALSE);
}

static void test_written_values(void)
{
	/* The key "uuid" and its value are added. */
	g_autofree char *most = make_values(JSON_TEXT_VALUES_MAX - 2);
	g_autofree char *more = make_values(JSON_TEXT_VALUES_MAX - 1);
	g_autofree char *too_many = make_values(JSON_TEXT_VALUES_MAX + 1);

	g_assert_true(is_good(most));
	check_problem(more, strlen(more), "", "could not be read again once it is written out: *");
	check_problem(too_many, strlen(too_many), "", "is not valid JSON: *");
}

static char *nested(unsigned depth)
{
	GString *text = g_string_new("{\"name\":\"a\",\"devices\":[{\"driver\":\"a\",\"x\":");
	unsigned i;

	/* Three levels are there already. */
	for (i = 3; i < depth; i++)
		g_string_append_c(text, '[');
	for (i = 3; i < depth; i++)
		g_string_append_c(text, ']');
	g_string_append(text, "}]}");
	return g_string_free(text, FALSE);
}

static void test_nesting(void)
{
	g_autofree char *most = nested(DEFINITION_NESTING_MAX);
	g_autofree char *more = nested(DEFINITION_NESTING_MAX + 1);
	g_autofree char *far_more = nested(100000);
	g_autofree char *open = g_strnfill(100000, '[');

	g_assert_true(is_good(most));
	check_problem(more, strlen(more), "", "is not valid JSON: *");
	check_problem(far_more, strlen(far_more), "", "is not valid JSON: *");
	check_problem(open, strlen(open), "", "is not valid JSON: *");
}

/* A path repeats what the client wrote: bounded, and fit for the bus and for a terminal. */
static void test_hostile_keys(void)
{
	g_autofree char *key = g_strnfill(100000, 'k');
	g_autofree char *text = g_strdup_printf("{\"name\":\"a\",\"%s\":1}", key);
	g_autoptr(GPtrArray) problems = definition_validate(text, strlen(text));
	const DefinitionProblem *problem = g_ptr_array_index(problems, 0);

	g_assert_cmpuint(problems->len, ==, 1);
	g_assert_cmpuint(strlen(problem->path), <, 100);
	g_assert_true(g_str_has_suffix(problem->path, "kkk..."));
}

/* Where in the text each problem is: at the key of a member, at the value of an element. */
static void test_places(void)
{
	static const struct {
		const char *text, *path;
		unsigned line, column;
	} texts[] = {
		{ "{\"name\": 1}", "name", 1, 2 },
		{ "{\n\t\"name\":\n1}", "name", 2, 2 },
		{ "\r\n {\"name\": \"a\", \"accel\": [\"tcg\",\n  2]}", "accel[1]", 3, 3 },
		{ "{\"name\": \"a\",\n\"machine\": {\"type\": \"b\",\n \"c\": null}}", "machine.c", 3, 2 },
		/* What is missing is missing in what is around it. */
		{ "\n{}", "name", 2, 1 },
		{ "{\"name\": \"a\",\n \"machine\": {}}", "machine.type", 2, 2 },
		{ "{\"name\": \"a\",\n \"devices\": [{},\n  {\"id\": \"x\"}]}", "devices[0].driver", 2, 14 },
		/* Of a key that comes twice the last counts, however it is written. */
		{ "{\"cpus\": 1, \"name\": \"a\",\n \"c\\u0070us\": 0}", "cpus", 2, 2 },
		/* Brackets and escapes within strings are none. */
		{ "{\"name\": \"a\", \"title\": \"}]{[\\\"\\\\\",\n \"cpus\": 0}", "cpus", 2, 2 },
		{ "{\"name\": \"a\",\n \"a.b[0]\": 1}", "a.b[0]", 2, 2 },
		{ "[]", "", 1, 1 },
		{ "\n7", "", 2, 1 },
		{ "", "", 1, 1 },
		{ "{\"name\":\n  tru}", "", 2, 3 },
		{ "{\"name\": \"a\",\n\"x\": 18446744073709551615}", "", 2, 6 },
		{ "{\n\"name\": \"a\"", "", 2, 12 },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GPtrArray) problems =
			definition_validate(texts[i].text, strlen(texts[i].text));
		const DefinitionProblem *problem;

		g_assert_cmpuint(problems->len, >, 0);
		problem = g_ptr_array_index(problems, 0);
		g_test_message("%s: %s", texts[i].text, problem->message);
		g_assert_cmpstr(problem->path, ==, texts[i].path);
		g_assert_cmpuint(problem->place.line, ==, texts[i].line);
		g_assert_cmpuint(problem->place.column, ==, texts[i].column);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/definition/problems/rows", test_rows);
	g_test_add_func("/definition/problems/document", test_document);
	g_test_add_func("/definition/problems/order", test_order);
	g_test_add_func("/definition/problems/too-many", test_too_many_problems);
	g_test_add_func("/definition/problems/list-bound", test_list_bound);
	g_test_add_func("/definition/problems/length-bounds", test_length_bounds);
	g_test_add_func("/definition/problems/document-length", test_document_length);
	g_test_add_func("/definition/problems/written-length", test_written_length);
	g_test_add_func("/definition/problems/written-values", test_written_values);
	g_test_add_func("/definition/problems/nesting", test_nesting);
	g_test_add_func("/definition/problems/hostile-keys", test_hostile_keys);
	g_test_add_func("/definition/problems/places", test_places);
	return g_test_run();
}
