/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition.h"

#include <string.h>

#include "base/error.h"

/* Documents that are good: what is read from them, and that nothing is lost on the way back. */

static Definition *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	Definition *definition = definition_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	g_assert_nonnull(definition);
	return definition;
}

static char *load(const char *name)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "data", "definitions", name, NULL);
	g_autoptr(GError) error = NULL;
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	return text;
}

static void test_defaults(void)
{
	g_autofree char *text = load("minimal.json");
	g_autoptr(Definition) definition = parse(text);

	g_assert_cmpstr(definition->name, ==, "minimal");
	g_assert_true(definition_uuid_is_valid(definition->uuid));
	g_assert_null(definition->title);
	g_assert_null(definition->emulator);
	g_assert_null(definition->machine);
	g_assert_cmpstr(definition->accel[0], ==, "kvm");
	g_assert_cmpstr(definition->accel[1], ==, "tcg");
	g_assert_null(definition->accel[2]);
	g_assert_null(definition->cpu);
	g_assert_cmpuint(definition->cpus, ==, 1);
	g_assert_cmpuint(definition->memory, ==, UINT64_C(512) << 20);
	g_assert_cmpuint(definition->interfaces->len, ==, 0);
	g_assert_cmpuint(definition->blockdevs->len, ==, 0);
	g_assert_cmpuint(definition->netdevs->len, ==, 0);
	g_assert_cmpuint(definition->objects->len, ==, 0);
	g_assert_cmpuint(definition->devices->len, ==, 0);
	g_assert_null(definition->arguments[0]);
	g_assert_false(definition->autostart);
	g_assert_cmpint(definition->on_shutdown, ==, DEFINITION_POLICY_STOP);
	g_assert_cmpint(definition->on_reboot, ==, DEFINITION_POLICY_RESTART);
	g_assert_cmpint(definition->on_panic, ==, DEFINITION_POLICY_STOP);
	g_assert_cmpint(definition->on_crash, ==, DEFINITION_POLICY_STOP);
	g_assert_cmpstr(definition->on_watchdog, ==, "reset");
	g_assert_null(definition->panic_dump);
	g_assert_cmpuint(definition->resources.memory_max, ==, 0);
	g_assert_cmpuint(definition->resources.cpu_weight, ==, 0);
	g_assert_cmpuint(definition->resources.tasks_max, ==, 0);
}

