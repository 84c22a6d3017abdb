/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "net/filter-plan.h"

/*
 * Each row of the table: a guest, a host, what of the host's is ours, and the plan as a line of text. After it, random
 * states with a host that does what a plan says.
 */

#define MAC_A "52:54:00:00:00:0a"
#define MAC_B "52:54:00:00:00:0b"
#define UNI_1 "52:54:00:00:01:01"
#define UNI_2 "52:54:00:00:01:02"
#define GROUP_1 "01:00:5e:00:00:01"
#define GROUP_2 "01:00:5e:00:00:02"
#define GROUP_3 "33:33:00:00:00:03"

static RxFilter *make_guest(const char *members)
{
	g_autofree char *text = g_strdup_printf("{\"name\":\"net0\"%s%s}", *members ? "," : "", members);
	g_autoptr(GError) error = NULL;
	g_autoptr(JsonNode) node = json_from_string(text, &error);
	RxFilter *guest;

	g_assert_no_error(error);
	guest = rx_filter_parse(node, &error);
	g_assert_no_error(error);
	return guest;
}

static MacSet *make_set(const char *words)
{
	g_auto(GStrv) texts = g_strsplit(words ? words : "", " ", -1);
	MacSet *set = mac_set_new_from_strings((const char *const *)texts);

	g_assert_cmpuint(mac_set_get_size(set), ==, words && *words ? g_strv_length(texts) : 0);
	return set;
}

/* Takes by over. */
static void replace(MacSet **set, MacSet *by)
{
	mac_set_free(*set);
	*set = by;
}

/* kind, MAC, then any of: promisc allmulti nomulticast passthru nolearning noflood */
static HostFilter *make_host(HostFilterKind kind, const char *words, const char *groups, const char *forwarding)
{
	HostFilter *host = host_filter_new(kind);
	g_auto(GStrv) list = g_strsplit(words, " ", -1);
	const char *const *const flags = (const char *const *)list;

	host->up = true;
	g_assert_true(mac_parse(list[0], &host->mac));
	host->promiscuous = g_strv_contains(flags, "promisc");
	host->all_multicast = g_strv_contains(flags, "allmulti");
	host->multicast = !g_strv_contains(flags, "nomulticast");
	host->passthru = g_strv_contains(flags, "passthru");
	host->learning = !g_strv_contains(flags, "nolearning");
	host->unicast_flood = !g_strv_contains(flags, "noflood");
	replace(&host->multicast_table, make_set(groups));
	replace(&host->forwarding, make_set(forwarding));
	return host;
}

static void append_set(GString *text, const char *sign, const MacSet *set)
{
	g_auto(GStrv) macs = mac_set_to_strings(set);

	for (unsigned i = 0; macs[i]; i++)
		g_string_append_printf(text, "%s%s ", sign, macs[i]);
}

static void append_flag(GString *text, const char *name, bool set, bool value)
{
	if (set)
		g_string_append_printf(text, "%s=%s ", name, value ? "on" : "off");
}

static char *plan_to_text(const FilterPlan *plan)
{
	GString *text = g_string_new("");
	g_autofree char *mac = mac_to_string(&plan->mac);

	if (plan->set_mac)
		g_string_append_printf(text, "mac=%s ", mac);
	append_flag(text, "promisc", plan->set_promiscuous, plan->promiscuous);
	append_flag(text, "allmulti", plan->set_all_multicast, plan->all_multicast);
	append_flag(text, "multicast", plan->set_multicast, plan->multicast);
	append_set(text, "+", plan->multicast_add);
	append_set(text, "-", plan->multicast_remove);
	append_set(text, "fdb+", plan->forwarding_add);
	append_set(text, "fdb-", plan->forwarding_remove);
	append_set(text, "own:", plan->own->multicast_table);
	append_set(text, "own-fdb:", plan->own->forwarding);
	if (plan->refused)
		g_string_append(text, "refused ");
	if (text->len > 0)
		g_string_truncate(text, text->len - 1);
	return g_string_free(text, false);
}

typedef struct Row {
	const char *name, *guest;
	HostFilterKind kind;
	const char *host, *groups, *forwarding;   /* the host's */
	const char *own_groups, *own_forwarding;
	const char *plan;
} Row;

