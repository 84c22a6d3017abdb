/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/definition.h"

#include <string.h>

#include "base/error.h"

/* NICs whose host side is ours: what each key may be, and what goes together. */

typedef struct Row {
	const char *interface;
	const char *key;         /* that has the problem */
	const char *message;
} Row;

#define ID_RULE    "must be a letter and then letters, digits or any of - . _, at most 128 bytes; not "
#define MAC_RULE   "must be six pairs of hexadecimal digits such as \"52:54:00:12:34:56\", not "
#define TYPE_RULE  "must be one of user, none, tap, bridge, macvtap; not "
#define LINK_ONLY  "is only for the types tap, bridge and macvtap"
#define SOURCE_RULE "must be the name of a link such as \"eth0\": 1 to 15 characters of ASCII, no spaces and none " \
		    "of / : %; not "

static const Row rows[] = {
	{ "{\"mac\": \"5254.00ab.cdef\"}", "mac",
	  MAC_RULE "\"5254.00ab.cdef\"" },
	{ "{\"mac\": \"52-54-00-12-34-56\"}", "mac",
	  MAC_RULE "\"52-54-00-12-34-56\"" },
	{ "{\"mac\": \"52:54:00:12:34:5g\"}", "mac",
	  MAC_RULE "\"52:54:00:12:34:5g\"" },
	{ "{\"mac\": \"52:54:00:12:34:56:78\"}", "mac",
	  MAC_RULE "\"52:54:00:12:34:56:78\"" },
	{ "{\"mac\": \"\"}", "mac",
	  MAC_RULE "\"\"" },
	{ "{\"mac\": \"01:00:5e:00:00:01\"}", "mac",
	  "must be the address of one card, but \"01:00:5e:00:00:01\" is a group (its first byte is odd)" },
	{ "{\"mac\": \"00:00:00:00:00:00\"}", "mac",
	  "must not be zero" },
	{ "{\"id\": \"0net\"}", "id",
	  ID_RULE "\"0net\"" },
	{ "{\"id\": \"\"}", "id",
	  ID_RULE "\"\"" },
	{ "{\"id\": \"a,b\"}", "id",
	  ID_RULE "\"a,b\"" },
	{ "{\"type\": \"x\"}", "type",
	  TYPE_RULE "\"x\"" },
	{ "{\"type\": \"Tap\"}", "type",
	  TYPE_RULE "\"Tap\"" },
	{ "{\"type\": 1}", "type",
	  "must be a string, not a number" },
	{ "{\"source\": \"eth0\"}", "source",
	  LINK_ONLY },
	{ "{\"type\": \"user\", \"mode\": \"vepa\"}", "mode",
	  LINK_ONLY },
	{ "{\"queues\": 1}", "queues",
	  LINK_ONLY },
	{ "{\"type\": \"none\", \"vhost\": false}", "vhost",
	  LINK_ONLY },
	{ "{\"type\": \"bridge\"}", "source",
	  "is required: the bridge that it is a port of" },
	{ "{\"type\": \"macvtap\", \"mode\": \"vepa\"}", "source",
	  "is required: the link that it is on top of" },
	{ "{\"type\": \"tap\", \"mode\": \"bridge\"}", "mode",
	  "is only for the type macvtap" },
	{ "{\"type\": \"bridge\", \"source\": \"br0\", \"mode\": \"vepa\"}", "mode",
	  "is only for the type macvtap" },
	{ "{\"type\": \"macvtap\", \"source\": \"eth0\", \"mode\": \"passthrough\"}", "mode",
	  "must be one of bridge, vepa, private, passthru; not \"passthrough\"" },
	{ "{\"type\": \"macvtap\", \"source\": \"eth0\", \"mode\": null}", "mode",
	  "must be a string, not null" },
	{ "{\"type\": \"tap\", \"source\": \"\"}", "source",
	  SOURCE_RULE "\"\"" },
	{ "{\"type\": \"tap\", \"source\": \".\"}", "source",
	  SOURCE_RULE "\".\"" },
	{ "{\"type\": \"tap\", \"source\": \"..\"}", "source",
	  SOURCE_RULE "\"..\"" },
	{ "{\"type\": \"tap\", \"source\": \"eth0/x\"}", "source",
	  SOURCE_RULE "\"eth0/x\"" },
	{ "{\"type\": \"tap\", \"source\": \"eth 0\"}", "source",
	  SOURCE_RULE "\"eth 0\"" },
	{ "{\"type\": \"tap\", \"source\": \"eth0:1\"}", "source",
	  SOURCE_RULE "\"eth0:1\"" },
	{ "{\"type\": \"tap\", \"source\": \"abcdefghijklmnop\"}", "source",
	  SOURCE_RULE "\"abcdefghijklmnop\"" },
	{ "{\"type\": \"tap\", \"source\": \"tap%d\"}", "source",
	  SOURCE_RULE "\"tap%d\"" },
	{ "{\"type\": \"tap\", \"source\": \"äth0\"}", "source",
	  SOURCE_RULE "\"äth0\"" },
	{ "{\"type\": \"tap\", \"source\": \"a\\nb\"}", "source",
	  SOURCE_RULE "\"a?b\"" },
	{ "{\"type\": \"tap\", \"source\": 5}", "source",
	  "must be a string, not a number" },
	{ "{\"type\": \"tap\", \"queues\": 0}", "queues",
	  "must be from 1 to 16, not 0" },
	{ "{\"type\": \"tap\", \"queues\": 17}", "queues",
	  "must be from 1 to 16, not 17" },
	{ "{\"type\": \"tap\", \"queues\": \"2\"}", "queues",
	  "must be a whole number" },
	{ "{\"type\": \"tap\", \"vhost\": 1}", "vhost",
	  "must be true or false" },
	{ "{\"type\": \"tap\", \"model\": \"e1000\", \"queues\": 2}", "queues",
	  "can be more than 1 only with a model of virtio-net" },
	{ "{\"type\": \"tap\", \"model\": \"virtio-network\", \"queues\": 2}", "queues",
	  "can be more than 1 only with a model of virtio-net" },
	{ "{\"type\": \"tap\", \"model\": \"e1000\", \"vhost\": true}", "vhost",
	  "is only for a model of virtio-net" },
	{ "{\"model\": \"\"}", "model",
	  "must not be empty" },
	{ "{\"bus\": 1}", "bus",
	  "must be a string, not a number" },
	{ "{\"trust-guest-rx-filters\": \"yes\"}", "trust-guest-rx-filters",
	  "must be true or false" },
	{ "{\"trust-guest-rx-filter\": true}", "trust-guest-rx-filter",
	  "is not a known key; did you mean \"trust-guest-rx-filters\"?" },
};

