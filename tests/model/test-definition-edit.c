/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "model/definition-edit.h"

/* One device more or less: what comes and goes with it, and what stays. */

#define HEAD "{\"name\":\"a\",\"uuid\":\"11111111-2222-3333-4444-555555555555\",\"autostart\":true,"

static Definition *parse(const char *members)
{
	g_autofree char *text = g_strconcat(HEAD, members, "}", NULL);
	g_autoptr(GError) error = NULL;
	Definition *definition = definition_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	return definition;
}

static void assert_same(const Definition *definition, const char *members)
{
	g_autoptr(Definition) expected = parse(members);
	g_autofree char *a = definition_to_json(definition);
	g_autofree char *b = definition_to_json(expected);

	g_assert_cmpstr(a, ==, b);
}

static JsonNode *read_json(const char *text)
{
	g_autoptr(GError) error = NULL;
	JsonNode *node = json_from_string(text, &error);

	g_assert_no_error(error);
	return node;
}

static Definition *add(const Definition *definition, const char *object, const char *blockdev,
		       const char *netdev, const char *device, GError **error)
{
	const char *texts[DEFINITION_ENTRY_MAX] = { object, blockdev, netdev, device };
	JsonNode *entries[DEFINITION_ENTRY_MAX] = { NULL };
	Definition *added;

	for (unsigned i = 0; i < DEFINITION_ENTRY_MAX; i++)
		entries[i] = texts[i] ? read_json(texts[i]) : NULL;
	added = definition_add_entries(definition, entries, error);
	for (unsigned i = 0; i < DEFINITION_ENTRY_MAX; i++)
		g_clear_pointer(&entries[i], json_node_unref);
	return added;
}

static void test_add(void)
{
	g_autoptr(Definition) before = parse("\"devices\":[{\"driver\":\"x\",\"id\":\"first\"}]");
	g_autofree char *text = definition_to_json(before);
	g_autofree char *after = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(Definition) added = add(before, "{\"qom-type\":\"o\",\"id\":\"o1\"}",
					  "{\"driver\":\"b\",\"node-name\":\"b1\"}",
					  "{\"type\":\"n\",\"id\":\"n1\"}",
					  "{\"driver\":\"d\",\"id\":\"d1\",\"n\":[1,{\"a\":null}]}", &error);

	g_assert_no_error(error);
	assert_same(added, "\"objects\":[{\"qom-type\":\"o\",\"id\":\"o1\"}],"
			   "\"blockdevs\":[{\"driver\":\"b\",\"node-name\":\"b1\"}],"
			   "\"netdevs\":[{\"type\":\"n\",\"id\":\"n1\"}],"
			   "\"devices\":[{\"driver\":\"x\",\"id\":\"first\"},"
			   "{\"driver\":\"d\",\"id\":\"d1\",\"n\":[1,{\"a\":null}]}]");
	g_assert_true(definition_has_device(added, "d1"));
	g_assert_false(definition_has_device(before, "d1"));
	/* The other is what it was. */
	after = definition_to_json(before);
	g_assert_cmpstr(text, ==, after);
}

