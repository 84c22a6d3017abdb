/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "event/rx-filter.h"

static RxFilter *parse(const char *text)
{
	g_autoptr(JsonNode) node = json_from_string(text, NULL);
	g_autoptr(GError) error = NULL;
	RxFilter *filter;

	g_assert_nonnull(node);
	filter = rx_filter_parse(node, &error);
	g_assert_no_error(error);
	g_assert_nonnull(filter);
	return filter;
}

static GStrv load(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "data", "qmp", "rx-filters.jsonl",
						      NULL);
	g_autofree char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return g_strsplit(g_strchomp(text), "\n", -1);
}

static void check_macs(GStrv macs, JsonArray *array)
{
	g_assert_cmpuint(g_strv_length(macs), ==, json_array_get_length(array));
	for (unsigned i = 0; macs[i]; i++)
		g_assert_cmpstr(macs[i], ==, json_array_get_string_element(array, i));
}

static void check_vlans(const RxFilter *filter, JsonArray *array)
{
	/* Before the driver has negotiated VLANs QEMU lists all of them. */
	if (g_str_equal(filter->vlan, "all")) {
		g_assert_cmpuint(filter->n_vlans, ==, 0);
		return;
	}
	g_assert_cmpuint(filter->n_vlans, ==, json_array_get_length(array));
	for (unsigned i = 0; i < filter->n_vlans; i++)
		g_assert_cmpuint(filter->vlan_table[i], ==, json_array_get_int_element(array, i));
}

static void test_recorded(void)
{
	g_auto(GStrv) lines = load();

	g_assert_cmpuint(g_strv_length(lines), >=, 17);
	for (unsigned i = 0; lines[i]; i++) {
		g_autoptr(JsonNode) node = json_from_string(lines[i], NULL);
		JsonObject *object = json_node_get_object(node);
		g_autoptr(RxFilter) filter = rx_filter_parse(node, NULL);

		g_assert_nonnull(filter);
		g_assert_cmpstr(filter->nic, ==, json_object_get_string_member(object, "name"));
		g_assert_cmpstr(filter->main_mac, ==,
				json_object_get_string_member(object, "main-mac"));
		g_assert_cmpint(filter->promiscuous, ==,
				json_object_get_boolean_member(object, "promiscuous"));
		g_assert_cmpstr(filter->unicast, ==, json_object_get_string_member(object, "unicast"));
		g_assert_cmpstr(filter->multicast, ==,
				json_object_get_string_member(object, "multicast"));
		g_assert_cmpstr(filter->vlan, ==, json_object_get_string_member(object, "vlan"));
		/* QEMU says the opposite of what the name says. */
		g_assert_cmpint(filter->broadcast_allowed, ==,
				!json_object_get_boolean_member(object, "broadcast-allowed"));
		g_assert_cmpint(filter->unicast_overflow, ==,
				json_object_get_boolean_member(object, "unicast-overflow"));
		g_assert_cmpint(filter->multicast_overflow, ==,
				json_object_get_boolean_member(object, "multicast-overflow"));
		check_macs(filter->unicast_table,
			   json_object_get_array_member(object, "unicast-table"));
		check_macs(filter->multicast_table,
			   json_object_get_array_member(object, "multicast-table"));
		check_vlans(filter, json_object_get_array_member(object, "vlan-table"));
	}
}

static void test_least(void)
{
	g_autoptr(RxFilter) filter = parse("{\"name\":\"n\",\"main-mac\":\"m\"}");

	g_assert_cmpstr(filter->nic, ==, "n");
	g_assert_cmpstr(filter->main_mac, ==, "m");
	g_assert_false(filter->promiscuous);
	g_assert_cmpstr(filter->unicast, ==, "normal");
	g_assert_cmpstr(filter->multicast, ==, "normal");
	g_assert_cmpstr(filter->vlan, ==, "normal");
	g_assert_true(filter->broadcast_allowed);
	g_assert_false(filter->unicast_overflow);
	g_assert_false(filter->multicast_overflow);
	g_assert_cmpuint(g_strv_length(filter->unicast_table), ==, 0);
	g_assert_cmpuint(g_strv_length(filter->multicast_table), ==, 0);
	g_assert_cmpuint(filter->n_vlans, ==, 0);
}

/* Members of the wrong type count as not there; elements of the wrong type are left out. */
static void test_wrong_types(void)
{
	g_autoptr(RxFilter) least = parse("{\"name\":\"n\",\"main-mac\":\"m\"}");
	g_autoptr(RxFilter) odd = parse(
		"{\"name\":\"n\",\"main-mac\":\"m\",\"promiscuous\":\"yes\",\"unicast\":1,"
		"\"multicast\":null,\"vlan\":[],\"broadcast-allowed\":0,\"unicast-overflow\":\"x\","
		"\"multicast-overflow\":{},\"unicast-table\":\"a\",\"multicast-table\":{},"
		"\"vlan-table\":7}");
	g_autoptr(RxFilter) mixed = parse(
		"{\"name\":\"n\",\"main-mac\":\"m\",\"unicast-table\":[1,\"a\",null,[\"b\"],\"c\"],"
		"\"vlan-table\":[\"1\",2,3.5,null,{},4]}");

	g_assert_true(rx_filter_equal(least, odd));
	g_assert_cmpuint(g_strv_length(mixed->unicast_table), ==, 2);
	g_assert_cmpstr(mixed->unicast_table[0], ==, "a");
	g_assert_cmpstr(mixed->unicast_table[1], ==, "c");
	g_assert_cmpuint(mixed->n_vlans, ==, 2);
	g_assert_cmpuint(mixed->vlan_table[0], ==, 2);
	g_assert_cmpuint(mixed->vlan_table[1], ==, 4);
}