static Definition *parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	Definition *definition = definition_parse(text, strlen(text), &error);

	g_assert_no_error(error);
	return definition;
}

static DefinitionInterface *parse_interface(const char *text)
{
	g_autoptr(GError) error = NULL;
	DefinitionInterface *interface = definition_parse_interface(text, strlen(text), &error);

	g_assert_no_error(error);
	return interface;
}

/* expected: an asterisk at its end stands for anything. */
static void assert_message(const char *message, const char *expected)
{
	size_t length = strlen(expected);

	if (!g_str_has_suffix(expected, "*") || strncmp(message, expected, length - 1) != 0)
		g_assert_cmpstr(message, ==, expected);
}

/* In a document and by itself. */
static void test_rows(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text = g_strdup_printf("{\"name\": \"a\", \"interfaces\": [%s]}",
							rows[i].interface);
		g_autofree char *path = g_strconcat("interfaces[0].", rows[i].key, NULL);
		g_autofree char *alone = g_strdup_printf("interface.%s: %s", rows[i].key,
							 rows[i].message);
		g_autoptr(GPtrArray) problems = definition_validate(text, strlen(text));
		g_autoptr(GError) error = NULL;
		const DefinitionProblem *problem;

		g_test_message("%s", rows[i].interface);
		g_assert_cmpuint(problems->len, ==, 1);
		problem = g_ptr_array_index(problems, 0);
		g_assert_cmpstr(problem->path, ==, path);
		g_assert_cmpstr(problem->message, ==, rows[i].message);
		g_assert_null(definition_parse_interface(rows[i].interface, strlen(rows[i].interface),
							 &error));
		g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION);
		g_assert_cmpstr(error->message, ==, alone);
	}
}