#define SAME "\"main-mac\":\"" MAC_A "\""
#define OTHER "\"main-mac\":\"" MAC_B "\""
#define GROUPS(x) "\"multicast-table\":[" x "]"
#define Q(x) "\"" x "\""

#define TAPV HOST_FILTER_MACVTAP
#define PORT HOST_FILTER_BRIDGE_PORT

static const Row rows[] = {
	/* The MAC. */
	{ "in line", SAME, TAPV, MAC_A, "", "", "", "", "" },
	{ "another MAC", OTHER, TAPV, MAC_A, "", "", "", "", "mac=" MAC_B },
	{ "in capitals", "\"main-mac\":\"52:54:00:00:00:0A\"", TAPV, MAC_A, "", "", "", "", "" },
	{ "a group for a MAC", "\"main-mac\":\"01:00:5e:00:00:01\"", TAPV, MAC_A, "", "", "", "", "refused" },
	{ "broadcast for a MAC", "\"main-mac\":\"ff:ff:ff:ff:ff:ff\"", TAPV, MAC_A, "", "", "", "", "refused" },
	{ "no MAC", "\"main-mac\":\"00:00:00:00:00:00\"", TAPV, MAC_A, "", "", "", "", "refused" },
	{ "something for a MAC", "\"main-mac\":\"what\"", TAPV, MAC_A, "", "", "", "", "refused" },
	{ "a refused MAC and the rest", "\"main-mac\":\"00:00:00:00:00:00\",\"promiscuous\":true," GROUPS(Q(GROUP_1)),
	  TAPV, MAC_A, "", "", "", "", "promisc=on +" GROUP_1 " own:" GROUP_1 " refused" },

	/* Promiscuous, and VLANs. */
	{ "promiscuous", SAME ",\"promiscuous\":true", TAPV, MAC_A, "", "", "", "", "promisc=on" },
	{ "both promiscuous", SAME ",\"promiscuous\":true", TAPV, MAC_A " promisc", "", "", "", "", "" },
	{ "no longer promiscuous", SAME, TAPV, MAC_A " promisc", "", "", "", "", "promisc=off" },
	{ "a VLAN", SAME ",\"vlan-table\":[0,7]", TAPV, MAC_A, "", "", "", "", "promisc=on" },
	{ "a VLAN already", SAME ",\"vlan-table\":[7]", TAPV, MAC_A " promisc", "", "", "", "", "" },
	{ "VLAN 0 is none", SAME ",\"vlan-table\":[0]", TAPV, MAC_A, "", "", "", "", "" },
	{ "the last VLAN goes", SAME ",\"vlan-table\":[0]", TAPV, MAC_A " promisc", "", "", "", "", "promisc=off" },
	{ "no VLAN filter", SAME ",\"vlan\":\"all\",\"vlan-table\":[0,1,2]", TAPV, MAC_A, "", "", "", "", "" },
	{ "promiscuous with groups", SAME ",\"promiscuous\":true," GROUPS(Q(GROUP_1)), TAPV, MAC_A, "", "", "", "",
	  "promisc=on +" GROUP_1 " own:" GROUP_1 },
	{ "promiscuous without multicast", SAME ",\"promiscuous\":true,\"multicast\":\"none\"", TAPV, MAC_A, GROUP_1, "",
	  GROUP_1, "", "promisc=on multicast=off -" GROUP_1 },

	/* Modes of multicast, and the overflow. */
	{ "all", SAME ",\"multicast\":\"all\"", TAPV, MAC_A, "", "", "", "", "allmulti=on" },
	{ "all, after none", SAME ",\"multicast\":\"all\"", TAPV, MAC_A " nomulticast", "", "", "", "",
	  "allmulti=on multicast=on" },
	{ "all already", SAME ",\"multicast\":\"all\"", TAPV, MAC_A " allmulti", "", "", "", "", "" },
	{ "all and groups", SAME ",\"multicast\":\"all\"," GROUPS(Q(GROUP_1)), TAPV, MAC_A, "", "", "", "",
	  "allmulti=on +" GROUP_1 " own:" GROUP_1 },
	{ "normal, after all", SAME, TAPV, MAC_A " allmulti", "", "", "", "", "allmulti=off" },
	{ "normal, after none", SAME, TAPV, MAC_A " nomulticast", "", "", "", "", "multicast=on" },
	{ "overflow", SAME ",\"multicast-overflow\":true", TAPV, MAC_A, GROUP_1, "", GROUP_1, "",
	  "allmulti=on -" GROUP_1 },
	{ "overflow keeps", SAME ",\"multicast-overflow\":true", TAPV, MAC_A " allmulti", "", "", "", "", "" },
	{ "overflow, after none", SAME ",\"multicast-overflow\":true", TAPV, MAC_A " nomulticast", "", "", "", "",
	  "allmulti=on multicast=on" },
	{ "none", SAME ",\"multicast\":\"none\"", TAPV, MAC_A " allmulti", "", "", "", "", "allmulti=off multicast=off" },
	{ "none already", SAME ",\"multicast\":\"none\"", TAPV, MAC_A " nomulticast", "", "", "", "", "" },
	{ "none with an overflow", SAME ",\"multicast\":\"none\",\"multicast-overflow\":true", TAPV, MAC_A, "", "", "",
	  "", "multicast=off" },
	{ "none with groups", SAME ",\"multicast\":\"none\"," GROUPS(Q(GROUP_1)), TAPV, MAC_A, GROUP_1 " " GROUP_2, "",
	  GROUP_1, "", "multicast=off -" GROUP_1 },
	{ "a mode that is not known", SAME ",\"multicast\":\"what\"", TAPV, MAC_A " allmulti nomulticast", "", "", "", "",
	  "allmulti=off multicast=on" },

	/* Groups. */
	{ "joined", SAME "," GROUPS(Q(GROUP_2) "," Q(GROUP_1)), TAPV, MAC_A, "", "", "", "",
	  "+" GROUP_1 " +" GROUP_2 " own:" GROUP_1 " own:" GROUP_2 },
	{ "left", SAME, TAPV, MAC_A, GROUP_1 " " GROUP_2, "", GROUP_1 " " GROUP_2, "", "-" GROUP_1 " -" GROUP_2 },
	{ "one for another", SAME "," GROUPS(Q(GROUP_2)), TAPV, MAC_A, GROUP_1, "", GROUP_1, "",
	  "+" GROUP_2 " -" GROUP_1 " own:" GROUP_2 },
	{ "somebody else's stays", SAME, TAPV, MAC_A, GROUP_1, "", "", "", "" },
	{ "somebody else's is not ours", SAME "," GROUPS(Q(GROUP_1)), TAPV, MAC_A, GROUP_1, "", "", "", "" },
	{ "ours stays ours", SAME "," GROUPS(Q(GROUP_1)), TAPV, MAC_A, GROUP_1, "", GROUP_1, "", "own:" GROUP_1 },
	{ "ours was taken away", SAME "," GROUPS(Q(GROUP_1)), TAPV, MAC_A, "", "", GROUP_1, "",
	  "+" GROUP_1 " own:" GROUP_1 },
	{ "ours is gone and not wanted", SAME, TAPV, MAC_A, "", "", GROUP_1, "", "" },
	{ "no group in the table", SAME "," GROUPS(Q(UNI_1) "," Q("ff:ff:ff:ff:ff:ff") "," Q("what") "," Q(GROUP_3)),
	  TAPV, MAC_A, "", "", "", "", "+" GROUP_3 " own:" GROUP_3 },

	/* What a macvtap cannot do. */
	{ "another address", SAME ",\"unicast-table\":[" Q(UNI_1) "]", TAPV, MAC_A, "", "", "", "", "refused" },
	{ "another address, passthru", SAME ",\"unicast-table\":[" Q(UNI_1) "]", TAPV, MAC_A " passthru", "", "", "", "",
	  "" },
	{ "the MAC once more", SAME ",\"unicast-table\":[" Q(MAC_A) "]", TAPV, MAC_A, "", "", "", "", "" },
	{ "no address", SAME ",\"unicast-table\":[" Q(GROUP_1) "," Q("00:00:00:00:00:00") "]", TAPV, MAC_A, "", "", "",
	  "", "" },
	{ "too many addresses", SAME ",\"unicast-overflow\":true", TAPV, MAC_A, "", "", "", "", "refused" },
	{ "too many addresses, passthru", SAME ",\"unicast-overflow\":true", TAPV, MAC_A " passthru", "", "", "", "", "" },
	{ "all addresses", SAME ",\"unicast\":\"all\"", TAPV, MAC_A, "", "", "", "", "refused" },
	{ "all addresses, passthru", SAME ",\"unicast\":\"all\"", TAPV, MAC_A " passthru", "", "", "", "", "" },
	{ "no addresses", SAME ",\"unicast\":\"none\"", TAPV, MAC_A, "", "", "", "", "" },
	{ "no broadcast", SAME ",\"broadcast-allowed\":true", TAPV, MAC_A, "", "", "", "", "" },

	/* A port of a bridge. */
	{ "learns", OTHER ",\"unicast-table\":[" Q(UNI_1) "]", PORT, MAC_A, "", "", "", "", "" },
	{ "and floods", OTHER ",\"promiscuous\":true,\"multicast\":\"all\",\"unicast-overflow\":true," GROUPS(Q(GROUP_1)), PORT,
	  MAC_A, "", "", "", "", "" },
	{ "does not learn", OTHER ",\"unicast-table\":[" Q(UNI_2) "," Q(UNI_1) "]", PORT, MAC_A " nolearning", "", "", "", "",
	  "fdb+" MAC_B " fdb+" UNI_1 " fdb+" UNI_2 " own-fdb:" MAC_B " own-fdb:" UNI_1 " own-fdb:" UNI_2 },
	{ "does not flood", OTHER, PORT, MAC_A " noflood", "", "", "", "", "fdb+" MAC_B " own-fdb:" MAC_B },
	{ "somebody else's entry", OTHER, PORT, MAC_A " noflood", "", MAC_B " " UNI_1, "", "", "" },
	{ "another MAC, no flood", OTHER, PORT, MAC_A " noflood", "", MAC_A " " UNI_1, "", MAC_A,
	  "fdb+" MAC_B " fdb-" MAC_A " own-fdb:" MAC_B },
	{ "floods again", OTHER, PORT, MAC_A, "", MAC_B " " UNI_1, "", MAC_B, "fdb-" MAC_B },
	{ "a group for a MAC, no flood", "\"main-mac\":\"01:00:5e:00:00:01\",\"unicast-table\":[" Q(UNI_1) "," Q(GROUP_1) "]",
	  PORT, MAC_A " noflood", "", "", "", "", "fdb+" UNI_1 " own-fdb:" UNI_1 " refused" },
	{ "too many addresses, no flood", OTHER ",\"unicast-overflow\":true", PORT, MAC_A " noflood", "", MAC_B, "", MAC_B,
	  "own-fdb:" MAC_B " refused" },
	{ "all addresses, no learning", OTHER ",\"unicast\":\"all\"", PORT, MAC_A " nolearning", "", MAC_B, "", MAC_B,
	  "own-fdb:" MAC_B },

	/* A tap. */
	{ "nothing to do", OTHER ",\"promiscuous\":true,\"multicast\":\"all\"," GROUPS(Q(GROUP_1)), HOST_FILTER_NONE, MAC_A,
	  "", "", "", "", "" },
	{ "whatever the MAC", "\"main-mac\":\"00:00:00:00:00:00\"", HOST_FILTER_NONE, MAC_A, "", "", "", "", "" },
};