static void test_refused(void)
{
	static const char *const texts[] = {
		"{}", "[]", "null", "\"net0\"", "7",
		"{\"name\":\"n\"}", "{\"main-mac\":\"m\"}",
		"{\"name\":1,\"main-mac\":\"m\"}", "{\"name\":\"n\",\"main-mac\":null}",
		"{\"name\":[\"n\"],\"main-mac\":\"m\"}",
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(JsonNode) node = json_from_string(texts[i], NULL);
		g_autoptr(GError) error = NULL;

		g_assert_null(rx_filter_parse(node, &error));
		g_assert_error(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR);
		g_assert_nonnull(strstr(error->message, "main-mac"));
	}
}

/* ---- the bound ---- */

static char *make_large(unsigned n)
{
	GString *text = g_string_new("{\"name\":\"n\",\"main-mac\":\"m\",\"vlan\":\"normal\"");

	for (unsigned t = 0; t < 3; t++) {
		static const char *const names[] = { "unicast-table", "multicast-table", "vlan-table" };

		g_string_append_printf(text, ",\"%s\":[", names[t]);
		for (unsigned i = 0; i < n; i++)
			g_string_append_printf(text, t < 2 ? "%s\"%u\"" : "%s%u", i > 0 ? "," : "", i);
		g_string_append_c(text, ']');
	}
	g_string_append_c(text, '}');
	return g_string_free(text, FALSE);
}

static void test_bound(void)
{
	static const unsigned sizes[] = { RX_FILTER_ENTRIES_MAX - 1, RX_FILTER_ENTRIES_MAX,
					  RX_FILTER_ENTRIES_MAX + 1, RX_FILTER_ENTRIES_MAX * 4 };

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *text = make_large(sizes[i]);
		g_autoptr(RxFilter) filter = parse(text);
		unsigned kept = MIN(sizes[i], RX_FILTER_ENTRIES_MAX);

		g_assert_cmpuint(g_strv_length(filter->unicast_table), ==, kept);
		g_assert_cmpuint(g_strv_length(filter->multicast_table), ==, kept);
		g_assert_cmpuint(filter->n_vlans, ==, kept);
		g_assert_cmpuint(filter->vlan_table[kept - 1], ==, kept - 1);
	}
}

/* ---- equality ---- */

#define BASE                                                                                       \
	"\"promiscuous\":false,\"unicast\":\"normal\",\"multicast\":\"normal\",\"vlan\":\"normal\","   \
	"\"broadcast-allowed\":false,\"unicast-overflow\":false,\"multicast-overflow\":false,"     \
	"\"unicast-table\":[\"a\",\"b\"],\"multicast-table\":[\"c\"],\"vlan-table\":[1,2]"

static void test_equal(void)
{
	/* Each differs from the first in one thing alone: of a key that comes twice the last counts. */
	static const char *const others[] = {
		"\"name\":\"other\"", "\"main-mac\":\"other\"", "\"promiscuous\":true",
		"\"unicast\":\"all\"", "\"multicast\":\"none\"", "\"vlan\":\"none\"",
		"\"broadcast-allowed\":true", "\"unicast-overflow\":true",
		"\"multicast-overflow\":true", "\"unicast-table\":[\"a\"]",
		"\"unicast-table\":[\"b\",\"a\"]", "\"multicast-table\":[\"c\",\"d\"]",
		"\"multicast-table\":[]", "\"vlan-table\":[1]", "\"vlan-table\":[1,3]",
		"\"vlan-table\":[]",
	};
	g_autoptr(RxFilter) base = parse("{\"name\":\"n\",\"main-mac\":\"m\"," BASE "}");
	g_autoptr(RxFilter) same = parse("{" BASE ",\"main-mac\":\"m\",\"name\":\"n\"}");
	g_autoptr(RxFilter) empty = parse("{\"name\":\"n\",\"main-mac\":\"m\"}");
	g_autoptr(RxFilter) also_empty = parse("{\"name\":\"n\",\"main-mac\":\"m\",\"vlan-table\":[]}");

	g_assert_true(rx_filter_equal(base, base));
	g_assert_true(rx_filter_equal(base, same));
	g_assert_true(rx_filter_equal(empty, also_empty));
	for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
		g_autofree char *text = g_strdup_printf("{\"name\":\"n\",\"main-mac\":\"m\"," BASE
							",%s}", others[i]);
		g_autoptr(RxFilter) other = parse(text);

		g_test_message("%s", others[i]);
		g_assert_false(rx_filter_equal(base, other));
		g_assert_false(rx_filter_equal(other, base));
	}
}

static void test_references(void)
{
	RxFilter *filter = parse("{\"name\":\"n\",\"main-mac\":\"m\"}");

	g_assert_true(rx_filter_ref(filter) == filter);
	g_assert_null(rx_filter_unref(filter));
	g_assert_cmpstr(filter->nic, ==, "n");
	g_assert_null(rx_filter_unref(filter));
	g_assert_null(rx_filter_unref(NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/event/rx-filter/recorded", test_recorded);
	g_test_add_func("/event/rx-filter/least", test_least);
	g_test_add_func("/event/rx-filter/wrong-types", test_wrong_types);
	g_test_add_func("/event/rx-filter/refused", test_refused);
	g_test_add_func("/event/rx-filter/bound", test_bound);
	g_test_add_func("/event/rx-filter/equal", test_equal);
	g_test_add_func("/event/rx-filter/references", test_references);
	return g_test_run();
}