/* How it is written; read again it is the same. */
static void test_written(void)
{
	static const struct {
		const char *interface, *written;
		unsigned n_descriptors;
		bool has_link;
	} texts[] = {
		{ "{}", "\"type\": \"user\"", 0, false },
		{ "{\"type\": \"none\", \"trust-guest-rx-filters\": true}", "\"type\": \"none\"", 0, false },
		{ "{\"type\": \"tap\"}", "\"type\": \"tap\"", 1, true },
		{ "{\"type\": \"tap\", \"source\": \"x\", \"queues\": 1, \"vhost\": false, \"model\": \"e1000\"}",
		  "\"type\": \"tap\", \"source\": \"x\"", 1, true },
		{ "{\"type\": \"bridge\", \"source\": \"br0\", \"vhost\": true}",
		  "\"type\": \"bridge\", \"source\": \"br0\"", 2, true },
		{ "{\"type\": \"macvtap\", \"source\": \"enp0s31f6.4094\", \"mode\": \"bridge\"}",
		  "\"type\": \"macvtap\", \"source\": \"enp0s31f6.4094\"", 1, true },
		{ "{\"mode\": \"passthru\", \"queues\": 16, \"vhost\": true, \"source\": \"abcdefghijklmno\", "
		  "\"type\": \"macvtap\", \"model\": \"virtio-net\"}",
		  "\"type\": \"macvtap\", \"source\": \"abcdefghijklmno\", \"mode\": \"passthru\"", 32, true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *text = g_strdup_printf("{\"name\":\"a\",\"interfaces\":[%s]}",
							texts[i].interface);
		g_autoptr(Definition) definition = parse(text), again = NULL;
		g_autofree char *written = definition_to_json(definition), *rewritten = NULL;
		g_auto(GStrv) lines = g_strsplit(written, "\n            ", -1);
		g_autofree char *joined = g_strjoinv(" ", lines);
		const DefinitionInterface *interface = g_ptr_array_index(definition->interfaces, 0);

		g_test_message("%s", texts[i].interface);
		g_assert_nonnull(strstr(joined, texts[i].written));
		again = parse(written);
		rewritten = definition_to_json(again);
		g_assert_cmpstr(written, ==, rewritten);
		g_assert_cmpint(definition_interface_has_link(interface), ==, texts[i].has_link);
		g_assert_cmpuint(definition_interface_count_descriptors(interface), ==,
				 texts[i].n_descriptors);
	}
}

static void test_fields(void)
{
	g_autoptr(DefinitionInterface) all = parse_interface(
		"{\"id\": \"wan\", \"type\": \"macvtap\", \"source\": \"eth0\", \"mode\": \"vepa\", "
		"\"mac\": \"52:54:00:AB:CD:EF\", \"model\": \"virtio-net-pci\", \"bus\": \"pcie.0\", "
		"\"queues\": 4, \"vhost\": true, \"trust-guest-rx-filters\": true}");
	g_autoptr(DefinitionInterface) few = parse_interface("{\"type\": \"macvtap\", \"source\": \"eth0\"}");
	g_autoptr(DefinitionInterface) none = parse_interface("{\"id\": \"n\", \"type\": \"none\"}");
	g_autoptr(DefinitionInterface) copy = definition_interface_copy(all);
	g_autofree char *netdev = definition_interface_get_netdev(copy);

	all = definition_interface_free(all);
	g_assert_cmpstr(copy->id, ==, "wan");
	g_assert_cmpstr(copy->type, ==, "macvtap");
	g_assert_cmpstr(copy->source, ==, "eth0");
	g_assert_cmpstr(copy->mode, ==, "vepa");
	g_assert_cmpstr(copy->mac, ==, "52:54:00:ab:cd:ef");
	g_assert_cmpstr(copy->model, ==, "virtio-net-pci");
	g_assert_cmpstr(copy->bus, ==, "pcie.0");
	g_assert_cmpuint(copy->queues, ==, 4);
	g_assert_true(copy->vhost && copy->trust_guest_rx_filters);
	g_assert_cmpstr(netdev, ==, "host-wan");

	g_assert_null(few->id);
	g_assert_cmpstr(few->mode, ==, "bridge");
	g_assert_cmpuint(few->queues, ==, 1);
	g_assert_false(few->vhost || few->trust_guest_rx_filters);
	/* Of one card, locally administered. */
	g_assert_cmpint(g_ascii_xdigit_value(few->mac[1]) & 3, ==, 2);

	g_assert_null(none->mode);
	g_assert_null(definition_interface_get_netdev(none));
}

static void test_is_virtio(void)
{
	static const char *const good[] = {
		"virtio-net", "virtio-net-pci", "virtio-net-device", "virtio-net-ccw",
		"virtio-net-pci-non-transitional",
	};
	static const char *const bad[] = { "e1000", "virtio", "virtio-blk-pci", "virtio-network" };
	DefinitionInterface interface = { 0 };

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		interface.model = (char *)good[i];
		g_assert_true(definition_interface_is_virtio(&interface));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		interface.model = (char *)bad[i];
		g_assert_false(definition_interface_is_virtio(&interface));
	}
}

