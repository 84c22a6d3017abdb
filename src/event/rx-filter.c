/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/rx-filter.h"

#include "base/error.h"
#include "base/json-read.h"

static GStrv read_macs(JsonObject *object, const char *member)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	JsonArray *array = json_read_array(object, member);
	unsigned length = array ? MIN(json_array_get_length(array), RX_FILTER_ENTRIES_MAX) : 0;

	for (unsigned i = 0; i < length; i++) {
		JsonNode *element = json_array_get_element(array, i);

		if (JSON_NODE_HOLDS_VALUE(element) &&
		    json_node_get_value_type(element) == G_TYPE_STRING)
			g_strv_builder_add(builder, json_node_get_string(element));
	}
	return g_strv_builder_end(builder);
}

static void read_vlans(RxFilter *filter, JsonObject *object)
{
	JsonArray *array = json_read_array(object, "vlan-table");
	unsigned length = array ? MIN(json_array_get_length(array), RX_FILTER_ENTRIES_MAX) : 0;

	/* A driver that has not negotiated VLAN filtering gets "all", and with it the numbers of all 4096:
	 * a long way to say nothing. */
	if (g_str_equal(filter->vlan, "all"))
		return;
	filter->vlan_table = g_new0(uint32_t, length);
	for (unsigned i = 0; i < length; i++) {
		JsonNode *element = json_array_get_element(array, i);

		if (JSON_NODE_HOLDS_VALUE(element) &&
		    json_node_get_value_type(element) == G_TYPE_INT64)
			filter->vlan_table[filter->n_vlans++] =
				(uint32_t)json_node_get_int(element);
	}
}

static char *read_mode(JsonObject *object, const char *member)
{
	const char *mode = "normal";

	(void)json_read_string(object, member, &mode);
	return g_strdup(mode);
}

RxFilter *rx_filter_parse(JsonNode *node, GError **error)
{
	JsonObject *object = json_node_as_object(node);
	const char *nic, *main_mac;
	bool broadcast_dropped = false;
	RxFilter *filter;

	if (!json_read_string(object, "name", &nic) ||
	    !json_read_string(object, "main-mac", &main_mac)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR,
			    "query-rx-filter: an answer without name or main-mac");
		return NULL;
	}

	filter = g_new0(RxFilter, 1);
	filter->ref_count = 1;
	filter->nic = g_strdup(nic);
	filter->main_mac = g_strdup(main_mac);
	(void)json_read_bool(object, "promiscuous", &filter->promiscuous);
	filter->unicast = read_mode(object, "unicast");
	filter->multicast = read_mode(object, "multicast");
	filter->vlan = read_mode(object, "vlan");
	(void)json_read_bool(object, "broadcast-allowed", &broadcast_dropped);
	filter->broadcast_allowed = !broadcast_dropped;
	(void)json_read_bool(object, "unicast-overflow", &filter->unicast_overflow);
	(void)json_read_bool(object, "multicast-overflow", &filter->multicast_overflow);
	filter->unicast_table = read_macs(object, "unicast-table");
	filter->multicast_table = read_macs(object, "multicast-table");
	read_vlans(filter, object);
	return filter;
}

RxFilter *rx_filter_ref(RxFilter *filter)
{
	g_atomic_int_inc(&filter->ref_count);
	return filter;
}

RxFilter *rx_filter_unref(RxFilter *filter)
{
	if (!filter || !g_atomic_int_dec_and_test(&filter->ref_count))
		return NULL;
	g_free(filter->nic);
	g_free(filter->main_mac);
	g_free(filter->unicast);
	g_free(filter->multicast);
	g_free(filter->vlan);
	g_strfreev(filter->unicast_table);
	g_strfreev(filter->multicast_table);
	g_free(filter->vlan_table);
	g_free(filter);
	return NULL;
}

bool rx_filter_equal(const RxFilter *a, const RxFilter *b)
{
	return g_str_equal(a->nic, b->nic) && g_str_equal(a->main_mac, b->main_mac) &&
	       a->promiscuous == b->promiscuous && g_str_equal(a->unicast, b->unicast) &&
	       g_str_equal(a->multicast, b->multicast) && g_str_equal(a->vlan, b->vlan) &&
	       a->broadcast_allowed == b->broadcast_allowed &&
	       a->unicast_overflow == b->unicast_overflow &&
	       a->multicast_overflow == b->multicast_overflow &&
	       g_strv_equal((const char *const *)a->unicast_table,
			    (const char *const *)b->unicast_table) &&
	       g_strv_equal((const char *const *)a->multicast_table,
			    (const char *const *)b->multicast_table) &&
	       a->n_vlans == b->n_vlans &&
	       (a->n_vlans == 0 ||
		memcmp(a->vlan_table, b->vlan_table, a->n_vlans * sizeof(*a->vlan_table)) == 0);
}
