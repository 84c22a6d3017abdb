/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/nic-report.h"

#include <string.h>

/* What is said to differ between guest and host. What the plan makes of all states is the business of its own test. */

#define MAC_A   "52:54:00:00:00:0a"
#define MAC_B   "52:54:00:00:00:0b"
#define GROUP_1 "01:00:5e:00:00:01"
#define GROUP_2 "01:00:5e:00:00:02"

static RxFilter *make_guest(const char *members)
{
	g_autofree char *text = g_strdup_printf("{\"name\":\"net0\",\"main-mac\":\"" MAC_A "\"%s}", members);
	g_autoptr(JsonNode) node = json_from_string(text, NULL);
	RxFilter *guest = rx_filter_parse(node, NULL);

	g_assert_nonnull(guest);
	return guest;
}

static HostFilter *make_host(HostFilterKind kind, const char *mac)
{
	HostFilter *host = host_filter_new(kind);

	g_assert_true(mac_parse(mac, &host->mac));
	host->multicast = true;
	host->learning = true;
	host->unicast_flood = true;
	return host;
}

static void add(MacSet *set, const char *text)
{
	Mac mac;

	g_assert_true(mac_parse(text, &mac));
	mac_set_add(set, &mac);
}

/* expected: names with spaces between them. */
static void check(NicReport *report, const char *expected, bool refused)
{
	g_autofree char *joined = NULL;

	nic_report_compare(report);
	joined = g_strjoinv(" ", report->differences);
	g_assert_cmpstr(joined, ==, expected);
	g_assert_cmpint(report->refused != NULL, ==, refused);
}

static void test_one_side(void)
{
	g_autoptr(NicReport) report = nic_report_new("net0");

	check(report, "", false);
	report->guest = make_guest(",\"promiscuous\":true");
	check(report, "", false);
	/* And what was said before is said no more. */
	report->host = make_host(HOST_FILTER_MACVTAP, MAC_A);
	check(report, "promiscuous", false);
	report->guest = rx_filter_unref(report->guest);
	check(report, "", false);
}

static void test_macvtap(void)
{
	g_autoptr(NicReport) report = nic_report_new("net0");

	report->guest = make_guest(",\"multicast-table\":[\"" GROUP_1 "\"]");
	report->host = make_host(HOST_FILTER_MACVTAP, MAC_A);
	check(report, "multicast-table", false);
	add(report->host->multicast_table, GROUP_1);
	check(report, "", false);
	/* Somebody else's group is no difference, but one of ours that is not wanted any more. */
	add(report->host->multicast_table, GROUP_2);
	check(report, "", false);
	report->own = host_filter_own_new();
	add(report->own->multicast_table, GROUP_2);
	check(report, "multicast-table", false);

	g_assert_true(mac_parse(MAC_B, &report->host->mac));
	report->host->all_multicast = true;
	report->host->promiscuous = true;
	report->host->multicast = false;
	check(report, "mac promiscuous all-multicast multicast multicast-table", false);
}

static void test_bridge_port(void)
{
	g_autoptr(NicReport) report = nic_report_new("net0");

	report->guest = make_guest(",\"unicast\":\"all\"");
	report->host = make_host(HOST_FILTER_BRIDGE_PORT, MAC_B);
	check(report, "", false);
	report->host->unicast_flood = false;
	check(report, "forwarding", true);
	add(report->host->forwarding, MAC_A);
	check(report, "", true);
}

/* Without a link there is nothing to read, and a link that has gone is an error of this NIC alone. */
static void test_read(void)
{
	g_autoptr(NicReport) none = nic_report_new("net0"), gone = nic_report_new("net1");

	none->guest = make_guest("");
	nic_report_read(none);
	g_assert_null(none->host);
	g_assert_null(none->host_error);
	g_assert_cmpuint(g_strv_length(none->differences), ==, 0);

	gone->guest = make_guest("");
	gone->link = g_new0(HostNic, 1);
	gone->link->type = HOST_NIC_MACVTAP;
	gone->link->link = g_strdup("vmh-no-such");
	gone->link->index = G_MAXINT32;
	nic_report_read(gone);
	g_assert_null(gone->host);
	g_assert_nonnull(gone->host_error);
	g_test_message("%s", gone->host_error);
	g_assert_nonnull(strstr(gone->host_error, "vmh-no-such"));
	g_assert_cmpuint(g_strv_length(gone->differences), ==, 0);
}

static void test_free(void)
{
	g_assert_null(nic_report_free(NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/nic-report/one-side", test_one_side);
	g_test_add_func("/nic-report/macvtap", test_macvtap);
	g_test_add_func("/nic-report/bridge-port", test_bridge_port);
	g_test_add_func("/nic-report/read", test_read);
	g_test_add_func("/nic-report/free", test_free);
	return g_test_run();
}