static void check_everything(const Definition *definition)
{
	const DefinitionInterface *interface;
	g_autofree char *device = NULL;

	g_assert_cmpstr(definition->name, ==, "web+db_01.example-a");
	g_assert_cmpstr(definition->uuid, ==, "0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11");
	g_assert_cmpstr(definition->title, ==, "Webserver \"eins\" – für Süd, 北 \\ 😀");
	g_assert_cmpstr(definition->emulator, ==, "/opt/qemu/bin/qemu-system-x86_64");
	g_assert_cmpstr(json_object_get_string_member(definition->machine, "type"), ==, "q35");
	g_assert_false(json_object_get_boolean_member(definition->machine, "smm"));
	g_assert_cmpint(json_object_get_int_member(definition->machine, "max-ram-below-4g"), ==,
			2147483648);
	g_assert_cmpstr(definition->accel[0], ==, "kvm");
	g_assert_cmpstr(definition->accel[1], ==, "tcg,thread=multi");
	g_assert_cmpstr(definition->accel[2], ==, "hvf");
	g_assert_null(definition->accel[3]);
	g_assert_cmpstr(definition->cpu, ==, "EPYC,-svm,+x2apic");
	g_assert_cmpuint(definition->cpus, ==, DEFINITION_CPUS_MAX);
	g_assert_cmpuint(definition->memory, ==, DEFINITION_MEMORY_MAX);

	g_assert_cmpuint(definition->interfaces->len, ==, 4);
	interface = g_ptr_array_index(definition->interfaces, 0);
	g_assert_cmpstr(interface->id, ==, "net0");
	g_assert_cmpstr(interface->type, ==, "user");
	g_assert_cmpstr(interface->mac, ==, "52:54:00:ab:cd:ef");
	g_assert_cmpstr(interface->model, ==, "virtio-net-pci");
	g_assert_null(interface->bus);
	g_assert_true(interface->trust_guest_rx_filters);
	interface = g_ptr_array_index(definition->interfaces, 1);
	g_assert_cmpstr(interface->id, ==, "wan.0");
	g_assert_cmpstr(interface->type, ==, "none");
	g_assert_cmpstr(interface->model, ==, "e1000e");
	g_assert_cmpstr(interface->bus, ==, "pcie.0");
	g_assert_false(interface->trust_guest_rx_filters);
	interface = g_ptr_array_index(definition->interfaces, 2);
	g_assert_cmpstr(interface->id, ==, "net7");
	g_assert_true(g_str_has_prefix(interface->mac, "52:54:00:"));
	g_assert_cmpuint(strlen(interface->mac), ==, 17);
	interface = g_ptr_array_index(definition->interfaces, 3);
	g_assert_cmpstr(interface->type, ==, "macvtap");
	g_assert_cmpstr(interface->source, ==, "eth0");
	g_assert_cmpstr(interface->mode, ==, "private");
	g_assert_cmpuint(interface->queues, ==, 3);
	g_assert_true(interface->vhost);

	g_assert_cmpuint(definition->blockdevs->len, ==, 2);
	g_assert_cmpuint(definition->netdevs->len, ==, 1);
	g_assert_cmpuint(definition->objects->len, ==, 2);
	g_assert_cmpuint(definition->devices->len, ==, 2);
	device = definition_entry_to_json(g_ptr_array_index(definition->devices, 1));
	g_assert_cmpstr(device, ==,
			"{\"driver\":\"virtio-rng-pci\",\"id\":\"rng\",\"rng\":\"rng\",\"nested\":"
			"{\"a\":[null,true,-1,1e+300,4.94065645841247e-324,2.0,\"\",{},[]],"
			"\"\":\"\\u0001\\u001f\\t\\n/\"}}");

	g_assert_cmpuint(g_strv_length(definition->arguments), ==, 6);
	g_assert_cmpstr(definition->arguments[2], ==, "");
	g_assert_cmpstr(definition->arguments[4], ==, "quiet \"x\"");
	g_assert_true(definition->autostart);
	g_assert_cmpint(definition->on_shutdown, ==, DEFINITION_POLICY_PAUSE);
	g_assert_cmpint(definition->on_reboot, ==, DEFINITION_POLICY_STOP);
	g_assert_cmpint(definition->on_panic, ==, DEFINITION_POLICY_PRESERVE);
	g_assert_cmpint(definition->on_crash, ==, DEFINITION_POLICY_RESTART);
	g_assert_cmpstr(definition->on_watchdog, ==, "inject-nmi");
	g_assert_cmpstr(definition->panic_dump, ==, "/var/crash/web \"1\".core");
	g_assert_cmpuint(definition->resources.memory_max, ==, UINT64_C(3) << 30);
	g_assert_cmpuint(definition->resources.cpu_weight, ==, 10000);
	g_assert_cmpuint(definition->resources.tasks_max, ==, 4194304);
}

static void test_everything(void)
{
	g_autofree char *text = load("everything.json");
	g_autoptr(Definition) definition = parse(text);
	g_autofree char *written = definition_to_json(definition);
	g_autoptr(Definition) again = parse(written);

	check_everything(definition);
	check_everything(again);
}

/* All documents of the folder: written and read again they say the same, and are good. */
static void test_round_trip(void)
{
	g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "data", "definitions", NULL);
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	unsigned n_files = 0;
	const char *name;

	g_assert_nonnull(directory);
	while ((name = g_dir_read_name(directory))) {
		g_autofree char *text = load(name);
		g_autoptr(GPtrArray) problems = definition_validate(text, strlen(text));
		g_autoptr(Definition) first = parse(text), second = NULL;
		g_autofree char *written = definition_to_json(first);
		g_autofree char *rewritten = NULL;

		g_assert_cmpuint(problems->len, ==, 0);
		second = parse(written);
		rewritten = definition_to_json(second);
		g_assert_cmpstr(written, ==, rewritten);
		n_files++;
	}
	g_assert_cmpuint(n_files, >=, 6);
}

/* What people are told to begin with is good. */
static void test_examples(void)
{
	g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "..", "docs", "examples", NULL);
	g_autoptr(GDir) directory = g_dir_open(folder, 0, NULL);
	unsigned n_files = 0;
	const char *name;

	g_assert_nonnull(directory);
	while ((name = g_dir_read_name(directory))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		g_autoptr(Definition) definition = NULL;
		g_autofree char *text = NULL;

		/* Programs are there as well. */
		if (!g_str_has_suffix(name, ".json"))
			continue;
		g_test_message("%s", name);
		g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
		definition = parse(text);
		n_files++;
	}
	g_assert_cmpuint(n_files, >=, 1);
}