/* ---- a host that does what a plan says ---- */

static void change_set(MacSet **set, const MacSet *add, const MacSet *remove)
{
	g_autoptr(MacSet) before = *set;
	g_autoptr(MacSet) twice = mac_set_intersection(before, add);
	g_autoptr(MacSet) absent = mac_set_difference(remove, before);
	g_autoptr(MacSet) rest = mac_set_difference(before, remove);

	/* The kernel refuses both. */
	g_assert_cmpuint(mac_set_get_size(twice), ==, 0);
	g_assert_cmpuint(mac_set_get_size(absent), ==, 0);
	*set = mac_set_union(rest, add);
}

static void apply(HostFilter *host, const FilterPlan *plan)
{
	if (plan->set_mac) {
		g_assert_false(mac_is_group(&plan->mac) || mac_is_zero(&plan->mac));
		host->mac = plan->mac;
	}
	if (plan->set_promiscuous)
		host->promiscuous = plan->promiscuous;
	if (plan->set_all_multicast)
		host->all_multicast = plan->all_multicast;
	if (plan->set_multicast)
		host->multicast = plan->multicast;
	change_set(&host->multicast_table, plan->multicast_add, plan->multicast_remove);
	change_set(&host->forwarding, plan->forwarding_add, plan->forwarding_remove);
}

