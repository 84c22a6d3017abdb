/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter-fixture.h"

#include <string.h>

FilterPlan *fixture_plan_new(void)
{
	FilterPlan *plan = g_new0(FilterPlan, 1);

	plan->multicast_add = mac_set_new();
	plan->multicast_remove = mac_set_new();
	plan->forwarding_add = mac_set_new();
	plan->forwarding_remove = mac_set_new();
	plan->own = host_filter_own_new();
	return plan;
}

Mac fixture_parse(const char *text)
{
	Mac mac;

	g_assert_true(mac_parse(text, &mac));
	return mac;
}

void fixture_put(MacSet *set, const char *text)
{
	Mac mac = fixture_parse(text);

	mac_set_add(set, &mac);
}

bool fixture_contains(const MacSet *set, const char *text)
{
	Mac mac = fixture_parse(text);

	return mac_set_contains(set, &mac);
}

HostFilter *fixture_read_filter(const HostNic *nic)
{
	g_autoptr(GError) error = NULL;
	HostFilter *filter = host_nic_read(nic, &error);

	g_assert_no_error(error);
	g_assert_nonnull(filter);
	return filter;
}

void fixture_apply(const HostNic *nic, const FilterPlan *plan)
{
	g_autoptr(GError) error = NULL;
	bool applied = host_nic_apply(nic, plan, &error);

	g_assert_no_error(error);
	g_assert_true(applied);
}

void fixture_refuse(const HostNic *nic, const FilterPlan *plan, CoreError code, const char *part)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(host_nic_apply(nic, plan, &error));
	g_test_message("%s", error->message);
	g_assert_error(error, CORE_ERROR, (int) code);
	g_assert_nonnull(strstr(error->message, part));
}

RxFilter *fixture_guest_filter(const char *mac, const char *multicast, bool promiscuous, const char *groups)
{
	g_autofree char *text = g_strdup_printf(
		"{\"name\": \"net0\", \"main-mac\": \"%s\", \"promiscuous\": %s, \"unicast\": \"normal\","
		" \"multicast\": \"%s\", \"vlan\": \"all\", \"vlan-table\": [], \"unicast-table\": [],"
		" \"multicast-table\": [%s], \"unicast-overflow\": false, \"multicast-overflow\": false,"
		" \"broadcast-allowed\": false}", mac, promiscuous ? "true" : "false", multicast, groups);
	g_autoptr(JsonNode) node = json_from_string(text, NULL);
	g_autoptr(GError) error = NULL;
	RxFilter *filter = rx_filter_parse(node, &error);

	g_assert_no_error(error);
	return filter;
}

HostFilterOwn *fixture_follow(const HostNic *nic, const RxFilter *guest, const HostFilterOwn *own)
{
	g_autoptr(HostFilter) before = fixture_read_filter(nic);
	g_autoptr(FilterPlan) plan = filter_plan_new(guest, before, own);
	g_autoptr(HostFilter) after = NULL;
	g_autoptr(FilterPlan) again = NULL;

	fixture_apply(nic, plan);
	after = fixture_read_filter(nic);
	again = filter_plan_new(guest, after, plan->own);
	g_assert_true(filter_plan_is_empty(again));
	return host_filter_own_copy(plan->own);
}