static void test_add_refused(void)
{
	static const struct {
		const char *object, *blockdev, *netdev, *device;
		CoreError code;
		const char *text;
	} rows[] = {
		{ NULL, NULL, NULL, "{\"driver\":\"d\",\"id\":\"d1\"}", CORE_ERROR_DEVICE_EXISTS, "'d1'" },
		{ NULL, NULL, NULL, "{\"driver\":\"d\",\"id\":\"nic0\"}", CORE_ERROR_DEVICE_EXISTS,
		  "'nic0'" },
		{ "{\"qom-type\":\"o\",\"id\":\"o1\"}", NULL, NULL, NULL, CORE_ERROR_DEVICE_EXISTS,
		  "object with the id 'o1'" },
		{ NULL, "{\"driver\":\"b\",\"node-name\":\"b1\"}", NULL, NULL, CORE_ERROR_DEVICE_EXISTS,
		  "blockdev with the node-name 'b1'" },
		{ NULL, NULL, "{\"type\":\"n\",\"id\":\"n1\"}", NULL, CORE_ERROR_DEVICE_EXISTS,
		  "netdev with the id 'n1'" },
		{ NULL, NULL, "{\"type\":\"n\",\"id\":\"host-nic0\"}", NULL,
		  CORE_ERROR_INVALID_DEFINITION, "host-nic0" },
		{ NULL, NULL, NULL, "{\"id\":\"d2\"}", CORE_ERROR_INVALID_DEFINITION,
		  "devices[1].driver" },
		{ "{\"id\":\"o2\"}", NULL, NULL, NULL, CORE_ERROR_INVALID_DEFINITION,
		  "objects[1].qom-type" },
	};
	g_autoptr(Definition) definition = parse("\"interfaces\":[{\"id\":\"nic0\","
						 "\"mac\":\"52:54:00:00:00:01\"}],"
						 "\"objects\":[{\"qom-type\":\"o\",\"id\":\"o1\"}],"
						 "\"blockdevs\":[{\"driver\":\"b\",\"node-name\":\"b1\"}],"
						 "\"netdevs\":[{\"type\":\"n\",\"id\":\"n1\"}],"
						 "\"devices\":[{\"driver\":\"d\",\"id\":\"d1\"}]");

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(add(definition, rows[i].object, rows[i].blockdev, rows[i].netdev,
				  rows[i].device, &error));
		g_assert_error(error, CORE_ERROR, (int)rows[i].code);
		g_test_message("%s", error->message);
		g_assert_nonnull(strstr(error->message, rows[i].text));
	}
}

/* The bounds of a list are those of the document. */
static void test_add_too_many(void)
{
	g_autoptr(GString) members = g_string_new("\"devices\":[{\"driver\":\"x\"}");
	g_autoptr(Definition) definition = NULL, added = NULL;
	g_autoptr(GError) error = NULL;

	for (unsigned i = 1; i < DEFINITION_LIST_MAX; i++)
		g_string_append(members, ",{\"driver\":\"x\"}");
	g_string_append_c(members, ']');
	definition = parse(members->str);
	added = add(definition, NULL, NULL, NULL, "{\"driver\":\"x\"}", &error);
	g_assert_null(added);
	g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION);
	g_assert_nonnull(strstr(error->message, "devices"));
}

static Definition *add_interface(const Definition *definition, const char *text, GError **error)
{
	g_autoptr(GError) bad = NULL;
	g_autoptr(DefinitionInterface) interface = definition_parse_interface(text, strlen(text), &bad);

	g_assert_no_error(bad);
	return definition_add_interface(definition, interface, error);
}

static void test_add_interface(void)
{
	g_autoptr(Definition) before = parse("\"interfaces\":[{\"id\":\"net1\",\"mac\":\"52:54:00:00:00:01\"}],"
					     "\"netdevs\":[{\"type\":\"n\",\"id\":\"host-net0\"}]");
	g_autofree char *text = definition_to_json(before);
	g_autofree char *after = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(Definition) added = add_interface(before, "{\"type\":\"macvtap\",\"source\":\"eth0\","
						    "\"mac\":\"52:54:00:00:00:02\",\"queues\":2}", &error);
	g_autoptr(Definition) twice = NULL;

	g_assert_no_error(error);
	twice = add_interface(added, "{\"id\":\"wan\",\"type\":\"none\",\"mac\":\"52:54:00:00:00:03\"}", &error);
	g_assert_no_error(error);
	assert_same(twice, "\"interfaces\":[{\"id\":\"net1\",\"mac\":\"52:54:00:00:00:01\"},"
			   "{\"id\":\"net2\",\"type\":\"macvtap\",\"source\":\"eth0\","
			   "\"mac\":\"52:54:00:00:00:02\",\"queues\":2},"
			   "{\"id\":\"wan\",\"type\":\"none\",\"mac\":\"52:54:00:00:00:03\"}],"
			   "\"netdevs\":[{\"type\":\"n\",\"id\":\"host-net0\"}]");
	after = definition_to_json(before);
	g_assert_cmpstr(text, ==, after);
}