static void check_nothing_left(const RxFilter *guest, const HostFilter *host, const FilterPlan *applied)
{
	g_autoptr(FilterPlan) again = filter_plan_new(guest, host, applied->own);

	g_assert_true(filter_plan_is_empty(again));
	g_assert_true(mac_set_equal(again->own->multicast_table, applied->own->multicast_table));
	g_assert_true(mac_set_equal(again->own->forwarding, applied->own->forwarding));
	g_assert_cmpstr(again->refused, ==, applied->refused);
}

static void test_rows(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		const Row *row = &rows[i];
		g_autoptr(RxFilter) guest = make_guest(row->guest);
		g_autoptr(HostFilter) host = make_host(row->kind, row->host, row->groups, row->forwarding);
		g_autoptr(HostFilterOwn) own = host_filter_own_new();
		g_autoptr(FilterPlan) plan = NULL;
		g_autofree char *text = NULL;
		bool empty;

		g_test_message("%s", row->name);
		replace(&own->multicast_table, make_set(row->own_groups));
		replace(&own->forwarding, make_set(row->own_forwarding));
		plan = filter_plan_new(guest, host, own);
		text = plan_to_text(plan);
		g_assert_cmpstr(text, ==, row->plan);
		empty = *text == '\0' || g_str_equal(text, "refused") || g_str_has_prefix(text, "own");
		g_assert_true(filter_plan_is_empty(plan) == empty);
		apply(host, plan);
		check_nothing_left(guest, host, plan);
	}
}