/* Documents that are damaged at random: each is refused with a reason, or is good all the way. */
static void test_damaged(void)
{
	static const char replacements[] = "\"{}[]:,0-9.eE\\u \n\x01\x7f\xc3\xff";
	g_autofree char *text = load("everything.json");
	size_t length = strlen(text);
	unsigned i, j;

	for (i = 0; i < 3000; i++) {
		g_autofree char *damaged = g_memdup2(text, length);
		g_autoptr(Definition) definition = NULL;
		g_autoptr(GPtrArray) problems = NULL;
		g_autoptr(GError) error = NULL;

		for (j = 0; j < i % 3 + 1; j++)
			damaged[g_test_rand_int_range(0, (int) length)] =
				replacements[g_test_rand_int_range(0, sizeof(replacements))];
		problems = definition_validate(damaged, length);
		definition = definition_parse(damaged, length, &error);
		if (definition) {
			g_autofree char *written = definition_to_json(definition);
			g_autoptr(Definition) again = parse(written);
			g_autofree char *rewritten = definition_to_json(again);

			g_assert_cmpuint(problems->len, ==, 0);
			g_assert_cmpstr(written, ==, rewritten);
		} else {
			g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION);
			g_assert_true(g_utf8_validate(error->message, -1, NULL));
			g_assert_cmpuint(problems->len, >, 0);
		}
	}
}

static void test_written_form(void)
{
	static const char uuid[] = "0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11";
	g_autofree char *text = g_strdup_printf(
		"{\"resources\":{\"cpu-weight\":7},\"devices\":[{\"driver\":\"a\",\"x\":[1,2.5]}],"
		"\"interfaces\":[{\"mac\":\"02:00:00:00:00:01\"}],\"machine\":\"q35\","
		"\"accel\":[\"tcg\"],\"memory\":1073741824,\"name\":\"n\",\"uuid\":\"%s\"}", uuid);
	g_autoptr(Definition) definition = parse(text);
	g_autofree char *written = definition_to_json(definition);

	g_assert_cmpstr(written, ==,
			"{\n"
			"    \"name\": \"n\",\n"
			"    \"uuid\": \"0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11\",\n"
			"    \"machine\": \"q35\",\n"
			"    \"accel\": \"tcg\",\n"
			"    \"memory\": \"1G\",\n"
			"    \"interfaces\": [\n"
			"        {\n"
			"            \"id\": \"net0\",\n"
			"            \"type\": \"user\",\n"
			"            \"mac\": \"02:00:00:00:00:01\"\n"
			"        }\n"
			"    ],\n"
			"    \"devices\": [\n"
			"        {\"driver\":\"a\",\"x\":[1,2.5]}\n"
			"    ],\n"
			"    \"resources\": {\n"
			"        \"cpu-weight\": 7\n"
			"    }\n"
			"}\n");
}

/* What has its default is not written, except for what was made up. */
static void test_defaults_not_written(void)
{
	g_autofree char *text = load("default-values.json");
	g_autoptr(Definition) definition = parse(text);
	g_autofree char *written = definition_to_json(definition);

	g_assert_cmpstr(written, ==,
			"{\n"
			"    \"name\": \"x\",\n"
			"    \"uuid\": \"00000000-0000-0000-0000-000000000001\",\n"
			"    \"machine\": \"microvm\"\n"
			"}\n");
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *written;
	} rows[] = {
		{ "1", 1, "1" },
		{ "\"1K\"", 1 << 10, "\"1K\"" },
		{ "\"1KiB\"", 1 << 10, "\"1K\"" },
		{ "\"16M\"", 16 << 20, "\"16M\"" },
		{ "\"3MiB\"", 3 << 20, "\"3M\"" },
		{ "\"2G\"", UINT64_C(2) << 30, "\"2G\"" },
		{ "\"2048M\"", UINT64_C(2) << 30, "\"2G\"" },
		{ "\"1GiB\"", UINT64_C(1) << 30, "\"1G\"" },
		{ "\"64T\"", UINT64_C(1) << 46, "\"64T\"" },
		{ "\"1TiB\"", UINT64_C(1) << 40, "\"1T\"" },
		{ "70368744177664", UINT64_C(1) << 46, "\"64T\"" },
		{ "1025", 1025, "1025" },
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text = g_strdup_printf("{\"name\":\"a\",\"memory\":%s}", rows[i].text);
		g_autoptr(Definition) definition = parse(text);
		g_autofree char *written = definition_to_json(definition);
		g_autofree char *line = g_strdup_printf("\"memory\": %s\n", rows[i].written);

		g_assert_cmpuint(definition->memory, ==, rows[i].bytes);
		g_assert_nonnull(strstr(written, line));
	}
}

/* Ids that were not given avoid those that were, wherever in the document. */
static void test_made_ids(void)
{
	g_autofree char *text = load("chosen-ids.json");
	g_autoptr(Definition) definition = parse(text);
	const DefinitionInterface *const *interfaces =
		(const DefinitionInterface *const *) definition->interfaces->pdata;

	g_assert_cmpstr(interfaces[0]->id, ==, "net2");
	g_assert_cmpstr(interfaces[1]->id, ==, "net3");
	g_assert_cmpstr(interfaces[2]->id, ==, "net4");
}