/* All queues of all interfaces, with vhost twice; only the first that is too many is complained of. */
static void test_descriptors_bound(void)
{
	static const char most[] = "{\"type\":\"tap\",\"queues\":16,\"vhost\":true}";
	g_autoptr(GString) text = g_string_new("{\"name\":\"a\",\"interfaces\":[");
	g_autoptr(DefinitionInterface) none = parse_interface("{\"type\":\"none\"}");
	g_autoptr(DefinitionInterface) tap = parse_interface("{\"type\":\"tap\"}");
	g_autoptr(Definition) definition = NULL;
	g_autoptr(GPtrArray) problems = NULL;
	g_autoptr(GError) error = NULL;
	const DefinitionProblem *problem;
	g_autofree char *good = NULL;

	for (unsigned i = 0; i < DEFINITION_NIC_DESCRIPTORS_MAX / (2 * DEFINITION_QUEUES_MAX); i++)
		g_string_append_printf(text, "%s%s", i > 0 ? "," : "", most);
	good = g_strconcat(text->str, ",{},{\"type\":\"none\"}]}", NULL);
	definition = parse(good);
	g_assert_cmpuint(definition->interfaces->len, ==, 6);
	/* As it is where one is plugged in. */
	g_assert_true(definition_check_descriptors(definition, none, NULL));
	g_assert_false(definition_check_descriptors(definition, tap, &error));
	g_assert_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
	g_assert_nonnull(strstr(error->message, "would need 129 descriptors"));
	g_string_append(text, ",{},{\"type\":\"tap\"},{\"type\":\"tap\"}]}");
	problems = definition_validate(text->str, text->len);
	g_assert_cmpuint(problems->len, ==, 1);
	problem = g_ptr_array_index(problems, 0);
	g_assert_cmpstr(problem->path, ==, "interfaces[5]");
	g_assert_cmpstr(problem->message, ==, "is one too many: up to here the queues need 129 "
			"descriptors (with vhost two each), at most 128 are allowed");
}

/* One interface by itself has the same rules. */
static void test_by_itself(void)
{
	static const struct {
		const char *text, *error;
	} texts[] = {
		{ "5", "interface: must be an object, not a number" },
		{ "{", "interface: is not valid JSON: *" },
		{ "", "interface: is not valid JSON: *" },
		{ "{\"mac\": \"x\"}", "interface.mac: " MAC_RULE "\"x\"" },
		{ "{\"type\": \"bridge\"}", "interface.source: is required: the bridge that it is a port of" },
		{ "{\"mac\": \"01:00:00:00:00:00\", \"bus\": 1, \"x\": 1}",
		  "interface.mac: must be the address of one card, but \"01:00:00:00:00:00\" is a group "
		  "(its first byte is odd) (and 2 more problems)" },
		{ "{\"mtu\": 9223372036854775808}", "interface: has an integer in line 1 that does not fit *" },
	};
	g_autofree char *blank = g_strnfill(DEFINITION_INTERFACE_LENGTH_MAX + 1, ' ');
	g_autoptr(GError) too_long = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(definition_parse_interface(texts[i].text, strlen(texts[i].text), &error));
		g_assert_error(error, CORE_ERROR, CORE_ERROR_INVALID_DEFINITION);
		assert_message(error->message, texts[i].error);
	}
	g_assert_null(definition_parse_interface(blank, DEFINITION_INTERFACE_LENGTH_MAX + 1, &too_long));
	g_assert_error(too_long, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/definition-interface/rows", test_rows);
	g_test_add_func("/definition-interface/written", test_written);
	g_test_add_func("/definition-interface/fields", test_fields);
	g_test_add_func("/definition-interface/is-virtio", test_is_virtio);
	g_test_add_func("/definition-interface/descriptors-bound", test_descriptors_bound);
	g_test_add_func("/definition-interface/by-itself", test_by_itself);
	return g_test_run();
}