/* Of each thing that may be refused: the reason is for people, and names what it is about. */
static void test_refused(void)
{
	g_autoptr(HostFilter) macvtap = make_host(HOST_FILTER_MACVTAP, MAC_A, "", "");
	g_autoptr(HostFilter) port = make_host(HOST_FILTER_BRIDGE_PORT, MAC_A " noflood", "", "");
	static const struct {
		const char *guest;
		bool bridge;
		const char *about;
	} cases[] = {
		{ "\"main-mac\":\"01:00:5e:00:00:01\"", false, "MAC 01:00:5e:00:00:01 " },
		{ "\"main-mac\":\"ff:ff:ff:ff:ff:ff\"", true, "MAC ff:ff:ff:ff:ff:ff " },
		{ "\"main-mac\":\"\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\"", false, "MAC" },
		{ SAME ",\"unicast-overflow\":true", false, "passthru" },
		{ SAME ",\"unicast-overflow\":true", true, "flooding" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(RxFilter) guest = make_guest(cases[i].guest);
		g_autoptr(FilterPlan) plan = filter_plan_new(guest, cases[i].bridge ? port : macvtap, NULL);

		g_assert_nonnull(plan->refused);
		g_assert_nonnull(strstr(plan->refused, cases[i].about));
		g_assert_true(g_utf8_validate(plan->refused, -1, NULL));
	}
}

/* ---- any states ---- */

#define UNIVERSE 24u

/* Some of each kind; the last ones are none that may be put on a host. */
static const char *const universe[UNIVERSE] = {
	MAC_A, MAC_B, UNI_1, UNI_2, "52:54:00:00:01:03", "52:54:00:00:01:04", "fe:ff:ff:ff:ff:ff", "00:00:00:00:00:01",
	GROUP_1, GROUP_2, GROUP_3, "01:00:5e:00:00:04", "01:80:c2:00:00:00", "33:33:ff:00:00:01", "ff:ff:ff:ff:ff:fe",
	"01:00:00:00:00:00", "03:00:00:00:00:07", "33:33:00:00:00:fb", "33:33:00:00:00:fc", "33:33:00:00:00:fd",
	"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "what", "",
};
#define ADDRESSES 8u      /* of the first ones */

static int pick(int n)
{
	return g_test_rand_int_range(0, n);
}

static GStrv random_table(unsigned first, unsigned last)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	for (unsigned i = first; i < last; i++)
		if (pick(3) == 0)
			g_strv_builder_add(builder, universe[i]);
	return g_strv_builder_end(builder);
}