static void test_add_interface_refused(void)
{
	static const struct {
		const char *interface;
		CoreError code;
		const char *text;
	} rows[] = {
		{ "{\"id\":\"d\"}", CORE_ERROR_DEVICE_EXISTS, "device with the id 'd'" },
		{ "{\"id\":\"nic\"}", CORE_ERROR_DEVICE_EXISTS, "device with the id 'nic'" },
		{ "{\"id\":\"x\"}", CORE_ERROR_INVALID_DEFINITION, "host-x" },
		/* What all of them need together counts, too. */
		{ "{\"type\":\"tap\"}", CORE_ERROR_INVALID_DEFINITION, "interfaces[4]: is one too many" },
	};
	static const char full[] = "{\"type\":\"tap\",\"queues\":16,\"vhost\":true}";
	g_autofree char *members = g_strdup_printf("\"netdevs\":[{\"type\":\"n\",\"id\":\"host-x\"}],"
						   "\"devices\":[{\"driver\":\"d\",\"id\":\"d\"}],"
						   "\"interfaces\":[{\"id\":\"nic\","
						   "\"type\":\"tap\",\"queues\":16,\"vhost\":true},%s,%s,%s]",
						   full, full, full);
	g_autoptr(Definition) definition = parse(members);

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(add_interface(definition, rows[i].interface, &error));
		g_assert_error(error, CORE_ERROR, (int)rows[i].code);
		g_test_message("%s", error->message);
		g_assert_nonnull(strstr(error->message, rows[i].text));
	}
}