static void test_with_autostart(void)
{
	g_autofree char *text = load("everything.json");
	Definition *definition = parse(text);
	g_autoptr(Definition) off = definition_with_autostart(definition, false), on = NULL;
	g_autofree char *before = definition_to_json(definition), *after = NULL;

	/* The copy must not need what it was copied from. */
	g_assert_null(definition_unref(definition));
	g_assert_false(off->autostart);
	on = definition_with_autostart(off, true);
	check_everything(on);
	after = definition_to_json(on);
	g_assert_cmpstr(before, ==, after);
}

static void *read_often(void *userdata)
{
	Definition *definition = userdata;
	unsigned i;

	for (i = 0; i < 200; i++) {
		g_autoptr(Definition) mine = definition_ref(definition);
		g_autoptr(Definition) copy = definition_with_autostart(mine, i % 2);
		g_autofree char *written = definition_to_json(copy);

		g_assert_nonnull(strstr(written, "web+db"));
	}
	definition_unref(definition);
	return NULL;
}

static void test_threads(void)
{
	g_autofree char *text = load("everything.json");
	g_autoptr(Definition) definition = parse(text);
	GThread *threads[4];
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("reader", read_often, definition_ref(definition));
	for (i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	check_everything(definition);
}

static void test_name_rule(void)
{
	g_autofree char *longest = g_strnfill(DEFINITION_NAME_MAX, 'a');
	g_autofree char *longer = g_strnfill(DEFINITION_NAME_MAX + 1, 'a');
	static const char *const good[] = { "a", "0", "_", "+", "a.b", "a..b", "A-Z_0+9." };
	static const char *const bad[] = {
		"", ".", "..", ".a", "-a", "a/b", "/", "a b", "a\n", "\x7f", "ä", "a:b", "a,b", "a%b",
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_true(definition_name_is_valid(good[i]));
	for (i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(definition_name_is_valid(bad[i]));
	g_assert_true(definition_name_is_valid(longest));
	g_assert_false(definition_name_is_valid(longer));
	g_assert_false(definition_name_is_valid(NULL));
}

static void test_uuid_rule(void)
{
	g_assert_true(definition_uuid_is_valid("0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11"));
	g_assert_true(definition_uuid_is_valid("0BD63A7E-7C7F-4D4F-9B80-3A8A2F4F6C11"));
	g_assert_false(definition_uuid_is_valid("0bd63a7e7c7f4d4f9b803a8a2f4f6c11"));
	g_assert_false(definition_uuid_is_valid("{0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11}"));
	g_assert_false(definition_uuid_is_valid("0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c1"));
	g_assert_false(definition_uuid_is_valid("0bd63a7e-7c7f-4d4f-9b80-3a8a2f4f6c11 "));
	g_assert_false(definition_uuid_is_valid("0bd63a7g-7c7f-4d4f-9b80-3a8a2f4f6c11"));
	g_assert_false(definition_uuid_is_valid(""));
	g_assert_false(definition_uuid_is_valid(NULL));
}

static void test_policies(void)
{
	g_assert_cmpstr(definition_policy_to_string(DEFINITION_POLICY_STOP), ==, "stop");
	g_assert_cmpstr(definition_policy_to_string(DEFINITION_POLICY_RESTART), ==, "restart");
	g_assert_cmpstr(definition_policy_to_string(DEFINITION_POLICY_PRESERVE), ==, "preserve");
	g_assert_cmpstr(definition_policy_to_string(DEFINITION_POLICY_PAUSE), ==, "pause");
}

static void test_null_safe(void)
{
	g_assert_null(definition_unref(NULL));
	definition_problem_free(NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/definition/defaults", test_defaults);
	g_test_add_func("/definition/everything", test_everything);
	g_test_add_func("/definition/round-trip", test_round_trip);
	g_test_add_func("/definition/examples", test_examples);
	g_test_add_func("/definition/damaged", test_damaged);
	g_test_add_func("/definition/written-form", test_written_form);
	g_test_add_func("/definition/defaults-not-written", test_defaults_not_written);
	g_test_add_func("/definition/sizes", test_sizes);
	g_test_add_func("/definition/made-ids", test_made_ids);
	g_test_add_func("/definition/with-autostart", test_with_autostart);
	g_test_add_func("/definition/threads", test_threads);
	g_test_add_func("/definition/name-rule", test_name_rule);
	g_test_add_func("/definition/uuid-rule", test_uuid_rule);
	g_test_add_func("/definition/policies", test_policies);
	g_test_add_func("/definition/null-safe", test_null_safe);
	return g_test_run();
}