static MacSet *random_set(unsigned first, unsigned last)
{
	g_auto(GStrv) table = random_table(first, last);

	return mac_set_new_from_strings((const char *const *)table);
}

static RxFilter *random_guest(void)
{
	static const char *const modes[] = { "normal", "none", "all", "what" };
	static const uint32_t vlans[] = { 0, 1, 4094, 4095 };
	RxFilter *guest = make_guest(SAME);

	g_free(guest->main_mac);
	guest->main_mac = g_strdup(universe[pick(4) ? pick(ADDRESSES) : pick(UNIVERSE)]);
	guest->promiscuous = pick(2);
	g_free(guest->unicast);
	guest->unicast = g_strdup(modes[pick(4)]);
	g_free(guest->multicast);
	guest->multicast = g_strdup(modes[pick(4)]);
	guest->broadcast_allowed = pick(2);
	guest->unicast_overflow = pick(4) == 0;
	guest->multicast_overflow = pick(4) == 0;
	g_strfreev(guest->unicast_table);
	guest->unicast_table = random_table(0, UNIVERSE);
	g_strfreev(guest->multicast_table);
	guest->multicast_table = random_table(0, UNIVERSE);
	g_free(guest->vlan_table);
	guest->n_vlans = (size_t)pick(3);
	guest->vlan_table = g_new0(uint32_t, 3);
	for (size_t i = 0; i < guest->n_vlans; i++)
		guest->vlan_table[i] = vlans[pick(4)];
	return guest;
}

static HostFilter *random_host(void)
{
	HostFilter *host = host_filter_new((HostFilterKind)pick(3));

	host->up = pick(2);
	g_assert_true(mac_parse(universe[pick(ADDRESSES)], &host->mac));
	host->promiscuous = pick(2);
	host->all_multicast = pick(2);
	host->multicast = pick(2);
	host->passthru = pick(2);
	host->learning = pick(2);
	host->unicast_flood = pick(2);
	replace(&host->multicast_table, random_set(ADDRESSES, UNIVERSE - 4));
	replace(&host->forwarding, random_set(0, ADDRESSES));
	return host;
}

/* Not by the plan's own way: frame by frame, what the guest wants and what the host lets through. */
static void check_lets_through(const RxFilter *guest, const HostFilter *host, const FilterPlan *plan)
{
	bool none = g_str_equal(guest->multicast, "none");
	bool all = g_str_equal(guest->multicast, "all") || guest->multicast_overflow;

	if (host->kind == HOST_FILTER_MACVTAP) {
		for (unsigned i = ADDRESSES; i < UNIVERSE - 4; i++) {
			Mac group;
			bool passes, listed = g_strv_contains((const char *const *)guest->multicast_table, universe[i]);

			g_assert_true(mac_parse(universe[i], &group));
			passes = host->multicast &&
				 (host->all_multicast || mac_set_contains(host->multicast_table, &group));
			if (!none && (all || listed))
				g_assert_true(passes);
			/* What is ours alone lets through nothing that the guest does not want. */
			if (mac_set_contains(plan->own->multicast_table, &group))
				g_assert_true(listed && !none);
			if (none)
				g_assert_false(passes);
		}
		g_assert_true(host->promiscuous || !guest->promiscuous);
	}
	for (unsigned i = 0; i < ADDRESSES && host->kind == HOST_FILTER_BRIDGE_PORT; i++) {
		Mac mac;
		bool wanted = g_str_equal(guest->main_mac, universe[i]) ||
			      g_strv_contains((const char *const *)guest->unicast_table, universe[i]);

		g_assert_true(mac_parse(universe[i], &mac));
		if (!mac_is_zero(&mac) && wanted && (!host->learning || !host->unicast_flood))
			g_assert_true(mac_set_contains(host->forwarding, &mac));
		if (mac_set_contains(plan->own->forwarding, &mac))
			g_assert_true(wanted);
	}
}