static void test_remove(void)
{
	static const struct {
		const char *before, *id, *after;
	} rows[] = {
		/* What it stands on goes with it; what is below that, too. */
		{ "\"objects\":[{\"qom-type\":\"secret\",\"id\":\"s\"}],"
		  "\"blockdevs\":[{\"driver\":\"file\",\"node-name\":\"f\",\"filename\":\"s\"},"
		  "{\"driver\":\"luks\",\"node-name\":\"l\",\"file\":\"f\",\"key-secret\":\"s\"}],"
		  "\"devices\":[{\"driver\":\"d\",\"id\":\"disk\",\"drive\":\"l\"}]", "disk", "\"cpus\":1" },
		{ "\"netdevs\":[{\"type\":\"user\",\"id\":\"h\"}],"
		  "\"devices\":[{\"driver\":\"nic\",\"id\":\"n\",\"netdev\":\"h\"},{\"driver\":\"x\"}]", "n",
		  "\"devices\":[{\"driver\":\"x\"}]" },
		/* What something else refers to, or may refer to, stays. */
		{ "\"objects\":[{\"qom-type\":\"iothread\",\"id\":\"io\"}],"
		  "\"devices\":[{\"driver\":\"d\",\"id\":\"a\",\"iothread\":\"io\"},"
		  "{\"driver\":\"d\",\"id\":\"b\",\"iothread\":\"io\"}]", "a",
		  "\"objects\":[{\"qom-type\":\"iothread\",\"id\":\"io\"}],"
		  "\"devices\":[{\"driver\":\"d\",\"id\":\"b\",\"iothread\":\"io\"}]" },
		{ "\"blockdevs\":[{\"driver\":\"file\",\"node-name\":\"f\"},"
		  "{\"driver\":\"qcow2\",\"node-name\":\"q1\",\"file\":{\"driver\":\"raw\",\"file\":\"f\"}},"
		  "{\"driver\":\"qcow2\",\"node-name\":\"q2\",\"file\":\"f\"}],"
		  "\"devices\":[{\"driver\":\"d\",\"id\":\"a\",\"drive\":\"q1\"}]", "a",
		  "\"blockdevs\":[{\"driver\":\"file\",\"node-name\":\"f\"},"
		  "{\"driver\":\"qcow2\",\"node-name\":\"q2\",\"file\":\"f\"}]" },
		{ "\"netdevs\":[{\"type\":\"user\",\"id\":\"h\"}],"
		  "\"objects\":[{\"qom-type\":\"filter-dump\",\"id\":\"dump\",\"netdev\":\"h\"}],"
		  "\"devices\":[{\"driver\":\"nic\",\"id\":\"n\",\"netdev\":\"h\"}]", "n",
		  "\"netdevs\":[{\"type\":\"user\",\"id\":\"h\"}],"
		  "\"objects\":[{\"qom-type\":\"filter-dump\",\"id\":\"dump\",\"netdev\":\"h\"}]" },
		{ "\"objects\":[{\"qom-type\":\"rng\",\"id\":\"r\"}],\"arguments\":[\"-set\",\"object.r.x=1\"],"
		  "\"devices\":[{\"driver\":\"d\",\"id\":\"a\",\"rng\":\"r\"}]", "a",
		  "\"objects\":[{\"qom-type\":\"rng\",\"id\":\"r\"}],\"arguments\":[\"-set\",\"object.r.x=1\"]" },
		/* One name in two spaces; a bus, an id and a file are no backends. */
		{ "\"objects\":[{\"qom-type\":\"o\",\"id\":\"disk\"},{\"qom-type\":\"o\",\"id\":\"port\"}],"
		  "\"blockdevs\":[{\"driver\":\"b\",\"node-name\":\"disk\"}],"
		  "\"devices\":[{\"driver\":\"d\",\"id\":\"disk\",\"drive\":\"disk\",\"bus\":\"port\"}]",
		  "disk",
		  "\"objects\":[{\"qom-type\":\"o\",\"id\":\"disk\"},{\"qom-type\":\"o\",\"id\":\"port\"}]" },
		/* A NIC whose host side is ours is a device, too. */
		{ "\"interfaces\":[{\"id\":\"n0\",\"mac\":\"52:54:00:00:00:01\"},"
		  "{\"id\":\"n1\",\"mac\":\"52:54:00:00:00:02\"}]", "n0",
		  "\"interfaces\":[{\"id\":\"n1\",\"mac\":\"52:54:00:00:00:02\"}]" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(Definition) before = parse(rows[i].before);
		g_autofree char *text = definition_to_json(before);
		g_autofree char *text_after = NULL;
		g_autoptr(GError) error = NULL;
		g_autoptr(Definition) after = definition_remove_device(before, rows[i].id, &error);

		g_test_message("%u", i);
		g_assert_no_error(error);
		assert_same(after, rows[i].after);
		text_after = definition_to_json(before);
		g_assert_cmpstr(text, ==, text_after);
	}
}

static void test_remove_refused(void)
{
	static const struct {
		const char *id;
		CoreError code;
		const char *text;
	} rows[] = {
		{ "nothing", CORE_ERROR_NO_SUCH_DEVICE, "'nothing'" },
		{ "", CORE_ERROR_NO_SUCH_DEVICE, "''" },
		{ "f", CORE_ERROR_NO_SUCH_DEVICE, "'f'" },
		{ "usb", CORE_ERROR_REMOVAL_REFUSED, "(stick)" },
		{ "port", CORE_ERROR_REMOVAL_REFUSED, "(nic)" },
		{ "port2", CORE_ERROR_REMOVAL_REFUSED, "(one without an id)" },
	};
	g_autoptr(Definition) definition = parse(
		"\"blockdevs\":[{\"driver\":\"file\",\"node-name\":\"f\"}],"
		"\"interfaces\":[{\"id\":\"nic\",\"bus\":\"port\",\"mac\":\"52:54:00:00:00:01\"}],"
		"\"devices\":[{\"driver\":\"x\",\"id\":\"usb\"},{\"driver\":\"x\",\"id\":\"stick\","
		"\"bus\":\"usb.0\"},{\"driver\":\"x\",\"id\":\"port\"},{\"driver\":\"x\",\"id\":\"port2\"},"
		"{\"driver\":\"x\",\"bus\":\"port2\"},{\"driver\":\"x\",\"id\":\"us\"}]");
	g_autoptr(Definition) without = NULL;

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(definition_remove_device(definition, rows[i].id, &error));
		g_assert_error(error, CORE_ERROR, (int)rows[i].code);
		g_assert_nonnull(strstr(error->message, rows[i].text));
	}
	/* A name that only begins like that of a bus. */
	without = definition_remove_device(definition, "us", NULL);
	g_assert_nonnull(without);
	g_assert_false(definition_has_device(without, "us"));
	g_assert_true(definition_has_device(without, "usb"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/definition-edit/add", test_add);
	g_test_add_func("/definition-edit/add-refused", test_add_refused);
	g_test_add_func("/definition-edit/add-too-many", test_add_too_many);
	g_test_add_func("/definition-edit/add-interface", test_add_interface);
	g_test_add_func("/definition-edit/add-interface-refused", test_add_interface_refused);
	g_test_add_func("/definition-edit/remove", test_remove);
	g_test_add_func("/definition-edit/remove-refused", test_remove_refused);
	return g_test_run();
}