static void test_any_states(void)
{
	for (unsigned round = 0; round < 3000; round++) {
		g_autoptr(HostFilter) host = random_host();
		g_autoptr(HostFilterOwn) own = host_filter_own_new();

		/* Also what is not there: it may have been taken away. */
		replace(&own->multicast_table, random_set(ADDRESSES, UNIVERSE - 4));
		replace(&own->forwarding, random_set(0, ADDRESSES));
		/* A guest that changes again and again. */
		for (unsigned step = 0; step < 6; step++) {
			g_autoptr(RxFilter) guest = random_guest();
			g_autoptr(MacSet) groups = mac_set_difference(host->multicast_table, own->multicast_table);
			g_autoptr(MacSet) entries = mac_set_difference(host->forwarding, own->forwarding);
			g_autoptr(FilterPlan) plan = filter_plan_new(guest, host, own);
			g_autoptr(MacSet) others_groups = NULL;
			g_autoptr(MacSet) others_entries = NULL;
			Mac mac = host->mac;

			apply(host, plan);
			check_nothing_left(guest, host, plan);
			check_lets_through(guest, host, plan);

			/* What is somebody else's: all of it, and only that. */
			others_groups = mac_set_difference(host->multicast_table, plan->own->multicast_table);
			others_entries = mac_set_difference(host->forwarding, plan->own->forwarding);
			if (host->kind != HOST_FILTER_NONE) {
				g_assert_true(host->kind != HOST_FILTER_MACVTAP || mac_set_equal(groups, others_groups));
				g_assert_true(host->kind != HOST_FILTER_BRIDGE_PORT ||
					      mac_set_equal(entries, others_entries));
			} else {
				g_assert_true(filter_plan_is_empty(plan) && !plan->refused);
			}
			if (host->kind != HOST_FILTER_MACVTAP)
				g_assert_true(mac_equal(&mac, &host->mac));
			g_assert_nonnull(plan->own);
			host_filter_own_free(own);
			own = host_filter_own_copy(plan->own);
		}
	}
}

/* As many as an answer of QEMU's may have, all of them new; then all of them others. */
static void test_bounds(void)
{
	g_autoptr(HostFilter) host = make_host(HOST_FILTER_MACVTAP, MAC_A, GROUP_1, "");
	g_autoptr(HostFilterOwn) own = host_filter_own_new();

	for (unsigned turn = 0; turn < 2; turn++) {
		g_autoptr(GString) members = g_string_new(SAME ",\"multicast-table\":[");
		g_autoptr(RxFilter) guest = NULL;
		g_autoptr(FilterPlan) plan = NULL;

		for (unsigned i = 0; i < 3 * RX_FILTER_ENTRIES_MAX; i++)
			g_string_append_printf(members, "%s\"33:33:%02x:00:%02x:%02x\"", i ? "," : "", turn,
					       (i >> 8) & 0xff, i & 0xff);
		g_string_append_c(members, ']');
		guest = make_guest(members->str);
		plan = filter_plan_new(guest, host, own);
		g_assert_cmpuint(mac_set_get_size(plan->multicast_add), ==, RX_FILTER_ENTRIES_MAX);
		g_assert_cmpuint(mac_set_get_size(plan->multicast_remove), ==, turn * RX_FILTER_ENTRIES_MAX);
		g_assert_cmpuint(mac_set_get_size(plan->own->multicast_table), ==, RX_FILTER_ENTRIES_MAX);
		apply(host, plan);
		check_nothing_left(guest, host, plan);
		g_assert_cmpuint(mac_set_get_size(host->multicast_table), ==, RX_FILTER_ENTRIES_MAX + 1);
		host_filter_own_free(own);
		own = host_filter_own_copy(plan->own);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/filter-plan/rows", test_rows);
	g_test_add_func("/filter-plan/refused", test_refused);
	g_test_add_func("/filter-plan/any-states", test_any_states);
	g_test_add_func("/filter-plan/bounds", test_bounds);
	return g_test_run();
}
